// SPDX-License-Identifier: BSD-2-Clause
/* cgroup_mem.c - see cgroup_mem.h. */
#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>

#include "../base/fs.h"
#include "cgroup_mem.h"
#include "who.h"

#define STAT_CAP   16384
#define EVENTS_CAP 1024

/* v1 knows no "max": unlimited is LONG_MAX cut down to whole pages (of up to 64 KiB). */
#define V1_UNLIMITED (INT64_MAX & ~0xffffULL)

static uint64_t read_u64(int dirfd, const char *name)
{
	uint64_t value;

	return fs__read_u64_at(dirfd, name, &value) ? UINT64_MAX : value;
}

static uint64_t read_v1_limit(int dirfd, const char *name)
{
	uint64_t value = read_u64(dirfd, name);

	return value >= V1_UNLIMITED ? UINT64_MAX : value;
}

/* A key of a file with one "key value" per line, fallback when it is not there. */
static uint64_t find(const char *text, const char *key, uint64_t fallback)
{
	uint64_t value;

	return fs__find_u64(text, key, &value) ? value : fallback;
}

/* The text of a small file of such lines; empty when it cannot be read. */
static void read_keys(int dirfd, const char *name, char *text, size_t cap)
{
	if (fs__read_at(dirfd, name, text, cap) < 0)
		text[0] = '\0';
}

static uint64_t minus(uint64_t a, uint64_t b)
{
	return a > b ? a - b : 0;
}

/* What is left below a limit when the page cache has been given back. */
static struct cgroup_limit limit_of(uint64_t limit, uint64_t usage, uint64_t reclaimable)
{
	struct cgroup_limit l = {UINT64_MAX, UINT64_MAX};

	if (limit == UINT64_MAX || usage == UINT64_MAX)
		return l;
	l.limit_bytes = limit;
	l.headroom_bytes = minus(limit, minus(usage, reclaimable));
	return l;
}

static struct cgroup_limit tighter(struct cgroup_limit a, struct cgroup_limit b)
{
	return b.headroom_bytes < a.headroom_bytes ? b : a;
}

/* ---- v2 ---- */

static uint64_t v2_reclaimable(const char *stat)
{
	return find(stat, "inactive_file", 0) + find(stat, "active_file", 0);
}

/* Linux 5.18 and later give the sum of all kernel memory; before, add up what is listed. */
static uint64_t v2_kernel_total(const char *stat)
{
	uint64_t total = find(stat, "kernel", UINT64_MAX);

	if (total != UINT64_MAX)
		return total;
	return find(stat, "slab_reclaimable", 0) + find(stat, "slab_unreclaimable", 0) +
	       find(stat, "kernel_stack", 0) + find(stat, "pagetables", 0) +
	       find(stat, "percpu", 0);
}

static int read_v2(int dirfd, const char *stat, struct cgroup_usage *u, struct cgroup_limit *l)
{
	uint64_t shmem = find(stat, "shmem", 0);
	uint64_t swap = read_u64(dirfd, "memory.swap.current");
	char events[EVENTS_CAP];

	u->anon_bytes = find(stat, "anon", UINT64_MAX);
	if (u->anon_bytes == UINT64_MAX)
		return -EBADMSG;
	u->swap_bytes = swap == UINT64_MAX ? 0 : swap;
	u->shmem_bytes = shmem;
	u->file_bytes = minus(find(stat, "file", 0), shmem);
	u->kernel_total_bytes = v2_kernel_total(stat);
	u->kernel_bytes = minus(u->kernel_total_bytes, find(stat, "slab_reclaimable", 0));
	u->usage_bytes = read_u64(dirfd, "memory.current");
	u->limit_bytes = read_u64(dirfd, "memory.max");
	read_keys(dirfd, "memory.events", events, sizeof(events));
	u->oom_kills = find(events, "oom_kill", UINT64_MAX);
	u->limit_hits = find(events, "max", UINT64_MAX);
	*l = limit_of(u->limit_bytes, u->usage_bytes, v2_reclaimable(stat));
	return 0;
}

/* ---- v1 ---- */

static uint64_t v1_reclaimable(const char *stat)
{
	return find(stat, "total_inactive_file", 0) + find(stat, "total_active_file", 0);
}

/* Memory alone, and memory with swap where swap is accounted: either can kill. */
struct v1_limits {
	uint64_t mem;
	uint64_t memsw;
};

static struct v1_limits read_v1_limits(int dirfd)
{
	return (struct v1_limits){
		.mem = read_v1_limit(dirfd, "memory.limit_in_bytes"),
		.memsw = read_v1_limit(dirfd, "memory.memsw.limit_in_bytes"),
	};
}

static struct cgroup_limit v1_limit(int dirfd, struct v1_limits limits, uint64_t usage,
				    const char *stat)
{
	uint64_t reclaimable = v1_reclaimable(stat);
	struct cgroup_limit l = limit_of(limits.mem, usage, reclaimable);

	if (limits.memsw == UINT64_MAX)
		return l;
	usage = read_u64(dirfd, "memory.memsw.usage_in_bytes");
	return tighter(l, limit_of(limits.memsw, usage, reclaimable));
}

/*
 * kmem.usage_in_bytes has no reclaimable part to subtract: a program that makes many files grows
 * it by 2 KiB a file without leaking anything, so none of it is held against the cgroup.
 */
static int read_v1(int dirfd, const char *stat, struct cgroup_usage *u, struct cgroup_limit *l)
{
	struct v1_limits limits = read_v1_limits(dirfd);
	char oom[EVENTS_CAP];

	u->anon_bytes = find(stat, "total_rss", UINT64_MAX);
	if (u->anon_bytes == UINT64_MAX)
		return -EBADMSG;
	u->swap_bytes = find(stat, "total_swap", 0);
	u->shmem_bytes = find(stat, "total_shmem", 0);
	u->file_bytes = minus(find(stat, "total_cache", 0), u->shmem_bytes);
	u->kernel_total_bytes = read_u64(dirfd, "memory.kmem.usage_in_bytes");
	u->usage_bytes = read_u64(dirfd, "memory.usage_in_bytes");
	u->limit_bytes = limits.mem;
	read_keys(dirfd, "memory.oom_control", oom, sizeof(oom));
	u->oom_kills = find(oom, "oom_kill", UINT64_MAX);
	u->limit_hits = read_u64(dirfd, "memory.failcnt");
	*l = v1_limit(dirfd, limits, u->usage_bytes, stat);
	return 0;
}

/* Before Linux 5.11 a v1 cgroup could leave its children unaccounted, and its limit with them. */
static bool v1_binds_children(int dirfd)
{
	return read_u64(dirfd, "memory.use_hierarchy") != 0;
}

/* ---- both ---- */

static int read_stat(int dirfd, char *text, size_t cap)
{
	ssize_t n = fs__read_at(dirfd, "memory.stat", text, cap);

	return n == -ENODEV ? -ENOENT : n < 0 ? n : 0;
}

int cgroup_mem__read(int dirfd, int version, struct cgroup_usage *ret_usage,
		     struct cgroup_limit *ret_limit)
{
	struct cgroup_usage u = {
		.nearest_limit_bytes = UINT64_MAX,
		.headroom_bytes = UINT64_MAX,
	};
	struct cgroup_limit l;
	char stat[STAT_CAP];
	int err;

	err = read_stat(dirfd, stat, sizeof(stat));
	if (!err)
		err = version == 1 ? read_v1(dirfd, stat, &u, &l) : read_v2(dirfd, stat, &u, &l);
	if (err)
		return err;
	*ret_usage = u;
	*ret_limit = l;
	return 0;
}

static struct cgroup_limit v1_ancestor(int dirfd)
{
	const struct cgroup_limit none = {UINT64_MAX, UINT64_MAX};
	struct v1_limits limits = read_v1_limits(dirfd);
	char stat[STAT_CAP];

	if ((limits.mem == UINT64_MAX && limits.memsw == UINT64_MAX) || !v1_binds_children(dirfd) ||
	    read_stat(dirfd, stat, sizeof(stat)))
		return none;
	return v1_limit(dirfd, limits, read_u64(dirfd, "memory.usage_in_bytes"), stat);
}

static struct cgroup_limit v2_ancestor(int dirfd)
{
	const struct cgroup_limit none = {UINT64_MAX, UINT64_MAX};
	uint64_t limit = read_u64(dirfd, "memory.max");
	char stat[STAT_CAP];

	if (limit == UINT64_MAX || read_stat(dirfd, stat, sizeof(stat)))
		return none;
	return limit_of(limit, read_u64(dirfd, "memory.current"), v2_reclaimable(stat));
}

struct cgroup_limit cgroup_mem__read_limit(int dirfd, int version)
{
	return version == 1 ? v1_ancestor(dirfd) : v2_ancestor(dirfd);
}
