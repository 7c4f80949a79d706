/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * workload.h - what the example programs share: arguments, pace and memory that is really used.
 *
 * A workload is a small program with a known shape of memory over time, for tests and the demo.
 * Arguments are "--name value" pairs; sizes take K, M and G, times are seconds. Each ends with
 * its parent and after WORKLOAD_LIFE_S at the latest, so that no test leaves one behind.
 */
#ifndef SEEP_WORKLOAD_H
#define SEEP_WORKLOAD_H

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <time.h>
#include <unistd.h>

#define WORKLOAD_LIFE_S 1800

static inline void workload__begin(void)
{
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	alarm(WORKLOAD_LIFE_S);
}

static inline const char *arg__text(int argc, char **argv, const char *name)
{
	int i;

	for (i = 1; i + 1 < argc; i += 2) {
		if (!strcmp(argv[i], name))
			return argv[i + 1];
	}
	return NULL;
}

static inline double arg__number(int argc, char **argv, const char *name, double otherwise)
{
	const char *text = arg__text(argc, argv, name);

	return text ? strtod(text, NULL) : otherwise;
}

static inline size_t arg__size(int argc, char **argv, const char *name, size_t otherwise)
{
	const char *text = arg__text(argc, argv, name);
	char *unit = NULL;
	double value;

	if (!text)
		return otherwise;
	value = strtod(text, &unit);
	switch (*unit) {
	case 'G':
		value *= 1024; /* fall through */
	case 'M':
		value *= 1024; /* fall through */
	case 'K':
		value *= 1024;
	}
	return value;
}

/* Memory of which every page is resident. Running out of it ends the program. */
static inline void *take(size_t bytes)
{
	char *p = malloc(bytes ? bytes : 1);

	if (!p) {
		fprintf(stderr, "out of memory\n");
		exit(1);
	}
	memset(p, 0x5a, bytes);
	return p;
}

static inline void sleep_s(double seconds)
{
	struct timespec ts = {.tv_sec = seconds, .tv_nsec = (seconds - (time_t)seconds) * 1e9};

	nanosleep(&ts, NULL);
}

static inline double now_s(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec + ts.tv_nsec / 1e9;
}

/* A pointer kept where neither the compiler nor the program looks at it again. */
static inline void forget(void *p)
{
	__asm__ volatile("" : : "r"(p) : "memory");
}

#endif /* SEEP_WORKLOAD_H */
