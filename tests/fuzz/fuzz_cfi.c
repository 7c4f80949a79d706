// SPDX-License-Identifier: BSD-2-Clause
/* fuzz_cfi.c - .eh_frame and .debug_frame; the first byte chooses the machine and the kind. */
#include <elf.h>

#include "fuzz.h"
#include "sym/cfi.h"

static int on_row(void *ctx, uint64_t vaddr, const struct cfi_rule *rule)
{
	return 0;
}

static int on_expression(void *ctx, const void *bytes, size_t len)
{
	return memchr(bytes, 0x77, len) ? 1 : 2; /* reads all of it */
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct cfi_sink sink = {.row = on_row, .expression = on_expression};
	struct cfi *c;
	char *copy;

	if (!size)
		return 0;
	c = cfi__new(data[0] & 1 ? EM_AARCH64 : EM_X86_64, &sink);
	copy = fuzz__text(data + 1, size - 1);
	if (!cfi__scan(c, copy, size - 1, 0x400000, data[0] >> 1 & 1) || data[0] & 4)
		cfi__run(c);
	cfi__free(c);
	free(copy);
	return 0;
}
