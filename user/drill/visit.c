// SPDX-License-Identifier: BSD-2-Clause
/*
 * visit.c - see visit.h.
 *
 * Two kinds of looks go side by side: growth by call stack (growth.h), from the beginning, and
 * slices of a trace of the allocators (trace.h), whose results the ledger sums. Where the runtime lets
 * others count its objects (objects.h), their types are compared from slice to slice, too.
 */
#include <errno.h>
#include <malloc.h>
#include <math.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../base/clock.h"
#include "../probe/alloc_probe.h"
#include "../probe/user_stack.h"
#include "chunk.h"
#include "growth.h"
#include "ledger.h"
#include "objects.h"
#include "trace.h"
#include "visit.h"

#define SLICE_SHARE  24		  /* a slice is this share of the window... */
#define SLICE_MIN_S  1.0	  /* ...but no shorter, */
#define SLICE_MAX_S  60.0	  /* nor longer */
#define COUNT_S	     0.25	  /* of the counting slice */
#define COUNT_BYTES  (1ULL << 40) /* sampling so rare that it only counts */
#define SAMPLE_BYTES (512u << 10)
#define REST_MIN_S   0.5
#define SITES_TOP    10
#define OBJECTS_TOP  10
#define GROWTH_SHARE 0.005 /* of one core's time for watching growth, at most half the budget */
#define STARVED_MAX  10.0  /* a target with less than a tenth of a core counts as if it had that */
#define REACH_SHARE  0.02 /* of a core, on average, for looking through its memory */
#define EXPLAINED    0.5   /* of the growth by the allocators' sites: then they are enough */

struct visit {
	struct visit_cfg cfg;
	struct ledger *ledger;
	struct growth *growth; /* NULL: cannot be watched, or is not needed any more */
	struct objects *objects;
	struct alloc_probe *probe; /* kept between slices; NULL: none yet */
	int heap_err;	       /* why its allocators cannot be traced */
	int is_glibc;	       /* its blocks tell whether they are in use */
	uint64_t stack_end;    /* tells the program that it ran */
	json_t *not_seen;
	double began_s, watched_s;
	double on_s;	  /* of the last look */
	double hit_share; /* cost while attached, as a share of what the target has (see below) */
	uint64_t hits, cost_ns;
	double next_reach_s; /* CLOCK_BOOTTIME: not before */
	unsigned slices;
};

static double now_s(void)
{
	return clock__boot_ns() / 1e9;
}

/* ---- the budget -------------------------------------------------------------------------- */

static double slice_s(const struct visit *v)
{
	return fmin(SLICE_MAX_S, fmax(SLICE_MIN_S, v->cfg.window_s / SLICE_SHARE));
}

/*
 * The budget is a share of a core, and as much of the CPU time that the target gets: on a busy
 * machine that is less. One that hardly runs may pay a tenth of the budget by the clock in any case.
 */
static double share_of(const struct trace_process *p)
{
	double of_core = p->cost_ns / 1e9 / p->duration_s, of_own = p->target_cpu_percent / 100;

	if (!isfinite(of_own))
		return of_core;
	return fmax(of_core, fmin(of_own, STARVED_MAX * of_core));
}

static double duty_of(const struct visit *v)
{
	if (v->hit_share <= v->cfg.budget_share)
		return 1;
	return v->cfg.budget_share / v->hit_share;
}

static double on_time_s(const struct visit *v)
{
	/* a heavy allocator gets shorter slices, too: no second in which it pays a lot */
	return fmax(COUNT_S, slice_s(v) * fmin(1, duty_of(v) * 4));
}

/* Rest long enough that the look before, at its measured cost, stays within the budget. */
double visit__rest_s(const struct visit *v)
{
	double full_s = v->on_s / duty_of(v);

	/* what is known well needs to be looked at less */
	if (v->slices >= VISIT_TURN)
		full_s = fmax(full_s, 4 * slice_s(v));
	return fmax(REST_MIN_S, full_s - v->on_s);
}

/* ---- the allocators ---------------------------------------------------------------------- */

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
	v->on_s = fmax(v->on_s, p->duration_s);
	if (p->reach_ns)
		v->next_reach_s = now_s() + p->reach_ns / 1e9 / REACH_SHARE;
	if (p->duration_s > 0)
		v->hit_share = share_of(p);
	for (line = p->not_seen; line && *line; line++)
		say_not_seen(v, *line);
	for (drop = p->drops; drop && drop->reason; drop++)
		say_not_seen(v, drop->text);
	v->is_glibc = p->allocator && !strcmp(p->allocator, "glibc");
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
	uint64_t exact_ns = v->cfg.id.start_ns, tick_ns = 1000000000ULL / sysconf(_SC_CLK_TCK);

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
	uint64_t stack_end = user_stack__main_end(v->cfg.id.tgid);

	if (v->stack_end && stack_end && stack_end != v->stack_end) {
		ledger__forget(v->ledger);
		objects__forget(v->objects);
	}
	v->stack_end = stack_end;
}

static int is_free(void *ctx, const struct trace_block *block)
{
	const struct visit *v = ctx;

	return chunk__is_free(v->cfg.id.tgid, block);
}

/* What is to be carried into a slice: not what was freed since the last one. */
static size_t carried(struct visit *v, const struct trace_block **ret_blocks)
{
	if (v->is_glibc)
		ledger__recheck(v->ledger, is_free, v);
	return ledger__carried(v->ledger, ret_blocks);
}

/* One run of the probes. 0, or -errno when the target cannot be traced (any more). */
static int run_slice(struct visit *v, double seconds, uint64_t sample_bytes, int with_sites)
{
	struct trace_cfg cfg = {
		.sample_bytes = sample_bytes,
		.duration_s = seconds,
		.keeps_blocks = with_sites,
		.kept = &v->probe,
	};
	const struct trace_result *result;
	char why[TRACE_WHY_LEN] = "";
	struct trace *t;
	int err;

	forget_after_exec(v);
	if (with_sites) {
		cfg.carried_cnt = carried(v, &cfg.carried);
		cfg.asks_references = now_s() >= v->next_reach_s;
	}
	t = trace__new(&cfg);
	if (!t)
		return -ENOMEM;
	err = trace__add(t, v->cfg.id.tgid, why);
	if (err && why[0])
		say_not_seen(v, why);
	if (!err)
		err = trace__run(t, v->cfg.stop_fd, NULL, NULL);
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
		.start_ns = v->cfg.id.start_ns,
		.budget_share = fmin(GROWTH_SHARE, v->cfg.budget_share / 2),
	};
	char why[TRACE_WHY_LEN], text[TRACE_WHY_LEN + 64];

	if (!growth__new(v->cfg.id.tgid, &cfg, &v->growth, why))
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
	return ledger__bytes(v->ledger) / v->watched_s >= EXPLAINED * g->grown_bytes / g->watched_s;
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
		v->hits += v->slices >= VISIT_TURN ? g.events : 0;
		v->cost_ns += v->slices >= VISIT_TURN ? g.cost_ns : 0;
		if (v->slices >= VISIT_TURN)
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

void visit__result(struct visit *v, struct drill_result *ret_result)
{
	double span_s = now_s() - v->began_s;
	struct drill_result r = {
		.id = v->cfg.id,
		.sites = ledger__to_json(v->ledger, SITES_TOP),
		.not_seen = json_deep_copy(v->not_seen),
		.objects = objects__to_json(v->objects, OBJECTS_TOP),
		.slices = v->slices,
		.watched_s = v->watched_s,
		.duty_share = duty_of(v),
		.hits = v->hits,
		.cost_ns = v->cost_ns,
	};

	add_growth(v, &r);
	r.cost_share = span_s > 0 ? r.cost_ns / 1e9 / span_s : 0;
	*ret_result = r;
}

/* ---- the visit --------------------------------------------------------------------------- */

int visit__new(const struct visit_cfg *cfg, struct visit **ret_visit)
{
	struct visit *v = calloc(1, sizeof(*v));

	if (!v)
		return -ENOMEM;
	v->cfg = *cfg;
	v->ledger = ledger__new();
	v->not_seen = json_array();
	v->objects = objects__new(cfg->id.tgid);
	v->began_s = now_s();
	if (!v->ledger || !v->not_seen || !v->objects) {
		visit__free(v);
		return -ENOMEM;
	}
	begin_growth(v);
	objects__look(v->objects);
	v->on_s = COUNT_S;
	v->heap_err = run_slice(v, COUNT_S, COUNT_BYTES, 0);
	*ret_visit = v;
	return 0;
}

void visit__free(struct visit *v)
{
	if (!v)
		return;
	growth__free(v->growth);
	alloc_probe__free(v->probe);
	ledger__free(v->ledger);
	objects__free(v->objects);
	json_decref(v->not_seen);
	free(v);
}

int visit__is_blind(const struct visit *v)
{
	return v->heap_err && (!v->growth || v->heap_err == -ESRCH);
}

unsigned visit__slices(const struct visit *v)
{
	return v->slices;
}

void visit__look(struct visit *v)
{
	struct pollfd stop = {.fd = v->cfg.stop_fd, .events = POLLIN};

	v->on_s = on_time_s(v);
	take_growth(v);
	if (!v->heap_err)
		v->heap_err = run_slice(v, v->on_s, SAMPLE_BYTES, 1);
	else if (v->growth)
		poll(&stop, 1, v->on_s * 1000); /* it grows meanwhile; an early end does no harm */
	objects__look(v->objects);
	v->slices += !visit__is_blind(v);
}

void visit__pause(struct visit *v)
{
	/* every page fault of the node pays a little */
	if (v->growth && v->slices >= VISIT_TURN)
		growth__pause(v->growth);
}
