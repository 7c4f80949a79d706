/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * ring.h - the newest buckets of one series on a time grid.
 *
 * Bucket number `tick` lives in slot tick mod cap, so all rings of one width are aligned and a
 * poll that did not happen is a hole, not a shift. A bucket keeps the lowest and the last value
 * (the floor of a sawtooth survives however wide the bucket is), the mean load and whether the
 * object was restarted. The memory is the caller's: arrays per field, 10 1/8 bytes a bucket,
 * which needs no clearing before use: a slot is written when the ring reaches it.
 */
#ifndef SEEP_SERIES_RING_H
#define SEEP_SERIES_RING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define RING_KIB_MAX      (UINT32_MAX - 1) /* UINT32_MAX marks a hole */
#define RING_LOAD_UNKNOWN UINT16_MAX

struct ring {
	int64_t head;      /* newest bucket; meaningless while len is 0 */
	uint32_t len;      /* buckets up to head that the ring speaks for, holes included */
	uint32_t load_cnt; /* polls with a known load in the newest bucket, */
	float load_sum;    /* and their sum */
};

/* One poll as it is stored. */
struct ring_poll {
	uint32_t kib;
	uint16_t load; /* ring__pack_load, or RING_LOAD_UNKNOWN */
	bool start;
};

struct ring_bucket {
	uint32_t min_kib;
	uint32_t last_kib;
	uint16_t load;
	bool start;
};

/* Bytes of memory for cap buckets. */
size_t ring__size(uint32_t cap);

/* 1: the first poll of its bucket; 0: joined to the newest bucket; -ERANGE: older than that. */
int ring__put(struct ring *r, void *mem, uint32_t cap, int64_t tick, const struct ring_poll *poll);

/* Oldest bucket the ring speaks for; INT64_MAX when it is empty. */
int64_t ring__first(const struct ring *r);

/* Is there data in that bucket? ret is filled if so. */
bool ring__get(const struct ring *r, const void *mem, uint32_t cap, int64_t tick,
	       struct ring_bucket *ret);

/*
 * CPU share of one core in 16 bits, logarithmic above 1 %: 0.5 % of the value there, 0.005 % of
 * a core below, up to more cores than exist. NAN survives. Coarse on purpose: an idle process
 * keeps the same code from poll to poll, and the journal writes only what changed.
 */
uint16_t ring__pack_load(double share);
double ring__unpack_load(uint16_t code);

#endif /* SEEP_SERIES_RING_H */
