/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * python_heap.h - the objects in CPython's small-object allocator, pymalloc (3.8 to 3.14).
 *
 * pymalloc hands out blocks of up to 512 bytes from pools, which are aligned and begin with a header
 * whose numbers must agree with each other and with the chain of free blocks. So pools are
 * recognised in any memory without symbols and without offsets into the interpreter, and what is no
 * pool is not taken for one. A block holds an object if, behind the collector's header that its type
 * asks for, a pointer leads to a valid type. Source of the layout: CPython's Objects/obmalloc.c,
 * Include/internal/pycore_obmalloc.h and Include/cpython/object.h.
 */
#ifndef SEEP_LANG_PYTHON_HEAP_H
#define SEEP_LANG_PYTHON_HEAP_H

#include <stddef.h>
#include <stdint.h>

#include "remote.h"

struct python_heap;

/* The memory is asked for types only, each once. NULL: out of memory. */
struct python_heap *python_heap__new(const struct memory *memory);
void python_heap__free(struct python_heap *h);

#define PYTHON_POOL_MAX 16384 /* bytes; since 3.10, before it were 4096 */

/*
 * The first of two passes, in the order of addresses: remember whether there is a pool. Types are
 * too large to be in one, so in the second pass most pointers need no look at where they lead. The
 * pool's size, 0: no pool; -ENOMEM.
 */
int python_heap__note(struct python_heap *h, uint64_t address, const void *bytes, size_t len);
/*
 * The second: is there a pool at `address`, whose len bytes (4096, or PYTHON_POOL_MAX) were read? Then its
 * blocks are counted. Returns the pool's size, 0: no pool; -EAGAIN: a pool that is being changed
 * (the numbers are a pool's, the chain of free blocks is not); -ENOMEM.
 */
int python_heap__pool(struct python_heap *h, uint64_t address, const void *bytes, size_t len);

/* A type found, or (name NULL) all blocks without an object. */
struct python_type {
	const char *name;
	int is_class; /* made by a class statement, or by an extension like one; not built in */
	uint64_t objects, bytes;
};

typedef int (*python_type_fn)(void *ctx, const struct python_type *type);
/* 0 or what fn returned. A name may come several times: a class that was defined again is another type. */
int python_heap__each(const struct python_heap *h, python_type_fn fn, void *ctx);

struct python_heap_totals {
	uint64_t pools, pool_bytes, blocks, block_bytes;
	uint64_t unasked; /* pointers beyond the bound of those that are followed */
};
void python_heap__totals(const struct python_heap *h, struct python_heap_totals *ret_totals);

#endif /* SEEP_LANG_PYTHON_HEAP_H */
