// SPDX-License-Identifier: BSD-2-Clause
/*
 * prefork.c - a server that forks its workers and waits for them; each leaks blocks of its own size.
 *
 *     prefork --go FILE [--workers N] [--delay S]
 *
 * Once FILE is there, worker I leaks BLOCKS + I blocks of LEAK_BYTES + I bytes, and the master BLOCKS
 * of LEAK_BYTES; each prints its process id. The comments at the ends of lines are for the tests.
 */
#include <sys/wait.h>

#include "workload.h"

#define BLOCKS	   211
#define LEAK_BYTES 1009

static __attribute__((noinline)) void leaky(size_t bytes)
{
	forget(malloc(bytes)); /* line: leak */
	__asm__ volatile("");
}

static void leak_when_told(const char *go, int id)
{
	int i;

	while (access(go, F_OK)) {
		free(take(307));
		sleep_s(.01);
	}
	for (i = 0; i < BLOCKS + id; i++)
		leaky(LEAK_BYTES + id);
	printf("%d leaked %d\n", getpid(), id);
	fflush(stdout);
}

static __attribute__((noinline)) void serve(const char *go, int id)
{
	workload__begin();
	leak_when_told(go, id);
	for (;;)
		pause();
}

int main(int argc, char **argv)
{
	int workers = arg__number(argc, argv, "--workers", 3), i;
	const char *go = arg__text(argc, argv, "--go");

	workload__begin();
	sleep_s(arg__number(argc, argv, "--delay", 0));
	for (i = 1; i <= workers; i++)
		if (!fork())
			serve(go, i);
	leak_when_told(go, 0);
	while (wait(NULL) > 0)
		;
	return 0;
}
