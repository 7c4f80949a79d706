// SPDX-License-Identifier: BSD-2-Clause
/*
 * render.c - see render.h. Characters are decoded by the C library in the user's locale, so the
 * widths are those of the user's terminal.
 */
#include <errno.h>
#include <langinfo.h>
#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>
#include <wchar.h>

#include "../base/json_mem.h"
#include "../base/log.h"
#include "../out/ctl_proto.h"
#include "render.h"

#define LEVELS 8 /* heights within one character */

const char *const color_mode_names[] = {
	[COLOR_MODE_AUTO] = "auto",
	[COLOR_MODE_ALWAYS] = "always",
	[COLOR_MODE_NEVER] = "never",
	NULL,
};

static const char *const utf8_levels[LEVELS] = {"▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"};
static const char *const ascii_levels[LEVELS] = {"_", ".", ":", "-", "=", "+", "*", "#"};

static const char *const *levels_of(const struct style *s)
{
	return s->utf8 ? utf8_levels : ascii_levels;
}

static int want_color(enum color_mode mode)
{
	const char *no_color = getenv("NO_COLOR");
	const char *term = getenv("TERM");

	if (mode != COLOR_MODE_AUTO)
		return mode == COLOR_MODE_ALWAYS;
	if (no_color && *no_color)
		return 0;
	return isatty(STDOUT_FILENO) && term && strcmp(term, "dumb");
}

void style__of_stdout(struct style *ret_style, enum color_mode mode)
{
	struct winsize ws;

	ret_style->width = 80;
	if (!ioctl(STDOUT_FILENO, TIOCGWINSZ, &ws) && ws.ws_col)
		ret_style->width = ws.ws_col;
	ret_style->utf8 = !strcmp(nl_langinfo(CODESET), "UTF-8");
	ret_style->color = want_color(mode);
}

void style__paint(const struct style *s, struct buf *b, enum paint paint, const char *text)
{
	static const char *const codes[] = {
		[PAINT_BOLD] = "1", [PAINT_DIM] = "2", [PAINT_RED] = "31",
		[PAINT_GREEN] = "32", [PAINT_YELLOW] = "33",
	};

	if (s->color && paint != PAINT_PLAIN && *text)
		buf__printf(b, "\033[%sm%s\033[0m", codes[paint], text);
	else
		buf__puts(b, text);
}

/*
 * Step over one character. Returns its bytes, 0 at the end; *ret_width is 0 for what must not
 * reach a terminal: control characters, broken encoding, and all that takes no room of its own
 * (marks that reorder or hide text among it).
 */
static size_t next_char(const char *p, int *ret_width)
{
	mbstate_t state = {0};
	wchar_t wc;
	size_t n;
	int width;

	if (!*p)
		return 0;
	n = mbrtowc(&wc, p, strlen(p) < MB_LEN_MAX ? strlen(p) : MB_LEN_MAX, &state);
	if (n == 0 || n > MB_LEN_MAX) {
		*ret_width = 0;
		return 1;
	}
	width = wcwidth(wc);
	*ret_width = width > 0 ? width : 0;
	return n;
}

int render__width(const char *text)
{
	int sum = 0, width;
	size_t n;

	for (; (n = next_char(text, &width)); text += n)
		sum += width ? width : 1;
	return sum;
}

/* Append the characters that fit into max columns; returns the columns. */
static int append_clean(struct buf *b, const char *text, int max)
{
	int sum = 0, width;
	size_t n;

	for (; (n = next_char(text, &width)); text += n) {
		if (sum + (width ? width : 1) > max)
			break;
		sum += width ? width : 1;
		if (width)
			buf__append(b, text, n);
		else
			buf__puts(b, "?");
	}
	return sum;
}

/* Where the last characters begin that fit into max columns. */
static const char *tail_of(const char *text, int width, int max)
{
	int w;
	size_t n;

	for (; width > max && (n = next_char(text, &w)); text += n)
		width -= w ? w : 1;
	return text;
}

int render__clip(struct buf *b, const char *text, int max, enum clip clip, const struct style *s)
{
	const char *ellipsis = s && s->utf8 ? "…" : "~";
	int width = render__width(text);

	if (width <= max)
		return append_clean(b, text, max);
	if (max < 1)
		return 0;
	if (clip == CLIP_HEAD) {
		buf__puts(b, ellipsis);
		return 1 + append_clean(b, tail_of(text, width, max - 1), max - 1);
	}
	width = append_clean(b, text, max - 1);
	buf__puts(b, ellipsis);
	return width + 1;
}

char *render__bytes(double bytes, char *buf, size_t cap)
{
	static const char units[] = "BKMGTPE";
	double size = fabs(bytes);
	int i = 0;

	if (!isfinite(bytes)) {
		snprintf(buf, cap, "-");
		return buf;
	}
	while (size >= 999.5 && units[i + 1]) {
		size /= 1024;
		i++;
	}
	if (size < 0.5)
		snprintf(buf, cap, "0");
	else
		snprintf(buf, cap, "%s%.*f%c", bytes < 0 ? "-" : "", i && size < 9.95, size,
			 units[i]);
	return buf;
}

struct range {
	double lo, hi;
};

/* Lowest and highest value; lo > hi when none is known. */
static struct range range_of(const double *values, int n)
{
	struct range r = {INFINITY, -INFINITY};
	int i;

	for (i = 0; i < n; i++) {
		if (!isfinite(values[i]))
			continue;
		r.lo = fmin(r.lo, values[i]);
		r.hi = fmax(r.hi, values[i]);
	}
	return r;
}

void render__sparkline(struct buf *b, const double *values, int n, const struct style *s)
{
	struct range r = range_of(values, n);
	/* small wobbles of a large value stay flat */
	double span = fmax(r.hi - r.lo, fmax(fabs(r.hi) * .05, 1));
	int i, level;

	for (i = 0; i < n; i++) {
		if (!isfinite(values[i])) {
			buf__puts(b, " ");
			continue;
		}
		/* fmax also turns the NAN of an overflow into a level */
		level = fmin(fmax((values[i] - r.lo) / span * LEVELS, 0), LEVELS - 1);
		buf__puts(b, levels_of(s)[level]);
	}
}

/* The axis: from 0 or near the lowest value up to the highest, or a limit that is near. */
static struct range axis_of(const struct chart *c)
{
	struct range r = range_of(c->values, c->n);

	if (r.lo > r.hi)
		return (struct range){0, 1};
	if (isfinite(c->limit_bytes) && c->limit_bytes > r.hi &&
	    c->limit_bytes - r.lo < 3 * (r.hi - r.lo))
		r.hi = c->limit_bytes;
	if (r.lo < (r.hi - r.lo) || r.hi <= r.lo)
		r.lo = 0;
	if (r.hi <= r.lo)
		r.hi = r.lo + 1;
	return r;
}

static int column_of(const struct chart *c, double t_s)
{
	double span = c->to_s - c->from_s;

	if (!isfinite(t_s) || !(span > 0) || t_s < c->from_s || t_s > c->to_s)
		return -1;
	return fmin((t_s - c->from_s) / span * c->n, c->n - 1);
}

/* Which row a value falls into, the lowest being 0. */
static int row_of(const struct chart *c, const struct range *axis, double value)
{
	return fmin((value - axis->lo) / (axis->hi - axis->lo) * c->height, c->height - 1);
}

static const char *chart_glyph(const struct chart *c, const struct range *axis, int row,
			       double value, int is_limit, const struct style *s)
{
	double eighths;

	eighths = ((value - axis->lo) / (axis->hi - axis->lo) * c->height - row) * LEVELS;
	if (isfinite(value) && (eighths >= 1 || (row == 0 && eighths >= 0))) {
		if (!s->utf8)
			return eighths >= LEVELS ? "#" : eighths >= LEVELS / 2.0 ? "*" : ".";
		return utf8_levels[eighths >= LEVELS ? LEVELS - 1 : (int)fmax(eighths - 1, 0)];
	}
	if (is_limit)
		return s->utf8 ? "╌" : "-";
	return " ";
}

static void render_row(struct buf *b, const struct chart *c, const struct range *axis, int row,
		       const struct style *s)
{
	int limit_row = isfinite(c->limit_bytes) && c->limit_bytes <= axis->hi &&
			c->limit_bytes >= axis->lo ? row_of(c, axis, c->limit_bytes) : -1;
	double top = axis->lo + (axis->hi - axis->lo) * (row + 1) / c->height;
	char label[16] = "";
	int i;

	if (row == c->height - 1 || row == c->height / 2)
		render__bytes(top, label, sizeof(label));
	buf__printf(b, "%*s %s", CHART_MARGIN - 2, label, s->utf8 ? "│" : "|");
	for (i = 0; i < c->n; i++)
		buf__puts(b, chart_glyph(c, axis, row, c->values[i], row == limit_row, s));
	if (row == limit_row)
		buf__puts(b, " limit");
	buf__puts(b, "\n");
}

static void render_axis(struct buf *b, const struct chart *c, const struct range *axis,
			const struct style *s)
{
	int i, onset = column_of(c, c->onset_s);
	char label[16];

	buf__printf(b, "%*s %s", CHART_MARGIN - 2, render__bytes(axis->lo, label, sizeof(label)),
		    s->utf8 ? "└" : "+");
	for (i = 0; i < c->n; i++) {
		if (i == onset)
			buf__puts(b, s->utf8 ? "▲" : "^");
		else
			buf__puts(b, s->utf8 ? "─" : "-");
	}
	buf__puts(b, "\n");
}

static void format_clock(double t_s, char *buf, size_t cap)
{
	time_t t = fabs(t_s) < 32503680000.0 ? t_s : 0; /* year 3000 */
	struct tm tm;

	strftime(buf, cap, "%H:%M:%S", localtime_r(&t, &tm));
}

/* Where the onset's label goes: right of its mark, else left of it; -1 without room. */
static int label_column(int onset, int label, int left, int right)
{
	if (onset < 0)
		return -1;
	if (onset > left && onset + label < right)
		return onset;
	onset -= label - 1;
	return onset > left && onset + label < right ? onset : -1;
}

/* The times at both ends; the onset's between them where there is room. */
static void render_times(struct buf *b, const struct chart *c)
{
	char line[512], from[16], to[16], mark[32];
	int width = c->n < (int)sizeof(line) - 1 ? c->n : (int)sizeof(line) - 1, at;

	format_clock(c->from_s, from, sizeof(from));
	format_clock(c->to_s, to, sizeof(to));
	format_clock(c->onset_s, mark, sizeof(mark));
	strcat(mark, " onset");
	memset(line, ' ', width);
	line[width] = '\0';
	if (width >= 20) {
		memcpy(line, from, strlen(from));
		memcpy(line + width - strlen(to), to, strlen(to));
		at = label_column(column_of(c, c->onset_s), strlen(mark), strlen(from),
				  width - strlen(to));
		if (at >= 0)
			memcpy(line + at, mark, strlen(mark));
	}
	buf__printf(b, "%*s%s\n", CHART_MARGIN, "", line);
}

void render__chart(struct buf *b, const struct chart *c, const struct style *s)
{
	struct range axis = axis_of(c);
	int row;

	for (row = c->height - 1; row >= 0; row--)
		render_row(b, c, &axis, row, s);
	render_axis(b, c, &axis, s);
	render_times(b, c);
}

void render__paragraph(struct buf *b, const char *text, int indent, const struct style *s)
{
	struct buf word = {0};
	int column = 0, width;
	size_t len;

	for (;;) {
		text += strspn(text, " \n");
		len = strcspn(text, " \n");
		if (!len)
			break;
		buf__free(&word);
		buf__append(&word, text, len);
		if (word.err)
			break;
		width = render__width(word.data);
		if (column && column + 1 + width > s->width) {
			buf__puts(b, "\n");
			column = 0;
		}
		column += column ? 1 + width : indent + width;
		buf__printf(b, "%*s", column == indent + width ? indent : 1, "");
		render__clip(b, word.data, INT_MAX, CLIP_TAIL, s);
		text += len;
	}
	buf__free(&word);
	buf__puts(b, "\n");
}

int render__print(struct buf *b)
{
	int err;

	if (b->len && b->data[b->len - 1] != '\n')
		buf__puts(b, "\n");
	err = json_mem__failed() ? -ENOMEM : b->err;
	if (!err && b->len && fwrite(b->data, b->len, 1, stdout) != 1)
		err = -errno;
	if (!err && fflush(stdout))
		err = -errno;
	buf__free(b);
	if (err == -ENOMEM)
		log_err("out of memory");
	else if (err)
		log_err("cannot write to standard output: %s", strerror(-err));
	return err ? SEEP_EXIT_FAILED : SEEP_EXIT_OK;
}
