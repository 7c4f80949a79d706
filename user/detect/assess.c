/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * assess.c - from features to a judgement: a learned score, vetoes, and a reason for every "no".
 *
 * The score weighs the signs; the vetoes are what no score may overrule: growth too small to
 * matter, growth that the load explains, a fast climb that could be a start-up. The reason is
 * found by plain rules on the trend since the onset, so that a person can check it.
 */
#include <math.h>
#include <string.h>

#include "assess.h"
#include "feature.h"
#include "runs.h"
#include "score.h"

#define MIB (1024. * 1024)
#define MATERIAL_BYTES (6 * MIB) /* per window: growth below this is nobody's business */
#define MATERIAL_SHARE .0072     /* per window, of the level */
#define MIN_BUCKETS 9            /* an eighth of a window */
#define YOUNG .5 /* windows; before that any climb may be a start-up */
#define URGENT_YOUNG .125 /* windows to the limit at which a start-up is not waited for */
#define LOAD_R2 .9   /* from here on load is taken for the cause, if it leaves little growth */
#define LOAD_LEFT .2

void assess__none(struct assessment *ret)
{
	memset(ret, 0, sizeof(*ret));
	ret->warming = 1;
	ret->reason = "warming";
	ret->horizon_s = NAN;
	ret->since_ago_s = NAN;
	ret->growth_bytes = NAN;
	ret->slope = ret->slope_lo = ret->slope_hi = NAN;
	ret->last_bytes = ret->limit_bytes = NAN;
	ret->to_limit_s = ret->to_limit_lo_s = ret->to_limit_hi_s = NAN;
	ret->load_share = NAN;
}

/* Growth that matters, over a span of this many windows. */
static double material(double level, double windows)
{
	double per_window = level * MATERIAL_SHARE;

	return windows * (per_window < MATERIAL_BYTES ? MATERIAL_BYTES : per_window);
}

/* The trend of the floor from the onset to now. */
static void since_onset(const struct view *v, const struct features *fs, struct assessment *a)
{
	int span = v->joined - fs->onset;
	double bucket_s = v->window_s / VIEW_WINDOW, step_s;

	if (span < VIEW_WINDOW / 4)
		span = v->joined < VIEW_WINDOW / 4 ? v->joined : VIEW_WINDOW / 4;
	if (feature__trend(v->floor, v->joined, span, bucket_s, &a->trend, &step_s))
		return;
	a->known = 1;
	a->horizon_s = span * bucket_s;
	a->since_ago_s = (v->n - v->pos[v->joined - span]) * bucket_s;
	a->slope = a->trend.slope / step_s;
	a->slope_lo = a->trend.slope_lo / step_s;
	a->slope_hi = a->trend.slope_hi / step_s;
	a->growth_bytes = a->slope * a->horizon_s;
}

static void time_to_limit(const struct view *v, struct assessment *a)
{
	double left = v->limit_bytes - v->last_bytes;

	if (isnan(left) || !(a->slope > 0))
		return;
	if (left < 0)
		left = 0;
	a->to_limit_s = left / a->slope;
	a->to_limit_lo_s = left / a->slope_hi;
	a->to_limit_hi_s = a->slope_lo > 0 ? left / a->slope_lo : INFINITY;
}

/* Load alone follows the memory closely and leaves next to no growth. */
static int load_explains(const struct features *fs)
{
	return fs->f[F_LOAD_R2] > LOAD_R2 && fs->load_rest < LOAD_LEFT;
}

/* The whole history stays within what does not matter: no need to look closer. */
static int flat(const struct view *v)
{
	float low = INFINITY, high = 0;
	int i;

	for (i = 0; i < v->joined; i++) {
		if (v->floor[i] < low)
			low = v->floor[i];
		if (v->floor[i] > high)
			high = v->floor[i];
	}
	return high - low < material(high, .25);
}

/* The newest floor against the highest mean before the last sixth of a window. */
static int is_new(const struct view *v, double margin)
{
	float top = 0;
	int i;

	for (i = 0; i < v->joined - VIEW_WINDOW / 6 - 1; i++) {
		if (v->mean[i] > top)
			top = v->mean[i];
	}
	return v->floor[v->joined - 1] > top + margin;
}

/* The newest floor is twice what had been stable for half a window, a third of one ago. */
static int doubled(const struct view *v)
{
	int to = v->joined - VIEW_WINDOW / 3, i = to - VIEW_WINDOW / 2;
	float low = INFINITY, high = 0;

	if (to < VIEW_WINDOW / 4)
		return 0;
	for (i = i < 0 ? 0 : i; i < to; i++) {
		if (v->floor[i] < low)
			low = v->floor[i];
		if (v->mean[i] > high)
			high = v->mean[i];
	}
	return high - low < .25 * high && v->floor[v->joined - 1] > 2 * high;
}

/* How long the steady climb needs to the limit, as a share of the window; INFINITY: no limit. */
static double windows_to_limit(const struct view *v, const struct trend *t, double step_s)
{
	double left = v->limit_bytes - v->last_bytes;

	return isnan(left) ? INFINITY : left / (t->slope_lo / step_s) / v->window_s;
}

/*
 * A leak that cannot wait: a steady, new climb over the last sixth of a window that would reach
 * the limit within another sixth, or that doubled what had been stable before. In a start-up only
 * a line without any bend, when there is hardly time left to act: waiting until it is sure would
 * be waiting for the kill.
 */
static int urgent(const struct view *v, const struct features *fs)
{
	const struct trend *t = &fs->fit[FIT_FLOOR_SIXTH];
	double step_s = fs->step_s[FIT_FLOOR_SIXTH], span_s = t->span * step_s;

	if (!fs->known[FIT_FLOOR_SIXTH] || t->n < 8)
		return 0;
	if (span_s < .75 * v->window_s / 6 || t->growth < 8 * t->noise || t->tau < .9)
		return 0;
	if (t->late < .6 || t->jump > .35 || t->spread < 4 || t->slope_lo < .7 * t->slope)
		return 0;
	if (t->growth < .05 * t->level || t->growth < material(t->level, 1) ||
	    !is_new(v, .5 * t->growth) || load_explains(fs))
		return 0;
	if (v->joined < VIEW_WINDOW * YOUNG)
		return t->late > .9 && t->tau > .97 &&
		       windows_to_limit(v, t, step_s) < URGENT_YOUNG;
	return windows_to_limit(v, t, step_s) < 1. / 6 || doubled(v);
}

struct why {
	const char *reason;
	enum verdict_class class;
};

static float lowest(const float *x, int n)
{
	float low = INFINITY;
	int i;

	for (i = 0; i < n; i++) {
		if (x[i] < low)
			low = x[i];
	}
	return low;
}

/* Flat now: but was there growth before, and of what kind? */
static struct why explain_past(const struct view *v, const struct features *fs, double need)
{
	const struct trend *t = &fs->fit[FIT_FLOOR_RUN];
	int part = v->joined / 8 + 1;
	int teeth = fs->f[F_LIFT] > .02 && fs->f[F_LIFT] > 3 * fs->f[F_WOBBLE];
	double rise = lowest(v->floor + v->joined - part, part) - lowest(v->floor, part);

	if (rise > need && fs->known[FIT_FLOOR_RUN])
		return t->jump > .55 ? (struct why){ "step", CLASS_STEP } :
		       fs->f[F_AGE] < 2 ? (struct why){ "plateau", CLASS_WARM_UP } :
					  (struct why){ "plateau", CLASS_CACHE };
	return (struct why){ "flat", teeth ? CLASS_SAWTOOTH : CLASS_UNKNOWN };
}

/* What a person would say of a growth that is not a leak; in the order that explains best. */
static struct why explain(const struct view *v, const struct features *fs,
			  const struct assessment *a, double need)
{
	const struct trend *t = &a->trend;

	if (!isnan(fs->load_share) && (fs->load_share > .5 || load_explains(fs)))
		return (struct why){ "load", CLASS_LOAD };
	if (a->growth_bytes < -need)
		return (struct why){ "shrinks", CLASS_UNKNOWN };
	if (a->growth_bytes < need)
		return explain_past(v, fs, need);
	if (t->jump > .55 && t->spread < 3)
		return (struct why){ "step", CLASS_STEP };
	if (t->late < .2)
		return (struct why){ "plateau", fs->f[F_AGE] < 2 ? CLASS_WARM_UP : CLASS_CACHE };
	if (t->late < .6)
		return (struct why){ "slowing", CLASS_RETENTION };
	if (t->drawdown > .5 * t->growth)
		return (struct why){ "given-back", CLASS_UNKNOWN };
	if (t->growth < 4 * t->noise)
		return (struct why){ "noise", CLASS_UNKNOWN };
	if (t->spread < 3)
		return (struct why){ "few-steps", CLASS_STEP };
	if (fs->f[F_PAST_FLOOR + PAST_RECORD] < 0)
		return (struct why){ "not-new", CLASS_UNKNOWN };
	return (struct why){ "weak", CLASS_UNKNOWN };
}

/* Does the floor still grow at a fair part of its rate? Keeps an open alarm open. */
static int half_grows(const struct features *fs, const struct assessment *a)
{
	const struct trend *t = &fs->fit[FIT_FLOOR_HALF];
	double rate = t->slope / fs->step_s[FIT_FLOOR_HALF];

	return fs->known[FIT_FLOOR_HALF] && rate > .3 * a->slope && a->slope > 0 && t->tau > .3;
}

void assess__view(struct view *v, struct assessment *ret)
{
	struct features fs;
	struct why why;
	double need;

	assess__none(ret);
	ret->last_bytes = v->last_bytes;
	ret->limit_bytes = v->limit_bytes;
	runs__join(v);
	if (v->joined < MIN_BUCKETS)
		return;
	ret->warming = v->joined < VIEW_WINDOW / 2;
	if (flat(v)) {
		ret->reason = ret->warming ? "warming" : "flat";
		return;
	}
	feature__extract(v, &fs);
	ret->load_share = fs.load_share;
	ret->straight = fs.f[F_LINE + LINE_FLOOR_WINDOW];
	ret->restarts = v->runs > 1 ? v->runs : 0;
	since_onset(v, &fs, ret);
	if (!ret->known)
		return;
	time_to_limit(v, ret);
	need = material(ret->trend.level, ret->horizon_s / v->window_s);
	ret->look = score__of(fs.f);
	ret->vetoed = ret->growth_bytes < need || load_explains(&fs);
	ret->urgent = urgent(v, &fs);
	ret->growing = half_grows(&fs, ret) || (!ret->vetoed && ret->look >= SCORE_GROWS);
	why = explain(v, &fs, ret, need);
	ret->reason = ret->warming ? "warming" : why.reason;
	ret->class = why.class;
}

void assess__conclude(struct assessment *a, double together)
{
	double score = together;

	if (a->warming)
		score = fmin(score, SCORE_OPEN - .01);
	if (a->urgent)
		score = fmax(score, SCORE_OPEN);
	if (a->vetoed)
		score = fmin(score, SCORE_GROWS - .01);
	a->score = a->known ? score : 0;
	if (a->score < SCORE_OPEN)
		return;
	a->reason = "";
	a->class = CLASS_LEAK;
}
