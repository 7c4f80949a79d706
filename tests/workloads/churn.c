// SPDX-License-Identifier: BSD-2-Clause
/*
 * churn.c - threads that do nothing but allocate, check and free, and say how fast they are.
 *
 * Each byte on standard input is answered with a line: operations until now, the CPU time that they
 * took in ns, and blocks found damaged. At the end of input it ends: 0, or 1 if there was damage.
 *
 *     churn [--threads N]
 */
#define _GNU_SOURCE
#include <pthread.h>
#include <stdint.h>
#include <sys/resource.h>

#include "workload.h"

#define THREADS_MAX 64
#define SLOTS	    256
#define BYTES_MAX   2048
#define LIFE_S	    (6 * 3600) /* 1000 probes that come and go take a while on a busy machine */

static volatile int is_over;

struct worker {
	pthread_t thread;
	uint64_t state; /* of its random numbers */
	volatile uint64_t ops, damaged;
	unsigned char *slots[SLOTS];
	size_t sizes[SLOTS];
};

static uint64_t next_random(struct worker *w)
{
	w->state ^= w->state << 13;
	w->state ^= w->state >> 7;
	w->state ^= w->state << 17;
	return w->state;
}

static unsigned char mark_of(const struct worker *w, size_t slot)
{
	return (w->sizes[slot] * 7 + slot) & 0xff;
}

/* Every block says what it is at both ends. */
static void sign(struct worker *w, size_t slot)
{
	w->slots[slot][0] = w->slots[slot][w->sizes[slot] - 1] = mark_of(w, slot);
}

static void check(struct worker *w, size_t slot)
{
	const unsigned char *p = w->slots[slot];

	if (p && (p[0] != mark_of(w, slot) || p[w->sizes[slot] - 1] != mark_of(w, slot)))
		w->damaged++;
}

static void turn(struct worker *w)
{
	uint64_t r = next_random(w);
	size_t slot = r % SLOTS, bytes = 1 + (r >> 16) % BYTES_MAX;

	check(w, slot);
	if (r >> 60 & 1) {
		free(w->slots[slot]);
		w->slots[slot] = r >> 61 & 1 ? malloc(bytes) : calloc(1, bytes);
	} else {
		w->slots[slot] = realloc(w->slots[slot], bytes);
	}
	w->sizes[slot] = bytes;
	sign(w, slot);
	w->ops++;
}

static void *work(void *arg)
{
	struct worker *w = arg;

	while (!is_over)
		turn(w);
	return NULL;
}

static uint64_t cpu_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &ts);
	return ts.tv_sec * 1000000000ULL + ts.tv_nsec;
}

static uint64_t say(const struct worker *workers, int cnt)
{
	uint64_t ops = 0, damaged = 0;
	char line[96];
	int i, len;

	for (i = 0; i < cnt; i++) {
		ops += workers[i].ops;
		damaged += workers[i].damaged;
	}
	len = snprintf(line, sizeof(line), "%llu %llu %llu\n", (unsigned long long)ops,
		       (unsigned long long)cpu_ns(), (unsigned long long)damaged);
	return write(STDOUT_FILENO, line, len) == len ? damaged : 1;
}

int main(int argc, char **argv)
{
	static struct worker workers[THREADS_MAX];
	int cnt = arg__number(argc, argv, "--threads", 4), i;
	uint64_t damaged = 0;
	char byte;

	workload__begin();
	alarm(LIFE_S);
	for (i = 0; i < cnt && i < THREADS_MAX; i++) {
		workers[i].state = 88172645463325252ULL + i;
		pthread_create(&workers[i].thread, NULL, work, &workers[i]);
	}
	while (read(STDIN_FILENO, &byte, 1) == 1)
		say(workers, cnt);
	is_over = 1;
	for (i = 0; i < cnt && i < THREADS_MAX; i++)
		pthread_join(workers[i].thread, NULL);
	damaged = say(workers, cnt);
	return damaged != 0;
}
