// SPDX-License-Identifier: BSD-2-Clause
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <bpf/bpf.h>
#include <bpf/btf.h>
#include <bpf/libbpf.h>

#include "bpf_log.h"
#include <stdbool.h>
#include <linux/types.h>
#include "rss.skel.h"
#include "rss_probe.h"

/*
 * Half of the iterator's own buffer (8 pages, kernel/bpf/bpf_iter.c): it stops once that much is
 * there. Asked for more it fills up, throws the record that did not fit away, and runs the
 * program a second time for its task, when marks are reset and sums made already.
 */
#define READ_BYTES   (16 * 1024)
#define CGROUP_BATCH 256
#define PROC_BATCH   128
#define IDLE_POLLS   2 /* polls a cgroup without processes stays in the table */
#define SWEEP_POLLS  3 /* polls after a missed run in which the table is searched for the dead */

struct rss_probe {
	struct rss_bpf *skel;
	struct ring_buffer *ring;
	struct bpf_link *poll_link;
	char *read_buf;
	uint64_t *percpu_buf;
	int cpu_cnt;
	uint64_t missed;       /* as of the last poll */
	int sweeps;	       /* still to do */
	rss_event_fn event_fn; /* valid during rss_probe__drain */
	void *event_ctx;
};

/* oom:mark_victim passes (task, uid) since 6.9, before a pid: told by its prototype. */
static bool mark_victim_has_task(const struct btf *btf)
{
	const struct btf_type *t;
	int id = btf__find_by_name_kind(btf, "btf_trace_mark_victim", BTF_KIND_TYPEDEF);

	if (id < 0)
		return true;
	t = btf__type_by_id(btf, id);
	t = btf__type_by_id(btf, t->type);
	t = btf__type_by_id(btf, t->type);
	return btf_is_func_proto(t) && btf_vlen(t) == 3;
}

/*
 * Hash elements are allocated on demand where the kernel has an allocator that is safe in
 * tracing programs (bpf_mem_alloc, 6.1); otherwise they are reserved.
 */
static void choose_allocation(struct rss_bpf *skel, const struct btf *btf)
{
	if (btf__find_by_name_kind(btf, "bpf_mem_alloc", BTF_KIND_STRUCT) < 0)
		return;
	bpf_map__set_map_flags(skel->maps.seep_procs, BPF_F_NO_PREALLOC);
	bpf_map__set_map_flags(skel->maps.seep_cgroups, BPF_F_NO_PREALLOC);
}

static void configure(struct rss_bpf *skel, const struct rss_probe_cfg *cfg)
{
	struct btf *btf = btf__load_vmlinux_btf();

	if (btf) {
		skel->rodata->mark_victim_has_task = mark_victim_has_task(btf);
		choose_allocation(skel, btf);
		btf__free(btf);
	}
	skel->rodata->count_events = cfg->count_events;
	if (cfg->max_procs)
		bpf_map__set_max_entries(skel->maps.seep_procs, cfg->max_procs);
	if (cfg->max_cgroups)
		bpf_map__set_max_entries(skel->maps.seep_cgroups, cfg->max_cgroups);
	if (cfg->ring_bytes)
		bpf_map__set_max_entries(skel->maps.seep_events, cfg->ring_bytes);
	/* opened by hand: each poll makes an iterator of its own */
	bpf_program__set_autoattach(skel->progs.seep_poll, false);
}

/* Open, load and attach. NULL with errno. */
static struct rss_bpf *load(const struct rss_probe_cfg *cfg)
{
	struct rss_bpf *skel = rss_bpf__open();
	int err;

	if (!skel)
		return NULL;
	configure(skel, cfg);
	err = rss_bpf__load(skel);
	if (!err)
		err = rss_bpf__attach(skel);
	if (err) {
		rss_bpf__destroy(skel);
		errno = -err;
		return NULL;
	}
	return skel;
}

static int on_ring(void *ctx, void *data, size_t size)
{
	struct rss_probe *p = ctx;

	if (size >= sizeof(struct seep_event))
		p->event_fn(p->event_ctx, data);
	return 0;
}

static int set_up(struct rss_probe *p)
{
	p->cpu_cnt = libbpf_num_possible_cpus();
	if (p->cpu_cnt < 0)
		return p->cpu_cnt;
	p->percpu_buf = calloc(p->cpu_cnt, sizeof(*p->percpu_buf));
	p->read_buf = malloc(READ_BYTES);
	if (!p->percpu_buf || !p->read_buf)
		return -ENOMEM;
	p->poll_link = bpf_program__attach_iter(p->skel->progs.seep_poll, NULL);
	if (!p->poll_link)
		return -errno;
	p->ring = ring_buffer__new(bpf_map__fd(p->skel->maps.seep_events), on_ring, p, NULL);
	return p->ring ? 0 : -errno;
}

int rss_probe__new(const struct rss_probe_cfg *cfg, struct rss_probe **ret_probe, char *why,
		   size_t why_cap)
{
	struct rss_probe *p = calloc(1, sizeof(*p));
	int err;

	if (!p)
		return -ENOMEM;
	bpf_log__start();
	p->skel = load(cfg);
	err = p->skel ? set_up(p) : -errno;
	if (err) {
		snprintf(why, why_cap, "%s", bpf_log__why());
		rss_probe__free(p);
		return err;
	}
	*ret_probe = p;
	return 0;
}

void rss_probe__free(struct rss_probe *p)
{
	if (!p)
		return;
	ring_buffer__free(p->ring);
	bpf_link__destroy(p->poll_link);
	rss_bpf__destroy(p->skel);
	free(p->percpu_buf);
	free(p->read_buf);
	free(p);
}

static size_t record_size(const char *data, size_t len)
{
	uint32_t kind;

	if (len < sizeof(kind))
		return SIZE_MAX;
	memcpy(&kind, data, sizeof(kind));
	switch (kind) {
	case SEEP_POLL_PROC:
		return sizeof(struct seep_poll_proc);
	case SEEP_POLL_HELD:
		return sizeof(struct seep_poll_held);
	default:
		return sizeof(struct seep_poll_thread);
	}
}

/* Hand out the whole records in the buffer; the rest of a cut one moves to its front. */
static size_t hand_out(struct rss_probe *p, size_t len, rss_record_fn fn, void *ctx)
{
	size_t at = 0, size;

	while ((size = record_size(p->read_buf + at, len - at)) <= len - at) {
		fn(ctx, p->read_buf + at);
		at += size;
	}
	memmove(p->read_buf, p->read_buf + at, len - at);
	return len - at;
}

/*
 * A program that is preempted, as newer kernels do (seen on 7.3), keeps its CPU from running it for
 * others: then a fork, exec or exit is missed, or a change of a size until the next poll.
 */
static uint64_t count_missed(const struct rss_probe *p)
{
	struct bpf_prog_info info;
	struct bpf_program *prog;
	uint64_t missed = 0;
	uint32_t len;

	bpf_object__for_each_program(prog, p->skel->obj)
	{
		len = sizeof(info);
		memset(&info, 0, sizeof(info));
		if (bpf_program__fd(prog) >= 0 &&
		    !bpf_obj_get_info_by_fd(bpf_program__fd(prog), &info, &len))
			missed += info.recursion_misses;
	}
	return missed;
}

static void sweep_one(void *ctx, const struct seep_task_id *id, const struct seep_proc *proc)
{
	struct rss_probe *p = ctx;

	if (proc->seen_seq + 1 < p->skel->bss->poll_seq)
		bpf_map_delete_elem(bpf_map__fd(p->skel->maps.seep_procs), id);
}

/* Who was not met by two polls is dead, and its exit was missed. */
static void sweep(struct rss_probe *p)
{
	uint64_t missed = count_missed(p);

	if (missed != p->missed)
		p->sweeps = SWEEP_POLLS;
	p->missed = missed;
	if (p->sweeps && p->sweeps--)
		rss_probe__entries(p, sweep_one, p);
}

int rss_probe__poll(struct rss_probe *p, rss_record_fn fn, void *ctx)
{
	size_t len = 0;
	ssize_t n;
	int fd, err;

	p->skel->bss->poll_seq++;
	fd = bpf_iter_create(bpf_link__fd(p->poll_link));
	if (fd < 0)
		return -errno;
	while ((n = read(fd, p->read_buf + len, READ_BYTES - len)) != 0) {
		if (n < 0 && (errno == EINTR || errno == EAGAIN))
			continue;
		if (n < 0)
			break;
		len = hand_out(p, len + n, fn, ctx);
	}
	err = n < 0 ? -errno : 0;
	close(fd);
	if (!err)
		sweep(p);
	return err;
}

int rss_probe__event_fd(const struct rss_probe *p)
{
	return ring_buffer__epoll_fd(p->ring);
}

int rss_probe__drain(struct rss_probe *p, rss_event_fn fn, void *ctx)
{
	int n;

	p->event_fn = fn;
	p->event_ctx = ctx;
	n = ring_buffer__consume(p->ring);
	return n < 0 ? n : 0;
}

static void visit_cgroup(struct rss_probe *p, uint64_t id, struct seep_cgroup *cg, rss_cgroup_fn fn,
			 void *ctx)
{
	if (cg->poll_seq != p->skel->bss->poll_seq)
		cg->procs = 0;
	if (cg->poll_seq + IDLE_POLLS < p->skel->bss->poll_seq)
		bpf_map_delete_elem(bpf_map__fd(p->skel->maps.seep_cgroups), &id);
	else
		fn(ctx, id, cg);
}

int rss_probe__cgroups(struct rss_probe *p, rss_cgroup_fn fn, void *ctx)
{
	struct seep_cgroup values[CGROUP_BATCH];
	uint64_t keys[CGROUP_BATCH];
	uint32_t in = 0, out = 0, cnt, i;
	void *from = NULL;
	int err;

	do {
		cnt = CGROUP_BATCH;
		err = bpf_map_lookup_batch(bpf_map__fd(p->skel->maps.seep_cgroups), from, &out,
					   keys, values, &cnt, NULL);
		if (err && errno != ENOENT)
			return -errno;
		for (i = 0; i < cnt; i++)
			visit_cgroup(p, keys[i], &values[i], fn, ctx);
		in = out;
		from = &in;
	} while (!err);
	return 0;
}

int rss_probe__lookup(struct rss_probe *p, const struct seep_task_id *id,
		      struct seep_proc *ret_proc)
{
	return bpf_map_lookup_elem(bpf_map__fd(p->skel->maps.seep_procs), id, ret_proc) ? -errno
											: 0;
}

int rss_probe__entries(struct rss_probe *p, rss_entry_fn fn, void *ctx)
{
	struct seep_proc values[PROC_BATCH];
	struct seep_task_id keys[PROC_BATCH];
	uint32_t in = 0, out = 0, cnt, i;
	void *from = NULL;
	int err;

	do {
		cnt = PROC_BATCH;
		err = bpf_map_lookup_batch(bpf_map__fd(p->skel->maps.seep_procs), from, &out, keys,
					   values, &cnt, NULL);
		if (err && errno != ENOENT)
			return -errno;
		for (i = 0; i < cnt; i++)
			fn(ctx, &keys[i], &values[i]);
		in = out;
		from = &in;
	} while (!err);
	return 0;
}

void rss_probe__stats(const struct rss_probe *p, uint64_t ret_stats[SEEP_STAT_CNT])
{
	uint32_t stat;
	int cpu;

	for (stat = 0; stat < SEEP_STAT_CNT; stat++) {
		ret_stats[stat] = 0;
		if (bpf_map_lookup_elem(bpf_map__fd(p->skel->maps.seep_stats), &stat,
					p->percpu_buf))
			continue;
		for (cpu = 0; cpu < p->cpu_cnt; cpu++)
			ret_stats[stat] += p->percpu_buf[cpu];
	}
	ret_stats[SEEP_STAT_MISSED] = count_missed(p);
}

unsigned rss_probe__max_procs(const struct rss_probe *p)
{
	return bpf_map__max_entries(p->skel->maps.seep_procs);
}

unsigned rss_probe__max_cgroups(const struct rss_probe *p)
{
	return bpf_map__max_entries(p->skel->maps.seep_cgroups);
}

/* fdinfo says what the kernel charged for a map ("memlock: N"). */
static uint64_t map_bytes(const struct bpf_map *map)
{
	char path[64], line[128];
	unsigned long long bytes = 0;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", bpf_map__fd(map));
	f = fopen(path, "re");
	if (!f)
		return 0;
	while (fgets(line, sizeof(line), f))
		if (sscanf(line, "memlock: %llu", &bytes) == 1)
			break;
	fclose(f);
	return bytes;
}

uint64_t rss_probe__map_bytes(const struct rss_probe *p)
{
	const struct bpf_map *map;
	uint64_t sum = 0;

	bpf_object__for_each_map(map, p->skel->obj) sum += map_bytes(map);
	return sum;
}
