/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * trace_format.h - the forms that the result of a trace can be written in, as one table.
 *
 * A form is one file trace_NAME.c with one function; adding a form means adding a file and a row
 * in trace_format.c. All of them take names from files that anybody may have written, and clean
 * or escape them.
 */
#ifndef SEEP_OUT_TRACE_FORMAT_H
#define SEEP_OUT_TRACE_FORMAT_H

#include "../base/buf.h"
#include "../drill/trace.h"

struct trace_format_options {
	unsigned top;   /* sites in text and JSON; 0: all */
	int no_sources; /* text: do not quote the line of source */
};

struct trace_format {
	const char *name;
	int is_binary;  /* not for a terminal */
	/* 0 or -ENOMEM. */
	int (*write)(const struct trace_result *r, const struct trace_format_options *opt,
		     struct buf *out);
};

enum { TRACE_TEXT, TRACE_JSON, TRACE_FOLDED, TRACE_PPROF, TRACE_SVG, TRACE_FORMAT_CNT };

extern const struct trace_format trace_formats[TRACE_FORMAT_CNT];

int trace_text__write(const struct trace_result *r, const struct trace_format_options *opt,
		      struct buf *out);
int trace_json__write(const struct trace_result *r, const struct trace_format_options *opt,
		      struct buf *out);
int trace_folded__write(const struct trace_result *r, const struct trace_format_options *opt,
			struct buf *out);
int trace_pprof__write(const struct trace_result *r, const struct trace_format_options *opt,
		       struct buf *out);
int trace_svg__write(const struct trace_result *r, const struct trace_format_options *opt,
		     struct buf *out);

/* ---- shared by them ---- */

#define TRACE_NAME_CAP 1024

/* "function", "libfoo.so+0x1234" or "0x7f..."; clean. Returns name. */
char *trace_format__frame_name(const struct frame *f, char *name, size_t cap);
/* Sites that own something now, of the first `top` (0: all). */
size_t trace_format__site_cnt(const struct trace_process *p, unsigned top);

#endif /* SEEP_OUT_TRACE_FORMAT_H */
