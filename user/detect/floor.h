/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * floor.h - the lowest value of a series in each of a fixed number of equal time buckets.
 *
 * The floor is what a program does not give back: a garbage collector's teeth, bursts and batch
 * jobs live above it. A ring keeps the newest `cap` buckets and forgets the rest; it never
 * allocates, its memory belongs to the caller. A bucket without a sample reads as NAN, so a gap
 * stays a gap.
 */
#ifndef SEEP_DETECT_FLOOR_H
#define SEEP_DETECT_FLOOR_H

#include <stdint.h>

struct floor_ring {
	double width_s; /* of one bucket */
	double end_s;   /* first time that no longer belongs to the newest bucket */
	long long head; /* number of the newest bucket, counted from time 0; -1: nothing yet */
	int cap;
	int at;         /* slot of the newest bucket */
	float *min;     /* cap slots */
};

/* Means beside the floors, 16 bits each: enough for an average, a quarter of the memory. */
struct floor_means {
	uint16_t *lift; /* mean minus floor */
	uint16_t *load;
	double sum;     /* of the newest bucket, not yet encoded */
	double load_sum;
	int cnt;
	int load_cnt;
};

void floor_ring__init(struct floor_ring *r, float *slots, int cap, double width_s);

/* Step to the bucket of t_s (>= any earlier one). Returns how many buckets were entered. */
long long floor_ring__advance(struct floor_ring *r, double t_s);

static inline void floor_ring__push(struct floor_ring *r, double t_s, float bytes)
{
	if (t_s >= r->end_s)
		floor_ring__advance(r, t_s);
	/* written so that the NAN of a fresh bucket gives way */
	if (!(r->min[r->at] <= bytes))
		r->min[r->at] = bytes;
}

/* The newest `want` buckets, oldest first, NAN where empty. Returns how many (<= want). */
int floor_ring__read(const struct floor_ring *r, int want, float *ret_min);

/* A non-negative number in 16 bits, 0.4 % exact; NAN survives. */
uint16_t floor__pack(float x);
float floor__unpack(uint16_t u);

#endif /* SEEP_DETECT_FLOOR_H */
