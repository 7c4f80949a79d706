/* SPDX-License-Identifier: BSD-2-Clause */
/* tool.c - see tool.h. */
#include <dirent.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fs.h"
#include "tool.h"

#define STOP_TRIES 300 /* tenths of a second until it is killed */
#define PATH_CAP   300
#define KNOWN_MAPS 256

pid_t tool__start(const char *command, pid_t target)
{
	char text[1024], line[1152];
	pid_t pid = fork();

	if (pid)
		return pid < 0 ? -errno : pid;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	setpgid(0, 0);
	snprintf(text, sizeof(text), command, target);
	snprintf(line, sizeof(line), "exec %s >/dev/null 2>&1 </dev/null", text);
	execl("/bin/sh", "sh", "-c", line, NULL);
	_exit(127);
}

int tool__has_ended(pid_t tool)
{
	siginfo_t info = {};

	return waitid(P_PID, tool, &info, WEXITED | WNOHANG | WNOWAIT) || info.si_pid == tool;
}

void tool__stop(pid_t tool)
{
	int i;

	kill(tool, SIGINT);
	for (i = 0; i < STOP_TRIES && !tool__has_ended(tool); i++)
		usleep(100000);
	kill(tool, SIGKILL);
	waitpid(tool, NULL, 0);
}

/* "key: 1234" in a file of /proc. */
static unsigned long long number_in(const char *path, const char *key)
{
	char text[8192];
	const char *at;

	if (fs__read(path, text, sizeof(text)) <= 0)
		return 0;
	at = strstr(text, key);
	return at ? strtoull(at + strlen(key), NULL, 10) : 0;
}

double tool__peak_bytes(pid_t pid)
{
	char path[PATH_CAP];

	snprintf(path, sizeof(path), "/proc/%d/status", pid);
	return number_in(path, "\nVmHWM:") * 1024.0;
}

/* A map may be open more than once. */
struct known_maps {
	unsigned long long ids[KNOWN_MAPS];
	int cnt;
};

static int is_known(struct known_maps *known, unsigned long long id)
{
	int i;

	for (i = 0; i < known->cnt; i++) {
		if (known->ids[i] == id)
			return 1;
	}
	if (known->cnt < KNOWN_MAPS)
		known->ids[known->cnt++] = id;
	return 0;
}

static double map_bytes(pid_t pid, struct known_maps *known)
{
	char dir_path[PATH_CAP], path[2 * PATH_CAP];
	unsigned long long id;
	struct dirent *entry;
	double bytes = 0;
	DIR *dir;

	snprintf(dir_path, sizeof(dir_path), "/proc/%d/fdinfo", pid);
	dir = opendir(dir_path);
	while (dir && (entry = readdir(dir))) {
		snprintf(path, sizeof(path), "%s/%s", dir_path, entry->d_name);
		id = number_in(path, "\nmap_id:");
		if (id && !is_known(known, id))
			bytes += number_in(path, "\nmemlock:");
	}
	if (dir)
		closedir(dir);
	return bytes;
}

double tool__bytes(pid_t group, pid_t without)
{
	struct known_maps known = {.cnt = 0};
	DIR *dir = opendir("/proc");
	struct dirent *entry;
	double bytes = 0;
	pid_t pid;

	while (dir && (entry = readdir(dir))) {
		pid = atoi(entry->d_name);
		if (pid > 0 && pid != without && getpgid(pid) == group)
			bytes += tool__peak_bytes(pid) + map_bytes(pid, &known);
	}
	if (dir)
		closedir(dir);
	return bytes;
}
