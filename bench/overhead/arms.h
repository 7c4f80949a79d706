/* SPDX-License-Identifier: BSD-2-Clause */
/* arms.h - what is switched on while a load runs: nothing, seep's probe, or a peer. */
#ifndef SEEP_BENCH_OVERHEAD_ARMS_H
#define SEEP_BENCH_OVERHEAD_ARMS_H

#include <stddef.h>
#include <sys/types.h>

enum arm_id {
	ARM_OFF,
	ARM_SEEP,	   /* bpf/rss.bpf.c by tp_btf */
	ARM_EMPTY,	   /* tp_btf, a program that does nothing: the floor */
	ARM_NAIVE,	   /* tp_btf, one hash update an event */
	ARM_CLASSIC_EMPTY, /* the classic tracepoint, a program that does nothing */
	ARM_CLASSIC_HASH,  /* the classic tracepoint, one hash update an event */
	ARM_GROWTH,	   /* bpf/growth.bpf.c looks at the load */
	ARM_GROWTH_OTHER,  /* ...at another process */
	ARM_CNT,
};

struct arm;

const char *arm__name(enum arm_id id);
/* Load and attach; pid is the load's. -errno with the reason in `why`: then there is nothing to measure. */
int arm__on(enum arm_id id, pid_t pid, struct arm **ret_arm, char *why, size_t why_cap);
void arm__off(struct arm *arm);

/* Programs of others that sit on rss_stat as well: with any, "off" is not off. */
int arm__others(void);

#endif /* SEEP_BENCH_OVERHEAD_ARMS_H */
