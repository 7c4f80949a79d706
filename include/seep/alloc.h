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

/* Most of a stack that is copied, and the grain of what is hashed and copied. */
#define SEEP_STACK_BYTES_MAX 32768
#define SEEP_STACK_CHUNK     256

/* What a probed function does. */
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
	SEEP_ALLOC_NEW,            /* p = operator new(size, ...): no return probe */
	SEEP_ALLOC_NEW_EXIT,       /* an instruction by which it returns */
	SEEP_GROWTH,               /* no call: memory came to life (growth.h) */
};

/*
 * Cookie of a probe: the kind; which of allocator_texts the function is in; and how it is called.
 */
#define SEEP_SITE(kind, text)  ((kind) | (__u64)(text) << 8)
#define SEEP_SITE_KIND(site)   ((__u32)(site) & 0xff)
#define SEEP_SITE_TEXT(site)   ((__u32)((site) >> 8) & 0xff)
#define SEEP_SITE_FOLLOW       (1ULL << 16) /* may call other probed functions */
#define SEEP_SITE_OWN_CALLERS  (1ULL << 17) /* calls from its own text count */
#define SEEP_SITE_STEPPED      (1ULL << 18) /* the kernel single-steps the probed instruction */
#define SEEP_SITE_MOVES_ALONE  (1ULL << 19) /* realloc: with an old block it calls none of them */
/* In which argument's register the first three arguments are, where that is not their own. */
#define SEEP_SITE_ARG(n, reg)      ((__u64)((n) ^ (reg)) << (20 + 3 * (n)))
#define SEEP_SITE_REG_OF(site, n)  ((__u32)((site) >> (20 + 3 * (n)) & 7) ^ (n))

#define SEEP_ALLOCATOR_TEXTS 4
#define SEEP_CODE_SPANS      2

struct seep_span {
	__u64 lo, bytes;
};

/* Where an allocator's file is mapped to run. */
struct seep_text {
	struct seep_span span;
	__u32 shadows; /* defines malloc in place of the C library's: what it calls there is its own */
	__u32 pad;
};

/* Why the probes are silent now. */
enum seep_target_state {
	SEEP_TARGET_ALIVE,
	SEEP_TARGET_EXECED, /* another program runs in the process: all records are void */
	SEEP_TARGET_EXITED,
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
	__u64 size_bytes;   /* a block of no bytes counts as one byte */
	__u64 weight_bytes; /* what it stands for: size / probability, in bytes */
	__u64 at_ns;        /* CLOCK_BOOTTIME */
	__u64 stack_id;     /* hash of the stack; its copy went through the ring once */
	__u32 tid;
	__u32 kind;         /* enum seep_alloc_kind */
};

/* What one stack has allocated since the start: value of seep_totals, key stack_id. */
struct seep_total {
	__u64 bytes;      /* sum of the samples' weights */
	__u64 count_x256; /* sum of 1 / probability: estimates the number of calls */
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

/* A process that the target forked: value of the queue seep_children. */
struct seep_child {
	__u32 tgid;
	__u32 is_copy; /* has memory of its own, breakpoints included; 0: vfork */
};

/* Index of the per-CPU array seep_astats. */
enum seep_alloc_stat {
	SEEP_ALLOC_STAT_HITS,          /* probe hits of the target */
	SEEP_ALLOC_STAT_ALLOCS,        /* successful sampled allocations */
	SEEP_ALLOC_STAT_ALLOC_BYTES,   /* ...their weights: estimates all bytes allocated */
	SEEP_ALLOC_STAT_FREES,         /* frees of live samples */
	SEEP_ALLOC_STAT_FREE_BYTES,    /* ...their weights */
	SEEP_ALLOC_STAT_STACKS,        /* stacks sent through the ring */
	SEEP_ALLOC_STAT_STEPPED_HITS,  /* hits of probes that the kernel single-steps */
	SEEP_ALLOC_STAT_RETURNS,       /* return probes that ran */
	/* what was lost, by reason; bytes of weight where it matters */
	SEEP_ALLOC_STAT_LIVE_FULL,     /* not entered: table full */
	SEEP_ALLOC_STAT_LIVE_FULL_BYTES, /* of these, and of what BUSY kept out */
	SEEP_ALLOC_STAT_RING_FULL,     /* stack not sent */
	SEEP_ALLOC_STAT_BUSY,          /* a table could not be changed, though tried again */
	SEEP_ALLOC_STAT_SLOT_FULL,     /* entry seen, return not followed */
	SEEP_ALLOC_STAT_NO_RESULT,     /* operator new that was not seen to return: it threw */
	SEEP_ALLOC_STAT_NO_RETURN,     /* a return probe could have done harm: not followed */
	SEEP_ALLOC_STAT_MISSED_FREE,   /* address came again while still live: its free was missed */
	SEEP_ALLOC_STAT_FAILED,        /* allocation returned NULL or an error */
	SEEP_ALLOC_STAT_BAD_STACK,     /* no stack byte could be read */
	SEEP_ALLOC_STAT_TOTALS_FULL,   /* sample not added to its stack's totals */
	SEEP_ALLOC_STAT_FOREIGN,       /* hit in another process: perf events only */
	SEEP_ALLOC_STAT_CHILDREN,      /* processes the target forked: their calls are not seen */
	SEEP_ALLOC_STAT_CNT,
};

#endif /* SEEP_ALLOC_H */
