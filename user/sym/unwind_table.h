/* SPDX-License-Identifier: BSD-2-Clause */
/* unwind_table.h - how the walker looks rules up. Private to unwind.c and unwind_table.c. */
#ifndef SEEP_SYM_UNWIND_TABLE_H
#define SEEP_SYM_UNWIND_TABLE_H

#include "cfi.h"
#include "unwind.h"

uint16_t unwind_table__machine(const struct unwind_table *t);
/* The rule that holds at vaddr, or NULL. */
const struct cfi_rule *unwind_table__rule(const struct unwind_table *t, uint64_t vaddr);
/* Expression `n` of the table's rules. */
const void *unwind_table__expression(const struct unwind_table *t, int32_t n, size_t *ret_len);

#endif /* SEEP_SYM_UNWIND_TABLE_H */
