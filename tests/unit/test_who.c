// SPDX-License-Identifier: BSD-2-Clause
/* test_who.c - who is it? Processes of a made-up /proc; the last ones are of the real system. */
#include "who_world.h"

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
	static const char cmdline[] = "a\x1b[31m\0b\nc\t\x7f\xc2\x9b"
				      "d\xc3\xa9\xff\xe2\x80\xae"
				      "\xed\xa0\x80\xf0\x9f\x98\x80\xc0\xaf\xe0\x80\xaf\xe2\x82";
	struct env *e = *state;
	struct seep_task_id id = task(7);
	const struct proc_info *p;

	put_v2(e);
	put_v2_mem(e, "cg/x\x1b]0;y\x07", "max", 5, "anon 5\n");
	put_proc(e, 7, "web", "0::/x\x1b]0;y\x07\n");
	put_bytes(e, "proc/7/cmdline", cmdline, sizeof(cmdline));
	open_who(e, (struct who_cfg){});
	p = who__process(e->who, &id, 0,
			 "a\rb\xe9\x1b\x9b"
			 "2J0123456789");
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

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_process),   T(test_cached),   T(test_exec),	   T(test_moved),
		T(test_pid_reuse), T(test_vanished), T(test_garbled_proc), T(test_hostile_names),
		T(test_bounds),	   T(test_real),     T(test_real_start),
	};

	return cmocka_run_group_tests_name("who", tests, NULL, NULL);
}
