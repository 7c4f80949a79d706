// SPDX-License-Identifier: BSD-2-Clause
/* test_otlp.c - the request as opentelemetry-proto wants it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>
#include <jansson.h>

#include "out/otlp.h"

enum { SIZE, CALLS };

static const struct metric_desc descs[] = {
	[SIZE] = {"t_size_bytes", METRIC_GAUGE, "How \"big\"."},
	[CALLS] = {"t_calls_total", METRIC_COUNTER, "How often."},
};

static void test_encode(void **state)
{
	const char *expected =
		"{\"resourceMetrics\":[{\"resource\":{\"attributes\":["
		"{\"key\":\"service.name\",\"value\":{\"stringValue\":\"seep\"}},"
		"{\"key\":\"service.version\",\"value\":{\"stringValue\":\"" SEEP_VERSION "\"}},"
		"{\"key\":\"host.name\",\"value\":{\"stringValue\":\"n1\"}}]},"
		"\"scopeMetrics\":[{\"scope\":{\"name\":\"seep\",\"version\":\"" SEEP_VERSION "\"},"
		"\"metrics\":["
		"{\"name\":\"t_size_bytes\",\"description\":\"How \\\"big\\\".\",\"unit\":\"By\","
		"\"gauge\":{\"dataPoints\":[{\"attributes\":["
		"{\"key\":\"comm\",\"value\":{\"stringValue\":\"a\\\"b\"}}],"
		"\"timeUnixNano\":\"1800000000500000000\",\"asDouble\":7.5}]}},"
		"{\"name\":\"t_calls_total\",\"description\":\"How often.\",\"unit\":\"1\","
		"\"sum\":{\"dataPoints\":[{\"attributes\":[],"
		"\"timeUnixNano\":\"1800000000500000000\",\"asDouble\":3.0,"
		"\"startTimeUnixNano\":\"1799999000000000000\"}],"
		"\"aggregationTemporality\":2,\"isMonotonic\":true}}]}]}]}";
	struct metrics *m = metrics__new(descs, 2);
	struct buf body = {0};

	assert_non_null(m);
	metrics__add_one(m, SIZE, "comm", "a\"b", 7.5);
	metrics__add(m, CALLS, NULL, 3);
	assert_int_equal(otlp__encode(m, "n1", 1799999000, 1800000000.5, &body), 0);
	assert_string_equal(body.data, expected);
	buf__free(&body);
	metrics__free(m);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_encode),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
