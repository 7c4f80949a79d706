/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * history.h - incidents in SQLite (WAL): the only place with SQL.
 *
 * The schema is versioned (PRAGMA user_version) and migrated on open. Every call returns 0 or a
 * negative errno and never leaves a transaction open; a full disk or a read-only or corrupt
 * database makes calls fail, the caller goes on. A corrupt file is moved aside (".corrupt-TIME")
 * and a new one begun; a database of a newer schema is refused and left untouched.
 *
 * A call may wait HISTORY_BUSY_MS for another process that holds the database; nothing else
 * blocks but the disk. The file is 0600: command lines may carry secrets.
 */
#ifndef SEEP_INCIDENT_HISTORY_H
#define SEEP_INCIDENT_HISTORY_H

#include "incident.h"

#define HISTORY_BUSY_MS 100

struct history;

/*
 * 0 or -errno; *ret_why (static or owned by nobody: do not free) names the trouble, also when a
 * corrupt file was moved aside and all is well again. NULL: no trouble.
 * -ENOTSUP: newer schema; -EROFS, -EACCES: cannot be written.
 */
int history__open(const char *path, struct history **ret_history, const char **ret_why);
void history__close(struct history *h);

/* Insert or replace by id. Survives SIGKILL as soon as it returns. */
int history__put(struct history *h, const struct incident *in);

/* Return non-zero from the callback to stop. The incident is the callback's to free. The
 * callback may use the history. */
typedef int (*history_fn)(void *ctx, struct incident *in);

struct history_query {
	int open_only;
	double since_s;	       /* open at or after this time; NAN = all */
	const char *id_prefix; /* or NULL; in upper or lower case */
	const char *key;       /* of this object only, or NULL */
	unsigned limit;	       /* 0 = 1000 */
};

/* Newest first. Rows that do not parse are skipped and counted. */
int history__query(struct history *h, const struct history_query *q, history_fn fn, void *ctx);
/* Remove closed incidents older than before_s (NAN: of any age) and the oldest closed ones above
 * max_rows (0: no bound). Open ones stay. */
int history__expire(struct history *h, double before_s, unsigned max_rows);

/*
 * What a target of notifications has been told of an incident, or is still owed: one row for each
 * of both, until there is nothing left to tell. target and id are bounded by the caller.
 */
struct history_told {
	const char *target;
	const char *id;	       /* of the incident */
	int open;	       /* told that it is open; 0: owed, nothing told yet */
	enum incident_severity severity; /* as told */
	double at_s;	       /* when */
};

typedef void (*history_told_fn)(void *ctx, const struct history_told *told);

int history__put_told(struct history *h, const struct history_told *told);
int history__remove_told(struct history *h, const char *target, const char *id);
/* The callback must not change these rows. */
int history__foreach_told(struct history *h, history_told_fn fn, void *ctx);

/* A silence: see mutes.h, the only one who asks. until_s may be INFINITY. */
struct history_mute {
	const char *id, *selector, *reason;
	double created_s, until_s;
};

typedef void (*history_mute_fn)(void *ctx, const struct history_mute *mute);

int history__put_mute(struct history *h, const struct history_mute *mute);
int history__remove_mute(struct history *h, const char *id);
/* The oldest first. The callback must not change these rows. */
int history__foreach_mute(struct history *h, history_mute_fn fn, void *ctx);

struct history_stats {
	uint64_t rows, failed, unreadable, size_bytes;
	int last_err; /* -errno of the newest call that failed; 0 since something was written again */
};
void history__stats(struct history *h, struct history_stats *ret_stats);

#endif /* SEEP_INCIDENT_HISTORY_H */
