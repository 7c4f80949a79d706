// SPDX-License-Identifier: BSD-2-Clause
/*
 * chunk.c - see chunk.h. The layout is that of glibc's malloc on 64-bit machines: a chunk begins two
 * words before what malloc returned, the second word is its size, and the size's low bits are flags.
 */
#include <errno.h>
#include <sys/uio.h>

#include "chunk.h"

#define WORD	    8u
#define MIN_BYTES   32u
#define PREV_INUSE  1u
#define IS_MMAPPED  2u
#define FLAGS	    7u
#define SMALL_BYTES (1ULL << 40) /* larger ones are no sizes */

/* 0, -EFAULT: nothing is mapped there, or another -errno. */
static int read_word(pid_t pid, uint64_t addr, uint64_t *ret_word)
{
	struct iovec here = {ret_word, WORD}, there = {(void *)addr, WORD};

	if (process_vm_readv(pid, &here, 1, &there, 1, 0) == WORD)
		return 0;
	return errno ? -errno : -EFAULT;
}

static uint64_t least_bytes(uint64_t asked)
{
	uint64_t bytes = (asked + WORD + 15) & ~15ULL;

	return bytes < MIN_BYTES ? MIN_BYTES : bytes;
}

/* What is too little for a chunk of its own stays with the block. Aligned ones may have more. */
static int can_be_size(const struct seep_live *live, uint64_t bytes)
{
	int is_aligned = live->kind == SEEP_ALLOC_ALIGNED ||
			 live->kind == SEEP_ALLOC_POSIX_MEMALIGN;
	uint64_t least = least_bytes(live->size_bytes);

	return bytes >= least && bytes < SMALL_BYTES && (is_aligned || bytes < least + MIN_BYTES);
}

int chunk__is_free(pid_t pid, const struct trace_block *block)
{
	uint64_t word, bytes;
	int err;

	if (block->live.kind == SEEP_ALLOC_MMAP || block->live.kind == SEEP_ALLOC_MREMAP)
		return 0;
	err = read_word(pid, block->addr - WORD, &word);
	if (err)
		return err == -EFAULT;
	bytes = word & ~(uint64_t)FLAGS;
	if (word & IS_MMAPPED) /* alone in its mapping: whole pages */
		return bytes < least_bytes(block->live.size_bytes);
	if (!can_be_size(&block->live, bytes))
		return 1;
	if (read_word(pid, block->addr - WORD + bytes, &word))
		return 0;
	return !(word & PREV_INUSE);
}
