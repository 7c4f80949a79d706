// SPDX-License-Identifier: BSD-2-Clause
/*
 * drill.c - see drill.h.
 *
 * Each thread serves one target at a time: look, report and rest (visit.h) until the target is no
 * longer wanted, nothing of it can be seen, or it is another one's turn. Everything the threads
 * share is under one mutex; visits are a thread's own, so symbolizing never delays the agent's loop.
 */
#include <errno.h>
#include <math.h>
#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "../base/clock.h"
#include "drill.h"
#include "visit.h"

#define BUDGET_SHARE	 0.01
#define MAX_TARGETS	 2
#define NO_MEMORY_REST_S 10.0
#define RESULTS_MAX	 16

struct slot {
	struct drill *drill;
	pthread_t thread;
	struct seep_task_id id; /* tgid 0: idle */
	int stop_fd;            /* readable: the target is let go, now */
};

struct drill {
	struct drill_cfg cfg;
	pthread_mutex_t lock;
	pthread_cond_t changed;   /* the wanted list, or stop */
	int result_fd;
	int stopping;
	struct seep_task_id wanted[DRILL_WANTED_MAX];
	size_t wanted_cnt;
	struct seep_task_id refused[DRILL_WANTED_MAX]; /* wanted, but cannot be traced */
	size_t refused_cnt;
	struct slot slots[DRILL_TARGETS_MAX];
	unsigned slot_cnt;
	struct drill_result results[RESULTS_MAX]; /* references are the queue's */
	size_t result_cnt;
	struct {
		struct seep_task_id id;
		double at_s;
	} left[DRILL_WANTED_MAX]; /* who had a turn already */
};

static int same_task(const struct seep_task_id *a, const struct seep_task_id *b)
{
	return a->tgid == b->tgid && a->start_ns == b->start_ns;
}

static double now_s(void)
{
	return clock__boot_ns() / 1e9;
}

/* ---- shared state, under the lock -------------------------------------------------------- */

static int is_among(const struct seep_task_id *ids, size_t cnt, const struct seep_task_id *id)
{
	size_t i;

	for (i = 0; i < cnt; i++)
		if (same_task(&ids[i], id))
			return 1;
	return 0;
}

static int is_wanted(const struct drill *d, const struct seep_task_id *id)
{
	return is_among(d->wanted, d->wanted_cnt, id);
}

static int is_served(const struct drill *d, const struct seep_task_id *id)
{
	unsigned i;

	for (i = 0; i < d->slot_cnt; i++)
		if (same_task(&d->slots[i].id, id))
			return 1;
	return 0;
}

static int is_free(const struct drill *d, const struct seep_task_id *id)
{
	return !is_served(d, id) && !is_among(d->refused, d->refused_cnt, id);
}

/* The target cannot be traced: its slot is for others until the list lets go of it. */
static void refuse(struct drill *d, const struct seep_task_id *id)
{
	pthread_mutex_lock(&d->lock);
	if (is_wanted(d, id) && d->refused_cnt < DRILL_WANTED_MAX)
		d->refused[d->refused_cnt++] = *id;
	pthread_mutex_unlock(&d->lock);
}

/* Keep the refusals of those that are still wanted. */
static void prune_refused(struct drill *d)
{
	size_t i, kept = 0;

	for (i = 0; i < d->refused_cnt; i++)
		if (is_wanted(d, &d->refused[i]))
			d->refused[kept++] = d->refused[i];
	d->refused_cnt = kept;
}

/* When a thread left the target last; 0 = it was never served, or long ago. */
static double left_s(const struct drill *d, const struct seep_task_id *id)
{
	size_t i;

	for (i = 0; i < DRILL_WANTED_MAX; i++)
		if (same_task(&d->left[i].id, id))
			return d->left[i].at_s;
	return 0;
}

/* Who waits longest for its turn, the most severe first; NULL: nobody waits. */
static const struct seep_task_id *next_in_turn(const struct drill *d)
{
	const struct seep_task_id *next = NULL;
	double at_s, next_s = INFINITY;
	size_t i;

	for (i = 0; i < d->wanted_cnt; i++) {
		at_s = left_s(d, &d->wanted[i]);
		if (is_free(d, &d->wanted[i]) && at_s < next_s) {
			next = &d->wanted[i];
			next_s = at_s;
		}
	}
	return next;
}

/* It is somebody else's turn: say when this target was left. */
static void leave(struct drill *d, const struct seep_task_id *id)
{
	size_t i, at = 0;

	pthread_mutex_lock(&d->lock);
	for (i = 0; i < DRILL_WANTED_MAX; i++) {
		if (same_task(&d->left[i].id, id)) {
			at = i;
			break;
		}
		if (d->left[i].at_s < d->left[at].at_s)
			at = i;
	}
	d->left[at].id = *id;
	d->left[at].at_s = now_s();
	pthread_mutex_unlock(&d->lock);
}

static int somebody_waits(struct drill *d)
{
	int waits;

	pthread_mutex_lock(&d->lock);
	waits = !!next_in_turn(d);
	pthread_mutex_unlock(&d->lock);
	return waits;
}

/* A running slice of it ends. */
static void let_go(struct slot *slot)
{
	uint64_t one = 1;

	if (slot->stop_fd >= 0 && write(slot->stop_fd, &one, sizeof(one)) < 0)
		return; /* it has been told already */
}

/* That was meant for the target before, or for one that is wanted again. */
static void forget_let_go(struct slot *slot)
{
	uint64_t cnt;

	if (read(slot->stop_fd, &cnt, sizeof(cnt)) < 0)
		return; /* nobody had said so */
}

/* The next one in turn. Waits for one; 0 when the drill is ending. */
static int take_target(struct slot *slot)
{
	struct drill *d = slot->drill;
	const struct seep_task_id *next;
	size_t i;

	pthread_mutex_lock(&d->lock);
	forget_let_go(slot);
	memset(&slot->id, 0, sizeof(slot->id));
	while (!d->stopping && !slot->id.tgid) {
		next = next_in_turn(d);
		if (next)
			slot->id = *next;
		else
			pthread_cond_wait(&d->changed, &d->lock);
	}
	i = !d->stopping;
	pthread_mutex_unlock(&d->lock);
	return i;
}

/* Let time pass, unless the target is let go. 1: go on with it. */
static int rest(struct slot *slot, double seconds)
{
	struct drill *d = slot->drill;
	struct timespec until;
	int go_on, err = 0;

	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_sec += (time_t)seconds;
	until.tv_nsec += (seconds - floor(seconds)) * 1e9;
	if (until.tv_nsec >= 1000000000) {
		until.tv_sec++;
		until.tv_nsec -= 1000000000;
	}
	pthread_mutex_lock(&d->lock);
	while (!d->stopping && is_wanted(d, &slot->id) && err != ETIMEDOUT)
		err = pthread_cond_timedwait(&d->changed, &d->lock, &until);
	go_on = !d->stopping && is_wanted(d, &slot->id);
	if (go_on)
		forget_let_go(slot);
	pthread_mutex_unlock(&d->lock);
	return go_on;
}

static void drop_result(struct drill_result *r)
{
	json_decref(r->sites);
	json_decref(r->not_seen);
	json_decref(r->objects);
}

/* The newest result of a target replaces an older one that was not collected yet. */
static void post(struct drill *d, const struct drill_result *r)
{
	uint64_t one = 1;
	size_t i;

	pthread_mutex_lock(&d->lock);
	for (i = 0; i < d->result_cnt; i++)
		if (same_task(&d->results[i].id, &r->id))
			break;
	if (i == RESULTS_MAX)
		i = 0; /* somebody must give way: the oldest */
	if (i < d->result_cnt)
		drop_result(&d->results[i]);
	else
		d->result_cnt++;
	d->results[i] = *r;
	pthread_mutex_unlock(&d->lock);
	if (write(d->result_fd, &one, sizeof(one)) < 0)
		return; /* the counter is full: it is readable already */
}

/* ---- serving ----------------------------------------------------------------------------- */

static void report(struct drill *d, struct visit *v)
{
	struct drill_result r;

	visit__result(v, &r);
	post(d, &r);
}

static void serve(struct slot *slot, struct visit *v)
{
	struct drill *d = slot->drill;

	while (!visit__is_blind(v) && rest(slot, visit__rest_s(v))) {
		visit__look(v);
		report(d, v);
		if (visit__slices(v) >= VISIT_TURN && somebody_waits(d)) {
			leave(d, &slot->id);
			return;
		}
		visit__pause(v);
	}
	if (!visit__is_blind(v))
		return;
	refuse(d, &slot->id); /* first: who hears of it may ask for it anew */
	if (!visit__slices(v))
		report(d, v);
}

static void *work(void *arg)
{
	struct slot *slot = arg;
	struct visit_cfg cfg = {
		.budget_share = slot->drill->cfg.budget_share,
		.window_s = slot->drill->cfg.window_s,
		.stop_fd = slot->stop_fd,
	};
	struct visit *v;

	while (take_target(slot)) {
		cfg.id = slot->id;
		if (visit__new(&cfg, &v)) {
			rest(slot, NO_MEMORY_REST_S);
			continue;
		}
		serve(slot, v);
		visit__free(v);
	}
	return NULL;
}

/* ---- the agent's side -------------------------------------------------------------------- */

static int start_threads(struct drill *d)
{
	unsigned i;
	int err;

	for (i = 0; i < d->cfg.max_targets; i++) {
		d->slots[i].drill = d;
		d->slots[i].stop_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
		if (d->slots[i].stop_fd < 0)
			return -errno;
		err = pthread_create(&d->slots[i].thread, NULL, work, &d->slots[i]);
		if (err)
			return -err;
		d->slot_cnt++;
	}
	return 0;
}

static void init_sync(struct drill *d)
{
	pthread_condattr_t attr;

	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&d->changed, &attr);
	pthread_condattr_destroy(&attr);
	pthread_mutex_init(&d->lock, NULL);
}

int drill__new(const struct drill_cfg *cfg, struct drill **ret_drill)
{
	struct drill *d = calloc(1, sizeof(*d));
	int err;

	if (!d)
		return -ENOMEM;
	d->cfg = *cfg;
	if (!d->cfg.budget_share)
		d->cfg.budget_share = BUDGET_SHARE;
	if (!d->cfg.max_targets)
		d->cfg.max_targets = MAX_TARGETS;
	if (d->cfg.max_targets > DRILL_TARGETS_MAX)
		d->cfg.max_targets = DRILL_TARGETS_MAX;
	init_sync(d);
	d->result_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	err = d->result_fd < 0 ? -errno : start_threads(d);
	if (err) {
		drill__free(d);
		return err;
	}
	*ret_drill = d;
	return 0;
}

void drill__free(struct drill *d)
{
	unsigned i;
	size_t r;

	if (!d)
		return;
	pthread_mutex_lock(&d->lock);
	d->stopping = 1;
	for (i = 0; i < d->slot_cnt; i++)
		let_go(&d->slots[i]);
	pthread_cond_broadcast(&d->changed);
	pthread_mutex_unlock(&d->lock);
	for (i = 0; i < d->slot_cnt; i++)
		pthread_join(d->slots[i].thread, NULL);
	for (i = 0; i < d->cfg.max_targets; i++)
		if (d->slots[i].stop_fd > 0)
			close(d->slots[i].stop_fd);
	for (r = 0; r < d->result_cnt; r++)
		drop_result(&d->results[r]);
	if (d->result_fd >= 0)
		close(d->result_fd);
	pthread_cond_destroy(&d->changed);
	pthread_mutex_destroy(&d->lock);
	free(d);
}

int drill__fd(const struct drill *d)
{
	return d->result_fd;
}

void drill__want(struct drill *d, const struct seep_task_id *ids, size_t cnt)
{
	unsigned i;

	if (cnt > DRILL_WANTED_MAX)
		cnt = DRILL_WANTED_MAX;
	pthread_mutex_lock(&d->lock);
	if (cnt != d->wanted_cnt || (cnt && memcmp(ids, d->wanted, cnt * sizeof(*ids)))) {
		if (cnt)
			memcpy(d->wanted, ids, cnt * sizeof(*ids));
		d->wanted_cnt = cnt;
		prune_refused(d);
		for (i = 0; i < d->slot_cnt; i++)
			if (d->slots[i].id.tgid && !is_wanted(d, &d->slots[i].id))
				let_go(&d->slots[i]);
		pthread_cond_broadcast(&d->changed);
	}
	pthread_mutex_unlock(&d->lock);
}

void drill__collect(struct drill *d, drill_fn fn, void *ctx)
{
	struct drill_result results[RESULTS_MAX];
	uint64_t ignored;
	size_t cnt, i;

	if (read(d->result_fd, &ignored, sizeof(ignored)) < 0 && errno != EAGAIN)
		return;
	pthread_mutex_lock(&d->lock);
	cnt = d->result_cnt;
	memcpy(results, d->results, cnt * sizeof(results[0]));
	d->result_cnt = 0;
	pthread_mutex_unlock(&d->lock);
	for (i = 0; i < cnt; i++) {
		fn(ctx, &results[i]);
		drop_result(&results[i]);
	}
}
