/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * cgroup_fs.h - where the memory controller's hierarchy is mounted, and its paths and inodes.
 *
 * Paths here are cleaned of "..", absolute from the root of the hierarchy ("/" is the root) and
 * made of raw bytes. What /proc/PID/cgroup shows is relative to the reader's cgroup namespace;
 * cgroup_fs__locate() turns one into the other.
 */
#ifndef SEEP_WHO_CGROUP_FS_H
#define SEEP_WHO_CGROUP_FS_H

#include <stddef.h>
#include <stdint.h>

struct cgroup_fs {
	int version;      /* of the memory controller: 1, 2, 0 = none mounted */
	int fd;           /* the mount point, -1 = none */
	char *mount;      /* its path */
	char *mount_root; /* the part of the hierarchy that is mounted there; "/" = all of it */
	char *ns_root;    /* our cgroup namespace's root in the hierarchy, "/" on the host;
			   * NULL = not known, paths outside it cannot be located */
};

/*
 * cgroup_dir NULL: look into proc_dir/self/mountinfo. Otherwise it is the mount point, or the
 * directory above the mount points (as /sys/fs/cgroup on hybrid and v1 systems).
 * 0, -ENODEV when there is no memory controller, -errno. Closing is safe in any case.
 */
int cgroup_fs__open(struct cgroup_fs *fs, const char *proc_dir, const char *cgroup_dir);
void cgroup_fs__close(struct cgroup_fs *fs);

/* 0, -ENOENT when the path lies outside what we can name, -ENAMETOOLONG. */
int cgroup_fs__locate(const struct cgroup_fs *fs, const char *proc_path, char *ret_path,
		      size_t cap);

/* Open the directory; the caller closes it. inode 0 matches any. -ENOENT when it is gone or
 * another cgroup of the same name took its place. */
int cgroup_fs__open_dir(const struct cgroup_fs *fs, const char *path, uint64_t inode);
/* 0, -ENOENT, -errno. */
int cgroup_fs__inode(const struct cgroup_fs *fs, const char *path, uint64_t *ret_inode);
/* 1 when the memory controller accounts this very cgroup, else 0. */
int cgroup_fs__has_memory(const struct cgroup_fs *fs, const char *path);

#endif /* SEEP_WHO_CGROUP_FS_H */
