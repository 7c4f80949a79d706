// SPDX-License-Identifier: BSD-2-Clause
/*
 * test_bounds.c - at each bound: what did not fit is counted, and what polls say stays right.
 */
#include "support.h"

#include <sys/wait.h>
#include <unistd.h>

#define PAGES 1511

static void grow(struct turn *t, void *arg)
{
	char *mem = map_pages(PAGES);

	turn__wait(t, 0);
	touch(mem, PAGES);
	turn__wait(t, 0);
}

static void test_a_full_table_is_counted_and_polls_stay_exact(void **state)
{
	const struct rss_probe_cfg cfg = {.max_procs = 2};
	size_t i, without_entry = 0;
	struct watch *w;
	struct child c;
	int64_t base;

	WATCH_OR_SKIP(w, &cfg);
	watch__poll(w); /* more than 2 processes run, even in a bare guest: the table is full */
	for (i = 0; i < watch__proc_cnt(w); i++)
		without_entry += !!(watch__proc(w, i)->flags & SEEP_PROC_NO_ENTRY);
	assert_true(without_entry > 0);
	child__start(&c, grow, NULL);
	base = watch__pages(w, c.pid, SEEP_MM_ANON);
	if (!(watch__get(w, c.pid)->flags & SEEP_PROC_NO_ENTRY)) {
		print_message("[   SKIP   ] a place came free\n");
		child__finish(&c);
		watch__free(w);
		skip();
	}
	assert_true(watch__stat(w, SEEP_STAT_PROC_FULL) > 0);
	child__step(&c);
	assert_int_equal(watch__pages(w, c.pid, SEEP_MM_ANON) - base, PAGES);
	assert_int_equal(watch__get(w, c.pid)->hwm_anon_pages,
			 watch__get(w, c.pid)->pages[SEEP_MM_ANON] +
				 watch__get(w, c.pid)->pages[SEEP_MM_SWAP]);
	child__finish(&c);
	watch__free(w);
}

static void test_a_full_cgroup_table_is_counted(void **state)
{
	const struct rss_probe_cfg cfg = {.max_cgroups = 1};
	struct seep_cgroup sums;
	struct test_cgroup *cg;
	struct watch *w;
	struct child c;
	int64_t base;

	WATCH_OR_SKIP(w, &cfg);
	watch__poll(w); /* our own cgroup takes the only place, or another's does */
	cg = test_cgroup__new("full");
	if (!cg)
		skip();
	child__start(&c, grow, NULL);
	test_cgroup__enter(cg, c.pid);
	base = watch__pages(w, c.pid, SEEP_MM_ANON);
	assert_int_equal(watch__get(w, c.pid)->cgroup_id, test_cgroup__id(cg));
	assert_int_equal(watch__cgroup(w, test_cgroup__id(cg), &sums), 0);
	assert_true(watch__stat(w, SEEP_STAT_CGROUP_FULL) > 0);
	child__step(&c);
	assert_int_equal(watch__pages(w, c.pid, SEEP_MM_ANON) - base, PAGES);
	child__finish(&c);
	test_cgroup__free(cg);
	watch__free(w);
}

static void test_a_full_ring_is_counted(void **state)
{
	enum { LIVES = 200 };
	const struct rss_probe_cfg cfg = {.ring_bytes = 4096};
	size_t i, records = 0;
	struct watch *w;
	uint64_t lost;
	pid_t pid;

	WATCH_OR_SKIP(w, &cfg);
	watch__poll(w);
	lost = watch__stat(w, SEEP_STAT_RING_FULL);
	for (i = 0; i < LIVES; i++) {
		pid = fork();
		if (!pid)
			_exit(0);
		assert_int_equal(waitpid(pid, NULL, 0), pid);
	}
	lost = watch__stat(w, SEEP_STAT_RING_FULL) - lost;
	assert_true(lost >= LIVES - 4096 / sizeof(struct seep_event));
	watch__poll(w);
	for (i = 0; i < watch__event_cnt(w); i++)
		records += watch__event(w, i)->ppid == (uint32_t)getpid();
	assert_true(records < LIVES);
	assert_true(records + lost >= LIVES);
	/* nobody stays in the table for want of a record */
	assert_int_equal(watch__stale_entries(w), 0);
	watch__free(w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_full_table_is_counted_and_polls_stay_exact),
		cmocka_unit_test(test_a_full_cgroup_table_is_counted),
		cmocka_unit_test(test_a_full_ring_is_counted),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
