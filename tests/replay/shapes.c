// SPDX-License-Identifier: BSD-2-Clause
/*
 * shapes.c - labelled memory series made from a seed, leaky and healthy.
 *
 * A series is a sum of layers over its sample times: a base, one or two layers that make the
 * shape, noise; then nuisances (quantisation, lost samples, restarts, a load column, a limit) that
 * every shape gets. The shapes themselves are in shapes_leaky.c, shapes_healthy.c, strangers.c, guests.c.
 */
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "shapes.h"
#include "shapes_gen.h"

#define UNIX_DAWN 1700000000.0

/* ---- sets of shapes ---- */

/* NULL: the leaky ones, then the healthy ones. */
static const struct shape *shape_at(const struct shape_set *set, int kind)
{
	if (set)
		return &set->v[kind];
	return kind < leaky_shape_cnt ? &leaky_shapes[kind]
				      : &healthy_shapes[kind - leaky_shape_cnt];
}

int shapes__cnt(const struct shape_set *set)
{
	return set ? set->cnt : leaky_shape_cnt + healthy_shape_cnt;
}

const char *shapes__name(const struct shape_set *set, int kind)
{
	return shape_at(set, kind)->name;
}

bool shapes__leaks(const struct shape_set *set, int kind)
{
	return shape_at(set, kind)->leak;
}

int shapes__find(const struct shape_set *set, const char *name)
{
	int i;

	for (i = 0; i < shapes__cnt(set); i++)
		if (!strcmp(shapes__name(set, i), name))
			return i;
	return -1;
}

/* ---- nuisances ---- */

static const struct shape *draw_kind(struct gen *g, const struct shape_opts *o)
{
	bool leak = gen__chance(g, .5);
	int i, cnt = shapes__cnt(o->set);

	if (o->kind >= 0 && o->kind < cnt)
		return shape_at(o->set, o->kind);
	do {
		i = gen__pick(g, cnt);
	} while (shape_at(o->set, i)->leak != leak);
	return shape_at(o->set, i);
}

static void draw_times(struct gen *g, const struct shape *shape, double days)
{
	static const double tuned[] = {5, 10, 15, 30, 60, 60, 120, 300};
	static const double wide[] = {2, 3, 400, 600};
	static const double spans[] = {1, 1, 1, 1, 1, 1, 1.5, 2, 2, 3};

	g->interval = g->wide ? wide[gen__pick(g, 4)] : tuned[gen__pick(g, 8)];
	if (shape->traits & SHAPE_WEEK)
		g->interval = 300;
	if (days > 0)
		g->span = days * DAY;
	else if (shape->traits & SHAPE_WEEK)
		g->span = gen__uni(g, 3, 9) * DAY;
	else if (g->interval >= 60 && gen__chance(g, .08))
		g->span = 7 * DAY;
	else
		g->span = spans[gen__pick(g, 10)] * DAY;
	g->n = (size_t)(g->span / g->interval) + 1;
}

static void draw_quant(struct gen *g)
{
	g->machine = gen__uni(g, .25, .9);
	switch (gen__pick(g, 6)) {
	case 0:
		g->quant = QUANT_BYTES;
		g->quantum = g->wide ? fmin(16 * MIB, g->base / 40) : fmin(MIB, g->base / 20);
		break;
	case 1:
		g->quant = QUANT_PERCENT;
		g->quantum = g->wide ? .02 : .01;
		break;
	case 2:
		g->quant = QUANT_NONE;
		break;
	default:
		g->quant = QUANT_BYTES;
		g->quantum = g->wide ? 64 * KIB : 4 * KIB;
		break;
	}
}

static void draw_level(struct gen *g)
{
	if (!g->wide) {
		g->base = gen__loguni(g, 5 * MIB, 64 * GIB);
		g->noise = gen__chance(g, .15) ? 0 : gen__loguni(g, 1e-4, 1e-2);
		return;
	}
	g->base = gen__chance(g, .5) ? gen__loguni(g, 2 * MIB, 5 * MIB)
				     : gen__loguni(g, 64 * GIB, 1024 * GIB);
	g->noise = gen__loguni(g, 1e-2, 3e-2);
}

static void draw_background(struct gen *g)
{
	double *work, every, tau = gen__chance(g, .5) ? 0 : gen__uni(g, 60, 1500);
	size_t i;

	for (i = 0; i < g->n; i++)
		g->v[i] += g->base;
	if (g->noise > 0)
		layer__noise(g, g->base * g->noise, tau);
	if (g->noise > 0 && gen__chance(g, .3)) {
		every = gen__uni(g, 300, 4 * HOUR);
		layer__spikes(g, g->base * gen__loguni(g, .01, .3), every);
	}
	if (g->own_load || gen__chance(g, .5))
		return;
	work = calloc(g->n, sizeof(*work));
	if (!work)
		return;
	gen__make_load(g, gen__chance(g, .5) ? LOAD_FLAT : LOAD_DAILY, work);
	free(work);
}

/* One or two restarts that the shape did not ask for; a leak keeps its hours after the last. */
static void draw_nuisance_restarts(struct gen *g)
{
	double first = isnan(g->onset) ? 0 : g->onset, last = g->span - VISIBLE_H * HOUR;
	int i, n = 1 + gen__pick(g, 2);

	if (g->own_starts || last <= first || !gen__chance(g, .12))
		return;
	for (i = 0; i < n; i++)
		layer__draw_restart(g, gen__uni(g, first, last), .5, 900);
}

static void draw_limit(struct gen *g)
{
	double top = 0;
	size_t i;

	for (i = 0; i < g->n; i++)
		top = fmax(top, g->v[i] + g->leak[i]);
	if (!isnan(g->limit)) {
		/* An own limit is a wall: nothing is ever seen above it. */
		for (i = 0; i < g->n; i++)
			g->v[i] = fmin(g->v[i], g->limit - g->leak[i]);
		return;
	}
	if (g->quant == QUANT_PERCENT)
		g->limit = fmax(g->base / g->machine, top * 1.03);
	else if (gen__chance(g, .5))
		g->limit = top * gen__loguni(g, 1.05, 6);
}

static double quantise(const struct gen *g, double bytes)
{
	double q = g->quant == QUANT_PERCENT ? g->limit * g->quantum : g->quantum;

	if (g->quant == QUANT_NONE || q <= 0)
		return floor(bytes);
	return q * round(bytes / q);
}

/* Which samples the recorder lost: single ones, and some long holes. */
static void lose_samples(struct gen *g, bool gappy, unsigned char *lost)
{
	double p = g->wide ? gen__uni(g, .1, .3) : gen__chance(g, .4) ? gen__uni(g, 0, .03) : 0;
	int i, holes = g->wide		     ? 1 + gen__pick(g, 2)
		       : gen__chance(g, .25) ? 1 + gen__pick(g, 2)
					     : 0;
	size_t k;

	if (gappy) {
		p = gen__uni(g, 0, .4);
		holes = 1 + gen__pick(g, 4);
	}
	for (k = 0; k < g->n; k++)
		lost[k] = gen__chance(g, p);
	for (i = 0; i < holes; i++) {
		double t0 = gen__uni(g, 0, g->span);
		double t1 = t0 + (g->wide || gappy ? gen__uni(g, .5, 2.5) * HOUR
						   : gen__loguni(g, 600, 5400));

		for (k = 0; k < g->n; k++)
			lost[k] |= g->t[k] >= t0 && g->t[k] < t1;
	}
}

static void step_clock(struct gen *g)
{
	double t0 = gen__uni(g, .1, .9) * g->span, by = gen__loguni(g, 2, 2 * HOUR);
	double way = gen__chance(g, .5) ? 1 : -1;
	size_t i;

	for (i = 0; i < g->n; i++)
		if (g->t[i] >= t0)
			g->t[i] += way * by;
}

static int by_time(const void *a, const void *b)
{
	const struct shape_point *x = a, *y = b;

	return (x->t_s > y->t_s) - (x->t_s < y->t_s);
}

static int emit_points(struct gen *g, bool gappy, struct shape_series *s)
{
	double epoch = gen__chance(g, .3) ? floor(UNIX_DAWN + gen__uni(g, 0, 1e8)) : 0;
	unsigned char *lost = calloc(g->n, 1);
	size_t i;

	s->points = calloc(g->n, sizeof(*s->points));
	if (!lost || !s->points) {
		free(lost);
		return -ENOMEM;
	}
	lose_samples(g, gappy, lost);
	for (i = 0; i < g->n; i++) {
		struct shape_point *p = &s->points[s->cnt];

		if (lost[i] && !g->start[i])
			continue;
		p->t_s = epoch + g->t[i];
		p->bytes = quantise(g, fmax(64 * KIB, g->v[i] + g->leak[i]));
		p->limit_bytes = g->limit;
		p->load = g->load[i];
		p->leaked_bytes = g->cum[i];
		p->start = g->start[i];
		s->cnt++;
	}
	free(lost);
	qsort(s->points, s->cnt, sizeof(*s->points), by_time);
	s->onset_s = s->leak ? epoch + g->onset : 0;
	s->leaked_bytes_end = s->leak ? g->cum[g->n - 1] : 0;
	s->interval_s = g->interval;
	return 0;
}

/* ---- one series ---- */

static int gen_alloc(struct gen *g)
{
	size_t i;

	g->t = calloc(g->n, sizeof(*g->t));
	g->v = calloc(g->n, sizeof(*g->v));
	g->leak = calloc(g->n, sizeof(*g->leak));
	g->cum = calloc(g->n, sizeof(*g->cum));
	g->load = calloc(g->n, sizeof(*g->load));
	g->start = calloc(g->n, 1);
	if (!g->t || !g->v || !g->leak || !g->cum || !g->load || !g->start)
		return -ENOMEM;
	for (i = 0; i < g->n; i++) {
		g->t[i] = (double)i * g->interval;
		g->load[i] = NAN;
	}
	return 0;
}

static void gen_free(struct gen *g)
{
	free(g->t);
	free(g->v);
	free(g->leak);
	free(g->cum);
	free(g->load);
	free(g->start);
}

static void draw_series(struct gen *g, const struct shape *shape)
{
	/*
	 * Restarts scale what is there, so a shape with own restarts needs its base first; shapes
	 * that ask for a calmer or shifted base say so before it is laid.
	 */
	if (shape->traits & SHAPE_CALM) {
		g->base = fmax(g->base, g->wide ? 64 * GIB : GIB);
		g->noise = fmin(g->noise, .002);
		g->quant = QUANT_BYTES;
		g->quantum = 4 * KIB;
	}
	if (shape->traits & SHAPE_OWN_BASE) {
		shape->draw(g);
		draw_background(g);
	} else {
		draw_background(g);
		shape->draw(g);
	}
	if (!g->own_starts)
		leak__settle(g);
	draw_nuisance_restarts(g);
	draw_limit(g);
	if (g->clock_steps)
		step_clock(g);
}

int shapes__generate(const struct shape_opts *opts, uint64_t index, struct shape_series *ret_series)
{
	struct gen g = {.wide = opts->wide, .limit = NAN, .onset = NAN};
	struct shape_series s = {0};
	const struct shape *shape;
	int err;

	gen__seed(&g.rng, opts, index);
	shape = draw_kind(&g, opts);
	draw_level(&g);
	draw_quant(&g);
	draw_times(&g, shape, opts->days);
	err = gen_alloc(&g);
	if (err)
		goto out;
	draw_series(&g, shape);
	snprintf(s.name, sizeof(s.name), "syn-%05llu", (unsigned long long)index);
	s.shape = shape->name;
	s.leak = shape->leak;
	err = emit_points(&g, shape->traits & SHAPE_GAPPY, &s);
	if (!err)
		*ret_series = s;
	else
		shapes__release(&s);
out:
	gen_free(&g);
	return err;
}

void shapes__release(struct shape_series *series)
{
	free(series->points);
	series->points = NULL;
	series->cnt = 0;
}
