/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * prologue.c - a length decoder for the instructions that compilers put before the first calls.
 *
 * What pushes, pops and arithmetic do to rsp is followed in the order the code stands. Jumps are
 * not followed: behind a return or a tail call the depth is again that of the last call or branch
 * before the epilogue. Instructions that are not known (VEX, three-byte opcodes) end the reading.
 */
#include <errno.h>
#include <string.h>

#include "prologue.h"
#include "reader.h"

#define DEPTH_MAX (1u << 20)

struct insn {
	uint8_t rex, opcode, is_two_byte, modrm;
	uint8_t has_16_bit_operand;
	int32_t immediate;
};

static int has_modrm(const struct insn *i)
{
	uint8_t op = i->opcode;

	if (i->is_two_byte)
		return (op & 0xf0) != 0x80 && op != 0x05 && op != 0x0b && op != 0xa2;
	return (op < 0x40 && (op & 7) < 4) || (op >= 0x80 && op <= 0x8f) || op == 0x63 ||
	       op == 0x69 || op == 0x6b || op == 0xc0 || op == 0xc1 || op == 0xc6 || op == 0xc7 ||
	       (op >= 0xd0 && op <= 0xd3) || op == 0xf6 || op == 0xf7 || op == 0xfe || op == 0xff;
}

/* Bytes of the immediate or jump distance; -1: not an instruction we know. */
static int immediate_bytes(const struct insn *i)
{
	int word = i->has_16_bit_operand ? 2 : 4;
	uint8_t op = i->opcode;

	if (i->is_two_byte) {
		if ((op & 0xf0) == 0x80)
			return 4;
		return op == 0x70 || op == 0xa4 || op == 0xac || op == 0xba || op == 0xc2 ||
		       op == 0xc6;
	}
	if (op < 0x40)
		return (op & 7) < 4 ? 0 : (op & 7) == 4 ? 1 : (op & 7) == 5 ? word : -1;
	switch (op) {
	case 0x50 ... 0x5f:
	case 0x63:
	case 0x84 ... 0x99:
	case 0xa4 ... 0xa7:
	case 0xaa ... 0xaf:
	case 0xc3:
	case 0xc9:
	case 0xcc:
	case 0xd0 ... 0xd3:
	case 0xf4:
	case 0xfe:
	case 0xff:
		return 0;
	case 0x6a:
	case 0x6b:
	case 0x70 ... 0x7f:
	case 0x80:
	case 0x83:
	case 0xa8:
	case 0xb0 ... 0xb7:
	case 0xc0:
	case 0xc1:
	case 0xc6:
	case 0xeb:
		return 1;
	case 0x68:
	case 0x69:
	case 0x81:
	case 0xa9:
	case 0xc7:
		return word;
	case 0xb8 ... 0xbf:
		return i->rex & 8 ? 8 : word;
	case 0xe8:
	case 0xe9:
		return 4;
	case 0xf6: /* test has an immediate, not and neg have none */
		return (i->modrm >> 3 & 7) < 2 ? 1 : 0;
	case 0xf7:
		return (i->modrm >> 3 & 7) < 2 ? word : 0;
	default:
		return -1;
	}
}

/* What ModRM says about memory: a SIB byte, a displacement. */
static void skip_address(struct reader *in, uint8_t modrm)
{
	uint8_t mod = modrm >> 6, rm = modrm & 7, base = rm;

	if (mod == 3)
		return;
	if (rm == 4)
		base = reader__u8(in) & 7;
	if (mod == 1)
		reader__skip(in, 1);
	else if (mod == 2 || base == 5)
		reader__skip(in, 4);
}

/* operand size, repeat, fs: and cs:, lock */
static int is_prefix(uint8_t byte)
{
	return byte == 0x66 || byte == 0xf2 || byte == 0xf3 || byte == 0x64 || byte == 0x2e ||
	       byte == 0xf0;
}

static int read_insn(struct reader *in, struct insn *ret_insn)
{
	struct insn i = {};
	uint8_t byte = reader__u8(in);
	int bytes;

	for (; is_prefix(byte); byte = reader__u8(in))
		i.has_16_bit_operand |= byte == 0x66;
	if ((byte & 0xf0) == 0x40) {
		i.rex = byte;
		byte = reader__u8(in);
	}
	if (byte == 0x0f) {
		i.is_two_byte = 1;
		byte = reader__u8(in);
		if (byte == 0x38 || byte == 0x3a)
			return -EINVAL;
	}
	i.opcode = byte;
	if (has_modrm(&i)) {
		i.modrm = reader__u8(in);
		skip_address(in, i.modrm);
	}
	bytes = immediate_bytes(&i);
	if (bytes < 0)
		return -EINVAL;
	if (bytes == 8)
		reader__skip(in, 8);
	else if (bytes)
		i.immediate = reader__sint(in, bytes);
	*ret_insn = i;
	return in->is_bad ? -EINVAL : 0;
}

static int is_register_push(const struct insn *i)
{
	return !i->is_two_byte && (i->opcode & 0xf8) == 0x50;
}

static int is_push(const struct insn *i)
{
	return is_register_push(i) ||
	       (!i->is_two_byte && (i->opcode == 0x6a || i->opcode == 0x68 ||
				    (i->opcode == 0xff && (i->modrm >> 3 & 7) == 6)));
}

static int is_pop(const struct insn *i)
{
	return !i->is_two_byte && (i->opcode & 0xf8) == 0x58;
}

static int is_call(const struct insn *i)
{
	return !i->is_two_byte &&
	       (i->opcode == 0xe8 || (i->opcode == 0xff && (i->modrm >> 3 & 7) == 2));
}

static int is_branch(const struct insn *i)
{
	return i->is_two_byte ? (i->opcode & 0xf0) == 0x80 : (i->opcode & 0xf0) == 0x70;
}

/* ret, jmp */
static int is_end(const struct insn *i)
{
	return !i->is_two_byte && (i->opcode == 0xc3 || i->opcode == 0xe9 || i->opcode == 0xeb ||
				   (i->opcode == 0xff && (i->modrm >> 3 & 7) == 4));
}

/* add or sub of a constant: how much deeper the stack is afterwards */
static int64_t rsp_change(const struct insn *i)
{
	if (i->is_two_byte || (i->opcode != 0x83 && i->opcode != 0x81) || i->rex != 0x48)
		return 0;
	return i->modrm == 0xec ? i->immediate : i->modrm == 0xc4 ? -(int64_t)i->immediate : 0;
}

/* Which followed register is pushed or popped; its number is the processor's, not DWARF's. */
static uint8_t slot_of(const struct insn *i)
{
	switch ((i->opcode & 7) | (i->rex & 1) << 3) {
	case 3:
		return SLOT_SAVED;
	case 5:
		return SLOT_BP;
	case 12 ... 15:
		return SLOT_SAVED + 1 + (((i->opcode & 7) | 8) - 12);
	default:
		return SLOT_NONE;
	}
}

struct state {
	struct prologue p;
	int64_t depth;
	int64_t settled; /* depth of the body: what it is again behind an epilogue */
	int after_call;
};

static void push(struct state *s, const struct insn *i)
{
	uint8_t slot = is_register_push(i) ? slot_of(i) : SLOT_NONE;

	s->depth += 8;
	if (slot != SLOT_NONE && !s->p.saved[slot])
		s->p.saved[slot] = s->depth + 8;
	s->settled = s->depth;
}

static void pop(struct state *s, const struct insn *i)
{
	s->depth -= 8;
	if (slot_of(i) == SLOT_NONE) /* into scratch: an argument taken off the stack */
		s->settled = s->depth;
}

static void move(struct state *s, int64_t change)
{
	s->depth += change;
	/* behind a call arguments are taken off the stack; else it is an epilogue that shrinks it */
	if (change > 0 || s->after_call)
		s->settled = s->depth;
}

static void follow(struct state *s, const struct insn *i)
{
	if (is_push(i))
		push(s, i);
	else if (is_pop(i))
		pop(s, i);
	else if (rsp_change(i))
		move(s, rsp_change(i));
	else if (is_call(i) || is_branch(i))
		s->settled = s->depth;
	else if (is_end(i))
		s->depth = s->settled;
	s->after_call = is_call(i);
}

int prologue__read(const uint8_t *code, size_t len, struct prologue *ret_prologue)
{
	struct reader in = reader__make(code, len);
	struct state state = {};
	struct insn insn;
	int err;

	while (reader__left(&in)) {
		err = read_insn(&in, &insn);
		if (err)
			return err;
		follow(&state, &insn);
		if (state.depth < 0 || state.depth > DEPTH_MAX)
			return -EINVAL;
	}
	*ret_prologue = state.p;
	ret_prologue->depth_bytes = state.depth;
	return 0;
}

/* call through a register or memory, `len` bytes long */
static int is_indirect_call(const uint8_t *end, size_t len)
{
	return end[-(ptrdiff_t)len] == 0xff && (end[1 - (ptrdiff_t)len] >> 3 & 7) == 2;
}

int prologue__ends_in_call(const uint8_t *code, size_t len)
{
	const uint8_t *end = code + len;

	return (len >= 5 && end[-5] == 0xe8) || (len >= 2 && is_indirect_call(end, 2)) ||
	       (len >= 3 && is_indirect_call(end, 3)) || (len >= 4 && is_indirect_call(end, 4)) ||
	       (len >= 6 && is_indirect_call(end, 6)) || (len >= 7 && is_indirect_call(end, 7));
}

int prologue__call_target(const uint8_t *code, size_t len, uint64_t address, uint64_t *ret_target)
{
	int32_t distance;

	if (len < 5 || code[len - 5] != 0xe8)
		return -EINVAL;
	memcpy(&distance, code + len - 4, sizeof(distance));
	*ret_target = address + distance;
	return 0;
}

int prologue__is_thread_start(const uint8_t *code, size_t len)
{
	/* xor ebp,ebp; pop rdi; call *r9 */
	static const uint8_t in_clone[] = {0x31, 0xed, 0x5f, 0x41, 0xff, 0xd1};

	return len >= sizeof(in_clone) &&
	       !memcmp(code + len - sizeof(in_clone), in_clone, sizeof(in_clone));
}

int prologue__is_signal_return(const uint8_t *code, size_t len)
{
	/* mov $15,rax; syscall */
	static const uint8_t sigreturn[] = {0x48, 0xc7, 0xc0, 15, 0, 0, 0, 0x0f, 0x05};

	return len >= sizeof(sigreturn) && !memcmp(code, sigreturn, sizeof(sigreturn));
}
