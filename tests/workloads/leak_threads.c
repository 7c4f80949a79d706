// SPDX-License-Identifier: BSD-2-Clause
/*
 * leak_threads.c - several threads serve "requests": most of what they allocate is freed soon,
 * a little of it never is.
 */
#include <pthread.h>

#include "workload.h"

#define RECENT	    64
#define MAX_THREADS 64

static double requests_per_s;
static size_t lost_per_request;

static void serve(void **recent, unsigned turn)
{
	free(recent[turn % RECENT]);
	recent[turn % RECENT] = take(4096 + lrand48() % 8192);
	forget(take(lost_per_request));
}

static void *worker(void *arg)
{
	void *recent[RECENT] = {NULL};
	unsigned turn;

	for (turn = 0;; turn++) {
		serve(recent, turn);
		sleep_s(1 / requests_per_s);
	}
	return arg;
}

int main(int argc, char **argv)
{
	int threads = arg__number(argc, argv, "--threads", 4);
	size_t rate = arg__size(argc, argv, "--rate", 1 << 20);
	pthread_t thread;
	int i;

	workload__begin();
	if (threads < 1 || threads > MAX_THREADS)
		threads = 4;
	requests_per_s = arg__number(argc, argv, "--requests", 100) / threads;
	lost_per_request = rate / requests_per_s / threads;
	for (i = 0; i < threads; i++) {
		if (pthread_create(&thread, NULL, worker, NULL))
			return 1;
	}
	pthread_join(thread, NULL);
	return 0;
}
