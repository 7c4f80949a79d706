/* SPDX-License-Identifier: BSD-2-Clause */
/* test_prologue.c - stack depth read from code: of real functions of musl, and of noise. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "sym/prologue.h"

#define READ(p, ...) \
	prologue__read((const uint8_t[]){__VA_ARGS__}, sizeof((uint8_t[]){__VA_ARGS__}), p)

static void test_pushes_before_a_call(void **state)
{
	struct prologue p;

	/* strdup: push r12; push rbp; mov rdi,rbp; sub 8,rsp; call */
	assert_int_equal(READ(&p, 0x41, 0x54, 0x55, 0x48, 0x89, 0xfd, 0x48, 0x83, 0xec, 0x08, 0xe8,
			      0x31, 0x02, 0x00, 0x00), 0);
	assert_int_equal(p.depth_bytes, 24);
	assert_int_equal(p.saved[SLOT_SAVED + 1], 16);
	assert_int_equal(p.saved[SLOT_BP], 24);
	assert_int_equal(p.saved[SLOT_SAVED], 0);
}

static void test_large_frame(void **state)
{
	struct prologue p;

	/* asprintf: sub 0xd8,rsp; mov rdx,0x30(rsp); test al,al; je; movaps xmm4,0x90(rsp) */
	assert_int_equal(READ(&p, 0x48, 0x81, 0xec, 0xd8, 0, 0, 0, 0x48, 0x89, 0x54, 0x24, 0x30,
			      0x84, 0xc0, 0x74, 0x37, 0x0f, 0x29, 0xa4, 0x24, 0x90, 0, 0, 0), 0);
	assert_int_equal(p.depth_bytes, 0xd8);
}

static void test_behind_an_early_return(void **state)
{
	struct prologue p;

	/* push rbx; test; je; add/pop/ret; the other branch is at the old depth */
	assert_int_equal(READ(&p, 0x53, 0x48, 0x83, 0xec, 0x10, 0x48, 0x85, 0xff, 0x74, 0x06, 0x48,
			      0x83, 0xc4, 0x10, 0x5b, 0xc3, 0xe8, 0, 0, 0, 0), 0);
	assert_int_equal(p.depth_bytes, 24);
	assert_int_equal(p.saved[SLOT_SAVED], 16);
}

static void test_pushed_arguments(void **state)
{
	struct prologue p;

	/* push (rsp); push 0; call; pop rsi; pop rdi; call */
	assert_int_equal(READ(&p, 0x55, 0xff, 0x34, 0x24, 0x6a, 0x00, 0xe8, 0, 0, 0, 0), 0);
	assert_int_equal(p.depth_bytes, 24);
	assert_int_equal(READ(&p, 0x55, 0xff, 0x34, 0x24, 0x6a, 0x00, 0xe8, 0, 0, 0, 0, 0x5e, 0x5f,
			      0xe8, 0, 0, 0, 0), 0);
	assert_int_equal(p.depth_bytes, 8);
}

static void test_entry_and_unknown(void **state)
{
	struct prologue p;

	assert_int_equal(prologue__read(NULL, 0, &p), 0);
	assert_int_equal(p.depth_bytes, 0);
	assert_int_equal(READ(&p, 0xc5, 0xf8, 0x77), -EINVAL); /* vzeroupper */
	assert_int_equal(READ(&p, 0x48), -EINVAL);	       /* cut short */
	assert_int_equal(READ(&p, 0x5b, 0x5b), -EINVAL);       /* above the return address */
	assert_int_equal(READ(&p, 0x48, 0x81, 0xec, 0, 0, 0, 0x7f), -EINVAL);
}

static void test_calls(void **state)
{
	static const uint8_t direct[] = {0x90, 0x90, 0x90, 0xe8, 1, 2, 3, 4};
	static const uint8_t by_register[] = {0x90, 0x90, 0x90, 0x90, 0x90, 0x41, 0xff, 0xd5};
	static const uint8_t by_memory[] = {0x90, 0x90, 0xff, 0x15, 1, 2, 3, 4};
	static const uint8_t none[] = {0x90, 0x90, 0x90, 0x90, 0x90, 0x90, 0xff, 0xe0};

	assert_true(prologue__ends_in_call(direct, 8));
	assert_true(prologue__ends_in_call(by_register, 8));
	assert_true(prologue__ends_in_call(by_memory, 8));
	assert_false(prologue__ends_in_call(none, 8));
	assert_false(prologue__ends_in_call(none, 0));
}

static void test_call_target(void **state)
{
	static const uint8_t back[] = {0x90, 0xe8, 0xf0, 0xff, 0xff, 0xff};
	static const uint8_t indirect[] = {0x90, 0x90, 0x90, 0x41, 0xff, 0xd5};
	uint64_t target = 0;

	assert_int_equal(prologue__call_target(back, 6, 0x1000, &target), 0);
	assert_int_equal(target, 0xff0);
	assert_int_equal(prologue__call_target(indirect, 6, 0x1000, &target), -EINVAL);
	assert_int_equal(prologue__call_target(back, 4, 0x1000, &target), -EINVAL);
	assert_int_equal(target, 0xff0);
}

/* As in musl's clone and its __restore_rt. */
static void test_known_code(void **state)
{
	static const uint8_t clone[] = {0x75, 0x0f, 0x31, 0xed, 0x5f, 0x41, 0xff, 0xd1};
	static const uint8_t restore[] = {0x48, 0xc7, 0xc0, 0x0f, 0, 0, 0, 0x0f, 0x05};

	assert_true(prologue__is_thread_start(clone, 8));
	assert_false(prologue__is_thread_start(clone, 7));
	assert_false(prologue__is_thread_start(clone + 3, 5));
	assert_true(prologue__is_signal_return(restore, 9));
	assert_false(prologue__is_signal_return(restore, 8));
	assert_false(prologue__is_signal_return(restore + 1, 8));
}

/* push rbp; lock cmpxchg edx,0x10(rdi); cs nop; push rbx */
static void test_prefixes(void **state)
{
	struct prologue p;

	assert_int_equal(READ(&p, 0x55, 0xf0, 0x0f, 0xb1, 0x57, 0x10, 0x2e, 0x90, 0x53), 0);
	assert_int_equal(p.depth_bytes, 16);
}

/* Noise never leads out of the buffer, nor to a depth that makes no sense. */
static void test_noise(void **state)
{
	struct prologue p;
	unsigned seed = 11, round;
	size_t len, i;
	uint8_t *code;

	for (round = 0; round < 20000; round++) {
		len = rand_r(&seed) % 64;
		code = malloc(len + 1);
		for (i = 0; i < len; i++)
			code[i] = rand_r(&seed);
		if (!prologue__read(code, len, &p))
			assert_in_range(p.depth_bytes, 0, 1 << 20);
		free(code);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_pushes_before_a_call),
		cmocka_unit_test(test_large_frame),
		cmocka_unit_test(test_behind_an_early_return),
		cmocka_unit_test(test_pushed_arguments),
		cmocka_unit_test(test_entry_and_unknown),
		cmocka_unit_test(test_calls),
		cmocka_unit_test(test_call_target),
		cmocka_unit_test(test_known_code),
		cmocka_unit_test(test_prefixes),
		cmocka_unit_test(test_noise),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
