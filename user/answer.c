// SPDX-License-Identifier: BSD-2-Clause
/*
 * answer.c - what the agent tells over its socket: finds the part that answers, and the incidents.
 *
 * Nothing here changes anything. Shapes are contracts: fields are added, never renamed.
 */
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "answer.h"
#include "series/tape.h"

#define RECORD_PAGE_MAX 256 /* series; about 25 MB at most */

/* ---- leaks, show ------------------------------------------------------------------------- */

static int add_closed(void *ctx, struct incident *in)
{
	if (in->state == INCIDENT_CLOSED)
		json_array_append_new(ctx, incident__to_json(in, 1));
	incident__free(in);
	return 0;
}

static void add_open(void *ctx, const struct incident *in)
{
	json_array_append_new(ctx, incident__to_json(in, 1));
}

/* Open ones come from the tracker, which is always right; closed ones from the history, which is
 * behind by what could not be written yet. */
static int list_incidents(struct agent *a, int all, double since_s, json_t *list)
{
	struct history_query q = {.since_s = since_s};

	tracker__foreach_open(a->tracker, add_open, list);
	if (!all || !a->history)
		return 0;
	return history__query(a->history, &q, add_closed, list);
}

static int answer_leaks(struct agent *a, const json_t *request, json_t **ret_json, struct buf *why)
{
	int all = json_is_true(json_object_get(request, "all")), err;
	const json_t *since = json_object_get(request, "since_s");
	json_t *leaks = json_object(), *list = json_array(), *watched, *not_seen;

	err = list_incidents(a, all, json_is_number(since) ? json_number_value(since) : NAN, list);
	if (err) {
		buf__printf(why, "the history cannot be read: %s", strerror(-err));
		json_decref(leaks);
		json_decref(list);
		return SEEP_EXIT_FAILED;
	}
	watched = json_object();
	set_u64(watched, "processes", a->procs);
	set_u64(watched, "cgroups", a->cgroups);
	set_num(watched, "window_s", a->cfg.window_s);
	set_num(watched, "since_s", a->start_s);
	not_seen = answer__not_seen(a);
	if (all && !a->history)
		answer__say(not_seen, "closed incidents: there is no history (%s)", a->history_why);
	set_str(leaks, "schema", "seep.leaks/1");
	set_num(leaks, "at_s", a->now_s);
	json_object_set_new(leaks, "watched", watched);
	json_object_set_new(leaks, "not_seen", not_seen);
	json_object_set_new(leaks, "incidents", list);
	*ret_json = leaks;
	return 0;
}

struct lookup {
	const char *prefix;
	char id[INCIDENT_ID_LEN]; /* of what was found first */
	json_t *found;
	unsigned matches;
};

static void match(struct lookup *l, const struct incident *in)
{
	if (strncasecmp(in->id, l->prefix, strlen(l->prefix)))
		return;
	if (l->matches && !strcmp(in->id, l->id))
		return; /* open again, which the history has not taken yet */
	if (!l->matches++) {
		memcpy(l->id, in->id, sizeof(l->id));
		l->found = incident__to_json(in, 0);
	}
}

static void match_open(void *ctx, const struct incident *in)
{
	match(ctx, in);
}

static int match_closed(void *ctx, struct incident *in)
{
	if (in->state == INCIDENT_CLOSED)
		match(ctx, in);
	incident__free(in);
	return 0;
}

static int answer_show(struct agent *a, const json_t *request, json_t **ret_json, struct buf *why)
{
	const char *id = json_string_value(json_object_get(request, "id"));
	struct lookup l = {.prefix = id};
	struct history_query q = {.since_s = NAN, .id_prefix = id};

	if (!id || !*id) {
		buf__puts(why, "which incident? `seep leaks --all` lists them");
		return SEEP_EXIT_USAGE;
	}
	tracker__foreach_open(a->tracker, match_open, &l);
	if (a->history)
		history__query(a->history, &q, match_closed, &l);
	if (l.matches == 1) {
		*ret_json = l.found;
		return 0;
	}
	json_decref(l.found);
	if (l.matches)
		buf__printf(why, "'%.16s' is the beginning of %u incidents; give more of it", id,
			    l.matches);
	else
		buf__printf(why, "no incident '%.16s'; `seep leaks --all` lists them", id);
	return SEEP_EXIT_NO_TARGET;
}

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
	{"top", answer__top},     {"leaks", answer_leaks},     {"show", answer_show},
	{"inspect", answer_inspect}, {"config", answer_config}, {"status", answer_status},
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
	struct agent *a = ctx;
	json_t *json = NULL;
	char *text;
	int code;

	if (!strcmp(cmd, "record"))
		return answer_record(a, request, body);
	code = answer_json(a, cmd, request, &json, body);
	if (code)
		return code;
	text = json_dumps(json, JSON_COMPACT);
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
