/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0-only) */
/*
 * return.bpf.h - can this call's return be probed, here and now, without harm?
 *
 * For a return probe the kernel puts the address of its trampoline in place of the return address,
 * and remembers the true one in a list of the thread. Two things can go wrong with that, and both end
 * the process:
 *
 * - On x86 the trampoline is a system call (since 6.11). Where the thread's system calls are handed to
 *   somebody else (syscall user dispatch, PTRACE_SYSEMU) it never arrives. Seccomp filters let it
 *   pass; user space sees to kernels where they do not (uretprobe.h).
 * - The list is in the order of one stack. A call that begins above another one, on a signal's or a
 *   coroutine's stack, looks as if the other had been left by longjmp, and the kernel forgets it:
 *   once it does return, it returns to nowhere.
 *
 * With a session the program can decline; entry and return pairs (before 6.13) leave no choice.
 */
#ifndef SEEP_RETURN_BPF_H
#define SEEP_RETURN_BPF_H

#include "vmlinux.h"
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>

#if defined(__TARGET_ARCH_x86)

/* b86678cf0f1d ("x86: Reclaim unused x86 TI flags", 5.11) moved them here from the flags. */
enum syscall_work_bit {
	SYSCALL_WORK_BIT_SYSCALL_EMU = 3,
	SYSCALL_WORK_BIT_SYSCALL_USER_DISPATCH = 5,
};

struct thread_info___work {
	unsigned long syscall_work;
} __attribute__((preserve_access_index));

struct task_struct___work {
	struct thread_info___work thread_info;
} __attribute__((preserve_access_index));

static __always_inline bool are_syscalls_taken(void)
{
	struct task_struct___work *task = (void *)bpf_get_current_task();
	int emu, dispatch;

	if (!bpf_core_field_exists(task->thread_info.syscall_work))
		return false;
	emu = bpf_core_enum_value(enum syscall_work_bit, SYSCALL_WORK_BIT_SYSCALL_EMU);
	dispatch = bpf_core_enum_value(enum syscall_work_bit,
				       SYSCALL_WORK_BIT_SYSCALL_USER_DISPATCH);
	return BPF_CORE_READ(task, thread_info.syscall_work) & (1UL << emu | 1UL << dispatch);
}

/* Where the trampoline is mapped. */
struct xol_area {
	unsigned long vaddr;
} __attribute__((preserve_access_index));

struct uprobes_state {
	struct xol_area *xol_area;
} __attribute__((preserve_access_index));

struct mm_struct___uprobes {
	struct uprobes_state uprobes_state;
} __attribute__((preserve_access_index));

/* Does the trampoline's address still stand where a call was made with this stack pointer? */
static __always_inline bool is_hijacked(u64 sp)
{
	struct task_struct *task = (void *)bpf_get_current_task();
	struct mm_struct___uprobes *mm = (void *)BPF_CORE_READ(task, mm);
	u64 trampoline = BPF_CORE_READ(mm, uprobes_state.xol_area, vaddr), word = 0;

	bpf_probe_read_user(&word, sizeof(word), (void *)sp);
	return trampoline && word == trampoline;
}

/* A call made at `pending_sp` has not been seen to return. May it still do so, from another stack? */
static __always_inline bool is_suspended(u64 pending_sp, u64 sp)
{
	return is_hijacked(pending_sp);
}

#elif defined(__TARGET_ARCH_arm64)

/* A breakpoint, no system call. */
static __always_inline bool are_syscalls_taken(void)
{
	return false;
}

struct task_struct___sas {
	unsigned long sas_ss_sp, sas_ss_size;
} __attribute__((preserve_access_index));

/* The return address is in a register first: only signals' stacks can be told. */
static __always_inline bool is_suspended(u64 pending_sp, u64 sp)
{
	struct task_struct___sas *task = (void *)bpf_get_current_task();
	u64 lo = BPF_CORE_READ(task, sas_ss_sp), bytes = BPF_CORE_READ(task, sas_ss_size);

	return sp - lo < bytes && pending_sp - lo >= bytes;
}

#endif

#endif /* SEEP_RETURN_BPF_H */
