// SPDX-License-Identifier: BSD-2-Clause
/*
 * test_cgroup.c - sums per memory cgroup: they follow processes that move, they add up whatever
 * the order of the poll, and a cgroup's OOM kill is recorded with its victim's last sizes.
 */
#include "support.h"

#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#define PAGES 4001

static void grow_twice(struct turn *t, void *arg)
{
	char *mem = map_pages(2 * PAGES);

	turn__wait(t, 0);
	touch(mem, PAGES);
	turn__wait(t, 0);
	touch(mem, 2 * PAGES);
	turn__wait(t, 0);
	turn__wait(t, 0);
}

static int64_t anon_of(struct watch *w, const struct test_cgroup *cg)
{
	struct seep_cgroup sums;

	return watch__cgroup(w, test_cgroup__id(cg), &sums) ? sums.pages[SEEP_MM_ANON] : 0;
}

static uint32_t procs_of(struct watch *w, const struct test_cgroup *cg)
{
	struct seep_cgroup sums;

	return watch__cgroup(w, test_cgroup__id(cg), &sums) ? sums.procs : 0;
}

/* ---- moving ------------------------------------------------------------------------------ */

static void check_move(struct watch *w, struct test_cgroup *from, struct test_cgroup *to)
{
	const struct seep_poll_proc *rec;
	struct seep_cgroup sums;
	struct child c;
	int64_t anon;

	child__start(&c, grow_twice, NULL);
	test_cgroup__enter(from, c.pid);
	anon = watch__pages(w, c.pid, SEEP_MM_ANON);
	assert_int_equal(watch__get(w, c.pid)->cgroup_id, test_cgroup__id(from));
	assert_int_equal(anon_of(w, from), anon);
	assert_int_equal(procs_of(w, from), 1);
	/* growth shows in the sum before the next poll */
	child__step(&c);
	assert_in_range(anon_of(w, from) - anon, PAGES - batch_bound(), PAGES + batch_bound());
	/* from events alone: the first move of the counter takes all of it along */
	test_cgroup__enter(to, c.pid);
	child__step(&c);
	assert_int_equal(anon_of(w, from), 0);
	assert_in_range(anon_of(w, to) - anon, 2 * PAGES - batch_bound(),
			2 * PAGES + batch_bound());
	watch__poll(w);
	rec = watch__get(w, c.pid);
	assert_int_equal(rec->cgroup_id, test_cgroup__id(to));
	assert_int_equal(anon_of(w, to), rec->pages[SEEP_MM_ANON]);
	assert_int_equal(procs_of(w, to), 1);
	assert_int_equal(procs_of(w, from), 0);
	/* and back, seen by a poll only */
	test_cgroup__enter(from, c.pid);
	anon = watch__pages(w, c.pid, SEEP_MM_ANON);
	assert_int_equal(anon_of(w, from), anon);
	watch__cgroup(w, test_cgroup__id(from), &sums);
	assert_in_range(sums.grown_pages[SEEP_MM_ANON], PAGES - batch_bound(), 2 * PAGES);
	child__finish(&c);
	assert_int_equal(anon_of(w, from), 0);
}

static void test_sums_follow_a_process_that_moves(void **state)
{
	struct test_cgroup *from, *to;
	struct watch *w;

	WATCH_OR_SKIP(w, NULL);
	from = test_cgroup__new("from");
	to = test_cgroup__new("to");
	if (!from || !to)
		skip();
	check_move(w, from, to);
	test_cgroup__free(from);
	test_cgroup__free(to);
	watch__free(w);
}

/* ---- adding up --------------------------------------------------------------------------- */

#define MANY 1200 /* even an eighth is more records than one read of the iterator hands out */

static void hold(struct turn *t, void *arg)
{
	touch(map_pages(7), 7);
	turn__wait(t, 0);
	turn__wait(t, 0);
}

static void check_sum(struct watch *w, const struct test_cgroup *cg, const struct crowd *crowd)
{
	int64_t pages[SEEP_MM_CNT] = {0};
	struct seep_cgroup sums;
	size_t i, m;

	watch__poll(w);
	for (i = 0; i < crowd->cnt; i++)
		for (m = 0; m < SEEP_MM_CNT; m++)
			pages[m] += watch__get(w, crowd->pids[i])->pages[m];
	assert_int_equal(watch__cgroup(w, test_cgroup__id(cg), &sums), 1);
	assert_int_equal(sums.procs, crowd->cnt);
	for (m = 0; m < SEEP_MM_CNT; m++)
		assert_int_equal(sums.pages[m], pages[m]);
}

static void test_each_process_is_summed_once(void **state)
{
	struct test_cgroup *cg;
	struct crowd crowd;
	struct watch *w;
	size_t i;

	WATCH_OR_SKIP(w, NULL);
	cg = test_cgroup__new("many");
	if (!cg)
		skip();
	crowd__start(&crowd, fewer_if_slow(MANY), hold, NULL);
	for (i = 0; i < crowd.cnt; i++)
		test_cgroup__enter(cg, crowd.pids[i]);
	for (i = 0; i < 3; i++)
		check_sum(w, cg, &crowd);
	crowd__finish(&crowd);
	if (!watch__stat(w, SEEP_STAT_MISSED))
		assert_int_equal(anon_of(w, cg), 0);
	test_cgroup__free(cg);
	watch__free(w);
}

/* ---- under a storm ----------------------------------------------------------------------- */

#define STORMS 3

/* Forks in the cgroup until killed; each child grows and ends. */
static void churn(struct turn *t, void *arg)
{
	char *mem = map_pages(512);
	pid_t pid;

	turn__wait(t, 0);
	for (;;) {
		pid = fork();
		if (!pid) {
			touch(mem, 512);
			_exit(0);
		}
		if (pid > 0)
			waitpid(pid, NULL, 0);
	}
}

static int64_t sum_of_storms(const struct watch *w, const struct child storms[STORMS])
{
	int64_t sum = 0;
	int i;

	for (i = 0; i < STORMS; i++)
		sum += watch__get(w, storms[i].pid)->pages[SEEP_MM_ANON];
	return sum;
}

/*
 * Processes come and go during the poll, before and behind its place in the list: none may be
 * summed twice, or be taken out without having been in.
 */
static void check_storm(struct watch *w, const struct test_cgroup *cg, const struct child *quiet,
			const struct child storms[STORMS])
{
	const int64_t slack = (STORMS + 1) * batch_bound();
	int64_t living, children;
	size_t i;

	for (i = 0; i < fewer_if_slow(300); i++) {
		watch__poll(w);
		/* the sum is never less than what those hold that live all the time; a child holds
		 * its parent's copies and 512 pages, and there may be a dying one and the next */
		children = sum_of_storms(w, storms) + STORMS * 512;
		living = sum_of_storms(w, storms) + watch__get(w, quiet->pid)->pages[SEEP_MM_ANON];
		assert_in_range(anon_of(w, cg) - living + slack, 0, 2 * children + 2 * slack);
	}
}

static void test_sums_survive_a_storm(void **state)
{
	struct child storms[STORMS], quiet;
	struct test_cgroup *cg;
	struct watch *w;
	int64_t anon;
	int i;

	WATCH_OR_SKIP(w, NULL);
	cg = test_cgroup__new("storm");
	if (!cg)
		skip();
	child__start(&quiet, grow_twice, NULL);
	test_cgroup__enter(cg, quiet.pid);
	child__step(&quiet);
	for (i = 0; i < STORMS; i++) {
		child__start(&storms[i], churn, NULL);
		test_cgroup__enter(cg, storms[i].pid);
		child__go(&storms[i]);
	}
	check_storm(w, cg, &quiet, storms);
	for (i = 0; i < STORMS; i++) {
		kill(storms[i].pid, SIGKILL);
		child__finish(&storms[i]);
	}
	usleep(300 * 1000); /* their last children */
	/* between polls, too, what is left is what lives */
	anon = watch__get(w, quiet.pid)->pages[SEEP_MM_ANON];
	assert_in_range(anon_of(w, cg) - anon + batch_bound(), 0, 2 * batch_bound());
	watch__poll(w);
	assert_int_equal(anon_of(w, cg), anon);
	child__finish(&quiet);
	test_cgroup__free(cg);
	watch__free(w);
}

/* ---- out of memory ----------------------------------------------------------------------- */

#define LIMIT_BYTES (32UL << 20)

static void overrun(struct turn *t, void *arg)
{
	size_t pages = 4 * LIMIT_BYTES / page_size();
	char *mem = map_pages(pages);

	turn__wait(t, 0);
	touch(mem, pages);
	turn__wait(t, 0);
}

/* `first`: its record before; what it held then is charged to another cgroup, beside the limit. */
static void check_victim(struct watch *w, const struct child *c, uint64_t cgroup_id,
			 const struct seep_poll_proc *first)
{
	const int64_t limit = LIMIT_BYTES / page_size();
	const int64_t most = limit + first->pages[SEEP_MM_ANON] + 256;
	const struct seep_event *oom = watch__find_event(w, SEEP_EVENT_OOM, c->pid);
	const struct seep_event *end = watch__find_event(w, SEEP_EVENT_EXIT, c->pid);

	assert_non_null(oom);
	assert_non_null(end);
	assert_true(!oom->id.start_ns ||
		    oom->id.start_ns == first->start_ns); /* a pid only before 6.9 */
	if (oom->id.start_ns) {
		assert_int_equal(oom->cgroup_id, cgroup_id);
		assert_in_range(oom->pages[SEEP_MM_ANON], limit * 3 / 4, most);
		assert_true(end->flags & SEEP_PROC_OOM_KILLED);
	}
	assert_true(end->at_ns >= oom->at_ns);
	assert_int_equal(end->id.start_ns, first->start_ns);
	assert_int_equal(end->cgroup_id, cgroup_id);
	assert_int_equal(end->exit_code & 0x7f, SIGKILL);
	assert_in_range(end->pages[SEEP_MM_ANON], limit * 3 / 4, most + batch_bound());
	assert_in_range(end->peak_rss_pages, limit * 3 / 4, 4 * limit);
}

static void test_an_oom_kill_is_recorded(void **state)
{
	struct seep_poll_proc first;
	struct test_cgroup *cg;
	struct watch *w;
	struct child c;
	uint64_t ooms;
	int status;

	WATCH_OR_SKIP(w, NULL);
	cg = test_cgroup__new("oom");
	if (!cg || test_cgroup__limit(cg, LIMIT_BYTES)) {
		print_message("[   SKIP   ] no memory limit can be set here\n");
		skip();
	}
	child__start(&c, overrun, NULL);
	test_cgroup__enter(cg, c.pid);
	watch__poll(w);
	first = *watch__get(w, c.pid);
	ooms = watch__stat(w, SEEP_STAT_OOMS);
	child__step(&c); /* the pipe closes when it is killed */
	status = child__finish(&c);
	assert_true(WIFSIGNALED(status));
	assert_int_equal(WTERMSIG(status), SIGKILL);
	watch__poll(w);
	assert_true(watch__stat(w, SEEP_STAT_OOMS) > ooms);
	check_victim(w, &c, test_cgroup__id(cg), &first);
	test_cgroup__free(cg);
	watch__free(w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_sums_follow_a_process_that_moves),
		cmocka_unit_test(test_each_process_is_summed_once),
		cmocka_unit_test(test_sums_survive_a_storm),
		cmocka_unit_test(test_an_oom_kill_is_recorded),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
