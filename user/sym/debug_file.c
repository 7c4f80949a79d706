/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * debug_file.c - build-id first, debug link second, as gdb does; nothing is taken unchecked.
 *
 * Only local files: asking a debuginfod server tells others what runs here, see debuginfod.h.
 */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#include "debug_file.h"
#include "maps.h"

#define DEFAULT_DIR "/usr/lib/debug"

/* A file that names another one chooses what is read, and a sparse file costs it nothing. Debug files
 * of this size have build ids, which need no checksum. */
#define CHECKSUM_MAX_BYTES (128 << 20)

static int has_build_id(const struct elf_file *e, const char *build_id)
{
	const char *own = elf_file__build_id(e);

	return own && build_id && !strcmp(own, build_id);
}

static int checksum(int fd, uint32_t *ret_crc)
{
	unsigned char block[65536];
	uLong crc = crc32(0, NULL, 0);
	off_t offset = 0;
	struct stat st;
	ssize_t n = 0;

	if (fstat(fd, &st))
		return -errno;
	if (st.st_size > CHECKSUM_MAX_BYTES)
		return -EFBIG;
	while (offset < st.st_size && (n = pread(fd, block, sizeof(block), offset)) > 0) {
		crc = crc32(crc, block, n);
		offset += n;
	}
	if (n < 0)
		return -errno;
	*ret_crc = crc;
	return 0;
}

static int by_build_id(pid_t root_pid, const char *dir, const char *build_id,
		       struct elf_file **ret_debug)
{
	char path[PATH_MAX];
	struct elf_file *e;
	int fd;

	if ((size_t)snprintf(path, sizeof(path), "%s/.build-id/%.2s/%s.debug", dir, build_id,
			     build_id + 2) >= sizeof(path))
		return -ENOENT;
	fd = maps__open_in_root(root_pid, path);
	if (fd < 0 || elf_file__open_fd(fd, &e))
		return -ENOENT;
	if (!has_build_id(e, build_id)) {
		elf_file__close(e);
		return -ENOENT;
	}
	*ret_debug = e;
	return 0;
}

static int try_link(pid_t pid, struct elf_file *elf, const char *path, uint32_t crc,
		    struct elf_file **ret_debug)
{
	struct elf_file *e;
	uint32_t found = 0;
	int fd;

	fd = maps__open_in_root(pid, path);
	if (fd < 0 || elf_file__open_fd(fd, &e))
		return -ENOENT;
	if (!has_build_id(e, elf_file__build_id(elf)) &&
	    (checksum(elf_file__fd(e), &found) || found != crc)) {
		elf_file__close(e);
		return -ENOENT;
	}
	*ret_debug = e;
	return 0;
}

static int by_link(pid_t pid, const char *dir, struct elf_file *elf, const char *path,
		   struct elf_file **ret_debug)
{
	const char *slash = strrchr(path, '/'), *name;
	int dir_len = slash ? slash - path : 0, i;
	char tries[3][PATH_MAX];
	uint32_t crc;

	if (!slash || elf_file__debuglink(elf, &name, &crc))
		return -ENOENT;
	snprintf(tries[0], PATH_MAX, "%.*s/%s", dir_len, path, name);
	snprintf(tries[1], PATH_MAX, "%.*s/.debug/%s", dir_len, path, name);
	snprintf(tries[2], PATH_MAX, "%s%.*s/%s", dir, dir_len, path, name);
	for (i = 0; i < 3; i++) {
		if (strcmp(tries[i], path) && !try_link(pid, elf, tries[i], crc, ret_debug))
			return 0;
	}
	return -ENOENT;
}

int debug_file__find(pid_t pid, const char *debug_dir, struct elf_file *elf, const char *path,
		     struct elf_file **ret_debug)
{
	const char *dir = debug_dir ? debug_dir : DEFAULT_DIR;
	const char *build_id = elf_file__build_id(elf);

	if (build_id && strlen(build_id) > 2) {
		if (!by_build_id(getpid(), dir, build_id, ret_debug) ||
		    !by_build_id(pid, dir, build_id, ret_debug))
			return 0;
	}
	return by_link(pid, dir, elf, path, ret_debug);
}
