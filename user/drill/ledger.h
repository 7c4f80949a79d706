/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * ledger.h - call sites of one target summed over slices.
 *
 * A site of a later slice is the same when its frames are. Bounded: above the bound the
 * smallest site makes room.
 */
#ifndef SEEP_DRILL_LEDGER_H
#define SEEP_DRILL_LEDGER_H

#include <jansson.h>

#include "site.h"

#define LEDGER_MAX 64

struct ledger;

struct ledger *ledger__new(void); /* NULL: out of memory */
void ledger__free(struct ledger *l);

/* Add what a slice of watched_s seconds found. Sites that churn are left out. 0 or -ENOMEM. */
int ledger__add(struct ledger *l, const struct site *sites, size_t cnt, double watched_s);

/* What all of them own, summed over the slices. */
double ledger__bytes(const struct ledger *l);

/* The `top` sites that own most, as an array of SITE; sums, their intervals, and the growth per
 * hour of watched time. A new reference, NULL: out of memory. */
json_t *ledger__to_json(const struct ledger *l, size_t top);

#endif /* SEEP_DRILL_LEDGER_H */
