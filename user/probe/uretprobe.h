/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * uretprobe.h - do this kernel's return probes leave confined processes alive?
 *
 * On x86-64 a return probe ends in a system call, since ff474a78cef5 ("uprobe: Add uretprobe syscall
 * to speed up return probe", 6.11). Until cf6cb56ef244 ("seccomp: passthrough uretprobe systemcall
 * without filtering", 6.14 and stable kernels since) a seccomp filter got to see it: a program that
 * lists the calls it needs, as nearly every container's profile does, was killed by the first one.
 */
#ifndef SEEP_PROBE_URETPROBE_H
#define SEEP_PROBE_URETPROBE_H

/*
 * 1: its return probes end in no system call, or in one that no filter sees. Tried once, in a child of
 * our own; what cannot be found out counts as 0.
 */
int uretprobe__pass_filters(void);

#endif /* SEEP_PROBE_URETPROBE_H */
