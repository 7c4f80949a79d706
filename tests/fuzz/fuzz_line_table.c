// SPDX-License-Identifier: BSD-2-Clause
/*
 * fuzz_line_table.c - line programs. The input is .debug_line and the sections of strings at once:
 * an offset into those is good anywhere in it.
 */
#include "fuzz.h"
#include "sym/line_table.h"

static void look_up(struct line_table *t, uint64_t address)
{
	uint32_t file, line;
	const char *path;

	if (line_table__find(t, address, &file, &line))
		return;
	path = line_table__file(t, file);
	if (path && strlen(path) >= 4096)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *copy = malloc(size ? size : 1);
	const struct line_section all = {.data = copy, .len = size};
	const struct line_sections sections = {.line = all, .line_str = all, .str = all};
	struct line_table *t;
	uint64_t at;

	memcpy(copy, data, size);
	if (!line_table__new(&sections, 0, size & 1 ? "/build" : NULL, &t)) {
		for (at = 0x401000; at < 0x401100; at += 5)
			look_up(t, at);
		look_up(t, 0);
		look_up(t, UINT64_MAX);
		line_table__file(t, UINT32_MAX);
		line_table__free(t);
	}
	free(copy);
	return 0;
}
