// SPDX-License-Identifier: BSD-2-Clause
/*
 * test_foreign.c - memory changed by somebody else is charged to its owner, never to the one who
 * did it: process_vm_writev, and reclaim by the kernel.
 */
#include "support.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/uio.h>
#include <unistd.h>

#define PAGES 2503

/* ---- process_vm_writev ------------------------------------------------------------------- */

static void offer(struct turn *t, void *arg)
{
	turn__wait(t, (uintptr_t)map_pages(PAGES));
	turn__wait(t, 0);
}

struct target {
	pid_t pid;
	uintptr_t mem;
};

/* One byte into each page of the victim, 512 pages a call. */
static void write_into(struct turn *t, void *arg)
{
	const struct target *target = arg;
	struct iovec local, remote[512];
	static char bytes[512];
	size_t i, at, cnt;

	memset(bytes, 1, sizeof(bytes));
	turn__wait(t, 0);
	for (at = 0; at < PAGES; at += cnt) {
		cnt = PAGES - at < 512 ? PAGES - at : 512;
		for (i = 0; i < cnt; i++) {
			remote[i].iov_base = (void *)(target->mem + (at + i) * page_size());
			remote[i].iov_len = 1;
		}
		local = (struct iovec){bytes, cnt};
		if (process_vm_writev(target->pid, &local, 1, remote, cnt, 0) != (ssize_t)cnt)
			turn__wait(t, errno);
	}
	turn__wait(t, 0);
}

static void test_foreign_writes_are_the_victims(void **state)
{
	int64_t victim_base, writer_base;
	struct child victim, writer;
	struct seep_proc entry;
	struct target target;
	uint64_t foreign, err;
	struct watch *w;

	WATCH_OR_SKIP(w, NULL);
	target.mem = child__start(&victim, offer, NULL);
	target.pid = victim.pid;
	child__start(&writer, write_into, &target);
	watch__poll(w);
	victim_base = watch__get(w, victim.pid)->pages[SEEP_MM_ANON];
	writer_base = watch__get(w, writer.pid)->pages[SEEP_MM_ANON];
	foreign = watch__stat(w, SEEP_STAT_FOREIGN);
	err = child__step(&writer);
	assert_int_equal(err, 0);
	/* from events alone already, and seen as made by another */
	entry = watch__entry(w, watch__get(w, victim.pid));
	assert_in_range(entry.pages[SEEP_MM_ANON] - victim_base, PAGES - batch_bound(),
			PAGES + batch_bound());
	entry = watch__entry(w, watch__get(w, writer.pid));
	assert_in_range(entry.pages[SEEP_MM_ANON] - writer_base + batch_bound(), 0,
			2 * batch_bound());
	assert_true(watch__stat(w, SEEP_STAT_FOREIGN) > foreign);
	watch__poll(w);
	assert_int_equal(watch__get(w, victim.pid)->pages[SEEP_MM_ANON] - victim_base, PAGES);
	/* its own stack and data, not what it wrote */
	assert_in_range(watch__get(w, writer.pid)->pages[SEEP_MM_ANON] - writer_base + 32, 0, 64);
	child__finish(&victim);
	child__finish(&writer);
	watch__free(w);
}

/* ---- reclaim ----------------------------------------------------------------------------- */

/* Clean file pages: the one kind that reclaim can take back where there is no swap. */
static void hold_file(struct turn *t, void *arg)
{
	char path[] = "/var/tmp/seep-test-XXXXXX";
	size_t bytes = PAGES * page_size(), i;
	int fd = mkstemp(path);
	static volatile char sink;
	char *mem, *page;

	unlink(path);
	page = calloc(1, page_size());
	turn__wait(t, 1); /* the parent moves us into the cgroup first */
	for (i = 0; i < PAGES; i++)
		if (!page || write(fd, page, page_size()) != (ssize_t)page_size())
			_exit(97);
	fsync(fd);
	mem = mmap(NULL, bytes, PROT_READ, MAP_SHARED, fd, 0);
	if (mem == MAP_FAILED)
		_exit(97);
	turn__wait(t, 1);
	for (i = 0; i < PAGES; i++)
		sink = mem[i * page_size()];
	turn__wait(t, 1);
	turn__wait(t, 1);
	(void)sink;
}

static void test_reclaim_is_charged_to_the_owner(void **state)
{
	int64_t base, held, mine, left, reclaimer;
	struct test_cgroup *cg;
	struct seep_proc entry;
	struct watch *w;
	struct child c;
	int i;

	WATCH_OR_SKIP(w, NULL);
	cg = test_cgroup__new("reclaim");
	if (!cg)
		skip();
	child__start(&c, hold_file, NULL);
	test_cgroup__enter(cg, c.pid);
	assert_int_equal(child__step(&c), 1);
	base = watch__pages(w, c.pid, SEEP_MM_FILE);
	child__step(&c);
	held = watch__pages(w, c.pid, SEEP_MM_FILE) - base;
	assert_int_equal(held, PAGES);
	mine = watch__get(w, getpid())->pages[SEEP_MM_FILE];

	/* mapped and referenced pages survive the first rounds */
	for (i = 0; i < 5; i++)
		test_cgroup__reclaim(cg);
	entry = watch__entry(w, watch__get(w, c.pid));
	watch__poll(w);
	left = watch__get(w, c.pid)->pages[SEEP_MM_FILE] - base;
	assert_in_range(entry.pages[SEEP_MM_FILE] - base + 2 * batch_bound(), left + batch_bound(),
			left + 3 * batch_bound());
	reclaimer = watch__get(w, getpid())->pages[SEEP_MM_FILE] - mine;
	assert_in_range(reclaimer + 64, 0, 128);
	if (left > PAGES / 2)
		print_message("[   NOTE   ] the kernel took back only %d of %d pages\n",
			      (int)(PAGES - left), PAGES);
	child__finish(&c);
	test_cgroup__free(cg);
	watch__free(w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_foreign_writes_are_the_victims),
		cmocka_unit_test(test_reclaim_is_charged_to_the_owner),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
