/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * growth.h - the first closer look: which call stacks take a process's memory to new heights.
 *
 * Works where no allocator is known: Go, JITs, programs that manage their own mappings. A site
 * here is where memory came to life by being touched, which is not always where it was asked for;
 * and what is freed again is not seen, so sites have bytes and shares but no verdict.
 *
 * Stays within its budget by itself: larger steps first, then pauses.
 */
#ifndef SEEP_DRILL_GROWTH_H
#define SEEP_DRILL_GROWTH_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "site.h"
#include "trace.h"

struct growth;

struct growth_cfg {
	uint64_t start_ns;   /* of the process that is meant; 0: whoever has the pid */
	double budget_share; /* of one core's time that the target may pay; 0: 0.005 */
	uint64_t step_bytes; /* the first; 0: 256 KiB */
	uint64_t gap_ns;     /* between two steps, at least; 0: 2 ms, 1: none */
};

/* Watching begins at once. 0; -ESRCH, -EPERM, -EOPNOTSUPP; ret_why says it in one line. */
int growth__new(pid_t pid, const struct growth_cfg *cfg, struct growth **ret_growth,
		char ret_why[TRACE_WHY_LEN]);
void growth__free(struct growth *g); /* NULL is fine */

/*
 * Take in what came, and see to the budget. At least once a minute, or stacks get lost. 0, -ESRCH
 * the process is gone or became another program, -errno.
 */
int growth__take(struct growth *g);

/* Leave the process, and all others, alone until the next growth__take. */
void growth__pause(struct growth *g);

struct growth_result {
	const struct site *sites; /* the largest first; the growth's, valid until the next call */
	size_t site_cnt;
	double grown_bytes; /* new heights while watched */
	double watched_s;   /* all times attached */
	uint64_t steps, step_bytes;
	uint64_t events, cost_ns;    /* what the target paid so far */
	const char *const *not_seen; /* one sentence each; NULL-terminated */
};

/* What growth__take has taken in. 0 or -ENOMEM. */
int growth__result(struct growth *g, size_t top, struct growth_result *ret_result);

#endif /* SEEP_DRILL_GROWTH_H */
