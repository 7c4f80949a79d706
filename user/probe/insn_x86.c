// SPDX-License-Identifier: BSD-2-Clause
#include "insn_x86.h"

#include <string.h>

#define INSN_LEN_MAX 15

#define REX_W 8
#define REX_R 4
#define REX_B 1

/*
 * What follows an opcode, one letter each, 16 a line:
 *   .  nothing                 m  ModRM
 *   b  1 byte                  B  ModRM and 1 byte
 *   w  2 bytes                 z  4 bytes, 2 with prefix 66
 *   Z  ModRM and z             v  8 bytes with REX.W, else z
 *   j  branch of 1 byte        J  branch of 4 bytes
 *   o  8 bytes (an address)    e  3 bytes (enter)
 *   g  ModRM; with /0 and /1 also 1 byte      G  the same with z
 *   x  no instruction in 64-bit code, or a prefix or escape that is handled before
 */
static const char one_byte[] =
	"mmmmbzxxmmmmbzxx" /* 00 */
	"mmmmbzxxmmmmbzxx" /* 10 */
	"mmmmbzxxmmmmbzxx" /* 20 */
	"mmmmbzxxmmmmbzxx" /* 30 */
	"xxxxxxxxxxxxxxxx" /* 40 */
	"................" /* 50 */
	"xxxmxxxxzZbB...." /* 60 */
	"jjjjjjjjjjjjjjjj" /* 70 */
	"BZxBmmmmmmmmmmmm" /* 80 */
	"..........x....." /* 90 */
	"oooo....bz......" /* a0 */
	"bbbbbbbbvvvvvvvv" /* b0 */
	"BBw.xxBZe.w..bx." /* c0 */
	"mmmmxxx.mmmmmmmm" /* d0 */
	"jjjjbbbbJJxj...." /* e0 */
	"x.xx..gG......mm" /* f0 */;

static const char two_byte[] =
	"mmmmx.....x.xmxx" /* 00 */
	"mmmmmmmmmmmmmmmm" /* 10 */
	"mmmmxxxxmmmmmmmm" /* 20 */
	"......x.xxxxxxxx" /* 30 */
	"mmmmmmmmmmmmmmmm" /* 40 */
	"mmmmmmmmmmmmmmmm" /* 50 */
	"mmmmmmmmmmmmmmmm" /* 60 */
	"BBBBmmm.mmxxmmmm" /* 70 */
	"JJJJJJJJJJJJJJJJ" /* 80 */
	"mmmmmmmmmmmmmmmm" /* 90 */
	"...mBmxx...mBmmm" /* a0 */
	"mmmmmmmmmmBmmmmm" /* b0 */
	"mmBmBBBm........" /* c0 */
	"mmmmmmmmmmmmmmmm" /* d0 */
	"mmmmmmmmmmmmmmmm" /* e0 */
	"mmmmmmmmmmmmmmmm" /* f0 */;

/* Decoding state: where we are, and what the prefixes said. */
struct cursor {
	const uint8_t *code;
	size_t len, at;
	uint8_t rex;
	int is_16bit;
};

static int peek(const struct cursor *c)
{
	return c->at < c->len ? c->code[c->at] : -1;
}

static int next(struct cursor *c)
{
	int byte = peek(c);

	c->at++;
	return byte;
}

static int is_prefix(int byte)
{
	switch (byte) {
	case 0x26: case 0x2e: case 0x36: case 0x3e: case 0x64: case 0x65:
	case 0x66: case 0x67: case 0xf0: case 0xf2: case 0xf3:
		return 1;
	default:
		return 0;
	}
}

static void skip_prefixes(struct cursor *c)
{
	for (; is_prefix(peek(c)); c->at++)
		c->is_16bit |= peek(c) == 0x66;
	if (peek(c) >= 0x40 && peek(c) <= 0x4f)
		c->rex = next(c);
}

/* VEX (c5, c4) and EVEX (62): sets map and opcode. */
static int read_vex(struct cursor *c, struct insn_x86 *in)
{
	int lead = next(c), payload = next(c), opcode;

	in->is_vex = 1;
	in->map = lead == 0xc5 ? 1 : payload & (lead == 0xc4 ? 0x1f : 0x07);
	c->at += lead == 0xc4 ? 1 : lead == 0x62 ? 2 : 0;
	opcode = next(c);
	in->opcode = opcode;
	return opcode < 0 || !in->map || in->map > 7 ? -1 : 0;
}

static int read_opcode(struct cursor *c, struct insn_x86 *in)
{
	int byte = peek(c);

	if (byte == 0xc4 || byte == 0xc5 || byte == 0x62)
		return read_vex(c, in);
	byte = next(c);
	if (byte == 0x0f) {
		in->map = 1;
		byte = next(c);
	}
	if (in->map && (byte == 0x38 || byte == 0x3a)) {
		in->map = byte == 0x38 ? 2 : 3;
		byte = next(c);
	}
	in->opcode = byte;
	in->opcode_reg = (byte & 7) | (c->rex & REX_B ? 8 : 0);
	return byte < 0 ? -1 : 0;
}

static void read_modrm(struct cursor *c, struct insn_x86 *in)
{
	int modrm = next(c), base;

	in->has_modrm = 1;
	in->mod = modrm >> 6 & 3;
	in->reg_field = modrm >> 3 & 7;
	in->reg = in->reg_field | (c->rex & REX_R ? 8 : 0);
	in->rm = (modrm & 7) | (c->rex & REX_B ? 8 : 0);
	if (in->mod == 3)
		return;
	base = modrm & 7;
	if (base == 4)
		base = next(c) & 7;
	else if (in->mod == 0 && base == 5)
		c->at += 4; /* relative to rip */
	if (in->mod == 0 && base == 5 && (modrm & 7) == 4)
		c->at += 4;
	else if (in->mod)
		c->at += in->mod == 1 ? 1 : 4;
}

static size_t z_bytes(const struct cursor *c)
{
	return c->is_16bit && !(c->rex & REX_W) ? 2 : 4;
}

static void read_branch(struct cursor *c, struct insn_x86 *in, size_t bytes)
{
	int8_t d8;

	in->is_branch = 1;
	if (c->at + bytes > c->len) {
		c->at += bytes;
		return;
	}
	d8 = c->code[c->at];
	in->displacement = d8; /* with its sign: NOLINT(bugprone-signed-char-misuse) */
	if (bytes == 4)
		memcpy(&in->displacement, c->code + c->at, 4);
	c->at += bytes;
}

static char operand_of(const struct insn_x86 *in)
{
	if (in->is_vex)
		return in->map == 3 ? 'B' : in->map == 1 && in->opcode == 0x77 ? '.' :
		       in->map == 1 && two_byte[in->opcode] == 'B' ? 'B' : 'm';
	if (in->map == 0)
		return one_byte[in->opcode];
	if (in->map == 1)
		return two_byte[in->opcode];
	return in->map == 2 ? 'm' : 'B';
}

static int read_operands(struct cursor *c, struct insn_x86 *in)
{
	char op = operand_of(in);

	if (op == 'x')
		return -1;
	if (op == 'm' || op == 'B' || op == 'Z' || op == 'g' || op == 'G')
		read_modrm(c, in);
	if (op == 'b' || op == 'B' || (op == 'g' && in->reg_field <= 1))
		c->at += 1;
	else if (op == 'w')
		c->at += 2;
	else if (op == 'e')
		c->at += 3;
	else if (op == 'o')
		c->at += 8;
	else if (op == 'v')
		c->at += c->rex & REX_W ? 8 : z_bytes(c);
	else if (op == 'z' || op == 'Z' || (op == 'G' && in->reg_field <= 1))
		c->at += z_bytes(c);
	else if (op == 'j' || op == 'J')
		read_branch(c, in, op == 'j' ? 1 : 4);
	return 0;
}

int insn_x86__decode(const uint8_t *code, size_t len, struct insn_x86 *ret_insn)
{
	struct cursor c = {.code = code, .len = len < INSN_LEN_MAX ? len : INSN_LEN_MAX};

	memset(ret_insn, 0, sizeof(*ret_insn));
	skip_prefixes(&c);
	ret_insn->prefix_len = c.at;
	if (read_opcode(&c, ret_insn) || read_operands(&c, ret_insn) || c.at > c.len)
		return -1;
	ret_insn->len = c.at;
	return 0;
}
