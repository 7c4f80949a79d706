// SPDX-License-Identifier: BSD-2-Clause
/*
 * test_alloc.c - the C library's allocator, block for block: what lives, in each way to attach, and
 * in the corners. Sizes and counts are primes of their own for each call.
 */
#include "trace.h"

#include <dlfcn.h>
#include <errno.h>
#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define THREADS 8
#define MIB	((size_t)1 << 20)

static const struct alloc_probe_cfg newest; /* of the ways that the kernel has */
static const struct alloc_probe_cfg multi = {.no_session = 1};
static const struct alloc_probe_cfg perf = {.no_session = 1, .no_multi = 1};

/* The compiler must not know that nobody looks at a block, nor that a size is absurd. */
static void *volatile kept;
static volatile size_t too_much = (size_t)1 << 62;

static void *keep(void *p)
{
	kept = p;
	return p;
}

static void drop(void *p)
{
	free(keep(p));
}

static void leak_from_threads(struct turn *t, void *arg);

static const char *way_of(const struct alloc_probe_cfg *cfg)
{
	return cfg->no_multi ? "perf" : cfg->no_session ? "multi" : trace__newest_way();
}

/*
 * An older way that is the newest one here is tested as that, one that is newer is not there. On an
 * emulated machine each way has its tests on the kernels where it is the newest, and one elsewhere.
 */
static void skip_if_not_older(child_fn fn, const struct alloc_probe_cfg *cfg)
{
	const char *way = trace__newest_way();

	if (!cfg->no_session)
		return;
	if (cfg->no_multi ? !strcmp(way, "perf") : strcmp(way, "session")) {
		print_message("[   SKIP   ] the newest way that this kernel has is %s\n", way);
		skip();
	}
	if (is_slow() && fn != leak_from_threads) {
		print_message("[   SKIP   ] tested where it is the newest way (SEEP_SLOW)\n");
		skip();
	}
}

/* Run a child up to its first turn, trace it, let it take the next turn, and look. */
static void run(struct trace *t, struct child *c, child_fn fn, const struct alloc_probe_cfg *cfg)
{
	skip_if_not_older(fn, cfg);
	child__start(c, fn, NULL);
	if (!trace__start(t, c->pid, cfg)) {
		child__finish(c);
		skip();
	}
	child__step(c);
	trace__look(t);
}

static void end(struct trace *t, struct child *c)
{
	trace__stop(t);
	child__finish(c);
}

/* ---- threads that leak and churn --------------------------------------------------------- */

static size_t churn_cnt(void)
{
	return fewer_if_slow(997);
}

static void churn(void)
{
	size_t cnt = churn_cnt(), i;
	char *p;

	for (i = 0; i < cnt; i++) {
		p = keep(malloc(1 + i * 7 % 3001));
		p = keep(realloc(p, 1 + i * 11 % 5003));
		drop(calloc(i % 17 + 1, 61));
		drop(p);
	}
}

static void *leak_some(void *arg)
{
	int i;

	churn();
	for (i = 0; i < 103; i++)
		keep(malloc(211));
	for (i = 0; i < 53; i++)
		keep(calloc(3, 109));
	for (i = 0; i < 29; i++)
		keep(realloc(malloc(17), 4099));
	churn();
	return NULL;
}

static void leak_from_threads(struct turn *t, void *arg)
{
	pthread_t threads[THREADS];
	int i;

	turn__wait(t, 0);
	for (i = 0; i < THREADS; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, leak_some, NULL), 0);
	for (i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
	turn__wait(t, 0);
}

static void counts_every_block(void **state)
{
	struct child c;
	struct trace t;

	run(&t, &c, leak_from_threads, *state);
	assert_int_equal(trace__of(&t, 211).cnt, THREADS * 103);
	assert_int_equal(trace__of(&t, 211).weight, THREADS * 103 * 211);
	assert_int_equal(trace__of(&t, 327).cnt, THREADS * 53);
	assert_int_equal(trace__of(&t, 4099).cnt, THREADS * 29);
	assert_int_equal(trace__of(&t, 17).cnt, 0);
	trace__assert_sound(&t);
	/* pthread_create keeps a block for each thread that is not reused; nothing else is alive */
	assert_in_range(t.live_cnt, THREADS * (103 + 53 + 29), THREADS * (103 + 53 + 29 + 2));
	assert_true(t.stacks > 0);
	assert_int_equal(t.stacks, t.stats[SEEP_ALLOC_STAT_STACKS]);
	end(&t, &c);
}

/* And the newest that the kernel has: another one would work as well, and nobody would notice. */
static void the_way_is_the_one_asked_for(void **state)
{
	struct child c;
	struct trace t;

	run(&t, &c, leak_from_threads, *state);
	assert_string_equal(alloc_probe__mode(t.probe), way_of(*state));
	assert_string_equal(alloc_probe__allocator(t.probe), "glibc");
	end(&t, &c);
}

static void all_hits_are_cheap(void **state)
{
	const struct alloc_site_info *sites;
	struct child c;
	struct trace t;
	size_t cnt, i, seen = 0;

	run(&t, &c, leak_from_threads, &newest);
	cnt = alloc_probe__sites(t.probe, &sites);
	for (i = 0; i < cnt; i++) {
		assert_null(strstr(sites[i].function, "_Zn")); /* exceptions pass through new */
		if (strcmp(sites[i].function, "malloc") && strcmp(sites[i].function, "free"))
			continue;
		seen++;
#ifdef __x86_64__
		assert_true(sites[i].emulated);
#endif
	}
	assert_true(seen >= 2);
	assert_true(t.stats[SEEP_ALLOC_STAT_HITS] > THREADS * churn_cnt() * 6);
	end(&t, &c);
}

/* ---- one call at a time ------------------------------------------------------------------ */

static void call_each(struct turn *t, void *arg)
{
	void *p = keep(malloc(8));

	turn__wait(t, 0);
	drop(p);
	keep(malloc(101));
	keep(calloc(7, 29));
	keep(realloc(NULL, 307));
	keep(realloc(malloc(5), 401));
	keep(reallocarray(NULL, 3, 167));
	keep(reallocarray(malloc(5), 7, 71));
	keep(aligned_alloc(64, 601));
	keep(aligned_alloc(8, 701)); /* handed on to malloc */
	if (!posix_memalign(&p, 4096, 809))
		keep(p);
	keep(valloc(907));
	drop(malloc(1009));
	drop(aligned_alloc(128, 1103));
	drop(NULL);
	turn__wait(t, 0);
}

static void counts_each_function_once(void **state)
{
	static const uint64_t sizes[] = {101, 203, 307, 401, 497, 501, 601, 701, 809, 907};
	struct child c;
	struct trace t;
	size_t i;

	run(&t, &c, call_each, *state);
	for (i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++)
		if (trace__of(&t, sizes[i]).cnt != 1)
			fail_msg("%u blocks of %u bytes", (unsigned)trace__of(&t, sizes[i]).cnt,
				 (unsigned)sizes[i]);
	assert_int_equal(t.live_cnt, sizeof(sizes) / sizeof(sizes[0]));
	assert_int_equal(trace__of(&t, 809).kind, SEEP_ALLOC_POSIX_MEMALIGN);
	trace__assert_sound(&t);
	end(&t, &c);
}

static void fail_to_allocate(struct turn *t, void *arg)
{
	void *p;
	char *q;

	turn__wait(t, 0);
	p = keep(malloc(101));
	q = keep(malloc(307));
	assert_null(keep(realloc(p, too_much)));
	assert_null(keep(reallocarray(q, too_much, 8)));
	assert_null(keep(malloc(too_much)));
	assert_null(keep(calloc(too_much, 8)));
	assert_int_equal(posix_memalign(&p, 64, too_much), ENOMEM);
	turn__wait(t, 0);
}

static void failed_calls_change_nothing(void **state)
{
	struct child c;
	struct trace t;

	run(&t, &c, fail_to_allocate, *state);
	assert_int_equal(t.live_cnt, 2);
	assert_int_equal(trace__of(&t, 101).cnt, 1);
	assert_int_equal(trace__of(&t, 307).cnt, 1);
	assert_int_equal(t.stats[SEEP_ALLOC_STAT_FAILED], 5);
	trace__assert_sound(&t);
	end(&t, &c);
}

static void allocate_nothing(struct turn *t, void *arg)
{
	turn__wait(t, 0);
	keep(malloc(0));
	drop(calloc(0, 8));
	keep(realloc(malloc(101), 0)); /* frees */
	turn__wait(t, 0);
}

static void no_bytes_are_one_byte(void **state)
{
	struct child c;
	struct trace t;

	run(&t, &c, allocate_nothing, *state);
	assert_int_equal(t.live_cnt, 1);
	assert_int_equal(trace__of(&t, 1).cnt, 1);
	assert_int_equal(t.stats[SEEP_ALLOC_STAT_FAILED], 0);
	trace__assert_sound(&t);
	end(&t, &c);
}

/* Blocks of this size are mapped and moved by the kernel: malloc calls mmap, realloc mremap. */
static void allocate_large(struct turn *t, void *arg)
{
	turn__wait(t, 0);
	keep(malloc(3 * MIB + 1));
	keep(realloc(malloc(5 * MIB), 7 * MIB + 1));
	drop(malloc(11 * MIB));
	turn__wait(t, 0);
}

static void mappings_inside_malloc_are_not_counted(void **state)
{
	struct child c;
	struct trace t;

	run(&t, &c, allocate_large, *state);
	assert_int_equal(t.live_cnt, 2);
	assert_int_equal(trace__of(&t, 3 * MIB + 1).cnt, 1);
	assert_int_equal(trace__of(&t, 7 * MIB + 1).cnt, 1);
	trace__assert_sound(&t);
	end(&t, &c);
}

static int says(const struct alloc_probe *probe, const char *word)
{
	const char *const *line = alloc_probe__not_seen(probe);

	while (*line && !strstr(*line, word))
		line++;
	return !!*line;
}

/* ---- mappings ---------------------------------------------------------------------------- */

static char *map(size_t bytes)
{
	return mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
}

static void map_at(char *at, size_t bytes)
{
	mmap(at, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
}

static void map_and_cut(struct turn *t, void *arg)
{
	char *p;

	turn__wait(t, 0);
	p = map(8 * MIB);
	munmap(p + 2 * MIB, MIB); /* 2 and 5 are left */
	p = map(8 * MIB);
	munmap(p, 1 * MIB);	      /* 7 is left */
	munmap(p + 4 * MIB, 4 * MIB); /* 3 of them are left */
	p = mmap(NULL, 32 * MIB, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	map_at(p, 11 * MIB);
	map_at(p + 11 * MIB, 11 * MIB);
	munmap(p + 10 * MIB, 8 * MIB); /* both: 10 and 4 are left */
	p = map(16 * MIB);
	munmap(p, 16 * MIB);
	p = map(6 * MIB);
	munmap(p + 1, MIB); /* refused */
	munmap(p, 0);	    /* refused */
	turn__wait(t, 0);
}

static void partial_unmaps_cut(void **state)
{
	struct child c;
	struct trace t;

	run(&t, &c, map_and_cut, *state);
	if (says(t.probe, "partial unmaps")) {
		end(&t, &c);
		print_message("[   SKIP   ] this kernel's programs cannot walk over a map\n");
		skip();
	}
	assert_int_equal(trace__of(&t, 2 * MIB).cnt, 1);
	assert_int_equal(trace__of(&t, 5 * MIB).cnt, 1);
	assert_int_equal(trace__of(&t, 3 * MIB).cnt, 1);
	assert_int_equal(trace__of(&t, 6 * MIB).cnt, 1);
	assert_int_equal(trace__of(&t, 10 * MIB).cnt, 1);
	assert_int_equal(trace__of(&t, 4 * MIB).cnt, 1);
	assert_int_equal(t.live_weight, (2 + 5 + 3 + 10 + 4 + 6) * MIB);
	trace__assert_sound(&t);
	end(&t, &c);
}

static void map_all_sorts(struct turn *t, void *arg)
{
	char *p;

	turn__wait(t, 0);
	map(64 * 1024); /* below the least that counts */
	mmap(NULL, 9 * MIB, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	p = map(4 * MIB);
	p = mremap(p, 4 * MIB, 13 * MIB, MREMAP_MAYMOVE);
	assert_ptr_equal(mremap(p, 13 * MIB, too_much, MREMAP_MAYMOVE), MAP_FAILED);
	mremap(map(5 * MIB), 5 * MIB, 2 * MIB, 0);
	turn__wait(t, 0);
}

static void mappings_are_memory_not_address_space(void **state)
{
	struct child c;
	struct trace t;

	run(&t, &c, map_all_sorts, *state);
	assert_int_equal(t.live_cnt, 2);
	assert_int_equal(trace__of(&t, 13 * MIB).cnt, 1);
	assert_int_equal(trace__of(&t, 2 * MIB).cnt, 1);
	assert_int_equal(t.stats[SEEP_ALLOC_STAT_FAILED], 1);
	trace__assert_sound(&t);
	end(&t, &c);
}

/* ---- other processes and programs -------------------------------------------------------- */

#define WORKERS 3

/* A worker of a pre-fork server: frees what it inherited, and has blocks at the same addresses. */
static void serve(void *inherited)
{
	drop(inherited);
	keep(malloc(307));
	churn();
	_exit(0);
}

static void fork_workers(struct turn *t, void *arg)
{
	pid_t workers[WORKERS];
	void *p;
	int i;

	turn__wait(t, 0);
	p = keep(malloc(101));
	for (i = 0; i < WORKERS; i++) {
		workers[i] = fork();
		if (!workers[i])
			serve(p);
	}
	churn();
	for (i = 0; i < WORKERS; i++)
		waitpid(workers[i], NULL, 0);
	keep(malloc(211));
	turn__wait(t, 0);
}

static void children_are_told_and_left_out(void **state)
{
	struct child c;
	struct trace t;

	run(&t, &c, fork_workers, *state);
	assert_int_equal(t.live_cnt, 2);
	assert_int_equal(trace__of(&t, 101).cnt, 1);
	assert_int_equal(trace__of(&t, 211).cnt, 1);
	assert_int_equal(alloc_probe__state(t.probe), SEEP_TARGET_ALIVE);
	assert_int_equal(t.stats[SEEP_ALLOC_STAT_CHILDREN], WORKERS);
	assert_int_equal(t.stats[SEEP_ALLOC_STAT_MISSED_FREE], 0);
	assert_int_equal(t.stats[SEEP_ALLOC_STAT_ALLOC_BYTES] - t.stats[SEEP_ALLOC_STAT_FREE_BYTES],
			 t.live_weight);
	if (!strcmp(alloc_probe__mode(t.probe), "perf"))
		assert_int_equal(alloc_probe__child_hit_ns(t.probe), 0);
	else
		assert_true(alloc_probe__child_hit_ns(t.probe) > 0);
	end(&t, &c);
}

static void become_another(struct turn *t, void *arg)
{
	turn__wait(t, 0);
	keep(malloc(101));
	execl("/bin/sh", "sh", "-c", "exec sleep 30", NULL);
}

static void await_state(struct trace *t, enum seep_target_state state)
{
	int tries;

	for (tries = 0; tries < 500 && alloc_probe__state(t->probe) != state; tries++)
		usleep(10 * 1000);
	assert_int_equal(alloc_probe__state(t->probe), state);
}

static void another_program_is_told(void **state)
{
	struct child c;
	struct trace t;

	child__start(&c, become_another, NULL);
	TRACE_OR_SKIP(&t, c.pid, *state);
	child__go(&c);
	await_state(&t, SEEP_TARGET_EXECED);
	trace__look(&t); /* the probes are silent: nothing of the shell is in it */
	assert_int_equal(t.live_cnt, 1);
	kill(c.pid, SIGKILL);
	child__finish(&c);
	trace__stop(&t);
}

static void the_end_is_told(void **state)
{
	struct child c;
	struct trace t;

	run(&t, &c, call_each, *state);
	child__finish(&c);
	await_state(&t, SEEP_TARGET_EXITED);
	trace__look(&t);
	assert_int_equal(t.live_cnt, 10);
	trace__stop(&t);
}

static void nobody_there_is_an_error(void **state)
{
	struct alloc_probe_cfg cfg = newest;
	struct alloc_probe *probe;
	char why[256];
	pid_t pid = fork();

	if (!pid)
		_exit(0);
	waitpid(pid, NULL, 0);
	cfg.pid = pid;
	assert_int_equal(alloc_probe__new(&cfg, &probe, why, sizeof(why)), -ESRCH);
}

static void load_an_allocator(struct turn *t, void *arg)
{
	turn__wait(t, 0);
	/* the first does not always fit into what is left for static thread-local storage */
	turn__wait(t, dlopen("libjemalloc.so.2", RTLD_NOW | RTLD_LOCAL) ||
			      dlopen("libmimalloc.so", RTLD_NOW | RTLD_LOCAL));
}

static void an_allocator_that_comes_later_is_told(void **state)
{
	struct child c;
	struct trace t;
	uint64_t is_loaded;

	child__start(&c, load_an_allocator, NULL);
	TRACE_OR_SKIP(&t, c.pid, *state);
	trace__look(&t);
	assert_false(says(t.probe, "loaded after"));
	is_loaded = child__step(&c);
	trace__look(&t);
	if (is_loaded)
		assert_true(says(t.probe, "loaded after"));
	end(&t, &c);
	if (!is_loaded) {
		print_message("[   SKIP   ] no allocator here that can be loaded late\n");
		skip();
	}
}

/* ---- what is missed is counted ----------------------------------------------------------- */

static void unmap_unseen(struct turn *t, void *arg)
{
	char *p, *again;

	turn__wait(t, 0);
	p = map(4 * MIB);
	syscall(SYS_munmap, p, 4 * MIB); /* no probe sees a system call */
	again = mmap(p, 2 * MIB, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED,
		     -1, 0);
	assert_ptr_equal(p, again);
	turn__wait(t, 0);
}

static void a_missed_free_is_subtracted(void **state)
{
	struct child c;
	struct trace t;

	run(&t, &c, unmap_unseen, *state);
	assert_int_equal(t.live_cnt, 1);
	assert_int_equal(t.live_weight, 2 * MIB);
	assert_int_equal(t.stats[SEEP_ALLOC_STAT_MISSED_FREE], 1);
	assert_int_equal(t.stats[SEEP_ALLOC_STAT_ALLOC_BYTES] - t.stats[SEEP_ALLOC_STAT_FREE_BYTES],
			 2 * MIB);
	end(&t, &c);
}

static void leak_many(struct turn *t, void *arg)
{
	int i;

	turn__wait(t, 0);
	for (i = 0; i < 1009; i++)
		keep(malloc(211));
	turn__wait(t, 0);
}

static void a_full_table_is_counted(void **state)
{
	struct alloc_probe_cfg cfg = *(const struct alloc_probe_cfg *)*state;
	struct child c;
	struct trace t;

	cfg.max_live = 512;
	run(&t, &c, leak_many, &cfg);
	assert_int_equal(alloc_probe__max_live(t.probe), 512);
	assert_in_range(t.live_cnt, 256, 512); /* the kernel keeps a few back for each CPU */
	assert_int_equal(t.live_cnt + t.stats[SEEP_ALLOC_STAT_LIVE_FULL], 1009);
	assert_int_equal(t.live_weight + t.stats[SEEP_ALLOC_STAT_LIVE_FULL_BYTES], 1009 * 211);
	end(&t, &c);
}

static void *vanish(void *arg)
{
	syscall(SYS_exit, 0);
	return NULL;
}

static size_t ended_cnt(void)
{
	return fewer_if_slow(102);
}

static void end_threads(struct turn *t, void *arg)
{
	size_t cnt = ended_cnt(), i;
	pthread_t thread;

	turn__wait(t, 0);
	for (i = 0; i < cnt; i++) {
		pthread_create(&thread, NULL, i & 1 ? vanish : leak_some, NULL);
		pthread_join(thread, NULL);
	}
	turn__wait(t, 0);
}

static void threads_may_end_anywhere(void **state)
{
	struct child c;
	struct trace t;

	run(&t, &c, end_threads, *state);
	assert_int_equal(trace__of(&t, 211).cnt, ended_cnt() / 2 * 103);
	assert_int_equal(trace__of(&t, 4099).cnt, ended_cnt() / 2 * 29);
	end(&t, &c);
}

/* ---- stacks ------------------------------------------------------------------------------ */

static __attribute__((noinline)) void allocate_deep(int depth)
{
	if (depth)
		allocate_deep(depth - 1);
	else
		keep(malloc(101));
	kept = NULL; /* no tail call */
}

static void allocate_at_depths(struct turn *t, void *arg)
{
	int i;

	turn__wait(t, 0);
	for (i = 0; i < 53; i++)
		allocate_deep(7);
	for (i = 0; i < 53; i++)
		allocate_deep(61);
	turn__wait(t, 0);
}

struct ids {
	uint64_t id[64];
	size_t cnt;
};

static void collect_id(void *ctx, uint64_t addr, const struct seep_live *live)
{
	struct ids *ids = ctx;
	size_t i;

	for (i = 0; i < ids->cnt && ids->id[i] != live->stack_id; i++)
		;
	if (i == ids->cnt && i < 64)
		ids->id[ids->cnt++] = live->stack_id;
}

static void equal_stacks_are_sent_once(void **state)
{
	struct ids ids = {};
	struct child c;
	struct trace t;

	run(&t, &c, allocate_at_depths, *state);
	assert_int_equal(alloc_probe__live(t.probe, collect_id, &ids), 0);
	/* what older calls left on the stack may split a chain in two, but never join two */
	assert_in_range(ids.cnt, 2, 8);
	assert_int_equal(t.stacks, ids.cnt);
	end(&t, &c);
}

static void stacks_are_copied_as_far_as_asked(void **state)
{
	struct alloc_probe_cfg cfg = *(const struct alloc_probe_cfg *)*state;
	struct child c;
	struct trace t;

	cfg.stack_bytes = 1024;
	run(&t, &c, allocate_at_depths, &cfg);
	assert_int_equal(t.last_bytes, 1024);
	end(&t, &c);
}

/* ---- samples ----------------------------------------------------------------------------- */

#define SAMPLED_BYTES 499
#define PERIOD	      (16 * 1024)

static size_t sampled_cnt(void)
{
	return fewer_if_slow(20011);
}

static void leak_a_lot(struct turn *t, void *arg)
{
	size_t cnt = sampled_cnt(), i;

	turn__wait(t, 0);
	for (;;) {
		for (i = 0; i < cnt; i++) {
			keep(malloc(SAMPLED_BYTES));
			drop(malloc(1009));
		}
		turn__wait(t, 0);
	}
}

/* Six standard deviations of a sum of samples: never, as far as tests go. */
static double bound(double bytes, double period)
{
	return 6 * sqrt(bytes * period);
}

static void assert_close(double a, double b, double tolerance)
{
	if (fabs(a - b) > tolerance)
		fail_msg("%.0f is not within %.0f of %.0f", a, tolerance, b);
}

static void samples_stand_for_all(void **state)
{
	struct alloc_probe_cfg cfg = *(const struct alloc_probe_cfg *)*state;
	double once = (double)sampled_cnt() * SAMPLED_BYTES;
	struct child c;
	struct trace t;

	cfg.sample_bytes = PERIOD;
	run(&t, &c, leak_a_lot, &cfg);
	assert_int_equal(trace__of(&t, SAMPLED_BYTES).cnt, t.live_cnt);
	assert_true(t.live_cnt < sampled_cnt() / 8);
	assert_close(t.live_weight, once, bound(once, PERIOD));
	/* coarser from here on: each sample keeps its weight */
	assert_int_equal(alloc_probe__coarsen(t.probe), 2 * PERIOD);
	assert_int_equal(alloc_probe__sample_bytes(t.probe), 2 * PERIOD);
	child__step(&c);
	trace__look(&t);
	assert_close(t.live_weight, 2 * once, bound(2 * once, 2 * PERIOD));
	trace__assert_sound(&t);
	end(&t, &c);
}

static void realloc_a_lot(struct turn *t, void *arg)
{
	size_t cnt = sampled_cnt(), i;

	turn__wait(t, 0);
	for (i = 0; i < cnt; i++) {
		keep(realloc(keep(malloc(61)), SAMPLED_BYTES));
		keep(realloc(NULL, SAMPLED_BYTES));
		drop(realloc(keep(malloc(1009)), 2003));
	}
	turn__wait(t, 0);
}

/* A realloc that neither is a sample nor takes one back is not waited for. */
static void reallocs_stand_for_all(void **state)
{
	struct alloc_probe_cfg cfg = *(const struct alloc_probe_cfg *)*state;
	double all = 2.0 * sampled_cnt() * SAMPLED_BYTES;
	struct child c;
	struct trace t;

	cfg.sample_bytes = PERIOD;
	run(&t, &c, realloc_a_lot, &cfg);
	assert_int_equal(trace__of(&t, SAMPLED_BYTES).cnt, t.live_cnt);
	assert_close(t.live_weight, all, bound(all, PERIOD));
	/* of the three, only realloc(NULL) calls malloc; elsewhere every return comes by */
	if (!strcmp(alloc_probe__mode(t.probe), "session"))
		assert_true(t.stats[SEEP_ALLOC_STAT_RETURNS] < 2 * sampled_cnt());
	trace__assert_sound(&t);
	end(&t, &c);
}

struct sums {
	uint64_t stacks, bytes;
	double cnt;
};

static void sum_up(void *ctx, uint64_t stack_id, uint64_t bytes, double cnt)
{
	struct sums *sums = ctx;

	sums->stacks++;
	sums->bytes += bytes;
	sums->cnt += cnt;
}

static void totals_hold_what_was_freed(void **state)
{
	struct sums sums = {};
	struct child c;
	struct trace t;

	run(&t, &c, leak_from_threads, *state);
	assert_int_equal(alloc_probe__totals(t.probe, sum_up, &sums), 0);
	assert_int_equal(sums.bytes, t.stats[SEEP_ALLOC_STAT_ALLOC_BYTES]);
	assert_int_equal(sums.cnt, t.stats[SEEP_ALLOC_STAT_ALLOCS]);
	assert_true(sums.cnt > THREADS * churn_cnt() * 3 * 2);
	assert_true(sums.stacks <= t.stats[SEEP_ALLOC_STAT_STACKS]);
	end(&t, &c);
}

static void a_detached_probe_keeps_its_tables(void **state)
{
	uint64_t hits, cost;
	struct child c;
	struct trace t;

	run(&t, &c, call_each, *state);
	cost = alloc_probe__cost_ns(t.probe, &hits);
	assert_true(hits > 10);
	assert_true(cost > hits * 10);
	alloc_probe__detach(t.probe);
	trace__look(&t);
	assert_int_equal(t.live_cnt, 10);
	end(&t, &c);
}

#define EACH_WAY(f)                                             \
	{#f " (newest)", f, NULL, NULL, (void *)&newest},       \
		{#f " (multi)", f, NULL, NULL, (void *)&multi}, \
	{                                                       \
#f " (perf)", f, NULL, NULL, (void *)&perf      \
	}

#define ONE_WAY(f)                                  \
	{                                           \
#f, f, NULL, NULL, (void *)&newest \
	}

int main(void)
{
	const struct CMUnitTest tests[] = {
		EACH_WAY(counts_every_block),
		EACH_WAY(the_way_is_the_one_asked_for),
		ONE_WAY(all_hits_are_cheap),
		EACH_WAY(counts_each_function_once),
		EACH_WAY(failed_calls_change_nothing),
		ONE_WAY(no_bytes_are_one_byte),
		EACH_WAY(mappings_inside_malloc_are_not_counted),
		ONE_WAY(partial_unmaps_cut),
		EACH_WAY(mappings_are_memory_not_address_space),
		EACH_WAY(children_are_told_and_left_out),
		ONE_WAY(another_program_is_told),
		ONE_WAY(the_end_is_told),
		ONE_WAY(an_allocator_that_comes_later_is_told),
		ONE_WAY(nobody_there_is_an_error),
		ONE_WAY(a_missed_free_is_subtracted),
		ONE_WAY(a_full_table_is_counted),
		ONE_WAY(threads_may_end_anywhere),
		ONE_WAY(equal_stacks_are_sent_once),
		ONE_WAY(stacks_are_copied_as_far_as_asked),
		EACH_WAY(samples_stand_for_all),
		EACH_WAY(reallocs_stand_for_all),
		ONE_WAY(totals_hold_what_was_freed),
		ONE_WAY(a_detached_probe_keeps_its_tables),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
