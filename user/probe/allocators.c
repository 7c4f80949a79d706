// SPDX-License-Identifier: BSD-2-Clause
#include "allocators.h"

#include <stddef.h>

/* In order: the first whose marker a file defines is the one. */
static const struct allocator allocators[] = {
	{
		.name = "jemalloc",
		.marker = "mallocx",
		.prefixes = {""},
		.not_seen = "operator new of jemalloc: it allocates by itself and may throw",
	},
	{
		.name = "jemalloc",
		.marker = "je_mallocx",
		.prefixes = {"je_"},
	},
	{
		.name = "jemalloc",
		.marker = "_rjem_mallocx", /* Rust's tikv-jemallocator */
		.prefixes = {"_rjem_"},
	},
	{
		.name = "tcmalloc",
		.marker = "tc_malloc", /* gperftools */
		.prefixes = {"", "tc_"},
		.not_seen = "operator new of tcmalloc: it allocates by itself and may throw",
	},
	{
		.name = "tcmalloc",
		.marker = "TCMallocInternalMalloc", /* google/tcmalloc */
		.prefixes = {"", "TCMallocInternal"},
		.not_seen = "operator new of tcmalloc: it allocates by itself and may throw",
	},
	{
		.name = "mimalloc",
		.marker = "mi_malloc",
		.prefixes = {"", "mi_"},
		.not_seen = "operator new of mimalloc: it allocates by itself and may throw",
	},
	{
		.name = "glibc",
		.marker = "__libc_memalign",
		.prefixes = {""},
		.is_libc = 1,
	},
	{
		.name = "musl",
		.marker = "__libc_malloc_impl", /* static: the symbol table has it */
		.prefixes = {""},
		.is_libc = 1,
		.calloc_calls_malloc = 1,
	},
	{
		.name = "musl",
		.marker = "__dls3", /* shared: a stage of its dynamic linker */
		.prefixes = {""},
		.is_libc = 1,
		.calloc_calls_malloc = 1,
	},
	{
		.name = "custom", /* a program's or preloaded library's own malloc */
		.marker = "malloc",
		.prefixes = {""},
		.calloc_calls_malloc = 1,
	},
};

/*
 * operator delete is left out: only blocks of operator new come to it, and operator new is not
 * probed where it does not call malloc.
 */
static const struct allocator_function functions[] = {
	{"malloc", SEEP_ALLOC_MALLOC, 1},
	{"calloc", SEEP_ALLOC_CALLOC, 2},
	{"realloc", SEEP_ALLOC_REALLOC, 2},
	{"reallocarray", SEEP_ALLOC_REALLOCARRAY, 3},
	{"memalign", SEEP_ALLOC_ALIGNED, 2},
	{"aligned_alloc", SEEP_ALLOC_ALIGNED, 2},
	{"posix_memalign", SEEP_ALLOC_POSIX_MEMALIGN, 3},
	{"valloc", SEEP_ALLOC_MALLOC, 1},
	{"pvalloc", SEEP_ALLOC_MALLOC, 1},
	{"mallocx", SEEP_ALLOC_MALLOC, 1},
	{"rallocx", SEEP_ALLOC_REALLOC, 2},
	/* google/tcmalloc's names */
	{"Malloc", SEEP_ALLOC_MALLOC, 1},
	{"Calloc", SEEP_ALLOC_CALLOC, 2},
	{"Realloc", SEEP_ALLOC_REALLOC, 2},
	{"Memalign", SEEP_ALLOC_ALIGNED, 2},
	{"AlignedAlloc", SEEP_ALLOC_ALIGNED, 2},
	{"PosixMemalign", SEEP_ALLOC_POSIX_MEMALIGN, 3},
	{"Free", SEEP_FREE, 1},
	{"free", SEEP_FREE, 1},
	{"cfree", SEEP_FREE, 1},
	{"free_sized", SEEP_FREE, 1},
	{"free_aligned_sized", SEEP_FREE, 1},
	{"dallocx", SEEP_FREE, 1},
	{"sdallocx", SEEP_FREE, 1},
	{},
};

static const struct allocator_function mappings[] = {
	{"mmap", SEEP_ALLOC_MMAP, 4},
	{"mmap64", SEEP_ALLOC_MMAP, 4},
	{"mremap", SEEP_ALLOC_MREMAP, 4},
	{"munmap", SEEP_FREE_MUNMAP, 2},
	{},
};

const struct allocator *allocators__recognise(struct elf_file *e)
{
	struct elf_symbol symbol;
	size_t i;

	for (i = 0; i < sizeof(allocators) / sizeof(allocators[0]); i++)
		if (!elf_file__find_function(e, allocators[i].marker, &symbol))
			return &allocators[i];
	return NULL;
}

const struct allocator_function *allocators__functions(void)
{
	return functions;
}

const struct allocator_function *allocators__mappings(void)
{
	return mappings;
}

/*
 * malloc maps memory inside, which the probes of mappings tell by the caller's address; it contains
 * no other function of the family. All others may hand on to it.
 */
int allocators__may_nest(const struct allocator *a, enum seep_alloc_kind kind)
{
	if (kind == SEEP_ALLOC_CALLOC)
		return a->calloc_calls_malloc;
	return kind != SEEP_ALLOC_MALLOC && kind != SEEP_ALLOC_MMAP && kind < SEEP_FREE;
}
