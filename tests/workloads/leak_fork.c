// SPDX-License-Identifier: BSD-2-Clause
/*
 * leak_fork.c - a supervisor whose worker leaks and is replaced each --life seconds, as services
 * are that somebody restarts "because it helps".
 */
#include <sys/wait.h>

#include "workload.h"

static void work(size_t base, size_t rate, double life)
{
	double start = now_s();
	size_t lost = 0, step = 16 << 10;

	workload__begin();
	forget(take(base));
	while (now_s() - start < life) {
		for (; lost + step <= (now_s() - start) * rate; lost += step)
			forget(take(step));
		sleep_s(.02);
	}
	_exit(0);
}

int main(int argc, char **argv)
{
	size_t base = arg__size(argc, argv, "--base", 10 << 20);
	size_t rate = arg__size(argc, argv, "--rate", 1 << 20);
	double life = arg__number(argc, argv, "--life", 15);

	workload__begin();
	for (;;) {
		pid_t pid = fork();

		if (pid < 0)
			return 1;
		if (!pid)
			work(base, rate, life);
		waitpid(pid, NULL, 0);
	}
}
