// SPDX-License-Identifier: BSD-2-Clause
/*
 * inject.c - turns recordings without labels into a corpus: each as it was, and with a leak added.
 *
 * The leak is drawn from the name of the series alone: .5 to 8 % of the median level per hour, at
 * a steady rate or in bursts, from the start or from later on, but with a third of the recording
 * left. The recording itself is taken for healthy, which is not always true: precision measured
 * this way has a ceiling below one.
 */
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include "load.h"

#define HOUR 3600.0

static double uniform(uint64_t *x)
{
	uint64_t z = (*x += 0x9e3779b97f4a7c15ULL);

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
	return (double)((z ^ (z >> 31)) >> 11) * 0x1p-53;
}

static uint64_t seed_of(const char *name)
{
	uint64_t h = 1469598103934665603ULL;

	while (*name)
		h = (h ^ (unsigned char)*name++) * 1099511628211ULL;
	return h;
}

static int by_double(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static double median_level(const struct shape_series *s)
{
	double *v = calloc(s->cnt + 1, sizeof(*v)), m = NAN;
	size_t i;

	for (i = 0; v && i < s->cnt; i++)
		v[i] = s->points[i].bytes;
	if (v && s->cnt) {
		qsort(v, s->cnt, sizeof(*v), by_double);
		m = v[s->cnt / 2];
	}
	free(v);
	return m;
}

static double expo(uint64_t *rng, double mean)
{
	return -mean * log(1 - uniform(rng));
}

/* every: seconds between bursts on average; 0: a steady loss. */
static void add_leak(struct shape_series *s, uint64_t *rng, double rate, double every)
{
	double next = s->onset_s + (every > 0 ? expo(rng, every) : 0), lost = 0;
	size_t i;

	for (i = 0; i < s->cnt; i++) {
		struct shape_point *p = &s->points[i];

		if (every <= 0)
			lost = fmax(0, p->t_s - s->onset_s) / HOUR * rate;
		for (; every > 0 && p->t_s >= next; next += expo(rng, every))
			lost += rate * every / HOUR;
		p->leaked_bytes = lost;
		p->bytes += lost;
	}
	s->leaked_bytes_end = lost;
}

int corpus__inject(const struct shape_series *in, struct shape_series *ret_copy)
{
	uint64_t rng = seed_of(in->name);
	double span, level = median_level(in), rate, every;
	struct shape_series s = *in;

	if (!in->cnt || isnan(level))
		return -EINVAL;
	s.points = malloc(in->cnt * sizeof(*s.points));
	if (!s.points)
		return -ENOMEM;
	memcpy(s.points, in->points, in->cnt * sizeof(*s.points));
	span = s.points[s.cnt - 1].t_s - s.points[0].t_s;
	s.leak = true;
	s.onset_s = s.points[0].t_s + (uniform(&rng) < .5 ? 0 : uniform(&rng) * span * 2 / 3);
	rate = level * .005 * pow(16, uniform(&rng));
	every = uniform(&rng) < .5 ? 0 : HOUR * (.2 + .8 * uniform(&rng));
	add_leak(&s, &rng, rate, every);
	s.shape = every > 0 ? "injected-bursts" : "injected-linear";
	*ret_copy = s;
	return 0;
}
