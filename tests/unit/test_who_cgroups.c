// SPDX-License-Identifier: BSD-2-Clause
/* test_who_cgroups.c - in which cgroup, and how much room is left there? v1, v2, and both. */
#include "who_world.h"

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
	put_v2_mem(e, "cg/a", "max", 5,
		   "anon 1\nkernel_stack 16\nslab_reclaimable 1024\n"
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

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_hybrid),		T(test_v1_comounted),	  T(test_no_controller),
		T(test_no_mount),	T(test_no_proc),	  T(test_named_dir),
		T(test_escaped_mount),	T(test_partial_mount),	  T(test_namespace),
		T(test_namespace_lost), T(test_controller_above), T(test_root),
		T(test_reborn),		T(test_v2_usage),	  T(test_v2_older),
		T(test_v1_usage),	T(test_ancestors),	  T(test_v1_ancestors),
		T(test_garbled_memory), T(test_node_memory),
	};

	return cmocka_run_group_tests_name("who_cgroups", tests, NULL, NULL);
}
