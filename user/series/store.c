// SPDX-License-Identifier: BSD-2-Clause
/*
 * store.c - all series of the node in fixed memory; see store.h.
 *
 * Every series has a coarse ring (270 buckets a window), so that 2.9 KiB buy six hours of any
 * process. Big or interesting ones have a fine ring (a bucket per poll) beside it, not instead:
 * the 2.7 KiB are well spent, since a fresh fine ring starts empty and is read together with the
 * coarse history before it, and taking a fine ring away loses nothing else. Nothing is ever
 * copied or converted between the two.
 *
 * Fine bucket n holds the polls nearest to time n * width (polls that are due on the grid do not
 * change buckets when a timer is late); a coarse bucket is `factor` fine ones.
 *
 * Who is worth keeping is one number per series, kept in an array of its own: interest, then
 * size, then the time of the last poll. Finding the victim reads 8 bytes per series.
 */
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "arena.h"
#include "ring.h"
#include "store.h"
#include "store_raw.h"

#define DEFAULT_SERIES	   8192u
#define DEFAULT_FINE	   320u
#define FINE_BUCKETS_MIN   24
#define FINE_BUCKETS_MAX   21600
#define FINE_BUCKETS_USUAL 2160 /* max_fine rings of this size are the budget */
#define FINE_RINGS_MIN	   16u
#define COARSE_BUCKETS	   270
#define FINE_MIN_KIB	   (32u << 10)
#define FINE_MIN_INTEREST  64
#define CLEARLY_MORE	   8 /* of interest: less is no reason to take a ring away */
#define INTEREST_PINNED	   255
#define INTERVAL_MIN_S	   .001
#define WINDOW_MAX_S	   1e9
#define T_MAX_S		   1e12
#define RANK_NEVER	   UINT64_MAX /* of a free slot and of a pinned series */
#define NONE		   UINT32_MAX

struct series {
	struct series_key key;
	struct series_key former; /* before the last rekey; kind 0 = it never had another */
	char name[SERIES_NAME_LEN];
	void *user;
	double last_s;	    /* of the last poll; NAN before the first */
	struct ring coarse; /* its memory: the slot of the same number in store->coarse */
	struct ring fine;
	uint32_t fine_slot; /* in store->fine, or NONE */
	uint32_t id;
	uint32_t edits;
	uint32_t next; /* in the hash chain */
	uint32_t limit_kib;
	uint32_t kib;
	uint16_t load;
	uint8_t interest;
	bool put : 1;	  /* since the journal last asked */
	bool started : 1; /* one of those polls was a start */
};

struct store {
	struct store_cfg cfg;
	double width_s;	   /* of a fine bucket */
	int64_t factor;	   /* fine buckets per coarse one */
	uint32_t fine_cap; /* buckets per ring */
	uint32_t coarse_cap;
	struct arena coarse; /* hands out the slots of series, too */
	struct arena fine;
	struct series *series;
	uint64_t *ranks;
	uint32_t *chains;     /* hash -> first series */
	uint32_t *fine_owner; /* slot of fine -> series, or NONE */
	uint32_t chain_mask;
	uint32_t last_id;
	int64_t first_tick; /* of the first poll; ranks count from there */
	unsigned least_interest; /* no series has less, but none may have as little */
	series_fn on_evict;
	void *on_evict_ctx;
	struct store_stats stats;
};

/* ---- keys ---- */

/* Finalizer of MurmurHash3: every bit of the input reaches every bit of the output. */
static uint64_t mix(uint64_t h)
{
	h = (h ^ h >> 33) * 0xff51afd7ed558ccdULL;
	h = (h ^ h >> 33) * 0xc4ceb9fe1a85ec53ULL;
	return h ^ h >> 33;
}

struct series_key series_key__proc(const struct seep_task_id *id)
{
	return (struct series_key){SERIES_PROC, id->tgid, id->start_ns};
}

struct series_key series_key__cgroup(const char *path)
{
	uint64_t h = 14695981039346656037ULL; /* FNV-1a */

	while (*path)
		h = (h ^ (unsigned char)*path++) * 1099511628211ULL;
	return (struct series_key){SERIES_CGROUP, 0, mix(h)};
}

static bool same_key(const struct series_key *a, const struct series_key *b)
{
	return a->value == b->value && a->tgid == b->tgid && a->kind == b->kind;
}

static uint32_t *chain_of(const struct store *st, const struct series_key *key)
{
	uint64_t h = mix(key->value ^ mix((uint64_t)key->kind << 32 | key->tgid));

	return &st->chains[h & st->chain_mask];
}

static void chain(struct store *st, struct series *s)
{
	uint32_t *head = chain_of(st, &s->key);

	s->next = *head;
	*head = s - st->series;
}

static void unchain(struct store *st, const struct series *s)
{
	uint32_t *at = chain_of(st, &s->key);
	uint32_t slot = s - st->series;

	while (*at != slot)
		at = &st->series[*at].next;
	*at = s->next;
}

/* ---- creation ---- */

/* How wide buckets are and how many: from the window and the interval, within sane bounds. */
static int settle(struct store *st, const struct store_cfg *cfg)
{
	double polls = ceil(cfg->window_s / cfg->interval_s - 1e-9);
	unsigned fine_cnt;

	if (!(cfg->interval_s >= INTERVAL_MIN_S && cfg->window_s >= cfg->interval_s &&
	      cfg->window_s <= WINDOW_MAX_S))
		return -EINVAL;
	st->cfg = *cfg;
	st->width_s = cfg->interval_s * ceil(polls / FINE_BUCKETS_MAX);
	fine_cnt = ceil(cfg->window_s / st->width_s - 1e-9);
	if (fine_cnt < FINE_BUCKETS_MIN)
		fine_cnt = FINE_BUCKETS_MIN;
	st->factor = (fine_cnt + COARSE_BUCKETS - 1) / COARSE_BUCKETS;
	/* one more each: a window seldom begins and ends with a bucket */
	st->fine_cap = fine_cnt + 1;
	st->coarse_cap = (fine_cnt + st->factor - 1) / st->factor + 1;
	return 0;
}

static void settle_counts(struct store *st)
{
	struct store_cfg *c = &st->cfg;
	uint64_t budget;

	if (!c->max_series)
		c->max_series = DEFAULT_SERIES;
	if (c->max_series > STORE_SERIES_MAX)
		c->max_series = STORE_SERIES_MAX;
	if (!c->max_fine)
		c->max_fine = DEFAULT_FINE;
	budget = (uint64_t)c->max_fine * (FINE_BUCKETS_USUAL + 1) / st->fine_cap;
	if (budget < FINE_RINGS_MIN)
		budget = FINE_RINGS_MIN;
	if (c->max_fine > budget)
		c->max_fine = budget;
	if (c->max_fine > c->max_series)
		c->max_fine = c->max_series;
}

static int allocate(struct store *st)
{
	unsigned n = st->cfg.max_series, chains = 64;

	while (chains < n)
		chains *= 2;
	st->chain_mask = chains - 1;
	st->series = calloc(n, sizeof(*st->series));
	st->ranks = malloc(n * sizeof(*st->ranks));
	st->chains = malloc(chains * sizeof(*st->chains));
	st->fine_owner = malloc(st->cfg.max_fine * sizeof(*st->fine_owner));
	if (!st->series || !st->ranks || !st->chains || !st->fine_owner)
		return -ENOMEM;
	memset(st->ranks, 0xff, n * sizeof(*st->ranks));
	memset(st->chains, 0xff, chains * sizeof(*st->chains));
	memset(st->fine_owner, 0xff, st->cfg.max_fine * sizeof(*st->fine_owner));
	if (arena__init(&st->coarse, n, ring__size(st->coarse_cap)))
		return -ENOMEM;
	return arena__init(&st->fine, st->cfg.max_fine, ring__size(st->fine_cap));
}

struct store *store__new(const struct store_cfg *cfg)
{
	struct store *st = calloc(1, sizeof(*st));
	int err;

	if (!st)
		return NULL;
	st->first_tick = INT64_MIN;
	err = settle(st, cfg);
	if (!err) {
		settle_counts(st);
		err = allocate(st);
	}
	if (err) {
		store__free(st);
		errno = -err;
		return NULL;
	}
	return st;
}

void store__free(struct store *st)
{
	if (!st)
		return;
	arena__destroy(&st->coarse);
	arena__destroy(&st->fine);
	free(st->series);
	free(st->ranks);
	free(st->chains);
	free(st->fine_owner);
	free(st);
}

const struct store_cfg *store__cfg(const struct store *st)
{
	return &st->cfg;
}

/* ---- who is worth what ---- */

static void update_rank(struct store *st, const struct series *s)
{
	int64_t age = 0;

	if (s->interest < st->least_interest)
		st->least_interest = s->interest;
	if (s->interest == INTEREST_PINNED) {
		st->ranks[s - st->series] = RANK_NEVER;
		return;
	}
	if (!isnan(s->last_s))
		age = floor(s->last_s / st->width_s + .5) - st->first_tick + 1;
	if (age > 0xffffff)
		age = 0xffffff;
	st->ranks[s - st->series] =
		(uint64_t)s->interest << 56 | (uint64_t)s->kib << 24 | (uint64_t)age;
}

/* The series that is worth least, or NULL when all are pinned. */
static struct series *weakest(const struct store *st)
{
	uint64_t lowest = RANK_NEVER;
	uint32_t i, found = NONE;

	for (i = 0; i < st->cfg.max_series; i++) {
		if (st->ranks[i] < lowest) {
			lowest = st->ranks[i];
			found = i;
		}
	}
	return found == NONE ? NULL : &st->series[found];
}

static struct series *weakest_fine(const struct store *st)
{
	uint64_t lowest = RANK_NEVER;
	uint32_t i, owner, found = NONE;

	for (i = 0; i < st->cfg.max_fine; i++) {
		owner = st->fine_owner[i];
		if (owner != NONE && st->ranks[owner] < lowest) {
			lowest = st->ranks[owner];
			found = owner;
		}
	}
	return found == NONE ? NULL : &st->series[found];
}

/* ---- fine rings ---- */

static void drop_fine(struct store *st, struct series *s)
{
	if (s->fine_slot == NONE)
		return;
	st->fine_owner[s->fine_slot] = NONE;
	arena__free(&st->fine, s->fine_slot);
	s->fine_slot = NONE;
	memset(&s->fine, 0, sizeof(s->fine));
}

/* Does a deserve a fine ring clearly more than its owner b? Not for a few pages. */
static bool outranks(const struct series *a, const struct series *b)
{
	if (a->interest > b->interest + CLEARLY_MORE)
		return true;
	return a->interest >= b->interest && a->kib / 3 > b->kib / 2;
}

/* Give s a fine ring if it deserves one, at the cost of the least deserving owner. */
static void consider_fine(struct store *st, struct series *s)
{
	struct series *loser;

	if (s->fine_slot != NONE || (s->interest < FINE_MIN_INTEREST && s->kib < FINE_MIN_KIB))
		return;
	if (st->fine.used_cnt == st->fine.cap) {
		loser = weakest_fine(st);
		if (!loser || !outranks(s, loser))
			return;
		drop_fine(st, loser);
		st->stats.demoted++;
	}
	s->fine_slot = arena__alloc(&st->fine);
	st->fine_owner[s->fine_slot] = s - st->series;
	st->stats.promoted++;
}

/* ---- series come and go ---- */

struct series *store__find(struct store *st, const struct series_key *key)
{
	uint32_t i = *chain_of(st, key);

	while (i != NONE && !same_key(&st->series[i].key, key))
		i = st->series[i].next;
	return i == NONE ? NULL : &st->series[i];
}

/* Too long: the end is kept. It tells cgroups apart, whose paths begin alike. */
static void set_name(struct series *s, const char *name)
{
	char fit[SERIES_NAME_LEN];
	size_t len;

	if (!name)
		return;
	len = strlen(name);
	if (len < sizeof(fit)) {
		memcpy(fit, name, len + 1);
	} else {
		name += len - (sizeof(fit) - 4);
		while (((unsigned char)*name & 0xc0) == 0x80) /* not within a UTF-8 character */
			name++;
		memcpy(fit, "...", 3);
		memcpy(fit + 3, name, strlen(name) + 1);
	}
	if (!strcmp(s->name, fit))
		return;
	memcpy(s->name, fit, sizeof(fit));
	s->edits++;
}

static bool make_room(struct store *st)
{
	struct series *victim = weakest(st);
	uint32_t id;

	if (!victim)
		return false;
	id = victim->id;
	if (st->on_evict)
		st->on_evict(st->on_evict_ctx, victim);
	if (victim->id == id) /* the callback may have removed it */
		store__remove(st, victim);
	st->stats.evicted++;
	return true;
}

int store__has_room(struct store *st, unsigned interest)
{
	struct series *s;

	if (st->coarse.used_cnt < st->coarse.cap)
		return 1;
	if (interest <= st->least_interest)
		return 0;
	s = weakest(st);
	st->least_interest = s ? s->interest : INTEREST_PINNED;
	return interest > st->least_interest;
}

struct series *store__touch(struct store *st, const struct series_key *key, const char *name)
{
	struct series *s = store__find(st, key);
	uint32_t slot;

	if (!s) {
		if (st->coarse.used_cnt == st->coarse.cap && !make_room(st))
			return NULL;
		slot = arena__alloc(&st->coarse);
		s = &st->series[slot];
		memset(s, 0, sizeof(*s));
		s->key = *key;
		s->last_s = NAN;
		s->fine_slot = NONE;
		s->limit_kib = SERIES_NO_LIMIT;
		s->load = RING_LOAD_UNKNOWN;
		if (!++st->last_id)
			++st->last_id;
		s->id = st->last_id;
		chain(st, s);
		update_rank(st, s);
	}
	set_name(s, name);
	return s;
}

int store__rekey(struct store *st, struct series *s, const struct series_key *key, const char *name)
{
	struct series *other = store__find(st, key);

	if (other && other != s)
		return -EEXIST;
	if (!other) {
		unchain(st, s);
		s->former = s->key;
		s->key = *key;
		s->edits++;
		chain(st, s);
	}
	set_name(s, name);
	return 0;
}

void store__remove(struct store *st, struct series *s)
{
	uint32_t slot = s - st->series;

	drop_fine(st, s);
	unchain(st, s);
	s->id = 0;
	st->ranks[slot] = RANK_NEVER;
	arena__free(&st->coarse, slot);
}

/* ---- polls ---- */

static int64_t tick_of(const struct store *st, double t_s)
{
	return floor(t_s / st->width_s + .5);
}

static int64_t coarse_of(const struct store *st, int64_t tick)
{
	return tick >= 0 ? tick / st->factor : -((-tick + st->factor - 1) / st->factor);
}

static void put_rings(struct store *st, struct series *s, int64_t tick,
		      const struct ring_poll *poll)
{
	void *mem = arena__at(&st->coarse, s - st->series);

	/* fine rings begin with a coarse bucket: the two never tell of the same poll */
	if (ring__put(&s->coarse, mem, st->coarse_cap, coarse_of(st, tick), poll) == 1)
		consider_fine(st, s);
	if (s->fine_slot != NONE)
		ring__put(&s->fine, arena__at(&st->fine, s->fine_slot), st->fine_cap, tick, poll);
}

void series__put_poll(struct store *st, struct series *s, double t_s,
		      const struct series_poll *poll)
{
	int64_t tick;

	if (!(fabs(t_s) <= T_MAX_S) || t_s < s->last_s || poll->ring.kib > RING_KIB_MAX) {
		st->stats.dropped++;
		return;
	}
	tick = tick_of(st, t_s);
	if (st->first_tick == INT64_MIN)
		st->first_tick = tick;
	s->kib = poll->ring.kib;
	s->load = poll->ring.load;
	s->limit_kib = poll->limit_kib;
	s->last_s = t_s;
	s->put = true;
	s->started |= poll->ring.start;
	put_rings(st, s, tick, &poll->ring);
	update_rank(st, s);
}

static uint32_t to_kib(double bytes)
{
	double kib = bytes / 1024 + .5;

	return kib < RING_KIB_MAX ? kib : RING_KIB_MAX;
}

void series__put(struct store *st, struct series *s, double t_s, double bytes, double load,
		 double limit_bytes, int start)
{
	struct series_poll poll = {
		.ring = {.load = ring__pack_load(load), .start = start != 0},
		.limit_kib = SERIES_NO_LIMIT,
	};

	if (!(bytes >= 0)) {
		st->stats.dropped++;
		return;
	}
	poll.ring.kib = to_kib(bytes);
	if (limit_bytes >= 0 && to_kib(limit_bytes) < RING_KIB_MAX)
		poll.limit_kib = to_kib(limit_bytes);
	series__put_poll(st, s, t_s, &poll);
}

bool series__take_poll(struct series *s, struct series_poll *ret_poll)
{
	if (!s->put)
		return false;
	ret_poll->ring.kib = s->kib;
	ret_poll->ring.load = s->load;
	ret_poll->ring.start = s->started;
	ret_poll->limit_kib = s->limit_kib;
	s->put = s->started = false;
	return true;
}

void series__set_interest(struct store *st, struct series *s, unsigned interest)
{
	s->interest = interest < INTEREST_PINNED ? interest : INTEREST_PINNED;
	update_rank(st, s);
}

/* ---- reading ---- */

/* A walk over the buckets of the window, oldest first: coarse ones up to where fine ones begin. */
struct walk {
	const struct store *st;
	const struct series *s;
	double from_s, to_s;
	int64_t coarse, coarse_end; /* next bucket, and the first not to visit */
	int64_t fine, fine_end;
	double lo_s, hi_s; /* time covered by the bucket last returned */
};

static void walk__init(struct walk *w, const struct store *st, const struct series *s, double now_s)
{
	int64_t oldest = tick_of(st, now_s - st->cfg.window_s);
	int64_t fine = ring__first(&s->fine), coarse = ring__first(&s->coarse);

	*w = (struct walk){.st = st, .s = s, .from_s = now_s - st->cfg.window_s, .to_s = now_s};
	if (coarse != INT64_MAX) {
		w->coarse = coarse > coarse_of(st, oldest) ? coarse : coarse_of(st, oldest);
		w->coarse_end = s->coarse.head + 1;
	}
	if (fine == INT64_MAX)
		return;
	w->fine = fine > oldest ? fine : oldest;
	w->fine_end = s->fine.head + 1;
	if (w->coarse_end > coarse_of(st, fine))
		w->coarse_end = coarse_of(st, fine);
}

static bool next_bucket(struct walk *w, struct ring_bucket *ret)
{
	const struct store *st = w->st;
	double half = st->width_s / 2;

	while (w->coarse < w->coarse_end) {
		w->lo_s = w->coarse * st->factor * st->width_s - half;
		w->hi_s = w->lo_s + st->factor * st->width_s;
		if (ring__get(&w->s->coarse, arena__at(&st->coarse, w->s - st->series),
			      st->coarse_cap, w->coarse++, ret))
			return true;
	}
	while (w->fine < w->fine_end) {
		w->lo_s = w->fine * st->width_s - half;
		w->hi_s = w->lo_s + st->width_s;
		if (ring__get(&w->s->fine, arena__at(&st->fine, w->s->fine_slot), st->fine_cap,
			      w->fine++, ret))
			return true;
	}
	return false;
}

/* A bucket stands for its middle, which is never later than the last poll. */
static bool next_point(struct walk *w, struct store_point *ret)
{
	double slack_s = w->st->width_s / 1024; /* times on the grid are rounded */
	struct ring_bucket b;

	while (next_bucket(w, &b)) {
		ret->t_s = fmin((w->lo_s + w->hi_s) / 2, w->s->last_s);
		if (ret->t_s <= w->from_s + slack_s || ret->t_s > w->to_s + slack_s)
			continue;
		ret->min_bytes = b.min_kib * 1024.;
		ret->last_bytes = b.last_kib * 1024.;
		ret->load = ring__unpack_load(b.load);
		ret->start = b.start;
		return true;
	}
	return false;
}

size_t series__points(const struct store *st, const struct series *s, double now_s,
		      struct store_point *out, size_t cap)
{
	struct store_point p;
	struct walk w;
	size_t n = 0;

	if (!(fabs(now_s) <= T_MAX_S))
		return 0;
	walk__init(&w, st, s, now_s);
	while ((!out || n < cap) && next_point(&w, &p)) {
		if (out)
			out[n] = p;
		n++;
	}
	return n;
}

/* Number of the bin that holds a time; a bin ends with, and does not begin with, its edge. */
static int64_t bin_of(const struct walk *w, double t_s, size_t n)
{
	return ceil((t_s - w->from_s) / (w->to_s - w->from_s) * n - 1e-6) - 1;
}

void series__resample(const struct store *st, const struct series *s, double now_s, double *out,
		      size_t n)
{
	struct store_point p;
	struct walk w;
	int64_t i, last;

	for (i = 0; i < (int64_t)n; i++)
		out[i] = NAN;
	if (!n || !(fabs(now_s) <= T_MAX_S))
		return;
	walk__init(&w, st, s, now_s);
	while (next_point(&w, &p)) {
		i = last = bin_of(&w, p.t_s, n);
		/* a bucket wider than a bin fills every bin whose middle it covers */
		if ((w.hi_s - w.lo_s) * n > st->cfg.window_s * (1 + 1e-6)) {
			i = bin_of(&w, w.lo_s + st->cfg.window_s / n / 2, n);
			last = bin_of(&w, fmin(w.hi_s, now_s) - st->cfg.window_s / n / 2, n);
		}
		for (i = i < 0 ? 0 : i; i <= last && i < (int64_t)n; i++)
			out[i] = p.last_bytes;
	}
}

/* ---- the rest ---- */

const struct series_key *series__key(const struct series *s)
{
	return &s->key;
}

const char *series__name(const struct series *s)
{
	return s->name;
}

double series__limit_bytes(const struct series *s)
{
	return s->limit_kib == SERIES_NO_LIMIT ? NAN : s->limit_kib * 1024.;
}

double series__last_s(const struct series *s)
{
	return s->last_s;
}

int series__is_fine(const struct series *s)
{
	return s->fine_slot != NONE;
}

void series__set_user(struct series *s, void *user)
{
	s->user = user;
}

void *series__user(const struct series *s)
{
	return s->user;
}

uint32_t series__id(const struct series *s)
{
	return s->id;
}

uint32_t series__edits(const struct series *s)
{
	return s->edits;
}

const struct series_key *series__former_key(const struct series *s)
{
	return s->former.kind ? &s->former : NULL;
}

unsigned series__interest(const struct series *s)
{
	return s->interest;
}

struct series *store__at(const struct store *st, unsigned slot)
{
	return arena__is_used(&st->coarse, slot) ? &st->series[slot] : NULL;
}

unsigned series__slot(const struct store *st, const struct series *s)
{
	return s - st->series;
}

int store__foreach_page(struct store *st, unsigned first, unsigned cnt, series_fn fn, void *ctx)
{
	uint32_t i = arena__next_used(&st->coarse, first);

	for (; i != ARENA_FULL && i - first < cnt; i = arena__next_used(&st->coarse, i + 1))
		fn(ctx, &st->series[i]);
	return i != ARENA_FULL;
}

void store__foreach(struct store *st, series_fn fn, void *ctx)
{
	store__foreach_page(st, 0, st->cfg.max_series, fn, ctx);
}

void store__on_evict(struct store *st, series_fn fn, void *ctx)
{
	st->on_evict = fn;
	st->on_evict_ctx = ctx;
}

static size_t bytes_per_series(const struct store *st)
{
	return sizeof(*st->series) + sizeof(*st->ranks) + sizeof(*st->chains) + st->coarse.slot_sz;
}

void store__stats(const struct store *st, struct store_stats *ret_stats)
{
	*ret_stats = st->stats;
	ret_stats->series = st->coarse.used_cnt;
	ret_stats->fine = st->fine.used_cnt;
	ret_stats->max_series = st->cfg.max_series;
	ret_stats->max_fine = st->cfg.max_fine;
	ret_stats->mapped_bytes =
		sizeof(*st) + st->cfg.max_series * bytes_per_series(st) + st->fine.mapped_sz;
	ret_stats->touched_bytes = sizeof(*st) + st->coarse.used_cnt * bytes_per_series(st) +
				   st->fine.used_cnt * st->fine.slot_sz;
}
