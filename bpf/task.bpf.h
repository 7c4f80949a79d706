/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0-only) */
/* task.bpf.h - who is it: task and mm -> (tgid, start time), memory cgroup, exact sizes. */
#ifndef SEEP_TASK_BPF_H
#define SEEP_TASK_BPF_H

#include "compat.bpf.h"

#define PF_KTHREAD 0x00200000

/* Upper bound for loops over CPUs. */
#define MAX_CPUS 1024

static __always_inline void task_id(struct task_struct *task, struct seep_task_id *id)
{
	id->tgid = BPF_CORE_READ(task, tgid);
	id->start_ns = BPF_CORE_READ(task, group_leader, start_boottime);
	id->pad = 0;
}

/*
 * The cgroup whose memory controller is charged for the task. On v1 that is its path in the
 * memory hierarchy, on v2 the nearest ancestor with the controller switched on.
 */
static __always_inline u64 css_set_cgroup_id(struct css_set *set)
{
	int memory = bpf_core_enum_value(enum cgroup_subsys_id, memory_cgrp_id);
	struct cgroup_subsys_state *css = NULL;

	bpf_core_read(&css, sizeof(css), &set->subsys[memory]);
	return css ? BPF_CORE_READ(css, cgroup, kn, id) : 0;
}

static __always_inline u64 task_cgroup_id(struct task_struct *task)
{
	return css_set_cgroup_id(BPF_CORE_READ(task, cgroups));
}

/*
 * The task an mm belongs to, whoever is changing it now (kswapd, khugepaged, a debugger,
 * process_vm_writev). NULL while the mm has no owner that runs on it: fork fills the child's
 * mm before the child has it (its task struct still says it is the parent), exec builds the new
 * one, exit tears down the old one. Those are accounted by the lifecycle events instead.
 * Kernels without CONFIG_MEMCG have neither owners nor memory cgroups, and refuse the programs.
 */
static __always_inline struct task_struct *mm_owner(struct mm_struct *mm)
{
	struct task_struct *owner = BPF_CORE_READ(mm, owner);

	if (!owner || BPF_CORE_READ(owner, mm) != mm)
		return NULL;
	return owner;
}

/* The owner with what a change is charged to. */
struct owner {
	struct task_struct *task;
	struct css_set *css_set;
	struct seep_task_id id;
};

/*
 * As mm_owner(), of an mm that the verifier knows: plain loads in place of 6 helper calls, each of
 * which costs as much as the rest of an event.
 */
static __always_inline bool find_owner(struct mm_struct *mm, struct owner *ret_owner)
{
	struct task_struct *task = mm->owner;

	if (!task || task->mm != mm)
		return false;
	ret_owner->task = task;
	ret_owner->css_set = task->cgroups;
	ret_owner->id.tgid = task->tgid;
	ret_owner->id.start_ns = task->group_leader->start_boottime;
	ret_owner->id.pad = 0;
	return true;
}

static __always_inline void mm_read_batched(struct mm_struct *mm, s64 count[SEEP_MM_CNT])
{
	count[SEEP_MM_FILE] = mm_batched_count(mm, SEEP_MM_FILE);
	count[SEEP_MM_ANON] = mm_batched_count(mm, SEEP_MM_ANON);
	count[SEEP_MM_SWAP] = mm_batched_count(mm, SEEP_MM_SWAP);
	count[SEEP_MM_SHMEM] = mm_batched_count(mm, SEEP_MM_SHMEM);
}

/*
 * Where each CPU's copy of per-CPU memory begins. A typed ksym would need a kernel that lists data
 * symbols (KALLSYMS_ALL); a per-CPU map of our own is always there: the address of its value on a
 * CPU less the per-CPU pointer it came from.
 */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, u32);
	__type(value, u64);
} seep_anchor SEC(".maps");

__u64 cpu_offset[MAX_CPUS];
__u32 cpu_cnt;
volatile __u64 anchor_address; /* through memory: turns a pointer into a number */

/* Called by the first poll; until then sums are good to a batch. */
static __always_inline void find_cpu_offsets(void)
{
	struct bpf_array *array;
	u64 base = 0;
	u32 zero = 0, cpu;
	void *here;

	anchor_address = (u64)&seep_anchor;
	array = (void *)anchor_address;
	bpf_core_read(&base, sizeof(base), &array->pptrs[0]);
	for (cpu = 0; cpu < MAX_CPUS; cpu++) {
		here = bpf_map_lookup_percpu_elem(&seep_anchor, &zero, cpu);
		if (!here)
			break;
		anchor_address = (u64)here;
		cpu_offset[cpu] = anchor_address - base;
	}
	cpu_cnt = cpu;
}

static __always_inline s64 percpu_part(s32 *parts, u64 offset)
{
	s32 part = 0;

	bpf_probe_read_kernel(&part, sizeof(part), (void *)parts + offset);
	return part;
}

static __always_inline void add_task_held(struct task_struct *task, s64 pages[SEEP_MM_CNT])
{
	pages[SEEP_MM_FILE] += task_held_count(task, SEEP_MM_FILE);
	pages[SEEP_MM_ANON] += task_held_count(task, SEEP_MM_ANON);
	pages[SEEP_MM_SWAP] += task_held_count(task, SEEP_MM_SWAP);
	pages[SEEP_MM_SHMEM] += task_held_count(task, SEEP_MM_SHMEM);
}

/*
 * Exact sums: the batched counts plus what is held back of them. Since 6.2 that is what each CPU
 * still holds (up to max(32, 2 * CPUs) pages, 4 reads a CPU), as percpu_counter_sum() would add;
 * before, what `task` holds, and the other tasks of the mm are for the caller to add. A sum may be
 * negative by what others hold, or because its parts are not read at one instant.
 */
static __always_inline void mm_read_exact(struct mm_struct *mm, struct task_struct *task,
					  s64 batched[SEEP_MM_CNT], s64 pages[SEEP_MM_CNT])
{
	s32 *file, *anon, *swap, *shmem;
	u64 offset;
	u32 cpu;
	int i;

	mm_read_batched(mm, batched);
	for (i = 0; i < SEEP_MM_CNT; i++)
		pages[i] = batched[i];
	if (has_task_rss())
		add_task_held(task, pages);
	if (!has_percpu_rss())
		return;
	file = mm_percpu_parts(mm, SEEP_MM_FILE);
	anon = mm_percpu_parts(mm, SEEP_MM_ANON);
	swap = mm_percpu_parts(mm, SEEP_MM_SWAP);
	shmem = mm_percpu_parts(mm, SEEP_MM_SHMEM);
	for (cpu = 0; cpu < MAX_CPUS && cpu < cpu_cnt; cpu++) {
		offset = cpu_offset[cpu];
		pages[SEEP_MM_FILE] += percpu_part(file, offset);
		pages[SEEP_MM_ANON] += percpu_part(anon, offset);
		pages[SEEP_MM_SWAP] += percpu_part(swap, offset);
		pages[SEEP_MM_SHMEM] += percpu_part(shmem, offset);
	}
}

#endif /* SEEP_TASK_BPF_H */
