// SPDX-License-Identifier: BSD-2-Clause
/*
 * alloc_exact.c - leaks an exact number of blocks from several threads, and churns beside it.
 *
 * Reads a byte from standard input before, and writes one after; each call site has a size of its
 * own. For tests that load it with different allocators.
 */
#define _GNU_SOURCE
#include <pthread.h>

#include "workload.h"

#define THREADS 8

static void *volatile kept;

static void *keep(void *p)
{
	kept = p;
	return p;
}

static void drop(void *p)
{
	free(keep(p));
}

static void churn(void)
{
	size_t i;
	char *p;

	for (i = 0; i < 499; i++) {
		p = keep(malloc(1 + i * 7 % 3001));
		p = keep(realloc(p, 1 + i * 11 % 5003));
		drop(calloc(i % 17 + 1, 61));
		drop(p);
	}
}

static void leak_once(void)
{
	void *p;

	keep(malloc(211));
	keep(calloc(3, 109));
	keep(realloc(malloc(17), 4099));
	if (!posix_memalign(&p, 64, 809))
		keep(p);
	keep(aligned_alloc(128, 1153));
	keep(realloc(NULL, 601));
	drop(malloc(307));
}

static void *leak(void *arg)
{
	int i;

	(void)arg;
	churn();
	for (i = 0; i < 103; i++)
		leak_once();
	churn();
	return NULL;
}

static int next_turn(void)
{
	char byte = 't';

	return write(STDOUT_FILENO, &byte, 1) == 1 && read(STDIN_FILENO, &byte, 1) == 1;
}

int main(void)
{
	pthread_t threads[THREADS];
	int i;

	workload__begin();
	drop(malloc(1)); /* some allocators wake up here */
	if (!next_turn())
		return 1;
	for (i = 0; i < THREADS; i++)
		pthread_create(&threads[i], NULL, leak, NULL);
	for (i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
	for (i = 0; i < 7; i++) {
		keep(malloc(1 << 20));
		drop(malloc(3 << 20));
		keep(realloc(malloc(300001), 5000011));
	}
	next_turn();
	return 0;
}
