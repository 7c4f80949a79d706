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

#define STEP_SPANS 5

enum feature {
	F_FITS,                              /* FIT_CNT * TF_CNT of them */
	F_AGE = F_FITS + FIT_CNT * TF_CNT,   /* windows since the run began, as far as known */
	F_LIFT,        /* how far the mean stands above the floor, over level */
	F_RECORD,      /* newest floor minus the highest earlier mean, over level */
	F_RECORD_Z,    /* the same over the spread of the earlier history */
	F_PRECEDENT,   /* largest earlier rise over a window, over the present one */
	F_PLACE,       /* where in the earlier range the newest floor stands */
	F_BEND_RUN,    /* misfit of a line over misfit of the best saturating curve */
	F_BEND_WINDOW,
	F_ONSET,       /* where a broken line bends, share of the run */
	F_ONSET_GAIN,  /* misfit of a straight line over that of the broken line */
	F_ONSET_Z,     /* growth since then over the noise before and after */
	F_ONSET_RISE,  /* growth since then over level */
	F_ONSET_SPAN,  /* windows since then */
	F_LOAD_KNOWN,
	F_LOAD_KEEP,   /* part of the growth that the load cannot explain, at the worst end of b */
	F_WOBBLE,      /* median step between neighbouring buckets, over level */
	F_RUN_AGE,     /* windows since the last restart */
	F_RUN_LATE,    /* share of the runs' growth in their second half */
	F_RUNS,        /* how many runs were joined */
	F_STEP_LOW,    /* lowest of the last span minus lowest of the one before, per window */
	F_STEP_HIGH = F_STEP_LOW + STEP_SPANS, /* the same for the highest means */
	F_CNT = F_STEP_HIGH + STEP_SPANS,
};

struct features {
	float f[F_CNT];
	struct trend fit[FIT_CNT];
	double step_s[FIT_CNT]; /* seconds per step of that fit */
	int known[FIT_CNT];
	int onset;              /* long bucket of the run in which the broken line bends */
	double load_share;      /* of the growth, explained by load at the best fit; NAN: unknown */
};

/* Fills ret. v->floor and v->mean are adjusted in place when load explains part of them. */
void feature__extract(struct view *v, struct features *ret);

#endif /* SEEP_DETECT_FEATURE_H */
