// SPDX-License-Identifier: BSD-2-Clause
/*
 * shapes_leaky.c - shapes of leaking memory.
 *
 * Every leak is drawn so that it can be seen in principle, see gen__draw_rate().
 */
#include <math.h>
#include <stdlib.h>
#include "shapes_gen.h"

static void draw_linear(struct gen *g)
{
	g->onset = gen__draw_onset(g);
	leak__linear(g, g->onset, gen__draw_rate(g, gen__hours_left(g), 0));
}

/* A few MB/h under GBs: just above the bar, in a calm and large process. */
static void draw_slow(struct gen *g)
{
	double lo = BAR_FACTOR * gen__bar(g) / g->base;

	g->onset = gen__chance(g, .7) ? 0 : gen__uni(g, 0, .3 * (g->span - VISIBLE_H * HOUR));
	lo = fmax(lo, 4 * g->noise / gen__hours_left(g));
	leak__linear(g, g->onset, g->base * gen__loguni(g, lo, fmax(2 * lo, .004)));
}

static void draw_bursty(struct gen *g)
{
	double every = gen__loguni(g, 8 * 60, 1.1 * HOUR);

	g->onset = gen__draw_onset(g);
	leak__bursts(g, g->onset, gen__draw_rate(g, gen__hours_left(g), 0), every);
}

static void draw_accelerating(struct gen *g)
{
	double p = gen__uni(g, 1.4, 2.6), total, dur;
	size_t i;

	g->onset = gen__uni(g, 0, .4) * (g->span - VISIBLE_H * HOUR);
	dur = g->span - g->onset;
	total = gen__draw_rate(g, gen__hours_left(g), 0) * dur / HOUR;
	for (i = 0; i < g->n; i++)
		g->cum[i] += total * pow(fmax(0, g->t[i] - g->onset) / dur, p);
}

static void draw_leak_sawtooth(struct gen *g)
{
	struct saw s = layer__draw_saw(g);

	if (gen__chance(g, .5))
		s.irregular = gen__uni(g, .1, .4);
	layer__sawtooth(g, &s);
	g->onset = gen__draw_onset(g);
	leak__linear(g, g->onset, gen__draw_rate(g, gen__hours_left(g), layer__saw_blur(g, &s)));
}

typedef void (*load_layer)(struct gen *g, const double *work, double amp);

static void leak_under_load(struct gen *g, enum load_kind kind, load_layer layer, bool shown)
{
	double amp = g->base * gen__loguni(g, .02, .35), *work = calloc(g->n, sizeof(*work)), rate;

	if (!work)
		return;
	gen__make_load(g, kind, work);
	layer(g, work, amp);
	g->onset = gen__draw_onset(g);
	/* Without the load column only a leak that outgrows the daily swing can be told from it. */
	rate = gen__draw_rate(g, gen__hours_left(g), shown ? .05 * amp : .3 * amp);
	if (gen__chance(g, .5))
		leak__by_work(g, g->onset, rate, work);
	else
		leak__linear(g, g->onset, rate);
	if (!shown)
		gen__hide_load(g);
	free(work);
}

static void draw_leak_daily(struct gen *g)
{
	leak_under_load(g, LOAD_DAILY, layer__load_memory, true);
}

static void draw_leak_daily_noload(struct gen *g)
{
	leak_under_load(g, LOAD_DAILY, layer__load_memory, false);
}

static void draw_leak_business(struct gen *g)
{
	leak_under_load(g, LOAD_BUSINESS, layer__load_memory, true);
}

static void draw_leak_daily_sticky(struct gen *g)
{
	leak_under_load(g, LOAD_DAILY, layer__sticky_memory, true);
}

static void draw_leak_deploy(struct gen *g)
{
	double t0 = gen__uni(g, .1, 1) * (g->span - VISIBLE_H * HOUR), rate;
	size_t i;

	layer__step(g, t0, g->base * gen__uni(g, -.2, .4));
	g->onset = t0;
	rate = gen__draw_rate(g, gen__hours_left(g), 0);
	leak__linear(g, t0, rate);
	if (!gen__chance(g, .6))
		return;
	leak__settle(g);
	g->own_starts = true;
	for (i = 0; i < g->n && g->t[i] < t0; i++)
		;
	layer__draw_restart(g, t0, .4, 900);
}

static void draw_leak_restarts(struct gen *g)
{
	double life = gen__uni(g, 4.5, 9) * HOUR, t0 = gen__uni(g, .3, 1) * life, rate;

	g->onset = 0;
	rate = gen__draw_rate(g, life / HOUR, 0);
	leak__linear(g, 0, rate);
	leak__settle(g);
	g->own_starts = true;
	for (; t0 < g->span - HOUR; t0 += life * gen__uni(g, .8, 1.2))
		layer__draw_restart(g, t0, .5, 900);
}

static void draw_leak_oom(struct gen *g)
{
	double life = gen__uni(g, 5, 14) * HOUR, rate, t0;

	g->onset = 0;
	rate = gen__draw_rate(g, life / HOUR, 0);
	g->limit = g->base * (1 + 6 * g->noise) + rate * life / HOUR;
	leak__linear(g, 0, rate);
	leak__settle(g);
	g->own_starts = true;
	for (t0 = life; t0 < g->span; t0 += life * gen__uni(g, .93, 1))
		layer__draw_restart(g, t0, .3, 600);
}

static void draw_leak_midway(struct gen *g)
{
	g->onset = gen__uni(g, .35, 1) * (g->span - VISIBLE_H * HOUR);
	leak__linear(g, g->onset, gen__draw_rate(g, VISIBLE_H, 0));
}

static void draw_leak_warm_up(struct gen *g)
{
	double tau = gen__uni(g, 300, 1.2 * HOUR), height = g->base * gen__uni(g, .1, .8);

	layer__saturating(g, 0, tau, height);
	g->onset = gen__draw_onset(g);
	leak__linear(g, g->onset, gen__draw_rate(g, gen__hours_left(g), 0));
}

static void draw_leak_batch(struct gen *g)
{
	double every = gen__uni(g, 1.5, 5) * HOUR, t0 = gen__uni(g, 0, every),
	       height = g->base * gen__uni(g, .1, .8);

	for (; t0 < g->span; t0 += every * gen__uni(g, .8, 1.2)) {
		double len = gen__uni(g, .1, .35) * every, rise = gen__uni(g, 60, 900);

		layer__ramp(g, t0, rise, height);
		layer__ramp(g, t0 + len, rise, -height);
	}
	g->onset = gen__draw_onset(g);
	leak__linear(g, g->onset, gen__draw_rate(g, gen__hours_left(g), 0));
}

/* A bug that was hit for some hours, then no more: found while it went on, or not at all. */
static void draw_leak_stops(struct gen *g)
{
	double dur = gen__uni(g, VISIBLE_H, 13) * HOUR, rate, end;
	size_t i;

	g->onset = gen__uni(g, 0, fmax(0, fmin(8 * HOUR, g->span - 1.2 * dur)));
	/* The rest after it must not bring the mean rate below the bar. */
	rate = (g->span - g->onset) / dur * gen__draw_rate(g, VISIBLE_H, 0);
	end = rate * dur / HOUR;
	leak__linear(g, g->onset, rate);
	for (i = 0; i < g->n; i++)
		g->cum[i] = fmin(g->cum[i], end);
}

static void draw_leak_medley(struct gen *g)
{
	double blur = layer__medley(g);

	g->onset = gen__draw_onset(g);
	/* The step must not pass for the leak, nor the leak for the step. */
	leak__linear(g, g->onset, gen__draw_rate(g, gen__hours_left(g), blur + .02 * g->base));
}

/* Loses on traffic only: silent at night, so it rests for hours. */
static void draw_leak_daytime(struct gen *g)
{
	double *work = calloc(g->n, sizeof(*work));

	if (!work)
		return;
	gen__make_load(g, LOAD_DAILY, work);
	g->onset = 0;
	leak__by_work(g, 0, gen__draw_rate(g, gen__hours_left(g), 0), work);
	if (gen__chance(g, .4))
		gen__hide_load(g);
	free(work);
}

static const struct shape list[] = {
	{"leak-linear", true, draw_linear, 0},
	{"leak-slow", true, draw_slow, SHAPE_CALM},
	{"leak-bursty", true, draw_bursty, 0},
	{"leak-accelerating", true, draw_accelerating, 0},
	{"leak-sawtooth", true, draw_leak_sawtooth, 0},
	{"leak-daily", true, draw_leak_daily, 0},
	{"leak-daily-noload", true, draw_leak_daily_noload, 0},
	{"leak-business", true, draw_leak_business, 0},
	{"leak-daily-sticky", true, draw_leak_daily_sticky, 0},
	{"leak-deploy", true, draw_leak_deploy, 0},
	{"leak-restarts", true, draw_leak_restarts, 0},
	{"leak-oom", true, draw_leak_oom, 0},
	{"leak-midway", true, draw_leak_midway, 0},
	{"leak-warm-up", true, draw_leak_warm_up, 0},
	{"leak-batch", true, draw_leak_batch, 0},
	{"leak-daytime", true, draw_leak_daytime, 0},
	{"leak-stops", true, draw_leak_stops, 0},
	{"leak-medley", true, draw_leak_medley, 0},
};

const struct shape *const leaky_shapes = list;
const int leaky_shape_cnt = (int)(sizeof(list) / sizeof(list[0]));
