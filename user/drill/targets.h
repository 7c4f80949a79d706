/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * targets.h - which processes a cgroup, a pod or a family consists of, without an agent.
 */
#ifndef SEEP_DRILL_TARGETS_H
#define SEEP_DRILL_TARGETS_H

#include <stddef.h>
#include <sys/types.h>

#define TARGETS_MAX 256

struct targets {
	pid_t pids[TARGETS_MAX];
	int cnt;
	int more; /* there are others, beyond the bound */
};

/*
 * Every process in a cgroup and those below it. The path is as in /proc/PID/cgroup, or that of
 * the directory. 0, -ENOENT no such cgroup, -ENODEV no cgroups are mounted, -errno.
 */
int targets__of_cgroup(const char *path, struct targets *ret_targets);

/*
 * Every process of the pod "namespace/name". 0; -ENOENT when none is known to belong to it, and
 * ret_known then lists the pods that are, or is empty.
 */
int targets__of_pod(const char *pod, struct targets *ret_targets, char *ret_known, size_t cap);

/* The children of a process, theirs, and so on; not the process itself. */
void targets__of_family(pid_t pid, struct targets *ret_targets);

#endif /* SEEP_DRILL_TARGETS_H */
