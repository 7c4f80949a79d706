// SPDX-License-Identifier: BSD-2-Clause
/*
 * shapes_healthy.c - shapes of memory that is not leaking, though much of it looks so for a while.
 */
#include <math.h>
#include <stdlib.h>
#include "shapes_gen.h"

static void draw_warm_up_exp(struct gen *g)
{
	double height = g->base * gen__loguni(g, .05, 3), tau = gen__loguni(g, 120, 2.5 * HOUR);
	double t0 = gen__chance(g, .6) ? 0 : gen__uni(g, 0, .6) * g->span;

	layer__saturating(g, t0, tau, height);
}

static void draw_warm_up_log(struct gen *g)
{
	double height = g->base * gen__loguni(g, .01, .07);

	layer__log(g, 0, gen__loguni(g, 60, 1800), height);
}

static void draw_cache_fill(struct gen *g)
{
	double t0 = gen__chance(g, .5) ? 0 : gen__uni(g, 0, .6) * g->span;
	double height = g->base * gen__loguni(g, .1, 4);
	struct saw evict = {.period = gen__uni(g, 300, 3000)};

	evict.amp = height * gen__uni(g, .002, .03);
	if (gen__chance(g, .5))
		layer__ramp(g, t0, gen__loguni(g, 300, 4 * HOUR), height);
	else
		layer__saturating(g, t0, gen__loguni(g, 300, 3.5 * HOUR), height);
	if (gen__chance(g, .4))
		layer__sawtooth(g, &evict);
}

static void draw_gc_regular(struct gen *g)
{
	struct saw s = layer__draw_saw(g);

	s.period = gen__loguni(g, 120, 3 * HOUR);
	layer__sawtooth(g, &s);
}

static void draw_gc_irregular(struct gen *g)
{
	struct saw s = layer__draw_saw(g), minor = layer__draw_saw(g);

	s.period = gen__loguni(g, 300, 2.5 * HOUR);
	s.irregular = gen__uni(g, .15, .5);
	layer__sawtooth(g, &s);
	minor.period = gen__loguni(g, 20, 300);
	minor.amp = s.amp * gen__uni(g, .05, .5);
	if (gen__chance(g, .4))
		layer__sawtooth(g, &minor);
}

static void draw_gc_growing(struct gen *g)
{
	struct saw s = layer__draw_saw(g);

	s.grow_tau = gen__uni(g, .5, 5) * HOUR;
	s.irregular = gen__uni(g, 0, .2);
	layer__sawtooth(g, &s);
}

/* A young generation within an old one, each with its own collections. */
static void draw_gc_generations(struct gen *g)
{
	struct saw old = layer__draw_saw(g), young = {.period = gen__loguni(g, 15, 400)};

	old.period = gen__loguni(g, 1200, 3 * HOUR);
	old.irregular = gen__uni(g, 0, .3);
	young.amp = old.amp * gen__uni(g, .2, 2);
	young.irregular = gen__uni(g, 0, .3);
	layer__sawtooth(g, &old);
	layer__sawtooth(g, &young);
}

static void draw_medley(struct gen *g)
{
	layer__medley(g);
}

static void healthy_load(struct gen *g, enum load_kind kind, bool shown)
{
	double *work = calloc(g->n, sizeof(*work));

	if (!work)
		return;
	gen__make_load(g, kind, work);
	layer__load_memory(g, work, g->base * gen__loguni(g, .02, .5));
	if (!shown)
		gen__hide_load(g);
	free(work);
}

static void draw_daily(struct gen *g)
{
	healthy_load(g, LOAD_DAILY, true);
}

static void draw_daily_noload(struct gen *g)
{
	healthy_load(g, LOAD_DAILY, false);
}

static void draw_business(struct gen *g)
{
	healthy_load(g, LOAD_BUSINESS, true);
}

static void draw_business_noload(struct gen *g)
{
	healthy_load(g, LOAD_BUSINESS, false);
}

/* Load that made the allocator grow, and memory that stays when the load has gone. */
static void draw_daily_sticky(struct gen *g)
{
	double *work = calloc(g->n, sizeof(*work));

	if (!work)
		return;
	gen__make_load(g, LOAD_DAILY, work);
	layer__sticky_memory(g, work, g->base * gen__loguni(g, .02, .8));
	free(work);
}

static void draw_campaign(struct gen *g)
{
	healthy_load(g, LOAD_CAMPAIGN, true);
}

static void draw_step_deploy(struct gen *g)
{
	double t0 = gen__uni(g, .05, .95) * g->span;

	layer__step(
		g, t0,
		g->base * (gen__chance(g, .8) ? gen__loguni(g, .03, 1.5) : -gen__uni(g, .05, .4)));
	if (!gen__chance(g, .4))
		return;
	g->own_starts = true;
	layer__draw_restart(g, t0, .5, 900);
}

static void draw_steps(struct gen *g)
{
	double t0 = gen__uni(g, 0, 4) * HOUR, h;
	int i, n = 2 + gen__pick(g, 3), ups = 0;

	for (i = 0; i < n && t0 < g->span; i++) {
		h = g->base * gen__loguni(g, .02, .4);
		if (ups >= 2 || gen__chance(g, .35)) {
			h = -.5 * h;
			ups = 0;
		} else {
			ups++;
		}
		layer__step(g, t0, h);
		t0 += gen__uni(g, 2.5, 7) * HOUR;
	}
}

static void add_batch(struct gen *g, double t0, double rise, double hold, double height)
{
	layer__ramp(g, t0, rise, height);
	layer__ramp(g, t0 + rise + hold, fmin(rise, 600), -height);
}

static void draw_batch_big(struct gen *g)
{
	double height = g->base * gen__loguni(g, .2, 4), hold = gen__loguni(g, 600, 8 * HOUR);
	double rise = gen__loguni(g, 60, 2 * HOUR);

	add_batch(g, gen__uni(g, 0, .8) * g->span, rise, hold, height);
}

static void draw_batch_repeated(struct gen *g)
{
	double every = gen__uni(g, 1, 7) * HOUR, t0 = gen__uni(g, 0, every);
	double height = g->base * gen__loguni(g, .1, 2), size, hold;

	for (; t0 < g->span; t0 += every * gen__uni(g, .7, 1.3)) {
		size = height * gen__uni(g, .6, 1.3);
		hold = gen__uni(g, .05, .5) * every;
		add_batch(g, t0, gen__uni(g, 30, 1200), hold, size);
	}
}

static void draw_late_return(struct gen *g)
{
	double t0 = gen__uni(g, 0, .5) * g->span, rise = gen__loguni(g, 120, 2 * HOUR);
	double hold = gen__uni(g, 1, 8) * HOUR, height = g->base * gen__loguni(g, .1, 2);
	int i, n = 1 + gen__pick(g, 6);

	layer__ramp(g, t0, rise, height);
	if (gen__chance(g, .5)) {
		layer__saturating(g, t0 + rise + hold, gen__uni(g, .2, 2) * HOUR, -height);
		return;
	}
	for (i = 0; i < n; i++)
		layer__step(g, t0 + rise + hold + i * gen__uni(g, .2, 1) * HOUR, -height / n);
}

static void draw_noise_white(struct gen *g)
{
	layer__noise(g, g->base * gen__loguni(g, .001, g->wide ? .08 : .04), 0);
}

static void draw_noise_ar(struct gen *g)
{
	double tau = gen__uni(g, 120, 2400);

	layer__noise(g, g->base * gen__loguni(g, .001, g->wide ? .05 : .025), tau);
}

static void draw_noise_ou(struct gen *g)
{
	double tau = gen__uni(g, .3, 2) * HOUR;

	layer__noise(g, g->base * gen__loguni(g, .002, .02), tau);
}

/* Huge pages made and split: whole 2 MiB up and down, more early than late. */
static void draw_thp(struct gen *g)
{
	double cap = fmax(3, fmin(60, g->base * gen__uni(g, .05, .3) / (2 * MIB))), have = 0;
	double tau = gen__uni(g, 300, 4000);
	size_t i;

	for (i = 0; i < g->n; i++) {
		if (gen__chance(g, fmin(1, g->interval / tau * (cap - have))))
			have = fmin(cap, have + 1);
		else if (have > 0 && gen__chance(g, fmin(1, g->interval / tau * .25 * have)))
			have -= 1;
		g->v[i] += have * 2 * MIB;
	}
}

/* Each peak leaves some holes; every next one reuses more of them. */
static void draw_fragmentation(struct gen *g)
{
	double every = gen__uni(g, 600, 2400), gain = g->base * gen__uni(g, .03, .12), t0;
	double keep = gen__uni(g, .6, .85), peak = g->base * gen__uni(g, .1, .5);

	for (t0 = gen__uni(g, 0, every); t0 < g->span; t0 += every * gen__uni(g, .6, 1.4)) {
		add_batch(g, t0, 60, gen__uni(g, 30, 300), peak);
		if (gain < 1e-4 * g->base)
			continue;
		layer__step(g, t0, gain);
		gain *= keep;
	}
}

static void draw_gappy(struct gen *g)
{
	/* The holes themselves are cut by lose_samples(), for which this shape is just a level. */
	double tau = gen__uni(g, 0, 600);

	layer__noise(g, g->base * gen__loguni(g, .0005, .01), tau);
}

static void draw_clock_steps(struct gen *g)
{
	double tau = gen__uni(g, 0, 600);

	layer__noise(g, g->base * gen__loguni(g, .0005, .01), tau);
	g->clock_steps = true;
}

static void draw_flat(struct gen *g)
{
	g->noise = 0;
}

/* A level on the edge between two quanta. */
static void draw_quantised(struct gen *g)
{
	double tau;

	g->quant = QUANT_BYTES;
	g->quantum = g->base * gen__loguni(g, .005, .03);
	g->base = g->quantum * (floor(g->base / g->quantum) + .5);
	tau = gen__uni(g, 0, 1800);
	layer__noise(g, g->quantum * gen__uni(g, .02, .4), tau);
}

static void draw_restarts(struct gen *g)
{
	double life = gen__uni(g, 1.5, 9) * HOUR, t0 = gen__uni(g, .2, 1) * life,
	       dip = gen__uni(g, .2, .8);
	double tau = gen__loguni(g, 60, 1.2 * HOUR);

	g->own_starts = true;
	for (; t0 < g->span; t0 += life * gen__uni(g, .6, 1.4))
		layer__restart(g, t0, dip * gen__uni(g, .8, 1), tau);
}

/* Grows for ever, but below the bar: nobody should be told. */
static void draw_creep(struct gen *g)
{
	double rate = gen__bar(g) * gen__uni(g, .05, .45);
	size_t i;

	for (i = 0; i < g->n; i++)
		g->v[i] += rate * g->t[i] / HOUR;
}

static const struct shape list[] = {
	{"warm-up-exp", false, draw_warm_up_exp, 0},
	{"warm-up-log", false, draw_warm_up_log, 0},
	{"cache-fill", false, draw_cache_fill, 0},
	{"gc-regular", false, draw_gc_regular, 0},
	{"gc-irregular", false, draw_gc_irregular, 0},
	{"gc-growing", false, draw_gc_growing, 0},
	{"gc-generations", false, draw_gc_generations, 0},
	{"medley", false, draw_medley, 0},
	{"daily", false, draw_daily, 0},
	{"daily-noload", false, draw_daily_noload, 0},
	{"business", false, draw_business, 0},
	{"business-noload", false, draw_business_noload, 0},
	{"daily-sticky", false, draw_daily_sticky, 0},
	{"campaign", false, draw_campaign, 0},
	{"step-deploy", false, draw_step_deploy, 0},
	{"steps", false, draw_steps, 0},
	{"batch-big", false, draw_batch_big, 0},
	{"batch-repeated", false, draw_batch_repeated, 0},
	{"late-return", false, draw_late_return, 0},
	{"noise-white", false, draw_noise_white, 0},
	{"noise-ar", false, draw_noise_ar, 0},
	{"noise-ou", false, draw_noise_ou, 0},
	{"thp", false, draw_thp, 0},
	{"fragmentation", false, draw_fragmentation, 0},
	{"gappy", false, draw_gappy, SHAPE_GAPPY},
	{"clock-steps", false, draw_clock_steps, 0},
	{"flat", false, draw_flat, SHAPE_OWN_BASE},
	{"quantised", false, draw_quantised, SHAPE_OWN_BASE},
	{"restarts", false, draw_restarts, 0},
	{"creep", false, draw_creep, 0},
};

const struct shape *const healthy_shapes = list;
const int healthy_shape_cnt = (int)(sizeof(list) / sizeof(list[0]));
