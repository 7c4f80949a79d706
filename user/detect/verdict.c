/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * verdict.c - the names of states and classes as they stand in JSON.
 */
#include <math.h>

#include "verdict.h"

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))

static const char *const state_names[] = {
	[VERDICT_WARMING] = "warming",
	[VERDICT_HEALTHY] = "healthy",
	[VERDICT_SUSPECT] = "suspect",
	[VERDICT_LEAK] = "leak",
	[VERDICT_RECOVERED] = "recovered",
};

static const char *const class_names[] = {
	[CLASS_UNKNOWN] = "unknown",
	[CLASS_LEAK] = "leak",
	[CLASS_RETENTION] = "retention",
	[CLASS_FRAGMENTATION] = "fragmentation",
	[CLASS_WARM_UP] = "warm-up",
	[CLASS_CACHE] = "cache",
	[CLASS_SAWTOOTH] = "sawtooth",
	[CLASS_STEP] = "step",
	[CLASS_LOAD] = "load",
};

const char *verdict__state_name(enum verdict_state state)
{
	return (size_t)state < ARRAY_SIZE(state_names) ? state_names[state] : "unknown";
}

const char *verdict__class_name(enum verdict_class class)
{
	return (size_t)class < ARRAY_SIZE(class_names) ? class_names[class] : "unknown";
}

struct verdict verdict__unknown(enum verdict_state state)
{
	return (struct verdict){
		.state = state,
		.class = CLASS_UNKNOWN,
		.confidence = NAN,
		.since_s = NAN,
		.growth_bytes = NAN,
		.slope_bytes_per_hour = NAN,
		.slope_lo_bytes_per_hour = NAN,
		.slope_hi_bytes_per_hour = NAN,
		.limit_bytes = NAN,
		.time_to_limit_s = NAN,
		.time_to_limit_lo_s = NAN,
		.time_to_limit_hi_s = NAN,
		.horizon_s = NAN,
	};
}
