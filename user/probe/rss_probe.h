/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * rss_probe.h - loads bpf/rss.bpf.c and reads what it keeps.
 *
 * Pages and kernel records in, as in include/seep/rss.h; the poller turns them into samples.
 */
#ifndef SEEP_PROBE_RSS_PROBE_H
#define SEEP_PROBE_RSS_PROBE_H

#include <stddef.h>
#include <stdint.h>
#include <linux/types.h>
#include <seep/rss.h>

struct rss_probe;

struct rss_probe_cfg {
	unsigned max_procs;   /* 0: 16384 */
	unsigned max_cgroups; /* 0: 4096 */
	unsigned ring_bytes;  /* 0: 512 KiB; a power of two */
	int count_events;     /* count the fast path as well (bench, tests) */
};

/* 0; -EPERM, -ENOSYS, ... with the last thing libbpf or the kernel said in `why`. */
int rss_probe__new(const struct rss_probe_cfg *cfg, struct rss_probe **ret_probe, char *why,
		   size_t why_cap);
void rss_probe__free(struct rss_probe *p);

typedef void (*rss_record_fn)(void *ctx, const void *record); /* starts with an enum seep_poll_kind */

/* One pass over all tasks; makes the kernel's table exact. 0 or -errno. */
int rss_probe__poll(struct rss_probe *p, rss_record_fn fn, void *ctx);

typedef void (*rss_event_fn)(void *ctx, const struct seep_event *ev);

/* Readable when events should be drained before the next poll. */
int rss_probe__event_fd(const struct rss_probe *p);
int rss_probe__drain(struct rss_probe *p, rss_event_fn fn, void *ctx);

typedef void (*rss_cgroup_fn)(void *ctx, uint64_t cgroup_id, const struct seep_cgroup *cg);

/* Sums per memory cgroup; entries without processes for two polls are taken out. */
int rss_probe__cgroups(struct rss_probe *p, rss_cgroup_fn fn, void *ctx);

/* Look one process up in the kernel's table. 0 or -ENOENT. */
int rss_probe__lookup(struct rss_probe *p, const struct seep_task_id *id,
		      struct seep_proc *ret_proc);

typedef void (*rss_entry_fn)(void *ctx, const struct seep_task_id *id,
			     const struct seep_proc *proc);

/* Every entry of the kernel's table; what comes or goes meanwhile may be missed. 0 or -errno. */
int rss_probe__entries(struct rss_probe *p, rss_entry_fn fn, void *ctx);

void rss_probe__stats(const struct rss_probe *p, uint64_t ret_stats[SEEP_STAT_CNT]);
unsigned rss_probe__max_procs(const struct rss_probe *p);
unsigned rss_probe__max_cgroups(const struct rss_probe *p);
/* Kernel memory of all maps as the kernel accounts it, or an estimate. */
uint64_t rss_probe__map_bytes(const struct rss_probe *p);

#endif /* SEEP_PROBE_RSS_PROBE_H */
