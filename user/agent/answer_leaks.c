// SPDX-License-Identifier: BSD-2-Clause
/*
 * answer_leaks.c - the incidents: a list of those that are wanted, and all about one.
 */
#include <errno.h>
#include <math.h>
#include <string.h>

#include "answer.h"
#include "incident/relate.h"

#define LEAKS_MAX   1000
#define RELATED_MAX 10
#define ROWS_MAX    100000 /* of the history that a question looks at */

/* ---- leaks ------------------------------------------------------------------------------- */

/* What is asked for, and what was found so far. */
struct listing {
	struct agent *a;
	json_t *list;
	struct selector *select;	 /* NULL = all */
	enum incident_severity severity; /* at least */
	double until_s;			 /* opened at or before; NAN = whenever */
	size_t more;			 /* left out at LEAKS_MAX */
};

static int is_wanted(const struct listing *l, const struct incident *in)
{
	struct selector_subject subject = incident__subject(in);

	return in->severity >= l->severity && !(in->opened_s > l->until_s) &&
	       (!l->select || selector__matches(l->select, &subject));
}

/* As it stands in lists and by itself: with the mute that covers it. */
static json_t *to_json(struct agent *a, const struct incident *in, int brief)
{
	const struct selector_subject subject = incident__subject(in);
	const struct mute *mute = NULL;
	json_t *json = incident__to_json(in, brief);

	if (a->mutes && in->state == INCIDENT_OPEN)
		mute = mutes__covering(a->mutes, a->now_s, &subject);
	if (json)
		set_str(json, "muted_by", mute ? mute->id : NULL);
	return json;
}

static void add_if_wanted(struct listing *l, const struct incident *in)
{
	if (!is_wanted(l, in))
		return;
	if (json_array_size(l->list) < LEAKS_MAX)
		json_array_append_new(l->list, to_json(l->a, in, 1));
	else
		l->more++;
}

static int add_closed(void *ctx, struct incident *in)
{
	if (in->state == INCIDENT_CLOSED)
		add_if_wanted(ctx, in);
	incident__free(in);
	return 0;
}

static void add_open(void *ctx, const struct incident *in)
{
	add_if_wanted(ctx, in);
}

static double number_in(const json_t *request, const char *name)
{
	const json_t *value = json_object_get(request, name);

	return json_is_number(value) ? json_number_value(value) : NAN;
}

/* Open ones come from the tracker, which is always right; closed ones from the history, which is
 * behind by what could not be written yet. */
static int list_incidents(struct agent *a, const json_t *request, struct listing *l)
{
	struct history_query q = {.since_s = number_in(request, "since_s"), .limit = ROWS_MAX};

	tracker__foreach_open(a->tracker, add_open, l);
	if (!json_is_true(json_object_get(request, "all")) || !a->history)
		return 0;
	return history__query(a->history, &q, add_closed, l);
}

static int read_listing(struct listing *l, const json_t *request, struct buf *why)
{
	const char *text = json_string_value(json_object_get(request, "select"));
	double severity = number_in(request, "severity");
	char reason[SELECTOR_WHY_LEN];

	l->until_s = number_in(request, "until_s");
	l->severity = severity > 0 ? (enum incident_severity)severity : SEVERITY_INFO;
	if (!text || !selector__parse(text, &l->select, reason))
		return 0;
	buf__puts(why, reason);
	return -EINVAL;
}

static json_t *watched(const struct agent *a)
{
	json_t *o = json_object();

	set_u64(o, "processes", a->procs);
	set_u64(o, "cgroups", a->cgroups);
	set_num(o, "window_s", a->cfg.window_s);
	set_num(o, "since_s", a->start_s);
	return o;
}

static json_t *leaks_to_json(struct agent *a, const struct listing *l, int all)
{
	json_t *leaks = json_object(), *not_seen = answer__not_seen(a);

	if (all && !a->history)
		answer__say(not_seen, "closed incidents: there is no history (%s)", a->history_why);
	if (l->more)
		answer__say(not_seen,
			    "%zu older incidents are not listed; --since, --until and "
			    "--where choose",
			    l->more);
	set_str(leaks, "schema", "seep.leaks/1");
	set_num(leaks, "at_s", a->now_s);
	json_object_set_new(leaks, "watched", watched(a));
	json_object_set_new(leaks, "not_seen", not_seen);
	json_object_set(leaks, "incidents", l->list);
	return leaks;
}

int answer__leaks(struct agent *a, const json_t *request, json_t **ret_json, struct buf *why)
{
	int all = json_is_true(json_object_get(request, "all")), code = SEEP_EXIT_USAGE, err;
	struct listing l = {.a = a, .list = json_array()};

	if (read_listing(&l, request, why))
		goto out;
	code = 0;
	err = list_incidents(a, request, &l);
	if (err) {
		buf__printf(why, "the history cannot be read: %s", strerror(-err));
		code = SEEP_EXIT_FAILED;
		goto out;
	}
	*ret_json = leaks_to_json(a, &l, all);
out:
	json_decref(l.list);
	selector__free(l.select);
	return code;
}

/* ---- show -------------------------------------------------------------------------------- */

struct lookup {
	struct agent *a;
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
		l->found = to_json(l->a, in, 0);
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

/* The closest relatives of one incident, the closest first. */
struct relatives {
	struct incident *of;
	struct {
		char id[INCIDENT_ID_LEN];
		int rank;
	} v[RELATED_MAX];
	int cnt;
};

static int is_listed(const struct relatives *r, const char *id)
{
	int i;

	for (i = 0; i < r->cnt; i++)
		if (!strcmp(r->v[i].id, id))
			return 1;
	return 0;
}

static void add_relative(struct relatives *r, const struct incident *in)
{
	int rank = incident__relation(r->of, in), i;

	if (rank < 0 || is_listed(r, in->id))
		return;
	if (r->cnt < RELATED_MAX)
		r->cnt++;
	else if (r->v[r->cnt - 1].rank <= rank)
		return;
	for (i = r->cnt - 1; i > 0 && r->v[i - 1].rank > rank; i--)
		r->v[i] = r->v[i - 1];
	memcpy(r->v[i].id, in->id, sizeof(in->id));
	r->v[i].rank = rank;
}

static void add_open_relative(void *ctx, const struct incident *in)
{
	add_relative(ctx, in);
}

static int add_closed_relative(void *ctx, struct incident *in)
{
	if (in->state == INCIDENT_CLOSED)
		add_relative(ctx, in);
	incident__free(in);
	return 0;
}

static void relate(struct agent *a, json_t *found)
{
	struct history_query q = {.since_s = NAN, .limit = LEAKS_MAX};
	json_t *ids = json_array(), *why = json_array();
	struct relatives r = {0};
	const char *ignored;
	int i;

	r.of = incident__from_json(found, &ignored);
	if (r.of) {
		tracker__foreach_open(a->tracker, add_open_relative, &r);
		if (a->history)
			history__query(a->history, &q, add_closed_relative, &r);
	}
	incident__free(r.of);
	for (i = 0; i < r.cnt; i++) {
		json_array_append_new(ids, json_string(r.v[i].id));
		json_array_append_new(why, json_string(incident__relation_name(r.v[i].rank)));
	}
	json_object_set_new(found, "related", ids);
	json_object_set_new(found, "related_by", why);
}

int answer__show(struct agent *a, const json_t *request, json_t **ret_json, struct buf *why)
{
	const char *id = json_string_value(json_object_get(request, "id"));
	struct lookup l = {.a = a, .prefix = id};
	struct history_query q = {.since_s = NAN, .id_prefix = id};

	if (!id || !*id) {
		buf__puts(why, "which incident? `seep leaks --all` lists them");
		return SEEP_EXIT_USAGE;
	}
	tracker__foreach_open(a->tracker, match_open, &l);
	if (a->history)
		history__query(a->history, &q, match_closed, &l);
	if (l.matches == 1) {
		relate(a, l.found);
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
