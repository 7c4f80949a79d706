// SPDX-License-Identifier: BSD-2-Clause
/*
 * warm_up.c - grows fast, then slower, towards --to bytes, and stays there: code and data that
 * are loaded when first needed. Healthy.
 */
#include "workload.h"

int main(int argc, char **argv)
{
	size_t to = arg__size(argc, argv, "--to", 80 << 20);
	double tau = arg__number(argc, argv, "--tau", 5);
	double due = 0, last = now_s();
	size_t loaded = 0, step = 64 << 10;

	workload__begin();
	for (;;) {
		double now = now_s(), part = (now - last) / tau;

		last = now;
		due += (to - due) * (part < 1 ? part : 1);
		for (; loaded + step <= due; loaded += step)
			forget(take(step));
		sleep_s(.05);
	}
}
