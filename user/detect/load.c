/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * load.c - least squares of memory on load and time, with an honest interval on the load's part.
 *
 * A first daily ramp looks like a leak to anything that sees memory alone. With load beside it
 * the question becomes how much memory a unit of work may cost: b is estimated together with a
 * time trend, so a ramp that load and time explain equally well gives a wide interval, and
 * growth that the upper end of b explains is not called a leak.
 *
 * Noise in the load would hide the relation (least squares takes b for smaller than it is), so
 * the fit is one of means over window/24. Memory may follow load at once, slowly, or, as
 * allocators do, up at once and down slowly or never; what explains most is taken.
 */
#include <math.h>
#include <string.h>

#include "load.h"

#define BLOCK 3 /* buckets: window/24 */
#define BLOCKS (VIEW_LONG / BLOCK)
#define MIN_BLOCKS 6

/* Time constants in buckets: how memory follows load on the way up, and on the way down. */
static const struct way {
	float up;
	float down;
} ways[] = {
	{ 0, 0 }, { 3, 3 }, { 9, 9 }, { 24, 24 }, { 0, INFINITY }, { 0, VIEW_WINDOW }, { 6, INFINITY },
};

#define WAYS (sizeof(ways) / sizeof(ways[0]))
#define STEADY .1 /* load that varies less, of its mean, explains nothing: its maxima only rise */
#define STICKY .7 /* a way that goes down slower than up must leave less than this of the misfit */

struct sums {
	double n, y, l, t, yy, yl, yt, ll, lt, tt;
};

/* The mean of the known values in [from, to). */
static float mean_of(const float *x, int from, int to)
{
	double sum = 0;
	int i, cnt = 0;

	for (i = from; i < to; i++) {
		if (isnan(x[i]))
			continue;
		sum += x[i];
		cnt++;
	}
	return cnt ? (float)(sum / cnt) : NAN;
}

/* One mean for each whole block, aligned to the newest bucket. */
static int blocks_of(const float *x, int n, float *ret)
{
	int cnt = n / BLOCK, i, from = n % BLOCK;

	for (i = 0; i < cnt; i++, from += BLOCK)
		ret[i] = mean_of(x, from, from + BLOCK);
	return cnt;
}

/* A mean over neighbours, so that taking the load out does not put its noise in. */
static void calm(const float *load, int n, float *ret)
{
	int i;

	for (i = 0; i < n; i++)
		ret[i] = isnan(load[i]) ? NAN : mean_of(load, i ? i - 1 : 0, i + 1 < n ? i + 2 : n);
}

static double pull(double tau)
{
	return tau > 0 ? 1 - exp(-1 / tau) : 1;
}

static void follow(const float *load, int n, const struct way *way, float *ret)
{
	double up = pull(way->up), down = pull(way->down), s = NAN;
	int i;

	for (i = 0; i < n; i++) {
		if (!isnan(load[i]))
			s = isnan(s) ? load[i] : s + (load[i] > s ? up : down) * (load[i] - s);
		ret[i] = isnan(load[i]) ? NAN : (float)s;
	}
}

static struct sums gather(const float *y, const float *l, int n)
{
	struct sums s = { 0 };
	double my = 0, ml = 0, mt = 0;
	int i;

	for (i = 0; i < n; i++) {
		if (isnan(y[i]) || isnan(l[i]))
			continue;
		s.n++;
		my += y[i];
		ml += l[i];
		mt += i;
	}
	if (s.n < 1)
		return s;
	my /= s.n;
	ml /= s.n;
	mt /= s.n;
	for (i = 0; i < n; i++) {
		double dy = y[i] - my, dl = l[i] - ml, dt = i - mt;

		if (isnan(y[i]) || isnan(l[i]))
			continue;
		s.yy += dy * dy;
		s.yl += dy * dl;
		s.yt += dy * dt;
		s.ll += dl * dl;
		s.lt += dl * dt;
		s.tt += dt * dt;
	}
	s.y = my;
	s.l = ml;
	s.t = mt;
	return s;
}

/* Lag-1 autocorrelation of what b and c leave over: neighbours are not independent evidence. */
static double leftover_lag1(const float *y, const float *l, int n, const struct sums *s, double b,
			    double c)
{
	double var = 0, cov = 0, last = 0, r;
	int i;

	for (i = 0; i < n; i++) {
		if (isnan(y[i]) || isnan(l[i]))
			continue;
		r = y[i] - s->y - b * (l[i] - s->l) - c * (i - s->t);
		var += r * r;
		cov += r * last;
		last = r;
	}
	r = var > 0 ? cov / var : 0;
	return r < 0 ? 0 : r > .95 ? .95 : r;
}

/* One way: fills b and c; returns the misfit, or -1 when load does not vary apart from time. */
static double try_way(const float *y, const float *l, int n, struct load_fit *f)
{
	struct sums s = gather(y, l, n);
	double det = s.ll * s.tt - s.lt * s.lt, b, c, sse, rho, se;

	if (s.n < MIN_BLOCKS || !(s.ll > 0) || !(s.tt > 0))
		return -1;
	f->c_none = s.yt / s.tt;
	if (!(det > 1e-6 * s.ll * s.tt))
		return -1;
	b = (s.yl * s.tt - s.yt * s.lt) / det;
	c = (s.yt - b * s.lt) / s.tt;
	sse = s.yy - b * s.yl - c * s.yt;
	if (sse < 0)
		sse = 0;
	rho = leftover_lag1(y, l, n, &s, b, c);
	se = sqrt(sse / (s.n > 3 ? s.n - 3 : 1) * s.tt / det * (1 + rho) / (1 - rho));
	f->b = b > 0 ? b : 0;
	f->c = (s.yt - f->b * s.lt) / s.tt;
	f->c_hi = (s.yt - fmax(b + 2 * se, 0) * s.lt) / s.tt;
	return sse;
}

/* Load without time beside it: what it explains when it may explain all it can. 1: the best. */
static int try_alone(const float *y, const float *l, int n, double bar, struct load_fit *best)
{
	struct sums s = gather(y, l, n);
	double r2;

	if (s.n < MIN_BLOCKS || !(s.ll > 0) || !(s.yy > 0) || !(s.yl > 0))
		return 0;
	if (sqrt(s.ll / s.n) < STEADY * s.l)
		return 0;
	r2 = s.yl * s.yl / s.ll / s.yy;
	if (1 - r2 >= bar * (1 - best->alone_r2))
		return 0;
	best->alone_r2 = r2;
	best->alone_b = s.yl / s.ll;
	return 1;
}

void load__fit(const struct view *v, const float *y, struct load_fit *ret)
{
	float load[VIEW_LONG], smooth[VIEW_LONG], y_block[BLOCKS], l_block[BLOCKS];
	int n = v->joined, cnt = blocks_of(y, n, y_block);
	double least = INFINITY;
	struct load_fit f;
	size_t i;

	memset(ret, 0, sizeof(*ret));
	memset(&f, 0, sizeof(f));
	calm(v->load, n, load);
	for (i = 0; i < WAYS; i++) {
		double left, bar = ways[i].down > ways[i].up ? STICKY : 1;

		follow(load, n, &ways[i], smooth);
		blocks_of(smooth, n, l_block);
		if (try_alone(y_block, l_block, cnt, bar, ret))
			memcpy(ret->alone, smooth, n * sizeof(*smooth));
		left = try_way(y_block, l_block, cnt, &f);
		if (left < 0 || left >= bar * least)
			continue;
		least = left;
		ret->known = 1;
		ret->b = f.b;
		ret->c = f.c;
		ret->c_hi = f.c_hi;
		ret->c_none = f.c_none;
		memcpy(ret->smooth, smooth, n * sizeof(*smooth));
	}
}

void load__remove(const struct load_fit *lf, float *y, int n)
{
	double sum = 0;
	int i, cnt = 0;

	for (i = 0; i < n; i++) {
		if (isnan(lf->smooth[i]))
			continue;
		sum += lf->smooth[i];
		cnt++;
	}
	if (!cnt)
		return;
	for (i = 0; i < n; i++) {
		double part = lf->b * (lf->smooth[i] - sum / cnt);

		if (!isnan(part))
			y[i] = (float)(y[i] - part);
	}
}
