// SPDX-License-Identifier: BSD-2-Clause
/*
 * alloc.c - what a traced pair of malloc and free costs the program.
 *
 * All variants run interleaved in one go, each repetition beginning with another one; the figure is
 * the median over the repetitions. CPU time of the traced thread is measured, because the machine
 * may be shared. As root. With MEMLEAK set to a command that runs bcc's memleak (libbpf-tools),
 * that is measured beside.
 *
 *   [MEMLEAK=...] build/bench/alloc [--quick]
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "probe/alloc_probe.h"

#define PAIRS	     20000
#define REPS_MAX     15
#define SIZES	     2
#define SAMPLE_BYTES (512 * 1024)
#define GOAL_NS	     1500.0
#define PEER_START_S 4

static const size_t sizes[SIZES] = {64, 1024};

static const struct arm {
	const char *name;
	struct alloc_probe_cfg cfg;
	const char *peer_args; /* NULL: not a peer */
	int is_off;
} arms[] = {
	{.name = "off", .is_off = 1},
	{.name = "seep, samples", .cfg = {.sample_bytes = SAMPLE_BYTES}},
	{.name = "seep, all", .cfg = {.sample_bytes = 0}},
	{.name = "seep, samples, entry and return",
	 .cfg = {.sample_bytes = SAMPLE_BYTES, .no_session = 1}},
	{.name = "seep, samples, perf events",
	 .cfg = {.sample_bytes = SAMPLE_BYTES, .no_session = 1, .no_multi = 1}},
	{.name = "seep, samples, not placed", .cfg = {.sample_bytes = SAMPLE_BYTES, .at_entry = 1}},
	{.name = "memleak", .peer_args = ""},
	{.name = "memleak -s 100", .peer_args = "-s 100"},
};

#define ARM_CNT (sizeof(arms) / sizeof(arms[0]))

/* ---- the program that is traced ---------------------------------------------------------- */

struct target {
	pid_t pid;
	int to_fd, from_fd;
};

static void *volatile kept;

static double pair_ns(size_t size)
{
	uint64_t begin = clock__ns(CLOCK_THREAD_CPUTIME_ID);
	int i;

	for (i = 0; i < PAIRS; i++) {
		kept = malloc(size);
		free(kept);
	}
	return (double)(clock__ns(CLOCK_THREAD_CPUTIME_ID) - begin) / PAIRS;
}

static void serve(int in_fd, int out_fd)
{
	size_t size;
	double ns;

	while (read(in_fd, &size, sizeof(size)) == sizeof(size)) {
		pair_ns(size); /* warm */
		ns = pair_ns(size);
		if (write(out_fd, &ns, sizeof(ns)) != sizeof(ns))
			break;
	}
	_exit(0);
}

static int target__start(struct target *t)
{
	int to[2], from[2];

	if (pipe2(to, O_CLOEXEC) || pipe2(from, O_CLOEXEC))
		return -errno;
	t->pid = fork();
	if (t->pid < 0)
		return -errno;
	if (!t->pid) {
		close(to[1]);
		serve(to[0], from[1]);
	}
	close(to[0]);
	close(from[1]);
	t->to_fd = to[1];
	t->from_fd = from[0];
	return 0;
}

static double target__run(struct target *t, size_t size)
{
	double ns;

	if (write(t->to_fd, &size, sizeof(size)) != sizeof(size) ||
	    read(t->from_fd, &ns, sizeof(ns)) != sizeof(ns))
		return -1;
	return ns;
}

static void target__stop(struct target *t)
{
	close(t->to_fd);
	close(t->from_fd);
	waitpid(t->pid, NULL, 0);
}

/* ---- arms -------------------------------------------------------------------------------- */

struct running {
	struct alloc_probe *probe;
	pid_t peer;
};

static pid_t start_peer(const char *args, pid_t pid)
{
	char command[1024];
	pid_t peer;

	snprintf(command, sizeof(command), "exec %s -p %d %s >/dev/null 2>&1", getenv("MEMLEAK"),
		 pid, args);
	peer = fork();
	if (!peer) {
		execl("/bin/sh", "sh", "-c", command, NULL);
		_exit(127);
	}
	sleep(PEER_START_S);
	return peer;
}

/* 1 if it runs; 0 with the reason said. */
static int arm__on(const struct arm *arm, pid_t pid, struct running *r)
{
	struct alloc_probe_cfg cfg = arm->cfg;
	char why[256] = "";
	int err;

	*r = (struct running){};
	if (arm->is_off)
		return 1;
	if (arm->peer_args) {
		r->peer = start_peer(arm->peer_args, pid);
		return !waitpid(r->peer, NULL, WNOHANG);
	}
	cfg.pid = pid;
	err = alloc_probe__new(&cfg, &r->probe, why, sizeof(why));
	if (err)
		fprintf(stderr, "%s: %s (%s)\n", arm->name, strerror(-err), why);
	return !err;
}

static void arm__off(struct running *r)
{
	alloc_probe__free(r->probe);
	if (r->peer <= 0)
		return;
	kill(r->peer, SIGINT);
	waitpid(r->peer, NULL, 0);
}

/* ---- figures ----------------------------------------------------------------------------- */

struct figures {
	double ns[ARM_CNT][SIZES][REPS_MAX];
	int cnt[ARM_CNT];
};

static int by_value(const void *a, const void *b)
{
	const double *x = a, *y = b;

	return *x < *y ? -1 : *x > *y;
}

static double median(double *values, int cnt)
{
	qsort(values, cnt, sizeof(*values), by_value);
	return values[cnt / 2];
}

static void run_arm(struct figures *f, size_t arm, struct target *t)
{
	struct running r;
	size_t i;

	if (arms[arm].peer_args && !getenv("MEMLEAK"))
		return;
	if (arm__on(&arms[arm], t->pid, &r)) {
		for (i = 0; i < SIZES; i++)
			f->ns[arm][i][f->cnt[arm]] = target__run(t, sizes[i]);
		f->cnt[arm]++;
	}
	arm__off(&r);
}

static void print_table(struct figures *f)
{
	double ns, worst = 0;
	size_t arm, i;

	printf("%-34s %10s %10s   ns per malloc and free, median\n", "", "64 bytes", "1024 bytes");
	for (arm = 0; arm < ARM_CNT; arm++) {
		if (!f->cnt[arm])
			continue;
		printf("%-34s", arms[arm].name);
		for (i = 0; i < SIZES; i++) {
			ns = median(f->ns[arm][i], f->cnt[arm]);
			printf(" %10.0f", ns);
			if (arm == 1 && ns > worst)
				worst = ns;
		}
		printf("\n");
	}
	printf("goal: %.0f ns with samples: %s\n", GOAL_NS, worst <= GOAL_NS ? "met" : "MISSED");
}

int main(int argc, char **argv)
{
	int reps = argc > 1 && !strcmp(argv[1], "--quick") ? 3 : REPS_MAX, rep;
	static struct figures figures;
	struct target t = {};
	size_t i;

	if (target__start(&t)) {
		perror("bench/alloc");
		return 1;
	}
	for (rep = 0; rep < reps; rep++)
		for (i = 0; i < ARM_CNT; i++)
			run_arm(&figures, (rep + i) % ARM_CNT, &t);
	target__stop(&t);
	print_table(&figures);
	return 0;
}
