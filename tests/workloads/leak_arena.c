// SPDX-License-Identifier: BSD-2-Clause
/*
 * leak_arena.c - loses memory of its own making: one reservation at the start, handed out block by
 * block. No allocator that anybody could know, and no call into the kernel when it grows.
 */
#include <sys/mman.h>

#include "workload.h"

#define ARENA_BYTES ((size_t)8 << 30)

static char *arena_at;

static void *hand_out(size_t bytes)
{
	char *p = arena_at;

	arena_at += bytes;
	return p;
}

static __attribute__((noinline)) void keep_session(size_t bytes)
{
	char *p = hand_out(bytes);
	size_t i;

	for (i = 0; i < bytes; i += 64)
		p[i] = 1; /* line: lost */
	forget(p);
}

int main(int argc, char **argv)
{
	size_t rate = arg__size(argc, argv, "--rate", 1 << 20), bytes = 4096, lost = 0;
	double start = now_s();

	workload__begin();
	arena_at = mmap(NULL, ARENA_BYTES, PROT_READ | PROT_WRITE,
			MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (arena_at == MAP_FAILED || madvise(arena_at, ARENA_BYTES, MADV_NOHUGEPAGE))
		return 1;
	for (;;) {
		for (; lost + bytes <= (now_s() - start) * rate; lost += bytes)
			keep_session(bytes);
		sleep_s(.02);
	}
}
