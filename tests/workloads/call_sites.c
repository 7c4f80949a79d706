// SPDX-License-Identifier: BSD-2-Clause
/*
 * call_sites.c - a leak, a cache and churn, each at a line of its own: for `seep trace`.
 *
 * One allocation of each a turn, --per-s turns a second; with --count N it stops leaking after N
 * and prints "done". The comments at the ends of lines are what the tests look for.
 */
#include "workload.h"

#define LEAK_BYTES 1009
#define CACHE_BYTES 2003
#define CHURN_BYTES 499
#define CACHE_SLOTS 512

static inline __attribute__((always_inline)) void *inlined_alloc(size_t bytes)
{
	return take(bytes); /* line: inlined */
}

static __attribute__((noinline)) void leaky(void)
{
	forget(malloc(LEAK_BYTES)); /* line: leak */
	__asm__ volatile("");
}

static __attribute__((noinline)) void cache_put(void **slot)
{
	free(*slot);
	*slot = inlined_alloc(CACHE_BYTES); /* line: cache */
}

static __attribute__((noinline)) void churn(void)
{
	void *p = malloc(CHURN_BYTES); /* line: churn */

	forget(p);
	free(p);
}

int main(int argc, char **argv)
{
	double per_s = arg__number(argc, argv, "--per-s", 1000), start, wait_s;
	unsigned long count = arg__number(argc, argv, "--count", 0), done;
	void *slots[CACHE_SLOTS] = {0};

	workload__begin();
	sleep_s(arg__number(argc, argv, "--delay", 0));
	start = now_s();
	for (done = 0; ; done++) {
		if (count && done == count)
			fprintf(stderr, "done\n");
		if (!count || done < count)
			leaky();
		cache_put(&slots[done % CACHE_SLOTS]);
		churn();
		wait_s = start + done / per_s - now_s();
		if (wait_s > .001)
			sleep_s(wait_s);
	}
}
