/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * state.h - the agent's insides, shared by the files that make up its tick.
 *
 * agent.c owns and wires everything; census.c fills the store from a poll; coroner.c keeps what was
 * known of the killed; court.c turns verdicts into incidents; inspect.c looks at all of it afresh now
 * and then; answer.c tells what is known. Nobody else includes this.
 */
#ifndef SEEP_AGENT_STATE_H
#define SEEP_AGENT_STATE_H

#include <limits.h>
#include <stdint.h>

#include "base/cron.h"
#include "base/loop.h"
#include "config.h"
#include "drill/drill.h"
#include "incident/history.h"
#include "incident/mutes.h"
#include "incident/tracker.h"
#include "out/ctl.h"
#include "out/http.h"
#include "out/notify.h"
#include "out/otlp.h"
#include "probe/poller.h"
#include "series/journal.h"
#include "series/store.h"
#include "watch.h"
#include "who/who.h"

#define LIMBO_MAX    256 /* ended processes that a restart may take up */
#define OOM_MAX      16  /* newest OOM kills that status shows */
#define LIMIT_MAX    16  /* newest cgroups that hit their limit, the same */
#define NODE_LEN     254
#define PROBLEM_LEN  512
#define PROBLEMS_MAX 8

struct oom_note {
	double t_s;
	uint32_t pid;
	char comm[SEEP_COMM_LEN];
	uint64_t bytes;
	json_t *known; /* of it and where it ran, just before; NULL = it was never polled */
};

/* A cgroup was at its limit, or lost a process to it. */
struct limit_note {
	double t_s;
	uint64_t hits, kills; /* since the note before */
	json_t *known;
};

/* When inspections run, and how the last one ended. */
struct inspection {
	struct cron cron;
	double every_s;     /* > 0: at this period, instead of the crontab times */
	int is_on;
	double next_s;      /* agent time; NAN = none is due */
	uint64_t runs, failed;
	const char *trigger; /* of the last one, NULL = none yet */
	double last_s;
	uint64_t last_ns;   /* how long it took */
	unsigned objects, candidates, reported, unjudged;
};

/* Processes without a series because others are of more interest, in the order of the poll. */
struct left_out {
	struct seep_task_id *ids;
	size_t cnt, cap;
};

struct agent {
	struct config cfg;
	int argc;          /* for SIGHUP: the command line still wins */
	char **argv;

	struct loop *loop;
	struct poller *poller;
	struct who *who;
	struct store *store;
	struct journal *journal; /* NULL only before it was opened */
	struct history *history; /* NULL when it could not be opened */
	double history_tried_s;
	struct tracker *tracker;
	struct mutes *mutes;
	struct drill *drill;     /* NULL: without BPF */
	double drill_paused_s;   /* nobody is looked at closer before; INFINITY: until told so */
	struct ctl *ctl;
	struct notify *notify;   /* NULL: there are no targets */
	struct loop_source *notify_source;
	uint32_t notify_failing; /* bit by target: it fails, and that was logged */
	struct otlp *otlp;       /* NULL: metrics are not pushed */
	struct loop_source *otlp_source;
	double otlp_next_s;
	int otlp_failing;        /* and that was logged */
	struct http *http;       /* NULL: not wanted, or the address is taken */

	char node[NODE_LEN];
	char boot_id[40];
	double base_s;     /* wall clock at start... */
	uint64_t base_ns;  /* ...and CLOCK_BOOTTIME: agent time runs on with the latter */
	double start_s;    /* agent time of the start */
	double now_s;      /* agent time of this tick; Unix seconds, never goes back */
	double before_s;   /* of the tick before; NAN = none */
	uint64_t seq;      /* number of this tick */

	struct watch *limbo[LIMBO_MAX];
	unsigned limbo_cnt;
	uint64_t node_total_bytes, node_available_bytes;
	struct left_out left_out, left_out_before; /* of this poll, and of the one before */

	struct inspection inspection;

	/* for status */
	struct oom_note ooms[OOM_MAX];
	uint64_t oom_cnt;
	struct limit_note limits[LIMIT_MAX];
	uint64_t limit_cnt;
	char kubelet_why[KUBE_WHY_CAP]; /* as last logged */
	uint64_t short_lived;    /* ended without having been polled */
	uint64_t ticks_late;     /* a whole interval or more after their time */
	uint64_t polls_failed;
	double polled_s;         /* when the last good poll was made; 0 = none yet */
	uint64_t opened_cnt[SEVERITY_CRITICAL + 1], closed_cnt[SEVERITY_CRITICAL + 1]; /* incidents */
	uint64_t probe_hits, probe_cost_ns; /* of all closer looks since the start */
	int poll_err;            /* of the last poll */
	uint64_t tick_ns, tick_max_ns;
	unsigned procs, unwatched, cgroups, detectors; /* unwatched: at the bound of series */
	uint64_t limbo_dropped;
	uint64_t cpu_ns;         /* own, at the last tick */
	double cpu_percent;
	unsigned restored_polls;
	char history_why[PROBLEM_LEN]; /* why there is no history, or "" */
	int guard_err;           /* why system calls are not filtered; 0: they are */
	int may_run_commands;    /* the filter lets targets of notifications be run */
	int journal_err;
};

/* ---- agent.c ----------------------------------------------------------------------------- */

/* Read the configuration again, as SIGHUP does: 0 or -EINVAL, and a sentence in either case. */
int agent__reload(struct agent *a, char *why, size_t cap);

/* ---- census.c ---------------------------------------------------------------------------- */

/* Take in a poll: every process and cgroup gets its point, the ended leave. */
void census__take(struct agent *a, const struct proc_sample *samples, size_t cnt);
/* A process ended or was chosen by the OOM killer. */
void census__event(struct agent *a, const struct proc_event *ev);
/* The store is about to evict the series. */
void census__evicted(struct agent *a, struct series *s);
void census__free(struct agent *a);
/* Interval + a few polls: how long an ended process waits for a successor. */
double census__grace_s(const struct agent *a);

/* ---- coroner.c --------------------------------------------------------------------------- */

/* A leak has been opened: incidents of memory errors that it explains are closed. */
void coroner__defer(struct agent *a, const struct incident *leak);
/* The OOM killer chose a process; w is its watch, or NULL. */
void coroner__oom(struct agent *a, const struct proc_event *ev, const struct watch *w);
/* The cgroup's files were read: has it been at its limit since the last time? */
void coroner__limit(struct agent *a, struct watch *w, const struct cgroup_usage *u);
void coroner__free(struct agent *a);

/* ---- court.c ----------------------------------------------------------------------------- */

/* Judge what is due, open, update and close incidents. */
void court__sit(struct agent *a);
/* Everything but the root cgroup, which is the node. */
int court__is_object(const struct watch *w);
/* Is a leak of this object nobody's incident? 0, or 1 with the reason. Looks at every series. */
int court__objection(struct agent *a, const struct watch *w, const struct verdict *v,
		     char why[RULES_WHY_LEN]);
/* New filters: incidents of objects that they forbid are closed. */
void court__obey(struct agent *a);
/* Tell the tracker of the watch's verdict, with all that belongs to it. */
void court__report(struct agent *a, struct watch *w);
/* Strings are borrowed. */
struct incident_object court__object_of(const struct agent *a, const struct watch *w);
struct selector_subject court__subject_of(const struct agent *a, const struct watch *w);
/* Why nobody at all is looked at closer now; NULL: they are. */
const char *court__drill_is_off(const struct agent *a);
/* Say who deserves a closer look, and take in what the looks found. */
void court__investigate(struct agent *a);
void court__hear(void *ctx, const struct drill_result *r);
/* The watch's object is gone for good. */
void court__ended(struct agent *a, const struct watch *w, const char *reason);
/* All that a finding holds of the watch but key and verdict; the curve and the lists of others only
 * if they are wanted. To be let go of with court__forget. */
void court__describe(struct agent *a, const struct watch *w, int wants_curve, struct finding *ret_f);
void court__forget(struct finding *f);
/* The leak that explains a memory error of the watch: open, or closed a moment ago. */
const struct incident *court__leak_behind(struct agent *a, const struct watch *w);
/* Leaks only. The open incident that tells of the watch: its own, or one of the cgroups above or of what is
 * below it. NULL: none. */
const struct incident *court__incident_about(struct agent *a, const struct watch *w);
/* The watch goes on as another process or container: its incident, if any, goes with it. */
void court__rekey(struct agent *a, const char *old_key, const struct watch *w);

/* ---- inspect.c --------------------------------------------------------------------------- */

/* Take the configured schedule over; 0 or -EINVAL with the reason in why. */
int inspect__schedule(struct inspection *in, const char *when, double now_s, const char **ret_why);
/* Run the one that is due, if any. */
void inspect__tick(struct agent *a);
/* Look at everything afresh, over the last `last_s`: seep.inspect/1. NULL: out of memory. */
json_t *inspect__run(struct agent *a, double last_s, const char *trigger);
/* When and how the last one ended, for status; null before the first. */
json_t *inspect__last(const struct agent *a);

/* ---- herald.c ---------------------------------------------------------------------------- */

/* Tell the configured targets of incidents, and push metrics, from now on. What fails is logged,
 * and nothing more. */
void herald__start(struct agent *a);
/* Hand out what is due. Never blocks. */
void herald__tick(struct agent *a);
void herald__stop(struct agent *a);

/* ---- answer.c ---------------------------------------------------------------------------- */

/* ctl_handler_fn: top, leaks, show, status, record. */
int answer__handle(void *ctx, const char *cmd, const json_t *request, struct buf *body);
/* http_handler_fn: /healthz, /readyz, /metrics, and what answer__web serves. */
int answer__http(void *ctx, const struct http_request *rq, struct buf *body,
		 const char **ret_type);
/* Where the watch is or what it is, in the fields of a row: cgroup, container, pod, workload... */
void answer__where(json_t *o, const struct watch *w);
/* The n most interesting rows by "process", "cgroup" or "pod", as in seep.top/1. NULL: out of
 * memory. */
json_t *answer__rows(struct agent *a, const char *by, unsigned n);
/* The ten rows of one of an incident's lists. NULL: out of memory. */
json_t *answer__surroundings(struct agent *a, enum incident_top which);
/* Everything that is told as metrics. NULL: out of memory. */
struct metrics *answer__metrics(struct agent *a);
/* What is not being seen, one sentence each. */
json_t *answer__not_seen(struct agent *a);

#endif /* SEEP_AGENT_STATE_H */
