/* SPDX-License-Identifier: BSD-2-Clause */
/* demangle.h - C++ and Rust names as people write them. */
#ifndef SEEP_SYM_DEMANGLE_H
#define SEEP_SYM_DEMANGLE_H

#include <stddef.h>

/* 1 and the readable name in ret_name (cut short if need be), or 0: not a mangled name. */
int demangle(const char *name, char *ret_name, size_t cap);

#endif /* SEEP_SYM_DEMANGLE_H */
