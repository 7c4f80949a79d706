/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * maps.c - /proc/PID/maps read in one go and parsed in place.
 *
 * The kernel writes the lines in address order; whatever does not look like a line is skipped.
 * A file is looked at (O_PATH) before it is opened, so that nothing but the regular file that is
 * mapped is ever opened, whatever the target put under the name meanwhile.
 */
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "../base/buf.h"
#include "maps.h"

#define MAPS_MAX_BYTES	 (32u << 20)
#define MAPS_MAX_REGIONS (1u << 18)

struct maps {
	char *text; /* paths point into it */
	struct map_region *regions;
	size_t cnt, cap;
};

/* ---- text ---- */

static int take_hex(char **p, char end, uint64_t *ret_value)
{
	char *rest;

	if (!isxdigit((unsigned char)**p))
		return -EINVAL;
	*ret_value = strtoull(*p, &rest, 16);
	if (*rest != end)
		return -EINVAL;
	*p = rest + 1;
	return 0;
}

/* The kernel writes a newline in a path as \012, and nothing else like that. */
static void unescape(char *path)
{
	char *out = path;

	while (*path) {
		if (!strncmp(path, "\\012", 4)) {
			*out++ = '\n';
			path += 4;
		} else {
			*out++ = *path++;
		}
	}
	*out = '\0';
}

static void take_path(char *path, struct map_region *r)
{
	static const char deleted[] = " (deleted)";
	size_t len;

	path += strspn(path, " ");
	len = strlen(path);
	if (len >= sizeof(deleted) && !strcmp(path + len - strlen(deleted), deleted)) {
		path[len - strlen(deleted)] = '\0';
		r->deleted = 1;
	}
	unescape(path);
	r->path = path;
}

/* "start-end rwxp offset major:minor inode      path" */
static int parse_line(char *line, struct map_region *r)
{
	uint64_t major, minor;
	char *p = line;

	memset(r, 0, sizeof(*r));
	if (take_hex(&p, '-', &r->start) || take_hex(&p, ' ', &r->end) || r->end <= r->start)
		return -EINVAL;
	if (strlen(p) < 5 || p[4] != ' ')
		return -EINVAL;
	r->readable = p[0] == 'r';
	r->writable = p[1] == 'w';
	r->executable = p[2] == 'x';
	r->shared = p[3] == 's';
	p += 5;
	if (take_hex(&p, ' ', &r->offset) || take_hex(&p, ':', &major) ||
	    take_hex(&p, ' ', &minor) || !isdigit((unsigned char)*p))
		return -EINVAL;
	r->dev_major = major;
	r->dev_minor = minor;
	r->inode = strtoull(p, &p, 10);
	take_path(p, r);
	return 0;
}

static int add_region(struct maps *m, const struct map_region *r)
{
	size_t cap = m->cap ? 2 * m->cap : 64;
	struct map_region *regions;

	if (m->cnt == MAPS_MAX_REGIONS || (m->cnt && r->start < m->regions[m->cnt - 1].end))
		return 0;
	if (m->cnt == m->cap) {
		regions = reallocarray(m->regions, cap, sizeof(*regions));
		if (!regions)
			return -ENOMEM;
		m->regions = regions;
		m->cap = cap;
	}
	m->regions[m->cnt++] = *r;
	return 0;
}

static int parse_text(struct maps *m)
{
	char *line, *rest = m->text;
	struct map_region r;
	int err = 0;

	while (!err && (line = strsep(&rest, "\n"))) {
		if (!parse_line(line, &r))
			err = add_region(m, &r);
	}
	return err;
}

/* Takes over text (malloc, NUL-terminated). */
static int parse_owned(char *text, struct maps **ret_maps)
{
	struct maps *m;
	int err;

	m = calloc(1, sizeof(*m));
	if (!m) {
		free(text);
		return -ENOMEM;
	}
	m->text = text;
	err = parse_text(m);
	if (err) {
		maps__free(m);
		return err;
	}
	*ret_maps = m;
	return 0;
}

int maps__parse(const char *text, size_t len, struct maps **ret_maps)
{
	char *copy = strndup(text, len);

	return copy ? parse_owned(copy, ret_maps) : -ENOMEM;
}

static int read_all(int fd, struct buf *ret_text)
{
	char block[65536];
	ssize_t n;

	do {
		n = read(fd, block, sizeof(block));
		if (n > 0)
			buf__append(ret_text, block, n);
	} while ((n > 0 && ret_text->len < MAPS_MAX_BYTES) || (n < 0 && errno == EINTR));
	return n < 0 ? -errno : ret_text->err;
}

int maps__read_text(pid_t pid, struct buf *ret_text)
{
	char path[64];
	int fd, err;

	snprintf(path, sizeof(path), "/proc/%d/maps", pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return errno == ENOENT ? -ESRCH : -errno;
	err = read_all(fd, ret_text);
	close(fd);
	/* a process without memory: on its way out, or a kernel thread */
	return err ? err : ret_text->len ? 0 : -ESRCH;
}

/* Takes over text. */
static int parse_buf(struct buf *text, int err, struct maps **ret_maps)
{
	if (!err && !text->len)
		err = -ESRCH;
	if (!err)
		return parse_owned(text->data, ret_maps);
	buf__free(text);
	return err;
}

int maps__read(pid_t pid, struct maps **ret_maps)
{
	struct buf text = {};
	int err = maps__read_text(pid, &text);

	return parse_buf(&text, err, ret_maps);
}

int maps__read_fd(int fd, struct maps **ret_maps)
{
	struct buf text = {};
	int err = read_all(fd, &text);

	close(fd);
	return parse_buf(&text, err, ret_maps);
}

void maps__free(struct maps *m)
{
	if (!m)
		return;
	free(m->regions);
	free(m->text);
	free(m);
}

size_t maps__cnt(const struct maps *m)
{
	return m->cnt;
}

const struct map_region *maps__at(const struct maps *m, size_t i)
{
	return &m->regions[i];
}

const struct map_region *maps__find(const struct maps *m, uint64_t address)
{
	size_t lo = 0, hi = m->cnt, mid;

	while (lo < hi) {
		mid = lo + (hi - lo) / 2;
		if (address >= m->regions[mid].end)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo < m->cnt && address >= m->regions[lo].start ? &m->regions[lo] : NULL;
}

/* ---- files ---- */

/* File systems whose stat(2) names another device or inode than /proc/PID/maps does. */
static int is_layered(int fd)
{
	struct statfs fs;

	if (fstatfs(fd, &fs))
		return 0;
	return fs.f_type == OVERLAYFS_SUPER_MAGIC || fs.f_type == BTRFS_SUPER_MAGIC;
}

static int check_same(const struct stat *st, int fd, const struct map_region *r)
{
	if (st->st_ino == r->inode && major(st->st_dev) == r->dev_major &&
	    minor(st->st_dev) == r->dev_minor)
		return 0;
	return is_layered(fd) ? 0 : -ESTALE;
}

static int check(int fd, const struct map_region *r)
{
	struct stat st;

	if (fstat(fd, &st))
		return -errno;
	if (!S_ISREG(st.st_mode))
		return -EINVAL;
	return r ? check_same(&st, fd, r) : 0;
}

/* Takes over path_fd (O_PATH). r: the mapping it must belong to, or NULL. */
static int reopen(int path_fd, const struct map_region *r)
{
	char path[64];
	int fd, err;

	if (path_fd < 0)
		return path_fd;
	err = check(path_fd, r);
	if (err) {
		close(path_fd);
		return err;
	}
	snprintf(path, sizeof(path), "/proc/self/fd/%d", path_fd);
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	err = -errno;
	close(path_fd);
	return fd < 0 ? err : fd;
}

/* The mapping itself: also when the file is deleted or in no directory. Needs privileges. */
static int look_at_mapping(pid_t pid, const struct map_region *r)
{
	char path[96];
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/map_files/%llx-%llx", pid,
		 (unsigned long long)r->start, (unsigned long long)r->end);
	fd = open(path, O_PATH | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

/* The name below the target's root; links in it stay below that root. */
static int look_at_path(pid_t pid, const char *path)
{
	struct open_how how = {.flags = O_PATH | O_CLOEXEC, .resolve = RESOLVE_IN_ROOT};
	char root[64];
	int root_fd, fd, err;

	snprintf(root, sizeof(root), "/proc/%d/root", pid);
	root_fd = open(root, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (root_fd < 0)
		return -errno;
	fd = syscall(SYS_openat2, root_fd, path, &how, sizeof(how));
	err = -errno;
	close(root_fd);
	return fd < 0 ? err : fd;
}

/* The program itself, when its file is deleted and the mapping cannot be opened. */
static int look_at_exe(pid_t pid)
{
	char path[64];
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/exe", pid);
	fd = open(path, O_PATH | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

int maps__open_file(pid_t pid, const struct map_region *r)
{
	int fd;

	if (!r->inode || r->path[0] != '/')
		return -ENOENT;
	fd = reopen(look_at_mapping(pid, r), r);
	if (fd < 0 && !r->deleted)
		fd = reopen(look_at_path(pid, r->path), r);
	else if (fd < 0)
		fd = reopen(look_at_exe(pid), r);
	return fd;
}

int maps__open_in_root(pid_t pid, const char *path)
{
	return reopen(look_at_path(pid, path), NULL);
}
