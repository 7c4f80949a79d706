/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * elf_symbols.h - the function symbols of one ELF file, by name and by address.
 *
 * Private to elf_file.c. Tables are added one after the other; the first added is asked first.
 */
#ifndef SEEP_SYM_ELF_SYMBOLS_H
#define SEEP_SYM_ELF_SYMBOLS_H

#include <stddef.h>
#include <stdint.h>

#include "elf_file.h"

struct elf_symbols;

struct elf_symbols *elf_symbols__new(void);
void elf_symbols__free(struct elf_symbols *s);
size_t elf_symbols__held(const struct elf_symbols *s);

/*
 * Take in the functions of a table of cnt Elf64_Sym (unaligned). strings (malloc) are taken over
 * in any case, strings[strings_len] is NUL. versions: .gnu.version, or NULL. 0 or -ENOMEM.
 */
int elf_symbols__add(struct elf_symbols *s, const void *table, size_t cnt, char *strings,
		     size_t strings_len, const void *versions, size_t version_cnt);

int elf_symbols__by_name(const struct elf_symbols *s, const char *name,
			 struct elf_symbol *ret_symbol);
/* Sorts on first use. */
int elf_symbols__by_address(struct elf_symbols *s, uint64_t vaddr, struct elf_symbol *ret_symbol);

#endif /* SEEP_SYM_ELF_SYMBOLS_H */
