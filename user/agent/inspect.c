// SPDX-License-Identifier: BSD-2-Clause
/*
 * inspect.c - an inspection: every object that grew is judged afresh from what the store kept, and
 * each answer comes with its reason.
 *
 * The running detectors judge all the time; an inspection does not lean on them. Where it finds a
 * leak that they have not called (they were dropped, or saw the history in another order), its own
 * detector takes over and the incident opens through the same door as any other. It runs inside
 * the tick: judging the series of a thousand processes takes some 50 ms.
 */
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "state.h"
#include "answer.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/units.h"

#define CANDIDATES_MAX 200 /* told one by one: leaks first, then the fastest */
#define WHY_LEN	       256

/* ---- when -------------------------------------------------------------------------------- */

static double next_after(const struct inspection *in, double now_s)
{
	time_t t;

	if (!in->is_on)
		return NAN;
	if (in->every_s > 0)
		return now_s + in->every_s;
	t = cron__next(&in->cron, now_s);
	return t < 0 ? NAN : t;
}

int inspect__schedule(struct inspection *in, const char *when, double now_s, const char **ret_why)
{
	struct cron cron = {0};
	double every_s = 0;
	int is_on = strcmp(when, "off") != 0;

	if (is_on && units__parse_duration(when, &every_s) && cron__parse(when, &cron, ret_why))
		return -EINVAL;
	if (is_on && every_s < 0) {
		*ret_why = "the period must be above zero";
		return -EINVAL;
	}
	in->is_on = is_on;
	in->every_s = every_s;
	in->cron = cron;
	in->next_s = next_after(in, now_s);
	return 0;
}

/* ---- one object -------------------------------------------------------------------------- */

struct candidate {
	json_t *json;
	double rank;
};

struct pass {
	struct agent *a;
	double last_s;
	uint64_t deadline_ns;
	struct candidate *v;
	size_t cnt, cap;
	unsigned objects, flat, reported, unjudged;
};

/* Leaks before suspects before the rest; among equals the faster first. */
static double rank_of(const struct verdict *v)
{
	double rank = v->state == VERDICT_LEAK ? 2 : v->state == VERDICT_SUSPECT ? 1 : 0;
	double slope = v->slope_bytes_per_hour;

	return slope > 0 ? rank + slope / (slope + (1 << 30)) : rank;
}

/* Why the fresh detector says no: the sentence that its evidence has for it. */
static void say_no(char why[WHY_LEN], char (*lines)[DETECTOR_EVIDENCE_LEN], int cnt)
{
	static const char prefix[] = "not called a leak: ";
	int i;

	snprintf(why, WHY_LEN, "not reported: the signs of a leak are not strong enough");
	for (i = 0; i < cnt; i++)
		if (!strncmp(lines[i], prefix, sizeof(prefix) - 1))
			snprintf(why, WHY_LEN, "not reported: %s", lines[i] + sizeof(prefix) - 1);
}

/* A leak that no incident stands for yet: open one, or say why not. */
static const struct incident *open_incident(struct pass *p, struct watch *w,
					    struct detector **fresh, const struct verdict *v,
					    char why[WHY_LEN])
{
	char key[WATCH_KEY_LEN], objection[RULES_WHY_LEN];

	if (p->last_s < p->a->cfg.window_s) {
		snprintf(why, WHY_LEN, "not reported: only a look at the whole window may");
		return NULL;
	}
	if (court__objection(p->a, w, v, objection)) {
		snprintf(why, WHY_LEN, "not reported: %s", objection);
		return NULL;
	}
	watch__adopt(w, *fresh, v);
	*fresh = NULL;
	w->wants_detector = 1;
	court__report(p->a, w);
	snprintf(why, WHY_LEN, "reported: this inspection opened the incident");
	return tracker__open_of(p->a->tracker, watch__key(w, key));
}

static json_t *to_json(struct pass *p, const struct watch *w, const struct verdict *v,
		       char (*lines)[DETECTOR_EVIDENCE_LEN], int cnt, const char *id,
		       const char *why)
{
	struct incident_object object = court__object_of(p->a, w);
	char *evidence[DETECTOR_EVIDENCE_MAX];
	int i;

	for (i = 0; i < cnt; i++)
		evidence[i] = lines[i];
	return json_pack("{s:o, s:o, s:b, s:s?, s:s}", "object", incident__object_to_json(&object),
			 "verdict", verdict__to_json(v, evidence, cnt), "reported", id != NULL,
			 "incident", id, "why", why);
}

static int keep(struct pass *p, json_t *json, double rank)
{
	size_t cap = p->cap ? 2 * p->cap : 64;
	struct candidate *v;

	if (json && p->cnt == p->cap) {
		v = realloc(p->v, cap * sizeof(*v));
		if (v) {
			p->v = v;
			p->cap = cap;
		}
	}
	if (!json || p->cnt == p->cap) {
		json_decref(json);
		return -ENOMEM;
	}
	p->v[p->cnt++] = (struct candidate){json, rank};
	return 0;
}

static int judge(struct pass *p, struct watch *w)
{
	char lines[DETECTOR_EVIDENCE_MAX][DETECTOR_EVIDENCE_LEN], key[WATCH_KEY_LEN], why[WHY_LEN];
	char opened[24];
	const struct incident *in;
	struct detector *fresh;
	struct verdict v;
	int cnt, err;

	fresh = watch__fresh_look(w, p->a->store, p->a->now_s, p->last_s, &v);
	if (!fresh)
		return -ENOMEM;
	cnt = detector__evidence(fresh, lines, DETECTOR_EVIDENCE_MAX);
	in = tracker__open_of(p->a->tracker, watch__key(w, key));
	if (in)
		snprintf(why, sizeof(why), "reported: the incident is open since %s",
			 units__format_time(in->opened_s, opened, sizeof(opened)));
	else if (v.state == VERDICT_LEAK)
		in = open_incident(p, w, &fresh, &v, why);
	else
		say_no(why, lines, cnt);
	p->reported += in != NULL;
	err = keep(p, to_json(p, w, &v, lines, cnt, in ? in->id : NULL, why), rank_of(&v));
	detector__free(fresh);
	return err;
}

static void examine(void *ctx, struct series *s)
{
	struct watch *w = series__user(s);
	struct pass *p = ctx;

	if (!w || w->seen_seq != p->a->seq || !court__is_object(w))
		return;
	p->objects++;
	if (!w->detector)
		p->flat++; /* never grew by an amount that matters */
	else if (clock__boot_ns() > p->deadline_ns || judge(p, w))
		p->unjudged++;
}

/* ---- all of them ------------------------------------------------------------------------- */

static int by_rank(const void *a, const void *b)
{
	const struct candidate *x = a, *y = b;

	return (x->rank < y->rank) - (x->rank > y->rank);
}

/* Takes the candidates over. */
static json_t *list_candidates(struct pass *p)
{
	json_t *list = json_array();
	size_t i;

	if (p->cnt)
		qsort(p->v, p->cnt, sizeof(*p->v), by_rank);
	for (i = 0; i < p->cnt; i++) {
		if (i < CANDIDATES_MAX)
			json_array_append_new(list, p->v[i].json);
		else
			json_decref(p->v[i].json);
	}
	free(p->v);
	return list;
}

static json_t *what_was_not_seen(const struct pass *p)
{
	json_t *list = answer__not_seen(p->a);

	if (p->unjudged)
		answer__say(list,
			    "%u objects that grew were not judged: the inspection was over "
			    "its limit of %.0f s, or out of memory",
			    p->unjudged, p->a->cfg.inspect_limit_s);
	if (p->cnt > CANDIDATES_MAX)
		answer__say(list, "%zu more objects grew; the slowest are not listed",
			    p->cnt - CANDIDATES_MAX);
	return list;
}

static void remember(struct inspection *in, const struct pass *p, const char *trigger,
		     uint64_t took_ns)
{
	in->runs++;
	in->failed += p->unjudged > 0;
	in->trigger = trigger;
	in->last_s = p->a->now_s;
	in->last_ns = took_ns;
	in->objects = p->objects;
	in->candidates = p->cnt;
	in->reported = p->reported;
	in->unjudged = p->unjudged;
}

json_t *inspect__run(struct agent *a, double last_s, const char *trigger)
{
	uint64_t began_ns = clock__boot_ns(), took_ns;
	struct pass p = {
		.a = a,
		.last_s = last_s,
		.deadline_ns = began_ns + (uint64_t)(a->cfg.inspect_limit_s * 1e9),
	};
	json_t *o = json_object();

	store__foreach(a->store, examine, &p);
	took_ns = clock__boot_ns() - began_ns;
	remember(&a->inspection, &p, trigger, took_ns);
	set_str(o, "schema", "seep.inspect/1");
	set_num(o, "at_s", a->now_s);
	set_num(o, "last_s", last_s);
	set_str(o, "trigger", trigger);
	json_object_set_new(o, "took_s", json_real(took_ns / 1e9));
	json_object_set_new(o, "complete", json_boolean(!p.unjudged));
	set_u64(o, "objects", p.objects);
	set_u64(o, "flat", p.flat);
	set_u64(o, "reported", p.reported);
	json_object_set_new(o, "not_seen", what_was_not_seen(&p));
	json_object_set_new(o, "candidates", list_candidates(&p));
	return o;
}

void inspect__tick(struct agent *a)
{
	struct inspection *in = &a->inspection;

	if (!(a->now_s >= in->next_s))
		return;
	json_decref(inspect__run(a, a->cfg.window_s, "schedule"));
	in->next_s = next_after(in, a->now_s);
	log_info("inspection: %u objects, %u grew, %u reported, %.0f ms%s", in->objects,
		 in->candidates, in->reported, in->last_ns / 1e6,
		 in->unjudged ? "; not all could be judged" : "");
}

json_t *inspect__last(const struct agent *a)
{
	const struct inspection *in = &a->inspection;
	json_t *o;

	if (!in->trigger)
		return json_null();
	o = json_object();
	set_num(o, "at_s", in->last_s);
	set_str(o, "trigger", in->trigger);
	json_object_set_new(o, "took_s", json_real(in->last_ns / 1e9));
	json_object_set_new(o, "complete", json_boolean(!in->unjudged));
	set_u64(o, "objects", in->objects);
	set_u64(o, "candidates", in->candidates);
	set_u64(o, "reported", in->reported);
	set_u64(o, "runs", in->runs);
	set_u64(o, "incomplete_runs", in->failed);
	set_num(o, "next_s", in->next_s);
	return o;
}
