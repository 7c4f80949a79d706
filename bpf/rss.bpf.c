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
const volatile bool count_events = false;	 /* count the fast path too (bench, tests) */

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
	struct seep_cgroup fresh = {.poll_seq = poll_seq}, *cg;

	cg = bpf_map_lookup_elem(&seep_cgroups, &cgroup_id);
	if (cg)
		return cg;
	bpf_map_update_elem(&seep_cgroups, &cgroup_id, &fresh, BPF_NOEXIST);
	cg = bpf_map_lookup_elem(&seep_cgroups, &cgroup_id);
	if (!cg) /* not because another CPU was first */
		count(SEEP_STAT_CGROUP_FULL);
	return cg;
}

/*
 * A poll sums each cgroup anew while processes come, go and grow. Who is in the sum already is
 * told by the number of the poll: nobody is added twice or taken out without having been in.
 */
static __always_inline bool is_summed(const struct seep_proc *proc, const struct seep_cgroup *cg)
{
	return proc->sum_seq == cg->poll_seq;
}

static __always_inline void charge(const struct seep_proc *proc, u32 member, s64 delta)
{
	struct seep_cgroup *cg = get_cgroup(proc->cgroup_id);

	if (!cg || member >= SEEP_MM_CNT)
		return;
	if (is_summed(proc, cg))
		__sync_fetch_and_add(&cg->pages[member], delta);
	if (delta > 0)
		__sync_fetch_and_add(&cg->grown_pages[member], delta);
}

static __always_inline void add_to_sum(struct seep_proc *proc)
{
	struct seep_cgroup *cg = get_cgroup(proc->cgroup_id);
	int i;

	if (!cg)
		return;
	proc->sum_seq = cg->poll_seq;
	for (i = 0; i < SEEP_MM_CNT; i++)
		__sync_fetch_and_add(&cg->pages[i], proc->pages[i]);
}

static __always_inline void take_from_sum(const struct seep_proc *proc)
{
	struct seep_cgroup *cg = bpf_map_lookup_elem(&seep_cgroups, &proc->cgroup_id);
	int i;

	if (!cg || !is_summed(proc, cg))
		return;
	for (i = 0; i < SEEP_MM_CNT; i++)
		__sync_fetch_and_add(&cg->pages[i], -proc->pages[i]);
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

/* It ended while it was entered: unless its exit came after that, nobody else takes it out. */
static __always_inline void leave(const struct seep_task_id *id, const struct seep_proc *proc)
{
	if (!bpf_map_delete_elem(&seep_procs, id))
		take_from_sum(proc);
}

/*
 * Enter the owner of an mm as it is now; flags say how it was found. Who is about to end is not
 * entered again: since 6.16 its exit is told while it still has its mm. Asked once more afterwards,
 * because a virtual CPU may stand still between question and entry.
 */
static __always_inline struct seep_proc *
enter(const struct seep_task_id *id, struct task_struct *task, struct mm_struct *mm, u32 flags)
{
	struct css_set *set = BPF_CORE_READ(task, cgroups);
	struct seep_proc fresh = {};

	if (!BPF_CORE_READ(task, signal, live.counter))
		return NULL;
	fresh.css_set = (u64)set;
	fresh.cgroup_id = css_set_cgroup_id(set);
	fresh.seen_seq = poll_seq;
	fresh.flags = flags;
	fresh.ppid = BPF_CORE_READ(task, real_parent, tgid);
	BPF_CORE_READ_STR_INTO(&fresh.comm, task, group_leader, comm);
	mm_read_batched(mm, fresh.pages);
	reset_level(&fresh);
	add_to_sum(&fresh);
	if (bpf_map_update_elem(&seep_procs, id, &fresh, BPF_ANY)) {
		take_from_sum(&fresh);
		count(SEEP_STAT_PROC_FULL);
		return NULL;
	}
	if (!BPF_CORE_READ(task, signal, live.counter)) {
		leave(id, &fresh);
		return NULL;
	}
	return bpf_map_lookup_elem(&seep_procs, id);
}

/* The process may have moved to another cgroup: its memory is counted where it is now. */
static __always_inline void follow_cgroup(struct seep_proc *proc, struct css_set *set)
{
	u64 cgroup_id;

	if (proc->css_set == (u64)set)
		return;
	proc->css_set = (u64)set;
	cgroup_id = css_set_cgroup_id(set);
	if (cgroup_id == proc->cgroup_id)
		return;
	take_from_sum(proc);
	proc->cgroup_id = cgroup_id;
	add_to_sum(proc);
}

/* ---- rss_stat ---------------------------------------------------------------------------- */

/*
 * The batched count of `member` moved to `value`. Sizes are set, not added to: CPUs that come here
 * at the same time, or late, leave an error of a batch, never one that stays.
 */
static __noinline int on_move(const struct owner *owner, struct mm_struct *mm, u32 member,
			      s64 value)
{
	struct seep_proc *proc;
	s64 delta;

	if (member >= SEEP_MM_CNT)
		return 0;
	if (owner->id.tgid != bpf_get_current_pid_tgid() >> 32)
		count(SEEP_STAT_FOREIGN);
	proc = bpf_map_lookup_elem(&seep_procs, &owner->id);
	if (!proc) {
		enter(&owner->id, owner->task, mm, 0);
		return 0;
	}
	follow_cgroup(proc, owner->css_set);
	delta = value + proc->held[member] - proc->pages[member];
	if (!delta)
		return 0;
	proc->pages[member] += delta;
	proc->events++;
	note_level(proc);
	charge(proc, member, delta);
	return 0;
}

/* The fast path: has the batched count moved since this CPU looked? */
static __always_inline bool has_moved(struct mm_struct *mm, u32 member, s64 value)
{
	struct last_seen *last;
	u32 zero = 0;
	int i;

	if (count_events)
		count(SEEP_STAT_EVENTS);
	if (member >= SEEP_MM_CNT)
		return false;
	last = bpf_map_lookup_elem(&seep_last, &zero);
	if (!last)
		return false;
	if (last->mm != mm) {
		last->mm = mm;
		for (i = 0; i < SEEP_MM_CNT; i++)
			last->count[i] = UNSEEN;
	}
	if (last->count[member] == value)
		return false;
	last->count[member] = value;
	count(SEEP_STAT_MOVES);
	return true;
}

SEC("tp_btf/rss_stat")
int seep_rss(u64 *ctx)
{
	struct mm_struct *mm = (void *)ctx[0];
	u32 member = ctx[1];
	struct owner owner;
	s64 value;

	if (has_percpu_rss()) {
		/* a variable index is refused */
		switch (member) {
		case SEEP_MM_FILE:
			value = mm_batched_count_btf(mm, SEEP_MM_FILE);
			break;
		case SEEP_MM_ANON:
			value = mm_batched_count_btf(mm, SEEP_MM_ANON);
			break;
		case SEEP_MM_SWAP:
			value = mm_batched_count_btf(mm, SEEP_MM_SWAP);
			break;
		case SEEP_MM_SHMEM:
			value = mm_batched_count_btf(mm, SEEP_MM_SHMEM);
			break;
		default:
			return 0;
		}
	} else {
		value = event_count_btf(ctx);
	}
	if (!has_moved(mm, member, value))
		return 0;
	if (!find_owner(mm, &owner)) {
		count(SEEP_STAT_NO_OWNER);
		return 0;
	}
	return on_move(&owner, mm, member, value);
}

/* ---- fork, exec, exit, OOM --------------------------------------------------------------- */

/*
 * Wake the reader when another quarter of the ring has filled, not for each record beyond the
 * first quarter: a wakeup costs 10 us in a guest. It is given by each of the first few records
 * behind a quarter, because several CPUs may cross it at once.
 */
static __always_inline u64 wakeup_flags(void)
{
	u64 avail = bpf_ringbuf_query(&seep_events, BPF_RB_AVAIL_DATA);
	u64 quarter = bpf_ringbuf_query(&seep_events, BPF_RB_RING_SIZE) / 4;
	u64 few = 8 * sizeof(struct seep_event);

	if (avail < quarter || avail % quarter > few)
		return BPF_RB_NO_WAKEUP;
	return BPF_RB_FORCE_WAKEUP;
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
		take_from_sum(old);
	}
	enter(&id, task, mm, flags);
	return 0;
}

/* What wait(2) will tell: that of exit() or of the signal, else the leader's; not this thread's. */
static __always_inline u32 exit_code_of(struct task_struct *task)
{
	u32 code = BPF_CORE_READ(task, signal, group_exit_code);

	return code ?: BPF_CORE_READ(task, group_leader, exit_code);
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
	task_id(task, &id);
	proc = bpf_map_lookup_elem(&seep_procs, &id);
	if (!proc)
		return 0;
	last = *proc;
	if (bpf_map_delete_elem(&seep_procs, &id))
		return 0; /* another thread that ended at the same time was first */
	count(SEEP_STAT_EXITS);
	take_from_sum(&last);
	ev = new_event(SEEP_EVENT_EXIT, &id, task);
	if (!ev)
		return 0;
	ev->flags = last.flags;
	ev->cgroup_id = last.cgroup_id;
	__builtin_memcpy(ev->pages, last.pages, sizeof(ev->pages));
	ev->peak_rss_pages = BPF_CORE_READ(task, signal, maxrss);
	ev->exit_code = exit_code_of(task);
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
		mm_read_exact(mm, victim, batched, pages);
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

/* Kernels to 6.1: what a task that does not speak for the mm holds back of its counters. */
static __noinline int write_held(struct seq_file *seq, struct task_struct *task,
				 struct task_struct *owner)
{
	struct seep_poll_held rec = {
		.kind = SEEP_POLL_HELD,
		.tgid = BPF_CORE_READ(owner, tgid),
		.pages[SEEP_MM_FILE] = task_held_count(task, SEEP_MM_FILE),
		.pages[SEEP_MM_ANON] = task_held_count(task, SEEP_MM_ANON),
		.pages[SEEP_MM_SWAP] = task_held_count(task, SEEP_MM_SWAP),
		.pages[SEEP_MM_SHMEM] = task_held_count(task, SEEP_MM_SHMEM),
	};

	if (rec.pages[SEEP_MM_FILE] || rec.pages[SEEP_MM_ANON] || rec.pages[SEEP_MM_SWAP] ||
	    rec.pages[SEEP_MM_SHMEM])
		bpf_seq_write(seq, &rec, sizeof(rec));
	return 0;
}

/*
 * Bring the process's exact sizes into its cgroup's sum. The first of a poll starts the sum anew;
 * who was born during this poll may be in it already.
 */
static __always_inline void resync_cgroup(struct seep_proc *proc, u64 cgroup_id,
					  const s64 pages[SEEP_MM_CNT])
{
	struct seep_cgroup *cg = get_cgroup(cgroup_id);
	bool summed;
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
	summed = proc && is_summed(proc, cg);
	for (i = 0; i < SEEP_MM_CNT; i++)
		__sync_fetch_and_add(&cg->pages[i], summed ? pages[i] - proc->pages[i] : pages[i]);
	if (proc)
		proc->sum_seq = poll_seq;
}

/* Hand the entry's marks to the record, then start them anew from the exact sizes. */
static __always_inline void resync_proc(struct seep_proc *proc, struct seep_poll_proc *rec,
					const s64 batched[SEEP_MM_CNT])
{
	int i;

	rec->events = proc->events;
	rec->flags |= proc->flags;
	rec->hwm_anon_pages = proc->hwm_anon_pages;
	rec->lwm_anon_pages = proc->lwm_anon_pages;
	for (i = 0; i < SEEP_MM_CNT; i++) {
		proc->held[i] = rec->pages[i] - batched[i];
		proc->pages[i] = rec->pages[i];
		proc->polled[i] = rec->pages[i];
	}
	proc->events = 0;
	proc->seen_seq = poll_seq;
	proc->flags &= ~SEEP_PROC_EXECED;
	reset_level(proc);
}

/* What the task itself says of its process; sizes come from the mm. */
static __always_inline void describe(struct seep_poll_proc *rec, struct task_struct *task)
{
	rec->cpu_ns = BPF_CORE_READ(task, signal, sum_sched_runtime) +
		      BPF_CORE_READ(task, se.sum_exec_runtime);
	rec->faults = BPF_CORE_READ(task, signal, min_flt) + BPF_CORE_READ(task, signal, maj_flt) +
		      BPF_CORE_READ(task, min_flt) + BPF_CORE_READ(task, maj_flt);
	rec->ppid = BPF_CORE_READ(task, real_parent, tgid);
	rec->uid = BPF_CORE_READ(task, real_cred, uid.val);
	BPF_CORE_READ_STR_INTO(&rec->comm, task, group_leader, comm);
}

/* Functions of their own, this and the next: together they need more stack than BPF has. */
static __noinline int seed(struct task_struct *task, struct mm_struct *mm)
{
	struct seep_task_id id;

	task_id(task, &id);
	if (!bpf_map_lookup_elem(&seep_procs, &id))
		enter(&id, task, mm, 0);
	return 0;
}

/* `task` stands for its process: it owns the mm, or leads a group that borrows one. */
static __noinline int write_proc(struct seq_file *seq, struct task_struct *task,
				 struct mm_struct *mm, struct task_struct *owner)
{
	struct seep_poll_proc rec = {.kind = SEEP_POLL_PROC};
	struct css_set *set = BPF_CORE_READ(task, cgroups);
	struct seep_proc *proc = NULL;
	s64 batched[SEEP_MM_CNT];
	struct seep_task_id id;

	task_id(task, &id);
	rec.tgid = id.tgid;
	rec.start_ns = id.start_ns;
	rec.owner_tgid = owner ? BPF_CORE_READ(owner, tgid) : id.tgid;
	rec.cgroup_id = css_set_cgroup_id(set);
	describe(&rec, task);
	mm_read_exact(mm, task, batched, rec.pages);
	rec.hwm_anon_pages = rec.pages[SEEP_MM_ANON] + rec.pages[SEEP_MM_SWAP];
	rec.lwm_anon_pages = rec.hwm_anon_pages;
	if (rec.owner_tgid != rec.tgid) {
		rec.flags = SEEP_PROC_SHARED_MM;
	} else {
		proc = bpf_map_lookup_elem(&seep_procs, &id);
		if (proc)
			follow_cgroup(proc, set);
		else
			rec.flags = SEEP_PROC_NO_ENTRY;
		resync_cgroup(proc, rec.cgroup_id, rec.pages);
		if (proc)
			resync_proc(proc, &rec, batched);
	}
	bpf_seq_write(seq, &rec, sizeof(rec));
	return 0;
}

SEC("iter/task")
int seep_poll(struct bpf_iter__task *ctx)
{
	struct task_struct *task = ctx->task, *owner;
	struct seq_file *seq = ctx->meta->seq;
	struct mm_struct *mm;
	bool leads, borrows;

	if (!task || BPF_CORE_READ(task, flags) & PF_KTHREAD)
		return 0;
	if (has_percpu_rss() && !cpu_cnt)
		find_cpu_offsets();
	mm = BPF_CORE_READ(task, mm);
	owner = mm ? BPF_CORE_READ(mm, owner) : NULL;
	leads = BPF_CORE_READ(task, pid) == BPF_CORE_READ(task, tgid);
	borrows = owner && BPF_CORE_READ(owner, tgid) != BPF_CORE_READ(task, tgid);
	/* the owner speaks for its process: the leader, or a thread that outlived it */
	if (owner == task)
		seed(task, mm);
	if (owner == task || (leads && borrows))
		write_proc(seq, task, mm, owner);
	else
		write_thread(seq, task);
	if (has_task_rss() && owner && owner != task)
		write_held(seq, task, owner);
	return 0;
}

/* Unused: puts the records that no map holds into the object's BTF, for tests to compare. */
struct seep_poll_thread *btf_of_poll_thread;
struct seep_poll_held *btf_of_poll_held;
struct seep_poll_proc *btf_of_poll_proc;
struct seep_event *btf_of_event;

char LICENSE[] SEC("license") = "Dual BSD/GPL";
