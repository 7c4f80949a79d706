/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * anchors.h - other people's leak rules, re-implemented from what they publish.
 *
 * Each rule becomes a score that rises with its suspicion, so that it can be run at its published
 * threshold, at the best threshold for a corpus, and along its whole curve. All see the same
 * history: medians of five minutes, up to now. Which source says what is told in anchors.c.
 */
#ifndef SEEP_BENCH_ANCHORS_H
#define SEEP_BENCH_ANCHORS_H

#include <stddef.h>

#define ANCHOR_BIN_S   300.0
#define ANCHOR_HISTORY 576 /* bins that are looked at: two days */
#define ANCHOR_CNT     8

struct anchor_view {
	const double *t_s; /* one per bin that had samples, ascending */
	const double *bytes;
	size_t cnt;	    /* all up to now, at most ANCHOR_HISTORY */
	double limit_bytes; /* NAN: none */
	double window_s;
	double life_s; /* since the first sample of the series */
};

struct anchor {
	const char *name;
	const char *tag;  /* for the head of a column */
	double published; /* alarm at a score of at least this */
};

extern const struct anchor anchors[ANCHOR_CNT];

/* Scores of all rules as of the last bin; -INFINITY where a rule has nothing to say. */
void anchors__score(const struct anchor_view *view, double scores[ANCHOR_CNT]);

#endif /* SEEP_BENCH_ANCHORS_H */
