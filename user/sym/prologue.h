/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * prologue.h - how far a function has moved its stack pointer, read from its x86-64 code.
 *
 * For libraries built without unwind tables (musl). A guess: it holds where all pushes stand in
 * front of the first call, so whoever uses it checks what it leads to.
 */
#ifndef SEEP_SYM_PROLOGUE_H
#define SEEP_SYM_PROLOGUE_H

#include <stddef.h>
#include <stdint.h>

#include "cfi.h"

struct prologue {
	uint64_t depth_bytes;	/* between the return address and the stack pointer */
	int32_t saved[SLOT_CNT]; /* where a register was pushed, from the CFA down; 0 = it was not */
};

/* code: from the function's first byte up to where it stands. 0; -EINVAL: not understood. */
int prologue__read(const uint8_t *code, size_t len, struct prologue *ret_prologue);
/* 1 if the bytes before a return address can be a call. */
int prologue__ends_in_call(const uint8_t *code, size_t len);
/* Where the call goes that ends at `address`, the end of the code. 0; -EINVAL: not a direct call. */
int prologue__call_target(const uint8_t *code, size_t len, uint64_t address, uint64_t *ret_target);
/* 1 if the code ends in the call with which musl's clone begins a thread. */
int prologue__is_thread_start(const uint8_t *code, size_t len);
/* 1 if the code begins as the function does that signal handlers return to. */
int prologue__is_signal_return(const uint8_t *code, size_t len);

#endif /* SEEP_SYM_PROLOGUE_H */
