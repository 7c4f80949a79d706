// SPDX-License-Identifier: BSD-2-Clause
/* cgroup_fs.c - see cgroup_fs.h. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../base/fs.h"
#include "cgroup_fs.h"
#include "proc.h"

#define NS_SEARCH_MAX  16384     /* directories opened to find our own cgroup */
#define PROCS_CAP      (1 << 16) /* bytes read of a cgroup.procs while searching */
#define CONTROLLERS_CAP 1024

#define DIR_FLAGS (O_PATH | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW)

/* ---- paths ---- */

/* Cut the last component; false at the root. */
static bool go_up(char *path, size_t *len)
{
	if (!*len)
		return false;
	while (path[--*len] != '/')
		;
	path[*len] = '\0';
	return true;
}

/*
 * base + path without ".", ".." and repeated slashes. -ENOENT when ".." leads above the root.
 * During the walk the root is the empty string, so that components just append "/name".
 */
static int join(const char *base, const char *path, char *ret_path, size_t cap)
{
	size_t n, len = strcmp(base, "/") ? strlen(base) : 0;

	if (len + 2 > cap)
		return -ENAMETOOLONG;
	memcpy(ret_path, base, len);
	ret_path[len] = '\0';
	for (path += strspn(path, "/"); *path; path += n, path += strspn(path, "/")) {
		n = strcspn(path, "/");
		if (n == 1 && path[0] == '.')
			continue;
		if (n == 2 && !memcmp(path, "..", 2)) {
			if (!go_up(ret_path, &len))
				return -ENOENT;
			continue;
		}
		if (len + n + 2 > cap)
			return -ENAMETOOLONG;
		ret_path[len++] = '/';
		memcpy(ret_path + len, path, n);
		len += n;
		ret_path[len] = '\0';
	}
	if (!len)
		strcpy(ret_path, "/");
	return 0;
}

/* Leading ".." components; -1 when anything else follows them. */
static int ups_of(const char *path)
{
	int ups = 0;

	for (path += strspn(path, "/"); !strncmp(path, "..", 2); path += strspn(path, "/")) {
		if (path[2] && path[2] != '/')
			return -1;
		path += 2;
		ups++;
	}
	return *path ? -1 : ups;
}

static int depth_of(const char *path)
{
	int depth = 0;

	for (path += strspn(path, "/"); *path; path += strspn(path, "/")) {
		path += strcspn(path, "/");
		depth++;
	}
	return depth;
}

int cgroup_fs__locate(const struct cgroup_fs *fs, const char *proc_path, char *ret_path,
		      size_t cap)
{
	return fs->ns_root ? join(fs->ns_root, proc_path, ret_path, cap) : -ENOENT;
}

/* The path relative to the mount point, for openat(); NULL when it is not mounted there. */
static const char *below_mount(const struct cgroup_fs *fs, const char *path)
{
	size_t len = strcmp(fs->mount_root, "/") ? strlen(fs->mount_root) : 0;

	if (strncmp(path, fs->mount_root, len) || (path[len] && path[len] != '/'))
		return NULL;
	path += len;
	path += strspn(path, "/");
	return *path ? path : ".";
}

int cgroup_fs__inode(const struct cgroup_fs *fs, const char *path, uint64_t *ret_inode)
{
	const char *rel = fs->fd >= 0 ? below_mount(fs, path) : NULL;
	struct stat st;

	if (!rel)
		return -ENOENT;
	if (fstatat(fs->fd, rel, &st, AT_SYMLINK_NOFOLLOW))
		return -errno;
	if (!S_ISDIR(st.st_mode))
		return -ENOENT;
	*ret_inode = st.st_ino;
	return 0;
}

int cgroup_fs__open_dir(const struct cgroup_fs *fs, const char *path, uint64_t inode)
{
	const char *rel = fs->fd >= 0 ? below_mount(fs, path) : NULL;
	struct stat st;
	int fd;

	if (!rel)
		return -ENOENT;
	fd = openat(fs->fd, rel, DIR_FLAGS);
	if (fd < 0)
		return -errno;
	if (inode && (fstat(fd, &st) || st.st_ino != inode)) {
		close(fd);
		return -ENOENT;
	}
	return fd;
}

int cgroup_fs__has_memory(const struct cgroup_fs *fs, const char *path)
{
	const char *file = fs->version == 1 ? "memory.usage_in_bytes" : "memory.current";
	int fd, found;

	fd = cgroup_fs__open_dir(fs, path, 0);
	if (fd < 0)
		return 0;
	found = !faccessat(fd, file, F_OK, 0);
	close(fd);
	return found;
}

/* ---- finding the mount ---- */

/* One cgroup line of mountinfo. */
struct mount {
	char *root;
	char *point;
	int version;
};

/* mountinfo writes blanks, tabs, newlines and backslashes as \ooo. */
static void unescape(char *s)
{
	char *out = s;
	int i, code;

	for (; *s; s++, out++) {
		*out = *s;
		if (*s != '\\')
			continue;
		for (i = 1, code = 0; i <= 3 && s[i] >= '0' && s[i] <= '7'; i++)
			code = code * 8 + s[i] - '0';
		if (i != 4)
			continue;
		*out = code;
		s += 3;
	}
	*out = '\0';
}

static bool has_option(const char *options, const char *name)
{
	size_t n, len = strlen(name);

	for (;; options += n + 1) {
		n = strcspn(options, ",\n");
		if (n == len && !strncmp(options, name, len))
			return true;
		if (options[n] != ',')
			return false;
	}
}

/* "36 35 98:0 /root /point options [tags] - type source superoptions" */
static bool parse_mount(char *line, struct mount *ret_mount)
{
	char *field, *save, *tail, *type, *options;
	int i;

	tail = strstr(line, " - ");
	if (!tail)
		return false;
	*tail = '\0';
	type = strtok_r(tail + 3, " ", &save);
	options = strtok_r(NULL, " ", &save) ? strtok_r(NULL, " ", &save) : NULL;
	if (type && !strcmp(type, "cgroup2"))
		ret_mount->version = 2;
	else if (type && !strcmp(type, "cgroup") && options && has_option(options, "memory"))
		ret_mount->version = 1;
	else
		return false;
	field = strtok_r(line, " ", &save);
	for (i = 0; field && i < 3; i++)
		field = strtok_r(NULL, " ", &save);
	ret_mount->root = field;
	ret_mount->point = field ? strtok_r(NULL, " ", &save) : NULL;
	if (!ret_mount->point)
		return false;
	unescape(ret_mount->root);
	unescape(ret_mount->point);
	return true;
}

/* How much of the hierarchy does the mount show? The host's root beats a container's. */
static int reach(const char *mount_root)
{
	int ups = ups_of(mount_root);

	return ups >= 0 ? ups : -depth_of(mount_root);
}

static bool better(const struct cgroup_fs *fs, const struct mount *m)
{
	if (!fs->mount || fs->version != m->version)
		return !fs->mount || m->version < fs->version;
	return reach(m->root) > reach(fs->mount_root);
}

static int take_mount(struct cgroup_fs *fs, int version, const char *root, const char *point)
{
	char *new_root = strdup(root), *new_point = strdup(point);

	if (!new_root || !new_point) {
		free(new_root);
		free(new_point);
		return -ENOMEM;
	}
	free(fs->mount_root);
	free(fs->mount);
	fs->mount_root = new_root;
	fs->mount = new_point;
	fs->version = version;
	return 0;
}

/* v1 memory wins where both exist: the controller can only be in one hierarchy. */
static int find_mount(struct cgroup_fs *fs, const char *proc_dir)
{
	char path[PATH_MAX], *line = NULL;
	struct mount m;
	size_t cap = 0;
	int err = 0;
	FILE *f;

	snprintf(path, sizeof(path), "%s/self/mountinfo", proc_dir);
	f = fopen(path, "re");
	if (!f)
		return -errno;
	while (!err && getline(&line, &cap, f) > 0)
		if (parse_mount(line, &m) && better(fs, &m))
			err = take_mount(fs, m.version, m.root, m.point);
	if (!err && !feof(f))
		err = errno ? -errno : -EIO;
	free(line);
	fclose(f);
	return err;
}

static bool exists(const char *dir, const char *name)
{
	char path[PATH_MAX];

	return (size_t)snprintf(path, sizeof(path), "%s/%s", dir, name) < sizeof(path) &&
	       !access(path, F_OK);
}

/* A directory was named: which hierarchy is it, or which is below it? */
static int probe_dir(struct cgroup_fs *fs, const char *dir)
{
	static const char *const below[] = {"", "/memory", "/unified"};
	char path[PATH_MAX];
	size_t i;

	for (i = 0; i < sizeof(below) / sizeof(below[0]); i++) {
		if ((size_t)snprintf(path, sizeof(path), "%s%s", dir, below[i]) >= sizeof(path))
			return -ENAMETOOLONG;
		if (exists(path, "memory.usage_in_bytes"))
			return take_mount(fs, 1, "/", path);
		if (exists(path, "cgroup.controllers"))
			return take_mount(fs, 2, "/", path);
	}
	return 0;
}

/* The unified hierarchy has the memory controller only where v1 has not taken it. */
static bool unified_has_memory(const struct cgroup_fs *fs)
{
	char text[CONTROLLERS_CAP], *name, *save;

	if (fs__read_at(fs->fd, "cgroup.controllers", text, sizeof(text)) < 0)
		return false;
	for (name = strtok_r(text, " \n", &save); name; name = strtok_r(NULL, " \n", &save))
		if (!strcmp(name, "memory"))
			return true;
	return false;
}

/* ---- the cgroup namespace ---- */

struct ns_search {
	char path[PATH_MAX]; /* of the directory being looked at, "" at the top */
	int budget;
};

static bool holds_us(int dirfd)
{
	char text[PROCS_CAP], *line, *save;

	if (fs__read_at(dirfd, "cgroup.procs", text, sizeof(text)) < 0)
		return false;
	for (line = strtok_r(text, "\n", &save); line; line = strtok_r(NULL, "\n", &save))
		if (strtol(line, NULL, 10) == getpid())
			return true;
	return false;
}

/* Depth first, down to `depth` levels, for the directory that our process is in. Takes fd. */
static bool search(struct ns_search *s, int fd, int depth)
{
	size_t len = strlen(s->path);
	struct dirent *entry;
	bool found = false;
	int child;
	DIR *dir;

	dir = fdopendir(fd);
	if (!dir) {
		close(fd);
		return false;
	}
	if (!depth)
		found = holds_us(fd);
	while (depth && !found && s->budget > 0 && (entry = readdir(dir))) {
		if (entry->d_name[0] == '.' ||
		    (entry->d_type != DT_DIR && entry->d_type != DT_UNKNOWN) ||
		    len + strlen(entry->d_name) + 2 > sizeof(s->path))
			continue;
		child = openat(fd, entry->d_name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
		if (child < 0)
			continue;
		s->budget--;
		sprintf(s->path + len, "/%s", entry->d_name);
		found = search(s, child, depth - 1);
		if (!found)
			s->path[len] = '\0';
	}
	closedir(dir);
	return found;
}

/* Our own path relative to the namespace's root. */
static int own_path(const char *proc_dir, int version, char *ret_path, size_t cap)
{
	char self[PATH_MAX];
	int err, fd;

	snprintf(self, sizeof(self), "%s/self", proc_dir);
	fd = open(self, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	err = proc__read_cgroup(fd, version, ret_path, cap);
	close(fd);
	return err;
}

/*
 * The host's hierarchy is mounted (its root shows as "/../.." in mountinfo), but we live in a
 * cgroup namespace: `ups` says how deep, our own entry in cgroup.procs says where.
 */
static char *find_ns_root(const struct cgroup_fs *fs, const char *proc_dir, int ups)
{
	struct ns_search s = {.budget = NS_SEARCH_MAX};
	char own[PATH_MAX];
	int fd, inner;
	size_t len;

	if (own_path(proc_dir, fs->version, own, sizeof(own)) || strstr(own, "/.."))
		return NULL;
	inner = depth_of(own);
	fd = openat(fs->fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0 || !search(&s, fd, ups + inner))
		return NULL;
	for (len = strlen(s.path); inner; inner--)
		go_up(s.path, &len);
	return strdup(*s.path ? s.path : "/");
}

static int set_ns_root(struct cgroup_fs *fs, const char *proc_dir)
{
	int ups = ups_of(fs->mount_root);

	if (!strstr(fs->mount_root, "/..")) {
		fs->ns_root = strdup("/");
		return fs->ns_root ? 0 : -ENOMEM;
	}
	if (ups > 0) {
		strcpy(fs->mount_root, "/");
		fs->ns_root = find_ns_root(fs, proc_dir, ups);
	}
	return 0;
}

int cgroup_fs__open(struct cgroup_fs *fs, const char *proc_dir, const char *cgroup_dir)
{
	int err;

	*fs = (struct cgroup_fs){.fd = -1};
	err = cgroup_dir ? probe_dir(fs, cgroup_dir) : find_mount(fs, proc_dir);
	if (err)
		return err;
	if (!fs->mount)
		return -ENODEV;
	fs->fd = open(fs->mount, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (fs->fd < 0) {
		fs->version = 0;
		return -errno;
	}
	err = set_ns_root(fs, proc_dir);
	if (!err && fs->version == 2 && !unified_has_memory(fs)) {
		fs->version = 0;
		err = -ENODEV;
	}
	return err;
}

void cgroup_fs__close(struct cgroup_fs *fs)
{
	if (fs->fd >= 0)
		close(fs->fd);
	free(fs->mount);
	free(fs->mount_root);
	free(fs->ns_root);
	*fs = (struct cgroup_fs){.fd = -1};
}
