/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0-only) */
/* arch.h - what differs on arm64: the registers a probe sees. */
#ifndef SEEP_VMLINUX_ARM64_H
#define SEEP_VMLINUX_ARM64_H

struct user_pt_regs {
	unsigned long long regs[31];
	unsigned long long sp, pc, pstate;
} __attribute__((preserve_access_index));

struct pt_regs {
	union {
		struct user_pt_regs user_regs;
		struct {
			unsigned long long regs[31];
			unsigned long long sp, pc, pstate;
		};
	};
} __attribute__((preserve_access_index));

#endif
