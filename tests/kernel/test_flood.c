// SPDX-License-Identifier: BSD-2-Clause
/*
 * test_flood.c - more than fits: forks, execs and cgroups as fast as two workers can make them.
 *
 * Whatever the rate (it is printed, not asserted), each life is either told by a record or counted
 * as lost, polls in the middle stay whole, and afterwards nothing of the dead is left in the maps.
 */
#include "support.h"

#include <stdio.h>
#include <sys/select.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define WORKERS 2
#define LIVES	2000 /* of each worker at the most, */
#define FLOOD_S 4.   /* or as many as there are in this time: the machine may be busy */

static double now_s(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec + ts.tv_nsec / 1e9;
}

/* ---- workers ----------------------------------------------------------------------------- */

/* Children one after the other, each with a life of its own, until there were enough or it is time. */
static void storm(struct turn *t, size_t cnt, void (*live)(void))
{
	double end_s;
	size_t i;
	pid_t pid;

	turn__wait(t, 0);
	end_s = now_s() + FLOOD_S;
	for (i = 0; i < cnt && now_s() < end_s; i++) {
		pid = fork();
		if (pid < 0)
			_exit(1);
		if (!pid)
			live();
		waitpid(pid, NULL, 0);
	}
	turn__wait(t, i);
}

static void end(void)
{
	_exit(0);
}

static void become_another(void)
{
	execl("/bin/true", "true", NULL);
	_exit(1);
}

static void fork_on(struct turn *t, void *arg)
{
	storm(t, *(const size_t *)arg, end);
}

static void exec_on(struct turn *t, void *arg)
{
	storm(t, *(const size_t *)arg, become_another);
}

/* ---- what must hold ---------------------------------------------------------------------- */

struct flood {
	struct watch *w;
	struct child workers[WORKERS];
	size_t lives; /* of all workers */
	uint64_t lost, forks, execs, exits;
};

static int is_workers(const struct flood *f, uint32_t pid)
{
	size_t i;

	for (i = 0; i < WORKERS; i++)
		if ((uint32_t)f->workers[i].pid == pid)
			return 1;
	return 0;
}

static size_t records_of(const struct flood *f)
{
	size_t i, cnt = 0;

	for (i = 0; i < watch__event_cnt(f->w); i++)
		cnt += watch__event(f->w, i)->kind == SEEP_EVENT_EXIT &&
		       is_workers(f, watch__event(f->w, i)->ppid);
	return cnt;
}

static int is_done(const struct child *c)
{
	fd_set set;
	struct timeval none = {0};

	FD_ZERO(&set);
	FD_SET(c->done_fd, &set);
	return select(c->done_fd + 1, &set, NULL, NULL, &none) == 1;
}

static int all_done(const struct flood *f)
{
	size_t i;

	for (i = 0; i < WORKERS; i++)
		if (!is_done(&f->workers[i]))
			return 0;
	return 1;
}

static void start(struct flood *f, child_fn fn, size_t *lives)
{
	size_t i;

	for (i = 0; i < WORKERS; i++)
		child__start(&f->workers[i], fn, lives);
	watch__poll(f->w);
	f->lost = watch__stat(f->w, SEEP_STAT_RING_FULL);
	f->forks = watch__stat(f->w, SEEP_STAT_FORKS);
	f->execs = watch__stat(f->w, SEEP_STAT_EXECS);
	f->exits = watch__stat(f->w, SEEP_STAT_EXITS);
}

static uint64_t lives_of(const struct child *c)
{
	uint64_t lives = 0;

	assert_int_equal(read(c->done_fd, &lives, sizeof(lives)), sizeof(lives));
	return lives;
}

/* Poll on until the workers are done: each poll has both of them and us. */
static void ride_out(struct flood *f, const char *what)
{
	double begin_s = now_s(), poll_s, longest_s = 0;
	size_t i, polls = 0;

	for (i = 0; i < WORKERS; i++)
		child__go(&f->workers[i]);
	do {
		poll_s = now_s();
		watch__poll(f->w);
		poll_s = now_s() - poll_s;
		longest_s = poll_s > longest_s ? poll_s : longest_s;
		polls++;
		watch__get(f->w, getpid());
		for (i = 0; i < WORKERS; i++)
			watch__get(f->w, f->workers[i].pid);
		usleep(10000);
	} while (!all_done(f));
	for (i = 0; i < WORKERS; i++)
		f->lives += lives_of(&f->workers[i]);
	assert_true(f->lives > 0);
	print_message("%s: %.0f a second, %zu polls meanwhile, the longest %.1f ms\n", what,
		      f->lives / (now_s() - begin_s), polls, longest_s * 1e3);
}

static void finish(struct flood *f)
{
	size_t i;

	for (i = 0; i < WORKERS; i++)
		child__finish(&f->workers[i]);
	watch__free(f->w);
}

/* Kernels that preempt tracing programs may leave some out: counted, too. */
static void check_counted(struct flood *f)
{
	uint64_t lost, missed = watch__stat(f->w, SEEP_STAT_MISSED);

	watch__poll(f->w);
	lost = watch__stat(f->w, SEEP_STAT_RING_FULL) - f->lost;
	assert_true(watch__stat(f->w, SEEP_STAT_FORKS) - f->forks + missed >= f->lives);
	assert_true(watch__stat(f->w, SEEP_STAT_EXITS) - f->exits + missed >= f->lives);
	assert_true(records_of(f) <= f->lives);
	assert_true(records_of(f) + lost + missed >= f->lives);
	assert_int_equal(watch__stale_entries(f->w), 0);
}

/* ---- processes --------------------------------------------------------------------------- */

static void test_every_fork_is_told_or_counted(void **state)
{
	size_t lives = fewer_if_slow(LIVES);
	struct flood f = {0};

	WATCH_OR_SKIP(f.w, NULL);
	start(&f, fork_on, &lives);
	ride_out(&f, "forks");
	check_counted(&f);
	finish(&f);
}

/* The ring takes 25 records: nearly everything is lost, and all of it is counted. */
static void test_a_flood_through_a_tiny_ring_is_counted(void **state)
{
	const struct rss_probe_cfg cfg = {.ring_bytes = 4096};
	size_t lives = fewer_if_slow(LIVES);
	struct flood f = {0};

	WATCH_OR_SKIP(f.w, &cfg);
	start(&f, fork_on, &lives);
	ride_out(&f, "forks, a ring of 4 KiB");
	check_counted(&f);
	finish(&f);
}

/* No place for anybody: polls go on, and nobody dead takes a place that came free. */
static void test_a_flood_through_a_tiny_table_leaves_nobody(void **state)
{
	const struct rss_probe_cfg cfg = {.max_procs = 4};
	size_t lives = fewer_if_slow(LIVES / 4);
	struct flood f = {0};

	WATCH_OR_SKIP(f.w, &cfg);
	start(&f, fork_on, &lives);
	ride_out(&f, "forks, a table of 4");
	assert_true(watch__stat(f.w, SEEP_STAT_PROC_FULL) > 0);
	assert_int_equal(watch__stale_entries(f.w), 0);
	finish(&f);
}

static void test_every_exec_is_counted(void **state)
{
	size_t lives = fewer_if_slow(LIVES / 8);
	struct flood f = {0};

	WATCH_OR_SKIP(f.w, NULL);
	start(&f, exec_on, &lives);
	ride_out(&f, "execs");
	assert_true(watch__stat(f.w, SEEP_STAT_EXECS) - f.execs +
			    watch__stat(f.w, SEEP_STAT_MISSED) >= f.lives);
	check_counted(&f);
	finish(&f);
}

/* ---- cgroups ----------------------------------------------------------------------------- */

static void touch_a_little(struct turn *t, void *arg)
{
	char *mem = map_pages(256);

	turn__wait(t, 0);
	touch(mem, 256);
	turn__wait(t, 0);
}

/* The ids of ours, and how many of them the table still has. */
struct ours {
	uint64_t ids[400];
	size_t cnt, found;
};

static void count_ours(void *ctx, uint64_t cgroup_id, const struct seep_cgroup *cg)
{
	struct ours *o = ctx;
	size_t i;

	for (i = 0; i < o->cnt; i++)
		o->found += o->ids[i] == cgroup_id;
}

/* One life of a cgroup: made, entered, grown in, left, removed. 0 where none can be made. */
static int live_and_die(struct ours *o)
{
	struct test_cgroup *cg;
	struct child c;
	char name[32];

	snprintf(name, sizeof(name), "flood%zu", o->cnt);
	cg = test_cgroup__new(name);
	if (!cg)
		return 0;
	o->ids[o->cnt++] = test_cgroup__id(cg);
	child__start(&c, touch_a_little, NULL);
	test_cgroup__enter(cg, c.pid);
	child__step(&c);
	child__finish(&c);
	test_cgroup__free(cg);
	return 1;
}

/* Dead cgroups fill the table: what does not fit is counted, and after a few polls they are gone. */
static void test_a_flood_of_cgroups_is_counted_and_goes(void **state)
{
	const struct rss_probe_cfg cfg = {.max_cgroups = fewer_if_slow(64)};
	size_t i, cnt = fewer_if_slow(sizeof(((struct ours *)0)->ids) / sizeof(uint64_t));
	double begin_s = now_s();
	struct ours ours = {0};
	struct watch *w;

	WATCH_OR_SKIP(w, &cfg);
	for (i = 0; i < cnt; i++) {
		if (!live_and_die(&ours)) {
			watch__free(w);
			skip();
		}
	}
	print_message("cgroups: %.0f a second\n", cnt / (now_s() - begin_s));
	assert_true(watch__stat(w, SEEP_STAT_CGROUP_FULL) > 0);
	for (i = 0; i < 4; i++) {
		ours.found = 0;
		watch__poll(w);
		assert_int_equal(rss_probe__cgroups(watch__probe(w), count_ours, &ours), 0);
	}
	assert_int_equal(ours.found, 0);
	watch__free(w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_fork_is_told_or_counted),
		cmocka_unit_test(test_a_flood_through_a_tiny_ring_is_counted),
		cmocka_unit_test(test_a_flood_through_a_tiny_table_leaves_nobody),
		cmocka_unit_test(test_every_exec_is_counted),
		cmocka_unit_test(test_a_flood_of_cgroups_is_counted_and_goes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
