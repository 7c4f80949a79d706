/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * elf_symbols.c - symbol tables turned into one array of functions.
 *
 * Entries point into the string tables, which the object owns; "@VERSION" is cut off in place.
 * By name is a linear search: it is asked for a few dozen names per file at most. By address
 * sorts once, and of several names of one address keeps the one people know.
 */
#include <elf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "elf_symbols.h"

#define TABLES_MAX 4
#define LOOK_BACK  16 /* how many symbols before the nearest may still cover an address */

#define VERSION_HIDDEN 0x8000

struct entry {
	uint64_t vaddr;
	uint32_t size; /* UINT32_MAX: that or more */
	uint8_t binding;
	uint8_t is_probeable : 1; /* STT_FUNC: STT_GNU_IFUNC names a resolver */
	uint8_t is_hidden : 1;	  /* not the default version */
	const char *name;
};

struct elf_symbols {
	struct entry *entries; /* in file order, for searches by name */
	size_t cnt, cap;
	struct entry *sorted;
	size_t sorted_cnt;
	char *strings[TABLES_MAX];
	size_t strings_cnt, strings_bytes;
};

struct elf_symbols *elf_symbols__new(void)
{
	return calloc(1, sizeof(struct elf_symbols));
}

void elf_symbols__free(struct elf_symbols *s)
{
	size_t i;

	if (!s)
		return;
	for (i = 0; i < s->strings_cnt; i++)
		free(s->strings[i]);
	free(s->entries);
	free(s->sorted);
	free(s);
}

size_t elf_symbols__held(const struct elf_symbols *s)
{
	return s->strings_bytes + (s->cap + s->sorted_cnt) * sizeof(struct entry);
}

static int grow(struct elf_symbols *s)
{
	size_t cap = s->cap ? 2 * s->cap : 256;
	struct entry *entries;

	if (s->cnt < s->cap)
		return 0;
	entries = reallocarray(s->entries, cap, sizeof(*entries));
	if (!entries)
		return -ENOMEM;
	s->entries = entries;
	s->cap = cap;
	return 0;
}

static int is_function(const Elf64_Sym *sym)
{
	int type = ELF64_ST_TYPE(sym->st_info);

	return (type == STT_FUNC || type == STT_GNU_IFUNC) && sym->st_shndx != SHN_UNDEF &&
	       sym->st_value;
}

/* "name@VERSION" or, the default, "name@@VERSION": cut off. 1 if another version is the default. */
static int cut_version(char *name)
{
	char *at = strchr(name, '@');

	if (!at || at == name)
		return 0;
	*at = '\0';
	return at[1] != '@';
}

static int is_hidden_version(const void *versions, size_t version_cnt, size_t i)
{
	uint16_t version;

	if (!versions || i >= version_cnt)
		return 0;
	memcpy(&version, (const char *)versions + i * sizeof(version), sizeof(version));
	return version & VERSION_HIDDEN;
}

static int add_one(struct elf_symbols *s, const Elf64_Sym *sym, char *name, int is_hidden)
{
	int err;

	err = grow(s);
	if (err)
		return err;
	is_hidden |= cut_version(name);
	s->entries[s->cnt++] = (struct entry){
		.vaddr = sym->st_value,
		.size = sym->st_size < UINT32_MAX ? sym->st_size : UINT32_MAX,
		.binding = ELF64_ST_BIND(sym->st_info),
		.is_probeable = ELF64_ST_TYPE(sym->st_info) == STT_FUNC,
		.is_hidden = !!is_hidden,
		.name = name,
	};
	return 0;
}

int elf_symbols__add(struct elf_symbols *s, const void *table, size_t cnt, char *strings,
		     size_t strings_len, const void *versions, size_t version_cnt)
{
	Elf64_Sym sym;
	size_t i;
	int err = 0;

	if (s->strings_cnt == TABLES_MAX) {
		free(strings);
		return -ENOMEM;
	}
	s->strings[s->strings_cnt++] = strings;
	s->strings_bytes += strings_len;
	for (i = 0; i < cnt && !err; i++) {
		memcpy(&sym, (const char *)table + i * sizeof(sym), sizeof(sym));
		if (!is_function(&sym) || sym.st_name >= strings_len || !strings[sym.st_name])
			continue;
		err = add_one(s, &sym, strings + sym.st_name,
			      is_hidden_version(versions, version_cnt, i));
	}
	return err;
}

static void to_symbol(const struct entry *e, struct elf_symbol *ret_symbol)
{
	ret_symbol->name = e->name;
	ret_symbol->vaddr = e->vaddr;
	ret_symbol->size = e->size;
}

int elf_symbols__by_name(const struct elf_symbols *s, const char *name,
			 struct elf_symbol *ret_symbol)
{
	const struct entry *e, *found = NULL;
	size_t i;

	for (i = 0; i < s->cnt; i++) {
		e = &s->entries[i];
		if (!e->is_probeable || (found && e->is_hidden) || strcmp(e->name, name))
			continue;
		found = e;
		if (!e->is_hidden)
			break;
	}
	if (!found)
		return -ENOENT;
	to_symbol(found, ret_symbol);
	return 0;
}

static int underscores(const char *name)
{
	return strspn(name, "_");
}

static int binding_rank(const struct entry *e)
{
	return e->binding == STB_GLOBAL ? 0 : e->binding == STB_WEAK ? 1 : 2;
}

/* By address; of one address first the name to show: with a size, "malloc" before "__libc_malloc". */
static int by_address(const void *a_, const void *b_)
{
	const struct entry *a = a_, *b = b_;

	if (a->vaddr != b->vaddr)
		return a->vaddr < b->vaddr ? -1 : 1;
	if (!a->size != !b->size)
		return a->size ? -1 : 1;
	if (underscores(a->name) != underscores(b->name))
		return underscores(a->name) - underscores(b->name);
	if (binding_rank(a) != binding_rank(b))
		return binding_rank(a) - binding_rank(b);
	return strcmp(a->name, b->name);
}

static int sort(struct elf_symbols *s)
{
	struct entry *shrunk;
	size_t i, n = 0;

	if (s->sorted || !s->cnt)
		return 0;
	s->sorted = malloc(s->cnt * sizeof(*s->sorted));
	if (!s->sorted)
		return -ENOMEM;
	memcpy(s->sorted, s->entries, s->cnt * sizeof(*s->sorted));
	qsort(s->sorted, s->cnt, sizeof(*s->sorted), by_address);
	for (i = 0; i < s->cnt; i++) {
		if (!n || s->sorted[n - 1].vaddr != s->sorted[i].vaddr)
			s->sorted[n++] = s->sorted[i];
	}
	s->sorted_cnt = n;
	shrunk = realloc(s->sorted, n * sizeof(*s->sorted));
	if (shrunk)
		s->sorted = shrunk;
	return 0;
}

/* How many entries start at or below vaddr. */
static size_t upper_bound(const struct elf_symbols *s, uint64_t vaddr)
{
	size_t lo = 0, hi = s->sorted_cnt, mid;

	while (lo < hi) {
		mid = lo + (hi - lo) / 2;
		if (s->sorted[mid].vaddr <= vaddr)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

int elf_symbols__by_address(struct elf_symbols *s, uint64_t vaddr, struct elf_symbol *ret_symbol)
{
	const struct entry *e;
	size_t n, back;
	int err;

	err = sort(s);
	if (err)
		return err;
	n = upper_bound(s, vaddr);
	/* a symbol without size (assembly) reaches to the next one */
	if (n && !s->sorted[n - 1].size) {
		to_symbol(&s->sorted[n - 1], ret_symbol);
		return 0;
	}
	for (back = 1; back <= n && back <= LOOK_BACK; back++) {
		e = &s->sorted[n - back];
		if (vaddr - e->vaddr < e->size) {
			to_symbol(e, ret_symbol);
			return 0;
		}
	}
	return -ENOENT;
}
