// SPDX-License-Identifier: BSD-2-Clause
/*
 * test_coroner.c - memory errors: one incident per workload or a note of the leak that explains
 * them, never both; and what an incident says when a part of the analysis is missing.
 */
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
#include "incident/memory_error.h"

#define QUIET_S (WORLD_WINDOW_S / 6 + 2)

static struct proc_sample steady = {0};

static void live(struct world *w, unsigned seconds)
{
	world__idle_with(w, &steady, 1, seconds);
}

/* A process of 40 MiB in /app, which has a limit of 50 MiB. */
static void move_in(struct world *w)
{
	steady = sized(100, "web", 40 * MIB);
	world__cgroup(w, "/app", 40 * MIB, "52428800");
	world__proc(w, 100, "web", "/app");
	live(w, 2);
}

static void kill_one(struct world *w, unsigned pid, const char *comm)
{
	struct proc_event ev = {
		.kind = SEEP_EVENT_OOM, .id = {.tgid = pid}, .anon_bytes = 40 * MIB};

	snprintf(ev.comm, sizeof(ev.comm), "%s", comm);
	census__event(&w->a, &ev);
}

static void count_limit(struct world *w, unsigned hits, unsigned kills)
{
	world__put(w, "cg/app/memory.events", "low 0\nhigh 0\nmax %u\noom 0\noom_kill %u\n", hits,
		   kills);
}

static void keep_error(void *ctx, const struct incident *in)
{
	if (in->kind == INCIDENT_MEMORY_ERROR)
		*(const struct incident **)ctx = in;
}

/* The one that is open, or NULL. */
static const struct incident *error_of(struct world *w)
{
	const struct incident *in = NULL;

	tracker__foreach_open(w->a.tracker, keep_error, &in);
	return in;
}

static int count_stored(void *ctx, struct incident *in)
{
	*(unsigned *)ctx += in->kind == INCIDENT_MEMORY_ERROR;
	incident__free(in);
	return 0;
}

/* Memory errors of the history, open and closed. */
static unsigned stored(struct world *w)
{
	struct history_query q = {.since_s = NAN};
	unsigned cnt = 0;

	assert_int_equal(history__query(w->a.history, &q, count_stored, &cnt), 0);
	return cnt;
}

static int says(const struct incident *in, const char *part)
{
	int i;

	for (i = 0; i < in->timeline_cnt; i++)
		if (strstr(in->timeline[i].text, part))
			return 1;
	return 0;
}

static int misses(const struct incident *in, const char *part)
{
	int i;

	for (i = 0; i < in->not_seen_cnt; i++)
		if (strstr(in->not_seen[i], part))
			return 1;
	return 0;
}

/* ---- one incident ------------------------------------------------------------------------ */

static void test_a_kill_is_an_incident(void **state)
{
	struct world *w = *state;
	const struct incident *in;
	char id[INCIDENT_ID_LEN];
	const json_t *victim;

	move_in(w);
	kill_one(w, 100, "web");
	in = error_of(w);
	assert_non_null(in);
	assert_int_equal(in->severity, SEVERITY_WARNING);
	assert_string_equal(in->object.comm, "web");
	assert_true(in->verdict.limit_bytes == 50 * MIB);
	assert_true(in->history_cnt >= 2);
	assert_true(says(in, "OOM-killed: 'web' (PID 100) with 40.0 MiB"));
	victim = json_array_get(in->victims, 0);
	assert_string_equal(json_string_value(json_object_get(victim, "cgroup")), "/app");
	assert_int_equal(json_integer_value(json_object_get(victim, "pid")), 100);
	strcpy(id, in->id);
	live(w, 1);
	kill_one(w, 100, "web");
	in = error_of(w);
	assert_string_equal(in->id, id);
	assert_int_equal(memory_error__cnt(in, ERROR_OOM_KILL), 2);
	assert_int_equal(tracker__open_cnt(w->a.tracker), 1);
	assert_int_equal(stored(w), 1);
}

static void test_it_closes_when_all_is_quiet(void **state)
{
	struct world *w = *state;
	char id[INCIDENT_ID_LEN];

	move_in(w);
	kill_one(w, 100, "web");
	strcpy(id, error_of(w)->id);
	live(w, QUIET_S / 2);
	assert_non_null(error_of(w));
	live(w, QUIET_S);
	assert_null(error_of(w));
	kill_one(w, 100, "web"); /* not seen for a while: news again */
	assert_non_null(error_of(w));
	assert_string_not_equal(error_of(w)->id, id);
	assert_int_equal(stored(w), 2);
}

static void test_it_outlives_the_agent(void **state)
{
	struct world *w = *state;
	char id[INCIDENT_ID_LEN];

	move_in(w);
	kill_one(w, 100, "web");
	strcpy(id, error_of(w)->id);
	world__kill(w);
	assert_string_equal(error_of(w)->id, id);
	live(w, 2);
	tracker__sweep(w->a.tracker, w->a.now_s, w->a.start_s);
	assert_non_null(error_of(w)); /* it has no object that could have gone */
	kill_one(w, 100, "web");
	assert_string_equal(error_of(w)->id, id);
	assert_int_equal(memory_error__cnt(error_of(w), ERROR_OOM_KILL), 2);
	live(w, QUIET_S);
	assert_null(error_of(w));
}

static void test_limits_that_were_hit(void **state)
{
	struct world *w = *state;
	const struct incident *in;

	move_in(w);
	count_limit(w, 3, 0);
	live(w, 8); /* what it stood at when first seen is not news */
	count_limit(w, 7, 0);
	live(w, 8);
	assert_null(error_of(w)); /* a fifth is left: page cache gave way */
	steady.anon_bytes = 49 * MIB;
	world__cgroup(w, "/app", 49 * MIB, "52428800");
	count_limit(w, 18, 0);
	live(w, 8);
	in = error_of(w);
	assert_non_null(in);
	assert_int_equal(in->severity, SEVERITY_INFO);
	assert_int_equal(memory_error__cnt(in, ERROR_LIMIT_HIT), 11);
	assert_string_equal(in->object.cgroup, "/app");
	count_limit(w, 19, 2); /* no tracepoint here: the counter tells of kills */
	live(w, 8);
	in = error_of(w);
	assert_int_equal(memory_error__cnt(in, ERROR_LIMIT_HIT), 12);
	assert_int_equal(memory_error__cnt(in, ERROR_OOM_KILL), 2);
	assert_int_equal(in->severity, SEVERITY_WARNING);
	assert_true(says(in, "severity rises from info to warning"));
	assert_int_equal(stored(w), 1);
}

static void test_a_stranger(void **state)
{
	struct world *w = *state;

	move_in(w);
	kill_one(w, 4242, "shor\x1bt");
	assert_non_null(error_of(w));
	assert_string_equal(error_of(w)->object.comm, "shor?t");
	assert_true(misses(error_of(w), "it was killed before a poll had seen it"));
}

static void test_rules_forbid(void **state)
{
	char why[RULES_WHY_LEN];
	struct world *w = *state;

	w->a.cfg.rules = rules__new();
	assert_int_equal(rules__filter(w->a.cfg.rules, RULES_EXCLUDE, "comm=web", why), 0);
	move_in(w);
	kill_one(w, 100, "web");
	kill_one(w, 4242, "web");
	assert_null(error_of(w));
	rules__free(w->a.cfg.rules);
	w->a.cfg.rules = NULL;
}

/* ---- never beside the leak --------------------------------------------------------------- */

static void test_an_open_leak_explains(void **state)
{
	struct world *w = *state;
	const struct incident *leak;

	world__proc(w, 100, "web", "/app");
	world__leak(w, 100, "/app");
	kill_one(w, 100, "web");
	assert_null(error_of(w));
	leak = world__incident(w, 100);
	assert_non_null(leak);
	assert_true(says(leak, "OOM-killed: 'web' (PID 100)"));
	assert_int_equal(memory_error__cnt(leak, ERROR_OOM_KILL), 1);
	assert_int_equal(json_array_size(leak->victims), 1);
}

static void test_a_leak_that_just_closed_explains(void **state)
{
	struct world *w = *state;

	world__proc(w, 100, "web", "/app");
	world__leak(w, 100, "/app");
	steady = sized(100, "web", 40 * MIB);
	tracker__ended(w->a.tracker, w->a.now_s, world__incident(w, 100)->key, "OOM-killed");
	assert_null(world__incident(w, 100));
	kill_one(w, 100, "web");
	assert_null(error_of(w));
	assert_int_equal(stored(w), 0);
}

static void test_a_later_leak_takes_over(void **state)
{
	struct proc_sample s = sized(100, "web", 100 * MIB);
	struct world *w = *state;
	char note[80];
	int i;

	world__proc(w, 100, "web", "/app");
	world__tick(w, &s, 1);
	for (i = 0; i < WORLD_WINDOW_S && !world__incident(w, 100); i++) {
		if (i % (QUIET_S / 2) == 0)
			kill_one(w, 100, "web");
		if (error_of(w))
			snprintf(note, sizeof(note), "memory errors of incident %s",
				 error_of(w)->id);
		s.anon_bytes += 2 * MIB;
		world__cgroup(w, "/app", s.anon_bytes, "max");
		world__tick(w, &s, 1);
	}
	assert_non_null(world__incident(w, 100));
	assert_null(error_of(w));
	assert_true(says(world__incident(w, 100), note));
	assert_int_equal(stored(w), 1);
}

/* ---- what is missing, and why ------------------------------------------------------------ */

/* A leak that was opened under these circumstances. */
static const struct incident *leak_without_sites(struct world *w)
{
	world__proc(w, 100, "web", "/app");
	world__leak(w, 100, "/app");
	assert_non_null(world__incident(w, 100));
	return world__incident(w, 100);
}

static void start_drill(struct world *w)
{
	const struct drill_cfg cfg = {.max_targets = 1, .window_s = WORLD_WINDOW_S};

	assert_int_equal(drill__new(&cfg, &w->a.drill), 0);
}

static void stop_drill(struct world *w)
{
	drill__free(w->a.drill);
	w->a.drill = NULL;
}

static void test_missing_without_bpf(void **state)
{
	assert_true(misses(leak_without_sites(*state), "call sites: there is no BPF to look with"));
}

static void test_missing_switched_off(void **state)
{
	struct world *w = *state;

	start_drill(w);
	w->a.cfg.no_drill = 1;
	assert_true(misses(leak_without_sites(w), "is switched off (no-drill)"));
	stop_drill(w);
}

static void test_missing_paused(void **state)
{
	struct world *w = *state;

	start_drill(w);
	w->a.drill_paused_s = INFINITY;
	assert_true(misses(leak_without_sites(w), "looking into suspects is paused"));
	stop_drill(w);
}

static void test_missing_forbidden(void **state)
{
	char why[RULES_WHY_LEN];
	struct world *w = *state;
	const json_t *drill;

	start_drill(w);
	w->a.cfg.rules = rules__new();
	assert_int_equal(rules__filter(w->a.cfg.rules, RULES_NO_DRILL, "comm=web", why), 0);
	assert_true(misses(leak_without_sites(w),
			   "call sites: the configuration forbids to probe comm=web"));
	drill = json_object_get(world__incident(w, 100)->configuration, "drill");
	assert_string_equal(json_string_value(drill),
			    "the configuration forbids to probe comm=web");
	stop_drill(w);
	rules__free(w->a.cfg.rules);
	w->a.cfg.rules = NULL;
}

static void test_missing_without_suspicion(void **state)
{
	struct world *w = *state;

	start_drill(w);
	move_in(w);
	kill_one(w, 100, "web");
	assert_true(misses(error_of(w), "call sites: it was not suspected of a leak"));
	stop_drill(w);
}

static int keep(void *ctx, struct incident *in)
{
	*(struct incident **)ctx = in;
	return 1;
}

/* Looks are collected by the agent's loop, which does not run here: it is gone before the first. */
static void test_missing_because_it_was_gone(void **state)
{
	struct history_query q = {.since_s = NAN, .limit = 1};
	struct incident *closed = NULL;
	struct world *w = *state;

	start_drill(w);
	assert_true(misses(leak_without_sites(w), UNFINISHED_LOOK));
	q.key = world__incident(w, 100)->key;
	tracker__ended(w->a.tracker, w->a.now_s, q.key, "process ended");
	assert_int_equal(history__query(w->a.history, &q, keep, &closed), 0);
	assert_non_null(closed);
	assert_false(misses(closed, UNFINISHED_LOOK));
	assert_true(misses(closed, "call sites: it was over before a closer look was finished"));
	incident__free(closed);
	stop_drill(w);
}

/* A look without the right to look, as the drill tells of it. */
static void test_missing_for_want_of_permission(void **state)
{
	struct drill_result r = {.id = sized(100, "", 0).id};
	struct world *w = *state;

	start_drill(w);
	leak_without_sites(w);
	r.not_seen = json_pack("[s]", "not permitted to probe: CAP_SYS_ADMIN is missing");
	court__hear(&w->a, &r);
	json_decref(r.not_seen);
	court__report(&w->a, world__watch(w, 100));
	assert_true(misses(world__incident(w, 100), "CAP_SYS_ADMIN is missing"));
	assert_true(misses(world__incident(w, 100), "call sites: the closer look failed"));
	stop_drill(w);
}

static void test_missing_polls(void **state)
{
	struct proc_sample s = sized(100, "web", 0);
	struct world *w = *state;

	leak_without_sites(w);
	assert_false(misses(world__incident(w, 100), "curve: "));
	s.anon_bytes = 582 * MIB;
	w->a.now_s += 30; /* the agent was held up */
	world__idle_with(w, &s, 1, 8);
	assert_true(misses(world__incident(w, 100), "curve: nothing was polled for 31s"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		WORLD_TEST(test_a_kill_is_an_incident),
		WORLD_TEST(test_it_closes_when_all_is_quiet),
		WORLD_TEST(test_it_outlives_the_agent),
		WORLD_TEST(test_limits_that_were_hit),
		WORLD_TEST(test_a_stranger),
		WORLD_TEST(test_rules_forbid),
		WORLD_TEST(test_an_open_leak_explains),
		WORLD_TEST(test_a_leak_that_just_closed_explains),
		WORLD_TEST(test_a_later_leak_takes_over),
		WORLD_TEST(test_missing_without_bpf),
		WORLD_TEST(test_missing_switched_off),
		WORLD_TEST(test_missing_paused),
		WORLD_TEST(test_missing_forbidden),
		WORLD_TEST(test_missing_without_suspicion),
		WORLD_TEST(test_missing_because_it_was_gone),
		WORLD_TEST(test_missing_for_want_of_permission),
		WORLD_TEST(test_missing_polls),
	};

	log__set_level(LOG_LEVEL_ERROR);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
