/* SPDX-License-Identifier: BSD-2-Clause */
/* expression.h - the DWARF expressions of call frame information, evaluated within bounds. */
#ifndef SEEP_SYM_EXPRESSION_H
#define SEEP_SYM_EXPRESSION_H

#include <stddef.h>
#include <stdint.h>

/* What an expression may look at; both return 0, or -errno when it is not known. */
struct expression_env {
	void *ctx;
	int (*read_register)(void *ctx, uint64_t dwarf_register, uint64_t *ret_value);
	int (*read_memory)(void *ctx, uint64_t address, size_t len, uint64_t *ret_value);
};

/* 0; -EINVAL garbled, unsupported or too long; or what env returned. */
int expression__eval(const void *bytes, size_t len, const struct expression_env *env,
		     const uint64_t *push_first, uint64_t *ret_value);

#endif /* SEEP_SYM_EXPRESSION_H */
