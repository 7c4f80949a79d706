// SPDX-License-Identifier: BSD-2-Clause
/*
 * test_who.c - who is it, in which cgroup and container, and how much room is left?
 *
 * Each test builds a small /proc and cgroup tree out of regular files in a temporary directory,
 * finds it through a made-up mountinfo, and takes it away again. The last ones look at the real
 * system that they run on.
 */
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

static void at(char *ret_path, const struct env *e, const char *rel)
{
	assert_true(snprintf(ret_path, PATH_MAX, "%s/%s", e->dir, rel) < PATH_MAX);
}

static void put_bytes(struct env *e, const char *rel, const void *data, size_t len)
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

__attribute__((format(printf, 3, 4))) static void put(struct env *e, const char *rel,
						       const char *fmt, ...)
{
	static char text[1 << 16];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	put_bytes(e, rel, text, strlen(text));
}

static void put_dir(struct env *e, const char *rel)
{
	char path[PATH_MAX];

	at(path, e, rel);
	assert_int_equal(fs__mkdir_p(path, 0755), 0);
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	return remove(path);
}

static void take(struct env *e, const char *rel)
{
	char path[PATH_MAX];

	at(path, e, rel);
	assert_int_equal(nftw(path, remove_one, 16, FTW_DEPTH | FTW_PHYS), 0);
}

static void move(struct env *e, const char *from_rel, const char *to_rel)
{
	char from[PATH_MAX], to[PATH_MAX];

	at(from, e, from_rel);
	at(to, e, to_rel);
	assert_int_equal(rename(from, to), 0);
}

static uint64_t inode(struct env *e, const char *rel)
{
	char path[PATH_MAX];
	struct stat st;

	at(path, e, rel);
	assert_int_equal(stat(path, &st), 0);
	return st.st_ino;
}

static void put_proc(struct env *e, unsigned pid, const char *comm, const char *cgroup)
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
static struct seep_task_id task(unsigned pid)
{
	return (struct seep_task_id){.tgid = pid, .start_ns = pid * 10 * TICK_NS + 1234567};
}

static void put_mount(struct env *e, const char *root, const char *rel, const char *type,
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

static void put_v2_mem(struct env *e, const char *rel, const char *max, uint64_t current,
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

static void put_v2(struct env *e)
{
	put_mount(e, "/", "cg", "cgroup2", "rw");
	put(e, "cg/cgroup.controllers", "cpu io memory pids\n");
	put(e, "proc/meminfo", "MemTotal:  2048 kB\nMemFree: 1 kB\nMemAvailable:\t1024 kB\n");
}

static void put_v1_mem(struct env *e, const char *rel, const char *limit, uint64_t usage,
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

static int open_who(struct env *e, struct who_cfg cfg)
{
	cfg.proc_dir = e->proc;
	if (!cfg.root_dir)
		cfg.root_dir = e->dir;
	return who__new(&cfg, &e->who);
}

static int setup(void **state)
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

static int teardown(void **state)
{
	struct env *e = *state;

	who__free(e->who);
	nftw(e->dir, remove_one, 16, FTW_DEPTH | FTW_PHYS);
	free(e);
	return 0;
}

static const struct proc_info *see(struct env *e, unsigned pid, uint64_t cgroup_id)
{
	struct seep_task_id id = task(pid);
	const struct proc_info *p = who__process(e->who, &id, cgroup_id, "web");

	assert_non_null(p);
	return p;
}

static struct cgroup_usage use(struct env *e, const struct cgroup_info *cg)
{
	struct cgroup_usage u;

	assert_non_null(cg);
	assert_int_equal(who__cgroup_usage(e->who, cg, ++e->seq, &u), 0);
	return u;
}

static struct who_stats stats(struct env *e)
{
	struct who_stats s;

	who__stats(e->who, &s);
	return s;
}

/* ---- processes ---- */

static void test_process(void **state)
{
	struct env *e = *state;
	const struct proc_info *p;
	uint64_t id;

	put_v2(e);
	put_v2_mem(e, "cg/system.slice/web.service", "max", 0, "anon 1\n");
	put_proc(e, 7, "web", "0::/system.slice/web.service\n");
	assert_int_equal(open_who(e, (struct who_cfg){}), 0);
	id = inode(e, "cg/system.slice/web.service");

	p = see(e, 7, id);
	assert_int_equal(p->id.tgid, 7);
	assert_int_equal(p->uid, 1000);
	assert_string_equal(p->comm, "web");
	assert_string_equal(p->cmdline, "/usr/bin/web --port 80");
	assert_string_equal(p->exe, "/usr/bin/web");
	assert_non_null(p->cgroup);
	assert_int_equal(p->cgroup->id, id);
	assert_string_equal(p->cgroup->path, "/system.slice/web.service");
	assert_null(p->cgroup->runtime);
	assert_null(p->cgroup->container);
	assert_null(p->cgroup->pod);
	assert_ptr_equal(who__cgroup_by_id(e->who, id), p->cgroup);
	assert_ptr_equal(who__cgroup_by_path(e->who, "/system.slice/web.service"), p->cgroup);
	assert_null(who__cgroup_by_path(e->who, "/system.slice/x.service"));
	assert_null(who__cgroup_by_id(e->who, 0));
	assert_int_equal(stats(e).procs, 1);
	assert_int_equal(stats(e).cgroups, 3);
	assert_int_equal(stats(e).cgroup_version, 2);
	assert_int_equal(stats(e).vanished, 0);
}

/* Once seen, nothing is read again: the answer outlives the files. */
static void test_cached(void **state)
{
	struct env *e = *state;
	const struct proc_info *p;
	struct seep_task_id id = task(7);

	put_v2(e);
	put_v2_mem(e, "cg/a", "max", 0, "anon 1\n");
	put_proc(e, 7, "web", "0::/a\n");
	open_who(e, (struct who_cfg){});
	p = see(e, 7, 0);
	take(e, "proc/7");
	assert_ptr_equal(see(e, 7, 0), p);
	assert_string_equal(p->cmdline, "/usr/bin/web --port 80");
	assert_string_equal(p->cgroup->path, "/a");
	assert_int_equal(stats(e).vanished, 0);

	/* A new name from the kernel needs no file. */
	who__process(e->who, &id, 0, "worker-1");
	assert_string_equal(p->comm, "worker-1");

	/* The padding of a key must not matter. */
	id.pad = 99;
	assert_ptr_equal(who__process(e->who, &id, 0, "web"), p);

	who__forget(e->who, &id);
	assert_int_equal(stats(e).procs, 0);
	who__forget(e->who, &id);
	who__refresh(e->who, &id);
	assert_null(see(e, 7, 0)->cmdline);
	assert_int_equal(stats(e).vanished, 1);
}

static void test_exec(void **state)
{
	struct env *e = *state;
	const struct proc_info *p;
	struct seep_task_id id = task(7);

	put_v2(e);
	put_v2_mem(e, "cg/a", "max", 0, "anon 1\n");
	put_proc(e, 7, "web", "0::/a\n");
	open_who(e, (struct who_cfg){});
	p = see(e, 7, 0);
	put_bytes(e, "proc/7/cmdline", "sh\0-c\0true", 11);
	assert_string_equal(see(e, 7, 0)->cmdline, "/usr/bin/web --port 80");
	who__refresh(e->who, &id);
	assert_ptr_equal(see(e, 7, 0), p);
	assert_string_equal(p->cmdline, "sh -c true");
	assert_string_equal(p->cgroup->path, "/a");
}

static void test_moved(void **state)
{
	struct env *e = *state;
	const struct proc_info *p;

	put_v2(e);
	put_v2_mem(e, "cg/a", "max", 0, "anon 1\n");
	put_v2_mem(e, "cg/b", "max", 0, "anon 1\n");
	put_proc(e, 7, "web", "0::/a\n");
	open_who(e, (struct who_cfg){});
	p = see(e, 7, inode(e, "cg/a"));
	put(e, "proc/7/cgroup", "0::/b\n");
	assert_string_equal(see(e, 7, inode(e, "cg/a"))->cgroup->path, "/a");
	assert_string_equal(see(e, 7, inode(e, "cg/b"))->cgroup->path, "/b");
	assert_string_equal(p->cgroup->path, "/b");
	/* Unknown does not mean moved. */
	put(e, "proc/7/cgroup", "0::/a\n");
	take(e, "proc/7");
	assert_string_equal(see(e, 7, 0)->cgroup->path, "/b");
	assert_int_equal(stats(e).vanished, 0);
}

static void test_pid_reuse(void **state)
{
	struct env *e = *state;
	struct seep_task_id id = {.tgid = 7};
	const struct proc_info *p;

	put_v2(e);
	put_v2_mem(e, "cg/a", "max", 0, "anon 1\n");
	put_proc(e, 7, "x) R 1 (", "0::/a\n");
	open_who(e, (struct who_cfg){});

	/* One tick before, one tick after, and the last nanosecond of the tick. */
	id.start_ns = 70 * TICK_NS - 1;
	p = who__process(e->who, &id, 0, "web");
	assert_null(p->cmdline);
	assert_null(p->cgroup);
	id.start_ns = 71 * TICK_NS;
	assert_null(who__process(e->who, &id, 0, "web")->cmdline);
	assert_int_equal(stats(e).vanished, 2);
	id.start_ns = 71 * TICK_NS - 1;
	p = who__process(e->who, &id, 0, "web");
	assert_string_equal(p->cmdline, "/usr/bin/web --port 80");
	assert_string_equal(p->cgroup->path, "/a");
	/* Start time not known: not compared. */
	id.start_ns = 0;
	assert_non_null(who__process(e->who, &id, 0, "web")->cmdline);
	assert_int_equal(stats(e).procs, 4);
}

static void test_vanished(void **state)
{
	struct env *e = *state;
	const struct proc_info *p;

	put_v2(e);
	put_v2_mem(e, "cg/a", "max", 0, "anon 1\n");
	put_proc(e, 7, "web", "0::/a\n");
	open_who(e, (struct who_cfg){});
	p = see(e, 8, 0);
	assert_string_equal(p->comm, "web");
	assert_null(p->cmdline);
	assert_null(p->exe);
	assert_null(p->cgroup);
	assert_int_equal(p->uid, UINT32_MAX);
	assert_int_equal(stats(e).vanished, 1);

	/* Gone too, but the kernel named a cgroup that is known. */
	see(e, 7, 0);
	p = see(e, 9, inode(e, "cg/a"));
	assert_null(p->cmdline);
	assert_string_equal(p->cgroup->path, "/a");
}

/* Each file may be missing, empty or full of nonsense; the others still count. */
static void test_garbled_proc(void **state)
{
	struct env *e = *state;
	static char noise[40000];
	const struct proc_info *p;

	put_v2(e);
	put_v2_mem(e, "cg/a", "max", 0, "anon 1\n");
	memset(noise, 0xfe, sizeof(noise));
	put_proc(e, 1, "web", "0::/a\n");
	put_bytes(e, "proc/1/stat", noise, sizeof(noise));
	put_proc(e, 2, "web", "garbage\n0\n0:\n::\n0::relative\nmemory:/x\n");
	put_bytes(e, "proc/2/status", noise, sizeof(noise));
	put_bytes(e, "proc/2/cmdline", "\0\0  \0", 5);
	put_proc(e, 3, "web", "0::/a");
	take(e, "proc/3/exe");
	take(e, "proc/3/status");
	put_bytes(e, "proc/3/cmdline", noise, sizeof(noise));
	put_proc(e, 4, "web", "");
	put_bytes(e, "proc/4/cgroup", noise, sizeof(noise));
	put_proc(e, 5, "web", "0::/gone (deleted)\n");
	put(e, "proc/6", "not a directory");
	open_who(e, (struct who_cfg){});

	assert_null(see(e, 1, 0)->cmdline);
	p = see(e, 2, 0);
	assert_int_equal(p->uid, UINT32_MAX);
	assert_null(p->cmdline);
	assert_null(p->cgroup);
	p = see(e, 3, 0);
	assert_null(p->exe);
	assert_null(p->cgroup);
	assert_int_equal(strlen(p->cmdline), strspn(p->cmdline, "?"));
	assert_in_range(strlen(p->cmdline), 500, 4096);
	assert_null(see(e, 4, 0)->cgroup);
	p = see(e, 5, 0);
	assert_string_equal(p->cgroup->path, "/gone");
	assert_int_equal(p->cgroup->id, 0);
	assert_null(see(e, 6, 0)->cgroup);
}

static void test_hostile_names(void **state)
{
	static const char cmdline[] = "a\x1b[31m\0b\nc\t\x7f\xc2\x9b" "d\xc3\xa9\xff\xe2\x80\xae"
				      "\xed\xa0\x80\xf0\x9f\x98\x80\xc0\xaf\xe0\x80\xaf\xe2\x82";
	struct env *e = *state;
	struct seep_task_id id = task(7);
	const struct proc_info *p;

	put_v2(e);
	put_v2_mem(e, "cg/x\x1b]0;y\x07", "max", 5, "anon 5\n");
	put_proc(e, 7, "web", "0::/x\x1b]0;y\x07\n");
	put_bytes(e, "proc/7/cmdline", cmdline, sizeof(cmdline));
	open_who(e, (struct who_cfg){});
	p = who__process(e->who, &id, 0, "a\rb\xe9\x1b\x9b" "2J0123456789");
	assert_string_equal(p->comm, "a?b???2J0123456");
	assert_string_equal(p->cmdline, "a?[31m b?c???d\xc3\xa9?????\xf0\x9f\x98\x80???????");
	assert_string_equal(p->cgroup->path, "/x?]0;y?");
	assert_ptr_equal(who__cgroup_by_path(e->who, "/x?]0;y?"), p->cgroup);
	/* The raw name still opens it. */
	assert_int_equal(use(e, p->cgroup).anon_bytes, 5);
}

static void test_bounds(void **state)
{
	struct env *e = *state;
	char rel[32];
	struct seep_task_id id;
	unsigned i;

	put_v2(e);
	open_who(e, (struct who_cfg){.max_procs = 3, .max_cgroups = 3});
	for (i = 1; i <= 5; i++) {
		snprintf(rel, sizeof(rel), "cg/%u", i);
		put_v2_mem(e, rel, "max", 0, "anon 1\n");
		snprintf(rel, sizeof(rel), "0::/%u\n", i);
		put_proc(e, i, "web", rel);
		id = task(i);
		assert_int_equal(!who__process(e->who, &id, 0, "web"), i > 3);
	}
	assert_int_equal(stats(e).procs, 3);
	assert_int_equal(stats(e).dropped_procs, 2);
	/* The root and two of the three. */
	assert_int_equal(stats(e).cgroups, 3);
	assert_int_equal(stats(e).dropped_cgroups, 1);
	assert_null(see(e, 3, 0)->cgroup);
	/* A process that ends makes room. */
	id = task(1);
	who__forget(e->who, &id);
	assert_non_null(see(e, 4, 0));
	/* A cgroup that ends, too. */
	take(e, "cg/1");
	who__expire(e->who);
	assert_int_equal(stats(e).cgroups, 2);
	id = task(4);
	who__forget(e->who, &id);
	assert_string_equal(see(e, 5, 0)->cgroup->path, "/5");
}

/* ---- cgroups: where they are ---- */

static void test_hybrid(void **state)
{
	struct env *e = *state;
	const struct proc_info *p;

	put_mount(e, "/", "cg/cpu", "cgroup", "rw,cpu,cpuacct");
	put_mount(e, "/", "cg/unified", "cgroup2", "rw,nsdelegate");
	put_mount(e, "/", "cg/systemd", "cgroup", "rw,name=memory");
	put_mount(e, "/", "cg/memory", "cgroup", "rw,memory");
	put(e, "cg/unified/cgroup.controllers", "\n");
	put_v1_mem(e, "cg/memory/docker/" ID, V1_NONE, 5 * MIB, "total_rss 1\n");
	put_proc(e, 7, "web",
		 "12:cpu,cpuacct:/c\n11:mem:/m\n10:memory2:/m\n4:memory:/docker/" ID
		 "\n1:name=systemd:/s\n0::/u\n");
	assert_int_equal(open_who(e, (struct who_cfg){}), 0);
	p = see(e, 7, inode(e, "cg/memory/docker/" ID));
	assert_int_equal(stats(e).cgroup_version, 1);
	assert_non_null(strstr(stats(e).cgroup_mount, "/cg/memory"));
	assert_string_equal(p->cgroup->path, "/docker/" ID);
	assert_string_equal(p->cgroup->runtime, "docker");
	assert_string_equal(p->cgroup->container_id, ID);
	assert_string_equal(p->cgroup->container, SHORT);
	assert_int_equal(use(e, p->cgroup).usage_bytes, 5 * MIB);
}

/* The controllers of one line may be several, and paths may hold colons. */
static void test_v1_comounted(void **state)
{
	struct env *e = *state;
	const struct proc_info *p;

	put_mount(e, "/", "cg/m", "cgroup", "rw,cpuset,memory");
	put_v1_mem(e, "cg/m/a:b:c", V1_NONE, 5, "total_rss 1\n");
	put_proc(e, 7, "web", "3:cpuset,memory:/a:b:c\n2:hugememory:/x\n");
	assert_int_equal(open_who(e, (struct who_cfg){}), 0);
	p = see(e, 7, 0);
	assert_string_equal(p->cgroup->path, "/a:b:c");
	assert_int_equal(p->cgroup->id, inode(e, "cg/m/a:b:c"));
}

static void test_no_controller(void **state)
{
	struct env *e = *state;
	struct cgroup_usage u;
	const struct proc_info *p;

	put_mount(e, "/", "cg", "cgroup2", "rw");
	put(e, "cg/cgroup.controllers", "cpu memoryx io\n");
	put_dir(e, "cg/docker/" ID);
	put_proc(e, 7, "web", "0::/docker/" ID "\n");
	assert_int_equal(open_who(e, (struct who_cfg){}), -ENODEV);
	assert_non_null(e->who);
	p = see(e, 7, 0);
	assert_string_equal(p->cgroup->container_id, ID);
	assert_int_equal(who__cgroup_usage(e->who, p->cgroup, 1, &u), -ENODEV);
	assert_int_equal(stats(e).cgroup_version, 0);
}

static void test_no_mount(void **state)
{
	struct env *e = *state;

	put(e, "proc/self/mountinfo", "garbage\n - \n1 2 3 - cgroup2\n1 2 3 / - cgroup2 x y\n\n");
	put_proc(e, 7, "web", "0::/../docker/" ID "\n");
	assert_int_equal(open_who(e, (struct who_cfg){}), -ENODEV);
	assert_string_equal(see(e, 7, 5)->cgroup->path, "/../docker/" ID);
	assert_int_equal(see(e, 7, 5)->cgroup->id, 0);
	assert_null(stats(e).cgroup_mount);
}

static void test_no_proc(void **state)
{
	struct who_cfg cfg = {.proc_dir = "/nonexistent/proc"};
	struct env *e = *state;

	assert_int_equal(who__new(&cfg, &e->who), -ENOENT);
	assert_null(e->who);
}

static void test_named_dir(void **state)
{
	struct env *e = *state;
	char dir[PATH_MAX];

	put_v1_mem(e, "cg/memory", V1_NONE, 5, "total_rss 1\n");
	put_v1_mem(e, "cg/memory/a", V1_NONE, 5, "total_rss 1\n");
	put(e, "cg/unified/cgroup.controllers", "\n");
	put_proc(e, 7, "web", "4:memory:/a\n0::/u\n");
	at(dir, e, "cg");
	assert_int_equal(open_who(e, (struct who_cfg){.cgroup_dir = dir}), 0);
	assert_int_equal(stats(e).cgroup_version, 1);
	assert_int_equal(use(e, see(e, 7, 0)->cgroup).usage_bytes, 5);
	who__free(e->who);
	e->who = NULL;
	at(dir, e, "cg/unified");
	assert_int_equal(open_who(e, (struct who_cfg){.cgroup_dir = dir}), -ENODEV);
	who__free(e->who);
	e->who = NULL;
	at(dir, e, "cg/nothing");
	assert_int_equal(open_who(e, (struct who_cfg){.cgroup_dir = dir}), -ENODEV);
}

static void test_escaped_mount(void **state)
{
	struct env *e = *state;

	put_mount(e, "/", "my\\040cg\\134x", "cgroup2", "rw");
	put(e, "my cg\\x/cgroup.controllers", "memory\n");
	put_v2_mem(e, "my cg\\x/a", "max", 9, "anon 1\n");
	put_proc(e, 7, "web", "0::/a\n");
	assert_int_equal(open_who(e, (struct who_cfg){}), 0);
	assert_int_equal(use(e, see(e, 7, 0)->cgroup).usage_bytes, 9);
}

/* A container of old: no cgroup namespace, only its own part of the hierarchy is mounted. */
static void test_partial_mount(void **state)
{
	struct env *e = *state;
	const struct cgroup_info *cg;

	put_mount(e, "/docker/" ID, "cg", "cgroup", "ro,memory");
	put_v1_mem(e, "cg", V1_NONE, 77, "total_rss 1\n");
	put_v1_mem(e, "cg/sub", V1_NONE, 55, "total_rss 1\n");
	put_dir(e, "cg/x");
	put_proc(e, 7, "web", "4:memory:/docker/" ID "/sub\n");
	put_proc(e, 8, "web", "4:memory:/docker/" ID "\n");
	put_proc(e, 9, "web", "4:memory:/docker/" ID2 "\n");
	put_proc(e, 10, "web", "4:memory:/docker/" ID "x\n");
	assert_int_equal(open_who(e, (struct who_cfg){}), 0);
	cg = see(e, 7, 0)->cgroup;
	assert_string_equal(cg->path, "/docker/" ID "/sub");
	assert_int_equal(use(e, cg).usage_bytes, 55);
	assert_int_equal(use(e, see(e, 8, 0)->cgroup).usage_bytes, 77);
	assert_int_equal(see(e, 9, 0)->cgroup->id, 0);
	assert_string_equal(see(e, 9, 0)->cgroup->container_id, ID2);
	assert_int_equal(see(e, 10, 0)->cgroup->id, 0);
}

/* In a cgroup namespace two levels down, with the host's hierarchy mounted beside our own. */
static void test_namespace(void **state)
{
	struct env *e = *state;
	const struct cgroup_info *cg;

	put_mount(e, "/", "own", "cgroup2", "rw");
	put_mount(e, "/../..", "cg", "cgroup2", "rw");
	put(e, "cg/cgroup.controllers", "memory\n");
	put(e, "cg/k/other/inner/cgroup.procs", "%d\n", getpid());
	put(e, "cg/a/b/inner/cgroup.procs", "1\n");
	put(e, "cg/k/agent/cgroup.procs", "\n");
	put(e, "cg/k/agent/init/cgroup.procs", "1\n%d\n", getpid());
	put(e, "proc/self/cgroup", "0::/init\n");
	put_v2_mem(e, "cg/k/pod" UID "/" ID, "max", 5, "anon 1\n");
	put_v2_mem(e, "cg/system/ssh", "max", 6, "anon 1\n");
	put_v2_mem(e, "cg/k/agent/init", "max", 7, "anon 1\n");
	put_proc(e, 7, "web", "0::/../pod" UID "/" ID "\n");
	put_proc(e, 8, "web", "0::/../../system/ssh\n");
	put_proc(e, 9, "web", "0::/init\n");
	put_proc(e, 10, "web", "0::/../../../../etc\n");
	put_dir(e, "cg/etc");
	take(e, "cg/k/other");
	assert_int_equal(open_who(e, (struct who_cfg){}), 0);
	assert_non_null(strstr(stats(e).cgroup_mount, "/cg"));
	cg = see(e, 7, inode(e, "cg/k/pod" UID "/" ID))->cgroup;
	assert_string_equal(cg->path, "/k/pod" UID "/" ID);
	assert_string_equal(cg->pod_uid, UID);
	assert_int_equal(use(e, cg).usage_bytes, 5);
	cg = see(e, 8, 0)->cgroup;
	assert_string_equal(cg->path, "/system/ssh");
	assert_int_equal(use(e, cg).usage_bytes, 6);
	assert_string_equal(see(e, 9, 0)->cgroup->path, "/k/agent/init");
	cg = see(e, 10, 0)->cgroup;
	assert_string_equal(cg->path, "/../../../../etc");
	assert_int_equal(cg->id, 0);
}

/* Neither our own cgroup nor anything outside can be found: named, but not measured. */
static void test_namespace_lost(void **state)
{
	struct env *e = *state;
	struct cgroup_usage u;
	const struct cgroup_info *cg;

	put_mount(e, "/../..", "cg", "cgroup2", "rw");
	put(e, "cg/cgroup.controllers", "memory\n");
	put(e, "cg/k/agent/cgroup.procs", "1\n");
	put(e, "proc/self/cgroup", "0::/\n");
	put_proc(e, 7, "web", "0::/../pod" UID "/" ID "\n");
	assert_int_equal(open_who(e, (struct who_cfg){}), 0);
	cg = see(e, 7, 0)->cgroup;
	assert_string_equal(cg->pod_uid, UID);
	assert_int_equal(who__cgroup_usage(e->who, cg, 1, &u), -ENOENT);
}

/* Memory is charged to the nearest ancestor that has the controller. */
static void test_controller_above(void **state)
{
	struct env *e = *state;

	put_v2(e);
	put_v2_mem(e, "cg/a", "max", 1, "anon 1\n");
	put_v2_mem(e, "cg/a/b", "max", 2, "anon 1\n");
	put_dir(e, "cg/a/b/c/d");
	put_proc(e, 7, "web", "0::/a/b/c/d\n");
	put_proc(e, 8, "web", "0::/a/b/c/d\n");
	put_proc(e, 9, "web", "0::/a/b/c/d\n");
	assert_int_equal(open_who(e, (struct who_cfg){}), 0);
	/* By the kernel's word, */
	assert_string_equal(see(e, 7, inode(e, "cg/a"))->cgroup->path, "/a");
	/* without it, and with one that makes no sense. */
	assert_string_equal(see(e, 8, 0)->cgroup->path, "/a/b");
	assert_string_equal(see(e, 9, 123456789)->cgroup->path, "/a/b");
	/* A strange id is asked about once only. */
	take(e, "proc/9");
	see(e, 9, 123456789);
	assert_int_equal(stats(e).vanished, 0);
}

static void test_root(void **state)
{
	struct env *e = *state;
	struct cgroup_usage u;
	const struct cgroup_info *cg;

	put_v2(e);
	put(e, "cg/memory.stat", "anon 1\n");
	put_proc(e, 7, "web", "0::/\n");
	open_who(e, (struct who_cfg){});
	cg = see(e, 7, inode(e, "cg"))->cgroup;
	assert_string_equal(cg->path, "/");
	assert_int_equal(who__cgroup_usage(e->who, cg, 1, &u), -EOPNOTSUPP);
}

static void test_reborn(void **state)
{
	struct env *e = *state;
	const struct cgroup_info *old, *young;
	struct seep_task_id id = task(7);
	struct cgroup_usage u;

	put_v2(e);
	put_v2_mem(e, "cg/a/b", "max", 1, "anon 1\n");
	put_proc(e, 7, "web", "0::/a/b\n");
	put_proc(e, 8, "web", "0::/a/b\n");
	open_who(e, (struct who_cfg){});
	old = see(e, 7, 0)->cgroup;
	/* Kept aside, so that its inode is not given out again. */
	put_dir(e, "aside");
	move(e, "cg/a/b", "aside/b");
	put_v2_mem(e, "cg/a/b", "max", 2, "anon 1\n");
	assert_int_equal(who__cgroup_usage(e->who, old, 1, &u), -ENOENT);
	young = see(e, 8, inode(e, "cg/a/b"))->cgroup;
	assert_ptr_not_equal(young, old);
	assert_ptr_equal(who__cgroup_by_path(e->who, "/a/b"), young);
	assert_ptr_equal(who__cgroup_by_id(e->who, inode(e, "aside/b")), old);
	assert_int_equal(use(e, young).usage_bytes, 2);

	/* The young one goes with its last process; the old one's path is not its own any more. */
	id = task(8);
	who__forget(e->who, &id);
	who__expire(e->who);
	assert_ptr_equal(who__cgroup_by_path(e->who, "/a/b"), young);
	take(e, "cg/a/b");
	who__expire(e->who);
	assert_int_equal(stats(e).cgroups, 3);
	assert_null(who__cgroup_by_path(e->who, "/a/b"));
	assert_string_equal(old->path, "/a/b");

	/* A branch that is gone goes at once. */
	id = task(7);
	who__forget(e->who, &id);
	take(e, "cg/a");
	who__expire(e->who);
	assert_int_equal(stats(e).cgroups, 1);
}

/* ---- cgroups: how big ---- */

static void test_v2_usage(void **state)
{
	struct env *e = *state;
	struct cgroup_usage u;

	put_v2(e);
	put_v2_mem(e, "cg/a", "209715200", 150 * MIB,
		   "anon 104857600\nfile 41943040\nkernel 3145728\nkernel_stack 65536\n"
		   "shmem 1048576\nsock 4096\ninactive_anon 7\nactive_anon 9\n"
		   "inactive_file 10485760\nactive_file 20971520\n"
		   "slab_reclaimable 1048576\nslab_unreclaimable 524288\n");
	put_proc(e, 7, "web", "0::/a\n");
	open_who(e, (struct who_cfg){});
	u = use(e, see(e, 7, 0)->cgroup);
	assert_int_equal(u.usage_bytes, 150 * MIB);
	assert_int_equal(u.anon_bytes, 100 * MIB);
	assert_int_equal(u.swap_bytes, 4096);
	assert_int_equal(u.shmem_bytes, 1 * MIB);
	assert_int_equal(u.file_bytes, 39 * MIB);
	assert_int_equal(u.kernel_bytes, 2 * MIB);
	assert_int_equal(u.kernel_total_bytes, 3 * MIB);
	assert_int_equal(u.limit_bytes, 200 * MIB);
	assert_int_equal(u.nearest_limit_bytes, 200 * MIB);
	assert_string_equal(u.nearest_limit_path, "/a");
	assert_int_equal(u.headroom_bytes, 80 * MIB);
	assert_int_equal(u.oom_kills, 2);
	assert_int_equal(u.limit_hits, 7);
	assert_int_equal(cgroup_usage__signal_bytes(&u), 103 * MIB + 4096);
}

/* Linux before 5.18 has no sum of kernel memory; without swap there is no swap file. */
static void test_v2_older(void **state)
{
	struct env *e = *state;
	struct cgroup_usage u;

	put_v2(e);
	put_v2_mem(e, "cg/a", "max", 5, "anon 1\nkernel_stack 16\nslab_reclaimable 1024\n"
					"slab_unreclaimable 32\npercpu 64\npagetables 128\n");
	take(e, "cg/a/memory.swap.current");
	take(e, "cg/a/memory.events");
	put_proc(e, 7, "web", "0::/a\n");
	open_who(e, (struct who_cfg){});
	u = use(e, see(e, 7, 0)->cgroup);
	assert_int_equal(u.kernel_bytes, 240);
	assert_int_equal(u.kernel_total_bytes, 1264);
	assert_int_equal(u.swap_bytes, 0);
	assert_int_equal(u.oom_kills, NONE);
	assert_int_equal(u.limit_hits, NONE);
	assert_int_equal(u.limit_bytes, NONE);
	assert_int_equal(u.nearest_limit_bytes, NONE);
	assert_int_equal(u.headroom_bytes, NONE);
	assert_null(u.nearest_limit_path);
}

static void test_v1_usage(void **state)
{
	struct env *e = *state;
	struct cgroup_usage u;

	put_mount(e, "/", "cg", "cgroup", "rw,memory");
	put_v1_mem(e, "cg/a", "104857600", 70 * MIB,
		   "cache 1\nrss 1\nshmem 1\nswap 1\ninactive_file 1\nactive_file 1\n"
		   "hierarchical_memory_limit 104857600\ntotal_cache 31457280\n"
		   "total_rss 41943040\ntotal_rss_huge 2097152\ntotal_shmem 10485760\n"
		   "total_swap 2097152\ntotal_inactive_file 5242880\n"
		   "total_active_file 15728640\n");
	put_proc(e, 7, "web", "9:memory:/a\n");
	open_who(e, (struct who_cfg){});
	u = use(e, see(e, 7, 0)->cgroup);
	assert_int_equal(u.usage_bytes, 70 * MIB);
	assert_int_equal(u.anon_bytes, 40 * MIB);
	assert_int_equal(u.shmem_bytes, 10 * MIB);
	assert_int_equal(u.swap_bytes, 2 * MIB);
	assert_int_equal(u.file_bytes, 20 * MIB);
	/* Dentries and inodes may be all of it. */
	assert_int_equal(u.kernel_bytes, 0);
	assert_int_equal(u.kernel_total_bytes, 8192);
	assert_int_equal(cgroup_usage__signal_bytes(&u), 52 * MIB);
	assert_int_equal(u.limit_bytes, 100 * MIB);
	assert_int_equal(u.headroom_bytes, 50 * MIB);
	assert_int_equal(u.oom_kills, 5);
	assert_int_equal(u.limit_hits, 11);

	/* Memory and swap together are tighter; the limit of memory alone is still its own. */
	put(e, "cg/a/memory.memsw.limit_in_bytes", "108003328\n");
	put(e, "cg/a/memory.memsw.usage_in_bytes", "%llu\n", 95 * MIB);
	u = use(e, see(e, 7, 0)->cgroup);
	assert_int_equal(u.limit_bytes, 100 * MIB);
	assert_int_equal(u.nearest_limit_bytes, 103 * MIB);
	assert_int_equal(u.headroom_bytes, 28 * MIB);

	put(e, "cg/a/memory.limit_in_bytes", V1_NONE "\n");
	put(e, "cg/a/memory.memsw.limit_in_bytes", V1_NONE "\n");
	u = use(e, see(e, 7, 0)->cgroup);
	assert_int_equal(u.limit_bytes, NONE);
	assert_null(u.nearest_limit_path);
	/* 64 KiB pages */
	put(e, "cg/a/memory.limit_in_bytes", "9223372036854710272\n");
	assert_int_equal(use(e, see(e, 7, 0)->cgroup).limit_bytes, NONE);
}

/* The least headroom wins, whoever has it: not the smallest limit. */
static void test_ancestors(void **state)
{
	struct env *e = *state;
	const struct cgroup_info *cg;
	struct cgroup_usage u;

	put_v2(e);
	put_v2_mem(e, "cg/a", "104857600", 100 * MIB,
		   "anon 1\ninactive_file 8388608\nactive_file 1048576\n");
	put_v2_mem(e, "cg/a/b", "max", 95 * MIB, "anon 1\n");
	put_v2_mem(e, "cg/a/b/c", "52428800", 20 * MIB, "anon 1\n");
	put_proc(e, 7, "web", "0::/a/b/c\n");
	open_who(e, (struct who_cfg){});
	cg = see(e, 7, 0)->cgroup;
	u = use(e, cg);
	assert_int_equal(u.limit_bytes, 50 * MIB);
	assert_int_equal(u.nearest_limit_bytes, 100 * MIB);
	assert_int_equal(u.headroom_bytes, 9 * MIB);
	assert_string_equal(u.nearest_limit_path, "/a");

	/* Ancestors are read once per poll, the cgroup itself each time. */
	put(e, "cg/a/memory.max", "max\n");
	put(e, "cg/a/b/c/memory.current", "%llu\n", 30 * MIB);
	assert_int_equal(who__cgroup_usage(e->who, cg, e->seq, &u), 0);
	assert_int_equal(u.nearest_limit_bytes, 100 * MIB);
	assert_int_equal(u.usage_bytes, 30 * MIB);
	u = use(e, cg);
	assert_int_equal(u.nearest_limit_bytes, 50 * MIB);
	assert_int_equal(u.headroom_bytes, 20 * MIB);
	assert_string_equal(u.nearest_limit_path, "/a/b/c");

	/* Above the limit already (it was lowered): no headroom, not a huge one. */
	put(e, "cg/a/b/c/memory.max", "4096\n");
	assert_int_equal(use(e, cg).headroom_bytes, 0);
}

static void test_v1_ancestors(void **state)
{
	struct env *e = *state;
	const struct cgroup_info *cg;

	put_mount(e, "/", "cg", "cgroup", "rw,memory");
	put_v1_mem(e, "cg", "1048576", 1 * MIB, "total_rss 1\n");
	put_v1_mem(e, "cg/a", "10485760", 5 * MIB, "total_rss 1\ntotal_active_file 1048576\n");
	put_v1_mem(e, "cg/a/b", V1_NONE, 2 * MIB, "total_rss 1\n");
	put_proc(e, 7, "web", "9:memory:/a/b\n");
	open_who(e, (struct who_cfg){});
	cg = see(e, 7, 0)->cgroup;
	assert_int_equal(use(e, cg).limit_bytes, NONE);
	assert_int_equal(use(e, cg).headroom_bytes, 6 * MIB);
	assert_string_equal(use(e, cg).nearest_limit_path, "/a");
	/* Children of a cgroup without hierarchy are not bound by it. */
	put(e, "cg/a/memory.use_hierarchy", "0\n");
	assert_int_equal(use(e, cg).headroom_bytes, NONE);
	take(e, "cg/a/memory.use_hierarchy");
	assert_int_equal(use(e, cg).headroom_bytes, 6 * MIB);
}

static void test_garbled_memory(void **state)
{
	static char noise[20000];
	struct env *e = *state;
	const struct cgroup_info *cg;
	struct cgroup_usage u = {.anon_bytes = 42};

	put_v2(e);
	memset(noise, 'x', sizeof(noise));
	put_v2_mem(e, "cg/a", "lots", 5, "anon 100\nfile -\nshmem\nkernel xyz\n");
	put(e, "cg/a/memory.current", "\n");
	put(e, "cg/a/memory.swap.current", "max\n");
	put_bytes(e, "cg/a/memory.events", noise, sizeof(noise));
	put_proc(e, 7, "web", "0::/a\n");
	open_who(e, (struct who_cfg){});
	cg = see(e, 7, 0)->cgroup;
	u = use(e, cg);
	assert_int_equal(cgroup_usage__signal_bytes(&u), 100);
	assert_int_equal(u.usage_bytes, NONE);
	assert_int_equal(u.limit_bytes, NONE);
	assert_int_equal(u.oom_kills, NONE);
	assert_int_equal(u.headroom_bytes, NONE);

	u.anon_bytes = 42;
	put_bytes(e, "cg/a/memory.stat", noise, sizeof(noise));
	assert_int_equal(who__cgroup_usage(e->who, cg, ++e->seq, &u), -EBADMSG);
	put(e, "cg/a/memory.stat", "%s", "");
	assert_int_equal(who__cgroup_usage(e->who, cg, ++e->seq, &u), -EBADMSG);
	take(e, "cg/a/memory.stat");
	assert_int_equal(who__cgroup_usage(e->who, cg, ++e->seq, &u), -ENOENT);
	assert_int_equal(u.anon_bytes, 42);
	take(e, "cg/a");
	assert_int_equal(who__cgroup_usage(e->who, cg, ++e->seq, &u), -ENOENT);
}

static void test_node_memory(void **state)
{
	struct env *e = *state;
	uint64_t total = 1, available = 1;

	put_v2(e);
	open_who(e, (struct who_cfg){});
	assert_int_equal(who__node_memory(e->who, &total, &available), 0);
	assert_int_equal(total, 2 * MIB);
	assert_int_equal(available, 1 * MIB);
	put(e, "proc/meminfo", "MemTotal: x\n");
	assert_int_equal(who__node_memory(e->who, &total, &available), -EBADMSG);
	take(e, "proc/meminfo");
	assert_int_equal(who__node_memory(e->who, &total, &available), -ENOENT);
	assert_int_equal(total, 2 * MIB);
}

/* ---- names of containers ---- */

#define TASKS "io.containerd.runtime.v2.task/"
#define CRI   "run/containerd/" TASKS "k8s.io/" ID "/config.json"
#define OVERLAY "containers/storage/overlay-containers/"

/* The cgroup of a process in `path`, on a v2 system whose runtimes left the files put before. */
static const struct cgroup_info *container_at(struct env *e, const char *path)
{
	char rel[PATH_MAX];

	put_v2(e);
	snprintf(rel, sizeof(rel), "cg%s", path);
	put_v2_mem(e, rel, "max", 0, "anon 1\n");
	snprintf(rel, sizeof(rel), "0::%s\n", path);
	put_proc(e, 7, "web", rel);
	assert_int_equal(open_who(e, (struct who_cfg){}), 0);
	return see(e, 7, 0)->cgroup;
}

static const char cri_config[] =
	"{\"ociVersion\":\"1.0\",\"annotations\":{"
	"\"io.kubernetes.cri.container-name\":\"api\",\"io.kubernetes.cri.container-type\":"
	"\"container\",\"io.kubernetes.cri.sandbox-name\":\"api-7d4-x2x\","
	"\"io.kubernetes.cri.sandbox-namespace\":\"shop\",\"io.kubernetes.cri.sandbox-uid\":"
	"\"" UID "\",\"io.kubernetes.cri.image-name\":\"registry/api:1\"}}";

static void assert_api(const struct cgroup_info *cg)
{
	assert_string_equal(cg->container_id, ID);
	assert_string_equal(cg->container, "api");
	assert_string_equal(cg->pod, "api-7d4-x2x");
	assert_string_equal(cg->ns, "shop");
	assert_string_equal(cg->pod_uid, UID);
	assert_null(cg->workload);
}

static void test_containerd(void **state)
{
	struct env *e = *state;
	const struct cgroup_info *cg;

	put(e, CRI, "%s", cri_config);
	/* The path does not say which runtime, nor (here) which pod: the bundle does. */
	cg = container_at(e, "/custom/" ID);
	assert_string_equal(cg->runtime, "containerd");
	assert_api(cg);
	assert_string_equal(cg->image, "registry/api:1");
}

static void test_k3s(void **state)
{
	struct env *e = *state;

	put(e, "run/k3s/containerd/" TASKS "k8s.io/" ID "/config.json", "%s", cri_config);
	assert_api(container_at(e, "/kubepods/burstable/pod" UID "/" ID));
}

static void test_crio(void **state)
{
	struct env *e = *state;
	const struct cgroup_info *cg;

	put(e, "run/" OVERLAY ID "/userdata/config.json",
	    "{\"annotations\":{\"io.container.manager\":\"cri-o\",\"io.kubernetes.pod.name\":"
	    "\"api-7d4-x2x\",\"io.kubernetes.pod.namespace\":\"shop\",\"io.kubernetes.pod.uid\":"
	    "\"" UID "\",\"io.kubernetes.container.name\":\"api\"}}");
	cg = container_at(e, "/kubepods.slice/crio-" ID ".scope");
	assert_string_equal(cg->runtime, "cri-o");
	assert_api(cg);
	assert_null(cg->image);
}

static void test_docker(void **state)
{
	struct env *e = *state;
	const struct cgroup_info *cg;

	put(e, "var/lib/docker/containers/" ID "/config.v2.json",
	    "{\"ID\":\"" ID "\",\"Name\":\"/shop-db\",\"Config\":{\"Image\":\"postgres:16\","
	    "\"Labels\":{}}}");
	cg = container_at(e, "/system.slice/docker-" ID ".scope");
	assert_string_equal(cg->container, "shop-db");
	assert_string_equal(cg->image, "postgres:16");
	assert_null(cg->pod);
	assert_null(cg->ns);
}

static void test_docker_in_kubernetes(void **state)
{
	struct env *e = *state;

	put(e, "var/lib/docker/containers/" ID "/config.v2.json",
	    "{\"Name\":\"/k8s_api_x\",\"Config\":{\"Labels\":{\"io.kubernetes.container.name\":"
	    "\"api\",\"io.kubernetes.pod.name\":\"api-7d4-x2x\",\"io.kubernetes.pod.namespace\":"
	    "\"shop\",\"io.kubernetes.pod.uid\":\"" UID "\"}}}");
	assert_api(container_at(e, "/kubepods/pod" UID "/" ID));
}

static void test_podman(void **state)
{
	struct env *e = *state;
	const struct cgroup_info *cg;

	put(e, "var/lib/" OVERLAY "containers.json",
	    "[{\"id\":\"" ID2 "\",\"names\":[\"other\"]},{\"id\":\"" ID "\",\"names\":"
	    "[\"web1\",\"x\"],\"metadata\":\"{\\\"image-name\\\":\\\"localhost/web:2\\\"}\"}]");
	cg = container_at(e, "/machine.slice/libpod-" ID ".scope/container");
	assert_string_equal(cg->runtime, "podman");
	assert_string_equal(cg->container, "web1");
	assert_string_equal(cg->image, "localhost/web:2");
}

static void test_lxc(void **state)
{
	struct env *e = *state;
	const struct cgroup_info *cg = container_at(e, "/lxc.payload.we\x1b" "b/init.scope");

	assert_string_equal(cg->runtime, "lxc");
	assert_null(cg->container_id);
	assert_string_equal(cg->container, "we?b");
}

/* Podman's bundle is where CRI-O's would be. */
static void test_not_crio(void **state)
{
	struct env *e = *state;
	const struct cgroup_info *cg;

	put(e, "run/" OVERLAY ID "/userdata/config.json",
	    "{\"annotations\":{\"io.container.manager\":\"libpod\"}}");
	cg = container_at(e, "/custom/" ID);
	assert_null(cg->runtime);
	assert_string_equal(cg->container, SHORT);
}

/* Whatever stands where a bundle should be, the short id is what remains. */
static void assert_unnamed(struct env *e)
{
	const struct cgroup_info *cg = container_at(e, "/x/cri-containerd-" ID ".scope");

	assert_string_equal(cg->runtime, "containerd");
	assert_string_equal(cg->container, SHORT);
	assert_null(cg->pod);
	assert_null(cg->pod_uid);
	assert_null(cg->image);
}

static void test_bundle_fifo(void **state)
{
	struct env *e = *state;
	char path[PATH_MAX];

	put(e, CRI, "x");
	at(path, e, CRI);
	unlink(path);
	assert_int_equal(mkfifo(path, 0644), 0);
	assert_unnamed(e);
}

static void test_bundle_symlink(void **state)
{
	struct env *e = *state;
	char path[PATH_MAX], target[PATH_MAX];

	put(e, "secret.json", "%s", cri_config);
	put(e, CRI, "x");
	at(path, e, CRI);
	at(target, e, "secret.json");
	unlink(path);
	assert_int_equal(symlink(target, path), 0);
	assert_unnamed(e);
}

static void test_bundle_huge(void **state)
{
	struct env *e = *state;
	char *text = malloc(2 * MIB);

	assert_non_null(text);
	memset(text, ' ', 2 * MIB);
	memcpy(text, cri_config, strlen(cri_config));
	put_bytes(e, CRI, text, 2 * MIB);
	free(text);
	assert_unnamed(e);
}

static void test_bundle_garbled(void **state)
{
	static const char *const texts[] = {
		"", "{", "[]", "null", "{\"annotations\":[]}", "{\"annotations\":null}",
		"{\"annotations\":{\"io.kubernetes.cri.container-name\":7}}",
		"{\"annotations\":{\"io.kubernetes.cri.container-name\":\"\"}}",
		"{\"annotations\":{\"io.kubernetes.cri.sandbox-uid\":\"../../etc\"}}",
		"{\"annotations\":{\"io.kubernetes.cri.sandbox-uid\":\"" UID UID "\"}}",
		"{\"annotations\":{\"io.kubernetes.cri.sandbox-name\":\"\xff\"}}",
	};
	struct env *e = *state;
	size_t i;

	for (i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		put(e, CRI, "%s", texts[i]);
		assert_unnamed(e);
		who__free(e->who);
		e->who = NULL;
		take(e, "proc");
		put_dir(e, "proc");
	}
}

static void test_bundle_hostile(void **state)
{
	struct env *e = *state;
	const struct cgroup_info *cg;
	char name[1001];

	memset(name, 'n', 1000);
	name[1000] = '\0';
	put(e, CRI, "{\"annotations\":{\"io.kubernetes.cri.container-name\":\"a\\u001b[2J\\n\","
		    "\"io.kubernetes.cri.sandbox-namespace\":\"%s\","
		    "\"io.kubernetes.cri.sandbox-uid\":\"" UID "\"}}", name);
	cg = container_at(e, "/kubepods/podaaaaaaaa-9abc-def0-1234-56789abcdef0/" ID);
	assert_string_equal(cg->container, "a?[2J?");
	assert_in_range(strlen(cg->ns), 60, 256);
	/* The path's word on the pod comes from the kernel, and stands. */
	assert_string_equal(cg->pod_uid, "aaaaaaaa-9abc-def0-1234-56789abcdef0");
}

/* ---- names from the kubelet's logs ---- */

#define POD_CGROUP "/kubepods/burstable/pod" UID

static void put_logs(struct env *e)
{
	put(e, "var/log/pods/shop_api-7d4-x2x_" UID "/api/0.log", "x");
	put(e, "var/log/containers/api-7d4-x2x_shop_api-" ID ".log", "x");
}

static void test_log_names(void **state)
{
	struct env *e = *state;
	const struct cgroup_info *cg;

	put_logs(e);
	cg = container_at(e, POD_CGROUP "/" ID);
	assert_null(cg->runtime);
	assert_api(cg);
	assert_int_equal(cg->is_named, 1);
}

/* The pod's own cgroup has a name as well, and both know each other. */
static void test_pod_cgroup(void **state)
{
	struct env *e = *state;
	const struct cgroup_info *cg, *pod;

	put(e, CRI, "%s", cri_config);
	cg = container_at(e, POD_CGROUP "/" ID "/worker/7");
	pod = cg->pod_cgroup;
	assert_non_null(pod);
	assert_string_equal(pod->path, POD_CGROUP);
	assert_string_equal(pod->pod, "api-7d4-x2x");
	assert_string_equal(pod->ns, "shop");
	assert_null(pod->container);
	assert_ptr_equal(pod->pod_cgroup, pod);
	assert_null(pod->container_cgroup);
	assert_string_equal(cg->container_cgroup->path, POD_CGROUP "/" ID);
	assert_ptr_equal(cg->container_cgroup->pod_cgroup, pod);
	assert_api(cg);
	assert_null(who__cgroup_by_path(e->who, "/kubepods/burstable")->pod_cgroup);
}

/* Logs that come after the container are found by the next look. */
static void test_log_names_late(void **state)
{
	struct env *e = *state;
	const struct cgroup_info *cg = container_at(e, POD_CGROUP "/" ID);

	assert_string_equal(cg->container, SHORT);
	assert_int_equal(cg->is_named, 0);
	put_logs(e);
	who__expire(e->who);
	assert_api(cg);
}

/* A pod's only container can be told from its directory alone; its sandbox is not it. */
static void test_only_container(void **state)
{
	struct seep_task_id pause = task(8);
	struct env *e = *state;
	const struct cgroup_info *cg;

	put(e, "var/log/pods/shop_api-7d4-x2x_" UID "/api/0.log", "x");
	assert_api(container_at(e, POD_CGROUP "/" ID));
	put_v2_mem(e, "cg" POD_CGROUP "/" ID2, "max", 0, "anon 1\n");
	put_proc(e, 8, "pause", "0::" POD_CGROUP "/" ID2 "\n");
	cg = who__process(e->who, &pause, 0, "pause")->cgroup;
	assert_string_equal(cg->container, "fedcba987654");
	assert_string_equal(cg->pod, "api-7d4-x2x");
}

static void test_several_containers(void **state)
{
	struct env *e = *state;

	put(e, "var/log/pods/shop_api-7d4-x2x_" UID "/api/0.log", "x");
	put(e, "var/log/pods/shop_api-7d4-x2x_" UID "/sidecar/0.log", "x");
	assert_string_equal(container_at(e, POD_CGROUP "/" ID)->container, SHORT);
}

static void test_log_names_hostile(void **state)
{
	static const char *const names[] = {
		"_" UID, "__" UID, "shop_api", "shop_api_x_" UID, "_api_" UID, "shop__" UID,
		"shop_api_" UID UID, "shop_api_../../etc",
	};
	struct env *e = *state;
	const struct cgroup_info *cg;
	char path[PATH_MAX], rel[300];
	size_t i;

	for (i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		snprintf(rel, sizeof(rel), "var/log/pods/%s/api", names[i]);
		put_dir(e, rel);
	}
	put(e, "var/log/containers/-" ID ".log", "x");
	put(e, "var/log/containers/" ID ".log", "x");
	put(e, "var/log/containers/a_b_c-" ID2 ".log", "x");
	cg = container_at(e, POD_CGROUP "/" ID);
	assert_null(cg->pod);
	assert_null(cg->ns);
	assert_string_equal(cg->container, SHORT);
	/* a link is not followed, whatever it leads to */
	take(e, "var/log/pods");
	at(path, e, "var/log/pods");
	put(e, "elsewhere/shop_api_" UID "/api/0.log", "x");
	assert_int_equal(symlink("../../elsewhere", path), 0);
	who__expire(e->who);
	assert_null(cg->pod);
}

static void test_sandbox(void **state)
{
	struct env *e = *state;
	const struct cgroup_info *cg;

	put(e, CRI, "{\"annotations\":{\"io.kubernetes.cri.container-type\":\"sandbox\","
		    "\"io.kubernetes.cri.container-name\":\"POD\","
		    "\"io.kubernetes.cri.sandbox-name\":\"api-7d4-x2x\"}}");
	put(e, "var/log/pods/shop_api-7d4-x2x_" UID "/api/0.log", "x");
	cg = container_at(e, POD_CGROUP "/" ID);
	assert_string_equal(cg->container, SHORT);
	assert_int_equal(cg->is_named, 0);
	assert_string_equal(cg->pod, "api-7d4-x2x");
}

/* ---- the real system ---- */

static void test_real(void **state)
{
	struct seep_task_id id = {.tgid = getpid()};
	struct env *e = *state;
	const struct proc_info *p;
	struct cgroup_usage u;
	uint64_t total, available;
	int err;

	err = who__new(&(struct who_cfg){}, &e->who);
	if (err && err != -ENODEV)
		fail();
	p = who__process(e->who, &id, 0, "me");
	assert_non_null(p);
	assert_int_equal(p->uid, getuid());
	assert_non_null(strstr(p->exe, "test_who"));
	assert_non_null(strstr(p->cmdline, "test_who"));
	assert_non_null(p->cgroup);
	assert_int_equal(p->cgroup->path[0], '/');
	assert_int_equal(who__node_memory(e->who, &total, &available), 0);
	assert_true(available < total);
	/* Kernel threads have neither. */
	id.tgid = 2;
	p = who__process(e->who, &id, 0, "kthreadd");
	if (p->cgroup)
		assert_null(p->cmdline);
	p = who__process(e->who, &(struct seep_task_id){.tgid = getpid()}, 0, "me");
	if (err || !p->cgroup->id || !strcmp(p->cgroup->path, "/"))
		return;
	u = use(e, p->cgroup);
	assert_in_range(u.anon_bytes, 4096, total);
	assert_true(u.usage_bytes >= u.anon_bytes / 2);
}

/* Our real start time, as the kernel's iterator would give it, and a wrong one. */
static void test_real_start(void **state)
{
	struct seep_task_id id = {.tgid = getpid()};
	struct env *e = *state;
	char text[4096], *p;
	int i;

	assert_true(fs__read("/proc/self/stat", text, sizeof(text)) > 0);
	p = strrchr(text, ')') + 1;
	for (i = 0; i < 19; i++)
		p = strchr(p + 1, ' ');
	id.start_ns = strtoull(p, NULL, 10) * (1000000000ULL / sysconf(_SC_CLK_TCK)) + 5;
	who__new(&(struct who_cfg){}, &e->who);
	assert_non_null(who__process(e->who, &id, 0, "me")->cmdline);
	id.start_ns += 1000000000ULL;
	assert_null(who__process(e->who, &id, 0, "me")->cmdline);
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_process),
		T(test_cached),
		T(test_exec),
		T(test_moved),
		T(test_pid_reuse),
		T(test_vanished),
		T(test_garbled_proc),
		T(test_hostile_names),
		T(test_bounds),
		T(test_hybrid),
		T(test_v1_comounted),
		T(test_no_controller),
		T(test_no_mount),
		T(test_no_proc),
		T(test_named_dir),
		T(test_escaped_mount),
		T(test_partial_mount),
		T(test_namespace),
		T(test_namespace_lost),
		T(test_controller_above),
		T(test_root),
		T(test_reborn),
		T(test_v2_usage),
		T(test_v2_older),
		T(test_v1_usage),
		T(test_ancestors),
		T(test_v1_ancestors),
		T(test_garbled_memory),
		T(test_node_memory),
		T(test_containerd),
		T(test_k3s),
		T(test_crio),
		T(test_docker),
		T(test_docker_in_kubernetes),
		T(test_podman),
		T(test_lxc),
		T(test_not_crio),
		T(test_bundle_fifo),
		T(test_bundle_symlink),
		T(test_bundle_huge),
		T(test_bundle_garbled),
		T(test_bundle_hostile),
		T(test_log_names), T(test_pod_cgroup), T(test_log_names_late), T(test_only_container),
		T(test_several_containers), T(test_log_names_hostile), T(test_sandbox),
		T(test_real),
		T(test_real_start),
	};

	return cmocka_run_group_tests_name("who", tests, NULL, NULL);
}
