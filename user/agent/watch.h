/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * watch.h - one watched object: its series, its detector, its newest numbers, its verdict.
 *
 * A watch hangs on its series (series__user). The detector is made only when the object has grown
 * at all, and is fed with the history that the series kept: an idle process costs none.
 */
#ifndef SEEP_AGENT_WATCH_H
#define SEEP_AGENT_WATCH_H

#include <stdint.h>
#include <jansson.h>
#include <linux/types.h>
#include <seep/task_id.h>

#include "detect/detector.h"
#include "series/store.h"
#include "who/who.h"

#define WATCH_KEY_LEN 320

struct watch {
	struct series *series;
	struct detector *detector;          /* NULL: has not grown */
	struct seep_task_id id;             /* processes */
	const struct proc_info *proc;       /* processes; owned by who */
	const struct cgroup_info *cgroup;   /* where it is, or what it is; owned by who, NULL when
					     * not known or not seen in the last poll */
	char *path;                         /* cgroups: own copy, outlives the cgroup */
	struct verdict verdict;
	uint64_t rss_bytes, anon_bytes, swap_bytes, shmem_bytes, file_bytes;
	uint64_t signal_bytes;              /* what is judged */
	uint64_t limit_bytes;               /* of the nearest limiting cgroup; UINT64_MAX = none */
	uint64_t headroom_bytes;            /* until that limit, or until the node is full */
	uint64_t own_limit_bytes;           /* cgroups: of itself; UINT64_MAX = none */
	const char *limit_path;             /* whose limit that is; owned by who, NULL = none */
	uint64_t cgroup_id;                 /* cgroups: inode of the directory, 0 = not known */
	uint64_t oom_kills, limit_hits;     /* cgroups: counters when read last, UINT64_MAX = never */
	uint64_t noted_kills, noted_hits;   /* ...and when last told of */
	double noted_s;
	unsigned restarts;                  /* joined into this history */
	double low_bytes;                   /* lowest signal since it was first seen */
	uint64_t cpu_ns;                    /* at the last poll */
	double load;                        /* CPU share of one core since the last poll */
	double first_s, last_s;             /* polls */
	double read_s;                      /* cgroups: when the files were read last */
	double shown_s;                     /* when its incident got a fresh curve and top 10 */
	double judged_s;                    /* last judgement, NAN = never */
	double ended_s;                     /* NAN = alive */
	const char *end_reason;
	uint64_t seen_seq;                  /* the poll that saw it last */
	uint64_t read_rss_bytes;            /* cgroups: rss_bytes when the files were read last */
	uint64_t identity;                  /* hash of what makes a restarted process or container
					     * the same; 0 = not known */
	uint32_t uid, ppid, threads;
	uint32_t procs;                     /* cgroups: processes in it */
	uint32_t shmem_holders;             /* cgroups: ...of which have shared memory to speak of */
	json_t *sites;                      /* what the drill found last, or NULL */
	json_t *objects;                    /* which types of them pile up, or NULL */
	json_t *not_seen;                   /* what it could not see, or NULL */
	double drill_cost_share, drill_duty_share, drill_watched_s;
	uint64_t drill_hits, drill_cost_ns;
	unsigned drill_slices;
	int wants_detector;                 /* it has an open incident: judge it even if it is flat */
	int start;                          /* the object (re)started with the newest poll */
};

/* A fresh watch on the series, hung on it. NULL: out of memory. */
struct watch *watch__new(struct series *s, double now_s);
/* How much the store should care for a process or cgroup of that size that nothing else is known of. */
unsigned watch__interest_in(int is_proc, uint64_t signal_bytes);
/* Takes itself off its series. */
void watch__free(struct watch *w);

int watch__is_proc(const struct watch *w);
/* Identity of the object for incidents: "p:TGID:START_NS" or "c:PATH", of a path that is too long
 * "c:HASH:END". Returns buf. */
char *watch__key(const struct watch *w, char buf[WATCH_KEY_LEN]);

/* Store the newest numbers as a point at now_s and feed the detector. */
void watch__observe(struct watch *w, struct store *st, double now_s);

/*
 * Bring the verdict up to date, at most each window/360. Returns 1 when it was judged anew. An
 * object without a detector is warming until it was watched for a sixth of the window, then
 * healthy.
 */
int watch__judge(struct watch *w, const struct store *st, double now_s);

/*
 * A new detector's opinion of what the store kept of the last `last_s`: as the agent would have
 * judged had it watched only that. The caller's detector; NULL: out of memory.
 */
struct detector *watch__fresh_look(const struct watch *w, const struct store *st, double now_s,
				   double last_s, struct verdict *ret_verdict);
/* The fresh detector takes the place of the watch's own. */
void watch__adopt(struct watch *w, struct detector *fresh, const struct verdict *verdict);

/* Growth for screens: the verdict's slope, or the difference over the window. Bytes per hour. */
double watch__growth_per_hour(const struct watch *w, const struct store *st, double now_s);

#endif /* SEEP_AGENT_WATCH_H */
