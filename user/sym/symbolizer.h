/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * symbolizer.h - from a process's addresses to functions, files and lines.
 *
 * Caches ELF files, unwind tables and debug information across processes, by device, inode, size
 * and time of change: a build-id is the file's own claim, and one container's claim must not name
 * another's code. A target is a process with its mappings; it may exit, its files are kept open.
 * Strings live as long as the symbolizer. One thread at a time.
 *
 * The files are read in a sandbox (base/sandbox.h), one for each symbolizer. If that fails, names are
 * missing and sym_target__not_seen says so.
 */
#ifndef SEEP_SYM_SYMBOLIZER_H
#define SEEP_SYM_SYMBOLIZER_H

#include <sys/types.h>

#include "frame.h"
#include "unwind.h"

struct symbolizer;
struct sym_target;

struct symbolizer_cfg {
	const char *debug_dir;  /* separate debug files; NULL: /usr/lib/debug */
	size_t max_cache_bytes; /* 0: 150 MiB; least recently used files are dropped */
	int no_lines;           /* functions only: no DWARF */
	int use_debuginfod;     /* ask the servers in $DEBUGINFOD_URLS for debug files */
};

struct symbolizer *symbolizer__new(const struct symbolizer_cfg *cfg); /* NULL: out of memory */
void symbolizer__free(struct symbolizer *s); /* after its targets */
/* Memory held by caches, the sandbox's included. */
size_t symbolizer__held(struct symbolizer *s);
/* The process that reads for it; 0: none now. */
int symbolizer__reader_pid(const struct symbolizer *s);

/* Mappings are read now and again when an address is not found in them. 0, -ESRCH, -EACCES. */
int sym_target__new(struct symbolizer *s, pid_t pid, struct sym_target **ret_target);
void sym_target__free(struct sym_target *t);

/* unwind__walk over the target's files. */
int sym_target__walk(struct sym_target *t, const struct seep_regs *regs, const void *stack,
		     size_t stack_bytes, uint64_t *ips, int cap, enum unwind_end *ret_end);

/*
 * Frames of one address, innermost inlined function first. is_return: 1 for return addresses
 * (looked up one byte before). Always at least one frame (cap > 0), with what is known: without a
 * function, `offset` is the address in the module's file. Returns the count.
 */
int sym_target__frames(struct sym_target *t, uint64_t address, int is_return, struct frame *frames,
		       int cap);

struct sym_address {
	uint64_t address;
	int is_return;
};

/* The next calls of sym_target__frames will be for these: they are asked for at once, which is
 * cheaper. Those beyond the first 128 are not. */
void sym_target__expect(struct sym_target *t, const struct sym_address *addresses, int cnt);

/* What could not be read, one sentence each ("libfoo.so: no symbols"); NULL-terminated. */
const char *const *sym_target__not_seen(struct sym_target *t);

#endif /* SEEP_SYM_SYMBOLIZER_H */
