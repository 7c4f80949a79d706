// SPDX-License-Identifier: BSD-2-Clause
/*
 * alloc_wrapped.c - a program with a malloc of its own, which hands on to the C library's.
 *
 * Blocks of one size end their thread inside malloc, of another leave it by longjmp. Turns as in
 * alloc_exact.c.
 */
#define _GNU_SOURCE
#include <pthread.h>
#include <setjmp.h>
#include <sys/syscall.h>

#include "workload.h"

#define ENDS_THREAD 7777
#define JUMPS_OUT   8887

void *__libc_malloc(size_t size);
void *__libc_calloc(size_t cnt, size_t size);
void *__libc_realloc(void *p, size_t size);
void __libc_free(void *p);

static void *volatile kept;
static jmp_buf out;

void *malloc(size_t size)
{
	if (size == ENDS_THREAD)
		syscall(SYS_exit, 0);
	if (size == JUMPS_OUT)
		longjmp(out, 1);
	return __libc_malloc(size);
}

void *calloc(size_t cnt, size_t size)
{
	return __libc_calloc(cnt, size);
}

void *realloc(void *p, size_t size)
{
	return __libc_realloc(p, size);
}

void free(void *p)
{
	__libc_free(p);
}

static void *end_inside(void *arg)
{
	(void)arg;
	kept = malloc(ENDS_THREAD);
	return NULL;
}

static void *leak(void *arg)
{
	int i;

	(void)arg;
	for (i = 0; i < 53; i++)
		kept = malloc(211);
	return NULL;
}

/* A stack of ours: the next thread has the frames, and perhaps the number, of the last. */
static void run_thread(void *(*fn)(void *))
{
	pthread_t thread;

	pthread_create(&thread, NULL, fn, NULL);
	pthread_join(thread, NULL);
}

static int next_turn(void)
{
	char byte = 't';

	return write(STDOUT_FILENO, &byte, 1) == 1 && read(STDIN_FILENO, &byte, 1) == 1;
}

int main(void)
{
	int i;

	workload__begin();
	if (!next_turn())
		return 1;
	for (i = 0; i < 11; i++) {
		run_thread(end_inside);
		run_thread(leak);
	}
	if (!setjmp(out))
		kept = malloc(JUMPS_OUT);
	for (i = 0; i < 29; i++)
		kept = malloc(307);
	kept = strdup("a block that the C library allocates for its caller...");
	next_turn();
	return 0;
}
