// SPDX-License-Identifier: BSD-2-Clause
#include "support.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <bpf/btf.h>

#include "base/fs.h"

/* ---- children ---------------------------------------------------------------------------- */

struct turn {
	int go_fds[CROWD_STEPS]; /* a crowd has one gate a step; a single child only the first */
	size_t step;
	int is_crowd;
	int done_fd;
};

/* Crowds are let through by closing the gate; single children by a byte: EOF is their end. */
void turn__wait(struct turn *t, uint64_t value)
{
	ssize_t n;
	char go;

	if (write(t->done_fd, &value, sizeof(value)) != sizeof(value))
		_exit(0);
	n = read(t->go_fds[t->step], &go, 1);
	if (t->is_crowd)
		t->step++;
	else if (n != 1)
		_exit(0);
}

static uint64_t await(struct child *c)
{
	uint64_t value = 0;
	ssize_t n;

	do {
		n = read(c->done_fd, &value, sizeof(value));
	} while (n < 0 && errno == EINTR);
	return n == sizeof(value) ? value : 0;
}

/*
 * A child that kept the pipes of an older one would keep that one from ever seeing their end, and
 * one that kept the probe's links would keep it attached.
 */
static void close_all_but(int a, int b)
{
	int lo = a < b ? a : b, hi = a < b ? b : a;

	if (lo > 3)
		close_range(3, lo - 1, 0);
	if (hi > lo + 1)
		close_range(lo + 1, hi - 1, 0);
	close_range(hi + 1, ~0U, 0);
}

uint64_t child__start(struct child *c, child_fn fn, void *arg)
{
	int go[2], done[2];
	struct turn t;

	assert_int_equal(pipe2(go, O_CLOEXEC), 0);
	assert_int_equal(pipe2(done, O_CLOEXEC), 0);
	fflush(NULL);
	c->pid = fork();
	assert_true(c->pid >= 0);
	if (!c->pid) {
		prctl(PR_SET_PDEATHSIG,
		      SIGKILL); /* a failed test leaves nothing behind, exec or not */
		close_all_but(go[0], done[1]);
		t = (struct turn){.go_fds = {go[0]}, .done_fd = done[1]};
		fn(&t, arg);
		_exit(0);
	}
	close(go[0]);
	close(done[1]);
	c->go_fd = go[1];
	c->done_fd = done[0];
	return await(c);
}

void child__go(struct child *c)
{
	assert_int_equal(write(c->go_fd, "g", 1), 1);
}

uint64_t child__step(struct child *c)
{
	child__go(c);
	return await(c);
}

int child__finish(struct child *c)
{
	int status = -1;

	close(c->go_fd);
	close(c->done_fd);
	assert_int_equal(waitpid(c->pid, &status, 0), c->pid);
	return status;
}

static void await_all(struct crowd *c)
{
	uint64_t value;
	size_t i;

	for (i = 0; i < c->cnt; i++)
		assert_int_equal(read(c->done_fd, &value, sizeof(value)), sizeof(value));
}

/* Runs in the child: its copies of the gates' outer ends would keep them from closing. */
static void join_crowd(const struct crowd *c, const int gates[CROWD_STEPS], int done_fd,
		       child_fn fn, void *arg)
{
	struct turn t = {.is_crowd = 1, .done_fd = done_fd};
	size_t i;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	for (i = 0; i < CROWD_STEPS; i++) {
		close(c->gates[i]);
		t.go_fds[i] = gates[i];
	}
	fn(&t, arg);
	_exit(0);
}

void crowd__start(struct crowd *c, size_t cnt, child_fn fn, void *arg)
{
	int gates[CROWD_STEPS], ends[2];
	size_t i;

	*c = (struct crowd){.pids = calloc(cnt, sizeof(pid_t)), .cnt = cnt};
	assert_non_null(c->pids);
	for (i = 0; i < CROWD_STEPS; i++) {
		assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
		gates[i] = ends[0];
		c->gates[i] = ends[1];
	}
	assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
	c->done_fd = ends[0];
	for (i = 0; i < cnt; i++) {
		c->pids[i] = fork();
		assert_true(c->pids[i] >= 0);
		if (!c->pids[i])
			join_crowd(c, gates, ends[1], fn, arg);
	}
	for (i = 0; i < CROWD_STEPS; i++)
		close(gates[i]);
	close(ends[1]);
	await_all(c);
}

void crowd__step(struct crowd *c)
{
	assert_true(c->step < CROWD_STEPS);
	close(c->gates[c->step++]);
	await_all(c);
}

void crowd__finish(struct crowd *c)
{
	size_t i;

	while (c->step < CROWD_STEPS)
		close(c->gates[c->step++]);
	close(c->done_fd);
	for (i = 0; i < c->cnt; i++)
		assert_int_equal(waitpid(c->pids[i], NULL, 0), c->pids[i]);
	free(c->pids);
}

/* ---- memory ------------------------------------------------------------------------------ */

size_t page_size(void)
{
	return sysconf(_SC_PAGESIZE);
}

char *map_pages(size_t pages)
{
	char *mem = mmap(NULL, pages * page_size(), PROT_READ | PROT_WRITE,
			 MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (mem == MAP_FAILED)
		_exit(99);
	madvise(mem, pages * page_size(), MADV_NOHUGEPAGE);
	return mem;
}

void touch(char *mem, size_t pages)
{
	size_t i;

	for (i = 0; i < pages; i++)
		((volatile char *)mem)[i * page_size()] = 1;
}

void release(char *mem, size_t pages)
{
	madvise(mem, pages * page_size(), MADV_DONTNEED);
}

/* ---- the probe --------------------------------------------------------------------------- */

struct records {
	char *v;
	size_t size, cnt, cap;
};

struct watch {
	struct rss_probe *probe;
	struct records procs, threads, held, events;
	uint64_t wanted_cgroup;
	struct seep_cgroup found_cgroup;
	int found;
	size_t stale;
};

static void append(struct records *r, const void *record)
{
	if (r->cnt == r->cap) {
		r->cap = r->cap ? r->cap * 2 : 256;
		r->v = realloc(r->v, r->cap * r->size);
		assert_non_null(r->v);
	}
	memcpy(r->v + r->cnt++ * r->size, record, r->size);
}

static const void *at(const struct records *r, size_t i)
{
	assert_true(i < r->cnt);
	return r->v + i * r->size;
}

struct watch *watch__new(const struct rss_probe_cfg *cfg)
{
	static const struct rss_probe_cfg defaults;
	struct watch *w = calloc(1, sizeof(*w));
	char why[256] = "";
	int err;

	assert_non_null(w);
	w->procs.size = sizeof(struct seep_poll_proc);
	w->threads.size = sizeof(struct seep_poll_thread);
	w->held.size = sizeof(struct seep_poll_held);
	w->events.size = sizeof(struct seep_event);
	err = rss_probe__new(cfg ? cfg : &defaults, &w->probe, why, sizeof(why));
	if (!err)
		return w;
	/* root that is refused may be a bug of ours: only what is known to be missing is a skip */
	if (err != -EPERM && err != -ENOSYS && geteuid() == 0)
		fail_msg("the probe does not load: %s (%s)", strerror(-err), why);
	print_message("[   SKIP   ] no BPF here: %s (%s)\n", strerror(-err), why);
	free(w);
	return NULL;
}

void watch__free(struct watch *w)
{
	if (!w)
		return;
	rss_probe__free(w->probe);
	free(w->procs.v);
	free(w->threads.v);
	free(w->held.v);
	free(w->events.v);
	free(w);
}

struct rss_probe *watch__probe(struct watch *w)
{
	return w->probe;
}

static void on_record(void *ctx, const void *record)
{
	struct watch *w = ctx;
	uint32_t kind;

	memcpy(&kind, record, sizeof(kind));
	switch (kind) {
	case SEEP_POLL_PROC:
		append(&w->procs, record);
		break;
	case SEEP_POLL_THREAD:
		append(&w->threads, record);
		break;
	case SEEP_POLL_HELD:
		append(&w->held, record);
		break;
	default:
		fail_msg("a record of kind %u", kind);
	}
}

/* As the poller does: what threads hold back belongs to their process. */
static void add_held(struct watch *w)
{
	const struct seep_poll_held *held;
	struct seep_poll_proc *rec;
	size_t i, m;

	for (i = 0; i < w->held.cnt; i++) {
		held = at(&w->held, i);
		rec = (struct seep_poll_proc *)watch__find(w, held->tgid);
		for (m = 0; rec && m < SEEP_MM_CNT; m++)
			rec->pages[m] += held->pages[m];
	}
}

static void on_event(void *ctx, const struct seep_event *ev)
{
	struct watch *w = ctx;

	append(&w->events, ev);
}

void watch__drain(struct watch *w)
{
	assert_int_equal(rss_probe__drain(w->probe, on_event, w), 0);
}

void watch__poll(struct watch *w)
{
	w->procs.cnt = 0;
	w->threads.cnt = 0;
	w->held.cnt = 0;
	assert_int_equal(rss_probe__poll(w->probe, on_record, w), 0);
	add_held(w);
	watch__drain(w);
}

const struct seep_poll_proc *watch__find(const struct watch *w, pid_t pid)
{
	const struct seep_poll_proc *rec, *found = NULL;
	size_t i;

	for (i = 0; i < w->procs.cnt; i++) {
		rec = at(&w->procs, i);
		if (rec->tgid != (uint32_t)pid)
			continue;
		assert_null(found); /* one record a process */
		found = rec;
	}
	return found;
}

const struct seep_poll_proc *watch__get(const struct watch *w, pid_t pid)
{
	const struct seep_poll_proc *rec = watch__find(w, pid);

	assert_non_null(rec);
	return rec;
}

int64_t watch__pages(struct watch *w, pid_t pid, enum seep_mm_member member)
{
	watch__poll(w);
	return watch__get(w, pid)->pages[member];
}

size_t watch__thread_records(const struct watch *w, pid_t pid)
{
	const struct seep_poll_thread *rec;
	size_t i, cnt = 0;

	for (i = 0; i < w->threads.cnt; i++) {
		rec = at(&w->threads, i);
		cnt += rec->tgid == (uint32_t)pid;
	}
	return cnt;
}

size_t watch__proc_cnt(const struct watch *w)
{
	return w->procs.cnt;
}

const struct seep_poll_proc *watch__proc(const struct watch *w, size_t i)
{
	return at(&w->procs, i);
}

struct seep_proc watch__entry(struct watch *w, const struct seep_poll_proc *rec)
{
	struct seep_task_id id = {.tgid = rec->tgid, .start_ns = rec->start_ns};
	struct seep_proc proc;

	assert_int_equal(rss_probe__lookup(w->probe, &id, &proc), 0);
	return proc;
}

static void count_stale(void *ctx, const struct seep_task_id *id, const struct seep_proc *proc)
{
	struct watch *w = ctx;
	const struct seep_poll_proc *rec = watch__find(w, id->tgid);

	if (rec && rec->start_ns == id->start_ns)
		return;
	w->stale += kill(id->tgid, 0) != 0 || rec;
}

/*
 * Somebody else's process may be born and die while we look; what is stale stays stale, but for
 * those whose exit was missed: they go with the third poll.
 */
size_t watch__stale_entries(struct watch *w)
{
	size_t least = SIZE_MAX;
	int tries;

	for (tries = 0; tries < 5 && least; tries++) {
		w->stale = 0;
		watch__poll(w);
		assert_int_equal(rss_probe__entries(w->probe, count_stale, w), 0);
		if (w->stale < least)
			least = w->stale;
	}
	return least;
}

size_t watch__event_cnt(const struct watch *w)
{
	return w->events.cnt;
}

const struct seep_event *watch__event(const struct watch *w, size_t i)
{
	return at(&w->events, i);
}

const struct seep_event *watch__find_event(const struct watch *w, uint32_t kind, pid_t pid)
{
	const struct seep_event *ev;
	size_t i;

	for (i = w->events.cnt; i > 0; i--) {
		ev = at(&w->events, i - 1);
		if (ev->kind == kind && ev->id.tgid == (uint32_t)pid)
			return ev;
	}
	return NULL;
}

static void on_cgroup(void *ctx, uint64_t cgroup_id, const struct seep_cgroup *cg)
{
	struct watch *w = ctx;

	if (cgroup_id != w->wanted_cgroup)
		return;
	w->found_cgroup = *cg;
	w->found = 1;
}

int watch__cgroup(struct watch *w, uint64_t cgroup_id, struct seep_cgroup *ret_cg)
{
	w->wanted_cgroup = cgroup_id;
	w->found = 0;
	assert_int_equal(rss_probe__cgroups(w->probe, on_cgroup, w), 0);
	if (w->found)
		*ret_cg = w->found_cgroup;
	return w->found;
}

uint64_t watch__stat(struct watch *w, enum seep_stat stat)
{
	uint64_t stats[SEEP_STAT_CNT];

	rss_probe__stats(w->probe, stats);
	return stats[stat];
}

#define HELD_FAULTS 66 /* TASK_RSS_EVENTS_THRESH, 64, passed by one, and the one that runs */

/* SPLIT_RSS_COUNTING, to 6.1: told by the field, as the probe does. */
static int has_task_rss(void)
{
	static int id; /* of its type; below 0: there is none */
	struct btf *btf;

	if (!id) {
		btf = btf__load_vmlinux_btf();
		id = btf ? btf__find_by_name_kind(btf, "task_rss_stat", BTF_KIND_STRUCT) : -1;
		btf__free(btf);
	}
	return id > 0;
}

/*
 * lib/percpu_counter.c: each CPU keeps up to a batch of max(32, 2 * CPUs) to itself. mm/memory.c to
 * 6.1: each thread keeps what up to HELD_FAULTS page faults gave.
 */
int64_t batch_bound_of(int threads)
{
	long cpus = sysconf(_SC_NPROCESSORS_CONF);

	if (has_task_rss())
		return threads * HELD_FAULTS;
	return cpus * (2 * cpus > 32 ? 2 * cpus : 32);
}

int64_t batch_bound(void)
{
	return batch_bound_of(1);
}

void assert_proc_says(uint64_t exact_bytes, uint64_t proc_bytes, int pages_a_fault)
{
	const uint64_t off = has_task_rss() ? HELD_FAULTS * pages_a_fault * page_size() : 0;

	assert_in_range(proc_bytes + off, exact_bytes, exact_bytes + 2 * off);
}

int is_slow(void)
{
	return !!getenv("SEEP_SLOW");
}

size_t fewer_if_slow(size_t cnt)
{
	return is_slow() ? cnt / 8 : cnt;
}

/* ---- memory cgroups ---------------------------------------------------------------------- */

struct test_cgroup {
	char path[512];
	int is_v1;
};

/* Our own cgroup in the memory hierarchy, as a directory; 0 if there is none. */
static int own_memory_cgroup(char *path, size_t cap, int *ret_is_v1)
{
	char text[4096], *line, *at_path;

	if (fs__read("/proc/self/cgroup", text, sizeof(text)) < 0)
		return 0;
	for (line = strtok(text, "\n"); line; line = strtok(NULL, "\n")) {
		*ret_is_v1 = strstr(line, ":memory:") != NULL;
		if (!*ret_is_v1 && strncmp(line, "0::", 3))
			continue;
		at_path = strchr(strchr(line, ':') + 1, ':') + 1;
		snprintf(path, cap, "/sys/fs/cgroup%s%s", *ret_is_v1 ? "/memory" : "", at_path);
		if (*ret_is_v1 || !access("/sys/fs/cgroup/cgroup.controllers", F_OK))
			return 1;
	}
	return 0;
}

static int write_file(const struct test_cgroup *cg, const char *name, const char *text)
{
	char path[600];
	int fd, err = 0;

	snprintf(path, sizeof(path), "%s/%s", cg->path, name);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	if (write(fd, text, strlen(text)) < 0)
		err = -errno;
	close(fd);
	return err;
}

/* v2: a cgroup with processes gives its children no controllers, so ours hang off the root. */
struct test_cgroup *test_cgroup__new(const char *name)
{
	struct test_cgroup *cg = calloc(1, sizeof(*cg));
	char parent[400];

	assert_non_null(cg);
	if (!own_memory_cgroup(parent, sizeof(parent), &cg->is_v1))
		goto none;
	snprintf(cg->path, sizeof(cg->path), "%s/seep-test-%s-%d",
		 cg->is_v1 ? parent : "/sys/fs/cgroup", name, getpid());
	if (mkdir(cg->path, 0755))
		goto none;
	return cg;
none:
	print_message("[   SKIP   ] no memory cgroup can be made here: %s\n", strerror(errno));
	free(cg);
	return NULL;
}

void test_cgroup__free(struct test_cgroup *cg)
{
	int tries;

	if (!cg)
		return;
	/* the dead leave their cgroup a moment after wait(2) has seen them */
	for (tries = 0; rmdir(cg->path) && errno == EBUSY && tries < 100; tries++)
		usleep(10 * 1000);
	free(cg);
}

uint64_t test_cgroup__id(const struct test_cgroup *cg)
{
	struct stat st;

	assert_int_equal(stat(cg->path, &st), 0);
	return st.st_ino;
}

void test_cgroup__enter(const struct test_cgroup *cg, pid_t pid)
{
	char text[32];

	snprintf(text, sizeof(text), "%d", pid);
	assert_int_equal(write_file(cg, "cgroup.procs", text), 0);
}

int test_cgroup__limit(const struct test_cgroup *cg, uint64_t bytes)
{
	char text[32];

	snprintf(text, sizeof(text), "%llu", (unsigned long long)bytes);
	return write_file(cg, cg->is_v1 ? "memory.limit_in_bytes" : "memory.max", text);
}

int test_cgroup__reclaim(const struct test_cgroup *cg)
{
	int err;

	if (cg->is_v1)
		return write_file(cg, "memory.force_empty", "0");
	err = write_file(cg, "memory.reclaim", "1G");
	if (err != -ENOENT)
		return err;
	/* before 5.19: a low mark reclaims as it is set */
	err = write_file(cg, "memory.high", "0");
	write_file(cg, "memory.high", "max");
	return err;
}
