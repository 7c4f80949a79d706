// SPDX-License-Identifier: BSD-2-Clause
/*
 * cmd_replay.c - `seep replay`: the detector on recorded series, as the agent would have run it.
 *
 * Only the times on the tape count: the detector judges every window/24 of tape time and at the
 * end, so a recording that is compressed in time together with the window judges alike.
 */
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../base/units.h"
#include "../detect/detector.h"
#include "../incident/incident.h"
#include "../incident/text.h"
#include "../out/ctl_proto.h"
#include "../series/tape.h"
#include "cli.h"
#include "field.h"
#include "options.h"
#include "render.h"
#include "table.h"

#define JUDGEMENTS_PER_WINDOW 24
#define WARNINGS_MAX 20
#define BAD_SHARE_MAX .01
#define FLUSH_BYTES 65536

struct replay_options {
	double window_s;
	int json;
	int color;
};

static int parse(int argc, char **argv, struct replay_options *opt, int *ret_exit)
{
	const struct option_spec specs[] = {
		{"window", 'w', OPTION_DURATION, "DURATION", &opt->window_s,
		 "the detector's longest horizon (default 6h)", NULL},
		{"json", 'j', OPTION_FLAG, NULL, &opt->json,
		 "print seep.replay/1, one line per series", NULL},
		COLOR_OPTION(&opt->color),
		{0},
	};
	const struct options options = {
		.command = "replay",
		.args = "FILE...",
		.about = "Runs the detector on recorded series: CSV with a header and the columns series,\n"
			 "t_s, bytes and optionally limit_bytes, start, load, plain or gzipped; '-' is\n"
			 "standard input. Needs no agent and no privileges.",
		.epilog = "Garbled rows are named on standard error and skipped; more than 1 % of them, or\n"
			  "no usable row, exits with 1.",
		.specs = specs,
		.min_args = 1,
		.max_args = -1,
	};
	int first = options__parse(&options, argc, argv, ret_exit);

	if (first >= 0 && !(opt->window_s > 0)) {
		*ret_exit = options__complain(&options, "option '--window': must be above zero");
		return -1;
	}
	return first;
}

/* ---- reading ---- */

static void warn_row(void *ctx, const char *file, size_t line, const char *why)
{
	unsigned long *cnt = ctx;

	if ((*cnt)++ < WARNINGS_MAX)
		fprintf(stderr, "%s:%zu: %s\n", file, line, why);
}

static int read_file(struct tape *tape, const char *path, unsigned long *bad_rows)
{
	const char *why = NULL;
	int err;

	err = tape__read(tape, path, warn_row, bad_rows, &why);
	if (err)
		fprintf(stderr, "seep replay: cannot read '%s': %s\n", path,
			why ? why : strerror(-err));
	return err;
}

/* Returns 0, or -errno after having said why. */
static int read_tape(struct tape *tape, char **paths)
{
	unsigned long bad_rows = 0;
	int err = 0;

	for (; *paths && !err; paths++)
		err = read_file(tape, *paths, &bad_rows);
	if (bad_rows > WARNINGS_MAX)
		fprintf(stderr, "seep replay: %lu more garbled rows\n", bad_rows - WARNINGS_MAX);
	if (err)
		return err;
	err = tape__finish(tape);
	if (err)
		fprintf(stderr, "seep replay: %s\n", strerror(-err));
	return err;
}

static int check_quality(const struct tape *tape)
{
	double good = tape__good_rows(tape), bad = tape__bad_rows(tape);

	if (!good) {
		fprintf(stderr, "seep replay: no usable row\n");
		return SEEP_EXIT_FAILED;
	}
	if (bad > BAD_SHARE_MAX * (good + bad)) {
		fprintf(stderr, "seep replay: %.0f of %.0f rows are garbled, more than 1 %%\n", bad,
			good + bad);
		return SEEP_EXIT_FAILED;
	}
	return SEEP_EXIT_OK;
}

/* ---- one series ---- */

struct alarm {
	double opened_s;
	double closed_s; /* NAN while open */
};

struct result {
	struct verdict verdict; /* the last judgement */
	struct alarm *alarms;
	size_t alarm_cnt;
	size_t alarm_cap;
};

static int open_alarm(struct result *r, double t_s)
{
	size_t cap = r->alarm_cap ? r->alarm_cap * 2 : 8;
	struct alarm *alarms;

	if (r->alarm_cnt == r->alarm_cap) {
		alarms = realloc(r->alarms, cap * sizeof(*alarms));
		if (!alarms)
			return -ENOMEM;
		r->alarms = alarms;
		r->alarm_cap = cap;
	}
	r->alarms[r->alarm_cnt++] = (struct alarm){t_s, NAN};
	return 0;
}

static int is_alarming(const struct result *r)
{
	return r->alarm_cnt && isnan(r->alarms[r->alarm_cnt - 1].closed_s);
}

static int judge(struct detector *d, double t_s, struct result *r)
{
	int leak;

	detector__judge(d, &r->verdict);
	leak = r->verdict.state == VERDICT_LEAK;
	if (leak && !is_alarming(r))
		return open_alarm(r, t_s);
	if (!leak && is_alarming(r))
		r->alarms[r->alarm_cnt - 1].closed_s = t_s;
	return 0;
}

static void push(struct detector *d, const struct tape_row *row)
{
	const struct detector_point p = {
		.t_s = row->t_s,
		.bytes = row->bytes,
		.limit_bytes = row->limit_bytes,
		.load = row->load,
		.start = row->start,
	};

	detector__push(d, &p);
}

/* The first judgement after a gap comes at once; those that fell into it are not made up for. */
static int run_series(struct detector *d, const struct tape_series *s, double window_s,
		      struct result *r)
{
	double step_s = window_s / JUDGEMENTS_PER_WINDOW;
	double next_s = s->rows[0].t_s + step_s;
	size_t i;
	int err = 0;

	detector__reset(d);
	r->alarm_cnt = 0;
	for (i = 0; i < s->row_cnt && !err; i++) {
		push(d, &s->rows[i]);
		if (s->rows[i].t_s < next_s && i + 1 < s->row_cnt)
			continue;
		err = judge(d, s->rows[i].t_s, r);
		next_s += step_s * (floor((s->rows[i].t_s - next_s) / step_s) + 1);
	}
	return err;
}

/* ---- output ---- */

/* A time on the tape: whole seconds stay whole. */
static json_t *time_to_json(double t_s)
{
	if (!isfinite(t_s))
		return json_null();
	if (t_s == floor(t_s) && fabs(t_s) < 9e15)
		return json_integer((json_int_t)t_s);
	return json_real(t_s);
}

/* The name as it is, or what can be shown of it where it is not UTF-8. */
static json_t *name_to_json(const char *name)
{
	json_t *json = json_string(name);
	char *clean;

	if (json)
		return json;
	clean = text__clean(name, strlen(name));
	json = clean ? json_string(clean) : NULL;
	free(clean);
	return json;
}

static json_t *alarms_to_json(const struct result *r)
{
	json_t *list = json_array();
	size_t i;
	int err = !list;

	for (i = 0; i < r->alarm_cnt && !err; i++)
		err = json_array_append_new(list, json_pack("{s:o, s:o}",
							    "opened_s",
							    time_to_json(r->alarms[i].opened_s),
							    "closed_s",
							    time_to_json(r->alarms[i].closed_s)));
	if (err) {
		json_decref(list);
		return NULL;
	}
	return list;
}

static json_t *final_to_json(const struct detector *d, const struct result *r)
{
	char lines[DETECTOR_EVIDENCE_MAX][DETECTOR_EVIDENCE_LEN];
	char *evidence[DETECTOR_EVIDENCE_MAX];
	int i, cnt = detector__evidence(d, lines, DETECTOR_EVIDENCE_MAX);

	for (i = 0; i < cnt; i++)
		evidence[i] = lines[i];
	return verdict__to_json(&r->verdict, evidence, cnt);
}

static double span_of(const struct tape_series *s)
{
	return s->rows[s->row_cnt - 1].t_s - s->rows[0].t_s;
}

static double first_alarm(const struct result *r)
{
	return r->alarm_cnt ? r->alarms[0].opened_s : NAN;
}

static json_t *result_to_json(const struct tape_series *s, const struct detector *d,
			      const struct result *r)
{
	return json_pack("{s:s, s:o, s:I, s:o, s:s, s:o, s:o, s:o}",
			 "schema", "seep.replay/1",
			 "series", name_to_json(s->name),
			 "points", (json_int_t)s->row_cnt,
			 "span_s", time_to_json(span_of(s)),
			 "verdict", verdict__state_name(r->verdict.state),
			 "first_alarm_s", time_to_json(first_alarm(r)),
			 "alarms", alarms_to_json(r),
			 "final", final_to_json(d, r));
}

static void print_line(const struct tape_series *s, const struct detector *d,
		       const struct result *r, struct buf *out)
{
	json_t *json = result_to_json(s, d, r);
	char *text = json ? json_dumps(json, JSON_COMPACT) : NULL;

	if (text)
		buf__printf(out, "%s\n", text);
	else
		out->err = -ENOMEM;
	free(text);
	json_decref(json);
}

static const struct table_column columns[] = {
	{.title = "SERIES", .min_width = 16},
	{.title = "POINTS", .align = ALIGN_RIGHT, .drop = 2},
	{.title = "SPAN", .align = ALIGN_RIGHT, .drop = 1},
	{.title = "VERDICT"},
	{.title = "CLASS"},
	{.title = "ALARMS", .align = ALIGN_RIGHT, .drop = 3},
	{.title = "AFTER", .align = ALIGN_RIGHT},
	{.title = "GROWTH", .align = ALIGN_RIGHT},
	{.title = "PER HOUR", .align = ALIGN_RIGHT},
};

static void number_cell(struct table *t, double value)
{
	char text[FIELD_TEXT];

	snprintf(text, sizeof(text), "%.0f", value);
	table__cell(t, PAINT_PLAIN, isfinite(value) ? text : "-");
}

static void bytes_cell(struct table *t, double value)
{
	char text[FIELD_TEXT];

	table__cell(t, PAINT_PLAIN, render__bytes(value, text, sizeof(text)));
}

static void add_row(struct table *t, const struct tape_series *s, const struct result *r)
{
	const char *state = verdict__state_name(r->verdict.state);
	char text[FIELD_TEXT];

	table__cell(t, PAINT_PLAIN, s->name);
	number_cell(t, s->row_cnt);
	table__cell(t, PAINT_PLAIN, units__format_duration(span_of(s), text, sizeof(text)));
	table__cell(t, label__verdict_paint(state), state);
	table__cell(t, PAINT_PLAIN, verdict__class_name(r->verdict.class));
	number_cell(t, r->alarm_cnt);
	table__cell(t, PAINT_PLAIN, units__format_duration(first_alarm(r) - s->rows[0].t_s, text,
							   sizeof(text)));
	bytes_cell(t, r->verdict.growth_bytes);
	bytes_cell(t, r->verdict.slope_bytes_per_hour);
}

/* Where results go: lines at once, or a table at the end. */
struct report {
	int json;
	struct table *table; /* NULL with json */
	struct buf out;
};

static int report_series(struct report *rep, const struct tape_series *s,
			 const struct detector *d, const struct result *r)
{
	if (!rep->json) {
		add_row(rep->table, s, r);
		return table__err(rep->table);
	}
	print_line(s, d, r, &rep->out);
	if (rep->out.err)
		return rep->out.err;
	if (rep->out.len >= FLUSH_BYTES && render__print(&rep->out))
		return -EIO;
	return 0;
}

static int run_tape(const struct tape *tape, double window_s, struct report *rep)
{
	struct detector *d = detector__new(window_s);
	size_t i, cnt = tape__series_cnt(tape);
	struct result r = {0};
	int err = d ? 0 : -ENOMEM;

	for (i = 0; i < cnt && !err; i++) {
		const struct tape_series *s = tape__series(tape, i);

		if (!s->row_cnt)
			continue;
		err = run_series(d, s, window_s, &r);
		if (!err)
			err = report_series(rep, s, d, &r);
	}
	free(r.alarms);
	detector__free(d);
	return err;
}

static int run_report(const struct tape *tape, const struct replay_options *opt)
{
	struct report rep = {.json = opt->json};
	struct style s;
	int err = 0;

	style__of_stdout(&s, opt->color);
	if (!opt->json) {
		rep.table = table__new(columns, sizeof(columns) / sizeof(columns[0]));
		err = rep.table ? 0 : -ENOMEM;
	}
	if (!err)
		err = run_tape(tape, opt->window_s, &rep);
	if (!err && rep.table)
		table__print(rep.table, &s, &rep.out);
	table__free(rep.table);
	if (err == -EIO) /* already reported */
		return SEEP_EXIT_FAILED;
	if (err) {
		buf__free(&rep.out);
		fprintf(stderr, "seep replay: %s\n", strerror(-err));
		return SEEP_EXIT_FAILED;
	}
	return render__print(&rep.out);
}

int cmd_replay(int argc, char **argv)
{
	struct replay_options opt = {.window_s = 6 * 3600};
	struct tape *tape;
	int first, code;

	first = parse(argc, argv, &opt, &code);
	if (first < 0)
		return code;
	tape = tape__new();
	if (!tape || read_tape(tape, argv + first)) {
		tape__free(tape);
		return SEEP_EXIT_FAILED;
	}
	code = tape__good_rows(tape) ? run_report(tape, &opt) : SEEP_EXIT_OK;
	if (!code)
		code = check_quality(tape);
	tape__free(tape);
	return code;
}
