/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * feature.c - measures a view: trends on several spans, precedent, onset, load, line.
 */
#include <math.h>
#include <string.h>

#include "feature.h"
#include "load.h"

#define BLOCKS 24
#define DAY 4        /* windows */
#define STRAIGHT .95 /* R2 from here on is a line */

static double over(double a, double b)
{
	return b > 0 ? a / b : 0;
}

/* Held to a range, so that one wild number cannot carry a judgement. */
static float held(double x, double lo, double hi)
{
	return isnan(x) ? 0 : (float)(x < lo ? lo : x > hi ? hi : x);
}

enum pick { PICK_MIN, PICK_MEDIAN };

/* One value for each of at most `want` equal blocks, aligned to the newest. */
static int blocks_of(const float *x, int n, int want, enum pick pick, float *ret, int *ret_len)
{
	int len = (n + want - 1) / want, cnt = len ? n / len : 0, i, j, k;
	float tmp[VIEW_LONG];

	for (i = 0; i < cnt; i++) {
		const float *from = x + n - (cnt - i) * len;

		for (j = 0, k = 0; j < len; j++) {
			if (!isnan(from[j]))
				tmp[k++] = from[j];
		}
		if (!k)
			ret[i] = NAN;
		else
			ret[i] = pick == PICK_MIN ? trend__select(tmp, k, 0) :
						    trend__median(tmp, k);
	}
	*ret_len = len;
	return cnt;
}

int feature__trend(const float *x, int n, int span, double step_s, struct trend *ret,
		   double *ret_step_s)
{
	float b[TREND_MAX];
	int len, cnt;

	if (span > n)
		span = n;
	cnt = blocks_of(x + n - span, span, BLOCKS, PICK_MIN, b, &len);
	*ret_step_s = step_s * len;
	return trend__fit(b, cnt, ret);
}

static void fit(struct features *fs, enum fit which, const float *x, int n, int span, double step_s,
		enum pick pick)
{
	float b[TREND_MAX];
	int len, cnt;

	if (span > n)
		span = n;
	cnt = blocks_of(x + n - span, span, BLOCKS, pick, b, &len);
	fs->step_s[which] = step_s * len;
	fs->known[which] = !trend__fit(b, cnt, &fs->fit[which]);
}

/* The numbers of one trend; step: windows that one step of it takes. */
static void describe(float *f, const struct trend *t, double step, double level)
{
	double noise = t->noise + 1e-4 * level, span = t->span * step;

	f[TF_GROWTH] = held(over(t->growth, level), -3, 3);
	f[TF_RATE] = held(over(t->growth, level) / span, -3, 3);
	f[TF_Z] = held(t->growth / noise, -50, 100);
	f[TF_LOW] = held(t->slope > 0 ? t->slope_lo / t->slope : -3, -3, 1);
	f[TF_TAU] = held(t->tau, -1, 1);
	f[TF_LATE] = held(t->late, -3, 4);
	f[TF_EARLY] = held(t->early, -3, 4);
	f[TF_KEPT] = held(t->kept, 0, 1);
	f[TF_SPREAD] = held(t->spread, 0, 24);
	f[TF_JUMP] = held(t->jump, 0, 1);
	f[TF_DRAWDOWN] = held(t->growth > 0 ? t->drawdown / t->growth : 5, 0, 5);
}

/* Sum of squares left by the best a + b g(i). */
static double misfit(const float *y, const float *g, int n)
{
	double sy = 0, sg = 0, gg = 0, yg = 0, yy = 0, k = 0;
	int i;

	for (i = 0; i < n; i++) {
		if (isnan(y[i]))
			continue;
		k++;
		sy += y[i];
		sg += g[i];
	}
	if (k < 4)
		return NAN;
	sy /= k;
	sg /= k;
	for (i = 0; i < n; i++) {
		double dy = y[i] - sy, dg = g[i] - sg;

		if (isnan(y[i]))
			continue;
		yy += dy * dy;
		gg += dg * dg;
		yg += dy * dg;
	}
	return gg > 0 && yg > 0 ? yy - yg * yg / gg : yy;
}

/* Where a flat line best turns into a rising one. Returns that bucket. */
static int onset(float *f, const float *x, int n, enum pick pick, double level)
{
	float y[TREND_MAX], g[TREND_MAX];
	int len, cnt = blocks_of(x, n, BLOCKS, pick, y, &len), i, k, at = 0, bucket;
	double line = NAN, best = INFINITY, noise, lo = NAN, hi = NAN;

	for (k = 0; k <= cnt - 4; k++) {
		double left;

		for (i = 0; i < cnt; i++)
			g[i] = i < k ? 0 : (float)(i - k);
		left = misfit(y, g, cnt);
		if (!k)
			line = left;
		if (left < best * .98) {
			best = left;
			at = k;
		}
	}
	bucket = n - cnt * len + at * len;
	for (i = at; i < cnt; i++) {
		if (isnan(y[i]))
			continue;
		if (isnan(lo))
			lo = y[i];
		hi = y[i];
	}
	noise = cnt > 4 && best < INFINITY ? sqrt(best / cnt) : 0;
	f[ONSET_AT] = held(cnt ? (double)at / cnt : 0, 0, 1);
	f[ONSET_GAIN] = held(log((line + 1) / (best + 1)), 0, 5);
	f[ONSET_Z] = held((hi - lo) / (noise + 1e-4 * level), -50, 100);
	f[ONSET_RISE] = held(over(hi - lo, level), -3, 3);
	f[ONSET_SPAN] = held((double)(n - bucket) / VIEW_WINDOW, 0, 4);
	return bucket;
}

/* Is the present rise new? A climb back to a level held before is not growth. */
static void past(float *f, const float *x, int n, enum pick pick, double level)
{
	double top = -INFINITY, low = INFINITY, rise = 0, now, here;
	int len, cnt, i, w;
	float y[2 * BLOCKS];

	cnt = blocks_of(x, n, n > 2 * VIEW_WINDOW ? 2 * BLOCKS : BLOCKS, pick, y, &len);
	w = VIEW_WINDOW / len;
	if (cnt < 6)
		return;
	now = (y[cnt - 1] + y[cnt - 2]) / 2;
	for (i = 0; i < cnt - (cnt > 2 * w ? w : cnt / 2); i++) {
		if (y[i] > top)
			top = y[i];
		if (y[i] < low)
			low = y[i];
	}
	for (i = w; i < cnt - w; i++) {
		if (y[i] - y[i - w] > rise)
			rise = y[i] - y[i - w];
	}
	here = cnt > w ? now - y[cnt - 1 - w] : now - y[0];
	f[PAST_RECORD] = held(over(now - top, level), -1, 3);
	f[PAST_RECORD_Z] = held((now - top) / (top - low + 1e-4 * level), -5, 20);
	f[PAST_PRECEDENT] = held(here > 0 ? rise / here : 5, 0, 5);
	f[PAST_PLACE] = held((now - low) / (top - low + 1e-4 * level), -1, 10);
}

/* R2 of a rising line through the newest `span` of n values; 0 when it falls. */
static double line_r2(const float *x, int n, int span)
{
	double k = 0, st = 0, sy = 0, tt = 0, ty = 0, yy = 0, y0 = NAN;
	int i;

	for (i = n - (span < n ? span : n); i < n; i++) {
		double y;

		if (isnan(x[i]))
			continue;
		if (isnan(y0))
			y0 = x[i];
		y = x[i] - y0;
		k++;
		st += i;
		sy += y;
		tt += (double)i * i;
		ty += i * y;
		yy += y * y;
	}
	if (k < 8)
		return 0;
	tt -= st * st / k;
	ty -= st * sy / k;
	yy -= sy * sy / k;
	return ty > 0 && tt > 0 && yy > 0 ? ty * ty / tt / yy : 0;
}

/* How much better a line fits than the best two levels: > 0 it is a line, < 0 a step. */
static double line_over_step(const float *x, int n, int span)
{
	float y[TREND_MAX], g[TREND_MAX];
	int len, cnt, i, k;
	double line, left, best = INFINITY;

	if (span > n)
		span = n;
	cnt = blocks_of(x + n - span, span, BLOCKS, PICK_MEDIAN, y, &len);
	for (i = 0; i < BLOCKS; i++)
		g[i] = (float)i;
	line = misfit(y, g, cnt);
	for (k = 1; k < cnt; k++) {
		for (i = 0; i < cnt; i++)
			g[i] = i >= k;
		left = misfit(y, g, cnt);
		if (left < best)
			best = left;
	}
	return log((best + 1) / (line + 1));
}

/* A line through noise is crossed at every second block, one through a bend hardly ever. */
static double crossings(const float *x, int n)
{
	float y[TREND_MAX];
	double slope, level, side, last = 0;
	int len, cnt = blocks_of(x, n, BLOCKS, PICK_MEDIAN, y, &len), i, known = 0, crossed = 0;
	struct trend t;

	if (trend__fit(y, cnt, &t))
		return 0;
	slope = t.slope;
	level = t.level;
	for (i = 0; i < cnt; i++) {
		if (isnan(y[i]))
			continue;
		side = y[i] - level - slope * (i - (cnt - 1) / 2.);
		crossed += known && (side > 0) != (last > 0);
		known++;
		last = side;
	}
	return known > 1 ? (double)crossed / (known - 1) : 0;
}

static void lines(float *f, const float *mean, const float *floor, int n)
{
	int span;

	f[LINE_R2_WINDOW] = held(line_r2(mean, n, VIEW_WINDOW), 0, 1);
	f[LINE_R2_RUN] = held(line_r2(mean, n, n), 0, 1);
	f[LINE_FLOOR_WINDOW] = held(line_r2(floor, n, VIEW_WINDOW), 0, 1);
	f[LINE_FLOOR_RUN] = held(line_r2(floor, n, n), 0, 1);
	for (span = VIEW_WINDOW / 2; span <= n; span += VIEW_WINDOW / 6) {
		if (line_r2(mean, n, span) > STRAIGHT)
			f[LINE_LONG] = (float)span / VIEW_WINDOW;
	}
	f[LINE_STEP_WINDOW] = held(line_over_step(mean, n, VIEW_WINDOW), -5, 5);
	f[LINE_STEP_RUN] = held(line_over_step(mean, n, n), -5, 5);
	f[LINE_CROSS] = held(crossings(mean, n), 0, 1);
}

static double extreme(const float *x, int from, int to, int sign)
{
	double best = NAN;
	int i;

	for (i = from; i < to; i++) {
		if (!isnan(x[i]) && !(sign * best <= sign * x[i]))
			best = x[i];
	}
	return best;
}

/* The lowest of the last span against the lowest of the span before it; the highest likewise. */
static void steps(struct features *fs, const struct view *v, double level)
{
	static const int spans[STEP_SPANS] = { 12, 24, 36, 72, 144 };
	int i, n = v->joined;

	for (i = 0; i < STEP_SPANS; i++) {
		int span = spans[i], from = n - 2 * span;
		double low, high;

		if (n < span * 5 / 3)
			break;
		if (from < 0)
			from = 0;
		low = extreme(v->floor, n - span, n, 1) - extreme(v->floor, from, n - span, 1);
		high = extreme(v->mean, n - span, n, -1) - extreme(v->mean, from, n - span, -1);
		fs->f[F_STEP_LOW + i] = held(over(low, level) * VIEW_WINDOW / span, -3, 3);
		fs->f[F_STEP_HIGH + i] = held(over(high, level) * VIEW_WINDOW / span, -3, 3);
	}
}

static double mean_of(const float *x, int from, int to)
{
	double sum = 0;
	int cnt = 0;

	for (; from < to; from++) {
		if (isnan(x[from]))
			continue;
		sum += x[from];
		cnt++;
	}
	return cnt ? sum / cnt : NAN;
}

/* The last `span` windows (and the one not yet whole) against as many before, over level. */
static void over_days(float *f, const struct view *v, int span, double level)
{
	int n = v->n_past, mid = n - span, from = mid - span ? mid - span - 1 : 0;
	double low = extreme(v->past_low, mid - 1, n, 1) - extreme(v->past_low, from, mid - 1, 1);
	double mean = mean_of(v->past_mean, mid, n) - mean_of(v->past_mean, mid - span, mid);
	double high = extreme(v->past_high, mid, n, -1) -
		      extreme(v->past_high, mid - span, mid, -1);

	f[0] = held(over(low, level), -3, 3);
	f[1] = held(over(mean, level), -3, 3);
	f[2] = held(over(high, level), -3, 3);
}

static void fit_windows(float *f, const float *x, int n, double level)
{
	int cnt = n < BLOCKS ? n : BLOCKS;
	struct trend t;

	if (!trend__fit(x + n - cnt, cnt, &t))
		describe(f, &t, 1, level);
}

/* What the days before the last one say of it. */
static void week(float *f, const struct view *v, double level)
{
	int n = v->n_past, k;
	double top, low, now, record = -INFINITY;

	f[WEEK_DAYS] = (float)n / DAY;
	if (n < 2 * DAY)
		return;
	over_days(f + WEEK_LOW, v, DAY, level);
	if (n >= 4 * DAY)
		over_days(f + WEEK_LOW2, v, 2 * DAY, level);
	top = extreme(v->past_high, 0, n - DAY, -1);
	low = extreme(v->past_low, 0, n - DAY, 1);
	now = extreme(v->past_low, n - 2, n, 1);
	f[WEEK_RECORD] = held(over(now - top, level), -3, 3);
	f[WEEK_RECORD_Z] = held((now - top) / (top - low + 1e-4 * level), -5, 20);
	for (k = DAY; k <= n - DAY; k++)
		record = fmax(record, mean_of(v->past_mean, k - DAY, k));
	f[WEEK_MEAN_RECORD] = held(over(mean_of(v->past_mean, n - DAY, n) - record, level), -3, 3);
	fit_windows(f + WEEK_CNT, v->past_low, n, level);
	fit_windows(f + WEEK_CNT + TF_CNT, v->past_mean, n, level);
}

static double median_of(const float *x, int n)
{
	float tmp[VIEW_LONG];
	int i, k;

	for (i = 0, k = 0; i < n; i++) {
		if (!isnan(x[i]))
			tmp[k++] = x[i];
	}
	return trend__median(tmp, k);
}

static double wobble(const float *x, int n)
{
	float d[VIEW_LONG];
	int i;

	for (i = 1; i < n; i++)
		d[i - 1] = fabsf(x[i] - x[i - 1]);
	return median_of(d, n - 1);
}

/* Growth of y minus what load alone, without time, would explain of it; over level. */
static void load_alone(struct features *fs, const struct load_fit *lf, const float *y, int n,
		       double level)
{
	float rest[VIEW_LONG];
	struct trend t, raw;
	double step_s;
	int i;

	fs->f[F_LOAD_R2] = held(lf->alone_r2, 0, 1);
	for (i = 0; i < n; i++)
		rest[i] = (float)(y[i] - lf->alone_b * lf->alone[i]);
	if (feature__trend(rest, n, VIEW_WINDOW, 1, &t, &step_s))
		return;
	fs->f[F_LOAD_REST] = held(over(t.growth, level), -3, 3);
	if (!feature__trend(y, n, VIEW_WINDOW, 1, &raw, &step_s) && raw.growth > 0)
		fs->load_rest = t.growth / raw.growth;
}

static void explain_load(struct view *v, struct features *fs)
{
	struct load_fit lf;
	double level = median_of(v->mean, v->joined);

	fs->load_share = fs->load_rest = NAN;
	fs->f[F_LOAD_KEEP] = 1;
	fs->f[F_LOAD_REST] = 3;
	load__fit(v, v->mean, &lf);
	if (!lf.known)
		return;
	fs->f[F_LOAD_KNOWN] = 1;
	if (lf.c_none > 0) {
		fs->f[F_LOAD_KEEP] = held(lf.c_hi / lf.c_none, -2, 1.5);
		fs->load_share = held(1 - lf.c / lf.c_none, 0, 1);
	}
	load_alone(fs, &lf, v->mean, v->joined, level);
	load__remove(&lf, v->mean, v->joined);
	load__fit(v, v->floor, &lf);
	if (lf.known)
		load__remove(&lf, v->floor, v->joined);
}

void feature__extract(struct view *v, struct features *ret)
{
	double bucket_s = v->window_s / VIEW_WINDOW, level;
	float *floor = v->floor, *mean = v->mean;
	int n = v->joined, sixth = (int)fmin(v->age_s / bucket_s * 6, VIEW_SHORT), which;

	memset(ret, 0, sizeof(*ret));
	explain_load(v, ret);
	level = median_of(mean, n);
	fit(ret, FIT_FLOOR_RUN, floor, n, VIEW_LONG, bucket_s, PICK_MIN);
	fit(ret, FIT_FLOOR_WINDOW, floor, n, VIEW_WINDOW, bucket_s, PICK_MIN);
	fit(ret, FIT_FLOOR_HALF, floor, n, VIEW_WINDOW / 2, bucket_s, PICK_MIN);
	fit(ret, FIT_MEAN_RUN, mean, n, VIEW_LONG, bucket_s, PICK_MEDIAN);
	fit(ret, FIT_MEAN_WINDOW, mean, n, VIEW_WINDOW, bucket_s, PICK_MEDIAN);
	fit(ret, FIT_FLOOR_SIXTH, v->mid, v->n_mid, sixth, bucket_s / 6, PICK_MIN);
	for (which = 0; which < FIT_CNT; which++) {
		if (ret->known[which])
			describe(ret->f + F_FITS + which * TF_CNT, &ret->fit[which],
				 ret->step_s[which] / v->window_s, level);
	}
	ret->f[F_AGE] = held((double)n / VIEW_WINDOW, 0, 4);
	ret->f[F_LIFT] = held(over(level - median_of(floor, n), level), 0, 1);
	ret->f[F_RUN_AGE] = held(v->age_s / v->window_s, 0, 4);
	ret->f[F_RUN_LATE] = held(v->run_late, -2, 3);
	ret->f[F_RUNS] = held(v->runs, 0, 9);
	steps(ret, v, level);
	lines(ret->f + F_LINE, mean, floor, n);
	week(ret->f + F_WEEK, v, level);
	ret->f[F_WOBBLE] = held(over(wobble(mean, n), level), 0, 1);
	past(ret->f + F_PAST, mean, n, PICK_MEDIAN, level);
	past(ret->f + F_PAST_FLOOR, floor, n, PICK_MIN, level);
	onset(ret->f + F_ONSET, mean, n, PICK_MEDIAN, level);
	ret->onset = onset(ret->f + F_ONSET_FLOOR, floor, n, PICK_MIN, level);
}
