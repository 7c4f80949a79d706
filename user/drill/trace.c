// SPDX-License-Identifier: BSD-2-Clause
/*
 * trace.c - see trace.h: the processes of a session and the loop that serves them.
 *
 * The loop sleeps in poll() until a stack arrives, a process ends, or the next of three clocks is
 * due: maintenance (tenths of a second), progress (seconds), snapshots (ever more seldom).
 */
#include <errno.h>
#include <math.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../base/clock.h"
#include "../base/fs.h"
#include "cohort.h"
#include "traced.h"

#define MAINTAIN_S .1
#define PROGRESS_S 1.0
#define SNAPSHOT_MIN_S 1.0
#define ASK_MAX_S 10.0 /* for looking through memories, before the last is begun */
#define CHILDREN_MAX 256
#define CHILD_MIN_S .1 /* what ends sooner, or is about to run another program, is not worth it */

/* A process that a traced one has forked, not yet traced itself. */
struct child {
	struct seep_child who;
	int parent; /* index in traced */
	double seen_s;
};

struct trace {
	struct trace_cfg cfg;
	struct symbolizer *symbolizer;
	struct traced *traced[TRACE_PROCESSES_MAX];
	int cnt;
	struct child children[CHILDREN_MAX];
	int child_cnt;
	double begin_s, wall_begin_s, end_s;
	double next_progress_s, next_snapshot_s;
	struct trace_process processes[TRACE_PROCESSES_MAX];
	struct trace_result result;
};

static double now_s(void)
{
	return clock__boot_ns() / 1e9;
}

struct trace *trace__new(const struct trace_cfg *cfg)
{
	const struct symbolizer_cfg symbolizer_cfg = {.use_debuginfod = cfg->use_debuginfod};
	struct trace *t = calloc(1, sizeof(*t));

	if (!t)
		return NULL;
	t->cfg = *cfg;
	t->symbolizer = symbolizer__new(&symbolizer_cfg);
	if (!t->symbolizer) {
		free(t);
		return NULL;
	}
	t->begin_s = t->end_s = now_s();
	t->wall_begin_s = clock__wall_s();
	return t;
}

void trace__free(struct trace *t)
{
	int i;

	if (!t)
		return;
	for (i = 0; i < t->cnt; i++)
		traced__free(t->traced[i]);
	symbolizer__free(t->symbolizer);
	free(t);
}

static int is_traced(const struct trace *t, pid_t pid)
{
	int i;

	for (i = 0; i < t->cnt; i++) {
		if (traced__pid(t->traced[i]) == pid && !traced__is_finished(t->traced[i]))
			return 1;
	}
	return 0;
}

int trace__add(struct trace *t, pid_t pid, char ret_why[TRACE_WHY_LEN])
{
	int err;

	ret_why[0] = '\0';
	if (is_traced(t, pid))
		return -EALREADY;
	if (t->cnt == TRACE_PROCESSES_MAX) {
		snprintf(ret_why, TRACE_WHY_LEN, "no more than %d processes at a time",
			 TRACE_PROCESSES_MAX);
		return -ENOSPC;
	}
	err = traced__new(&t->cfg, t->symbolizer, pid, &t->traced[t->cnt], ret_why);
	if (!err)
		t->cnt++;
	return err;
}

/* ---- children ---- */

static void collect_children(struct trace *t, double at_s)
{
	struct child child = {.seen_s = at_s};

	for (child.parent = 0; child.parent < t->cnt; child.parent++)
		while (t->child_cnt < CHILDREN_MAX &&
		       traced__next_child(t->traced[child.parent], &child.who))
			t->children[t->child_cnt++] = child;
}

/* Those that cannot be traced are counted as children of their parents, like all others. */
static void adopt(struct trace *t, const struct child *child)
{
	char why[TRACE_WHY_LEN];

	if (trace__add(t, child->who.tgid, why))
		return;
	traced__is_heir(t->traced[t->cnt - 1]);
	traced__has_heir(t->traced[child->parent], &child->who);
}

/* The first of them that is old enough: to attach takes a while, and the others have stacks, too. */
static void adopt_next(struct trace *t, double at_s)
{
	struct child child = t->children[0];

	if (!t->child_cnt || at_s < child.seen_s + CHILD_MIN_S)
		return;
	memmove(t->children, t->children + 1, --t->child_cnt * sizeof(child));
	adopt(t, &child);
}

static void follow_forks(struct trace *t, double at_s)
{
	collect_children(t, at_s);
	adopt_next(t, at_s);
}

/* ---- the loop ---- */

/*
 * Doubles whenever the rows are used up and every second one is dropped, so that at any time at
 * which the trace may end the rows are evenly spaced.
 */
static double snapshot_period_s(double elapsed_s)
{
	double period_s = SNAPSHOT_MIN_S;

	while (elapsed_s + period_s > COHORT_ROWS * period_s)
		period_s *= 2;
	return period_s;
}

static void report(struct trace *t, double at_s, trace_progress_fn fn, void *ctx)
{
	struct trace_progress p = {.elapsed_s = at_s - t->begin_s};
	int i;

	for (i = 0; i < t->cnt; i++)
		traced__progress(t->traced[i], &p);
	fn(ctx, &p);
}

/* What has come due. A process that ends in the middle of it only loses that bit. */
static int keep_clocks(struct trace *t, double at_s, trace_progress_fn fn, void *ctx)
{
	int i, err = 0, is_due = at_s >= t->next_snapshot_s;

	for (i = 0; i < t->cnt && !err; i++) {
		if (traced__is_finished(t->traced[i]))
			continue;
		err = traced__maintain(t->traced[i]);
		if (!err && is_due)
			err = traced__snapshot(t->traced[i], at_s);
	}
	if (t->cfg.follows_forks)
		follow_forks(t, at_s);
	if (is_due)
		t->next_snapshot_s = at_s + snapshot_period_s(at_s - t->begin_s);
	if (fn && at_s >= t->next_progress_s) {
		t->next_progress_s += PROGRESS_S;
		report(t, at_s, fn, ctx);
	}
	return err;
}

static int running_cnt(const struct trace *t)
{
	int i, cnt = 0;

	for (i = 0; i < t->cnt; i++)
		cnt += !traced__is_finished(t->traced[i]);
	return cnt;
}

/* Two descriptors a process, in its order; the last one is stop_fd. Finished ones are -1. */
static int fill_fds(const struct trace *t, int stop_fd, struct pollfd *fds)
{
	int i, cnt = 0, gone;

	for (i = 0; i < t->cnt; i++) {
		gone = traced__is_finished(t->traced[i]);
		fds[cnt++] = (struct pollfd){gone ? -1 : traced__pid_fd(t->traced[i]), POLLIN, 0};
		fds[cnt++] = (struct pollfd){gone ? -1 : traced__probe_fd(t->traced[i]), POLLIN, 0};
	}
	fds[cnt++] = (struct pollfd){stop_fd, POLLIN, 0};
	return cnt;
}

static int serve_fds(struct trace *t, const struct pollfd *fds)
{
	int i, err = 0;

	for (i = 0; i < t->cnt && !err; i++) {
		if (fds[2 * i + 1].revents)
			err = traced__drain(t->traced[i]);
		if (err >= 0 && fds[2 * i].revents)
			err = traced__finish(t->traced[i], now_s(), 1);
		err = err < 0 ? err : 0;
	}
	return err;
}

/* One turn. 1: go on, 0: it is over, or -errno. */
static int turn(struct trace *t, int stop_fd, trace_progress_fn fn, void *ctx)
{
	struct pollfd fds[2 * TRACE_PROCESSES_MAX + 1];
	double at_s = now_s(), left_s = t->end_s - at_s;
	int cnt, err;

	if (left_s <= 0 || (!running_cnt(t) && !t->child_cnt))
		return 0;
	cnt = fill_fds(t, stop_fd, fds);
	if (poll(fds, cnt, ceil(fmin(left_s, MAINTAIN_S) * 1000)) < 0 && errno != EINTR)
		return -errno;
	if (fds[cnt - 1].revents)
		return 0;
	err = serve_fds(t, fds);
	if (!err)
		err = keep_clocks(t, now_s(), fn, ctx);
	return err ? err : 1;
}

static void ask_references(struct trace *t, int stop_fd)
{
	double end_s = now_s() + ASK_MAX_S;
	int i;

	if (t->cfg.asks_when_stopped)
		stop_fd = -1;
	for (i = 0; i < t->cnt && !fs__is_readable(stop_fd); i++) {
		if (now_s() < end_s)
			traced__ask_references(t->traced[i], stop_fd);
		else
			traced__ask_nothing(t->traced[i], "the other processes took the time");
	}
}

int trace__run(struct trace *t, int stop_fd, trace_progress_fn fn, void *ctx)
{
	int i, more, err = 0, first_err = 0;

	t->begin_s = now_s();
	t->wall_begin_s = clock__wall_s();
	t->end_s = t->begin_s + t->cfg.duration_s;
	t->next_progress_s = t->begin_s + PROGRESS_S;
	t->next_snapshot_s = t->begin_s + snapshot_period_s(0);
	do
		more = turn(t, stop_fd, fn, ctx);
	while (more > 0);
	first_err = more;
	if (t->cfg.asks_references && !more)
		ask_references(t, stop_fd);
	t->end_s = now_s();
	for (i = 0; i < t->cnt; i++) {
		err = traced__finish(t->traced[i], t->end_s, 0);
		first_err = first_err ? first_err : err;
	}
	return first_err;
}

int trace__result(struct trace *t, const struct trace_result **ret_result)
{
	int i, err;

	for (i = 0; i < t->cnt; i++) {
		err = traced__result(t->traced[i], &t->processes[i]);
		if (err)
			return err;
	}
	t->result = (struct trace_result){
		.started_s = t->wall_begin_s,
		.duration_s = t->end_s - t->begin_s,
		.min_age_s = t->cfg.min_age_s,
		.processes = t->processes,
		.process_cnt = t->cnt,
	};
	*ret_result = &t->result;
	return 0;
}
