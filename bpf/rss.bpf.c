// SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0-only)
/*
 * rss.bpf.c - every process's and memory cgroup's size, followed from the kernel.
 *
 * kmem:rss_stat fires at each change of an mm's counters: on kernels since 6.2 that is each page
 * fault. The raw event is used because the classic tracepoint sums all CPUs' counters before any
 * program runs (190-210 ns an event on 2 CPUs). The counters themselves are batched: the central
 * count moves once in 32 pages or more, so the fast path compares it with what this CPU saw last
 * and returns. Only a move pays for finding the owner and updating the tables.
 *
 * What an event says is therefore good to a batch. Each poll (a read of the task iterator below)
 * sums the per-CPU parts, makes the table exact again, and hands the sizes to user space.
 *
 * fork, exec and exit keep the table free of the dead; a process that dies between two polls
 * leaves a last record in the ring buffer. Nothing is lost silently: see enum seep_stat.
 */
#include "vmlinux.h"
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

#include "compat.bpf.h"
#include "map.bpf.h"
#include "task.bpf.h"

/* Set by the loader before load. */
const volatile bool mark_victim_has_task = true; /* since 6.9; before: a pid */
const volatile bool count_events = false;        /* count the fast path too (bench, tests) */

/* Set by the loader before each poll. */
__u64 poll_seq;

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 16384);
	__type(key, struct seep_task_id);
	__type(value, struct seep_proc);
} seep_procs SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 4096);
	__type(key, u64);
	__type(value, struct seep_cgroup);
} seep_cgroups SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 512 * 1024);
} seep_events SEC(".maps");

/* What this CPU saw last: the fast path. */
struct last_seen {
	struct mm_struct *mm;
	s64 count[SEEP_MM_CNT];
};

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, u32);
	__type(value, struct last_seen);
} seep_last SEC(".maps");

/* No counter has this value: marks "not seen by this CPU". */
#define UNSEEN (-0x7fffffffffffffffLL)

/* ---- cgroup sums ------------------------------------------------------------------------- */

static __always_inline struct seep_cgroup *get_cgroup(u64 cgroup_id)
{
	struct seep_cgroup fresh = {}, *cg;

	cg = bpf_map_lookup_elem(&seep_cgroups, &cgroup_id);
	if (cg)
		return cg;
	if (bpf_map_update_elem(&seep_cgroups, &cgroup_id, &fresh, BPF_NOEXIST))
		count(SEEP_STAT_CGROUP_FULL);
	return bpf_map_lookup_elem(&seep_cgroups, &cgroup_id);
}

static __always_inline void charge(u64 cgroup_id, u32 member, s64 delta)
{
	struct seep_cgroup *cg = get_cgroup(cgroup_id);

	if (!cg || member >= SEEP_MM_CNT)
		return;
	__sync_fetch_and_add(&cg->pages[member], delta);
	if (delta > 0)
		__sync_fetch_and_add(&cg->grown_pages[member], delta);
}

static __always_inline void charge_all(u64 cgroup_id, const s64 pages[SEEP_MM_CNT], int sign)
{
	struct seep_cgroup *cg = get_cgroup(cgroup_id);
	int i;

	if (!cg)
		return;
	for (i = 0; i < SEEP_MM_CNT; i++)
		__sync_fetch_and_add(&cg->pages[i], sign * pages[i]);
}

/* ---- the process table ------------------------------------------------------------------- */

static __always_inline void note_level(struct seep_proc *proc)
{
	s64 level = proc->pages[SEEP_MM_ANON] + proc->pages[SEEP_MM_SWAP];

	if (level > proc->hwm_anon_pages)
		proc->hwm_anon_pages = level;
	if (level < proc->lwm_anon_pages)
		proc->lwm_anon_pages = level;
}

static __always_inline void reset_level(struct seep_proc *proc)
{
	proc->hwm_anon_pages = proc->pages[SEEP_MM_ANON] + proc->pages[SEEP_MM_SWAP];
	proc->lwm_anon_pages = proc->hwm_anon_pages;
}

/* Enter the owner of an mm as it is now; flags say how it was found. */
static __always_inline struct seep_proc *enter(const struct seep_task_id *id,
					       struct task_struct *task, struct mm_struct *mm,
					       u32 flags)
{
	struct seep_proc fresh = {};

	fresh.cgroup_id = task_cgroup_id(task);
	fresh.mm = (u64)mm;
	fresh.flags = flags;
	fresh.ppid = BPF_CORE_READ(task, real_parent, tgid);
	BPF_CORE_READ_STR_INTO(&fresh.comm, task, group_leader, comm);
	mm_read_batched(mm, fresh.batched);
	__builtin_memcpy(fresh.pages, fresh.batched, sizeof(fresh.pages));
	reset_level(&fresh);
	if (bpf_map_update_elem(&seep_procs, id, &fresh, BPF_ANY)) {
		count(SEEP_STAT_PROC_FULL);
		return NULL;
	}
	charge_all(fresh.cgroup_id, fresh.pages, 1);
	return bpf_map_lookup_elem(&seep_procs, id);
}

/* The process moved to another cgroup: its memory is counted where it is now. */
static __always_inline void follow_cgroup(struct seep_proc *proc, struct task_struct *task)
{
	u64 cgroup_id = task_cgroup_id(task);

	if (cgroup_id == proc->cgroup_id)
		return;
	charge_all(proc->cgroup_id, proc->pages, -1);
	charge_all(cgroup_id, proc->pages, 1);
	proc->cgroup_id = cgroup_id;
}

/* ---- rss_stat ---------------------------------------------------------------------------- */

/* The batched count of `member` moved to `value`. */
static __noinline int on_move(struct mm_struct *mm, u32 member, s64 value)
{
	struct task_struct *owner;
	struct seep_task_id id;
	struct seep_proc *proc;
	s64 delta;

	if (member >= SEEP_MM_CNT)
		return 0;
	count(SEEP_STAT_MOVES);
	owner = mm_owner(mm);
	if (!owner) {
		count(SEEP_STAT_NO_OWNER);
		return 0;
	}
	if (BPF_CORE_READ(owner, tgid) != bpf_get_current_pid_tgid() >> 32)
		count(SEEP_STAT_FOREIGN);
	task_id(owner, &id);
	proc = bpf_map_lookup_elem(&seep_procs, &id);
	if (!proc) {
		enter(&id, owner, mm, 0);
		return 0;
	}
	follow_cgroup(proc, owner);
	delta = value - proc->batched[member];
	if (!delta)
		return 0;
	proc->batched[member] = value;
	proc->pages[member] += delta;
	proc->events++;
	note_level(proc);
	charge(proc->cgroup_id, member, delta);
	return 0;
}

/* The fast path: has the batched count moved since this CPU looked? */
static __always_inline int on_rss_stat(struct mm_struct *mm, u32 member, s64 value)
{
	struct last_seen *last;
	u32 zero = 0;
	int i;

	if (count_events)
		count(SEEP_STAT_EVENTS);
	if (member >= SEEP_MM_CNT)
		return 0;
	last = bpf_map_lookup_elem(&seep_last, &zero);
	if (!last)
		return 0;
	if (last->mm != mm) {
		last->mm = mm;
		for (i = 0; i < SEEP_MM_CNT; i++)
			last->count[i] = UNSEEN;
	}
	if (last->count[member] == value)
		return 0;
	last->count[member] = value;
	return on_move(mm, member, value);
}

/* Direct loads where the verifier knows the mm; a variable index is refused, hence the cases. */
#define direct_count(mm, i) (((struct mm_struct___percpu *)(mm))->rss_stat[i].count)

SEC("tp_btf/rss_stat")
int seep_rss_btf(u64 *ctx)
{
	struct mm_struct *mm = (void *)ctx[0];
	u32 member = ctx[1];
	s64 value;

	if (has_percpu_rss()) {
		switch (member) {
		case SEEP_MM_FILE:
			value = direct_count(mm, SEEP_MM_FILE);
			break;
		case SEEP_MM_ANON:
			value = direct_count(mm, SEEP_MM_ANON);
			break;
		case SEEP_MM_SWAP:
			value = direct_count(mm, SEEP_MM_SWAP);
			break;
		case SEEP_MM_SHMEM:
			value = direct_count(mm, SEEP_MM_SHMEM);
			break;
		default:
			return 0;
		}
	} else {
		value = ctx[2];
	}
	return on_rss_stat(mm, member, value);
}

SEC("raw_tp/rss_stat")
int seep_rss_raw(struct bpf_raw_tracepoint_args *ctx)
{
	struct mm_struct *mm = (void *)ctx->args[0];
	u32 member = ctx->args[1];
	s64 counts[SEEP_MM_CNT];

	if (member >= SEEP_MM_CNT)
		return 0;
	if (!has_percpu_rss())
		return on_rss_stat(mm, member, ctx->args[2]);
	mm_read_batched(mm, counts);
	return on_rss_stat(mm, member, counts[member]);
}

/* ---- fork, exec, exit, OOM --------------------------------------------------------------- */

static __always_inline u64 wakeup_flags(void)
{
	u64 avail = bpf_ringbuf_query(&seep_events, BPF_RB_AVAIL_DATA);
	u64 size = bpf_ringbuf_query(&seep_events, BPF_RB_RING_SIZE);

	return avail > size / 4 ? BPF_RB_FORCE_WAKEUP : BPF_RB_NO_WAKEUP;
}

static __always_inline struct seep_event *new_event(u32 kind, const struct seep_task_id *id,
						    struct task_struct *task)
{
	struct seep_event *ev = bpf_ringbuf_reserve(&seep_events, sizeof(*ev), 0);

	if (!ev) {
		count(SEEP_STAT_RING_FULL);
		return NULL;
	}
	__builtin_memset(ev, 0, sizeof(*ev));
	ev->kind = kind;
	ev->id = *id;
	ev->at_ns = bpf_ktime_get_boot_ns();
	ev->cgroup_id = task_cgroup_id(task);
	ev->ppid = BPF_CORE_READ(task, real_parent, tgid);
	BPF_CORE_READ_STR_INTO(&ev->comm, task, group_leader, comm);
	return ev;
}

SEC("raw_tp/sched_process_fork")
int seep_fork(struct bpf_raw_tracepoint_args *ctx)
{
	struct task_struct *child = (void *)ctx->args[1];
	struct mm_struct *mm = BPF_CORE_READ(child, mm);
	struct seep_task_id id;

	/* threads share the entry of their process; vfork children own no mm yet */
	if (!mm || mm_owner(mm) != child || BPF_CORE_READ(child, tgid) != BPF_CORE_READ(child, pid))
		return 0;
	count(SEEP_STAT_FORKS);
	task_id(child, &id);
	enter(&id, child, mm, SEEP_PROC_FORKED);
	return 0;
}

SEC("raw_tp/sched_process_exec")
int seep_exec(struct bpf_raw_tracepoint_args *ctx)
{
	struct task_struct *task = (void *)ctx->args[0];
	struct mm_struct *mm = BPF_CORE_READ(task, mm);
	struct seep_proc *old;
	struct seep_task_id id;
	u32 flags = SEEP_PROC_EXECED;

	if (!mm)
		return 0;
	count(SEEP_STAT_EXECS);
	task_id(task, &id);
	old = bpf_map_lookup_elem(&seep_procs, &id);
	if (old) {
		flags |= old->flags & SEEP_PROC_FORKED;
		charge_all(old->cgroup_id, old->pages, -1);
	}
	enter(&id, task, mm, flags);
	return 0;
}

/* Runs for each thread, after exit_mm(): the last one of the group takes the entry out. */
SEC("raw_tp/sched_process_exit")
int seep_exit(struct bpf_raw_tracepoint_args *ctx)
{
	struct task_struct *task = (void *)ctx->args[0];
	struct seep_event *ev;
	struct seep_proc *proc, last;
	struct seep_task_id id;

	if (BPF_CORE_READ(task, flags) & PF_KTHREAD || BPF_CORE_READ(task, signal, live.counter))
		return 0;
	count(SEEP_STAT_EXITS);
	task_id(task, &id);
	proc = bpf_map_lookup_elem(&seep_procs, &id);
	if (!proc)
		return 0;
	last = *proc;
	bpf_map_delete_elem(&seep_procs, &id);
	charge_all(last.cgroup_id, last.pages, -1);
	ev = new_event(SEEP_EVENT_EXIT, &id, task);
	if (!ev)
		return 0;
	ev->flags = last.flags;
	ev->cgroup_id = last.cgroup_id;
	__builtin_memcpy(ev->pages, last.pages, sizeof(ev->pages));
	ev->peak_rss_pages = BPF_CORE_READ(task, signal, maxrss);
	ev->exit_code = BPF_CORE_READ(task, exit_code);
	bpf_ringbuf_submit(ev, wakeup_flags());
	return 0;
}

static __always_inline int on_oom(struct task_struct *victim)
{
	struct mm_struct *mm = BPF_CORE_READ(victim, mm);
	s64 batched[SEEP_MM_CNT], pages[SEEP_MM_CNT];
	struct seep_event *ev;
	struct seep_proc *proc;
	struct seep_task_id id;

	count(SEEP_STAT_OOMS);
	task_id(victim, &id);
	proc = bpf_map_lookup_elem(&seep_procs, &id);
	if (proc)
		proc->flags |= SEEP_PROC_OOM_KILLED;
	ev = new_event(SEEP_EVENT_OOM, &id, victim);
	if (!ev)
		return 0;
	if (mm) {
		mm_read_exact(mm, batched, pages);
		__builtin_memcpy(ev->pages, pages, sizeof(pages));
	}
	bpf_ringbuf_submit(ev, BPF_RB_FORCE_WAKEUP);
	return 0;
}

/* Before 6.9 only a pid is given: the record is made from the table. */
static __always_inline int on_oom_pid(u32 pid)
{
	struct seep_event *ev = bpf_ringbuf_reserve(&seep_events, sizeof(*ev), 0);

	count(SEEP_STAT_OOMS);
	if (!ev) {
		count(SEEP_STAT_RING_FULL);
		return 0;
	}
	__builtin_memset(ev, 0, sizeof(*ev));
	ev->kind = SEEP_EVENT_OOM;
	ev->id.tgid = pid; /* start_ns 0: user space finds the process by its pid */
	ev->at_ns = bpf_ktime_get_boot_ns();
	bpf_ringbuf_submit(ev, BPF_RB_FORCE_WAKEUP);
	return 0;
}

SEC("raw_tp/mark_victim")
int seep_oom(struct bpf_raw_tracepoint_args *ctx)
{
	if (mark_victim_has_task)
		return on_oom((void *)ctx->args[0]);
	return on_oom_pid(ctx->args[0]);
}

/* ---- the poll ---------------------------------------------------------------------------- */

static __always_inline void write_thread(struct seq_file *seq, struct task_struct *task)
{
	struct seep_poll_thread rec = {
		.kind = SEEP_POLL_THREAD,
		.tgid = BPF_CORE_READ(task, tgid),
		.cpu_ns = BPF_CORE_READ(task, se.sum_exec_runtime),
		.faults = BPF_CORE_READ(task, min_flt) + BPF_CORE_READ(task, maj_flt),
	};

	bpf_seq_write(seq, &rec, sizeof(rec));
}

/* Sum the process into its cgroup; the first of a poll starts the sum anew. */
static __always_inline void resync_cgroup(u64 cgroup_id, const s64 pages[SEEP_MM_CNT])
{
	struct seep_cgroup *cg = get_cgroup(cgroup_id);
	int i;

	if (!cg)
		return;
	if (cg->poll_seq != poll_seq) {
		cg->poll_seq = poll_seq;
		cg->procs = 0;
		for (i = 0; i < SEEP_MM_CNT; i++)
			cg->pages[i] = 0;
	}
	cg->procs++;
	for (i = 0; i < SEEP_MM_CNT; i++)
		cg->pages[i] += pages[i];
}

/* Hand the entry's marks to the record, then start them anew from the exact sizes. */
static __always_inline void resync_proc(struct seep_proc *proc, struct seep_poll_proc *rec,
					const s64 batched[SEEP_MM_CNT])
{
	rec->events = proc->events;
	rec->flags |= proc->flags;
	rec->hwm_anon_pages = proc->hwm_anon_pages;
	rec->lwm_anon_pages = proc->lwm_anon_pages;
	__builtin_memcpy(proc->batched, batched, sizeof(proc->batched));
	__builtin_memcpy(proc->pages, rec->pages, sizeof(proc->pages));
	__builtin_memcpy(proc->polled, rec->pages, sizeof(proc->polled));
	proc->events = 0;
	proc->flags &= ~SEEP_PROC_EXECED;
	reset_level(proc);
}

/* `task` stands for its process: it owns the mm, or leads a group that borrows one. */
static __always_inline void write_proc(struct seq_file *seq, struct task_struct *task,
				       struct mm_struct *mm, struct task_struct *owner)
{
	struct seep_poll_proc rec = {.kind = SEEP_POLL_PROC};
	struct seep_proc *proc = NULL;
	s64 batched[SEEP_MM_CNT];
	struct seep_task_id id;

	task_id(task, &id);
	rec.tgid = id.tgid;
	rec.start_ns = id.start_ns;
	rec.owner_tgid = owner ? BPF_CORE_READ(owner, tgid) : id.tgid;
	rec.cgroup_id = task_cgroup_id(task);
	rec.cpu_ns = BPF_CORE_READ(task, signal, sum_sched_runtime) +
		     BPF_CORE_READ(task, se.sum_exec_runtime);
	rec.faults = BPF_CORE_READ(task, signal, min_flt) + BPF_CORE_READ(task, signal, maj_flt) +
		     BPF_CORE_READ(task, min_flt) + BPF_CORE_READ(task, maj_flt);
	rec.ppid = BPF_CORE_READ(task, real_parent, tgid);
	rec.uid = BPF_CORE_READ(task, real_cred, uid.val);
	BPF_CORE_READ_STR_INTO(&rec.comm, task, group_leader, comm);
	mm_read_exact(mm, batched, rec.pages);
	rec.hwm_anon_pages = rec.pages[SEEP_MM_ANON] + rec.pages[SEEP_MM_SWAP];
	rec.lwm_anon_pages = rec.hwm_anon_pages;
	if (rec.owner_tgid != rec.tgid) {
		rec.flags = SEEP_PROC_SHARED_MM;
	} else {
		proc = bpf_map_lookup_elem(&seep_procs, &id);
		if (!proc)
			proc = enter(&id, task, mm, 0);
		if (!proc)
			rec.flags = SEEP_PROC_NO_ENTRY;
		resync_cgroup(rec.cgroup_id, rec.pages);
	}
	if (proc) {
		proc->cgroup_id = rec.cgroup_id;
		resync_proc(proc, &rec, batched);
	}
	bpf_seq_write(seq, &rec, sizeof(rec));
}

SEC("iter/task")
int seep_poll(struct bpf_iter__task *ctx)
{
	struct task_struct *task = ctx->task, *owner;
	struct seq_file *seq = ctx->meta->seq;
	struct mm_struct *mm;
	bool leads;

	if (!task || BPF_CORE_READ(task, flags) & PF_KTHREAD)
		return 0;
	if (has_percpu_rss() && !cpu_cnt)
		find_cpu_offsets();
	mm = BPF_CORE_READ(task, mm);
	owner = mm ? mm_owner_or(mm, task) : NULL;
	leads = BPF_CORE_READ(task, pid) == BPF_CORE_READ(task, tgid);
	/* the owner speaks for its process: the leader, or a thread that outlived it */
	if (mm && (owner == task ||
		   (leads && owner && BPF_CORE_READ(owner, tgid) != BPF_CORE_READ(task, tgid))))
		write_proc(seq, task, mm, owner);
	else
		write_thread(seq, task);
	return 0;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
