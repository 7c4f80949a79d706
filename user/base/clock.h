/* SPDX-License-Identifier: BSD-2-Clause */
/* clock.h - the two clocks, in nanoseconds and seconds. Only agent/ and cli/ read them. */
#ifndef SEEP_BASE_CLOCK_H
#define SEEP_BASE_CLOCK_H

#include <stdint.h>
#include <time.h>

static inline uint64_t clock__ns(clockid_t clock)
{
	struct timespec ts;

	clock_gettime(clock, &ts);
	return ts.tv_sec * 1000000000ULL + ts.tv_nsec;
}

/* Time since boot, suspend included: the clock of the kernel's start times. */
static inline uint64_t clock__boot_ns(void)
{
	return clock__ns(CLOCK_BOOTTIME);
}

static inline double clock__wall_s(void)
{
	return clock__ns(CLOCK_REALTIME) / 1e9;
}

#endif /* SEEP_BASE_CLOCK_H */
