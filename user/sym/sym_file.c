/* SPDX-License-Identifier: BSD-2-Clause */
/* sym_file.c - lazy loading, and who is asked first: the debug file knows more than the file. */
#include <errno.h>
#include <stdlib.h>

#include "debug_file.h"
#include "sym_file.h"

struct sym_file {
	struct elf_file *elf;
	struct elf_file *debug; /* NULL: none */
	struct unwind_table *unwind;
	struct lines *lines;
	struct sym_file_cfg cfg;
	int unwind_missing, lines_missing; /* looked for in vain */
	int lines_too_large;
	int may_download; /* its debug file was not asked for yet */
};

struct sym_file *sym_file__new(struct elf_file *elf, const struct opener *opener, uint64_t start,
			       const struct sym_file_cfg *cfg)
{
	struct sym_file *f;

	f = calloc(1, sizeof(*f));
	if (!f) {
		elf_file__close(elf);
		return NULL;
	}
	f->elf = elf;
	f->cfg = *cfg;
	f->may_download = !elf_file__has_section(elf, ".debug_info") &&
			  debug_file__find(opener, start, elf, &f->debug);
	return f;
}

/* Not before a name is wanted: most files that are mapped never stand in a stack. */
static void download(struct sym_file *f)
{
	if (f->may_download)
		debug_file__download(f->cfg.opener, f->elf, &f->debug);
	f->may_download = 0;
}

void sym_file__shrink(struct sym_file *f)
{
	lines__free(f->lines);
	f->lines = NULL;
	unwind_table__free(f->unwind);
	f->unwind = NULL;
	elf_file__trim(f->elf);
	if (f->debug)
		elf_file__trim(f->debug);
}

void sym_file__free(struct sym_file *f)
{
	if (!f)
		return;
	sym_file__shrink(f);
	elf_file__close(f->elf);
	elf_file__close(f->debug);
	free(f);
}

size_t sym_file__held(const struct sym_file *f)
{
	size_t held = sizeof(*f) + elf_file__held(f->elf);

	held += f->debug ? elf_file__held(f->debug) : 0;
	held += f->unwind ? unwind_table__bytes(f->unwind) : 0;
	return held + (f->lines ? lines__held(f->lines) : 0);
}

struct elf_file *sym_file__elf(const struct sym_file *f)
{
	return f->elf;
}

struct unwind_table *sym_file__unwind(struct sym_file *f, int *ret_is_new)
{
	int err;

	*ret_is_new = !f->unwind && !f->unwind_missing;
	if (!*ret_is_new)
		return f->unwind;
	err = unwind_table__new(f->elf, &f->unwind);
	f->unwind_missing = !f->unwind && err != -ENOMEM;
	elf_file__trim(f->elf); /* the sections are in the table now */
	return f->unwind;
}

int sym_file__function_at(struct sym_file *f, uint64_t vaddr, struct elf_symbol *ret_symbol)
{
	download(f);
	if (f->debug && !elf_file__function_at(f->debug, vaddr, ret_symbol))
		return 0;
	return elf_file__function_at(f->elf, vaddr, ret_symbol);
}

static void open_lines(struct sym_file *f)
{
	struct elf_file *source = f->debug ? f->debug : f->elf;
	int err = -ENOENT;

	if (f->lines || f->lines_missing)
		return;
	if (elf_file__fd(source) >= 0 && elf_file__has_section(source, ".debug_info"))
		err = lines__new(elf_file__fd(source), f->cfg.max_lines_bytes, f->cfg.opener,
				 &f->lines);
	f->lines_missing = err && err != -ENOMEM;
	f->lines_too_large = err == -EFBIG;
}

int sym_file__lines_too_large(const struct sym_file *f)
{
	return f->lines_too_large;
}

int sym_file__split_missing(const struct sym_file *f)
{
	return f->lines && lines__split_missing(f->lines);
}

int sym_file__lines_at(struct sym_file *f, uint64_t vaddr, struct line_frame *frames, int cap)
{
	download(f);
	open_lines(f);
	return f->lines ? lines__find(f->lines, vaddr, frames, cap) : 0;
}

int sym_file__has_symbols(const struct sym_file *f)
{
	return elf_file__has_section(f->elf, ".symtab") ||
	       elf_file__has_section(f->elf, ".gnu_debugdata") ||
	       (f->debug && elf_file__has_section(f->debug, ".symtab"));
}
