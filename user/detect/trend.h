/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * trend.h - robust statistics of a short, evenly spaced series with holes (NAN).
 *
 * Everything is per step of the series; the caller knows how long a step is. No function
 * allocates; the cost is quadratic in the number of values, which is at most TREND_MAX.
 */
#ifndef SEEP_DETECT_TREND_H
#define SEEP_DETECT_TREND_H

#define TREND_MAX 32

struct trend {
	int n;           /* values that were not NAN */
	double span;     /* steps from the first to the last of them */
	double slope;    /* Theil-Sen, per step */
	double slope_lo; /* 95 % interval, widened for autocorrelation */
	double slope_hi;
	double growth;   /* slope over the span */
	double noise;    /* residual scale, as a standard deviation */
	double level;    /* median */
	double tau;      /* concordant minus discordant pairs, share of all pairs: -1..1 */
	double late;     /* growth rate in the last third over the rate of the whole */
	double early;    /* the same for the first third */
	double kept;     /* last value minus lowest, over growth plus everything given back */
	double spread;   /* effective number of separate rises of the minimum from the right */
	double jump;     /* share of the largest of those rises */
	double drawdown; /* largest fall from any value to a later one */
};

/* Fit n <= TREND_MAX values. Returns 0, or -1 when fewer than 4 are known (ret is untouched). */
int trend__fit(const float *x, int n, struct trend *ret);

/* The k-th smallest of n values (k from 0); reorders them. */
float trend__select(float *x, int n, int k);
float trend__median(float *x, int n);

#endif /* SEEP_DETECT_TREND_H */
