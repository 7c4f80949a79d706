// SPDX-License-Identifier: BSD-2-Clause
/* test_metrics.c - both text formats, to the byte; labels that somebody hostile chose. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "out/metrics.h"

enum { SIZE, CALLS, UNUSED };

static const struct metric_desc descs[] = {
	[SIZE] = {"t_size_bytes", METRIC_GAUGE, "How big."},
	[CALLS] = {"t_calls_total", METRIC_COUNTER, "How often."},
	[UNUSED] = {"t_unused", METRIC_GAUGE, "Never told."},
};

static int setup(void **state)
{
	return !(*state = metrics__new(descs, 3));
}

static int teardown(void **state)
{
	metrics__free(*state);
	return 0;
}

static void is_rendered(const struct metrics *m, enum metrics_format format, const char *text)
{
	struct buf b = {0};

	assert_int_equal(metrics__render(m, format, &b), 0);
	assert_string_equal(b.data, text);
	buf__free(&b);
}

static void test_formats(void **state)
{
	const struct metric_label labels[] = {{"pid", "7"}, {"pod", NULL}, {"comm", "web"}};
	struct metrics *m = *state;

	metrics__add(m, CALLS, NULL, 9007199254740992.0);
	metrics__add(m, SIZE, metrics__labels(m, labels, 3), 0.1);
	metrics__add_one(m, SIZE, "pid", "8", -3);
	metrics__add(m, SIZE, NULL, NAN);
	metrics__add(m, UNUSED, NULL, INFINITY);
	is_rendered(m, METRICS_PROMETHEUS,
		    "# HELP t_size_bytes How big.\n# TYPE t_size_bytes gauge\n"
		    "t_size_bytes{pid=\"7\",comm=\"web\"} 0.1\nt_size_bytes{pid=\"8\"} -3\n"
		    "# HELP t_calls_total How often.\n# TYPE t_calls_total counter\n"
		    "t_calls_total 9007199254740992\n");
	is_rendered(m, METRICS_OPENMETRICS,
		    "# HELP t_size_bytes How big.\n# TYPE t_size_bytes gauge\n"
		    "t_size_bytes{pid=\"7\",comm=\"web\"} 0.1\nt_size_bytes{pid=\"8\"} -3\n"
		    "# HELP t_calls How often.\n# TYPE t_calls counter\n"
		    "t_calls_total 9007199254740992\n# EOF\n");
}

/* The value of the one label of the one sample. */
static void told_as(const char *value, char *ret_text, size_t cap)
{
	struct metrics *m = metrics__new(descs, 3);
	struct buf b = {0};
	char *from, *to;

	assert_non_null(m);
	metrics__add_one(m, SIZE, "comm", value, 1);
	assert_int_equal(metrics__render(m, METRICS_PROMETHEUS, &b), 0);
	from = strstr(b.data, "{comm=\"");
	to = strrchr(b.data, '}');
	assert_non_null(from);
	assert_non_null(to);
	snprintf(ret_text, cap, "%.*s", (int)(to - 1 - from - 7), from + 7);
	buf__free(&b);
	metrics__free(m);
}

static void test_hostile_labels(void **state)
{
	char text[2 * METRICS_LABEL_MAX + 8], other[sizeof(text)], longer[5000];

	told_as("a\"b\\c", text, sizeof(text));
	assert_string_equal(text, "a\\\"b\\\\c");
	told_as("x} 1\ny{z=\"", text, sizeof(text));
	assert_memory_equal(text, "x} 1?y{z=\\\"~", 12);
	told_as("\xff\x01", text, sizeof(text));
	told_as("\xfe\x02", other, sizeof(other));
	assert_memory_equal(text, "??~", 3);
	assert_string_not_equal(text, other); /* two objects are never one series */
	memset(longer, 'l', sizeof(longer) - 1);
	longer[sizeof(longer) - 1] = '\0';
	told_as(longer, text, sizeof(text));
	assert_int_equal(strlen(text), METRICS_LABEL_MAX);
	longer[sizeof(longer) - 2] = 'm';
	told_as(longer, other, sizeof(other));
	assert_string_not_equal(text, other);
}

static void test_accept(void **state)
{
	const char *prometheus = "application/openmetrics-text;version=1.0.0;q=0.75,"
				 "text/plain;version=0.0.4;q=0.5,*/*;q=0.1";

	assert_int_equal(metrics__format_of(prometheus), METRICS_OPENMETRICS);
	assert_int_equal(metrics__format_of(""), METRICS_PROMETHEUS);
	assert_int_equal(metrics__format_of("text/html"), METRICS_PROMETHEUS);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_formats, setup, teardown),
		cmocka_unit_test_setup_teardown(test_hostile_labels, setup, teardown),
		cmocka_unit_test_setup_teardown(test_accept, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
