/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0-only) */
/*
 * growth.h - what bpf/growth.bpf.c and its loader (user/probe/growth_probe.c) share.
 *
 * One object follows one process. Its stacks are records of alloc.h, of kind SEEP_GROWTH.
 */
#ifndef SEEP_GROWTH_H
#define SEEP_GROWTH_H

/* Ring record: anonymous memory passed its high-water mark by a step, and who made it. */
struct seep_growth_step {
	__u64 stack_id;
	__u64 at_ns;      /* CLOCK_BOOTTIME */
	__u64 from_bytes; /* the mark before... */
	__u64 to_bytes;   /* ...and now */
	__u32 tid;
	__u32 pad;
};

/* Index of the per-CPU array seep_gstats. */
enum seep_growth_stat {
	SEEP_GROWTH_STAT_EVENTS,        /* changes of the target's counter */
	SEEP_GROWTH_STAT_STEPS,
	SEEP_GROWTH_STAT_STEP_NS,       /* time that the target spent on them */
	SEEP_GROWTH_STAT_STACKS,        /* stacks sent through the ring */
	SEEP_GROWTH_STAT_FOREIGN_BYTES, /* growth that was somebody else's doing: khugepaged, a
					 * debugger, process_vm_writev */
	/* what was lost, by reason */
	SEEP_GROWTH_STAT_RING_FULL_BYTES, /* growth whose step was not sent */
	SEEP_GROWTH_STAT_STACK_RING_FULL,
	SEEP_GROWTH_STAT_BAD_STACK,
	SEEP_GROWTH_STAT_CNT,
};

#endif /* SEEP_GROWTH_H */
