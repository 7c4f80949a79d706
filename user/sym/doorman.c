// SPDX-License-Identifier: BSD-2-Clause
/* doorman.c - see doorman.h. The process is held by a pidfd: its number may become another's. */
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "../base/buf.h"
#include "../base/fs.h"
#include "debug_file.h"
#include "debuginfod.h"
#include "doorman.h"

#define VDSO_MAX_BYTES (1u << 20)

struct doorman {
	struct doorman_cfg cfg;
	pid_t pid;
	int pidfd;
	struct maps *maps;
};

const struct maps *doorman__maps(const struct doorman *d)
{
	return d->maps;
}

static int is_alive(const struct doorman *d)
{
	struct pollfd exited = {.fd = d->pidfd, .events = POLLIN};

	return !poll(&exited, 1, 0);
}

/* ---- what is no file --------------------------------------------------------------------- */

/* A descriptor that holds a copy. */
static int hand_out(const void *data, size_t len)
{
	int fd = memfd_create("seep", MFD_CLOEXEC), err;

	if (fd < 0)
		return -errno;
	err = fs__write_all(fd, data, len);
	if (!err && lseek(fd, 0, SEEK_SET) < 0)
		err = -errno;
	if (err)
		close(fd);
	return err ? err : fd;
}

static int refresh(struct doorman *d, struct buf *ret_text)
{
	struct maps *maps;
	int err;

	err = maps__read_text(d->pid, ret_text);
	if (!err)
		err = maps__parse(ret_text->data, ret_text->len, &maps);
	if (err)
		return err;
	maps__free(d->maps);
	d->maps = maps;
	return 0;
}

static int open_maps(struct doorman *d)
{
	struct buf text = {};
	int fd = refresh(d, &text);

	if (!fd)
		fd = hand_out(text.data, text.len);
	buf__free(&text);
	return fd;
}

static int read_memory(pid_t pid, uint64_t address, void *data, size_t len)
{
	char path[64];
	ssize_t n;
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/mem", pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	n = pread(fd, data, len, address);
	close(fd);
	return n == (ssize_t)len ? 0 : -EIO;
}

/* The kernel's code in the process is an ELF image without a file. */
static int open_vdso(const struct doorman *d, const struct map_region *r)
{
	size_t len = r->end - r->start;
	void *data;
	int fd;

	if (strcmp(r->path, "[vdso]") || len > VDSO_MAX_BYTES)
		return -ENOENT;
	data = malloc(len);
	if (!data)
		return -ENOMEM;
	fd = read_memory(d->pid, r->start, data, len);
	if (!fd)
		fd = hand_out(data, len);
	free(data);
	return fd;
}

/* ---- files ------------------------------------------------------------------------------- */

/* The pid in the innermost namespace: the last of "NSpid:\t4711\t12\t1". */
static pid_t inner_pid(pid_t pid)
{
	char path[64], status[4096];
	char *line, *end, *last;

	snprintf(path, sizeof(path), "/proc/%d/status", pid);
	if (fs__read(path, status, sizeof(status)) <= 0)
		return pid;
	line = strstr(status, "\nNSpid:");
	if (!line)
		return pid;
	end = strchr(line + 1, '\n');
	if (end)
		*end = '\0';
	last = strrchr(line, '\t');
	return last ? atoi(last + 1) : pid;
}

/* /tmp is shared: a file of another user than the process's (or root's) is not believed. */
static int is_trusted(int fd, pid_t pid)
{
	struct stat file, proc;
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d", pid);
	if (fstat(fd, &file) || stat(path, &proc))
		return 0;
	return !file.st_uid || file.st_uid == proc.st_uid;
}

static int open_perf_map(const struct doorman *d)
{
	char path[64];
	int fd;

	snprintf(path, sizeof(path), "/tmp/perf-%d.map", inner_pid(d->pid));
	fd = maps__open_in_root(d->pid, path);
	if (fd >= 0 && !is_trusted(fd, d->pid)) {
		close(fd);
		return -EACCES;
	}
	return fd;
}

/* Takes over fd: whatever else lies beside a program is nobody's business. */
static int only_elf(int fd)
{
	char magic[SELFMAG] = "";

	if (fd < 0)
		return fd;
	if (pread(fd, magic, sizeof(magic), 0) == sizeof(magic) &&
	    !memcmp(magic, ELFMAG, sizeof(magic)))
		return fd;
	close(fd);
	return -ENOEXEC;
}

static const struct map_region *region_at(const struct doorman *d, uint64_t start)
{
	const struct map_region *r = maps__find(d->maps, start);

	return r && r->start == start && r->executable ? r : NULL;
}

int doorman__open_public(const struct doorman_cfg *cfg, enum opener_kind kind, const char *name)
{
	if (kind == OPEN_DOWNLOAD)
		return cfg->use_debuginfod ? only_elf(debuginfod__fetch(name)) : -ENOENT;
	if (kind == OPEN_BUILD_ID || kind == OPEN_SHARED)
		return only_elf(debug_file__open(getpid(), cfg->debug_dir, NULL, kind, name));
	return -EACCES;
}

static int open_any(struct doorman *d, enum opener_kind kind, uint64_t start, const char *name)
{
	const struct map_region *r = region_at(d, start);

	switch (kind) {
	case OPEN_MAPS:
		return open_maps(d);
	case OPEN_PERF_MAP:
		return open_perf_map(d);
	case OPEN_VDSO:
		return r ? open_vdso(d, r) : -ENOENT;
	case OPEN_MAPPING:
		return r ? only_elf(maps__open_file(d->pid, r)) : -ENOENT;
	case OPEN_BUILD_ID_INSIDE:
	case OPEN_LINK:
	case OPEN_LINK_HIDDEN:
	case OPEN_LINK_APART:
		return only_elf(debug_file__open(d->pid, d->cfg.debug_dir, r ? r->path : NULL,
						 kind, name));
	default:
		return doorman__open_public(&d->cfg, kind, name);
	}
}

int doorman__open(void *ctx, enum opener_kind kind, uint64_t start, const char *name)
{
	struct doorman *d = ctx;
	int fd;

	fd = is_alive(d) ? open_any(d, kind, start, name ? name : "") : -ESRCH;
	if (fd < 0 || is_alive(d))
		return fd;
	close(fd); /* it may be another process's that got the number meanwhile */
	return -ESRCH;
}

/* ---- life -------------------------------------------------------------------------------- */

int doorman__new(pid_t pid, const struct doorman_cfg *cfg, struct doorman **ret_doorman)
{
	struct doorman *d = calloc(1, sizeof(*d));
	struct buf text = {};
	int err;

	if (!d)
		return -ENOMEM;
	d->cfg = *cfg;
	d->pid = pid;
	d->pidfd = syscall(SYS_pidfd_open, pid, 0);
	err = d->pidfd < 0 ? -errno : refresh(d, &text);
	buf__free(&text);
	if (err) {
		doorman__free(d);
		return err;
	}
	*ret_doorman = d;
	return 0;
}

void doorman__free(struct doorman *d)
{
	if (!d)
		return;
	maps__free(d->maps);
	if (d->pidfd >= 0)
		close(d->pidfd);
	free(d);
}
