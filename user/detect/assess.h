/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * assess.h - one look at a view: how it grows, and why that is or is not a leak.
 *
 * Without memory of earlier looks: detector.c gathers what they say and holds the alarm.
 */
#ifndef SEEP_DETECT_ASSESS_H
#define SEEP_DETECT_ASSESS_H

#include "trend.h"
#include "verdict.h"
#include "view.h"

#define SCORE_GROWS .5    /* below, an open alarm is on its way to be closed */
#define SCORE_SUSPECT .8  /* of one look */
#define SCORE_OPEN .83    /* of all looks together */

struct assessment {
	double look;         /* 0..1 that growth goes on and is not given back: by this look */
	double score;        /* the same by this and the earlier looks, after the rules */
	int warming;         /* too young or too few points to know */
	int vetoed;          /* growth too small to matter, or the load explains it */
	int urgent;          /* cannot wait for more looks */
	int growing;         /* the floor still grows: keeps an open alarm open */
	enum verdict_class class;
	const char *reason;  /* static; why it is not a leak, "" when it is */
	double horizon_s;
	double since_ago_s;  /* onset, before the last point */
	double growth_bytes;
	double slope;        /* bytes per second, and its 95 % interval */
	double slope_lo;
	double slope_hi;
	double last_bytes;
	double limit_bytes;
	double to_limit_s;
	double to_limit_lo_s;
	double to_limit_hi_s;
	double straight;     /* R2 of a line through the newest window, at most */
	double load_share;   /* part of the growth that the load explains; NAN: no load known */
	int restarts;        /* runs joined to see the growth; 0: one run was enough */
	int known;           /* trend is filled */
	struct trend trend;  /* of the floor, on the horizon */
};

void assess__none(struct assessment *ret);

/* Everything but the score. Rewrites v on the way (runs joined, load taken out). */
void assess__view(struct view *v, struct assessment *ret);

/* The score, given what this and the earlier looks say together; class and reason follow it. */
void assess__conclude(struct assessment *a, double together);

#endif /* SEEP_DETECT_ASSESS_H */
