/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * chunk.h - has glibc taken this block back? Asked of the heap itself, from outside.
 *
 * Between two looks nobody sees a free. But each block has its size in front of it, and behind it the
 * next one's, which says whether the block before is in use. Two reads of eight bytes; the process is
 * neither stopped nor written to.
 */
#ifndef SEEP_DRILL_CHUNK_H
#define SEEP_DRILL_CHUNK_H

#include <sys/types.h>

#include "trace.h"

/*
 * 1: it was given back since. 0: it is in use, or nothing can be said: a block of up to a few hundred
 * bytes may lie in a cache where it looks used (7 of each size a thread), its place may have been
 * given to another block of its size, or the process cannot be read.
 */
int chunk__is_free(pid_t pid, const struct trace_block *block);

#endif /* SEEP_DRILL_CHUNK_H */
