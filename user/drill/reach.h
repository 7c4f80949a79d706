/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * reach.h - which blocks does a process still refer to? Asked of its memory, from outside.
 *
 * A block that is alive, and of which no address stands anywhere in the process, can never be freed:
 * that is a leak, whatever its age. One that is referred to is held by something, which may be a
 * container that grows, or lost together with it.
 *
 * What a leak checker does at the end of its own process (Boehm and Weiser 1988), here for some blocks
 * of another one: each word that could be an address of a block, or of a place in it, counts as a
 * reference, except in blocks that nothing else refers to (a ring that was lost holds itself). It is
 * neither stopped nor written to; it may move an address from where was not looked yet to where was.
 * So a block counts as not referred to only if two looks say so.
 */
#ifndef SEEP_DRILL_REACH_H
#define SEEP_DRILL_REACH_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define REACH_BLOCKS_MAX 4096
#define REACH_WHY_LEN	 128

struct reach_block {
	uint64_t addr, size_bytes;
	uint64_t at_ns;	 /* the caller's */
	int is_referred; /* the answer */
};

/*
 * Sorts them by address and answers for each. All that it can write is read, at some GiB/s of the
 * caller's time; descriptors of epoll are asked for what they hold. 0; -EFBIG more than 4 GiB,
 * -ENODATA parts of it are in swap, -ENOTSUP io_uring holds addresses out of sight, -ECANCELED
 * stop_fd (-1: none) became readable, -ESRCH, -EPERM, -ENOMEM: then nothing is known, and ret_why
 * says it in one line.
 */
int reach__ask(pid_t pid, int stop_fd, struct reach_block *blocks, size_t cnt,
	       char ret_why[REACH_WHY_LEN]);

/* Their order. */
int reach__compare(const void *a, const void *b);

#endif /* SEEP_DRILL_REACH_H */
