// SPDX-License-Identifier: BSD-2-Clause
/*
 * test_plan.c - alloc_plan.c with a scan that was taken over: nothing is probed that the process has
 * not mapped to run.
 *
 * The scan is the one below instead of user/probe/alloc_scan.c; what it says lies in memory that it
 * shares with us.
 */
#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include <cmocka.h>

#include "probe/alloc_plan.h"
#include "probe/alloc_scan.h"
#include "sym/maps.h"

static struct said {
	int crashes, steals;
	size_t len;
	struct scan_answer answer;
} *said;

static struct map_region libc_text; /* path cut off */

/* ---- inside ------------------------------------------------------------------------------ */

/* How many files it gets that are none of its business. */
static int steal(int sock)
{
	struct session_asker asker = {.sock = sock};
	struct opener opener = session__opener(&asker);

	return (opener__open(&opener, OPEN_PERF_MAP, 0, NULL) >= 0) +
	       (opener__open(&opener, OPEN_VDSO, libc_text.start, NULL) >= 0) +
	       (opener__open(&opener, OPEN_LINK, libc_text.start, "libm.so.6") >= 0) +
	       (opener__open(&opener, OPEN_BUILD_ID, 0, "abcdef") >= 0);
}

void alloc_scan__run(int sock)
{
	struct buf question = {}, answer = {};
	uint32_t type;

	if (session__next(sock, &type, &question))
		return;
	if (said->crashes)
		raise(SIGSEGV);
	if (said->steals)
		said->answer.err = steal(sock) ? 0 : ENOENT;
	buf__append(&answer, &said->answer, said->len);
	session__answer(sock, type, &answer);
}

/* ---- outside ----------------------------------------------------------------------------- */

/* What is true of this process: malloc may be anywhere in the C library. */
static void say_truth(void)
{
	memset(said, 0, sizeof(*said));
	said->len = sizeof(said->answer);
	said->answer.module_cnt = said->answer.point_cnt = 1;
	said->answer.modules[0] = (struct scan_module){.start = libc_text.start, .has_malloc = 1};
	said->answer.points[0] = (struct scan_point){.offset = libc_text.offset + 64,
						     .place = {.offset = 4, .args = {0, 1, 2}}};
}

static int plan(char why[256])
{
	const struct alloc_module *modules;
	const struct alloc_point *points;
	struct alloc_plan *p;
	int err = alloc_plan__new(getpid(), 0, &p, why, 256);

	if (err)
		return err;
	assert_int_equal(alloc_plan__modules(p, &modules), 1);
	assert_int_equal(alloc_plan__points(p, &points), 1);
	assert_true(modules[0].fd >= 0);
	assert_string_equal(points[0].info.function, "malloc");
	assert_int_equal(points[0].file_offset, libc_text.offset + 68);
	assert_int_equal(points[0].address, libc_text.start + 68);
	alloc_plan__free(p);
	return 0;
}

static int setup(void **state)
{
	struct maps *m;
	size_t i;

	said = mmap(NULL, sizeof(*said), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (said == MAP_FAILED || maps__read(getpid(), &m))
		return -1;
	for (i = 0; i < maps__cnt(m); i++)
		if (maps__at(m, i)->executable && strstr(maps__at(m, i)->path, "/libc"))
			libc_text = *maps__at(m, i);
	libc_text.path = NULL;
	maps__free(m);
	return libc_text.start ? 0 : -1;
}

static void test_truth(void **state)
{
	char why[256];

	say_truth();
	assert_int_equal(plan(why), 0);
}

static void test_nothing_there(void **state)
{
	char why[256];

	say_truth();
	said->answer.module_cnt = said->answer.point_cnt = 0;
	assert_int_equal(plan(why), -ENOENT);
	assert_non_null(strstr(why, "no known allocator"));
}

static void expect_refused(void)
{
	char why[256] = "";

	assert_int_equal(plan(why), -EIO);
	assert_non_null(strstr(why, "the reader of the files of process"));
}

static void test_lies(void **state)
{
	struct scan_module *m = &said->answer.modules[0];
	struct scan_point *p = &said->answer.points[0];

	say_truth();
	said->answer.module_cnt = SEEP_ALLOCATOR_TEXTS + 1;
	expect_refused();
	say_truth();
	said->answer.point_cnt = SCAN_POINTS_MAX + 1;
	expect_refused();
	say_truth();
	said->len--;
	expect_refused();
	say_truth();
	m->allocator = 1000;
	expect_refused();
	say_truth();
	m->start++;
	expect_refused();
	say_truth();
	m->start = (uintptr_t)said; /* mapped, but not to run */
	expect_refused();
	say_truth();
	p->module = 1;
	expect_refused();
	say_truth();
	p->table = 3;
	expect_refused();
	say_truth();
	p->function = 1000;
	expect_refused();
	say_truth();
	p->offset = libc_text.offset + (libc_text.end - libc_text.start);
	expect_refused();
	say_truth();
	p->offset = libc_text.offset - 16;
	p->place.offset = 0;
	expect_refused();
	say_truth();
	p->offset = UINT64_MAX;
	expect_refused();
	say_truth();
	p->place.offset = 5000;
	expect_refused();
	say_truth();
	p->place.args[1] = 8;
	expect_refused();
	say_truth();
	p->is_exit = 1; /* malloc has none */
	expect_refused();
}

static void test_crashes(void **state)
{
	char why[256];

	say_truth();
	said->crashes = 1;
	assert_int_equal(plan(why), -EIO);
	assert_non_null(strstr(why, "failed: signal 11"));
}

static void test_steals_nothing(void **state)
{
	char why[256];

	say_truth();
	said->steals = 1;
	assert_int_equal(plan(why), -ESRCH); /* what it found out is an error */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_truth),
		cmocka_unit_test(test_nothing_there),
		cmocka_unit_test(test_lies),
		cmocka_unit_test(test_crashes),
		cmocka_unit_test(test_steals_nothing),
	};

	return cmocka_run_group_tests(tests, setup, NULL);
}
