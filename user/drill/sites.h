/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * sites.h - live samples and copied stacks become call sites with estimates, ages and verdicts.
 *
 * Feed stacks as they come and snapshots of the live table now and then; ask for the result at
 * any time. Bounded: stacks above the bound are merged into one site "other" and counted.
 */
#ifndef SEEP_DRILL_SITES_H
#define SEEP_DRILL_SITES_H

#include "../sym/symbolizer.h"
#include "reach.h"
#include "site.h"

struct sites;

struct sites_cfg {
	struct sym_target *target;
	const char *allocator;
	double start_s;      /* CLOCK_BOOTTIME: what is older was not seen */
	double min_age_s;    /* younger samples are not counted as outstanding */
	unsigned max_stacks; /* 0: 16384 distinct stacks */
	int keeps_blocks;    /* for sites__each_block */
	int keeps_innermost; /* stacks begin in the program, not in its allocator */
};

struct sites *sites__new(const struct sites_cfg *cfg);
void sites__free(struct sites *s);

/* Unwound at once (mappings may change), symbolized only when asked for. 0 or -ENOMEM. */
int sites__add_stack(struct sites *s, const struct seep_stack *stack, const void *bytes);

/* Take in a snapshot: begin, every live sample, end. t_s on CLOCK_BOOTTIME. */
void sites__begin_snapshot(struct sites *s, double t_s);
void sites__add_live(struct sites *s, uint64_t addr, const struct seep_live *live);
void sites__end_snapshot(struct sites *s);

/*
 * The answers of reach__ask; they are counted for the live samples of the next snapshots, and stay the
 * caller's as long as those are taken.
 */
void sites__set_asked(struct sites *s, const struct reach_block *blocks, size_t cnt);

/* What a stack has allocated since the start, freed or not; the last word counts. */
void sites__set_allocated(struct sites *s, uint64_t stack_id, double bytes, double cnt);

/*
 * The `top` biggest sites of the last snapshot (0: all), merged by identical frames. The array
 * and its frames are the sites', valid until the next call.
 */
int sites__result(struct sites *s, size_t top, const struct site **ret_sites, size_t *ret_cnt);

/* Some of the blocks of the last snapshot, with the sites of the last result. */
typedef void (*sites_block_fn)(void *ctx, uint64_t addr, const struct seep_live *live,
			       const struct site *site);
void sites__each_block(const struct sites *s, sites_block_fn fn, void *ctx);

struct sites_totals {
	double outstanding_bytes, outstanding_lo_bytes, outstanding_hi_bytes, outstanding_count;
	uint64_t live_samples, stacks, whole_chains, unknown_stacks; /* samples whose stack was lost */
	uint64_t merged_stacks;
};
void sites__totals(const struct sites *s, struct sites_totals *ret_totals);

#endif /* SEEP_DRILL_SITES_H */
