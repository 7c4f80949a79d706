/* SPDX-License-Identifier: BSD-2-Clause */
/* debug_file.h - where distributions and debuggers keep the symbols that were split off a file. */
#ifndef SEEP_SYM_DEBUG_FILE_H
#define SEEP_SYM_DEBUG_FILE_H

#include <sys/types.h>

#include "elf_file.h"

/*
 * The separate debug file of `elf`, which is mapped as `path` by process pid: by build-id below
 * debug_dir (NULL: /usr/lib/debug) of the host, then of the target's root; then by .gnu_debuglink
 * beside the file. Its build-id or checksum fits. 0 or -ENOENT.
 */
int debug_file__find(pid_t pid, const char *debug_dir, struct elf_file *elf, const char *path,
		     struct elf_file **ret_debug);

#endif /* SEEP_SYM_DEBUG_FILE_H */
