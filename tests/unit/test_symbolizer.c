/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_symbolizer.c - names of this process, of children that are gone, and of generated code.
 *
 * The expected lines are those of this file: built with -g, as all tests are.
 */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#include "sym/demangle.h"
#include "sym/elf_file.h"
#include "sym/maps.h"
#include "sym/perf_map.h"
#include "sym/symbolizer.h"

#define FRAMES 16

/* ---- known code ---- */

#if defined(__x86_64__)
#define READ_IP(ip) __asm__ volatile("lea 0(%%rip), %0" : "=r"(ip))
#elif defined(__aarch64__)
#define READ_IP(ip) __asm__ volatile("adr %0, ." : "=r"(ip))
#endif

static uint64_t inner_ip;
static int inner_line, middle_line, outer_line;

static inline __attribute__((always_inline)) void inner(void)
{
	inner_line = __LINE__ + 1;
	READ_IP(inner_ip);
}

static inline __attribute__((always_inline)) void middle(int n)
{
	middle_line = __LINE__ + 2;
	if (n)
		inner();
}

__attribute__((noinline)) static void outer(int n)
{
	outer_line = __LINE__ + 1;
	middle(n);
	__asm__ volatile("" ::: "memory");
}

/* ---- helpers ---- */

static struct symbolizer *symbolizer;

static int setup(void **state)
{
	const struct symbolizer_cfg cfg = {};

	symbolizer = symbolizer__new(&cfg);
	return symbolizer ? 0 : -1;
}

static int teardown(void **state)
{
	symbolizer__free(symbolizer);
	return 0;
}

static struct sym_target *target_of(pid_t pid)
{
	struct sym_target *t;

	assert_int_equal(sym_target__new(symbolizer, pid, &t), 0);
	return t;
}

static int ends_with(const char *text, const char *end)
{
	size_t len = text ? strlen(text) : 0;

	return len >= strlen(end) && !strcmp(text + len - strlen(end), end);
}

static int says(struct sym_target *t, const char *part)
{
	const char *const *text;

	for (text = sym_target__not_seen(t); *text; text++) {
		if (strstr(*text, part))
			return 1;
	}
	return 0;
}

/* ---- own process ---- */

static void test_function(void **state)
{
	struct sym_target *t = target_of(getpid());
	struct frame f[FRAMES];
	char exe[4096] = "";

	assert_int_equal(sym_target__frames(t, (uint64_t)outer, 0, f, FRAMES), 1);
	assert_string_equal(f[0].function, "outer");
	assert_int_equal(f[0].offset, 0);
	assert_int_equal(f[0].address, (uint64_t)outer);
	assert_int_equal(f[0].kind, FRAME_NATIVE);
	assert_false(f[0].inlined);
	assert_true(ends_with(f[0].file, "tests/unit/test_symbolizer.c"));
	assert_true(readlink("/proc/self/exe", exe, sizeof(exe) - 1) > 0);
	assert_string_equal(f[0].module, exe);
	sym_target__free(t);
}

static void test_inlined_functions(void **state)
{
	struct sym_target *t = target_of(getpid());
	struct frame f[FRAMES];
	const char *const names[] = {"inner", "middle", "outer"};
	int lines[3], cnt, i;

	outer(1);
	lines[0] = inner_line;
	lines[1] = middle_line;
	lines[2] = outer_line;
	cnt = sym_target__frames(t, inner_ip, 0, f, FRAMES);
	assert_int_equal(cnt, 3);
	for (i = 0; i < 3; i++) {
		assert_string_equal(f[i].function, names[i]);
		assert_int_equal(f[i].line, lines[i]);
		assert_true(ends_with(f[i].file, "tests/unit/test_symbolizer.c"));
		assert_int_equal(f[i].inlined, i < 2);
		assert_int_equal(f[i].address, inner_ip);
	}
	assert_int_equal(f[0].offset, 0);
	assert_int_equal(f[2].offset, inner_ip - (uint64_t)outer);
	/* without room for all, the function itself is kept */
	assert_int_equal(sym_target__frames(t, inner_ip, 0, f, 1), 1);
	assert_string_equal(f[0].function, "outer");
	assert_int_equal(f[0].line, outer_line);
	sym_target__free(t);
}

/* A call that never returns is the last thing of its function: the address behind is another's. */
static void test_return_address(void **state)
{
	struct sym_target *t = target_of(getpid());
	uint64_t end = (uint64_t)outer;
	struct frame f[FRAMES];
	int cnt;

	do {
		cnt = sym_target__frames(t, ++end, 0, f, FRAMES);
	} while (f[cnt - 1].function && !strcmp(f[cnt - 1].function, "outer"));
	cnt = sym_target__frames(t, end, 1, f, FRAMES);
	assert_string_equal(f[cnt - 1].function, "outer");
	assert_int_equal(f[cnt - 1].offset, end - (uint64_t)outer);
	assert_int_equal(f[cnt - 1].address, end);
	sym_target__free(t);
}

static void test_no_lines(void **state)
{
	const struct symbolizer_cfg cfg = {.no_lines = 1};
	struct symbolizer *s = symbolizer__new(&cfg);
	struct frame f[FRAMES];
	struct sym_target *t;

	assert_int_equal(sym_target__new(s, getpid(), &t), 0);
	assert_int_equal(sym_target__frames(t, inner_ip, 0, f, FRAMES), 1);
	assert_string_equal(f[0].function, "outer");
	assert_null(f[0].file);
	assert_int_equal(f[0].line, 0);
	sym_target__free(t);
	symbolizer__free(s);
}

static void test_unmapped(void **state)
{
	struct sym_target *t = target_of(getpid());
	struct frame f[FRAMES];

	assert_int_equal(sym_target__frames(t, 8, 1, f, FRAMES), 1);
	assert_int_equal(f[0].address, 8);
	assert_null(f[0].function);
	assert_null(f[0].module);
	sym_target__free(t);
}

static uint64_t vdso_start(void)
{
	uint64_t start = 0;
	struct maps *m;
	size_t i;

	assert_int_equal(maps__read(getpid(), &m), 0);
	for (i = 0; i < maps__cnt(m); i++) {
		if (!strcmp(maps__at(m, i)->path, "[vdso]"))
			start = maps__at(m, i)->start;
	}
	maps__free(m);
	return start;
}

static void test_vdso(void **state)
{
	struct sym_target *t = target_of(getpid());
	uint64_t at = vdso_start(), end = at + 4096;
	struct frame f[FRAMES];
	int found = 0;

	if (!at)
		skip();
	for (; at < end && !found; at += 16) {
		sym_target__frames(t, at, 0, f, FRAMES);
		assert_string_equal(f[0].module, "[vdso]");
		found = f[0].function && strstr(f[0].function, "clock_gettime");
	}
	assert_true(found);
	assert_non_null(f[0].build_id);
	sym_target__free(t);
}

/* With room for next to nothing every file is dropped and read again; answers stay the same. */
static void test_small_cache(void **state)
{
	const struct symbolizer_cfg cfg = {.max_cache_bytes = 1};
	struct symbolizer *s = symbolizer__new(&cfg);
	struct frame f[FRAMES];
	struct sym_target *t;
	int i;

	assert_int_equal(sym_target__new(s, getpid(), &t), 0);
	for (i = 0; i < 8; i++) {
		sym_target__frames(t, (uint64_t)outer + i, 0, f, FRAMES);
		assert_string_equal(f[0].function, "outer");
		sym_target__frames(t, (uint64_t)qsort + i, 0, f, FRAMES);
		assert_string_equal(f[0].function, "qsort");
	}
	assert_true(says(t, "too large"));
	sym_target__free(t);
	symbolizer__free(s);
}

/* ---- other processes ---- */

static pid_t start_child(void)
{
	pid_t pid = fork();

	if (!pid) {
		pause();
		_exit(0);
	}
	return pid;
}

static void stop_child(pid_t pid)
{
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
}

static void test_child_that_is_gone(void **state)
{
	pid_t pid = start_child();
	struct sym_target *t = target_of(pid);
	struct frame f[FRAMES];

	stop_child(pid);
	assert_int_equal(sym_target__frames(t, inner_ip, 0, f, FRAMES), 3);
	assert_string_equal(f[0].function, "inner");
	assert_int_equal(f[0].line, inner_line);
	sym_target__frames(t, (uint64_t)qsort, 0, f, FRAMES);
	assert_string_equal(f[0].function, "qsort");
	sym_target__free(t);
	assert_int_equal(sym_target__new(symbolizer, pid, &t), -ESRCH);
}

/* Where a file is mapped first. */
static uint64_t start_of(pid_t pid, const char *path)
{
	uint64_t start = 0;
	struct maps *m;
	size_t i;

	assert_int_equal(maps__read(pid, &m), 0);
	for (i = 0; i < maps__cnt(m) && !start; i++) {
		if (!strcmp(maps__at(m, i)->path, path))
			start = maps__at(m, i)->start;
	}
	maps__free(m);
	assert_true(start);
	return start;
}

/* A copy of this program whose file is deleted while it runs. */
static void test_deleted_program(void **state)
{
	char path[] = "/tmp/seep-sym-XXXXXX", exe[4096] = "", command[4200];
	int fd = mkstemp(path), ready[2];
	struct frame f[FRAMES];
	struct sym_target *t;
	char byte;
	pid_t pid;

	assert_true(fd >= 0);
	close(fd);
	assert_true(readlink("/proc/self/exe", exe, sizeof(exe) - 1) > 0);
	snprintf(command, sizeof(command), "cp %s %s && chmod 700 %s", exe, path, path);
	assert_int_equal(system(command), 0);
	assert_int_equal(pipe(ready), 0);
	pid = fork();
	if (!pid) {
		dup2(ready[1], 1);
		execl(path, path, "wait", NULL);
		_exit(1);
	}
	close(ready[1]);
	assert_int_equal(read(ready[0], &byte, 1), 1);
	close(ready[0]);
	unlink(path);
	t = target_of(pid);
	/* the same program: a function lies as far into the mapping as in ours */
	sym_target__frames(t, (uint64_t)outer - start_of(getpid(), exe) + start_of(pid, path), 0,
			   f, FRAMES);
	stop_child(pid);
	assert_string_equal(f[0].function, "outer");
	assert_string_equal(f[0].module, path);
	sym_target__free(t);
}

/* ---- generated code ---- */

static void write_perf_map(char path[64], const void *code)
{
	FILE *out;

	snprintf(path, 64, "/tmp/perf-%d.map", getpid());
	out = fopen(path, "w");
	assert_non_null(out);
	fprintf(out, "%lx 40 LazyCompile:~leak /srv/app.js:12:5\n", (long)code);
	fprintf(out, "%lx 40 py::grow:/srv/app.py\n", (long)code + 0x40);
	fprintf(out, "%lx 40 stub\n", (long)code + 0x80);
	fclose(out);
}

static void test_generated_code(void **state)
{
	char *code = mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	struct sym_target *t = target_of(getpid());
	struct frame f[FRAMES];
	char path[64];

	sym_target__frames(t, (uint64_t)code, 0, f, FRAMES);
	assert_null(f[0].function);
	assert_string_equal(f[0].module, "[jit]");
	assert_true(says(t, "perf map"));
	write_perf_map(path, code);
	sym_target__frames(t, (uint64_t)code + 8, 1, f, FRAMES);
	assert_string_equal(f[0].function, "leak");
	assert_string_equal(f[0].file, "/srv/app.js");
	assert_int_equal(f[0].line, 12);
	assert_int_equal(f[0].kind, FRAME_NODE);
	assert_int_equal(f[0].offset, 8);
	sym_target__frames(t, (uint64_t)code + 0x48, 0, f, FRAMES);
	assert_string_equal(f[0].function, "grow");
	assert_int_equal(f[0].kind, FRAME_PYTHON);
	sym_target__frames(t, (uint64_t)code + 0xbf, 0, f, FRAMES);
	assert_string_equal(f[0].function, "stub");
	sym_target__frames(t, (uint64_t)code + 0xc0, 0, f, FRAMES);
	assert_null(f[0].function);
	unlink(path);
	munmap(code, 4096);
	sym_target__free(t);
}

static void test_perf_map(void **state)
{
	static const char text[] = "1000 100 old\n2000 10 b c\nzz\n1000 80 new\n3000\n"
				   "ffffffffffffffff 2 wraps\n4000 10 cut";
	char path[] = "/tmp/seep-perf-XXXXXX";
	int fd = mkstemp(path);
	struct perf_map *m;
	const char *name;
	uint64_t start;

	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
	unlink(path);
	assert_int_equal(perf_map__open_fd(dup(fd), &m), 0);
	assert_int_equal(perf_map__find(m, 0x107f, &name, &start), 0);
	assert_string_equal(name, "new");
	assert_int_equal(start, 0x1000);
	assert_int_equal(perf_map__find(m, 0x2003, &name, &start), 0);
	assert_string_equal(name, "b c");
	assert_int_equal(perf_map__find(m, 0x3000, &name, &start), -ENOENT);
	assert_int_equal(perf_map__find(m, 0x5000, &name, &start), -ENOENT);
	assert_int_equal(write(fd, "\n5000 10 late\n", 14), 14);
	/* a file that grows is read again, but not at each question */
	while (perf_map__find(m, 0x5000, &name, &start))
		usleep(1000);
	assert_string_equal(name, "late");
	perf_map__free(m);
	close(fd);
}

/* ---- names ---- */

static void test_demangle(void **state)
{
	char name[64];

	assert_true(demangle("_ZN5cache5Store3putEiPKc", name, sizeof(name)));
	assert_string_equal(name, "cache::Store::put");
	assert_true(demangle("_ZN3std2io4read17h0123456789abcdefE", name, sizeof(name)));
	assert_string_equal(name, "std::io::read");
	assert_true(demangle("_RNvCs1234_7mycrate3foo", name, sizeof(name)));
	assert_non_null(strstr(name, "mycrate"));
	assert_false(demangle("main", name, sizeof(name)));
	assert_false(demangle("_Zgarbage", name, sizeof(name)));
	assert_false(demangle("_Z", name, sizeof(name)));
}

/* A<A<..>, A<..>> 30 levels deep, each named by a substitution: 2^30 characters written out. */
static void test_demangle_bomb(void **state)
{
	static const char digits[] = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ";
	char mangled[512] = "_Z1fI1AIiiE", name[64];
	int i;

	for (i = 1; i < 31; i++)
		sprintf(mangled + strlen(mangled), "S0_IS%c_S%c_E", digits[i], digits[i]);
	strcat(mangled, "Evv");
	assert_true(demangle(mangled, name, sizeof(name)));
	assert_int_equal(strlen(name), sizeof(name) - 1);
	assert_memory_equal(name, "f<A<int, int>, A<A<int, int>", 28);
}

/* libiberty holds memory while it prints such a name, which nobody frees if it is not let finish. */
static void test_demangle_not_ascii(void **state)
{
	static const char mangled[] =
		"_RNqCs4fqI2P2rA04_11utf8_identsu30____7hkackfecea1cbdathfdh9hlq6y";
	char name[128], small[24];

	assert_true(demangle(mangled, name, sizeof(name)));
	assert_non_null(strstr(name, "utf8_idents"));
	assert_non_null(strstr(name, "\u10e1\u10d0\u10ed\u10db\u10d4\u10da\u10d0\u10d3"));
	assert_true(demangle(mangled, small, sizeof(small)));
	assert_int_equal(strlen(small), sizeof(small) - 1);
	/* may go on for ever, and could not be stopped: a binder of 2^60 lifetimes */
	assert_false(demangle("_RINvC1a1fFGzzzzzzzzzz_u3fooE", name, sizeof(name)));
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_function),
		cmocka_unit_test(test_inlined_functions),
		cmocka_unit_test(test_return_address),
		cmocka_unit_test(test_no_lines),
		cmocka_unit_test(test_unmapped),
		cmocka_unit_test(test_vdso),
		cmocka_unit_test(test_small_cache),
		cmocka_unit_test(test_child_that_is_gone),
		cmocka_unit_test(test_deleted_program),
		cmocka_unit_test(test_generated_code),
		cmocka_unit_test(test_perf_map),
		cmocka_unit_test(test_demangle),
		cmocka_unit_test(test_demangle_bomb),
		cmocka_unit_test(test_demangle_not_ascii),
	};

	if (argc > 1) { /* a child: something to look at */
		putchar('.');
		fflush(stdout);
		pause();
		return 0;
	}
	return cmocka_run_group_tests(tests, setup, teardown);
}
