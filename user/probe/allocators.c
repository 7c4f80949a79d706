// SPDX-License-Identifier: BSD-2-Clause
#include "allocators.h"

#include <stddef.h>
#include <string.h>

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))

/* In order: the first whose marker a file defines is the one. */
static const struct allocator allocators[] = {
	{
		.name = "jemalloc",
		.marker = "mallocx",
		.prefixes = {""},
		.has_new = 1,
		.realloc_moves_alone = 1,
	},
	{
		.name = "jemalloc",
		.marker = "je_mallocx",
		.prefixes = {"je_"},
		.realloc_moves_alone = 1,
	},
	{
		.name = "jemalloc",
		.marker = "_rjem_mallocx", /* Rust's tikv-jemallocator */
		.prefixes = {"_rjem_"},
		.realloc_moves_alone = 1,
	},
	{
		.name = "tcmalloc",
		.marker = "tc_malloc", /* gperftools */
		.prefixes = {"", "tc_"},
		.has_new = 1,
		.realloc_moves_alone = 1,
	},
	{
		.name = "tcmalloc",
		.marker = "TCMallocInternalMalloc", /* google/tcmalloc */
		.prefixes = {"", "TCMallocInternal"},
		.has_new = 1,
	},
	{
		.name = "mimalloc",
		.marker = "mi_malloc",
		.prefixes = {"", "mi_"},
		.has_new = 1,
	},
	{
		.name = "glibc",
		.marker = "__libc_memalign",
		.prefixes = {""},
		.is_libc = 1,
		.realloc_moves_alone = 1,
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
	/* mimalloc's names; of its functions that take a heap only two */
	{"zalloc", SEEP_ALLOC_MALLOC, 1},
	{"malloc_small", SEEP_ALLOC_MALLOC, 1},
	{"zalloc_small", SEEP_ALLOC_MALLOC, 1},
	{"mallocn", SEEP_ALLOC_CALLOC, 2},
	{"malloc_aligned", SEEP_ALLOC_MALLOC, 1},
	{"zalloc_aligned", SEEP_ALLOC_MALLOC, 1},
	{"calloc_aligned", SEEP_ALLOC_CALLOC, 2},
	{"realloc_aligned", SEEP_ALLOC_REALLOC, 2},
	{"rezalloc", SEEP_ALLOC_REALLOC, 2},
	{"reallocn", SEEP_ALLOC_REALLOCARRAY, 3},
	{"recalloc", SEEP_ALLOC_REALLOCARRAY, 3},
	{"heap_malloc", SEEP_ALLOC_ALIGNED, 2},
	{"heap_zalloc", SEEP_ALLOC_ALIGNED, 2},
	{"free_size", SEEP_FREE, 1},
	{"free_size_aligned", SEEP_FREE, 1},
	{"free_aligned", SEEP_FREE, 1},
};

/* The last ones are where gperftools goes when its thread's cache is empty, by a jump. */
static const struct allocator_function operators[] = {
	{"_Znwm", SEEP_ALLOC_NEW, 1},
	{"_Znam", SEEP_ALLOC_NEW, 1},
	{"_ZnwmRKSt9nothrow_t", SEEP_ALLOC_NEW, 1},
	{"_ZnamRKSt9nothrow_t", SEEP_ALLOC_NEW, 1},
	{"_ZnwmSt11align_val_t", SEEP_ALLOC_NEW, 1},
	{"_ZnamSt11align_val_t", SEEP_ALLOC_NEW, 1},
	{"_ZnwmSt11align_val_tRKSt9nothrow_t", SEEP_ALLOC_NEW, 1},
	{"_ZnamSt11align_val_tRKSt9nothrow_t", SEEP_ALLOC_NEW, 1},
	{"mi_new", SEEP_ALLOC_NEW, 1},
	{"mi_new_nothrow", SEEP_ALLOC_NEW, 1},
	{"mi_new_aligned", SEEP_ALLOC_NEW, 1},
	{"mi_new_aligned_nothrow", SEEP_ALLOC_NEW, 1},
	{"_ZdlPv", SEEP_FREE, 1},
	{"_ZdaPv", SEEP_FREE, 1},
	{"_ZdlPvm", SEEP_FREE, 1},
	{"_ZdaPvm", SEEP_FREE, 1},
	{"_ZdlPvRKSt9nothrow_t", SEEP_FREE, 1},
	{"_ZdaPvRKSt9nothrow_t", SEEP_FREE, 1},
	{"_ZdlPvSt11align_val_t", SEEP_FREE, 1},
	{"_ZdaPvSt11align_val_t", SEEP_FREE, 1},
	{"_ZdlPvmSt11align_val_t", SEEP_FREE, 1},
	{"_ZdaPvmSt11align_val_t", SEEP_FREE, 1},
	{"_ZdlPvSt11align_val_tRKSt9nothrow_t", SEEP_FREE, 1},
	{"_ZdaPvSt11align_val_tRKSt9nothrow_t", SEEP_FREE, 1},
	{"_ZN8tcmalloc27allocate_full_cpp_throw_oomEm", SEEP_ALLOC_NEW_EXIT, 0},
	{"_ZN8tcmalloc29allocate_full_cpp_nothrow_oomEm", SEEP_ALLOC_NEW_EXIT, 0},
	{"_ZN8tcmalloc11ThreadCache21FetchFromCentralCacheEjiPFPvmE", SEEP_ALLOC_NEW_EXIT, 0},
};

static const struct allocator_function mappings[] = {
	{"mmap", SEEP_ALLOC_MMAP, 4},
	{"mmap64", SEEP_ALLOC_MMAP, 4},
	{"mremap", SEEP_ALLOC_MREMAP, 4},
	{"munmap", SEEP_FREE_MUNMAP, 2},
};

const struct allocator *allocators__recognise(struct elf_file *e)
{
	struct elf_symbol symbol;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(allocators); i++)
		if (!elf_file__find_function(e, allocators[i].marker, &symbol))
			return &allocators[i];
	return NULL;
}

uint32_t allocators__index(const struct allocator *a)
{
	return a - allocators;
}

const struct allocator *allocators__at(uint32_t index)
{
	return index < ARRAY_SIZE(allocators) ? &allocators[index] : NULL;
}

const struct allocator_function *allocators__function(unsigned table, size_t index)
{
	static const struct {
		const struct allocator_function *functions;
		size_t cnt;
	} tables[] = {
		[ALLOCATOR_FUNCTIONS] = {functions, ARRAY_SIZE(functions)},
		[ALLOCATOR_OPERATORS] = {operators, ARRAY_SIZE(operators)},
		[ALLOCATOR_MAPPINGS] = {mappings, ARRAY_SIZE(mappings)},
	};

	return table < ARRAY_SIZE(tables) && index < tables[table].cnt ?
		       &tables[table].functions[index] : NULL;
}

/*
 * malloc maps memory inside, which the probes of mappings tell by the caller's address; it contains
 * no other function of the family. All others may hand on to it.
 */
int allocators__may_nest(const struct allocator *a, const struct allocator_function *fn)
{
	if (fn->kind == SEEP_ALLOC_CALLOC && !strcmp(fn->name, "calloc"))
		return a->calloc_calls_malloc;
	if (fn->kind == SEEP_ALLOC_MALLOC)
		return strcmp(fn->name, "malloc") && strcmp(fn->name, "Malloc");
	return fn->kind != SEEP_ALLOC_MMAP && fn->kind != SEEP_FREE &&
	       fn->kind != SEEP_FREE_MUNMAP && fn->kind != SEEP_ALLOC_NEW_EXIT;
}

/* glibc's calls malloc only if the system cannot move a large block, or the thread's arena is full. */
int allocators__moves_alone(const struct allocator *a, const struct allocator_function *fn)
{
	return fn->kind == SEEP_ALLOC_REALLOC && a->realloc_moves_alone;
}
