/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * floor.c - rings of bucket minima; see floor.h for what a floor is good for.
 *
 * Buckets are numbered from time 0 of the series, so two rings of different width that are fed
 * the same points stay aligned and the same tape gives the same buckets whenever it is played.
 */
#include <math.h>
#include <string.h>

#include "floor.h"

/* Of a bucket: a time this close below a boundary is on it, whatever the rounding said. */
#define EDGE 1e-6

void floor_ring__init(struct floor_ring *r, float *slots, int cap, double width_s)
{
	r->width_s = width_s;
	r->end_s = -INFINITY;
	r->head = -1;
	r->cap = cap;
	r->at = 0;
	r->min = slots;
}

long long floor_ring__advance(struct floor_ring *r, double t_s)
{
	long long bucket = (long long)(t_s / r->width_s + EDGE);
	long long step = bucket - r->head;
	long long i;

	if (step <= 0)
		return 0;
	if (r->head < 0 || step > r->cap) {
		/* everything kept is older than the ring reaches */
		for (i = 0; i < r->cap; i++)
			r->min[i] = NAN;
		r->at = 0;
	} else {
		for (i = 0; i < step; i++) {
			r->at = r->at + 1 == r->cap ? 0 : r->at + 1;
			r->min[r->at] = NAN;
		}
	}
	r->head = bucket;
	r->end_s = ((double)(bucket + 1) - EDGE) * r->width_s;
	return step;
}

int floor_ring__read(const struct floor_ring *r, int want, float *ret_min)
{
	int i, slot, n = want;

	if (r->head < 0)
		return 0;
	if (n > r->cap)
		n = r->cap;
	if (n > r->head + 1)
		n = (int)(r->head + 1);
	slot = r->at - (n - 1);
	if (slot < 0)
		slot += r->cap;
	for (i = 0; i < n; i++) {
		ret_min[i] = r->min[slot];
		slot = slot + 1 == r->cap ? 0 : slot + 1;
	}
	return n;
}

uint16_t floor__pack(float x)
{
	uint32_t u;

	if (isnan(x))
		return 0xffff;
	memcpy(&u, &x, sizeof(u));
	u += 0x4000; /* round: the low 15 bits go, the sign bit is known to be 0 */
	u >>= 15;
	return u >= 0xffff ? 0xfffe : (uint16_t)u;
}

float floor__unpack(uint16_t p)
{
	uint32_t u = (uint32_t)p << 15;
	float x;

	if (p == 0xffff)
		return NAN;
	memcpy(&x, &u, sizeof(x));
	return x;
}
