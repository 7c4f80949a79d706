// SPDX-License-Identifier: BSD-2-Clause
/*
 * answer_rows.c - the rows of `seep top`, which incidents keep ten of.
 */
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "answer.h"

#define SPARK_POINTS 60
#define MAX_ROWS     10000

static json_t *row_history(struct agent *a, const struct watch *w)
{
	double points[SPARK_POINTS], step_s = a->cfg.window_s / SPARK_POINTS;
	json_t *history = json_array();
	int i;

	series__resample(a->store, w->series, a->now_s, points, SPARK_POINTS);
	for (i = 0; i < SPARK_POINTS; i++)
		if (!isnan(points[i]))
			json_array_append_new(history,
				json_pack("[I,I]",
					  (json_int_t)llround(a->now_s - (SPARK_POINTS - 1 - i) * step_s),
					  (json_int_t)llround(points[i])));
	return history;
}

/* Of a process that has ended, where it was. */
static const struct cgroup_info *cgroup_of(const struct watch *w)
{
	static const struct cgroup_info nothing = {.spec_limit_bytes = UINT64_MAX};

	if (w->proc && w->proc->cgroup)
		return w->proc->cgroup;
	return w->cgroup ? w->cgroup : &nothing;
}

void answer__where(json_t *o, const struct watch *w)
{
	const struct cgroup_info *cg = cgroup_of(w);

	set_str(o, "cgroup", w->path ? w->path : cg->path);
	set_str(o, "container", cg->container);
	set_str(o, "container_id", cg->container_id);
	set_str(o, "runtime", cg->runtime);
	set_str(o, "image", cg->image);
	set_str(o, "image_digest", cg->image_digest);
	set_str(o, "pod", cg->pod);
	set_str(o, "pod_uid", cg->pod_uid);
	set_str(o, "namespace", cg->ns);
	set_str(o, "workload", cg->workload);
	json_object_set_new(o, "labels", cg->labels ? json_incref((json_t *)cg->labels) :
						      json_null());
}

/* A pod's own cgroup; and a container that is in none. */
static int is_pod(const struct watch *w)
{
	const struct cgroup_info *cg = w->cgroup;

	return cg && (cg->pod_cgroup == cg || (cg->container_cgroup == cg && !cg->pod_cgroup));
}

/* Of a pod the worst that is said of it or of anything in it: what leaks may be one of several
 * containers, or be restarted again and again. */
static void set_verdict(struct agent *a, json_t *row, const struct watch *w)
{
	const struct incident *in = court__incident_about(a, w);
	const struct verdict *v = &w->verdict;

	if (in && is_pod(w) && v->state != VERDICT_LEAK)
		v = &in->verdict;
	set_num(row, "growth_bytes_per_hour",
		v == &w->verdict ? watch__growth_per_hour(w, a->store, a->now_s) :
				   v->slope_bytes_per_hour);
	set_num(row, "time_to_limit_s", v->time_to_limit_s);
	set_str(row, "verdict", verdict__state_name(v->state));
	set_str(row, "class", verdict__class_name(v->class));
	set_str(row, "reason", w->detector ? detector__reason(w->detector) : "flat");
	set_str(row, "incident", in ? in->id : NULL);
}

static json_t *row_of(struct agent *a, const struct watch *w)
{
	int is_proc = watch__is_proc(w);
	json_t *row = json_object();

	json_object_set_new(row, "pid", is_proc ? json_integer(w->id.tgid) : json_null());
	json_object_set_new(row, "start_ns", is_proc ? json_integer(w->id.start_ns) : json_null());
	set_str(row, "comm", w->proc ? w->proc->comm : NULL);
	set_str(row, "cmdline", w->proc ? w->proc->cmdline : NULL);
	answer__where(row, w);
	if (is_proc) {
		set_u64(row, "uid", w->uid);
		set_u64(row, "threads", w->threads);
	} else {
		set_u64(row, "processes", w->procs);
		set_u64(row, "own_limit_bytes", w->own_limit_bytes);
		set_u64(row, "spec_limit_bytes", cgroup_of(w)->spec_limit_bytes);
		set_u64(row, "oom_kills", w->oom_kills);
		set_u64(row, "limit_hits", w->limit_hits);
	}
	set_u64(row, "rss_bytes", w->rss_bytes);
	set_u64(row, "anon_bytes", w->anon_bytes);
	set_u64(row, "swap_bytes", w->swap_bytes);
	set_u64(row, "shmem_bytes", w->shmem_bytes);
	set_u64(row, "file_bytes", w->file_bytes);
	set_u64(row, "signal_bytes", w->signal_bytes);
	set_u64(row, "limit_bytes", w->limit_bytes);
	set_str(row, "limit_cgroup", w->limit_path);
	set_u64(row, "headroom_bytes", w->headroom_bytes);
	set_u64(row, "restarts", w->restarts);
	json_object_set_new(row, "load", isnan(w->load) ? json_null() : json_real(w->load));
	set_verdict(a, row, w);
	json_object_set_new(row, "history", row_history(a, w));
	return row;
}

enum by { BY_PROCESS, BY_CGROUP, BY_POD, BY_WORKLOAD, BY_CNT };

static const char *const by_names[BY_CNT] = {"process", "cgroup", "pod", "workload"};

static int find_by(const char *name)
{
	int by;

	for (by = 0; by < BY_CNT; by++)
		if (!strcmp(by_names[by], name))
			return by;
	return -EINVAL;
}

struct choice {
	struct watch *w;
	double score;
};

struct choices {
	struct agent *a;
	enum by by;
	int growing; /* only those that grow, the fastest first */
	struct choice *v;
	size_t cnt, cap;
};

/* Leaks first, then suspects; among equals the faster growing, then the bigger. */
static double score_of(const struct watch *w)
{
	static const double tier[] = {
		[VERDICT_LEAK] = 3e18, [VERDICT_SUSPECT] = 2e18, [VERDICT_RECOVERED] = 1e18,
	};
	double score = (size_t)w->verdict.state < sizeof(tier) / sizeof(tier[0]) ?
			       tier[w->verdict.state] : 0;

	if (score > 0 && isfinite(w->verdict.slope_bytes_per_hour))
		score += w->verdict.slope_bytes_per_hour * 1024;
	return score + w->rss_bytes;
}

static int is_wanted(const struct choices *c, const struct watch *w)
{
	if (!w || w->seen_seq != c->a->seq)
		return 0;
	if (c->by == BY_PROCESS)
		return watch__is_proc(w);
	return !watch__is_proc(w) && (c->by == BY_CGROUP || is_pod(w));
}

static void choose(void *ctx, struct series *s)
{
	struct watch *w = series__user(s);
	struct choices *c = ctx;

	double growth;

	if (!is_wanted(c, w) || c->cnt == c->cap)
		return;
	growth = c->growing ? watch__growth_per_hour(w, c->a->store, c->a->now_s) : 0;
	if (c->growing && !(growth > 0))
		return;
	c->v[c->cnt].w = w;
	c->v[c->cnt++].score = c->growing ? growth : score_of(w);
}

static int by_score(const void *a, const void *b)
{
	const struct choice *x = a, *y = b;

	return x->score < y->score ? 1 : x->score > y->score ? -1 : 0;
}

/* The best n of the choices. NULL: out of memory. */
static json_t *best_rows(struct choices *c, unsigned n)
{
	json_t *rows = json_array();
	size_t i;

	c->cap = c->a->procs + c->a->cgroups;
	c->v = malloc(c->cap * sizeof(*c->v) + 1);
	if (!rows || !c->v) {
		json_decref(rows);
		free(c->v);
		return NULL;
	}
	store__foreach(c->a->store, choose, c);
	qsort(c->v, c->cnt, sizeof(*c->v), by_score);
	for (i = 0; i < c->cnt && i < n; i++)
		json_array_append_new(rows, row_of(c->a, c->v[i].w));
	free(c->v);
	return rows;
}

json_t *answer__rows(struct agent *a, const char *by, unsigned n)
{
	struct choices c = {.a = a, .by = find_by(by)};

	return c.by == BY_WORKLOAD ? answer__workloads(a, n) : best_rows(&c, n);
}

json_t *answer__surroundings(struct agent *a, enum incident_top which)
{
	struct choices c = {
		.a = a,
		.by = which == TOP_PODS || which == TOP_GROWING_PODS ? BY_POD : BY_PROCESS,
		.growing = which == TOP_GROWING_PROCESSES || which == TOP_GROWING_PODS,
	};
	json_t *rows = best_rows(&c, INCIDENT_TOP_MAX), *row;
	size_t i;

	/* their curves would make up most of the incident */
	json_array_foreach(rows, i, row)
		if (which != TOP_PROCESSES)
			json_object_del(row, "history");
	return rows;
}

static json_t *node_of(const struct agent *a)
{
	json_t *node = json_object();

	set_str(node, "name", a->node);
	set_u64(node, "total_bytes", a->node_total_bytes);
	set_u64(node, "available_bytes", a->node_available_bytes);
	set_u64(node, "open_incidents", tracker__open_cnt(a->tracker));
	return node;
}

int answer__top(struct agent *a, const json_t *request, json_t **ret_json, struct buf *why)
{
	const char *by = json_string_value(json_object_get(request, "by"));
	json_int_t n = json_integer_value(json_object_get(request, "n"));
	json_t *top = json_object();

	if (!by)
		by = "process";
	if (find_by(by) < 0) {
		buf__printf(why, "by '%.16s' is not process, cgroup, pod or workload", by);
		json_decref(top);
		return SEEP_EXIT_USAGE;
	}
	set_str(top, "schema", "seep.top/1");
	set_num(top, "at_s", a->now_s);
	set_num(top, "window_s", a->cfg.window_s);
	json_object_set_new(top, "interval_s", json_real(a->cfg.interval_s));
	set_str(top, "by", by);
	json_object_set_new(top, "node", node_of(a));
	json_object_set_new(top, "rows", answer__rows(a, by, n > 0 && n < MAX_ROWS ? n : MAX_ROWS));
	*ret_json = top;
	return 0;
}
