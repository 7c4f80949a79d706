// SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0-only)
/*
 * peers.bpf.c - how following RSS is usually written, to be measured beside bpf/rss.bpf.c.
 *
 * The same work as the reader of such a tool would do it: one hash update an event, from the
 * event's own arguments. On the classic tracepoint each event also sums all CPUs' counters before
 * any program runs; the empty program shows what that alone costs.
 */
#include "vmlinux.h"
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

#define MEMBERS 4

struct size {
	s64 pages[MEMBERS];
};

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 16384);
	__type(key, u32);
	__type(value, struct size);
} sizes SEC(".maps");

static __always_inline int store(u32 member, s64 pages)
{
	u32 tgid = bpf_get_current_pid_tgid() >> 32;
	struct size fresh = {}, *size;

	if (member >= MEMBERS)
		return 0;
	size = bpf_map_lookup_elem(&sizes, &tgid);
	if (size)
		fresh = *size;
	fresh.pages[member] = pages;
	bpf_map_update_elem(&sizes, &tgid, &fresh, BPF_ANY);
	return 0;
}

struct mm_struct___percpu {
	struct percpu_counter rss_stat[MEMBERS];
} __attribute__((preserve_access_index));

/* Since 6.2 (f1a7941243c1) the count is read from the mm; constant indices for the verifier. */
SEC("tp_btf/rss_stat")
int naive_btf(u64 *ctx)
{
	struct mm_struct___percpu *mm = (void *)ctx[0];

	switch (ctx[1]) {
	case 0:
		return store(0, mm->rss_stat[0].count);
	case 1:
		return store(1, mm->rss_stat[1].count);
	case 2:
		return store(2, mm->rss_stat[2].count);
	case 3:
		return store(3, mm->rss_stat[3].count);
	}
	return 0;
}

/* What it costs that any program runs at all. */
SEC("tp_btf/rss_stat")
int empty_btf(u64 *ctx)
{
	return 0;
}

/* The format file's fields, after the 8 bytes common to all tracepoints. */
struct rss_stat_args {
	u64 common;
	u32 mm_id;
	u32 curr;
	s32 member;
	s64 size;
};

SEC("tracepoint/kmem/rss_stat")
int classic_hash(struct rss_stat_args *args)
{
	return store(args->member, args->size);
}

SEC("tracepoint/kmem/rss_stat")
int classic_empty(struct rss_stat_args *args)
{
	return 0;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
