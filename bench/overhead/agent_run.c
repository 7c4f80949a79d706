// SPDX-License-Identifier: BSD-2-Clause
/* agent_run.c - see agent_run.h. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fs.h"
#include "agent_run.h"

int agent_run__start(struct agent_run *a, const char *root)
{
	char state[80];
	int null_fd;

	snprintf(a->dir, sizeof(a->dir), "/tmp/seep-bench-XXXXXX");
	if (!mkdtemp(a->dir))
		return -errno;
	snprintf(state, sizeof(state), "%s/state", a->dir);
	snprintf(a->socket, sizeof(a->socket), "%s/sock", a->dir);
	fflush(NULL);
	a->pid = fork();
	if (a->pid < 0)
		return -errno;
	if (!a->pid) {
		null_fd = open("/dev/null", O_RDWR);
		dup2(null_fd, 1);
		dup2(null_fd, 2);
		execl(AGENT_RUN_PATH, AGENT_RUN_PATH, "agent", "--state-dir", state, "--socket",
		      a->socket, "--listen", "none", "--no-drill", "--host-root", root ? root : "",
		      NULL);
		_exit(127);
	}
	return 0;
}

void agent_run__stop(struct agent_run *a)
{
	char *const argv[] = {"rm", "-rf", a->dir, NULL};
	pid_t pid;

	kill(a->pid, SIGTERM);
	waitpid(a->pid, NULL, 0);
	pid = fork();
	if (!pid) {
		execvp(argv[0], argv);
		_exit(127);
	}
	if (pid > 0)
		waitpid(pid, NULL, 0);
}

double agent_run__cpu_s(const struct agent_run *a)
{
	char path[128], text[128];
	unsigned long long ns, sum = 0;
	struct dirent *ent;
	DIR *dir;

	snprintf(path, sizeof(path), "/proc/%d/task", a->pid);
	dir = opendir(path);
	while (dir && (ent = readdir(dir))) {
		snprintf(path, sizeof(path), "/proc/%d/task/%.20s/schedstat", a->pid, ent->d_name);
		if (fs__read(path, text, sizeof(text)) > 0 && sscanf(text, "%llu", &ns) == 1)
			sum += ns;
	}
	if (dir)
		closedir(dir);
	return sum / 1e9;
}

double agent_run__rss_mib(const struct agent_run *a)
{
	char path[64], text[4096];
	uint64_t kib = 0;

	snprintf(path, sizeof(path), "/proc/%d/status", a->pid);
	if (fs__read(path, text, sizeof(text)) > 0)
		fs__find_u64(text, "VmRSS", &kib);
	return kib / 1024.0;
}

double agent_run__map_mib(const struct agent_run *a)
{
	char path[128], text[1024], *at;
	unsigned long long bytes = 0, sum = 0;
	struct dirent *ent;
	DIR *dir;

	snprintf(path, sizeof(path), "/proc/%d/fdinfo", a->pid);
	dir = opendir(path);
	while (dir && (ent = readdir(dir))) {
		snprintf(path, sizeof(path), "/proc/%d/fdinfo/%.20s", a->pid, ent->d_name);
		if (fs__read(path, text, sizeof(text)) <= 0 || !strstr(text, "map_type:"))
			continue;
		at = strstr(text, "memlock:");
		if (at && sscanf(at, "memlock: %llu", &bytes) == 1)
			sum += bytes;
	}
	if (dir)
		closedir(dir);
	return sum / 1048576.0;
}
