/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * proc_scan.h - the poll without BPF: every process's sizes out of /proc.
 *
 * About 20 us a process (three small files), start times good to a clock tick, no thread or
 * cgroup ids, nothing between two polls.
 */
#ifndef SEEP_PROBE_PROC_SCAN_H
#define SEEP_PROBE_PROC_SCAN_H

#include "sample.h"

/* One process; 0, -ENOENT when it is gone, 1 for a kernel thread or a zombie, -EOVERFLOW when it
 * is in too many groups. */
int proc_scan__one(const char *proc_dir, uint32_t pid, struct proc_sample *ret_sample);

typedef int (*proc_scan_fn)(void *ctx, const struct proc_sample *s); /* non-zero stops */

/* All processes. 0, -errno, or what fn returned. ret_errors counts unreadable entries. */
int proc_scan__all(const char *proc_dir, proc_scan_fn fn, void *ctx, uint64_t *ret_errors);

#endif /* SEEP_PROBE_PROC_SCAN_H */
