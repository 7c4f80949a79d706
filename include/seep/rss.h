/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0-only) */
/*
 * rss.h - what bpf/rss.bpf.c and its loader (user/probe/rss_probe.c) share.
 *
 * Sizes are in pages of the kernel's base page size. Large fields come first; every struct is
 * checked for equal size and offsets on both sides by tests/kernel.
 */
#ifndef SEEP_RSS_H
#define SEEP_RSS_H

#include "task_id.h"

#define SEEP_COMM_LEN 16

/* The kernel's own numbering of mm counters (MM_FILEPAGES...), stable since 2.6.34. */
enum seep_mm_member {
	SEEP_MM_FILE,
	SEEP_MM_ANON,
	SEEP_MM_SWAP,
	SEEP_MM_SHMEM,
	SEEP_MM_CNT,
};

/* Flags of a process, in the map and in its records. */
enum seep_proc_flag {
	SEEP_PROC_EXECED = 1 << 0,    /* ran exec since the last poll */
	SEEP_PROC_FORKED = 1 << 1,    /* was seen from its fork on (not seeded) */
	SEEP_PROC_SHARED_MM = 1 << 2, /* the mm belongs to another process (vfork, CLONE_VM) */
	SEEP_PROC_KERNEL = 1 << 3,    /* kernel thread: no mm */
	SEEP_PROC_OOM_KILLED = 1 << 4,
	SEEP_PROC_NO_ENTRY = 1 << 5,  /* not in the kernel's table: no high-water mark, no events */
};

/* Value of seep_procs: one process, updated by events and made exact by each poll. */
struct seep_proc {
	__u64 cgroup_id;            /* of the memory controller, v1 or v2 */
	__u64 css_set;              /* all its cgroups in one pointer; never dereferenced */
	__u64 sum_seq;              /* is in its cgroup's sum while this is the cgroup's poll_seq */
	__s64 pages[SEEP_MM_CNT];   /* newest known: the central counts plus `held` */
	__s64 polled[SEEP_MM_CNT];  /* exact, at the last poll; pages - polled = growth since */
	__s64 held[SEEP_MM_CNT];    /* held back of the central counts at the last poll: by CPUs,
				     * to 6.1 by the task that owns the mm */
	__s64 hwm_anon_pages;       /* highest of anon + swap since the last poll */
	__s64 lwm_anon_pages;       /* lowest of anon + swap since the last poll */
	__u64 events;               /* counter moves since the last poll */
	__u64 seen_seq;             /* the last poll that met it; at first, the one before */
	__u32 flags;
	__u32 ppid;
	char comm[SEEP_COMM_LEN];
};

/* Value of seep_cgroups: sums over the processes whose memory is charged to the cgroup. */
struct seep_cgroup {
	__s64 pages[SEEP_MM_CNT];       /* resynchronised by each poll */
	__s64 grown_pages[SEEP_MM_CNT]; /* sum of the increases since the agent started */
	__u64 poll_seq;                 /* the poll that `pages` was last summed in */
	__u32 procs;
	__u32 pad;
};

/* One record of the poll (a read of the task iterator). */
enum seep_poll_kind {
	SEEP_POLL_THREAD = 1, /* struct seep_poll_thread: any thread but the leader */
	SEEP_POLL_PROC = 2,   /* struct seep_poll_proc: a thread-group leader */
	SEEP_POLL_HELD = 3,   /* struct seep_poll_held: kernels to 6.1 */
};

struct seep_poll_thread {
	__u32 kind;
	__u32 tgid;
	__u64 cpu_ns;
	__u64 faults;
};

/* To be added to the sizes of process `tgid`: its mm has not been told of them yet. */
struct seep_poll_held {
	__u32 kind;
	__u32 tgid;
	__s32 pages[SEEP_MM_CNT];
};

struct seep_poll_proc {
	__u32 kind;
	__u32 tgid;
	__u64 cpu_ns;             /* of the leader and of all threads that are gone */
	__u64 faults;
	__u64 start_ns;
	__u64 cgroup_id;
	__s64 pages[SEEP_MM_CNT]; /* exact with SEEP_POLL_HELD added; below 0 is 0 */
	__s64 hwm_anon_pages;     /* since the last poll */
	__s64 lwm_anon_pages;
	__u64 events;
	__u32 flags;
	__u32 ppid;
	__u32 uid;
	__u32 owner_tgid;         /* whose mm it is; differs from tgid under SEEP_PROC_SHARED_MM */
	char comm[SEEP_COMM_LEN];
};

/* Records of the ring buffer seep_events. */
enum seep_event_kind {
	SEEP_EVENT_EXIT = 1,
	SEEP_EVENT_OOM = 2,
};

struct seep_event {
	__u32 kind;
	__u32 flags;
	struct seep_task_id id;
	__u64 at_ns;              /* CLOCK_BOOTTIME */
	__u64 cgroup_id;
	__s64 pages[SEEP_MM_CNT]; /* the last that was known; exact for OOM */
	__s64 peak_rss_pages;     /* EXIT: the kernel's own high-water mark of RSS */
	__u32 ppid;
	__u32 exit_code;          /* as in wait(2); EXIT only */
	char comm[SEEP_COMM_LEN];
};

/* Why something was lost or left out. Index of the per-CPU array seep_stats. */
enum seep_stat {
	SEEP_STAT_EVENTS,         /* rss_stat events seen at all (only when counting is on) */
	SEEP_STAT_MOVES,          /* events that moved the batched counter */
	SEEP_STAT_FOREIGN,        /* moves made by another task than the owner's */
	SEEP_STAT_NO_OWNER,       /* moves of an mm that is being torn down or built */
	SEEP_STAT_PROC_FULL,      /* process not entered: seep_procs is full */
	SEEP_STAT_CGROUP_FULL,    /* cgroup not entered: seep_cgroups is full */
	SEEP_STAT_RING_FULL,      /* event lost: seep_events is full */
	SEEP_STAT_FORKS,
	SEEP_STAT_EXECS,
	SEEP_STAT_EXITS,          /* entries taken out; a record was sent, or RING_FULL counted */
	SEEP_STAT_OOMS,
	SEEP_STAT_MISSED,         /* runs that the kernel left out; filled in by the loader */
	SEEP_STAT_CNT,
};

#endif /* SEEP_RSS_H */
