/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * caps.h - giving up privileges that are not needed any more.
 *
 * Capabilities belong to a thread and pass to the threads it makes: call before there are others.
 */
#ifndef SEEP_BASE_CAPS_H
#define SEEP_BASE_CAPS_H

#include <stdint.h>

/* CAP_x as a bit. */
#define CAPS_BIT(cap) (1ULL << (cap))

/* What this thread may use now; 0 when that cannot be read. */
uint64_t caps__effective(void);

/*
 * Keep at most these, for good: neither this thread nor what it executes gets another one, from a
 * set-uid file either. What it does not have is not gained. 0 or -errno.
 */
int caps__keep(uint64_t mask);

#endif /* SEEP_BASE_CAPS_H */
