/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * poller.h - one poll: the exact size of every process, and who died since the last one.
 *
 * Uses the BPF probe; where that cannot be loaded, /proc alone: then poller__stats says why, and
 * what happens between two polls is not seen.
 */
#ifndef SEEP_PROBE_POLLER_H
#define SEEP_PROBE_POLLER_H

#include <stddef.h>
#include <stdint.h>

#include "rss_probe.h"
#include "sample.h"

struct poller;

struct poller_cfg {
	struct rss_probe_cfg probe;
	const char *proc_dir; /* NULL: /proc */
	int no_bpf;           /* /proc only (tests) */
};

/* A process that ended, or was chosen by the OOM killer, since the last drain. Bytes. */
struct proc_event {
	enum seep_event_kind kind;
	struct seep_task_id id; /* start_ns 0: known by pid only (OOM below 6.9) */
	double at_s;            /* CLOCK_BOOTTIME */
	uint64_t cgroup_id;
	uint64_t anon_bytes, swap_bytes, shmem_bytes, file_bytes;
	uint64_t peak_rss_bytes;
	uint32_t flags;
	uint32_t exit_code;
	uint32_t ppid;
	char comm[SEEP_COMM_LEN];
};

typedef void (*proc_event_fn)(void *ctx, const struct proc_event *ev);

/* 0 or -errno; a probe that cannot be loaded is not an error (poller__stats says why). */
int poller__new(const struct poller_cfg *cfg, struct poller **ret_poller);
void poller__free(struct poller *p);

/*
 * Sizes of all user processes now, sorted by tgid. The array is the poller's, valid until the
 * next poll. About 3 us a process. 0 or -errno (then nothing is known of this poll).
 */
int poller__poll(struct poller *p, const struct proc_sample **ret_samples, size_t *ret_cnt);

/* Events since the last drain, in order; /proc polls have exits only, found by absence. */
int poller__drain(struct poller *p, proc_event_fn fn, void *ctx);
/* Readable when a drain before the next poll is due; -1 without BPF. */
int poller__event_fd(const struct poller *p);

/* Cgroup sums of the last poll, in pages (see struct seep_cgroup). -ENOSYS without BPF. */
int poller__cgroups(struct poller *p, rss_cgroup_fn fn, void *ctx);

struct poller_stats {
	const char *rss;      /* "tp_btf" or "off" */
	const char *poll;     /* "iter/task" or "/proc" */
	const char *why;      /* why BPF is off, or "" */
	uint64_t stat[SEEP_STAT_CNT];
	unsigned procs, max_procs, max_cgroups;
	uint64_t map_bytes;
	uint64_t proc_errors; /* /proc entries that could not be read */
};
void poller__stats(struct poller *p, struct poller_stats *ret_stats);

#endif /* SEEP_PROBE_POLLER_H */
