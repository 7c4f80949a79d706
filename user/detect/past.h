/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * past.h - a week of a series in some hundred bytes: of each of the last 28 windows the lowest
 * floor, the mean and the highest mean of a bucket.
 *
 * The long ring ends after four windows, a day. What rises every day, or every Monday, can only be
 * told from a leak by something that remembers the days before.
 */
#ifndef SEEP_DETECT_PAST_H
#define SEEP_DETECT_PAST_H

#include <stdint.h>

#include "view.h"

struct past {
	long long head; /* number of the newest window; -1: none */
	float low[VIEW_PAST]; /* of window number modulo VIEW_PAST; NAN: a hole */
	float high[VIEW_PAST];
	float sum[VIEW_PAST]; /* of means */
	uint8_t cnt[VIEW_PAST];
};

void past__reset(struct past *p);

/* One bucket of the window with that number; windows come in order. NAN: nothing is added. */
void past__add(struct past *p, long long window, float floor, float mean);

/* Fills the past of v, oldest first; the first one is known. */
void past__read(const struct past *p, struct view *v);

#endif /* SEEP_DETECT_PAST_H */
