// SPDX-License-Identifier: BSD-2-Clause
/*
 * traced.c - see traced.h.
 */
#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "../base/clock.h"
#include "../base/units.h"
#include "../probe/alloc_probe.h"
#include "../probe/proc_scan.h"
#include "../who/clean.h"
#include "traced.h"

#define RETRY_FIRST_S .05    /* after exec the new program's libraries are not mapped at once */
#define RETRY_LAST_S 5.0
#define NOT_SEEN_MAX 64
#define NOTE_LEN 200
#define YOUNG_SHARE .25 /* of the time: what is younger may be in use on some stack */

struct traced {
	struct trace_cfg cfg;
	struct symbolizer *symbolizer;
	pid_t pid;
	int pid_fd;
	uint64_t start_ns;
	char comm[64];
	struct alloc_probe *probe;
	struct sym_target *target;
	struct sites *sites;
	int stack_err;              /* why stacks could not be kept */
	double start_s, end_s;      /* CLOCK_BOOTTIME */
	double retry_s, retry_delay_s; /* after exec: when to attach anew */
	int is_finished, has_ended, has_execed, is_heir;
	uint64_t heirs; /* children of it that are traced themselves */
	unsigned coarsened;
	uint64_t cpu_first_ns, cpu_last_ns; /* CPU time the process had used, since attached */
	/* kept at the end */
	uint64_t stats[SEEP_ALLOC_STAT_CNT];
	uint64_t hits, cost_ns;
	char notes[6][NOTE_LEN];
	int note_cnt;
	const char *not_seen[NOT_SEEN_MAX + 1];
	struct trace_drop drops[16];
	uint64_t since_ns;            /* older blocks are carried ones */
	struct trace_block *survivors; /* cfg.carried_cnt of them */
	size_t survivor_cnt;
	struct trace_left *left;
	size_t left_cnt, left_cap;
	struct reach_block *asked;
	size_t asked_cnt;
	char asked_why[REACH_WHY_LEN]; /* not */
	uint64_t reach_ns;
};

/* ---- the process ---- */

/* To the nanosecond, where /proc tells hundredths of a second: slices are short. */
static uint64_t exact_cpu_ns(pid_t pid, uint64_t proc_cpu_ns)
{
	clockid_t clock;

	return clock_getcpuclockid(pid, &clock) ? proc_cpu_ns : clock__ns(clock);
}

/* The name and the CPU time as they are now; of a process that has ended, the last known. */
static int read_process(struct traced *t)
{
	struct proc_sample sample;
	int err = proc_scan__one("/proc", t->pid, &sample);

	if (err < 0 && err != -ENOENT)
		return err;
	if (err || (t->start_ns && t->start_ns != sample.id.start_ns))
		return -ESRCH;
	t->start_ns = sample.id.start_ns;
	t->cpu_last_ns = exact_cpu_ns(t->pid, sample.cpu_ns);
	clean__name(sample.comm, strlen(sample.comm), t->comm, sizeof(t->comm));
	return 0;
}

static int open_process(struct traced *t)
{
	t->pid_fd = syscall(SYS_pidfd_open, t->pid, 0);
	if (t->pid_fd < 0)
		return errno == EINVAL || errno == ENOENT ? -ESRCH : -errno;
	return read_process(t);
}

/* ---- attaching ---- */

static void forget(struct traced *t)
{
	alloc_probe__free(t->probe);
	sites__free(t->sites);
	sym_target__free(t->target);
	t->probe = NULL;
	t->sites = NULL;
	t->target = NULL;
}

static int open_sites(struct traced *t)
{
	struct sites_cfg cfg = {
		.allocator = alloc_probe__allocator(t->probe),
		.start_s = t->start_s,
		.min_age_s = t->cfg.min_age_s,
		.keeps_blocks = t->cfg.keeps_blocks,
	};
	int err;

	err = sym_target__new(t->symbolizer, t->pid, &t->target);
	if (err)
		return err;
	cfg.target = t->target;
	t->sites = sites__new(&cfg);
	return t->sites ? 0 : -ENOMEM;
}

/* Those whose address was given out anew since the probes are there are gone already. */
static void carry(struct traced *t)
{
	size_t i;

	for (i = 0; i < t->cfg.carried_cnt && !t->has_execed; i++)
		alloc_probe__carry(t->probe, t->cfg.carried[i].addr, &t->cfg.carried[i].live);
}

/* The one that the session before has kept, if it still fits. */
static int resume(struct traced *t)
{
	struct alloc_probe **kept = t->cfg.kept;
	int err;

	if (!kept || !*kept)
		return -ENOENT;
	err = alloc_probe__resume(*kept, t->cfg.sample_bytes);
	if (err)
		alloc_probe__free(*kept);
	else
		t->probe = *kept;
	*kept = NULL;
	return err;
}

static void keep(struct traced *t)
{
	if (!t->cfg.kept || !t->probe)
		return;
	alloc_probe__detach(t->probe);
	*t->cfg.kept = t->probe;
	t->probe = NULL;
}

static int attach(struct traced *t, char ret_why[TRACE_WHY_LEN])
{
	const struct alloc_probe_cfg cfg = {
		.pid = t->pid,
		.sample_bytes = t->cfg.sample_bytes,
		.stack_bytes = t->cfg.stack_bytes,
	};
	int err;

	t->since_ns = clock__boot_ns();
	err = resume(t);
	if (err)
		err = alloc_probe__new(&cfg, &t->probe, ret_why, TRACE_WHY_LEN);
	if (err)
		return err;
	carry(t);
	t->start_s = clock__boot_ns() / 1e9;
	err = open_sites(t);
	if (!err)
		err = read_process(t); /* the number may have become another's meanwhile */
	if (err)
		forget(t);
	return err;
}

int traced__new(const struct trace_cfg *cfg, struct symbolizer *symbolizer, pid_t pid,
		struct traced **ret_traced, char ret_why[TRACE_WHY_LEN])
{
	struct traced *t = calloc(1, sizeof(*t));
	int err;

	if (!t)
		return -ENOMEM;
	t->cfg = *cfg;
	t->symbolizer = symbolizer;
	t->pid = pid;
	t->survivors = calloc(cfg->carried_cnt + 1, sizeof(*t->survivors));
	err = t->survivors ? open_process(t) : -ENOMEM;
	if (err)
		snprintf(ret_why, TRACE_WHY_LEN, "%s",
			 err == -ESRCH ? "there is no such process, or it belongs to the kernel" :
					 strerror(-err));
	if (!err)
		err = attach(t, ret_why);
	if (err) {
		traced__free(t);
		return err;
	}
	t->cpu_first_ns = t->cpu_last_ns;
	*ret_traced = t;
	return 0;
}

void traced__free(struct traced *t)
{
	if (!t)
		return;
	keep(t);
	forget(t);
	free(t->survivors);
	free(t->left);
	free(t->asked);
	if (t->pid_fd > 0)
		close(t->pid_fd);
	free(t);
}

pid_t traced__pid(const struct traced *t)
{
	return t->pid;
}

int traced__pid_fd(const struct traced *t)
{
	return t->pid_fd;
}

int traced__probe_fd(const struct traced *t)
{
	return t->probe ? alloc_probe__fd(t->probe) : -1;
}

int traced__is_finished(const struct traced *t)
{
	return t->is_finished;
}

static void add_note(struct traced *t, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

static void add_note(struct traced *t, const char *fmt, ...)
{
	va_list ap;

	if (t->note_cnt == sizeof(t->notes) / sizeof(t->notes[0]))
		return;
	va_start(ap, fmt);
	vsnprintf(t->notes[t->note_cnt++], NOTE_LEN, fmt, ap);
	va_end(ap);
}

/* ---- stacks ---- */

static void take_stack(void *ctx, const struct seep_stack *stack, const void *bytes)
{
	struct traced *t = ctx;
	int err = sites__add_stack(t->sites, stack, bytes);

	if (err)
		t->stack_err = err;
}

int traced__drain(struct traced *t)
{
	return t->probe ? alloc_probe__drain(t->probe, take_stack, t) : 0;
}

static void take_live(void *ctx, uint64_t addr, const struct seep_live *live)
{
	struct traced *t = ctx;

	if (live->at_ns >= t->since_ns)
		sites__add_live(t->sites, addr, live);
	else if (t->survivor_cnt < t->cfg.carried_cnt)
		t->survivors[t->survivor_cnt++] = (struct trace_block){addr, *live};
}

/* After exec, what was recorded belongs to a program that is gone. */
static void leave_old_program(struct traced *t)
{
	uint64_t hits;

	if (!t->probe || alloc_probe__state(t->probe) != SEEP_TARGET_EXECED)
		return;
	t->cost_ns += alloc_probe__cost_ns(t->probe, &hits);
	t->hits += hits;
	t->has_execed = 1;
	t->coarsened = 0;
	t->retry_s = 0;
	t->retry_delay_s = RETRY_FIRST_S;
	forget(t);
}

int traced__snapshot(struct traced *t, double now_s)
{
	int err;

	leave_old_program(t);
	err = traced__drain(t);
	(void)read_process(t);
	if (err || !t->probe)
		return err;
	t->survivor_cnt = 0;
	sites__begin_snapshot(t->sites, now_s);
	err = alloc_probe__live(t->probe, take_live, t);
	sites__end_snapshot(t->sites);
	return err;
}

/* ---- while it runs ---- */

/*
 * At half of the table, then at half of what is left, and so on: each time samples come half as
 * often, those that are there keep their weight, and the estimate stays unbiased.
 */
static void sample_less_when_full(struct traced *t)
{
	double max = alloc_probe__max_live(t->probe), live;
	uint64_t stats[SEEP_ALLOC_STAT_CNT];

	alloc_probe__stats(t->probe, stats);
	live = (double)stats[SEEP_ALLOC_STAT_ALLOCS] - stats[SEEP_ALLOC_STAT_FREES];
	if (live < max * (1 - exp2(-1.0 - t->coarsened)))
		return;
	alloc_probe__coarsen(t->probe);
	t->coarsened++;
}

/* Ever more seldom: a program without a known allocator has none later, either. */
static int attach_anew(struct traced *t)
{
	double now_s = clock__boot_ns() / 1e9;
	char why[TRACE_WHY_LEN];
	int err;

	if (now_s < t->retry_s)
		return 0;
	t->retry_s = now_s + t->retry_delay_s;
	t->retry_delay_s = fmin(2 * t->retry_delay_s, RETRY_LAST_S);
	err = attach(t, why);
	return err == -ENOENT || err == -ESRCH || err == -EIO ? 0 : err;
}

int traced__maintain(struct traced *t)
{
	leave_old_program(t);
	if (!t->probe)
		return attach_anew(t);
	sample_less_when_full(t);
	return traced__drain(t);
}

void traced__progress(struct traced *t, struct trace_progress *p)
{
	uint64_t stats[SEEP_ALLOC_STAT_CNT] = {0}, hits = 0, cost_ns = 0;

	if (t->is_finished) {
		memcpy(stats, t->stats, sizeof(stats));
	} else if (t->probe) {
		alloc_probe__stats(t->probe, stats);
		cost_ns = alloc_probe__cost_ns(t->probe, &hits);
	}
	hits += t->hits;
	cost_ns += t->cost_ns;
	p->allocated_bytes += stats[SEEP_ALLOC_STAT_ALLOC_BYTES];
	p->freed_bytes += stats[SEEP_ALLOC_STAT_FREE_BYTES];
	p->stacks += stats[SEEP_ALLOC_STAT_STACKS];
	p->hits += hits;
	p->cost_ns += cost_ns;
	p->running += !t->has_ended;
}

/* ---- children ---- */

int traced__next_child(struct traced *t, struct seep_child *ret_child)
{
	return t->probe ? alloc_probe__next_child(t->probe, ret_child) : 0;
}

void traced__has_heir(struct traced *t, const struct seep_child *child)
{
	t->heirs += child->is_copy;
}

void traced__is_heir(struct traced *t)
{
	t->is_heir = 1;
}

/* ---- references ---- */

/* Blocks of this time only: what was carried may have been freed before, unseen. */
static void take_asked(void *ctx, uint64_t addr, const struct seep_live *live)
{
	struct traced *t = ctx;
	double now_s = clock__boot_ns() / 1e9, age_s = now_s - live->at_ns / 1e9;

	if (live->at_ns < t->since_ns || age_s < YOUNG_SHARE * (now_s - t->start_s) ||
	    t->asked_cnt == REACH_BLOCKS_MAX || live->kind == SEEP_ALLOC_MMAP ||
	    live->kind == SEEP_ALLOC_MREMAP)
		return;
	t->asked[t->asked_cnt++] = (struct reach_block){
		.addr = addr, .size_bytes = live->size_bytes, .at_ns = live->at_ns};
}

void traced__ask_references(struct traced *t, int stop_fd)
{
	uint64_t begin_ns = clock__ns(CLOCK_THREAD_CPUTIME_ID);

	if (t->is_finished || !t->probe || t->asked)
		return;
	t->asked = calloc(REACH_BLOCKS_MAX, sizeof(*t->asked));
	if (!t->asked || alloc_probe__live(t->probe, take_asked, t) ||
	    reach__ask(t->pid, stop_fd, t->asked, t->asked_cnt, t->asked_why))
		t->asked_cnt = 0;
	sites__set_asked(t->sites, t->asked, t->asked_cnt);
	t->reach_ns = clock__ns(CLOCK_THREAD_CPUTIME_ID) - begin_ns;
}

void traced__ask_nothing(struct traced *t, const char *why)
{
	snprintf(t->asked_why, sizeof(t->asked_why), "%s", why);
}

/* ---- the end ---- */

static void take_allocated(void *ctx, uint64_t stack_id, uint64_t bytes, double cnt)
{
	struct traced *t = ctx;

	sites__set_allocated(t->sites, stack_id, bytes, cnt);
}

int traced__finish(struct traced *t, double now_s, int ended)
{
	uint64_t hits;
	int err;

	if (t->is_finished)
		return 0;
	t->is_finished = 1;
	t->has_ended = ended;
	t->end_s = now_s;
	/* while the probes are still there: half attached they would see more frees than blocks */
	err = traced__snapshot(t, now_s);
	if (!t->probe)
		return err;
	alloc_probe__stats(t->probe, t->stats);
	alloc_probe__detach(t->probe);
	if (!err)
		err = alloc_probe__totals(t->probe, take_allocated, t);
	t->cost_ns += alloc_probe__cost_ns(t->probe, &hits);
	t->hits += hits;
	return err;
}

static void put_not_seen(struct traced *t, const char *const *lines)
{
	int n = 0;

	while (n < NOT_SEEN_MAX && t->not_seen[n])
		n++;
	for (; lines && *lines && n < NOT_SEEN_MAX; lines++)
		t->not_seen[n++] = *lines;
	t->not_seen[n] = NULL;
}

static void collect_not_seen(struct traced *t)
{
	const char *notes[sizeof(t->notes) / sizeof(t->notes[0]) + 1] = {0};
	char size[32];
	int i;

	t->not_seen[0] = NULL;
	t->note_cnt = 0;
	if (t->is_heir)
		add_note(t, "memory that it was forked with, and what it did in its first %.2f s, "
			    "before there were probes", t->start_s - t->start_ns / 1e9);
	else
		add_note(t, "memory that was allocated before the trace began");
	if (t->has_execed)
		add_note(t, "what ran in this process before it became '%s'", t->comm);
	if (t->coarsened)
		add_note(t, "single allocations: there were so many that one sample stands for %s",
			 units__format_bytes(t->probe ? alloc_probe__sample_bytes(t->probe) : NAN,
					     size, sizeof(size)));
	if (t->stats[SEEP_ALLOC_STAT_CHILDREN] && t->probe)
		add_note(t, "%" PRIu64 " processes that it forked (--follow-forks): an allocation "
			    "costs each of them %u ns until it ends, runs another program, or the "
			    "probes leave",
			 t->stats[SEEP_ALLOC_STAT_CHILDREN], alloc_probe__child_hit_ns(t->probe));
	if (t->stack_err)
		add_note(t, "some stacks: %s", strerror(-t->stack_err));
	if (t->asked_why[0])
		add_note(t, "whether anything still refers to its blocks: %s", t->asked_why);
	for (i = 0; i < t->note_cnt; i++)
		notes[i] = t->notes[i];
	put_not_seen(t, notes);
	if (t->probe)
		put_not_seen(t, alloc_probe__not_seen(t->probe));
	if (t->target)
		put_not_seen(t, sym_target__not_seen(t->target));
}

static const struct {
	int stat;
	const char *reason;
	const char *text;
} drop_table[] = {
	{SEEP_ALLOC_STAT_LIVE_FULL, "live_full",
	 "samples did not fit into the table; sample less often"},
	{SEEP_ALLOC_STAT_LIVE_FULL_BYTES, "live_full_bytes",
	 "bytes that those samples stood for"},
	{SEEP_ALLOC_STAT_BUSY, "busy",
	 "records not entered or not taken out: their table was locked for too long"},
	{SEEP_ALLOC_STAT_RING_FULL, "ring_full",
	 "stacks came faster than they could be read; sample less often"},
	{SEEP_ALLOC_STAT_SLOT_FULL, "slot_full",
	 "allocations whose return could not be followed: too many calls at once"},
	{SEEP_ALLOC_STAT_NO_RESULT, "no_result",
	 "calls of operator new that threw, or whose end was not seen"},
	{SEEP_ALLOC_STAT_NO_RETURN, "no_return",
	 "allocations not followed: to probe their return could have harmed the process (signals "
	 "on a stack of their own, system calls that go to somebody else)"},
	{SEEP_ALLOC_STAT_MISSED_FREE, "missed_free",
	 "blocks were freed unseen, found out when their address came again"},
	{SEEP_ALLOC_STAT_TOTALS_FULL, "totals_full",
	 "samples not counted as allocated by their stack: too many different stacks"},
	{SEEP_ALLOC_STAT_BAD_STACK, "bad_stack", "stacks that could not be read"},
	{SEEP_ALLOC_STAT_CHILDREN, "children",
	 "processes that it forked meanwhile: what they allocate is not counted"},
	{SEEP_ALLOC_STAT_FOREIGN, "foreign",
	 "hits in children of the process, which are not counted"},
};

static void put_drop(struct traced *t, int *n, const char *reason, const char *text, uint64_t cnt)
{
	if (cnt && *n < (int)(sizeof(t->drops) / sizeof(t->drops[0])) - 1)
		t->drops[(*n)++] = (struct trace_drop){reason, text, cnt};
}

static void collect_drops(struct traced *t, const struct sites_totals *totals)
{
	size_t i;
	int n = 0;

	for (i = 0; i < sizeof(drop_table) / sizeof(drop_table[0]); i++)
		put_drop(t, &n, drop_table[i].reason, drop_table[i].text,
			 t->stats[drop_table[i].stat]);
	put_drop(t, &n, "unknown_stacks", "live samples whose stack was lost",
		 totals->unknown_stacks);
	put_drop(t, &n, "merged_stacks",
		 "stacks above the bound, together in '(other call sites)'",
		 totals->merged_stacks);
	t->drops[n] = (struct trace_drop){0};
}

static void take_left(void *ctx, uint64_t addr, const struct seep_live *live,
		      const struct site *site)
{
	struct traced *t = ctx;
	struct trace_left *grown;

	if (t->left_cnt == t->left_cap) {
		grown = realloc(t->left, (2 * t->left_cap + 64) * sizeof(*grown));
		if (!grown)
			return;
		t->left = grown;
		t->left_cap = 2 * t->left_cap + 64;
	}
	t->left[t->left_cnt++] = (struct trace_left){{addr, *live}, site};
}

/* Of the children those count that nobody looks at. */
static void leave_out_heirs(struct traced *t)
{
	uint64_t *children = &t->stats[SEEP_ALLOC_STAT_CHILDREN];

	*children -= t->heirs < *children ? t->heirs : *children; /* or of a program before */
	t->heirs = 0;
}

static double cpu_percent(const struct traced *t)
{
	double used_ns = (double)t->cpu_last_ns - t->cpu_first_ns;

	return used_ns > 0 ? 100 * t->cost_ns / used_ns : NAN;
}

int traced__result(struct traced *t, struct trace_process *ret_process)
{
	struct trace_process p = {
		.pid = t->pid,
		.start_ns = t->start_ns,
		.ended = t->has_ended,
		.allocator = t->probe ? alloc_probe__allocator(t->probe) : NULL,
		.mode = t->probe ? alloc_probe__mode(t->probe) : NULL,
		.duration_s = t->end_s - t->start_s,
		.sample_bytes = t->probe ? alloc_probe__sample_bytes(t->probe) :
					   t->cfg.sample_bytes,
		.allocated_bytes = t->stats[SEEP_ALLOC_STAT_ALLOC_BYTES],
		.freed_bytes = t->stats[SEEP_ALLOC_STAT_FREE_BYTES],
		.failed = t->stats[SEEP_ALLOC_STAT_FAILED],
		.drops = t->drops,
		.not_seen = t->not_seen,
		.hits = t->hits,
		.cost_ns = t->cost_ns,
		.reach_ns = t->reach_ns,
		.target_cpu_percent = cpu_percent(t),
	};
	int err = 0;

	if (t->sites) {
		err = sites__result(t->sites, 0, &p.sites, &p.site_cnt);
		sites__totals(t->sites, &p.totals);
	}
	if (err)
		return err;
	t->left_cnt = 0;
	if (t->sites)
		sites__each_block(t->sites, take_left, t);
	p.left = t->left;
	p.left_cnt = t->left_cnt;
	p.survivors = t->survivors;
	p.survivor_cnt = t->survivor_cnt;
	p.has_execed = t->has_execed;
	memcpy(p.comm, t->comm, sizeof(p.comm));
	leave_out_heirs(t);
	collect_drops(t, &p.totals);
	collect_not_seen(t);
	*ret_process = p;
	return 0;
}
