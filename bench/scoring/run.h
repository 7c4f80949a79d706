/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * run.h - replays one labelled series through seep and the anchors, causally.
 *
 * Every 15 minutes of series time each rule is asked for its score on what had been seen by then.
 * Nothing here looks at the label, which is only kept beside the scores.
 */
#ifndef SEEP_BENCH_RUN_H
#define SEEP_BENCH_RUN_H

#include <stdbool.h>
#include "score.h"
#include "../../tests/replay/shapes.h"

struct runner;

struct runner_opts {
	double window_s;
	bool anchors;	  /* score them too */
	bool as_labelled; /* a leak is a leak, also below the bar */
};

/* NULL: out of memory. */
struct runner *runner__new(const struct runner_opts *opts);
void runner__free(struct runner *r);
/* Adds an outcome to `out`. pair: series that must stay together. 0 or -ENOMEM. */
int runner__run(struct runner *r, const struct shape_series *s, unsigned pair,
		struct outcomes *out);

#endif /* SEEP_BENCH_RUN_H */
