/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * tracker.h - turns verdicts into incidents: one per object and episode, across restarts.
 *
 * The tracker keeps the open incidents in memory and writes each change to the history at once.
 * What cannot be written stays in memory and is tried again at later calls, at most once per
 * window/360. An object that leaks again within window/6 after its incident was closed continues
 * that incident. All times are Unix seconds.
 *
 * Severity, which never falls while an incident is open:
 *   critical  the limit may be reached within window/6 (the lower bound of the time to limit)
 *   info      the limit is further away than a week, or there is no limit and the object grows by
 *             less than 1 % of its size per window
 *   warning   everything else
 *
 * Memory errors that no leak explains are incidents as well: info while a limit was only hit,
 * warning as soon as somebody was killed for it. They close when there was none for window/6.
 */
#ifndef SEEP_INCIDENT_TRACKER_H
#define SEEP_INCIDENT_TRACKER_H

#include "history.h"
#include "incident.h"
#include "memory_error.h"

#define TRACKER_CLOSED_MAX 256 /* closed incidents kept to be reopened or written */

/* Said of call sites while somebody may still find them; in a closed incident, that it was over. */
#define UNFINISHED_LOOK "the closer look has not finished yet"

struct tracker;

struct tracker_cfg {
	struct history *history; /* may be NULL: incidents live in memory only */
	const char *node;
	double window_s;
	unsigned max_open; /* default 1024 */
};

/* Open incidents of the history are taken up again. NULL: out of memory. */
struct tracker *tracker__new(const struct tracker_cfg *cfg);
/* A history, where there was none: it takes what is here, and its open incidents are taken up. */
void tracker__use(struct tracker *tr, struct history *history);
/* What is not yet written is written, once. */
void tracker__free(struct tracker *tr);

/* Everything the tracker needs to know of an object at the moment of a verdict. */
struct finding {
	const char *key;
	const struct incident_object *object; /* copied */
	const struct verdict *verdict; /* since_s in Unix seconds, like the history's times */
	char (*evidence)[DETECTOR_EVIDENCE_LEN];
	int evidence_cnt;
	const double (*history)[2];
	size_t history_cnt;
	json_t *top[TOP_CNT]; /* shared; may be NULL: kept from before */
	json_t *configuration; /* the same */
	json_t *sites;    /* array of SITE, shared; the same */
	json_t *objects;  /* which types pile up, shared; the same */
	json_t *not_seen; /* array of sentences; the same */
	const enum incident_severity *severity; /* set by the configuration; NULL = the numbers say */
};

/*
 * Tell the tracker of an object whose verdict is LEAK, or which has an open incident.
 * Opens, updates or closes (RECOVERED, HEALTHY). Updates are written to the history when
 * something that matters changed or window/24 passed. WARMING and SUSPECT leave an open incident
 * open and its verdict as it was; so does HEALTHY for the first window/2 after the incident was
 * taken up from the history, while a new detector finds its feet. Returns the open or just closed
 * incident (owned by the tracker, valid until the next call), or NULL.
 */
const struct incident *tracker__report(struct tracker *tr, double now_s, const struct finding *f);
/* The object ended (exit, OOM kill, cgroup removed): close its incident, if any. */
void tracker__ended(struct tracker *tr, double now_s, const char *key, const char *reason);
/* The object goes on under another identity (restart joined into one history). An incident that
 * is already open under the new key is closed in favour of the one that moves. */
void tracker__rekey(struct tracker *tr, double now_s, const char *old_key, const char *new_key,
		    const struct incident_object *object);
/*
 * An error of an object that no leak explains: opens or updates the incident of f->key. Of the
 * finding's verdict only the limit counts. The open incident (as tracker__report's), or NULL.
 */
const struct incident *tracker__error(struct tracker *tr, double now_s, const struct finding *f,
				      const struct memory_error *error);
/* An error that the incident of this id explains; it is open or has just closed. */
void tracker__explained(struct tracker *tr, double now_s, const char *id,
			const struct memory_error *error);
/* Close incidents of memory errors that have not been seen for window/6. */
void tracker__calm(struct tracker *tr, double now_s);
/* Open incident of an object, or NULL. */
const struct incident *tracker__open_of(const struct tracker *tr, const char *key);
/* Close incidents taken up from the history whose objects were not reported since `since_s`
 * (the process died while the agent was away). Call one window/24 after start. */
void tracker__sweep(struct tracker *tr, double now_s, double since_s);

typedef void (*incident_fn)(void *ctx, const struct incident *in);
void tracker__foreach_open(const struct tracker *tr, incident_fn fn, void *ctx);
/* Those closed within window/6, by this agent. */
void tracker__foreach_recent(const struct tracker *tr, double now_s, incident_fn fn, void *ctx);
size_t tracker__open_cnt(const struct tracker *tr);
/* Verdicts that opened nothing because of max_open, and incidents lost because the history failed
 * for so long that more than TRACKER_CLOSED_MAX waited for it. */
uint64_t tracker__dropped(const struct tracker *tr);
/* A line for the timeline of an incident that is open or has just closed. */
void tracker__note(struct tracker *tr, double now_s, const char *id, const char *text);
/* Somebody was told of it: a line for the timeline, and for the list of notifications. */
void tracker__told(struct tracker *tr, double now_s, const char *id, const char *target,
		   const char *type, enum incident_state state);
/* Incidents with changes that the history has not taken yet. */
size_t tracker__unwritten(const struct tracker *tr);

/* Called after an incident opened or closed (not on updates). fn must not change the tracker. */
void tracker__on_change(struct tracker *tr, incident_fn fn, void *ctx);

#endif /* SEEP_INCIDENT_TRACKER_H */
