/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_cfi.c - call frame information written by hand: what compilers emit, and what they never do.
 *
 * The arm64 rules are tested here on any machine: tables and walks know the machine from the file.
 */
#include <elf.h>
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "sym/cfi.h"
#include "sym/expression.h"
#include "sym/unwind.h"

#define ROWS 32

/* ---- writing sections ---- */

struct bytes {
	unsigned char data[4096];
	size_t len;
};

static void put(struct bytes *b, const void *data, size_t len)
{
	assert_true(b->len + len <= sizeof(b->data));
	memcpy(b->data + b->len, data, len);
	b->len += len;
}

static void put_int(struct bytes *b, uint64_t value, size_t len)
{
	put(b, &value, len);
}

static void begin_entry(struct bytes *b, size_t *ret_at)
{
	*ret_at = b->len;
	put_int(b, 0, 4);
}

static void end_entry(struct bytes *b, size_t at)
{
	uint32_t len;

	while ((b->len - at) % 8 != 4)
		put_int(b, 0, 1);
	len = b->len - at - 4;
	memcpy(b->data + at, &len, 4);
}

/* "zR" with absolute addresses; code alignment 1, data alignment -8 */
static size_t put_cie(struct bytes *b, const char *augmentation, uint8_t ra, const void *program,
		      size_t len)
{
	size_t at;

	begin_entry(b, &at);
	put_int(b, 0, 4);
	put_int(b, 1, 1);
	put(b, augmentation, strlen(augmentation) + 1);
	put_int(b, 1, 1);
	put_int(b, 0x78, 1);
	put_int(b, ra, 1);
	put_int(b, 1, 1);
	put_int(b, 0, 1);
	put(b, program, len);
	end_entry(b, at);
	return at;
}

static void put_fde(struct bytes *b, size_t cie, uint64_t begin, uint64_t len, const void *program,
		    size_t program_len)
{
	size_t at;

	begin_entry(b, &at);
	put_int(b, b->len - cie, 4);
	put_int(b, begin, 8);
	put_int(b, len, 8);
	put_int(b, 0, 1);
	put(b, program, program_len);
	end_entry(b, at);
}

#define CIE(b, aug, ra, ...) \
	put_cie(b, aug, ra, (unsigned char[]){__VA_ARGS__}, sizeof((unsigned char[]){__VA_ARGS__}))
#define FDE(b, cie, begin, len, ...) \
	put_fde(b, cie, begin, len, (unsigned char[]){__VA_ARGS__}, \
		sizeof((unsigned char[]){__VA_ARGS__}))

/* ---- taking rows ---- */

struct taken {
	uint64_t vaddr[ROWS];
	struct cfi_rule rule[ROWS];
	int known[ROWS];
	int cnt, expressions;
};

static int take_row(void *ctx, uint64_t vaddr, const struct cfi_rule *rule)
{
	struct taken *t = ctx;

	assert_true(t->cnt < ROWS);
	t->vaddr[t->cnt] = vaddr;
	t->known[t->cnt] = !!rule;
	if (rule)
		t->rule[t->cnt] = *rule;
	t->cnt++;
	return 0;
}

static int take_expression(void *ctx, const void *bytes, size_t len)
{
	return ((struct taken *)ctx)->expressions++;
}

static int run(struct taken *t, uint16_t machine, const struct bytes *b)
{
	const struct cfi_sink sink = {t, take_row, take_expression};
	struct cfi *c = cfi__new(machine, &sink);
	unsigned char *exact = malloc(b->len);
	int err, run_err;

	memset(t, 0, sizeof(*t));
	memcpy(exact, b->data, b->len); /* so that ASan sees a read behind the end */
	err = cfi__scan(c, exact, b->len, 0x1000, 0);
	run_err = cfi__run(c);
	cfi__free(c);
	free(exact);
	return run_err ? run_err : err;
}

/* ---- rows ---- */

static void test_rows_of_a_function(void **state)
{
	struct bytes b = {};
	struct taken t;
	size_t cie;

	/* def_cfa rsp+8, rip at cfa-8 */
	cie = CIE(&b, "zR", 16, 0x0c, 7, 8, 0x90, 1);
	/* push rbp; mov rbp,rsp; ...; remember; leave; restore */
	FDE(&b, cie, 0x5000, 0x40, 0x41, 0x0e, 16, 0x86, 2, 0x43, 0x0d, 6, 0x50, 0x0a, 0x0c, 7, 8,
	    0x41, 0x0b);
	assert_int_equal(run(&t, EM_X86_64, &b), 0);
	assert_int_equal(t.cnt, 6);
	assert_int_equal(t.vaddr[0], 0x5000);
	assert_int_equal(t.rule[0].cfa_slot, SLOT_SP);
	assert_int_equal(t.rule[0].cfa.arg, 8);
	assert_int_equal(t.rule[0].slots[SLOT_IP].how, CFI_AT_CFA);
	assert_int_equal(t.rule[0].slots[SLOT_IP].arg, -8);
	assert_int_equal(t.vaddr[1], 0x5001);
	assert_int_equal(t.rule[1].cfa.arg, 16);
	assert_int_equal(t.rule[1].slots[SLOT_BP].arg, -16);
	assert_int_equal(t.rule[2].cfa_slot, SLOT_BP);
	assert_int_equal(t.vaddr[3], 0x5014);
	assert_int_equal(t.rule[3].cfa_slot, SLOT_SP);
	assert_memory_equal(&t.rule[4], &t.rule[2], sizeof(t.rule[2]));
	assert_int_equal(t.vaddr[5], 0x5040);
	assert_false(t.known[5]);
}

static void test_order_and_overlap(void **state)
{
	struct bytes b = {};
	struct taken t;
	size_t cie;

	cie = CIE(&b, "zR", 16, 0x0c, 7, 8, 0x90, 1);
	FDE(&b, cie, 0x9000, 0x10, 0x00);
	FDE(&b, cie, 0x5000, 0x1000000, 0x0e, 24); /* claims all that follows */
	FDE(&b, cie, 0x5000, 0x10, 0x0e, 32);	    /* a second description */
	FDE(&b, cie, 0, 0x10, 0x00);		    /* dropped by the linker */
	assert_int_equal(run(&t, EM_X86_64, &b), 0);
	assert_int_equal(t.vaddr[0], 0x5000);
	assert_int_equal(t.vaddr[1], 0x9000);
	assert_int_equal(t.cnt, 4);
	assert_int_equal(t.vaddr[2], 0x9000);
	assert_int_equal(t.vaddr[3], 0x9010);
	assert_false(t.known[3]);
}

static void test_signal_frame_and_expressions(void **state)
{
	struct bytes b = {};
	struct taken t;
	size_t cie;

	/* cfa = [rsp+160]; rip at [rsp+168] */
	cie = CIE(&b, "zRS", 16, 0x0f, 4, 0x77, 0xa0, 0x01, 0x06, 0x10, 16, 3, 0x77, 0xa8, 0x01);
	FDE(&b, cie, 0x5000, 0x10, 0x00);
	assert_int_equal(run(&t, EM_X86_64, &b), 0);
	assert_true(t.rule[0].is_signal);
	assert_int_equal(t.rule[0].cfa.how, CFI_VAL_EXPRESSION);
	assert_int_equal(t.rule[0].slots[SLOT_IP].how, CFI_EXPRESSION);
	assert_int_equal(t.expressions, 2);
}

static void test_arm64_rules(void **state)
{
	struct bytes b = {};
	struct taken t;
	size_t cie;

	/* def_cfa sp+0; paciasp; stp x29, x30 at cfa-32; x19 at cfa-16 */
	cie = CIE(&b, "zRB", 30, 0x0c, 31, 0);
	FDE(&b, cie, 0x5000, 0x40, 0x41, 0x2d, 0x44, 0x0e, 32, 0x9d, 4, 0x9e, 3, 0x93, 2);
	assert_int_equal(run(&t, EM_AARCH64, &b), 0);
	assert_int_equal(t.rule[0].ra_slot, SLOT_SAVED + 10);
	assert_int_equal(t.rule[0].cfa_slot, SLOT_SP);
	assert_true(t.rule[1].ra_is_signed);
	assert_int_equal(t.rule[2].slots[SLOT_BP].arg, -32);
	assert_int_equal(t.rule[2].slots[SLOT_SAVED + 10].arg, -24);
	assert_int_equal(t.rule[2].slots[SLOT_SAVED].arg, -16);
}

/* ---- what no compiler writes ---- */

static void expect_garbled(const struct bytes *b)
{
	struct taken t;

	assert_int_equal(run(&t, EM_X86_64, b), -EINVAL);
}

static void test_garbled_entries(void **state)
{
	struct bytes b = {};
	size_t cie, at;

	/* a CIE whose augmentation nobody knows: its functions are left out, others are not */
	cie = CIE(&b, "zQ", 16, 0x0c, 7, 8);
	FDE(&b, cie, 0x5000, 0x10, 0x00);
	expect_garbled(&b);
	/* an FDE that takes another FDE, or itself, for its CIE */
	b.len = 0;
	at = CIE(&b, "zR", 16, 0x0c, 7, 8, 0x90, 1);
	cie = b.len;
	FDE(&b, at, 0x5000, 0x10, 0x00);
	FDE(&b, cie, 0x6000, 0x10, 0x00);
	FDE(&b, b.len, 0x7000, 0x10, 0x00);
	expect_garbled(&b);
	/* a length that leads out of the section */
	b.len = 0;
	put_int(&b, 0xfffffff0, 4);
	put_int(&b, 0, 4);
	expect_garbled(&b);
	/* one in the 64-bit form */
	b.len = 0;
	put_int(&b, 0xffffffff, 4);
	put_int(&b, UINT64_MAX, 8);
	expect_garbled(&b);
}

static void expect_garbled_program(const void *program, size_t len)
{
	struct bytes b = {};
	size_t cie = CIE(&b, "zR", 16, 0x0c, 7, 8, 0x90, 1);

	put_fde(&b, cie, 0x5000, 0x100, program, len);
	expect_garbled(&b);
}

static void test_garbled_programs(void **state)
{
	static const unsigned char endless_leb[] = {0x0e, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80,
						    0x80, 0x80, 0x80, 0x80, 0x80, 0x80};
	static const unsigned char underflow[] = {0x0b};
	static const unsigned char unknown[] = {0x3f};
	static const unsigned char long_expression[] = {0x0f, 0xff, 0xff, 0x03, 1};
	static const unsigned char backwards[] = {0x48, 0x01, 0, 0x50, 0, 0, 0, 0, 0, 0};
	unsigned char deep[64];

	memset(deep, 0x0a, sizeof(deep));
	expect_garbled_program(endless_leb, sizeof(endless_leb));
	expect_garbled_program(underflow, sizeof(underflow));
	expect_garbled_program(unknown, sizeof(unknown));
	expect_garbled_program(long_expression, sizeof(long_expression));
	expect_garbled_program(backwards, sizeof(backwards));
	expect_garbled_program(deep, sizeof(deep));
}

/* ---- expressions ---- */

static int read_register(void *ctx, uint64_t number, uint64_t *ret_value)
{
	*ret_value = number == 16 ? 0x100b : 0x7000;
	return number > 16 ? -EINVAL : 0;
}

static int read_memory(void *ctx, uint64_t address, size_t len, uint64_t *ret_value)
{
	*ret_value = address + 1;
	return address == 8 ? -EFAULT : 0;
}

static int eval(const void *bytes, size_t len, uint64_t *ret_value)
{
	const struct expression_env env = {NULL, read_register, read_memory};
	const uint64_t first = 1000;

	return expression__eval(bytes, len, &env, &first, ret_value);
}

#define EVAL(value, ...) \
	eval((unsigned char[]){__VA_ARGS__}, sizeof((unsigned char[]){__VA_ARGS__}), value)

static void test_expressions(void **state)
{
	uint64_t v;

	/* what linkers write for the PLT: rsp + 8 + ((rip & 15) >= 11) << 3 */
	assert_int_equal(EVAL(&v, 0x77, 8, 0x80, 0, 0x3f, 0x1a, 0x3b, 0x2a, 0x33, 0x24, 0x22), 0);
	assert_int_equal(v, 0x7010);
	assert_int_equal(EVAL(&v, 0x23, 0x10), 0);
	assert_int_equal(v, 1016);
	assert_int_equal(EVAL(&v, 0x76, 0x78, 0x06), 0); /* [rbp - 8] */
	assert_int_equal(v, 0x6ff9);
	assert_int_equal(EVAL(&v, 0x09, 0xff), 0);
	assert_int_equal(v, UINT64_MAX);
	assert_int_equal(EVAL(&v, 0x0a, 0x34, 0x12), 0);
	assert_int_equal(v, 0x1234);
	assert_int_equal(EVAL(&v, 0x31, 0x32, 0x33, 0x17, 0x1c), 0); /* 1 2 3 rot: 3 1 2, minus */
	assert_int_equal(v, UINT64_MAX);
	assert_int_equal(EVAL(&v, 0x2f, 1, 0, 0x35, 0x36), 0); /* skips the 5 */
	assert_int_equal(v, 6);
	assert_int_equal(EVAL(&v, 0x30, 0x28, 1, 0, 0x35), 0); /* branch not taken */
	assert_int_equal(v, 5);
}

static void test_garbled_expressions(void **state)
{
	unsigned char full[64];
	uint64_t v;

	memset(full, 0x31, sizeof(full));
	assert_int_equal(eval(full, sizeof(full), &v), -EINVAL);
	assert_int_equal(EVAL(&v, 0x13, 0x13), -EINVAL);	   /* stack empty */
	assert_int_equal(EVAL(&v, 0x2f, 0xfd, 0xff), -EINVAL); /* for ever */
	assert_int_equal(EVAL(&v, 0x2f, 0xf0, 0xff), -EINVAL); /* out to the front */
	assert_int_equal(EVAL(&v, 0x2f, 1, 0), -EINVAL);
	assert_int_equal(EVAL(&v, 0x31, 0x30, 0x1b), -EINVAL); /* division by zero */
	assert_int_equal(EVAL(&v, 0x31, 0x30, 0x1d), -EINVAL);
	assert_int_equal(EVAL(&v, 0xff), -EINVAL);
	assert_int_equal(EVAL(&v, 0x92, 99, 0), -EINVAL); /* no such register */
	assert_int_equal(EVAL(&v, 0x38, 0x06), -EFAULT);  /* [8] */
	assert_int_equal(EVAL(&v, 0x0e, 1), -EINVAL);	  /* cut short */
}

/* ---- arm64, from the file to the stack ---- */

#define TEXT 0x5000

/* The smallest file with a table: two segments, no sections. */
static struct elf_file *make_elf(const struct bytes *eh_frame)
{
	const Elf64_Ehdr header = {
		.e_ident = {ELFMAG0, ELFMAG1, ELFMAG2, ELFMAG3, ELFCLASS64, ELFDATA2LSB, 1},
		.e_type = ET_DYN,
		.e_machine = EM_AARCH64,
		.e_phoff = sizeof(header),
		.e_phentsize = sizeof(Elf64_Phdr),
		.e_phnum = 2,
	};
	const uint64_t table = sizeof(header) + 2 * sizeof(Elf64_Phdr);
	Elf64_Phdr segments[] = {
		{.p_type = PT_LOAD, .p_flags = PF_R | PF_X},
		{.p_type = PT_GNU_EH_FRAME, .p_offset = table, .p_vaddr = table, .p_filesz = 8},
	};
	const unsigned char lookup[] = {1, 0x1b, 0xff, 0xff, 4, 0, 0, 0};
	struct elf_file *e;
	struct bytes b = {};
	void *data;

	segments[0].p_filesz = table + sizeof(lookup) + eh_frame->len;
	put(&b, &header, sizeof(header));
	put(&b, segments, sizeof(segments));
	put(&b, lookup, sizeof(lookup));
	put(&b, eh_frame->data, eh_frame->len);
	data = malloc(b.len);
	memcpy(data, b.data, b.len);
	assert_int_equal(elf_file__open_memory(data, b.len, &e), 0);
	return e;
}

static int find_one(void *ctx, uint64_t address, struct unwind_module *ret_module)
{
	if (address < TEXT || address >= TEXT + 0x1000)
		return -ENOENT;
	ret_module->table = ctx;
	return 0;
}

/* leaf (nothing saved) <- signed frame <- outermost */
static void test_arm64_walk(void **state)
{
	uint64_t stack[] = {0, 0, 0x77, 0, 0x1040, 0xbeef000000000000 | (TEXT + 0x220), 0x19, 0, 0, 0};
	struct seep_regs regs = {.ip = TEXT + 0x10, .sp = 0x1000, .bp = 0x1020};
	struct unwind_table *table;
	enum unwind_end end;
	struct elf_file *e;
	struct bytes b = {};
	uint64_t ips[8];
	size_t cie;
	int cnt;

	regs.saved[10] = TEXT + 0x120;
	cie = CIE(&b, "zR", 30, 0x0c, 31, 0);
	FDE(&b, cie, TEXT, 0x100, 0x00);
	FDE(&b, cie, TEXT + 0x100, 0x100, 0x2d, 0x44, 0x0e, 64, 0x9d, 4, 0x9e, 3, 0x93, 2);
	FDE(&b, cie, TEXT + 0x200, 0x100, 0x07, 30);
	put_int(&b, 0, 4);
	e = make_elf(&b);
	assert_int_equal(unwind_table__new(e, &table), 0);
	cnt = unwind__walk(&regs, stack, sizeof(stack), find_one, table, ips, 8, &end);
	assert_int_equal(cnt, 3);
	assert_int_equal(ips[1], TEXT + 0x120);
	assert_int_equal(ips[2], TEXT + 0x220);
	assert_int_equal(end, UNWIND_OUTERMOST);
	unwind_table__free(table);
	elf_file__close(e);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rows_of_a_function),
		cmocka_unit_test(test_order_and_overlap),
		cmocka_unit_test(test_signal_frame_and_expressions),
		cmocka_unit_test(test_arm64_rules),
		cmocka_unit_test(test_garbled_entries),
		cmocka_unit_test(test_garbled_programs),
		cmocka_unit_test(test_expressions),
		cmocka_unit_test(test_garbled_expressions),
		cmocka_unit_test(test_arm64_walk),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
