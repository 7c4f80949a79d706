// SPDX-License-Identifier: BSD-2-Clause
/* fuzz_elf.c - ELF files: headers, symbols, build-id, sections, and their unwind tables. */
#include "fuzz.h"
#include "sym/elf_file.h"
#include "sym/unwind.h"

static const char *const sections[] = {".debug_line", ".symtab", ".gnu_debugdata", ".eh_frame"};

static void look_around(struct elf_file *e)
{
	struct elf_symbol symbol;
	uint64_t value, size, vaddr;
	struct unwind_table *table = NULL;
	const char *name;
	uint32_t crc;
	size_t i, len;

	elf_file__build_id(e);
	elf_file__debuglink(e, &name, &crc);
	elf_file__eh_frame_hdr(e, &value, &size);
	elf_file__vaddr_to_offset(e, 0x1000, &value);
	elf_file__offset_to_vaddr(e, 0x1000, &value);
	elf_file__segment_end(e, 0x1000, &value);
	for (i = 0; i < sizeof(sections) / sizeof(sections[0]); i++)
		elf_file__section(e, sections[i], &len, &vaddr);
	if (!elf_file__find_function(e, "malloc", &symbol))
		elf_file__function_at(e, symbol.vaddr, &symbol);
	elf_file__function_at(e, 0x1234, &symbol);
	unwind_table__new(e, &table);
	unwind_table__free(table);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	void *copy = malloc(size ? size : 1);
	struct elf_file *e;

	memcpy(copy, data, size);
	if (elf_file__open_memory(copy, size, &e))
		return 0;
	look_around(e);
	elf_file__trim(e);
	look_around(e);
	elf_file__close(e);
	return 0;
}
