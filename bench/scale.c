// SPDX-License-Identifier: BSD-2-Clause
/*
 * scale.c - the agent on a full node: 500 pods with 2000 sleeping processes in real cgroups.
 *
 *   build/bench/scale [--quick]
 *
 * Each pod has one container with four processes, in cgroups of the kubelet's form, and a bundle
 * as containerd leaves it. Polls and CPU are those of the agent as it comes: every 10 s, window 6 h.
 * As root, with a memory controller in which cgroups can be made.
 */
#include <errno.h>
#include <ftw.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <jansson.h>

#include "base/fs.h"
#include "overhead/agent_run.h"
#include "overhead/loads.h"
#include "who/cgroup_fs.h"

#define PROCS_PER_POD 4
#define PODS_MAX      500
#define STARTUP_S     15 /* the first poll reads all names: not counted into the rest */
#define LEVELS	      "kubepods/burstable"

struct node {
	struct cgroup_fs fs;
	char base[PATH_MAX / 2]; /* our cgroup directory */
	char root[64];		 /* the host's root for the agent */
	size_t pods;
	struct sleepers sleepers;
};

/* ---- the node ---------------------------------------------------------------------------- */

static void name_pod(const struct node *n, size_t i, char *path, size_t cap)
{
	snprintf(path, cap, "%s/" LEVELS "/pod%08zx-1111-2222-3333-444444444444", n->base, i);
}

static void name_container(const struct node *n, size_t i, char *path, size_t cap)
{
	size_t len;

	name_pod(n, i, path, cap);
	len = strlen(path);
	snprintf(path + len, cap - len, "/%064zx", i);
}

static int enter(const char *cgroup, pid_t pid)
{
	char path[PATH_MAX];
	FILE *f;

	snprintf(path, sizeof(path), "%s/cgroup.procs", cgroup);
	f = fopen(path, "w");
	if (!f)
		return -errno;
	fprintf(f, "%d\n", pid);
	return fclose(f) ? -errno : 0;
}

/* On v2 a controller is handed down level by level. */
static int make_cgroup(const struct node *n, const char *path)
{
	char control[PATH_MAX];
	FILE *f;

	if (mkdir(path, 0755) && errno != EEXIST)
		return -errno;
	if (n->fs.version == 1)
		return 0;
	snprintf(control, sizeof(control), "%s/cgroup.subtree_control", path);
	f = fopen(control, "w");
	if (!f)
		return -errno;
	fputs("+memory\n", f);
	return fclose(f) ? -errno : 0;
}

static int write_bundle(const struct node *n, size_t i)
{
	char dir[PATH_MAX], path[PATH_MAX + 16], text[1024];
	int err;

	snprintf(dir, sizeof(dir), "%s/run/containerd/io.containerd.runtime.v2.task/k8s.io/%064zx",
		 n->root, i);
	err = fs__mkdir_p(dir, 0755);
	if (err)
		return err;
	snprintf(path, sizeof(path), "%s/config.json", dir);
	snprintf(text, sizeof(text),
		 "{\"annotations\":{\"io.kubernetes.cri.container-name\":\"app\","
		 "\"io.kubernetes.cri.sandbox-name\":\"app-%zu\","
		 "\"io.kubernetes.cri.sandbox-namespace\":\"bench\"}}",
		 i);
	return fs__write_atomic(path, text, strlen(text), 0644);
}

static int make_pod(struct node *n, size_t i)
{
	char path[PATH_MAX];
	size_t p;
	int err;

	name_pod(n, i, path, sizeof(path));
	err = make_cgroup(n, path);
	name_container(n, i, path, sizeof(path));
	if (!err && mkdir(path, 0755))
		err = -errno;
	if (!err)
		err = write_bundle(n, i);
	n->pods = i + 1;
	for (p = 0; p < PROCS_PER_POD && !err; p++)
		err = enter(path, n->sleepers.pids[i * PROCS_PER_POD + p]);
	return err;
}

static int make_levels(struct node *n)
{
	char path[PATH_MAX];
	int err;

	snprintf(n->base, sizeof(n->base), "%s/seep-scale-%d", n->fs.mount, getpid());
	err = make_cgroup(n, n->base);
	snprintf(path, sizeof(path), "%s/kubepods", n->base);
	if (!err)
		err = make_cgroup(n, path);
	snprintf(path, sizeof(path), "%s/" LEVELS, n->base);
	return err ? err : make_cgroup(n, path);
}

static int make_node(struct node *n, size_t pods)
{
	size_t i;
	int err;

	err = cgroup_fs__open(&n->fs, "/proc", NULL);
	if (err)
		return err;
	strcpy(n->root, "/tmp/seep-scale-XXXXXX");
	if (!mkdtemp(n->root))
		return -errno;
	err = make_levels(n);
	if (!err)
		err = sleepers__start(&n->sleepers, pods * PROCS_PER_POD);
	for (i = 0; i < pods && !err; i++)
		err = make_pod(n, i);
	return err;
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st;
	(void)type;
	(void)ftw;
	return remove(path);
}

static void unmake_node(struct node *n)
{
	char path[PATH_MAX];
	size_t i;

	sleepers__end(&n->sleepers);
	for (i = 0; i < n->pods; i++) {
		name_container(n, i, path, sizeof(path));
		rmdir(path);
		name_pod(n, i, path, sizeof(path));
		rmdir(path);
	}
	snprintf(path, sizeof(path), "%s/" LEVELS, n->base);
	rmdir(path);
	snprintf(path, sizeof(path), "%s/kubepods", n->base);
	rmdir(path);
	rmdir(n->base);
	nftw(n->root, remove_one, 16, FTW_DEPTH | FTW_PHYS);
	cgroup_fs__close(&n->fs);
}

/* ---- the agent --------------------------------------------------------------------------- */

static json_t *ask(const struct agent_run *a, const char *what)
{
	char command[256];
	json_t *json;
	FILE *f;

	snprintf(command, sizeof(command), "build/seep %s --json --socket %s 2>/dev/null", what,
		 a->socket);
	f = popen(command, "r");
	if (!f)
		return NULL;
	json = json_loadf(f, 0, NULL);
	pclose(f);
	return json;
}

static double number(const json_t *json, const char *group, const char *name)
{
	return json_number_value(json_object_get(json_object_get(json, group), name));
}

/* Pods that the agent knows by name. */
static size_t named_pods(const struct agent_run *a)
{
	json_t *top = ask(a, "top --by pod --once -n 9999"), *row;
	size_t i, cnt = 0;

	json_array_foreach(json_object_get(top, "rows"), i, row) cnt +=
		!strncmp(json_string_value(json_object_get(row, "pod")) ?: "", "app-", 4);
	json_decref(top);
	return cnt;
}

static void measure(size_t pods, int run_s)
{
	struct node n = {.fs = {.fd = -1}};
	struct agent_run a;
	double cpu;
	json_t *status;
	int err;

	err = make_node(&n, pods);
	if (err || agent_run__start(&a, n.root)) {
		printf("  %zu pods: cannot be made: %s\n", pods, strerror(-err));
		unmake_node(&n);
		return;
	}
	sleep(STARTUP_S);
	cpu = agent_run__cpu_s(&a);
	sleep(run_s);
	cpu = (agent_run__cpu_s(&a) - cpu) / run_s * 100;
	status = ask(&a, "status");
	printf("  %5zu %7zu %7.0f %9.1f %9.1f %9.3f %9.1f %9.1f\n", pods, pods * PROCS_PER_POD,
	       (double)named_pods(&a), number(status, "poll", "max_duration_ns") / 1e6,
	       number(status, "poll", "duration_ns") / 1e6, cpu, agent_run__rss_mib(&a),
	       agent_run__map_mib(&a));
	json_decref(status);
	agent_run__stop(&a);
	unmake_node(&n);
}

int main(int argc, char **argv)
{
	static const size_t pods[] = {0, 50, 250, PODS_MAX};
	int run_s = argc > 1 && !strcmp(argv[1], "--quick") ? 20 : 60;
	size_t i;

	setvbuf(stdout, NULL, _IOLBF, 0);
	printf("A node full of pods, the agent as it comes (10 s, 6 h), over %d s\n", run_s);
	printf("  %5s %7s %7s %9s %9s %9s %9s %9s\n", "pods", "procs", "named", "1st ms", "tick ms",
	       "% core", "RSS MiB", "maps MiB");
	for (i = 0; i < sizeof(pods) / sizeof(pods[0]); i++)
		measure(pods[i], run_s);
	return 0;
}
