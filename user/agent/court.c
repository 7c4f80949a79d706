// SPDX-License-Identifier: BSD-2-Clause
/*
 * court.c - from verdicts to incidents.
 *
 * Every watch is judged when due. Processes are reported as they are; a cgroup is reported only
 * when no single process or cgroup in it explains its growth (kernel memory, tmpfs, many small
 * growers, restarts), so that one leak is one incident. The root cgroup is the whole node and never an object.
 */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "state.h"
#include "base/json_mem.h"
#include "base/log.h"
#include "base/units.h"

#define EXPLAINED_SHARE 0.6 /* of a cgroup's growth by one process or cgroup in it */
#define REFRESH_SHARE   72  /* curve and top 10 of an open incident: so often per window */
#define GROWTH_POINTS   48
#define GAP_SHARE       36  /* of the window without a poll is told */
#define GAP_POLLS       6   /* ...if it is as many intervals */

/* ---- who explains a cgroup's growth ------------------------------------------------------ */

struct explain {
	struct agent *a;
	const struct watch *cgroup;
	double most_bytes; /* growth of the fastest growing part of it */
	double told_bytes; /* and of the part of which most is told in an open incident */
};

/* Growth since `since_s`, from the lowest point near it to now. */
static double growth_since(struct agent *a, const struct watch *w, double since_s)
{
	double points[GROWTH_POINTS], step_s = a->cfg.window_s / GROWTH_POINTS;
	double from = NAN;
	int i;

	series__resample(a->store, w->series, a->now_s, points, GROWTH_POINTS);
	for (i = 0; i < GROWTH_POINTS; i++) {
		if (isnan(points[i]) || a->now_s - (GROWTH_POINTS - 1 - i) * step_s < since_s)
			continue;
		from = points[i];
		break;
	}
	return isnan(from) ? 0 : w->signal_bytes - from;
}

/* A process in the cgroup or below it, or a cgroup below it: memory counts upwards. */
static int is_part_of(const struct watch *w, const char *cgroup)
{
	size_t len = strlen(cgroup);
	const char *path = w->cgroup->path;

	if (strncmp(path, cgroup, len))
		return 0;
	return path[len] == '/' || (!path[len] && watch__is_proc(w));
}

static void explain_by(void *ctx, struct series *s)
{
	struct watch *w = series__user(s);
	struct explain *e = ctx;
	double grown;

	if (!w || w->seen_seq != e->a->seq || !w->cgroup ||
	    !is_part_of(w, e->cgroup->cgroup->path))
		return;
	grown = growth_since(e->a, w, e->cgroup->verdict.since_s);
	if (grown > e->most_bytes)
		e->most_bytes = grown;
}

static void explain_by_incident(void *ctx, const struct incident *in)
{
	struct explain *e = ctx;
	const char *cgroup = e->cgroup->cgroup->path;
	size_t len = strlen(cgroup);

	if (!in->object.cgroup || strncmp(in->object.cgroup, cgroup, len) ||
	    (in->object.cgroup[len] && in->object.cgroup[len] != '/'))
		return;
	if (in->verdict.growth_bytes > e->told_bytes)
		e->told_bytes = in->verdict.growth_bytes;
}

/* Right after a restart nothing in it has grown: then what is already told counts. */
static int is_explained(struct agent *a, const struct watch *w)
{
	struct explain e = {.a = a, .cgroup = w};

	store__foreach(a->store, explain_by, &e);
	tracker__foreach_open(a->tracker, explain_by_incident, &e);
	return e.most_bytes >= EXPLAINED_SHARE * growth_since(a, w, w->verdict.since_s) ||
	       e.told_bytes >= EXPLAINED_SHARE * w->verdict.growth_bytes;
}

/* ---- the report -------------------------------------------------------------------------- */

/* Strings are borrowed: the tracker copies them. */
struct incident_object court__object_of(const struct agent *a, const struct watch *w)
{
	const struct cgroup_info *cg = w->cgroup;
	struct incident_object o = {
		.kind = watch__is_proc(w) ? "process" : "cgroup",
		.node = (char *)a->node,
		.cgroup = w->path,
	};

	if (watch__is_proc(w)) {
		o.pid = w->id.tgid;
		o.start_ns = w->id.start_ns;
		o.comm = w->proc ? (char *)w->proc->comm : NULL;
		o.cmdline = w->proc ? (char *)w->proc->cmdline : NULL;
	}
	if (cg) {
		o.cgroup = (char *)cg->path;
		o.container = (char *)cg->container;
		o.pod = (char *)cg->pod;
		o.ns = (char *)cg->ns;
		o.workload = (char *)cg->workload;
		o.image = (char *)cg->image;
		o.image_digest = (char *)cg->image_digest;
		o.container_id = (char *)cg->container_id;
		o.pod_uid = (char *)cg->pod_uid;
		o.labels = (json_t *)cg->labels;
	}
	return o;
}

static int collect_evidence(const struct agent *a, const struct watch *w,
			    char lines[][DETECTOR_EVIDENCE_LEN])
{
	int cnt = detector__evidence(w->detector, lines, DETECTOR_EVIDENCE_MAX - 1);
	char limit[16], room[16];

	if (w->headroom_bytes == UINT64_MAX)
		return cnt; /* not even the node's memory is known */
	units__format_bytes(w->headroom_bytes, room, sizeof(room));
	if (w->limit_bytes != UINT64_MAX) {
		units__format_bytes(w->limit_bytes, limit, sizeof(limit));
		snprintf(lines[cnt++], DETECTOR_EVIDENCE_LEN,
			 "%s are left under the cgroup limit of %s", room, limit);
	} else {
		units__format_bytes(a->node_total_bytes, limit, sizeof(limit));
		snprintf(lines[cnt++], DETECTOR_EVIDENCE_LEN,
			 "no cgroup limit; %s of the node's %s are left", room, limit);
	}
	return cnt;
}

/* The stored curve, thinned to what an incident keeps. Caller frees. */
static double (*collect_history(struct agent *a, const struct watch *w, size_t *ret_cnt))[2]
{
	size_t cnt = series__points(a->store, w->series, a->now_s, NULL, 0), step, i, n = 0;
	struct store_point *points = malloc((cnt + 1) * sizeof(*points));
	double (*out)[2] = malloc(INCIDENT_HISTORY_MAX * sizeof(*out));

	*ret_cnt = 0;
	if (!points || !out) {
		free(points);
		free(out);
		return NULL;
	}
	cnt = series__points(a->store, w->series, a->now_s, points, cnt);
	step = (cnt + INCIDENT_HISTORY_MAX - 1) / INCIDENT_HISTORY_MAX;
	for (i = 0; i < cnt && n < INCIDENT_HISTORY_MAX; i += step ? step : 1, n++) {
		/* the newest point always stands at the end */
		if (i + step >= cnt)
			i = cnt - 1;
		out[n][0] = points[i].t_s;
		out[n][1] = points[i].last_bytes;
	}
	free(points);
	*ret_cnt = n;
	return out;
}

/* The limit people know: the cgroup's, else the node. */
static struct verdict public_verdict(const struct agent *a, const struct watch *w)
{
	struct verdict v = w->verdict;

	uint64_t limit = w->limit_bytes != UINT64_MAX ? w->limit_bytes : a->node_total_bytes;

	v.limit_bytes = limit != UINT64_MAX ? limit : NAN;
	return v;
}

const char *court__drill_is_off(const struct agent *a)
{
	if (!a->drill)
		return "there is no BPF to look with";
	if (a->cfg.no_drill)
		return "looking into suspects is switched off (no-drill)";
	if (a->now_s < a->drill_paused_s)
		return "looking into suspects is paused";
	return NULL;
}

/* Why there are no call sites (yet); NULL: there are. buf holds some of the reasons. */
static const char *why_no_sites(const struct agent *a, const struct watch *w,
				char buf[RULES_WHY_LEN])
{
	const struct selector_subject subject = court__subject_of(a, w);

	if (w->sites)
		return NULL;
	if (!watch__is_proc(w))
		return "only processes are looked into, not cgroups";
	if (court__drill_is_off(a))
		return court__drill_is_off(a);
	if (rules__forbid_drill(a->cfg.rules, &subject, buf))
		return buf;
	if (!w->not_seen && !w->wants_detector && w->verdict.state != VERDICT_LEAK &&
	    w->verdict.state != VERDICT_SUSPECT)
		return "it was not suspected of a leak, so that nobody looked closer";
	if (!w->not_seen)
		return UNFINISHED_LOOK;
	snprintf(buf, RULES_WHY_LEN, "none were found by looking %u time%s", w->drill_slices,
		 w->drill_slices == 1 ? "" : "s");
	return w->drill_slices ? buf : "the closer look failed";
}

/* What the closer look missed, and whether it took place. A new reference. */
static json_t *unseen_of(const struct agent *a, const struct watch *w)
{
	json_t *list = w->not_seen ? json_copy(w->not_seen) : json_array();
	char buf[RULES_WHY_LEN];
	const char *why = why_no_sites(a, w, buf);

	if (why)
		json_array_append_new(list, json_sprintf("call sites: %s", why));
	return list;
}

/* Thresholds, and whether anybody was to look closer. A new reference. */
static json_t *configuration_of(const struct agent *a, const struct watch *w)
{
	const struct selector_subject subject = court__subject_of(a, w);
	const char *off = court__drill_is_off(a);
	char why[RULES_WHY_LEN];

	if (!off && rules__forbid_drill(a->cfg.rules, &subject, why))
		off = why;
	return json_pack("{s:f, s:f, s:o, s:o, s:o, s:s}", "window_s", a->cfg.window_s, "interval_s",
			 a->cfg.interval_s, "rule", rules__rule_to_json(a->cfg.rules, &subject),
			 "include", rules__filters_to_json(a->cfg.rules, RULES_INCLUDE), "exclude",
			 rules__filters_to_json(a->cfg.rules, RULES_EXCLUDE), "drill",
			 off ? off : "on");
}

/* The longest time without a poll, if it is one that a curve should not be trusted over. */
static void say_gap(const struct agent *a, const struct finding *f)
{
	double gap_s = fmax(a->cfg.window_s / GAP_SHARE, GAP_POLLS * a->cfg.interval_s), from_s = NAN;
	char when[32], span[32];
	size_t i;

	for (i = 1; i < f->history_cnt; i++) {
		if (f->history[i][0] - f->history[i - 1][0] <= gap_s)
			continue;
		gap_s = f->history[i][0] - f->history[i - 1][0];
		from_s = f->history[i - 1][0];
	}
	if (!isnan(from_s))
		json_array_append_new(f->not_seen,
				      json_sprintf("curve: nothing was polled for %s from %s on; "
						   "the agent was away or held up",
						   units__format_duration(gap_s, span, sizeof(span)),
						   units__format_time(from_s, when, sizeof(when))));
}

void court__describe(struct agent *a, const struct watch *w, int wants_curve, struct finding *ret_f)
{
	uint64_t failed;
	int i;

	ret_f->sites = w->sites;
	ret_f->objects = w->objects;
	ret_f->not_seen = unseen_of(a, w);
	if (!wants_curve)
		return;
	failed = json_mem__failed();
	ret_f->configuration = json_mem__whole(configuration_of(a, w), failed);
	ret_f->history = (const double(*)[2])collect_history(a, w, &ret_f->history_cnt);
	say_gap(a, ret_f);
	for (i = 0; i < TOP_CNT; i++) {
		failed = json_mem__failed();
		ret_f->top[i] = json_mem__whole(answer__surroundings(a, i), failed);
	}
}

void court__forget(struct finding *f)
{
	int i;

	json_decref(f->not_seen);
	json_decref(f->configuration);
	free((void *)f->history);
	for (i = 0; i < TOP_CNT; i++)
		json_decref(f->top[i]);
}

void court__report(struct agent *a, struct watch *w)
{
	char key[WATCH_KEY_LEN], lines[DETECTOR_EVIDENCE_MAX][DETECTOR_EVIDENCE_LEN];
	struct incident_object object = court__object_of(a, w);
	struct selector_subject subject = court__subject_of(a, w);
	struct verdict verdict = public_verdict(a, w);
	enum incident_severity severity;
	const struct incident *in;
	struct finding f = {
		.key = watch__key(w, key),
		.object = &object,
		.verdict = &verdict,
		.evidence = lines,
		.evidence_cnt = collect_evidence(a, w, lines),
		.severity = rules__severity(a->cfg.rules, &subject, &severity),
	};
	int is_new = !tracker__open_of(a->tracker, key);
	int is_due = is_new || a->now_s - w->shown_s >= a->cfg.window_s / REFRESH_SHARE;

	if (is_due)
		w->shown_s = a->now_s;
	court__describe(a, w, is_due, &f);
	in = tracker__report(a->tracker, a->now_s, &f);
	court__forget(&f);
	if (is_new && in && in->state == INCIDENT_OPEN)
		coroner__defer(a, in);
}

int court__is_object(const struct watch *w)
{
	return watch__is_proc(w) || (w->path && strcmp(w->path, "/"));
}

struct selector_subject court__subject_of(const struct agent *a, const struct watch *w)
{
	const struct incident_object o = court__object_of(a, w);

	return (struct selector_subject){
		.labels = w->cgroup ? w->cgroup->label_list : NULL,
		.label_cnt = w->cgroup ? w->cgroup->label_cnt : 0,
		.kind = o.kind,
		.host = o.node,
		.ns = o.ns,
		.pod = o.pod,
		.workload = o.workload,
		.container = o.container,
		.image = o.image,
		.cgroup = o.cgroup,
		.comm = o.comm,
		.uid = watch__is_proc(w) ? w->uid : UINT32_MAX,
		.pid = o.pid,
	};
}

int court__objection(struct agent *a, const struct watch *w, const struct verdict *v,
		     char why[RULES_WHY_LEN])
{
	const struct selector_subject subject = court__subject_of(a, w);

	if (rules__object_to(a->cfg.rules, &subject, v, why))
		return 1;
	if (watch__is_proc(w) || !is_explained(a, w))
		return 0;
	snprintf(why, RULES_WHY_LEN,
		 "a process or cgroup in it explains the growth, and stands for it");
	return 1;
}

static void close_forbidden(void *ctx, struct series *s)
{
	char key[WATCH_KEY_LEN], why[RULES_WHY_LEN];
	struct watch *w = series__user(s);
	struct selector_subject subject;
	struct agent *a = ctx;

	if (!w || !tracker__open_of(a->tracker, watch__key(w, key)))
		return;
	subject = court__subject_of(a, w);
	if (rules__forbid(a->cfg.rules, &subject, why))
		tracker__ended(a->tracker, a->now_s, key, why);
}

void court__obey(struct agent *a)
{
	store__foreach(a->store, close_forbidden, a);
}

static void judge_one(void *ctx, struct series *s)
{
	char key[WATCH_KEY_LEN], why[RULES_WHY_LEN];
	struct watch *w = series__user(s);
	struct agent *a = ctx;
	int is_open;

	if (!w || w->seen_seq != a->seq || !watch__judge(w, a->store, a->now_s))
		return;
	if (!court__is_object(w))
		return;
	is_open = !!tracker__open_of(a->tracker, watch__key(w, key));
	w->wants_detector = is_open;
	if (!w->detector)
		return;
	if (is_open) /* perhaps by an earlier agent: not a new leak, whatever its detector knew */
		detector__vouch(w->detector);
	if (!is_open && w->verdict.state != VERDICT_LEAK)
		return;
	if (!is_open && court__objection(a, w, &w->verdict, why))
		return;
	court__report(a, w);
}

void court__sit(struct agent *a)
{
	store__foreach(a->store, judge_one, a);
	tracker__calm(a->tracker, a->now_s);
}

void court__ended(struct agent *a, const struct watch *w, const char *reason)
{
	char key[WATCH_KEY_LEN];

	tracker__ended(a->tracker, a->now_s, watch__key(w, key), reason);
}

void court__rekey(struct agent *a, const char *old_key, const struct watch *w)
{
	struct incident_object object = court__object_of(a, w);
	char key[WATCH_KEY_LEN];

	tracker__rekey(a->tracker, a->now_s, old_key, watch__key(w, key), &object);
}

struct kinship {
	const char *cgroup;
	const struct incident *found;
};

/* One is the other, or is above it. */
static int is_kin(const char *a, const char *b)
{
	size_t len_a = strlen(a), len_b = strlen(b), len = len_a < len_b ? len_a : len_b;
	const char *longer = len_a < len_b ? b : a;

	return !strncmp(a, b, len) && (!longer[len] || longer[len] == '/');
}

/* Of several the one that is further down: nearer to what leaks. */
static void find_kin(void *ctx, const struct incident *in)
{
	struct kinship *q = ctx;

	if (in->kind != INCIDENT_LEAK || !in->object.cgroup ||
	    !is_kin(in->object.cgroup, q->cgroup))
		return;
	if (!q->found || strlen(in->object.cgroup) > strlen(q->found->object.cgroup))
		q->found = in;
}

static struct kinship kinship_of(const struct watch *w)
{
	const struct cgroup_info *cg = watch__is_proc(w) && w->proc ? w->proc->cgroup : w->cgroup;

	return (struct kinship){.cgroup = w->path ? w->path : cg ? cg->path : NULL};
}

const struct incident *court__incident_about(struct agent *a, const struct watch *w)
{
	struct kinship q = kinship_of(w);
	const struct incident *own;
	char key[WATCH_KEY_LEN];

	own = tracker__open_of(a->tracker, watch__key(w, key));
	if (!own && q.cgroup && strcmp(q.cgroup, "/"))
		tracker__foreach_open(a->tracker, find_kin, &q);
	return own ? own : q.found;
}

const struct incident *court__leak_behind(struct agent *a, const struct watch *w)
{
	const struct incident *open = court__incident_about(a, w);
	struct kinship q = kinship_of(w);

	if (!open && q.cgroup && strcmp(q.cgroup, "/"))
		tracker__foreach_recent(a->tracker, a->now_s, find_kin, &q);
	return open ? open : q.found;
}

/* ---- the closer look --------------------------------------------------------------------- */

struct lineup {
	struct agent *a;
	struct {
		struct seep_task_id id;
		double severity;
	} v[DRILL_WANTED_MAX];
	size_t cnt;
};

/* Leaks before suspects, then whoever reaches the limit first, then the faster. */
static double severity_of(const struct watch *w)
{
	double severity = w->verdict.state == VERDICT_LEAK ? 2 : 1;

	if (w->verdict.time_to_limit_s > 0)
		severity += 0.5 / (1 + w->verdict.time_to_limit_s / 3600);
	if (w->verdict.slope_bytes_per_hour > 0)
		severity += 0.4 * w->verdict.slope_bytes_per_hour /
			    (w->verdict.slope_bytes_per_hour + (1 << 30));
	return severity;
}

static int is_suspect(const struct agent *a, const struct watch *w)
{
	struct selector_subject subject;
	char why[RULES_WHY_LEN];

	if (!w || !watch__is_proc(w) || w->seen_seq != a->seq ||
	    (w->verdict.state != VERDICT_LEAK && w->verdict.state != VERDICT_SUSPECT) ||
	    w->id.tgid == (uint32_t)getpid()) /* a system call: last */
		return 0;
	subject = court__subject_of(a, w);
	return !rules__forbid(a->cfg.rules, &subject, why) &&
	       !rules__forbid_drill(a->cfg.rules, &subject, why);
}

/* Keep the list sorted; the last falls off when it is full. */
static void line_up(void *ctx, struct series *s)
{
	struct watch *w = series__user(s);
	struct lineup *l = ctx;
	double severity;
	size_t i;

	if (!is_suspect(l->a, w))
		return;
	severity = severity_of(w);
	if (l->cnt < DRILL_WANTED_MAX)
		l->cnt++;
	else if (l->v[l->cnt - 1].severity >= severity)
		return;
	for (i = l->cnt - 1; i > 0 && l->v[i - 1].severity < severity; i--)
		l->v[i] = l->v[i - 1];
	l->v[i].id = w->id;
	l->v[i].severity = severity;
}

void court__investigate(struct agent *a)
{
	struct seep_task_id ids[DRILL_WANTED_MAX];
	struct lineup l = {.a = a};
	size_t i;

	if (!a->drill)
		return;
	if (!court__drill_is_off(a))
		store__foreach(a->store, line_up, &l);
	for (i = 0; i < l.cnt; i++)
		ids[i] = l.v[i].id;
	drill__want(a->drill, ids, l.cnt);
}

void court__hear(void *ctx, const struct drill_result *r)
{
	struct series_key key = series_key__proc(&r->id);
	struct agent *a = ctx;
	struct series *s = store__find(a->store, &key);
	struct watch *w = s ? series__user(s) : NULL;

	if (!w)
		return; /* ended meanwhile */
	json_decref(w->not_seen);
	w->not_seen = json_incref(r->not_seen);
	if (r->cost_ns > w->drill_cost_ns)
		a->probe_cost_ns += r->cost_ns - w->drill_cost_ns;
	if (r->hits > w->drill_hits)
		a->probe_hits += r->hits - w->drill_hits;
	w->drill_slices = r->slices;
	w->drill_cost_share = r->cost_share;
	w->drill_duty_share = r->duty_share;
	w->drill_watched_s = r->watched_s;
	w->drill_hits = r->hits;
	w->drill_cost_ns = r->cost_ns;
	if (r->objects) {
		json_decref(w->objects);
		w->objects = json_incref(r->objects);
	}
	if (!json_array_size(r->sites))
		return;
	json_decref(w->sites);
	w->sites = json_incref(r->sites);
}
