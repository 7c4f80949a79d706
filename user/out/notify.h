/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * notify.h - tells people and programs of incidents.
 *
 * There is no queue of messages. For each target the notifier knows what it was told of each
 * incident, keeps that in the history, and tells whatever is missing: a target that was away, or an
 * agent that was killed, changes nothing about what arrives in the end, nothing piles up, and an
 * incident that changed meanwhile is told as it is now. News of one group (workload, image) that
 * come close together make one message.
 *
 * Each target has a thread that delivers one message at a time; the loop never waits.
 */
#ifndef SEEP_OUT_NOTIFY_H
#define SEEP_OUT_NOTIFY_H

#include <stddef.h>
#include <stdint.h>

#include "../incident/history.h"
#include "../incident/mutes.h"
#include "../incident/tracker.h"

#define NOTIFY_TARGETS_MAX 16
#define NOTIFY_NAME_LEN	   64
#define NOTIFY_NOTICES_MAX 2048 /* incidents a target can be owed or told of at once */
#define NOTIFY_WHY_LEN	   160

enum notify_group { NOTIFY_BY_WORKLOAD, NOTIFY_BY_IMAGE, NOTIFY_BY_NONE, NOTIFY_BY_ALL };

enum notify_type {
	NOTIFY_WEBHOOK,
	NOTIFY_ALERTMANAGER,
	NOTIFY_SYSLOG,
	NOTIFY_COMMAND,
	NOTIFY_KUBE_EVENT,
};

extern const char *const notify_types[];  /* words of enum notify_type, NULL-terminated */
extern const char *const notify_groups[]; /* words of enum notify_group */

/* A target as configured; strings live as long as the notifier. NULL, NAN and -1 are defaults. */
struct notify_target {
	char name[NOTIFY_NAME_LEN];
	int type; /* enum notify_type; -1: not given, which is refused */
	const char *url, *url_file;
	const char *header_file, *token_file, *ca_file, *body_file;
	const char *command;
	const char *selector; /* who/selector.h */
	int min_severity;     /* enum incident_severity */
	int group;
	int send_resolved;
	double timeout_s;  /* of one delivery */
	double wait_s;	   /* news wait so long for others of their group */
	double interval_s; /* between two messages about one group */
	double repeat_s;   /* what is still open is told again */
	unsigned rate;	   /* 0: the default; messages per hour */
};

void notify_target__init(struct notify_target *t, const char *name);
/* 0, or -EINVAL and what is wrong with it. Fills in the defaults of its type. */
int notify_target__check(struct notify_target *t, char *ret_why, size_t cap);

struct notify;

struct notify_cfg {
	const struct notify_target *targets; /* checked; copied */
	size_t cnt;
	const char *node;
	struct tracker *tracker;
	struct history *history; /* may be NULL: a restart then tells open incidents again */
	struct mutes *mutes;     /* may be NULL. What is muted is owed, and told if it is still open
				  * when the mute ends; who was told of a leak is told of its end */
	double now_s;
};

/* Starts the threads and takes up what the history knows. 0 or -errno. */
int notify__new(const struct notify_cfg *cfg, struct notify **ret_notify);
/* Waits for running deliveries, which are told to give up. NULL is fine. */
void notify__free(struct notify *n);

/* Readable when a delivery is over: then call notify__tick. */
int notify__fd(const struct notify *n);
/* Look at the open incidents, take in what was delivered, hand out what is due. Never blocks. */
void notify__tick(struct notify *n, double now_s);
/* An incident closed. */
void notify__closed(struct notify *n, double now_s, const struct incident *in);

struct notify_stats {
	const char *name, *type;
	uint64_t sent, failed;	    /* messages, attempts */
	uint64_t dropped;	    /* incidents beyond NOTIFY_NOTICES_MAX */
	int busy;		    /* a delivery is under way */
	size_t pending;		    /* incidents with something to tell */
	double sent_s, failed_s;    /* the last ones; NAN = none */
	char error[NOTIFY_WHY_LEN]; /* of the last attempt, "" when it went well */
};
size_t notify__cnt(const struct notify *n);
void notify__stats(const struct notify *n, size_t target, struct notify_stats *ret_stats);

#endif /* SEEP_OUT_NOTIFY_H */
