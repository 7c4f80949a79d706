// SPDX-License-Identifier: BSD-2-Clause
/*
 * fuzz_code.c - machine code of the watched: the instruction decoder, where probes are placed by it,
 * and the reader of prologues that the unwinder falls back to.
 */
#include <elf.h>

#include "fuzz.h"
#include "probe/insn_x86.h"
#include "probe/placement.h"
#include "sym/prologue.h"

#define EXITS 16

static void decode_all(const uint8_t *code, size_t len)
{
	struct insn_x86 insn;
	size_t at;

	for (at = 0; at < len && !insn_x86__decode(code + at, len - at, &insn); at += insn.len)
		if (!insn.len || insn.len > 15 || insn.len > len - at)
			abort();
}

static void place(uint16_t machine, const uint8_t *code, size_t len)
{
	struct placement p;
	size_t exits[EXITS], cnt, i;
	int64_t distance;

	for (i = 0; i <= PLACEMENT_ARGS; i++) {
		placement__find(machine, code, len, i, &p);
		if (p.offset && p.offset >= len)
			abort();
	}
	cnt = placement__exits(machine, code, len, len / 3, exits, EXITS);
	if (cnt > EXITS)
		abort();
	for (i = 0; i < cnt; i++)
		if (exits[i] >= len)
			abort();
	placement__thunk(machine, code, len, &distance);
}

static void read_prologue(const uint8_t *code, size_t len)
{
	struct prologue p;
	uint64_t target;

	prologue__read(code, len, &p);
	prologue__ends_in_call(code, len);
	prologue__call_target(code, len, 0x401000, &target);
	prologue__is_thread_start(code, len);
	prologue__is_signal_return(code, len);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint8_t *copy = malloc(size ? size : 1);

	memcpy(copy, data, size);
	decode_all(copy, size);
	place(EM_X86_64, copy, size);
	place(EM_AARCH64, copy, size);
	read_prologue(copy, size);
	free(copy);
	return 0;
}
