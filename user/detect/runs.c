/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * runs.c - a leak that is restarted (or killed at its limit) every few hours and grows again each
 * time is one leak; this file makes it look like one.
 */
#include <math.h>

#include "runs.h"

#define RUN_MIN 6 /* buckets; a shorter run says nothing */

struct part {
	int from; /* first bucket kept */
	int to;   /* one past the last */
};

/* The part of each run worth keeping, oldest first. Returns how many runs are long enough. */
static int parts_of(const struct view *v, struct part *ret)
{
	int i, cnt = 0;

	for (i = -1; i < v->start_cnt; i++) {
		int from = i < 0 ? 0 : v->starts[i];
		int to = i + 1 < v->start_cnt ? v->starts[i + 1] : v->n;
		int warm = 1 + (to - from) / 4;

		if (i < 0 && (!v->start_cnt || v->starts[0] == 0))
			continue;
		if (to - from < RUN_MIN)
			continue;
		/* what came before the first mark, and one long run, are history, not a start-up */
		if (i < 0)
			warm = 0;
		ret[cnt].from = from + warm;
		ret[cnt++].to = to - (to < v->n); /* the last bucket holds the restart itself */
	}
	return cnt;
}

/* The first (dir 1) or last (dir -1) known value at or after/before i, within the part. */
static double edge(const float *x, int i, const struct part *p, int dir)
{
	for (; i >= p->from && i < p->to; i += dir) {
		if (!isnan(x[i]))
			return x[i];
	}
	return NAN;
}

/* Share of a run's growth that falls into its second half, averaged; one half is a line. */
static double late_share(const struct view *v, const struct part *parts, int cnt)
{
	double whole = 0, late = 0;
	int i;

	for (i = 0; i < cnt; i++) {
		const struct part *p = &parts[i];
		double a = edge(v->mean, p->from, p, 1), b = edge(v->mean, p->to - 1, p, -1);
		double m = edge(v->mean, (p->from + p->to) / 2, p, 1);

		if (isnan(a + b + m))
			continue;
		whole += b - a;
		late += b - m;
	}
	return whole > 0 ? late / whole : 0;
}

static void copy_part(struct view *v, const struct part *p, int *at, double shift)
{
	int i;

	for (i = p->to - 1; i >= p->from; i--) {
		(*at)--;
		v->floor[*at] = (float)(v->floor[i] + shift);
		v->mean[*at] = (float)(v->mean[i] + shift);
		v->load[*at] = v->load[i];
		v->pos[*at] = (short)i;
	}
}

/* Move the joined tail to the front of the arrays. */
static void close_up(struct view *v, int at)
{
	int i;

	for (i = at; i < v->n; i++) {
		v->floor[i - at] = v->floor[i];
		v->mean[i - at] = v->mean[i];
		v->load[i - at] = v->load[i];
		v->pos[i - at] = v->pos[i];
	}
	v->joined = v->n - at;
}

void runs__join(struct view *v)
{
	struct part parts[VIEW_STARTS + 1];
	int cnt = parts_of(v, parts), at = v->n, i;
	double next_floor = NAN, next_mean = NAN;

	for (i = 0; i < v->n; i++)
		v->pos[i] = (short)i;
	v->joined = v->n;
	v->runs = cnt;
	v->run_late = late_share(v, parts, cnt);
	if (!v->start_cnt || (v->start_cnt == 1 && v->starts[0] == 0))
		return;
	for (i = cnt - 1; i >= 0; i--) {
		const struct part *p = &parts[i];
		double end_floor = edge(v->floor, p->to - 1, p, -1);
		double end_mean = edge(v->mean, p->to - 1, p, -1);
		double begin = edge(v->floor, p->from, p, 1);
		double begin_mean = edge(v->mean, p->from, p, 1), shift = 0;

		if (isnan(end_floor))
			continue;
		if (!isnan(next_floor))
			shift = (next_floor - end_floor + next_mean - end_mean) / 2;
		copy_part(v, p, &at, shift);
		next_floor = begin + shift;
		next_mean = begin_mean + shift;
	}
	close_up(v, at);
}
