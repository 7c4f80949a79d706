/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * allocators.h - the allocators that seep knows: how to tell each, and which functions to probe.
 *
 * A new allocator is a new row in allocators.c.
 */
#ifndef SEEP_PROBE_ALLOCATORS_H
#define SEEP_PROBE_ALLOCATORS_H

#include <stddef.h>
#include <stdint.h>
#include <linux/types.h>
#include <seep/alloc.h>

#include "../sym/elf_file.h"

#define ALLOCATOR_PREFIXES_MAX 2

struct allocator {
	const char *name;
	const char *marker; /* a function that no other allocator has */
	const char *prefixes[ALLOCATOR_PREFIXES_MAX + 1]; /* of its functions; NULL-terminated */
	int is_libc; /* the rest of its file allocates like any other program */
	int calloc_calls_malloc;
	int realloc_moves_alone; /* with a block to move it calls no function of the family */
	int has_new; /* operator new and delete are its own: others' call malloc and free */
};

struct allocator_function {
	const char *name;
	enum seep_alloc_kind kind;
	int arg_cnt; /* integer arguments that the probe reads */
};

/* The allocator defined in a file; NULL = none. */
const struct allocator *allocators__recognise(struct elf_file *e);

/* By number; NULL beyond the last. */
uint32_t allocators__index(const struct allocator *a);
const struct allocator *allocators__at(uint32_t index);

enum allocator_table {
	ALLOCATOR_FUNCTIONS, /* of the malloc family */
	ALLOCATOR_OPERATORS, /* new and delete */
	ALLOCATOR_MAPPINGS,  /* of the C library */
};

/* NULL beyond the last. */
const struct allocator_function *allocators__function(unsigned table, size_t index);

/* May calls of this function contain calls of others that are probed? */
int allocators__may_nest(const struct allocator *a, const struct allocator_function *fn);
/* If so: not when it is given a block? */
int allocators__moves_alone(const struct allocator *a, const struct allocator_function *fn);

#endif /* SEEP_PROBE_ALLOCATORS_H */
