// SPDX-License-Identifier: BSD-2-Clause
/*
 * fuzz_expression.c - DWARF expressions of unwind tables, over registers and memory that the first
 * 16 bytes of the input make up.
 */
#include <errno.h>

#include "fuzz.h"
#include "sym/expression.h"

#define WORLD 16

static int read_register(void *ctx, uint64_t dwarf_register, uint64_t *ret_value)
{
	const uint8_t *world = ctx;

	if (dwarf_register >= WORLD)
		return -EINVAL;
	*ret_value = 0x0101010101010101ULL * world[dwarf_register];
	return 0;
}

static int read_memory(void *ctx, uint64_t address, size_t len, uint64_t *ret_value)
{
	const uint8_t *world = ctx;

	if (!len || len > 8)
		abort();
	if (address & 1)
		return -EFAULT;
	*ret_value = 0;
	memcpy(ret_value, world + address % (WORLD - 8), len);
	return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct expression_env env = {
		.ctx = (void *)data,
		.read_register = read_register,
		.read_memory = read_memory,
	};
	uint64_t first, value;
	char *copy;

	if (size < WORLD)
		return 0;
	memcpy(&first, data, sizeof(first));
	copy = fuzz__text(data + WORLD, size - WORLD);
	expression__eval(copy, size - WORLD, &env, NULL, &value);
	expression__eval(copy, size - WORLD, &env, &first, &value);
	free(copy);
	return 0;
}
