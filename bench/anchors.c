// SPDX-License-Identifier: BSD-2-Clause
/*
 * anchors.c - other people's leak rules, re-implemented from what they publish.
 *
 *  lsq-r2          least squares over the window, growth when R2 is over .5: the rule of many
 *                  monitoring recipes.
 *  predict-linear  Prometheus: predict_linear(m[6h], 24h) over the limit. With no limit known a
 *                  stand-in of twice the level at the start of the window is used.
 *  mk-sen          Mann-Kendall test with Sen's slope, z of 1.96 (Grottke, Trivedi and others).
 *  mk-hamed-rao    the same, its variance corrected for autocorrelation (Hamed and Rao 1998).
 *  precog          Jindal et al. 2021 (arXiv 2101.09799, 2106.08938, and their Apache-2.0
 *                  sources): medians of an hour, change points where |difference| has a modified
 *                  z over 3.5, at least 6 h apart; a line from the last change point to now, over
 *                  6 h, R2 over .8, reaching the limit within 7 days, the level over 40 % of it;
 *                  not when an earlier stretch was as steep and as long.
 *  precog-mf       the same with maximum filtration: the level must also be over the median of
 *                  the ten highest values seen before the stretch.
 *  change-points   regression over change points, same authors: back from now, hopping from one
 *                  change point to the next, the best R2 of any stretch over 5 h that grows.
 *  coroot          "memory usage is growing by > 10 % per hour": the line over the window now
 *                  against an hour earlier, no R2 (Coroot's memory inspection since 0.17; before,
 *                  10 MB per hour).
 *
 * So that no rule is blamed for reporting growth that this bench calls too small, all but
 * predict-linear, the two precogs and coroot, which have a size bar of their own, must grow by
 * max(1 MiB/h, .12 %/h). A rule speaks when its window is full.
 */
#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include "anchors.h"

#define HOUR		    3600.0
#define BAR_BYTES_PER_HOUR  (1024.0 * 1024.0)
#define BAR_SHARE_PER_HOUR  .0012
#define WINDOW_MAX	    160 /* bins of the window; more are not looked at */
#define SMOOTH_BINS	    12
#define CHANGE_Z	    3.5
#define CHANGE_MAX	    64
#define PRECOG_R2	    .8
#define PRECOG_MIN_LEVEL    .4
#define PRECOG_CRITICAL_H   168.0
#define PRECOG_MIN_S	    (6 * HOUR)
#define CHANGE_POINTS_MIN_S (5 * HOUR)

enum {
	LSQ_R2,
	PREDICT_LINEAR,
	MK_SEN,
	MK_HAMED_RAO,
	PRECOG,
	PRECOG_MF,
	CHANGE_POINTS,
	COROOT,
};

const struct anchor anchors[ANCHOR_CNT] = {
	[LSQ_R2] = {"lsq-r2", "lsq", .5},
	[PREDICT_LINEAR] = {"predict-linear", "pred", -24},
	[MK_SEN] = {"mk-sen", "mk", 1.96},
	[MK_HAMED_RAO] = {"mk-hamed-rao", "mkhr", 1.96},
	[PRECOG] = {"precog", "prec", PRECOG_R2},
	[PRECOG_MF] = {"precog-mf", "pmf", PRECOG_R2},
	[CHANGE_POINTS] = {"change-points", "cp", .97},
	[COROOT] = {"coroot", "coro", 10},
};

struct line {
	double slope; /* bytes per hour */
	double end;   /* fitted value at the last bin */
	double r2;
	double mean;
};

static int by_double(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static double median_of(double *v, size_t n)
{
	if (!n)
		return NAN;
	qsort(v, n, sizeof(*v), by_double);
	return n & 1 ? v[n / 2] : .5 * (v[n / 2 - 1] + v[n / 2]);
}

static struct line fit_line(const double *t, const double *v, size_t n)
{
	double mt = 0, mv = 0, tt = 0, tv = 0, vv = 0;
	struct line l;
	size_t i;

	for (i = 0; i < n; i++) {
		mt += t[i] / (double)n;
		mv += v[i] / (double)n;
	}
	for (i = 0; i < n; i++) {
		tt += (t[i] - mt) * (t[i] - mt);
		tv += (t[i] - mt) * (v[i] - mv);
		vv += (v[i] - mv) * (v[i] - mv);
	}
	l.slope = tt > 0 ? tv / tt * HOUR : 0;
	l.r2 = tt > 0 && vv > 0 ? tv * tv / (tt * vv) : 0;
	l.mean = mv;
	l.end = n ? mv + l.slope / HOUR * (t[n - 1] - mt) : NAN;
	return l;
}

static bool is_material(double slope, double level)
{
	return slope >= fmax(BAR_BYTES_PER_HOUR, BAR_SHARE_PER_HOUR * level);
}

static double score_coroot(const struct line *l)
{
	double before = l->end - l->slope;

	return before > 0 && l->end > 0 ? (l->end - before) / before * 100 : -INFINITY;
}

static double stand_in_limit(double limit, const double *v, size_t n)
{
	return isnan(limit) ? 2 * v[n > 12 ? 6 : 0] : limit;
}

/* Minus the hours until the line is at the limit. */
static double score_predict(const struct line *l, double limit)
{
	if (l->slope <= 0)
		return -INFINITY;
	return l->end >= limit ? 0 : -(limit - l->end) / l->slope;
}

/* ---- Mann-Kendall ---- */

struct kendall {
	double s;
	double var;   /* with ties */
	double slope; /* Sen, bytes per hour */
};

static double tie_term(const double *v, size_t n)
{
	double sorted[WINDOW_MAX], sum = 0, k;
	size_t i, j;

	memcpy(sorted, v, n * sizeof(*v));
	qsort(sorted, n, sizeof(*sorted), by_double);
	for (i = 0; i < n; i = j) {
		for (j = i + 1; j < n && sorted[j] <= sorted[i]; j++)
			;
		k = (double)(j - i);
		sum += k * (k - 1) * (2 * k + 5);
	}
	return sum;
}

/* The k-th smallest, in place, expected linear time. */
static double select_kth(double *v, size_t n, size_t k)
{
	size_t lo = 0, hi = n - 1, i, j;
	double pivot, x;

	while (lo < hi) {
		pivot = v[lo + (hi - lo) / 2];
		i = lo;
		j = hi;
		while (i <= j) {
			while (v[i] < pivot)
				i++;
			while (v[j] > pivot)
				j--;
			if (i <= j) {
				x = v[i];
				v[i] = v[j];
				v[j] = x;
				i++;
				if (!j)
					break;
				j--;
			}
		}
		if (k <= j)
			hi = j;
		else if (k >= i)
			lo = i;
		else
			break;
	}
	return v[k];
}

static struct kendall mann_kendall(const double *t, const double *v, size_t n)
{
	static double slopes[WINDOW_MAX * (WINDOW_MAX - 1) / 2];
	struct kendall k = {0};
	size_t i, j, m = 0;
	double nn = (double)n;

	for (i = 0; i < n; i++) {
		for (j = i + 1; j < n; j++) {
			k.s += (v[j] > v[i]) - (v[j] < v[i]);
			slopes[m++] = (v[j] - v[i]) / (t[j] - t[i]) * HOUR;
		}
	}
	k.var = (nn * (nn - 1) * (2 * nn + 5) - tie_term(v, n)) / 18;
	k.slope = m ? select_kth(slopes, m, m / 2) : 0;
	return k;
}

static double kendall_z(const struct kendall *k, double var)
{
	if (var <= 0)
		return 0;
	return (k->s > 0 ? k->s - 1 : k->s < 0 ? k->s + 1 : 0) / sqrt(var);
}

/* How much the variance of S grows by the autocorrelation of the ranks of the residuals. */
static double hamed_rao_factor(const double *t, const double *v, size_t n, double slope)
{
	double rank[WINDOW_MAX], rest[WINDOW_MAX], mean = ((double)n + 1) / 2, var = 0, sum = 0, r;
	double nn = (double)n;
	size_t i, j, lag;

	for (i = 0; i < n; i++)
		rest[i] = v[i] - slope / HOUR * (t[i] - t[0]);
	for (i = 0; i < n; i++) {
		rank[i] = 1;
		for (j = 0; j < n; j++)
			rank[i] += rest[j] < rest[i] ? 1 : j != i && rest[j] <= rest[i] ? .5 : 0;
		var += (rank[i] - mean) * (rank[i] - mean);
	}
	if (var <= 0)
		return 1;
	for (lag = 1; lag + 3 < n; lag++) {
		for (r = 0, i = 0; i + lag < n; i++)
			r += (rank[i] - mean) * (rank[i + lag] - mean) / var;
		if (fabs(r) < 1.96 / sqrt(nn))
			continue;
		sum += (nn - (double)lag) * (nn - (double)lag - 1) * (nn - (double)lag - 2) * r;
	}
	return fmax(1, 1 + 2 * sum / (nn * (nn - 1) * (nn - 2)));
}

/* ---- change points ---- */

static void smooth_hour(const double *v, size_t n, double *out)
{
	double w[SMOOTH_BINS];
	size_t i, from;

	for (i = 0; i < n; i++) {
		from = i + 1 >= SMOOTH_BINS ? i + 1 - SMOOTH_BINS : 0;
		memcpy(w, v + from, (i + 1 - from) * sizeof(*w));
		out[i] = median_of(w, i + 1 - from);
	}
}

/* Indexes where a stretch begins, ascending, the first is 0. */
static size_t change_points(const double *t, const double *v, size_t n, double apart_s, size_t *ret)
{
	double diff[ANCHOR_HISTORY], work[ANCHOR_HISTORY], mid, mad;
	size_t i, cnt = 0;

	ret[cnt++] = 0;
	if (n < 3)
		return cnt;
	for (i = 1; i < n; i++)
		work[i - 1] = diff[i] = fabs(v[i] - v[i - 1]);
	mid = median_of(work, n - 1);
	for (i = 1; i < n; i++)
		work[i - 1] = fabs(diff[i] - mid);
	mad = median_of(work, n - 1);
	for (i = 1; i < n && cnt < CHANGE_MAX; i++) {
		if (.6745 * (diff[i] - mid) <= CHANGE_Z * mad)
			continue;
		if (t[i] - t[ret[cnt - 1]] >= apart_s)
			ret[cnt++] = i;
	}
	return cnt;
}

static double score_change_points(const double *t, const double *v, size_t n)
{
	double best = -INFINITY;
	size_t at[CHANGE_MAX], cnt, i;
	struct line l;

	cnt = change_points(t, v, n, 0, at);
	for (i = cnt; i-- > 0;) {
		if (t[n - 1] - t[at[i]] < CHANGE_POINTS_MIN_S)
			continue;
		l = fit_line(t + at[i], v + at[i], n - at[i]);
		if (is_material(l.slope, l.mean))
			best = fmax(best, l.r2);
	}
	return best;
}

/* An earlier stretch at least as steep and as long makes this one normal. */
static bool is_learned(const double *t, const double *v, const size_t *at, size_t cur,
		       const struct line *l, double dur)
{
	struct line old;
	size_t i;

	for (i = 0; i < cur; i++) {
		old = fit_line(t + at[i], v + at[i], at[i + 1] - at[i]);
		if (old.r2 > PRECOG_R2 && old.slope >= l->slope &&
		    t[at[i + 1] - 1] - t[at[i]] >= dur)
			return true;
	}
	return false;
}

static double top_before(const double *v, size_t n)
{
	double work[ANCHOR_HISTORY];
	size_t k = n < 10 ? n : 10;

	memcpy(work, v, n * sizeof(*v));
	qsort(work, n, sizeof(*work), by_double);
	return k ? median_of(work + n - k, k) : -INFINITY;
}

static void score_precog(const struct anchor_view *view, double *ret_plain, double *ret_filtered)
{
	double s[ANCHOR_HISTORY] = {0}, limit;
	size_t at[CHANGE_MAX], n = view->cnt, cnt, cur;
	const double *t = view->t_s;
	struct line l;

	*ret_plain = *ret_filtered = -INFINITY;
	smooth_hour(view->bytes, n, s);
	limit = stand_in_limit(view->limit_bytes, s, n);
	cnt = change_points(t, s, n, PRECOG_MIN_S, at);
	for (cur = cnt - 1; cur > 0 && t[n - 1] - t[at[cur]] < PRECOG_MIN_S; cur--)
		;
	l = fit_line(t + at[cur], s + at[cur], n - at[cur]);
	if (t[n - 1] - t[at[cur]] < PRECOG_MIN_S || l.slope <= 0)
		return;
	if (s[n - 1] < PRECOG_MIN_LEVEL * limit)
		return;
	if ((limit - s[n - 1]) / l.slope > PRECOG_CRITICAL_H)
		return;
	if (is_learned(t, s, at, cur, &l, t[n - 1] - t[at[cur]]))
		return;
	*ret_plain = l.r2;
	if (s[n - 1] > top_before(s, at[cur]))
		*ret_filtered = l.r2;
}

void anchors__score(const struct anchor_view *view, double scores[ANCHOR_CNT])
{
	size_t i, from = view->cnt;
	struct kendall k;
	struct line l;
	double z, var;

	for (i = 0; i < ANCHOR_CNT; i++)
		scores[i] = -INFINITY;
	if (view->cnt < 12 || view->life_s < view->window_s)
		return;
	while (from > 0 && view->t_s[view->cnt - 1] - view->t_s[from - 1] <= view->window_s &&
	       view->cnt - from < WINDOW_MAX)
		from--;
	if (view->cnt - from < 12)
		return;
	l = fit_line(view->t_s + from, view->bytes + from, view->cnt - from);
	k = mann_kendall(view->t_s + from, view->bytes + from, view->cnt - from);
	var = k.var *
	      hamed_rao_factor(view->t_s + from, view->bytes + from, view->cnt - from, k.slope);
	z = kendall_z(&k, k.var);
	scores[LSQ_R2] = is_material(l.slope, l.mean) ? l.r2 : 0;
	scores[PREDICT_LINEAR] = score_predict(
		&l, stand_in_limit(view->limit_bytes, view->bytes + from, view->cnt - from));
	scores[MK_SEN] = is_material(k.slope, l.mean) ? z : 0;
	scores[MK_HAMED_RAO] = is_material(k.slope, l.mean) ? kendall_z(&k, var) : 0;
	scores[CHANGE_POINTS] = score_change_points(view->t_s, view->bytes, view->cnt);
	scores[COROOT] = score_coroot(&l);
	score_precog(view, &scores[PRECOG], &scores[PRECOG_MF]);
}
