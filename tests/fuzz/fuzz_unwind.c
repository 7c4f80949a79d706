// SPDX-License-Identifier: BSD-2-Clause
/* fuzz_unwind.c - arbitrary registers and stacks, walked with the tables of this very program. */
#include <linux/types.h>

#include "fuzz.h"
#include "seep/alloc.h"
#include "sym/elf_file.h"
#include "sym/unwind.h"

static struct unwind_module module;

static int find(void *ctx, uint64_t address, struct unwind_module *ret_module)
{
	const uint8_t *choice = ctx;

	if (address >> 40)
		return -2;
	*ret_module = module;
	ret_module->is_jit = (*choice & 3) == 1;
	ret_module->is_trampoline = (*choice & 7) == 2;
	if (ret_module->is_jit)
		ret_module->table = NULL;
	return 0;
}

static void load_own_tables(void)
{
	if (elf_file__open("/proc/self/exe", &module.elf) ||
	    unwind_table__new(module.elf, &module.table))
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	enum unwind_end end;
	struct seep_regs regs;
	uint64_t ips[128];
	uint8_t choice;
	char *stack;

	if (!module.table)
		load_own_tables();
	if (size < sizeof(regs) + 1)
		return 0;
	choice = data[0];
	memcpy(&regs, data + 1, sizeof(regs));
	regs.ip &= 0xffffff; /* inside this program, mostly */
	data += 1 + sizeof(regs);
	size -= 1 + sizeof(regs);
	stack = fuzz__text(data, size);
	unwind__walk(&regs, stack, size, find, &choice, ips, 128, &end);
	unwind__end_name(end);
	free(stack);
	return 0;
}
