/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * engine.h - what is behind symbolizer.h: reads the files, in a process that may not open any.
 *
 * Caches ELF files, unwind tables and debug information across targets, by device, inode, size and
 * time of change. Strings live as long as the engine. One thread.
 */
#ifndef SEEP_SYM_ENGINE_H
#define SEEP_SYM_ENGINE_H

#include <sys/types.h>

#include "frame.h"
#include "opener.h"
#include "unwind.h"

struct engine;
struct engine_target;

struct engine_cfg {
	struct opener opener;	/* of files that belong to no process */
	size_t max_cache_bytes; /* 0: 150 MiB */
	int no_lines;
};

struct engine *engine__new(const struct engine_cfg *cfg); /* NULL: out of memory */
void engine__free(struct engine *e);			  /* after its targets */
size_t engine__held(const struct engine *e);

/* opener opens the files of one process. Functions as of symbolizer.h. */
int engine_target__new(struct engine *e, const struct opener *opener,
		       struct engine_target **ret_target);
void engine_target__free(struct engine_target *t);
int engine_target__walk(struct engine_target *t, const struct seep_regs *regs, const void *stack,
			size_t stack_bytes, uint64_t *ips, int cap, enum unwind_end *ret_end);
int engine_target__frames(struct engine_target *t, uint64_t address, int is_return,
			  struct frame *frames, int cap);
const char *const *engine_target__not_seen(struct engine_target *t);

#endif /* SEEP_SYM_ENGINE_H */
