// SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0-only)
/*
 * feat.bpf.c - calibration: one tiny program for each thing seep wants of a kernel.
 *
 * user/probe/feat.c loads them one at a time; that a program loads is the answer. None of them is
 * ever attached. The kernel that introduced each is named for the reader, never compared with.
 */
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

#include "compat.bpf.h"
#include "task.bpf.h"

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 4096);
} feat_ring SEC(".maps");

/* 5.5: BTF-typed raw tracepoints, and kmem:rss_stat itself. */
SEC("tp_btf/rss_stat")
int feat_rss_stat(u64 *ctx)
{
	return 0;
}

/* 4.17: raw tracepoints. */
SEC("raw_tp/sched_process_exit")
int feat_lifecycle(struct bpf_raw_tracepoint_args *ctx)
{
	struct task_struct *task = (void *)ctx->args[0];

	return BPF_CORE_READ(task, signal, live.counter) == 12345;
}

/* 4.14 as a tracepoint, with a task since 6.9. */
SEC("raw_tp/mark_victim")
int feat_oom(struct bpf_raw_tracepoint_args *ctx)
{
	return 0;
}

/* 5.8 */
SEC("raw_tp/sched_process_exec")
int feat_ringbuf(struct bpf_raw_tracepoint_args *ctx)
{
	u64 *slot = bpf_ringbuf_reserve(&feat_ring, sizeof(*slot), 0);

	if (slot)
		bpf_ringbuf_discard(slot, 0);
	return 0;
}

/* 5.8: task iterator. With it the exact sums: atomics to 6.1, per-CPU parts since (5.19 helper). */
SEC("iter/task")
int feat_iter(struct bpf_iter__task *ctx)
{
	s64 batched[SEEP_MM_CNT], pages[SEEP_MM_CNT];
	struct task_struct *task = ctx->task;
	struct mm_struct *mm;

	if (!task)
		return 0;
	if (has_percpu_rss() && !cpu_cnt)
		find_cpu_offsets();
	mm = BPF_CORE_READ(task, mm);
	if (mm)
		mm_read_exact(mm, task, batched, pages);
	return 0;
}

/* CONFIG_MEMCG: whose memory is it, and in which cgroup. */
SEC("raw_tp/sched_process_fork")
int feat_memcg(struct bpf_raw_tracepoint_args *ctx)
{
	struct task_struct *task = (void *)ctx->args[0];
	struct mm_struct *mm = BPF_CORE_READ(task, mm);

	return mm && task_cgroup_id(task) == 1 && mm_owner(mm) == task;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
