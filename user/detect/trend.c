/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * trend.c - Theil-Sen slope, its interval, and the shape of the growth around it.
 *
 * A slope alone cannot tell a leak from a step or a warm-up, so the fit comes with where in time
 * the growth happened (early, late, spread, jump) and how much of it was given back (drawdown).
 */
#include <math.h>

#include "trend.h"

#define PAIRS_MAX (TREND_MAX * (TREND_MAX - 1) / 2)

float trend__select(float *x, int n, int k)
{
	int lo = 0, hi = n - 1;

	while (lo < hi) {
		float pivot = x[(lo + hi) / 2];
		int i = lo, j = hi;

		while (i <= j) {
			/* the pivot ends both, as the analyzer does not see */
			while (x[i] < pivot) /* NOLINT(clang-analyzer-core.*) */
				i++;
			while (x[j] > pivot) /* NOLINT(clang-analyzer-core.*) */
				j--;
			if (i <= j) {
				float swap = x[i];

				x[i++] = x[j];
				x[j--] = swap;
			}
		}
		if (k <= j)
			hi = j;
		else if (k >= i)
			lo = i;
		else
			break;
	}
	return x[k];
}

float trend__median(float *x, int n)
{
	float upper;
	int i, below;

	if (!n)
		return NAN;
	upper = trend__select(x, n, n / 2);
	if (n & 1)
		return upper;
	for (i = 1, below = 0; i < n / 2; i++) {
		if (x[i] > x[below])
			below = i;
	}
	return (x[below] + upper) / 2;
}

/* Lag-1 autocorrelation of the residuals, held where a correction by it makes sense. */
static double lag1(const float *res, int n)
{
	double var = 0, cov = 0, r;
	int i;

	for (i = 0; i < n; i++) {
		var += (double)res[i] * res[i];
		if (i)
			cov += (double)res[i] * res[i - 1];
	}
	r = var > 0 ? cov / var : 0;
	return r < 0 ? 0 : r > .9 ? .9 : r;
}

/* Sen's interval: ranks around the median slope, the variance widened for autocorrelation. */
static void slope_interval(float *slopes, int pairs, int n, double rho, struct trend *ret)
{
	double var = n * (n - 1.) * (2. * n + 5) / 18 * (1 + rho) / (1 - rho);
	int half = (int)(1.96 * sqrt(var) / 2);
	int lo = pairs / 2 - half, hi = pairs / 2 + half;

	ret->slope_lo = trend__select(slopes, pairs, lo < 0 ? 0 : lo);
	ret->slope_hi = trend__select(slopes, pairs, hi >= pairs ? pairs - 1 : hi);
	if (lo < 0 || hi >= pairs) {
		/* even the extreme slopes do not cover 95 %: stretch in proportion */
		double k = (double)half / (pairs / 2. > 1 ? pairs / 2. : 1);

		ret->slope_lo = ret->slope - k * (ret->slope - ret->slope_lo);
		ret->slope_hi = ret->slope + k * (ret->slope_hi - ret->slope);
	}
}

static double median_of(const float *x, int n)
{
	float tmp[TREND_MAX];
	int i;

	for (i = 0; i < n; i++)
		tmp[i] = x[i];
	return trend__median(tmp, n);
}

/* Growth in the first and the last third, as a multiple of the even share. */
static void thirds(const float *y, const float *t, int n, struct trend *ret)
{
	int k = n / 4 > 1 ? n / 4 : 1;
	int mid1 = (n - k) / 3, mid2 = 2 * (n - k) / 3;
	double a = median_of(y, k), b = median_of(y + mid1, k);
	double c = median_of(y + mid2, k), d = median_of(y + n - k, k);
	double rate = (d - a) / (t[n - k] - t[0]);

	ret->early = ret->late = 0;
	if (rate > 0) {
		ret->early = (b - a) / (t[mid1] - t[0]) / rate;
		ret->late = (d - c) / (t[n - k] - t[mid2]) / rate;
	}
}

/* Irreversible growth: how the minimum from the right rises, and what was given back. */
static void rises(const float *y, int n, struct trend *ret)
{
	double peak = y[0], fall = 0, sum = 0, sq = 0, max = 0, given = 0, low = y[n - 1];
	int i;

	for (i = 1; i < n; i++) {
		if (y[i] > peak)
			peak = y[i];
		if (peak - y[i] > fall)
			fall = peak - y[i];
		if (y[i] < y[i - 1])
			given += y[i - 1] - y[i];
	}
	for (i = n - 2; i >= 0; i--) {
		double rise = 0;

		if (y[i] < low) {
			rise = low - y[i];
			low = y[i];
		}
		sum += rise;
		sq += rise * rise;
		if (rise > max)
			max = rise;
	}
	ret->drawdown = fall;
	ret->spread = sq > 0 ? sum * sum / sq : 0;
	ret->jump = sum > 0 ? max / sum : 1;
	ret->kept = sum + given > 0 ? sum / (sum + given) : 0;
}

static int compact(const float *x, int n, float *ret_t, float *ret_y)
{
	int i, k = 0;

	for (i = 0; i < n; i++) {
		if (isnan(x[i]))
			continue;
		ret_t[k] = (float)i;
		ret_y[k++] = x[i];
	}
	return k;
}

int trend__fit(const float *x, int n, struct trend *ret)
{
	float t[TREND_MAX], y[TREND_MAX], res[TREND_MAX], slopes[PAIRS_MAX];
	double offset;
	int i, j, pairs = 0, balance = 0;

	n = compact(x, n, t, y);
	if (n < 4)
		return -1;
	for (j = 1; j < n; j++) {
		for (i = 0; i < j; i++) {
			balance += (y[j] > y[i]) - (y[j] < y[i]);
			slopes[pairs++] = (y[j] - y[i]) / (t[j] - t[i]);
		}
	}
	ret->n = n;
	ret->span = t[n - 1] - t[0];
	ret->slope = trend__median(slopes, pairs);
	ret->growth = ret->slope * ret->span;
	ret->tau = (double)balance / pairs;
	ret->level = median_of(y, n);
	for (i = 0; i < n; i++)
		res[i] = (float)(y[i] - ret->slope * t[i]);
	offset = median_of(res, n);
	for (i = 0; i < n; i++)
		res[i] = (float)(res[i] - offset);
	slope_interval(slopes, pairs, n, lag1(res, n), ret);
	for (i = 0; i < n; i++)
		res[i] = fabsf(res[i]);
	ret->noise = 1.4826 * trend__median(res, n);
	thirds(y, t, n, ret);
	rises(y, n, ret);
	return 0;
}
