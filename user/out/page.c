// SPDX-License-Identifier: BSD-2-Clause
#include <stddef.h>
#include <string.h>

#include "page.h"

#define HTML "text/html; charset=utf-8"
#define CSS  "text/css; charset=utf-8"
#define JS   "text/javascript; charset=utf-8"
#define SVG  "image/svg+xml"

/* The linker makes these names of the files in page/, see the Makefile. */
#define PAGE_FILES(X)                       \
	X("index.html", index_html, HTML)   \
	X("page.css", page_css, CSS)        \
	X("icon.svg", icon_svg, SVG)        \
	X("theme.js", theme_js, JS)         \
	X("main.js", main_js, JS)           \
	X("api.js", api_js, JS)             \
	X("dom.js", dom_js, JS)             \
	X("format.js", format_js, JS)       \
	X("chart.js", chart_js, JS)         \
	X("flame.js", flame_js, JS)         \
	X("table.js", table_js, JS)         \
	X("parts.js", parts_js, JS)         \
	X("overview.js", overview_js, JS)   \
	X("incident.js", incident_js, JS)   \
	X("incidents.js", incidents_js, JS) \
	X("live.js", live_js, JS)           \
	X("status.js", status_js, JS)

#define SYMBOL(id, part)	_binary_user_out_page_##id##_##part
#define DECLARE(name, id, type) extern const char SYMBOL(id, start)[], SYMBOL(id, end)[];
#define ROW(name, id, type)	{name, type, SYMBOL(id, start), SYMBOL(id, end)},

PAGE_FILES(DECLARE)

static const struct page_file files[] = {PAGE_FILES(ROW)};

static const char *const views[] = {"/",	"/incidents", "/processes",
				    "/cgroups", "/pods",      "/status"};

static int is_view(const char *path)
{
	static const char incident[] = "/incident/";
	size_t i;

	for (i = 0; i < sizeof(views) / sizeof(views[0]); i++)
		if (!strcmp(path, views[i]))
			return 1;
	return !strncmp(path, incident, sizeof(incident) - 1) &&
	       !strchr(path + sizeof(incident) - 1, '/');
}

const struct page_file *page__find(const char *path)
{
	static const char prefix[] = "/page/";
	size_t i;

	if (is_view(path))
		return &files[0];
	if (strncmp(path, prefix, sizeof(prefix) - 1))
		return NULL;
	for (i = 0; i < sizeof(files) / sizeof(files[0]); i++)
		if (!strcmp(path + sizeof(prefix) - 1, files[i].name))
			return &files[i];
	return NULL;
}
