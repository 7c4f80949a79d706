/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * table.h - columns that line up on any screen: filled cell by cell, fitted, then drawn.
 *
 * Too wide a table first shortens the columns that allow it (the widest first), then leaves out
 * the least important ones. Drawing goes through a callback, so that the same table can be
 * printed or put on a curses screen.
 */
#ifndef SEEP_CLI_TABLE_H
#define SEEP_CLI_TABLE_H

#include "render.h"

#define TABLE_COLUMNS_MAX 16

enum align { ALIGN_LEFT, ALIGN_RIGHT };

struct table_column {
	const char *title;
	enum align align;
	enum clip clip;
	int min_width; /* may be shortened down to this; 0 = never shortened */
	int drop;      /* 0 = always there; otherwise the highest goes first on narrow screens */
};

struct table;

/* The columns are copied, their titles are not. NULL: out of memory. */
struct table *table__new(const struct table_column *columns, int cnt);
void table__free(struct table *t);
/* The next cell, row by row; the text is copied and cleaned. */
void table__cell(struct table *t, enum paint paint, const char *text);
int table__rows(const struct table *t);
/* 0 or -ENOMEM: then cells are missing. */
int table__err(const struct table *t);

/* Fit the columns into the style's width; then rows can be drawn. */
void table__layout(struct table *t, const struct style *s);
typedef void (*table_put_fn)(void *ctx, enum paint paint, const char *text);
/* Draw one row (-1: the titles) piece by piece, without newline or trailing blanks. */
void table__draw(const struct table *t, int row, table_put_fn put, void *ctx);
/* Lay out and draw everything, titles first. */
void table__print(struct table *t, const struct style *s, struct buf *out);

#endif /* SEEP_CLI_TABLE_H */
