// SPDX-License-Identifier: BSD-2-Clause
/* targets.c - see targets.h. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../base/fs.h"
#include "../probe/proc_scan.h"
#include "../who/cgroup_fs.h"
#include "../who/who.h"
#include "targets.h"

#define DEPTH_MAX 16
#define PROCS_CAP (1 << 16)
#define DIR_FLAGS (O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW)

static void add_pid(struct targets *t, pid_t pid)
{
	if (pid <= 0 || pid == getpid())
		return;
	if (t->cnt == TARGETS_MAX)
		t->more = 1;
	else
		t->pids[t->cnt++] = pid;
}

/* ---- cgroups ---- */

static int add_procs(int dir_fd, struct targets *t)
{
	char *text = malloc(PROCS_CAP), *p, *end;
	ssize_t n;

	if (!text)
		return -ENOMEM;
	n = fs__read_at(dir_fd, "cgroup.procs", text, PROCS_CAP);
	for (p = text; n > 0 && *p; p = end) {
		add_pid(t, strtol(p, &end, 10));
		if (end == p)
			break;
		end += strspn(end, "\n");
	}
	free(text);
	return n < 0 ? n : 0;
}

/* Takes dir_fd. What vanishes on the way is left out. */
static int add_tree(int dir_fd, int depth, struct targets *t)
{
	int fd, err = add_procs(dir_fd, t);
	DIR *dir = fdopendir(dir_fd);
	struct dirent *entry;

	if (!dir) {
		close(dir_fd);
		return err ? err : -errno;
	}
	while (depth < DEPTH_MAX && (entry = readdir(dir))) {
		if (entry->d_type != DT_DIR || entry->d_name[0] == '.')
			continue;
		fd = openat(dirfd(dir), entry->d_name, DIR_FLAGS);
		if (fd >= 0)
			(void)add_tree(fd, depth + 1, t);
	}
	closedir(dir);
	return err;
}

/* As a name in the hierarchy: what begins with the mount point is a directory's. */
static int hierarchy_path(const struct cgroup_fs *fs, const char *path, char *ret_path, size_t cap)
{
	size_t len = fs->mount ? strlen(fs->mount) : 0;

	if (!len || strncmp(path, fs->mount, len) || (path[len] && path[len] != '/'))
		return cgroup_fs__locate(fs, path, ret_path, cap);
	snprintf(ret_path, cap, "%s%s", strcmp(fs->mount_root, "/") ? fs->mount_root : "",
		 path[len] ? path + len : "/");
	return 0;
}

static int open_cgroup(const char *path)
{
	char inside[PATH_MAX];
	struct cgroup_fs fs;
	int fd, path_fd, err;

	err = cgroup_fs__open(&fs, "/proc", NULL);
	if (!err)
		err = hierarchy_path(&fs, path, inside, sizeof(inside));
	path_fd = err ? err : cgroup_fs__open_dir(&fs, inside, 0);
	fd = path_fd;
	if (path_fd >= 0) {
		fd = openat(path_fd, ".", DIR_FLAGS); /* that one can be listed */
		fd = fd < 0 ? -errno : fd;
		close(path_fd);
	}
	cgroup_fs__close(&fs);
	return fd;
}

int targets__of_cgroup(const char *path, struct targets *ret_targets)
{
	int fd = open_cgroup(path);

	memset(ret_targets, 0, sizeof(*ret_targets));
	return fd < 0 ? fd : add_tree(fd, 0, ret_targets);
}

/* ---- pods ---- */

struct pod_search {
	struct who *who;
	const char *wanted;
	struct targets *targets;
	char *known;
	size_t cap;
};

/* Append to the list of known pods, once each, as long as there is room. */
static void note_pod(struct pod_search *s, const char *pod)
{
	size_t len = strlen(s->known), pod_len = strlen(pod);
	const char *p;

	for (p = s->known; (p = strstr(p, pod)); p++) {
		if ((p == s->known || p[-1] == ' ') && (!p[pod_len] || p[pod_len] == ','))
			return;
	}
	if (len + pod_len + 3 <= s->cap)
		snprintf(s->known + len, s->cap - len, "%s%s", len ? ", " : "", pod);
}

static int check_process(void *ctx, const struct proc_sample *sample)
{
	struct pod_search *s = ctx;
	const struct proc_info *info = who__process(s->who, &sample->id, 0, sample->comm);
	const struct cgroup_info *cg = info ? info->cgroup : NULL;
	char pod[512];

	if (!cg || !cg->pod || !cg->ns)
		return 0;
	snprintf(pod, sizeof(pod), "%s/%s", cg->ns, cg->pod);
	if (strcmp(pod, s->wanted))
		note_pod(s, pod);
	else
		add_pid(s->targets, sample->id.tgid);
	return 0;
}

int targets__of_pod(const char *pod, struct targets *ret_targets, char *ret_known, size_t cap)
{
	const struct who_cfg cfg = {0};
	struct pod_search s = {
		.wanted = pod, .targets = ret_targets, .known = ret_known, .cap = cap,
	};
	uint64_t errors;
	int err;

	memset(ret_targets, 0, sizeof(*ret_targets));
	ret_known[0] = '\0';
	(void)who__new(&cfg, &s.who); /* without cgroup numbers it still knows names */
	if (!s.who)
		return -ENOMEM;
	err = proc_scan__all("/proc", check_process, &s, &errors);
	who__free(s.who);
	if (err)
		return err;
	return ret_targets->cnt ? 0 : -ENOENT;
}

/* ---- families ---- */

static void add_children_of_thread(int task_fd, const char *tid, struct targets *t)
{
	char path[64], text[4096], *p = text, *end;

	snprintf(path, sizeof(path), "%s/children", tid);
	if (fs__read_at(task_fd, path, text, sizeof(text)) <= 0)
		return;
	for (; *p; p = end + strspn(end, " \n")) {
		add_pid(t, strtol(p, &end, 10));
		if (end == p)
			break;
	}
}

/* Whoever ends meanwhile is left out. */
static void add_children(pid_t pid, struct targets *t)
{
	struct dirent *entry;
	char path[64];
	DIR *dir;

	snprintf(path, sizeof(path), "/proc/%d/task", pid);
	dir = opendir(path);
	while (dir && (entry = readdir(dir)))
		if (entry->d_name[0] != '.')
			add_children_of_thread(dirfd(dir), entry->d_name, t);
	if (dir)
		closedir(dir);
}

void targets__of_family(pid_t pid, struct targets *ret_targets)
{
	int i;

	*ret_targets = (struct targets){0};
	add_children(pid, ret_targets);
	for (i = 0; i < ret_targets->cnt; i++)
		add_children(ret_targets->pids[i], ret_targets);
}
