/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * cohort.h - what becomes of memory by the time of its birth: the growth and verdict of one site.
 *
 * At each snapshot the live bytes of a site are counted by when they were allocated. A leak keeps
 * of every older quarter of the run about the same share; a cache empties its old quarters, or
 * stops growing; churn has no old ones at all. Bounded: when the rows are used up, every second
 * snapshot is dropped and neighbouring births are put together. Pure arithmetic.
 */
#ifndef SEEP_DRILL_COHORT_H
#define SEEP_DRILL_COHORT_H

#include "site.h"

#define COHORT_ROWS 16

/* The times of the snapshots, the same for all sites. */
struct cohort_clock {
	double start_s; /* before this nothing was seen */
	int cnt;
	double t_s[COHORT_ROWS];
};

struct cohort_cell {
	float bytes;
	float samples;
};

/* cell[row][column]: alive at snapshot `row`, born after snapshot column - 1, up to column. */
struct cohort_table {
	struct cohort_cell cell[COHORT_ROWS][COHORT_ROWS];
};

/* The column of what was born at at_s. The clock has at least one snapshot. */
int cohort_clock__column(const struct cohort_clock *c, double at_s);

/* Make room in a full clock and, before that, in each of its tables. */
void cohort_table__halve(struct cohort_table *t);
void cohort_clock__halve(struct cohort_clock *c);

void cohort_table__merge(struct cohort_table *to, const struct cohort_table *from);

/* Median slope over all pairs of snapshots; NAN for fewer than 3, or hardly any live sample. */
double cohort__growth_per_hour(const struct cohort_clock *c, const struct cohort_table *t);

/* The verdict and, as one sentence, the numbers behind it. */
enum site_verdict cohort__verdict(const struct cohort_clock *c, const struct cohort_table *t,
				  char *ret_evidence, size_t cap);

#endif /* SEEP_DRILL_COHORT_H */
