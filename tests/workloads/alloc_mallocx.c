// SPDX-License-Identifier: BSD-2-Clause
/*
 * alloc_mallocx.c - leaks an exact number of blocks by jemalloc's own functions. Turns as in
 * alloc_exact.c; linked with a jemalloc under its own names, or with one that is prefixed.
 */
#define _GNU_SOURCE
#include <pthread.h>

#include "workload.h"

#define THREADS	  8
#define ALIGN_256 8 /* MALLOCX_LG_ALIGN(8) */

void *mallocx(size_t size, int flags);
void *rallocx(void *p, size_t size, int flags);
void dallocx(void *p, int flags);
void sdallocx(void *p, size_t size, int flags);

static void *volatile kept;

static void *keep(void *p)
{
	kept = p;
	return p;
}

static void *leak(void *arg)
{
	int i;

	(void)arg;
	for (i = 0; i < 103; i++) {
		keep(mallocx(211, 0));
		keep(mallocx(809, ALIGN_256));
		keep(rallocx(keep(mallocx(17, 0)), 4099, 0));
		dallocx(keep(mallocx(307, 0)), 0);
		sdallocx(keep(rallocx(keep(mallocx(307, 0)), 401, 0)), 401, 0);
	}
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
	dallocx(keep(mallocx(1, 0)), 0);
	if (!next_turn())
		return 1;
	for (i = 0; i < THREADS; i++)
		pthread_create(&threads[i], NULL, leak, NULL);
	for (i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
	next_turn();
	return 0;
}
