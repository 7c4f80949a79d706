/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * alloc_probe.h - sampled probes on the allocators of one process, and what is still allocated.
 *
 * The allocators are found through the target's mappings (see allocators.c for the table), the
 * probes are placed on an instruction the kernel emulates where there is one, and attached to the
 * target only. If the agent dies the probes go with it.
 *
 * Children that the target forks while it is probed keep its breakpoints until they exec or the
 * probe is freed: what they allocate is not counted, but with uprobe_multi and sessions they pay the
 * trap for each call (perf events leave them at the first). SEEP_ALLOC_STAT_CHILDREN says how many.
 */
#ifndef SEEP_PROBE_ALLOC_PROBE_H
#define SEEP_PROBE_ALLOC_PROBE_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <linux/types.h>
#include <seep/alloc.h>

struct alloc_probe;

struct alloc_probe_cfg {
	pid_t pid;
	uint64_t sample_bytes;	 /* mean bytes between samples; 0: every allocation */
	unsigned max_live;	 /* 0: 65536 samples alive at once (1 Mi when sample_bytes is 0) */
	unsigned ring_bytes;	 /* 0: 8 MiB */
	unsigned stack_bytes;	 /* copied per stack: 0: 16384, at most 32768 */
	uint64_t min_mmap_bytes; /* direct mmap of this size or more counts; 0: 128 KiB */
	int no_session;		 /* entry and return pairs (tests of the fallback) */
	int no_multi;		 /* perf-event uprobes (tests of the fallback) */
	int at_entry;		 /* no placement: always the first instruction (bench) */
};

/*
 * 0; -ESRCH gone, -EPERM, -ENOENT no known allocator in it, -EOPNOTSUPP this kernel's probes could
 * harm it; `why` says it in one line.
 */
int alloc_probe__new(const struct alloc_probe_cfg *cfg, struct alloc_probe **ret_probe, char *why,
		     size_t why_cap);
/* Detaches; about 25 ms. NULL is fine. */
void alloc_probe__free(struct alloc_probe *p);
/* Detach, but keep the tables readable. */
void alloc_probe__detach(struct alloc_probe *p);
/*
 * Attach anew, with empty tables: to load and verify the programs is most of the cost of a short
 * look. 0 or -errno (-ESTALE: another program runs there); then it can only be freed.
 */
int alloc_probe__resume(struct alloc_probe *p, uint64_t sample_bytes);

/* The process ran another program (all records are void) or is gone: the probes are silent. */
enum seep_target_state alloc_probe__state(const struct alloc_probe *p);

/* One function that is probed. */
struct alloc_site_info {
	const char *allocator; /* "glibc", "jemalloc", ... */
	const char *function;
	const char *module;
	uint64_t offset; /* of the probe, from the start of the function; 0 where it returns */
	int emulated;	 /* 1: cheap; 0: single-stepped */
};
size_t alloc_probe__sites(const struct alloc_probe *p, const struct alloc_site_info **ret_sites);
/* "session", "multi" or "perf". */
const char *alloc_probe__mode(const struct alloc_probe *p);
/* Allocator that an allocation kind was probed in, for SITE.allocator: the first found. */
const char *alloc_probe__allocator(const struct alloc_probe *p);

/* Readable when a quarter of the ring is full: drain then, and with each look at the samples. */
int alloc_probe__fd(const struct alloc_probe *p);
typedef void (*alloc_stack_fn)(void *ctx, const struct seep_stack *stack, const void *bytes);
int alloc_probe__drain(struct alloc_probe *p, alloc_stack_fn fn, void *ctx);

/* The next process that the target has forked: 1, or 0 if there is none. */
int alloc_probe__next_child(struct alloc_probe *p, struct seep_child *ret_child);

typedef void (*alloc_live_fn)(void *ctx, uint64_t addr, const struct seep_live *live);
/* All live samples now (batched lookups). 0 or -errno. */
int alloc_probe__live(struct alloc_probe *p, alloc_live_fn fn, void *ctx);

/* Follow a block that an earlier probe of the same process left alive: its free is seen. */
int alloc_probe__carry(struct alloc_probe *p, uint64_t addr, const struct seep_live *live);

/*
 * What each stack has allocated since the start, freed or not: estimates from the same samples
 * (sums of weights; of 1 / probability). 0 or -errno.
 */
typedef void (*alloc_total_fn)(void *ctx, uint64_t stack_id, uint64_t bytes, double cnt);
int alloc_probe__totals(struct alloc_probe *p, alloc_total_fn fn, void *ctx);

/* Twice the mean distance between samples from now on; returns the new period. Called by the
 * owner when the table is half full. */
uint64_t alloc_probe__coarsen(struct alloc_probe *p);
uint64_t alloc_probe__sample_bytes(const struct alloc_probe *p);

void alloc_probe__stats(struct alloc_probe *p, uint64_t ret_stats[SEEP_ALLOC_STAT_CNT]);
unsigned alloc_probe__max_live(const struct alloc_probe *p);
/* What this mode cannot see, one sentence each; NULL-terminated. Looks at the samples add to it. */
const char *const *alloc_probe__not_seen(const struct alloc_probe *p);
/*
 * What an allocation costs a child of the target while the target is probed: the kernel runs no
 * program for it, but has it return by the trampoline.
 */
unsigned alloc_probe__child_hit_ns(const struct alloc_probe *p);
/*
 * CPU time that the target has spent on the probes: hits by kind, times what a hit of that kind was
 * measured to cost on this machine, and an estimate for each sample. And the hits.
 */
uint64_t alloc_probe__cost_ns(struct alloc_probe *p, uint64_t *ret_hits);

#endif /* SEEP_PROBE_ALLOC_PROBE_H */
