// SPDX-License-Identifier: BSD-2-Clause
/*
 * top_view.c - see top_view.h. Columns are rows of one table; each says in which views it stands.
 */
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "field.h"
#include "top_view.h"

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))
#define SPARK_MAX 48
#define WIDE_SCREEN 110

const char *const top_by_names[] = {
	[TOP_BY_PROCESS] = "process",
	[TOP_BY_CGROUP] = "cgroup",
	[TOP_BY_POD] = "pod",
	[TOP_BY_WORKLOAD] = "workload",
	NULL,
};

const char *const top_sort_names[] = {
	[TOP_SORT_GROWTH] = "growth",
	[TOP_SORT_RSS] = "rss",
	[TOP_SORT_ANON] = "anon",
	[TOP_SORT_SWAP] = "swap",
	[TOP_SORT_PID] = "pid",
	[TOP_SORT_VERDICT] = "verdict",
	NULL,
};

/* ---- cells ---- */

/* What the cells of all rows have in common. */
struct frame {
	const struct style *style;
	double from_s, to_s;
	int spark_width;
};

typedef void (*cell_fn)(struct table *t, const json_t *row, const char *path,
			const struct frame *f);

static void text_cell(struct table *t, const json_t *row, const char *path, const struct frame *f)
{
	(void)f;
	table__cell(t, PAINT_PLAIN, field__str(row, path, "-"));
}

static void number_cell(struct table *t, const json_t *row, const char *path,
			const struct frame *f)
{
	double value = field__num(row, path);
	char text[FIELD_TEXT];

	(void)f;
	snprintf(text, sizeof(text), "%.0f", value);
	table__cell(t, PAINT_PLAIN, isfinite(value) ? text : "-");
}

static void bytes_cell(struct table *t, const json_t *row, const char *path,
		       const struct frame *f)
{
	char text[FIELD_TEXT];

	(void)f;
	table__cell(t, PAINT_PLAIN, render__bytes(field__num(row, path), text, sizeof(text)));
}

/* The container if there is one, else the cgroup. */
static void where_cell(struct table *t, const json_t *row, const char *path,
		       const struct frame *f)
{
	(void)f;
	table__cell(t, PAINT_PLAIN, field__str(row, path, field__str(row, "cgroup", "-")));
}

/* A container without a pod stands for one. */
static void pod_cell(struct table *t, const json_t *row, const char *path, const struct frame *f)
{
	(void)f;
	table__cell(t, PAINT_PLAIN, field__str(row, path, field__str(row, "container", "-")));
}

static void time_cell(struct table *t, const json_t *row, const char *path, const struct frame *f)
{
	char text[FIELD_TEXT];

	(void)f;
	table__cell(t, PAINT_PLAIN, field__duration(row, path, text));
}

static void spark_cell(struct table *t, const json_t *row, const char *path,
		       const struct frame *f)
{
	double values[SPARK_MAX];
	struct buf b = {0};

	field__curve(field__get(row, path), f->from_s, f->to_s, values, f->spark_width);
	render__sparkline(&b, values, f->spark_width, f->style);
	table__cell(t, PAINT_PLAIN, b.len ? b.data : "");
	buf__free(&b);
}

static void verdict_cell(struct table *t, const json_t *row, const char *path,
			 const struct frame *f)
{
	const char *verdict = field__str(row, path, "-");

	(void)f;
	table__cell(t, label__verdict_paint(verdict), verdict);
}

#define IN_PROCESS (1u << TOP_BY_PROCESS)
#define IN_CGROUP (1u << TOP_BY_CGROUP)
#define IN_POD (1u << TOP_BY_POD)
#define IN_WORKLOAD (1u << TOP_BY_WORKLOAD)
#define IN_PODS (IN_POD | IN_WORKLOAD)
#define IN_ONE (IN_PROCESS | IN_CGROUP | IN_POD) /* limits are those of one cgroup */
#define IN_ALL (IN_ONE | IN_WORKLOAD)

static const struct {
	unsigned views;
	cell_fn cell;
	const char *path;
	struct table_column column;
} columns[] = {
	{IN_PROCESS, number_cell, "pid", {.title = "PID", .align = ALIGN_RIGHT}},
	{IN_PROCESS, text_cell, "comm", {.title = "NAME", .min_width = 9}},
	{IN_PROCESS, where_cell, "container",
	 {.title = "CGROUP", .clip = CLIP_HEAD, .min_width = 8, .drop = 3}},
	{IN_CGROUP, text_cell, "cgroup", {.title = "CGROUP", .clip = CLIP_HEAD, .min_width = 16}},
	{IN_CGROUP, text_cell, "container", {.title = "CONTAINER", .min_width = 9, .drop = 3}},
	{IN_PODS, text_cell, "namespace", {.title = "NAMESPACE", .min_width = 6, .drop = 4}},
	{IN_POD, pod_cell, "pod", {.title = "POD", .min_width = 12}},
	{IN_POD, text_cell, "workload", {.title = "WORKLOAD", .min_width = 8, .drop = 3}},
	{IN_WORKLOAD, text_cell, "workload", {.title = "WORKLOAD", .min_width = 12}},
	{IN_WORKLOAD, number_cell, "pods", {.title = "PODS", .align = ALIGN_RIGHT}},
	{IN_ALL, bytes_cell, "rss_bytes", {.title = "RSS", .align = ALIGN_RIGHT, .drop = 2}},
	{IN_ALL, bytes_cell, "anon_bytes", {.title = "ANON", .align = ALIGN_RIGHT}},
	{IN_ALL, bytes_cell, "swap_bytes", {.title = "SWAP", .align = ALIGN_RIGHT, .drop = 6}},
	{IN_ONE, bytes_cell, "limit_bytes", {.title = "LIMIT", .align = ALIGN_RIGHT, .drop = 5}},
	{IN_ALL, bytes_cell, "growth_bytes_per_hour", {.title = "GROWTH/h", .align = ALIGN_RIGHT}},
	{IN_PODS, time_cell, "time_to_limit_s", {.title = "TO LIMIT", .align = ALIGN_RIGHT, .drop = 7}},
	{IN_ALL, spark_cell, "history", {.title = "HISTORY", .drop = 1}},
	{IN_ALL, verdict_cell, "verdict", {.title = "VERDICT"}},
};

/* ---- rows ---- */

static const char *const filter_paths[] = {
	"comm", "cmdline", "cgroup", "container", "pod", "namespace", "workload", "verdict",
};

static int matches(const json_t *row, const char *filter)
{
	char pid[FIELD_TEXT];
	size_t i;

	if (!*filter)
		return 1;
	for (i = 0; i < ARRAY_SIZE(filter_paths); i++) {
		if (strcasestr(field__str(row, filter_paths[i], ""), filter))
			return 1;
	}
	snprintf(pid, sizeof(pid), "%.0f", field__num(row, "pid"));
	return !strcmp(pid, filter);
}

static int verdict_rank(const char *verdict)
{
	static const char *const ranks[] = {"healthy", "warming", "recovered", "suspect", "leak"};
	size_t i;

	for (i = 0; i < ARRAY_SIZE(ranks); i++) {
		if (!strcmp(ranks[i], verdict))
			return i;
	}
	return -1;
}

static double sort_key(const json_t *row, int sort)
{
	switch (sort) {
	case TOP_SORT_RSS:
		return field__num(row, "rss_bytes");
	case TOP_SORT_ANON:
		return field__num(row, "anon_bytes");
	case TOP_SORT_SWAP:
		return field__num(row, "swap_bytes");
	case TOP_SORT_PID:
		return -field__num(row, "pid");
	case TOP_SORT_VERDICT:
		return verdict_rank(field__str(row, "verdict", ""));
	default:
		return field__num(row, "growth_bytes_per_hour");
	}
}

struct sortable {
	const json_t *row;
	double key;   /* highest first; unknown is lowest */
	double anon;  /* among equals */
	size_t at;    /* the agent's order, so that equals do not dance */
};

static int compare(const void *a, const void *b)
{
	const struct sortable *x = a, *y = b;

	if (x->key != y->key)
		return x->key > y->key ? -1 : 1;
	if (x->anon != y->anon)
		return x->anon > y->anon ? -1 : 1;
	return x->at < y->at ? -1 : 1;
}

static double known_or_least(double value)
{
	return isnan(value) ? -INFINITY : value;
}

/* Returns how many rows match; *ret_rows is the caller's. -ENOMEM. */
static ssize_t select_rows(const struct top_view *v, const json_t *rows,
			   struct sortable **ret_rows)
{
	size_t i, n = 0, cnt = json_array_size(rows);
	struct sortable *list = calloc(cnt + 1, sizeof(*list));
	double key;

	if (!list)
		return -ENOMEM;
	for (i = 0; i < cnt; i++) {
		const json_t *row = json_array_get(rows, i);

		if (!matches(row, v->filter))
			continue;
		key = sort_key(row, v->sort);
		list[n++] = (struct sortable){
			.row = row,
			.key = known_or_least(v->reverse ? -key : key),
			.anon = known_or_least(field__num(row, "anon_bytes")),
			.at = i,
		};
	}
	qsort(list, n, sizeof(*list), compare);
	*ret_rows = list;
	return v->rows && n > v->rows ? v->rows : n;
}

static struct table *new_table(const struct top_view *v)
{
	struct table_column shown[TABLE_COLUMNS_MAX];
	size_t i;
	int cnt = 0;

	for (i = 0; i < ARRAY_SIZE(columns); i++) {
		if (columns[i].views & 1u << v->by)
			shown[cnt++] = columns[i].column;
	}
	return table__new(shown, cnt);
}

static struct frame frame_of(const json_t *body, const struct style *s)
{
	double at_s = field__num(body, "at_s"), window_s = field__num(body, "window_s");

	return (struct frame){
		.style = s,
		.from_s = at_s - window_s,
		.to_s = at_s,
		.spark_width = s->width >= WIDE_SCREEN ? 24 : 8,
	};
}

struct table *top_view__table(const struct top_view *v, const json_t *body,
			      const struct style *s)
{
	struct frame f = frame_of(body, s);
	struct table *t = new_table(v);
	struct sortable *rows = NULL;
	ssize_t i, cnt;
	size_t c;

	cnt = t ? select_rows(v, field__get(body, "rows"), &rows) : 0;
	for (i = 0; i < cnt; i++) {
		for (c = 0; c < ARRAY_SIZE(columns); c++) {
			if (columns[c].views & 1u << v->by)
				columns[c].cell(t, rows[i].row, columns[c].path, &f);
		}
	}
	free(rows);
	if (t && (cnt < 0 || table__err(t))) {
		table__free(t);
		return NULL;
	}
	return t;
}

/* ---- header ---- */

void top_view__header(const json_t *body, const json_t *status, struct buf *b)
{
	double total = field__num(body, "node.total_bytes");
	double used = total - field__num(body, "node.available_bytes");
	double open = field__num(body, "node.open_incidents");
	char used_text[FIELD_TEXT], total_text[FIELD_TEXT];

	render__clip(b, field__str(body, "node.name", "node"), 40, CLIP_TAIL, NULL);
	buf__printf(b, "  memory %s of %s used",
		    render__bytes(used, used_text, sizeof(used_text)),
		    render__bytes(total, total_text, sizeof(total_text)));
	if (isfinite(open))
		buf__printf(b, "  %.0f open incident%s", open, open == 1 ? "" : "s");
	buf__puts(b, "  health ");
	render__clip(b, field__str(status, "health", "unknown"), 16, CLIP_TAIL, NULL);
}

void top_view__subheader(const struct top_view *v, const json_t *body, struct buf *b)
{
	static const char *const names[] = {
		[TOP_BY_PROCESS] = "processes",
		[TOP_BY_CGROUP] = "cgroups",
		[TOP_BY_POD] = "pods",
		[TOP_BY_WORKLOAD] = "workloads",
	};
	char window[FIELD_TEXT], interval[FIELD_TEXT];

	buf__printf(b, "%s over %s, every %s, by %s%s", names[v->by],
		    field__duration(body, "window_s", window),
		    field__duration(body, "interval_s", interval), top_sort_names[v->sort],
		    v->reverse ? " reversed" : "");
	if (*v->filter)
		buf__printf(b, ", only '%s'", v->filter);
}
