// SPDX-License-Identifier: BSD-2-Clause
/*
 * cmd_status.c - `seep status`: how the agent is, section by section.
 *
 * Known members are a table of rows; members that this seep does not know yet are left to
 * --json. Sections without any known member do not appear.
 */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "../base/units.h"
#include "cli.h"
#include "client.h"
#include "field.h"
#include "options.h"
#include "render.h"
#include "table.h"

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))
#define LINE_MAX_WIDTH 1000
#define VALUE_MAX 512

struct status_options {
	const char *socket;
	int json;
	int color;
};

static int parse(int argc, char **argv, struct status_options *opt, int *ret_exit)
{
	const struct option_spec specs[] = {
		{"json", 'j', OPTION_FLAG, NULL, &opt->json, "print seep.status/1", NULL},
		SOCKET_OPTION(&opt->socket),
		COLOR_OPTION(&opt->color),
		{0},
	};
	const struct options options = {
		.command = "status",
		.about = "Shows the health of the agent: what it watches, what it lost or cannot see,\n"
			 "and what it costs.",
		.specs = specs,
	};

	return options__parse(&options, argc, argv, ret_exit);
}

enum status_kind {
	STATUS_TEXT,
	STATUS_COUNT,
	STATUS_BYTES,
	STATUS_SECONDS,
	STATUS_NS,
	STATUS_TIME,
	STATUS_PERCENT,
};

struct status_row {
	const char *section; /* NULL: the same as above */
	const char *label;
	const char *path;
	enum status_kind kind;
};

static const struct status_row rows[] = {
	{"Agent", "node", "node", STATUS_TEXT},
	{NULL, "version", "version", STATUS_TEXT},
	{NULL, "pid", "pid", STATUS_COUNT},
	{NULL, "started", "started_s", STATUS_TIME},
	{NULL, "interval", "interval_s", STATUS_SECONDS},
	{NULL, "window", "window_s", STATUS_SECONDS},
	{NULL, "state in", "state_dir", STATUS_TEXT},
	{"Probes", "memory", "probes.rss", STATUS_TEXT},
	{NULL, "poll", "probes.poll", STATUS_TEXT},
	{NULL, "lifecycle", "probes.lifecycle", STATUS_TEXT},
	{NULL, "because", "probes.reason", STATUS_TEXT},
	{"Watched", "processes", "tracked.processes", STATUS_COUNT},
	{NULL, "left out", "tracked.unwatched", STATUS_COUNT},
	{NULL, "cgroups", "tracked.cgroups", STATUS_COUNT},
	{NULL, "series", "tracked.series", STATUS_COUNT},
	{NULL, "in full detail", "tracked.fine_series", STATUS_COUNT},
	{NULL, "detectors", "tracked.detectors", STATUS_COUNT},
	{NULL, "open incidents", "incidents.open", STATUS_COUNT},
	{"Polls", "last", "poll.last_s", STATUS_TIME},
	{NULL, "done", "poll.cnt", STATUS_COUNT},
	{NULL, "duration", "poll.duration_ns", STATUS_NS},
	{NULL, "longest", "poll.max_duration_ns", STATUS_NS},
	{NULL, "late", "poll.late", STATUS_COUNT},
	{NULL, "failed", "poll.failed", STATUS_COUNT},
	{"Events", "counter moves", "events.moves", STATUS_COUNT},
	{NULL, "made by others", "events.foreign", STATUS_COUNT},
	{NULL, "forks", "events.forks", STATUS_COUNT},
	{NULL, "execs", "events.execs", STATUS_COUNT},
	{NULL, "exits", "events.exits", STATUS_COUNT},
	{NULL, "OOM kills", "events.ooms", STATUS_COUNT},
	{NULL, "ended unseen", "events.short_lived", STATUS_COUNT},
	{"Journal", "polls written", "journal.ticks", STATUS_COUNT},
	{NULL, "size", "journal.bytes", STATUS_BYTES},
	{NULL, "failed", "journal.failed", STATUS_COUNT},
	{NULL, "error", "journal.error", STATUS_TEXT},
	{NULL, "polls restored", "journal.restored_polls", STATUS_COUNT},
	{"History", "incidents kept", "history.incidents", STATUS_COUNT},
	{NULL, "size", "history.bytes", STATUS_BYTES},
	{NULL, "failed", "history.failed", STATUS_COUNT},
	{NULL, "unreadable", "history.unreadable", STATUS_COUNT},
	{NULL, "error", "history.error", STATUS_TEXT},
	{"Clients", "socket requests", "clients.socket_requests", STATUS_COUNT},
	{NULL, "refused", "clients.socket_refused", STATUS_COUNT},
	{NULL, "made room", "clients.socket_displaced", STATUS_COUNT},
	{NULL, "timed out", "clients.socket_timed_out", STATUS_COUNT},
	{NULL, "nonsense", "clients.socket_bad", STATUS_COUNT},
	{NULL, "HTTP requests", "clients.http_requests", STATUS_COUNT},
	{NULL, "HTTP made room", "clients.http_displaced", STATUS_COUNT},
	{"Kubelet", "at", "kubelet.url", STATUS_TEXT},
	{NULL, "pods", "kubelet.pods", STATUS_COUNT},
	{NULL, "last answer", "kubelet.answer_age_s", STATUS_SECONDS},
	{NULL, "requests", "kubelet.requests", STATUS_COUNT},
	{NULL, "failed", "kubelet.failures", STATUS_COUNT},
	{NULL, "error", "kubelet.error", STATUS_TEXT},
	{"The agent itself", "CPU", "self.cpu_percent", STATUS_PERCENT},
	{NULL, "resident", "self.rss_bytes", STATUS_BYTES},
	{NULL, "anonymous", "self.anon_bytes", STATUS_BYTES},
	{NULL, "BPF maps", "self.map_bytes", STATUS_BYTES},
	{NULL, "verdict", "self.verdict", STATUS_TEXT},
	{"Reads files of others", "with", "sandbox.confined", STATUS_TEXT},
	{NULL, "without", "sandbox.missing", STATUS_TEXT},
	{NULL, "readers", "sandbox.started", STATUS_COUNT},
	{NULL, "failed", "sandbox.failed", STATUS_COUNT},
	{NULL, "not started", "sandbox.refused", STATUS_COUNT},
	{NULL, "because", "sandbox.error", STATUS_TEXT},
	{NULL, "own calls", "sandbox.own_calls", STATUS_TEXT},
	{"Pushed metrics", "sent", "otlp.sent", STATUS_COUNT},
	{NULL, "failed", "otlp.failed", STATUS_COUNT},
	{NULL, "left out", "otlp.skipped", STATUS_COUNT},
	{NULL, "error", "otlp.last_error", STATUS_TEXT},
	{"Closer looks", "state", "drill.state", STATUS_TEXT},
	{NULL, "reason", "drill.reason", STATUS_TEXT},
	{NULL, "until", "drill.paused_until_s", STATUS_TIME},
	{"Last inspection", "at", "last_inspection.at_s", STATUS_TIME},
	{NULL, "grew", "last_inspection.candidates", STATUS_COUNT},
	{NULL, "reported", "last_inspection.reported", STATUS_COUNT},
	{NULL, "incomplete", "last_inspection.incomplete_runs", STATUS_COUNT},
	{NULL, "next", "last_inspection.next_s", STATUS_TIME},
};

/* Returns 0 when the member is unknown. */
static int format_value(const json_t *body, const struct status_row *row, char *buf)
{
	double value = field__num(body, row->path);

	if (row->kind == STATUS_TEXT) {
		snprintf(buf, VALUE_MAX, "%s", field__str(body, row->path, ""));
		return *buf;
	}
	if (!isfinite(value))
		return 0;
	switch (row->kind) {
	case STATUS_BYTES:
		field__bytes(body, row->path, buf);
		break;
	case STATUS_SECONDS:
		field__duration(body, row->path, buf);
		break;
	case STATUS_NS:
		units__format_duration(fmin(value / 1e9, 1e9), buf, VALUE_MAX);
		break;
	case STATUS_TIME:
		field__time(body, row->path, buf);
		break;
	case STATUS_PERCENT:
		snprintf(buf, VALUE_MAX, "%.2f %%", value);
		break;
	default:
		snprintf(buf, VALUE_MAX, "%.0f", value);
	}
	return 1;
}

static void heading(struct buf *out, const char *title, const struct style *s)
{
	buf__puts(out, "\n");
	style__paint(s, out, PAINT_BOLD, title);
	buf__puts(out, "\n");
}

static void print_rows(const json_t *body, const struct style *s, struct buf *out)
{
	const char *section = NULL;
	char value[VALUE_MAX];
	size_t i;

	for (i = 0; i < ARRAY_SIZE(rows); i++) {
		if (rows[i].section)
			section = rows[i].section;
		if (!format_value(body, &rows[i], value))
			continue;
		if (section)
			heading(out, section, s);
		section = NULL;
		buf__printf(out, "  %-16s ", rows[i].label);
		render__clip(out, value, LINE_MAX_WIDTH, CLIP_TAIL, s);
		buf__puts(out, "\n");
	}
}

static void print_headline(const json_t *body, const struct style *s, struct buf *out)
{
	const char *health = field__str(body, "health", "unknown");
	char uptime[FIELD_TEXT];

	buf__puts(out, "The agent is ");
	style__paint(s, out, strcmp(health, "ok") ? PAINT_YELLOW : PAINT_GREEN,
		     strcmp(health, "ok") ? strcmp(health, "degraded") ? "of unknown health"
								     : "degraded" : "ok");
	buf__printf(out, ", up for %s.\n", field__duration(body, "uptime_s", uptime));
}

static void print_problems(const json_t *body, const struct style *s, struct buf *out)
{
	const json_t *problems = field__get(body, "problems");
	size_t i;

	for (i = 0; i < json_array_size(problems); i++) {
		style__paint(s, out, PAINT_YELLOW, "Problem: ");
		render__clip(out, field__str(json_array_get(problems, i), "", "?"), LINE_MAX_WIDTH,
			     CLIP_TAIL, s);
		buf__puts(out, "\n");
	}
}

/* Only what was lost; all zeroes are one good line. */
static void print_dropped(const json_t *body, const struct style *s, struct buf *out)
{
	json_t *dropped = (json_t *)field__get(body, "dropped"); /* for jansson's iterator */
	size_t lost = 0;
	const char *reason;
	json_t *cnt;

	if (!json_is_object(dropped))
		return;
	heading(out, "Lost", s);
	json_object_foreach(dropped, reason, cnt) {
		if (!(json_number_value(cnt) > 0))
			continue;
		lost++;
		buf__puts(out, "  ");
		render__clip(out, reason, LINE_MAX_WIDTH, CLIP_TAIL, s);
		buf__printf(out, ": %.0f\n", json_number_value(cnt));
	}
	if (!lost)
		buf__puts(out, "  nothing\n");
}

static void print_oom_kills(const json_t *body, const struct style *s, struct buf *out)
{
	const json_t *kills = field__get(body, "oom_kills");
	char when[FIELD_TEXT], size[FIELD_TEXT];
	size_t i;

	if (!json_array_size(kills))
		return;
	heading(out, "Killed for want of memory", s);
	for (i = 0; i < json_array_size(kills); i++) {
		const json_t *kill = json_array_get(kills, i);
		struct buf label = {0};

		label__object(&label, kill);
		buf__printf(out, "  %s  ", field__time(kill, "at_s", when));
		render__clip(out, label.len ? label.data : "?", LINE_MAX_WIDTH, CLIP_TAIL, s);
		buf__printf(out, " with %s\n", field__bytes(kill, "bytes", size));
		buf__free(&label);
	}
}

static const struct table_column notify_columns[] = {
	{.title = "  TELLS", .min_width = 10},
	{.title = "BY"},
	{.title = "SENT", .align = ALIGN_RIGHT},
	{.title = "FAILED", .align = ALIGN_RIGHT},
	{.title = "QUEUED", .align = ALIGN_RIGHT},
	{.title = "LAST ERROR"},
};

static void count_cell(struct table *t, const json_t *row, const char *path);

static void print_notifications(const json_t *body, const struct style *s, struct buf *out)
{
	const json_t *list = field__get(body, "notifications");
	char name[VALUE_MAX];
	struct table *t;
	size_t i;

	if (!json_array_size(list))
		return;
	t = table__new(notify_columns, ARRAY_SIZE(notify_columns));
	if (!t)
		return;
	for (i = 0; i < json_array_size(list); i++) {
		const json_t *row = json_array_get(list, i);
		const char *error = field__str(row, "last_error", "-");

		snprintf(name, sizeof(name), "  %s", field__str(row, "target", "?"));
		table__cell(t, PAINT_PLAIN, name);
		table__cell(t, PAINT_PLAIN, field__str(row, "type", "?"));
		count_cell(t, row, "sent");
		count_cell(t, row, "failed");
		count_cell(t, row, "queued");
		table__cell(t, strcmp(error, "-") ? PAINT_YELLOW : PAINT_PLAIN, error);
	}
	buf__puts(out, "\n");
	table__print(t, s, out);
	table__free(t);
}

static const struct table_column map_columns[] = {
	{.title = "  MAP", .min_width = 10},
	{.title = "USED", .align = ALIGN_RIGHT},
	{.title = "MAX", .align = ALIGN_RIGHT},
	{.title = "FULL", .align = ALIGN_RIGHT},
	{.title = "MEMORY", .align = ALIGN_RIGHT},
};

static void count_cell(struct table *t, const json_t *map, const char *path)
{
	char text[FIELD_TEXT];

	snprintf(text, sizeof(text), "%.0f", field__num(map, path));
	table__cell(t, PAINT_PLAIN, isfinite(field__num(map, path)) ? text : "-");
}

static void add_map(struct table *t, const char *name, const json_t *map)
{
	double full = field__num(map, "used") / field__num(map, "max");
	char text[VALUE_MAX];

	snprintf(text, sizeof(text), "  %s", name);
	table__cell(t, PAINT_PLAIN, text);
	count_cell(t, map, "used");
	count_cell(t, map, "max");
	snprintf(text, sizeof(text), "%.0f %%", full * 100);
	table__cell(t, full > .9 ? PAINT_YELLOW : PAINT_PLAIN, isfinite(full) ? text : "-");
	table__cell(t, PAINT_PLAIN, render__bytes(field__num(map, "bytes"), text, sizeof(text)));
}

static void print_maps(const json_t *body, const struct style *s, struct buf *out)
{
	json_t *maps = (json_t *)field__get(body, "maps"); /* for jansson's iterator */
	struct table *t;
	const char *name;
	json_t *map;

	if (!json_object_size(maps))
		return;
	t = table__new(map_columns, ARRAY_SIZE(map_columns));
	if (!t)
		return;
	json_object_foreach(maps, name, map)
		add_map(t, name, map);
	buf__puts(out, "\n");
	table__print(t, s, out);
	table__free(t);
}

static int print_status(const json_t *body, const struct status_options *opt)
{
	struct buf out = {0};
	struct style s;

	style__of_stdout(&s, opt->color);
	print_headline(body, &s, &out);
	print_problems(body, &s, &out);
	label__not_seen(&out, body, &s);
	print_rows(body, &s, &out);
	print_dropped(body, &s, &out);
	print_notifications(body, &s, &out);
	print_maps(body, &s, &out);
	print_oom_kills(body, &s, &out);
	return render__print(&out);
}

int cmd_status(int argc, char **argv)
{
	struct status_options opt = {0};
	json_t *body = NULL;
	int code;

	if (parse(argc, argv, &opt, &code) < 0)
		return code;
	code = client__query("status", opt.socket, NULL, opt.json, &body);
	if (code)
		return code;
	if (!opt.json)
		code = print_status(body, &opt);
	json_decref(body);
	return code;
}
