/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0-only) */
/*
 * alloc.h - what bpf/alloc.bpf.c and its loader (user/probe/alloc_probe.c) share.
 *
 * One object traces one target process (tgid). Sampled allocations live in seep_live until they
 * are freed; each carries its own weight, so estimates stay unbiased when the period changes.
 */
#ifndef SEEP_ALLOC_H
#define SEEP_ALLOC_H

/* Size classes of the sampling table: 4 for each power of two. */
#define SEEP_SIZE_CLASSES 256

/* What a probed function does; the cookie of its probe. */
enum seep_alloc_kind {
	SEEP_ALLOC_MALLOC = 1,     /* p = f(size) */
	SEEP_ALLOC_CALLOC,         /* p = f(n, size) */
	SEEP_ALLOC_REALLOC,        /* p = f(old, size) */
	SEEP_ALLOC_REALLOCARRAY,   /* p = f(old, n, size) */
	SEEP_ALLOC_ALIGNED,        /* p = f(alignment, size): memalign, aligned_alloc */
	SEEP_ALLOC_POSIX_MEMALIGN, /* err = f(&p, alignment, size) */
	SEEP_ALLOC_MMAP,           /* p = f(addr, len, ...) */
	SEEP_ALLOC_MREMAP,         /* p = f(old, old_len, new_len, ...) */
	SEEP_FREE,                 /* f(p, ...) */
	SEEP_FREE_MUNMAP,          /* f(p, len) */
};

/* Registers at the probe: enough to begin unwinding. */
struct seep_regs {
	__u64 ip, sp, bp;
	__u64 saved[11]; /* x86-64: rbx r12 r13 r14 r15; arm64: x19..x28, lr */
};

/* One sampled allocation that is alive: value of seep_live, key struct seep_live_key. */
struct seep_live_key {
	__u64 addr;
	__u32 tgid;
	__u32 pad;
};

struct seep_live {
	__u64 size_bytes;
	__u64 weight_bytes; /* what it stands for: size / probability, in bytes */
	__u64 at_ns;        /* CLOCK_BOOTTIME */
	__u64 stack_id;     /* hash of the stack; its copy went through the ring once */
	__u32 tid;
	__u32 kind;         /* enum seep_alloc_kind */
};

/* Ring record: a stack seen for the first time (or again after it fell out of the recent set). */
struct seep_stack {
	__u64 stack_id;
	struct seep_regs regs;
	__u32 tgid, tid;
	__u32 stack_bytes; /* how much follows: from regs.sp upwards */
	__u32 kind;
	/* followed by stack_bytes of stack; records come in a few fixed sizes */
};

/* Index of the per-CPU array seep_alloc_stats. */
enum seep_alloc_stat {
	SEEP_ALLOC_STAT_HITS,          /* probe hits of the target */
	SEEP_ALLOC_STAT_ALLOCS,        /* successful sampled allocations */
	SEEP_ALLOC_STAT_ALLOC_BYTES,   /* ...their weights: estimates all bytes allocated */
	SEEP_ALLOC_STAT_FREES,         /* frees of live samples */
	SEEP_ALLOC_STAT_FREE_BYTES,    /* ...their weights */
	SEEP_ALLOC_STAT_STACKS,        /* stacks sent through the ring */
	/* what was lost, by reason; bytes of weight where it matters */
	SEEP_ALLOC_STAT_LIVE_FULL,     /* not entered: table full */
	SEEP_ALLOC_STAT_LIVE_FULL_BYTES,
	SEEP_ALLOC_STAT_RING_FULL,     /* stack not sent */
	SEEP_ALLOC_STAT_SLOT_FULL,     /* entry seen, return not followed */
	SEEP_ALLOC_STAT_MISSED_FREE,   /* address came again while still live: its free was missed */
	SEEP_ALLOC_STAT_FAILED,        /* allocation returned NULL or an error */
	SEEP_ALLOC_STAT_BAD_STACK,     /* no stack byte could be read */
	SEEP_ALLOC_STAT_FOREIGN,       /* hit in another process (a fork child) */
	SEEP_ALLOC_STAT_CNT,
};

#endif /* SEEP_ALLOC_H */
