/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * tracker.c - one incident per object and episode: opened by a verdict, kept up to date, closed,
 * and continued when the same leak comes back.
 *
 * Entries stand in one small array that is searched linearly by the hash of their key: only
 * leaking objects are in it. Closed incidents stay for a while, to be reopened, or to be written
 * when the history did not take them. The wall clock may step, so that distances in time are
 * taken without their sign.
 */
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../base/units.h"
#include "tracker.h"

#define DEFAULT_MAX_OPEN 1024
#define WRITE_PART	 24.  /* an update without news is written each window/24 */
#define GRACE_PART	 2.   /* a new detector may say HEALTHY of an old leak for window/2 */
#define REOPEN_PART	 6.   /* a leak that comes back within window/6 is the same incident */
#define RETRY_PART	 360. /* a history that failed is left alone for window/360 */
#define URGENT_PART	 6.   /* critical: the limit is closer than window/6 */
#define FAR_S		 (7 * 86400.) /* info: the limit is further away than a week */
#define CALM_PART	 6.   /* memory errors are over when there was none for window/6 */
#define BIN_PART	 72.  /* memory errors within window/72 are counted together */
#define SLOW_SHARE	 .01 /* info: without a limit, growth per window over size below this */

/* How badly the history wants to know. */
enum pending { WRITTEN, NEWS_CAN_WAIT, NEWS };

struct entry {
	struct incident *in;
	uint64_t hash; /* of the key */
	enum pending pending;
	int taken_up;	     /* came from the history, not from a verdict */
	double written_s;    /* last successful write; NAN: none */
	double first_seen_s; /* when this tracker was first told of the object; NAN: never */
	double seen_s;	     /* and last */
	int leaks;	     /* this tracker was told that it leaks */
};

struct tracker {
	struct history *history;
	char *node;
	double window_s;
	size_t max_open;
	struct entry *entries;
	size_t cnt, cap, open_cnt;
	int loaded;	 /* the open incidents of the history are here */
	double failed_s; /* when the history failed; NAN: it works */
	uint64_t dropped;
	uint64_t ids; /* drawn so far */
	incident_fn on_change;
	void *on_change_ctx;
};

static uint64_t hash_of(const char *key)
{
	uint64_t hash = 0xcbf29ce484222325ULL; /* FNV-1a */

	for (; *key; key++)
		hash = (hash ^ (unsigned char)*key) * 0x100000001b3ULL;
	return hash;
}

static int is_open(const struct entry *e)
{
	return e->in->state == INCIDENT_OPEN;
}

/* ---- entries ---- */

static struct entry *find_open(const struct tracker *tr, const char *key)
{
	uint64_t hash = hash_of(key);
	size_t i;

	for (i = 0; i < tr->cnt; i++) {
		struct entry *e = &tr->entries[i];

		if (e->hash == hash && is_open(e) && !strcmp(e->in->key, key))
			return e;
	}
	return NULL;
}

/* The one closed last. */
static struct entry *find_closed(const struct tracker *tr, const char *key)
{
	struct entry *found = NULL;
	uint64_t hash = hash_of(key);
	size_t i;

	for (i = 0; i < tr->cnt; i++) {
		struct entry *e = &tr->entries[i];

		if (e->hash != hash || is_open(e) || strcmp(e->in->key, key))
			continue;
		if (!found || e->in->closed_s > found->in->closed_s)
			found = e;
	}
	return found;
}

static struct entry *find_id(const struct tracker *tr, const char *id)
{
	size_t i;

	for (i = 0; i < tr->cnt; i++) {
		if (!strcmp(tr->entries[i].in->id, id))
			return &tr->entries[i];
	}
	return NULL;
}

/* Takes the incident over, also when it fails. */
static struct entry *add(struct tracker *tr, struct incident *in)
{
	struct entry *grown;

	if (tr->cnt == tr->cap) {
		grown = reallocarray(tr->entries, 2 * tr->cap + 16, sizeof(*grown));
		if (!grown) {
			incident__free(in);
			return NULL;
		}
		tr->entries = grown;
		tr->cap = 2 * tr->cap + 16;
	}
	tr->entries[tr->cnt] = (struct entry){
		.in = in,
		.hash = hash_of(in->key),
		.written_s = NAN,
		.first_seen_s = NAN,
		.seen_s = NAN,
	};
	tr->open_cnt += is_open(&tr->entries[tr->cnt]);
	return &tr->entries[tr->cnt++];
}

/* The last entry takes the place of the one that is dropped. */
static void drop(struct tracker *tr, size_t i)
{
	tr->open_cnt -= is_open(&tr->entries[i]);
	incident__free(tr->entries[i].in);
	tr->entries[i] = tr->entries[--tr->cnt];
}

/* ---- the history ---- */

static int history_usable(const struct tracker *tr, double now_s)
{
	if (!tr->history)
		return 0;
	return isnan(tr->failed_s) || fabs(now_s - tr->failed_s) >= tr->window_s / RETRY_PART;
}

static void write_entry(struct tracker *tr, double now_s, struct entry *e)
{
	if (!history_usable(tr, now_s))
		return;
	if (history__put(tr->history, e->in)) {
		tr->failed_s = now_s;
		return;
	}
	tr->failed_s = NAN;
	e->pending = WRITTEN;
	e->written_s = now_s;
}

static void changed(struct tracker *tr, double now_s, struct entry *e)
{
	e->pending = NEWS;
	write_entry(tr, now_s, e);
}

/* Of two open incidents of one object, or one too many, the history keeps one as closed. */
static void supersede(struct tracker *tr, struct incident *in)
{
	double t_s = isnan(in->updated_s) ? in->opened_s : in->updated_s;

	incident__close(in, t_s, "superseded by a newer incident");
	history__put(tr->history, in);
	incident__free(in);
}

struct loading {
	struct tracker *tr;
	int err;
};

static int take_up(void *ctx, struct incident *in)
{
	struct loading *l = ctx;
	struct tracker *tr = l->tr;
	struct entry *e;

	if (find_id(tr, in->id)) { /* an earlier try ended halfway */
		incident__free(in);
		return 0;
	}
	if (tr->open_cnt >= tr->max_open || find_open(tr, in->key)) {
		supersede(tr, in);
		return 0;
	}
	e = add(tr, in);
	if (!e) {
		l->err = -ENOMEM;
		return 1;
	}
	e->taken_up = 1;
	return 0;
}

/* Newest first, so that of two for one object the newer one stays. */
static int load(struct tracker *tr)
{
	const struct history_query open = {.open_only = 1, .since_s = NAN, .limit = 1 << 20};
	struct loading l = {.tr = tr};
	int err;

	err = history__query(tr->history, &open, take_up, &l);
	tr->loaded = !err && !l.err;
	return err ? err : l.err;
}

/* ---- upkeep, before each change ---- */

static int is_spent(const struct tracker *tr, double now_s, const struct entry *e)
{
	if (is_open(e) || (tr->history && e->pending != WRITTEN))
		return 0;
	return fabs(now_s - e->in->closed_s) > tr->window_s / REOPEN_PART;
}

static void drop_oldest_closed(struct tracker *tr)
{
	size_t i, oldest = tr->cnt;

	for (i = 0; i < tr->cnt; i++) {
		if (is_open(&tr->entries[i]))
			continue;
		if (oldest == tr->cnt ||
		    tr->entries[i].in->closed_s < tr->entries[oldest].in->closed_s)
			oldest = i;
	}
	tr->dropped += tr->history && tr->entries[oldest].pending != WRITTEN;
	drop(tr, oldest);
}

static void upkeep(struct tracker *tr, double now_s)
{
	size_t i;

	if (!tr->loaded && history_usable(tr, now_s) && load(tr))
		tr->failed_s = now_s;
	for (i = tr->cnt; i-- > 0;) {
		if (tr->entries[i].pending == NEWS)
			write_entry(tr, now_s, &tr->entries[i]);
		if (is_spent(tr, now_s, &tr->entries[i]))
			drop(tr, i);
	}
	while (tr->cnt - tr->open_cnt > TRACKER_CLOSED_MAX)
		drop_oldest_closed(tr);
}

/* ---- opening and closing ---- */

static void tell(struct tracker *tr, const struct incident *in)
{
	if (tr->on_change)
		tr->on_change(tr->on_change_ctx, in);
}

static int keep_first(void *ctx, struct incident *in)
{
	*(struct incident **)ctx = in;
	return 1;
}

/* The newest incident of the history that matches; NULL also when the history fails. */
static struct incident *look_up(struct tracker *tr, double now_s, struct history_query *q)
{
	struct incident *in = NULL;

	q->limit = 1;
	if (history_usable(tr, now_s))
		history__query(tr->history, q, keep_first, &in);
	return in;
}

static void draw_id(struct tracker *tr, const char *key, double opened_s, char *id)
{
	static const char digits[] = "0123456789abcdefghjkmnpqrstvwxyz"; /* Crockford's base 32 */
	uint64_t bits = hash_of(key) ^ ((uint64_t)opened_s << 20) ^ ++tr->ids;
	int i;

	bits ^= bits >> 30; /* splitmix64: every bit of the result depends on all of the input */
	bits *= 0xbf58476d1ce4e5b9ULL;
	bits ^= bits >> 27;
	bits *= 0x94d049bb133111ebULL;
	bits ^= bits >> 31;
	for (i = 0; i < 8; i++)
		id[i] = digits[bits >> (64 - 5 * (i + 1)) & 31];
	id[i] = '\0';
}

static int id_is_taken(struct tracker *tr, double now_s, const char *id)
{
	struct history_query same = {.since_s = NAN, .id_prefix = id};
	struct incident *in;

	if (find_id(tr, id))
		return 1;
	in = look_up(tr, now_s, &same);
	incident__free(in);
	return !!in;
}

static struct entry *begin(struct tracker *tr, double now_s, const struct finding *f)
{
	struct incident *in = incident__new(f->key);

	if (!in)
		return NULL;
	in->opened_s = now_s;
	in->severity = SEVERITY_INFO;
	do {
		draw_id(tr, f->key, now_s, in->id);
	} while (id_is_taken(tr, now_s, in->id));
	return add(tr, in);
}

static struct entry *begin_leak(struct tracker *tr, double now_s, const struct finding *f)
{
	struct entry *e = begin(tr, now_s, f);
	char slope[32];

	if (e)
		incident__note(e->in, now_s, "opened: grows by %s per hour",
			       units__format_bytes(f->verdict->slope_bytes_per_hour, slope,
						   sizeof(slope)));
	return e;
}

/* An incident of the object that was closed a moment ago, here or by an earlier agent. */
static struct entry *find_recent(struct tracker *tr, double now_s, const char *key)
{
	double since_s = now_s - tr->window_s / REOPEN_PART;
	struct history_query recent = {.since_s = since_s, .key = key};
	struct entry *e = find_closed(tr, key);
	struct incident *in;

	if (e)
		return fabs(now_s - e->in->closed_s) <= tr->window_s / REOPEN_PART ? e : NULL;
	in = look_up(tr, now_s, &recent);
	if (in && in->state == INCIDENT_OPEN) {
		incident__free(in); /* one that could not be superseded */
		in = NULL;
	}
	return in ? add(tr, in) : NULL;
}

static void reopen(struct tracker *tr, double now_s, struct entry *e)
{
	struct incident *in = e->in;
	char ago[32];

	incident__note(in, now_s, "leaks again %s after it was closed: reopened",
		       units__format_duration(fabs(now_s - in->closed_s), ago, sizeof(ago)));
	incident__reopen(in);
	tr->open_cnt++;
}

static struct entry *open_entry(struct tracker *tr, double now_s, const struct finding *f)
{
	struct entry *e;

	if (tr->open_cnt >= tr->max_open) {
		tr->dropped++;
		return NULL;
	}
	e = find_recent(tr, now_s, f->key);
	if (e)
		reopen(tr, now_s, e);
	else
		e = begin_leak(tr, now_s, f);
	return e;
}

/* What was still to come does not come any more. */
static void settle_not_seen(struct incident *in)
{
	int before = in->not_seen_cnt;

	incident__forget_not_seen(in, "call sites: " UNFINISHED_LOOK);
	if (in->not_seen_cnt < before)
		incident__not_seen(in, "call sites: it was over before a closer look was finished");
}

static void close_entry(struct tracker *tr, double now_s, struct entry *e, const char *reason)
{
	struct incident *in = e->in;

	incident__note(in, now_s, "closed: %s", reason);
	incident__close(in, now_s, reason);
	settle_not_seen(in);
	in->updated_s = now_s;
	tr->open_cnt--;
	changed(tr, now_s, e);
	tell(tr, in);
}

/* ---- updating ---- */

static enum incident_severity severity_of(const struct tracker *tr, const struct finding *f)
{
	const struct verdict *v = f->verdict;
	double to_limit_s =
		isnan(v->time_to_limit_lo_s) ? v->time_to_limit_s : v->time_to_limit_lo_s;
	double growth, size;

	if (f->severity)
		return *f->severity;
	if (to_limit_s <= tr->window_s / URGENT_PART)
		return SEVERITY_CRITICAL;
	if (to_limit_s > FAR_S)
		return SEVERITY_INFO;
	if (isnan(v->limit_bytes) && f->history_cnt) {
		growth = v->slope_bytes_per_hour * tr->window_s / 3600;
		size = f->history[f->history_cnt - 1][1];
		if (growth < SLOW_SHARE * size)
			return SEVERITY_INFO;
	}
	return SEVERITY_WARNING;
}

static void set_object(const struct tracker *tr, struct incident *in,
		       const struct incident_object *object)
{
	struct incident_object copy;

	if (!object)
		return;
	copy = *object;
	if (!copy.node)
		copy.node = tr->node;
	incident__set_object(in, &copy);
}

static void set_verdict(struct incident *in, const struct finding *f)
{
	const char *lines[DETECTOR_EVIDENCE_MAX];
	int i;

	for (i = 0; i < f->evidence_cnt && i < DETECTOR_EVIDENCE_MAX; i++)
		lines[i] = f->evidence[i];
	incident__set_verdict(in, f->verdict, lines, i);
	/* the detector sees one window; the incident remembers when it began */
	if (!(in->started_s <= f->verdict->since_s))
		in->started_s = f->verdict->since_s;
}

static void raise_severity(struct incident *in, double now_s, enum incident_severity severity)
{
	incident__note(in, now_s, "severity rises from %s to %s",
		       incident__severity_name(in->severity), incident__severity_name(severity));
	in->severity = severity;
}

/* Returns whether the history should hear of it at once. */
static int apply_leak(struct tracker *tr, double now_s, struct entry *e, const struct finding *f,
		      int is_new)
{
	enum incident_severity severity = severity_of(tr, f);
	struct incident *in = e->in;
	int news = is_new;

	e->leaks = 1;
	if (is_new && severity > in->severity) {
		in->severity = severity;
	} else if (severity > in->severity) {
		raise_severity(in, now_s, severity);
		news = 1;
	}
	if (!is_new && f->verdict->class != in->verdict.class) {
		incident__note(in, now_s, "now looks like %s, not %s",
			       verdict__class_name(f->verdict->class),
			       verdict__class_name(in->verdict.class));
		news = 1;
	}
	set_verdict(in, f);
	return news;
}

static void add_not_seen(struct incident *in, const json_t *lines)
{
	const json_t *line;
	size_t i;

	json_array_foreach(lines, i, line)
		incident__not_seen(in, "%s", json_string_value(line));
}

/* 1 when the call sites are worth writing down at once. */
static int take_sites(struct incident *in, double now_s, const struct finding *f)
{
	incident__forget_not_seen(in, "call sites: "); /* only the newest reason holds */
	if (f->history_cnt)
		incident__forget_not_seen(in, "curve: ");
	add_not_seen(in, f->not_seen);
	if (!json_array_size(f->sites) || f->sites == in->sites)
		return 0;
	if (!incident__set_sites(in, f->sites))
		return 0;
	incident__note(in, now_s, "call sites found by a closer look");
	return 1;
}

/* What surrounds the object, and what was found in it. 1: that is news. */
static int take_surroundings(struct incident *in, double now_s, const struct finding *f)
{
	int i;

	if (f->history_cnt)
		incident__set_history(in, f->history, f->history_cnt);
	for (i = 0; i < TOP_CNT; i++) {
		if (f->top[i])
			incident__set_top(in, i, f->top[i]);
	}
	incident__set_configuration(in, f->configuration);
	incident__set_objects(in, f->objects);
	return take_sites(in, now_s, f);
}

static void update(struct tracker *tr, double now_s, struct entry *e, const struct finding *f,
		   int is_new)
{
	struct incident *in = e->in;
	int news = 0;

	if (f->verdict->state == VERDICT_LEAK)
		news = apply_leak(tr, now_s, e, f, is_new);
	set_object(tr, in, f->object);
	news |= take_surroundings(in, now_s, f);
	in->updated_s = now_s;
	if (news || !(fabs(now_s - e->written_s) < tr->window_s / WRITE_PART))
		changed(tr, now_s, e);
	else if (e->pending == WRITTEN)
		e->pending = NEWS_CAN_WAIT;
}

static void see(struct entry *e, double now_s)
{
	char away[32];

	e->seen_s = now_s;
	if (!isnan(e->first_seen_s))
		return;
	e->first_seen_s = now_s;
	if (e->taken_up && !isnan(e->in->updated_s))
		incident__note(
			e->in, now_s, "watched again; the agent was away for %s",
			units__format_duration(fabs(now_s - e->in->updated_s), away, sizeof(away)));
}

static int says_over(const struct tracker *tr, double now_s, const struct entry *e,
		     enum verdict_state state)
{
	if (state == VERDICT_RECOVERED)
		return 1;
	if (state != VERDICT_HEALTHY)
		return 0;
	return !e->taken_up || e->leaks ||
	       fabs(now_s - e->first_seen_s) >= tr->window_s / GRACE_PART;
}

const struct incident *tracker__report(struct tracker *tr, double now_s, const struct finding *f)
{
	struct incident *in;
	struct entry *e;
	int is_new = 0;

	upkeep(tr, now_s);
	e = find_open(tr, f->key);
	if (!e && f->verdict->state == VERDICT_LEAK) {
		e = open_entry(tr, now_s, f);
		is_new = !!e;
	}
	if (!e)
		return NULL;
	in = e->in;
	see(e, now_s);
	if (says_over(tr, now_s, e, f->verdict->state)) {
		close_entry(tr, now_s, e, "growth stopped");
		return in;
	}
	update(tr, now_s, e, f, is_new);
	if (is_new)
		tell(tr, in);
	return in;
}

/* ---- memory errors ---- */

static enum incident_severity severity_of_error(const struct finding *f,
						const struct memory_error *error)
{
	if (f->severity)
		return *f->severity;
	return error->kind == ERROR_OOM_KILL ? SEVERITY_WARNING : SEVERITY_INFO;
}

/* 1: the first of its kind. */
static int take_error(const struct tracker *tr, double now_s, struct incident *in,
		      const struct memory_error *error)
{
	incident__note(in, now_s, "%s", error->text);
	return memory_error__count(in, now_s, tr->window_s / BIN_PART, error) > 0;
}

/* Unlike a leak that comes back, an error after a quiet time is a new one. */
static struct entry *begin_error(struct tracker *tr, double now_s, const struct finding *f)
{
	struct entry *e;

	if (tr->open_cnt >= tr->max_open) {
		tr->dropped++;
		return NULL;
	}
	e = begin(tr, now_s, f);
	if (!e)
		return NULL;
	e->in->kind = INCIDENT_MEMORY_ERROR;
	e->in->started_s = now_s;
	incident__note(e->in, now_s, "opened: a memory error that was not seen here for a while");
	return e;
}

const struct incident *tracker__error(struct tracker *tr, double now_s, const struct finding *f,
				      const struct memory_error *error)
{
	enum incident_severity severity = severity_of_error(f, error);
	struct entry *e;
	int is_new, is_first;

	upkeep(tr, now_s);
	e = find_open(tr, f->key);
	is_new = !e;
	if (is_new)
		e = begin_error(tr, now_s, f);
	if (!e)
		return NULL;
	is_first = take_error(tr, now_s, e->in, error);
	/* whoever was killed says more than the cgroup it was in */
	if (is_new || (is_first && error->victim))
		set_object(tr, e->in, f->object);
	e->in->verdict.limit_bytes = e->in->worst.limit_bytes = f->verdict->limit_bytes;
	take_surroundings(e->in, now_s, f);
	if (is_new)
		e->in->severity = severity;
	else if (severity > e->in->severity)
		raise_severity(e->in, now_s, severity);
	e->in->updated_s = now_s;
	changed(tr, now_s, e);
	if (is_new)
		tell(tr, e->in);
	return e->in;
}

void tracker__calm(struct tracker *tr, double now_s)
{
	double quiet_s = tr->window_s / CALM_PART;
	char reason[80], span[32];
	size_t i;

	snprintf(reason, sizeof(reason), "no more of it for %s",
		 units__format_duration(quiet_s, span, sizeof(span)));
	for (i = 0; i < tr->cnt; i++) {
		struct entry *e = &tr->entries[i];

		if (is_open(e) && e->in->kind == INCIDENT_MEMORY_ERROR &&
		    !(fabs(now_s - memory_error__last_s(e->in)) < quiet_s))
			close_entry(tr, now_s, e, reason);
	}
}

/* ---- ends and restarts ---- */

void tracker__ended(struct tracker *tr, double now_s, const char *key, const char *reason)
{
	struct entry *e;

	upkeep(tr, now_s);
	e = find_open(tr, key);
	if (e)
		close_entry(tr, now_s, e, reason);
}

static int is_other(const char *a, const char *b)
{
	return a && b && strcmp(a, b);
}

static void note_move(struct incident *in, double now_s, const struct incident_object *object)
{
	if (object && is_other(object->container_id, in->object.container_id))
		incident__note(in, now_s, "restarted: container %.12s, before it was %.12s",
			       object->container_id, in->object.container_id);
	else if (object && object->pid && object->pid != in->object.pid)
		incident__note(in, now_s, "restarted: PID %u, before it was %u", object->pid,
			       in->object.pid);
	else
		incident__note(in, now_s, "restarted: watched on under a new identity");
}

void tracker__rekey(struct tracker *tr, double now_s, const char *old_key, const char *new_key,
		    const struct incident_object *object)
{
	struct entry *e, *other;

	upkeep(tr, now_s);
	e = find_open(tr, old_key);
	if (!e)
		e = find_closed(tr, old_key);
	if (!e || !strcmp(old_key, new_key))
		return;
	other = find_open(tr, new_key);
	if (other && !is_open(e))
		return;
	if (incident__set_key(e->in, new_key))
		return;
	e->hash = hash_of(new_key);
	if (other)
		close_entry(tr, now_s, other, "joined with the incident of its earlier run");
	if (is_open(e)) {
		see(e, now_s);
		note_move(e->in, now_s, object);
		set_object(tr, e->in, object);
	}
	changed(tr, now_s, e);
}

const struct incident *tracker__open_of(const struct tracker *tr, const char *key)
{
	const struct entry *e = find_open(tr, key);

	return e ? e->in : NULL;
}

void tracker__sweep(struct tracker *tr, double now_s, double since_s)
{
	char last[32];
	size_t i;

	upkeep(tr, now_s);
	for (i = 0; i < tr->cnt; i++) {
		struct entry *e = &tr->entries[i];

		if (!is_open(e) || !e->taken_up || e->seen_s >= since_s ||
		    e->in->kind == INCIDENT_MEMORY_ERROR)
			continue;
		units__format_time(e->in->updated_s, last, sizeof(last));
		incident__not_seen(e->in, "how it ended: the agent was away after %s", last);
		close_entry(tr, now_s, e, "gone while the agent was away");
	}
}

/* ---- the rest ---- */

void tracker__foreach_open(const struct tracker *tr, incident_fn fn, void *ctx)
{
	size_t i;

	for (i = 0; i < tr->cnt; i++) {
		if (is_open(&tr->entries[i]))
			fn(ctx, tr->entries[i].in);
	}
}

void tracker__foreach_recent(const struct tracker *tr, double now_s, incident_fn fn, void *ctx)
{
	size_t i;

	for (i = 0; i < tr->cnt; i++) {
		if (!is_open(&tr->entries[i]) &&
		    fabs(now_s - tr->entries[i].in->closed_s) <= tr->window_s / REOPEN_PART)
			fn(ctx, tr->entries[i].in);
	}
}

void tracker__note(struct tracker *tr, double now_s, const char *id, const char *text)
{
	struct entry *e = find_id(tr, id);

	if (!e)
		return;
	incident__note(e->in, now_s, "%s", text);
	changed(tr, now_s, e);
}

void tracker__explained(struct tracker *tr, double now_s, const char *id,
			const struct memory_error *error)
{
	struct entry *e = find_id(tr, id);

	if (!e)
		return;
	take_error(tr, now_s, e->in, error);
	changed(tr, now_s, e);
}

void tracker__told(struct tracker *tr, double now_s, const char *id, const char *target,
		   const char *type, enum incident_state state)
{
	struct entry *e = find_id(tr, id);

	if (!e)
		return;
	incident__note(e->in, now_s, "told '%s' (%s)%s", target, type,
		       state == INCIDENT_OPEN ? "" : " of its end");
	incident__told(e->in, now_s, target, type, state);
	changed(tr, now_s, e);
}

size_t tracker__open_cnt(const struct tracker *tr)
{
	return tr->open_cnt;
}

uint64_t tracker__dropped(const struct tracker *tr)
{
	return tr->dropped;
}

size_t tracker__unwritten(const struct tracker *tr)
{
	size_t i, cnt = 0;

	for (i = 0; tr->history && i < tr->cnt; i++)
		cnt += tr->entries[i].pending == NEWS;
	return cnt;
}

void tracker__on_change(struct tracker *tr, incident_fn fn, void *ctx)
{
	tr->on_change = fn;
	tr->on_change_ctx = ctx;
}

struct tracker *tracker__new(const struct tracker_cfg *cfg)
{
	struct tracker *tr = calloc(1, sizeof(*tr));

	if (!tr)
		return NULL;
	tr->node = cfg->node ? strdup(cfg->node) : NULL;
	if (cfg->node && !tr->node) {
		free(tr);
		return NULL;
	}
	tr->history = cfg->history;
	tr->window_s = cfg->window_s;
	tr->max_open = cfg->max_open ? cfg->max_open : DEFAULT_MAX_OPEN;
	tr->failed_s = NAN;
	if (tr->history)
		load(tr); /* when it fails, each call tries again */
	return tr;
}

void tracker__use(struct tracker *tr, struct history *history)
{
	tr->history = history;
	tr->loaded = 0; /* the next call does it, and writes what is pending */
}

void tracker__free(struct tracker *tr)
{
	int err = 0;
	size_t i;

	if (!tr)
		return;
	for (i = 0; i < tr->cnt; i++) {
		struct entry *e = &tr->entries[i];

		if (tr->history && !err && e->pending != WRITTEN)
			err = history__put(tr->history, e->in);
		incident__free(e->in);
	}
	free(tr->entries);
	free(tr->node);
	free(tr);
}
