/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * sample.h - what one poll says of one process: the arrow from probe/ to series/.
 *
 * Bytes, not pages, from here on. Produced by the poller from the kernel's task iterator, or by
 * /proc where BPF cannot be used; consumers do not see the difference but for `flags`.
 */
#ifndef SEEP_PROBE_SAMPLE_H
#define SEEP_PROBE_SAMPLE_H

#include <stdint.h>
#include <linux/types.h>
#include <seep/rss.h>

struct proc_sample {
	struct seep_task_id id;
	uint64_t cgroup_id;       /* memory controller; 0 = unknown */
	uint64_t file_bytes;
	uint64_t anon_bytes;
	uint64_t swap_bytes;
	uint64_t shmem_bytes;
	uint64_t hwm_bytes;       /* highest anon + swap since the last poll */
	uint64_t lwm_bytes;       /* lowest, batch-grained; never above the exact sum */
	uint64_t cpu_ns;          /* user + system of all threads, since start */
	uint64_t faults;          /* minor + major, since start */
	uint64_t events;          /* counter moves since the last poll */
	uint32_t ppid;
	uint32_t uid;
	uint32_t threads;
	uint32_t flags;           /* enum seep_proc_flag */
	char comm[SEEP_COMM_LEN];
};

/* What the detector judges of a process. Shared memory counts where it is resident. */
static inline uint64_t proc_sample__signal_bytes(const struct proc_sample *s)
{
	return s->anon_bytes + s->swap_bytes + s->shmem_bytes;
}

static inline uint64_t proc_sample__rss_bytes(const struct proc_sample *s)
{
	return s->file_bytes + s->anon_bytes + s->shmem_bytes;
}

#endif /* SEEP_PROBE_SAMPLE_H */
