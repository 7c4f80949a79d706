// SPDX-License-Identifier: BSD-2-Clause
/*
 * watch.c - what watching costs: the watched programs, and the watcher.
 *
 * All variants of a table run interleaved in one go, each repetition in another order, and are
 * compared within the repetition; the figure is the median of those ratios. CPU time is compared,
 * not time by the clock, because the machine may be shared. As root.
 *
 *   build/bench/watch [--quick] [faults|growth|life|build|poll|agent]...
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fs.h"
#include "probe/poller.h"
#include "overhead/agent_run.h"
#include "overhead/arms.h"
#include "overhead/loads.h"

#define REPS_MAX       64
#define FAULT_GOAL     1.03
#define AGENT_CPU_GOAL 0.1  /* percent of a core at 1000 processes */
#define AGENT_MIB_GOAL 20.0 /* and ... */
#define AGENT_KIB_GOAL 4.0  /* ... per process */
#define INTERVAL_S     10

static int quick;

/* ---- numbers ----------------------------------------------------------------------------- */

static int by_value(const void *a, const void *b)
{
	const double *x = a, *y = b;

	return *x < *y ? -1 : *x > *y;
}

struct spread {
	double low, median, high; /* quartiles */
};

static struct spread spread_of(const double *values, int cnt)
{
	double sorted[REPS_MAX];

	memcpy(sorted, values, cnt * sizeof(*values));
	qsort(sorted, cnt, sizeof(*sorted), by_value);
	return (struct spread){sorted[cnt / 4], sorted[cnt / 2], sorted[cnt - 1 - cnt / 4]};
}

/* ---- on and off -------------------------------------------------------------------------- */

/* One load, run under several arms. Cells are 0 where an arm could not be switched on. */
struct comparison {
	const char *title;
	const char *unit;
	double (*run)(const void *load);
	const void *load;
	int reps;
	double cost[ARM_CNT][REPS_MAX];
	char why[ARM_CNT][256];
};

/*
 * The load runs in a process forked before the arm is switched on: the programs' own maps and
 * descriptors would make each of its forks dearer.
 */
struct runner {
	pid_t pid;
	int go_fd;
	int result_fd;
};

static int runner__start(struct runner *r, const struct comparison *c)
{
	int go[2], result[2];
	double cost;
	char byte;

	if (pipe(go) || pipe(result))
		return -errno;
	fflush(NULL);
	r->pid = fork();
	if (r->pid < 0)
		return -errno;
	if (!r->pid) {
		close(go[1]);
		if (read(go[0], &byte, 1) != 1)
			_exit(0);
		cost = c->run(c->load);
		_exit(write(result[1], &cost, sizeof(cost)) != sizeof(cost));
	}
	close(go[0]);
	close(result[1]);
	r->go_fd = go[1];
	r->result_fd = result[0];
	return 0;
}

/* 0 when the load failed. */
static double runner__go(struct runner *r)
{
	double cost = 0;

	if (write(r->go_fd, "g", 1) != 1 || read(r->result_fd, &cost, sizeof(cost)) != sizeof(cost))
		return 0;
	return cost;
}

static void runner__end(struct runner *r)
{
	close(r->go_fd);
	close(r->result_fd);
	waitpid(r->pid, NULL, 0);
}

static void measure(struct comparison *c, enum arm_id id, int rep)
{
	struct runner runner = {0};
	struct arm *arm;

	if (c->why[id][0])
		return;
	if (runner__start(&runner, c)) {
		snprintf(c->why[id], sizeof(c->why[id]), "%s", strerror(errno));
		return;
	}
	if (!arm__on(id, runner.pid, &arm, c->why[id], sizeof(c->why[id]))) {
		c->cost[id][rep] = runner__go(&runner);
		arm__off(arm);
		if (c->cost[id][rep] <= 0)
			snprintf(c->why[id], sizeof(c->why[id]), "the load failed");
	} else if (!c->why[id][0]) {
		snprintf(c->why[id], sizeof(c->why[id]), "unknown reason");
	}
	runner__end(&runner);
}

static void print_arm(const struct comparison *c, enum arm_id id)
{
	double ratios[REPS_MAX];
	struct spread cost, ratio;
	int i;

	if (c->why[id][0]) {
		printf("  %-34s not measured: %s\n", arm__name(id), c->why[id]);
		return;
	}
	for (i = 0; i < c->reps; i++)
		ratios[i] = c->cost[id][i] / c->cost[ARM_OFF][i];
	cost = spread_of(c->cost[id], c->reps);
	ratio = spread_of(ratios, c->reps);
	printf("  %-34s %10.1f %9.3f   %.3f .. %.3f\n", arm__name(id), cost.median, ratio.median,
	       ratio.low, ratio.high);
}

/* Returns the median ratio of seep to off; 0 when it was not measured. */
static double compare(struct comparison *c, const enum arm_id *arms, int arm_cnt)
{
	double ratios[REPS_MAX];
	int rep, i, others;

	measure(c, ARM_OFF, 0); /* warm up; overwritten */
	for (rep = 0; rep < c->reps; rep++)
		for (i = 0; i < arm_cnt; i++)
			measure(c, arms[(rep + i) % arm_cnt], rep);
	printf("\n%s (%d interleaved repetitions)\n", c->title, c->reps);
	others = arm__others();
	if (others)
		printf("  note: %d other programs sit on rss_stat; \"off\" includes their cost\n",
		       others);
	printf("  %-34s %10s %9s   %s\n", "", c->unit, "ratio", "quartiles");
	for (i = 0; i < arm_cnt; i++)
		print_arm(c, arms[i]);
	if (c->why[ARM_SEEP][0])
		return 0;
	for (i = 0; i < c->reps; i++)
		ratios[i] = c->cost[ARM_SEEP][i] / c->cost[ARM_OFF][i];
	return spread_of(ratios, c->reps).median;
}

static void verdict(const char *what, double value, double goal, const char *unit)
{
	printf("  %-4s %s: %.3f%s (goal <= %.3f%s)\n", value <= goal ? "ok" : "MISS", what, value,
	       unit, goal, unit);
}

/* ---- page faults ------------------------------------------------------------------------- */

static double run_faults(const void *load)
{
	return load__faults(load);
}

static void table_faults(void)
{
	static const enum arm_id arms[] = {
		ARM_OFF,   ARM_SEEP,	      ARM_EMPTY,
		ARM_NAIVE, ARM_CLASSIC_EMPTY, ARM_CLASSIC_HASH,
	};
	const struct fault_load loads[] = {
		{.threads = 1, .pages = 4096, .rounds = 8},
		{.threads = 2, .pages = 4096, .rounds = 8},
		{.threads = 1, .pages = 4096, .rounds = 80, .huge = 1},
	};
	const char *titles[] = {
		"Bare page-fault loop, one thread, 4 KiB pages",
		"Bare page-fault loop, two threads of one process, 4 KiB pages",
		"Bare page-fault loop, one thread, 2 MiB pages asked for",
	};
	double ratio;
	size_t i;

	for (i = 0; i < sizeof(loads) / sizeof(loads[0]); i++) {
		struct comparison c = {
			.title = titles[i],
			.unit = "ns/page",
			.run = run_faults,
			.load = &loads[i],
			.reps = quick ? 15 : 51,
		};

		ratio = compare(&c, arms, sizeof(arms) / sizeof(arms[0]));
		if (ratio > 0)
			verdict("page faults, on/off", ratio, FAULT_GOAL, "x");
	}
}

static void table_growth(void)
{
	static const enum arm_id arms[] = {ARM_OFF, ARM_GROWTH, ARM_GROWTH_OTHER, ARM_EMPTY};
	const struct fault_load loads[] = {
		{.threads = 1, .pages = 32768, .rounds = 1},
		{.threads = 1, .pages = 4096, .rounds = 8},
	};
	const char *titles[] = {
		"Growth of 128 MiB, one thread, 4 KiB pages",
		"Bare page-fault loop, one thread, 4 KiB pages",
	};
	size_t i;

	for (i = 0; i < sizeof(loads) / sizeof(loads[0]); i++) {
		struct comparison c = {
			.title = titles[i],
			.unit = "ns/page",
			.run = run_faults,
			.load = &loads[i],
			.reps = quick ? 15 : 51,
		};

		compare(&c, arms, sizeof(arms) / sizeof(arms[0]));
	}
}

/* ---- fork and exec ----------------------------------------------------------------------- */

static double run_forks(const void *load)
{
	return load__forks(*(const int *)load) / 1e3;
}

static double run_execs(const void *load)
{
	return load__execs(*(const int *)load) / 1e3;
}

static void table_life(void)
{
	static const enum arm_id arms[] = {ARM_OFF, ARM_SEEP};
	const int forks = quick ? 500 : 1500, execs = quick ? 200 : 500;
	struct comparison fork_c = {
		.title = "fork, exit and wait of a small process",
		.unit = "us/fork",
		.run = run_forks,
		.load = &forks,
		.reps = quick ? 9 : 25,
	};
	struct comparison exec_c = {
		.title = "spawn of /bin/true",
		.unit = "us/exec",
		.run = run_execs,
		.load = &execs,
		.reps = quick ? 9 : 25,
	};

	compare(&fork_c, arms, 2);
	compare(&exec_c, arms, 2);
}

/* ---- a build ----------------------------------------------------------------------------- */

#define BUILD_FILES 8

static double run_build(const void *load)
{
	double wall_s;

	return load__build(load, BUILD_FILES, &wall_s) * 1e3;
}

static void table_build(void)
{
	static const enum arm_id arms[] = {ARM_OFF, ARM_SEEP, ARM_NAIVE, ARM_CLASSIC_HASH};
	char dir[64];
	struct comparison c = {
		.title = "A build: 8 C files by cc -O2",
		.unit = "ms CPU",
		.run = run_build,
		.load = dir,
		.reps = quick ? 7 : 15,
	};

	if (load__make_tree(dir, sizeof(dir), BUILD_FILES))
		return;
	compare(&c, arms, sizeof(arms) / sizeof(arms[0]));
	load__remove_tree(dir, BUILD_FILES);
}

/* ---- the poll ---------------------------------------------------------------------------- */

struct poll_cost {
	struct spread ms;
	double cpu_ms; /* median */
	size_t procs;
	double rss_mib;
	double map_mib;
};

static double own_rss_mib(void)
{
	char text[256];
	unsigned long pages = 0;

	if (fs__read("/proc/self/statm", text, sizeof(text)) > 0)
		sscanf(text, "%*u %lu", &pages);
	return pages * sysconf(_SC_PAGESIZE) / 1048576.0;
}

static int measure_polls(int no_bpf, struct poll_cost *ret_cost)
{
	const struct poller_cfg cfg = {.no_bpf = no_bpf};
	const int reps = quick ? 15 : 50;
	double wall[REPS_MAX], cpu[REPS_MAX], rss = own_rss_mib();
	const struct proc_sample *samples;
	struct poller_stats stats;
	struct poller *p;
	uint64_t t, c;
	int i, err;

	err = poller__new(&cfg, &p);
	if (err)
		return err;
	for (i = -1; i < reps && !err; i++) {
		t = clock__ns(CLOCK_MONOTONIC);
		c = clock__ns(CLOCK_THREAD_CPUTIME_ID);
		err = poller__poll(p, &samples, &ret_cost->procs);
		if (i < 0)
			continue;
		wall[i] = (clock__ns(CLOCK_MONOTONIC) - t) / 1e6;
		cpu[i] = (clock__ns(CLOCK_THREAD_CPUTIME_ID) - c) / 1e6;
	}
	poller__stats(p, &stats);
	ret_cost->ms = spread_of(wall, reps);
	ret_cost->cpu_ms = spread_of(cpu, reps).median;
	ret_cost->rss_mib = own_rss_mib() - rss;
	ret_cost->map_mib = stats.map_bytes / 1048576.0;
	if (!err && !no_bpf && !strcmp(stats.poll, "/proc"))
		err = -ENOSYS;
	poller__free(p);
	return err;
}

/* In a child, so that each count starts from the same memory. */
static int measure_polls_apart(int no_bpf, struct poll_cost *ret_cost)
{
	int fds[2], err;
	pid_t pid;

	if (pipe(fds))
		return -errno;
	fflush(NULL);
	pid = fork();
	if (!pid) {
		err = measure_polls(no_bpf, ret_cost);
		if (!err && write(fds[1], ret_cost, sizeof(*ret_cost)) != sizeof(*ret_cost))
			err = -EIO;
		_exit(err != 0);
	}
	close(fds[1]);
	err = pid > 0 && read(fds[0], ret_cost, sizeof(*ret_cost)) == sizeof(*ret_cost) ? 0 : -EIO;
	close(fds[0]);
	if (pid > 0)
		waitpid(pid, NULL, 0);
	return err;
}

static void print_polls(const char *name, int no_bpf)
{
	struct poll_cost cost;

	if (measure_polls_apart(no_bpf, &cost)) {
		printf("  %-12s not measured: no BPF here\n", name);
		return;
	}
	printf("  %-12s %6zu %9.2f %9.2f %9.2f %10.4f %9.1f %9.1f\n", name, cost.procs,
	       cost.ms.median, cost.ms.high, cost.cpu_ms * 1e3 / cost.procs,
	       cost.cpu_ms / 1e3 / INTERVAL_S * 100, cost.rss_mib, cost.map_mib);
}

static const size_t counts[] = {100, 1000, 5000};

static void table_poll(void)
{
	struct sleepers s;
	size_t i;

	printf("\nOne poll, sleeping processes (the agent polls every %d s)\n", INTERVAL_S);
	printf("  %-12s %6s %9s %9s %9s %10s %9s %9s\n", "", "procs", "ms", "75% ms", "us/proc",
	       "% of core", "RSS MiB", "maps MiB");
	for (i = 0; i < sizeof(counts) / sizeof(counts[0]); i++) {
		if (!sleepers__start(&s, counts[i])) {
			print_polls("iter/task", 0);
			print_polls("/proc", 1);
		}
		sleepers__end(&s);
	}
}

/* ---- the agent --------------------------------------------------------------------------- */

static void measure_agent(size_t procs)
{
	const int warm_s = quick ? 12 : 25, run_s = quick ? 20 : 60;
	double cpu, rss, maps;
	struct agent_run a;
	char what[64];

	if (agent_run__start(&a, NULL))
		return;
	sleep(warm_s);
	cpu = agent_run__cpu_s(&a);
	sleep(run_s);
	cpu = (agent_run__cpu_s(&a) - cpu) / run_s * 100;
	rss = agent_run__rss_mib(&a);
	maps = agent_run__map_mib(&a);
	printf("  %-12s %6zu %10.4f %9.1f %9.1f %12d\n", "agent", procs, cpu, rss, maps, run_s);
	snprintf(what, sizeof(what), "agent memory with maps, %zu processes", procs);
	verdict(what, rss + maps, AGENT_MIB_GOAL + procs * AGENT_KIB_GOAL / 1024, " MiB");
	if (procs == 1000)
		verdict("agent CPU, 1000 processes", cpu, AGENT_CPU_GOAL, " %");
	agent_run__stop(&a);
}

static void table_agent(void)
{
	struct sleepers s;
	size_t i;

	printf("\nThe agent itself, every %d s, sleeping processes beside it\n", INTERVAL_S);
	if (access(AGENT_RUN_PATH, X_OK)) {
		printf("  not measured: %s is not built\n", AGENT_RUN_PATH);
		return;
	}
	printf("  %-12s %6s %10s %9s %9s %12s\n", "", "procs", "% of core", "RSS MiB", "maps MiB",
	       "seconds");
	for (i = 0; i < sizeof(counts) / sizeof(counts[0]); i++) {
		if (!sleepers__start(&s, counts[i]))
			measure_agent(counts[i]);
		sleepers__end(&s);
	}
}

/* ---- main -------------------------------------------------------------------------------- */

static const struct {
	const char *name;
	void (*print)(void);
} tables[] = {
	{"faults", table_faults}, {"growth", table_growth}, {"life", table_life},
	{"build", table_build},	  {"poll", table_poll},	    {"agent", table_agent},
};

#define TABLES (sizeof(tables) / sizeof(tables[0]))

static int wanted(const char *name, int argc, char **argv)
{
	int i, named = 0;

	for (i = 1; i < argc; i++) {
		if (!strcmp(argv[i], name))
			return 1;
		named |= argv[i][0] != '-';
	}
	return !named;
}

static int known(const char *arg)
{
	size_t i;

	for (i = 0; i < TABLES; i++)
		if (!strcmp(arg, tables[i].name))
			return 1;
	return !strcmp(arg, "--quick");
}

/* The classic tracepoint needs tracefs: mounted for us alone where the system has not. */
static void mount_tracefs(void)
{
	if (!access("/sys/kernel/tracing/events", F_OK))
		return;
	if (!unshare(CLONE_NEWNS) && !mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL))
		mount("tracefs", "/sys/kernel/tracing", "tracefs", 0, NULL);
}

int main(int argc, char **argv)
{
	size_t i;
	int a;

	for (a = 1; a < argc; a++) {
		if (!known(argv[a])) {
			fprintf(stderr,
				"usage: %s [--quick] [faults|growth|life|build|poll|agent]...\n",
				argv[0]);
			return 2;
		}
		quick |= !strcmp(argv[a], "--quick");
	}
	if (geteuid()) {
		printf("bench/watch: not measured: needs root\n");
		return 0;
	}
	mount_tracefs();
	setvbuf(stdout, NULL, _IOLBF, 0);
	for (i = 0; i < TABLES; i++)
		if (wanted(tables[i].name, argc, argv))
			tables[i].print();
	return 0;
}
