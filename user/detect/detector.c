/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * detector.c - keeps the floors of one series and turns them into a verdict.
 *
 * push fills two rings of bucket minima; judge lays them out (struct view), asks assess.c what
 * the growth looks like, adds that to what the earlier looks said, and runs the hysteresis: an
 * alarm opens when the score held for a while and closes when growth stopped for a good part of
 * the window. All times inside are relative to the first point and all thresholds to the window,
 * so compressed tapes judge alike.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "assess.h"
#include "detector.h"
#include "evidence.h"
#include "floor.h"
#include "past.h"
#include "view.h"

#define MEMORY 3.   /* a look counts for window/MEMORY, fading */
#define ODDS_MAX 4. /* of one look, as a logarithm: none may carry a judgement alone */
#define DOUBT 1.5   /* what the looks at a new series must be surer by: any first rise of a .. */
#define NEW 1.     /* .. day looks like a leak. For so many windows, then fading over as many */
#define HOLD 24.   /* a score must hold for window/HOLD before an alarm opens */
#define QUIET 2.   /* growth must have stopped for window/QUIET before it closes */
#define GAP 12.    /* a time without points that is longer than window/GAP says nothing */
#define AFTER 1.   /* "recovered" is shown for this many windows, then "healthy" */

struct detector {
	double window_s;
	double t0_s;
	double last_s;       /* relative to t0_s, like every time below; < 0: no point yet */
	double last_bytes;
	double limit_bytes;
	double odds;          /* logarithm of the odds of a leak, mean of the looks; NAN: none */
	double above_since_s; /* the score has been over the bar since; NAN: it is not */
	double calm_since_s;  /* an open alarm saw no growth since; NAN: it grows */
	double onset_s;       /* of an open alarm: the earliest that was found */
	double judged_s;      /* the last judgement; NAN: none */
	double closed_s;      /* NAN: no alarm was ever closed */
	long long points;
	int open;
	int vouched; /* not new, though its history begins here */
	int pending_start;
	int starts_seen;
	float start_s[VIEW_STARTS]; /* newest last */
	int start_cnt;
	struct floor_ring base, mid;
	struct floor_means means;
	struct past past;
	struct assessment last;
	float base_min[VIEW_LONG];
	float mid_min[VIEW_SHORT];
	uint16_t lift[VIEW_LONG];
	uint16_t load[VIEW_LONG];
};

size_t detector__size(void)
{
	return sizeof(struct detector);
}

void detector__reset(struct detector *d)
{
	double window_s = d->window_s;
	int i;

	memset(d, 0, sizeof(*d));
	d->window_s = window_s;
	d->last_s = -1;
	d->limit_bytes = NAN;
	d->odds = NAN;
	d->above_since_s = NAN;
	d->calm_since_s = NAN;
	d->closed_s = NAN;
	d->judged_s = NAN;
	floor_ring__init(&d->base, d->base_min, VIEW_LONG, window_s / VIEW_WINDOW);
	floor_ring__init(&d->mid, d->mid_min, VIEW_SHORT, window_s / 6 / VIEW_SHORT);
	for (i = 0; i < VIEW_LONG; i++) {
		d->lift[i] = 0;
		d->load[i] = floor__pack(NAN);
	}
	past__reset(&d->past);
	assess__none(&d->last);
}

struct detector *detector__new(double window_s)
{
	struct detector *d;

	if (!(window_s > 0) || isinf(window_s))
		return NULL;
	d = malloc(sizeof(*d));
	if (!d)
		return NULL;
	d->window_s = window_s;
	detector__reset(d);
	return d;
}

void detector__free(struct detector *d)
{
	free(d);
}

void detector__vouch(struct detector *d)
{
	d->vouched = 1;
}

/* Encode the means of the newest long bucket; called before it is left, and before a judgement. */
static void flush_means(struct detector *d)
{
	struct floor_means *m = &d->means;
	double mean;

	if (!m->cnt)
		return;
	mean = m->sum / m->cnt - d->base_min[d->base.at];
	d->lift[d->base.at] = floor__pack(mean > 0 ? (float)mean : 0);
	if (m->load_cnt)
		d->load[d->base.at] = floor__pack((float)(m->load_sum / m->load_cnt));
}

/* Enter the long bucket of t_s: file the means of the old one, blank the ones skipped. */
static void next_bucket(struct detector *d, double t_s)
{
	long long step, i;
	int slot;

	flush_means(d);
	if (d->means.cnt)
		past__add(&d->past, d->base.head / VIEW_WINDOW, d->base_min[d->base.at],
			  (float)(d->means.sum / d->means.cnt));
	step = floor_ring__advance(&d->base, t_s);
	if (step > VIEW_LONG)
		step = VIEW_LONG;
	for (i = 0, slot = d->base.at; i < step; i++) {
		d->lift[slot] = 0;
		d->load[slot] = floor__pack(NAN);
		slot = slot ? slot - 1 : VIEW_LONG - 1;
	}
	d->means.sum = d->means.load_sum = 0;
	d->means.cnt = d->means.load_cnt = 0;
}

static void mark_start(struct detector *d, double t_s)
{
	d->starts_seen++;
	d->pending_start = 0;
	past__reset(&d->past); /* what another run used is no measure for this one */
	if (d->start_cnt == VIEW_STARTS) {
		memmove(d->start_s, d->start_s + 1, sizeof(d->start_s) - sizeof(d->start_s[0]));
		d->start_cnt--;
	}
	d->start_s[d->start_cnt++] = (float)t_s;
}

void detector__push(struct detector *d, const struct detector_point *p)
{
	double t_s;

	if (p->start)
		d->pending_start = 1; /* kept even when the point itself is unusable */
	if (!isfinite(p->t_s) || !(p->bytes >= 0) || p->bytes > 1e18)
		return;
	if (d->last_s < 0) {
		d->t0_s = p->t_s;
		t_s = 0;
	} else {
		t_s = p->t_s - d->t0_s;
		if (!(t_s > d->last_s))
			return;
	}
	if (t_s >= d->base.end_s)
		next_bucket(d, t_s);
	if (d->last_s >= 0 && t_s - d->last_s > d->window_s / GAP)
		d->calm_since_s += t_s - d->last_s; /* unseen is not calm; NAN stays NAN */
	if (d->pending_start)
		mark_start(d, t_s);
	floor_ring__push(&d->base, t_s, (float)p->bytes);
	floor_ring__push(&d->mid, t_s, (float)p->bytes);
	d->means.sum += p->bytes;
	d->means.cnt++;
	if (p->load >= 0 && p->load < 1e30) {
		d->means.load_sum += p->load;
		d->means.load_cnt++;
	}
	d->last_s = t_s;
	d->last_bytes = p->bytes;
	d->limit_bytes = p->limit_bytes > 0 && p->limit_bytes < 1e18 ? p->limit_bytes : NAN;
	d->points++;
}

static void lay_out(struct detector *d, struct view *v)
{
	int i, slot;

	flush_means(d);
	v->window_s = d->window_s;
	v->last_bytes = d->last_bytes;
	v->limit_bytes = d->limit_bytes;
	v->n = floor_ring__read(&d->base, VIEW_LONG, v->floor);
	v->n_mid = floor_ring__read(&d->mid, VIEW_SHORT, v->mid);
	v->samples = (double)d->points / (double)(d->base.head + 1);
	slot = d->base.at - (v->n - 1);
	if (slot < 0)
		slot += VIEW_LONG;
	for (i = 0; i < v->n; i++) {
		v->mean[i] = v->floor[i] + floor__unpack(d->lift[slot]);
		v->load[i] = floor__unpack(d->load[slot]);
		slot = slot + 1 == VIEW_LONG ? 0 : slot + 1;
	}
	past__read(&d->past, v);
	v->age_s = d->last_s;
	v->started = d->start_cnt > 0;
	v->start_cnt = 0;
	for (i = 0; i < d->start_cnt; i++) {
		long long back = d->base.head - (long long)(d->start_s[i] / d->base.width_s + 1e-5);

		v->age_s = d->last_s - d->start_s[i];
		if (back >= v->n)
			continue;
		v->starts[v->start_cnt++] = v->n - 1 - (int)back;
	}
}

static double doubt(const struct detector *d)
{
	if (d->vouched)
		return 0;
	return DOUBT * fmin(1, fmax(0, 2 - d->last_s / (NEW * d->window_s)));
}

/*
 * A look can be fooled by what happens to rise just now: what it says is averaged with what the
 * earlier ones said, from when there is history enough to say anything. Held against that is how
 * little is known of the series: nothing in its past shows yet what else it does.
 */
static double together(struct detector *d, const struct assessment *a)
{
	double odds = log(fmax(a->look, 1e-9) / fmax(1 - a->look, 1e-9));

	if (a->warming) {
		d->odds = NAN;
		return a->look;
	}
	odds = fmin(fmax(odds, -ODDS_MAX), ODDS_MAX);
	if (isnan(d->odds))
		d->odds = odds;
	else
		d->odds += (1 - exp((d->judged_s - d->last_s) * MEMORY / d->window_s)) *
			   (odds - d->odds);
	return 1 / (1 + exp(doubt(d) - d->odds));
}

/* Open when the score held for a while; close when growth stopped for long. */
static void advance(struct detector *d, const struct assessment *a)
{
	double now = d->last_s, hold = .99 * d->window_s / HOLD;
	int rare = !(now - d->judged_s < 2 * hold); /* nobody looked: there is nothing to hold */

	if (a->score < SCORE_OPEN)
		d->above_since_s = NAN;
	else if (isnan(d->above_since_s))
		d->above_since_s = now;

	if (!d->open) {
		if (a->score >= SCORE_OPEN && (rare || now - d->above_since_s >= hold)) {
			d->open = 1;
			d->calm_since_s = NAN;
			d->onset_s = now - a->since_ago_s;
		}
		return;
	}
	d->onset_s = fmin(d->onset_s, now - a->since_ago_s);
	if (a->growing)
		d->calm_since_s = NAN;
	else if (isnan(d->calm_since_s))
		d->calm_since_s = now;
	if (!isnan(d->calm_since_s) && now - d->calm_since_s >= d->window_s / QUIET) {
		d->open = 0;
		d->closed_s = now;
	}
}

static enum verdict_state state_of(const struct detector *d, const struct assessment *a)
{
	if (d->open)
		return VERDICT_LEAK;
	if (!isnan(d->closed_s) && d->last_s - d->closed_s < AFTER * d->window_s)
		return VERDICT_RECOVERED;
	if (!a->vetoed && fmax(a->look, a->score) >= SCORE_SUSPECT)
		return VERDICT_SUSPECT;
	return a->warming ? VERDICT_WARMING : VERDICT_HEALTHY;
}

void detector__judge(struct detector *d, struct verdict *ret_verdict)
{
	struct verdict *v = ret_verdict;
	struct assessment *a = &d->last;
	struct view view;

	if (d->last_s < 0) {
		assess__none(a);
	} else {
		lay_out(d, &view);
		assess__view(&view, a);
		if (a->since_ago_s > d->last_s)
			a->since_ago_s = d->last_s; /* the bucket is older than its points */
		assess__conclude(a, together(d, a));
		advance(d, a);
		d->judged_s = d->last_s;
	}
	v->state = state_of(d, a);
	v->class = d->open ? CLASS_LEAK : a->class;
	if (v->state == VERDICT_HEALTHY && v->class == CLASS_LEAK)
		v->class = CLASS_UNKNOWN;
	v->confidence = a->score;
	v->since_s = d->t0_s + (d->open ? d->onset_s : d->last_s - a->since_ago_s);
	v->growth_bytes = a->growth_bytes;
	v->slope_bytes_per_hour = a->slope * 3600;
	v->slope_lo_bytes_per_hour = a->slope_lo * 3600;
	v->slope_hi_bytes_per_hour = a->slope_hi * 3600;
	v->limit_bytes = d->last_s < 0 ? NAN : d->limit_bytes;
	v->time_to_limit_s = a->to_limit_s;
	v->time_to_limit_lo_s = a->to_limit_lo_s;
	v->time_to_limit_hi_s = a->to_limit_hi_s;
	v->horizon_s = a->horizon_s;
}

int detector__evidence(const struct detector *d, char lines[][DETECTOR_EVIDENCE_LEN], int cap)
{
	return evidence__write(&d->last, d->open, lines, cap);
}

const char *detector__reason(const struct detector *d)
{
	return d->last.reason;
}
