/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * trace.h - one look at what processes allocate and keep: probes, snapshots, call sites.
 *
 * A session: add processes, run it until its time is over, then read the result. It owns its
 * poll loop and works without an agent. Targets are never stopped or written to.
 */
#ifndef SEEP_DRILL_TRACE_H
#define SEEP_DRILL_TRACE_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <linux/types.h>
#include <seep/alloc.h>

#include "sites.h"

#define TRACE_PROCESSES_MAX 32
#define TRACE_WHY_LEN 256

struct alloc_probe;
struct trace;

/* One sampled block. */
struct trace_block {
	uint64_t addr;
	struct seep_live live;
};

struct trace_cfg {
	uint64_t sample_bytes; /* mean bytes between samples; 0: every allocation */
	double duration_s;
	double min_age_s;      /* younger memory is not counted as outstanding */
	unsigned stack_bytes;  /* copied of each stack; 0: 16 KiB, at most 32 KiB */
	int use_debuginfod;    /* ask the servers in $DEBUGINFOD_URLS for debug files */
	int keeps_blocks;      /* tell of single blocks, too */
	int follows_forks;     /* trace what the processes fork, too */
	int asks_references;   /* at the end look through the processes' memory (reach.h) */
	int asks_when_stopped; /* ...even if stop_fd was the end */
	/* what an earlier session of the same process left: followed, but not counted again */
	const struct trace_block *carried;
	size_t carried_cnt;
	/* one process only: its probe, kept from session to session; the caller frees the last */
	struct alloc_probe **kept;
};

/* A block that is alive at the end. */
struct trace_left {
	struct trace_block block;
	const struct site *site; /* whose it is */
};

struct trace *trace__new(const struct trace_cfg *cfg); /* NULL: out of memory */
void trace__free(struct trace *t);

/*
 * Attach to one process. When it runs another program later, it is attached to anew. 0;
 * -EALREADY it is traced, -ENOSPC too many, -ESRCH gone, -EPERM, -ENOENT no known allocator in
 * it; ret_why says it in one line.
 */
int trace__add(struct trace *t, pid_t pid, char ret_why[TRACE_WHY_LEN]);

struct trace_progress {
	double elapsed_s;
	double allocated_bytes, freed_bytes; /* estimates over all processes, since the start */
	uint64_t stacks;
	uint64_t hits, cost_ns;
	int running;                         /* processes that have not ended */
};

/* Called once a second; may add processes. */
typedef void (*trace_progress_fn)(void *ctx, const struct trace_progress *progress);

/*
 * Until the time is over, every process has ended, or stop_fd (-1: none) becomes readable. Then
 * the probes are gone and the result is there. 0 or -errno.
 */
int trace__run(struct trace *t, int stop_fd, trace_progress_fn fn, void *ctx);

/* ---- the result; all of it is the session's ---- */

struct trace_drop {
	const char *reason; /* a word, as in JSON */
	const char *text;   /* in full, with what helps */
	uint64_t cnt;
};

struct trace_process {
	pid_t pid;
	uint64_t start_ns;        /* of the process, as in /proc/PID/stat: since boot */
	char comm[64];
	int ended;                /* before the trace did */
	const char *allocator;
	const char *mode;         /* how the probes are attached */
	double duration_s;
	uint64_t sample_bytes;    /* at the end; 0: every allocation */
	double allocated_bytes, freed_bytes;
	uint64_t failed;          /* calls, of those that were followed, that got no memory */
	struct sites_totals totals;
	const struct site *sites; /* all, the largest first; those that own nothing come last */
	size_t site_cnt;
	const struct trace_drop *drops; /* those that happened, reason NULL ends them */
	const char *const *not_seen;    /* one sentence each; NULL-terminated */
	/* with keeps_blocks; */
	const struct trace_left *left;        /* ...some of what was allocated and is alive */
	size_t left_cnt;
	const struct trace_block *survivors;  /* ...those of cfg.carried that are alive */
	size_t survivor_cnt;
	int has_execed;                       /* another program runs there now */
	uint64_t hits, cost_ns;
	uint64_t reach_ns; /* of this thread's CPU time, to look through its memory */
	double target_cpu_percent; /* cost as a share of the CPU time it used; NAN = used none */
};

struct trace_result {
	double started_s; /* Unix time */
	double duration_s;
	double min_age_s;
	const struct trace_process *processes;
	int process_cnt;
};

/* 0 or -ENOMEM. */
int trace__result(struct trace *t, const struct trace_result **ret_result);

#endif /* SEEP_DRILL_TRACE_H */
