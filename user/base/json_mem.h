/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * json_mem.h - was a JSON value built completely?
 *
 * Jansson passes a failed allocation on as NULL, and takes NULL for a value that is not to be
 * added: what is built from many small parts would lack some of them and look whole. Instead of
 * checking every part, count what failed, and compare the count before and after.
 */
#ifndef SEEP_BASE_JSON_MEM_H
#define SEEP_BASE_JSON_MEM_H

#include <stdint.h>

#include <jansson.h>

/* Once, before any other use of Jansson. */
void json_mem__start(void);
/* Allocations of Jansson that failed in this thread until now. */
uint64_t json_mem__failed(void);
/* The value, if none failed since there were failed_before; else NULL, and the value is let go. */
json_t *json_mem__whole(json_t *value, uint64_t failed_before);
/* json_dumps(), which may return the half of a text; NULL then. The caller frees it. */
char *json_mem__dumps(const json_t *value, size_t flags);

#endif /* SEEP_BASE_JSON_MEM_H */
