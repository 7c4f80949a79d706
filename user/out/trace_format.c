// SPDX-License-Identifier: BSD-2-Clause
/* trace_format.c - see trace_format.h. */
#include <stdio.h>
#include <string.h>

#include "../who/clean.h"
#include "cpp_name.h"
#include "trace_format.h"

const struct trace_format trace_formats[TRACE_FORMAT_CNT] = {
	[TRACE_TEXT] = {.name = "text", .write = trace_text__write},
	[TRACE_JSON] = {.name = "json", .write = trace_json__write},
	[TRACE_FOLDED] = {.name = "folded", .write = trace_folded__write},
	[TRACE_PPROF] = {.name = "pprof", .write = trace_pprof__write, .is_binary = 1},
	[TRACE_SVG] = {.name = "svg", .write = trace_svg__write},
};

static const char *base_of(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash && slash[1] ? slash + 1 : path;
}

char *trace_format__frame_name(const struct frame *f, char *name, size_t cap)
{
	char text[TRACE_NAME_CAP];

	if (f->function)
		snprintf(text, sizeof(text), "%s", f->function);
	else if (f->module)
		snprintf(text, sizeof(text), "%s+0x%llx", base_of(f->module),
			 (unsigned long long)f->offset);
	else
		snprintf(text, sizeof(text), "0x%llx", (unsigned long long)f->address);
	if (f->function)
		cpp_name__shorten(text);
	clean__name(text, strlen(text), name, cap);
	return name;
}

size_t trace_format__site_cnt(const struct trace_process *p, unsigned top)
{
	size_t i;

	for (i = 0; i < p->site_cnt && (!top || i < top); i++) {
		if (!p->sites[i].samples)
			break;
	}
	return i;
}
