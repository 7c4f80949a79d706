// SPDX-License-Identifier: BSD-2-Clause
/* fuzz_python_heap.c - a pool that its owner wrote to deceive, with types that lead back into it. */
#include <errno.h>

#include "fuzz.h"
#include "lang/python_heap.h"

#define POOL 0x4000

static struct {
	const uint8_t *data;
	size_t size;
} input;

/* Memory is the pool over and over, from its own address on. */
static int read_memory(void *ctx, uint64_t address, void *ret_bytes, size_t len)
{
	size_t at = address & (PYTHON_POOL_MAX - 1);

	if (at + len > input.size)
		return -EFAULT;
	memcpy(ret_bytes, input.data + at, len);
	return 0;
}

static int see(void *ctx, const struct python_type *t)
{
	if (t->name && strlen(t->name) >= 120)
		abort();
	*(uint64_t *)ctx += t->bytes;
	return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct memory memory = {.read = read_memory};
	struct python_heap_totals totals;
	struct python_heap *heap;
	uint64_t bytes = 0;
	int taken;

	if (size < 4096)
		return 0;
	input.data = data;
	input.size = size;
	heap = python_heap__new(&memory);
	if (!heap)
		abort();
	if (data[0] & 1)
		python_heap__note(heap, POOL, data,
				  size < PYTHON_POOL_MAX ? 4096 : PYTHON_POOL_MAX);
	taken = python_heap__pool(heap, POOL, data,
				  size < PYTHON_POOL_MAX ? 4096 : PYTHON_POOL_MAX);
	python_heap__each(heap, see, &bytes);
	python_heap__totals(heap, &totals);
	if (bytes != totals.block_bytes || (taken > 0) != (totals.pools == 1))
		abort();
	python_heap__free(heap);
	return 0;
}
