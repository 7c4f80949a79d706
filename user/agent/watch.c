// SPDX-License-Identifier: BSD-2-Clause
/*
 * watch.c - see watch.h.
 *
 * After a restart of the agent the detector's hysteresis is rebuilt by judging along the way
 * while the stored history is fed, so that an open leak stays open.
 */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "watch.h"

#define GREW_BYTES      (1u << 20) /* growth that is worth a detector */
#define JUDGE_SHARE     360        /* judgements per window */
#define FEED_SHARE      72         /* judgements per window while history is fed */
#define WARMING_SHARE   6          /* of the window, for objects without a detector */
#define INTEREST_PINNED 255
#define INTEREST_CGROUP 48 /* at least: it stands for all that is in it, as a process of 15 MiB does */
#define INTEREST_MAX    200

/* A verdict without numbers. */
static struct verdict unknown(enum verdict_state state, double horizon_s)
{
	struct verdict v = verdict__unknown(state);

	v.confidence = 0;
	v.horizon_s = horizon_s;
	return v;
}

struct watch *watch__new(struct series *s, double now_s)
{
	struct watch *w = calloc(1, sizeof(*w));

	if (!w)
		return NULL;
	w->series = s;
	w->first_s = now_s;
	w->low_bytes = INFINITY;
	w->load = NAN;
	w->judged_s = NAN;
	w->ended_s = NAN;
	w->limit_bytes = UINT64_MAX;
	w->headroom_bytes = UINT64_MAX;
	w->own_limit_bytes = UINT64_MAX;
	w->oom_kills = UINT64_MAX;
	w->limit_hits = UINT64_MAX;
	w->noted_s = NAN;
	w->verdict = unknown(VERDICT_WARMING, 0);
	series__set_user(s, w);
	return w;
}

void watch__free(struct watch *w)
{
	if (!w)
		return;
	series__set_user(w->series, NULL);
	detector__free(w->detector);
	json_decref(w->sites);
	json_decref(w->objects);
	json_decref(w->not_seen);
	free(w->path);
	free(w);
}

int watch__is_proc(const struct watch *w)
{
	return series__key(w->series)->kind == SERIES_PROC;
}

/* Of a long path the end and a hash of all of it: nested pods begin alike. */
static void cgroup_key(const char *path, char buf[WATCH_KEY_LEN])
{
	size_t len = strlen(path);

	if (len < WATCH_KEY_LEN - 2)
		snprintf(buf, WATCH_KEY_LEN, "c:%s", path);
	else
		snprintf(buf, WATCH_KEY_LEN, "c:%016" PRIx64 ":%s",
			 series_key__cgroup(path).value, path + len - WATCH_KEY_LEN / 2);
}

char *watch__key(const struct watch *w, char buf[WATCH_KEY_LEN])
{
	if (watch__is_proc(w))
		snprintf(buf, WATCH_KEY_LEN, "p:%u:%" PRIu64, w->id.tgid,
			 (uint64_t)w->id.start_ns);
	else
		cgroup_key(w->path ? w->path : "?", buf);
	return buf;
}

/* The level at which the object would be killed: its own size plus what its limit still allows. */
static double effective_limit(const struct watch *w)
{
	if (w->headroom_bytes == UINT64_MAX)
		return NAN;
	return (double)w->signal_bytes + w->headroom_bytes;
}

/* Feed what the series kept since then, judging along the way as the running agent would have. */
static void feed_history(struct detector *d, const struct watch *w, const struct store *st,
			 double now_s, double since_s)
{
	double step_s = store__cfg(st)->window_s / FEED_SHARE, judged_s = -INFINITY;
	struct store_point *points;
	struct verdict ignored;
	size_t cnt, i;

	cnt = series__points(st, w->series, now_s, NULL, 0);
	points = malloc(cnt * sizeof(*points) + 1);
	if (!points)
		return;
	cnt = series__points(st, w->series, now_s, points, cnt);
	for (i = 0; i < cnt; i++) {
		if (points[i].t_s < since_s)
			continue;
		struct detector_point p = {
			.t_s = points[i].t_s,
			.bytes = points[i].min_bytes,
			.limit_bytes = NAN,
			.load = points[i].load,
			.start = points[i].start,
		};

		detector__push(d, &p);
		if (p.t_s - judged_s >= step_s) {
			detector__judge(d, &ignored);
			judged_s = p.t_s;
		}
	}
	free(points);
}

/* 0 when there is no detector yet and none is due. Called before the newest poll is stored. */
static int need_detector(struct watch *w, const struct store *st, double now_s)
{
	if (w->detector)
		return 1;
	if (!w->wants_detector && w->signal_bytes < w->low_bytes + GREW_BYTES)
		return 0;
	w->detector = detector__new(store__cfg(st)->window_s);
	if (!w->detector)
		return 0;
	feed_history(w->detector, w, st, now_s, -INFINITY);
	return 1;
}

struct detector *watch__fresh_look(const struct watch *w, const struct store *st, double now_s,
				   double last_s, struct verdict *ret_verdict)
{
	struct detector *d = detector__new(last_s);
	struct detector_point newest = {
		.t_s = now_s + 1e-3, /* behind the stored point of the same poll */
		.bytes = w->signal_bytes,
		.limit_bytes = effective_limit(w),
		.load = w->load,
	};

	if (!d)
		return NULL;
	feed_history(d, w, st, now_s, now_s - last_s);
	detector__push(d, &newest);
	detector__judge(d, ret_verdict);
	return d;
}

void watch__adopt(struct watch *w, struct detector *fresh, const struct verdict *verdict)
{
	detector__free(w->detector);
	w->detector = fresh;
	w->verdict = *verdict;
}

unsigned watch__interest_in(int is_proc, uint64_t signal_bytes)
{
	double score = 12 * log2(1 + signal_bytes / 1048576.0);

	if (!is_proc && score < INTEREST_CGROUP)
		return INTEREST_CGROUP;
	return score < INTEREST_MAX ? score : INTEREST_MAX;
}

/* The bigger and the more suspect, the finer and the longer it is kept. */
static unsigned interest(const struct watch *w)
{
	unsigned score = watch__interest_in(watch__is_proc(w), w->signal_bytes);

	if (w->verdict.state == VERDICT_LEAK || w->verdict.state == VERDICT_RECOVERED)
		return INTEREST_PINNED;
	if (w->verdict.state == VERDICT_SUSPECT)
		score += 60;
	if (w->detector)
		score += 20;
	return score < INTEREST_MAX ? score : INTEREST_MAX;
}

void watch__observe(struct watch *w, struct store *st, double now_s)
{
	struct detector_point p = {
		.t_s = now_s,
		.bytes = w->signal_bytes,
		.limit_bytes = effective_limit(w),
		.load = w->load,
		.start = w->start,
	};

	if (w->start && !w->detector)
		w->low_bytes = w->signal_bytes;
	if (need_detector(w, st, now_s))
		detector__push(w->detector, &p);
	if (w->signal_bytes < w->low_bytes)
		w->low_bytes = w->signal_bytes;
	series__put(st, w->series, now_s, p.bytes, p.load, p.limit_bytes, w->start);
	series__set_interest(st, w->series, interest(w));
	w->last_s = now_s;
}

/* Nothing grew: no detector is needed to say so. */
static void judge_flat(struct watch *w, const struct store *st, double now_s)
{
	double known_s = now_s - w->first_s;
	int is_warming = known_s * WARMING_SHARE < store__cfg(st)->window_s;

	w->verdict = unknown(is_warming ? VERDICT_WARMING : VERDICT_HEALTHY, known_s);
}

int watch__judge(struct watch *w, const struct store *st, double now_s)
{
	double period_s = store__cfg(st)->window_s / JUDGE_SHARE;

	/* 1 ms of slack: a poll that comes a little early still counts */
	if (now_s - w->judged_s < period_s - 1e-3)
		return 0;
	w->judged_s = now_s;
	if (w->detector)
		detector__judge(w->detector, &w->verdict);
	else
		judge_flat(w, st, now_s);
	return 1;
}

double watch__growth_per_hour(const struct watch *w, const struct store *st, double now_s)
{
	double span_s, points[24];
	size_t i, n = sizeof(points) / sizeof(points[0]), first = n, last = 0;

	if (isfinite(w->verdict.slope_bytes_per_hour))
		return w->verdict.slope_bytes_per_hour;
	series__resample(st, w->series, now_s, points, n);
	for (i = 0; i < n; i++) {
		if (isnan(points[i]))
			continue;
		if (first == n)
			first = i;
		last = i;
	}
	if (first >= last) /* younger than the screen's resolution */
		return w->last_s > w->first_s && isfinite(w->low_bytes) ?
			       (w->signal_bytes - w->low_bytes) / (w->last_s - w->first_s) * 3600 :
			       0;
	span_s = (last - first) * store__cfg(st)->window_s / n;
	return (points[last] - points[first]) / span_s * 3600;
}
