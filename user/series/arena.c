// SPDX-License-Identifier: BSD-2-Clause
/* arena.c - equal slots in one lazily touched mapping; see arena.h. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "arena.h"

int arena__init(struct arena *a, uint32_t cap, size_t slot_sz)
{
	memset(a, 0, sizeof(*a));
	a->used = calloc((cap + 63) / 64, sizeof(*a->used));
	if (!a->used)
		return -ENOMEM;
	a->base = mmap(NULL, cap * slot_sz, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (a->base == MAP_FAILED) {
		a->base = NULL;
		arena__destroy(a);
		return -ENOMEM;
	}
	a->cap = cap;
	a->slot_sz = slot_sz;
	a->mapped_sz = cap * slot_sz;
	/* a huge page would be charged whole for its first byte */
	madvise(a->base, a->mapped_sz, MADV_NOHUGEPAGE);
	return 0;
}

void arena__destroy(struct arena *a)
{
	if (a->base)
		munmap(a->base, a->mapped_sz);
	free(a->used);
	memset(a, 0, sizeof(*a));
}

int arena__is_used(const struct arena *a, uint32_t slot)
{
	return a->used[slot / 64] >> slot % 64 & 1;
}

uint32_t arena__next_used(const struct arena *a, uint32_t slot)
{
	uint64_t word;

	while (slot < a->cap) {
		word = a->used[slot / 64] >> slot % 64;
		if (word)
			return slot + __builtin_ctzll(word);
		slot += 64 - slot % 64;
	}
	return ARENA_FULL;
}

uint32_t arena__alloc(struct arena *a)
{
	uint32_t word = 0, slot;

	if (a->used_cnt == a->cap)
		return ARENA_FULL;
	while (a->used[word] == UINT64_MAX)
		word++;
	slot = word * 64 + __builtin_ctzll(~a->used[word]);
	a->used[word] |= 1ULL << slot % 64;
	a->used_cnt++;
	return slot;
}

/* Does no slot in use reach into the page at that offset? */
static int page_is_free(const struct arena *a, size_t page, size_t page_sz)
{
	uint32_t slot = page / a->slot_sz;
	uint32_t last = (page + page_sz - 1) / a->slot_sz;

	for (; slot <= last && slot < a->cap; slot++)
		if (arena__is_used(a, slot))
			return 0;
	return 1;
}

void arena__free(struct arena *a, uint32_t slot)
{
	size_t page_sz = sysconf(_SC_PAGESIZE);
	size_t from = slot * a->slot_sz & ~(page_sz - 1);
	size_t to = ((slot + 1) * a->slot_sz + page_sz - 1) & ~(page_sz - 1);

	a->used[slot / 64] &= ~(1ULL << slot % 64);
	a->used_cnt--;
	if (from < to && !page_is_free(a, from, page_sz))
		from += page_sz;
	if (from < to && !page_is_free(a, to - page_sz, page_sz))
		to -= page_sz;
	if (from < to)
		madvise(a->base + from, to - from, MADV_DONTNEED);
}
