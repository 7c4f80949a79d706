// SPDX-License-Identifier: BSD-2-Clause
/*
 * test_alloc_libs.c - every allocator that can be had here, in a program of its own: found, probed,
 * and exact to the block.
 */
#include "trace.h"

#include <libgen.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#define THREADS 8
#define SHARE	103 /* blocks a thread, of each size */

struct variant {
	const char *allocator;
	const char *workload;
	const char *preload; /* NULL = none */
	const char *arg;
	int is_perf;
};

/* ---- a workload -------------------------------------------------------------------------- */

struct subject {
	pid_t pid;
	int to_fd, from_fd;
};

static int workload_path(const char *name, char *path, size_t cap)
{
	char self[PATH_MAX];
	ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);

	assert_true(n > 0);
	self[n] = '\0';
	snprintf(path, cap, "%s/../workloads/%s", dirname(self), name);
	return !access(path, X_OK);
}

/* The loader only warns about a library that is not there. */
static int has_library(const char *name)
{
	static const char *const dirs[] = {"/usr/lib/x86_64-linux-gnu", "/usr/lib/aarch64-linux-gnu",
					   "/usr/lib64", "/usr/lib"};
	char path[PATH_MAX];
	size_t i;

	for (i = 0; i < sizeof(dirs) / sizeof(dirs[0]); i++) {
		snprintf(path, sizeof(path), "%s/%s", dirs[i], name);
		if (!access(path, R_OK))
			return 1;
	}
	return 0;
}

static void await(const struct subject *s)
{
	char byte;

	assert_int_equal(read(s->from_fd, &byte, 1), 1);
}

static void subject__start(struct subject *s, const struct variant *v)
{
	char path[PATH_MAX];
	int to[2], from[2];

	if (!workload_path(v->workload, path, sizeof(path)) ||
	    (v->preload && !has_library(v->preload))) {
		print_message("[   SKIP   ] no %s here\n", v->preload ? v->preload : path);
		skip();
	}
	assert_int_equal(pipe(to), 0);
	assert_int_equal(pipe(from), 0);
	s->pid = fork();
	if (!s->pid) {
		dup2(to[0], STDIN_FILENO);
		dup2(from[1], STDOUT_FILENO);
		close(to[1]);
		if (v->preload)
			setenv("LD_PRELOAD", v->preload, 1);
		execl(path, v->workload, v->arg, NULL);
		_exit(127);
	}
	close(to[0]);
	close(from[1]);
	s->to_fd = to[1];
	s->from_fd = from[0];
	await(s);
}

static void subject__step(struct subject *s)
{
	assert_int_equal(write(s->to_fd, "t", 1), 1);
	await(s);
}

/* It must get to its own end, unharmed. */
static void subject__finish(struct subject *s)
{
	int status = -1;

	close(s->to_fd);
	close(s->from_fd);
	assert_int_equal(waitpid(s->pid, &status, 0), s->pid);
	assert_int_equal(status, 0);
}

static void run(struct subject *s, struct trace *t, const struct variant *v)
{
	struct alloc_probe_cfg cfg = {.no_session = v->is_perf, .no_multi = v->is_perf};

	if (v->is_perf && !strcmp(trace__newest_way(), "perf")) {
		print_message("[   SKIP   ] the newest way that this kernel has is perf\n");
		skip();
	}
	if (v->is_perf && is_slow()) {
		print_message("[   SKIP   ] tested where it is the newest way (SEEP_SLOW)\n");
		skip();
	}
	subject__start(s, v);
	if (!trace__start(t, s->pid, &cfg)) {
		subject__finish(s);
		skip();
	}
	subject__step(s);
	trace__look(t);
}

/* ---- tests ------------------------------------------------------------------------------- */

static void counts_every_block(void **state)
{
	static const uint64_t sizes[] = {211, 327, 4099, 809, 1153, 601};
	const struct variant *v = *state;
	struct subject s;
	struct trace t;
	size_t i, known = 14;

	run(&s, &t, v);
	assert_string_equal(alloc_probe__allocator(t.probe), v->allocator);
	for (i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		if (trace__of(&t, sizes[i]).cnt != THREADS * SHARE)
			fail_msg("%u blocks of %u bytes", (unsigned)trace__of(&t, sizes[i]).cnt,
				 (unsigned)sizes[i]);
		known += THREADS * SHARE;
	}
	assert_int_equal(trace__of(&t, 1 << 20).cnt, 7);
	assert_int_equal(trace__of(&t, 5000011).cnt, 7);
	assert_int_equal(trace__of(&t, 17).cnt + trace__of(&t, 307).cnt, 0);
	/* what the C library keeps of threads, and an allocator of its own */
	assert_in_range(t.live_cnt, known, known + THREADS * 2 + 2);
	trace__assert_sound(&t);
	trace__stop(&t);
	subject__finish(&s);
}

static void a_malloc_over_another_counts_once(void **state)
{
	struct subject s;
	struct trace t;

	run(&s, &t, *state);
	assert_string_equal(alloc_probe__allocator(t.probe), "custom");
	assert_int_equal(trace__of(&t, 211).cnt, 11 * 53);
	/* after a jump out of malloc: the slot that was left is taken over */
	assert_int_equal(trace__of(&t, 307).cnt, 29);
	assert_int_equal(trace__of(&t, 55).cnt, 1); /* called by the C library, not by the wrapper */
	assert_int_equal(t.stats[SEEP_ALLOC_STAT_MISSED_FREE], 0);
	trace__stop(&t);
	subject__finish(&s);
}

/* Every form of operator new and delete, in threads through which exceptions go. */
static void counts_every_new(void **state)
{
	static const uint64_t sizes[] = {211, 307, 401, 503, 1408, 5003};
	const struct variant *v = *state;
	struct subject s;
	struct trace t;
	size_t i;

	run(&s, &t, v);
	assert_string_equal(alloc_probe__allocator(t.probe), v->allocator);
	for (i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++)
		if (trace__of(&t, sizes[i]).cnt != THREADS * SHARE)
			fail_msg("%u blocks of %u bytes", (unsigned)trace__of(&t, sizes[i]).cnt,
				 (unsigned)sizes[i]);
	assert_int_equal(trace__of(&t, 4).cnt + trace__of(&t, 67).cnt, 0);
	/* std::thread's states are freed; what the C and C++ libraries keep of threads is not */
	assert_in_range(t.live_cnt, THREADS * SHARE * 6, THREADS * (SHARE * 6 + 4));
	trace__assert_sound(&t);
	trace__stop(&t);
	subject__finish(&s);
}

/* jemalloc's own functions, under its own names or prefixed. */
static void counts_every_mallocx(void **state)
{
	static const uint64_t sizes[] = {211, 809, 4099};
	struct subject s;
	struct trace t;
	size_t i;

	run(&s, &t, *state);
	assert_string_equal(alloc_probe__allocator(t.probe), "jemalloc");
	for (i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++)
		if (trace__of(&t, sizes[i]).cnt != THREADS * SHARE)
			fail_msg("%u blocks of %u bytes", (unsigned)trace__of(&t, sizes[i]).cnt,
				 (unsigned)sizes[i]);
	assert_int_equal(trace__of(&t, 17).cnt + trace__of(&t, 307).cnt + trace__of(&t, 401).cnt, 0);
	assert_in_range(t.live_cnt, THREADS * SHARE * 3, THREADS * (SHARE * 3 + 2) + 2);
	trace__assert_sound(&t);
	trace__stop(&t);
	subject__finish(&s);
}

#define SUBJECT(way, name, ...)                                                                    \
	(void *)&(struct variant){.allocator = name, .is_perf = way, __VA_ARGS__}
#define VARIANT(f, name, workload_, preload_)                                                      \
	{#f " (" name ", " workload_ ")", f, NULL, NULL,                                           \
	 SUBJECT(0, name, .workload = workload_, .preload = preload_)}
#define PERF(f, name, workload_, preload_)                                                         \
	{#f " (" name ", " workload_ ", perf)", f, NULL, NULL,                                     \
	 SUBJECT(1, name, .workload = workload_, .preload = preload_)}

/* Built as C, as Debian has it, it cannot throw. */
#define MIMALLOC(f)                                                                                \
	{#f " (mimalloc, alloc_new)", f, NULL, NULL,                                               \
	 SUBJECT(0, "mimalloc", .workload = "alloc_new", .preload = "libmimalloc.so",            \
		 .arg = "never-fails")}

int main(void)
{
	const struct CMUnitTest tests[] = {
		VARIANT(counts_every_block, "glibc", "alloc_exact", NULL),
		VARIANT(counts_every_block, "glibc", "alloc_exact-static", NULL),
		PERF(counts_every_block, "glibc", "alloc_exact-static", NULL),
		VARIANT(counts_every_block, "musl", "alloc_exact-musl", NULL),
		PERF(counts_every_block, "musl", "alloc_exact-musl", NULL),
		VARIANT(counts_every_block, "musl", "alloc_exact-musl-shared", NULL),
		VARIANT(counts_every_block, "jemalloc", "alloc_exact", "libjemalloc.so.2"),
		PERF(counts_every_block, "jemalloc", "alloc_exact", "libjemalloc.so.2"),
		VARIANT(counts_every_block, "jemalloc", "alloc_exact-jemalloc", NULL),
		VARIANT(counts_every_block, "jemalloc", "alloc_exact-je", NULL),
		VARIANT(counts_every_mallocx, "jemalloc", "alloc_mallocx-jemalloc", NULL),
		VARIANT(counts_every_mallocx, "jemalloc", "alloc_mallocx-je", NULL),
		VARIANT(counts_every_block, "tcmalloc", "alloc_exact", "libtcmalloc_minimal.so.4"),
		PERF(counts_every_block, "tcmalloc", "alloc_exact", "libtcmalloc_minimal.so.4"),
		VARIANT(counts_every_block, "mimalloc", "alloc_exact", "libmimalloc.so"),
		PERF(counts_every_block, "mimalloc", "alloc_exact", "libmimalloc.so"),
		VARIANT(counts_every_new, "glibc", "alloc_new", NULL),
		VARIANT(counts_every_new, "jemalloc", "alloc_new", "libjemalloc.so.2"),
		VARIANT(counts_every_new, "tcmalloc", "alloc_new", "libtcmalloc_minimal.so.4"),
		PERF(counts_every_new, "tcmalloc", "alloc_new", "libtcmalloc_minimal.so.4"),
		VARIANT(counts_every_new, "tcmalloc", "alloc_new-tcmalloc", NULL),
		MIMALLOC(counts_every_new),
		VARIANT(a_malloc_over_another_counts_once, "custom", "alloc_wrapped", NULL),
		PERF(a_malloc_over_another_counts_once, "custom", "alloc_wrapped", NULL),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
