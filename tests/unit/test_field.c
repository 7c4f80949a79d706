// SPDX-License-Identifier: BSD-2-Clause
/* test_field.c - reading JSON of unknown shape, and laying out histories as curves. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "cli/field.h"

static json_t *parse(const char *text)
{
	json_t *json = json_loads(text, JSON_DECODE_ANY, NULL);

	assert_non_null(json);
	return json;
}

static void test_paths(void **state)
{
	json_t *j = parse("{\"a\":{\"b\":{\"c\":7}},\"s\":\"x\",\"n\":null,\"l\":[1,2,3]}");

	(void)state;
	assert_true(field__num(j, "a.b.c") == 7);
	assert_string_equal(field__str(j, "s", "-"), "x");
	assert_int_equal(field__cnt(j, "l"), 3);
	assert_ptr_equal(field__get(j, ""), j);
	json_decref(j);
}

static void test_what_is_not_there(void **state)
{
	json_t *j = parse("{\"a\":{\"b\":1},\"s\":\"x\",\"n\":null,\"l\":[1]}");
	char text[FIELD_TEXT], key[200];

	(void)state;
	assert_true(isnan(field__num(j, "a.c")));
	assert_true(isnan(field__num(j, "a.b.c.d")));
	assert_true(isnan(field__num(j, "s")));
	assert_true(isnan(field__num(j, "n")));
	assert_string_equal(field__str(j, "a", "-"), "-");
	assert_string_equal(field__str(j, "n", "-"), "-");
	assert_int_equal(field__cnt(j, "a"), 0);
	assert_null(field__get(NULL, "a"));
	assert_true(isnan(field__num(NULL, "a")));
	assert_string_equal(field__bytes(j, "n", text), "-");
	assert_string_equal(field__time(j, "n", text), "-");
	assert_string_equal(field__duration(j, "n", text), "-");
	memset(key, 'k', sizeof(key) - 1);
	key[sizeof(key) - 1] = '\0';
	assert_null(field__get(j, key));
	json_decref(j);
}

static void test_absurd_times(void **state)
{
	json_t *j = parse("{\"t\":1e300,\"u\":-9e18}");
	char text[FIELD_TEXT];

	(void)state;
	assert_string_equal(field__time(j, "t", text), "-");
	assert_string_equal(field__time(j, "u", text), "-");
	assert_string_equal(field__duration(j, "t", text), "-");
	json_decref(j);
}

static void expect_curve(const char *history, const double *expected, int n)
{
	json_t *j = parse(history);
	double values[64];
	int i;

	field__curve(j, 0, n * 10, values, n);
	for (i = 0; i < n; i++) {
		if (isnan(expected[i]))
			assert_true(isnan(values[i]));
		else
			assert_true(fabs(values[i] - expected[i]) < 1e-6);
	}
	json_decref(j);
}

static void test_curve_one_point_each(void **state)
{
	const double expected[] = {1, 2, 3, 4};

	(void)state;
	expect_curve("[[5,1],[15,2],[25,3],[35,4]]", expected, 4);
}

static void test_curve_last_of_a_bucket(void **state)
{
	const double expected[] = {3, 9};

	(void)state;
	expect_curve("[[0,1],[4,2],[8,3],[12,7],[18,9]]", expected, 2);
}

static void test_curve_bridges_small_holes(void **state)
{
	const double expected[] = {10, 20, 30, 40, 50};

	(void)state;
	expect_curve("[[5,10],[25,30],[45,50]]", expected, 5);
}

static void test_curve_keeps_gaps(void **state)
{
	const double expected[] = {1, 1, NAN, NAN, NAN, NAN, NAN, 2, 2};

	(void)state;
	expect_curve("[[5,1],[15,1],[75,2],[85,2]]", expected, 9);
}

static void test_curve_ignores_what_is_odd(void **state)
{
	const double expected[] = {1, NAN, NAN};

	(void)state;
	expect_curve("[null,7,[5],[5,1],[4,9],[\"x\",1],[6,null],{},[1e300,5],[-1e300,4]]", expected,
		     3);
	expect_curve("{\"not\":\"a list\"}", (const double[]){NAN, NAN}, 2);
	expect_curve("[]", (const double[]){NAN}, 1);
}

static void test_curve_of_no_time(void **state)
{
	json_t *j = parse("[[5,1],[15,2]]");
	double values[2] = {7, 7};

	(void)state;
	field__curve(j, 10, 10, values, 2);
	assert_true(isnan(values[0]) && isnan(values[1]));
	field__curve(j, NAN, 10, values, 2);
	assert_true(isnan(values[0]));
	json_decref(j);
}

static void expect_label(const char *object, const char *expected)
{
	json_t *j = parse(object);
	struct buf b = {0};

	label__object(&b, j);
	assert_string_equal(b.data, expected);
	buf__free(&b);
	json_decref(j);
}

static void test_labels(void **state)
{
	(void)state;
	expect_label("{\"pid\":7,\"comm\":\"api\",\"cgroup\":\"/x\"}", "api[7]");
	expect_label("{\"pid\":7,\"comm\":\"api\",\"container\":\"web\"}", "api[7] in web");
	expect_label("{\"pid\":7,\"comm\":\"api\",\"pod\":\"p\",\"namespace\":\"n\"}",
		     "api[7] in n/p");
	expect_label("{\"pid\":null,\"comm\":null,\"cgroup\":\"/x\"}", "/x");
	expect_label("{\"pod\":\"p\",\"namespace\":\"n\",\"container\":\"c\"}", "n/p/c");
	expect_label("{\"container\":\"c\",\"cgroup\":\"/x\"}", "c");
	expect_label("{}", "?");
	expect_label("[]", "?");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_paths),
		cmocka_unit_test(test_what_is_not_there),
		cmocka_unit_test(test_absurd_times),
		cmocka_unit_test(test_curve_one_point_each),
		cmocka_unit_test(test_curve_last_of_a_bucket),
		cmocka_unit_test(test_curve_bridges_small_holes),
		cmocka_unit_test(test_curve_keeps_gaps),
		cmocka_unit_test(test_curve_ignores_what_is_odd),
		cmocka_unit_test(test_curve_of_no_time),
		cmocka_unit_test(test_labels),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
