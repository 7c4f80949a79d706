// SPDX-License-Identifier: BSD-2-Clause
/* growth_probe.c - see growth_probe.h. */
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <linux/types.h>

#include "alloc_plan.h"
#include "bpf_log.h"
#include "growth.skel.h"
#include "growth_probe.h"
#include "user_stack.h"

#define STEP_BYTES     (256 * 1024)
#define STEP_BYTES_MAX (64 * 1024 * 1024)
#define GAP_NS	       2000000
#define EVENT_NS       100 /* a change of the counter that is no step: calling a program is nearly
				* all of it, 50 to 100 ns where returns are guarded [bench/watch] */

struct growth_probe {
	struct growth_probe_cfg cfg;
	struct growth_bpf *skel;
	struct ring_buffer *ring;
	growth_stack_fn stack_fn; /* valid during growth_probe__drain */
	growth_step_fn step_fn;
	void *ctx;
	uint64_t *percpu_buf;
	int cpu_cnt;
	long page_bytes;
	bool is_attached;
};

/* ---- making and unmaking ----------------------------------------------------------------- */

static void configure(struct growth_probe *p)
{
	uint64_t step_bytes = p->cfg.step_bytes ? p->cfg.step_bytes : STEP_BYTES;
	struct growth_bpf *skel = p->skel;

	skel->rodata->target_tgid = p->cfg.pid;
	skel->rodata->page_bytes = p->page_bytes;
	skel->rodata->gap_ns = p->cfg.gap_ns ? p->cfg.gap_ns : GAP_NS;
	skel->rodata->stack_chunks = user_stack__chunks(p->cfg.stack_bytes);
	skel->rodata->main_stack_end = user_stack__main_end(p->cfg.pid);
	skel->bss->target_mm = 0;
	skel->data->step_pages = (step_bytes + p->page_bytes - 1) / p->page_bytes;
	bpf_program__set_autoattach(skel->progs.seep_find, false);
}

static int load(struct growth_probe *p)
{
	int err;

	p->skel = growth_bpf__open();
	if (!p->skel)
		return -errno;
	configure(p);
	err = growth_bpf__load(p->skel);
	if (err) {
		growth_bpf__destroy(p->skel);
		p->skel = NULL;
	}
	return err;
}

static int on_stack(void *ctx, void *data, size_t size)
{
	const struct seep_stack *stack = data;
	struct growth_probe *p = ctx;

	if (size >= sizeof(*stack) && stack->stack_bytes <= size - sizeof(*stack))
		p->stack_fn(p->ctx, stack, stack + 1);
	return 0;
}

static int on_step(void *ctx, void *data, size_t size)
{
	const struct seep_growth_step *step = data;
	struct growth_probe *p = ctx;

	if (size >= sizeof(*step))
		p->step_fn(p->ctx, step);
	return 0;
}

static int set_up(struct growth_probe *p)
{
	p->cpu_cnt = libbpf_num_possible_cpus();
	if (p->cpu_cnt < 0)
		return p->cpu_cnt;
	p->percpu_buf = calloc(p->cpu_cnt, sizeof(*p->percpu_buf));
	if (!p->percpu_buf)
		return -ENOMEM;
	p->ring = ring_buffer__new(bpf_map__fd(p->skel->maps.seep_stacks), on_stack, p, NULL);
	if (!p->ring)
		return -errno;
	return ring_buffer__add(p->ring, bpf_map__fd(p->skel->maps.seep_steps), on_step, p);
}

int growth_probe__new(const struct growth_probe_cfg *cfg, struct growth_probe **ret_probe,
		      char *why, size_t why_cap)
{
	struct growth_probe *p = calloc(1, sizeof(*p));
	int err;

	if (!p)
		return -ENOMEM;
	p->cfg = *cfg;
	p->page_bytes = sysconf(_SC_PAGESIZE);
	bpf_log__start();
	err = load(p);
	if (!err)
		err = set_up(p);
	if (err) {
		snprintf(why, why_cap, "%s", bpf_log__why()[0] ? bpf_log__why() : strerror(-err));
		growth_probe__free(p);
		return err == -EINVAL ? -EOPNOTSUPP : err;
	}
	*ret_probe = p;
	return 0;
}

void growth_probe__free(struct growth_probe *p)
{
	if (!p)
		return;
	ring_buffer__free(p->ring);
	growth_bpf__destroy(p->skel);
	free(p->percpu_buf);
	free(p);
}

/* ---- attaching --------------------------------------------------------------------------- */

/* The pid may have gone to another process. Start times may come from /proc, which has ticks. */
static bool is_same_process(struct growth_probe *p)
{
	uint64_t found_ns = p->skel->bss->target_start_ns;
	uint64_t tick_ns = 1000000000ULL / sysconf(_SC_CLK_TCK);

	if (!p->cfg.start_ns)
		p->cfg.start_ns = found_ns;
	return found_ns <= p->cfg.start_ns + tick_ns && p->cfg.start_ns <= found_ns + tick_ns;
}

/* One pass over all tasks; the program keeps what it looks for. */
static int find_target(struct growth_probe *p)
{
	struct bpf_link *link = bpf_program__attach_iter(p->skel->progs.seep_find, NULL);
	int fd, err = 0;
	char nothing;

	if (!link)
		return -errno;
	p->skel->bss->target_mm = 0;
	fd = bpf_iter_create(bpf_link__fd(link));
	if (fd < 0 || read(fd, &nothing, 1) < 0)
		err = -errno;
	if (fd >= 0)
		close(fd);
	bpf_link__destroy(link);
	if (err)
		return err;
	return p->skel->bss->target_mm && is_same_process(p) ? 0 : -ESRCH;
}

int growth_probe__attach(struct growth_probe *p)
{
	int err;

	if (p->is_attached)
		return 0;
	if (growth_probe__has_execed(p))
		return -ESRCH;
	err = alloc_plan__code(p->cfg.pid, p->skel->bss->code_spans, NULL);
	if (!err)
		err = find_target(p);
	if (!err)
		err = growth_bpf__attach(p->skel);
	p->is_attached = !err;
	if (err)
		growth_bpf__detach(p->skel);
	return err;
}

void growth_probe__detach(struct growth_probe *p)
{
	if (p->is_attached)
		growth_bpf__detach(p->skel);
	p->is_attached = false;
}

int growth_probe__is_attached(const struct growth_probe *p)
{
	return p->is_attached;
}

int growth_probe__has_execed(const struct growth_probe *p)
{
	return __atomic_load_n(&p->skel->bss->target_state, __ATOMIC_RELAXED) == SEEP_TARGET_EXECED;
}

/* ---- what came --------------------------------------------------------------------------- */

int growth_probe__drain(struct growth_probe *p, growth_stack_fn stack_fn, growth_step_fn step_fn,
			void *ctx)
{
	int n;

	p->stack_fn = stack_fn;
	p->step_fn = step_fn;
	p->ctx = ctx;
	n = ring_buffer__consume(p->ring);
	/* libraries come and go; only stacks of the future are told apart by it */
	(void)alloc_plan__code(p->cfg.pid, p->skel->bss->code_spans, NULL);
	return n < 0 ? n : 0;
}

uint64_t growth_probe__step_bytes(const struct growth_probe *p)
{
	return p->skel->data->step_pages * p->page_bytes;
}

void growth_probe__coarsen(struct growth_probe *p)
{
	if (growth_probe__step_bytes(p) < STEP_BYTES_MAX)
		__atomic_store_n(&p->skel->data->step_pages, p->skel->data->step_pages * 2,
				 __ATOMIC_RELAXED);
}

void growth_probe__stats(struct growth_probe *p, uint64_t ret_stats[SEEP_GROWTH_STAT_CNT])
{
	uint32_t stat;
	int cpu;

	for (stat = 0; stat < SEEP_GROWTH_STAT_CNT; stat++) {
		ret_stats[stat] = 0;
		if (bpf_map_lookup_elem(bpf_map__fd(p->skel->maps.seep_gstats), &stat,
					p->percpu_buf))
			continue;
		for (cpu = 0; cpu < p->cpu_cnt; cpu++)
			ret_stats[stat] += p->percpu_buf[cpu];
	}
}

uint64_t growth_probe__cost_ns(struct growth_probe *p)
{
	uint64_t stats[SEEP_GROWTH_STAT_CNT] = {0};

	growth_probe__stats(p, stats);
	return stats[SEEP_GROWTH_STAT_EVENTS] * EVENT_NS + stats[SEEP_GROWTH_STAT_STEP_NS];
}
