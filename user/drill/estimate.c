// SPDX-License-Identifier: BSD-2-Clause
/*
 * estimate.c - see estimate.h.
 *
 * The interval is the gamma interval of Fay and Feuer (1997) for weighted sums of rare events:
 * exact where all weights are equal, conservative elsewhere, while the normal interval covers far
 * too little below about thirty samples. The variance is that of Bernoulli sampling, which is
 * smaller than Poisson's when probabilities are large.
 */
#include <math.h>

#include "estimate.h"

#define Z_95 1.959964 /* 97.5 % quantile of the normal distribution */

void estimate__add(struct estimate *e, double size_bytes, double weight_bytes)
{
	double weight = fmax(weight_bytes, size_bytes);

	e->samples++;
	e->count += size_bytes > 0 ? weight / size_bytes : 1;
	e->bytes += weight;
	e->seen_bytes += size_bytes;
	if (weight <= size_bytes)
		return;
	e->uncertain_bytes += weight;
	e->variance += weight * (weight - size_bytes); /* weight^2 (1 - p) */
	e->max_weight = fmax(e->max_weight, weight);
}

void estimate__merge(struct estimate *to, const struct estimate *from)
{
	to->samples += from->samples;
	to->count += from->count;
	to->bytes += from->bytes;
	to->seen_bytes += from->seen_bytes;
	to->uncertain_bytes += from->uncertain_bytes;
	to->variance += from->variance;
	to->max_weight = fmax(to->max_weight, from->max_weight);
}

/* Quantile of the gamma distribution with this mean and variance, by Wilson and Hilferty. */
static double gamma_quantile(double mean, double variance, double z)
{
	double ninth = variance / (9 * mean * mean); /* 2 / (9 degrees of freedom) */
	double root = 1 - ninth + z * sqrt(ninth);

	return root > 0 ? mean * root * root * root : 0;
}

void estimate__interval(const struct estimate *e, double *ret_lo, double *ret_hi)
{
	double certain = e->bytes - e->uncertain_bytes;
	double k = e->max_weight, lo, hi;

	if (!(e->variance > 0)) {
		*ret_lo = *ret_hi = e->bytes;
		return;
	}
	lo = gamma_quantile(e->uncertain_bytes, e->variance, -Z_95);
	/* one more of the heaviest may have been missed */
	hi = gamma_quantile(e->uncertain_bytes + k, e->variance + k * k, Z_95);
	*ret_lo = fmin(fmax(certain + lo, e->seen_bytes), e->bytes);
	*ret_hi = certain + hi;
}
