/* SPDX-License-Identifier: BSD-2-Clause */
/* report.h - the tables of the bench, as text or as JSON. */
#ifndef SEEP_BENCH_REPORT_H
#define SEEP_BENCH_REPORT_H

#include <stdbool.h>
#include "score.h"

/* One table: what thresholds are tuned on, and what is reported. */
struct set {
	char title[96];
	struct outcomes own_tune; /* of a recording */
	const struct outcomes *tune;
	struct outcomes report;
};

void report__text(const struct set *s, bool with_anchors);
/* One element of the array of sets. */
void report__json(const struct set *s, bool with_anchors);
/* A line for each series: name, shape, label, and when alarms opened, times `time_by`. */
void report__list(const struct outcomes *o, double time_by);
/* Every series that seep got wrong, on stderr. */
void report__wrong(const struct outcomes *o);

#endif /* SEEP_BENCH_REPORT_H */
