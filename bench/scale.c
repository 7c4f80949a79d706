// SPDX-License-Identifier: BSD-2-Clause
/*
 * scale.c - what more of everything costs: processes, pods, and threads of a traced program.
 *
 *   build/bench/scale [--quick] [procs|pods|threads]...
 *
 * procs    up to 20000 sleeping processes, more than the agent watches one by one as it comes
 * pods     up to 500 pods with 2000 sleeping processes in real cgroups: each has one container with
 *          four processes, in cgroups of the kubelet's form, and a bundle as containerd leaves it
 * threads  up to 64 threads that do nothing but malloc and free, under `seep trace`
 *
 * Polls and CPU are those of the agent as it comes: every 10 s, window 6 h. The bars are of the column
 * before them. As root; pods need a memory controller in which cgroups can be made.
 */
#include <errno.h>
#include <ftw.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <jansson.h>

#include "base/clock.h"
#include "base/fs.h"
#include "overhead/agent_run.h"
#include "overhead/loads.h"
#include "who/cgroup_fs.h"

#define PROCS_PER_POD 4
#define PODS_MAX      500
#define STARTUP_S     15 /* the first poll reads all names: not counted into the rest */
#define LEVELS	      "kubepods/burstable"
#define THREADS_MAX   64
#define TRACE_S	      5
#define MOMENT_S      .3
#define BAR_WIDTH     24

static int run_s; /* the agent is measured for so long */

struct node {
	struct cgroup_fs fs;
	char base[PATH_MAX / 2]; /* our cgroup directory */
	char root[64];		 /* the host's root for the agent */
	size_t pods;
	struct sleepers sleepers;
};

/* ---- the node ---------------------------------------------------------------------------- */

static void name_pod(const struct node *n, size_t i, char *path, size_t cap)
{
	snprintf(path, cap, "%s/" LEVELS "/pod%08zx-1111-2222-3333-444444444444", n->base, i);
}

static void name_container(const struct node *n, size_t i, char *path, size_t cap)
{
	size_t len;

	name_pod(n, i, path, cap);
	len = strlen(path);
	snprintf(path + len, cap - len, "/%064zx", i);
}

static int enter(const char *cgroup, pid_t pid)
{
	char path[PATH_MAX];
	FILE *f;

	snprintf(path, sizeof(path), "%s/cgroup.procs", cgroup);
	f = fopen(path, "w");
	if (!f)
		return -errno;
	fprintf(f, "%d\n", pid);
	return fclose(f) ? -errno : 0;
}

/* On v2 a controller is handed down level by level. */
static int make_cgroup(const struct node *n, const char *path)
{
	char control[PATH_MAX];
	FILE *f;

	if (mkdir(path, 0755) && errno != EEXIST)
		return -errno;
	if (n->fs.version == 1)
		return 0;
	snprintf(control, sizeof(control), "%s/cgroup.subtree_control", path);
	f = fopen(control, "w");
	if (!f)
		return -errno;
	fputs("+memory\n", f);
	return fclose(f) ? -errno : 0;
}

static int write_bundle(const struct node *n, size_t i)
{
	char dir[PATH_MAX], path[PATH_MAX + 16], text[1024];
	int err;

	snprintf(dir, sizeof(dir), "%s/run/containerd/io.containerd.runtime.v2.task/k8s.io/%064zx",
		 n->root, i);
	err = fs__mkdir_p(dir, 0755);
	if (err)
		return err;
	snprintf(path, sizeof(path), "%s/config.json", dir);
	snprintf(text, sizeof(text),
		 "{\"annotations\":{\"io.kubernetes.cri.container-name\":\"app\","
		 "\"io.kubernetes.cri.sandbox-name\":\"app-%zu\","
		 "\"io.kubernetes.cri.sandbox-namespace\":\"bench\"}}",
		 i);
	return fs__write_atomic(path, text, strlen(text), 0644);
}

static int make_pod(struct node *n, size_t i)
{
	char path[PATH_MAX];
	size_t p;
	int err;

	name_pod(n, i, path, sizeof(path));
	err = make_cgroup(n, path);
	name_container(n, i, path, sizeof(path));
	if (!err && mkdir(path, 0755))
		err = -errno;
	if (!err)
		err = write_bundle(n, i);
	n->pods = i + 1;
	for (p = 0; p < PROCS_PER_POD && !err; p++)
		err = enter(path, n->sleepers.pids[i * PROCS_PER_POD + p]);
	return err;
}

static int make_levels(struct node *n)
{
	char path[PATH_MAX];
	int err;

	snprintf(n->base, sizeof(n->base), "%s/seep-scale-%d", n->fs.mount, getpid());
	err = make_cgroup(n, n->base);
	snprintf(path, sizeof(path), "%s/kubepods", n->base);
	if (!err)
		err = make_cgroup(n, path);
	snprintf(path, sizeof(path), "%s/" LEVELS, n->base);
	return err ? err : make_cgroup(n, path);
}

static int make_node(struct node *n, size_t pods)
{
	size_t i;
	int err;

	err = cgroup_fs__open(&n->fs, "/proc", NULL);
	if (err)
		return err;
	strcpy(n->root, "/tmp/seep-scale-XXXXXX");
	if (!mkdtemp(n->root))
		return -errno;
	err = make_levels(n);
	if (!err)
		err = sleepers__start(&n->sleepers, pods * PROCS_PER_POD);
	for (i = 0; i < pods && !err; i++)
		err = make_pod(n, i);
	return err;
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st;
	(void)type;
	(void)ftw;
	return remove(path);
}

static void unmake_node(struct node *n)
{
	char path[PATH_MAX];
	size_t i;

	sleepers__end(&n->sleepers);
	for (i = 0; i < n->pods; i++) {
		name_container(n, i, path, sizeof(path));
		rmdir(path);
		name_pod(n, i, path, sizeof(path));
		rmdir(path);
	}
	snprintf(path, sizeof(path), "%s/" LEVELS, n->base);
	rmdir(path);
	snprintf(path, sizeof(path), "%s/kubepods", n->base);
	rmdir(path);
	rmdir(n->base);
	nftw(n->root, remove_one, 16, FTW_DEPTH | FTW_PHYS);
	cgroup_fs__close(&n->fs);
}

/* ---- the agent --------------------------------------------------------------------------- */

static json_t *ask(const struct agent_run *a, const char *what)
{
	char command[256];
	json_t *json;
	FILE *f;

	snprintf(command, sizeof(command), "build/seep %s --json --socket %s 2>/dev/null", what,
		 a->socket);
	f = popen(command, "r");
	if (!f)
		return NULL;
	json = json_loadf(f, 0, NULL);
	pclose(f);
	return json;
}

static double number(const json_t *json, const char *group, const char *name)
{
	return json_number_value(json_object_get(json_object_get(json, group), name));
}

/* Pods that the agent knows by name. */
static size_t named_pods(const struct agent_run *a)
{
	json_t *top = ask(a, "top --by pod --once -n 9999"), *row;
	size_t i, cnt = 0;

	json_array_foreach(json_object_get(top, "rows"), i, row) cnt +=
		!strncmp(json_string_value(json_object_get(row, "pod")) ?: "", "app-", 4);
	json_decref(top);
	return cnt;
}

static void print_bar(double value, double full)
{
	int i, len = value / full * BAR_WIDTH + .5;

	printf("  ");
	for (i = 0; i < len && i < BAR_WIDTH; i++)
		printf("\u2587");
	printf("\n");
}

/* Everything that was lost anywhere, by status. */
static double lost(const json_t *status)
{
	const char *name;
	double sum = 0;
	json_t *value;

	json_object_foreach(json_object_get(status, "dropped"), name, value) sum +=
		strcmp(name, "names_vanished") ? json_number_value(value) : 0;
	return sum;
}

/* CPU over run_s, and what the agent says of itself then; NULL when it does not answer. */
static json_t *measure_agent(const struct agent_run *a, double *ret_cpu)
{
	double cpu;

	sleep(STARTUP_S);
	cpu = agent_run__cpu_s(a);
	sleep(run_s);
	*ret_cpu = (agent_run__cpu_s(a) - cpu) / run_s * 100;
	return ask(a, "status");
}

static void print_agent(const struct agent_run *a, const json_t *status, double cpu, double full)
{
	printf(" %9.1f %9.1f %9.1f %9.1f %8.0f %8.3f", number(status, "poll", "max_duration_ns") / 1e6,
	       number(status, "poll", "duration_ns") / 1e6, agent_run__rss_mib(a),
	       agent_run__map_mib(a), lost(status), cpu);
	print_bar(cpu, full);
}

/* ---- processes --------------------------------------------------------------------------- */

static void measure_procs(size_t cnt)
{
	struct sleepers s;
	struct agent_run a;
	json_t *status;
	double cpu;
	int err;

	err = sleepers__start(&s, cnt);
	if (!err)
		err = agent_run__start(&a, NULL);
	if (err) {
		printf("  %zu processes: cannot be made: %s\n", cnt, strerror(-err));
		sleepers__end(&s);
		return;
	}
	status = measure_agent(&a, &cpu);
	printf("  %6zu %8.0f %8.0f", cnt, number(status, "tracked", "processes"),
	       number(status, "tracked", "unwatched"));
	print_agent(&a, status, cpu, 1);
	json_decref(status);
	agent_run__stop(&a);
	sleepers__end(&s);
}

static void table_procs(void)
{
	static const size_t cnts[] = {100, 1000, 5000, 20000};
	size_t i;

	printf("\nSleeping processes, over %d s; a full bar is 1 %% of a core\n", run_s);
	printf("  %6s %8s %8s %9s %9s %9s %9s %8s %8s\n", "procs", "watched", "left out", "1st ms",
	       "tick ms", "RSS MiB", "maps MiB", "lost", "% core");
	for (i = 0; i < sizeof(cnts) / sizeof(cnts[0]); i++)
		measure_procs(cnts[i]);
}

/* ---- pods -------------------------------------------------------------------------------- */

static void measure_pods(size_t pods)
{
	struct node n = {.fs = {.fd = -1}};
	struct agent_run a;
	json_t *status;
	double cpu;
	int err;

	err = make_node(&n, pods);
	if (err || agent_run__start(&a, n.root)) {
		printf("  %zu pods: cannot be made: %s\n", pods, strerror(-err));
		unmake_node(&n);
		return;
	}
	status = measure_agent(&a, &cpu);
	printf("  %6zu %8zu %8zu", pods, pods * PROCS_PER_POD, named_pods(&a));
	print_agent(&a, status, cpu, .5);
	json_decref(status);
	agent_run__stop(&a);
	unmake_node(&n);
}

static void table_pods(void)
{
	static const size_t pods[] = {0, 10, 100, PODS_MAX};
	size_t i;

	printf("\nPods in cgroups of their own, over %d s; a full bar is 0.5 %% of a core\n", run_s);
	printf("  %6s %8s %8s %9s %9s %9s %9s %8s %8s\n", "pods", "procs", "named", "1st ms", "tick ms",
	       "RSS MiB", "maps MiB", "lost", "% core");
	for (i = 0; i < sizeof(pods) / sizeof(pods[0]); i++)
		measure_pods(pods[i]);
}

/* ---- threads of a traced program --------------------------------------------------------- */

/* Pairs of malloc and free by thread, each in a cache line of its own, shared with us. */
struct tally {
	volatile uint64_t pairs;
	char pad[56];
};

static void *allocate_on(void *arg)
{
	struct tally *t = arg;

	for (;;) {
		void *p = malloc(100 + t->pairs % 300);

		__asm__ volatile("" : : "r"(p) : "memory");
		free(p);
		t->pairs++;
	}
	return NULL;
}

static pid_t start_allocating(struct tally *tallies, size_t threads)
{
	pthread_t id;
	pid_t pid;
	size_t i;

	fflush(NULL);
	pid = fork();
	if (pid)
		return pid;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (nice(19) < 0) /* the tracer has to come to run beside them, however many they are */
		_exit(1);
	for (i = 1; i < threads; i++)
		if (pthread_create(&id, NULL, allocate_on, &tallies[i]))
			_exit(1);
	allocate_on(&tallies[0]);
	_exit(0);
}

static double pairs_of(const struct tally *tallies)
{
	double sum = 0;
	size_t i;

	for (i = 0; i < THREADS_MAX; i++)
		sum += tallies[i].pairs;
	return sum;
}

static double cpu_s_of(pid_t pid)
{
	const struct agent_run it = {.pid = pid};

	return agent_run__cpu_s(&it);
}

/* CPU time a pair over MOMENT_S of the program's own time, in nanoseconds. */
static double cost_of_pair(const struct tally *tallies, pid_t pid)
{
	double begin = cpu_s_of(pid), pairs = pairs_of(tallies), cpu;
	int tries = 0;

	do {
		usleep(50000);
		cpu = cpu_s_of(pid) - begin;
	} while (cpu < MOMENT_S && tries++ < 100);
	return cpu * 1e9 / (pairs_of(tallies) - pairs + 1);
}

static pid_t start_trace(pid_t pid, const char *output)
{
	char target[16], duration[16];
	pid_t tracer = fork();

	if (tracer)
		return tracer;
	snprintf(target, sizeof(target), "%d", pid);
	snprintf(duration, sizeof(duration), "%ds", TRACE_S);
	if (freopen(output, "w", stdout))
		execl("build/seep", "build/seep", "trace", "-p", target, "-d", duration, "-o", "json",
		      NULL);
	_exit(127);
}

/* The dearest moment is one in which all probes were there. */
static double dearest_moment(const struct tally *tallies, pid_t pid, const char *output)
{
	pid_t tracer = start_trace(pid, output);
	double most = 0, cost;

	while (waitpid(tracer, NULL, WNOHANG) != tracer) {
		cost = cost_of_pair(tallies, pid);
		most = cost > most ? cost : most;
	}
	return most;
}

static void print_trace(size_t threads, double off, double on, const json_t *json)
{
	double hits = number(json, "overhead", "hits"), cnt = 0;
	const json_t *value;
	const char *name;

	json_object_foreach(json_object_get(json, "dropped"), name, value) cnt +=
		json_number_value(value);
	printf("  %7zu %9.0f %9.0f %12.0f %9.0f %8.0f", threads, off, on, hits / TRACE_S,
	       number(json, "overhead", "cost_ns") / hits, cnt);
	print_bar(on, 4000);
}

static void measure_threads(size_t threads)
{
	struct tally *tallies = mmap(NULL, THREADS_MAX * sizeof(*tallies), PROT_READ | PROT_WRITE,
				     MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	char output[] = "/tmp/seep-scale-XXXXXX";
	int fd = mkstemp(output);
	double off, on;
	json_t *json;
	pid_t pid;

	if (tallies == MAP_FAILED || fd < 0)
		return;
	close(fd);
	pid = start_allocating(tallies, threads);
	off = cost_of_pair(tallies, pid);
	on = dearest_moment(tallies, pid, output);
	json = json_load_file(output, 0, NULL);
	print_trace(threads, off, on, json);
	json_decref(json);
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	munmap(tallies, THREADS_MAX * sizeof(*tallies));
	unlink(output);
}

static void table_threads(void)
{
	static const size_t threads[] = {1, 8, THREADS_MAX};
	size_t i;

	printf("\nThreads that only malloc and free, under a trace of %d s: CPU time a pair, at its "
	       "dearest\n(over %.1f s of the program's time); a full bar is 4 us\n", TRACE_S, MOMENT_S);
	printf("  %7s %9s %9s %12s %9s %8s\n", "threads", "ns alone", "ns traced", "hits a s",
	       "ns a hit", "lost");
	for (i = 0; i < sizeof(threads) / sizeof(threads[0]); i++)
		measure_threads(threads[i]);
}

/* ---- main -------------------------------------------------------------------------------- */

static const struct {
	const char *name;
	void (*print)(void);
} tables[] = {{"procs", table_procs}, {"pods", table_pods}, {"threads", table_threads}};

static int is_wanted(const char *name, int argc, char **argv)
{
	int i, named = 0;

	for (i = 1; i < argc; i++) {
		if (!strcmp(argv[i], name))
			return 1;
		named |= argv[i][0] != '-';
	}
	return !named;
}

int main(int argc, char **argv)
{
	size_t i;

	if (geteuid()) {
		printf("bench/scale: not measured: needs root\n");
		return 0;
	}
	run_s = argc > 1 && !strcmp(argv[1], "--quick") ? 20 : 60;
	setvbuf(stdout, NULL, _IOLBF, 0);
	printf("The agent as it comes (10 s, 6 h)\n");
	for (i = 0; i < sizeof(tables) / sizeof(tables[0]); i++)
		if (is_wanted(tables[i].name, argc, argv))
			tables[i].print();
	return 0;
}
