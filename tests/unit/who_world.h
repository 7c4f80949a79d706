/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * who_world.h - a small /proc and cgroup tree for the tests of who/: regular files in a temporary
 * directory, found through a made-up mountinfo, and taken away again.
 *
 * Included by one test program each, hence all static.
 */
#ifndef SEEP_TESTS_WHO_WORLD_H
#define SEEP_TESTS_WHO_WORLD_H

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/fs.h"
#include "who/who.h"

#define ID    "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
#define SHORT "0123456789ab"
#define ID2   "fedcba9876543210fedcba9876543210fedcba9876543210fedcba9876543210"
#define UID   "12345678-9abc-def0-1234-56789abcdef0"
#define MIB   (1ULL << 20)
#define NONE  UINT64_MAX
#define TICK_NS 10000000ULL

struct env {
	char dir[64];
	char proc[80];
	struct who *who;
	uint64_t seq;
};

/* ---- the made-up world ---- */

static inline void at(char *ret_path, const struct env *e, const char *rel)
{
	assert_true(snprintf(ret_path, PATH_MAX, "%s/%s", e->dir, rel) < PATH_MAX);
}

static inline void put_bytes(struct env *e, const char *rel, const void *data, size_t len)
{
	char path[PATH_MAX], *slash;
	FILE *f;

	at(path, e, rel);
	slash = strrchr(path, '/');
	*slash = '\0';
	assert_int_equal(fs__mkdir_p(path, 0755), 0);
	*slash = '/';
	f = fopen(path, "w");
	assert_non_null(f);
	assert_int_equal(fwrite(data, 1, len, f), len);
	fclose(f);
}

static inline __attribute__((format(printf, 3, 4))) void put(struct env *e, const char *rel,
							    const char *fmt, ...)
{
	static char text[1 << 16];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	put_bytes(e, rel, text, strlen(text));
}

static inline void put_dir(struct env *e, const char *rel)
{
	char path[PATH_MAX];

	at(path, e, rel);
	assert_int_equal(fs__mkdir_p(path, 0755), 0);
}

static inline int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	return remove(path);
}

static inline void take(struct env *e, const char *rel)
{
	char path[PATH_MAX];

	at(path, e, rel);
	assert_int_equal(nftw(path, remove_one, 16, FTW_DEPTH | FTW_PHYS), 0);
}

static inline void move(struct env *e, const char *from_rel, const char *to_rel)
{
	char from[PATH_MAX], to[PATH_MAX];

	at(from, e, from_rel);
	at(to, e, to_rel);
	assert_int_equal(rename(from, to), 0);
}

static inline uint64_t inode(struct env *e, const char *rel)
{
	char path[PATH_MAX];
	struct stat st;

	at(path, e, rel);
	assert_int_equal(stat(path, &st), 0);
	return st.st_ino;
}

static inline void put_proc(struct env *e, unsigned pid, const char *comm, const char *cgroup)
{
	char rel[64], path[PATH_MAX];

	snprintf(rel, sizeof(rel), "proc/%u/stat", pid);
	put(e, rel, "%u (%s) S 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 %u 20 21\n", pid, comm,
	    pid * 10);
	snprintf(rel, sizeof(rel), "proc/%u/status", pid);
	put(e, rel, "Name:\t%s\nUid:\t1000\t0\t0\t0\nGid:\t7\t7\t7\t7\n", comm);
	snprintf(rel, sizeof(rel), "proc/%u/cmdline", pid);
	put_bytes(e, rel, "/usr/bin/web\0--port\0" "80\0\0\0", 25);
	snprintf(rel, sizeof(rel), "proc/%u/cgroup", pid);
	put(e, rel, "%s", cgroup);
	snprintf(rel, sizeof(rel), "proc/%u/exe", pid);
	at(path, e, rel);
	assert_int_equal(symlink("/usr/bin/web", path), 0);
}

/* put_proc() processes start at pid * 10 ticks. */
static inline struct seep_task_id task(unsigned pid)
{
	return (struct seep_task_id){.tgid = pid, .start_ns = pid * 10 * TICK_NS + 1234567};
}

static inline void put_mount(struct env *e, const char *root, const char *rel, const char *type,
		      const char *options)
{
	char path[PATH_MAX], line[2 * PATH_MAX];
	FILE *f;

	put_dir(e, "proc/self");
	at(path, e, "proc/self/mountinfo");
	f = fopen(path, "a");
	assert_non_null(f);
	at(line, e, rel);
	fprintf(f, "30 24 0:26 %s %s rw,nosuid shared:4 - %s none %s\n", root, line, type, options);
	fclose(f);
}

static inline void put_v2_mem(struct env *e, const char *rel, const char *max, uint64_t current,
		       const char *stat)
{
	char path[PATH_MAX];

	snprintf(path, sizeof(path), "%s/memory.max", rel);
	put(e, path, "%s\n", max);
	snprintf(path, sizeof(path), "%s/memory.current", rel);
	put(e, path, "%llu\n", (unsigned long long)current);
	snprintf(path, sizeof(path), "%s/memory.stat", rel);
	put(e, path, "%s", stat);
	snprintf(path, sizeof(path), "%s/memory.events", rel);
	put(e, path, "low 0\nhigh 0\nmax 7\noom 3\noom_kill 2\noom_group_kill 0\n");
	snprintf(path, sizeof(path), "%s/memory.swap.current", rel);
	put(e, path, "4096\n");
}

static inline void put_v2(struct env *e)
{
	put_mount(e, "/", "cg", "cgroup2", "rw");
	put(e, "cg/cgroup.controllers", "cpu io memory pids\n");
	put(e, "proc/meminfo", "MemTotal:  2048 kB\nMemFree: 1 kB\nMemAvailable:\t1024 kB\n");
}

static inline void put_v1_mem(struct env *e, const char *rel, const char *limit, uint64_t usage,
		       const char *stat)
{
	char path[PATH_MAX];

	snprintf(path, sizeof(path), "%s/memory.limit_in_bytes", rel);
	put(e, path, "%s\n", limit);
	snprintf(path, sizeof(path), "%s/memory.usage_in_bytes", rel);
	put(e, path, "%llu\n", (unsigned long long)usage);
	snprintf(path, sizeof(path), "%s/memory.stat", rel);
	put(e, path, "%s", stat);
	snprintf(path, sizeof(path), "%s/memory.oom_control", rel);
	put(e, path, "oom_kill_disable 0\nunder_oom 0\noom_kill 5\n");
	snprintf(path, sizeof(path), "%s/memory.failcnt", rel);
	put(e, path, "11\n");
	snprintf(path, sizeof(path), "%s/memory.kmem.usage_in_bytes", rel);
	put(e, path, "8192\n");
	snprintf(path, sizeof(path), "%s/memory.use_hierarchy", rel);
	put(e, path, "1\n");
}

#define V1_NONE "9223372036854771712"

static inline int open_who(struct env *e, struct who_cfg cfg)
{
	cfg.proc_dir = e->proc;
	if (!cfg.root_dir)
		cfg.root_dir = e->dir;
	return who__new(&cfg, &e->who);
}

static inline int setup(void **state)
{
	struct env *e = calloc(1, sizeof(*e));

	if (!e)
		return -1;
	strcpy(e->dir, "/tmp/seep-who-XXXXXX");
	if (!mkdtemp(e->dir))
		return -1;
	snprintf(e->proc, sizeof(e->proc), "%s/proc", e->dir);
	mkdir(e->proc, 0755);
	*state = e;
	return 0;
}

static inline int teardown(void **state)
{
	struct env *e = *state;

	who__free(e->who);
	nftw(e->dir, remove_one, 16, FTW_DEPTH | FTW_PHYS);
	free(e);
	return 0;
}

static inline const struct proc_info *see(struct env *e, unsigned pid, uint64_t cgroup_id)
{
	struct seep_task_id id = task(pid);
	const struct proc_info *p = who__process(e->who, &id, cgroup_id, "web");

	assert_non_null(p);
	return p;
}

static inline struct cgroup_usage use(struct env *e, const struct cgroup_info *cg)
{
	struct cgroup_usage u;

	assert_non_null(cg);
	assert_int_equal(who__cgroup_usage(e->who, cg, ++e->seq, &u), 0);
	return u;
}

static inline struct who_stats stats(struct env *e)
{
	struct who_stats s;

	who__stats(e->who, &s);
	return s;
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

#endif /* SEEP_TESTS_WHO_WORLD_H */
