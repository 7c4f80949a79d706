/* SPDX-License-Identifier: BSD-2-Clause */
/* user_stack.h - how much of a target's stacks bpf/stack.bpf.h may copy. */
#ifndef SEEP_PROBE_USER_STACK_H
#define SEEP_PROBE_USER_STACK_H

#include <stdint.h>
#include <sys/types.h>

/* Bytes (0: 16384) in the grain of the copies, cut to their bound. */
uint32_t user_stack__chunks(unsigned bytes);
/* Where the main thread's stack begins: startstack in /proc/PID/stat; 0 = not told. */
uint64_t user_stack__main_end(pid_t pid);

#endif /* SEEP_PROBE_USER_STACK_H */
