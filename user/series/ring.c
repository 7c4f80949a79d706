// SPDX-License-Identifier: BSD-2-Clause
/*
 * ring.c - buckets on a time grid; see ring.h.
 *
 * O(1) per poll: entering a bucket clears it and the holes skipped since the last one, and holes
 * are at most as many as buckets that were not written meanwhile.
 */
#include <errno.h>
#include <math.h>
#include <string.h>

#include "ring.h"

#define LOAD_KNEE  .01 /* linear below, logarithmic above */
#define LOAD_STEPS 200 /* per factor of e */
#define HOLE	   UINT32_MAX

/* The arrays within a ring's memory, widest first. */
struct fields {
	uint32_t *min;
	uint32_t *last;
	uint16_t *load;
	uint8_t *start; /* one bit each */
};

static struct fields fields_of(const void *mem, uint32_t cap)
{
	char *base = (char *)mem;

	return (struct fields){
		.min = (uint32_t *)base,
		.last = (uint32_t *)(base + 4 * (size_t)cap),
		.load = (uint16_t *)(base + 8 * (size_t)cap),
		.start = (uint8_t *)(base + 10 * (size_t)cap),
	};
}

size_t ring__size(uint32_t cap)
{
	size_t sz = 10 * (size_t)cap + (cap + 7) / 8;

	return (sz + 7) & ~(size_t)7;
}

static uint32_t slot_of(int64_t tick, uint32_t cap)
{
	int64_t slot = tick % cap;

	return slot < 0 ? slot + cap : slot;
}

/* Make tick the newest bucket, everything skipped a hole. */
static void enter(struct ring *r, const struct fields *f, uint32_t cap, int64_t tick)
{
	int64_t i, step = tick - r->head;
	uint32_t slot = slot_of(tick, cap);

	if (!r->len || step >= cap) {
		r->len = 1;
	} else {
		for (i = 1; i < step; i++)
			f->min[slot_of(r->head + i, cap)] = HOLE;
		r->len = r->len + step < cap ? r->len + step : cap;
	}
	r->head = tick;
	r->load_cnt = 0;
	r->load_sum = 0;
	f->min[slot] = HOLE;
	f->load[slot] = RING_LOAD_UNKNOWN;
	f->start[slot / 8] &= ~(1u << slot % 8);
}

static void add_load(struct ring *r, uint16_t *mean, uint16_t code)
{
	if (code == RING_LOAD_UNKNOWN)
		return;
	r->load_sum += ring__unpack_load(code);
	*mean = r->load_cnt++ ? ring__pack_load(r->load_sum / r->load_cnt) : code;
}

int ring__put(struct ring *r, void *mem, uint32_t cap, int64_t tick, const struct ring_poll *poll)
{
	struct fields f = fields_of(mem, cap);
	bool fresh = !r->len || tick > r->head;
	uint32_t slot;

	if (!fresh && tick < r->head)
		return -ERANGE;
	if (fresh)
		enter(r, &f, cap, tick);
	slot = slot_of(tick, cap);
	if (poll->kib < f.min[slot])
		f.min[slot] = poll->kib;
	f.last[slot] = poll->kib;
	add_load(r, &f.load[slot], poll->load);
	if (poll->start)
		f.start[slot / 8] |= 1u << slot % 8;
	return fresh;
}

int64_t ring__first(const struct ring *r)
{
	return r->len ? r->head - r->len + 1 : INT64_MAX;
}

bool ring__get(const struct ring *r, const void *mem, uint32_t cap, int64_t tick,
	       struct ring_bucket *ret)
{
	struct fields f = fields_of(mem, cap);
	uint32_t slot;

	if (tick < ring__first(r) || tick > r->head)
		return false;
	slot = slot_of(tick, cap);
	if (f.min[slot] == HOLE)
		return false;
	ret->min_kib = f.min[slot];
	ret->last_kib = f.last[slot];
	ret->load = f.load[slot];
	ret->start = f.start[slot / 8] >> slot % 8 & 1;
	return true;
}

uint16_t ring__pack_load(double share)
{
	double code;

	if (isnan(share) || share < 0)
		return RING_LOAD_UNKNOWN;
	code = LOAD_STEPS * log1p(share / LOAD_KNEE) + .5;
	return code < RING_LOAD_UNKNOWN ? code : RING_LOAD_UNKNOWN - 1;
}

double ring__unpack_load(uint16_t code)
{
	return code == RING_LOAD_UNKNOWN ? NAN : LOAD_KNEE * expm1((double)code / LOAD_STEPS);
}
