// SPDX-License-Identifier: BSD-2-Clause
/*
 * test_growth.c - whose call stacks take a process to new heights: by name, in their shares, with
 * no allocator that anybody knows.
 *
 * Built without frame pointers, as the C library is.
 */
#include "support.h"

#include <errno.h>
#include <math.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "drill/growth.h"

#define MIB ((size_t)1 << 20)

static const struct growth_cfg eager = {.budget_share = 1, .gap_ns = 1};

#define SITE_FUNCTION __attribute__((noinline, noclone))

/* 0 after saying why where this machine, or this user, cannot. */
static int watch(struct growth **ret_growth, pid_t pid, const struct growth_cfg *cfg)
{
	char why[TRACE_WHY_LEN] = "";
	int err = growth__new(pid, cfg, ret_growth, why);

	if (err == -EPERM || err == -EACCES || err == -ENOSYS || err == -EOPNOTSUPP) {
		print_message("[   SKIP   ] cannot watch growth here: %s\n", why);
		return 0;
	}
	if (err)
		fail_msg("growth__new: %s (%s)", strerror(-err), why);
	return 1;
}

static struct growth_result look(struct growth *g)
{
	struct growth_result r;

	assert_int_equal(growth__take(g), 0);
	assert_int_equal(growth__result(g, 0, &r), 0);
	return r;
}

/* Bytes of all sites whose chains hold the function. */
static double bytes_of(const struct growth_result *r, const char *function)
{
	double sum = 0;
	size_t i;
	int j;

	for (i = 0; i < r->site_cnt; i++)
		for (j = 0; j < r->sites[i].frame_cnt; j++)
			if (r->sites[i].frames[j].function &&
			    !strcmp(r->sites[i].frames[j].function, function)) {
				sum += r->sites[i].outstanding_bytes;
				break;
			}
	return sum;
}

/* The first frame that is a function of its own. */
static int is_on_top(const struct growth_result *r, const char *function)
{
	const struct frame *f = r->site_cnt ? r->sites[0].frames : NULL;

	while (f && f->inlined)
		f++;
	return f && f->function && !strcmp(f->function, function);
}

/* ---- memory from nowhere ----------------------------------------------------------------- */

/* One reservation, handed out from its start: no call that a probe could see. */
static char *arena, *arena_at;

static void make_arena(size_t bytes)
{
	arena = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
		     MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	assert_true(arena != MAP_FAILED);
	assert_int_equal(madvise(arena, bytes, MADV_NOHUGEPAGE), 0);
	arena_at = arena;
}

static inline __attribute__((always_inline)) void fill(size_t bytes)
{
	size_t page = page_size(), i;

	for (i = 0; i < bytes; i += page)
		*(volatile char *)(arena_at + i) = 1;
	arena_at += bytes;
}

static SITE_FUNCTION void grow_much(void)
{
	fill(3 * MIB);
	__asm__ volatile("");
}

static SITE_FUNCTION void grow_less(void)
{
	fill(MIB);
	__asm__ volatile("");
}

/* Memory that comes and goes below the mark. */
static SITE_FUNCTION void churn(void)
{
	char *mem = mmap(NULL, MIB, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	size_t i;

	for (i = 0; i < MIB; i += page_size())
		*(volatile char *)(mem + i) = 1;
	munmap(mem, MIB);
}

static void grow_by_two(struct turn *t, void *arg)
{
	int i;

	make_arena(256 * MIB);
	turn__wait(t, 0);
	for (i = 0; i < 32; i++) {
		grow_much();
		grow_less();
	}
	turn__wait(t, 0);
}

static void names_who_touches(void **state)
{
	struct growth_result r;
	struct growth *g;
	struct child c;

	child__start(&c, grow_by_two, NULL);
	if (!watch(&g, c.pid, &eager)) {
		child__finish(&c);
		skip();
	}
	child__step(&c);
	r = look(g);
	assert_true(is_on_top(&r, "grow_much"));
	/* all but a step and what all CPUs may hold back */
	assert_true(r.grown_bytes <= (128 + 1) * MIB + batch_bound() * page_size());
	assert_true(r.grown_bytes >= (128 - 1) * MIB - batch_bound() * page_size());
	/* 96 and 32 MiB; about 500 steps, so a share is off by a few percent */
	assert_true(fabs(bytes_of(&r, "grow_much") - 96 * MIB) < 12 * MIB);
	assert_true(fabs(bytes_of(&r, "grow_less") - 32 * MIB) < 12 * MIB);
	assert_true(bytes_of(&r, "grow_by_two") > 120 * MIB);
	assert_true(r.sites[0].is_whole);
	assert_string_equal(r.sites[0].allocator, "pagefault");
	assert_int_equal(r.sites[0].verdict, SITE_UNKNOWN);
	assert_true(r.sites[0].frames[0].line > 0);
	growth__free(g);
	child__finish(&c);
}

static void grow_under_churn(struct turn *t, void *arg)
{
	int i;

	make_arena(256 * MIB);
	churn();
	turn__wait(t, 0);
	for (i = 0; i < 64; i++) {
		churn();
		churn();
		grow_less();
	}
	turn__wait(t, 0);
}

/* Churn ends where it began; it is only there when growth has lifted it to a new height. */
static void churn_is_charged_no_more_than_growth(void **state)
{
	struct growth_result r;
	struct growth *g;
	struct child c;

	child__start(&c, grow_under_churn, NULL);
	if (!watch(&g, c.pid, &eager)) {
		child__finish(&c);
		skip();
	}
	child__step(&c);
	r = look(g);
	assert_true(r.grown_bytes <= (64 + 2) * MIB + batch_bound() * page_size());
	growth__free(g);
	child__finish(&c);
}

/* ---- through a library without frame pointers -------------------------------------------- */

static SITE_FUNCTION void write_a_lot(FILE *stream)
{
	static char line[4099];
	int i;

	memset(line, 'x', sizeof(line));
	for (i = 0; i < 8192; i++)
		fwrite(line, sizeof(line), 1, stream);
	__asm__ volatile("");
}

/* A stream in memory: the C library allocates, moves and touches it, deep inside. */
static void grow_in_libc(struct turn *t, void *arg)
{
	char *text = NULL;
	size_t len = 0;
	FILE *stream;

	turn__wait(t, 0);
	stream = open_memstream(&text, &len);
	write_a_lot(stream);
	turn__wait(t, 0);
	fclose(stream);
	free(text);
}

static void unwinds_through_libraries(void **state)
{
	struct growth_result r;
	struct growth *g;
	struct child c;
	size_t i;
	int j;

	child__start(&c, grow_in_libc, NULL);
	if (!watch(&g, c.pid, &eager)) {
		child__finish(&c);
		skip();
	}
	child__step(&c);
	r = look(g);
	assert_true(r.grown_bytes > 24 * MIB);
	assert_true(bytes_of(&r, "write_a_lot") > .9 * r.grown_bytes);
	for (i = 0; i < r.site_cnt; i++)
		for (j = 0; j < r.sites[i].frame_cnt; j++)
			assert_true(r.sites[i].frames[j].function || r.sites[i].frames[j].module);
	growth__free(g);
	child__finish(&c);
}

/* ---- threads ----------------------------------------------------------------------------- */

static SITE_FUNCTION void *grow_alone(void *arg)
{
	size_t bytes = 16 * MIB, i;
	char *mem = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	madvise(mem, bytes, MADV_NOHUGEPAGE);
	for (i = 0; i < bytes; i += page_size())
		*(volatile char *)(mem + i) = 1;
	return NULL;
}

static void grow_in_threads(struct turn *t, void *arg)
{
	pthread_t threads[8];
	int i;

	turn__wait(t, 0);
	for (i = 0; i < 8; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, grow_alone, NULL), 0);
	for (i = 0; i < 8; i++)
		pthread_join(threads[i], NULL);
	turn__wait(t, 0);
}

/* CPUs cross the mark together; no byte is charged twice. */
static void threads_share_one_mark(void **state)
{
	const size_t bound = batch_bound_of(8 + 1) * page_size();
	struct growth_result r;
	struct growth *g;
	struct child c;

	child__start(&c, grow_in_threads, NULL);
	if (!watch(&g, c.pid, &eager)) {
		child__finish(&c);
		skip();
	}
	child__step(&c);
	r = look(g);
	assert_true(is_on_top(&r, "grow_alone"));
	assert_true(r.grown_bytes <= (128 + 2) * MIB + bound);
	assert_true(r.grown_bytes >= (128 - 1) * MIB - bound);
	growth__free(g);
	child__finish(&c);
}

/* ---- limits ------------------------------------------------------------------------------ */

static void grow_fast(struct turn *t, void *arg)
{
	int i;

	for (;;) {
		turn__wait(t, 0);
		make_arena(128 * MIB);
		for (i = 0; i < 128; i++)
			grow_less();
		munmap(arena, 128 * MIB);
	}
}

/* With hardly any budget steps grow, and then the target is left alone. */
static void leaves_who_pays_too_much(void **state)
{
	const struct growth_cfg poor = {.budget_share = 1e-9};
	struct growth_result before, after;
	struct growth *g;
	struct child c;

	child__start(&c, grow_fast, NULL);
	if (!watch(&g, c.pid, &poor)) {
		child__finish(&c);
		skip();
	}
	child__step(&c);
	before = look(g);
	assert_true(before.steps > 0);
	assert_int_equal(before.step_bytes, MIB / 2);
	child__step(&c);
	after = look(g);
	assert_int_equal(after.events, before.events);
	growth__free(g);
	kill(c.pid, SIGKILL);
	waitpid(c.pid, NULL, 0);
}

static void become_another(struct turn *t, void *arg)
{
	turn__wait(t, 0);
	execl("/bin/sleep", "sleep", "60", NULL);
	_exit(1);
}

static void exec_voids_what_was_seen(void **state)
{
	struct growth *g;
	struct child c;
	int i, err = 0;

	child__start(&c, become_another, NULL);
	if (!watch(&g, c.pid, &eager)) {
		child__finish(&c);
		skip();
	}
	child__go(&c);
	for (i = 0; i < 30000 && !err; i++) {
		usleep(1000);
		err = growth__take(g);
	}
	assert_int_equal(err, -ESRCH);
	growth__free(g);
	assert_true(watch(&g, c.pid, &eager)); /* the new program can be watched */
	assert_int_equal(growth__take(g), 0);
	growth__free(g);
	kill(c.pid, SIGKILL);
	waitpid(c.pid, NULL, 0);
}

static void end_at_once(struct turn *t, void *arg)
{
	turn__wait(t, 0);
}

static void tells_when_it_is_gone(void **state)
{
	struct growth *g = NULL;
	char why[TRACE_WHY_LEN];
	struct child c;
	int err;

	child__start(&c, end_at_once, NULL);
	if (!watch(&g, c.pid, &eager)) {
		child__finish(&c);
		skip();
	}
	child__finish(&c);
	growth__free(g);
	err = growth__new(c.pid, &eager, &g, why);
	assert_int_equal(err, -ESRCH);
	assert_true(why[0]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(names_who_touches),
		cmocka_unit_test(churn_is_charged_no_more_than_growth),
		cmocka_unit_test(unwinds_through_libraries),
		cmocka_unit_test(threads_share_one_mark),
		cmocka_unit_test(leaves_who_pays_too_much),
		cmocka_unit_test(exec_voids_what_was_seen),
		cmocka_unit_test(tells_when_it_is_gone),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
