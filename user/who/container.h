/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * container.h - cgroup path -> container and pod; container id -> names left on disk.
 *
 * The path says which container runtime and container it is, and often the pod's uid. The
 * runtime's own state files, where they are mounted and readable, say the names (the kubelet's
 * logs and the kubelet itself say more: pod_logs.h, kube.h). Nothing here talks to a daemon.
 */
#ifndef SEEP_WHO_CONTAINER_H
#define SEEP_WHO_CONTAINER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <jansson.h>

#define CONTAINER_ID_CAP  65
#define CONTAINER_UID_CAP 37

struct selector_label;

/* Empty strings (runtime, labels: NULL) are unknown. All text is cleaned and bounded. */
struct container {
	const char *runtime;
	char id[CONTAINER_ID_CAP];
	char pod_uid[CONTAINER_UID_CAP];
	char name[128];
	char pod[256];
	char ns[64];
	char workload[320];   /* kind/name */
	char image[256];
	char digest[160];     /* of the image, "sha256:..." */
	json_t *labels;       /* of the pod; counted by whoever set it */
	struct selector_label *label_list; /* the same, for selectors; points into labels */
	size_t label_cnt;
	uint64_t limit_bytes; /* as asked for in the pod's spec; 0 = none or not known */
	bool is_sandbox;      /* the pod's pause container, which has no name */
};

/* What the path itself says; everything else is left empty. Costs no system call. */
void container__parse_path(const char *path, struct container *ret_container);

/* Fill in names from the runtime's files below root_dir: at most a few, of at most 1 MiB. */
void container__read_names(const char *root_dir, struct container *container);

/* Set an unknown text field, cleaned; text may be NULL. A field that is known stays. */
void container__set_text(char *field, size_t cap, const char *text);
/* Length of the pod uid at the start of s: a uuid with '-' or '_', or 32 digits; 0 = none. */
size_t container__uid_len(const char *s, size_t len);
/* 1: 64 hex digits and nothing else. */
bool container__is_id(const char *s, size_t len);

#endif /* SEEP_WHO_CONTAINER_H */
