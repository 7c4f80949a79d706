/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0-only) */
/*
 * task_id.h - the name of a process that no reuse of pids can mix up.
 *
 * Part of the kernel/user contract: plain fixed-size types only, no includes of its own.
 * Includers provide __u32/__u64 (vmlinux.h in BPF, <linux/types.h> in user space).
 */
#ifndef SEEP_TASK_ID_H
#define SEEP_TASK_ID_H

struct seep_task_id {
	__u64 start_ns; /* start_boottime of the thread-group leader, CLOCK_BOOTTIME */
	__u32 tgid;     /* in the initial pid namespace */
	__u32 pad;      /* always 0: the struct is a hash key */
};

#endif /* SEEP_TASK_ID_H */
