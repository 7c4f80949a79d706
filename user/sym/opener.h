/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * opener.h - how those who read a process's files ask those who may open them.
 *
 * The asking side runs without privileges and is not to be trusted with a name of its own making:
 * what it may ask for belongs to a mapping of the process, or is found by a build-id.
 */
#ifndef SEEP_SYM_OPENER_H
#define SEEP_SYM_OPENER_H

#include <errno.h>
#include <stdint.h>

enum opener_kind {
	OPEN_MAPS,	      /* the text of /proc/PID/maps, as it is now */
	OPEN_MAPPING,	      /* the file of the executable mapping that starts at `start` */
	OPEN_VDSO,	      /* a copy of that mapping's memory */
	OPEN_PERF_MAP,	      /* names of generated code */
	OPEN_BUILD_ID,	      /* the debug file with the build-id `name`, of the host */
	OPEN_BUILD_ID_INSIDE, /* ...as the process sees it */
	OPEN_LINK,	      /* `name` beside the mapping's file, */
	OPEN_LINK_HIDDEN,     /* ...in .debug beside it, */
	OPEN_LINK_APART,      /* ...in its directory below /usr/lib/debug */
	OPEN_SHARED,	      /* what debug files share: `name` below /usr/lib/debug */
	OPEN_DOWNLOAD,	      /* the debug file with the build-id `name`, from a server */
	OPEN_KINDS
};

#define OPENER_NAME_MAX 512

struct opener {
	/* A descriptor to read from, or -errno; -ENOEXEC: there is a file, but no ELF file. */
	int (*open)(void *ctx, enum opener_kind kind, uint64_t start, const char *name);
	void *ctx;
};

/* o may be NULL: nothing is to be had. */
static inline int opener__open(const struct opener *o, enum opener_kind kind, uint64_t start,
			       const char *name)
{
	return o ? o->open(o->ctx, kind, start, name) : -ENOENT;
}

#endif /* SEEP_SYM_OPENER_H */
