/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * fs.h - small files read whole, and files replaced atomically.
 *
 * All return 0 or a positive count, or a negative errno. Reads are bounded, never follow to a
 * FIFO or device that would block, and leave the buffer NUL-terminated.
 */
#ifndef SEEP_BASE_FS_H
#define SEEP_BASE_FS_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* Read up to cap - 1 bytes of a regular (or procfs, cgroupfs) file. Returns the bytes read. */
ssize_t fs__read(const char *path, char *buf, size_t cap);
/* The same below an open directory (AT_FDCWD works). */
ssize_t fs__read_at(int dirfd, const char *path, char *buf, size_t cap);
/* Read a file that holds one unsigned number; "max" gives UINT64_MAX. */
int fs__read_u64_at(int dirfd, const char *path, uint64_t *ret_value);
/* Write all of it, however often that takes. */
int fs__write_all(int fd, const void *data, size_t len);
/* Write a temporary file beside path, fsync, rename over it. */
int fs__write_atomic(const char *path, const void *data, size_t len, mode_t mode);
/* mkdir -p; existing directories are fine and stay as they are. */
int fs__mkdir_p(const char *path, mode_t mode);
/* Find "key value" lines as in memory.stat or /proc/PID/status ("key:\t123 kB"). 1 if found. */
int fs__find_u64(const char *text, const char *key, uint64_t *ret_value);
/* Is there something to read, or an end, now? Never waits; -1 is never readable. */
int fs__is_readable(int fd);

#endif /* SEEP_BASE_FS_H */
