/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * clean.h - names that others chose, made safe to print.
 *
 * Process and container names are bytes an attacker may pick. They reach terminals and JSON
 * only after control characters (C0, DEL, C1), text-direction overrides and invalid UTF-8 have
 * been replaced by '?'.
 */
#ifndef SEEP_WHO_CLEAN_H
#define SEEP_WHO_CLEAN_H

#include <stddef.h>

/* Copy len bytes of src, cleaned, cut at a whole character to fit cap bytes with the NUL. */
void clean__name(const char *src, size_t len, char *ret_name, size_t cap);

#endif /* SEEP_WHO_CLEAN_H */
