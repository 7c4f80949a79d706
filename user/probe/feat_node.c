// SPDX-License-Identifier: BSD-2-Clause
/*
 * feat_node.c - what of the node is to be seen from where we run: in a container each namespace,
 * mount and profile hides something else, and each finding names the one that does.
 *
 * Which directories of container runtimes there are to mount is known from the root of init or of
 * kthreadd, where that may be looked into; otherwise a missing mount looks like a missing runtime.
 */
#include <errno.h>
#include <inttypes.h>
#include <linux/capability.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../base/fs.h"
#include "feat_add.h"

/* Fixed inode numbers of the initial namespaces (include/linux/proc_ns.h). */
#define INIT_PID_NS_INO	   0xEFFFFFFCu
#define INIT_CGROUP_NS_INO 0xEFFFFFFBu

#define CGROUP_ROOT_INO 1 /* kernfs numbers a hierarchy's root 1, in any namespace */
#define MOUNTINFO_CAP	(1 << 18)
#define STATE_DIR	"/var/lib/seep"

static bool in_namespace(const char *file, ino_t init)
{
	struct stat st;

	return !stat(file, &st) && st.st_ino == init;
}

static bool in_host_pid_ns(void)
{
	return in_namespace("/proc/self/ns/pid", INIT_PID_NS_INO);
}

static void check_namespaces(struct checks *c)
{
	static const char pid_means[] =
		"process ids mean the same to the kernel's events and to /proc; in another "
		"namespace only its own processes have names";
	static const char cgroup_means[] = "cgroup paths are whole; in another namespace they are "
					   "put together from PID 1's and the mounted hierarchy";

	if (in_host_pid_ns())
		feat__add(c, "pid namespace", FEAT_OK, pid_means, NULL, "the host's");
	else
		feat__add(c, "pid namespace", FEAT_DEGRADED, pid_means,
			  "run in the host's (pod: hostPID: true; podman, docker: --pid=host)",
			  "a private one");
	/* not a fault: Kubernetes offers no other on cgroup v2, and who/ can do with it */
	feat__add(c, "cgroup namespace", FEAT_OK, cgroup_means, NULL, "%s",
		  in_namespace("/proc/self/ns/cgroup", INIT_CGROUP_NS_INO) ? "the host's"
									   : "a private one");
}

/* ---- processes --------------------------------------------------------------------------- */

static void check_proc(struct checks *c)
{
	static const char means[] = "names of all processes, and the poll without BPF";
	static const char fix[] = "mount /proc without hidepid, or add the agent to its gid= group";
	char text[64];
	ssize_t n = fs__read("/proc/1/stat", text, sizeof(text));

	if (n > 0)
		feat__add(c, "/proc of others", FEAT_OK, means, NULL, "readable");
	else
		feat__add(c, "/proc of others", FEAT_MISSING, means, fix, "/proc/1/stat: %s",
			  strerror(-n));
}

/* The name of a security profile that we run under, or "" (none, or unconfined). */
static void read_profile(char *ret_profile, size_t cap)
{
	ssize_t n = fs__read("/proc/self/attr/apparmor/current", ret_profile, cap);

	if (n < 0)
		n = fs__read("/proc/self/attr/current", ret_profile, cap);
	if (n < 0)
		ret_profile[0] = '\0';
	ret_profile[strcspn(ret_profile, "\n")] = '\0';
	if (!strcmp(ret_profile, "unconfined"))
		ret_profile[0] = '\0';
}

/* The node's root directory, by way of init, or of kthreadd where init is sealed off. */
static const char *node_root(void)
{
	static const char *const roots[] = {"/proc/1/root/", "/proc/2/root/"};
	size_t i;

	for (i = 0; i < sizeof(roots) / sizeof(roots[0]); i++)
		if (in_host_pid_ns() && !access(roots[i], F_OK))
			return roots[i];
	return NULL;
}

static void check_files_of_others(struct checks *c)
{
	static const char means[] = "programs and libraries inside of containers, for the closer "
				    "look at a suspect and for names of functions";
	char profile[128];

	if (!in_host_pid_ns())
		return; /* what is to be seen is our own */
	if (node_root()) {
		feat__add(c, "files of others", FEAT_OK, means, NULL, "readable");
		return;
	}
	read_profile(profile, sizeof(profile));
	if (!feat__has_cap(CAP_SYS_PTRACE))
		feat__add(c, "files of others", FEAT_DEGRADED, means, "add CAP_SYS_PTRACE",
			  "/proc/1/root is refused");
	else
		feat__add(c, "files of others", FEAT_DEGRADED, means,
			  "run without a profile (pod: appArmorProfile type Unconfined, SELinux "
			  "type spc_t)",
			  "/proc/1/root is refused, security profile '%s'", profile);
}

/* ---- cgroups ----------------------------------------------------------------------------- */

struct memory_mount {
	char point[256];
	int version;
	bool whole; /* not only our own container's part */
};

/* mountinfo: "... <mount point> ... - cgroup <source> <options>" */
static bool parse_memory_mount(char *line, struct memory_mount *ret_mount)
{
	char type[32], options[256], *dash = strstr(line, " - ");
	struct stat st;

	if (!dash || sscanf(line, "%*s %*s %*s %*s %255s", ret_mount->point) != 1 ||
	    sscanf(dash, " - %31s %*s %255s", type, options) != 2)
		return false;
	if (!strcmp(type, "cgroup") && strstr(options, "memory"))
		ret_mount->version = 1;
	else if (!strcmp(type, "cgroup2"))
		ret_mount->version = 2;
	else
		return false;
	ret_mount->whole = !stat(ret_mount->point, &st) && st.st_ino == CGROUP_ROOT_INO;
	return true;
}

/* v1 before v2 (there the unified hierarchy has no memory controller), then whole before part. */
static bool find_memory_mount(char *mountinfo, struct memory_mount *ret_best)
{
	struct memory_mount m;
	char *line, *save;

	ret_best->version = 0;
	for (line = strtok_r(mountinfo, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
		if (!parse_memory_mount(line, &m))
			continue;
		if (!ret_best->version || m.version < ret_best->version ||
		    (m.version == ret_best->version && m.whole > ret_best->whole))
			*ret_best = m;
	}
	return ret_best->version;
}

static void check_cgroups(struct checks *c)
{
	static const char means[] = "limits, time to the limit, growth per cgroup and container";
	static const char fix[] =
		"mount the host's /sys/fs/cgroup read-only at the same place (pod: hostPath)";
	char *text = malloc(MOUNTINFO_CAP);
	struct memory_mount m;

	if (!text)
		return;
	if (fs__read("/proc/self/mountinfo", text, MOUNTINFO_CAP) <= 0 ||
	    !find_memory_mount(text, &m))
		feat__add(c, "memory cgroups mounted", FEAT_DEGRADED, means, fix,
			  "/sys/fs/cgroup: none");
	else if (!m.whole)
		feat__add(c, "memory cgroups mounted", FEAT_DEGRADED, means, fix,
			  "%s shows only our own container's part", m.point);
	else
		feat__add(c, "memory cgroups mounted", FEAT_OK, means, NULL, "v%d at %s", m.version,
			  m.point);
	free(text);
}

/* ---- files of the node ------------------------------------------------------------------- */

/* Where runtimes keep the names of their containers; who/container.c reads below these. */
static const char *const name_dirs[] = {
	"/run/containerd/io.containerd.runtime.v2.task",
	"/run/k3s/containerd/io.containerd.runtime.v2.task",
	"/run/k0s/containerd/io.containerd.runtime.v2.task",
	"/run/containers/storage/overlay-containers",
	"/var/lib/containers/storage/overlay-containers",
	"/var/lib/docker/containers",
	"/var/log/pods",
};

enum presence {
	NOT_THERE,
	NOT_HERE, /* the node has it, we do not */
	HERE,
};

static bool same_dir(const struct stat *a, const struct stat *b)
{
	return a->st_dev == b->st_dev && a->st_ino == b->st_ino;
}

/* An empty directory of the same name, as a runtime makes for a mount point, is not the node's. */
static enum presence find_dir(const char *dir)
{
	const char *root = node_root();
	struct stat here, there;
	char path[256];
	bool is_here = !stat(dir, &here) && S_ISDIR(here.st_mode);

	snprintf(path, sizeof(path), "%s%s", root ? root : "", dir);
	if (!root || stat(path, &there) || !S_ISDIR(there.st_mode))
		return is_here ? HERE : NOT_THERE;
	return is_here && same_dir(&here, &there) ? HERE : NOT_HERE;
}

static void check_names(struct checks *c)
{
	static const char means[] = "names of containers, pods and namespaces";
	bool any = false;
	size_t i;

	for (i = 0; i < sizeof(name_dirs) / sizeof(name_dirs[0]); i++) {
		enum presence p = find_dir(name_dirs[i]);

		any |= p != NOT_THERE;
		if (p == HERE)
			feat__add(c, "container names", FEAT_OK, means, NULL, "%s", name_dirs[i]);
		else if (p == NOT_HERE)
			feat__add(c, "container names", FEAT_DEGRADED, means,
				  "mount this directory of the node read-only at the same place "
				  "(pod: hostPath)",
				  "%s is not mounted", name_dirs[i]);
	}
	if (!any)
		feat__add(c, "container names", FEAT_OK, means, NULL,
			  "no container runtime is seen on this node");
}

/* The longest part of the path that exists. */
static void cut_to_existing(char *path)
{
	char *slash;

	while (access(path, F_OK) && (slash = strrchr(path, '/')) && slash != path)
		*slash = '\0';
}

static bool on_root_fs(const char *path)
{
	struct stat st, root;

	return !stat(path, &st) && !stat("/", &root) && st.st_dev == root.st_dev;
}

static void check_state(struct checks *c)
{
	static const char means[] = "history and incidents survive a restart";
	static const char fix[] = "mount a directory of the node there, writable (pod: hostPath), "
				  "or choose another with --state-dir";
	char path[] = STATE_DIR;

	cut_to_existing(path);
	if (access(path, W_OK))
		feat__add(c, "state directory", FEAT_DEGRADED, means, fix, "%s: %s", STATE_DIR,
			  strerror(errno));
	else if (find_dir(path) == NOT_HERE && on_root_fs(path))
		feat__add(c, "state directory", FEAT_DEGRADED, means, fix,
			  "%s ends with the container", STATE_DIR);
	else
		feat__add(c, "state directory", FEAT_OK, means, NULL, "%s", STATE_DIR);
}

static void check_meminfo(struct checks *c)
{
	static const char means[] = "time until the node's memory is used up";
	char text[4096];
	uint64_t total_kib = 0, available_kib = 0;

	if (fs__read("/proc/meminfo", text, sizeof(text)) > 0 &&
	    fs__find_u64(text, "MemTotal", &total_kib) &&
	    fs__find_u64(text, "MemAvailable", &available_kib))
		feat__add(c, "node memory", FEAT_OK, means, NULL,
			  "%" PRIu64 " MiB, %" PRIu64 " MiB available", total_kib / 1024,
			  available_kib / 1024);
	else
		feat__add(c, "node memory", FEAT_DEGRADED, means, "mount /proc",
			  "/proc/meminfo unreadable");
}

void feat__check_node(struct checks *c)
{
	check_namespaces(c);
	check_proc(c);
	check_files_of_others(c);
	check_cgroups(c);
	check_names(c);
	check_state(c);
	check_meminfo(c);
}
