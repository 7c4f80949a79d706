/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * tracker.h - turns verdicts into incidents: one per object and episode, across restarts.
 *
 * The tracker keeps the open incidents in memory and writes each change to the history at once.
 */
#ifndef SEEP_INCIDENT_TRACKER_H
#define SEEP_INCIDENT_TRACKER_H

#include "history.h"
#include "incident.h"

struct tracker;

struct tracker_cfg {
	struct history *history;  /* may be NULL: incidents live in memory only */
	const char *node;
	double window_s;
	unsigned max_open;        /* default 1024 */
};

/* Open incidents of the history are taken up again. NULL: out of memory. */
struct tracker *tracker__new(const struct tracker_cfg *cfg);
void tracker__free(struct tracker *tr);

/* Everything the tracker needs to know of an object at the moment of a verdict. */
struct finding {
	const char *key;
	const struct incident_object *object; /* copied */
	const struct verdict *verdict;
	char (*evidence)[DETECTOR_EVIDENCE_LEN];
	int evidence_cnt;
	const double (*history)[2];
	size_t history_cnt;
	json_t *top;                          /* borrowed; may be NULL: kept from before */
};

/*
 * Tell the tracker of an object whose verdict is LEAK, or which has an open incident.
 * Opens, updates or closes (RECOVERED, HEALTHY). Updates are written to the history when
 * something that matters changed or window/24 passed. Returns the open or just closed incident
 * (owned by the tracker, valid until the next call), or NULL.
 */
const struct incident *tracker__report(struct tracker *tr, double now_s, const struct finding *f);
/* The object ended (exit, OOM kill, cgroup removed): close its incident, if any. */
void tracker__ended(struct tracker *tr, double now_s, const char *key, const char *reason);
/* The object goes on under another identity (restart joined into one history). */
void tracker__rekey(struct tracker *tr, double now_s, const char *old_key, const char *new_key,
		    const struct incident_object *object);
/* Open incident of an object, or NULL. */
const struct incident *tracker__open_of(const struct tracker *tr, const char *key);
/* Close incidents taken up from the history whose objects were not reported since `since_s`
 * (the process died while the agent was away). Call one window/24 after start. */
void tracker__sweep(struct tracker *tr, double now_s, double since_s);

typedef void (*incident_fn)(void *ctx, const struct incident *in);
void tracker__foreach_open(const struct tracker *tr, incident_fn fn, void *ctx);
size_t tracker__open_cnt(const struct tracker *tr);
uint64_t tracker__dropped(const struct tracker *tr); /* not opened: at the bound */

/* Called after an incident opened or closed (not on updates). */
void tracker__on_change(struct tracker *tr, incident_fn fn, void *ctx);

#endif /* SEEP_INCIDENT_TRACKER_H */
