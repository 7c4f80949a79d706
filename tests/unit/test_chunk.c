// SPDX-License-Identifier: BSD-2-Clause
/*
 * test_chunk.c - glibc's own heap, asked about its blocks. The sanitizers have a malloc of their own,
 * so the C library's is called by its other name.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "drill/chunk.h"

void *__libc_malloc(size_t bytes);
void *__libc_realloc(void *p, size_t bytes);
void *__libc_valloc(size_t bytes); /* not memalign: the sanitizers have that name, too */
void __libc_free(void *p);

#define BLOCKS 600

static struct trace_block blocks[BLOCKS];

static size_t bytes_of(size_t i)
{
	return i % 3 ? 1100 + i * 37 % 3001 : i % 1024; /* every third fits into a thread's cache */
}

static void fill(void)
{
	size_t i;
	void *p;

	for (i = 0; i < BLOCKS; i++) {
		if (i % 7 == 3)
			p = __libc_realloc(__libc_malloc(17), bytes_of(i));
		else
			p = i % 7 == 5 ? __libc_valloc(bytes_of(i)) : __libc_malloc(bytes_of(i));
		assert_non_null(p);
		memset(p, 0xff, bytes_of(i)); /* of what is in a block nothing must be believed */
		blocks[i] = (struct trace_block){
			.addr = (uintptr_t)p,
			.live = {.size_bytes = bytes_of(i) ? bytes_of(i) : 1,
				 .kind = i % 7 == 5 ? SEEP_ALLOC_ALIGNED : SEEP_ALLOC_MALLOC},
		};
	}
}

static size_t free_among(size_t first, size_t step)
{
	size_t i, cnt = 0;

	for (i = first; i < BLOCKS; i += step)
		cnt += chunk__is_free(getpid(), &blocks[i]);
	return cnt;
}

static void test_blocks_in_use_are_never_called_free(void **state)
{
	size_t i, told = 0, large = 0;

	fill();
	if (free_among(0, 1) == BLOCKS) {
		print_message("[   SKIP   ] not glibc, or other processes cannot be read here\n");
		skip();
	}
	assert_int_equal(free_among(0, 1), 0);
	for (i = 0; i < BLOCKS; i += 2)
		__libc_free((void *)blocks[i].addr);
	assert_int_equal(free_among(1, 2), 0);
	for (i = 0; i < BLOCKS; i += 2) {
		large += bytes_of(i) > 1040; /* too large for any cache */
		told += bytes_of(i) > 1040 && chunk__is_free(getpid(), &blocks[i]);
	}
	/* a block that was joined with free ones on both sides may look as it did in use */
	assert_in_range(told, large * 9 / 10, large);
	for (i = 1; i < BLOCKS; i += 2)
		__libc_free((void *)blocks[i].addr);
}

static void test_mapped_blocks(void **state)
{
	size_t bytes = 3 << 20;
	struct trace_block block = {
		.live = {.size_bytes = bytes, .kind = SEEP_ALLOC_MALLOC},
	};
	void *p = __libc_malloc(bytes);

	block.addr = (uintptr_t)p;
	assert_int_equal(chunk__is_free(getpid(), &block), 0);
	__libc_free(p);
	assert_int_equal(chunk__is_free(getpid(), &block), 1);
	block.live.kind = SEEP_ALLOC_MMAP; /* no chunk: nothing is said */
	assert_int_equal(chunk__is_free(getpid(), &block), 0);
}

static void test_who_is_gone_says_nothing(void **state)
{
	struct trace_block block = {.addr = 4096, .live = {.size_bytes = 100}};

	assert_int_equal(chunk__is_free(0x7ffffff0, &block), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_blocks_in_use_are_never_called_free),
		cmocka_unit_test(test_mapped_blocks),
		cmocka_unit_test(test_who_is_gone_says_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
