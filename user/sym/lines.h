/* SPDX-License-Identifier: BSD-2-Clause */
/* lines.h - source lines and inlined functions of one file's debug information (DWARF 2 to 5). */
#ifndef SEEP_SYM_LINES_H
#define SEEP_SYM_LINES_H

#include <stddef.h>
#include <stdint.h>

#include "opener.h"

struct lines;

struct line_frame {
	const char *function; /* linkage name where there is one; NULL = unknown */
	const char *file;
	uint32_t line;	      /* 0 = unknown */
};

/* fd stays the caller's and may be closed; opener is asked for what it shares with others, and may
 * be NULL. 0; -ENOENT no debug information; -EFBIG: its sections are larger than max_bytes;
 * -ENOMEM. */
int lines__new(int fd, size_t max_bytes, const struct opener *opener,
	       struct lines **ret_lines);
void lines__free(struct lines *l);
/* 1 if code that was looked up has the rest of its debug information in a .dwo file that is not there. */
int lines__split_missing(const struct lines *l);
/* About how much memory it holds by now. */
size_t lines__held(const struct lines *l);

/*
 * What stands at vaddr, the innermost inlined function first, the function itself last. At most
 * cap frames, their strings valid until lines__free. 0: nothing is known there.
 */
int lines__find(struct lines *l, uint64_t vaddr, struct line_frame *frames, int cap);

#endif /* SEEP_SYM_LINES_H */
