/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * render.h - how the CLI puts text on a terminal: safe text, colours, sparklines, charts.
 *
 * Everything is measured in display columns, not bytes, and appended to a struct buf. Text from
 * outside (process names, paths) passes render__clip, which leaves nothing that a terminal acts on.
 * Whoever uses these calls setlocale(LC_CTYPE, "") first; without UTF-8 there is ASCII for all.
 */
#ifndef SEEP_CLI_RENDER_H
#define SEEP_CLI_RENDER_H

#include "../base/buf.h"

/* Not COLOR_*: those names are curses'. */
enum paint {
	PAINT_PLAIN,
	PAINT_BOLD,
	PAINT_DIM,
	PAINT_RED,
	PAINT_GREEN,
	PAINT_YELLOW,
};

enum color_mode { COLOR_MODE_AUTO, COLOR_MODE_ALWAYS, COLOR_MODE_NEVER };
extern const char *const color_mode_names[];

#define COLOR_OPTION(target) \
	{"color", 0, OPTION_CHOICE, "auto|always|never", target, \
	 "colours; auto: on a terminal, unless NO_COLOR is set", color_mode_names}

/* What the screen can do. */
struct style {
	int width; /* columns */
	int utf8;
	int color;
};

/* Of standard output: 80 columns where it is no terminal. */
void style__of_stdout(struct style *ret_style, enum color_mode mode);

/* Append text in a colour, which is left out where there are none. Text is taken as it is. */
void style__paint(const struct style *s, struct buf *b, enum paint paint, const char *text);

enum clip {
	CLIP_TAIL, /* "a-long-na..." */
	CLIP_HEAD, /* "...g-name", for paths */
};

int render__width(const char *text);
/*
 * Append text with what is not printable replaced by '?' and, if it is wider than max columns,
 * shortened with an ellipsis. s may be NULL (ASCII ellipsis). Returns the columns appended.
 */
int render__clip(struct buf *b, const char *text, int max, enum clip clip, const struct style *s);

/* "1.4G", "512M", "-3.2K", "0", "-" for NAN: at most 6 columns. */
char *render__bytes(double bytes, char *buf, size_t cap);

/* One character per value, scaled from the lowest to the highest; NAN is a gap. */
void render__sparkline(struct buf *b, const double *values, int n, const struct style *s);

/* A curve over time in rows of text, with axes. Unknown numbers are NAN. */
struct chart {
	const double *values; /* one per column, evenly spaced from from_s to to_s */
	int n;
	int height;
	double from_s;
	double to_s;
	double onset_s;       /* marked under the curve */
	double limit_bytes;   /* drawn if it is not far above the curve */
};
void render__chart(struct buf *b, const struct chart *c, const struct style *s);

#define CHART_MARGIN 9 /* columns left of the curve */

/* A paragraph, wrapped at the width, every line indented. */
void render__paragraph(struct buf *b, const char *text, int indent, const struct style *s);

/* Write b to standard output, ending in a newline, and free it. Returns SEEP_EXIT_OK or, with a message, _FAILED. */
int render__print(struct buf *b);

#endif /* SEEP_CLI_RENDER_H */
