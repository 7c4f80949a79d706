/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * container.h - cgroup path -> container and pod; container id -> names left on disk.
 *
 * The path says which container runtime and container it is, and often the pod's uid. The
 * runtime's own state files, where they are mounted and readable, say the names. Nothing here
 * talks to a daemon.
 */
#ifndef SEEP_WHO_CONTAINER_H
#define SEEP_WHO_CONTAINER_H

#define CONTAINER_ID_CAP  65
#define CONTAINER_UID_CAP 37

/* Empty strings (runtime: NULL) are unknown. All text is cleaned and bounded. */
struct container {
	const char *runtime;
	char id[CONTAINER_ID_CAP];
	char pod_uid[CONTAINER_UID_CAP];
	char name[128];
	char pod[256];
	char ns[64];
	char image[256];
};

/* What the path itself says; everything else is left empty. Costs no system call. */
void container__parse_path(const char *path, struct container *ret_container);

/*
 * Fill in names from the runtime's files below root_dir, or the short id when there are none.
 * Reads at most a few files of at most 1 MiB.
 */
void container__read_names(const char *root_dir, struct container *container);

#endif /* SEEP_WHO_CONTAINER_H */
