// SPDX-License-Identifier: BSD-2-Clause
/*
 * storm.c - floods of processes and cgroups:
 *
 *   storm --what forks   [--cnt N] [--workers N]   each worker forks N children that end at once
 *   storm --what execs   [--cnt N] [--workers N]   ... that run this program, which ends at once
 *   storm --what sleep   [--cnt N]                 N children that sleep until standard input ends
 *   storm --what cgroups [--cnt N] --dir DIR       N cgroups below DIR, one after another: made,
 *                                                  entered by a child that ends there, removed
 *
 * Prints "N in S s", what it really did and how long it took; sleepers say "N sleep" and wait.
 * With --seconds S it goes on for that long, N is only the most.
 */
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "workload.h"

#define PATH_CAP 512

struct storm {
	size_t cnt;
	double end_s; /* of the run, by now_s() */
	const char *program;
	const char *dir;
};

static int is_over(const struct storm *s, size_t done)
{
	return done >= s->cnt || now_s() >= s->end_s;
}

static void must(int ok, const char *what)
{
	if (ok)
		return;
	perror(what);
	exit(1);
}

static size_t fork_on(const struct storm *s)
{
	size_t done;
	pid_t pid;

	for (done = 0; !is_over(s, done); done++) {
		pid = fork();
		must(pid >= 0, "fork");
		if (!pid)
			_exit(0);
		waitpid(pid, NULL, 0);
	}
	return done;
}

static size_t exec_on(const struct storm *s)
{
	size_t done;
	pid_t pid;

	for (done = 0; !is_over(s, done); done++) {
		pid = fork();
		must(pid >= 0, "fork");
		if (!pid) {
			execl(s->program, s->program, "--what", "nothing", NULL);
			_exit(1);
		}
		waitpid(pid, NULL, 0);
	}
	return done;
}

static void enter(const char *cgroup)
{
	char path[PATH_CAP + 16];
	int fd;

	snprintf(path, sizeof(path), "%s/cgroup.procs", cgroup);
	fd = open(path, O_WRONLY);
	if (fd < 0 || write(fd, "0", 1) != 1)
		_exit(1);
	forget(take(64 << 10));
	_exit(0);
}

/* A child's last pages may keep its cgroup busy for a moment. */
static void remove_cgroup(const char *path)
{
	int tries;

	for (tries = 0; rmdir(path) && errno == EBUSY && tries < 1000; tries++)
		sleep_s(.001);
}

static size_t make_cgroups(const struct storm *s)
{
	char path[PATH_CAP];
	size_t done;
	pid_t pid;

	for (done = 0; !is_over(s, done); done++) {
		snprintf(path, sizeof(path), "%s/%d-%zu", s->dir, getpid(), done);
		must(!mkdir(path, 0755), path);
		pid = fork();
		must(pid >= 0, "fork");
		if (!pid)
			enter(path);
		waitpid(pid, NULL, 0);
		remove_cgroup(path);
	}
	return done;
}

/* They end with the pipe, whatever becomes of us. */
static void sleepers(const struct storm *s)
{
	int gate[2];
	size_t i;
	char byte;
	pid_t pid;

	must(!pipe(gate), "pipe");
	for (i = 0; i < s->cnt; i++) {
		pid = fork();
		must(pid >= 0, "fork");
		if (pid)
			continue;
		close(gate[1]);
		_exit(read(gate[0], &byte, 1) < 0);
	}
	close(gate[0]);
	printf("%zu sleep\n", s->cnt);
	fflush(stdout);
	while (read(0, &byte, 1) > 0)
		;
	close(gate[1]);
	while (wait(NULL) > 0)
		;
}

/* The workers' counts come back through a pipe. */
static size_t work_together(size_t (*work)(const struct storm *), const struct storm *s,
			    size_t workers)
{
	size_t i, done, sum = 0;
	int results[2];
	pid_t pid;

	must(!pipe(results), "pipe");
	for (i = 0; i < workers; i++) {
		pid = fork();
		must(pid >= 0, "fork");
		if (pid)
			continue;
		workload__begin();
		done = work(s);
		_exit(write(results[1], &done, sizeof(done)) != sizeof(done));
	}
	for (i = 0; i < workers; i++) {
		must(read(results[0], &done, sizeof(done)) == sizeof(done), "a worker");
		sum += done;
	}
	while (wait(NULL) > 0)
		;
	return sum;
}

int main(int argc, char **argv)
{
	const char *what = arg__text(argc, argv, "--what") ?: "";
	size_t workers = arg__size(argc, argv, "--workers", 1), done;
	double begin_s = now_s();
	struct storm s = {
		.cnt = arg__size(argc, argv, "--cnt", 1000),
		.end_s = begin_s + arg__number(argc, argv, "--seconds", WORKLOAD_LIFE_S),
		.program = argv[0],
		.dir = arg__text(argc, argv, "--dir"),
	};

	if (!strcmp(what, "nothing"))
		return 0;
	workload__begin();
	if (!strcmp(what, "sleep")) {
		sleepers(&s);
		return 0;
	}
	if (!strcmp(what, "forks"))
		done = work_together(fork_on, &s, workers);
	else if (!strcmp(what, "execs"))
		done = work_together(exec_on, &s, workers);
	else if (!strcmp(what, "cgroups") && s.dir)
		done = work_together(make_cgroups, &s, workers);
	else
		return 2;
	printf("%zu in %.2f s\n", done, now_s() - begin_s);
	return 0;
}
