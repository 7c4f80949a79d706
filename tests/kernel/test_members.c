// SPDX-License-Identifier: BSD-2-Clause
/*
 * test_members.c - what is not anonymous memory: shared memory and file pages count where they
 * are mapped, in their own member, and page for page.
 */
#include "support.h"

#include <stdlib.h>
#include <sys/ipc.h>
#include <sys/mman.h>
#include <sys/shm.h>
#include <unistd.h>

#define PAGES 3001

static int64_t delta(struct watch *w, pid_t pid, const struct seep_poll_proc *base,
		     enum seep_mm_member member)
{
	return watch__get(w, pid)->pages[member] - base->pages[member];
}

/* Step the child and assert how each member moved since `base`. */
static void expect(struct watch *w, struct child *c, const struct seep_poll_proc *base,
		   int64_t file, int64_t anon, int64_t shmem)
{
	child__step(c);
	watch__poll(w);
	assert_int_equal(delta(w, c->pid, base, SEEP_MM_FILE), file);
	assert_int_equal(delta(w, c->pid, base, SEEP_MM_ANON), anon);
	assert_int_equal(delta(w, c->pid, base, SEEP_MM_SWAP), 0);
	assert_int_equal(delta(w, c->pid, base, SEEP_MM_SHMEM), shmem);
}

static struct seep_poll_proc start(struct watch *w, struct child *c, child_fn fn)
{
	assert_int_equal(child__start(c, fn, NULL), 1);
	watch__poll(w);
	return *watch__get(w, c->pid);
}

static char *map_fd(int fd, int flags)
{
	size_t bytes = PAGES * page_size();
	char *mem;

	if (fd < 0 || ftruncate(fd, bytes))
		_exit(97);
	mem = mmap(NULL, bytes, PROT_READ | PROT_WRITE, flags, fd, 0);
	if (mem == MAP_FAILED)
		_exit(97);
	return mem;
}

/* Each touch maps one page only: no fault-around of neighbours already in the cache. */
static void touch_backwards(char *mem)
{
	size_t i;

	for (i = PAGES; i > 0; i--)
		((volatile char *)mem)[(i - 1) * page_size()] = 1;
}

/* ---- shared memory ----------------------------------------------------------------------- */

static void use_memfd(struct turn *t, void *arg)
{
	char *mem = map_fd(memfd_create("seep-test", MFD_CLOEXEC), MAP_SHARED);

	turn__wait(t, 1);
	touch_backwards(mem);
	turn__wait(t, 1);
	munmap(mem, PAGES * page_size());
	turn__wait(t, 1);
}

static void use_sysv(struct turn *t, void *arg)
{
	int id = shmget(IPC_PRIVATE, PAGES * page_size(), IPC_CREAT | 0600);
	char *mem = shmat(id, NULL, 0);

	shmctl(id, IPC_RMID, NULL);
	if (mem == (void *)-1)
		_exit(97);
	turn__wait(t, 1);
	touch_backwards(mem);
	turn__wait(t, 1);
	shmdt(mem);
	turn__wait(t, 1);
}

static void check_shmem(child_fn fn)
{
	struct seep_poll_proc base;
	struct seep_proc entry;
	struct watch *w;
	struct child c;

	WATCH_OR_SKIP(w, NULL);
	base = start(w, &c, fn);
	child__step(&c);
	entry = watch__entry(w, &base);
	assert_in_range(entry.pages[SEEP_MM_SHMEM] - base.pages[SEEP_MM_SHMEM] + batch_bound(),
			PAGES, PAGES + 2 * batch_bound());
	assert_int_equal(watch__pages(w, c.pid, SEEP_MM_SHMEM) - base.pages[SEEP_MM_SHMEM], PAGES);
	assert_int_equal(delta(w, c.pid, &base, SEEP_MM_ANON), 0);
	expect(w, &c, &base, 0, 0, 0);
	child__finish(&c);
	watch__free(w);
}

static void test_memfd_is_shmem(void **state)
{
	check_shmem(use_memfd);
}

static void test_sysv_is_shmem(void **state)
{
	check_shmem(use_sysv);
}

/* ---- files ------------------------------------------------------------------------------- */

static int temporary_file(void)
{
	char path[] = "/var/tmp/seep-test-XXXXXX";
	int fd = mkstemp(path);

	unlink(path);
	return fd;
}

/* A private mapping: written pages turn from file pages into anonymous ones. */
static void use_file(struct turn *t, void *arg)
{
	size_t bytes = PAGES * page_size(), i;
	int fd = temporary_file();
	char *mem = map_fd(fd, MAP_PRIVATE);
	static volatile char sink;

	turn__wait(t, 1);
	if (madvise(mem, bytes, MADV_POPULATE_READ))
		for (i = 0; i < PAGES; i++)
			sink = mem[i * page_size()];
	turn__wait(t, 1);
	touch_backwards(mem);
	turn__wait(t, 1);
	munmap(mem, bytes);
	turn__wait(t, 1);
	(void)sink;
}

static void test_private_file_pages_turn_anonymous(void **state)
{
	struct seep_poll_proc base;
	struct watch *w;
	struct child c;

	WATCH_OR_SKIP(w, NULL);
	base = start(w, &c, use_file);
	expect(w, &c, &base, PAGES, 0, 0);
	expect(w, &c, &base, 0, PAGES, 0);
	expect(w, &c, &base, 0, 0, 0);
	child__finish(&c);
	watch__free(w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_memfd_is_shmem),
		cmocka_unit_test(test_sysv_is_shmem),
		cmocka_unit_test(test_private_file_pages_turn_anonymous),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
