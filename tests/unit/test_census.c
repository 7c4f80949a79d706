// SPDX-License-Identifier: BSD-2-Clause
/*
 * test_census.c - polls in, series, watches and incidents out: the agent without its kernel side.
 *
 * An agent is put together by hand over a made-up /proc and cgroup tree in a temporary directory;
 * every test feeds it polls second by second and looks at what became of the processes.
 */
#include <errno.h>
#include <ftw.h>
#include <limits.h>
#include <math.h>
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

#include "agent_world.h"
#include "base/log.h"

/* ---- processes and cgroups --------------------------------------------------------------- */

static void test_appear_grow_end(void **state)
{
	struct world *w = *state;
	struct watch *watch;

	world__proc(w, 100, "web", "/app");
	world__tick(w, (struct proc_sample[]){sized(100, "web", 10 * MIB)}, 1);
	watch = world__watch(w, 100);
	assert_non_null(watch);
	assert_int_equal(w->a.procs, 1);
	assert_int_equal(w->a.cgroups, 1);
	assert_int_equal(watch->signal_bytes, 10 * MIB);
	assert_string_equal(watch->cgroup->path, "/app");
	assert_string_equal(series__name(watch->series), "web[100]");

	world__tick(w, (struct proc_sample[]){sized(100, "web", 12 * MIB)}, 1);
	assert_ptr_equal(world__watch(w, 100), watch);
	assert_non_null(watch->detector); /* it grew */
	assert_int_equal(watch->signal_bytes, 12 * MIB);

	world__tick(w, NULL, 0);
	assert_int_equal(w->a.procs, 0);
	assert_int_equal(w->a.limbo_cnt, 1); /* it had grown: a successor may come */
	assert_true(watch->ended_s == w->a.now_s);
	world__idle(w, census__grace_s(&w->a) + 2);
	assert_int_equal(w->a.limbo_cnt, 0);
	assert_null(world__watch(w, 100));
}

static void test_flat_process_leaves_at_once(void **state)
{
	struct world *w = *state;

	world__proc(w, 100, "web", "/app");
	world__tick(w, (struct proc_sample[]){sized(100, "web", MIB)}, 1);
	world__tick(w, NULL, 0);
	assert_null(world__watch(w, 100));
	assert_int_equal(w->a.limbo_cnt, 0);
}

static void test_pid_reuse_is_another_process(void **state)
{
	struct proc_sample s = sized(100, "web", 10 * MIB);
	struct world *w = *state;

	world__proc(w, 100, "web", "/app");
	world__tick(w, &s, 1);
	s.id.start_ns += 5000000000ULL;
	world__tick(w, &s, 1);
	assert_null(world__watch(w, 100));
	assert_non_null(store__find(w->a.store, &(struct series_key){SERIES_PROC, 100,
								     s.id.start_ns}));
}

static void test_shared_mm_is_not_counted_twice(void **state)
{
	struct proc_sample s[] = {sized(100, "web", MIB), sized(101, "web", MIB)};
	struct world *w = *state;

	world__proc(w, 100, "web", "/app");
	world__proc(w, 101, "web", "/app");
	s[1].flags = SEEP_PROC_SHARED_MM;
	world__tick(w, s, 2);
	assert_int_equal(w->a.procs, 1);
	assert_null(world__watch(w, 101));
}

static void test_exec_renames_and_marks_a_start(void **state)
{
	struct proc_sample s = sized(100, "sh", MIB);
	struct world *w = *state;
	struct watch *watch;
	uint64_t identity;

	world__proc(w, 100, "sh", "/app");
	world__tick(w, &s, 1);
	watch = world__watch(w, 100);
	identity = watch->identity;
	world__cmdline(w, 100, "java");
	s = sized(100, "java", 40 * MIB);
	s.flags = SEEP_PROC_EXECED;
	world__tick(w, &s, 1);
	assert_ptr_equal(world__watch(w, 100), watch);
	assert_int_equal(watch->start, 1);
	assert_int_not_equal(watch->identity, identity);
	assert_string_equal(series__name(watch->series), "java[100]");
	assert_string_equal(watch->proc->cmdline, "java");
	assert_null(watch->detector); /* the new program begins at its own size */
}

/* Names are bytes that anybody may choose. */
static void test_names_are_cleaned(void **state)
{
	struct proc_sample s = sized(100, "a\x1b[2J\xff", MIB);
	struct world *w = *state;

	world__proc(w, 100, "x", "/app");
	world__tick(w, &s, 1);
	assert_string_equal(series__name(world__watch(w, 100)->series), "a?[2J?[100]");
}

static void test_cgroup_sums(void **state)
{
	struct proc_sample s[] = {sized(100, "web", MIB), sized(101, "db", 2 * MIB),
				  sized(102, "job", 4 * MIB)};
	struct world *w = *state;
	struct watch *cg;

	world__proc(w, 100, "web", "/app");
	world__proc(w, 101, "db", "/app");
	world__proc(w, 102, "job", "/other");
	world__cgroup(w, "/app", 3 * MIB, "8388608");
	world__tick(w, s, 3);
	cg = world__cgroup_watch(w, "/app");
	assert_int_equal(cg->procs, 2);
	assert_int_equal(cg->rss_bytes, 3 * MIB);
	assert_int_equal(cg->signal_bytes, 3 * MIB);
	assert_int_equal(cg->limit_bytes, 8 * MIB);
	assert_int_equal(world__watch(w, 100)->limit_bytes, 8 * MIB);
	world__tick(w, s + 1, 1); /* sums start anew with each poll */
	assert_int_equal(cg->procs, 1);
	assert_int_equal(cg->rss_bytes, 2 * MIB);
}

/* A cgroup whose files could not be read is unknown, not empty: no growth from nothing. */
static void test_unreadable_cgroup_is_unknown(void **state)
{
	struct proc_sample s = sized(100, "web", MIB);
	struct world *w = *state;
	struct watch *cg;

	world__proc(w, 100, "web", "/app");
	world__remove(w, "cg/app/memory.stat");
	world__tick(w, &s, 1);
	cg = world__cgroup_watch(w, "/app");
	assert_int_equal(world__points(w, cg), 0);
	world__cgroup(w, "/app", 500 * MIB, "max");
	world__idle_with(w, &s, 1, 5);
	assert_int_equal(cg->signal_bytes, 500 * MIB);
	assert_null(cg->detector);
}

static void test_shared_memory_has_one_owner_or_none(void **state)
{
	struct proc_sample s[] = {sized(100, "pg", MIB), sized(101, "pg", MIB)};
	struct world *w = *state;

	world__proc(w, 100, "pg", "/app");
	world__proc(w, 101, "pg", "/app");
	s[0].shmem_bytes = 64 * MIB;
	world__tick(w, s, 2);
	assert_int_equal(world__watch(w, 100)->signal_bytes, 65 * MIB);
	assert_int_equal(world__watch(w, 101)->signal_bytes, MIB);
	s[1].shmem_bytes = 64 * MIB; /* the same pages, or others: nobody can tell */
	world__tick(w, s, 2);
	assert_int_equal(world__watch(w, 100)->signal_bytes, MIB);
	assert_int_equal(world__watch(w, 101)->signal_bytes, MIB);
}

static void test_unknown_node_memory_is_no_limit(void **state)
{
	struct proc_sample s = sized(100, "web", MIB);
	struct world *w = *state;

	world__proc(w, 100, "web", "/app");
	world__remove(w, "proc/meminfo");
	world__tick(w, &s, 1);
	assert_true(world__watch(w, 100)->headroom_bytes == UINT64_MAX);
}

/* ---- restarts ---------------------------------------------------------------------------- */

static void grow_and_end(struct world *w, unsigned pid)
{
	struct proc_sample s = sized(pid, "web", 10 * MIB);

	world__proc(w, pid, "web", "/app");
	world__tick(w, &s, 1);
	s.anon_bytes += 2 * MIB;
	world__tick(w, &s, 1);
	world__tick(w, NULL, 0);
	assert_int_equal(w->a.limbo_cnt, 1);
}

static void test_restart_carries_the_series_on(void **state)
{
	struct proc_sample s = sized(200, "web", 8 * MIB);
	struct world *w = *state;
	struct series *series;

	grow_and_end(w, 100);
	series = world__watch(w, 100)->series;
	world__proc(w, 200, "web", "/app");
	world__tick(w, &s, 1);
	assert_int_equal(w->a.limbo_cnt, 0);
	assert_null(world__watch(w, 100));
	assert_ptr_equal(world__watch(w, 200)->series, series);
	assert_int_equal(world__watch(w, 200)->start, 1);
	assert_int_equal(world__points(w, world__watch(w, 200)), 3);
}

static void test_another_program_carries_nothing_on(void **state)
{
	struct proc_sample s = sized(200, "db", 8 * MIB);
	struct world *w = *state;

	grow_and_end(w, 100);
	world__proc(w, 200, "db", "/app");
	world__tick(w, &s, 1);
	assert_int_equal(w->a.limbo_cnt, 1);
	assert_int_equal(world__points(w, world__watch(w, 200)), 1);
}

/* A shell that becomes the program is its successor from then on. */
static void test_successor_by_exec(void **state)
{
	struct proc_sample s = sized(200, "sh", MIB);
	struct world *w = *state;
	struct series *series;

	grow_and_end(w, 100);
	series = world__watch(w, 100)->series;
	world__proc(w, 200, "sh", "/app");
	world__tick(w, &s, 1);
	assert_int_equal(w->a.limbo_cnt, 1);
	s = sized(200, "web", 8 * MIB);
	s.flags = SEEP_PROC_EXECED;
	world__cmdline(w, 200, "web");
	world__tick(w, &s, 1);
	assert_int_equal(w->a.limbo_cnt, 0);
	assert_ptr_equal(world__watch(w, 200)->series, series);
	assert_int_equal(world__watch(w, 200)->restarts, 1);
	assert_int_equal(world__points(w, world__watch(w, 200)), 3);
}

/* A poll missed a process that lives: nobody may take its series over, and nothing is left. */
static void test_back_from_limbo(void **state)
{
	struct proc_sample s[] = {sized(100, "web", 12 * MIB), sized(200, "web", 8 * MIB)};
	struct world *w = *state;
	struct watch *watch;

	grow_and_end(w, 100);
	watch = world__watch(w, 100);
	world__tick(w, s, 1);
	assert_ptr_equal(world__watch(w, 100), watch);
	assert_int_equal(w->a.limbo_cnt, 0);
	world__proc(w, 200, "web", "/app");
	world__tick(w, s, 2);
	assert_ptr_equal(world__watch(w, 100), watch);
	assert_ptr_not_equal(world__watch(w, 200), watch);
	world__idle(w, census__grace_s(&w->a) + 3);
	assert_null(world__watch(w, 100));
}

static void test_limbo_is_bounded(void **state)
{
	static struct proc_sample s[LIMBO_MAX + 3];
	struct world *w = *state;
	unsigned i;

	for (i = 0; i < LIMBO_MAX + 3; i++) {
		s[i] = sized(1000 + i, "web", MIB);
		world__proc(w, 1000 + i, "web", "/app");
	}
	world__tick(w, s, LIMBO_MAX + 3);
	for (i = 0; i < LIMBO_MAX + 3; i++)
		s[i].anon_bytes = 4 * MIB;
	world__tick(w, s, LIMBO_MAX + 3);
	world__tick(w, NULL, 0);
	assert_int_equal(w->a.limbo_cnt, LIMBO_MAX);
	assert_int_equal(w->a.limbo_dropped, 3);
}

/* ---- pods -------------------------------------------------------------------------------- */

#define POD_UID  "12345678-9abc-def0-1234-56789abcdef0"
#define POD_PATH "/kubepods/pod" POD_UID
#define ID_A     "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define ID_B     "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"

static void put_container(struct world *w, const char *id, const char *name)
{
	char rel[PATH_MAX];

	snprintf(rel, sizeof(rel),
		 "run/containerd/io.containerd.runtime.v2.task/k8s.io/%s/config.json", id);
	world__put(w, rel, "{\"annotations\":{\"io.kubernetes.cri.container-name\":\"%s\","
			   "\"io.kubernetes.cri.sandbox-name\":\"web-0\","
			   "\"io.kubernetes.cri.sandbox-namespace\":\"shop\"}}", name);
	snprintf(rel, sizeof(rel), POD_PATH "/%s", id);
	world__cgroup(w, POD_PATH, 4 * MIB, "104857600");
	world__cgroup(w, rel, 4 * MIB, "52428800");
}

static void test_pod_is_watched(void **state)
{
	struct proc_sample s = sized(100, "web", 4 * MIB);
	struct world *w = *state;
	struct watch *pod;

	put_container(w, ID_A, "web");
	world__proc(w, 100, "web", POD_PATH "/" ID_A "/worker");
	world__tick(w, &s, 1);
	assert_int_equal(w->a.cgroups, 3);
	pod = world__cgroup_watch(w, POD_PATH);
	assert_int_equal(pod->procs, 1);
	assert_int_equal(pod->own_limit_bytes, 100 * MIB);
	assert_string_equal(pod->cgroup->pod, "web-0");
	assert_int_equal(world__cgroup_watch(w, POD_PATH "/" ID_A)->procs, 1);
	assert_int_equal(world__cgroup_watch(w, POD_PATH "/" ID_A)->limit_bytes, 50 * MIB);
	assert_string_equal(world__watch(w, 100)->limit_path, POD_PATH "/" ID_A);
}

/* A process in a container that ends; the same container comes back under another id. */
static struct watch *restart_container(struct world *w, const char *name)
{
	struct proc_sample s = sized(100, "web", 10 * MIB);
	struct watch *container;

	put_container(w, ID_A, "web");
	world__proc(w, 100, "web", POD_PATH "/" ID_A);
	world__tick(w, &s, 1);
	s.anon_bytes += 4 * MIB;
	world__tick(w, &s, 1);
	container = world__cgroup_watch(w, POD_PATH "/" ID_A);
	world__idle(w, 8); /* longer than a process waits by itself */
	put_container(w, ID_B, name);
	world__proc(w, 200, "web", POD_PATH "/" ID_B);
	s = sized(200, "web", 8 * MIB);
	world__tick(w, &s, 1);
	return container;
}

static void test_restarted_container_goes_on(void **state)
{
	struct world *w = *state;
	struct watch *container = restart_container(w, "web");

	assert_ptr_equal(world__cgroup_watch(w, POD_PATH "/" ID_B), container);
	assert_string_equal(container->path, POD_PATH "/" ID_B);
	assert_int_equal(container->restarts, 1);
	assert_int_equal(world__points(w, container), 3);
	assert_null(world__watch(w, 100));
	assert_int_equal(world__watch(w, 200)->restarts, 1);
	assert_int_equal(world__points(w, world__watch(w, 200)), 3);
}

static void test_sidecar_carries_nothing_on(void **state)
{
	struct world *w = *state;
	struct watch *container = restart_container(w, "sidecar");

	assert_ptr_not_equal(world__cgroup_watch(w, POD_PATH "/" ID_B), container);
	assert_int_equal(world__watch(w, 200)->restarts, 0);
	assert_int_equal(world__points(w, world__watch(w, 200)), 1);
}

/* Two of the same name at once are two containers, whatever somebody wrote there. */
static void test_living_container_keeps_its_own(void **state)
{
	struct proc_sample s[] = {sized(100, "web", 4 * MIB), sized(200, "web", 8 * MIB)};
	struct world *w = *state;

	put_container(w, ID_A, "web");
	put_container(w, ID_B, "web");
	world__proc(w, 100, "web", POD_PATH "/" ID_A);
	world__proc(w, 200, "web", POD_PATH "/" ID_B);
	world__tick(w, s, 1);
	world__tick(w, s, 2);
	assert_ptr_not_equal(world__cgroup_watch(w, POD_PATH "/" ID_A),
			     world__cgroup_watch(w, POD_PATH "/" ID_B));
}

/* The pod is deleted: nobody will come back. */
static void test_deleted_pod_ends_sooner(void **state)
{
	struct proc_sample s = sized(100, "web", 10 * MIB);
	char path[PATH_MAX], gone[PATH_MAX];
	struct world *w = *state;

	put_container(w, ID_A, "web");
	world__proc(w, 100, "web", POD_PATH "/" ID_A);
	world__tick(w, &s, 1);
	s.anon_bytes += 4 * MIB;
	world__tick(w, &s, 1);
	world__idle(w, census__grace_s(&w->a) + 2);
	assert_non_null(world__watch(w, 100));
	snprintf(path, sizeof(path), "%s/cg" POD_PATH, w->dir);
	snprintf(gone, sizeof(gone), "%s/gone", w->dir);
	assert_int_equal(rename(path, gone), 0);
	world__idle(w, 1);
	assert_null(world__watch(w, 100));
}

/* ---- events ------------------------------------------------------------------------------ */

static void test_events(void **state)
{
	struct proc_event ev = {.kind = SEEP_EVENT_OOM, .id = {.tgid = 100}, .comm = "we\x1b[31m"};
	struct proc_sample s = sized(100, "web", 7 * MIB);
	struct world *w = *state;

	world__proc(w, 100, "web", "/app");
	world__tick(w, &s, 1);
	census__event(&w->a, &ev); /* by pid alone, sizes unknown */
	assert_string_equal(world__watch(w, 100)->end_reason, "OOM-killed");
	assert_int_equal(w->a.oom_cnt, 1);
	assert_int_equal(w->a.ooms[0].bytes, 7 * MIB);
	assert_null(strchr(w->a.ooms[0].comm, '\x1b'));
	assert_string_equal(json_string_value(json_object_get(w->a.ooms[0].known, "cgroup")),
			    "/app");
	ev = (struct proc_event){.kind = SEEP_EVENT_EXIT, .id = s.id};
	census__event(&w->a, &ev);
	assert_string_equal(world__watch(w, 100)->end_reason, "OOM-killed");
	ev.id.tgid = 4242;
	census__event(&w->a, &ev);
	assert_int_equal(w->a.short_lived, 1);
}

/* ---- at the bound ------------------------------------------------------------------------ */

/* Each newcomer in a cgroup of its own: making room must not take what is being counted. */
static void test_eviction(void **state)
{
	struct proc_sample s[3 * WORLD_MAX_SERIES];
	struct world *w = *state;
	struct store_stats stats;
	char path[32];
	unsigned i, n = sizeof(s) / sizeof(s[0]), round;

	for (i = 0; i < n; i++) {
		snprintf(path, sizeof(path), "/c%u", i);
		s[i] = sized(100 + i, "web", (i + 1) * MIB);
		world__proc(w, 100 + i, "web", path);
	}
	for (round = 0; round < 4; round++)
		world__tick(w, s, n);
	store__stats(w->a.store, &stats);
	assert_true(stats.evicted > 0);
	assert_true(stats.series <= WORLD_MAX_SERIES);
	world__idle(w, census__grace_s(&w->a) + 2);
	assert_int_equal(w->a.limbo_cnt, 0);
}

/* Nobody of equal size pushes another out; who is left out counts into its cgroup, is taken in when
 * it has grown, and leaves nothing behind when it ends. */
static void test_the_smallest_are_left_out(void **state)
{
	enum { N = 2 * WORLD_MAX_SERIES, LAST = 100 + N - 1 };
	struct proc_sample s[N];
	struct world *w = *state;
	struct store_stats stats;
	struct who_stats who;
	unsigned i, round;

	for (i = 0; i < N; i++) {
		s[i] = sized(100 + i, "web", 4 * MIB);
		world__proc(w, 100 + i, "web", "/app");
	}
	for (round = 0; round < 4; round++)
		world__tick(w, s, N);
	store__stats(w->a.store, &stats);
	assert_int_equal(stats.series, WORLD_MAX_SERIES);
	assert_true(stats.evicted <= 2); /* by the cgroup and the root, which came after the first */
	assert_true(w->a.unwatched >= N - WORLD_MAX_SERIES);
	assert_int_equal(w->a.unwatched + w->a.procs, N);
	assert_int_equal(world__cgroup_watch(w, "/app")->procs, N);
	assert_int_equal(world__points(w, world__watch(w, 100)), 4);
	assert_null(world__watch(w, LAST));

	s[N - 1].anon_bytes = 8 * MIB;
	world__tick(w, s, N);
	assert_non_null(world__watch(w, LAST));
	assert_int_equal(w->a.unwatched + w->a.procs, N);

	world__idle(w, census__grace_s(&w->a) + 2);
	assert_int_equal(w->a.unwatched, 0);
	who__stats(w->a.who, &who);
	assert_int_equal(who.procs, 0);
}

/* ---- verdicts and incidents -------------------------------------------------------------- */

static void test_leak_becomes_one_incident(void **state)
{
	struct world *w = *state;
	const struct incident *in;

	world__proc(w, 100, "web", "/app");
	world__leak(w, 100, "/app");
	in = world__incident(w, 100);
	assert_non_null(in);
	assert_int_equal(tracker__open_cnt(w->a.tracker), 1); /* its cgroup is explained by it */
	assert_string_equal(in->object.comm, "web");
	assert_string_equal(in->object.cgroup, "/app");
	assert_int_equal(in->object.pid, 100);
	assert_true(in->history_cnt > 10);
	assert_true(json_array_size(in->top[TOP_PROCESSES]) >= 1);
	assert_string_equal(in->not_seen[0], "call sites: there is no BPF to look with");
}

/* The memory of a cgroup counts into those above it: still one incident. */
static void test_parent_cgroup_is_explained_from_below(void **state)
{
	struct proc_sample s[] = {sized(50, "init", MIB), sized(100, "web", MIB)};
	struct world *w = *state;
	uint64_t size = 100 * MIB;
	int i;

	world__proc(w, 50, "init", "/app");
	world__proc(w, 100, "web", "/app/child");
	for (i = 0; i < WORLD_WINDOW_S; i++, size += 2 * MIB) {
		s[1].anon_bytes = size;
		world__cgroup(w, "/app", size + MIB, "max");
		world__cgroup(w, "/app/child", size, "max");
		world__tick(w, s, 2);
	}
	assert_non_null(world__incident(w, 100));
	assert_int_equal(tracker__open_cnt(w->a.tracker), 1);
}

/* Kernel memory and tmpfs belong to no process: then the cgroup is the object. */
static void test_unexplained_cgroup_is_reported(void **state)
{
	struct proc_sample s = sized(100, "web", MIB);
	struct world *w = *state;
	const struct incident *in;
	uint64_t size = 100 * MIB;
	int i;

	world__proc(w, 100, "web", "/app");
	for (i = 0; i < WORLD_WINDOW_S; i++, size += 2 * MIB) {
		world__cgroup(w, "/app", size, "max");
		s.file_bytes += MIB; /* moves, so that its files are read */
		world__tick(w, &s, 1);
	}
	in = tracker__open_of(w->a.tracker, "c:/app");
	assert_non_null(in);
	assert_string_equal(in->object.kind, "cgroup");
	assert_int_equal(tracker__open_cnt(w->a.tracker), 1);
}

static void test_root_cgroup_is_never_an_object(void **state)
{
	struct proc_sample s = sized(100, "web", MIB);
	struct world *w = *state;
	int i;

	world__proc(w, 100, "web", "/");
	for (i = 0; i < WORLD_WINDOW_S; i++) {
		world__cgroup(w, "/", (100 + 2 * i) * MIB, "max");
		world__tick(w, &s, 1);
	}
	assert_int_equal(tracker__open_cnt(w->a.tracker), 0);
}

static void test_incident_follows_a_restart(void **state)
{
	struct proc_sample s = sized(200, "web", 100 * MIB);
	const struct incident *in;
	char id[INCIDENT_ID_LEN];
	struct world *w = *state;

	world__proc(w, 100, "web", "/app");
	world__leak(w, 100, "/app");
	strcpy(id, world__incident(w, 100)->id);
	world__tick(w, NULL, 0);
	world__proc(w, 200, "web", "/app");
	world__tick(w, &s, 1);
	assert_null(world__incident(w, 100));
	in = world__incident(w, 200);
	assert_non_null(in);
	assert_string_equal(in->id, id);
	assert_int_equal(in->object.pid, 200);
}

static void test_incident_closes_with_its_process(void **state)
{
	struct world *w = *state;

	world__proc(w, 100, "web", "/app");
	world__leak(w, 100, "/app");
	world__idle(w, census__grace_s(&w->a) + 3);
	assert_int_equal(tracker__open_cnt(w->a.tracker), 0);
}

/* The agent is killed without a word: the next one goes on with the same incident. */
static void test_sigkill_loses_nothing(void **state)
{
	struct proc_sample s = sized(100, "web", 0);
	char id[INCIDENT_ID_LEN];
	struct world *w = *state;
	size_t points;

	world__proc(w, 100, "web", "/app");
	s.anon_bytes = world__leak(w, 100, "/app");
	strcpy(id, world__incident(w, 100)->id);
	points = world__points(w, world__watch(w, 100));
	world__kill(w);
	assert_int_equal(tracker__open_cnt(w->a.tracker), 1);
	s.anon_bytes += 2 * MIB;
	world__tick(w, &s, 1);
	world__tick(w, &s, 1);
	assert_true(world__points(w, world__watch(w, 100)) >= points);
	assert_non_null(world__watch(w, 100)->detector); /* its incident is open */
	assert_string_equal(world__incident(w, 100)->id, id);
}

/* Restored, and never seen again: the slots are given back. */
static void test_restored_and_gone(void **state)
{
	struct proc_sample s = sized(100, "web", MIB), other = sized(101, "x", MIB);
	struct world *w = *state;
	struct store_stats stats;

	world__proc(w, 100, "web", "/app");
	world__proc(w, 101, "x", "/x");
	world__tick(w, &s, 1);
	world__kill(w);
	world__idle_with(w, &other, 1, WORLD_WINDOW_S / 4 + 5);
	store__stats(w->a.store, &stats);
	assert_int_equal(stats.series, 2);
}

static void test_long_paths_are_told_apart(void **state)
{
	char path[2][600], key[2][WATCH_KEY_LEN];
	struct series_key series_key;
	struct watch *watch;
	struct world *w = *state;
	int i;

	for (i = 0; i < 2; i++) {
		memset(path[i], 'x', sizeof(path[i]) - 1);
		path[i][0] = '/';
		path[i][sizeof(path[i]) - 2] = '0' + i;
		path[i][sizeof(path[i]) - 1] = '\0';
		series_key = series_key__cgroup(path[i]);
		watch = watch__new(store__touch(w->a.store, &series_key, path[i]), 0);
		watch->path = strdup(path[i]);
		watch__key(watch, key[i]);
	}
	assert_string_not_equal(key[0], key[1]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		WORLD_TEST(test_appear_grow_end),
		WORLD_TEST(test_flat_process_leaves_at_once),
		WORLD_TEST(test_pid_reuse_is_another_process),
		WORLD_TEST(test_shared_mm_is_not_counted_twice),
		WORLD_TEST(test_exec_renames_and_marks_a_start),
		WORLD_TEST(test_names_are_cleaned),
		WORLD_TEST(test_cgroup_sums),
		WORLD_TEST(test_unreadable_cgroup_is_unknown),
		WORLD_TEST(test_shared_memory_has_one_owner_or_none),
		WORLD_TEST(test_unknown_node_memory_is_no_limit),
		WORLD_TEST(test_restart_carries_the_series_on),
		WORLD_TEST(test_another_program_carries_nothing_on),
		WORLD_TEST(test_successor_by_exec),
		WORLD_TEST(test_back_from_limbo),
		WORLD_TEST(test_limbo_is_bounded),
		WORLD_TEST(test_pod_is_watched),
		WORLD_TEST(test_restarted_container_goes_on),
		WORLD_TEST(test_sidecar_carries_nothing_on),
		WORLD_TEST(test_living_container_keeps_its_own),
		WORLD_TEST(test_deleted_pod_ends_sooner),
		WORLD_TEST(test_events),
		cmocka_unit_test_setup_teardown(test_eviction, world__setup_small,
						world__teardown),
		cmocka_unit_test_setup_teardown(test_the_smallest_are_left_out, world__setup_small,
						world__teardown),
		WORLD_TEST(test_leak_becomes_one_incident),
		WORLD_TEST(test_parent_cgroup_is_explained_from_below),
		WORLD_TEST(test_unexplained_cgroup_is_reported),
		WORLD_TEST(test_root_cgroup_is_never_an_object),
		WORLD_TEST(test_incident_follows_a_restart),
		WORLD_TEST(test_incident_closes_with_its_process),
		WORLD_TEST(test_sigkill_loses_nothing),
		WORLD_TEST(test_restored_and_gone),
		WORLD_TEST(test_long_paths_are_told_apart),
	};

	log__set_level(LOG_LEVEL_ERROR);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
