/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * store_raw.h - the store as the journal sees it: slots, and polls exactly as they are stored.
 *
 * What series__put rounds away never reaches a ring, so putting the same struct series_poll at
 * the same time again gives the same rings to the last bit.
 */
#ifndef SEEP_SERIES_STORE_RAW_H
#define SEEP_SERIES_STORE_RAW_H

#include "ring.h"
#include "store.h"

#define STORE_SERIES_MAX 65536u      /* bound of store_cfg.max_series */
#define SERIES_NO_LIMIT  UINT32_MAX /* no limit, or one of 4 TiB and more */

struct series_poll {
	struct ring_poll ring;
	uint32_t limit_kib;
};

/* The series in that slot (< max_series), or NULL. */
struct series *store__at(const struct store *st, unsigned slot);
unsigned series__slot(const struct store *st, const struct series *s);
/* Never 0 and never twice the same: tells whether a slot changed hands. */
uint32_t series__id(const struct series *s);
/* Grows when the key or the name changes. */
uint32_t series__edits(const struct series *s);
/* What it was called before the last store__rekey, or NULL. */
const struct series_key *series__former_key(const struct series *s);
unsigned series__interest(const struct series *s);
/* Was it put since the last call? If so, the newest poll; start tells of any of them. */
bool series__take_poll(struct series *s, struct series_poll *ret_poll);
void series__put_poll(struct store *st, struct series *s, double t_s,
		      const struct series_poll *poll);

#endif /* SEEP_SERIES_STORE_RAW_H */
