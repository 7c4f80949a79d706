/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * debug_file.c - build-id first, debug link second, as gdb does; nothing is taken unchecked.
 *
 * Who looks for a file and who opens it are two processes: the first half of this file asks and
 * compares, the second half makes paths of what was asked for.
 */
#include <ctype.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#include "debug_file.h"
#include "maps.h"

#define DEFAULT_DIR	 "/usr/lib/debug"
#define BUILD_ID_HEX_MAX 128

/* ---- asking ------------------------------------------------------------------------------ */

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

static int by_build_id(const struct opener *opener, enum opener_kind kind, struct elf_file *elf,
		       struct elf_file **ret_debug)
{
	const char *build_id = elf_file__build_id(elf);
	struct elf_file *e;
	int fd;

	fd = build_id ? opener__open(opener, kind, 0, build_id) : -ENOENT;
	if (fd < 0 || elf_file__open_fd(fd, &e))
		return -ENOENT;
	if (!has_build_id(e, build_id)) {
		elf_file__close(e);
		return -ENOENT;
	}
	*ret_debug = e;
	return 0;
}

static int by_link(const struct opener *opener, enum opener_kind kind, uint64_t start,
		   struct elf_file *elf, struct elf_file **ret_debug)
{
	struct elf_file *e;
	uint32_t crc, found = 0;
	const char *name;
	int fd;

	if (elf_file__debuglink(elf, &name, &crc))
		return -ENOENT;
	fd = opener__open(opener, kind, start, name);
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

int debug_file__find(const struct opener *opener, uint64_t start, struct elf_file *elf,
		     struct elf_file **ret_debug)
{
	int kind;

	for (kind = OPEN_BUILD_ID; kind <= OPEN_BUILD_ID_INSIDE; kind++)
		if (!by_build_id(opener, kind, elf, ret_debug))
			return 0;
	for (kind = OPEN_LINK; kind <= OPEN_LINK_APART; kind++)
		if (!by_link(opener, kind, start, elf, ret_debug))
			return 0;
	return -ENOENT;
}

int debug_file__download(const struct opener *opener, struct elf_file *elf,
			 struct elf_file **ret_debug)
{
	return by_build_id(opener, OPEN_DOWNLOAD, elf, ret_debug);
}

/* ---- opening ----------------------------------------------------------------------------- */

static int is_build_id(const char *name)
{
	size_t len = strlen(name);

	return len > 2 && len <= BUILD_ID_HEX_MAX && strspn(name, "0123456789abcdef") == len;
}

static int open_by_build_id(pid_t root_pid, const char *dir, const char *build_id)
{
	char path[PATH_MAX];

	if (!is_build_id(build_id) ||
	    (size_t)snprintf(path, sizeof(path), "%s/.build-id/%.2s/%s.debug", dir, build_id,
			     build_id + 2) >= sizeof(path))
		return -ENOENT;
	return maps__open_in_root(root_pid, path);
}

/* A file's name, no way to it. */
static int is_plain(const char *name)
{
	return *name && !strchr(name, '/') && strcmp(name, ".") && strcmp(name, "..");
}

static int open_by_link(pid_t pid, const char *dir, const char *path, enum opener_kind kind,
			const char *name)
{
	const char *slash = path ? strrchr(path, '/') : NULL;
	int dir_len = slash ? slash - path : 0;
	char wanted[PATH_MAX];

	if (!slash || !is_plain(name))
		return -ENOENT;
	if (kind == OPEN_LINK_APART)
		snprintf(wanted, sizeof(wanted), "%s%.*s/%s", dir, dir_len, path, name);
	else
		snprintf(wanted, sizeof(wanted), "%.*s/%s%s", dir_len, path,
			 kind == OPEN_LINK_HIDDEN ? ".debug/" : "", name);
	return strcmp(wanted, path) ? maps__open_in_root(pid, wanted) : -ENOENT;
}

/* Debian's debug files share what is common in a file of their own, below .dwz. */
static int open_shared(const char *name)
{
	char path[PATH_MAX];

	if (strncmp(name, "/.dwz/", 6) || strstr(name, ".."))
		return -ENOENT;
	snprintf(path, sizeof(path), DEFAULT_DIR "%s", name);
	return maps__open_in_root(getpid(), path);
}

int debug_file__open(pid_t pid, const char *debug_dir, const char *path, enum opener_kind kind,
		     const char *name)
{
	const char *dir = debug_dir ? debug_dir : DEFAULT_DIR;

	switch (kind) {
	case OPEN_BUILD_ID:
		return open_by_build_id(getpid(), dir, name);
	case OPEN_BUILD_ID_INSIDE:
		return open_by_build_id(pid, dir, name);
	case OPEN_LINK:
	case OPEN_LINK_HIDDEN:
	case OPEN_LINK_APART:
		return open_by_link(pid, dir, path, kind, name);
	case OPEN_SHARED:
		return open_shared(name);
	default:
		return -EINVAL;
	}
}
