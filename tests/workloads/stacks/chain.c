// SPDX-License-Identifier: BSD-2-Clause
/*
 * chain.c - allocates at the end of every kind of call chain that C has, over and over.
 *
 * Compiled in many ways by bench/stacks.c and tests/e2e; with -DLIBRARY the part that goes into a
 * library. The latest blocks of each thread are kept.
 */
#include <alloca.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define KEPT	 256
#define NOINLINE __attribute__((noinline))

int sum;

void leaf(size_t bytes);
void deep(int depth, int width);
void by_sort(void);
int by_tail(int n);
void by_noreturn(jmp_buf *back);

#if defined(LIBRARY) || !defined(USES_LIBRARY)
static void keep(void *block)
{
	static __thread void *blocks[KEPT];
	static __thread unsigned next;
	void **slot = &blocks[next++ % KEPT];

	free(*slot);
	*slot = block;
}

NOINLINE void leaf(size_t bytes)
{
	void *volatile p = calloc(3, bytes);

	keep(malloc(bytes));
	keep(realloc(p, 5 * bytes));
}

/* Frames of every size, some of a size known only at run time. */
NOINLINE void deep(int depth, int width)
{
	volatile char fixed[200];
	volatile char *moving = alloca(width);

	fixed[depth] = moving[0] = depth;
	if (depth)
		deep(depth - 1, width + 8);
	else
		leaf(100);
	sum += fixed[depth] + moving[0];
}

static int compare(const void *a, const void *b)
{
	const int *x = a, *y = b;

	leaf(24);
	return *x - *y;
}

/* Through the C library and back. */
NOINLINE void by_sort(void)
{
	int values[] = {5, 3, 9, 1, 7};

	qsort(values, 5, sizeof(values[0]), compare);
	sum += values[0];
}

static NOINLINE int tail_end(int n)
{
	leaf(n);
	return sum + n;
}

NOINLINE int by_tail(int n)
{
	return tail_end(n + 1);
}

static NOINLINE __attribute__((noreturn)) void never_returns(jmp_buf *back)
{
	leaf(48);
	longjmp(*back, 1);
}

/* The call is its last instruction: the return address is behind it. */
NOINLINE __attribute__((noreturn)) void by_noreturn(jmp_buf *back)
{
	leaf(40);
	never_returns(back);
}
#endif

#ifndef LIBRARY
static void on_signal(int signo)
{
	leaf(56);
	sum += signo;
}

static NOINLINE void by_signal(void)
{
	raise(SIGUSR1);
	sum++;
}

static NOINLINE void all_chains(void)
{
	jmp_buf back;

	leaf(16);
	deep(30, 16);
	by_sort();
	sum += by_tail(64);
	by_signal();
	if (!setjmp(back))
		by_noreturn(&back);
}

static void *in_thread(void *arg)
{
	for (;;) {
		all_chains();
		usleep(1000);
	}
	return arg;
}

int main(void)
{
	struct sigaction action = {.sa_handler = on_signal};
	pthread_t thread;

	alarm(120);
	sigaction(SIGUSR1, &action, NULL);
	pthread_create(&thread, NULL, in_thread, NULL);
	in_thread(NULL);
}
#endif
