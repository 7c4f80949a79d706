// SPDX-License-Identifier: BSD-2-Clause
/*
 * cohort.c - see cohort.h.
 *
 * The verdict looks at quarters of the run. What was born in the first one and is still there at
 * half time has outlived everything that is short-lived; how much of it is there at the end, and
 * whether the second and third quarter left as much behind, tells the kinds apart. It is a
 * verdict on this run: memory that is freed only after a longer time looks leaked.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../base/units.h"
#include "cohort.h"

#define QUARTERS 4
#define MIN_ROWS 4
#define MIN_SPAN_S 8
#define MIN_SAMPLES 20      /* of the site, alive */
#define MIN_OLD_SAMPLES 5   /* of the first quarter */
#define KEPT_MOST .8        /* of the first quarter: nothing is being freed */
#define KEPT_LITTLE .5      /* ...old memory is given back */
#define STEADY_RATE .5      /* each later quarter leaves this much of what the first one left */
#define PLATEAU 1.1         /* the total grew no further than this since half time */
#define OLD_LITTLE .25      /* less than this is older than a quarter of the run: churn */

int cohort_clock__column(const struct cohort_clock *c, double at_s)
{
	int i = 0;

	while (i < c->cnt - 1 && at_s > c->t_s[i])
		i++;
	return i;
}

void cohort_clock__halve(struct cohort_clock *c)
{
	int i;

	for (i = 0; i < c->cnt / 2; i++)
		c->t_s[i] = c->t_s[2 * i + 1];
	c->cnt /= 2;
}

static struct cohort_cell add_cells(struct cohort_cell a, struct cohort_cell b)
{
	return (struct cohort_cell){a.bytes + b.bytes, a.samples + b.samples};
}

void cohort_table__halve(struct cohort_table *t)
{
	struct cohort_table old = *t;
	int i, j;

	memset(t, 0, sizeof(*t));
	for (i = 0; i < COHORT_ROWS / 2; i++) {
		for (j = 0; j <= i; j++)
			t->cell[i][j] = add_cells(old.cell[2 * i + 1][2 * j],
						  old.cell[2 * i + 1][2 * j + 1]);
	}
}

void cohort_table__merge(struct cohort_table *to, const struct cohort_table *from)
{
	int i, j;

	for (i = 0; i < COHORT_ROWS; i++) {
		for (j = 0; j <= i; j++)
			to->cell[i][j] = add_cells(to->cell[i][j], from->cell[i][j]);
	}
}

/* What was alive at a snapshot and born in the columns [from, to). */
static struct cohort_cell sum_row(const struct cohort_table *t, int row, int from, int to)
{
	struct cohort_cell sum = {0};
	int j;

	for (j = from; j < to && j <= row; j++)
		sum = add_cells(sum, t->cell[row][j]);
	return sum;
}

static int compare_doubles(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

double cohort__growth_per_hour(const struct cohort_clock *c, const struct cohort_table *t)
{
	double total[COHORT_ROWS], slope[COHORT_ROWS * COHORT_ROWS / 2];
	int i, j, n = 0;

	if (c->cnt < 3 || sum_row(t, c->cnt - 1, 0, c->cnt).samples < MIN_OLD_SAMPLES)
		return NAN;
	for (i = 0; i < c->cnt; i++)
		total[i] = sum_row(t, i, 0, c->cnt).bytes;
	for (i = 0; i < c->cnt; i++) {
		for (j = 0; j < i; j++) {
			if (c->t_s[i] > c->t_s[j])
				slope[n++] = (total[i] - total[j]) / (c->t_s[i] - c->t_s[j]);
		}
	}
	if (!n)
		return NAN;
	qsort(slope, n, sizeof(slope[0]), compare_doubles);
	return (slope[(n - 1) / 2] + slope[n / 2]) / 2 * 3600;
}

/* ---- the verdict ---- */

/* What the quarters of the run left behind. */
struct quarters {
	double span_s;
	struct cohort_cell total, half_total;  /* at the end, and at half time */
	struct cohort_cell first_at_half, first_now;
	double rate[QUARTERS];                 /* bytes alive now per second of the quarter */
	double old_share;                      /* of all bytes now: older than the last quarter */
};

/* The first column born in quarter q or later: columns go by the middle of their time. */
static int quarter_start(const struct cohort_clock *c, double span_s, int q)
{
	double middle;
	int j;

	for (j = 0; j < c->cnt; j++) {
		middle = ((j ? c->t_s[j - 1] : c->start_s) + c->t_s[j]) / 2 - c->start_s;
		if (middle * QUARTERS >= q * span_s)
			return j;
	}
	return c->cnt;
}

static int half_row(const struct cohort_clock *c, double span_s)
{
	int row = c->cnt - 1;

	while (row > 0 && c->t_s[row] - c->start_s > span_s / 2 * 1.01)
		row--;
	return row;
}

/* Bytes alive now per second of the columns [from, to). */
static double rate_of(const struct cohort_clock *c, const struct cohort_table *t, int from, int to)
{
	double span_s;

	if (from >= to)
		return 0;
	span_s = c->t_s[to - 1] - (from ? c->t_s[from - 1] : c->start_s);
	return span_s > 0 ? sum_row(t, c->cnt - 1, from, to).bytes / span_s : 0;
}

static void measure(const struct cohort_clock *c, const struct cohort_table *t,
		    struct quarters *ret_q)
{
	int last = c->cnt - 1, start[QUARTERS + 1], half, i;
	struct quarters q = {.span_s = c->t_s[last] - c->start_s};

	half = half_row(c, q.span_s);
	for (i = 0; i <= QUARTERS; i++)
		start[i] = i < QUARTERS ? quarter_start(c, q.span_s, i) : c->cnt;
	for (i = 0; i < QUARTERS; i++)
		q.rate[i] = rate_of(c, t, start[i], start[i + 1]);
	q.total = sum_row(t, last, 0, c->cnt);
	q.half_total = sum_row(t, half, 0, c->cnt);
	q.first_at_half = sum_row(t, half, 0, start[1]);
	q.first_now = sum_row(t, last, 0, start[1]);
	if (q.total.bytes > 0)
		q.old_share = sum_row(t, last, 0, start[3]).bytes / q.total.bytes;
	*ret_q = q;
}

static double kept_share(const struct quarters *q)
{
	return q->first_at_half.bytes > 0 ? q->first_now.bytes / q->first_at_half.bytes : 0;
}

static int is_steady(const struct quarters *q)
{
	int i;

	for (i = 1; i < QUARTERS; i++) {
		if (q->rate[i] < STEADY_RATE * q->rate[0])
			return 0;
	}
	return 1;
}

static enum site_verdict judge(const struct quarters *q)
{
	double kept = kept_share(q);
	int knows_old = q->first_at_half.samples >= MIN_OLD_SAMPLES;

	if (q->old_share < OLD_LITTLE && (!knows_old || kept < KEPT_LITTLE))
		return SITE_CHURN;
	if (!knows_old)
		return SITE_UNKNOWN;
	if (kept < KEPT_LITTLE)
		return SITE_CACHE;
	if (q->total.bytes <= PLATEAU * q->half_total.bytes)
		return SITE_CACHE;
	return kept >= KEPT_MOST && is_steady(q) ? SITE_LEAK : SITE_UNKNOWN;
}

static void write_evidence(const struct quarters *q, char *ret_text, size_t cap)
{
	char span[32], rate[QUARTERS][32];
	int i;

	for (i = 0; i < QUARTERS; i++)
		units__format_bytes(q->rate[i], rate[i], sizeof(rate[i]));
	units__format_duration(q->span_s, span, sizeof(span));
	snprintf(ret_text, cap,
		 "the quarters of %s left %s, %s, %s, %s per second; of the first one's bytes at "
		 "half time %.0f %% are there now",
		 span, rate[0], rate[1], rate[2], rate[3], 100 * kept_share(q));
}

enum site_verdict cohort__verdict(const struct cohort_clock *c, const struct cohort_table *t,
				  char *ret_evidence, size_t cap)
{
	struct quarters q;

	if (c->cnt < MIN_ROWS || c->t_s[c->cnt - 1] - c->start_s < MIN_SPAN_S) {
		snprintf(ret_evidence, cap, "too short to tell: at least %d s are needed",
			 MIN_SPAN_S);
		return SITE_UNKNOWN;
	}
	measure(c, t, &q);
	if (q.total.samples < MIN_SAMPLES) {
		snprintf(ret_evidence, cap, "too few samples to tell: at least %d are needed",
			 MIN_SAMPLES);
		return SITE_UNKNOWN;
	}
	write_evidence(&q, ret_evidence, cap);
	return judge(&q);
}
