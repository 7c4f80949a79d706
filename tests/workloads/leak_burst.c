// SPDX-License-Identifier: BSD-2-Clause
/*
 * leak_burst.c - loses --burst bytes at once, each --every seconds on average: a staircase with
 * uneven steps.
 */
#include "workload.h"

int main(int argc, char **argv)
{
	size_t base = arg__size(argc, argv, "--base", 20 << 20);
	size_t burst = arg__size(argc, argv, "--burst", 4 << 20);
	double every = arg__number(argc, argv, "--every", 3);

	workload__begin();
	srand48(7);
	forget(take(base));
	for (;;) {
		sleep_s(every * (.5 + drand48()));
		forget(take(burst));
	}
}
