/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * unwind.h - call stacks without frame pointers, from copied registers and stack bytes.
 *
 * .eh_frame (or .debug_frame) of each ELF file is compiled once into a compact table of rows,
 * sorted by address; a stack is then walked by one binary search a frame. Pure: works on copied
 * bytes, never touches the process.
 */
#ifndef SEEP_SYM_UNWIND_H
#define SEEP_SYM_UNWIND_H

#include <stddef.h>
#include <stdint.h>
#include <linux/types.h>
#include <seep/alloc.h>

#include "elf_file.h"

struct unwind_table; /* of one ELF file */

/* -ENOENT: the file has no unwind information; -EINVAL: garbled (what could be read is kept and
 * *ret_table is set in that case too). */
int unwind_table__new(struct elf_file *e, struct unwind_table **ret_table);
void unwind_table__free(struct unwind_table *t);
size_t unwind_table__bytes(const struct unwind_table *t);
size_t unwind_table__rows(const struct unwind_table *t);

/* Why a walk ended. The chain is whole with UNWIND_OUTERMOST only. */
enum unwind_end {
	UNWIND_OUTERMOST,  /* the chain is whole: _start, clone, or CFI says so */
	UNWIND_NO_STACK,   /* the copy ended before the chain did */
	UNWIND_NO_TABLE,   /* an address in a file without unwind information */
	UNWIND_NO_MAP,     /* an address that is not mapped */
	UNWIND_BAD_RULE,   /* garbled or unsupported unwind information */
	UNWIND_TOO_DEEP,
	UNWIND_LOOP,       /* the stack pointer did not move up */
	UNWIND_TRAMPOLINE, /* another tracer's return probe took the return address */
};

/* One phrase: "outermost frame", "stack copy too short", ... */
const char *unwind__end_name(enum unwind_end end);

/* Who maps an address: gives the table and the load bias of the file there. */
struct unwind_module {
	struct unwind_table *table; /* NULL: none */
	uint64_t bias;              /* address - bias = vaddr in the ELF file */
	struct elf_file *elf;       /* to read the code of functions without rules; may be NULL */
	int is_jit;                 /* anonymous executable memory: frame pointers only */
	int is_trampoline;          /* the kernel's [uprobes] page: the chain is cut there */
};

/* 0, or -ENOENT when nothing executable is mapped there. */
typedef int (*unwind_find_fn)(void *ctx, uint64_t address, struct unwind_module *ret_module);

/*
 * Walk a copied stack: `stack` holds stack_bytes from regs->sp upwards. Fills at most cap
 * addresses, innermost first, [0] = regs->ip; callers' are return addresses (look symbols up at
 * address - 1, except after a signal frame). An address that is not code is not given out, but the
 * first. Code without a table is passed by what its prologue does, or by its frame pointer; at [0] it
 * is taken for a function's entry. Returns the count; *ret_end says why it stopped.
 */
int unwind__walk(const struct seep_regs *regs, const void *stack, size_t stack_bytes,
		 unwind_find_fn find, void *ctx, uint64_t *ips, int cap, enum unwind_end *ret_end);

#endif /* SEEP_SYM_UNWIND_H */
