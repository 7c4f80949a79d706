/* SPDX-License-Identifier: BSD-2-Clause */
/* string_pool.h - one copy of each string, kept until the pool is freed. */
#ifndef SEEP_SYM_STRING_POOL_H
#define SEEP_SYM_STRING_POOL_H

#include <stddef.h>

struct string_pool;

/* Holds at most max_bytes. NULL: out of memory. */
struct string_pool *string_pool__new(size_t max_bytes);
void string_pool__free(struct string_pool *s);
size_t string_pool__held(const struct string_pool *s);
/* The pool's copy; NULL for NULL, when the pool is full, or out of memory. */
const char *string_pool__keep(struct string_pool *s, const char *text);

#endif /* SEEP_SYM_STRING_POOL_H */
