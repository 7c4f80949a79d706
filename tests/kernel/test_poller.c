// SPDX-License-Identifier: BSD-2-Clause
/*
 * test_poller.c - what the poller makes of the kernel's records: one sample a process, no kernel
 * threads, thread counts, CPU time and faults as getrusage(2) has them, marks that no restart of
 * the iterator loses; and the same from /proc where there is no BPF.
 */
#include "support.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "probe/poller.h"

#define PAGES 1201

struct samples {
	const struct proc_sample *v;
	size_t cnt;
};

static struct poller *new_poller(int no_bpf)
{
	const struct poller_cfg cfg = {.no_bpf = no_bpf};
	struct poller_stats stats;
	struct poller *p;

	assert_int_equal(poller__new(&cfg, &p), 0);
	poller__stats(p, &stats);
	if (no_bpf || strcmp(stats.poll, "/proc"))
		return p;
	print_message("[   SKIP   ] no BPF here: %s\n", stats.why);
	poller__free(p);
	return NULL;
}

#define POLLER_OR_SKIP(p)            \
	do {                         \
		(p) = new_poller(0); \
		if (!(p))            \
			skip();      \
	} while (0)

static struct samples poll_all(struct poller *p)
{
	struct samples s;

	assert_int_equal(poller__poll(p, &s.v, &s.cnt), 0);
	return s;
}

static const struct proc_sample *find(struct samples s, pid_t pid)
{
	size_t i;

	for (i = 0; i < s.cnt; i++)
		if (s.v[i].id.tgid == (uint32_t)pid)
			return &s.v[i];
	return NULL;
}

static struct proc_sample sample_of(struct poller *p, pid_t pid)
{
	const struct proc_sample *s = find(poll_all(p), pid);

	assert_non_null(s);
	return *s;
}

/* ---- order ------------------------------------------------------------------------------- */

static void test_samples_are_sorted_and_unique(void **state)
{
	struct poller *p;
	struct samples s;
	size_t i;

	POLLER_OR_SKIP(p);
	s = poll_all(p);
	assert_non_null(find(s, getpid()));
	for (i = 1; i < s.cnt; i++)
		assert_true(s.v[i - 1].id.tgid < s.v[i].id.tgid);
	poller__free(p);
}

static void test_kernel_threads_are_absent(void **state)
{
	struct poller *p;
	struct samples s;
	size_t i;

	POLLER_OR_SKIP(p);
	s = poll_all(p);
	assert_null(find(s, 2)); /* kthreadd */
	for (i = 0; i < s.cnt; i++) {
		assert_int_not_equal(s.v[i].ppid, 2);
		assert_true(proc_sample__rss_bytes(&s.v[i]) > 0 || s.v[i].swap_bytes > 0);
	}
	poller__free(p);
}

/* ---- many -------------------------------------------------------------------------------- */

#define MANY 1200 /* an eighth of them is more than one read of the iterator, too */

static void peak_between_polls(struct turn *t, void *arg)
{
	char *mem = map_pages(PAGES);

	turn__wait(t, 0);
	touch(mem, PAGES);
	release(mem, PAGES);
	turn__wait(t, 0);
}

/*
 * The kernel hands the poll out in pieces and may run its program again for a process whose
 * record did not fit: marks must not be lost with the first try.
 */
static void test_no_mark_is_lost_among_many(void **state)
{
	const uint64_t peak = PAGES * page_size(), slack = batch_bound() * page_size();
	const struct proc_sample *s;
	struct samples all;
	struct crowd crowd;
	struct poller *p;
	size_t i;

	POLLER_OR_SKIP(p);
	crowd__start(&crowd, fewer_if_slow(MANY), peak_between_polls, NULL);
	poll_all(p);
	crowd__step(&crowd);
	all = poll_all(p);
	for (i = 0; i < crowd.cnt; i++) {
		s = find(all, crowd.pids[i]);
		assert_non_null(s);
		assert_true(s->hwm_bytes >= s->anon_bytes + peak - slack);
		assert_true(s->events > 0);
		assert_true(s->flags & SEEP_PROC_FORKED);
	}
	crowd__finish(&crowd);
	poller__free(p);
}

/* ---- threads, CPU time and faults -------------------------------------------------------- */

#define BURN_NS (30 * 1000 * 1000)

static void *burn(void *arg)
{
	while (clock__ns(CLOCK_THREAD_CPUTIME_ID) < BURN_NS)
		;
	if (arg) {
		pthread_barrier_wait(arg);
		pthread_barrier_wait(arg);
	}
	return NULL;
}

/* CPU time of three kinds: the leader's, a living thread's, and a dead one's. */
static void work(struct turn *t, void *arg)
{
	pthread_barrier_t barrier;
	pthread_t living, dead;
	struct rusage usage;

	pthread_barrier_init(&barrier, NULL, 2);
	if (pthread_create(&dead, NULL, burn, NULL) ||
	    pthread_create(&living, NULL, burn, &barrier))
		_exit(98);
	burn(NULL);
	pthread_join(dead, NULL);
	pthread_barrier_wait(&barrier);
	touch(map_pages(PAGES), PAGES);
	turn__wait(t, clock__ns(CLOCK_PROCESS_CPUTIME_ID));
	turn__wait(t, clock__ns(CLOCK_PROCESS_CPUTIME_ID));
	getrusage(RUSAGE_SELF, &usage);
	turn__wait(t, usage.ru_minflt + usage.ru_majflt);
	getrusage(RUSAGE_SELF, &usage);
	turn__wait(t, usage.ru_minflt + usage.ru_majflt);
	_exit(0);
}

static void test_work_is_what_getrusage_says(void **state)
{
	uint64_t low, high, faults, faults_after;
	struct proc_sample s;
	struct poller *p;
	struct child c;

	POLLER_OR_SKIP(p);
	low = child__start(&c, work, NULL);
	s = sample_of(p, c.pid);
	high = child__step(&c);
	assert_in_range(s.cpu_ns, low, high);
	assert_true(s.cpu_ns > 3 * BURN_NS);
	assert_int_equal(s.threads, 2);
	faults = child__step(&c);
	s = sample_of(p, c.pid);
	faults_after = child__step(&c);
	assert_in_range(s.faults, faults, faults_after);
	assert_true(s.faults > PAGES);
	child__finish(&c);
	poller__free(p);
}

/* ---- /proc ------------------------------------------------------------------------------- */

static void hold(struct turn *t, void *arg)
{
	char *mem = map_pages(PAGES);

	prctl(PR_SET_NAME, "a (b) c)");
	touch(mem, PAGES);
	turn__wait(t, 0);
	turn__wait(t, 0);
}

static void test_proc_says_the_same(void **state)
{
	const uint64_t tick_ns = 1000000000ULL / sysconf(_SC_CLK_TCK);
	struct proc_sample a, b;
	struct poller *bpf, *proc;
	struct child c;

	POLLER_OR_SKIP(bpf);
	proc = new_poller(1);
	child__start(&c, hold, NULL);
	a = sample_of(bpf, c.pid);
	b = sample_of(proc, c.pid);
	assert_proc_says(a.anon_bytes, b.anon_bytes, 1);
	assert_proc_says(a.file_bytes, b.file_bytes, 16);
	assert_proc_says(a.shmem_bytes, b.shmem_bytes, 16);
	assert_int_equal(a.swap_bytes, b.swap_bytes);
	assert_int_equal(a.ppid, b.ppid);
	assert_int_equal(a.uid, b.uid);
	assert_int_equal(a.threads, b.threads);
	assert_int_equal(a.faults, b.faults);
	assert_string_equal(a.comm, b.comm);
	assert_in_range(a.id.start_ns - b.id.start_ns, 0, tick_ns);
	assert_in_range(a.cpu_ns - b.cpu_ns + 2 * tick_ns, 0, 4 * tick_ns);
	assert_true(b.flags & SEEP_PROC_NO_ENTRY);
	child__finish(&c);
	poller__free(bpf);
	poller__free(proc);
}

/* Quiet processes other than ours agree as well: who is listed, not how large. */
static void test_proc_lists_the_same_processes(void **state)
{
	struct poller *bpf, *proc;
	struct samples a, b;
	struct crowd crowd;
	size_t i;

	POLLER_OR_SKIP(bpf);
	proc = new_poller(1);
	crowd__start(&crowd, 100, hold, NULL);
	a = poll_all(bpf);
	b = poll_all(proc);
	for (i = 0; i < crowd.cnt; i++) {
		assert_non_null(find(a, crowd.pids[i]));
		assert_non_null(find(b, crowd.pids[i]));
	}
	assert_null(find(b, 2));
	crowd__finish(&crowd);
	poller__free(bpf);
	poller__free(proc);
}

struct seen {
	pid_t pid;
	int exits;
	uint64_t anon_bytes;
	char comm[SEEP_COMM_LEN];
};

static void note_exit(void *ctx, const struct proc_event *ev)
{
	struct seen *seen = ctx;

	if (ev->kind != SEEP_EVENT_EXIT || ev->id.tgid != (uint32_t)seen->pid)
		return;
	seen->exits++;
	seen->anon_bytes = ev->anon_bytes;
	memcpy(seen->comm, ev->comm, sizeof(seen->comm));
}

static void check_exit(int no_bpf)
{
	struct seen seen = {0};
	struct poller *p;
	struct child c;

	p = new_poller(no_bpf);
	if (!p)
		skip();
	child__start(&c, hold, NULL);
	poll_all(p);
	poller__drain(p, note_exit, &seen);
	seen = (struct seen){.pid = c.pid};
	child__finish(&c);
	poll_all(p);
	assert_int_equal(poller__drain(p, note_exit, &seen), 0);
	assert_int_equal(seen.exits, 1);
	assert_true(seen.anon_bytes >= PAGES * page_size());
	assert_string_equal(seen.comm, "a (b) c)");
	poll_all(p);
	poller__drain(p, note_exit, &seen);
	assert_int_equal(seen.exits, 1);
	poller__free(p);
}

static void test_an_exit_is_told_once(void **state)
{
	check_exit(0);
}

static void test_an_exit_is_told_once_by_proc(void **state)
{
	check_exit(1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_samples_are_sorted_and_unique),
		cmocka_unit_test(test_kernel_threads_are_absent),
		cmocka_unit_test(test_no_mark_is_lost_among_many),
		cmocka_unit_test(test_work_is_what_getrusage_says),
		cmocka_unit_test(test_proc_says_the_same),
		cmocka_unit_test(test_proc_lists_the_same_processes),
		cmocka_unit_test(test_an_exit_is_told_once),
		cmocka_unit_test(test_an_exit_is_told_once_by_proc),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
