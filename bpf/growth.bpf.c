// SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0-only)
/*
 * growth.bpf.c - who makes one process grow: call stacks at new heights of its anonymous memory.
 *
 * kmem:rss_stat is compared with the target's mm and member first, so that everybody else pays two
 * comparisons. Each time the batched count passes its highest by a step, the thread that did it
 * leaves its stack, and is charged with all growth since the step before: churn below the mark
 * costs nothing and is charged to nobody. The count is batched (see rss.bpf.c), so a step is
 * noticed up to a batch late, by the thread whose fault filled the batch; over many steps each
 * call site gets its share.
 *
 * Works for every language and allocator, since all memory comes to life by a page fault; but
 * what is freed again below the mark is not seen.
 */
#include "vmlinux.h"
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>
#include <seep/growth.h>

#include "compat.bpf.h"
#include "stack.bpf.h"

#define MARK_TRIES 8

/* Set by the loader before load. */
const volatile __u32 target_tgid = 0;
const volatile __u64 page_bytes = 4096;
const volatile __u64 gap_ns = 0; /* between two steps, at least */

/* Changed by user space as it likes. */
__s64 step_pages = 64;

/* Found by seep_find. */
__u64 target_mm;
__u64 target_start_ns;
__u32 target_state;

__s64 mark_pages; /* the highest that was charged to somebody */
__s64 next_pages; /* where to look up again */
__u64 last_ns;	  /* of the last step */

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 256 * 1024);
} seep_steps SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, SEEP_GROWTH_STAT_CNT);
	__type(key, u32);
	__type(value, u64);
} seep_gstats SEC(".maps");

/* Keeps the record's type in the object's BTF, for the test of the contract. */
struct seep_growth_step *unused_step __attribute__((unused));

static __always_inline void add(enum seep_growth_stat stat, u64 n)
{
	u32 key = stat;
	u64 *value = bpf_map_lookup_elem(&seep_gstats, &key);

	if (value)
		*value += n;
}

static __always_inline void count_stack(enum stack_event event)
{
	if (event == STACK_SENT)
		add(SEEP_GROWTH_STAT_STACKS, 1);
	else if (event == STACK_RING_FULL)
		add(SEEP_GROWTH_STAT_STACK_RING_FULL, 1);
	else
		add(SEEP_GROWTH_STAT_BAD_STACK, 1);
}

/* An mm may be another's since it was found, and others may change the target's. */
static __always_inline bool is_own_doing(struct task_struct *task)
{
	return (u64)task->mm == target_mm && (u32)task->tgid == target_tgid &&
	       task->group_leader->start_boottime == target_start_ns;
}

static __always_inline void send_step(u64 stack_id, u64 now, u64 from, u64 to)
{
	struct seep_growth_step *rec = bpf_ringbuf_reserve(&seep_steps, sizeof(*rec), 0);

	if (!rec) {
		add(SEEP_GROWTH_STAT_RING_FULL_BYTES, to - from);
		return;
	}
	rec->stack_id = stack_id;
	rec->at_ns = now;
	rec->from_bytes = from;
	rec->to_bytes = to;
	rec->tid = bpf_get_current_pid_tgid();
	rec->pad = 0;
	bpf_ringbuf_submit(rec, BPF_RB_NO_WAKEUP);
}

/*
 * Take what lies between the mark and `value`: CPUs that come here together get different parts of
 * it, whichever of them sends its step first. Who comes late gets nothing (`value` is returned),
 * and what nobody could take is left to the next step.
 */
static __always_inline s64 raise_mark(s64 value)
{
	s64 mark = mark_pages, seen;
	int i;

	for (i = 0; i < MARK_TRIES && mark < value; i++) {
		seen = __sync_val_compare_and_swap(&mark_pages, mark, value);
		if (seen == mark)
			return mark;
		mark = seen;
	}
	return value;
}

static __noinline int on_step(s64 value, u64 now)
{
	struct task_struct *task = bpf_get_current_task_btf();
	u64 from = raise_mark(value) * page_bytes, to = value * page_bytes;
	struct pt_regs *regs;

	if (from == to)
		return 0;
	last_ns = now;
	if (!is_own_doing(task)) {
		add(SEEP_GROWTH_STAT_FOREIGN_BYTES, to - from);
		return 0;
	}
	/* dd6e10fbd9fb ("bpf: Add bpf_task_pt_regs() helper", 5.15) */
	regs = (struct pt_regs *)bpf_task_pt_regs(task);
	send_step(capture(regs, SEEP_GROWTH, 0), now, from, to);
	add(SEEP_GROWTH_STAT_STEPS, 1);
	add(SEEP_GROWTH_STAT_STEP_NS, bpf_ktime_get_boot_ns() - now);
	return 0;
}

/* Growth in the gap after a step is charged by the next one, and asks for the time once a step. */
static __always_inline int on_change(s64 value)
{
	u64 now;

	add(SEEP_GROWTH_STAT_EVENTS, 1);
	if (value < next_pages)
		return 0;
	next_pages = value + step_pages;
	now = bpf_ktime_get_boot_ns();
	return now - last_ns < gap_ns ? 0 : on_step(value, now);
}

SEC("tp_btf/rss_stat")
int seep_growth(u64 *ctx)
{
	struct mm_struct *mm = (void *)ctx[0];

	if ((u64)mm != target_mm || (u32)ctx[1] != SEEP_MM_ANON)
		return 0;
	return on_change(has_percpu_rss() ? mm_batched_count_btf(mm, SEEP_MM_ANON) : event_count_btf(ctx));
}

/* Read before each attachment: what grew unwatched is charged to nobody. */
SEC("iter/task")
int seep_find(struct bpf_iter__task *ctx)
{
	struct task_struct *task = ctx->task;
	struct mm_struct *mm;
	s64 pages;

	if (!task || (u32)task->tgid != target_tgid)
		return 0;
	mm = task->mm;
	if (!mm)
		return 0; /* a thread that is ending */
	pages = mm_batched_count(mm, SEEP_MM_ANON);
	if (pages > mark_pages)
		mark_pages = pages;
	next_pages = mark_pages + step_pages;
	target_start_ns = task->group_leader->start_boottime;
	target_mm = (u64)mm;
	return 0;
}

/* Another program runs there now. */
SEC("raw_tp/sched_process_exec")
int seep_gexec(struct bpf_raw_tracepoint_args *ctx)
{
	struct task_struct *task = (void *)ctx->args[0];

	if ((u32)BPF_CORE_READ(task, tgid) != target_tgid)
		return 0;
	target_state = SEEP_TARGET_EXECED;
	target_mm = 0;
	return 0;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
