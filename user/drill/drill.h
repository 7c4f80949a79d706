/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * drill.h - looks closer at suspects by itself, within a budget.
 *
 * A few worker threads look at the wanted processes in turn. They watch whose call stacks take the
 * target to new heights, and trace its allocators in short slices. The first slice only counts: it
 * learns how often the target allocates, and so which share of the time it may be probed without
 * paying more than the budget. What was allocated in a slice and not freed by its end is summed
 * over the slices by call site; churn falls out, a leak adds up. Where no allocator is known, or
 * the known ones explain too little, the call sites are those of the growth.
 */
#ifndef SEEP_DRILL_DRILL_H
#define SEEP_DRILL_DRILL_H

#include <stddef.h>
#include <stdint.h>
#include <jansson.h>
#include <linux/types.h>
#include <seep/task_id.h>

#define DRILL_TARGETS_MAX 8
#define DRILL_WANTED_MAX  64

struct drill;

struct drill_cfg {
	double budget_share;  /* of one core's time that a target may pay; 0: 0.01 */
	unsigned max_targets; /* at once; 0: 2 */
	double window_s;      /* slices and pauses are shares of it */
};

/* Starts the threads. 0 or -errno. */
int drill__new(const struct drill_cfg *cfg, struct drill **ret_drill);
/* Ends running slices (within about a second) and the threads. NULL is fine. */
void drill__free(struct drill *d);

/* Readable when drill__collect has something to hand out. */
int drill__fd(const struct drill *d);

/* Who is suspect now, the most severe first; replaces the list of before. Targets that are not
 * on it any more are let go at once. */
void drill__want(struct drill *d, const struct seep_task_id *ids, size_t cnt);

/* What is known of one target after a slice. */
struct drill_result {
	struct seep_task_id id;
	json_t *sites;        /* array of SITE, the largest first; borrowed */
	json_t *not_seen;     /* array of sentences; borrowed */
	json_t *objects;      /* as objects__to_json says, or NULL; borrowed */
	unsigned slices;      /* so far */
	double watched_s;     /* time with probes attached, all slices */
	double cost_share;    /* measured: probe time per time since the first slice */
	double duty_share;    /* of the time that probes are attached */
	uint64_t hits, cost_ns;
};

typedef void (*drill_fn)(void *ctx, const struct drill_result *r);

/* Hand out what came since the last call; call from one thread. */
void drill__collect(struct drill *d, drill_fn fn, void *ctx);

#endif /* SEEP_DRILL_DRILL_H */
