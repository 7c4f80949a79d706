/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * arena.h - a fixed number of equal slots in one mapping, which costs memory only where written.
 *
 * A freed slot gives its whole pages back to the kernel, together with those it shares with free
 * neighbours; the lowest free slot is handed out first, so that what is in use stays together.
 */
#ifndef SEEP_SERIES_ARENA_H
#define SEEP_SERIES_ARENA_H

#include <stddef.h>
#include <stdint.h>

#define ARENA_FULL UINT32_MAX

struct arena {
	char *base;
	uint64_t *used;    /* a bit per slot */
	size_t slot_sz;
	size_t mapped_sz;
	uint32_t cap;
	uint32_t used_cnt;
};

/* Slots are zero at first, and undefined after reuse. 0 or -ENOMEM. */
int arena__init(struct arena *a, uint32_t cap, size_t slot_sz);
void arena__destroy(struct arena *a);
/* The number of a slot, or ARENA_FULL. */
uint32_t arena__alloc(struct arena *a);
void arena__free(struct arena *a, uint32_t slot);
int arena__is_used(const struct arena *a, uint32_t slot);
/* The first used slot at or after `slot`, or ARENA_FULL. */
uint32_t arena__next_used(const struct arena *a, uint32_t slot);

static inline void *arena__at(const struct arena *a, uint32_t slot)
{
	return a->base + slot * a->slot_sz;
}

#endif /* SEEP_SERIES_ARENA_H */
