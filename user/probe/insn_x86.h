/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * insn_x86.h - length and operands of x86-64 instructions.
 *
 * Enough to walk over a function and to tell what an instruction may write; no names, no effects.
 * Legacy, VEX and EVEX encodings. Never reads beyond the bytes it is given.
 */
#ifndef SEEP_PROBE_INSN_X86_H
#define SEEP_PROBE_INSN_X86_H

#include <stddef.h>
#include <stdint.h>

struct insn_x86 {
	uint8_t len;
	uint8_t prefix_len;   /* legacy prefixes and REX */
	uint8_t map;          /* 0: one byte, 1: 0f, 2: 0f 38, 3: 0f 3a (and the VEX maps) */
	uint8_t opcode;
	uint8_t is_vex;
	uint8_t has_modrm;
	uint8_t mod, reg, rm; /* with REX: 0..15 */
	uint8_t reg_field;    /* ModRM.reg without REX: part of the opcode in groups */
	uint8_t opcode_reg;   /* low bits of the opcode with REX.B: b8+r, 50+r */
	uint8_t is_branch;    /* jumps to a fixed place: end of the instruction + displacement */
	int32_t displacement;
};

/* 0, or -1: cut short or no instruction. */
int insn_x86__decode(const uint8_t *code, size_t len, struct insn_x86 *ret_insn);

#endif /* SEEP_PROBE_INSN_X86_H */
