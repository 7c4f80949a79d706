/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * heap.h - the objects of a running program by their type, seen from outside.
 *
 * A runtime that keeps its objects where others can find them is one file and one row in heap.c;
 * CPython is the first. Two heaps of one process, some time apart, tell which type piles up.
 */
#ifndef SEEP_LANG_HEAP_H
#define SEEP_LANG_HEAP_H

#include <stddef.h>
#include <stdint.h>
#include <jansson.h>
#include <sys/types.h>

#define HEAP_WHY_LEN 256

struct heap;

struct heap_type {
	const char *name; /* clean, the heap's; NULL: memory without an object in it */
	int is_class;	  /* of the program or an extension, not built into the runtime */
	uint64_t objects;
	uint64_t bytes; /* of the allocator's blocks they are in */
};

/*
 * Look once. Reads at most 16 GiB. 0; -ESRCH gone, -EPERM, -ENOTSUP no runtime that is known or its
 * allocator is not in use, -ENOMEM, -errno; `why` says it in one line.
 */
int heap__take(pid_t pid, struct heap **ret_heap, char why[HEAP_WHY_LEN]);
void heap__free(struct heap *h);

const char *heap__runtime(const struct heap *h); /* "CPython 3.11" */
/* By bytes, the largest first; the heap's. */
size_t heap__types(const struct heap *h, const struct heap_type **ret_types);
/* The type of that name (NULL as above), or all zero. O(log n). */
struct heap_type heap__find(const struct heap *h, const char *name);

/* A type as it is now, and what was added of it since an earlier look. */
struct heap_change {
	struct heap_type now;
	double added_objects, added_bytes; /* NAN: there was no earlier look */
};

/*
 * All types of `now` against those of `before`, what was added most first; before NULL: the largest
 * first. For the caller to free; names are the heap's. NULL: out of memory.
 */
struct heap_change *heap__changes(const struct heap *before, const struct heap *now,
				  size_t *ret_cnt);
/* {"type","class","objects","bytes","added_objects","added_bytes"}; what is unknown is null. */
json_t *heap_change__to_json(const struct heap_change *c);

struct heap_totals {
	uint64_t blocks, bytes;	 /* in use, of the runtime's own allocator */
	uint64_t free_bytes;	 /* that it holds for later */
	uint64_t scanned_bytes;	 /* what was read to find them */
	uint64_t swapped_bytes;	 /* was left out: in swap */
	uint64_t unread_bytes;	 /* was left out: above the bound, or gone meanwhile */
	uint64_t changing_pools; /* were being changed: left out */
	double taken_s, took_s;	 /* Unix time; how long it took */
};
void heap__totals(const struct heap *h, struct heap_totals *ret_totals);

/* What was not looked at, one sentence each; NULL-terminated. */
const char *const *heap__not_seen(const struct heap *h);

#endif /* SEEP_LANG_HEAP_H */
