// SPDX-License-Identifier: BSD-2-Clause
/*
 * sawtooth.c - collects --tooth bytes of garbage in --period seconds, then frees all of it: what a
 * garbage collector makes of memory. The floor does not rise. Healthy.
 */
#include <malloc.h>

#include "workload.h"

#define PIECES 256

int main(int argc, char **argv)
{
	size_t floor = arg__size(argc, argv, "--floor", 20 << 20);
	size_t tooth = arg__size(argc, argv, "--tooth", 40 << 20);
	double period = arg__number(argc, argv, "--period", 4);
	void *piece[PIECES];
	int i;

	workload__begin();
	mallopt(M_MMAP_THRESHOLD, 64 << 10); /* freed memory goes back to the system */
	forget(take(floor));
	for (;;) {
		for (i = 0; i < PIECES; i++) {
			piece[i] = take(tooth / PIECES);
			sleep_s(period / PIECES);
		}
		for (i = 0; i < PIECES; i++)
			free(piece[i]);
	}
}
