/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * expression.c - the stack machine of DWARF, without what only variables need.
 *
 * Compilers and assemblers use few of these: PLT stubs compute with breg/and/ge/shl/plus, signal
 * frames and realigned stacks add offsets and dereference. Steps and stack are bounded.
 */
#include <errno.h>

#include "expression.h"
#include "reader.h"

#define STEPS_MAX 256
#define STACK_MAX 32

enum {
	OP_ADDR = 0x03, OP_DEREF = 0x06, OP_CONST1U = 0x08, OP_CONSTU = 0x10, OP_CONSTS = 0x11,
	OP_DUP = 0x12, OP_DROP = 0x13, OP_OVER = 0x14, OP_PICK = 0x15, OP_SWAP = 0x16,
	OP_ROT = 0x17, OP_ABS = 0x19, OP_AND = 0x1a, OP_DIV = 0x1b, OP_MINUS = 0x1c,
	OP_MOD = 0x1d, OP_MUL = 0x1e, OP_NEG = 0x1f, OP_NOT = 0x20, OP_OR = 0x21,
	OP_PLUS = 0x22, OP_PLUS_UCONST = 0x23, OP_SHL = 0x24, OP_SHR = 0x25, OP_SHRA = 0x26,
	OP_XOR = 0x27, OP_BRA = 0x28, OP_EQ = 0x29, OP_GE = 0x2a, OP_GT = 0x2b, OP_LE = 0x2c,
	OP_LT = 0x2d, OP_NE = 0x2e, OP_SKIP = 0x2f, OP_LIT0 = 0x30, OP_BREG0 = 0x70,
	OP_BREGX = 0x92, OP_DEREF_SIZE = 0x94, OP_NOP = 0x96,
};

struct evaluation {
	const uint8_t *begin;
	struct reader in;
	const struct expression_env *env;
	uint64_t stack[STACK_MAX];
	unsigned depth;
	int err;
};

static void push(struct evaluation *v, uint64_t value)
{
	if (v->depth == STACK_MAX)
		v->err = -EINVAL;
	else
		v->stack[v->depth++] = value;
}

static uint64_t pop(struct evaluation *v)
{
	if (!v->depth) {
		v->err = -EINVAL;
		return 0;
	}
	return v->stack[--v->depth];
}

static void pick(struct evaluation *v, unsigned below)
{
	if (below >= v->depth)
		v->err = -EINVAL;
	else
		push(v, v->stack[v->depth - 1 - below]);
}

/* The top becomes third. */
static void rotate(struct evaluation *v)
{
	uint64_t a = pop(v), b = pop(v), c = pop(v);

	push(v, a);
	push(v, c);
	push(v, b);
}

static void dereference(struct evaluation *v, size_t len)
{
	uint64_t address = pop(v), value = 0;

	if (len < 1 || len > 8)
		v->err = -EINVAL;
	if (!v->err)
		v->err = v->env->read_memory(v->env->ctx, address, len, &value);
	push(v, value);
}

static void push_register(struct evaluation *v, uint64_t number)
{
	int64_t offset = reader__sleb(&v->in);
	uint64_t value = 0;

	if (!v->err)
		v->err = v->env->read_register(v->env->ctx, number, &value);
	push(v, value + offset);
}

static void jump(struct evaluation *v, int taken)
{
	int64_t delta = reader__sint(&v->in, 2);
	int64_t at = v->in.p - v->begin;

	if (!taken)
		return;
	if (at + delta < 0 || at + delta > v->in.end - v->begin)
		v->err = -EINVAL;
	else
		v->in.p = v->begin + at + delta;
}

static uint64_t divide(struct evaluation *v, int64_t a, int64_t b)
{
	if (!b)
		v->err = -EINVAL;
	if (!b || b == -1) /* the quotient of INT64_MIN and -1 does not fit */
		return 0 - (uint64_t)a;
	return a / b;
}

static uint64_t modulo(struct evaluation *v, uint64_t a, uint64_t b)
{
	if (!b)
		v->err = -EINVAL;
	return b ? a % b : 0;
}

static void run_binary(struct evaluation *v, uint8_t op)
{
	uint64_t b = pop(v), a = pop(v);
	int64_t sa = a, sb = b;

	switch (op) {
	case OP_AND:   push(v, a & b); break;
	case OP_DIV:   push(v, divide(v, sa, sb)); break;
	case OP_MINUS: push(v, a - b); break;
	case OP_MOD:   push(v, modulo(v, a, b)); break;
	case OP_MUL:   push(v, a * b); break;
	case OP_OR:    push(v, a | b); break;
	case OP_PLUS:  push(v, a + b); break;
	case OP_SHL:   push(v, b < 64 ? a << b : 0); break;
	case OP_SHR:   push(v, b < 64 ? a >> b : 0); break;
	case OP_SHRA:  push(v, sa >> (b < 64 ? b : 63)); break;
	case OP_XOR:   push(v, a ^ b); break;
	case OP_EQ:    push(v, sa == sb); break;
	case OP_GE:    push(v, sa >= sb); break;
	case OP_GT:    push(v, sa > sb); break;
	case OP_LE:    push(v, sa <= sb); break;
	case OP_LT:    push(v, sa < sb); break;
	case OP_NE:    push(v, sa != sb); break;
	default:       v->err = -EINVAL;
	}
}

static void run_unary(struct evaluation *v, uint8_t op)
{
	uint64_t a = pop(v), b;

	switch (op) {
	case OP_ABS:	     push(v, (int64_t)a < 0 ? 0 - a : a); break;
	case OP_NEG:	     push(v, 0 - a); break;
	case OP_NOT:	     push(v, ~a); break;
	case OP_PLUS_UCONST: push(v, a + reader__uleb(&v->in)); break;
	case OP_BRA:	     jump(v, !!a); break;
	case OP_DROP:	     break;
	default: /* OP_SWAP */
		b = pop(v);
		push(v, a);
		push(v, b);
	}
}

/* const1u, const1s, const2u, ... const8s: size and sign alternate. */
static void push_constant(struct evaluation *v, uint8_t op)
{
	size_t len = 1u << (op - OP_CONST1U) / 2;

	push(v, (op - OP_CONST1U) % 2 ? (uint64_t)reader__sint(&v->in, len)
				      : reader__uint(&v->in, len));
}

static void step(struct evaluation *v)
{
	uint8_t op = reader__u8(&v->in);

	switch (op) {
	case OP_ADDR:
		push(v, reader__uint(&v->in, 8));
		break;
	case OP_DEREF:
		dereference(v, 8);
		break;
	case OP_DEREF_SIZE:
		dereference(v, reader__u8(&v->in));
		break;
	case OP_CONST1U ... OP_CONSTU - 1:
		push_constant(v, op);
		break;
	case OP_CONSTU:
		push(v, reader__uleb(&v->in));
		break;
	case OP_CONSTS:
		push(v, reader__sleb(&v->in));
		break;
	case OP_DUP:
		pick(v, 0);
		break;
	case OP_OVER:
		pick(v, 1);
		break;
	case OP_PICK:
		pick(v, reader__u8(&v->in));
		break;
	case OP_ROT:
		rotate(v);
		break;
	case OP_DROP:
	case OP_SWAP:
	case OP_ABS:
	case OP_NEG:
	case OP_NOT:
	case OP_PLUS_UCONST:
	case OP_BRA:
		run_unary(v, op);
		break;
	case OP_SKIP:
		jump(v, 1);
		break;
	case OP_LIT0 ... OP_LIT0 + 31:
		push(v, op - OP_LIT0);
		break;
	case OP_BREG0 ... OP_BREG0 + 31:
		push_register(v, op - OP_BREG0);
		break;
	case OP_BREGX:
		push_register(v, reader__uleb(&v->in));
		break;
	case OP_NOP:
		break;
	default:
		run_binary(v, op);
	}
}

int expression__eval(const void *bytes, size_t len, const struct expression_env *env,
		     const uint64_t *push_first, uint64_t *ret_value)
{
	struct evaluation v = {.begin = bytes, .in = reader__make(bytes, len), .env = env};
	unsigned steps;

	if (push_first)
		push(&v, *push_first);
	for (steps = 0; reader__left(&v.in) && !v.err; steps++) {
		if (steps == STEPS_MAX)
			return -EINVAL;
		step(&v);
	}
	if (v.err || v.in.is_bad || !v.depth)
		return v.err ? v.err : -EINVAL;
	*ret_value = v.stack[v.depth - 1];
	return 0;
}
