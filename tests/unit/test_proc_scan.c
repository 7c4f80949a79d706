// SPDX-License-Identifier: BSD-2-Clause
/* test_proc_scan.c - the poll without BPF, over a made-up /proc and over the real one. */
#include <errno.h>
#include <ftw.h>
#include <limits.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/fs.h"
#include "probe/poller.h"
#include "probe/proc_scan.h"

#define SIZES "VmRSS:\t40 kB\nRssAnon:\t8 kB\nRssFile:\t4 kB\nRssShmem:\t16 kB\nVmSwap:\t32 kB\n"

static char dir[64];

static int setup(void **state)
{
	strcpy(dir, "/tmp/seep-proc-XXXXXX");
	return mkdtemp(dir) ? 0 : -1;
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	return remove(path);
}

static int teardown(void **state)
{
	return nftw(dir, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

static void put(unsigned pid, const char *name, const char *text)
{
	char path[PATH_MAX];

	snprintf(path, sizeof(path), "%s/%u", dir, pid);
	assert_int_equal(fs__mkdir_p(path, 0755), 0);
	snprintf(path, sizeof(path), "%s/%u/%s", dir, pid, name);
	assert_int_equal(fs__write_atomic(path, text, strlen(text), 0644), 0);
}

static void put_stat(unsigned pid, const char *comm, char state, unsigned start)
{
	char text[512];

	snprintf(text, sizeof(text),
		 "%u (%s) %c 7 1 1 0 -1 4194304 100 9 20 9 300 50 9 9 20 0 3 0 %u 1 2\n", pid, comm,
		 state, start);
	put(pid, "stat", text);
}

static void put_process(unsigned pid, const char *comm)
{
	char statm[64];
	long page_kib = sysconf(_SC_PAGESIZE) / 1024;

	put_stat(pid, comm, 'S', pid * 10);
	put(pid, "status", "Name:\tx\nUid:\t1000\t0\t0\t0\nGroups:\t1 2\n" SIZES);
	/* 44 kB resident, 20 of them shared: statm is right where status lags behind */
	snprintf(statm, sizeof(statm), "100 %ld %ld 1 0 5 0\n", 44 / page_kib, 20 / page_kib);
	put(pid, "statm", statm);
}

static void drop(unsigned pid)
{
	char path[PATH_MAX];

	snprintf(path, sizeof(path), "%s/%u", dir, pid);
	assert_int_equal(nftw(path, remove_one, 8, FTW_DEPTH | FTW_PHYS), 0);
}

/* ---- one process ------------------------------------------------------------------------- */

static void test_one(void **state)
{
	uint64_t tick_ns = 1000000000ULL / sysconf(_SC_CLK_TCK);
	struct proc_sample s;

	put_process(42, "web");
	assert_int_equal(proc_scan__one(dir, 42, &s), 0);
	assert_int_equal(s.id.tgid, 42);
	assert_true(s.id.start_ns == 420 * tick_ns);
	assert_int_equal(s.id.pad, 0);
	assert_string_equal(s.comm, "web");
	assert_int_equal(s.ppid, 7);
	assert_int_equal(s.uid, 1000);
	assert_int_equal(s.threads, 3);
	assert_int_equal(s.faults, 120);
	assert_true(s.cpu_ns == 350 * tick_ns);
	assert_int_equal(s.anon_bytes, 24 << 10);
	assert_int_equal(s.file_bytes, 4 << 10);
	assert_int_equal(s.shmem_bytes, 16 << 10);
	assert_int_equal(s.swap_bytes, 32 << 10);
	assert_int_equal(s.hwm_bytes, 56 << 10);
	assert_int_equal(s.flags, SEEP_PROC_NO_ENTRY);
}

static void test_names_are_anything(void **state)
{
	struct proc_sample s;

	put_process(42, ") R 1 1 (\n)");
	assert_int_equal(proc_scan__one(dir, 42, &s), 0);
	assert_string_equal(s.comm, ") R 1 1 (\n)");
	assert_int_equal(s.ppid, 7);
	put_process(43, "a name of more than fifteen bytes");
	assert_int_equal(proc_scan__one(dir, 43, &s), 0);
	assert_string_equal(s.comm, "a name of more ");
}

static void test_not_processes(void **state)
{
	struct proc_sample s = {.ppid = 4711};

	assert_int_equal(proc_scan__one(dir, 1, &s), -ENOENT);
	put_process(2, "kthreadd");
	put(2, "status", "Name:\tkthreadd\nUid:\t0\t0\t0\t0\n");
	assert_int_equal(proc_scan__one(dir, 2, &s), 1);
	put_process(3, "dead");
	put_stat(3, "dead", 'Z', 1);
	assert_int_equal(proc_scan__one(dir, 3, &s), 1);
	put_process(4, "half");
	put(4, "stat", "4 (half) S 1 2\n");
	assert_int_equal(proc_scan__one(dir, 4, &s), -EINVAL);
	put(4, "stat", "4 half S 1 2\n");
	assert_int_equal(proc_scan__one(dir, 4, &s), -EINVAL);
	put(4, "stat", "");
	assert_int_equal(proc_scan__one(dir, 4, &s), -EINVAL);
	assert_int_equal(s.ppid, 4711); /* untouched */
}

/* A process in hundreds of groups is watched like any other; one in too many is said. */
static void test_many_groups(void **state)
{
	static char status[80000];
	struct proc_sample s;
	int i, n;

	put_process(42, "web");
	n = sprintf(status, "Name:\tweb\nUid:\t5\t5\t5\t5\nGroups:\t");
	for (i = 0; i < 1000; i++)
		n += sprintf(status + n, "%d ", 100000000 + i);
	strcpy(status + n, "\n" SIZES);
	put(42, "status", status);
	assert_int_equal(proc_scan__one(dir, 42, &s), 0);
	assert_int_equal(s.swap_bytes, 32 << 10);
	for (; i < 7000; i++)
		n += sprintf(status + n, "%d ", 100000000 + i);
	strcpy(status + n, "\n" SIZES);
	put(42, "status", status);
	assert_int_equal(proc_scan__one(dir, 42, &s), -EOVERFLOW);
}

/* ---- all of them ------------------------------------------------------------------------- */

static int count(void *ctx, const struct proc_sample *s)
{
	return ++*(int *)ctx == 100 ? -ECANCELED : 0;
}

static void test_all(void **state)
{
	uint64_t errors = 0;
	int cnt = 0;

	put_process(1, "init");
	put_process(10, "web");
	put_process(11, "garbled");
	put(11, "stat", "garbled");
	assert_int_equal(mkdir(strcat(strcpy((char[80]){0}, dir), "/sys"), 0755), 0);
	assert_int_equal(proc_scan__all(dir, count, &cnt, &errors), 0);
	assert_int_equal(cnt, 2);
	assert_int_equal(errors, 1);
	cnt = 99; /* what the callback says ends it */
	assert_int_equal(proc_scan__all(dir, count, &cnt, &errors), -ECANCELED);
	assert_int_equal(proc_scan__all("/nonexistent", count, &cnt, &errors), -ENOENT);
}

/* ---- the poller -------------------------------------------------------------------------- */

static struct poller *open_poller(const char *proc_dir)
{
	struct poller_cfg cfg = {.proc_dir = proc_dir, .no_bpf = 1};
	struct poller *p = NULL;

	assert_int_equal(poller__new(&cfg, &p), 0);
	return p;
}

static size_t poll_cnt(struct poller *p, const struct proc_sample **ret_samples)
{
	size_t cnt;

	assert_int_equal(poller__poll(p, ret_samples, &cnt), 0);
	return cnt;
}

struct exits {
	int cnt;
	struct proc_event last;
};

static void on_event(void *ctx, const struct proc_event *ev)
{
	struct exits *x = ctx;

	x->cnt++;
	x->last = *ev;
}

static struct exits drain(struct poller *p)
{
	struct exits x = {0};

	assert_int_equal(poller__drain(p, on_event, &x), 0);
	return x;
}

static void test_poll_is_sorted_and_finds_exits(void **state)
{
	struct poller *p = open_poller(dir);
	const struct proc_sample *s;
	struct exits x;
	unsigned i;

	for (i = 600; i > 0; i--)
		put_process(i, "web");
	assert_int_equal(poll_cnt(p, &s), 600);
	for (i = 0; i < 600; i++)
		assert_int_equal(s[i].id.tgid, i + 1);
	assert_int_equal(drain(p).cnt, 0);
	drop(600);
	assert_int_equal(poll_cnt(p, &s), 599);
	x = drain(p);
	assert_int_equal(x.cnt, 1);
	assert_int_equal(x.last.kind, SEEP_EVENT_EXIT);
	assert_int_equal(x.last.id.tgid, 600);
	assert_int_equal(x.last.anon_bytes, 24 << 10);
	assert_string_equal(x.last.comm, "web");
	assert_int_equal(drain(p).cnt, 0); /* told once */
	put_stat(1, "web", 'S', 999999);   /* its pid went to another */
	assert_int_equal(poll_cnt(p, &s), 599);
	x = drain(p);
	assert_int_equal(x.cnt, 1);
	assert_int_equal(x.last.id.tgid, 1);
	poller__free(p);
}

static void test_failed_poll_ends_nobody(void **state)
{
	struct poller *p = open_poller(dir);
	const struct proc_sample *s;
	char away[80];
	size_t cnt;

	put_process(1, "init");
	put_process(2, "web");
	assert_int_equal(poll_cnt(p, &s), 2);
	snprintf(away, sizeof(away), "%s.away", dir);
	assert_int_equal(rename(dir, away), 0);
	assert_int_equal(poller__poll(p, &s, &cnt), -ENOENT);
	assert_int_equal(drain(p).cnt, 0);
	assert_int_equal(rename(away, dir), 0);
	assert_int_equal(poll_cnt(p, &s), 2);
	assert_int_equal(drain(p).cnt, 0);
	poller__free(p);
}

static void test_without_bpf(void **state)
{
	struct poller *p = open_poller(dir);
	struct poller_stats stats;

	poller__stats(p, &stats);
	assert_string_equal(stats.rss, "off");
	assert_string_equal(stats.poll, "/proc");
	assert_string_equal(stats.why, "switched off");
	assert_int_equal(poller__event_fd(p), -1);
	assert_int_equal(poller__cgroups(p, NULL, NULL), -ENOSYS);
	poller__free(p);
	poller__free(NULL);
}

/* ---- the real /proc ---------------------------------------------------------------------- */

static void test_real_self(void **state)
{
	const size_t size = 64 << 20;
	/* to 6.1 a task keeps up to 65 page faults to itself (SPLIT_RSS_COUNTING) */
	const size_t held = 66 * sysconf(_SC_PAGESIZE);
	struct proc_sample before, after;
	char *memory;

	assert_int_equal(proc_scan__one("/proc", getpid(), &before), 0);
	memory = malloc(size);
	assert_non_null(memory);
	memset(memory, 1, size);
	assert_int_equal(proc_scan__one("/proc", getpid(), &after), 0);
	free(memory);
	assert_true(after.anon_bytes + after.swap_bytes + held >=
		    before.anon_bytes + before.swap_bytes + size);
	assert_true(after.id.start_ns == before.id.start_ns);
	assert_int_equal(after.uid, getuid());
	assert_int_equal(after.ppid, getppid());
}

static void test_real_child(void **state)
{
	struct poller *p = open_poller("/proc");
	const struct proc_sample *s;
	struct proc_sample sample;
	pid_t child = fork();
	int i, found;
	size_t cnt;

	if (!child) {
		pause();
		_exit(0);
	}
	for (i = 0; i < 2; i++) {
		cnt = poll_cnt(p, &s);
		for (found = 0; cnt; cnt--)
			found += s[cnt - 1].id.tgid == (uint32_t)child;
		assert_int_equal(found, !i);
		if (i)
			break;
		assert_int_equal(kill(child, SIGKILL), 0);
		waitid(P_PID, child, NULL, WEXITED | WNOWAIT);
		assert_int_equal(proc_scan__one("/proc", child, &sample), 1); /* a zombie */
	}
	assert_int_equal(waitpid(child, NULL, 0), child);
	assert_int_equal(proc_scan__one("/proc", child, &sample), -ENOENT);
	poller__free(p);
}

#define MADE(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		MADE(test_one),
		MADE(test_names_are_anything),
		MADE(test_not_processes),
		MADE(test_many_groups),
		MADE(test_all),
		MADE(test_poll_is_sorted_and_finds_exits),
		MADE(test_failed_poll_ends_nobody),
		MADE(test_without_bpf),
		cmocka_unit_test(test_real_self),
		cmocka_unit_test(test_real_child),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
