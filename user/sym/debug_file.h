/* SPDX-License-Identifier: BSD-2-Clause */
/* debug_file.h - where distributions and debuggers keep the symbols that were split off a file. */
#ifndef SEEP_SYM_DEBUG_FILE_H
#define SEEP_SYM_DEBUG_FILE_H

#include <sys/types.h>

#include "elf_file.h"
#include "opener.h"

/*
 * The separate debug file of `elf`, which is mapped at start: by build-id below /usr/lib/debug of the
 * host, then of the target's root; then by .gnu_debuglink beside the file. Its build-id or checksum
 * fits. 0 or -ENOENT.
 */
int debug_file__find(const struct opener *opener, uint64_t start, struct elf_file *elf,
		     struct elf_file **ret_debug);
/* The one that a server has. 0 or -ENOENT. */
int debug_file__download(const struct opener *opener, struct elf_file *elf,
			 struct elf_file **ret_debug);

/*
 * For who may open files: OPEN_BUILD_ID to OPEN_SHARED for process pid, of whose files one is mapped
 * as path (NULL: none). debug_dir NULL: /usr/lib/debug. What is no build-id, or a name that leads
 * elsewhere, is refused. A descriptor, or -errno.
 */
int debug_file__open(pid_t pid, const char *debug_dir, const char *path, enum opener_kind kind,
		     const char *name);

#endif /* SEEP_SYM_DEBUG_FILE_H */
