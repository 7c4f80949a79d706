// SPDX-License-Identifier: BSD-2-Clause
/*
 * cmd_show.c - `seep show ID`: one incident in full, from the headline down to what is missing.
 */
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../base/units.h"
#include "cli.h"
#include "client.h"
#include "field.h"
#include "options.h"
#include "render.h"
#include "table.h"

#define CHART_HEIGHT 10
#define CHART_WIDTH_MAX 200
#define LINE_MAX_WIDTH 1000
#define SITES_MAX 5   /* call sites that are shown; all are in --json */
#define FRAMES_MAX 12 /* of each */

struct show_options {
	const char *socket;
	int json;
	int color;
};

static int parse(int argc, char **argv, struct show_options *opt, int *ret_exit)
{
	const struct option_spec specs[] = {
		{"json", 'j', OPTION_FLAG, NULL, &opt->json, "print seep.incident/1", NULL},
		SOCKET_OPTION(&opt->socket),
		COLOR_OPTION(&opt->color),
		{0},
	};
	const struct options options = {
		.command = "show",
		.args = "ID",
		.about = "Shows one incident: its curve, what it means and the numbers behind that.\n"
			 "ID is as in `seep leaks`; the beginning is enough if it is unique.",
		.specs = specs,
		.min_args = 1,
		.max_args = 1,
	};

	return options__parse(&options, argc, argv, ret_exit);
}

static void heading(struct buf *out, const char *text, const struct style *s)
{
	buf__puts(out, "\n");
	style__paint(s, out, PAINT_BOLD, text);
	buf__puts(out, "\n");
}

static void clipped_line(struct buf *out, const char *text, const struct style *s)
{
	render__clip(out, text, LINE_MAX_WIDTH, CLIP_TAIL, s);
	buf__puts(out, "\n");
}

/* "leak 3f2a: api[4711] in shop/api-7f9c" and the sentence that matters below it. */
static void print_headline(const json_t *in, const struct style *s, struct buf *out)
{
	const char *severity = field__str(in, "severity", "info");
	struct buf line = {0};

	buf__printf(&line, "%s ", field__str(in, "kind", "incident"));
	buf__printf(&line, "%s: ", field__str(in, "id", "?"));
	label__object(&line, field__get(in, "object"));
	style__paint(s, out, label__severity_paint(severity), severity);
	buf__puts(out, " ");
	clipped_line(out, line.len ? line.data : "?", s);
	buf__free(&line);
}

static void print_fact(struct buf *out, const char *name, const char *value, const struct style *s)
{
	if (!value || !strcmp(value, "-"))
		return;
	buf__printf(out, "  %-12s ", name);
	clipped_line(out, value, s);
}

/* "12.3 MiB (11.9 MiB to 12.8 MiB)", or without the interval where it is not known. */
static const char *with_interval(const json_t *in, const char *path, const char *path_ci,
				 char *(*format)(double, char *, size_t), char *buf, size_t cap)
{
	const json_t *ci = field__get(in, path_ci);
	const json_t *lo = json_array_get(ci, 0), *hi = json_array_get(ci, 1);
	char mid[FIELD_TEXT], a[FIELD_TEXT], b[FIELD_TEXT];

	format(field__num(in, path), mid, sizeof(mid));
	if (!json_is_number(lo))
		snprintf(buf, cap, "%s", mid);
	else
		snprintf(buf, cap, "%s (95 %%: %s %s %s)", mid,
			 format(json_number_value(lo), a, sizeof(a)),
			 json_is_number(hi) ? "to" : "or",
			 json_is_number(hi) ? format(json_number_value(hi), b, sizeof(b)) : "more");
	return buf;
}

/* "3, last 2026-11-21 15:03:11 UTC", a line for each kind of memory error. */
static void print_errors(const json_t *in, const struct style *s, struct buf *out)
{
	const json_t *errors = field__get(in, "errors"), *error;
	char text[3 * FIELD_TEXT], when[FIELD_TEXT];
	size_t i;

	for (i = 0; i < json_array_size(errors); i++) {
		error = json_array_get(errors, i);
		snprintf(text, sizeof(text), "%.0f, the last %s", field__num(error, "count"),
			 field__time(error, "last_s", when));
		print_fact(out, field__str(error, "kind", "errors"), text, s);
	}
}

static void print_facts(const json_t *in, const struct style *s, struct buf *out)
{
	char text[4 * FIELD_TEXT], when[FIELD_TEXT];
	double confidence = field__num(in, "verdict.confidence");

	snprintf(text, sizeof(text), "%s, %s", field__str(in, "state", "?"),
		 field__str(in, "verdict.class", "unknown"));
	if (isfinite(confidence))
		snprintf(text + strlen(text), sizeof(text) - strlen(text), ", confidence %.0f %%",
			 confidence * 100);
	print_fact(out, "state", text, s);
	print_fact(out, "started", field__time(in, "started_s", when), s);
	print_fact(out, "opened", field__time(in, "opened_s", when), s);
	print_fact(out, "closed", field__time(in, "closed_s", when), s);
	print_fact(out, "because", field__str(in, "close_reason", NULL), s);
	print_errors(in, s, out);
	print_fact(out, "grew", field__bytes(in, "verdict.growth_bytes", when), s);
	print_fact(out, "per hour",
		   with_interval(in, "verdict.slope_bytes_per_hour",
				 "verdict.slope_ci_bytes_per_hour", units__format_bytes, text,
				 sizeof(text)), s);
	print_fact(out, "limit", field__bytes(in, "verdict.limit_bytes", when), s);
	print_fact(out, "time to it",
		   with_interval(in, "verdict.time_to_limit_s", "verdict.time_to_limit_ci_s",
				 units__format_duration, text, sizeof(text)), s);
}

static void print_chart(const json_t *in, const struct style *s, struct buf *out)
{
	const json_t *history = field__get(in, "history");
	size_t cnt = json_array_size(history);
	double values[CHART_WIDTH_MAX];
	struct chart chart = {
		.values = values,
		.height = CHART_HEIGHT,
		.from_s = json_number_value(json_array_get(json_array_get(history, 0), 0)),
		.to_s = json_number_value(
			json_array_get(json_array_get(history, cnt ? cnt - 1 : 0), 0)),
		.onset_s = field__num(in, "started_s"),
		.limit_bytes = field__num(in, "verdict.limit_bytes"),
	};

	if (cnt < 2 || !(chart.to_s > chart.from_s))
		return;
	chart.n = s->width - CHART_MARGIN - 7; /* room for the word at the limit */
	chart.n = chart.n < 20 ? 20 : chart.n > CHART_WIDTH_MAX ? CHART_WIDTH_MAX : chart.n;
	field__curve(history, chart.from_s, chart.to_s, values, chart.n);
	heading(out, "Memory over time", s);
	render__chart(out, &chart, s);
}

static void print_explanation(const json_t *in, const struct style *s, struct buf *out)
{
	const char *text = field__str(in, "explanation", NULL);

	if (!text)
		return;
	heading(out, "What it means", s);
	render__paragraph(out, text, 2, s);
}

static void print_list(const json_t *list, const char *title, const struct style *s,
		       struct buf *out)
{
	size_t i;

	if (!json_array_size(list))
		return;
	heading(out, title, s);
	for (i = 0; i < json_array_size(list); i++) {
		buf__puts(out, s->utf8 ? "  • " : "  - ");
		clipped_line(out, field__str(json_array_get(list, i), "", "?"), s);
	}
}

static void print_object(const json_t *in, const struct style *s, struct buf *out)
{
	const char *key;
	json_t *value;
	/* iterating does not change the object, but jansson has no const iterator */
	json_t *object = (json_t *)field__get(in, "object");

	if (!json_object_size(object))
		return;
	heading(out, "Object", s);
	json_object_foreach(object, key, value) {
		struct buf line = {0};

		if (json_is_string(value))
			buf__printf(&line, "%s=%s", key, json_string_value(value));
		else if (json_is_number(value))
			buf__printf(&line, "%s=%.0f", key, json_number_value(value));
		if (line.len && !line.err) {
			buf__puts(out, "  ");
			clipped_line(out, line.data, s);
		}
		buf__free(&line);
	}
}

/* Window, interval, rule and whether anybody was to look closer. */
static void print_configuration(const json_t *in, const struct style *s, struct buf *out)
{
	const json_t *c = field__get(in, "configuration");
	char window[FIELD_TEXT], interval[FIELD_TEXT], text[3 * FIELD_TEXT];

	if (!json_is_object(c))
		return;
	heading(out, "Judged with", s);
	snprintf(text, sizeof(text), "%s, polled every %s", field__duration(c, "window_s", window),
		 field__duration(c, "interval_s", interval));
	print_fact(out, "window", text, s);
	print_fact(out, "rule", field__str(c, "rule.name", "none"), s);
	print_fact(out, "closer look", field__str(c, "drill", NULL), s);
}

static const struct table_column top_columns[] = {
	{.title = "PID", .align = ALIGN_RIGHT},
	{.title = "NAME", .min_width = 10},
	{.title = "RSS", .align = ALIGN_RIGHT},
	{.title = "ANON", .align = ALIGN_RIGHT},
	{.title = "SWAP", .align = ALIGN_RIGHT, .drop = 1},
	{.title = "GROWTH/h", .align = ALIGN_RIGHT},
	{.title = "VERDICT"},
};

static void add_top_row(struct table *t, const json_t *row)
{
	static const char *const sizes[] = {"rss_bytes", "anon_bytes", "swap_bytes",
					    "growth_bytes_per_hour"};
	const char *verdict = field__str(row, "verdict", "-");
	char text[FIELD_TEXT];
	size_t i;

	snprintf(text, sizeof(text), "%.0f", field__num(row, "pid"));
	table__cell(t, PAINT_PLAIN, isfinite(field__num(row, "pid")) ? text : "-");
	table__cell(t, PAINT_PLAIN, field__str(row, "comm", field__str(row, "pod",
						       field__str(row, "cgroup", "?"))));
	for (i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++)
		table__cell(t, PAINT_PLAIN,
			    render__bytes(field__num(row, sizes[i]), text, sizeof(text)));
	table__cell(t, label__verdict_paint(verdict), verdict);
}

static void print_top(const json_t *in, const char *list, const char *title, const struct style *s,
		      struct buf *out)
{
	const json_t *rows = field__get(in, list);
	struct table *t;
	size_t i;

	if (!json_array_size(rows))
		return;
	t = table__new(top_columns, sizeof(top_columns) / sizeof(top_columns[0]));
	if (!t) {
		out->err = -ENOMEM;
		return;
	}
	for (i = 0; i < json_array_size(rows); i++)
		add_top_row(t, json_array_get(rows, i));
	heading(out, title, s);
	table__print(t, s, out);
	if (table__err(t))
		out->err = table__err(t);
	table__free(t);
}

/* "main  leak.c:4", or "module+0xoffset [build-id]" where there are no names. */
static void print_frame(const json_t *frame, const struct style *s, struct buf *out)
{
	const char *function = field__str(frame, "function", NULL);
	const char *file = field__str(frame, "file", NULL);
	struct buf line = {0};

	if (function)
		buf__puts(&line, function);
	else
		buf__printf(&line, "%s+0x%llx", field__str(frame, "module", "?"),
			    (unsigned long long)field__num(frame, "offset"));
	if (file)
		buf__printf(&line, "  %s:%.0f", file, field__num(frame, "line"));
	else if (function || field__str(frame, "build_id", NULL))
		buf__printf(&line, "  (%s [%.12s])", field__str(frame, "module", "?"),
			    field__str(frame, "build_id", "no build-id"));
	buf__puts(out, "     ");
	clipped_line(out, line.data ? line.data : "?", s);
	buf__free(&line);
}

/* What an allocator gave out, or where memory came to life without one that is known. */
static void print_share(const json_t *site, struct buf *out)
{
	const char *allocator = field__str(site, "allocator", "?");
	char bytes[FIELD_TEXT], rate[FIELD_TEXT];

	field__bytes(site, "outstanding_bytes", bytes);
	field__bytes(site, "growth_bytes_per_hour", rate);
	if (!strcmp(allocator, "pagefault"))
		buf__printf(out, "%s of growth, %s per hour while looked at, by page faults\n",
			    bytes, rate);
	else
		buf__printf(out, "%s in %.0f blocks, %s per hour while looked at, by %s (%s)\n",
			    bytes, field__num(site, "outstanding_count"), rate, allocator,
			    field__str(site, "verdict", "unknown"));
}

/* The numbers behind a site's verdict. */
static void print_site_evidence(const json_t *site, const struct style *s, struct buf *out)
{
	const json_t *lines = field__get(site, "evidence");
	size_t i;

	for (i = 0; i < json_array_size(lines); i++) {
		buf__puts(out, "     ");
		clipped_line(out, field__str(json_array_get(lines, i), "", ""), s);
	}
}

static void print_site(const json_t *site, size_t rank, const struct style *s, struct buf *out)
{
	const json_t *frames = field__get(site, "frames");
	size_t i;

	buf__printf(out, "  %zu. ", rank);
	print_share(site, out);
	print_site_evidence(site, s, out);
	for (i = 0; i < json_array_size(frames) && i < FRAMES_MAX; i++)
		print_frame(json_array_get(frames, i), s, out);
	if (json_array_size(frames) > FRAMES_MAX)
		buf__printf(out, "     ... %zu more\n", json_array_size(frames) - FRAMES_MAX);
}

static void print_sites(const json_t *in, const struct style *s, struct buf *out)
{
	const json_t *sites = field__get(in, "sites");
	size_t i;

	if (!json_array_size(sites))
		return;
	heading(out, "Where it is allocated and kept", s);
	for (i = 0; i < json_array_size(sites) && i < SITES_MAX; i++)
		print_site(json_array_get(sites, i), i + 1, s, out);
}

static const struct table_column object_columns[] = {
	{.title = "OBJECTS", .align = ALIGN_RIGHT},
	{.title = "BYTES", .align = ALIGN_RIGHT},
	{.title = "ADDED", .align = ALIGN_RIGHT},
	{.title = "BYTES", .align = ALIGN_RIGHT},
	{.title = "TYPE", .min_width = 16},
};

static void number_cell(struct table *t, const json_t *type, const char *name, int is_bytes)
{
	double value = field__num(type, name);
	char text[FIELD_TEXT];

	if (is_bytes || isnan(value))
		render__bytes(value, text, sizeof(text));
	else
		snprintf(text, sizeof(text), "%.0f", value);
	table__cell(t, PAINT_PLAIN, text);
}

/* Of a runtime whose objects can be counted: which types have grown since the first look. */
static void print_objects(const json_t *in, const struct style *s, struct buf *out)
{
	const json_t *types = field__get(in, "objects.types"), *type;
	struct table *t = NULL;
	char span[FIELD_TEXT];
	size_t i;

	if (!json_array_size(types))
		return;
	heading(out, "Which objects pile up", s);
	buf__printf(out, "  %s, by what was added within %s\n",
		    field__str(in, "objects.runtime", "?"),
		    field__duration(in, "objects.span_s", span));
	t = table__new(object_columns, 5);
	json_array_foreach(types, i, type)
	{
		if (!t)
			break;
		number_cell(t, type, "objects", 0);
		number_cell(t, type, "bytes", 1);
		number_cell(t, type, "added_objects", 0);
		number_cell(t, type, "added_bytes", 1);
		table__cell(t, PAINT_BOLD,
			    field__str(type, "type", "(no object: tables, lists' items, buffers)"));
	}
	if (t)
		table__print(t, s, out);
	table__free(t);
}

static void print_timeline(const json_t *in, const struct style *s, struct buf *out)
{
	const json_t *timeline = field__get(in, "timeline");
	char when[FIELD_TEXT];
	size_t i;

	if (!json_array_size(timeline))
		return;
	heading(out, "Timeline", s);
	for (i = 0; i < json_array_size(timeline); i++) {
		const json_t *event = json_array_get(timeline, i);

		buf__printf(out, "  %s  ", field__time(event, "t_s", when));
		clipped_line(out, field__str(event, "text", "?"), s);
	}
}

static void print_related(const json_t *in, const struct style *s, struct buf *out)
{
	const json_t *ids = field__get(in, "related"), *why = field__get(in, "related_by");
	struct buf line = {0};
	size_t i;

	if (!json_array_size(ids))
		return;
	heading(out, "Related incidents", s);
	for (i = 0; i < json_array_size(ids); i++) {
		buf__printf(&line, "%s  %s", field__str(json_array_get(ids, i), "", "?"),
			    field__str(json_array_get(why, i), "", ""));
		buf__puts(out, "  ");
		clipped_line(out, line.len ? line.data : "?", s);
		buf__free(&line);
	}
}

static int print_incident(const json_t *in, const struct show_options *opt)
{
	static const struct {
		const char *list, *title;
	} tops[] = {
		{"top", "Largest on the node at that time"},
		{"top_growth", "Growing fastest at that time"},
		{"top_pods", "Largest pods at that time"},
		{"top_pods_growth", "Pods growing fastest at that time"},
	};
	struct buf out = {0};
	struct style s;
	size_t i;

	style__of_stdout(&s, opt->color);
	print_headline(in, &s, &out);
	print_facts(in, &s, &out);
	print_chart(in, &s, &out);
	print_explanation(in, &s, &out);
	print_list(field__get(in, "verdict.evidence"), "Evidence", &s, &out);
	print_sites(in, &s, &out);
	print_objects(in, &s, &out);
	print_object(in, &s, &out);
	print_configuration(in, &s, &out);
	for (i = 0; i < sizeof(tops) / sizeof(tops[0]); i++)
		print_top(in, tops[i].list, tops[i].title, &s, &out);
	print_timeline(in, &s, &out);
	print_related(in, &s, &out);
	print_list(field__get(in, "not_seen"), "Not seen", &s, &out);
	return render__print(&out);
}

int cmd_show(int argc, char **argv)
{
	struct show_options opt = {0};
	json_t *body = NULL;
	int code, first;

	first = parse(argc, argv, &opt, &code);
	if (first < 0)
		return code;
	code = client__query("show", opt.socket, json_pack("{s:s}", "id", argv[first]), opt.json,
			     &body);
	if (code)
		return code;
	if (!opt.json)
		code = print_incident(body, &opt);
	json_decref(body);
	return code;
}
