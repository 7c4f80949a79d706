// SPDX-License-Identifier: BSD-2-Clause
/*
 * cmd_leaks.c - `seep leaks`: the incidents that are open, or all of them.
 *
 * "No leaks" is only said together with what was watched, and with what was not seen.
 */
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../base/clock.h"
#include "../base/units.h"
#include "cli.h"
#include "client.h"
#include "field.h"
#include "options.h"
#include "render.h"
#include "table.h"

struct leaks_options {
	const char *socket;
	double since_s, until_s; /* before now; NAN = not given */
	const char *where;
	const char *pod, *ns, *workload, *comm;
	int severity;
	int all;
	int json;
	int exit_code;
	int color;
};

static const char *const severities[] = {"info", "warning", "critical", NULL};

static int parse(int argc, char **argv, struct leaks_options *opt, int *ret_exit)
{
	const struct option_spec specs[] = {
		{"all", 'a', OPTION_FLAG, NULL, &opt->all, "closed ones too", NULL},
		{"since", 's', OPTION_DURATION, "DURATION", &opt->since_s,
		 "all that were open within this time, such as 24h", NULL},
		{"until", 'u', OPTION_DURATION, "DURATION", &opt->until_s,
		 "only those opened longer ago than this", NULL},
		{"where", 'w', OPTION_STRING, "SELECTOR", &opt->where,
		 "only what this selects, such as\n\"namespace=shop,comm!=nginx\"", NULL},
		{"pod", 0, OPTION_STRING, "GLOB", &opt->pod, "only of these pods", NULL},
		{"namespace", 0, OPTION_STRING, "GLOB", &opt->ns, "only in these namespaces", NULL},
		{"workload", 0, OPTION_STRING, "GLOB", &opt->workload,
		 "only of these workloads (kind/name)", NULL},
		{"comm", 0, OPTION_STRING, "GLOB", &opt->comm, "only of these programs", NULL},
		{"severity", 0, OPTION_CHOICE, "info|warning|critical", &opt->severity,
		 "only of this severity or worse", severities},
		{"exit-code", 'e', OPTION_FLAG, NULL, &opt->exit_code,
		 "exit with 3 if a leak is open", NULL},
		{"json", 'j', OPTION_FLAG, NULL, &opt->json, "print seep.leaks/1", NULL},
		SOCKET_OPTION(&opt->socket),
		COLOR_OPTION(&opt->color),
		{0},
	};
	const struct options options = {
		.command = "leaks",
		.about = "Lists the open leaks: who, how much, how fast, and how long until the limit;\n"
			 "and memory errors (OOM kills, limits that were hit) that no leak explains.\n"
			 "`seep show ID` tells all about one.",
		.specs = specs,
	};

	return options__parse(&options, argc, argv, ret_exit);
}

static void add_term(struct buf *select, const char *key, const char *glob)
{
	if (glob)
		buf__printf(select, "%s%s=%s", select->len ? "," : "", key, glob);
}

/* What is chosen by options of its own joins the selector. */
static void write_select(const struct leaks_options *opt, struct buf *select)
{
	if (opt->where)
		buf__puts(select, opt->where);
	add_term(select, "pod", opt->pod);
	add_term(select, "namespace", opt->ns);
	add_term(select, "workload", opt->workload);
	add_term(select, "comm", opt->comm);
}

static int wants_closed(const struct leaks_options *opt)
{
	return opt->all || isfinite(opt->since_s) || isfinite(opt->until_s);
}

static json_t *request_args(const struct leaks_options *opt)
{
	json_t *args = json_pack("{s:b, s:i}", "all", wants_closed(opt), "severity",
				 opt->severity);
	struct buf select = {0};

	if (isfinite(opt->since_s))
		json_object_set_new(args, "since_s",
				    json_integer(clock__wall_s() - opt->since_s));
	if (isfinite(opt->until_s))
		json_object_set_new(args, "until_s",
				    json_integer(clock__wall_s() - opt->until_s));
	write_select(opt, &select);
	if (select.len)
		json_object_set_new(args, "select", json_string(select.data));
	buf__free(&select);
	return args;
}

static int is_open(const json_t *incident)
{
	return !strcmp(field__str(incident, "state", ""), "open");
}

static size_t count_open_leaks(const json_t *incidents)
{
	size_t i, cnt = 0;

	for (i = 0; i < json_array_size(incidents); i++) {
		const json_t *incident = json_array_get(incidents, i);

		if (is_open(incident) && !strcmp(field__str(incident, "kind", "leak"), "leak"))
			cnt++;
	}
	return cnt;
}

static const struct table_column columns[] = {
	{.title = "ID"},
	{.title = "STATE", .drop = 2},
	{.title = "KIND", .drop = 4},
	{.title = "SEVERITY"},
	{.title = "OBJECT", .min_width = 12},
	{.title = "GROWTH", .align = ALIGN_RIGHT},
	{.title = "PER HOUR", .align = ALIGN_RIGHT},
	{.title = "TO LIMIT", .align = ALIGN_RIGHT, .drop = 1},
	{.title = "SINCE", .drop = 3},
};

static void bytes_cell(struct table *t, const json_t *incident, const char *path)
{
	char text[FIELD_TEXT];

	table__cell(t, PAINT_PLAIN, render__bytes(field__num(incident, path), text, sizeof(text)));
}

static void add_row(struct table *t, const json_t *incident, double at_s)
{
	const char *severity = field__str(incident, "severity", "-");
	char text[FIELD_TEXT + 8], ago[FIELD_TEXT];
	struct buf label = {0};

	label__object(&label, field__get(incident, "object"));
	table__cell(t, PAINT_PLAIN, field__str(incident, "id", "?"));
	table__cell(t, PAINT_PLAIN, field__str(incident, "state", "-"));
	table__cell(t, PAINT_PLAIN, field__str(incident, "kind", "-"));
	table__cell(t, label__severity_paint(severity), severity);
	table__cell(t, PAINT_BOLD, label.len ? label.data : "?");
	bytes_cell(t, incident, "verdict.growth_bytes");
	bytes_cell(t, incident, "verdict.slope_bytes_per_hour");
	table__cell(t, PAINT_PLAIN, is_open(incident) ?
		    field__duration(incident, "verdict.time_to_limit_s", text) : "-");
	snprintf(text, sizeof(text), "%s ago",
		 units__format_duration(at_s - field__num(incident, "started_s"), ago, sizeof(ago)));
	table__cell(t, PAINT_PLAIN, *ago == '-' ? "-" : text);
	buf__free(&label);
}

static int print_table(const json_t *body, const struct style *s, struct buf *out)
{
	struct table *t = table__new(columns, sizeof(columns) / sizeof(columns[0]));
	const json_t *incidents = field__get(body, "incidents");
	size_t i;
	int err;

	if (!t)
		return -ENOMEM;
	for (i = 0; i < json_array_size(incidents); i++)
		add_row(t, json_array_get(incidents, i), field__num(body, "at_s"));
	table__print(t, s, out);
	err = table__err(t);
	table__free(t);
	return err;
}

static int is_choosy(const struct leaks_options *opt)
{
	return opt->where || opt->pod || opt->ns || opt->workload || opt->comm || opt->severity;
}

static void print_none(const json_t *body, const struct leaks_options *opt, struct buf *out)
{
	double processes = field__num(body, "watched.processes");
	double cgroups = field__num(body, "watched.cgroups");
	double watched_s = field__num(body, "at_s") - field__num(body, "watched.since_s");
	char text[FIELD_TEXT];

	buf__puts(out, wants_closed(opt) ? "No leaks, now or before" : "No leaks");
	if (is_choosy(opt))
		buf__puts(out, " that these options choose");
	if (!isfinite(processes)) {
		buf__puts(out, " known; what was watched, the agent does not say.\n");
		return;
	}
	buf__printf(out, " among %.0f processes", processes);
	if (isfinite(cgroups))
		buf__printf(out, " and %.0f cgroups", cgroups);
	if (watched_s >= 0)
		buf__printf(out, ", watched for %s",
			    units__format_duration(watched_s, text, sizeof(text)));
	if (isfinite(field__num(body, "watched.window_s")))
		buf__printf(out, " over a window of %s",
			    field__duration(body, "watched.window_s", text));
	buf__puts(out, ".\n");
}

static int print_text(const json_t *body, const struct leaks_options *opt)
{
	struct style s;
	struct buf out = {0};

	style__of_stdout(&s, opt->color);
	if (field__cnt(body, "incidents"))
		out.err = print_table(body, &s, &out);
	else
		print_none(body, opt, &out);
	label__not_seen(&out, body, &s);
	return render__print(&out);
}

int cmd_leaks(int argc, char **argv)
{
	struct leaks_options opt = {.since_s = NAN, .until_s = NAN};
	json_t *body = NULL;
	size_t leaks;
	int code;

	if (parse(argc, argv, &opt, &code) < 0)
		return code;
	code = client__query("leaks", opt.socket, request_args(&opt), opt.json, &body);
	if (code)
		return code;
	leaks = count_open_leaks(field__get(body, "incidents"));
	if (!opt.json)
		code = print_text(body, &opt);
	json_decref(body);
	return !code && opt.exit_code && leaks ? SEEP_EXIT_LEAKS : code;
}
