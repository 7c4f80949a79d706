/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * file_cache.h - the files of all targets within a bound of memory, and what was found in them.
 *
 * Private to the engine. A file that no target maps any more stays until memory is short.
 */
#ifndef SEEP_SYM_FILE_CACHE_H
#define SEEP_SYM_FILE_CACHE_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "frame.h"
#include "string_pool.h"
#include "sym_file.h"

struct file_cache;
struct cached_file;

struct file_cache_cfg {
	const struct opener *opener; /* of files that belong to no process; stays the caller's */
	size_t max_bytes;
	int no_lines;
	struct string_pool *strings;
};

struct file_cache *file_cache__new(const struct file_cache_cfg *cfg);
void file_cache__free(struct file_cache *c);
size_t file_cache__held(const struct file_cache *c);

/* The file behind fd (taken over in any case), mapped at start by the process that opener opens
 * files of; put it back when done. 0; -ENOEXEC not an ELF file; -errno. */
int file_cache__get(struct file_cache *c, int fd, const struct opener *opener, uint64_t start,
		    struct cached_file **ret_file);
/* The same for an image in memory (malloc, taken over), that is nobody else's. */
int file_cache__get_image(struct file_cache *c, void *data, size_t len,
			  struct cached_file **ret_file);
void file_cache__put(struct file_cache *c, struct cached_file *f);

struct elf_file *cached_file__elf(const struct cached_file *f);
struct unwind_table *cached_file__unwind(struct file_cache *c, struct cached_file *f);
int cached_file__has_symbols(const struct cached_file *f);
int cached_file__lines_too_large(const struct cached_file *f);
int cached_file__split_missing(const struct cached_file *f);
/* As sym_file__function_at; the name is valid until the next call for any file. */
int cached_file__function_at(struct file_cache *c, struct cached_file *f, uint64_t vaddr,
			     struct elf_symbol *ret_symbol);
/*
 * Frames at vaddr: function, offset, file, line and inlined are filled in, the rest is zero.
 * Returns the count, at least 1; without a function the offset is vaddr.
 */
int cached_file__frames(struct file_cache *c, struct cached_file *f, uint64_t vaddr,
			int is_return, struct frame *frames, int cap);

#endif /* SEEP_SYM_FILE_CACHE_H */
