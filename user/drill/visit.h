/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * visit.h - one target of the drill while it is served: looks, what they found, what they cost.
 *
 * Only drill.c uses this, each thread its own. A visit knows nothing of other targets and threads.
 */
#ifndef SEEP_DRILL_VISIT_H
#define SEEP_DRILL_VISIT_H

#include "drill.h"

#define VISIT_TURN 4 /* looks, after which the target is known well */

struct visit;

struct visit_cfg {
	struct seep_task_id id;
	double budget_share; /* of one core's time, and of its own, that the target may pay */
	double window_s;
	int stop_fd; /* readable: a look ends at once */
};

/* Begins to watch growth, and counts what the allocators do. 0 or -ENOMEM. */
int visit__new(const struct visit_cfg *cfg, struct visit **ret_visit);
void visit__free(struct visit *v); /* NULL is fine */

/* Nothing of the target can be seen (any more). */
int visit__is_blind(const struct visit *v);
unsigned visit__slices(const struct visit *v);

/* One look; takes up to a minute. */
void visit__look(struct visit *v);
/* How long to leave the target alone now. */
double visit__rest_s(const struct visit *v);
/* To be called before a rest. */
void visit__pause(struct visit *v);

/* What is known after the last look; the references in it are the caller's. */
void visit__result(struct visit *v, struct drill_result *ret_result);

#endif /* SEEP_DRILL_VISIT_H */
