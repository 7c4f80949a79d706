/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * estimate.h - a total and its 95 % interval from samples that each carry their own weight.
 *
 * Every allocation was sampled by its own coin (Bernoulli) with probability size / weight, so the
 * sum of the weights is an unbiased estimate of all bytes (Horvitz-Thompson), also when the
 * probability changed between samples. Pure arithmetic.
 */
#ifndef SEEP_DRILL_ESTIMATE_H
#define SEEP_DRILL_ESTIMATE_H

#include <stdint.h>

/* Zeroed: the sum of nothing. */
struct estimate {
	uint64_t samples;
	double count;          /* estimated allocations */
	double bytes;          /* estimated bytes: the sum of all weights */
	double seen_bytes;     /* sizes of the samples themselves: there are at least these */
	double uncertain_bytes; /* weights of the samples whose probability was below 1 */
	double variance;       /* of uncertain_bytes */
	double max_weight;     /* the heaviest of the uncertain ones */
};

void estimate__add(struct estimate *e, double size_bytes, double weight_bytes);
/* The sum of two disjoint sets of samples. */
void estimate__merge(struct estimate *to, const struct estimate *from);

/*
 * The 95 % interval of the total; both ends are e->bytes where everything was sampled. Holds at
 * least 95 % for any number of samples, so it is wide for a few.
 */
void estimate__interval(const struct estimate *e, double *ret_lo, double *ret_hi);

#endif /* SEEP_DRILL_ESTIMATE_H */
