/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * support.h - what the kernel tests share: a child that works in steps, and a probe to watch it.
 *
 * A child does an exact piece of work, reports, and waits; the parent polls between two pieces.
 * Other programs run on the machine meanwhile, so only the tests' own children are asserted on.
 * Everything here fails the running cmocka test by itself; nothing returns an error.
 */
#ifndef SEEP_TESTS_KERNEL_SUPPORT_H
#define SEEP_TESTS_KERNEL_SUPPORT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <cmocka.h>

#include "probe/rss_probe.h"

/* ---- children ---------------------------------------------------------------------------- */

/* The child's end: reports `value` and waits until the parent wants the next step. */
struct turn;
void turn__wait(struct turn *t, uint64_t value);

typedef void (*child_fn)(struct turn *t, void *arg);

struct child {
	pid_t pid;
	int go_fd;
	int done_fd;
};

/* Run fn in a forked child up to its first turn__wait; returns the value it reported there. */
uint64_t child__start(struct child *c, child_fn fn, void *arg);
/* Let it go on to its next turn__wait, or to its end (then 0). */
uint64_t child__step(struct child *c);
/* Let it go on through all its steps, and reap it. Its wait(2) status. */
int child__finish(struct child *c);
/* The next step without waiting for its end: for work that the child may not survive. */
void child__go(struct child *c);

/*
 * Many children that take the same few steps together. fn runs in each; `cnt` children report at
 * each turn__wait, of which there may be CROWD_STEPS.
 */
#define CROWD_STEPS 4

struct crowd {
	pid_t *pids;
	size_t cnt;
	size_t step;
	int gates[CROWD_STEPS];
	int done_fd;
};

void crowd__start(struct crowd *c, size_t cnt, child_fn fn, void *arg);
void crowd__step(struct crowd *c);
/* Let all go on to their end and reap them. */
void crowd__finish(struct crowd *c);

/* ---- memory ------------------------------------------------------------------------------ */

size_t page_size(void);
/* Private anonymous memory, untouched, without huge pages. */
char *map_pages(size_t pages);
void touch(char *mem, size_t pages);
void release(char *mem, size_t pages);

/* ---- the probe --------------------------------------------------------------------------- */

struct watch;

/* NULL after saying why when this machine or this user cannot load BPF: then skip(). */
struct watch *watch__new(const struct rss_probe_cfg *cfg);
void watch__free(struct watch *w);
struct rss_probe *watch__probe(struct watch *w);

/* Poll, and drain events. */
void watch__poll(struct watch *w);
/* The process's record of the last poll; NULL if it has none. */
const struct seep_poll_proc *watch__find(const struct watch *w, pid_t pid);
/* The same; fails the test if there is none. */
const struct seep_poll_proc *watch__get(const struct watch *w, pid_t pid);
/* Poll and give one process's pages. */
int64_t watch__pages(struct watch *w, pid_t pid, enum seep_mm_member member);
size_t watch__thread_records(const struct watch *w, pid_t pid);
size_t watch__proc_cnt(const struct watch *w);
const struct seep_poll_proc *watch__proc(const struct watch *w, size_t i);

/* What events alone say of a process; fails the test if it is not in the kernel's table. */
struct seep_proc watch__entry(struct watch *w, const struct seep_poll_proc *rec);

/* How many entries the kernel's table holds that no living process stands for. */
size_t watch__stale_entries(struct watch *w);

/* Drain events now, without a poll. */
void watch__drain(struct watch *w);
/* Events drained so far. */
size_t watch__event_cnt(const struct watch *w);
const struct seep_event *watch__event(const struct watch *w, size_t i);
/* The last one of that kind and process, or NULL. */
const struct seep_event *watch__find_event(const struct watch *w, uint32_t kind, pid_t pid);

/* The cgroup's sums, drained from the table; 1 if it is there. */
int watch__cgroup(struct watch *w, uint64_t cgroup_id, struct seep_cgroup *ret_cg);
uint64_t watch__stat(struct watch *w, enum seep_stat stat);

/*
 * How far a size known from events alone may be off: what all CPUs, or on kernels to 6.1 the
 * process's threads, may hold back.
 */
int64_t batch_bound_of(int threads);
int64_t batch_bound(void); /* of one thread */

/*
 * /proc gives the exact size; on kernels to 6.1 without what one thread holds back. A fault maps one
 * anonymous page, or up to 16 of a file.
 */
void assert_proc_says(uint64_t exact_bytes, uint64_t proc_bytes, int pages_a_fault);

/* On an emulated machine? ($SEEP_SLOW) */
int is_slow(void);
/* Repetitions that prove no more than a part of them there. */
size_t fewer_if_slow(size_t cnt);

#define WATCH_OR_SKIP(w, cfg)          \
	do {                           \
		(w) = watch__new(cfg); \
		if (!(w))              \
			skip();        \
	} while (0)

/* ---- memory cgroups ---------------------------------------------------------------------- */

/* A child cgroup of our own in the memory hierarchy, v1 or v2; NULL where none can be made. */
struct test_cgroup;
struct test_cgroup *test_cgroup__new(const char *name);
/* Remove it; the processes inside must have ended. */
void test_cgroup__free(struct test_cgroup *cg);
uint64_t test_cgroup__id(const struct test_cgroup *cg);
void test_cgroup__enter(const struct test_cgroup *cg, pid_t pid);
/* 0, or -errno where the controller has no such file. */
int test_cgroup__limit(const struct test_cgroup *cg, uint64_t bytes);
/* Ask the kernel to take back what it can: memory.force_empty or memory.reclaim. */
int test_cgroup__reclaim(const struct test_cgroup *cg);

#endif /* SEEP_TESTS_KERNEL_SUPPORT_H */
