/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * growth_probe.h - the call stacks that take one process's anonymous memory to new heights.
 *
 * Any language, any allocator; see bpf/growth.bpf.c for what a step means. Needs Linux 5.15.
 */
#ifndef SEEP_PROBE_GROWTH_PROBE_H
#define SEEP_PROBE_GROWTH_PROBE_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <linux/types.h>
#include <seep/alloc.h>
#include <seep/growth.h>

struct growth_probe;

struct growth_probe_cfg {
	pid_t pid;
	uint64_t start_ns;    /* of the process, to a clock tick; 0: whoever has the pid */
	uint64_t step_bytes;  /* 0: 256 KiB */
	uint64_t gap_ns;      /* between two steps, at least; 0: 2 ms, 1: none */
	unsigned stack_bytes; /* copied per stack; 0: 16384, at most 32768 */
};

/* Not attached yet. 0; -ESRCH gone, -EPERM, -EOPNOTSUPP; `why` says it in one line. */
int growth_probe__new(const struct growth_probe_cfg *cfg, struct growth_probe **ret_probe,
		      char *why, size_t why_cap);
void growth_probe__free(struct growth_probe *p); /* NULL is fine */

/*
 * Watch from now on; what grew before is charged to nobody. 0, -ESRCH: the process is gone, or
 * became another program (after which the probe is of no use), -errno.
 */
int growth_probe__attach(struct growth_probe *p);
void growth_probe__detach(struct growth_probe *p);
int growth_probe__is_attached(const struct growth_probe *p);

/* The process runs another program now: all that was handed out is void. */
int growth_probe__has_execed(const struct growth_probe *p);

typedef void (*growth_stack_fn)(void *ctx, const struct seep_stack *stack, const void *bytes);
/* A step's bytes are its own; steps of different threads may come in any order. */
typedef void (*growth_step_fn)(void *ctx, const struct seep_growth_step *step);

/* Hand out what came; stacks before the steps that name them. 0 or -errno. */
int growth_probe__drain(struct growth_probe *p, growth_stack_fn stack_fn, growth_step_fn step_fn,
			void *ctx);

/* Twice the step from now on, up to 64 MiB. */
void growth_probe__coarsen(struct growth_probe *p);
uint64_t growth_probe__step_bytes(const struct growth_probe *p);

void growth_probe__stats(struct growth_probe *p, uint64_t ret_stats[SEEP_GROWTH_STAT_CNT]);
/* CPU time that the target has spent on this: steps as timed, and the other changes of its
 * counter by what one was measured to cost. */
uint64_t growth_probe__cost_ns(struct growth_probe *p);

#endif /* SEEP_PROBE_GROWTH_PROBE_H */
