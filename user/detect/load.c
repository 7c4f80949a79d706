/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * load.c - least squares of memory on load and time, with an honest interval on the load's part.
 *
 * A first daily ramp looks like a leak to anything that sees memory alone. With load beside it
 * the question becomes how much memory a unit of work may cost: b is estimated together with a
 * time trend, so a ramp that load and time explain equally well gives a wide interval, and
 * growth that the upper end of b explains is not called a leak.
 */
#include <math.h>
#include <string.h>

#include "load.h"

#define LAGS 4

/* Time constants, in long buckets, with which memory may follow load. */
static const float lags[LAGS] = { 0, 3, 9, 24 };

struct sums {
	double n, y, l, t, yy, yl, yt, ll, lt, tt;
};

static void follow(const float *load, int n, float tau, float *ret)
{
	double k = tau > 0 ? 1 - exp(-1. / tau) : 1, s = NAN;
	int i;

	for (i = 0; i < n; i++) {
		if (!isnan(load[i]))
			s = isnan(s) ? load[i] : s + k * (load[i] - s);
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

/* One lag: fills b, b_hi, c; returns the misfit, or -1 when load does not vary apart from time. */
static double try_lag(const float *y, const float *l, int n, struct load_fit *f)
{
	struct sums s = gather(y, l, n);
	double det = s.ll * s.tt - s.lt * s.lt, b, c, sse, rho, se;

	if (s.n < 12 || !(s.ll > 0) || !(s.tt > 0))
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
	f->b_hi = b + 2 * se > 0 ? b + 2 * se : 0;
	f->c = (s.yt - f->b * s.lt) / s.tt;
	f->c_hi = (s.yt - f->b_hi * s.lt) / s.tt;
	return sse;
}

/* Load without time beside it: what it explains when it may explain all it can. */
static void try_alone(const float *y, const float *l, int n, struct load_fit *best)
{
	struct sums s = gather(y, l, n);
	double r2;

	if (s.n < 12 || !(s.ll > 0) || !(s.yy > 0) || !(s.yl > 0))
		return;
	r2 = s.yl * s.yl / s.ll / s.yy;
	if (r2 <= best->alone_r2)
		return;
	best->alone_r2 = r2;
	best->alone_b = s.yl / s.ll;
	memcpy(best->alone, l, n * sizeof(*l));
}

void load__fit(const struct view *v, const float *y, struct load_fit *ret)
{
	int n = v->joined, i;
	double least = INFINITY;
	struct load_fit f;

	memset(ret, 0, sizeof(*ret));
	memset(&f, 0, sizeof(f));
	for (i = 0; i < LAGS; i++) {
		double left;

		follow(v->load, n, lags[i], f.smooth);
		try_alone(y, f.smooth, n, ret);
		left = try_lag(y, f.smooth, n, &f);
		if (left < 0 || left >= least)
			continue;
		least = left;
		ret->known = 1;
		ret->b = f.b;
		ret->b_hi = f.b_hi;
		ret->c = f.c;
		ret->c_hi = f.c_hi;
		ret->c_none = f.c_none;
		memcpy(ret->smooth, f.smooth, n * sizeof(*f.smooth));
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
