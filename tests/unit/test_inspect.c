// SPDX-License-Identifier: BSD-2-Clause
/* test_inspect.c - inspections: when they run, what they report, and the reason for each answer. */
#include <errno.h>
#include <ftw.h>
#include <limits.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

#include "agent_world.h"
#include "base/log.h"

static json_t *inspected(struct world *w, double last_s)
{
	json_t *report = inspect__run(&w->a, last_s, "request");

	assert_non_null(report);
	assert_string_equal(json_string_value(json_object_get(report, "schema")), "seep.inspect/1");
	return report;
}

/* The candidate that is this process, or the cgroup with pid 0. */
static const json_t *candidate(const json_t *report, unsigned pid)
{
	const json_t *list = json_object_get(report, "candidates"), *it;
	size_t i;

	json_array_foreach(list, i,
			   it) if (json_integer_value(json_object_get(json_object_get(it, "object"),
								      "pid")) == pid) return it;
	fail_msg("no candidate with pid %u", pid);
	return NULL;
}

static void expect_why(const json_t *it, int is_reported, const char *part)
{
	const char *why = json_string_value(json_object_get(it, "why"));

	assert_int_equal(json_is_true(json_object_get(it, "reported")), is_reported);
	assert_int_equal(json_is_string(json_object_get(it, "incident")), is_reported);
	assert_non_null(why);
	if (!strstr(why, part))
		fail_msg("'%s' is not in '%s'", part, why);
}

/* The same growth, but no running detector is ever asked. */
static void grow_unjudged(struct world *w, unsigned pid)
{
	struct proc_sample s = sized(pid, "web", 100 * MIB);
	int i;

	for (i = 0; i < WORLD_WINDOW_S; i++) {
		s.anon_bytes += 2 * MIB;
		w->a.seq++;
		w->a.now_s += 1;
		census__take(&w->a, &s, 1);
	}
}

static void says_why_for_each(void **state)
{
	struct world *w = *state;
	json_t *report;

	w->a.cfg.inspect_limit_s = 60;
	world__proc(w, 100, "web", "/app");
	world__leak(w, 100, "/app");
	report = inspected(w, WORLD_WINDOW_S);
	expect_why(candidate(report, 100), 1, "the incident is open since");
	expect_why(candidate(report, 0), 0, "explains the growth");
	assert_int_equal(json_integer_value(json_object_get(report, "reported")), 1);
	assert_true(json_is_true(json_object_get(report, "complete")));
	assert_int_equal(tracker__open_cnt(w->a.tracker), 1);
	json_decref(report);
}

static void opens_what_nobody_called(void **state)
{
	struct world *w = *state;
	json_t *report;

	w->a.cfg.inspect_limit_s = 60;
	world__proc(w, 100, "web", "/app");
	grow_unjudged(w, 100);
	report = inspected(w, WORLD_WINDOW_S / 2);
	expect_why(candidate(report, 100), 0, "whole window");
	assert_null(world__incident(w, 100));
	json_decref(report);

	report = inspected(w, WORLD_WINDOW_S);
	expect_why(candidate(report, 100), 1, "this inspection opened");
	assert_non_null(world__incident(w, 100));
	json_decref(report);

	/* and it stays open when the tick goes on */
	court__sit(&w->a);
	assert_non_null(world__incident(w, 100));
}

static void healthy_ones_have_a_reason(void **state)
{
	struct proc_sample s = sized(100, "step", 10 * MIB);
	struct world *w = *state;
	json_t *report;

	w->a.cfg.inspect_limit_s = 60;
	world__proc(w, 100, "step", "/app");
	world__idle_with(w, &s, 1, WORLD_WINDOW_S / 2);
	s.anon_bytes = 60 * MIB;
	world__idle_with(w, &s, 1, WORLD_WINDOW_S / 2);
	report = inspected(w, WORLD_WINDOW_S);
	expect_why(candidate(report, 100), 0, "not reported: ");
	assert_int_equal(json_integer_value(json_object_get(report, "reported")), 0);
	json_decref(report);
}

static void runs_on_time(void **state)
{
	struct inspection *in = &((struct world *)*state)->a.inspection;
	struct proc_sample s = sized(100, "web", MIB);
	struct world *w = *state;
	const char *why;
	int i;

	w->a.cfg.inspect_limit_s = 60;
	world__proc(w, 100, "web", "/app");
	assert_true(json_is_null(inspect__last(&w->a)));
	assert_int_equal(inspect__schedule(in, "10s", w->a.now_s, &why), 0);
	for (i = 0; i < 35; i++) {
		world__tick(w, &s, 1);
		inspect__tick(&w->a);
	}
	assert_int_equal(in->runs, 3);
	assert_int_equal(inspect__schedule(in, "off", w->a.now_s, &why), 0);
	inspect__tick(&w->a);
	assert_int_equal(in->runs, 3);
	assert_true(inspect__schedule(in, "61 * * * *", w->a.now_s, &why) < 0);
	assert_non_null(strstr(why, "minute"));
	assert_int_equal(inspect__schedule(in, "*/5 * * * *", w->a.now_s, &why), 0);
	assert_true(in->next_s > w->a.now_s && in->next_s <= w->a.now_s + 300);
}

static void over_its_limit_it_says_so(void **state)
{
	struct world *w = *state;
	json_t *report, *last;

	world__proc(w, 100, "web", "/app");
	grow_unjudged(w, 100);
	w->a.cfg.inspect_limit_s = 0;
	report = inspected(w, WORLD_WINDOW_S);
	assert_true(json_is_false(json_object_get(report, "complete")));
	assert_true(json_array_size(json_object_get(report, "not_seen")) > 0);
	json_decref(report);
	last = inspect__last(&w->a);
	assert_int_equal(json_integer_value(json_object_get(last, "incomplete_runs")), 1);
	json_decref(last);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		WORLD_TEST(says_why_for_each),		WORLD_TEST(opens_what_nobody_called),
		WORLD_TEST(healthy_ones_have_a_reason), WORLD_TEST(runs_on_time),
		WORLD_TEST(over_its_limit_it_says_so),
	};

	log__set_level(LOG_LEVEL_ERROR);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
