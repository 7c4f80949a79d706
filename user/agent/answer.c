// SPDX-License-Identifier: BSD-2-Clause
/*
 * answer.c - what the agent tells over its socket: finds the part that answers.
 *
 * Nothing here changes anything. Shapes are contracts: fields are added, never renamed.
 */
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "answer.h"
#include "base/json_mem.h"
#include "series/tape.h"

#define RECORD_PAGE_MAX 256 /* series; about 25 MB at most */

/* ---- inspect ----------------------------------------------------------------------------- */

static int answer_inspect(struct agent *a, const json_t *request, json_t **ret_json,
			  struct buf *why)
{
	const json_t *last = json_object_get(request, "last_s");
	double last_s = json_is_number(last) ? json_number_value(last) : a->cfg.window_s;

	if (!(last_s > 0) || last_s > a->cfg.window_s) {
		buf__printf(why, "only the last %.0f s are stored (--window of the agent)",
			    a->cfg.window_s);
		return SEEP_EXIT_USAGE;
	}
	*ret_json = inspect__run(a, last_s, "request");
	if (*ret_json)
		return 0;
	buf__puts(why, "the agent is out of memory");
	return SEEP_EXIT_FAILED;
}

/* ---- drill ------------------------------------------------------------------------------- */

/* Pauses are the run's: they end with the agent at the latest. */
static int answer_drill(struct agent *a, const json_t *request, json_t **ret_json,
			struct buf *why)
{
	const char *action = json_string_value(json_object_get(request, "action"));
	const json_t *for_s = json_object_get(request, "for_s");
	double pause_s = json_is_number(for_s) ? json_number_value(for_s) : INFINITY;
	json_t *o;

	if (action && !strcmp(action, "pause") && pause_s > 0) {
		a->drill_paused_s = a->now_s + pause_s;
	} else if (action && !strcmp(action, "resume")) {
		a->drill_paused_s = -INFINITY;
	} else if (action && strcmp(action, "status")) {
		buf__printf(why, "the agent can pause and resume, but not '%.32s'%s", action,
			    pause_s > 0 ? "" : " for no time");
		return SEEP_EXIT_USAGE;
	}
	court__investigate(a);
	o = answer__drill(a);
	set_str(o, "schema", "seep.drill/1");
	set_num(o, "at_s", a->now_s);
	*ret_json = o;
	return 0;
}

/* ---- config ------------------------------------------------------------------------------ */

static int answer_config(struct agent *a, const json_t *request, json_t **ret_json,
			 struct buf *why)
{
	char said[512] = "";
	json_t *o;

	if (json_is_true(json_object_get(request, "reload")) &&
	    agent__reload(a, said, sizeof(said))) {
		buf__printf(why, "%s; the agent goes on with the configuration it had", said);
		return SEEP_EXIT_FAILED;
	}
	o = config__to_json(&a->cfg);
	set_str(o, "schema", "seep.config/1");
	set_str(o, "reloaded", *said ? said : NULL);
	*ret_json = o;
	return 0;
}

/* ---- record ------------------------------------------------------------------------------ */

struct recording {
	struct agent *a;
	struct buf *body;
};

static void record_series(void *ctx, struct series *s)
{
	struct recording *r = ctx;
	struct store_point *points;
	struct tape_row row = {.limit_bytes = series__limit_bytes(s)};
	size_t cnt, i;

	cnt = series__points(r->a->store, s, r->a->now_s, NULL, 0);
	points = malloc((cnt + 1) * sizeof(*points));
	if (!points) {
		r->body->err = -ENOMEM;
		return;
	}
	cnt = series__points(r->a->store, s, r->a->now_s, points, cnt);
	for (i = 0; i < cnt; i++) {
		row.t_s = points[i].t_s;
		row.bytes = points[i].last_bytes;
		row.load = points[i].load;
		row.start = points[i].start;
		tape__write_row(r->body, series__name(s), &row);
	}
	free(points);
}

/* A page, because the whole may be larger than an agent should ever hold. */
static int answer_record(struct agent *a, const json_t *request, struct buf *body)
{
	json_int_t first = json_integer_value(json_object_get(request, "first"));
	json_int_t cnt = json_integer_value(json_object_get(request, "count"));
	struct recording r = {.a = a, .body = body};
	struct store_stats stats;

	store__stats(a->store, &stats);
	if (first < 0 || cnt < 0 || cnt > RECORD_PAGE_MAX) {
		buf__printf(body, "record: a page has at most %d series", RECORD_PAGE_MAX);
		return SEEP_EXIT_USAGE;
	}
	if (first >= stats.max_series)
		return 0;
	tape__write_header(body);
	store__foreach_page(a->store, first, cnt ? cnt : RECORD_PAGE_MAX, record_series, &r);
	return 0;
}

/* ---- dispatch ---------------------------------------------------------------------------- */

static int answer_status(struct agent *a, const json_t *request, json_t **ret_json,
			 struct buf *why)
{
	return answer__status(a, ret_json);
}

static const struct {
	const char *cmd;
	int (*answer)(struct agent *a, const json_t *request, json_t **ret_json, struct buf *why);
} answers[] = {
	{"top", answer__top},     {"leaks", answer__leaks},     {"show", answer__show},
	{"inspect", answer_inspect}, {"mute", answer__mute}, {"unmute", answer__unmute},
	{"mutes", answer__mutes}, {"drill", answer_drill}, {"config", answer_config},
	{"status", answer_status},
};

static int answer_json(struct agent *a, const char *cmd, const json_t *request, json_t **ret_json,
		       struct buf *why)
{
	size_t i;

	for (i = 0; i < sizeof(answers) / sizeof(answers[0]); i++)
		if (!strcmp(cmd, answers[i].cmd))
			return answers[i].answer(a, request, ret_json, why);
	buf__printf(why, "the agent does not know '%.32s'", cmd);
	return SEEP_EXIT_USAGE;
}

int answer__handle(void *ctx, const char *cmd, const json_t *request, struct buf *body)
{
	uint64_t failed = json_mem__failed();
	struct agent *a = ctx;
	json_t *json = NULL;
	char *text;
	int code;

	if (!strcmp(cmd, "record"))
		return answer_record(a, request, body);
	code = answer_json(a, cmd, request, &json, body);
	if (code)
		return code;
	json = json_mem__whole(json, failed);
	text = json_mem__dumps(json, JSON_COMPACT);
	json_decref(json);
	if (!text) {
		buf__puts(body, "the agent is out of memory");
		return SEEP_EXIT_FAILED;
	}
	buf__puts(body, text);
	buf__puts(body, "\n");
	free(text);
	return 0;
}
