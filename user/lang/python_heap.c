// SPDX-License-Identifier: BSD-2-Clause
/* python_heap.c - see python_heap.h. Everything read may be garbage: it is bounded and checked. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <uthash.h>

#include "../who/clean.h"
#include "python_heap.h"

#define ALIGNMENT   16
#define SMALL_MAX   512
#define HEADER_SIZE 48
#define OLD_POOL    4096
#define TYPES_MAX   65536 /* pointers that were looked at, types or not */
#define USER_BITS   47	  /* of addresses of programs */
#define NAME_CAP    120

/* What stands before an object in its block, by the flags of its type. */
#define GC_HEADER  16
#define PRE_HEADER 16 /* 3.11+: two words for the instance's dict and weak references */
#define PREFIX_MAX (GC_HEADER + PRE_HEADER)

#define FLAG_MANAGED_WEAKREF (1ULL << 3)
#define FLAG_MANAGED_DICT    (1ULL << 4)
#define FLAG_HEAP_TYPE	     (1ULL << 9)
#define FLAG_READY	     (1ULL << 12)
#define FLAG_HAVE_GC	     (1ULL << 14)
#define FLAG_TYPE_SUBCLASS   (1ULL << 31)

/* struct pool_header */
struct pool_header {
	uint32_t used; /* blocks */
	uint32_t padding;
	uint64_t free_block, next_pool, prev_pool;
	uint32_t arena_index, size_class, next_offset, max_next_offset;
};

/* The beginning of PyTypeObject. */
struct type_object {
	int64_t refcnt;
	uint64_t type;
	int64_t var_size;
	uint64_t name;
	int64_t basic_size, item_size;
	uint64_t slots[15];
	uint64_t flags;
};

_Static_assert(sizeof(struct pool_header) == HEADER_SIZE, "as pymalloc has it");
_Static_assert(offsetof(struct type_object, flags) == 168, "as CPython has it");

/* A pointer that stood where an object's type would; what it leads to is asked for once. */
struct known_type {
	uint64_t address;
	int prefix; /* bytes before an object; -1: not a type */
	int is_class;
	uint64_t objects, bytes;
	char name[NAME_CAP];
	UT_hash_handle hh;
};

struct python_heap {
	struct memory memory;
	struct known_type *types;
	uint64_t *pools; /* where there were some, ascending */
	size_t pool_cnt, pool_cap;
	uint64_t raw_blocks, raw_bytes;
	struct python_heap_totals totals;
};

struct python_heap *python_heap__new(const struct memory *memory)
{
	struct python_heap *h = calloc(1, sizeof(*h));

	if (h)
		h->memory = *memory;
	return h;
}

void python_heap__free(struct python_heap *h)
{
	struct known_type *t, *next;

	if (!h)
		return;
	HASH_ITER(hh, h->types, t, next)
	{
		HASH_DEL(h->types, t);
		free(t);
	}
	free(h->pools);
	free(h);
}

/* ---- types ---- */

static int read_type(const struct python_heap *h, uint64_t address, struct type_object *ret_type)
{
	if (!address || address % sizeof(uint64_t))
		return -EINVAL;
	return h->memory.read(h->memory.ctx, address, ret_type, sizeof(*ret_type));
}

static int is_plausible(const struct type_object *t)
{
	return (uint32_t)t->refcnt && t->name && t->flags & FLAG_READY && t->basic_size >= 16 &&
	       t->basic_size < 1 << 20 && t->item_size >= 0 && t->item_size <= 256;
}

/* Names lie anywhere: at the end of a mapping a long read fails where a short one would not. */
static int read_name(const struct python_heap *h, uint64_t address, char *ret_name)
{
	char bytes[NAME_CAP];
	size_t len, end;

	for (len = sizeof(bytes); len >= 8; len /= 2) {
		if (h->memory.read(h->memory.ctx, address, bytes, len))
			continue;
		end = strnlen(bytes, len);
		if (!end)
			return -EINVAL;
		clean__name(bytes, end, ret_name, NAME_CAP);
		return 0;
	}
	return -EFAULT;
}

/* A type is an object whose own type is `type` or one derived from it. */
static int look_at_type(const struct python_heap *h, struct known_type *known)
{
	struct type_object type, meta;

	if (read_type(h, known->address, &type) || !is_plausible(&type) ||
	    read_type(h, type.type, &meta) || !is_plausible(&meta) ||
	    !(meta.flags & FLAG_TYPE_SUBCLASS) || read_name(h, type.name, known->name))
		return -1;
	known->is_class = !!(type.flags & FLAG_HEAP_TYPE);
	return (type.flags & FLAG_HAVE_GC ? GC_HEADER : 0) +
	       (type.flags & (FLAG_MANAGED_DICT | FLAG_MANAGED_WEAKREF) ? PRE_HEADER : 0);
}

/* NULL: out of memory, or the bound is reached. */
static struct known_type *type_at(struct python_heap *h, uint64_t address)
{
	struct known_type *t;

	HASH_FIND(hh, h->types, &address, sizeof(address), t);
	if (t)
		return t;
	if (HASH_COUNT(h->types) >= TYPES_MAX) {
		h->totals.unasked++;
		return NULL;
	}
	t = calloc(1, sizeof(*t));
	if (!t)
		return NULL;
	t->address = address;
	t->prefix = look_at_type(h, t);
	HASH_ADD(hh, h->types, address, sizeof(t->address), t);
	return t;
}

/* ---- blocks ---- */

static uint64_t word_at(const unsigned char *bytes)
{
	uint64_t word;

	memcpy(&word, bytes, sizeof(word));
	return word;
}

/* Types are no small objects: a pointer into a pool leads to none. */
static int is_in_pool(const struct python_heap *h, uint64_t address)
{
	size_t low = 0, high = h->pool_cnt, middle;

	while (low < high) {
		middle = low + (high - low) / 2;
		if (h->pools[middle] <= address)
			low = middle + 1;
		else
			high = middle;
	}
	return low && address - h->pools[low - 1] < OLD_POOL;
}

/* The type of the object in a block; NULL: there is none. */
static struct known_type *type_of_block(struct python_heap *h, const unsigned char *block,
					size_t size)
{
	struct known_type *t;
	size_t prefix;
	uint64_t type;

	for (prefix = 0; prefix <= PREFIX_MAX && prefix + 16 <= size; prefix += 16) {
		type = word_at(block + prefix + 8);
		/* a reference count is at most 32 bits; 3.14 has flags above */
		if (type < OLD_POOL || type >> USER_BITS || type % 8 ||
		    !(uint32_t)word_at(block + prefix) || is_in_pool(h, type))
			continue;
		t = type_at(h, type);
		if (t && t->prefix == (int)prefix)
			return t;
	}
	return NULL;
}

static void count_block(struct python_heap *h, const unsigned char *block, size_t size)
{
	struct known_type *t = type_of_block(h, block, size);

	h->totals.blocks++;
	h->totals.block_bytes += size;
	if (t) {
		t->objects++;
		t->bytes += size;
	} else {
		h->raw_blocks++;
		h->raw_bytes += size;
	}
}

/* ---- pools ---- */

/* The pool's size if its numbers agree with each other, or 0. */
static int pool_size(const struct pool_header *p)
{
	uint32_t size = (p->size_class + 1) * ALIGNMENT, carved, pool;

	if (p->size_class >= SMALL_MAX / ALIGNMENT || !p->used)
		return 0;
	pool = p->max_next_offset + size;
	if (pool != OLD_POOL && pool != PYTHON_POOL_MAX)
		return 0;
	if (p->next_offset < HEADER_SIZE || p->next_offset > pool ||
	    (p->next_offset - HEADER_SIZE) % size)
		return 0;
	carved = (p->next_offset - HEADER_SIZE) / size;
	return p->used <= carved ? (int)pool : 0;
}

/* Marks the free blocks. How many there are, or -EAGAIN: the chain leads nowhere. */
static int mark_free(const struct pool_header *p, uint64_t address, const unsigned char *bytes,
		     uint32_t size, uint8_t *is_free)
{
	uint32_t carved = (p->next_offset - HEADER_SIZE) / size, i;
	uint64_t at = p->free_block;
	int cnt = 0;

	for (; at; at = word_at(bytes + HEADER_SIZE + (size_t)i * size)) {
		if (at < address + HEADER_SIZE || at >= address + p->next_offset ||
		    (at - address - HEADER_SIZE) % size)
			return -EAGAIN;
		i = (at - address - HEADER_SIZE) / size;
		if (i >= carved || is_free[i])
			return -EAGAIN;
		is_free[i] = 1;
		cnt++;
	}
	return cnt;
}

/* The pool's size, 0 if there is none. */
static int pool_at(uint64_t address, const void *bytes, size_t len, struct pool_header *ret_pool)
{
	int pool;

	memcpy(ret_pool, bytes, sizeof(*ret_pool));
	pool = pool_size(ret_pool);
	return !pool || (size_t)pool > len || address % pool ? 0 : pool;
}

/* A large pool is remembered as several small ones: then there is one size to search for. */
int python_heap__note(struct python_heap *h, uint64_t address, const void *bytes, size_t len)
{
	struct pool_header p;
	int pool = pool_at(address, bytes, len, &p), at;
	uint64_t *pools;

	if (h->pool_cap - h->pool_cnt < PYTHON_POOL_MAX / OLD_POOL && pool) {
		pools = realloc(h->pools, (2 * h->pool_cap + 1024) * sizeof(*pools));
		if (!pools)
			return -ENOMEM;
		h->pools = pools;
		h->pool_cap = 2 * h->pool_cap + 1024;
	}
	for (at = 0; at < pool; at += OLD_POOL)
		h->pools[h->pool_cnt++] = address + at;
	return pool;
}

int python_heap__pool(struct python_heap *h, uint64_t address, const void *bytes, size_t len)
{
	uint8_t is_free[PYTHON_POOL_MAX / ALIGNMENT] = {0};
	uint32_t size, carved, i;
	struct pool_header p;
	int pool = pool_at(address, bytes, len, &p), freed;

	if (!pool)
		return 0;
	size = (p.size_class + 1) * ALIGNMENT;
	carved = (p.next_offset - HEADER_SIZE) / size;
	freed = mark_free(&p, address, bytes, size, is_free);
	if (freed < 0 || carved - freed != p.used)
		return -EAGAIN;
	for (i = 0; i < carved; i++)
		if (!is_free[i])
			count_block(h, (const unsigned char *)bytes + HEADER_SIZE + i * size, size);
	h->totals.pools++;
	h->totals.pool_bytes += pool;
	return pool;
}

int python_heap__each(const struct python_heap *h, python_type_fn fn, void *ctx)
{
	const struct python_type raw = {.objects = h->raw_blocks, .bytes = h->raw_bytes};
	const struct known_type *t;
	struct python_type type;
	int err = 0;

	for (t = h->types; t && !err; t = t->hh.next) {
		type = (struct python_type){t->name, t->is_class, t->objects, t->bytes};
		if (t->objects)
			err = fn(ctx, &type);
	}
	return err || !raw.objects ? err : fn(ctx, &raw);
}

void python_heap__totals(const struct python_heap *h, struct python_heap_totals *ret_totals)
{
	*ret_totals = h->totals;
}
