// SPDX-License-Identifier: BSD-2-Clause
#include "placement.h"

#include <elf.h>
#include <string.h>

#include "insn_x86.h"

/* How far into a function an entry block is followed. */
#define ENTRY_INSNS_MAX 16

/* ---- x86-64 ------------------------------------------------------------------------------ */

enum { RAX, RCX, RDX, RBX, RSP, RBP, RSI, RDI, R8, R9, R10, R11 };

/* Registers that a skipped instruction may write: no argument, nothing that calls preserve. */
static unsigned free_regs_x86(int arg_cnt)
{
	static const int args[] = {RDI, RSI, RDX, RCX, R8, R9};
	unsigned regs = 1 << RAX | 1 << R10 | 1 << R11;
	int i;

	for (i = arg_cnt; i < 6; i++)
		regs |= 1 << args[i];
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

static int may_skip_x86(const struct insn_x86 *in, unsigned free_regs)
{
	unsigned written;

	if (in->is_vex)
		return 0;
	if (writes_nothing_x86(in))
		return 1;
	written = written_regs_x86(in);
	return written && !(written & ~free_regs);
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
	unsigned free_regs = free_regs_x86(arg_cnt);
	struct insn_x86 in;
	size_t at = 0;
	int i;

	for (i = 0; i < ENTRY_INSNS_MAX && at < len; i++, at += in.len) {
		if (insn_x86__decode(code + at, len - at, &in))
			return;
		if (is_emulated_x86(&in, code + at)) {
			if (at && branches_back_x86(code, len, at))
				return;
			ret->offset = at;
			ret->is_emulated = 1;
			return;
		}
		if (!may_skip_x86(&in, free_regs))
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

/* ---- arm64 ------------------------------------------------------------------------------- */

static uint32_t word_at(const uint8_t *code, size_t at)
{
	return code[at] | code[at + 1] << 8 | code[at + 2] << 16 | (uint32_t)code[at + 3] << 24;
}

/* Simulated by arch/arm64/kernel/probes/simulate-insn.c. */
static int is_emulated_arm64(uint32_t in)
{
	return (in & 0x7c000000) == 0x14000000 || /* b, bl */
	       (in & 0xff000010) == 0x54000000 || /* b.cond */
	       (in & 0x7c000000) == 0x34000000 || /* cbz, cbnz, tbz, tbnz */
	       (in & 0x1f000000) == 0x10000000 || /* adr, adrp */
	       (in & 0xbf000000) == 0x18000000 || /* ldr from a literal, 32 and 64 bits */
	       (in & 0xff000000) == 0x98000000;   /* ldrsw from a literal */
}

/* An emulated adr or ldr writes a register after the handler ran: that is the function's affair. */
static int may_skip_arm64(uint32_t in)
{
	uint32_t rd = in & 0x1f;
	int is_free = rd >= 8 && rd <= 17; /* x8..x17: no argument, not preserved */

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

static void find_arm64(const uint8_t *code, size_t len, struct placement *ret)
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
		if (!may_skip_arm64(word_at(code, at)))
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

/* ---- both -------------------------------------------------------------------------------- */

void placement__find(uint16_t machine, const void *code, size_t len, int arg_cnt,
		     struct placement *ret_placement)
{
	*ret_placement = (struct placement){};
	if (machine == EM_X86_64)
		find_x86(code, len, arg_cnt, ret_placement);
	else if (machine == EM_AARCH64)
		find_arm64(code, len, ret_placement);
}

int placement__thunk(uint16_t machine, const void *code, size_t len, int64_t *ret_distance)
{
	if (machine == EM_X86_64)
		return thunk_x86(code, len, ret_distance);
	if (machine == EM_AARCH64)
		return thunk_arm64(code, len, ret_distance);
	return 0;
}
