// SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0-only)
/*
 * alloc.bpf.c - sampled probes on the allocators of one process.
 *
 * A hit that is not sampled is decided on registers alone and asks for no return probe (sessions,
 * kernel 6.13; before, the return probe finds no slot). A sampled call takes its stack at entry,
 * waits in the thread's slot for its result, and then lives in seep_live until it is freed. Each
 * sample carries its own weight, so the estimates stay unbiased when the period changes.
 *
 * Allocators call themselves: realloc moves a block with malloc and free, malloc maps memory. One
 * allocation counts once, for the outermost call: functions that may contain others are followed to
 * their return, and what the thread calls meanwhile is left out; a caller inside an allocator's own
 * text is left out as well. realloc is not followed where it neither contains others nor gives a
 * sample back.
 *
 * Exceptions pass through operator new, and must not meet the kernel's trampoline in place of a
 * return address: where it allocates by itself it is probed at its entry and at the instructions by
 * which it returns.
 *
 * Direct mappings are few and large: all of them are kept (seep_regions), without sampling, so
 * that partial unmaps can cut them to size.
 *
 * Only the probes' own threads touch a slot; the live table is shared by all CPUs. Records are
 * copied out before they are deleted, and what could not be kept is counted by reason. A program
 * may be preempted between any two instructions, so counters are added to atomically.
 */
#include "vmlinux.h"
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>
#include <seep/alloc.h>

#include "compat.bpf.h"
#include "live.bpf.h"
#include "return.bpf.h"
#include "stack.bpf.h"

/* Set by the loader before load. */
const volatile __u64 page_bytes = 4096;
const volatile __u64 min_mmap_bytes = 128 * 1024;
const volatile __u64 follow_bytes = ~0ULL; /* follow calls of this size: they map memory inside */

/* Kept up to date by user space. */
struct seep_text allocator_texts[SEEP_ALLOCATOR_TEXTS];

/* The target is no longer the program that was attached to. */
__u32 target_state;

/* One call of a thread between its entry and its return; kept for the next one. */
struct slot {
	u64 sp, ip; /* at entry: tell this call from those inside it; sp 0: no call */
	u64 cpu_ns; /* what the thread had used at entry */
	u64 caller; /* operator new: what stands at sp while it runs */
	u64 out;    /* posix_memalign: where the pointer will be */
	u64 old;    /* realloc: the block that is given back if the call succeeds */
	struct seep_live live;
	struct seep_live old_live;
	bool is_sampled;
	bool is_zero; /* nothing was asked for */
	bool has_old_live;
};

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 16384);
	__type(key, u32);
	__type(value, struct slot);
} seep_slots SEC(".maps");

/* What each stack has allocated. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 16384);
	__type(key, u64);
	__type(value, struct seep_total);
} seep_totals SEC(".maps");

/* What each probe is, by its address: for kernels without attach cookies (before 5.15). */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 256);
	__type(key, u64);
	__type(value, u64);
} seep_sites SEC(".maps");

/* Processes that the target forked, until user space takes them. */
struct {
	__uint(type, BPF_MAP_TYPE_QUEUE);
	__uint(max_entries, 256);
	__type(value, struct seep_child);
} seep_children SEC(".maps");

static const struct slot fresh_slot;

#define CALL_MAX_CPU_NS 1000000000ULL /* between a call's entry and one inside it */
#define MAX_ERRNO	4095
#define MAP_ANONYMOUS	0x20
#define PROT_WRITE	0x2

static __always_inline void count_stack(enum stack_event event)
{
	if (event == STACK_SENT)
		add(SEEP_ALLOC_STAT_STACKS, 1);
	else if (event == STACK_RING_FULL)
		add(SEEP_ALLOC_STAT_RING_FULL, 1);
	else
		add(SEEP_ALLOC_STAT_BAD_STACK, 1);
}

static __always_inline bool is_target(void)
{
	if (target_state)
		return false;
	if (bpf_get_current_pid_tgid() >> 32 == target_tgid)
		return true;
	add(SEEP_ALLOC_STAT_FOREIGN, 1);
	return false;
}

/* ---- calls ------------------------------------------------------------------------------- */

#if defined(__TARGET_ARCH_x86)
static __always_inline u64 caller_of(const struct pt_regs *ctx)
{
	u64 address = 0;

	bpf_probe_read_user(&address, sizeof(address), (void *)ctx->sp);
	return address;
}

/* The stack pointer at entry of the call that returns now: the return address is popped. */
static __always_inline u64 entry_sp(const struct pt_regs *ctx)
{
	return ctx->sp - 8;
}

#define RETURNS_BY_STACK 1
#define PARM6(ctx)	 ((ctx)->r9)
#elif defined(__TARGET_ARCH_arm64)
static __always_inline u64 caller_of(const struct pt_regs *ctx)
{
	return ctx->regs[30];
}

static __always_inline u64 entry_sp(const struct pt_regs *ctx)
{
	return ctx->sp;
}

#define RETURNS_BY_STACK 0
#define PARM6(ctx)	 ((ctx)->regs[5])
#endif

/* ---- entry ------------------------------------------------------------------------------- */

/* What is asked for. */
struct request {
	u64 size;
	u64 old;
	u64 old_bytes;
	u64 out;
};

static __always_inline u64 product(u64 n, u64 size)
{
	u64 most = n ? ~0ULL / n : ~0ULL;

	asm volatile("" : "+r"(most)); /* or clang makes a 128-bit product of it */
	return size > most ? ~0ULL : n * size;
}

static __always_inline u64 whole_pages(u64 bytes)
{
	return (bytes + page_bytes - 1) & ~(page_bytes - 1);
}

/* Memory, not address space: reservations (PROT_NONE) and files are left out. */
static __always_inline u64 mapped_bytes(const struct pt_regs *ctx)
{
	if (!(PT_REGS_PARM4(ctx) & MAP_ANONYMOUS) || !(PT_REGS_PARM3(ctx) & PROT_WRITE))
		return 0;
	return whole_pages(PT_REGS_PARM2(ctx));
}

/* A value of its own: or clang would choose the register by computing its address in the context. */
#define APART(value, label)                                          \
	({                                                           \
		u64 apart_ = (value);                                \
		asm volatile("/* " label " */" : "+r"(apart_));      \
		apart_;                                              \
	})

/* The n-th argument, from 0: it may have moved between the entry and the probe. */
static __always_inline u64 argument(const struct pt_regs *ctx, u64 site, u32 n)
{
	switch (SEEP_SITE_REG_OF(site, n)) {
	case 0:
		return APART(PT_REGS_PARM1(ctx), "0");
	case 1:
		return APART(PT_REGS_PARM2(ctx), "1");
	case 2:
		return APART(PT_REGS_PARM3(ctx), "2");
	case 3:
		return APART(PT_REGS_PARM4(ctx), "3");
	case 4:
		return APART(PT_REGS_PARM5(ctx), "4");
	default:
		return APART(PARM6(ctx), "5");
	}
}

static __always_inline void read_request(const struct pt_regs *ctx, u64 site, struct request *req)
{
	switch (SEEP_SITE_KIND(site)) {
	case SEEP_ALLOC_NEW:
	case SEEP_ALLOC_MALLOC:
		req->size = argument(ctx, site, 0);
		break;
	case SEEP_ALLOC_CALLOC:
		req->size = product(argument(ctx, site, 0), argument(ctx, site, 1));
		break;
	case SEEP_ALLOC_REALLOC:
		req->old = argument(ctx, site, 0);
		req->size = argument(ctx, site, 1);
		break;
	case SEEP_ALLOC_REALLOCARRAY:
		req->old = argument(ctx, site, 0);
		req->size = product(argument(ctx, site, 1), argument(ctx, site, 2));
		break;
	case SEEP_ALLOC_ALIGNED:
		req->size = argument(ctx, site, 1);
		break;
	case SEEP_ALLOC_POSIX_MEMALIGN:
		req->out = argument(ctx, site, 0);
		req->size = argument(ctx, site, 2);
		break;
	case SEEP_ALLOC_MMAP:
		req->size = mapped_bytes(ctx);
		break;
	case SEEP_ALLOC_MREMAP:
		req->old = argument(ctx, site, 0);
		req->old_bytes = whole_pages(argument(ctx, site, 1));
		req->size = whole_pages(argument(ctx, site, 2));
		break;
	}
}

/* Does operator new still stand where it was called? Not after an exception. */
static __always_inline bool is_there(const struct slot *slot)
{
	u64 word = 0;

	if (slot->live.kind != SEEP_ALLOC_NEW || !RETURNS_BY_STACK)
		return true;
	bpf_probe_read_user(&word, sizeof(word), (void *)slot->sp);
	return word == slot->caller;
}

static __always_inline u64 thread_cpu_ns(void)
{
	struct task_struct *task = (void *)bpf_get_current_task();

	return BPF_CORE_READ(task, se.sum_exec_runtime);
}

/*
 * Is this call made by the one that the thread waits for? Calls inside are deeper, or take over
 * the same frame by a jump. What looks so after much work is no call inside but what follows a call
 * that never returned (longjmp). Work is the thread's CPU time: on a busy machine it may wait for
 * any time between two instructions.
 */
static __always_inline bool is_nested(const struct slot *slot, struct pt_regs *ctx, u64 cpu_ns)
{
	u64 sp = PT_REGS_SP(ctx);

	if (sp > slot->sp || (sp == slot->sp && PT_REGS_IP(ctx) == slot->ip))
		return false;
	return cpu_ns - slot->cpu_ns < CALL_MAX_CPU_NS && is_there(slot);
}

/* Called by an allocator for itself? Mappings are by any; blocks by one that wraps another. */
static __always_inline bool is_internal(const struct pt_regs *ctx, u64 site)
{
	bool is_mapping = is_region(SEEP_SITE_KIND(site));
	u32 own = SEEP_SITE_TEXT(site), i;
	u64 caller = caller_of(ctx);

#pragma unroll
	for (i = 0; i < SEEP_ALLOCATOR_TEXTS; i++) {
		if (!is_in(&allocator_texts[i].span, caller))
			continue;
		if (i == own)
			return !(site & SEEP_SITE_OWN_CALLERS);
		return is_mapping || allocator_texts[i].shadows;
	}
	return false;
}

static __always_inline void take_old(struct slot *slot, const struct request *req, u32 kind)
{
	slot->old = req->old;
	if (is_region(kind))
		slot->has_old_live = take_region(req->old, req->old_bytes, &slot->old_live);
	else if (req->old)
		slot->has_old_live = take_block(req->old, &slot->old_live);
}

static __always_inline struct slot *new_slot(u32 tid)
{
	struct slot *slot = NULL;

	if (!put(&seep_slots, &tid, &fresh_slot, BPF_ANY))
		slot = bpf_map_lookup_elem(&seep_slots, &tid);
	if (!slot)
		add(SEEP_ALLOC_STAT_SLOT_FULL, 1);
	return slot;
}

/* The thread goes on with another call. If it left one in the middle, its old block is gone. */
static __always_inline void reset(struct slot *slot)
{
	if (slot->sp && slot->has_old_live)
		count_freed(slot->old_live.weight_bytes);
	if (slot->sp && slot->is_sampled && slot->live.kind == SEEP_ALLOC_NEW)
		add(SEEP_ALLOC_STAT_NO_RESULT, 1);
	*slot = fresh_slot;
}

/* See return.bpf.h. */
static __always_inline bool may_return(const struct slot *slot, struct pt_regs *ctx, u32 kind)
{
	if (kind == SEEP_ALLOC_NEW)
		return true;
	if (slot && slot->sp && is_suspended(slot->sp, PT_REGS_SP(ctx)))
		return false;
	return !are_syscalls_taken();
}

/* What becomes of this call is not known: an old block is taken for freed. */
static __always_inline int give_up(const struct request *req, u32 kind)
{
	struct seep_live old;

	add(SEEP_ALLOC_STAT_NO_RETURN, 1);
	if (is_region(kind) ? take_region(req->old, req->old_bytes, &old) :
			      req->old && take_block(req->old, &old))
		count_freed(old.weight_bytes);
	return 0;
}

/* Wait for the result of this call. Returns 1 if its return is wanted. */
static __noinline int follow(struct pt_regs *ctx, struct request *req, u64 site, u64 threshold)
{
	u32 tid = bpf_get_current_pid_tgid(), kind = SEEP_SITE_KIND(site);
	u64 cpu_ns = thread_cpu_ns();
	struct slot *slot;

	slot = bpf_map_lookup_elem(&seep_slots, &tid);
	if (slot && is_nested(slot, ctx, cpu_ns))
		return 0;
	if (is_internal(ctx, site))
		return 0;
	if (!may_return(slot, ctx, kind))
		return give_up(req, kind);
	if (slot)
		reset(slot);
	else
		slot = new_slot(tid);
	if (!slot)
		return 0;
	slot->sp = PT_REGS_SP(ctx);
	slot->ip = PT_REGS_IP(ctx);
	slot->cpu_ns = cpu_ns;
	slot->out = req->out;
	if (kind == SEEP_ALLOC_NEW)
		slot->caller = caller_of(ctx);
	slot->live.at_ns = bpf_ktime_get_boot_ns();
	slot->live.tid = tid;
	slot->live.kind = kind;
	slot->live.size_bytes = req->size ?: 1;
	slot->is_zero = !req->size;
	slot->is_sampled = threshold != 0;
	if (threshold) {
		slot->live.weight_bytes = weigh(slot->live.size_bytes, threshold);
		slot->live.stack_id = capture(ctx, kind, caller_of(ctx));
	}
	take_old(slot, req, kind);
	return 1;
}

/* The chance this request was drawn with; 0 if it was not. */
static __always_inline u64 draw(u32 kind, u64 size)
{
	u64 threshold;

	if (is_region(kind))
		return size >= min_mmap_bytes ? SAMPLE_ALWAYS : 0;
	threshold = threshold_of(size);
	return bpf_get_prandom_u32() < threshold ? threshold : 0;
}

static __always_inline u64 site_of(struct pt_regs *ctx)
{
	u64 ip, *site;

	if (has_attach_cookie())
		return bpf_get_attach_cookie(ctx);
	ip = PT_REGS_IP(ctx);
	site = bpf_map_lookup_elem(&seep_sites, &ip);
	return site ? *site : 0;
}

static __always_inline void count_hit(u64 site)
{
	add(SEEP_ALLOC_STAT_HITS, 1);
	if (site & SEEP_SITE_STEPPED)
		add(SEEP_ALLOC_STAT_STEPPED_HITS, 1);
}

/*
 * Must a call that was not drawn be followed? Where others inside would count, too, and where a
 * sample is given back. Most reallocs do neither.
 */
static __always_inline bool is_followed(const struct request *req, u64 site)
{
	struct seep_live_key key = live_key(req->old);

	if (req->size >= follow_bytes)
		return true;
	if (site & SEEP_SITE_MOVES_ALONE && req->old)
		return bpf_map_lookup_elem(&seep_live, &key);
	return site & SEEP_SITE_FOLLOW;
}

static __always_inline int on_entry(struct pt_regs *ctx)
{
	u64 site = site_of(ctx), threshold;
	struct request req = {};

	if (!is_target())
		return 0;
	count_hit(site);
	read_request(ctx, site, &req);
	threshold = draw(SEEP_SITE_KIND(site), req.size);
	if (!threshold && !is_followed(&req, site))
		return 0;
	return follow(ctx, &req, site, threshold);
}

/* ---- return ------------------------------------------------------------------------------ */

static __always_inline u64 result_of(const struct pt_regs *ctx, const struct slot *slot)
{
	u64 result = PT_REGS_RC(ctx), address = 0;

	if (is_region(slot->live.kind))
		return result > ~0ULL - MAX_ERRNO ? 0 : result;
	if (slot->live.kind != SEEP_ALLOC_POSIX_MEMALIGN)
		return result;
	if (!(u32)result)
		bpf_probe_read_user(&address, sizeof(address), (void *)slot->out);
	return address;
}

/* realloc(p, 0) that gives NULL has freed the block, on every allocator that gives NULL. */
static __always_inline bool has_failed(const struct slot *slot, u64 result)
{
	bool may_free =
		slot->live.kind == SEEP_ALLOC_REALLOC || slot->live.kind == SEEP_ALLOC_REALLOCARRAY;

	return !result && !(may_free && slot->old && slot->is_zero);
}

static __always_inline void give_back(const struct slot *slot)
{
	struct seep_live_key key = live_key(slot->old);

	if (is_region(slot->live.kind))
		restore(&seep_regions, &slot->old, &slot->old_live);
	else
		restore(&seep_live, &key, &slot->old_live);
}

static __always_inline void add_to_total(const struct seep_live *live)
{
	struct seep_total fresh = {}, *total;

	total = bpf_map_lookup_elem(&seep_totals, &live->stack_id);
	if (!total) {
		put(&seep_totals, &live->stack_id, &fresh, BPF_NOEXIST);
		total = bpf_map_lookup_elem(&seep_totals, &live->stack_id);
	}
	if (!total) {
		add(SEEP_ALLOC_STAT_TOTALS_FULL, 1);
		return;
	}
	__sync_fetch_and_add(&total->bytes, live->weight_bytes);
	__sync_fetch_and_add(&total->count_x256, live->weight_bytes * 256 / live->size_bytes);
}

static __always_inline void keep(const struct slot *slot, u64 address)
{
	struct seep_live_key key = live_key(address);

	add(SEEP_ALLOC_STAT_ALLOCS, 1);
	add(SEEP_ALLOC_STAT_ALLOC_BYTES, slot->live.weight_bytes);
	add_to_total(&slot->live);
	if (is_region(slot->live.kind))
		insert(&seep_regions, &address, &slot->live);
	else
		insert(&seep_live, &key, &slot->live);
}

static __always_inline void settle(const struct slot *slot, u64 result)
{
	if (has_failed(slot, result)) {
		add(SEEP_ALLOC_STAT_FAILED, 1);
		if (slot->has_old_live)
			give_back(slot);
		return;
	}
	if (slot->has_old_live)
		count_freed(slot->old_live.weight_bytes);
	if (slot->is_sampled && result)
		keep(slot, result);
}

static __noinline int on_return(struct pt_regs *ctx)
{
	u32 tid = bpf_get_current_pid_tgid();
	struct slot *slot;

	if (!is_target())
		return 0;
	add(SEEP_ALLOC_STAT_RETURNS, 1);
	slot = bpf_map_lookup_elem(&seep_slots, &tid);
	if (!slot || slot->sp != entry_sp(ctx))
		return 0;
	/* the slot is the thread's own: nobody else can take it meanwhile */
	settle(slot, result_of(ctx, slot));
	slot->sp = 0;
	return 0;
}

/* ---- programs ---------------------------------------------------------------------------- */

/*
 * e00931c02568 ("bpf: Enable private stack for eligible subprogs", 6.13): functions with 64 bytes of
 * stack or more share one stack a CPU, on the belief that no program runs twice on a CPU. A program
 * on a uprobe does: it can be preempted, and nothing keeps the next task from running it (7.3, where
 * every kernel preempts, crashed so in test_alloc). A program with a tail call keeps the stack of
 * its task; this one is never made.
 */
const volatile bool never = false;

/* Programs that share such a map must be of one kind; a session is of another than the rest. */
struct nowhere {
	__uint(type, BPF_MAP_TYPE_PROG_ARRAY);
	__uint(max_entries, 1);
	__type(key, u32);
	__type(value, u32);
} seep_nowhere SEC(".maps"), seep_nowhere_ses SEC(".maps");

static __always_inline void use_own_stack(struct pt_regs *ctx, struct nowhere *nowhere)
{
	if (never)
		bpf_tail_call(ctx, nowhere, 0);
}

/* 0: the return is wanted; 1: it is not. */
SEC("uprobe")
int seep_session(struct pt_regs *ctx)
{
	use_own_stack(ctx, &seep_nowhere_ses);
	if (is_session_return(ctx))
		return on_return(ctx);
	return on_entry(ctx) ? 0 : 1;
}

SEC("uprobe")
int seep_entry(struct pt_regs *ctx)
{
	use_own_stack(ctx, &seep_nowhere);
	on_entry(ctx);
	return 0;
}

SEC("uretprobe")
int seep_return(struct pt_regs *ctx)
{
	use_own_stack(ctx, &seep_nowhere);
	return on_return(ctx);
}

SEC("uprobe")
int seep_new(struct pt_regs *ctx)
{
	use_own_stack(ctx, &seep_nowhere);
	on_entry(ctx);
	return 0;
}

/* Where operator new returns, and what it jumps to: others come there, too. */
SEC("uprobe")
int seep_new_exit(struct pt_regs *ctx)
{
	u32 tid = bpf_get_current_pid_tgid();
	struct slot *slot;

	use_own_stack(ctx, &seep_nowhere);
	if (!is_target())
		return 0;
	count_hit(site_of(ctx));
	slot = bpf_map_lookup_elem(&seep_slots, &tid);
	if (!slot || slot->sp != PT_REGS_SP(ctx) || slot->live.kind != SEEP_ALLOC_NEW)
		return 0;
	settle(slot, PT_REGS_RC(ctx));
	slot->sp = 0;
	return 0;
}

SEC("uprobe")
int seep_free(struct pt_regs *ctx)
{
	u64 site = site_of(ctx), addr = argument(ctx, site, 0);
	struct seep_live live;

	use_own_stack(ctx, &seep_nowhere);
	if (!is_target())
		return 0;
	count_hit(site);
	if (addr && take_block(addr, &live))
		count_freed(live.weight_bytes);
	return 0;
}

/* A range of addresses that is unmapped. */
struct cut {
	u64 lo, hi;
};

static long cut_region(struct bpf_map *map, const u64 *start, struct seep_live *live,
		       struct cut *cut)
{
	u64 lo = *start, hi = lo + live->size_bytes;
	struct seep_live copy;

	if (hi <= cut->lo || lo >= cut->hi)
		return 0;
	copy = *live;
	if (take(&seep_regions, &lo))
		return 0;
	if (lo < cut->lo)
		keep_rest(lo, cut->lo, &copy);
	if (hi > cut->hi)
		keep_rest(cut->hi, hi, &copy);
	add(SEEP_ALLOC_STAT_FREES, lo >= cut->lo && hi <= cut->hi);
	add(SEEP_ALLOC_STAT_FREE_BYTES,
	    (hi < cut->hi ? hi : cut->hi) - (lo > cut->lo ? lo : cut->lo));
	return 0;
}

/* What munmap takes: false if it will refuse. */
static __always_inline bool read_cut(const struct pt_regs *ctx, struct cut *ret_cut)
{
	u64 lo = PT_REGS_PARM1(ctx), bytes = whole_pages(PT_REGS_PARM2(ctx));

	if (lo & (page_bytes - 1) || !bytes || lo + bytes < lo)
		return false;
	ret_cut->lo = lo;
	ret_cut->hi = lo + bytes;
	return true;
}

/* 69c087ba6225 ("bpf: Add bpf_for_each_map_elem() helper", 5.13). */
SEC("uprobe")
int seep_munmap(struct pt_regs *ctx)
{
	struct seep_live *whole;
	struct cut cut;

	use_own_stack(ctx, &seep_nowhere);
	if (!is_target())
		return 0;
	count_hit(site_of(ctx));
	if (!read_cut(ctx, &cut))
		return 0;
	whole = bpf_map_lookup_elem(&seep_regions, &cut.lo);
	if (whole && whole->size_bytes == cut.hi - cut.lo)
		cut_region(NULL, &cut.lo, whole, &cut);
	else
		bpf_for_each_map_elem(&seep_regions, cut_region, &cut, 0);
	return 0;
}

/* Before it: only what begins where the unmapped range does. */
SEC("uprobe")
int seep_munmap_exact(struct pt_regs *ctx)
{
	struct seep_live live;
	struct cut cut;

	use_own_stack(ctx, &seep_nowhere);
	if (!is_target())
		return 0;
	count_hit(site_of(ctx));
	if (read_cut(ctx, &cut) && take_region(cut.lo, cut.hi - cut.lo, &live))
		count_freed(live.weight_bytes);
	return 0;
}

/* For measuring what the trap alone costs. */
SEC("uprobe")
int seep_nothing(struct pt_regs *ctx)
{
	return 0;
}

/* A thread that dies inside a call leaves no slot for the next one with its number. */
SEC("raw_tp/sched_process_exit")
int seep_aexit(struct bpf_raw_tracepoint_args *ctx)
{
	struct task_struct *task = (void *)ctx->args[0];
	u32 tid;

	if ((u32)BPF_CORE_READ(task, tgid) != target_tgid)
		return 0;
	tid = BPF_CORE_READ(task, pid);
	take(&seep_slots, &tid);
	if (!BPF_CORE_READ(task, signal, live.counter))
		target_state = SEEP_TARGET_EXITED;
	return 0;
}

/*
 * Children take a copy of the breakpoints with the memory, but no program runs for them. One that
 * shares the memory (vfork) is to run a program soon. The oldest is left out where nobody asks.
 */
SEC("raw_tp/sched_process_fork")
int seep_afork(struct bpf_raw_tracepoint_args *ctx)
{
	struct task_struct *parent = (void *)ctx->args[0], *task = (void *)ctx->args[1];
	struct seep_child child = {.tgid = BPF_CORE_READ(task, tgid)};

	if ((u32)BPF_CORE_READ(parent, tgid) != target_tgid || child.tgid == target_tgid)
		return 0;
	child.is_copy = BPF_CORE_READ(task, mm) != BPF_CORE_READ(parent, mm);
	add(SEEP_ALLOC_STAT_CHILDREN, child.is_copy);
	bpf_map_push_elem(&seep_children, &child, BPF_EXIST);
	return 0;
}

/* Another program runs there now: nothing that was allocated exists any more. */
SEC("raw_tp/sched_process_exec")
int seep_aexec(struct bpf_raw_tracepoint_args *ctx)
{
	struct task_struct *task = (void *)ctx->args[0];

	if ((u32)BPF_CORE_READ(task, tgid) == target_tgid)
		target_state = SEEP_TARGET_EXECED;
	return 0;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
