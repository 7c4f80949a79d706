// SPDX-License-Identifier: BSD-2-Clause
/*
 * test_life.c - fork, exec and exit: a child's memory is the child's, an mm lent to another
 * process counts once, exec starts anew, nothing dead stays in the table, and a pid that is used
 * again is another process.
 */
#include "support.h"

#include <errno.h>
#include <linux/sched.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "probe/proc_scan.h"

#define PAGES 6007

/* ---- fork -------------------------------------------------------------------------------- */

static void write_copies(struct turn *t, void *arg)
{
	turn__wait(t, 0);
	touch(arg, PAGES);
	turn__wait(t, 0);
}

static void fork_large(struct turn *t, void *arg)
{
	char *mem = map_pages(PAGES);
	struct child copy;

	touch(mem, PAGES);
	turn__wait(t, 0);
	child__start(&copy, write_copies, mem);
	turn__wait(t, copy.pid);
	child__step(&copy);
	turn__wait(t, 0);
	child__finish(&copy);
	turn__wait(t, 0);
}

static void test_fork_copies_are_the_childs(void **state)
{
	int64_t base, copy_base;
	struct seep_proc entry;
	struct watch *w;
	struct child c;
	pid_t copy;

	WATCH_OR_SKIP(w, NULL);
	child__start(&c, fork_large, NULL);
	base = watch__pages(w, c.pid, SEEP_MM_ANON);
	copy = child__step(&c);
	entry = watch__entry(w, watch__get(w, c.pid));
	assert_in_range(entry.pages[SEEP_MM_ANON] - base + batch_bound(), 0, 2 * batch_bound());
	watch__poll(w);
	copy_base = watch__get(w, copy)->pages[SEEP_MM_ANON];
	assert_in_range(copy_base - base + 64, 0, 128);
	assert_in_range(watch__get(w, c.pid)->pages[SEEP_MM_ANON] - base + 64, 0, 128);
	assert_true(watch__get(w, copy)->flags & SEEP_PROC_FORKED);
	assert_int_equal(watch__get(w, copy)->ppid, c.pid);
	/* copy on write gives the child pages of its own; neither size changes */
	base = watch__get(w, c.pid)->pages[SEEP_MM_ANON];
	child__step(&c);
	watch__poll(w);
	assert_in_range(watch__get(w, copy)->pages[SEEP_MM_ANON] - copy_base + 8, 0, 16);
	assert_in_range(watch__get(w, c.pid)->pages[SEEP_MM_ANON] - base + 8, 0, 16);
	child__step(&c);
	watch__poll(w);
	assert_null(watch__find(w, copy));
	assert_in_range(watch__get(w, c.pid)->pages[SEEP_MM_ANON] - base + 8, 0, 16);
	child__finish(&c);
	watch__free(w);
}

/* ---- older than the probe ---------------------------------------------------------------- */

static void grow(struct turn *t, void *arg)
{
	char *mem = map_pages(PAGES);

	turn__wait(t, 0);
	touch(mem, PAGES);
	turn__wait(t, 0);
}

static void check_against_proc(const struct seep_poll_proc *rec)
{
	const uint64_t page = page_size();
	struct proc_sample s;

	assert_int_equal(proc_scan__one("/proc", rec->tgid, &s), 0);
	assert_proc_says(rec->pages[SEEP_MM_ANON] * page, s.anon_bytes, 1);
	assert_proc_says(rec->pages[SEEP_MM_FILE] * page, s.file_bytes, 16);
	assert_proc_says(rec->pages[SEEP_MM_SHMEM] * page, s.shmem_bytes, 16);
}

static void test_the_first_poll_seeds_who_ran_before(void **state)
{
	const struct seep_poll_proc *rec;
	struct seep_proc entry;
	struct watch *w;
	struct child c;
	int64_t base;

	child__start(&c, grow, NULL);
	WATCH_OR_SKIP(w, NULL);
	watch__poll(w);
	rec = watch__get(w, c.pid);
	base = rec->pages[SEEP_MM_ANON];
	check_against_proc(rec);
	assert_int_equal(rec->flags, 0);
	child__step(&c);
	entry = watch__entry(w, rec);
	assert_in_range(entry.pages[SEEP_MM_ANON] - base, PAGES - batch_bound(),
			PAGES + batch_bound());
	assert_int_equal(watch__pages(w, c.pid, SEEP_MM_ANON) - base, PAGES);
	check_against_proc(watch__get(w, c.pid));
	child__finish(&c);
	watch__free(w);
}

/* ---- a borrowed mm ----------------------------------------------------------------------- */

struct loan {
	struct turn *turn;
	char *mem;
};

static int borrow(void *arg)
{
	const struct loan *loan = arg;

	touch(loan->mem, PAGES);
	turn__wait(loan->turn, getpid());
	return 0;
}

/* The borrower takes the turns; the lender only waits for its end. */
static void lend(struct turn *t, void *arg)
{
	struct loan loan = {t, map_pages(PAGES)};
	char *stack = map_pages(64);
	pid_t pid;

	touch(stack, 64);
	turn__wait(t, 0);
	pid = clone(borrow, stack + 64 * page_size(), CLONE_VM | SIGCHLD, &loan);
	if (pid < 0)
		_exit(97);
	waitpid(pid, NULL, 0);
	turn__wait(t, 0);
}

static void test_a_borrowed_mm_counts_once(void **state)
{
	const struct seep_poll_proc *rec;
	struct seep_task_id id;
	struct seep_proc entry;
	struct watch *w;
	struct child c;
	pid_t borrower;
	int64_t base;

	WATCH_OR_SKIP(w, NULL);
	child__start(&c, lend, NULL);
	base = watch__pages(w, c.pid, SEEP_MM_ANON);
	borrower = child__step(&c);
	entry = watch__entry(w, watch__get(w, c.pid));
	assert_in_range(entry.pages[SEEP_MM_ANON] - base, PAGES - batch_bound(),
			PAGES + batch_bound());
	watch__poll(w);
	rec = watch__get(w, c.pid);
	assert_in_range(rec->pages[SEEP_MM_ANON] - base, PAGES, PAGES + 8);
	assert_int_equal(rec->flags & SEEP_PROC_SHARED_MM, 0);
	rec = watch__get(w, borrower);
	assert_true(rec->flags & SEEP_PROC_SHARED_MM);
	assert_int_equal(rec->owner_tgid, c.pid);
	id = (struct seep_task_id){.tgid = rec->tgid, .start_ns = rec->start_ns};
	assert_int_equal(rss_probe__lookup(watch__probe(w), &id, &entry), -ENOENT);
	child__step(&c);
	assert_in_range(watch__pages(w, c.pid, SEEP_MM_ANON) - base, PAGES, PAGES + 8);
	assert_null(watch__find(w, borrower));
	child__finish(&c);
	watch__free(w);
}

/* Runs /bin/cat and waits for it to echo: only then is its exec over. */
static pid_t vfork_cat(int in[2], int out[2])
{
	char byte = 'x';
	pid_t pid;

	if (pipe(in) || pipe(out))
		_exit(97);
	pid = vfork();
	if (!pid) {
		dup2(in[0], 0);
		dup2(out[1], 1);
		close(in[1]);
		execl("/bin/cat", "cat", NULL);
		_exit(97);
	}
	if (write(in[1], &byte, 1) != 1 || read(out[0], &byte, 1) != 1)
		_exit(97);
	return pid;
}

static void vfork_and_exec(struct turn *t, void *arg)
{
	char *mem = map_pages(PAGES);
	int in[2], out[2];
	pid_t pid;

	touch(mem, PAGES);
	turn__wait(t, 0);
	pid = vfork_cat(in, out);
	turn__wait(t, pid);
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	turn__wait(t, 0);
}

static void test_vfork_and_exec_leave_the_parent_alone(void **state)
{
	const struct seep_poll_proc *rec;
	struct watch *w;
	struct child c;
	int64_t base;
	pid_t pid;

	WATCH_OR_SKIP(w, NULL);
	child__start(&c, vfork_and_exec, NULL);
	base = watch__pages(w, c.pid, SEEP_MM_ANON);
	pid = child__step(&c);
	watch__poll(w);
	assert_in_range(watch__get(w, c.pid)->pages[SEEP_MM_ANON] - base, 0, 8);
	rec = watch__get(w, pid);
	assert_true(rec->pages[SEEP_MM_ANON] < PAGES / 4);
	assert_int_equal(rec->flags & SEEP_PROC_SHARED_MM, 0);
	assert_true(rec->flags & SEEP_PROC_EXECED);
	assert_string_equal(rec->comm, "cat");
	assert_int_equal(rec->ppid, c.pid);
	child__step(&c);
	child__finish(&c);
	watch__free(w);
}

/* ---- exec -------------------------------------------------------------------------------- */

static void *exec_sleep(void *arg)
{
	execl("/bin/sleep", "sleep", "1000", NULL);
	_exit(97);
}

static void grow_and_exec(struct turn *t, void *arg)
{
	char *mem = map_pages(PAGES);
	const int *from_thread = arg;
	pthread_t id;

	touch(mem, PAGES);
	prctl(PR_SET_NAME, "before");
	turn__wait(t, 0);
	if (*from_thread && !pthread_create(&id, NULL, exec_sleep, NULL))
		pthread_join(id, NULL);
	else
		exec_sleep(NULL);
}

/* The child's pipe closes in the middle of its exec; the entry says when it is through. */
static struct seep_proc await_exec(struct watch *w, const struct seep_poll_proc *rec)
{
	struct seep_proc entry = watch__entry(w, rec);
	int tries;

	for (tries = 0; tries < 1000 && !(entry.flags & SEEP_PROC_EXECED); tries++) {
		usleep(5 * 1000);
		entry = watch__entry(w, rec);
	}
	return entry;
}

static void check_exec(int from_thread)
{
	struct seep_poll_proc before, after;
	struct seep_proc entry;
	struct watch *w;
	struct child c;

	WATCH_OR_SKIP(w, NULL);
	child__start(&c, grow_and_exec, &from_thread);
	watch__poll(w);
	before = *watch__get(w, c.pid);
	assert_string_equal(before.comm, "before");
	assert_true(before.pages[SEEP_MM_ANON] >= PAGES);
	child__step(&c);
	entry = await_exec(w, &before);
	assert_true(entry.pages[SEEP_MM_ANON] < PAGES / 4);
	assert_true(entry.flags & SEEP_PROC_EXECED);
	watch__poll(w);
	after = *watch__get(w, c.pid);
	assert_int_equal(after.start_ns, before.start_ns);
	assert_string_equal(after.comm, "sleep");
	assert_true(after.pages[SEEP_MM_ANON] < PAGES / 4);
	assert_true(after.hwm_anon_pages < PAGES / 4);
	assert_true(after.flags & SEEP_PROC_EXECED);
	assert_true(after.flags & SEEP_PROC_FORKED);
	watch__poll(w);
	assert_int_equal(watch__get(w, c.pid)->flags & SEEP_PROC_EXECED, 0);
	kill(c.pid, SIGKILL);
	child__finish(&c);
	watch__free(w);
}

static void test_exec_starts_anew(void **state)
{
	check_exec(0);
}

static void test_exec_from_a_thread_starts_anew(void **state)
{
	check_exec(1);
}

/* ---- storms ------------------------------------------------------------------------------ */

#define STORM_FORKS 300

static void storm(struct turn *t, void *arg)
{
	char *mem = map_pages(64);
	pid_t pid;
	int i;

	turn__wait(t, 0);
	for (i = 0; i < STORM_FORKS; i++) {
		pid = i % 3 == 2 ? vfork() : fork();
		if (!pid) {
			if (i % 3 == 0)
				touch(mem, 64);
			else
				execl("/bin/true", "true", NULL);
			_exit(0);
		}
		if (pid > 0)
			waitpid(pid, NULL, 0);
	}
	turn__wait(t, 0);
}

static void test_storms_leave_nothing_behind(void **state)
{
	struct crowd crowd;
	uint64_t forks;
	struct watch *w;
	size_t i;

	WATCH_OR_SKIP(w, NULL);
	crowd__start(&crowd, 4, storm, NULL);
	watch__poll(w);
	forks = watch__stat(w, SEEP_STAT_FORKS);
	crowd__step(&crowd);
	forks = watch__stat(w, SEEP_STAT_FORKS) - forks;
	assert_true(forks + watch__stat(w, SEEP_STAT_MISSED) >= 4 * STORM_FORKS * 2 / 3);
	assert_int_equal(watch__stale_entries(w), 0);
	for (i = 0; i < crowd.cnt; i++)
		watch__get(w, crowd.pids[i]);
	crowd__finish(&crowd);
	assert_int_equal(watch__stale_entries(w), 0);
	watch__free(w);
}

/* Threads of a process that all end at once, by exit_group or one by one. */
static void *nothing(void *arg)
{
	pthread_barrier_wait(arg);
	return NULL;
}

static void many_threads_exit(struct turn *t, void *arg)
{
	pthread_barrier_t barrier;
	pthread_t id;
	int i;

	turn__wait(t, 0);
	pthread_barrier_init(&barrier, NULL, 17);
	for (i = 0; i < 16; i++)
		if (pthread_create(&id, NULL, nothing, &barrier))
			_exit(98);
	pthread_barrier_wait(&barrier);
	_exit(3);
}

static void test_threads_that_end_together_are_one_exit(void **state)
{
	enum { ROUNDS = 100 };
	size_t i, j, records;
	struct child c;
	struct watch *w;

	WATCH_OR_SKIP(w, NULL);
	for (i = 0; i < fewer_if_slow(ROUNDS); i++) {
		child__start(&c, many_threads_exit, NULL);
		child__go(&c);
		assert_int_equal(WEXITSTATUS(child__finish(&c)), 3);
		watch__poll(w);
		assert_null(watch__find(w, c.pid));
		for (records = 0, j = 0; j < watch__event_cnt(w); j++)
			records += watch__event(w, j)->id.tgid == (uint32_t)c.pid;
		assert_in_range(records, watch__stat(w, SEEP_STAT_MISSED) ? 0 : 1, 1);
		if (records)
			assert_int_equal(watch__find_event(w, SEEP_EVENT_EXIT, c.pid)->exit_code,
					 3 << 8);
	}
	assert_int_equal(watch__stale_entries(w), 0);
	watch__free(w);
}

/* ---- short lives ------------------------------------------------------------------------- */

#define SHORT_LIVES 10000
#define SHORT_PAGES 211

static void live_short(struct turn *t, void *arg)
{
	char *mem = map_pages(SHORT_PAGES);
	pid_t pid;
	int i;

	turn__wait(t, 0);
	for (i = 0; i < (int)fewer_if_slow(SHORT_LIVES) / 2; i++) {
		pid = fork();
		if (!pid) {
			touch(mem, SHORT_PAGES);
			_exit(i & 127);
		}
		if (pid > 0)
			waitpid(pid, NULL, 0);
	}
	turn__wait(t, 0);
}

static int by_id(const void *a, const void *b)
{
	const struct seep_task_id *x = a, *y = b;

	if (x->start_ns != y->start_ns)
		return x->start_ns < y->start_ns ? -1 : 1;
	return x->tgid < y->tgid ? -1 : x->tgid > y->tgid;
}

/* The agent's loop in small: drain when the probe asks, until both workers have reported. */
static void drain_until_done(struct watch *w, struct crowd *crowd)
{
	struct pollfd fds[2] = {
		{.fd = rss_probe__event_fd(watch__probe(w)), .events = POLLIN},
		{.fd = crowd->done_fd, .events = POLLIN},
	};
	uint64_t value;
	size_t done = 0;

	close(crowd->gates[crowd->step++]);
	while (done < crowd->cnt) {
		assert_true(poll(fds, 2, 240000) > 0);
		if (fds[0].revents)
			watch__drain(w);
		if (fds[1].revents)
			done += read(crowd->done_fd, &value, sizeof(value)) == sizeof(value);
	}
	watch__poll(w);
}

static size_t check_short_lives(const struct watch *w, const struct crowd *crowd,
				int64_t parent_rss, uint64_t missed)
{
	struct seep_task_id *ids = calloc(watch__event_cnt(w) + 1, sizeof(*ids));
	const struct seep_event *ev;
	size_t i, cnt = 0, unforked = 0;

	assert_non_null(ids);
	for (i = 0; i < watch__event_cnt(w); i++) {
		ev = watch__event(w, i);
		if (ev->kind != SEEP_EVENT_EXIT ||
		    (ev->ppid != (uint32_t)crowd->pids[0] && ev->ppid != (uint32_t)crowd->pids[1]))
			continue;
		ids[cnt++] = ev->id;
		assert_int_equal(ev->exit_code & 0xff, 0);
		unforked += !(ev->flags & SEEP_PROC_FORKED);
		assert_in_range(ev->peak_rss_pages, SHORT_PAGES, parent_rss + SHORT_PAGES + 256);
		assert_in_range(ev->pages[SEEP_MM_ANON] + batch_bound(), SHORT_PAGES,
				parent_rss + SHORT_PAGES + 256 + batch_bound());
	}
	qsort(ids, cnt, sizeof(*ids), by_id);
	for (i = 1; i < cnt; i++)
		assert_true(by_id(&ids[i - 1], &ids[i]) != 0);
	assert_true(unforked <= missed);
	free(ids);
	return cnt;
}

static void test_ten_thousand_short_lives(void **state)
{
	const struct seep_poll_proc *rec;
	struct crowd crowd;
	struct watch *w;
	uint64_t lost, missed;
	int64_t rss;
	size_t cnt;

	WATCH_OR_SKIP(w, NULL);
	crowd__start(&crowd, 2, live_short, NULL);
	watch__poll(w);
	rec = watch__get(w, crowd.pids[0]);
	rss = rec->pages[SEEP_MM_ANON] + rec->pages[SEEP_MM_FILE] + rec->pages[SEEP_MM_SHMEM];
	drain_until_done(w, &crowd);
	missed = watch__stat(w, SEEP_STAT_MISSED);
	cnt = check_short_lives(w, &crowd, rss, missed);
	lost = watch__stat(w, SEEP_STAT_RING_FULL) + watch__stat(w, SEEP_STAT_PROC_FULL) + missed;
	assert_true(cnt <= fewer_if_slow(SHORT_LIVES));
	assert_true(cnt + lost >= fewer_if_slow(SHORT_LIVES));
	assert_int_equal(watch__stale_entries(w), 0);
	crowd__finish(&crowd);
	watch__free(w);
}

/* ---- the same pid again ------------------------------------------------------------------ */

/* A child with the pid we ask for (clone3, 5.5); -1 with errno. */
static pid_t fork_as(pid_t pid)
{
	struct clone_args args = {
		.exit_signal = SIGCHLD,
		.set_tid = (uintptr_t)&pid,
		.set_tid_size = 1,
	};

	fflush(NULL);
	return syscall(SYS_clone3, &args, sizeof(args));
}

struct life {
	int go[2], done[2];
	pid_t pid;
};

/* pid 0: any. It touches `pages` and waits. */
static int begin_life(struct life *life, pid_t pid, size_t pages)
{
	char byte = 0;

	assert_int_equal(pipe(life->go), 0);
	assert_int_equal(pipe(life->done), 0);
	life->pid = pid ? fork_as(pid) : fork();
	if (life->pid < 0)
		return -errno;
	if (!life->pid) {
		close(life->go[1]);
		touch(map_pages(pages), pages);
		if (write(life->done[1], &byte, 1) != 1 || read(life->go[0], &byte, 1) < 0)
			_exit(1);
		_exit(0);
	}
	close(life->go[0]);
	close(life->done[1]);
	assert_int_equal(read(life->done[0], &byte, 1), 1);
	return 0;
}

static void end_life(struct life *life)
{
	close(life->go[1]);
	close(life->done[0]);
	assert_int_equal(waitpid(life->pid, NULL, 0), life->pid);
}

static void test_a_pid_used_again_is_another_process(void **state)
{
	struct seep_poll_proc first, second;
	const struct seep_event *ev;
	struct seep_task_id id;
	struct seep_proc entry;
	struct life a, b;
	struct watch *w;
	int err;

	WATCH_OR_SKIP(w, NULL);
	begin_life(&a, 0, PAGES);
	watch__poll(w);
	first = *watch__get(w, a.pid);
	end_life(&a);
	err = begin_life(&b, a.pid, 17);
	if (err) {
		print_message("[   SKIP   ] no process with a chosen pid: %s\n", strerror(-err));
		watch__free(w);
		skip();
	}
	/* before any poll: the old entry is gone, the new one is small */
	id = (struct seep_task_id){.tgid = first.tgid, .start_ns = first.start_ns};
	assert_int_equal(rss_probe__lookup(watch__probe(w), &id, &entry), -ENOENT);
	watch__poll(w);
	second = *watch__get(w, b.pid);
	assert_true(second.start_ns > first.start_ns);
	assert_true(second.pages[SEEP_MM_ANON] < first.pages[SEEP_MM_ANON] - PAGES / 2);
	assert_true(second.hwm_anon_pages < first.pages[SEEP_MM_ANON] - PAGES / 2);
	ev = watch__find_event(w, SEEP_EVENT_EXIT, a.pid);
	assert_non_null(ev);
	assert_int_equal(ev->id.start_ns, first.start_ns);
	end_life(&b);
	watch__poll(w);
	ev = watch__find_event(w, SEEP_EVENT_EXIT, b.pid);
	assert_int_equal(ev->id.start_ns, second.start_ns);
	watch__free(w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_the_first_poll_seeds_who_ran_before),
		cmocka_unit_test(test_fork_copies_are_the_childs),
		cmocka_unit_test(test_a_borrowed_mm_counts_once),
		cmocka_unit_test(test_vfork_and_exec_leave_the_parent_alone),
		cmocka_unit_test(test_exec_starts_anew),
		cmocka_unit_test(test_exec_from_a_thread_starts_anew),
		cmocka_unit_test(test_storms_leave_nothing_behind),
		cmocka_unit_test(test_threads_that_end_together_are_one_exit),
		cmocka_unit_test(test_ten_thousand_short_lives),
		cmocka_unit_test(test_a_pid_used_again_is_another_process),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
