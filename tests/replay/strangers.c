// SPDX-License-Identifier: BSD-2-Clause
/*
 * strangers.c - memory of programs simulated by what they do, leaky and healthy.
 *
 * The shapes of shapes.c are curves, and a detector tuned on them learns those curves. Here
 * memory comes out of a mechanism instead: sessions arrive and end, caches meet keys of a
 * long-tailed popularity, collectors promote, queues back up, arenas keep their record. Nothing
 * may be tuned on these; they tell what the numbers on the other corpus are worth elsewhere.
 */
#include <math.h>
#include <stdlib.h>
#include "shapes.h"
#include "shapes_gen.h"

/* Work in 0..1 over time; the caller frees it. Most programs here have a load to follow. */
static double *draw_work(struct gen *g)
{
	static const enum load_kind kinds[] = {LOAD_FLAT, LOAD_DAILY, LOAD_DAILY, LOAD_BUSINESS};
	double *work = calloc(g->n, sizeof(*work));

	if (!work)
		return NULL;
	gen__make_load(g, kinds[gen__pick(g, 4)], work);
	return work;
}

static double mean_of(const double *v, size_t n)
{
	double sum = 0;
	size_t i;

	for (i = 0; i < n; i++)
		sum += v[i];
	return n ? sum / (double)n : 0;
}

/* Starts the leak of a program: the onset, and the bytes per hour it loses on average. */
static double begin_leak(struct gen *g, double blur)
{
	g->onset = gen__draw_onset(g);
	return gen__draw_rate(g, gen__hours_left(g), blur);
}

/* A loss per step of `share` of the mean rate, summed up. */
struct drip {
	double rate; /* bytes per hour, on average */
	double sum;
};

static void drip(struct gen *g, struct drip *d, size_t i, double share)
{
	if (g->t[i] > g->onset)
		d->sum += d->rate * g->interval / HOUR * share;
	g->cum[i] += d->sum;
}

/* ---- sessions: people come, stay for a while, and go ---- */

static void add_sessions(struct gen *g, const double *work, double amp)
{
	double stay = gen__loguni(g, 300, 2 * HOUR), each = amp / gen__loguni(g, 30, 3000), n, k;
	double full = amp / each;
	size_t i;

	n = full * work[0];
	k = fmin(.5, g->interval / stay);
	for (i = 0; i < g->n; i++) {
		n += k * (full * work[i] - n) + sqrt(2 * k * fmax(n, 1)) * gen__normal(g);
		n = fmax(0, n);
		g->v[i] += floor(n) * each;
	}
}

static void draw_sessions(struct gen *g)
{
	double *work = draw_work(g);

	if (work)
		add_sessions(g, work, g->base * gen__loguni(g, .03, .5));
	free(work);
}

/* Some sessions are never taken out of the table. */
static void draw_leak_sessions(struct gen *g)
{
	double *work = draw_work(g), amp = g->base * gen__loguni(g, .03, .3), mean;
	struct drip d = {0};
	size_t i;

	if (!work)
		return;
	add_sessions(g, work, amp);
	d.rate = begin_leak(g, .1 * amp);
	mean = mean_of(work, g->n);
	for (i = 0; i < g->n; i++)
		drip(g, &d, i, work[i] / mean);
	free(work);
}

/* ---- caches: distinct keys after n requests of a long-tailed popularity ---- */

static void add_keys(struct gen *g, const double *work, double exponent, double cap, double hours)
{
	double per_hour = pow(cap, 1 / exponent) / hours, asked = 0;
	size_t i;

	for (i = 0; i < g->n; i++) {
		asked += per_hour * g->interval / HOUR * work[i] * 1.6;
		g->v[i] += fmin(cap, pow(asked, exponent));
	}
}

static void draw_lru(struct gen *g)
{
	double *work = draw_work(g), hours = gen__loguni(g, .2, 5);
	double cap = g->base * gen__loguni(g, .1, 2);

	if (work)
		add_keys(g, work, gen__uni(g, .4, .8), cap, hours);
	free(work);
}

/* The same without a bound: it slows down, and never stops. */
static void draw_leak_keys(struct gen *g)
{
	double exponent = gen__uni(g, .85, 1), total, mean, asked = 0;
	double *work = draw_work(g);
	size_t i;

	if (!work)
		return;
	g->onset = 0;
	total = 1.5 * gen__draw_rate(g, gen__hours_left(g), 0) * g->span / HOUR;
	mean = mean_of(work, g->n);
	for (i = 0; i < g->n; i++) {
		asked += work[i] / mean / (double)g->n;
		g->cum[i] += total * pow(asked, exponent);
	}
	free(work);
}

/* ---- a collected heap: young garbage, promotion, full collections ---- */

struct heap {
	double live;	 /* what survives a full collection */
	double young;	 /* bytes that fill the young space */
	double old_room; /* bytes above live that force a full collection */
	double promote;	 /* share of each young collection that becomes old */
	double rate;	 /* bytes allocated per second at full work */
};

static struct heap draw_heap(struct gen *g)
{
	struct heap h = {.live = g->base * gen__uni(g, .1, .5)};

	h.promote = gen__uni(g, .01, .15);
	h.young = h.live * gen__uni(g, .1, .8);
	h.old_room = h.live * gen__uni(g, .2, 1.5);
	/* A full collection every 15 min to 3 h. */
	h.rate = h.old_room / h.promote / (gen__loguni(g, .25, 3) * HOUR);
	return h;
}

static void run_heap(struct gen *g, const struct heap *h, const double *work, struct drip *d)
{
	double fill = 0, old = 0, wander = 0, mean = mean_of(work, g->n), minors;
	size_t i;

	for (i = 0; i < g->n; i++) {
		fill += h->rate * g->interval * work[i] / mean;
		minors = floor(fill / h->young);
		fill -= minors * h->young;
		old += minors * h->young * h->promote * exp(.2 * gen__normal(g));
		wander += -wander * g->interval / HOUR +
			  .01 * sqrt(g->interval / HOUR) * gen__normal(g);
		if (old > h->old_room)
			old = h->old_room * gen__uni(g, 0, .04);
		g->v[i] += h->live * (1 + wander) + fill + old;
		if (d)
			drip(g, d, i, work[i] / mean);
	}
}

static void draw_heap_healthy(struct gen *g)
{
	struct heap h = draw_heap(g);
	double *work = draw_work(g);

	if (work)
		run_heap(g, &h, work, NULL);
	free(work);
}

static void draw_leak_heap(struct gen *g)
{
	struct heap h = draw_heap(g);
	double *work = draw_work(g), step = g->interval * h.rate * h.promote;
	struct drip d = {.rate = begin_leak(g, .05 * h.old_room + fmin(h.young, step / h.promote))};

	if (work)
		run_heap(g, &h, work, &d);
	free(work);
}

/* ---- a store: tables in memory fill and are written out, now and then merged ---- */

static void draw_store(struct gen *g)
{
	double *work = draw_work(g), fill[4], size[4], rate[4], merge = 0;
	int k, n = 2 + gen__pick(g, 3);
	size_t i;

	for (k = 0; k < n; k++) {
		size[k] = g->base * gen__uni(g, .03, .2);
		fill[k] = size[k] * gen__uni(g, 0, 1);
		rate[k] = size[k] / (gen__loguni(g, .1, 3) * HOUR);
	}
	for (i = 0; work && i < g->n; i++) {
		if (merge <= 0 && gen__chance(g, g->interval / (2 * HOUR)))
			merge = gen__uni(g, 300, 2400);
		merge -= g->interval;
		g->v[i] += merge > 0 ? .15 * g->base : 0;
		for (k = 0; k < n; k++) {
			fill[k] += rate[k] * g->interval * 2 * work[i];
			if (fill[k] > size[k])
				fill[k] = 0;
			g->v[i] += fill[k];
		}
	}
	free(work);
}

/* ---- a queue whose reader stops now and then, or is always a little too slow ---- */

static void draw_backlog(struct gen *g)
{
	double inflow = g->base * gen__loguni(g, .1, 1.5) / HOUR,
	       drain = inflow * gen__uni(g, 1.5, 6);
	double every = gen__uni(g, 3, 10) * HOUR, next = gen__expo(g, every), back = 0, q = 0;
	size_t i;

	for (i = 0; i < g->n; i++) {
		if (g->t[i] >= next) {
			back = g->t[i] + gen__loguni(g, 300, 1.5 * HOUR);
			next = back + gen__expo(g, every);
		}
		q += (g->t[i] < back ? inflow : inflow - drain) * g->interval;
		q = fmax(0, q);
		g->v[i] += q;
	}
}

static void draw_leak_queue(struct gen *g)
{
	double *work = draw_work(g), rate, slack = gen__uni(g, .1, .5), mean;
	size_t i;

	if (!work)
		return;
	rate = begin_leak(g, 0);
	mean = mean_of(work, g->n);
	/* Where work is low the reader catches up a little, so this is not monotone. */
	for (i = 1; i < g->n; i++) {
		double in = g->t[i] > g->onset ? rate * (work[i] / mean - slack) / (1 - slack) : 0;

		g->cum[i] = fmax(0, g->cum[i - 1] + in * g->interval / HOUR);
	}
	free(work);
}

/* ---- arenas: each keeps the record of what it once needed ---- */

static void draw_arenas(struct gen *g)
{
	int k, n = 2 + gen__pick(g, 14);
	double scale = g->base * gen__loguni(g, .05, .6) / n, every = gen__loguni(g, 30, 600);
	double record[16] = {0};
	size_t i;

	for (i = 0; i < g->n; i++) {
		for (k = 0; k < n; k++) {
			if (gen__chance(g, fmin(1, g->interval / every)))
				record[k] = fmax(record[k], fmin(2.5, exp(.45 * gen__normal(g))));
			g->v[i] += scale * record[k];
		}
	}
}

/* ---- endpoints met for the first time are compiled and kept ---- */

static void draw_endpoints(struct gen *g)
{
	double each = g->base * gen__loguni(g, .1, 1) / 60, rate = gen__loguni(g, .005, .5),
	       known = 0;
	double seen[60] = {0};
	size_t i;
	int k;

	for (i = 0; i < g->n; i++) {
		for (k = 0; k < 60; k++) {
			if (seen[k] > 0 ||
			    !gen__chance(g, 1 - exp(-rate * g->interval / pow(k + 1, 1.2))))
				continue;
			seen[k] = each * exp(.4 * gen__normal(g));
			known += seen[k];
		}
		g->v[i] += known;
	}
}

/* ---- jobs by the clock; memory goes back some time after ---- */

static void draw_jobs(struct gen *g)
{
	double every[] = {HOUR, 3 * HOUR, 6 * HOUR, 24 * HOUR}, period = every[gen__pick(g, 4)];
	double len = gen__loguni(g, 120, fmin(period / 3, HOUR)),
	       size = g->base * gen__loguni(g, .1, 1.5);
	double keep = gen__chance(g, .5) ? 0 : gen__uni(g, 600, HOUR),
	       phase = gen__uni(g, 0, period);
	double x = 0, at;
	size_t i;

	for (i = 0; i < g->n; i++) {
		at = fmod(g->t[i] + phase, period);
		if (at < len)
			x = fmax(x, size * at / len);
		else if (at > len + keep)
			x *= exp(-g->interval / 240);
		g->v[i] += x;
	}
}

/* ---- a whole machine: many programs at once ---- */

static void add_neighbours(struct gen *g)
{
	int k, n = 10 + gen__pick(g, 30);
	double on[40], size[40], stay[40];
	double tau = gen__uni(g, .3, 2) * HOUR, x = 0, sd = g->base * gen__uni(g, .002, .01);
	size_t i;

	for (k = 0; k < n; k++) {
		on[k] = gen__chance(g, .5);
		size[k] = .25 * g->base / n * gen__loguni(g, .2, 3);
		stay[k] = gen__loguni(g, 300, 10 * HOUR);
	}
	for (i = 0; i < g->n; i++) {
		double phi = exp(-g->interval / tau);

		x = phi * x + sd * sqrt(1 - phi * phi) * gen__normal(g);
		g->v[i] += x;
		for (k = 0; k < n; k++) {
			if (gen__chance(g, fmin(.5, g->interval / stay[k])))
				on[k] = !on[k];
			g->v[i] += on[k] * size[k];
		}
	}
}

static void draw_machine(struct gen *g)
{
	add_neighbours(g);
}

static void draw_leak_machine(struct gen *g)
{
	struct drip d;
	size_t i;

	add_neighbours(g);
	d.sum = 0;
	d.rate = begin_leak(g, .03 * g->base);
	for (i = 0; i < g->n; i++)
		drip(g, &d, i, 1);
}

/* ---- leaks of other causes ---- */

/* Lost on an error path only: error storms of minutes, hours apart. */
static void draw_leak_errors(struct gen *g)
{
	double every = gen__uni(g, .7, 2) * HOUR, until = 0, next;
	struct drip d = {.rate = begin_leak(g, 0)};
	double len = gen__uni(g, 300, 1500);
	size_t i;

	next = g->onset + gen__expo(g, .5 * every);
	for (i = 0; i < g->n; i++) {
		if (g->t[i] >= next) {
			until = g->t[i] + len * gen__uni(g, .5, 1.5);
			next = until + every * gen__uni(g, .5, 1.5);
		}
		drip(g, &d, i, g->t[i] < until ? (every + len) / len : 0);
	}
}

/* Threads that never end: small equal steps. */
static void draw_leak_threads(struct gen *g)
{
	struct drip d = {.rate = begin_leak(g, 0)};
	double each = d.rate / gen__uni(g, 2, 40), owed = 0;
	size_t i;

	for (i = 0; i < g->n; i++) {
		if (g->t[i] > g->onset)
			owed += d.rate * g->interval / HOUR * -log(gen__uni(g, 1e-9, 1));
		d.sum = floor(owed / each) * each;
		g->cum[i] += d.sum;
	}
}

/* A clean-up runs from time to time and gets a part of it back. */
static void draw_leak_cleaned(struct gen *g)
{
	double every = gen__uni(g, 1.5, 4) * HOUR, next, part = gen__uni(g, .1, .35), fresh = 0;
	struct drip d = {.rate = begin_leak(g, 0)};
	size_t i;

	d.rate /= 1 - part;
	next = g->onset + every;
	for (i = 0; i < g->n; i++) {
		double gain = g->t[i] > g->onset ? d.rate * g->interval / HOUR : 0;

		d.sum += gain;
		fresh += gain;
		if (g->t[i] >= next) {
			d.sum -= part * fresh;
			fresh = 0;
			next = g->t[i] + every * gen__uni(g, .8, 1.2);
		}
		g->cum[i] += d.sum;
	}
}

static const struct shape list[] = {
	{"x-leak-sessions", true, draw_leak_sessions, 0},
	{"x-leak-keys", true, draw_leak_keys, 0},
	{"x-leak-heap", true, draw_leak_heap, 0},
	{"x-leak-queue", true, draw_leak_queue, 0},
	{"x-leak-machine", true, draw_leak_machine, 0},
	{"x-leak-errors", true, draw_leak_errors, 0},
	{"x-leak-threads", true, draw_leak_threads, 0},
	{"x-leak-cleaned", true, draw_leak_cleaned, 0},
	{"x-sessions", false, draw_sessions, 0},
	{"x-lru", false, draw_lru, 0},
	{"x-heap", false, draw_heap_healthy, 0},
	{"x-store", false, draw_store, 0},
	{"x-backlog", false, draw_backlog, 0},
	{"x-arenas", false, draw_arenas, 0},
	{"x-endpoints", false, draw_endpoints, 0},
	{"x-jobs", false, draw_jobs, 0},
	{"x-machine", false, draw_machine, 0},
};

const struct shape_set strangers = {list, (int)(sizeof(list) / sizeof(list[0]))};
