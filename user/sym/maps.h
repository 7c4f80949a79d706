/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * maps.h - the mappings of a process, and how to open the files behind them.
 *
 * A snapshot of /proc/PID/maps. Files are opened through /proc/PID/root (or map_files where that
 * is allowed), so containers, other mount namespaces and deleted files work; what was opened is
 * checked against the mapping's device and inode.
 */
#ifndef SEEP_SYM_MAPS_H
#define SEEP_SYM_MAPS_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "../base/buf.h"

struct maps;

struct map_region {
	uint64_t start, end;
	uint64_t offset;  /* in the file */
	uint64_t inode;
	uint32_t dev_major, dev_minor;
	int readable, writable, executable, shared;
	const char *path; /* "" = anonymous; "[stack]", "[vdso]", ...; " (deleted)" cut off */
	int deleted;
};

/* 0, -ESRCH when the process is gone, -EACCES, -errno. */
int maps__read(pid_t pid, struct maps **ret_maps);
/* Its text. */
int maps__read_text(pid_t pid, struct buf *ret_text);
/* From a descriptor of such a text; taken over in any case. */
int maps__read_fd(int fd, struct maps **ret_maps);
/* From text in the format of /proc/PID/maps (tests, fuzzing). */
int maps__parse(const char *text, size_t len, struct maps **ret_maps);
void maps__free(struct maps *m);

size_t maps__cnt(const struct maps *m);
const struct map_region *maps__at(const struct maps *m, size_t i);
/* The region that holds the address, or NULL. O(log n). */
const struct map_region *maps__find(const struct maps *m, uint64_t address);

/* Read-only descriptor of the mapped file. -ENOENT: gone; -ESTALE: another file stands there. */
int maps__open_file(pid_t pid, const struct map_region *r);
/* Read-only descriptor of a regular file by its path in the target's root; links stay below that
 * root. -EINVAL: not a regular file; -errno. */
int maps__open_in_root(pid_t pid, const char *path);

#endif /* SEEP_SYM_MAPS_H */
