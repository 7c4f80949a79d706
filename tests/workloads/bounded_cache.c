// SPDX-License-Identifier: BSD-2-Clause
/*
 * bounded_cache.c - a cache of --entries slots that random keys fill and then replace in: memory
 * rises to a plateau and stays. Healthy.
 */
#include "workload.h"

int main(int argc, char **argv)
{
	size_t entries = arg__number(argc, argv, "--entries", 4000);
	size_t entry = arg__size(argc, argv, "--entry", 16 << 10);
	double per_s = arg__number(argc, argv, "--ops", 1000);
	void **slot = calloc(entries, sizeof(*slot));
	double start = now_s();
	size_t done = 0;

	workload__begin();
	if (!slot)
		return 1;
	for (;;) {
		for (; done < (now_s() - start) * per_s; done++) {
			size_t i = lrand48() % entries;

			free(slot[i]);
			slot[i] = take(entry / 2 + lrand48() % entry);
		}
		sleep_s(.02);
	}
}
