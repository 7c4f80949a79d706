// SPDX-License-Identifier: BSD-2-Clause
/*
 * guests.c - memory as other people's monitoring records it, with leaks added as one adds them to
 * recordings.
 *
 * Whole machines and pods instead of processes: virtual machines of offices, of which a hypervisor
 * estimates the active memory, for a week at five minutes; cluster nodes on which jobs come and
 * go; small machines in whole percents; pods of a request path. A leak of .5 to 8 % of the level an
 * hour starts with the recording or later, evenly or in bursts, without asking whether it can be
 * seen, so recall has a ceiling below one. Nothing is learned from these.
 */
#include <math.h>
#include <stdlib.h>
#include "shapes_gen.h"

/* A leak as bench/scoring/inject.c adds them: a third of the recording is left for it. */
static void add_leak(struct gen *g)
{
	double rate = g->base * gen__loguni(g, .005, .08), every;

	g->onset = gen__chance(g, .5) ? 0 : gen__uni(g, 0, 2. / 3) * g->span;
	every = gen__chance(g, .5) ? 0 : gen__uni(g, .2, 1) * HOUR;
	rate = fmax(rate, BAR_FACTOR * gen__bar(g));
	if (every > 0)
		leak__bursts(g, g->onset, rate, every);
	else
		leak__linear(g, g->onset, rate);
}

/* Noise that is a share of what is there, with a memory of tau seconds. */
static void scatter(struct gen *g, double sd, double tau)
{
	double phi = exp(-g->interval / tau), x = gen__normal(g);
	size_t i;

	for (i = 0; i < g->n; i++) {
		x = phi * x + sqrt(1 - phi * phi) * gen__normal(g);
		g->v[i] *= exp(sd * x);
	}
}

/* ---- a virtual machine of an office: working hours, back-ups at night, an estimate ---- */

static void office(struct gen *g)
{
	double *work = calloc(g->n, sizeof(*work)), amp = g->base * gen__loguni(g, .1, 3);
	double at = gen__uni(g, 0, DAY), len = gen__loguni(g, 600, 3 * HOUR);
	double height = gen__chance(g, .6) ? g->base * gen__loguni(g, .1, 2) : 0, tau, sd;
	size_t i;

	if (!work)
		return;
	gen__make_load(g, LOAD_BUSINESS, work);
	layer__load_memory(g, work, amp);
	for (i = 0; i < g->n; i++)
		if (fmod(g->t[i] + at, DAY) < len)
			g->v[i] += height;
	sd = gen__loguni(g, .02, .3);
	tau = gen__loguni(g, 300, 2 * HOUR);
	scatter(g, sd, tau);
	if (gen__chance(g, .5))
		gen__hide_load(g);
	free(work);
}

static void draw_office(struct gen *g)
{
	office(g);
}

static void draw_leak_office(struct gen *g)
{
	office(g);
	add_leak(g);
}

/* ---- a cluster node: jobs of minutes to days are placed on it until it is full ---- */

#define JOBS 24

static void cluster(struct gen *g)
{
	double size[JOBS], end[JOBS] = {0}, every = gen__loguni(g, 300, 2 * HOUR), next = 0, sum;
	double room = g->base * gen__uni(g, .1, 1);
	size_t i;
	int k;

	for (i = 0; i < g->n; i++) {
		for (k = 0, sum = 0; k < JOBS; k++)
			sum += g->t[i] < end[k] ? size[k] : 0;
		for (k = 0; k < JOBS && g->t[i] >= next; k++) {
			if (g->t[i] < end[k])
				continue;
			size[k] = room / 8 * gen__loguni(g, .1, 3);
			if (sum + size[k] < room)
				end[k] = g->t[i] + gen__loguni(g, 600, 30 * HOUR);
			next = g->t[i] + gen__expo(g, every);
		}
		next = fmax(next, g->t[i]);
		g->v[i] += sum;
	}
}

static void draw_cluster(struct gen *g)
{
	cluster(g);
}

static void draw_leak_cluster(struct gen *g)
{
	cluster(g);
	add_leak(g);
}

/* ---- a small machine in whole percents: a few services, cron, a database that warms up ---- */

static void small(struct gen *g)
{
	double tau = gen__uni(g, .2, 3) * HOUR, sd = gen__loguni(g, .003, .03), height;
	struct saw s = {0};

	g->base = gen__loguni(g, 256 * MIB, 8 * GIB);
	g->quant = QUANT_PERCENT;
	g->quantum = .01;
	layer__noise(g, g->base * sd, tau);
	if (gen__chance(g, .5)) {
		height = g->base * gen__loguni(g, .02, .3);
		layer__saturating(g, gen__uni(g, -.2, .6) * g->span, gen__uni(g, .1, 2) * HOUR,
				  height);
	}
	if (gen__chance(g, .5)) {
		s = layer__draw_saw(g);
		s.amp *= .3;
		s.irregular = gen__uni(g, 0, .5);
		layer__sawtooth(g, &s);
	}
}

static void draw_small(struct gen *g)
{
	small(g);
}

static void draw_leak_small(struct gen *g)
{
	small(g);
	add_leak(g);
}

/* ---- a pod on a request path: follows its requests a little, pools that fill to their size ---- */

static void pod(struct gen *g)
{
	static const enum load_kind kinds[] = {LOAD_FLAT, LOAD_DAILY, LOAD_CAMPAIGN};
	double *work = calloc(g->n, sizeof(*work)), height, tau;
	int i, pools;

	if (!work)
		return;
	g->base = gen__loguni(g, 20 * MIB, 2 * GIB);
	g->noise = gen__loguni(g, 1e-4, 4e-3);
	g->quant = QUANT_BYTES;
	g->quantum = 4 * KIB;
	gen__make_load(g, kinds[gen__pick(g, 3)], work);
	layer__load_memory(g, work, g->base * gen__loguni(g, .003, .1));
	pools = gen__pick(g, 4);
	for (i = 0; i < pools; i++) {
		height = g->base * gen__loguni(g, .005, .15);
		tau = gen__loguni(g, 300, 1.5 * HOUR);
		layer__saturating(g, gen__uni(g, -.1, .8) * g->span, tau, height);
	}
	free(work);
}

static void draw_pod(struct gen *g)
{
	pod(g);
}

static void draw_leak_pod(struct gen *g)
{
	pod(g);
	add_leak(g);
}

static const struct shape list[] = {
	{"g-leak-office", true, draw_leak_office, SHAPE_WEEK},
	{"g-leak-cluster", true, draw_leak_cluster, SHAPE_WEEK},
	{"g-leak-small", true, draw_leak_small, SHAPE_OWN_BASE},
	{"g-leak-pod", true, draw_leak_pod, SHAPE_OWN_BASE},
	{"g-office", false, draw_office, SHAPE_WEEK},
	{"g-cluster", false, draw_cluster, SHAPE_WEEK},
	{"g-small", false, draw_small, SHAPE_OWN_BASE},
	{"g-pod", false, draw_pod, SHAPE_OWN_BASE},
};

const struct shape_set guests = {list, (int)(sizeof(list) / sizeof(list[0]))};
