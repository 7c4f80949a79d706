/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * top_view.h - an answer of the agent (seep.top/1) as a header and a table: what `seep top` shows,
 * whether it prints once or lives on a screen.
 */
#ifndef SEEP_CLI_TOP_VIEW_H
#define SEEP_CLI_TOP_VIEW_H

#include <jansson.h>

#include "../base/buf.h"
#include "render.h"
#include "table.h"

#define TOP_ROWS_MAX 1000 /* asked of the agent; sorting and filtering are done here */
#define TOP_FILTER_MAX 64

enum top_by { TOP_BY_PROCESS, TOP_BY_CGROUP, TOP_BY_POD, TOP_BY_WORKLOAD };
extern const char *const top_by_names[];

enum top_sort {
	TOP_SORT_GROWTH,
	TOP_SORT_RSS,
	TOP_SORT_ANON,
	TOP_SORT_SWAP,
	TOP_SORT_PID,
	TOP_SORT_VERDICT,
};
extern const char *const top_sort_names[];

struct top_view {
	int by;       /* enum top_by */
	int sort;     /* enum top_sort */
	int reverse;
	unsigned rows; /* 0 = all */
	char filter[TOP_FILTER_MAX]; /* empty = none; any column's text may match */
};

/* The rows in order, filtered and cut; not laid out yet. NULL: out of memory. */
struct table *top_view__table(const struct top_view *v, const json_t *body,
			      const struct style *s);

/* "node-1  memory 3.1G of 15.6G used  2 open incidents  health ok"; status may be NULL. */
void top_view__header(const json_t *body, const json_t *status, struct buf *b);
/* "processes over 6h, every 10s, by growth" */
void top_view__subheader(const struct top_view *v, const json_t *body, struct buf *b);

#endif /* SEEP_CLI_TOP_VIEW_H */
