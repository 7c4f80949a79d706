// SPDX-License-Identifier: BSD-2-Clause
/*
 * test_reach.c - a child lays out blocks and what refers to them, and is looked through from outside.
 *
 * The blocks lie in an arena of the child's own. Nothing that tells the parent where may stand as an
 * address in the child's memory: numbers are exchanged upside down, and the stack is cleared.
 */
#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#include "drill/reach.h"

#define BLOCK_BYTES 64
#define STRIDE	    128
#define GRAPH	    2000
#define PAGE	    4096
#define ARENAS	    0x200000000000ULL

/* What the child tells; shared. */
struct told {
	uint64_t upside_down; /* of the arena */
	int is_ready, err;
	uint64_t pointer; /* shared memory may hold an address */
};

static struct told *told;
static volatile uint64_t roots[GRAPH]; /* static memory of the child */
char packed[32] __attribute__((aligned(8)));

static uint64_t at(size_t i)
{
	return ~told->upside_down + (i + 1) * STRIDE; /* where it begins is known to mmap */
}

/* From a register: ASan keeps the frames of functions that have returned. */
static void put(uint64_t where, uint64_t word)
{
	*(volatile uint64_t *)(uintptr_t)where = word;
}

static void __attribute__((noinline)) clear_stack(void)
{
	char nothing[32768];

	memset(nothing, 0, sizeof(nothing));
	__asm__ volatile("" ::"r"(nothing) : "memory");
}

static int children; /* started so far */

/* Each child's elsewhere: what the parent still holds of the one before is inherited. */
static int map_arena(size_t cnt)
{
	void *hint = (void *)(uintptr_t)(ARENAS + ((uint64_t)children << 32));
	void *arena = mmap(hint, (cnt + 1) * STRIDE, PROT_READ | PROT_WRITE,
			   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	told->upside_down = ~(uint64_t)(uintptr_t)arena;
	return arena == MAP_FAILED ? -errno : 0;
}

/* A page with one word in it, then of another protection. */
static void put_on_page(uint64_t word, size_t offset, int protection)
{
	char *page = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (page == MAP_FAILED)
		return;
	memcpy(page + offset, &word, sizeof(word));
	mprotect(page, PAGE, protection);
}

/* ---- children ---- */

typedef int (*layout_fn)(void);

static pid_t start(layout_fn layout)
{
	pid_t pid;

	children++;
	told->is_ready = 0;
	told->pointer = 0;
	pid = fork();
	if (!pid) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		told->err = layout();
		clear_stack();
		__atomic_store_n(&told->is_ready, 1, __ATOMIC_SEQ_CST);
		for (;;)
			pause();
	}
	assert_true(pid > 0);
	while (!__atomic_load_n(&told->is_ready, __ATOMIC_SEQ_CST))
		usleep(1000);
	return pid;
}

static void end(pid_t pid)
{
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
}

static void fill(struct reach_block *blocks, size_t cnt)
{
	size_t i;

	for (i = 0; i < cnt; i++)
		blocks[i] = (struct reach_block){
			.addr = at(i), .size_bytes = BLOCK_BYTES, .at_ns = i, .is_referred = 7};
}

static int ask(pid_t pid, struct reach_block *blocks, size_t cnt, int stop_fd)
{
	char why[REACH_WHY_LEN] = "";
	int err = reach__ask(pid, stop_fd, blocks, cnt, why);

	assert_int_equal(!!err, !!why[0]);
	if (err == -EPERM) {
		print_message("[   SKIP   ] %s\n", why);
		end(pid);
		skip();
	}
	return err;
}

/* ---- each kind of reference ---- */

enum {
	NOWHERE, STATIC, INSIDE, BEHIND, TAGGED, RING_A, RING_B, SECOND, FIRST, THIRD, IN_EPOLL,
	SHARED, UNALIGNED, IN_CODE, READ_ONLY, ITSELF, TWICE, CASES
};

static int lay_out_cases(void)
{
	struct epoll_event event = {.events = EPOLLIN};
	int epoll_fd = epoll_create1(0), err = map_arena(CASES);
	uint64_t word;

	if (err)
		return err;
	roots[0] = at(STATIC);
	roots[1] = at(INSIDE) + BLOCK_BYTES - 1;
	roots[2] = at(BEHIND) + BLOCK_BYTES;
	roots[3] = at(TAGGED) | 0xfff9ULL << 48;
	put(at(RING_A) + 8, at(RING_B));
	put(at(RING_B) + 16, at(RING_A));
	roots[4] = at(FIRST);
	put(at(FIRST), at(SECOND));
	put(at(SECOND) + 56, at(THIRD));
	event.data.u64 = at(IN_EPOLL);
	epoll_ctl(epoll_fd, EPOLL_CTL_ADD, eventfd(0, 0), &event);
	event.data.u64 = 0;
	told->pointer = at(SHARED);
	word = at(UNALIGNED);
	memcpy(packed + 3, &word, sizeof(word));
	put_on_page(at(IN_CODE), 13, PROT_READ | PROT_EXEC);
	put_on_page(at(READ_ONLY), 16, PROT_READ);
	put(at(ITSELF) + 8, at(ITSELF));
	roots[5] = at(TWICE);
	word = 0;
	__asm__ volatile("" ::"r"(&word), "r"(&event) : "memory");
	return 0;
}

static void test_every_kind_of_reference(void **state)
{
	static const int is_referred[CASES] = {
		[STATIC] = 1, [INSIDE] = 1, [TAGGED] = 1, [FIRST] = 1, [SECOND] = 1, [THIRD] = 1,
		[IN_EPOLL] = 1, [SHARED] = 1, [IN_CODE] = 1, [READ_ONLY] = 1, [TWICE] = 1,
	};
	struct reach_block blocks[CASES + 1];
	pid_t pid = start(lay_out_cases);
	size_t i;

	assert_int_equal(told->err, 0);
	fill(blocks, CASES);
	blocks[CASES] = blocks[TWICE]; /* its address was given out twice */
	assert_int_equal(ask(pid, blocks, CASES + 1, -1), 0);
	end(pid);
	for (i = 0; i < CASES; i++) {
		if (blocks[i].is_referred != is_referred[i])
			print_error("block %zu\n", i);
		assert_int_equal(blocks[i].at_ns, i);
		assert_int_equal(blocks[i].is_referred, is_referred[i]);
	}
	assert_int_equal(blocks[CASES].is_referred, 1);
	(void)state;
}

/* ---- a large graph ---- */

static unsigned draw(unsigned *seed)
{
	*seed = *seed * 1103515245 + 12345;
	return *seed >> 8;
}

/* Edge e of the graph; 0 to BLOCK_BYTES / 8 of each block. */
typedef void (*edge_fn)(size_t from, size_t to, size_t nth);

static void each_edge(edge_fn fn)
{
	unsigned seed = 7;
	size_t i, j, cnt;

	for (i = 0; i < GRAPH; i++) {
		cnt = draw(&seed) % 3;
		for (j = 0; j < cnt; j++)
			fn(i, draw(&seed) % GRAPH, j);
	}
}

static int is_root(size_t i)
{
	return i % 97 == 5;
}

static void put_edge(size_t from, size_t to, size_t nth)
{
	put(at(from) + nth * 8, at(to) + to % BLOCK_BYTES);
}

static int lay_out_graph(void)
{
	int err = map_arena(GRAPH);
	size_t i;

	if (err)
		return err;
	for (i = 0; i < GRAPH; i++)
		if (is_root(i))
			roots[i] = at(i);
	each_edge(put_edge);
	return 0;
}

static int is_reached[GRAPH], has_changed;

static void follow_edge(size_t from, size_t to, size_t nth)
{
	(void)nth;
	if (!is_reached[from] || is_reached[to])
		return;
	is_reached[to] = has_changed = 1;
}

static void test_a_graph_of_blocks(void **state)
{
	static struct reach_block blocks[GRAPH];
	size_t i, cnt = 0;
	pid_t pid;

	for (i = 0; i < GRAPH; i++)
		is_reached[i] = is_root(i);
	do {
		has_changed = 0;
		each_edge(follow_edge);
	} while (has_changed);
	pid = start(lay_out_graph);
	assert_int_equal(told->err, 0);
	fill(blocks, GRAPH);
	assert_int_equal(ask(pid, blocks, GRAPH, -1), 0);
	end(pid);
	for (i = 0; i < GRAPH; i++) {
		assert_int_equal(blocks[i].is_referred, is_reached[i]);
		cnt += is_reached[i];
	}
	assert_in_range(cnt, GRAPH / 10, GRAPH * 9 / 10); /* or it would say nothing */
	(void)state;
}

/* ---- what cannot be told ---- */

static int lay_out_io_uring(void)
{
	char params[256] = {0};

	if (map_arena(1) || syscall(SYS_io_uring_setup, 4, params) < 0)
		return -errno;
	return 0;
}

static void test_io_uring_is_not_guessed_at(void **state)
{
	struct reach_block block;
	pid_t pid = start(lay_out_io_uring);
	int err;

	if (told->err) {
		print_message("[   SKIP   ] no io_uring here: %s\n", strerror(-told->err));
		end(pid);
		skip();
	}
	fill(&block, 1);
	err = ask(pid, &block, 1, -1);
	end(pid);
	assert_int_equal(err, -ENOTSUP);
	(void)state;
}

static void test_a_look_can_be_ended(void **state)
{
	int stop_fd = eventfd(1, EFD_CLOEXEC);
	struct reach_block block;
	pid_t pid = start(lay_out_cases);
	int err;

	fill(&block, 1);
	err = ask(pid, &block, 1, stop_fd);
	end(pid);
	close(stop_fd);
	assert_int_equal(err, -ECANCELED);
	(void)state;
}

static void test_nobody(void **state)
{
	struct reach_block block = {.addr = 4096, .size_bytes = 8};
	pid_t pid = start(lay_out_cases);

	end(pid);
	assert_int_equal(ask(pid, &block, 1, -1), -ESRCH);
	assert_int_equal(ask(pid, &block, 0, -1), 0);
	(void)state;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_kind_of_reference),
		cmocka_unit_test(test_a_graph_of_blocks),
		cmocka_unit_test(test_io_uring_is_not_guessed_at),
		cmocka_unit_test(test_a_look_can_be_ended),
		cmocka_unit_test(test_nobody),
	};

	told = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	return told == MAP_FAILED ? 1 : cmocka_run_group_tests(tests, NULL, NULL);
}
