// SPDX-License-Identifier: BSD-2-Clause
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "fs.h"

ssize_t fs__read_at(int dirfd, const char *path, char *buf, size_t cap)
{
	size_t len = 0;
	ssize_t n = 0;
	int fd, err = 0;

	fd = openat(dirfd, path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	if (fd < 0)
		return -errno;
	while (len + 1 < cap) {
		n = read(fd, buf + len, cap - 1 - len);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			break;
		len += n;
	}
	if (n < 0)
		err = -errno;
	close(fd);
	buf[len] = '\0';
	return err ? err : (ssize_t)len;
}

ssize_t fs__read(const char *path, char *buf, size_t cap)
{
	return fs__read_at(AT_FDCWD, path, buf, cap);
}

int fs__read_u64_at(int dirfd, const char *path, uint64_t *ret_value)
{
	char text[64], *end;
	uint64_t value;
	ssize_t n;

	n = fs__read_at(dirfd, path, text, sizeof(text));
	if (n < 0)
		return n;
	if (!strncmp(text, "max", 3)) {
		*ret_value = UINT64_MAX;
		return 0;
	}
	errno = 0;
	value = strtoull(text, &end, 10);
	if (end == text || errno)
		return -EINVAL;
	*ret_value = value;
	return 0;
}

int fs__write_all(int fd, const void *data, size_t len)
{
	const char *p = data;
	ssize_t n;

	while (len) {
		n = write(fd, p, len);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		p += n;
		len -= n;
	}
	return 0;
}

int fs__write_atomic(const char *path, const void *data, size_t len, mode_t mode)
{
	char tmp[PATH_MAX];
	int fd, err;

	if ((size_t)snprintf(tmp, sizeof(tmp), "%s.XXXXXX", path) >= sizeof(tmp))
		return -ENAMETOOLONG;
	fd = mkostemp(tmp, O_CLOEXEC);
	if (fd < 0)
		return -errno;
	err = fs__write_all(fd, data, len);
	if (!err && (fchmod(fd, mode) || fsync(fd)))
		err = -errno;
	if (close(fd) && !err)
		err = -errno;
	if (!err && rename(tmp, path))
		err = -errno;
	if (err)
		unlink(tmp);
	return err;
}

static int make_dir(const char *path, mode_t mode)
{
	struct stat st;

	if (!mkdir(path, mode))
		return 0;
	if (errno != EEXIST)
		return -errno;
	return !stat(path, &st) && S_ISDIR(st.st_mode) ? 0 : -ENOTDIR;
}

int fs__mkdir_p(const char *path, mode_t mode)
{
	char part[PATH_MAX];
	size_t len = strlen(path);
	char *p;
	int err;

	while (len > 1 && path[len - 1] == '/')
		len--;
	if (!len)
		return -ENOENT;
	if (len >= sizeof(part))
		return -ENAMETOOLONG;
	memcpy(part, path, len);
	part[len] = '\0';
	for (p = part + 1; *p; p++) {
		if (*p != '/')
			continue;
		*p = '\0';
		err = make_dir(part, 0755);
		if (err)
			return err;
		*p = '/';
	}
	return make_dir(part, mode);
}

int fs__find_u64(const char *text, const char *key, uint64_t *ret_value)
{
	size_t len = strlen(key);
	const char *p = text;

	while (p) {
		if (!strncmp(p, key, len) && (p[len] == ' ' || p[len] == ':' || p[len] == '\t')) {
			p += len;
			while (*p == ':' || isblank((unsigned char)*p))
				p++;
			if (!isdigit((unsigned char)*p))
				return 0;
			*ret_value = strtoull(p, NULL, 10);
			return 1;
		}
		p = strchr(p, '\n');
		if (p)
			p++;
	}
	return 0;
}

int fs__is_readable(int fd)
{
	struct pollfd p = {.fd = fd, .events = POLLIN};

	return poll(&p, 1, 0) == 1;
}
