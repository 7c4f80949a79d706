// SPDX-License-Identifier: BSD-2-Clause
/* test_watch.c - one object over time: when it is worth a detector, and what is said of it. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "agent/watch.h"

#define MIB      (1ULL << 20)
#define WINDOW_S 360
#define START_S  1000.0

struct env {
	struct store *store;
	struct watch *w;
	double now_s;
};

static int setup(void **state)
{
	const struct store_cfg cfg = {.interval_s = 1, .window_s = WINDOW_S, .max_series = 16};
	const struct seep_task_id id = {.tgid = 7, .start_ns = 70};
	struct series_key key = series_key__proc(&id);
	static struct env e;

	e = (struct env){.store = store__new(&cfg), .now_s = START_S};
	e.w = watch__new(store__touch(e.store, &key, "web[7]"), e.now_s);
	e.w->id = id;
	*state = &e;
	return 0;
}

static int teardown(void **state)
{
	struct env *e = *state;

	watch__free(e->w);
	watch__free(NULL);
	store__free(e->store);
	return 0;
}

static void observe(struct env *e, uint64_t bytes)
{
	e->now_s += 1;
	e->w->signal_bytes = bytes;
	watch__observe(e->w, e->store, e->now_s);
	watch__judge(e->w, e->store, e->now_s);
}

static void observe_line(struct env *e, int seconds, uint64_t bytes, uint64_t step)
{
	for (; seconds; seconds--, bytes += step)
		observe(e, bytes);
}

static void test_key(void **state)
{
	struct env *e = *state;
	char key[WATCH_KEY_LEN];

	assert_true(watch__is_proc(e->w));
	assert_string_equal(watch__key(e->w, key), "p:7:70");
	assert_ptr_equal(series__user(e->w->series), e->w);
}

static void test_knows_nothing_at_first(void **state)
{
	struct env *e = *state;

	assert_int_equal(e->w->verdict.state, VERDICT_WARMING);
	assert_true(isnan(e->w->verdict.time_to_limit_s));
	assert_true(isnan(e->w->verdict.since_s));
	assert_true(watch__growth_per_hour(e->w, e->store, e->now_s) == 0);
}

static void test_flat_needs_no_detector(void **state)
{
	struct env *e = *state;

	observe_line(e, WINDOW_S / 6 - 1, 50 * MIB, 0);
	assert_int_equal(e->w->verdict.state, VERDICT_WARMING);
	observe_line(e, WINDOW_S / 6, 50 * MIB, 4096);
	assert_int_equal(e->w->verdict.state, VERDICT_HEALTHY);
	assert_null(e->w->detector);
}

/* Growth counts from the lowest point, however slow it is. */
static void test_growth_gets_a_detector(void **state)
{
	struct env *e = *state;

	observe(e, 50 * MIB);
	observe(e, 40 * MIB);
	observe(e, 41 * MIB - 1);
	assert_null(e->w->detector);
	observe(e, 41 * MIB);
	assert_non_null(e->w->detector);
}

static void test_open_incident_gets_a_detector(void **state)
{
	struct env *e = *state;

	observe_line(e, 10, 50 * MIB, 0);
	e->w->wants_detector = 1;
	observe(e, 50 * MIB);
	assert_non_null(e->w->detector);
}

static void test_start_sets_the_floor_anew(void **state)
{
	struct env *e = *state;

	observe(e, MIB);
	e->w->start = 1;
	observe(e, 50 * MIB);
	e->w->start = 0;
	observe(e, 50 * MIB);
	assert_null(e->w->detector);
}

static void test_leak_is_pinned(void **state)
{
	struct env *e = *state;
	double per_hour;

	e->w->headroom_bytes = 100 * MIB;
	observe_line(e, WINDOW_S, 100 * MIB, MIB);
	assert_int_equal(e->w->verdict.state, VERDICT_LEAK);
	per_hour = watch__growth_per_hour(e->w, e->store, e->now_s);
	assert_true(fabs(per_hour - 3600.0 * MIB) < 360.0 * MIB);
	assert_true(fabs(e->w->verdict.time_to_limit_s - 100) < 20);
	assert_true(series__is_fine(e->w->series));
}

/* The agent restarts: what the series kept makes the verdict whole again. */
static void test_history_is_fed(void **state)
{
	struct env *e = *state;
	struct series *s = e->w->series;
	double slope;

	observe_line(e, WINDOW_S, 100 * MIB, MIB);
	slope = e->w->verdict.slope_bytes_per_hour;
	watch__free(e->w);
	e->w = watch__new(s, e->now_s);
	e->w->wants_detector = 1;
	observe(e, (100 + WINDOW_S) * MIB);
	assert_int_equal(e->w->verdict.state, VERDICT_LEAK);
	assert_true(fabs(e->w->verdict.slope_bytes_per_hour - slope) < slope / 5);
}

static void test_judged_when_due(void **state)
{
	struct env *e = *state;

	observe(e, MIB);
	assert_int_equal(watch__judge(e->w, e->store, e->now_s + .5), 0);
	assert_int_equal(watch__judge(e->w, e->store, e->now_s + .9995), 1);
}

static void test_growth_without_a_verdict(void **state)
{
	struct env *e = *state;
	double per_hour;

	observe_line(e, 120, 50 * MIB, 4096);
	per_hour = watch__growth_per_hour(e->w, e->store, e->now_s);
	assert_true(fabs(per_hour - 3600.0 * 4096) < 720 * 4096);
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_key),
		TEST(test_knows_nothing_at_first),
		TEST(test_flat_needs_no_detector),
		TEST(test_growth_gets_a_detector),
		TEST(test_open_incident_gets_a_detector),
		TEST(test_start_sets_the_floor_anew),
		TEST(test_leak_is_pinned),
		TEST(test_history_is_fed),
		TEST(test_judged_when_due),
		TEST(test_growth_without_a_verdict),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
