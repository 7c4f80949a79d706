/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * verdict.h - what the detector says of one series.
 *
 * A verdict is plain data: it owns nothing and can be copied. Unknown numbers are NAN, never 0.
 */
#ifndef SEEP_DETECT_VERDICT_H
#define SEEP_DETECT_VERDICT_H

#include <stddef.h>

enum verdict_state {
	VERDICT_WARMING,   /* cannot know yet */
	VERDICT_HEALTHY,   /* looked, and it does not grow */
	VERDICT_SUSPECT,   /* worth a closer look; nobody is told */
	VERDICT_LEAK,      /* people are told; an incident is open */
	VERDICT_RECOVERED, /* was a leak; growth stopped for long enough */
};

enum verdict_class {
	CLASS_UNKNOWN,
	CLASS_LEAK,
	CLASS_RETENTION,     /* grows for good, but bounded or slowing: kept longer than needed */
	CLASS_FRAGMENTATION, /* grew to a plateau well above what is live */
	CLASS_WARM_UP,
	CLASS_CACHE,
	CLASS_SAWTOOTH,
	CLASS_STEP,
	CLASS_LOAD,
};

struct verdict {
	enum verdict_state state;
	enum verdict_class class;
	double confidence;                  /* 0..1 that growth goes on and is not given back */
	double since_s;                     /* onset of the growth, same clock as the points */
	double growth_bytes;                /* of the floor, since the onset */
	double slope_bytes_per_hour;        /* robust slope of the floor on the horizon below */
	double slope_lo_bytes_per_hour;     /* 95 % interval */
	double slope_hi_bytes_per_hour;
	double limit_bytes;                 /* the limit given with the last point, or NAN */
	double time_to_limit_s;             /* from the last point, or NAN */
	double time_to_limit_lo_s;          /* 95 % interval; hi may be INFINITY */
	double time_to_limit_hi_s;
	double horizon_s;                   /* the span of history the verdict rests on */
};

/* A verdict of which nothing but the state is known: class unknown, every number NAN. */
struct verdict verdict__unknown(enum verdict_state state);

/* Names as they stand in JSON ("leak", "warm-up"); never NULL. */
const char *verdict__state_name(enum verdict_state state);
const char *verdict__class_name(enum verdict_class class);

#endif /* SEEP_DETECT_VERDICT_H */
