/* SPDX-License-Identifier: BSD-2-Clause */
/* test_explain.c - the explanation says who, how much, how sure and how long, in English. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <cmocka.h>

#include "incident/explain.h"
#include "incident_sample.h"

static struct incident *in;

static int setup(void **state)
{
	setenv("TZ", "UTC", 1);
	tzset();
	in = sample_incident("0123abcd", "p:4711:1");
	return !in;
}

static int teardown(void **state)
{
	incident__free(in);
	return 0;
}

static void expect(const char *want)
{
	char *text = explain__incident(in, T0 + 7920);

	assert_non_null(text);
	if (!strstr(text, want))
		fail_msg("\"%s\" is not in \"%s\"", want, text);
	free(text);
}

static void expect_not(const char *unwanted)
{
	char *text = explain__incident(in, T0 + 7920);

	assert_non_null(text);
	if (strstr(text, unwanted))
		fail_msg("\"%s\" is in \"%s\"", unwanted, text);
	free(text);
}

static void test_whole_text(void **state)
{
	char *text = explain__incident(in, T0 + 7920);

	assert_string_equal(
		text,
		"Process \"api\" (PID 4711) in container \"web\" of pod shop/api-7d9 "
		"(Deployment/api) on node n1 has been leaking memory since 2027-01-15 05:48:01 "
		"(4h 23m ago). What it never gives back grew by 311 MiB within 1h, a rate of "
		"97.0 MiB per hour (95 % interval: 89.0 MiB to 101 MiB). It is almost certain "
		"(97 %) that this goes on and is not given back. At this rate it reaches "
		"the limit of 907 MiB in 17h (95 % interval: 13h to 19h). Within 1m 29s its "
		"objects of type Basket grew by 61 (67 B). The incident has been open for 2h 12m. One thing "
		"was not seen: a gap of 37 s. Look for what is added with each request or job and never removed: list and map entries, listeners, "
		"sessions, buffers on error paths.");
	free(text);
}

static void test_closed(void **state)
{
	incident__close(in, T0 + 3600, "growth stopped");
	expect("leaked memory from 2027-01-15 05:48:01 on, for 3h 11m.");
	expect("At its worst, what it never gave back grew by 311 MiB");
	expect("It was almost certain (97 %) that this would go on.");
	expect("At that rate it would have reached the limit of");
	expect("The incident was closed on 2027-01-15 09:00:00: growth stopped.");
	expect_not("has been");
}

static void test_limits(void **state)
{
	in->verdict.time_to_limit_hi_s = INFINITY;
	expect("in 17h (95 % interval: not before 13h).");
	in->verdict.time_to_limit_lo_s = in->verdict.time_to_limit_hi_s = NAN;
	expect("in 17h.");
	in->verdict.time_to_limit_s = -5;
	expect("It is at the limit of 907 MiB.");
	in->verdict.time_to_limit_s = NAN;
	expect("It is not known to come near the limit of 907 MiB.");
	in->verdict.limit_bytes = NAN;
	expect("No limit is known for it");
}

static void test_unknown_numbers_are_left_out(void **state)
{
	struct incident *bare = incident__new("c:/x");
	char *text = explain__incident(bare, NAN);

	assert_non_null(text);
	assert_null(strstr(text, "nan"));
	assert_null(strstr(text, "inf"));
	assert_null(strstr(text, "null"));
	assert_null(strstr(text, " -"));
	free(text);
	incident__free(bare);
}

static void test_objects(void **state)
{
	struct incident_object object = {.kind = (char *)"process",
					 .pid = 7,
					 .comm = (char *)"x",
					 .cgroup = (char *)"/user.slice"};

	incident__set_object(in, &object);
	expect("Process \"x\" (PID 7) in cgroup \"/user.slice\" has been");
	object.pid = 0;
	incident__set_object(in, &object);
	expect("The cgroup \"/user.slice\" has been");
	object.pod = (char *)"p";
	incident__set_object(in, &object);
	expect("of pod p has been");
}

static void test_numbers_of_things(void **state)
{
	expect("One thing was not seen: a gap of 37 s. ");
	incident__not_seen(in, "the start");
	expect("2 things were not seen: a gap of 37 s; the start. ");
}

static void set_site(int count, int line)
{
	json_decref(in->sites);
	in->sites = json_pack("[{s:i, s:i, s:[{s:n}, {s:s, s:s, s:i}]}]", "outstanding_bytes",
			      5 << 20, "outstanding_count", count, "frames", "function", "function",
			      "leak_here", "file", "a.c", "line", line);
	assert_non_null(in->sites);
}

static void set_references(const char *verdict, int unreferenced, int blocks)
{
	json_t *site = json_array_get(in->sites, 0);

	json_object_set_new(site, "verdict", json_string(verdict));
	json_object_set_new(site, "references",
			    json_pack("{s:i,s:i}", "blocks", blocks, "unreferenced",
				      unreferenced));
}

static void test_site(void **state)
{
	expect_not("was allocated by");
	set_site(1, 42);
	expect("The largest part, 5.0 MiB in 1 block, was allocated by leak_here (a.c:42). ");
	set_site(11, 42);
	expect("5.0 MiB in 11 blocks, was");
	expect_not("Nothing in its memory refers");
	set_references("leak", 9, 10);
	expect("Nothing in its memory refers to 9 of 10 of them that were looked for");
	expect("Look for what becomes of its result");
	set_references("cache", 9, 10);
	expect_not("Nothing in its memory refers");
	set_references("leak", 4, 10);
	expect_not("Nothing in its memory refers");
	json_object_set_new(json_array_get(in->sites, 0), "allocator", json_string("pagefault"));
	expect("The largest part, 5.0 MiB, came to life in leak_here (a.c:42). ");
}

static void test_types_of_objects(void **state)
{
	json_decref(in->objects);
	in->objects = NULL;
	expect_not("its objects");
	in->objects = json_pack("{s:s, s:f, s:[{s:n, s:b, s:i, s:i}, {s:s, s:b, s:i, s:i}]}", "runtime",
				"CPython 3.11", "span_s", 90.0, "types", "type", "class", 0,
				"added_objects", 7, "added_bytes", 9 << 20, "type", "str", "class", 0,
				"added_objects", 4001, "added_bytes", 5 << 20);
	expect("Within 1m 30s its objects of type str grew by 4001 (5.0 MiB). ");
	json_array_append_new(json_object_get(in->objects, "types"),
			      json_pack("{s:s, s:b, s:i, s:i}", "type", "Basket", "class", 1,
					"added_objects", 401, "added_bytes", 1 << 20));
	expect("type str grew by 4001 (5.0 MiB), those of its own class Basket by 401 (1.0 MiB). ");
	json_array_remove(json_object_get(in->objects, "types"), 1);
	expect("its objects of type Basket grew by 401 (1.0 MiB). ");
}

static void test_every_class_reads(void **state)
{
	char *texts[CLASS_LOAD + 1];
	int i, k;

	for (i = 0; i <= CLASS_LOAD; i++) {
		in->verdict.class = i;
		texts[i] = explain__incident(in, T0 + 7920);
		assert_non_null(texts[i]);
		assert_int_equal(texts[i][strlen(texts[i]) - 1], '.');
		assert_null(strstr(texts[i], ". ."));
		assert_null(strstr(texts[i], "  "));
		assert_null(strstr(texts[i], ".."));
		for (k = 0; k < i; k++)
			assert_string_not_equal(texts[i], texts[k]);
	}
	for (i = 0; i <= CLASS_LOAD; i++)
		free(texts[i]);
	in->verdict.class = 99;
	expect("has been growing since");
}

static void test_certainty(void **state)
{
	static const struct {
		double confidence;
		const char *want;
	} cases[] = {
		{1, "almost certain (100 %)"}, {.969, "very likely (96 %)"}, {.85, "likely (85 %)"},
		{.5, "possible (50 %)"},       {.1, "doubtful (10 %)"},
	};
	size_t i;

	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		in->verdict.confidence = cases[i].confidence;
		expect(cases[i].want);
	}
}

static void test_critical_is_urgent(void **state)
{
	expect_not("Act soon");
	in->severity = SEVERITY_CRITICAL;
	expect("Act soon");
	incident__close(in, T0 + 1, "process ended");
	expect_not("Act soon");
}

static void test_hostile_names(void **state)
{
	struct incident_object object = sample_object();

	object.comm = (char *)"%s%n\x1b[2J\xff";
	incident__set_object(in, &object);
	expect("Process \"%s%n?[2J?\" (PID 4711)");
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_whole_text),	  TEST(test_closed),
		TEST(test_limits),	  TEST(test_unknown_numbers_are_left_out),
		TEST(test_objects),	  TEST(test_numbers_of_things),
		TEST(test_site),	  TEST(test_every_class_reads),
		TEST(test_types_of_objects),
		TEST(test_certainty),	  TEST(test_critical_is_urgent),
		TEST(test_hostile_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
