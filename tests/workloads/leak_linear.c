// SPDX-License-Identifier: BSD-2-Clause
/*
 * leak_linear.c - loses memory at a constant rate, in small blocks, until --stop-after seconds;
 * then goes on running without growing (0 = never stops).
 */
#include "workload.h"

static void __attribute__((noinline)) lose(size_t bytes)
{
	forget(take(bytes));
}

int main(int argc, char **argv)
{
	size_t base = arg__size(argc, argv, "--base", 20 << 20);
	size_t rate = arg__size(argc, argv, "--rate", 1 << 20);
	size_t step = arg__size(argc, argv, "--step", 16 << 10);
	double stop_after = arg__number(argc, argv, "--stop-after", 0);
	double start = now_s();
	size_t lost = 0;

	workload__begin();
	forget(take(base));
	for (;;) {
		double age = now_s() - start;

		if (stop_after > 0 && age > stop_after)
			age = stop_after;
		for (; lost + step <= age * rate; lost += step)
			lose(step);
		sleep_s(.02);
	}
}
