// SPDX-License-Identifier: BSD-2-Clause
/*
 * fuzz_proc.c - files of /proc and of cgroups, in which names that anybody chose stand among the
 * kernel's numbers; the first byte chooses the file.
 */
#include <fcntl.h>
#include <limits.h>

#include "fuzz.h"
#include "who/cgroup_fs.h"
#include "who/cgroup_mem.h"
#include "who/proc.h"
#include "who/who.h"

static const char *const files[] = {
	"proc/7/stat",
	"proc/7/status",
	"proc/7/cgroup",
	"proc/7/cmdline",
	"proc/self/mountinfo",
	"proc/self/cgroup",
	"cg/memory.stat",
	"cg/memory.max",
	"cg/memory.current",
	"cg/memory.events",
	"cg/memory.swap.current",
	"cg/memory.limit_in_bytes",
	"cg/memory.usage_in_bytes",
	"cg/memory.oom_control",
	"cg/cgroup.controllers",
};

static int open_below(const char *rel)
{
	char path[256];

	snprintf(path, sizeof(path), "%s/%s", fuzz__dir(), rel);
	return open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
}

static void read_process(void)
{
	const struct seep_task_id id = {.tgid = 7, .start_ns = 70000000};
	const struct seep_task_id any = {.tgid = 7};
	static struct proc_names names;
	char path[256];
	int version, proc_fd = open_below("proc"), fd = proc__open(proc_fd, &any);

	if (fd >= 0) {
		proc__read_names(fd, &names);
		if (strlen(names.cmdline) >= sizeof(names.cmdline) ||
		    strpbrk(names.cmdline, "\n\r\t\033"))
			abort();
		for (version = 0; version <= 2; version++)
			if (!proc__read_cgroup(fd, version, path, sizeof(path)) &&
			    (path[0] != '/' || strlen(path) >= sizeof(path)))
				abort();
		close(fd);
	}
	fd = proc__open(proc_fd, &id);
	if (fd >= 0)
		close(fd);
	close(proc_fd);
}

static void read_cgroup(void)
{
	struct cgroup_limit limit;
	struct cgroup_usage usage;
	int version, fd = open_below("cg");

	for (version = 1; version <= 2 && fd >= 0; version++) {
		cgroup_mem__read(fd, version, &usage, &limit);
		cgroup_mem__read_limit(fd, version);
	}
	if (fd >= 0)
		close(fd);
}

static void read_mounts(void)
{
	char proc_dir[256], path[PATH_MAX];
	struct cgroup_fs fs;

	snprintf(proc_dir, sizeof(proc_dir), "%s/proc", fuzz__dir());
	cgroup_fs__open(&fs, proc_dir, NULL);
	if (!cgroup_fs__locate(&fs, "/../a/./b//c", path, sizeof(path)) && path[0] != '/')
		abort();
	cgroup_fs__close(&fs);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char path[256];
	size_t i;

	if (!size)
		return 0;
	i = data[0] % (sizeof(files) / sizeof(files[0]));
	fuzz__put(files[i], data + 1, size - 1);
	if (strncmp(files[i], "cg/", 3)) {
		read_process();
		read_mounts();
	} else {
		read_cgroup();
	}
	snprintf(path, sizeof(path), "%s/%s", fuzz__dir(), files[i]);
	unlink(path);
	return 0;
}
