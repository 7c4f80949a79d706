/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * feature.h - a view as numbers without a unit, for the learned part of the score.
 *
 * Everything is relative to the series' own noise, level or window, so that a 5 MiB process
 * sampled each 5 s and a machine in integer percent each 5 min give comparable numbers.
 */
#ifndef SEEP_DETECT_FEATURE_H
#define SEEP_DETECT_FEATURE_H

#include "trend.h"
#include "view.h"

/* What each fitted trend contributes, in this order. */
enum trend_feature {
	TF_GROWTH,   /* growth over level */
	TF_RATE,     /* the same per window */
	TF_Z,        /* growth over noise */
	TF_LOW,      /* lower end of the interval over the slope */
	TF_TAU,
	TF_LATE,
	TF_EARLY,
	TF_KEPT,
	TF_SPREAD,
	TF_JUMP,
	TF_DRAWDOWN, /* over growth */
	TF_CNT,
};

/* The fits: of floors or means, over the run (up to four windows), a window, half, a sixth. */
enum fit {
	FIT_FLOOR_RUN,
	FIT_FLOOR_WINDOW,
	FIT_FLOOR_HALF,
	FIT_MEAN_RUN,
	FIT_MEAN_WINDOW,
	FIT_FLOOR_SIXTH,
	FIT_CNT,
};

/* What the past says of the present level. */
enum past_feature {
	PAST_RECORD,    /* newest level minus the highest earlier one, over level */
	PAST_RECORD_Z,  /* the same over the range of the earlier history */
	PAST_PRECEDENT, /* largest earlier rise over a window, over the present one */
	PAST_PLACE,     /* where in the earlier range the newest level stands */
	PAST_CNT,
};

/* Where a flat line best turns into a rising one. */
enum onset_feature {
	ONSET_AT,   /* share of the history */
	ONSET_GAIN, /* misfit of a straight line over that of the broken one */
	ONSET_Z,    /* growth since then over the misfit */
	ONSET_RISE, /* growth since then over level */
	ONSET_SPAN, /* windows since then */
	ONSET_CNT,
};

/* How straight the growth is, bucket by bucket: a leak is more often a line than a warm-up is. */
enum line_feature {
	LINE_R2_WINDOW, /* of means, over a window */
	LINE_R2_RUN,    /* over the whole history */
	LINE_FLOOR_WINDOW,
	LINE_FLOOR_RUN,
	LINE_LONG,        /* windows, back from now, over which R2 stays high */
	LINE_STEP_WINDOW, /* misfit of the best two levels over that of the line */
	LINE_STEP_RUN,
	LINE_CROSS,       /* how often neighbouring blocks lie on two sides of the line, share */
	LINE_CNT,
};

/* The last day (four windows) against the days before; all but the first need two days. */
enum week_feature {
	WEEK_DAYS, /* known */
	WEEK_LOW,  /* lowest of the last day minus the lowest of the one before, over level */
	WEEK_MEAN,
	WEEK_HIGH,
	WEEK_LOW2, /* the same of the last two days */
	WEEK_MEAN2,
	WEEK_HIGH2,
	WEEK_RECORD,      /* lowest of the last two windows minus the highest before the last day */
	WEEK_RECORD_Z,    /* the same over the range before the last day */
	WEEK_MEAN_RECORD, /* mean of the last day minus the highest mean of any earlier one */
	WEEK_CNT,
};

#define STEP_SPANS 5

enum feature {
	F_FITS,                              /* FIT_CNT * TF_CNT of them */
	F_AGE = F_FITS + FIT_CNT * TF_CNT,   /* windows since the run began, as far as known */
	F_LIFT,        /* how far the mean stands above the floor, over level */
	F_PAST,        /* PAST_CNT of them on medians of means, then as many on floors */
	F_PAST_FLOOR = F_PAST + PAST_CNT,
	F_ONSET = F_PAST_FLOOR + PAST_CNT, /* ONSET_CNT of them on medians of means, .. */
	F_ONSET_FLOOR = F_ONSET + ONSET_CNT, /* .. then as many on floors */
	F_LOAD_KNOWN = F_ONSET_FLOOR + ONSET_CNT,
	F_LOAD_KEEP,   /* part of the growth that the load cannot explain, at the worst end of b */
	F_LOAD_R2,     /* part of the variance that load alone explains */
	F_LOAD_REST,   /* growth that is left when load alone explains what it can, over level */
	F_WOBBLE,      /* median step between neighbouring buckets, over level */
	F_RUN_AGE,     /* windows since the last restart */
	F_RUN_LATE,    /* share of the runs' growth in their second half */
	F_RUNS,        /* how many runs were joined */
	F_STEP_LOW,    /* lowest of the last span minus lowest of the one before, per window */
	F_STEP_HIGH = F_STEP_LOW + STEP_SPANS, /* the same for the highest means */
	F_LINE = F_STEP_HIGH + STEP_SPANS,     /* LINE_CNT of them */
	F_WEEK = F_LINE + LINE_CNT,            /* WEEK_CNT of them */
	F_WEEK_FIT = F_WEEK + WEEK_CNT,        /* TF_CNT of the windows' lows, .. of their means */
	F_CNT = F_WEEK_FIT + 2 * TF_CNT,
};

struct features {
	float f[F_CNT];
	struct trend fit[FIT_CNT];
	double step_s[FIT_CNT]; /* seconds per step of that fit */
	int known[FIT_CNT];
	int onset;              /* joined bucket in which the broken line (of the floor) bends */
	double load_share;      /* of the growth, explained by load at the best fit; NAN: unknown */
	double load_rest;       /* of the window's growth, left by load alone; NAN: load unknown */
};

/*
 * Fit the floor of the newest `span` of n buckets of step_s seconds. 0, or -1 when too little is
 * known; ret_step_s is the time that one step of the trend takes.
 */
int feature__trend(const float *x, int n, int span, double step_s, struct trend *ret,
		   double *ret_step_s);

/* Fills ret. v->floor and v->mean are adjusted in place when load explains part of them. */
void feature__extract(struct view *v, struct features *ret);

#endif /* SEEP_DETECT_FEATURE_H */
