/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0-only) */
/*
 * compat.bpf.h - every "the kernel moved this" of seep's BPF programs.
 *
 * One pair of functions a change, named for what they give, with the commit that made it.
 * Programs never look at versions; CO-RE decides at load time and the verifier removes the
 * branch that does not apply.
 */
#ifndef SEEP_COMPAT_BPF_H
#define SEEP_COMPAT_BPF_H

#include "vmlinux.h"
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>
#include <seep/rss.h>

/*
 * f1a7941243c1 ("mm: convert mm's rss stats into percpu_counter", 6.2): mm->rss_stat was a
 * struct of atomics that rss_stat events carried an exact copy of; since then it is an array of
 * per-CPU counters, and the event has no count any more.
 */
struct mm_struct___percpu {
	struct percpu_counter rss_stat[SEEP_MM_CNT];
} __attribute__((preserve_access_index));

typedef struct {
	long counter;
} atomic_long_t___x;

struct mm_rss_stat {
	atomic_long_t___x count[SEEP_MM_CNT];
} __attribute__((preserve_access_index));

struct mm_struct___atomic {
	struct mm_rss_stat rss_stat;
} __attribute__((preserve_access_index));

static __always_inline bool has_percpu_rss(void)
{
	return bpf_core_field_exists(((struct mm_struct___percpu *)0)->rss_stat);
}

/*
 * The central part of one counter: what batched updates are folded into. `member` must be a
 * constant after inlining.
 */
#define mm_batched_count(mm, member)                                                             \
	(has_percpu_rss() ?                                                                       \
		 BPF_CORE_READ((struct mm_struct___percpu *)(mm), rss_stat[member].count) :       \
		 (s64)BPF_CORE_READ((struct mm_struct___atomic *)(mm),                            \
				    rss_stat.count[member].counter))

/* The same, where there are per-CPU counters, by a direct load: for an mm the verifier knows. */
#define mm_batched_count_btf(mm, member)                                                         \
	((s64)((struct mm_struct___percpu *)(mm))->rss_stat[member].count)

/*
 * The count that a tp_btf program is given where counters are atomics. In assembler: clang adds 16
 * to the context first where this is one of two branches, and a context that was added to is
 * refused.
 */
static __always_inline s64 event_count_btf(const u64 *ctx)
{
	s64 count;

	asm volatile("%0 = *(u64 *)(%1 + 16)" : "=r"(count) : "r"(ctx));
	return count;
}

/* Per-CPU parts of a counter; NULL where counters are atomics. */
#define mm_percpu_parts(mm, member)                                                              \
	(has_percpu_rss() ?                                                                       \
		 BPF_CORE_READ((struct mm_struct___percpu *)(mm), rss_stat[member].counters) :    \
		 NULL)

/*
 * The same commit ended SPLIT_RSS_COUNTING: until then each task kept the changes it made to its
 * own mm to itself, up to 65 page faults' worth, before they reached mm->rss_stat.
 */
struct task_rss_stat___split {
	int count[SEEP_MM_CNT];
} __attribute__((preserve_access_index));

struct task_struct___split {
	struct task_rss_stat___split rss_stat;
} __attribute__((preserve_access_index));

static __always_inline bool has_task_rss(void)
{
	return bpf_core_field_exists(((struct task_struct___split *)0)->rss_stat);
}

/* What `task` has not yet told its mm of one counter; ask only where has_task_rss(). */
#define task_held_count(task, member)                                                            \
	BPF_CORE_READ((struct task_struct___split *)(task), rss_stat.count[member])

/* 7adfc6c9b315 ("bpf: Add bpf_get_attach_cookie() BPF helper to access bpf_cookie value", 5.15). */
enum bpf_func_id {
	BPF_FUNC_get_attach_cookie = 174,
};

static __always_inline bool has_attach_cookie(void)
{
	return bpf_core_enum_value_exists(enum bpf_func_id, BPF_FUNC_get_attach_cookie);
}

/*
 * 99b403d2061b ("bpf: Add support for uprobe multi session context", 6.13). The function had no
 * parameter before 7.0.
 */
extern bool bpf_session_is_return(void) __ksym __weak;
extern bool bpf_session_is_return___ctx(void *ctx) __ksym __weak;

static __always_inline bool is_session_return(void *ctx)
{
	if (bpf_ksym_exists(bpf_session_is_return___ctx))
		return bpf_session_is_return___ctx(ctx);
	return bpf_session_is_return();
}

#endif /* SEEP_COMPAT_BPF_H */
