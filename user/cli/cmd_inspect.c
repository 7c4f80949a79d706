// SPDX-License-Identifier: BSD-2-Clause
/*
 * cmd_inspect.c - `seep inspect`: everything that grew, judged afresh, and why each was or was not
 * reported.
 */
#include <errno.h>
#include <math.h>
#include <stdio.h>

#include "../base/units.h"
#include "cli.h"
#include "client.h"
#include "field.h"
#include "options.h"
#include "render.h"
#include "table.h"

#define ROWS_DEFAULT 20

struct inspect_options {
	const char *socket;
	double last_s; /* NAN = the whole window */
	unsigned rows;
	int json;
	int color;
};

static int parse(int argc, char **argv, struct inspect_options *opt, int *ret_exit)
{
	const struct option_spec specs[] = {
		{"last", 'l', OPTION_DURATION, "DURATION", &opt->last_s,
		 "judge only the newest part of the stored window,\nsuch as 1h (default: all of "
		 "it)",
		 NULL},
		{"rows", 'n', OPTION_UINT, "N", &opt->rows,
		 "print N objects, 0 for all (default 20)", NULL},
		{"json", 'j', OPTION_FLAG, NULL, &opt->json, "print seep.inspect/1", NULL},
		SOCKET_OPTION(&opt->socket),
		COLOR_OPTION(&opt->color),
		{0},
	};
	const struct options options = {
		.command = "inspect",
		.about = "Judges everything that grew afresh from the stored window, as the "
			 "scheduled\n"
			 "inspection does, and says why each object was or was not reported. A "
			 "leak that\n"
			 "has no incident yet gets one.",
		.specs = specs,
	};

	return options__parse(&options, argc, argv, ret_exit);
}

static const struct table_column columns[] = {
	{.title = "VERDICT"},
	{.title = "OBJECT", .min_width = 12},
	{.title = "GROWTH", .align = ALIGN_RIGHT},
	{.title = "PER HOUR", .align = ALIGN_RIGHT, .drop = 1},
	{.title = "INCIDENT"},
};

static void bytes_cell(struct table *t, const json_t *candidate, const char *path)
{
	char text[FIELD_TEXT];

	table__cell(t, PAINT_PLAIN, render__bytes(field__num(candidate, path), text, sizeof(text)));
}

static void add_row(struct table *t, const json_t *candidate)
{
	const char *verdict = field__str(candidate, "verdict.verdict", "-");
	struct buf label = {0};

	label__object(&label, field__get(candidate, "object"));
	table__cell(t, label__verdict_paint(verdict), verdict);
	table__cell(t, PAINT_BOLD, label.len ? label.data : "?");
	bytes_cell(t, candidate, "verdict.growth_bytes");
	bytes_cell(t, candidate, "verdict.slope_bytes_per_hour");
	table__cell(t, PAINT_PLAIN, field__str(candidate, "incident", "-"));
	buf__free(&label);
}

/* Where the pieces of a row go. */
struct page {
	const struct style *s;
	struct buf *out;
};

static void put(void *ctx, enum paint paint, const char *text)
{
	struct page *page = ctx;

	style__paint(page->s, page->out, paint, text);
}

/* The reason stands below its row: side by side they would fit no screen. */
static void print_rows(const struct table *t, const json_t *list, struct page *page)
{
	int i;

	table__draw(t, -1, put, page);
	buf__puts(page->out, "\n");
	for (i = 0; i < table__rows(t); i++) {
		table__draw(t, i, put, page);
		buf__puts(page->out, "\n");
		render__paragraph(page->out, field__str(json_array_get(list, i), "why", "-"), 2,
				  page->s);
	}
}

static int print_table(const json_t *body, unsigned rows, const struct style *s, struct buf *out)
{
	struct table *t = table__new(columns, sizeof(columns) / sizeof(columns[0]));
	const json_t *list = field__get(body, "candidates");
	size_t i, cnt = json_array_size(list);
	struct page page = {s, out};
	int err;

	if (!t)
		return -ENOMEM;
	for (i = 0; i < cnt && (!rows || i < rows); i++)
		add_row(t, json_array_get(list, i));
	table__layout(t, s);
	print_rows(t, list, &page);
	if (i < cnt)
		buf__printf(out, "and %zu more; --rows 0 shows all\n", cnt - i);
	err = table__err(t);
	table__free(t);
	return err;
}

static void print_summary(const json_t *body, struct buf *out)
{
	char span[FIELD_TEXT], took[FIELD_TEXT];

	buf__printf(out,
		    "The last %s of %.0f processes and cgroups: %.0f did not grow, %zu did, "
		    "%.0f reported. Took %s.\n",
		    field__duration(body, "last_s", span), field__num(body, "objects"),
		    field__num(body, "flat"), field__cnt(body, "candidates"),
		    field__num(body, "reported"), field__duration(body, "took_s", took));
}

static int print_text(const json_t *body, const struct inspect_options *opt)
{
	struct buf out = {0};
	struct style s;

	style__of_stdout(&s, opt->color);
	print_summary(body, &out);
	if (field__cnt(body, "candidates")) {
		buf__puts(&out, "\n");
		out.err = print_table(body, opt->rows, &s, &out);
	}
	label__not_seen(&out, body, &s);
	return render__print(&out);
}

int cmd_inspect(int argc, char **argv)
{
	struct inspect_options opt = {.last_s = NAN, .rows = ROWS_DEFAULT};
	json_t *args = NULL, *body = NULL;
	int code;

	if (parse(argc, argv, &opt, &code) < 0)
		return code;
	if (isfinite(opt.last_s))
		args = json_pack("{s:f}", "last_s", opt.last_s);
	code = client__query("inspect", opt.socket, args, opt.json, &body);
	if (code)
		return code;
	if (!opt.json)
		code = print_text(body, &opt);
	json_decref(body);
	return code;
}
