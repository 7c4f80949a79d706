// SPDX-License-Identifier: BSD-2-Clause
/*
 * test_placement.c - which instruction of a function is probed.
 *
 * The byte sequences are the entries of real functions, as distributed.
 */
#include <dlfcn.h>
#include <elf.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "probe/insn_x86.h"
#include "probe/placement.h"
#include "sym/elf_file.h"

#define CODE(...) (const uint8_t[]){__VA_ARGS__}, sizeof((const uint8_t[]){__VA_ARGS__})

struct entry {
	const char *name;
	int arg_cnt;
	uint32_t offset;
	int is_emulated;
	const uint8_t *code;
	size_t len;
};

static void check(uint16_t machine, const struct entry *entries, size_t cnt)
{
	struct placement place;
	size_t i;

	for (i = 0; i < cnt; i++) {
		placement__find(machine, entries[i].code, entries[i].len, entries[i].arg_cnt,
				&place);
		if (place.offset != entries[i].offset || place.is_emulated != entries[i].is_emulated)
			fail_msg("%s: placed at +%u, %s", entries[i].name, place.offset,
				 place.is_emulated ? "emulated" : "stepped");
	}
}

#define CHECK(machine, entries) check(machine, entries, sizeof(entries) / sizeof((entries)[0]))

static void finds_the_emulated_instruction_of_real_entries(void **state)
{
	static const uint8_t filler[] = {0x90};
	const struct entry entries[] = {
		/* glibc 2.36, Debian 12 */
		{"malloc 2.36: push %r12", 1, 0, 1, CODE(0x41, 0x54, 0x55, 0x53)},
		{"free 2.36: test, je", 1, 3, 1,
		 CODE(0x48, 0x85, 0xff, 0x0f, 0x84, 0xbf, 0, 0, 0, 0x55)},
		{"memalign 2.36: cmpb in memory, je", 2, 7, 1,
		 CODE(0x80, 0x3d, 0x71, 0x0e, 0x14, 0, 0, 0x74, 0x07, 0xe9, 0x32, 0xf6, 0xff, 0xff)},
		{"posix_memalign 2.36: cmpb in memory, push %r12", 3, 7, 1,
		 CODE(0x80, 0x3d, 0x01, 0x02, 0x14, 0, 0, 0x41, 0x54, 0x49, 0x89, 0xd4)},
		{"mmap 2.36: mov, test, jne", 4, 10, 1,
		 CODE(0x41, 0x89, 0xca, 0x41, 0xf7, 0xc1, 0xff, 0x0f, 0, 0, 0x75, 0x14)},
		{"munmap 2.36: nothing before the system call", 2, 0, 0,
		 CODE(0xb8, 0x0b, 0, 0, 0, 0x0f, 0x05, 0x48, 0x3d, 0x01, 0xf0, 0xff, 0xff)},
		/* glibc 2.39, Ubuntu 24.04: control-flow protection and frame pointers */
		{"malloc 2.39: endbr64, push %rbp", 1, 4, 1,
		 CODE(0xf3, 0x0f, 0x1e, 0xfa, 0x55, 0x48, 0x89, 0xe5)},
		{"free 2.39: endbr64, test, je", 1, 7, 1,
		 CODE(0xf3, 0x0f, 0x1e, 0xfa, 0x48, 0x85, 0xff, 0x0f, 0x84, 0xbf, 0, 0, 0)},
		/* glibc 2.43, Debian sid */
		{"malloc 2.43: test, js", 1, 3, 1, CODE(0x48, 0x85, 0xff, 0x78, 0x20)},
		{"calloc 2.43: mov, mul, jo", 2, 6, 1,
		 CODE(0x48, 0x89, 0xf8, 0x48, 0xf7, 0xe6, 0x70, 0x10)},
		{"realloc 2.43: mov, test, je", 2, 6, 1,
		 CODE(0x48, 0x89, 0xf0, 0x48, 0x85, 0xff, 0x74, 0x33)},
		{"free_sized 2.43: jmp", 1, 0, 1, CODE(0xe9, 0x10, 0x20, 0, 0)},
		/* jemalloc 5.3 */
		{"jemalloc malloc: cmp, ja", 1, 7, 1,
		 CODE(0x48, 0x81, 0xff, 0, 0x10, 0, 0, 0x0f, 0x87, 0x94, 0, 0, 0)},
		{"jemalloc free: eleven that leave the argument alone, jne", 1, 48, 1,
		 CODE(0x48, 0x89, 0xf8, 0x48, 0x8b, 0x15, 0x0e, 0x53, 0x0a, 0, 0x48, 0x89, 0xf9,
		      0x48, 0xc1, 0xe8, 0x1a, 0x48, 0x81, 0xe1, 0, 0, 0, 0xc0, 0x25, 0xf0, 0, 0, 0,
		      0x64, 0x48, 0x03, 0x04, 0x25, 0, 0, 0, 0, 0x48, 0x01, 0xd0, 0x48, 0x3b, 0x88,
		      0xb0, 0x01, 0, 0, 0x0f, 0x85, 0x8a, 0, 0, 0)},
		/* tcmalloc 4.5: a load, test, jne */
		{"tcmalloc malloc", 1, 10, 1,
		 CODE(0x48, 0x8b, 0x05, 0x61, 0x2c, 0x02, 0, 0x48, 0x85, 0xc0, 0x75, 0x7e)},
		/* mimalloc 2.0: the argument moves away before the branch */
		{"mimalloc malloc", 1, 21, 1,
		 CODE(0x48, 0x8b, 0x05, 0x49, 0xb4, 0, 0, 0x48, 0x89, 0xfe, 0x64, 0x48, 0x8b, 0x38,
		      0x48, 0x81, 0xfe, 0, 0x04, 0, 0, 0x77, 0x29)},
		{"a bare nop", 1, 0, 1, filler, sizeof(filler)},
	};

	CHECK(EM_X86_64, entries);
}

static void assert_args(int arg_cnt, int a, int b, int c, const uint8_t *code, size_t len)
{
	struct placement place;

	placement__find(EM_X86_64, code, len, arg_cnt, &place);
	assert_true(place.is_emulated);
	assert_int_equal(place.args[0], a);
	assert_int_equal(place.args[1], b);
	assert_int_equal(place.args[2], c);
}

static void knows_where_arguments_have_moved(void **state)
{
	struct placement place;

	assert_args(1, 0, 1, 2, CODE(0x48, 0x85, 0xff, 0x78, 0x20));
	/* mimalloc's malloc: mov %rdi,%rsi; mov %fs:(%rax),%rdi; cmp; ja */
	assert_args(1, 1, 1, 2,
		    CODE(0x48, 0x8b, 0x05, 0x49, 0xb4, 0, 0, 0x48, 0x89, 0xfe, 0x64, 0x48, 0x8b,
			 0x38, 0x48, 0x81, 0xfe, 0, 0x04, 0, 0, 0x77, 0x29));
	/* mov %rsi,%rdx; mov %rdi,%rsi; mov (%rax),%rdi; jmp */
	assert_args(2, 1, 2, 2,
		    CODE(0x48, 0x89, 0xf2, 0x48, 0x89, 0xfe, 0x48, 0x8b, 0x38, 0xeb, 0x10));
	/* mov %rdi,%r8; xor %edi,%edi; je; by way of a load's register, too: mov %r8,%r9 */
	assert_args(1, 4, 1, 2, CODE(0x49, 0x89, 0xf8, 0x31, 0xff, 0x74, 0x10));
	assert_args(1, 4, 1, 2,
		    CODE(0x49, 0x89, 0xf8, 0x4d, 0x89, 0xc1, 0x31, 0xff, 0x74, 0x10));
	/* mov %rdi,%rax; xor %edi,%edi; je: in no argument's register any more */
	placement__find(EM_X86_64, CODE(0x48, 0x89, 0xf8, 0x31, 0xff, 0x74, 0x10), 1, &place);
	assert_false(place.is_emulated);
	/* mov %edi,%esi moves half of it; mov %rdi,%rsi; mov %rsi,%rdi and the second is lost */
	placement__find(EM_X86_64, CODE(0x89, 0xfe, 0x31, 0xff, 0x74, 0x10), 1, &place);
	assert_false(place.is_emulated);
	placement__find(EM_X86_64, CODE(0x48, 0x89, 0xfe, 0x48, 0x89, 0xf7, 0x74, 0x10), 2, &place);
	assert_false(place.is_emulated);
	/* in its own where it still is: mov %rdi,%rsi; je */
	assert_args(1, 0, 1, 2, CODE(0x48, 0x89, 0xfe, 0x74, 0x10));
}

static void finds_how_a_function_returns(void **state)
{
	/* 0: ret (another's); 1: push; 2: test; 5: je 10; 7: pop; 8: jmp 0; 10: call; 15: c3 */
	static const uint8_t code[] = {0xc3, 0x53, 0x48, 0x85, 0xff, 0x74, 0x03, 0x5b, 0xeb, 0xf6,
				       0xe8, 0, 0, 0, 0, 0xc3, 0xc3};
	static const uint8_t arm64[] = {0xc0, 0x03, 0x5f, 0xd6, 0x40, 0, 0, 0xb4, 0xff, 0xff,
					0xff, 0x17, 0xc0, 0x03, 0x5f, 0xd6};
	size_t at[4];

	/* its own, and that of the one it jumps to; nothing behind an end */
	assert_int_equal(placement__exits(EM_X86_64, code, sizeof(code), 1, at, 4), 2);
	assert_int_equal(at[0] + at[1], 15);
	assert_int_equal(placement__exits(EM_X86_64, code, sizeof(code), 1, at, 1), 0);
	assert_int_equal(placement__exits(EM_X86_64, code, sizeof(code), 16, at, 4), 1);
	assert_int_equal(placement__exits(EM_X86_64, code, sizeof(code), 17, at, 4), 0);
	/* a jump through memory, a loop without an end */
	assert_int_equal(placement__exits(EM_X86_64, CODE(0xff, 0x25, 0, 0, 0, 0, 0xc3), 0, at, 4),
			 0);
	assert_int_equal(placement__exits(EM_X86_64, CODE(0x90, 0xeb, 0xfd, 0xc3), 0, at, 4), 0);
	/* 0: ret (another's); 4: cbz 12; 8: b 4; 12: ret */
	assert_int_equal(placement__exits(EM_AARCH64, arm64, sizeof(arm64), 4, at, 4), 1);
	assert_int_equal(at[0], 12);
	assert_int_equal(placement__exits(EM_386, code, sizeof(code), 1, at, 4), 0);
}

static void leaves_stack_arguments_and_saved_registers_alone(void **state)
{
	const struct entry entries[] = {
		{"sub $8,%rsp; je", 1, 0, 0, CODE(0x48, 0x83, 0xec, 0x08, 0x74, 0x10)},
		{"lea -128(%rsp),%rsp; jmp", 1, 0, 0,
		 CODE(0x48, 0x8d, 0x64, 0x24, 0x80, 0xeb, 0x10)},
		{"pop %rax; je", 1, 0, 0, CODE(0x58, 0x74, 0x10)},
		{"mov %rdi,%rbx; je", 1, 0, 0, CODE(0x48, 0x89, 0xfb, 0x74, 0x10)},
		{"mov %rdi,%r12; je", 1, 0, 0, CODE(0x49, 0x89, 0xfc, 0x74, 0x10)},
		{"mov %rsi,%rdi; je", 1, 0, 0, CODE(0x48, 0x89, 0xf7, 0x74, 0x10)},
		{"mov %rdi,%rsi; je, one argument", 1, 3, 1, CODE(0x48, 0x89, 0xfe, 0x74, 0x10)},
		{"mov %rdi,%rsi; je, two arguments", 2, 0, 0, CODE(0x48, 0x89, 0xfe, 0x74, 0x10)},
		{"mul with three arguments", 3, 0, 0, CODE(0x48, 0xf7, 0xe6, 0x70, 0x10)},
		{"xor %edi,%edi; je", 1, 0, 0, CODE(0x31, 0xff, 0x74, 0x10)},
		{"xchg %rax,%rdi; je", 1, 0, 0, CODE(0x48, 0x97, 0x74, 0x10)},
		{"inc (%rdi) is not known; je", 1, 0, 0, CODE(0x48, 0xff, 0x07, 0x74, 0x10)},
		{"ret", 1, 0, 0, CODE(0xc3)},
		{"a 5-byte nop is passed over, push", 1, 5, 1,
		 CODE(0x0f, 0x1f, 0x44, 0, 0, 0x55)},
		{"bnd jmp is not emulated", 1, 0, 0, CODE(0xf2, 0xe9, 0, 0, 0, 0)},
		{"push of a word is not emulated", 1, 0, 0, CODE(0x66, 0x55)},
		{"a syscall", 1, 0, 0, CODE(0x0f, 0x05, 0x74, 0x10)},
	};

	CHECK(EM_X86_64, entries);
}

static void refuses_a_place_that_is_branched_back_to(void **state)
{
	const struct entry entries[] = {
		/* 0: test; 3: je +4; 5: nop; 6: nop; 7: jmp 3 */
		{"to the place itself", 1, 0, 0,
		 CODE(0x48, 0x85, 0xff, 0x74, 0x04, 0x90, 0x90, 0xeb, 0xfa, 0xc3)},
		/* 0: endbr64; 4: test; 7: je; 9: jmp 4 */
		{"to before it", 1, 0, 0,
		 CODE(0xf3, 0x0f, 0x1e, 0xfa, 0x48, 0x85, 0xff, 0x74, 0x02, 0xeb, 0xf9, 0xc3)},
		/* 0: test; 3: je; 5: jmp with 4 bytes to 3 */
		{"from far", 1, 0, 0,
		 CODE(0x48, 0x85, 0xff, 0x74, 0x02, 0xe9, 0xf9, 0xff, 0xff, 0xff)},
		{"to the entry: no worse than a probe there", 1, 3, 1,
		 CODE(0x48, 0x85, 0xff, 0x74, 0x02, 0xeb, 0xf9, 0xc3)},
		{"to behind it", 1, 3, 1,
		 CODE(0x48, 0x85, 0xff, 0x74, 0x02, 0xeb, 0xfe, 0xc3)},
		/* the bytes eb fa inside a constant are no jump */
		{"what only looks like a jump", 1, 3, 1,
		 CODE(0x48, 0x85, 0xff, 0x74, 0x05, 0xb8, 0xeb, 0xfa, 0xeb, 0xf9, 0xc3)},
	};

	CHECK(EM_X86_64, entries);
}

static void survives_cut_and_random_code(void **state)
{
	uint8_t code[64];
	struct placement place;
	struct insn_x86 in;
	int64_t distance;
	size_t i, len, exits[8];

	srandom(1);
	for (i = 0; i < 200000; i++) {
		len = random() % (sizeof(code) + 1);
		uint8_t *copy = malloc(len ? len : 1); /* so that ASan sees each byte too many */

		assert_non_null(copy);
		for (size_t j = 0; j < len; j++)
			copy[j] = random() >> 7;
		placement__find(i & 1 ? EM_X86_64 : EM_AARCH64, copy, len, i % 5, &place);
		assert_true(place.offset == 0 || place.offset < len);
		placement__thunk(i & 1 ? EM_X86_64 : EM_AARCH64, copy, len, &distance);
		if (i % 16 == 0)
			placement__exits(i & 16 ? EM_X86_64 : EM_AARCH64, copy, len, i % 64, exits,
					 sizeof(exits) / sizeof(exits[0]));
		if (!insn_x86__decode(copy, len, &in))
			assert_true(in.len && in.len <= len && in.len <= 15);
		free(copy);
	}
	placement__find(EM_386, CODE(0x55), 1, &place);
	assert_int_equal(place.is_emulated, 0);
}

static void knows_arm64(void **state)
{
	const struct entry entries[] = {
		/* glibc 2.36, Debian 12 */
		{"malloc 2.36: stp", 1, 0, 0, CODE(0xfd, 0x7b, 0xbc, 0xa9, 0xfd, 0x03, 0x00, 0x91)},
		{"free 2.36: cbz", 1, 0, 1, CODE(0x80, 0x08, 0x00, 0xb4, 0xfd, 0x7b, 0xbc, 0xa9)},
		{"mmap 2.36: tst, b.ne", 6, 4, 1,
		 CODE(0xbf, 0x2c, 0x40, 0xf2, 0x21, 0x01, 0x00, 0x54)},
		{"munmap 2.36: nop, mov, svc", 2, 0, 0,
		 CODE(0x1f, 0x20, 0x03, 0xd5, 0xe8, 0x1a, 0x80, 0xd2, 0x01, 0x00, 0x00, 0xd4)},
		/* jemalloc 5.3, tcmalloc 4.5, mimalloc 2.0 */
		{"jemalloc malloc: cmp, b.hi", 1, 4, 1,
		 CODE(0x1f, 0x04, 0x40, 0xf1, 0x88, 0x04, 0x00, 0x54)},
		{"jemalloc free: adrp", 1, 0, 1,
		 CODE(0x01, 0x04, 0x00, 0xf0, 0x21, 0x70, 0x46, 0xf9)},
		{"tcmalloc aligned_alloc: mov x2, x0; cmp; b.hi", 2, 8, 1,
		 CODE(0xe2, 0x03, 0x00, 0xaa, 0x1f, 0x08, 0x40, 0xf1, 0x28, 0x07, 0x00, 0x54)},
		{"mimalloc free: mov x3, x0; cbz", 1, 4, 1,
		 CODE(0xe3, 0x03, 0x00, 0xaa, 0x60, 0x03, 0x00, 0xb4)},
		{"mimalloc aligned_alloc: b", 2, 0, 1, CODE(0x03, 0xd6, 0xff, 0x17)},
		/* made up */
		{"stp x29, x30: stepped", 1, 0, 0, CODE(0xfd, 0x7b, 0xbe, 0xa9)},
		{"cbz x0", 1, 0, 1, CODE(0x40, 0x01, 0x00, 0xb4)},
		{"bti c; cbz x0", 1, 4, 1, CODE(0x5f, 0x24, 0x03, 0xd5, 0x40, 0x01, 0x00, 0xb4)},
		{"paciasp signs the return address", 1, 0, 0,
		 CODE(0x3f, 0x23, 0x03, 0xd5, 0x40, 0x01, 0x00, 0xb4)},
		{"cmp x0, #0x400; b.hi", 1, 4, 1,
		 CODE(0x1f, 0x00, 0x10, 0xf1, 0x48, 0x01, 0x00, 0x54)},
		{"mov x8, x0; b", 1, 4, 1, CODE(0xe8, 0x03, 0x00, 0xaa, 0x04, 0x00, 0x00, 0x14)},
		{"mov x19, x0; b", 1, 0, 0, CODE(0xf3, 0x03, 0x00, 0xaa, 0x04, 0x00, 0x00, 0x14)},
		{"sub sp, sp, #32; b", 1, 0, 0, CODE(0xff, 0x83, 0x00, 0xd1, 0x04, 0x00, 0x00, 0x14)},
		{"mov x8, x0; ret", 1, 4, 1, CODE(0xe8, 0x03, 0x00, 0xaa, 0xc0, 0x03, 0x5f, 0xd6)},
		{"adrp x1", 1, 0, 1, CODE(0x01, 0x00, 0x00, 0x90)},
		{"bti c; ldr x8, literal", 1, 0, 0,
		 CODE(0x5f, 0x24, 0x03, 0xd5, 0x48, 0x01, 0x00, 0x58)},
		{"cmp; b.hi; branched back to", 1, 0, 0,
		 CODE(0x1f, 0x00, 0x10, 0xf1, 0x48, 0x01, 0x00, 0x54, 0xff, 0xff, 0xff, 0x17)},
	};

	CHECK(EM_AARCH64, entries);
}

static void follows_functions_that_only_jump(void **state)
{
	int64_t distance;

	assert_true(placement__thunk(EM_X86_64, CODE(0xe9, 0x10, 0, 0, 0), &distance));
	assert_int_equal(distance, 0x15);
	assert_true(placement__thunk(EM_X86_64, CODE(0xf3, 0x0f, 0x1e, 0xfa, 0xeb, 0xfe), &distance));
	assert_int_equal(distance, 4);
	assert_false(placement__thunk(EM_X86_64, CODE(0x48, 0x85, 0xff, 0xe9, 0, 0, 0, 0), &distance));
	assert_false(placement__thunk(EM_X86_64, CODE(0xff, 0x25, 0, 0, 0, 0), &distance));
	assert_true(placement__thunk(EM_AARCH64, CODE(0x04, 0, 0, 0x14), &distance));
	assert_int_equal(distance, 16);
	assert_false(placement__thunk(EM_AARCH64, CODE(0x04, 0, 0, 0x94), &distance));
}

static void finds_cheap_places_in_this_machines_libc(void **state)
{
	static const char *const names[] = {"malloc", "free", "calloc", "realloc"};
	struct elf_symbol symbol;
	struct placement place;
	struct elf_file *libc;
	uint64_t offset;
	Dl_info info;
	size_t i;

	if (!dladdr(dlsym(RTLD_DEFAULT, "gnu_get_libc_version"), &info))
		skip();
	assert_int_equal(elf_file__open(info.dli_fname, &libc), 0);
	for (i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		assert_int_equal(elf_file__find_function(libc, names[i], &symbol), 0);
		assert_int_equal(elf_file__vaddr_to_offset(libc, symbol.vaddr, &offset), 0);
		placement__find(elf_file__machine(libc), elf_file__bytes(libc, offset, symbol.size),
				symbol.size, 2, &place);
		if (elf_file__machine(libc) == EM_X86_64)
			assert_true(place.is_emulated);
	}
	elf_file__close(libc);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(finds_the_emulated_instruction_of_real_entries),
		cmocka_unit_test(knows_where_arguments_have_moved),
		cmocka_unit_test(finds_how_a_function_returns),
		cmocka_unit_test(leaves_stack_arguments_and_saved_registers_alone),
		cmocka_unit_test(refuses_a_place_that_is_branched_back_to),
		cmocka_unit_test(survives_cut_and_random_code),
		cmocka_unit_test(knows_arm64),
		cmocka_unit_test(follows_functions_that_only_jump),
		cmocka_unit_test(finds_cheap_places_in_this_machines_libc),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
