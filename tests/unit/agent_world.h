/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * agent_world.h - an agent put together by hand over a made-up node.
 *
 * /proc and the cgroup tree are regular files below a temporary directory; store, journal,
 * history, tracker and who are the real ones. There is no BPF, no socket and no clock: each
 * world__tick is one second. Included by one test program each, hence all static.
 */
#ifndef SEEP_TESTS_AGENT_WORLD_H
#define SEEP_TESTS_AGENT_WORLD_H

#include "agent/state.h"
#include "base/fs.h"

#define MIB              (1ULL << 20)
#define TICK_NS          10000000ULL
#define WORLD_START_S    1700000000.0
#define WORLD_WINDOW_S   240
#define WORLD_MAX_SERIES 40

#define WORLD_TEST(fn) cmocka_unit_test_setup_teardown(fn, world__setup, world__teardown)

struct world {
	struct agent a;
	char dir[64];
	char proc[80];
	char state_dir[80];
};

/* ---- files ---- */

static __attribute__((format(printf, 3, 4))) void world__put(struct world *w, const char *rel,
							      const char *fmt, ...)
{
	char path[PATH_MAX];
	va_list ap;
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s", w->dir, rel);
	*strrchr(path, '/') = '\0';
	assert_int_equal(fs__mkdir_p(path, 0755), 0);
	snprintf(path, sizeof(path), "%s/%s", w->dir, rel);
	f = fopen(path, "w");
	assert_non_null(f);
	va_start(ap, fmt);
	vfprintf(f, fmt, ap);
	va_end(ap);
	assert_int_equal(fclose(f), 0);
}

static inline void world__remove(struct world *w, const char *rel)
{
	char path[PATH_MAX];

	snprintf(path, sizeof(path), "%s/%s", w->dir, rel);
	assert_int_equal(unlink(path), 0);
}

/* A cgroup of this much anonymous memory; max is a number of bytes or "max". */
static void world__cgroup(struct world *w, const char *path, uint64_t anon, const char *max)
{
	char rel[PATH_MAX];

	snprintf(rel, sizeof(rel), "cg%s/memory.max", path);
	world__put(w, rel, "%s\n", max);
	snprintf(rel, sizeof(rel), "cg%s/memory.current", path);
	world__put(w, rel, "%llu\n", (unsigned long long)anon);
	snprintf(rel, sizeof(rel), "cg%s/memory.stat", path);
	world__put(w, rel, "anon %llu\nfile 0\nshmem 0\n", (unsigned long long)anon);
	snprintf(rel, sizeof(rel), "cg%s/memory.swap.current", path);
	world__put(w, rel, "0\n");
}

static inline void world__cmdline(struct world *w, unsigned pid, const char *text)
{
	char rel[64];

	snprintf(rel, sizeof(rel), "proc/%u/cmdline", pid);
	world__put(w, rel, "%s", text);
}

/* What who/ reads of a process. It started at pid * 10 clock ticks. */
static void world__proc(struct world *w, unsigned pid, const char *comm, const char *cgroup)
{
	char rel[PATH_MAX];
	struct stat st;

	snprintf(rel, sizeof(rel), "proc/%u/stat", pid);
	world__put(w, rel, "%u (%s) S 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 %u 20 21\n", pid,
		   comm, pid * 10);
	snprintf(rel, sizeof(rel), "proc/%u/status", pid);
	world__put(w, rel, "Name:\t%s\nUid:\t1000\t0\t0\t0\n", comm);
	snprintf(rel, sizeof(rel), "proc/%u/cgroup", pid);
	world__put(w, rel, "0::%s\n", cgroup);
	world__cmdline(w, pid, comm);
	snprintf(rel, sizeof(rel), "%s/cg%s/memory.stat", w->dir, cgroup);
	if (stat(rel, &st))
		world__cgroup(w, cgroup, MIB, "max");
}

static struct proc_sample sized(unsigned pid, const char *comm, uint64_t anon)
{
	struct proc_sample s = {
		.id = {.tgid = pid, .start_ns = pid * 10 * TICK_NS + 1234567},
		.anon_bytes = anon,
		.hwm_bytes = anon,
		.lwm_bytes = anon,
		.threads = 1,
	};

	snprintf(s.comm, sizeof(s.comm), "%s", comm);
	return s;
}

/* ---- the agent ---- */

static void world__on_evict(void *ctx, struct series *s)
{
	census__evicted(ctx, s);
}

/* Everything that is in memory, and what is on disk read back. */
static void world__boot(struct world *w)
{
	struct who_cfg who_cfg = {.proc_dir = w->proc, .root_dir = w->dir};
	struct poller_cfg poller_cfg = {.proc_dir = w->proc, .no_bpf = 1};
	struct store_cfg store_cfg = {
		.interval_s = 1,
		.window_s = WORLD_WINDOW_S,
		.max_series = w->a.cfg.max_processes,
	};
	struct journal_cfg journal_cfg = {.dir = w->state_dir, .boot_id = "this"};
	struct tracker_cfg tracker_cfg = {.node = "node", .window_s = WORLD_WINDOW_S};
	struct agent *a = &w->a;
	char path[128];
	const char *why;

	assert_int_equal(who__new(&who_cfg, &a->who), 0);
	assert_int_equal(poller__new(&poller_cfg, &a->poller), 0);
	a->store = store__new(&store_cfg);
	assert_non_null(a->store);
	store__on_evict(a->store, world__on_evict, a);
	assert_int_equal(journal__open(&journal_cfg, a->store, &a->journal, &a->restored_polls), 0);
	snprintf(path, sizeof(path), "%s/incidents.db", w->state_dir);
	assert_int_equal(history__open(path, &a->history, &why), 0);
	tracker_cfg.history = a->history;
	a->tracker = tracker__new(&tracker_cfg);
	assert_non_null(a->tracker);
}

static void world__free_watch(void *ctx, struct series *s)
{
	(void)ctx;
	watch__free(series__user(s));
}

static void world__down(struct world *w)
{
	struct agent *a = &w->a;

	coroner__free(a);
	census__free(a);
	journal__close(a->journal);
	tracker__free(a->tracker);
	history__close(a->history);
	store__foreach(a->store, world__free_watch, NULL);
	store__free(a->store);
	poller__free(a->poller);
	who__free(a->who);
	a->limbo_cnt = 0;
}

/* An end that nothing was saved for: each tick had saved itself. */
static inline void world__kill(struct world *w)
{
	world__down(w);
	world__boot(w);
	w->a.start_s = w->a.now_s;
}

static int world__make(void **state, unsigned max_processes)
{
	struct world *w = calloc(1, sizeof(*w));

	if (!w)
		return -1;
	strcpy(w->dir, "/tmp/seep-agent-XXXXXX");
	if (!mkdtemp(w->dir))
		return -1;
	snprintf(w->proc, sizeof(w->proc), "%s/proc", w->dir);
	snprintf(w->state_dir, sizeof(w->state_dir), "%s/state", w->dir);
	world__put(w, "state/.keep", " ");
	world__put(w, "proc/self/mountinfo",
		   "30 24 0:26 / %s/cg rw - cgroup2 none rw\n", w->dir);
	world__put(w, "proc/meminfo", "MemTotal: 67108864 kB\nMemAvailable: 33554432 kB\n");
	world__put(w, "cg/cgroup.controllers", "cpu io memory pids\n");
	w->a.cfg = (struct config){
		.interval_s = 1,
		.window_s = WORLD_WINDOW_S,
		.max_processes = max_processes,
		.state_dir = w->state_dir,
	};
	strcpy(w->a.node, "node");
	w->a.now_s = w->a.start_s = WORLD_START_S;
	w->a.before_s = NAN;
	world__boot(w);
	*state = w;
	return 0;
}

static inline int world__setup(void **state)
{
	return world__make(state, 1024);
}

static inline int world__setup_small(void **state)
{
	return world__make(state, WORLD_MAX_SERIES);
}

static int world__remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	return remove(path);
}

static int world__teardown(void **state)
{
	struct world *w = *state;

	world__down(w);
	nftw(w->dir, world__remove_one, 16, FTW_DEPTH | FTW_PHYS);
	free(w);
	return 0;
}

/* ---- time ---- */

static void world__tick(struct world *w, const struct proc_sample *samples, size_t cnt)
{
	struct agent *a = &w->a;

	a->seq++;
	a->now_s += 1;
	census__take(a, samples, cnt);
	court__sit(a);
	court__investigate(a);
	assert_int_equal(journal__tick(a->journal, a->store, a->now_s), 0);
}

static inline void world__idle_with(struct world *w, const struct proc_sample *samples, size_t cnt,
				    unsigned seconds)
{
	while (seconds--)
		world__tick(w, samples, cnt);
}

static inline void world__idle(struct world *w, unsigned seconds)
{
	world__idle_with(w, NULL, 0, seconds);
}

/* A window of steady growth, process and cgroup alike. Returns its size at the end. */
static inline uint64_t world__leak(struct world *w, unsigned pid, const char *cgroup)
{
	struct proc_sample s = sized(pid, "web", 100 * MIB);
	int i;

	for (i = 0; i < WORLD_WINDOW_S; i++) {
		s.anon_bytes += 2 * MIB;
		world__cgroup(w, cgroup, s.anon_bytes, "max");
		world__tick(w, &s, 1);
	}
	return s.anon_bytes;
}

/* ---- what became of it ---- */

static inline struct watch *world__watch(struct world *w, unsigned pid)
{
	struct proc_sample s = sized(pid, "", 0);
	struct series_key key = series_key__proc(&s.id);
	struct series *series = store__find(w->a.store, &key);

	return series ? series__user(series) : NULL;
}

static inline struct watch *world__cgroup_watch(struct world *w, const char *path)
{
	struct series_key key = series_key__cgroup(path);
	struct series *series = store__find(w->a.store, &key);

	assert_non_null(series);
	return series__user(series);
}

static inline size_t world__points(struct world *w, const struct watch *watch)
{
	return series__points(w->a.store, watch->series, w->a.now_s, NULL, 0);
}

static inline const struct incident *world__incident(struct world *w, unsigned pid)
{
	char key[WATCH_KEY_LEN];
	struct proc_sample s = sized(pid, "", 0);

	snprintf(key, sizeof(key), "p:%u:%llu", pid, (unsigned long long)s.id.start_ns);
	return tracker__open_of(w->a.tracker, key);
}

#endif /* SEEP_TESTS_AGENT_WORLD_H */
