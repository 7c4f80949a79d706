/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * store.h - six hours of every process and cgroup in fixed memory.
 *
 * A series is a ring of buckets on a common time grid. Big or growing objects get a fine ring
 * (one bucket a poll); small ones a coarse ring (min and last of several polls), and are moved up
 * when they become interesting. All rings are taken from arenas mapped at creation (touched
 * lazily): nothing is allocated afterwards. At the bound the least interesting series is evicted
 * and counted. Times are seconds on the caller's clock, which must not go back.
 */
#ifndef SEEP_SERIES_STORE_H
#define SEEP_SERIES_STORE_H

#include <math.h>
#include <stddef.h>
#include <stdint.h>
#include <linux/types.h>
#include <seep/task_id.h>

#define SERIES_NAME_LEN 64

enum series_kind { SERIES_PROC = 1, SERIES_CGROUP = 2 };

/* For processes: the task id; for cgroups: a 64-bit hash of the path. */
struct series_key {
	uint32_t kind;
	uint32_t tgid;
	uint64_t value; /* start_ns, or hash of the path */
};

struct series_key series_key__proc(const struct seep_task_id *id);
struct series_key series_key__cgroup(const char *path);

struct store_cfg {
	double interval_s;   /* poll interval = width of a fine bucket */
	double window_s;     /* what is kept */
	unsigned max_series; /* default 8192 */
	unsigned max_fine;   /* default 320 */
};

/* One bucket, decoded. Bytes are kept in KiB steps. */
struct store_point {
	double t_s;
	double min_bytes;   /* lowest in the bucket */
	double last_bytes;
	double load;        /* mean CPU share of one core; NAN = unknown */
	int start;          /* 1: the object (re)started in this bucket */
};

struct store;
struct series;

struct store *store__new(const struct store_cfg *cfg);
void store__free(struct store *st);
const struct store_cfg *store__cfg(const struct store *st);

/* Find; NULL = not there. */
struct series *store__find(struct store *st, const struct series_key *key);
/*
 * Find or create. name is for people and files ("api[4711]", "/kubepods/..."); of a long one the
 * last SERIES_NAME_LEN - 4 bytes are kept, behind dots. May evict another series (the on_evict
 * callback is called first). NULL only when every slot is pinned.
 */
struct series *store__touch(struct store *st, const struct series_key *key, const char *name);
/*
 * Would a new series of this interest be kept? Not if all slots are taken and no series is of less
 * interest: at the bound, who is there stays, or each newcomer would cost another its history.
 */
int store__has_room(struct store *st, unsigned interest);
/* The series goes on under another key: a restarted process of the same workload. */
int store__rekey(struct store *st, struct series *s, const struct series_key *key,
		 const char *name);
void store__remove(struct store *st, struct series *s);

/* Add a poll. load NAN = unknown; start 1 = restarted here; limit NAN = none. O(1). */
void series__put(struct store *st, struct series *s, double t_s, double bytes, double load,
		 double limit_bytes, int start);
/* Interest 0..255 decides who gets fine rings (from 64 on, or from 32 MiB) and who is evicted
 * last (255 = pinned). */
void series__set_interest(struct store *st, struct series *s, unsigned interest);

const struct series_key *series__key(const struct series *s);
const char *series__name(const struct series *s);
double series__limit_bytes(const struct series *s);  /* last given, or NAN */
double series__last_s(const struct series *s);       /* time of the last put, NAN = none */
int series__is_fine(const struct series *s);
/* Buckets with data inside the window ending at now_s, oldest first. Returns how many were
 * written; with out == NULL how many there are. */
size_t series__points(const struct store *st, const struct series *s, double now_s,
		      struct store_point *out, size_t cap);
/* For screens: exactly n buckets over the window, NAN where nothing is known. */
void series__resample(const struct store *st, const struct series *s, double now_s, double *out,
		      size_t n);
/* One pointer for the owner of the series (the agent's watch). */
void series__set_user(struct series *s, void *user);
void *series__user(const struct series *s);

typedef void (*series_fn)(void *ctx, struct series *s);
/* The callback may remove the series it is given. */
void store__foreach(struct store *st, series_fn fn, void *ctx);
/* Only the slots [first, first + cnt): a page of a long listing. 0 when no slot comes after it. */
int store__foreach_page(struct store *st, unsigned first, unsigned cnt, series_fn fn, void *ctx);
void store__on_evict(struct store *st, series_fn fn, void *ctx);

struct store_stats {
	unsigned series, fine, max_series, max_fine;
	uint64_t evicted, demoted, promoted, dropped;
	size_t mapped_bytes, touched_bytes; /* of the arenas; touched is an estimate */
};
void store__stats(const struct store *st, struct store_stats *ret_stats);

#endif /* SEEP_SERIES_STORE_H */
