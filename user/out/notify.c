// SPDX-License-Identifier: BSD-2-Clause
/*
 * notify.c - see notify.h. For each target and incident a notice: what the target was told, and
 * since when that is no longer all there is to tell.
 */
#include <errno.h>
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "../incident/relate.h"
#include "notify.h"
#include "notify_kind.h"

#define RETRY_FIRST_S	1.0
#define RETRY_MAX_S	300.0
#define RETRY_DOUBLINGS 9

struct notice {
	char id[INCIDENT_ID_LEN];
	uint64_t group;
	enum incident_state state;
	enum incident_severity severity, told_severity;
	int told;	/* that it is open */
	int present;	/* among the open incidents of this tick */
	int muted;	/* the same */
	double news_s;	/* since when there is something to tell; NAN: nothing */
	double told_s;	/* NAN: never */
	json_t *closed; /* how it ended */
};

/* What a message says of an incident: may be old when the message has arrived. */
struct said {
	char id[INCIDENT_ID_LEN];
	enum incident_state state;
	enum incident_severity severity;
};

struct job {
	struct notify_delivery delivery;
	json_t *message;
	int err;
	char why[NOTIFY_WHY_LEN];
	size_t cnt;
	struct said said[];
};

struct target {
	struct notify_target cfg;
	const struct notify_kind *kind;
	struct selector *selector;
	struct worker *worker;
	struct notice *notices;
	size_t cnt, cap;
	unsigned failures; /* since the last success */
	double retry_s;
	double allowance, allowance_s; /* messages that the rate leaves */
	struct notify_stats stats;
};

struct notify {
	struct tracker *tracker;
	struct history *history;
	struct mutes *mutes;
	char node[NOTIFY_NAME_LEN];
	int done_fd;
	unsigned seed;
	struct target targets[NOTIFY_TARGETS_MAX];
	size_t cnt;
};

/* ---- notices ----------------------------------------------------------------------------- */

static struct notice *find(struct target *t, const char *id)
{
	size_t i;

	for (i = 0; i < t->cnt; i++)
		if (!strcmp(t->notices[i].id, id))
			return &t->notices[i];
	return NULL;
}

static void save(struct notify *n, const struct target *t, const struct notice *notice)
{
	const struct history_told told = {
		.target = t->cfg.name,
		.id = notice->id,
		.open = notice->told,
		.severity = notice->told_severity,
		.at_s = isnan(notice->told_s) ? 0 : notice->told_s,
	};

	if (n->history)
		history__put_told(n->history, &told);
}

/* Nothing is left to tell: the last takes its place. */
static void drop(struct notify *n, struct target *t, struct notice *notice)
{
	if (n->history)
		history__remove_told(n->history, t->cfg.name, notice->id);
	json_decref(notice->closed);
	*notice = t->notices[--t->cnt];
}

static struct notice *add(struct target *t, const char *id)
{
	size_t cap = t->cap ? 2 * t->cap : 16;
	struct notice *notice;

	if (t->cnt == t->cap) {
		notice = t->cnt < NOTIFY_NOTICES_MAX
				 ? reallocarray(t->notices, cap, sizeof(*notice))
				 : NULL;
		if (!notice) {
			t->stats.dropped++;
			return NULL;
		}
		t->notices = notice;
		t->cap = cap;
	}
	notice = &t->notices[t->cnt++];
	*notice = (struct notice){.news_s = NAN, .told_s = NAN};
	snprintf(notice->id, sizeof(notice->id), "%s", id);
	return notice;
}

/* FNV-1a */
static uint64_t hash(uint64_t h, const char *s)
{
	for (; s && *s; s++)
		h = (h ^ (unsigned char)*s) * 0x100000001b3ULL;
	return (h ^ 0xff) * 0x100000001b3ULL;
}

static uint64_t group_of(const struct target *t, const struct incident *in)
{
	const struct incident_object *o = &in->object;
	uint64_t h = 0xcbf29ce484222325ULL;

	switch ((enum notify_group)t->cfg.group) {
	case NOTIFY_BY_ALL:
		return h;
	case NOTIFY_BY_WORKLOAD:
		if (o->workload)
			return hash(hash(h, o->ns), o->workload);
		/* fall through */
	case NOTIFY_BY_IMAGE:
		if (o->image)
			return hash(h, o->image);
		/* fall through */
	case NOTIFY_BY_NONE:
		break;
	}
	return hash(h, in->id);
}

static int is_for(const struct target *t, const struct incident *in)
{
	const struct selector_subject subject = incident__subject(in);

	return in->severity >= (enum incident_severity)t->cfg.min_severity &&
	       (!t->selector || selector__matches(t->selector, &subject));
}

static int is_muted(const struct notify *n, const struct incident *in, double now_s)
{
	const struct selector_subject subject = incident__subject(in);

	return n->mutes && mutes__covering(n->mutes, now_s, &subject);
}

static void is_news(struct notice *notice, double now_s)
{
	if (isnan(notice->news_s))
		notice->news_s = now_s;
}

static struct notice *find_or_add(struct notify *n, struct target *t, const struct incident *in,
				  double now_s)
{
	struct notice *notice = find(t, in->id);

	if (notice || !is_for(t, in))
		return notice;
	notice = add(t, in->id);
	if (!notice)
		return NULL;
	notice->group = group_of(t, in);
	is_news(notice, now_s);
	save(n, t, notice);
	return notice;
}

struct scan {
	struct notify *n;
	struct target *t;
	double now_s;
};

static void look_at(void *ctx, const struct incident *in)
{
	struct scan *s = ctx;
	struct notice *notice = find_or_add(s->n, s->t, in, s->now_s);

	if (!notice)
		return;
	if (notice->state == INCIDENT_CLOSED) { /* it came back before that was told */
		json_decref(notice->closed);
		notice->closed = NULL;
		notice->news_s = notice->told ? NAN : notice->news_s;
	}
	notice->group = group_of(s->t, in);
	notice->state = INCIDENT_OPEN;
	notice->severity = in->severity;
	notice->present = 1;
	notice->muted = is_muted(s->n, in, s->now_s);
	if (!notice->told || notice->severity > notice->told_severity)
		is_news(notice, s->now_s);
}

static void scan(struct notify *n, struct target *t, double now_s)
{
	struct scan s = {.n = n, .t = t, .now_s = now_s};
	size_t i;

	for (i = 0; i < t->cnt; i++)
		t->notices[i].present = 0;
	tracker__foreach_open(n->tracker, look_at, &s);
	for (i = t->cnt; i-- > 0;)
		if (t->notices[i].state == INCIDENT_OPEN && !t->notices[i].present)
			drop(n, t, &t->notices[i]);
}

/* What was closed is told, even when its opening could not be; unless nobody wants to know. */
static void close_notice(struct notify *n, struct target *t, struct notice *notice,
			 const struct incident *in, double now_s)
{
	json_t *shared;

	if ((notice->told && !t->cfg.send_resolved) ||
	    (!notice->told && is_muted(n, in, now_s))) {
		drop(n, t, notice);
		return;
	}
	shared = incident__to_json(in, 1);
	json_decref(notice->closed);
	notice->closed = json_deep_copy(shared);
	json_decref(shared);
	notice->state = INCIDENT_CLOSED;
	notice->severity = in->severity;
	notice->group = group_of(t, in);
	is_news(notice, now_s);
	if (!notice->closed)
		drop(n, t, notice);
}

void notify__closed(struct notify *n, double now_s, const struct incident *in)
{
	struct notice *notice;
	size_t i;

	for (i = 0; i < n->cnt; i++) {
		notice = find_or_add(n, &n->targets[i], in, now_s);
		if (notice)
			close_notice(n, &n->targets[i], notice, in, now_s);
	}
}

/* ---- what is due ------------------------------------------------------------------------- */

static double group_told_s(const struct target *t, uint64_t group)
{
	double told_s = -INFINITY;
	size_t i;

	for (i = 0; i < t->cnt; i++)
		if (t->notices[i].group == group && t->notices[i].told_s > told_s)
			told_s = t->notices[i].told_s;
	return told_s;
}

static double due_s(const struct target *t, const struct notice *notice)
{
	if (notice->muted && notice->state == INCIDENT_OPEN)
		return INFINITY;
	if (isnan(notice->news_s))
		return notice->told_s + t->cfg.repeat_s;
	return fmax(notice->news_s + t->cfg.wait_s,
		    group_told_s(t, notice->group) + t->cfg.interval_s);
}

static const struct notice *most_due(const struct target *t, double now_s)
{
	const struct notice *most = NULL;
	double most_s = now_s, at_s;
	size_t i;

	for (i = 0; i < t->cnt; i++) {
		at_s = due_s(t, &t->notices[i]);
		if (!(at_s <= most_s))
			continue;
		most_s = at_s;
		most = &t->notices[i];
	}
	return most;
}

struct lookup {
	const char *id;
	json_t *document;
};

static void copy_if(void *ctx, const struct incident *in)
{
	struct lookup *l = ctx;
	json_t *shared;

	if (strcmp(in->id, l->id))
		return;
	shared = incident__to_json(in, 1);
	l->document = json_deep_copy(shared); /* a thread will read it */
	json_decref(shared);
}

/* NULL: out of memory. */
static json_t *document_of(struct notify *n, const struct notice *notice)
{
	struct lookup l = {.id = notice->id};

	if (notice->state == INCIDENT_CLOSED)
		return json_deep_copy(notice->closed);
	tracker__foreach_open(n->tracker, copy_if, &l);
	return l.document;
}

/* Adds the incident, in full while there is room for that, and else as one more of its kind. */
static void say(struct notify *n, const struct target *t, struct job *job, json_t *incidents,
		const struct notice *notice)
{
	struct said *said = &job->said[job->cnt];
	json_t *document;

	if (json_array_size(incidents) < t->kind->batch) {
		document = document_of(n, notice);
		if (!document || json_array_append_new(incidents, document))
			return;
	} else if (!t->kind->sums_up) {
		return; /* it is due for the next message */
	}
	memcpy(said->id, notice->id, sizeof(said->id));
	said->state = notice->state;
	said->severity = notice->severity;
	job->cnt++;
}

/* Its news, or all of it when it is told again; what is open first. */
static void say_group(struct notify *n, const struct target *t, struct job *job, json_t *incidents,
		      const struct notice *most)
{
	int again = isnan(most->news_s), state;
	size_t i;

	for (state = INCIDENT_OPEN; state <= INCIDENT_CLOSED; state++) {
		for (i = 0; i < t->cnt; i++) {
			const struct notice *notice = &t->notices[i];

			if (notice->group == most->group && (int)notice->state == state &&
			    !(notice->muted && state == INCIDENT_OPEN) && (again || !isnan(notice->news_s)))
				say(n, t, job, incidents, notice);
		}
	}
}

/* One message about the group of what is most due. NULL: out of memory. */
static struct job *compose(struct notify *n, struct target *t, const struct notice *most,
			   double now_s)
{
	struct job *job = calloc(1, sizeof(*job) + t->cnt * sizeof(job->said[0]));
	json_t *incidents = json_array();

	if (job && incidents)
		say_group(n, t, job, incidents, most);
	if (!job || !job->cnt) {
		json_decref(incidents);
		free(job);
		return NULL;
	}
	job->message = notify_message__new(t->cfg.name, n->node, notify_groups[t->cfg.group], now_s,
					   incidents, job->cnt);
	if (!job->message) {
		free(job);
		return NULL;
	}
	return job;
}

static int may_send(struct target *t, double now_s)
{
	double burst = fmin(t->cfg.rate, 10);

	t->allowance += fmax(0, now_s - t->allowance_s) * t->cfg.rate / 3600;
	t->allowance = fmin(t->allowance, burst);
	t->allowance_s = now_s;
	return t->allowance >= 1 && now_s >= t->retry_s && worker__is_idle(t->worker);
}

static void hand_out(struct notify *n, struct target *t, double now_s)
{
	const struct notice *most;
	struct job *job;

	if (!may_send(t, now_s))
		return;
	most = most_due(t, now_s);
	if (!most)
		return;
	job = compose(n, t, most, now_s);
	if (!job)
		return; /* again at the next tick */
	job->delivery = (struct notify_delivery){&t->cfg, job->message, t->worker};
	t->allowance--;
	worker__give(t->worker, job); /* it is idle */
}

/* ---- what came of it --------------------------------------------------------------------- */

static void deliver(struct worker *w, void *arg)
{
	struct job *job = arg;

	(void)w;
	snprintf(job->why, sizeof(job->why), "out of memory");
	job->err = notify_kind__of(job->delivery.target->type)->deliver(&job->delivery, job->why);
}

static void was_told(struct notify *n, struct target *t, const struct said *said, double now_s)
{
	struct notice *notice = find(t, said->id);

	if (!notice)
		return;
	if (!isnan(notice->news_s)) /* repeats are not worth a line in the incident's timeline */
		tracker__told(n->tracker, now_s, said->id, t->cfg.name, t->kind->name, said->state);
	if (said->state == INCIDENT_CLOSED && notice->state == INCIDENT_CLOSED) {
		drop(n, t, notice);
		return;
	}
	if (notice->state == INCIDENT_CLOSED && !t->cfg.send_resolved) {
		drop(n, t, notice);
		return;
	}
	notice->told = said->state == INCIDENT_OPEN;
	notice->told_severity = said->severity;
	notice->told_s = now_s;
	if (notice->told && notice->state == INCIDENT_OPEN && notice->severity <= said->severity)
		notice->news_s = NAN;
	save(n, t, notice);
}

/* Between half and all of a delay that doubles with each failure. */
static double backoff_s(struct notify *n, unsigned failures)
{
	double delay_s = ldexp(RETRY_FIRST_S,
			       failures < RETRY_DOUBLINGS ? (int)failures - 1 : RETRY_DOUBLINGS);

	return fmin(delay_s, RETRY_MAX_S) * (0.5 + 0.5 * rand_r(&n->seed) / RAND_MAX);
}

static void settle(struct notify *n, struct target *t, const struct job *job, double now_s)
{
	size_t i;

	if (job->err) {
		t->stats.failed++;
		t->stats.failed_s = now_s;
		snprintf(t->stats.error, sizeof(t->stats.error), "%s", job->why);
		t->retry_s = now_s + backoff_s(n, ++t->failures);
		return;
	}
	t->stats.sent++;
	t->stats.sent_s = now_s;
	t->stats.error[0] = '\0';
	t->failures = 0;
	for (i = 0; i < job->cnt; i++)
		was_told(n, t, &job->said[i], now_s);
}

static void free_job(struct job *job)
{
	if (!job)
		return;
	json_decref(job->message);
	free(job);
}

void notify__tick(struct notify *n, double now_s)
{
	struct job *job;
	uint64_t done;
	size_t i;

	(void)!read(n->done_fd, &done, sizeof(done));
	for (i = 0; i < n->cnt; i++) {
		struct target *t = &n->targets[i];

		job = worker__take(t->worker);
		if (job)
			settle(n, t, job, now_s);
		free_job(job);
		scan(n, t, now_s);
		hand_out(n, t, now_s);
	}
}

/* ---- restarts ---------------------------------------------------------------------------- */

static int take_closed(void *ctx, struct incident *in)
{
	struct incident **found = ctx;

	*found = in;
	return 1;
}

static struct target *target_of(struct notify *n, const char *name)
{
	size_t i;

	for (i = 0; i < n->cnt; i++)
		if (!strcmp(n->targets[i].cfg.name, name))
			return &n->targets[i];
	return NULL;
}

struct rows {
	struct notify *n;
	struct {
		char target[NOTIFY_NAME_LEN], id[INCIDENT_ID_LEN];
	} * gone;
	size_t gone_cnt;
};

static void take_row(void *ctx, const struct history_told *told)
{
	struct rows *r = ctx;
	struct target *t = target_of(r->n, told->target);
	struct notice *notice = t && strlen(told->id) < INCIDENT_ID_LEN ? add(t, told->id) : NULL;
	void *gone;

	if (notice) {
		notice->told = told->open;
		notice->told_severity = told->severity;
		notice->told_s = told->open ? told->at_s : NAN;
		return;
	}
	gone = reallocarray(r->gone, r->gone_cnt + 1, sizeof(*r->gone));
	if (!gone)
		return; /* at the next start */
	r->gone = gone;
	snprintf(r->gone[r->gone_cnt].target, NOTIFY_NAME_LEN, "%s", told->target);
	snprintf(r->gone[r->gone_cnt++].id, INCIDENT_ID_LEN, "%s", told->id);
}

/* What was closed while nobody looked is in the history; what is not there has expired. */
static void resume_closed(struct notify *n, struct target *t, double now_s)
{
	size_t i;

	for (i = t->cnt; i-- > 0;) {
		struct notice *notice = &t->notices[i];
		struct history_query q = {.since_s = NAN, .id_prefix = notice->id, .limit = 1};
		struct incident *in = NULL;

		history__query(n->history, &q, take_closed, &in);
		if (!in)
			drop(n, t, notice);
		else if (in->state == INCIDENT_CLOSED)
			close_notice(n, t, notice, in, now_s);
		incident__free(in);
	}
}

static void resume(struct notify *n, double now_s)
{
	struct rows r = {.n = n};
	size_t i;

	if (!n->history)
		return;
	history__foreach_told(n->history, take_row, &r);
	for (i = 0; i < r.gone_cnt; i++) /* of targets that are not configured any more */
		history__remove_told(n->history, r.gone[i].target, r.gone[i].id);
	free(r.gone);
	for (i = 0; i < n->cnt; i++)
		resume_closed(n, &n->targets[i], now_s);
}

/* ---- making and unmaking ----------------------------------------------------------------- */

static int make_target(struct notify *n, const struct notify_target *cfg, double now_s)
{
	struct target *t = &n->targets[n->cnt];
	char why[SELECTOR_WHY_LEN];
	int err = 0;

	t->cfg = *cfg;
	t->kind = notify_kind__of(cfg->type);
	t->allowance = cfg->rate;
	t->allowance_s = now_s;
	t->retry_s = -INFINITY;
	t->stats = (struct notify_stats){
		.name = t->cfg.name,
		.type = t->kind->name,
		.sent_s = NAN,
		.failed_s = NAN,
	};
	if (cfg->selector)
		err = selector__parse(cfg->selector, &t->selector, why);
	if (!err)
		err = worker__new(deliver, n->done_fd, &t->worker);
	n->cnt++;
	return err;
}

int notify__new(const struct notify_cfg *cfg, struct notify **ret_notify)
{
	struct notify *n = calloc(1, sizeof(*n));
	int err = 0;

	if (!n)
		return -ENOMEM;
	n->tracker = cfg->tracker;
	n->mutes = cfg->mutes;
	n->history = cfg->history;
	n->seed = (unsigned)getpid();
	snprintf(n->node, sizeof(n->node), "%s", cfg->node);
	n->done_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (n->done_fd < 0)
		err = -errno;
	while (!err && n->cnt < cfg->cnt && n->cnt < NOTIFY_TARGETS_MAX)
		err = make_target(n, &cfg->targets[n->cnt], cfg->now_s);
	if (err) {
		notify__free(n);
		return err;
	}
	resume(n, cfg->now_s);
	*ret_notify = n;
	return 0;
}

static void free_target(struct target *t)
{
	size_t i;

	free_job(worker__free(t->worker));
	selector__free(t->selector);
	for (i = 0; i < t->cnt; i++)
		json_decref(t->notices[i].closed);
	free(t->notices);
}

void notify__free(struct notify *n)
{
	size_t i;

	if (!n)
		return;
	for (i = 0; i < n->cnt; i++)
		free_target(&n->targets[i]);
	if (n->done_fd >= 0)
		close(n->done_fd);
	free(n);
}

int notify__fd(const struct notify *n)
{
	return n->done_fd;
}

size_t notify__cnt(const struct notify *n)
{
	return n->cnt;
}

void notify__stats(const struct notify *n, size_t target, struct notify_stats *ret_stats)
{
	const struct target *t = &n->targets[target];
	size_t i;

	*ret_stats = t->stats;
	ret_stats->busy = !worker__is_idle(t->worker);
	for (i = 0; i < t->cnt; i++)
		ret_stats->pending += !isnan(t->notices[i].news_s);
}
