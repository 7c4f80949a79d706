// SPDX-License-Identifier: BSD-2-Clause
/*
 * shapes_layers.c - what series are made of: random numbers, layers of healthy memory, leaks.
 *
 * Each layer adds its part to v[], each leak to cum[]. Sizes are bytes, times seconds since the
 * start of the series, rates bytes per hour.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include "shapes.h"
#include "shapes_gen.h"

#define BAR_BYTES_PER_HOUR MIB
#define BAR_SHARE_PER_HOUR .0012

/* ---- random numbers: splitmix64 seeds xoshiro256** ---- */

static uint64_t splitmix(uint64_t *x)
{
	uint64_t z = (*x += 0x9e3779b97f4a7c15ULL);

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
	return z ^ (z >> 31);
}

static uint64_t rotl(uint64_t x, int k)
{
	return (x << k) | (x >> (64 - k));
}

static uint64_t rng_next(struct rng *r)
{
	uint64_t *s = r->s, ret = rotl(s[1] * 5, 7) * 9, t = s[1] << 17;

	s[2] ^= s[0];
	s[3] ^= s[1];
	s[1] ^= s[2];
	s[0] ^= s[3];
	s[2] ^= t;
	s[3] = rotl(s[3], 45);
	return ret;
}

void gen__seed(struct rng *r, const struct shape_opts *o, uint64_t index)
{
	uint64_t x = o->seed, y;
	int i;

	/* The split is hashed in, so that no seed of one split can give a series of the other. */
	y = splitmix(&x) ^
	    (o->split == SPLIT_REPORT ? 0xa5a5f00dd00fb1b1ULL : 0x1234abcd9876fedcULL);
	x = splitmix(&y) ^ (index * 0xd1342543de82ef95ULL) ^ (o->wide ? 0x77777777ULL : 0);
	for (i = 0; i < 4; i++)
		r->s[i] = splitmix(&x);
}

double gen__uni(struct gen *g, double lo, double hi)
{
	return lo + (hi - lo) * ((double)(rng_next(&g->rng) >> 11) * 0x1p-53);
}

double gen__loguni(struct gen *g, double lo, double hi)
{
	return exp(gen__uni(g, log(lo), log(hi)));
}

bool gen__chance(struct gen *g, double p)
{
	return gen__uni(g, 0, 1) < p;
}

int gen__pick(struct gen *g, int n)
{
	return (int)(rng_next(&g->rng) % (uint64_t)n);
}

double gen__normal(struct gen *g)
{
	double u = gen__uni(g, 1e-12, 1), w = gen__uni(g, 0, 1);

	return sqrt(-2 * log(u)) * cos(2 * M_PI * w);
}

double gen__expo(struct gen *g, double mean)
{
	return -mean * log(gen__uni(g, 1e-12, 1));
}

/* ---- layers ---- */

void layer__noise(struct gen *g, double sd, double tau)
{
	double phi = tau > 0 ? exp(-g->interval / tau) : 0, x = sd * gen__normal(g);
	size_t i;

	for (i = 0; i < g->n; i++) {
		g->v[i] += x;
		x = phi * x + sd * sqrt(1 - phi * phi) * gen__normal(g);
	}
}

void layer__spikes(struct gen *g, double size, double every)
{
	double next = gen__expo(g, every), until = 0, h = 0;
	size_t i;

	for (i = 0; i < g->n; i++) {
		if (g->t[i] >= next) {
			h = size * gen__loguni(g, .3, 3);
			until = g->t[i] + g->interval * gen__uni(g, .5, 3);
			next = g->t[i] + gen__expo(g, every);
		}
		if (g->t[i] < until)
			g->v[i] += h;
	}
}

void layer__ramp(struct gen *g, double t0, double dur, double height)
{
	size_t i;

	for (i = 0; i < g->n; i++)
		if (g->t[i] >= t0)
			g->v[i] += height * fmin(1, (g->t[i] - t0) / fmax(dur, 1));
}

void layer__step(struct gen *g, double t0, double height)
{
	layer__ramp(g, t0, g->interval * gen__uni(g, .5, 4), height);
}

void layer__saturating(struct gen *g, double t0, double tau, double height)
{
	size_t i;

	for (i = 0; i < g->n; i++)
		if (g->t[i] >= t0)
			g->v[i] += height * (1 - exp(-(g->t[i] - t0) / tau));
}

void layer__log(struct gen *g, double t0, double tau, double height)
{
	size_t i;

	for (i = 0; i < g->n; i++)
		if (g->t[i] >= t0)
			g->v[i] += height * log1p((g->t[i] - t0) / tau);
}

void layer__sawtooth(struct gen *g, const struct saw *s)
{
	double t0 = -gen__uni(g, 0, s->period), period = s->period, amp = s->amp, left = 0;
	size_t i;

	for (i = 0; i < g->n; i++) {
		while (g->t[i] >= t0 + period) {
			t0 += period;
			period = s->period * exp(s->irregular * gen__normal(g));
			amp = s->amp * exp(.5 * s->irregular * gen__normal(g));
			left = s->floor_jitter * s->amp * fabs(gen__normal(g));
			if (s->grow_tau > 0)
				amp *= .15 + .85 * (1 - exp(-g->t[i] / s->grow_tau));
		}
		g->v[i] += left + fmax(0, amp - left) * (g->t[i] - t0) / period;
	}
}

struct saw layer__draw_saw(struct gen *g)
{
	struct saw s = {0};

	s.period = gen__loguni(g, 120, 1.2 * HOUR);
	s.amp = g->base * gen__loguni(g, .03, .6);
	s.floor_jitter = gen__uni(g, 0, .03);
	return s;
}

double layer__saw_blur(const struct gen *g, const struct saw *s)
{
	double step = g->interval / fmax(s->period, g->interval);

	return s->amp * (fmin(step, g->interval / HOUR) + s->floor_jitter);
}

/* ---- load ---- */

static double daily_curve(double hour)
{
	/* Night low, long day, second hump in the evening. */
	return .5 - .42 * cos(2 * M_PI * (hour - 3) / 24) + .1 * sin(4 * M_PI * (hour - 3) / 24);
}

static double business_curve(double hour_of_week)
{
	double h = fmod(hour_of_week, 24);

	if (hour_of_week >= 120)
		return .08;
	if (h < 7 || h >= 20)
		return .05;
	if (h < 11)
		return .05 + .9 * (h - 7) / 4;
	if (h < 16)
		return .95;
	return .95 - .9 * (h - 16) / 4;
}

static double load_curve(enum load_kind kind, double t, double phase_h, double mid, double width)
{
	switch (kind) {
	case LOAD_DAILY:
		return daily_curve(fmod(t / HOUR + phase_h, 24));
	case LOAD_BUSINESS:
		return business_curve(fmod(t / HOUR + phase_h, 168));
	case LOAD_CAMPAIGN:
		return .2 + .7 / (1 + exp(-(t - mid) / width));
	case LOAD_FLAT:
	default:
		return .5;
	}
}

void gen__make_load(struct gen *g, enum load_kind kind, double *work)
{
	double phase = gen__uni(g, 0, kind == LOAD_BUSINESS ? 168 : 24),
	       scale = gen__loguni(g, .1, 5000);
	double mid = gen__uni(g, .2, .8) * g->span, width = gen__uni(g, .5, 2) * HOUR, x = 0;
	double wander = gen__uni(g, .01, .06), blur = gen__loguni(g, .01, .6),
	       phi = exp(-g->interval / 900);
	size_t i;

	for (i = 0; i < g->n; i++) {
		x = phi * x + wander * sqrt(1 - phi * phi) * gen__normal(g);
		work[i] = fmax(.01, load_curve(kind, g->t[i], phase, mid, width) * (1 + x));
		g->load[i] = fmax(0, scale * work[i] * (1 + blur * gen__normal(g)));
	}
	g->own_load = true;
}

void gen__hide_load(struct gen *g)
{
	size_t i;

	for (i = 0; i < g->n; i++)
		g->load[i] = NAN;
	g->own_load = true;
}

void layer__load_memory(struct gen *g, const double *work, double amp)
{
	double lag = gen__chance(g, .5) ? 0 : gen__uni(g, 60, 1500);
	double a = lag > 0 ? 1 - exp(-g->interval / lag) : 1, x = work[0];
	size_t i;

	for (i = 0; i < g->n; i++) {
		x += a * (work[i] - x);
		g->v[i] += amp * x;
	}
}

void layer__sticky_memory(struct gen *g, const double *work, double amp)
{
	double keep = gen__chance(g, .4) ? INFINITY : gen__loguni(g, 2 * HOUR, 48 * HOUR);
	double a = 1 - exp(-g->interval / gen__uni(g, 60, 900)), x = work[0], high = 0;
	size_t i;

	for (i = 0; i < g->n; i++) {
		x += a * (work[i] - x);
		high = fmax(x, high * exp(-g->interval / keep));
		g->v[i] += amp * high;
	}
}

/* ---- leaks ---- */

double gen__bar(const struct gen *g)
{
	return fmax(BAR_SHARE_PER_HOUR * g->base, BAR_BYTES_PER_HOUR);
}

double gen__draw_rate(struct gen *g, double hours, double blur)
{
	double quantum = g->quant == QUANT_PERCENT ? g->base / g->machine * g->quantum : g->quantum;
	double lo = BAR_FACTOR * gen__bar(g) / g->base;

	lo = fmax(lo, 4 * g->noise / hours);
	lo = fmax(lo, 5 * quantum / g->base / hours);
	lo = fmax(lo, 4 * blur / g->base / hours);
	return g->base * gen__loguni(g, lo, fmax(1.5 * lo, .1));
}

double gen__draw_onset(struct gen *g)
{
	double latest = g->span - VISIBLE_H * HOUR;

	return gen__chance(g, .5) ? 0 : gen__uni(g, 0, latest);
}

double gen__hours_left(const struct gen *g)
{
	return fmin((g->span - g->onset) / HOUR, 12);
}

void leak__linear(struct gen *g, double onset, double rate)
{
	size_t i;

	g->onset = onset;
	for (i = 0; i < g->n; i++)
		g->cum[i] += fmax(0, g->t[i] - onset) / HOUR * rate;
}

void leak__by_work(struct gen *g, double onset, double rate, const double *work)
{
	double sum = 0, mean = 0;
	size_t i;

	for (i = 0; i < g->n; i++)
		mean += work[i] / (double)g->n;
	g->onset = onset;
	for (i = 0; i < g->n; i++) {
		if (g->t[i] > onset)
			sum += g->interval / HOUR * rate * work[i] / mean;
		g->cum[i] += sum;
	}
}

void leak__bursts(struct gen *g, double onset, double rate, double every)
{
	double sum = 0, next = onset + gen__expo(g, every);
	size_t i;

	g->onset = onset;
	for (i = 0; i < g->n; i++) {
		while (g->t[i] >= next) {
			sum += rate * every / HOUR * exp(.5 * gen__normal(g) - .125);
			next += every * (.35 + gen__expo(g, .65));
		}
		g->cum[i] += sum;
	}
}

void layer__restart(struct gen *g, double t0, double dip, double tau)
{
	double off;
	size_t i = 0, j;

	while (i < g->n && g->t[i] < t0)
		i++;
	if (i == 0 || i >= g->n)
		return;
	g->start[i] = 1;
	off = g->leak[i];
	for (j = i; j < g->n; j++) {
		g->leak[j] -= off;
		g->v[j] *= 1 - dip * exp(-(g->t[j] - t0) / tau);
	}
}

void layer__draw_restart(struct gen *g, double t0, double dip_max, double tau_max)
{
	double tau = gen__uni(g, 60, tau_max);

	layer__restart(g, t0, gen__uni(g, .05, dip_max), tau);
}

void leak__settle(struct gen *g)
{
	memcpy(g->leak, g->cum, g->n * sizeof(*g->leak));
}

double layer__medley(struct gen *g)
{
	struct saw s = layer__draw_saw(g);
	double blur = 0, t0, height, *work;

	if (gen__chance(g, .6)) {
		s.amp *= .5;
		s.irregular = gen__uni(g, 0, .4);
		layer__sawtooth(g, &s);
		blur += layer__saw_blur(g, &s);
	}
	if (gen__chance(g, .6)) {
		height = g->base * gen__loguni(g, .05, .6);
		layer__saturating(g, 0, gen__loguni(g, 120, HOUR), height);
	}
	if (gen__chance(g, .4)) {
		height = g->base * gen__loguni(g, .02, .2);
		layer__step(g, gen__uni(g, .1, .9) * g->span, height);
	}
	if (gen__chance(g, .4)) {
		t0 = gen__uni(g, .1, .8) * g->span;
		layer__ramp(g, t0, 600, .4 * g->base);
		layer__ramp(g, t0 + gen__uni(g, .3, 3) * HOUR, 600, -.4 * g->base);
	}
	work = calloc(g->n, sizeof(*work));
	if (work && gen__chance(g, .5)) {
		gen__make_load(g, gen__chance(g, .5) ? LOAD_DAILY : LOAD_BUSINESS, work);
		layer__load_memory(g, work, g->base * gen__loguni(g, .02, .2));
	}
	free(work);
	return blur;
}
