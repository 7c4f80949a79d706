/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * placement.h - which instruction of a function to probe.
 *
 * The kernel emulates a few instructions (branches, push) and single-steps all others, which costs
 * three times as much on bare metal and 13 to 30 times as much in a virtual machine. The probe goes
 * on the first emulated instruction of the entry block, if all before it leave the stack pointer
 * and the saved registers as the caller left them and the arguments in registers that are known, and
 * nothing in the function branches back to where the probe would be hit twice.
 *
 * Pure: works on the bytes of the function.
 */
#ifndef SEEP_PROBE_PLACEMENT_H
#define SEEP_PROBE_PLACEMENT_H

#include <stddef.h>
#include <stdint.h>

#define PLACEMENT_ARGS 3 /* arguments that may move before the probe */

struct placement {
	uint32_t offset; /* from the start of the function; 0 where nothing better was found */
	int is_emulated; /* the kernel does not single-step the instruction there */
	/* in which argument's register each argument is by then: its own, if nothing moved it */
	uint8_t args[PLACEMENT_ARGS];
};

/*
 * `code` is the function's `len` bytes (as many as are known), `machine` EM_X86_64 or EM_AARCH64,
 * arg_cnt how many integer arguments must still be there.
 */
void placement__find(uint16_t machine, const void *code, size_t len, int arg_cnt,
		     struct placement *ret_placement);

/*
 * The offsets of the instructions by which the function at `start` returns to its caller, in itself
 * or in those that it jumps to, as far as they are in the `len` bytes of `code`. 0 if there are none,
 * or more than `cap`. What it jumps to through memory is not followed.
 */
size_t placement__exits(uint16_t machine, const void *code, size_t len, size_t start,
			size_t *ret_offsets, size_t cap);

/*
 * Where the function goes if all it does is to jump: 1 and the target's distance from its start.
 * A jump through memory (into another file) is none.
 */
int placement__thunk(uint16_t machine, const void *code, size_t len, int64_t *ret_distance);

#endif /* SEEP_PROBE_PLACEMENT_H */
