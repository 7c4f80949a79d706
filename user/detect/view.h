/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * view.h - what one judgement looks at: the rings laid out in time order, holes as NAN.
 *
 * The long ring holds four windows at window/72; the short one a sixth of a window at 72 buckets,
 * for leaks that cannot wait.
 */
#ifndef SEEP_DETECT_VIEW_H
#define SEEP_DETECT_VIEW_H

#define VIEW_WINDOW 72 /* buckets per window in the long ring */
#define VIEW_LONG 288  /* four windows */
#define VIEW_SHORT 72
#define VIEW_STARTS 8
#define VIEW_PAST 28 /* windows: a week */

struct view {
	double window_s;
	double age_s;       /* from the start of the run (or the first point) to the last point */
	double last_bytes;
	double limit_bytes; /* NAN: none */
	double samples;     /* points per long bucket, average */
	int started;        /* the start of the run was seen, so age_s is its true age */
	int n;              /* buckets of the long ring */
	int n_mid;
	int starts[VIEW_STARTS]; /* long buckets in which a run began, oldest first */
	int start_cnt;
	int joined;    /* buckets left after runs.c joined the runs; 0..joined-1 are in use */
	int runs;      /* runs that were joined */
	double run_late; /* share of their growth that falls into the second half of a run */
	short pos[VIEW_LONG]; /* which bucket a joined one was */
	float floor[VIEW_LONG];
	float mean[VIEW_LONG];
	float load[VIEW_LONG];
	float mid[VIEW_SHORT];
	int n_past; /* windows of the last week, the newest one not yet whole */
	float past_low[VIEW_PAST];
	float past_mean[VIEW_PAST];
	float past_high[VIEW_PAST];
};

#endif /* SEEP_DETECT_VIEW_H */
