// SPDX-License-Identifier: BSD-2-Clause
/*
 * table.c - see table.h. Cells are kept as cleaned text; widths are counted once, in display
 * columns.
 */
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "table.h"

#define GAP 1 /* blanks between columns */

struct cell {
	char *text;
	int width;
	enum paint paint;
};

struct table {
	struct table_column columns[TABLE_COLUMNS_MAX];
	int column_cnt;
	struct cell *cells;
	size_t cell_cnt;
	size_t cell_cap;
	int err;
	struct style style;
	int widths[TABLE_COLUMNS_MAX]; /* after layout; -1 = left out */
};

struct table *table__new(const struct table_column *columns, int cnt)
{
	struct table *t = calloc(1, sizeof(*t));

	if (!t)
		return NULL;
	t->column_cnt = cnt < TABLE_COLUMNS_MAX ? cnt : TABLE_COLUMNS_MAX;
	memcpy(t->columns, columns, t->column_cnt * sizeof(*columns));
	return t;
}

void table__free(struct table *t)
{
	size_t i;

	if (!t)
		return;
	for (i = 0; i < t->cell_cnt; i++)
		free(t->cells[i].text);
	free(t->cells);
	free(t);
}

static int grow(struct table *t)
{
	size_t cap = t->cell_cap ? t->cell_cap * 2 : 128;
	struct cell *cells;

	if (t->cell_cnt < t->cell_cap)
		return 0;
	cells = realloc(t->cells, cap * sizeof(*cells));
	if (!cells)
		return -ENOMEM;
	t->cells = cells;
	t->cell_cap = cap;
	return 0;
}

void table__cell(struct table *t, enum paint paint, const char *text)
{
	struct buf clean = {0};
	int width;

	if (t->err)
		return;
	buf__puts(&clean, "");
	width = render__clip(&clean, text, INT_MAX, CLIP_TAIL, NULL);
	if (clean.err || grow(t)) {
		buf__free(&clean);
		t->err = -ENOMEM;
		return;
	}
	t->cells[t->cell_cnt++] = (struct cell){clean.data, width, paint};
}

int table__rows(const struct table *t)
{
	return t->cell_cnt / t->column_cnt;
}

int table__err(const struct table *t)
{
	return t->err;
}

static void natural_widths(struct table *t)
{
	size_t i;
	int c, width;

	for (c = 0; c < t->column_cnt; c++)
		t->widths[c] = render__width(t->columns[c].title);
	for (i = 0; i < t->cell_cnt; i++) {
		c = i % t->column_cnt;
		width = t->cells[i].width;
		if (width > t->widths[c])
			t->widths[c] = width;
	}
}

static int total_width(const struct table *t)
{
	int c, sum = -GAP;

	for (c = 0; c < t->column_cnt; c++) {
		if (t->widths[c] >= 0)
			sum += t->widths[c] + GAP;
	}
	return sum;
}

/* The column with most above its minimum, or -1. */
static int widest_elastic(const struct table *t)
{
	int c, best = -1, spare, best_spare = 0;

	for (c = 0; c < t->column_cnt; c++) {
		if (!t->columns[c].min_width || t->widths[c] < 0)
			continue;
		spare = t->widths[c] - t->columns[c].min_width;
		if (spare > best_spare) {
			best_spare = spare;
			best = c;
		}
	}
	return best;
}

/* The column that is missed least, or -1. */
static int least_important(const struct table *t)
{
	int c, best = -1;

	for (c = 0; c < t->column_cnt; c++) {
		if (!t->columns[c].drop || t->widths[c] < 0)
			continue;
		if (best < 0 || t->columns[c].drop > t->columns[best].drop)
			best = c;
	}
	return best;
}

/* The narrowest that the columns still there can be. */
static int least_width(const struct table *t)
{
	int c, sum = total_width(t);

	for (c = 0; c < t->column_cnt; c++) {
		if (t->columns[c].min_width && t->widths[c] > t->columns[c].min_width)
			sum -= t->widths[c] - t->columns[c].min_width;
	}
	return sum;
}

void table__layout(struct table *t, const struct style *s)
{
	int c;

	t->style = *s;
	natural_widths(t);
	while (least_width(t) > s->width && (c = least_important(t)) >= 0)
		t->widths[c] = -1;
	while (total_width(t) > s->width && (c = widest_elastic(t)) >= 0)
		t->widths[c]--;
}

static void put_blanks(table_put_fn put, void *ctx, int n)
{
	static const char blanks[] = "                                ";
	int part;

	for (; n > 0; n -= part) {
		part = n < (int)sizeof(blanks) - 1 ? n : (int)sizeof(blanks) - 1;
		put(ctx, PAINT_PLAIN, blanks + sizeof(blanks) - 1 - part);
	}
}

/* Blanks are owed until text follows them; returns how many are owed after the cell. */
static int draw_cell(const struct table *t, int column, const char *text, enum paint paint,
		     int blanks, table_put_fn put, void *ctx)
{
	const struct table_column *col = &t->columns[column];
	struct buf clipped = {0};
	int pad;

	pad = t->widths[column] -
	      render__clip(&clipped, text, t->widths[column], col->clip, &t->style);
	if (!clipped.len)
		return blanks + pad + GAP;
	if (col->align == ALIGN_RIGHT) {
		blanks += pad;
		pad = 0;
	}
	put_blanks(put, ctx, blanks);
	put(ctx, paint, clipped.data);
	buf__free(&clipped);
	return pad + GAP;
}

void table__draw(const struct table *t, int row, table_put_fn put, void *ctx)
{
	const struct cell *cell;
	int c, blanks = 0;

	for (c = 0; c < t->column_cnt; c++) {
		if (t->widths[c] < 0)
			continue;
		cell = row < 0 ? NULL : &t->cells[(size_t)row * t->column_cnt + c];
		blanks = draw_cell(t, c, cell ? cell->text : t->columns[c].title,
				   cell ? cell->paint : PAINT_BOLD, blanks, put, ctx);
	}
}

struct printer {
	const struct style *style;
	struct buf *out;
};

static void print_piece(void *ctx, enum paint paint, const char *text)
{
	struct printer *p = ctx;

	style__paint(p->style, p->out, paint, text);
}

void table__print(struct table *t, const struct style *s, struct buf *out)
{
	struct printer p = {s, out};
	int row, rows = table__rows(t);

	table__layout(t, s);
	for (row = -1; row < rows; row++) {
		table__draw(t, row, print_piece, &p);
		buf__puts(out, "\n");
	}
}
