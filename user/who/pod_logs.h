/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * pod_logs.h - names of pods and containers from the names of the kubelet's log files.
 *
 * The kubelet makes /var/log/pods/<namespace>_<pod>_<uid>/<container>/ and, for each container, a
 * link /var/log/containers/<pod>_<namespace>_<container>-<id>.log. Only directories are listed and
 * nothing is opened or followed, so that this works where no runtime's state can be read.
 */
#ifndef SEEP_WHO_POD_LOGS_H
#define SEEP_WHO_POD_LOGS_H

#include "container.h"

struct pod_logs;

/* root_dir is what stands before /var/log. NULL: out of memory. */
struct pod_logs *pod_logs__new(const char *root_dir);
void pod_logs__free(struct pod_logs *pl);

/* Fill in what is unknown of pod, namespace and container name. A directory is listed again only
 * when the uid or id is not known and the directory has changed. */
void pod_logs__read_names(struct pod_logs *pl, struct container *c);

/*
 * The name of the pod's only container. False when it has several, or cannot be told. It is also
 * true of the sandbox (pause), which has no logs: the caller must know that it is not that.
 */
bool pod_logs__only_container(struct pod_logs *pl, const struct container *c, char *ret_name,
			      size_t cap);

#endif /* SEEP_WHO_POD_LOGS_H */
