// SPDX-License-Identifier: BSD-2-Clause
/* proc.c - see proc.h. */
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../base/fs.h"
#include "proc.h"
#include "clean.h"

#define STAT_CAP   2048
#define STATUS_CAP 4096
#define CGROUP_CAP 16384 /* about 14 lines, paths of at most PATH_MAX but short in practice */

/* Start time in clock ticks: field 22 of /proc/PID/stat. Field 2, the name, may hold anything,
 * so count from its closing parenthesis, the last one of the line. */
static int read_start_ticks(int pid_fd, uint64_t *ret_ticks)
{
	char text[STAT_CAP], *p, *end;
	uint64_t ticks;
	int field;
	ssize_t n;

	n = fs__read_at(pid_fd, "stat", text, sizeof(text));
	if (n < 0)
		return n;
	p = strrchr(text, ')');
	for (field = 2; p && field < 22; field++)
		p = strchr(p + 1, ' ');
	if (!p)
		return -EINVAL;
	ticks = strtoull(p, &end, 10);
	if (end == p)
		return -EINVAL;
	*ret_ticks = ticks;
	return 0;
}

/* The kernel shows start_boottime cut down to whole ticks. */
static bool same_start(int pid_fd, uint64_t start_ns)
{
	uint64_t tick_ns = 1000000000ULL / sysconf(_SC_CLK_TCK);
	uint64_t ticks;

	return !read_start_ticks(pid_fd, &ticks) && ticks == start_ns / tick_ns;
}

int proc__open(int proc_fd, const struct seep_task_id *id)
{
	char name[16];
	int fd;

	snprintf(name, sizeof(name), "%u", id->tgid);
	fd = openat(proc_fd, name, O_PATH | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0)
		return errno == ENOENT ? -ESRCH : -errno;
	if (id->start_ns && !same_start(fd, id->start_ns)) {
		close(fd);
		return -ESRCH;
	}
	return fd;
}

static void read_cmdline(int pid_fd, char *ret_text, size_t cap)
{
	char raw[PROC_CMDLINE_CAP];
	ssize_t i, n;

	n = fs__read_at(pid_fd, "cmdline", raw, sizeof(raw));
	/* Programs that set their title leave a tail of NULs or blanks behind. */
	while (n > 0 && (raw[n - 1] == '\0' || raw[n - 1] == ' '))
		n--;
	for (i = 0; i < n; i++)
		if (raw[i] == '\0')
			raw[i] = ' ';
	clean__name(raw, n > 0 ? n : 0, ret_text, cap);
}

static void read_exe(int pid_fd, char *ret_text, size_t cap)
{
	char raw[PROC_EXE_CAP];
	ssize_t n;

	n = readlinkat(pid_fd, "exe", raw, sizeof(raw));
	clean__name(raw, n > 0 ? n : 0, ret_text, cap);
}

static uint32_t read_uid(int pid_fd)
{
	char text[STATUS_CAP];
	uint64_t uid;

	if (fs__read_at(pid_fd, "status", text, sizeof(text)) < 0 ||
	    !fs__find_u64(text, "Uid", &uid) || uid > UINT32_MAX)
		return PROC_UID_UNKNOWN;
	return uid;
}

void proc__read_names(int pid_fd, struct proc_names *ret_names)
{
	ret_names->uid = read_uid(pid_fd);
	read_cmdline(pid_fd, ret_names->cmdline, sizeof(ret_names->cmdline));
	read_exe(pid_fd, ret_names->exe, sizeof(ret_names->exe));
}

/* Is "memory" one of the comma-separated controllers? */
static bool has_memory(const char *controllers)
{
	const char *p = controllers;
	size_t len;

	for (;;) {
		len = strcspn(p, ",");
		if (len == strlen("memory") && !strncmp(p, "memory", len))
			return true;
		if (!p[len])
			return false;
		p += len + 1;
	}
}

/* Split "4:cpu,memory:/path" in place; the path may hold more colons. */
static bool split_line(char *line, char **ret_controllers, char **ret_path)
{
	char *controllers, *path;

	controllers = strchr(line, ':');
	path = controllers ? strchr(controllers + 1, ':') : NULL;
	if (!path || path[1] != '/')
		return false;
	*path = '\0';
	*ret_controllers = controllers + 1;
	*ret_path = path + 1;
	return true;
}

/* The path of the wanted hierarchy's line, in place; NULL when there is none. */
static char *find_cgroup(char *text, int version)
{
	char *controllers, *line, *path, *save, *unified = NULL;

	for (line = strtok_r(text, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
		if (!split_line(line, &controllers, &path))
			continue;
		if (version != 2 && has_memory(controllers))
			return path;
		if (version != 1 && !*controllers && !strncmp(line, "0:", 2))
			unified = path;
	}
	return unified;
}

int proc__read_cgroup(int pid_fd, int version, char *ret_path, size_t cap)
{
	char text[CGROUP_CAP], *end, *path;
	ssize_t n;

	n = fs__read_at(pid_fd, "cgroup", text, sizeof(text));
	if (n < 0)
		return n;
	/* Only whole lines: a path that was cut would name another cgroup. */
	end = strrchr(text, '\n');
	if (!end)
		return -ENOENT;
	*end = '\0';
	path = find_cgroup(text, version);
	if (!path)
		return -ENOENT;
	if (strlen(path) >= cap)
		return -ENAMETOOLONG;
	strcpy(ret_path, path);
	return 0;
}
