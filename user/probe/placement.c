// SPDX-License-Identifier: BSD-2-Clause
#include "placement.h"

#include <elf.h>
#include <stdlib.h>
#include <string.h>

#include "insn_x86.h"

/* How far into a function an entry block is followed. */
#define ENTRY_INSNS_MAX 16
/* How much of a function's ways to its end is looked at, and how many branches wait for it. */
#define EXIT_INSNS_MAX 4096
#define EXIT_WAYS_MAX  256

/* What comes after an instruction. */
struct step {
	size_t len;
	int is_return;
	int ends;       /* nothing comes after it in memory */
	int has_target; /* it may jump (calls do not count) */
	int64_t target;
};

/* ---- x86-64 ------------------------------------------------------------------------------ */

enum { RAX, RCX, RDX, RBX, RSP, RBP, RSI, RDI, R8, R9, R10, R11 };

static const int args_x86[] = {RDI, RSI, RDX, RCX, R8, R9};

/* Registers that a skipped instruction may write: nothing that calls preserve, no late argument. */
static unsigned free_regs_x86(int arg_cnt)
{
	unsigned regs = 1 << RAX | 1 << R10 | 1 << R11;
	int i;

	for (i = 0; i < 6; i++)
		if (i < PLACEMENT_ARGS || i >= arg_cnt)
			regs |= 1 << args_x86[i];
	return regs;
}

/*
 * Emulated by branch_xol_emulate_op() and push_emulate_op() of arch/x86/kernel/uprobes.c on all
 * kernels since 4.16. With a prefix before it none of them is, but for REX.B before push.
 */
static int is_emulated_x86(const struct insn_x86 *in, const uint8_t *at)
{
	if (in->map == 0 && in->opcode >= 0x50 && in->opcode <= 0x57)
		return in->prefix_len == 0 || (in->prefix_len == 1 && at[0] == 0x41);
	if (in->prefix_len)
		return 0;
	if (in->map == 1)
		return in->opcode >= 0x80 && in->opcode <= 0x8f;
	return in->opcode == 0x90 || in->opcode == 0xe8 || in->opcode == 0xe9 ||
	       in->opcode == 0xeb || (in->opcode >= 0x70 && in->opcode <= 0x7f);
}

/* Writes nothing but flags: test, cmp, nops, endbr64. */
static int writes_nothing_x86(const struct insn_x86 *in)
{
	if (in->map == 1)
		return in->opcode == 0x1e || in->opcode == 0x1f; /* endbr64, long nops */
	if (in->map)
		return 0;
	switch (in->opcode) {
	case 0x38 ... 0x3d: /* cmp */
	case 0x84 ... 0x85: /* test */
	case 0x90:
	case 0xa8 ... 0xa9: /* test */
		return 1;
	case 0x80 ... 0x81: /* cmp with a constant */
	case 0x83:
		return in->reg_field == 7;
	case 0xf6 ... 0xf7: /* test with a constant */
		return in->reg_field <= 1;
	default:
		return 0;
	}
}

/* The only registers the instruction writes; 0 = not one of those known. */
static unsigned written_regs_x86(const struct insn_x86 *in)
{
	unsigned reg = 1u << in->reg, rm = in->mod == 3 ? 1u << in->rm : 0;

	if (in->map == 1) /* movzx, movsx */
		return in->opcode == 0xb6 || in->opcode == 0xb7 || in->opcode == 0xbe ||
		       in->opcode == 0xbf ? reg : 0;
	if (in->map)
		return 0;
	switch (in->opcode) {
	case 0x03: case 0x0b: case 0x23: case 0x2b: case 0x33: /* add or and sub xor: reg, r/m */
	case 0x63: case 0x8b: case 0x8d:                       /* movsxd, mov, lea */
		return reg;
	case 0x01: case 0x09: case 0x21: case 0x29: case 0x31: case 0x89: /* r/m, reg */
		return rm;
	case 0x05: case 0x0d: case 0x25: case 0x2d: case 0x35: /* with a constant: rax */
		return 1u << RAX;
	case 0x80: case 0x81: case 0x83:                       /* with a constant: r/m */
		return in->reg_field == 2 || in->reg_field == 3 ? 0 : rm;
	case 0xc1: case 0xd1:                                  /* shl, shr, sar */
		return in->reg_field == 4 || in->reg_field == 5 || in->reg_field == 7 ? rm : 0;
	case 0xb8 ... 0xbf:
		return 1u << in->opcode_reg;
	case 0xc7:
		return rm;
	case 0xf7:                                             /* mul: rdx:rax */
		return in->reg_field == 4 ? 1u << RAX | 1u << RDX : 0;
	default:
		return 0;
	}
}

/* Where the arguments are: for each the registers that hold it. */
struct holders_x86 {
	unsigned regs[PLACEMENT_ARGS];
	int arg_cnt;
};

/* A whole register into another. */
static int is_copy_x86(const struct insn_x86 *in, const uint8_t *at, int *ret_from, int *ret_to)
{
	if (in->map || in->mod != 3 || (in->opcode != 0x89 && in->opcode != 0x8b) ||
	    in->prefix_len != 1 || (at[0] & 0xf8) != 0x48)
		return 0;
	*ret_from = in->opcode == 0x89 ? in->reg : in->rm;
	*ret_to = in->opcode == 0x89 ? in->rm : in->reg;
	return 1;
}

/* Which argument's register has it; -1: none any more. */
static int holder_x86(unsigned regs)
{
	int i;

	for (i = 0; i < 6; i++)
		if (regs & 1u << args_x86[i])
			return i;
	return -1;
}

/* 1 if the instruction leaves every argument somewhere. */
static int keeps_args_x86(struct holders_x86 *h, unsigned written, const struct insn_x86 *in,
			  const uint8_t *at)
{
	int from = 0, to = 0, is_copy = is_copy_x86(in, at, &from, &to), held, i;

	for (i = 0; i < h->arg_cnt; i++) {
		held = is_copy && (h->regs[i] & 1u << from);
		h->regs[i] &= ~written;
		if (held)
			h->regs[i] |= 1u << to;
		if (holder_x86(h->regs[i]) < 0)
			return 0;
	}
	return 1;
}

static int may_skip_x86(const struct insn_x86 *in, const uint8_t *at, unsigned free_regs,
			struct holders_x86 *h)
{
	unsigned written;

	if (in->is_vex)
		return 0;
	if (writes_nothing_x86(in))
		return 1;
	written = written_regs_x86(in);
	return written && !(written & ~free_regs) && keeps_args_x86(h, written, in, at);
}

/*
 * 1 if the function may come back to (0, offset]. Its code is decoded from the start on; what
 * follows bytes that make no instruction (tables, padding) is out of reach of the short jumps
 * near the entry, and was not written by a compiler that jumps there.
 */
static int branches_back_x86(const uint8_t *code, size_t len, uint32_t offset)
{
	struct insn_x86 in;
	size_t at = 0;
	int64_t target;

	while (at < len && !insn_x86__decode(code + at, len - at, &in)) {
		at += in.len;
		if (!in.is_branch)
			continue;
		target = (int64_t)at + in.displacement;
		if (target > 0 && target <= offset)
			return 1;
	}
	return 0;
}

static void find_x86(const uint8_t *code, size_t len, int arg_cnt, struct placement *ret)
{
	struct holders_x86 h = {.arg_cnt = arg_cnt < PLACEMENT_ARGS ? arg_cnt : PLACEMENT_ARGS};
	unsigned free_regs = free_regs_x86(arg_cnt);
	struct insn_x86 in;
	size_t at = 0;
	int i, arg;

	for (i = 0; i < h.arg_cnt; i++)
		h.regs[i] = 1u << args_x86[i];
	for (i = 0; i < ENTRY_INSNS_MAX && at < len; i++, at += in.len) {
		if (insn_x86__decode(code + at, len - at, &in))
			return;
		if (is_emulated_x86(&in, code + at)) {
			if (at && branches_back_x86(code, len, at))
				return;
			ret->offset = at;
			ret->is_emulated = 1;
			for (arg = 0; arg < h.arg_cnt; arg++)
				ret->args[arg] = h.regs[arg] & 1u << args_x86[arg] ?
							 arg : holder_x86(h.regs[arg]);
			return;
		}
		if (!may_skip_x86(&in, code + at, free_regs, &h))
			return;
	}
}

static int thunk_x86(const uint8_t *code, size_t len, int64_t *ret_distance)
{
	static const uint8_t endbr64[] = {0xf3, 0x0f, 0x1e, 0xfa};
	struct insn_x86 in;
	size_t at = 0;

	if (len >= sizeof(endbr64) && !memcmp(code, endbr64, sizeof(endbr64)))
		at = sizeof(endbr64);
	if (insn_x86__decode(code + at, len - at, &in) || in.map || in.prefix_len ||
	    (in.opcode != 0xe9 && in.opcode != 0xeb))
		return 0;
	*ret_distance = (int64_t)(at + in.len) + in.displacement;
	return 1;
}

static int step_x86(const uint8_t *code, size_t len, size_t at, struct step *ret)
{
	struct insn_x86 in;
	int op;

	if (at >= len || insn_x86__decode(code + at, len - at, &in))
		return -1;
	op = in.is_vex ? -1 : in.map << 8 | in.opcode;
	*ret = (struct step){.len = in.len};
	ret->is_return = op == 0xc3 || op == 0xc2;
	ret->ends = ret->is_return || op == 0xe9 || op == 0xeb || op == 0xf4 || op == 0xcc ||
		    op == 0x10b || (op == 0xff && (in.reg_field == 4 || in.reg_field == 5));
	ret->has_target = in.is_branch && op != 0xe8;
	ret->target = (int64_t)at + in.len + in.displacement;
	return 0;
}

/* ---- arm64 ------------------------------------------------------------------------------- */

static uint32_t word_at(const uint8_t *code, size_t at)
{
	return code[at] | code[at + 1] << 8 | code[at + 2] << 16 | (uint32_t)code[at + 3] << 24;
}

/*
 * Simulated by arch/arm64/kernel/probes/simulate-insn.c. Loads from a literal are not among them:
 * kernels read the literal as if it were their own memory, and refuse such a place since
 * acc450aa0709 ("arm64: probes: Remove broken LDR (literal) uprobe support", 6.12).
 */
static int is_emulated_arm64(uint32_t in)
{
	return (in & 0x7c000000) == 0x14000000 || /* b, bl */
	       (in & 0xff000010) == 0x54000000 || /* b.cond */
	       (in & 0x7c000000) == 0x34000000 || /* cbz, cbnz, tbz, tbnz */
	       (in & 0x1f000000) == 0x10000000 || /* adr, adrp */
	       (in & 0xff9ffc1f) == 0xd61f0000;   /* br, blr, ret */
}

/* An emulated adr writes a register after the handler ran: that is the function's affair. */
static int may_skip_arm64(uint32_t in, uint32_t arg_cnt)
{
	uint32_t rd = in & 0x1f;
	/* of x0..x7 what holds no argument; x8..x17: not preserved */
	int is_free = rd >= (arg_cnt < 8 ? arg_cnt : 8) && rd <= 17;

	if ((in & 0xffffff3f) == 0xd503241f) /* bti */
		return 1;
	if (in == 0xd503201f)                /* nop: emulated on new kernels only */
		return 1;
	if (rd == 31)                        /* cmp, tst */
		return (in & 0x7f800000) == 0x71000000 || (in & 0x7f200000) == 0x6b000000 ||
		       (in & 0x7f800000) == 0x72000000 || (in & 0x7f200000) == 0x6a000000;
	return is_free && ((in & 0x7fe0ffe0) == 0x2a0003e0 || /* mov from a register */
			   (in & 0x1f800000) == 0x12800000 || /* movz, movn, movk */
			   (in & 0x1f800000) == 0x11000000);  /* add, sub with a constant */
}

static int64_t sign_extend(uint32_t value, int bits)
{
	return (int64_t)((uint64_t)value << (64 - bits)) >> (64 - bits);
}

/* 1 and the distance in bytes if it branches to a fixed place. */
static int branch_arm64(uint32_t in, int64_t *ret_distance)
{
	if ((in & 0x7c000000) == 0x14000000)
		*ret_distance = sign_extend(in & 0x3ffffff, 26) * 4;
	else if ((in & 0xff000010) == 0x54000000 || (in & 0x7e000000) == 0x34000000)
		*ret_distance = sign_extend(in >> 5 & 0x7ffff, 19) * 4;
	else if ((in & 0x7e000000) == 0x36000000)
		*ret_distance = sign_extend(in >> 5 & 0x3fff, 14) * 4;
	else
		return 0;
	return 1;
}

static int branches_back_arm64(const uint8_t *code, size_t len, uint32_t offset)
{
	int64_t distance, target;
	size_t at;

	for (at = 0; at + 4 <= len; at += 4) {
		if (!branch_arm64(word_at(code, at), &distance))
			continue;
		target = (int64_t)at + distance;
		if (target > 0 && target <= offset)
			return 1;
	}
	return 0;
}

static void find_arm64(const uint8_t *code, size_t len, int arg_cnt, struct placement *ret)
{
	size_t at;

	for (at = 0; at + 4 <= len && at < ENTRY_INSNS_MAX * 4; at += 4) {
		if (is_emulated_arm64(word_at(code, at))) {
			if (at && branches_back_arm64(code, len, at))
				return;
			ret->offset = at;
			ret->is_emulated = 1;
			return;
		}
		if (!may_skip_arm64(word_at(code, at), arg_cnt))
			return;
	}
}

static int thunk_arm64(const uint8_t *code, size_t len, int64_t *ret_distance)
{
	size_t at = 0;
	uint32_t in;

	if (len >= 8 && (word_at(code, 0) & 0xffffff3f) == 0xd503241f)
		at = 4;
	if (at + 4 > len)
		return 0;
	in = word_at(code, at);
	if ((in & 0xfc000000) != 0x14000000)
		return 0;
	*ret_distance = (int64_t)at + sign_extend(in & 0x3ffffff, 26) * 4;
	return 1;
}

static int step_arm64(const uint8_t *code, size_t len, size_t at, struct step *ret)
{
	int64_t distance = 0;
	uint32_t in;

	if (at + 4 > len)
		return -1;
	in = word_at(code, at);
	*ret = (struct step){.len = 4};
	ret->is_return = in == 0xd65f03c0;
	ret->has_target = (in & 0xfc000000) != 0x94000000 && branch_arm64(in, &distance);
	ret->ends = ret->is_return || (in & 0xfc000000) == 0x14000000 || /* b */
		    (in & 0xfffffc1f) == 0xd61f0000 ||                   /* br */
		    (in & 0xffe0001f) == 0xd4200000 || in >> 16 == 0;    /* brk, udf */
	ret->target = (int64_t)at + distance;
	return 0;
}

/* ---- both -------------------------------------------------------------------------------- */

void placement__find(uint16_t machine, const void *code, size_t len, int arg_cnt,
		     struct placement *ret_placement)
{
	*ret_placement = (struct placement){.args = {0, 1, 2}};
	if (machine == EM_X86_64)
		find_x86(code, len, arg_cnt, ret_placement);
	else if (machine == EM_AARCH64)
		find_arm64(code, len, arg_cnt, ret_placement);
}

int placement__thunk(uint16_t machine, const void *code, size_t len, int64_t *ret_distance)
{
	if (machine == EM_X86_64)
		return thunk_x86(code, len, ret_distance);
	if (machine == EM_AARCH64)
		return thunk_arm64(code, len, ret_distance);
	return 0;
}

/* The ways through a function that are still to be followed. */
struct ways {
	size_t at[EXIT_WAYS_MAX];
	size_t cnt;
	uint8_t *seen; /* a bit for each byte of code */
};

static int is_seen(struct ways *w, size_t at)
{
	int seen = w->seen[at / 8] >> at % 8 & 1;

	w->seen[at / 8] |= 1 << at % 8;
	return seen;
}

/* Follow one way to where it ends or meets another; 0, or -1: too much. */
static int follow_way(struct ways *w, uint16_t machine, const uint8_t *code, size_t len, int *budget,
		      size_t *offsets, size_t *cnt, size_t cap)
{
	size_t at = w->at[--w->cnt];
	struct step step;

	for (; at < len && !is_seen(w, at); at += step.len) {
		if (machine == EM_X86_64 ? step_x86(code, len, at, &step) :
					   step_arm64(code, len, at, &step))
			return 0;
		if (!(*budget)-- || (step.is_return && *cnt == cap) ||
		    (step.has_target && w->cnt == EXIT_WAYS_MAX))
			return -1;
		if (step.is_return)
			offsets[(*cnt)++] = at;
		if (step.has_target && step.target >= 0 && step.target < (int64_t)len)
			w->at[w->cnt++] = step.target;
		if (step.ends)
			return 0;
	}
	return 0;
}

size_t placement__exits(uint16_t machine, const void *code, size_t len, size_t start,
			size_t *ret_offsets, size_t cap)
{
	struct ways w = {.at = {start}, .cnt = 1, .seen = calloc(len / 8 + 1, 1)};
	int budget = EXIT_INSNS_MAX, err = 0;
	size_t cnt = 0;

	if (machine != EM_X86_64 && machine != EM_AARCH64)
		w.cnt = 0;
	while (w.seen && w.cnt && !err)
		err = follow_way(&w, machine, code, len, &budget, ret_offsets, &cnt, cap);
	free(w.seen);
	return err ? 0 : cnt;
}
