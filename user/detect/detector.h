/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * detector.h - decides from a stream of (time, bytes) whether a series leaks.
 *
 * Pure: no clock, no I/O, no logging, no globals, no allocation after creation. Its behaviour
 * depends on the sample times and the window only, so the same tape compressed in time with an
 * equally compressed window gives the same verdicts. One detector belongs to one series.
 */
#ifndef SEEP_DETECT_DETECTOR_H
#define SEEP_DETECT_DETECTOR_H

#include <stddef.h>
#include "verdict.h"

#define DETECTOR_EVIDENCE_MAX 10
#define DETECTOR_EVIDENCE_LEN 160

struct detector;

struct detector_point {
	double t_s;         /* any clock that does not go back; a point not after the last one is dropped */
	double bytes;       /* anon + swap + owned shmem (or what the caller judges) */
	double limit_bytes; /* the level at which `bytes` would be killed; NAN = none known */
	double load;        /* work done per unit of time, any unit; NAN = unknown */
	int start;          /* 1: the process or container (re)started at this point */
};

/* Bytes one detector takes, for the caller's memory budget. */
size_t detector__size(void);

/* window_s > 0: the longest horizon (6 h in production). NULL: out of memory. */
struct detector *detector__new(double window_s);
void detector__free(struct detector *d);
void detector__reset(struct detector *d);

/*
 * The series is not new: an earlier detector, whose history is lost, had judged it a leak. It is
 * not held to what a new series is held to. Until reset.
 */
void detector__vouch(struct detector *d);

/* O(1) amortised. Gaps need no call: they are seen in the times. */
void detector__push(struct detector *d, const struct detector_point *p);

/*
 * Judge the series as of the last point and advance the hysteresis. Meant to be called about
 * every window/360 to window/24; calling more often costs time and changes nothing else.
 * ret_verdict is always filled.
 */
void detector__judge(struct detector *d, struct verdict *ret_verdict);

/*
 * The numbers behind the last judgement, one sentence a line, most telling first. Returns how
 * many lines were written (<= DETECTOR_EVIDENCE_MAX).
 */
int detector__evidence(const struct detector *d, char lines[][DETECTOR_EVIDENCE_LEN], int cap);

/* A short stable code for why the last judgement is not a leak ("plateau", "step", "load"). */
const char *detector__reason(const struct detector *d);

#endif /* SEEP_DETECT_DETECTOR_H */
