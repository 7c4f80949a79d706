/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_unwind.c - walking real stacks of this process, and tables from hostile files.
 *
 * The program copies its own registers and stack in the middle of known call chains, as a probe
 * would, and walks the copy with the tables of the files that are really mapped.
 */
#include <elf.h>
#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>
#include <cmocka.h>

#include "sym/elf_file.h"
#include "sym/maps.h"
#include "sym/unwind.h"

#define FRAMES	    127
#define STACK_BYTES 32768
#define MODULES	    64

/* Registers are read by name and stacks contain no shadow: what ASan adds stays out. */
#if defined(__clang__)
#define CHAIN __attribute__((noinline, no_sanitize("address", "undefined")))
#else
#define CHAIN __attribute__((noinline, noclone, optimize("O2", "omit-frame-pointer"), \
			     no_sanitize("address", "undefined")))
#endif
#define KEEP_CALL() __asm__ volatile("" ::: "memory") /* no tail call */

struct snapshot {
	struct seep_regs regs;
	unsigned char stack[STACK_BYTES];
	size_t stack_bytes;
};

static struct snapshot shot;

/* ---- the tables of this process ---- */

struct module {
	uint64_t start;
	struct elf_file *elf;
	struct unwind_table *table;
	uint64_t bias;
};

static struct maps *maps;
static struct module modules[MODULES];
static size_t module_cnt;

static struct module *open_module(const struct map_region *r)
{
	struct module *m = &modules[module_cnt];
	uint64_t vaddr;
	int fd;

	assert_true(module_cnt < MODULES);
	memset(m, 0, sizeof(*m));
	fd = maps__open_file(getpid(), r);
	m->start = r->start;
	if (fd >= 0 && !elf_file__open_fd(fd, &m->elf)) {
		unwind_table__new(m->elf, &m->table);
		assert_int_equal(elf_file__offset_to_vaddr(m->elf, r->offset, &vaddr), 0);
		m->bias = r->start - vaddr;
	}
	module_cnt++;
	return m;
}

static struct module *module_at(uint64_t address)
{
	const struct map_region *r = maps__find(maps, address);
	size_t i;

	if (!r || !r->executable)
		return NULL;
	for (i = 0; i < module_cnt; i++) {
		if (modules[i].start == r->start)
			return &modules[i];
	}
	return open_module(r);
}

static int find(void *ctx, uint64_t address, struct unwind_module *ret_module)
{
	struct module *m = module_at(address);

	if (!m)
		return -ENOENT;
	ret_module->table = m->table;
	ret_module->bias = m->bias;
	return 0;
}

static const char *name_of(uint64_t address, int is_return)
{
	struct module *m = module_at(address);
	struct elf_symbol symbol;

	address -= is_return;
	if (!m || !m->elf || elf_file__function_at(m->elf, address - m->bias, &symbol))
		return "?";
	return symbol.name;
}

static void drop_modules(void)
{
	while (module_cnt) {
		module_cnt--;
		unwind_table__free(modules[module_cnt].table);
		elf_file__close(modules[module_cnt].elf);
	}
	maps__free(maps);
	maps = NULL;
}

static int setup(void **state)
{
	return maps__read(getpid(), &maps);
}

static int teardown(void **state)
{
	drop_modules();
	return 0;
}

/* ---- taking a snapshot ---- */

static size_t copy_stack(uint64_t sp, unsigned char *to, size_t cap)
{
	size_t done = 0, part;
	struct iovec local, remote;

	while (done < cap) {
		part = 4096 - (sp + done) % 4096;
		if (part > cap - done)
			part = cap - done;
		local = (struct iovec){to + done, part};
		remote = (struct iovec){(void *)(sp + done), part};
		if (process_vm_readv(getpid(), &local, 1, &remote, 1, 0) != (ssize_t)part)
			break;
		done += part;
	}
	return done;
}

#if defined(__x86_64__)
#define READ_REGISTERS(r) \
	__asm__ volatile("lea 0(%%rip), %%rax\n\t" \
			 "mov %%rax, 0(%0)\n\tmov %%rsp, 8(%0)\n\tmov %%rbp, 16(%0)\n\t" \
			 "mov %%rbx, 24(%0)\n\tmov %%r12, 32(%0)\n\tmov %%r13, 40(%0)\n\t" \
			 "mov %%r14, 48(%0)\n\tmov %%r15, 56(%0)" \
			 : : "r"(r) : "rax", "memory")
#elif defined(__aarch64__)
#define READ_REGISTERS(r) \
	__asm__ volatile("adr x1, .\n\tmov x2, sp\n\tstp x1, x2, [%0]\n\tstr x29, [%0, 16]\n\t" \
			 "stp x19, x20, [%0, 24]\n\tstp x21, x22, [%0, 40]\n\t" \
			 "stp x23, x24, [%0, 56]\n\tstp x25, x26, [%0, 72]\n\t" \
			 "stp x27, x28, [%0, 88]\n\tstr x30, [%0, 104]" \
			 : : "r"(r) : "x1", "x2", "memory")
#endif

CHAIN static void take(void)
{
	READ_REGISTERS(&shot.regs);
	shot.stack_bytes = copy_stack(shot.regs.sp, shot.stack, sizeof(shot.stack));
	KEEP_CALL();
}

static int walk(uint64_t ips[FRAMES], enum unwind_end *ret_end)
{
	return unwind__walk(&shot.regs, shot.stack, shot.stack_bytes, find, NULL, ips, FRAMES,
			    ret_end);
}

/* The walk names these functions, in this order, with any others between them. */
static void expect_chain(const char *const *names)
{
	uint64_t ips[FRAMES];
	enum unwind_end end;
	int cnt, i;

	cnt = walk(ips, &end);
	assert_string_equal(unwind__end_name(end), unwind__end_name(UNWIND_OUTERMOST));
	for (i = 0; i < cnt && *names; i++)
		names += !strcmp(name_of(ips[i], i > 0), *names);
	if (*names) {
		for (i = 0; i < cnt; i++)
			print_message("%s\n", name_of(ips[i], i > 0));
		fail_msg("'%s' is not in the chain", *names);
	}
}

/* ---- chains without frame pointers ---- */

CHAIN static int leaf(int n)
{
	volatile char room[200];

	room[n] = n;
	take();
	KEEP_CALL();
	return room[n];
}

CHAIN static int with_array(int n)
{
	volatile int room[n * 100 + 7]; /* a frame whose size is known at run time only */
	int i, sum = 0;

	for (i = 0; i < n; i++)
		room[i] = i;
	sum += leaf(n);
	KEEP_CALL();
	return sum + room[0];
}

CHAIN static int with_registers(int n)
{
	int a = n * 3, b = n * 5, c = n * 7, d = n * 11, e = n * 13, f = n * 17;

	__asm__ volatile("" : "+r"(a), "+r"(b), "+r"(c), "+r"(d), "+r"(e), "+r"(f));
	n = with_array(n);
	KEEP_CALL();
	return n + a + b + c + d + e + f;
}

CHAIN static int with_alignment(int n)
{
	volatile char room[64] __attribute__((aligned(64)));

	room[0] = n;
	n = with_registers(n);
	KEEP_CALL();
	return n + room[0];
}

static void test_without_frame_pointers(void **state)
{
	with_alignment(3);
	expect_chain((const char *const[]){"take", "leaf", "with_array", "with_registers",
					   "with_alignment", "test_without_frame_pointers",
					   "main", NULL});
}

CHAIN static int compare(const void *a, const void *b)
{
	take();
	KEEP_CALL();
	return *(const int *)a - *(const int *)b;
}

CHAIN static void sort(void)
{
	int numbers[] = {2, 1};

	qsort(numbers, 2, sizeof(numbers[0]), compare);
	KEEP_CALL();
}

static void test_through_the_c_library(void **state)
{
	sort();
	expect_chain((const char *const[]){"take", "compare", "sort", "main", NULL});
}

CHAIN static void on_signal(int signo)
{
	take();
	KEEP_CALL();
}

CHAIN static void interrupted(void)
{
	raise(SIGUSR1);
	KEEP_CALL();
}

static void test_through_a_signal_frame(void **state)
{
	struct sigaction action = {.sa_handler = on_signal}, old;

	assert_int_equal(sigaction(SIGUSR1, &action, &old), 0);
	interrupted();
	sigaction(SIGUSR1, &old, NULL);
	expect_chain((const char *const[]){"take", "on_signal", "interrupted", "main", NULL});
}

CHAIN static void fault(int *at)
{
	*at = 1;
	KEEP_CALL();
}

static sigjmp_buf after_fault;

CHAIN static void on_fault(int signo)
{
	take();
	siglongjmp(after_fault, 1);
}

/* The interrupted address is not a return address: the fault is the function's first byte. */
static void test_through_a_fault(void **state)
{
	struct sigaction action = {.sa_handler = on_fault}, old;

	assert_int_equal(sigaction(SIGSEGV, &action, &old), 0);
	if (!sigsetjmp(after_fault, 1))
		fault((int *)8);
	sigaction(SIGSEGV, &old, NULL);
	expect_chain((const char *const[]){"take", "on_fault", "test_through_a_fault", "main",
					   NULL});
}

CHAIN static void *thread(void *arg)
{
	leaf(1);
	KEEP_CALL();
	return NULL;
}

static void test_thread_ends(void **state)
{
	pthread_t id;

	assert_int_equal(pthread_create(&id, NULL, thread, NULL), 0);
	pthread_join(id, NULL);
	maps__free(maps);
	assert_int_equal(maps__read(getpid(), &maps), 0);
	expect_chain((const char *const[]){"take", "leaf", "thread", NULL});
}

/* ---- how walks end ---- */

static void test_short_copy(void **state)
{
	uint64_t whole[FRAMES], ips[FRAMES];
	int whole_cnt, cnt, last = 0;
	enum unwind_end end;
	size_t bytes;

	with_alignment(3);
	whole_cnt = walk(whole, &end);
	for (bytes = 0; bytes <= shot.stack_bytes; bytes += 56) {
		cnt = unwind__walk(&shot.regs, shot.stack, bytes, find, NULL, ips, FRAMES, &end);
		assert_in_range(cnt, last ? last : 1, whole_cnt);
		assert_memory_equal(ips, whole, cnt * sizeof(*ips));
		assert_int_equal(end, cnt < whole_cnt ? UNWIND_NO_STACK : UNWIND_OUTERMOST);
		last = cnt;
	}
	assert_int_equal(last, whole_cnt);
}

static void test_cap(void **state)
{
	uint64_t ips[3];
	enum unwind_end end;

	with_alignment(3);
	assert_int_equal(unwind__walk(&shot.regs, shot.stack, shot.stack_bytes, find, NULL, ips,
				      3, &end),
			 3);
	assert_int_equal(end, UNWIND_TOO_DEEP);
}

/* Whatever the stack holds, a walk ends, and what it gives out is code. */
static void test_garbled_stack(void **state)
{
	uint64_t ips[FRAMES];
	enum unwind_end end;
	unsigned seed = 1;
	int round, cnt, i;

	with_alignment(3);
	for (round = 0; round < 2000; round++) {
		shot.stack[rand_r(&seed) % shot.stack_bytes] ^= 1 << rand_r(&seed) % 8;
		cnt = walk(ips, &end);
		assert_in_range(cnt, 1, FRAMES);
		for (i = 1; i < cnt; i++)
			assert_non_null(module_at(ips[i] - 1));
	}
}

static int find_jit(void *ctx, uint64_t address, struct unwind_module *ret_module)
{
	if (address < 0x10000 || address >= 0x20000)
		return -ENOENT;
	ret_module->is_jit = 1;
	return 0;
}

static void test_jit_by_frame_pointer(void **state)
{
	uint64_t stack[] = {0, 0, 0x1020, 0x10100, 0, 0x10200}, ips[FRAMES];
	struct seep_regs regs = {.ip = 0x10010, .sp = 0x1000, .bp = 0x1010};
	enum unwind_end end;

	assert_int_equal(unwind__walk(&regs, stack, sizeof(stack), find_jit, NULL, ips, FRAMES,
				      &end),
			 3);
	assert_int_equal(end, UNWIND_OUTERMOST);
	assert_int_equal(ips[1], 0x10100);
	assert_int_equal(ips[2], 0x10200);
	regs.bp = 0x9000;
	assert_int_equal(unwind__walk(&regs, stack, sizeof(stack), find_jit, NULL, ips, FRAMES,
				      &end),
			 1);
	assert_int_equal(end, UNWIND_NO_TABLE);
}

static int find_trampoline(void *ctx, uint64_t address, struct unwind_module *ret_module)
{
	ret_module->is_jit = address < 0x20000;
	ret_module->is_trampoline = address >= 0x20000;
	return 0;
}

static void test_trampoline(void **state)
{
	uint64_t stack[] = {0x1010, 0x20000, 0, 0}, ips[FRAMES];
	struct seep_regs regs = {.ip = 0x10010, .sp = 0x1000, .bp = 0x1000};
	enum unwind_end end;

	assert_int_equal(unwind__walk(&regs, stack, sizeof(stack), find_trampoline, NULL, ips,
				      FRAMES, &end),
			 1);
	assert_int_equal(end, UNWIND_TRAMPOLINE);
}

static void test_unmapped(void **state)
{
	struct seep_regs regs = {.ip = 0x10, .sp = 0x1000};
	uint64_t ips[FRAMES];
	enum unwind_end end;

	assert_int_equal(unwind__walk(&regs, NULL, 0, find, NULL, ips, FRAMES, &end), 1);
	assert_int_equal(end, UNWIND_NO_MAP);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_without_frame_pointers, setup, teardown),
		cmocka_unit_test_setup_teardown(test_through_the_c_library, setup, teardown),
		cmocka_unit_test_setup_teardown(test_through_a_signal_frame, setup, teardown),
		cmocka_unit_test_setup_teardown(test_through_a_fault, setup, teardown),
		cmocka_unit_test_setup_teardown(test_thread_ends, setup, teardown),
		cmocka_unit_test_setup_teardown(test_short_copy, setup, teardown),
		cmocka_unit_test_setup_teardown(test_cap, setup, teardown),
		cmocka_unit_test_setup_teardown(test_garbled_stack, setup, teardown),
		cmocka_unit_test(test_jit_by_frame_pointer),
		cmocka_unit_test(test_trampoline),
		cmocka_unit_test_setup_teardown(test_unmapped, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
