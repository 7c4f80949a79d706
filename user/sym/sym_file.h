/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * sym_file.h - one mapped file with all that was read from it, shared by the targets that map it.
 *
 * Everything but the open descriptors is loaded when it is first asked for, can be dropped when
 * memory is short, and is then loaded again. Private to file_cache.c.
 */
#ifndef SEEP_SYM_SYM_FILE_H
#define SEEP_SYM_SYM_FILE_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "elf_file.h"
#include "lines.h"
#include "unwind.h"

struct sym_file;

/* Which file it is; zeroed before it is filled. */
struct sym_file_key {
	uint64_t dev, inode, size;
	int64_t mtime_s, mtime_ns;
};

struct sym_file_cfg {
	const struct opener *opener; /* of files that belong to no process; stays the caller's */
	size_t max_lines_bytes;	     /* debug information larger than this is left alone */
};

/* Takes over elf in any case. opener (used now only) and start, where it is mapped: to look for its
 * debug file. NULL: no memory. */
struct sym_file *sym_file__new(struct elf_file *elf, const struct opener *opener, uint64_t start,
			       const struct sym_file_cfg *cfg);
void sym_file__free(struct sym_file *f);
size_t sym_file__held(const struct sym_file *f);
/* Drop what can be loaded again. */
void sym_file__shrink(struct sym_file *f);

struct elf_file *sym_file__elf(const struct sym_file *f);
/* NULL: it has none, or no memory. *ret_is_new: 1 if this call had to look for it. */
struct unwind_table *sym_file__unwind(struct sym_file *f, int *ret_is_new);
/* The function at vaddr, from the debug file or the file itself. 0 or -ENOENT. */
int sym_file__function_at(struct sym_file *f, uint64_t vaddr, struct elf_symbol *ret_symbol);
/* As lines__find. */
int sym_file__lines_at(struct sym_file *f, uint64_t vaddr, struct line_frame *frames, int cap);
/* 1 if its debug information is too large. */
int sym_file__lines_too_large(const struct sym_file *f);
/* As lines__split_missing. */
int sym_file__split_missing(const struct sym_file *f);
/* 1 if a full symbol table was found, in it or beside it. */
int sym_file__has_symbols(const struct sym_file *f);

#endif /* SEEP_SYM_SYM_FILE_H */
