// SPDX-License-Identifier: BSD-2-Clause
/*
 * growth.c - see growth.h.
 *
 * A step is a sample of one page that stands for all growth since the step before, so the sums of
 * sites.h and their intervals apply. Bounded: when there are too many steps, every second one is
 * dropped and the others count twice.
 */
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../base/clock.h"
#include "../base/units.h"
#include "../probe/growth_probe.h"
#include "growth.h"
#include "sites.h"

#define BUDGET_SHARE .005
#define STEPS_MAX    4096
#define CACHE_BYTES  (32u << 20) /* of symbols and unwind tables, while a process is looked at */
#define NOT_SEEN_MAX 32

struct step {
	uint64_t stack_id, at_ns, bytes;
	uint32_t tid;
};

struct growth {
	struct growth_cfg cfg;
	struct growth_probe *probe;
	struct symbolizer *symbolizer;
	struct sym_target *target;
	struct sites *sites;
	int stack_err; /* why stacks could not be kept */
	double start_s;
	double attached_s; /* since when; NAN = paused */
	double watched_s;  /* until then */
	double taken_s;	   /* the last growth__take, */
	uint64_t taken_ns; /* ...and what the target had paid by then */
	uint64_t page_bytes;
	uint64_t step_cnt; /* all that came */
	double grown_bytes;
	struct step *steps;
	size_t cnt;
	size_t phase; /* which half goes when they are thinned */
	struct site *result;
	const char *not_seen[NOT_SEEN_MAX + 1];
};

static double now_s(void)
{
	return clock__boot_ns() / 1e9;
}

/* ---- life -------------------------------------------------------------------------------- */

static int make_sites(struct growth *g, pid_t pid)
{
	const struct symbolizer_cfg symbolizer_cfg = {.max_cache_bytes = CACHE_BYTES};
	struct sites_cfg cfg = {.allocator = "pagefault", .keeps_innermost = 1};
	int err;

	g->symbolizer = symbolizer__new(&symbolizer_cfg);
	if (!g->symbolizer)
		return -ENOMEM;
	err = sym_target__new(g->symbolizer, pid, &g->target);
	if (err)
		return err;
	cfg.target = g->target;
	cfg.start_s = g->start_s;
	g->sites = sites__new(&cfg);
	g->steps = calloc(STEPS_MAX, sizeof(*g->steps));
	return g->sites && g->steps ? 0 : -ENOMEM;
}

static int attach(struct growth *g)
{
	int err = growth_probe__attach(g->probe);

	if (!err && isnan(g->attached_s))
		g->attached_s = now_s();
	return err;
}

void growth__pause(struct growth *g)
{
	growth_probe__detach(g->probe);
	if (!isnan(g->attached_s))
		g->watched_s += now_s() - g->attached_s;
	g->attached_s = NAN;
}

int growth__new(pid_t pid, const struct growth_cfg *cfg, struct growth **ret_growth,
		char ret_why[TRACE_WHY_LEN])
{
	const struct growth_probe_cfg probe_cfg = {
		.pid = pid,
		.start_ns = cfg->start_ns,
		.step_bytes = cfg->step_bytes,
		.gap_ns = cfg->gap_ns,
	};
	struct growth *g = calloc(1, sizeof(*g));
	int err;

	ret_why[0] = '\0';
	if (!g)
		return -ENOMEM;
	g->cfg = *cfg;
	if (!g->cfg.budget_share)
		g->cfg.budget_share = BUDGET_SHARE;
	g->page_bytes = sysconf(_SC_PAGESIZE);
	g->attached_s = NAN;
	g->start_s = g->taken_s = now_s();
	err = make_sites(g, pid);
	if (!err)
		err = growth_probe__new(&probe_cfg, &g->probe, ret_why, TRACE_WHY_LEN);
	if (!err)
		err = attach(g);
	if (err) {
		if (!ret_why[0])
			snprintf(ret_why, TRACE_WHY_LEN, "%s", strerror(-err));
		growth__free(g);
		return err;
	}
	*ret_growth = g;
	return 0;
}

void growth__free(struct growth *g)
{
	if (!g)
		return;
	growth_probe__free(g->probe);
	sites__free(g->sites);
	sym_target__free(g->target);
	symbolizer__free(g->symbolizer);
	free(g->steps);
	free(g->result);
	free(g);
}

/* ---- taking in --------------------------------------------------------------------------- */

static void take_stack(void *ctx, const struct seep_stack *stack, const void *bytes)
{
	struct growth *g = ctx;
	int err = sites__add_stack(g->sites, stack, bytes);

	if (err)
		g->stack_err = err;
}

static void thin(struct growth *g)
{
	size_t i;

	for (i = 0; i < STEPS_MAX / 2; i++) {
		g->steps[i] = g->steps[2 * i + g->phase];
		g->steps[i].bytes *= 2;
	}
	g->cnt = STEPS_MAX / 2;
	g->phase = !g->phase;
	growth_probe__coarsen(g->probe);
}

static void take_step(void *ctx, const struct seep_growth_step *step)
{
	struct growth *g = ctx;

	if (g->cnt == STEPS_MAX)
		thin(g);
	g->steps[g->cnt++] = (struct step){
		.stack_id = step->stack_id,
		.at_ns = step->at_ns,
		.bytes = step->to_bytes - step->from_bytes,
		.tid = step->tid,
	};
	g->step_cnt++;
	g->grown_bytes += step->to_bytes - step->from_bytes;
}

/*
 * What the target paid since the last look tells how large steps must be; what it paid since the
 * start, whether it has earned a pause. Even without steps each fault costs a little.
 */
static int keep_budget(struct growth *g)
{
	uint64_t cost_ns = growth_probe__cost_ns(g->probe);
	double at_s = now_s(), budget_ns = g->cfg.budget_share * 1e9;
	int err = 0;

	if (cost_ns - g->taken_ns > budget_ns * (at_s - g->taken_s))
		growth_probe__coarsen(g->probe);
	if (cost_ns > budget_ns * (at_s - g->start_s))
		growth__pause(g);
	else
		err = attach(g);
	g->taken_s = at_s;
	g->taken_ns = cost_ns;
	return err;
}

int growth__take(struct growth *g)
{
	int err;

	if (growth_probe__has_execed(g->probe))
		return -ESRCH;
	err = growth_probe__drain(g->probe, take_stack, take_step, g);
	return err ? err : keep_budget(g);
}

/* ---- the result -------------------------------------------------------------------------- */

static void collect_not_seen(struct growth *g)
{
	const char *const *line = sym_target__not_seen(g->target);
	uint64_t stats[SEEP_GROWTH_STAT_CNT];
	size_t cnt = 0;

	growth_probe__stats(g->probe, stats);
	if (stats[SEEP_GROWTH_STAT_FOREIGN_BYTES])
		g->not_seen[cnt++] = "who asked for memory that others than the process brought to "
				     "life (huge pages, debuggers)";
	if (stats[SEEP_GROWTH_STAT_RING_FULL_BYTES])
		g->not_seen[cnt++] = "some growth: it came faster than call stacks could be read";
	if (g->stack_err)
		g->not_seen[cnt++] = "some call stacks of growth: the agent was out of memory";
	while (line && *line && cnt < NOT_SEEN_MAX)
		g->not_seen[cnt++] = *line++;
	g->not_seen[cnt] = NULL;
}

/* What a step stands for; a page of it was seen. */
static int fill_sites(struct growth *g, size_t top, const struct site **ret_sites, size_t *ret_cnt)
{
	struct seep_live live = {.size_bytes = g->page_bytes, .kind = SEEP_GROWTH};
	size_t i;

	sites__begin_snapshot(g->sites, now_s());
	for (i = 0; i < g->cnt; i++) {
		live.weight_bytes = g->steps[i].bytes;
		live.at_ns = g->steps[i].at_ns;
		live.stack_id = g->steps[i].stack_id;
		live.tid = g->steps[i].tid;
		sites__add_live(g->sites, i, &live);
	}
	sites__end_snapshot(g->sites);
	return sites__result(g->sites, top, ret_sites, ret_cnt);
}

static void describe(const struct growth *g, const struct growth_result *r, struct site *s)
{
	char step[16], span[24];

	units__format_bytes(r->step_bytes, step, sizeof(step));
	units__format_duration(r->watched_s, span, sizeof(span));
	s->verdict = SITE_UNKNOWN;
	s->growth_bytes_per_hour =
		r->watched_s > 0 ? s->outstanding_bytes / r->watched_s * 3600 : NAN;
	snprintf(s->evidence, sizeof(s->evidence),
		 "anonymous memory's growth by call stack: here at %llu of %llu new heights, %s "
		 "or more apart, in %s; what was freed since is not seen",
		 (unsigned long long)s->samples, (unsigned long long)g->cnt, step, span);
}

int growth__result(struct growth *g, size_t top, struct growth_result *ret_result)
{
	struct growth_result r = {
		.grown_bytes = g->grown_bytes,
		.watched_s = g->watched_s + (isnan(g->attached_s) ? 0 : now_s() - g->attached_s),
		.steps = g->step_cnt,
		.step_bytes = growth_probe__step_bytes(g->probe),
		.cost_ns = growth_probe__cost_ns(g->probe),
		.not_seen = g->not_seen,
	};
	uint64_t stats[SEEP_GROWTH_STAT_CNT];
	const struct site *sites;
	size_t i;
	int err;

	err = fill_sites(g, top, &sites, &r.site_cnt);
	if (err)
		return err;
	free(g->result);
	g->result = malloc((r.site_cnt + 1) * sizeof(*g->result));
	if (!g->result)
		return -ENOMEM;
	for (i = 0; i < r.site_cnt; i++) {
		g->result[i] = sites[i];
		describe(g, &r, &g->result[i]);
	}
	growth_probe__stats(g->probe, stats);
	r.events = stats[SEEP_GROWTH_STAT_EVENTS];
	r.sites = g->result;
	collect_not_seen(g);
	*ret_result = r;
	return 0;
}
