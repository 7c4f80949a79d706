// SPDX-License-Identifier: BSD-2-Clause
/*
 * drill.c - see drill.h.
 *
 * Each thread serves one target at a time: choose, watch its growth, count, then slice, report and
 * rest until the target is no longer wanted or nothing of it can be seen. Everything the threads share is under one mutex;
 * traces, symbols and ledgers are a thread's own, so symbolizing never delays the agent's loop.
 */
#include <errno.h>
#include <malloc.h>
#include <math.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "../base/clock.h"
#include "../probe/user_stack.h"
#include "drill.h"
#include "growth.h"
#include "ledger.h"
#include "trace.h"

#define BUDGET_SHARE   0.01
#define MAX_TARGETS    2
#define SLICE_SHARE    24    /* a slice is this share of the window... */
#define SLICE_MIN_S    1.0   /* ...but no shorter, */
#define SLICE_MAX_S    60.0  /* nor longer */
#define COUNT_S        0.25  /* of the counting slice */
#define COUNT_BYTES    (1ULL << 40) /* sampling so rare that it only counts */
#define SAMPLE_BYTES   (512u << 10)
#define REST_MIN_S     0.5
#define TURN_SLICES    4     /* then it is another suspect's turn, if one waits */
#define SITES_TOP      10
#define GROWTH_SHARE   0.005 /* of one core's time for watching growth, at most half the budget */
#define EXPLAINED      0.5   /* of the growth by the allocators' sites: then they are enough */
#define RESULTS_MAX    16

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

/* One target while it is served; the thread's own. */
struct visit {
	struct drill *d;
	struct slot *slot;
	struct seep_task_id id;
	struct ledger *ledger;
	struct growth *growth; /* NULL: cannot be watched, or is not needed any more */
	int heap_err;          /* why its allocators cannot be traced */
	uint64_t stack_end;    /* tells the program that it ran */
	json_t *not_seen;
	double began_s, watched_s;
	double hit_share;    /* cost per second while attached, as a share of a core */
	uint64_t hits, cost_ns;
	unsigned slices;
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

/* The next one in turn. Waits for one; 0 when the drill is ending. */
static int take_target(struct slot *slot)
{
	struct drill *d = slot->drill;
	const struct seep_task_id *next;
	uint64_t told;
	size_t i;

	pthread_mutex_lock(&d->lock);
	if (read(slot->stop_fd, &told, sizeof(told)) < 0)
		told = 0; /* that was meant for the target before */
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
static int rest(struct visit *v, double seconds)
{
	struct drill *d = v->d;
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
	while (!d->stopping && is_wanted(d, &v->id) && err != ETIMEDOUT)
		err = pthread_cond_timedwait(&d->changed, &d->lock, &until);
	go_on = !d->stopping && is_wanted(d, &v->id);
	pthread_mutex_unlock(&d->lock);
	return go_on;
}

static void drop_result(struct drill_result *r)
{
	json_decref(r->sites);
	json_decref(r->not_seen);
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

/* ---- a visit ----------------------------------------------------------------------------- */

static double slice_s(const struct drill *d)
{
	double s = d->cfg.window_s / SLICE_SHARE;

	return fmin(SLICE_MAX_S, fmax(SLICE_MIN_S, s));
}

static double duty_of(const struct visit *v)
{
	if (v->hit_share <= v->d->cfg.budget_share)
		return 1;
	return v->d->cfg.budget_share / v->hit_share;
}

static double on_time_s(const struct visit *v)
{
	/* a heavy allocator gets shorter slices, too: no second in which it pays a lot */
	return fmax(COUNT_S, slice_s(v->d) * fmin(1, duty_of(v) * 4));
}

static void say_not_seen(struct visit *v, const char *text)
{
	size_t i;

	for (i = 0; i < json_array_size(v->not_seen); i++)
		if (!strcmp(json_string_value(json_array_get(v->not_seen, i)), text))
			return;
	json_array_append_new(v->not_seen, json_string(text));
}

/* Take what one run found into the visit's books. */
static void enter_books(struct visit *v, const struct trace_process *p, int with_sites)
{
	const struct trace_drop *drop;
	const char *const *line;

	v->hits += p->hits;
	v->cost_ns += p->cost_ns;
	v->watched_s += p->duration_s;
	if (p->duration_s > 0)
		v->hit_share = p->cost_ns / 1e9 / p->duration_s;
	for (line = p->not_seen; line && *line; line++)
		say_not_seen(v, *line);
	for (drop = p->drops; drop && drop->reason; drop++)
		say_not_seen(v, drop->text);
	if (!with_sites)
		return;
	if (p->has_execed)
		ledger__forget(v->ledger);
	ledger__settle(v->ledger, p->survivors, p->survivor_cnt, p->duration_s, now_s());
	if (ledger__add(v->ledger, p->sites, p->site_cnt, p->duration_s))
		say_not_seen(v, "some call sites: the agent was out of memory");
	ledger__carry(v->ledger, p->left, p->left_cnt, p->duration_s, now_s());
}

/* A pid may go to another process between the verdict and the look. /proc counts in ticks. */
static int is_same_process(const struct visit *v, const struct trace_process *p)
{
	uint64_t exact_ns = v->id.start_ns, tick_ns = 1000000000ULL / sysconf(_SC_CLK_TCK);

	return p->start_ns <= exact_ns + tick_ns && exact_ns <= p->start_ns + tick_ns;
}

/*
 * Debug information was large, and is gone until the next slice. Under ASan glibc's own heap is
 * never used, and two threads that ask to trim it would race to set it up.
 */
static void give_back(void)
{
#ifndef __SANITIZE_ADDRESS__
	malloc_trim(0);
#endif
}

/* Another program has another stack, nearly always; between slices nothing else tells. */
static void forget_after_exec(struct visit *v)
{
	uint64_t stack_end = user_stack__main_end(v->id.tgid);

	if (v->stack_end && stack_end && stack_end != v->stack_end)
		ledger__forget(v->ledger);
	v->stack_end = stack_end;
}

/* One run of the probes. 0, or -errno when the target cannot be traced (any more). */
static int run_slice(struct visit *v, double seconds, uint64_t sample_bytes, int with_sites)
{
	struct trace_cfg cfg = {
		.sample_bytes = sample_bytes,
		.duration_s = seconds,
		.keeps_blocks = with_sites,
	};
	const struct trace_result *result;
	char why[TRACE_WHY_LEN] = "";
	struct trace *t;
	int err;

	forget_after_exec(v);
	if (with_sites)
		cfg.carried_cnt = ledger__carried(v->ledger, &cfg.carried);
	t = trace__new(&cfg);
	if (!t)
		return -ENOMEM;
	err = trace__add(t, v->id.tgid, why);
	if (err && why[0])
		say_not_seen(v, why);
	if (!err)
		err = trace__run(t, v->slot->stop_fd, NULL, NULL);
	if (!err)
		err = trace__result(t, &result);
	if (!err && result->process_cnt && !is_same_process(v, &result->processes[0]))
		err = -ESRCH;
	else if (!err && result->process_cnt)
		enter_books(v, &result->processes[0], with_sites);
	trace__free(t);
	give_back();
	return err;
}

/* ---- growth ------------------------------------------------------------------------------ */

static void begin_growth(struct visit *v)
{
	const struct growth_cfg cfg = {
		.start_ns = v->id.start_ns,
		.budget_share = fmin(GROWTH_SHARE, v->d->cfg.budget_share / 2),
	};
	char why[TRACE_WHY_LEN], text[TRACE_WHY_LEN + 64];

	if (!growth__new(v->id.tgid, &cfg, &v->growth, why))
		return;
	snprintf(text, sizeof(text), "growth by call stack: %s", why);
	say_not_seen(v, text);
}

static void end_growth(struct visit *v)
{
	growth__free(v->growth);
	v->growth = NULL;
}

/* After exec the growth of the program before is void. */
static void take_growth(struct visit *v)
{
	if (!v->growth || !growth__take(v->growth))
		return;
	end_growth(v);
	begin_growth(v);
}

/* ---- what both found --------------------------------------------------------------------- */

static void append_growth(json_t *sites, const struct growth_result *g)
{
	size_t i;

	for (i = 0; i < g->site_cnt; i++)
		json_array_append_new(sites, site__to_json(&g->sites[i]));
}

/* Call sites in allocators say more, but only of memory that came through them. */
static int is_explained(const struct visit *v, const struct growth_result *g)
{
	if (v->heap_err || !(g->watched_s > 0) || !(v->watched_s > 0))
		return 0;
	return ledger__bytes(v->ledger) / v->watched_s >=
	       EXPLAINED * g->grown_bytes / g->watched_s;
}

/* The result as the growth has it: its sites first. */
static void add_growth(struct visit *v, struct drill_result *r)
{
	json_t *heap = r->sites, *sites;
	struct growth_result g;
	int i;

	take_growth(v);
	if (!v->growth || growth__result(v->growth, SITES_TOP, &g))
		return;
	r->hits += g.events;
	r->cost_ns += g.cost_ns;
	r->watched_s = fmax(r->watched_s, g.watched_s);
	if (is_explained(v, &g)) {
		/* the books go on without it */
		v->hits += v->slices >= TURN_SLICES ? g.events : 0;
		v->cost_ns += v->slices >= TURN_SLICES ? g.cost_ns : 0;
		if (v->slices >= TURN_SLICES)
			end_growth(v);
		return;
	}
	for (i = 0; g.not_seen[i]; i++)
		json_array_append_new(r->not_seen, json_string(g.not_seen[i]));
	sites = json_array();
	append_growth(sites, &g);
	json_array_extend(sites, heap);
	json_decref(heap);
	r->sites = sites;
}

static void report(struct visit *v)
{
	double span_s = now_s() - v->began_s;
	struct drill_result r = {
		.id = v->id,
		.sites = ledger__to_json(v->ledger, SITES_TOP),
		.not_seen = json_deep_copy(v->not_seen),
		.slices = v->slices,
		.watched_s = v->watched_s,
		.duty_share = duty_of(v),
		.hits = v->hits,
		.cost_ns = v->cost_ns,
	};

	add_growth(v, &r);
	r.cost_share = span_s > 0 ? r.cost_ns / 1e9 / span_s : 0;
	post(v->d, &r);
}

/* ---- serving ----------------------------------------------------------------------------- */

/* Rest long enough that the slice before, at its measured cost, stays within the budget. */
static double rest_s(const struct visit *v, double on_s)
{
	double full_s = on_s / duty_of(v);

	/* what is known well needs to be looked at less */
	if (v->slices >= TURN_SLICES)
		full_s = fmax(full_s, 4 * slice_s(v->d));
	return fmax(REST_MIN_S, full_s - on_s);
}

static int can_be_seen(const struct visit *v)
{
	return !v->heap_err || (v->growth && v->heap_err != -ESRCH);
}

/* One look: at its allocators, or, without any, at nothing but its growth. 1: go on with it. */
static int look(struct visit *v, double on_s)
{
	if (!v->heap_err)
		v->heap_err = run_slice(v, on_s, SAMPLE_BYTES, 1);
	else
		return rest(v, on_s);
	return 1;
}

static void serve(struct visit *v)
{
	int go_on = 1;
	double on_s;

	begin_growth(v);
	v->heap_err = run_slice(v, COUNT_S, COUNT_BYTES, 0);
	if (!v->heap_err)
		go_on = rest(v, rest_s(v, COUNT_S));
	while (go_on && can_be_seen(v)) {
		on_s = on_time_s(v);
		take_growth(v);
		go_on = look(v, on_s);
		if (!can_be_seen(v))
			break;
		v->slices++;
		report(v);
		if (v->slices >= TURN_SLICES && somebody_waits(v->d)) {
			leave(v->d, &v->id);
			return;
		}
		if (v->growth && v->slices >= TURN_SLICES)
			growth__pause(v->growth); /* every page fault of the node pays a little */
		go_on = go_on && rest(v, rest_s(v, on_s));
	}
	if (can_be_seen(v))
		return;
	report(v);
	refuse(v->d, &v->id);
}

static void *work(void *arg)
{
	struct slot *slot = arg;
	struct visit v;

	while (take_target(slot)) {
		v = (struct visit){
			.d = slot->drill,
			.slot = slot,
			.id = slot->id,
			.ledger = ledger__new(),
			.not_seen = json_array(),
			.began_s = now_s(),
		};
		if (v.ledger && v.not_seen)
			serve(&v);
		else
			rest(&v, slice_s(v.d));
		growth__free(v.growth);
		ledger__free(v.ledger);
		json_decref(v.not_seen);
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
