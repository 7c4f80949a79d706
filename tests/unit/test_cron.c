// SPDX-License-Identifier: BSD-2-Clause
/* test_cron.c - what crontab(5) lines mean, in UTC and where the clock is changed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "base/cron.h"

static const char *next_of(const char *text, const char *after, char buf[32])
{
	struct tm tm = {.tm_isdst = -1};
	const char *why;
	struct cron c;
	time_t t;

	assert_non_null(strptime(after, "%Y-%m-%d %H:%M:%S", &tm));
	assert_int_equal(cron__parse(text, &c, &why), 0);
	t = cron__next(&c, mktime(&tm));
	if (t < 0)
		return "never";
	localtime_r(&t, &tm);
	strftime(buf, 32, "%Y-%m-%d %H:%M:%S", &tm);
	return buf;
}

static void use_zone(const char *zone)
{
	setenv("TZ", zone, 1);
	tzset();
}

static void finds_the_next_time(void **state)
{
	static const struct {
		const char *cron, *after, *next;
	} rows[] = {
		{"0 * * * *", "2026-11-21 10:29:31", "2026-11-21 11:00:00"},
		{"@hourly", "2026-11-21 10:00:00", "2026-11-21 11:00:00"},
		{"0 * * * *", "2026-12-31 23:59:59", "2027-01-01 00:00:00"},
		{"*/15 9-17 * * mon-fri", "2026-11-21 10:00:00", "2026-11-23 09:00:00"},
		{"*/15 9-17 * * 1-5", "2026-11-23 09:00:00", "2026-11-23 09:15:00"},
		{"7,11/20 * * * *", "2026-11-21 10:08:00", "2026-11-21 10:11:00"},
		{"7,11/20 * * * *", "2026-11-21 10:12:00", "2026-11-21 10:31:00"},
		{"0 0 29 feb *", "2026-11-21 10:00:00", "2028-02-29 00:00:00"},
		{"0 0 30 2 *", "2026-11-21 10:00:00", "never"},
		{"0 0 13 * fri", "2026-11-21 10:00:00", "2026-11-27 00:00:00"},
		{"30 6 * * 7", "2026-11-21 10:00:00", "2026-11-22 06:30:00"},
	};
	char buf[32];
	size_t i;

	(void)state;
	use_zone("UTC0");
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		assert_string_equal(next_of(rows[i].cron, rows[i].after, buf), rows[i].next);
}

/* In this zone the clock jumps from 02:00 to 03:00 on 29 March and back on 25 October 2026. */
static void survives_summer_time(void **state)
{
	char buf[32];

	(void)state;
	use_zone("CET-1CEST,M3.5.0,M10.5.0/3");
	assert_string_equal(next_of("0 * * * *", "2026-03-29 01:30:00", buf),
			    "2026-03-29 03:00:00");
	assert_string_equal(next_of("0 4 * * *", "2026-10-24 05:00:00", buf),
			    "2026-10-25 04:00:00");
}

static void refuses_what_is_no_schedule(void **state)
{
	static const char *const bad[] = {
		"",
		"* * * *",
		"* * * * * *",
		"60 * * * *",
		"* 24 * * *",
		"* * 0 * *",
		"* * * 13 *",
		"* * * * 8",
		"5-3 * * * *",
		"*/0 * * * *",
		"1,, * * * *",
		"a * * * *",
		"-1 * * * *",
		"1-99999999999999999999 * * * *",
		"* * * janx *",
		"@yearly",
		"*/ * * * *",
	};
	struct cron c = {.minutes = 42};
	char longer[400];
	const char *why;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		why = NULL;
		assert_true(cron__parse(bad[i], &c, &why) < 0);
		assert_non_null(why);
	}
	memset(longer, '*', sizeof(longer) - 1);
	longer[sizeof(longer) - 1] = '\0';
	assert_true(cron__parse(longer, &c, &why) < 0);
	assert_int_equal(c.minutes, 42);
	assert_true(cron__parse("61 * * * *", &c, &why) < 0);
	assert_non_null(strstr(why, "minute"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(finds_the_next_time),
		cmocka_unit_test(survives_summer_time),
		cmocka_unit_test(refuses_what_is_no_schedule),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
