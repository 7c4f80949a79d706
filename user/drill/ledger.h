/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * ledger.h - call sites of one target summed over slices.
 *
 * A site of a later slice is the same when its frames are. Bounded: above the bound the
 * smallest site makes room.
 *
 * A slice is short: what it leaves behind may be freed an hour later. So some blocks of each site
 * are carried into the later slices and watched for their free; how many of them were freed in how
 * much time tells a leak from memory that is only kept for longer than a slice.
 */
#ifndef SEEP_DRILL_LEDGER_H
#define SEEP_DRILL_LEDGER_H

#include <jansson.h>

#include "trace.h"

#define LEDGER_MAX	   64
#define LEDGER_BLOCKS_MAX  4096 /* carried, */
#define LEDGER_BLOCKS_EACH 256	/* ...of one site */

struct ledger;

struct ledger *ledger__new(void); /* NULL: out of memory */
void ledger__free(struct ledger *l);

/* The process runs another program now: begin anew. */
void ledger__forget(struct ledger *l);

/* Add what a slice of watched_s seconds found. Sites that churn are left out. 0 or -ENOMEM. */
int ledger__add(struct ledger *l, const struct site *sites, size_t cnt, double watched_s);

/* The blocks that the next slice shall carry; valid until the next call. */
size_t ledger__carried(const struct ledger *l, const struct trace_block **ret_blocks);
/*
 * After a slice that carried them, before it is added: which of them were alive at its end. at_s is
 * any clock that runs on between slices.
 */
void ledger__settle(struct ledger *l, const struct trace_block *survivors, size_t cnt,
		    double watched_s, double at_s);
/* Before it carries them: those that were freed since the last slice, as far as that can be told. */
typedef int (*ledger_is_free_fn)(void *ctx, const struct trace_block *block);
void ledger__recheck(struct ledger *l, ledger_is_free_fn is_free, void *ctx);
/* After the slice was added: blocks that it left behind. Those of young age are passed over. */
void ledger__carry(struct ledger *l, const struct trace_left *left, size_t cnt, double watched_s,
		   double at_s);

/* What all of them own, summed over the slices. */
double ledger__bytes(const struct ledger *l);

/* The `top` sites that own most, as an array of SITE; sums, their intervals, and the growth per
 * hour of watched time. A new reference, NULL: out of memory. */
json_t *ledger__to_json(const struct ledger *l, size_t top);

#endif /* SEEP_DRILL_LEDGER_H */
