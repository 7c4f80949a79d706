// SPDX-License-Identifier: BSD-2-Clause
/* test_past.c - the week that a detector remembers: order, holes, and what is forgotten. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "detect/past.h"

/* Window i has the buckets i + 100 (floor) and i + 200 (mean), and one lower and higher each. */
static void fill(struct past *p, int from, int to)
{
	int i;

	for (i = from; i < to; i++) {
		past__add(p, i, (float)i + 100, (float)i + 200);
		past__add(p, i, (float)i + 99, (float)i + 202);
	}
}

static void test_nothing_is_known(void **state)
{
	struct past p;
	struct view v;

	(void)state;
	past__reset(&p);
	past__read(&p, &v);
	assert_int_equal(v.n_past, 0);
	past__add(&p, 5, NAN, NAN);
	past__read(&p, &v);
	assert_int_equal(v.n_past, 0);
}

static void test_lowest_mean_highest(void **state)
{
	struct past p;
	struct view v;
	int i;

	(void)state;
	past__reset(&p);
	fill(&p, 3, 8);
	past__read(&p, &v);
	assert_int_equal(v.n_past, 5);
	for (i = 0; i < 5; i++) {
		assert_float_equal(v.past_low[i], i + 3 + 99, 0);
		assert_float_equal(v.past_mean[i], i + 3 + 201, 1e-3);
		assert_float_equal(v.past_high[i], i + 3 + 202, 0);
	}
}

static void test_a_week_and_no_more(void **state)
{
	struct past p;
	struct view v;

	(void)state;
	past__reset(&p);
	fill(&p, 0, 3 * VIEW_PAST + 5);
	past__read(&p, &v);
	assert_int_equal(v.n_past, VIEW_PAST);
	assert_float_equal(v.past_low[0], 2 * VIEW_PAST + 5 + 99, 0);
	assert_float_equal(v.past_low[VIEW_PAST - 1], 3 * VIEW_PAST + 4 + 99, 0);
}

static void test_a_hole_is_a_hole(void **state)
{
	struct past p;
	struct view v;

	(void)state;
	past__reset(&p);
	fill(&p, 0, 4);
	fill(&p, 6, 8);
	past__read(&p, &v);
	assert_int_equal(v.n_past, 8);
	assert_true(isnan(v.past_low[4]) && isnan(v.past_mean[5]) && isnan(v.past_high[5]));
	assert_float_equal(v.past_low[6], 6 + 99, 0);
}

static void test_a_longer_gap_forgets(void **state)
{
	struct past p;
	struct view v;

	(void)state;
	past__reset(&p);
	fill(&p, 0, 10);
	fill(&p, 10 + VIEW_PAST, 12 + VIEW_PAST);
	past__read(&p, &v);
	assert_int_equal(v.n_past, 2);
	assert_float_equal(v.past_low[0], 10 + VIEW_PAST + 99, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_nothing_is_known),
		cmocka_unit_test(test_lowest_mean_highest),
		cmocka_unit_test(test_a_week_and_no_more),
		cmocka_unit_test(test_a_hole_is_a_hole),
		cmocka_unit_test(test_a_longer_gap_forgets),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
