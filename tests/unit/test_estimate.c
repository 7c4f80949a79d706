// SPDX-License-Identifier: BSD-2-Clause
/*
 * test_estimate.c - the estimate is unbiased and its interval holds what it promises, by
 * simulation; the verdicts of typical sites.
 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "drill/cohort.h"
#include "drill/estimate.h"

#define PERIOD 524288.0
#define RUNS 4000

static uint64_t random_state;

static double uniform(void)
{
	random_state ^= random_state << 13;
	random_state ^= random_state >> 7;
	random_state ^= random_state << 17;
	return (random_state >> 11) * 0x1p-53;
}

static double probability(double size)
{
	return 1 - exp(-size / PERIOD);
}

static struct estimate sample(const double *sizes, size_t size_cnt, size_t objects)
{
	struct estimate e = {0};
	size_t i;

	for (i = 0; i < objects; i++) {
		double size = sizes[i % size_cnt];

		if (uniform() < probability(size))
			estimate__add(&e, size, size / probability(size));
	}
	return e;
}

/* Share of the runs whose interval holds the truth; *ret_mean is that of the estimates. */
static double coverage(const double *sizes, size_t size_cnt, size_t objects, double *ret_mean)
{
	double truth = 0, sum = 0, lo, hi;
	int run, held = 0;
	size_t i;

	random_state = 88172645463325252ULL;
	for (i = 0; i < objects; i++)
		truth += sizes[i % size_cnt];
	for (run = 0; run < RUNS; run++) {
		struct estimate e = sample(sizes, size_cnt, objects);

		estimate__interval(&e, &lo, &hi);
		assert_true(lo <= e.bytes && e.bytes <= hi);
		assert_true(lo >= e.seen_bytes || e.samples == 0);
		/* nothing sampled: nothing would be reported, so nothing is claimed */
		held += !e.samples || (lo <= truth && truth <= hi);
		sum += e.bytes;
	}
	*ret_mean = sum / RUNS / truth;
	return (double)held / RUNS;
}

static void test_coverage(void **state)
{
	static const double small[] = {64}, page[] = {4096}, half[] = {262144}, large[] = {2e6};
	static const double mixed[] = {48, 640, 8192, 100000, 1500000};
	static const struct {
		const double *sizes;
		size_t size_cnt, objects;
	} cases[] = {
		{small, 1, 20000}, {page, 1, 400}, {page, 1, 1500}, {page, 1, 6000},
		{half, 1, 5}, {half, 1, 40}, {large, 1, 3}, {large, 1, 60}, {mixed, 5, 50},
		{mixed, 5, 2000},
	};
	double share, mean;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		share = coverage(cases[i].sizes, cases[i].size_cnt, cases[i].objects, &mean);
		if (share < .94 || fabs(mean - 1) > .05)
			fail_msg("case %zu: %.1f %% covered, mean %.3f of the truth", i,
				 share * 100, mean);
	}
}

static void test_everything_sampled(void **state)
{
	struct estimate e = {0};
	double lo, hi;

	(void)state;
	estimate__add(&e, 100, 100);
	estimate__add(&e, 17, 17);
	estimate__add(&e, 0, 0);
	estimate__interval(&e, &lo, &hi);
	assert_true(e.bytes == 117 && lo == 117 && hi == 117);
	assert_true(e.count == 3 && e.samples == 3);
}

static void test_weight_below_size(void **state)
{
	struct estimate e = {0};

	(void)state;
	estimate__add(&e, 100, 0);
	assert_true(e.bytes == 100 && e.count == 1 && e.variance == 0);
}

static void test_merge(void **state)
{
	struct estimate a = {0}, b = {0}, both = {0};
	double lo, hi, both_lo, both_hi;
	int i;

	(void)state;
	for (i = 0; i < 10; i++) {
		estimate__add(i % 2 ? &a : &b, 1000, PERIOD);
		estimate__add(&both, 1000, PERIOD);
	}
	estimate__merge(&a, &b);
	estimate__interval(&a, &lo, &hi);
	estimate__interval(&both, &both_lo, &both_hi);
	assert_true(lo == both_lo && hi == both_hi && a.samples == 10);
}

/* ---- cohorts ---- */

#define STEP_S 2.0

/* Alive at t of what was born in [from, to), as one of the laws below says. */
typedef double (*alive_fn)(double from_s, double to_s, double t_s);

static void run_law(alive_fn alive, int rows, struct cohort_clock *c, struct cohort_table *t)
{
	int i, j;

	memset(c, 0, sizeof(*c));
	memset(t, 0, sizeof(*t));
	c->start_s = 1000;
	c->cnt = rows;
	for (i = 0; i < rows; i++)
		c->t_s[i] = 1000 + (i + 1) * STEP_S;
	for (i = 0; i < rows; i++) {
		for (j = 0; j <= i; j++) {
			double bytes = alive(j * STEP_S, (j + 1) * STEP_S, (i + 1) * STEP_S);

			t->cell[i][j] = (struct cohort_cell){bytes, bytes / 1000};
		}
	}
}

static enum site_verdict verdict_of(alive_fn alive)
{
	char evidence[SITE_EVIDENCE_LEN] = "";
	struct cohort_clock c;
	struct cohort_table t;
	enum site_verdict verdict;

	run_law(alive, 15, &c, &t);
	verdict = cohort__verdict(&c, &t, evidence, sizeof(evidence));
	assert_true(strlen(evidence) > 20);
	return verdict;
}

static double leak(double from_s, double to_s, double t_s)
{
	(void)t_s;
	return 50000 * (to_s - from_s);
}

/* Nine of ten are freed within seconds. */
static double leak_in_churn(double from_s, double to_s, double t_s)
{
	return (to_s - from_s) * (50000 + 450000 * exp(-(t_s - to_s) / 1.5));
}

/* First in, first out, 12 s long. */
static double turning_cache(double from_s, double to_s, double t_s)
{
	double oldest_s = fmax(t_s - 12, 0);

	return 50000 * fmax(to_s - fmax(from_s, oldest_s), 0);
}

static double filled_cache(double from_s, double to_s, double t_s)
{
	(void)t_s;
	return 50000 * fmax(fmin(to_s, 10) - from_s, 0);
}

/* Saturates, but has not yet. */
static double warm_up(double from_s, double to_s, double t_s)
{
	(void)t_s;
	return 1e6 * (exp(-from_s / 15) - exp(-to_s / 15));
}

static double accelerating_leak(double from_s, double to_s, double t_s)
{
	(void)t_s;
	return 5000 * (to_s * to_s - from_s * from_s);
}

static double churn(double from_s, double to_s, double t_s)
{
	return 500000 * (to_s - from_s) * exp(-(t_s - to_s) / .5);
}

static double little(double from_s, double to_s, double t_s)
{
	(void)t_s;
	return 500 * (to_s - from_s);
}

static void test_verdicts(void **state)
{
	(void)state;
	assert_int_equal(verdict_of(leak), SITE_LEAK);
	assert_int_equal(verdict_of(leak_in_churn), SITE_LEAK);
	assert_int_equal(verdict_of(turning_cache), SITE_CACHE);
	assert_int_equal(verdict_of(filled_cache), SITE_CACHE);
	assert_int_equal(verdict_of(churn), SITE_CHURN);
	assert_int_equal(verdict_of(accelerating_leak), SITE_LEAK);
	assert_int_equal(verdict_of(warm_up), SITE_UNKNOWN);
	assert_int_equal(verdict_of(little), SITE_UNKNOWN);
}

static void test_too_short(void **state)
{
	char evidence[SITE_EVIDENCE_LEN];
	struct cohort_clock c;
	struct cohort_table t;

	(void)state;
	run_law(leak, 3, &c, &t);
	assert_int_equal(cohort__verdict(&c, &t, evidence, sizeof(evidence)), SITE_UNKNOWN);
	run_law(leak, 2, &c, &t);
	assert_true(isnan(cohort__growth_per_hour(&c, &t)));
	memset(&c, 0, sizeof(c));
	assert_int_equal(cohort__verdict(&c, &t, evidence, sizeof(evidence)), SITE_UNKNOWN);
}

/* One snapshot came late, and all births lie in it. */
static void test_uneven_clock(void **state)
{
	struct cohort_clock c = {.start_s = 0, .cnt = 4, .t_s = {90, 90.5, 91, 100}};
	struct cohort_table t = {0};
	char evidence[SITE_EVIDENCE_LEN];
	int i;

	(void)state;
	for (i = 0; i < 4; i++)
		t.cell[i][0] = (struct cohort_cell){1e6, 100};
	assert_int_not_equal(cohort__verdict(&c, &t, evidence, sizeof(evidence)), SITE_LEAK);
	assert_true(cohort__growth_per_hour(&c, &t) == 0);
}

static void test_growth(void **state)
{
	struct cohort_clock c;
	struct cohort_table t;
	double growth;

	(void)state;
	run_law(leak, 15, &c, &t);
	growth = cohort__growth_per_hour(&c, &t);
	assert_true(fabs(growth / (50000 * 3600.0) - 1) < 1e-3);
	run_law(filled_cache, 15, &c, &t);
	assert_true(cohort__growth_per_hour(&c, &t) == 0);
}

static void test_halving(void **state)
{
	struct cohort_clock c;
	struct cohort_table t;
	double before;

	(void)state;
	run_law(leak_in_churn, COHORT_ROWS, &c, &t);
	before = cohort__growth_per_hour(&c, &t);
	cohort_table__halve(&t);
	cohort_clock__halve(&c);
	assert_int_equal(c.cnt, COHORT_ROWS / 2);
	assert_true(c.t_s[c.cnt - 1] == 1000 + COHORT_ROWS * STEP_S);
	assert_true(fabs(cohort__growth_per_hour(&c, &t) / before - 1) < .1);
	assert_int_equal(cohort_clock__column(&c, 1000 + 2 * STEP_S), 0);
	assert_int_equal(cohort_clock__column(&c, 1000 + 2 * STEP_S + .1), 1);
	assert_int_equal(cohort_clock__column(&c, 1e9), c.cnt - 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_coverage),
		cmocka_unit_test(test_everything_sampled),
		cmocka_unit_test(test_weight_below_size),
		cmocka_unit_test(test_merge),
		cmocka_unit_test(test_verdicts),
		cmocka_unit_test(test_too_short),
		cmocka_unit_test(test_uneven_clock),
		cmocka_unit_test(test_growth),
		cmocka_unit_test(test_halving),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
