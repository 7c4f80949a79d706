// SPDX-License-Identifier: BSD-2-Clause
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../base/clock.h"
#include "poller.h"
#include "proc_scan.h"

struct samples {
	struct proc_sample *v;
	size_t cnt, cap;
};

struct threads {
	struct seep_poll_thread *v;
	size_t cnt, cap;
};

struct held {
	struct seep_poll_held *v;
	size_t cnt, cap;
};

struct poller {
	struct rss_probe *probe; /* NULL: /proc only */
	char proc_dir[128];
	char why[256];
	struct samples now;
	struct samples before; /* /proc only: exits are found by absence */
	struct threads threads;
	struct held held;
	uint64_t page_bytes;
	uint64_t proc_errors;
	int oom; /* an array could not grow during this poll */
};

int poller__new(const struct poller_cfg *cfg, struct poller **ret_poller)
{
	struct poller *p = calloc(1, sizeof(*p));
	int err;

	if (!p)
		return -ENOMEM;
	p->page_bytes = sysconf(_SC_PAGESIZE);
	snprintf(p->proc_dir, sizeof(p->proc_dir), "%s", cfg->proc_dir ? cfg->proc_dir : "/proc");
	if (cfg->no_bpf) {
		snprintf(p->why, sizeof(p->why), "switched off");
	} else {
		err = rss_probe__new(&cfg->probe, &p->probe, p->why, sizeof(p->why));
		if (err && !p->why[0])
			snprintf(p->why, sizeof(p->why), "%s", strerror(-err));
	}
	*ret_poller = p;
	return 0;
}

void poller__free(struct poller *p)
{
	if (!p)
		return;
	rss_probe__free(p->probe);
	free(p->now.v);
	free(p->before.v);
	free(p->threads.v);
	free(p->held.v);
	free(p);
}

/* Room for one more element of `size`; keeps the array at least a power of two large. */
static void *grow(struct poller *p, void **v, size_t *cnt, size_t *cap, size_t size)
{
	size_t new_cap = *cap ? *cap * 2 : 256;
	void *bigger;

	if (*cnt == *cap) {
		bigger = realloc(*v, new_cap * size);
		if (!bigger) {
			p->oom = 1;
			return NULL;
		}
		*v = bigger;
		*cap = new_cap;
	}
	return (char *)*v + (*cnt)++ * size;
}

static struct proc_sample *add_sample(struct poller *p)
{
	return grow(p, (void **)&p->now.v, &p->now.cnt, &p->now.cap, sizeof(*p->now.v));
}

static uint64_t pages_to_bytes(const struct poller *p, int64_t pages)
{
	return pages > 0 ? pages * p->page_bytes : 0;
}

/* Sums of parts, until settle(): they may be below zero on the way. */
static void add_pages(const struct poller *p, struct proc_sample *s, const __s64 pages[SEEP_MM_CNT])
{
	s->file_bytes += pages[SEEP_MM_FILE] * p->page_bytes;
	s->anon_bytes += pages[SEEP_MM_ANON] * p->page_bytes;
	s->swap_bytes += pages[SEEP_MM_SWAP] * p->page_bytes;
	s->shmem_bytes += pages[SEEP_MM_SHMEM] * p->page_bytes;
}

static uint64_t not_below_zero(uint64_t sum)
{
	return (int64_t)sum < 0 ? 0 : sum;
}

static void settle(struct proc_sample *s)
{
	uint64_t level;

	s->file_bytes = not_below_zero(s->file_bytes);
	s->anon_bytes = not_below_zero(s->anon_bytes);
	s->swap_bytes = not_below_zero(s->swap_bytes);
	s->shmem_bytes = not_below_zero(s->shmem_bytes);
	level = s->anon_bytes + s->swap_bytes;
	if (s->hwm_bytes < level)
		s->hwm_bytes = level;
	if (s->lwm_bytes > level)
		s->lwm_bytes = level;
}

static void from_record(const struct poller *p, const struct seep_poll_proc *rec,
			struct proc_sample *s)
{
	memset(s, 0, sizeof(*s));
	s->id.tgid = rec->tgid;
	s->id.start_ns = rec->start_ns;
	s->cgroup_id = rec->cgroup_id;
	add_pages(p, s, rec->pages);
	s->hwm_bytes = pages_to_bytes(p, rec->hwm_anon_pages);
	s->lwm_bytes = pages_to_bytes(p, rec->lwm_anon_pages);
	s->cpu_ns = rec->cpu_ns;
	s->faults = rec->faults;
	s->events = rec->events;
	s->ppid = rec->ppid;
	s->uid = rec->uid;
	s->threads = 1;
	s->flags = rec->flags;
	memcpy(s->comm, rec->comm, sizeof(s->comm));
	s->comm[sizeof(s->comm) - 1] = '\0';
}

static void on_record(void *ctx, const void *record)
{
	struct seep_poll_thread *t;
	struct seep_poll_held *h;
	struct proc_sample *s;
	struct poller *p = ctx;
	uint32_t kind;

	memcpy(&kind, record, sizeof(kind));
	if (kind == SEEP_POLL_PROC) {
		s = add_sample(p);
		if (s)
			from_record(p, record, s);
		return;
	}
	if (kind == SEEP_POLL_HELD) {
		h = grow(p, (void **)&p->held.v, &p->held.cnt, &p->held.cap, sizeof(*h));
		if (h)
			memcpy(h, record, sizeof(*h));
		return;
	}
	t = grow(p, (void **)&p->threads.v, &p->threads.cnt, &p->threads.cap, sizeof(*t));
	if (t)
		memcpy(t, record, sizeof(*t));
}

static int by_tgid(const void *a, const void *b)
{
	const struct proc_sample *x = a, *y = b;

	return x->id.tgid < y->id.tgid ? -1 : x->id.tgid > y->id.tgid;
}

/* The iterator goes by pid, so only a process whose leader is gone is out of order. */
static void sort_samples(struct poller *p)
{
	size_t i;

	for (i = 1; i < p->now.cnt; i++)
		if (p->now.v[i - 1].id.tgid > p->now.v[i].id.tgid)
			break;
	if (i < p->now.cnt)
		qsort(p->now.v, p->now.cnt, sizeof(*p->now.v), by_tgid);
}

static struct proc_sample *find_sample(struct poller *p, uint32_t tgid)
{
	struct proc_sample key = {.id.tgid = tgid};

	return bsearch(&key, p->now.v, p->now.cnt, sizeof(key), by_tgid);
}

static void add_held(struct poller *p)
{
	__s64 pages[SEEP_MM_CNT];
	struct proc_sample *s;
	size_t i, m;

	for (i = 0; i < p->held.cnt; i++) {
		s = find_sample(p, p->held.v[i].tgid);
		if (!s)
			continue;
		for (m = 0; m < SEEP_MM_CNT; m++)
			pages[m] = p->held.v[i].pages[m];
		add_pages(p, s, pages);
	}
}

static void add_threads(struct poller *p)
{
	struct proc_sample *s;
	size_t i;

	for (i = 0; i < p->threads.cnt; i++) {
		s = find_sample(p, p->threads.v[i].tgid);
		if (!s)
			continue;
		s->threads++;
		s->cpu_ns += p->threads.v[i].cpu_ns;
		s->faults += p->threads.v[i].faults;
	}
}

static int on_scanned(void *ctx, const struct proc_sample *scanned)
{
	struct proc_sample *s = add_sample(ctx);

	if (!s)
		return -ENOMEM;
	*s = *scanned;
	return 0;
}

static int scan_proc(struct poller *p)
{
	struct samples swap = p->before;

	p->before = p->now;
	p->now = swap;
	p->now.cnt = 0;
	return proc_scan__all(p->proc_dir, on_scanned, p, &p->proc_errors);
}

int poller__poll(struct poller *p, const struct proc_sample **ret_samples, size_t *ret_cnt)
{
	size_t i;
	int err;

	p->oom = 0;
	p->threads.cnt = 0;
	p->held.cnt = 0;
	if (p->probe) {
		p->now.cnt = 0;
		err = rss_probe__poll(p->probe, on_record, p);
	} else {
		err = scan_proc(p);
	}
	if (!err && p->oom)
		err = -ENOMEM;
	if (err) {
		/* half a poll says nothing of who ended */
		p->now.cnt = p->before.cnt = 0;
		return err;
	}
	sort_samples(p);
	add_threads(p);
	add_held(p);
	for (i = 0; i < p->now.cnt; i++)
		settle(&p->now.v[i]);
	*ret_samples = p->now.v;
	*ret_cnt = p->now.cnt;
	return 0;
}

/* Ties the caller's function to a drain. */
struct drain {
	struct poller *p;
	proc_event_fn fn;
	void *ctx;
};

static void on_event(void *ctx, const struct seep_event *ev)
{
	const struct drain *d = ctx;
	struct proc_event out = {
		.kind = ev->kind,
		.id = ev->id,
		.at_s = ev->at_ns / 1e9,
		.cgroup_id = ev->cgroup_id,
		.anon_bytes = pages_to_bytes(d->p, ev->pages[SEEP_MM_ANON]),
		.swap_bytes = pages_to_bytes(d->p, ev->pages[SEEP_MM_SWAP]),
		.shmem_bytes = pages_to_bytes(d->p, ev->pages[SEEP_MM_SHMEM]),
		.file_bytes = pages_to_bytes(d->p, ev->pages[SEEP_MM_FILE]),
		.peak_rss_bytes = pages_to_bytes(d->p, ev->peak_rss_pages),
		.flags = ev->flags,
		.exit_code = ev->exit_code,
		.ppid = ev->ppid,
	};

	memcpy(out.comm, ev->comm, sizeof(out.comm));
	out.comm[sizeof(out.comm) - 1] = '\0';
	d->fn(d->ctx, &out);
}

static void exit_of(const struct drain *d, const struct proc_sample *s)
{
	struct proc_event out = {
		.kind = SEEP_EVENT_EXIT,
		.id = s->id,
		.at_s = clock__boot_ns() / 1e9,
		.cgroup_id = s->cgroup_id,
		.anon_bytes = s->anon_bytes,
		.swap_bytes = s->swap_bytes,
		.shmem_bytes = s->shmem_bytes,
		.file_bytes = s->file_bytes,
		.ppid = s->ppid,
	};

	memcpy(out.comm, s->comm, sizeof(out.comm));
	d->fn(d->ctx, &out);
}

/* Both polls are sorted: who stands in the older one only has ended. */
static void drain_absent(struct drain *d)
{
	struct samples *before = &d->p->before, *now = &d->p->now;
	const struct proc_sample *old;
	size_t i, j = 0;

	for (i = 0; i < before->cnt; i++) {
		old = &before->v[i];
		while (j < now->cnt && now->v[j].id.tgid < old->id.tgid)
			j++;
		if (j == now->cnt || now->v[j].id.tgid != old->id.tgid ||
		    now->v[j].id.start_ns != old->id.start_ns)
			exit_of(d, old);
	}
	before->cnt = 0;
}

int poller__drain(struct poller *p, proc_event_fn fn, void *ctx)
{
	struct drain d = {.p = p, .fn = fn, .ctx = ctx};

	if (p->probe)
		return rss_probe__drain(p->probe, on_event, &d);
	drain_absent(&d);
	return 0;
}

int poller__event_fd(const struct poller *p)
{
	return p->probe ? rss_probe__event_fd(p->probe) : -1;
}

int poller__cgroups(struct poller *p, rss_cgroup_fn fn, void *ctx)
{
	return p->probe ? rss_probe__cgroups(p->probe, fn, ctx) : -ENOSYS;
}

static unsigned entered(const struct poller *p)
{
	unsigned cnt = 0;
	size_t i;

	for (i = 0; i < p->now.cnt; i++)
		cnt += !(p->now.v[i].flags & (SEEP_PROC_NO_ENTRY | SEEP_PROC_SHARED_MM));
	return cnt;
}

void poller__stats(struct poller *p, struct poller_stats *ret_stats)
{
	memset(ret_stats, 0, sizeof(*ret_stats));
	ret_stats->why = p->why;
	ret_stats->proc_errors = p->proc_errors;
	ret_stats->rss = "off";
	ret_stats->poll = "/proc";
	if (!p->probe)
		return;
	ret_stats->why = "";
	ret_stats->rss = "tp_btf";
	ret_stats->poll = "iter/task";
	ret_stats->procs = entered(p);
	ret_stats->max_procs = rss_probe__max_procs(p->probe);
	ret_stats->max_cgroups = rss_probe__max_cgroups(p->probe);
	ret_stats->map_bytes = rss_probe__map_bytes(p->probe);
	rss_probe__stats(p->probe, ret_stats->stat);
}
