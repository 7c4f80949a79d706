/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * doorman.h - opens the files of one process for a reader that may not.
 *
 * Runs with privileges and trusts neither side: of the process it reads the kernel's list of its
 * mappings, and the first bytes of a file; of the reader it takes the address of a mapping, or a
 * build-id. It gives regular ELF files that are mapped to run or belong to such a file, and the
 * process's perf map, to read only.
 */
#ifndef SEEP_SYM_DOORMAN_H
#define SEEP_SYM_DOORMAN_H

#include <sys/types.h>

#include "maps.h"
#include "opener.h"

struct doorman;

struct doorman_cfg {
	const char *debug_dir; /* NULL: /usr/lib/debug; stays the caller's */
	int use_debuginfod;    /* ask the servers in $DEBUGINFOD_URLS */
};

/* Reads the mappings. 0, -ESRCH, -EACCES, -errno. */
int doorman__new(pid_t pid, const struct doorman_cfg *cfg, struct doorman **ret_doorman);
void doorman__free(struct doorman *d);

/* As of the last OPEN_MAPS, or the beginning. */
const struct maps *doorman__maps(const struct doorman *d);
/* A struct opener's function, ctx being the doorman. After the process has ended: -ESRCH. */
int doorman__open(void *ctx, enum opener_kind kind, uint64_t start, const char *name);
/* What belongs to no process: OPEN_BUILD_ID, OPEN_SHARED, OPEN_DOWNLOAD. */
int doorman__open_public(const struct doorman_cfg *cfg, enum opener_kind kind, const char *name);

#endif /* SEEP_SYM_DOORMAN_H */
