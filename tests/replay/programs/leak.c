// SPDX-License-Identifier: BSD-2-Clause
/*
 * leak.c - a program that loses memory, to be recorded.
 *
 *	leak linear|bursty|sawtooth|healthy KIB_PER_S [AFTER_S [BASE_MIB]]
 *
 * It works with a bounded table of blocks and, after AFTER_S, forgets others it never frees;
 * sawtooth also fills and frees a large buffer all the time. BASE_MIB: memory it rightly holds.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define TABLE	4096
#define STEP_US 20000

static void *table[TABLE];

static void *block(size_t size)
{
	char *p = malloc(size);

	if (p)
		memset(p, 1, size);
	return p;
}

static void churn(unsigned i)
{
	unsigned k;

	for (k = 0; k < 64; k++) {
		unsigned slot = (i * 64 + k * 2654435761U) % TABLE;

		free(table[slot]);
		table[slot] = block(256 + (slot * 97) % 6000);
	}
}

/* Fills in slices, frees the whole, again. */
static void saw(void)
{
	static void *teeth[200];
	static unsigned n;

	if (n < 200) {
		teeth[n++] = block(150 * 1024);
		return;
	}
	while (n)
		free(teeth[--n]);
}

static void lose(size_t bytes)
{
	size_t n;

	for (n = 0; n < bytes; n += 1024)
		if (!block(1024))
			return;
}

int main(int argc, char **argv)
{
	double rate = argc > 2 ? atof(argv[2]) * 1024 : 0, after = argc > 3 ? atof(argv[3]) : 0;
	const char *how = argc > 1 ? argv[1] : "healthy";
	double step = STEP_US / 1e6, owed = 0;
	unsigned i;

	if (argc > 4 && !block((size_t)atoi(argv[4]) << 20))
		return 1;
	srand(7);
	for (i = 0;; i++) {
		churn(i);
		if (i * step >= after)
			owed += rate * step;
		if (!strcmp(how, "sawtooth"))
			saw();
		if (!strcmp(how, "linear") || !strcmp(how, "sawtooth") ||
		    (!strcmp(how, "bursty") && rand() % 200 == 0)) {
			lose((size_t)owed);
			owed = 0;
		}
		usleep(STEP_US);
	}
}
