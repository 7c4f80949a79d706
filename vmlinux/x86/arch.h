/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0-only) */
/* arch.h - what differs on x86-64: the registers a probe sees. */
#ifndef SEEP_VMLINUX_X86_H
#define SEEP_VMLINUX_X86_H

struct pt_regs {
	unsigned long r15, r14, r13, r12, bp, bx;
	unsigned long r11, r10, r9, r8, ax, cx, dx, si, di;
	unsigned long orig_ax, ip, cs, flags, sp, ss;
} __attribute__((preserve_access_index));

#endif
