// SPDX-License-Identifier: BSD-2-Clause
/*
 * steady.c - much traffic, constant memory: each "request" frees as much as it takes. Healthy.
 */
#include "workload.h"

#define LIVE 4096

int main(int argc, char **argv)
{
	size_t base = arg__size(argc, argv, "--base", 30 << 20);
	double per_s = arg__number(argc, argv, "--ops", 2000);
	void *live[LIVE];
	double start = now_s();
	size_t done = 0, i;

	workload__begin();
	forget(take(base));
	for (i = 0; i < LIVE; i++)
		live[i] = take(512 + lrand48() % 4096);
	for (;;) {
		for (; done < (now_s() - start) * per_s; done++) {
			i = lrand48() % LIVE;
			free(live[i]);
			live[i] = take(512 + lrand48() % 4096);
		}
		sleep_s(.02);
	}
}
