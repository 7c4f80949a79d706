// SPDX-License-Identifier: BSD-2-Clause
/* test_page.c - the files of the web page are in the binary, all of them and no others. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "out/page.h"

static int has(const struct page_file *file, const char *text)
{
	return memmem(file->data, file->end - file->data, text, strlen(text)) != NULL;
}

static void test_views_are_one_document(void **state)
{
	static const char *const views[] = {"/",     "/incidents", "/processes",    "/cgroups",
					    "/pods", "/status",	   "/incident/abc", "/incident/"};
	size_t i;

	for (i = 0; i < sizeof(views) / sizeof(views[0]); i++) {
		const struct page_file *file = page__find(views[i]);

		assert_non_null(file);
		assert_string_equal(file->name, "index.html");
		assert_true(has(file, "<!doctype html>"));
	}
}

/* Whatever a file imports or the document loads is there, and nothing comes from elsewhere. */
static void check_imports(const struct page_file *file)
{
	static const char from[] = " from \"./";
	const char *at = file->data;
	char path[80];

	while ((at = memmem(at, file->end - at, from, sizeof(from) - 1))) {
		at += sizeof(from) - 1;
		snprintf(path, sizeof(path), "/page/%.*s", (int)strcspn(at, "\""), at);
		if (!page__find(path))
			fail_msg("%s imports %s, which is not there", file->name, path);
	}
	assert_false(has(file, "https://"));
	assert_false(has(file, "innerHTML"));
}

static void test_files_are_whole(void **state)
{
	static const char *const names[] = {
		"page.css",    "icon.svg",     "theme.js", "main.js",	"api.js",   "dom.js",
		"format.js",   "chart.js",     "flame.js", "table.js",	"parts.js", "overview.js",
		"incident.js", "incidents.js", "live.js",  "status.js",
	};
	char path[80];
	size_t i;

	for (i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		const struct page_file *file;

		snprintf(path, sizeof(path), "/page/%s", names[i]);
		file = page__find(path);
		assert_non_null(file);
		assert_true(file->end - file->data > 100);
		check_imports(file);
	}
}

static void test_nothing_else(void **state)
{
	static const char *const paths[] = {
		"",	   "/page",	     "/page/",	      "/page/../main.c",
		"/nosuch", "/page/main.js/", "/incident/a/b", "/incidents/",
		"//",	   "/page/MAIN.JS"};
	size_t i;

	for (i = 0; i < sizeof(paths) / sizeof(paths[0]); i++)
		assert_null(page__find(paths[i]));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_views_are_one_document),
		cmocka_unit_test(test_files_are_whole),
		cmocka_unit_test(test_nothing_else),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
