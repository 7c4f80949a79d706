/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0-only) */
/* map.bpf.h - counters by reason, kept per CPU and summed by user space. */
#ifndef SEEP_MAP_BPF_H
#define SEEP_MAP_BPF_H

#include "vmlinux.h"
#include <bpf/bpf_helpers.h>
#include <seep/rss.h>

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, SEEP_STAT_CNT);
	__type(key, u32);
	__type(value, u64);
} seep_stats SEC(".maps");

static __always_inline void count(enum seep_stat stat)
{
	u32 key = stat;
	u64 *value = bpf_map_lookup_elem(&seep_stats, &key);

	if (value)
		*value += 1;
}

#endif /* SEEP_MAP_BPF_H */
