/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * kube_list.h - a Kubernetes PodList as it arrives, turned into the few things worth knowing.
 *
 * The answer of a kubelet may be tens of megabytes and ten times that when parsed, so it is cut
 * into its items on the way in: only one pod is ever held as JSON. Nothing in it is trusted: every
 * string is cleaned and bounded, every count too.
 *
 * Workloads are derived from the controlling owner: a ReplicaSet whose name ends in the pod's
 * pod-template-hash label belongs to the Deployment before the hash (Argo's rollouts alike); a Job
 * whose name ends in the digits of a schedule time belongs to the CronJob before them. A pod without
 * owner, or owned by its node (static pods), has no workload.
 */
#ifndef SEEP_WHO_KUBE_LIST_H
#define SEEP_WHO_KUBE_LIST_H

#include <stddef.h>
#include <stdint.h>
#include <jansson.h>

#include "container.h"

#define KUBE_PODS_MAX	    8192
#define KUBE_CONTAINERS_MAX 64 /* of one pod */
#define KUBE_LABELS_MAX	    64
#define KUBE_ITEM_MAX	    (4 << 20) /* bytes of one pod; the API server takes less */

struct kube_list;

struct kube_list *kube_list__new(void);
void kube_list__free(struct kube_list *kl);

/* The next piece of the answer. 0, -EBADMSG: this is no list of pods, -EFBIG, -ENOMEM. After an
 * error nothing more is taken. */
int kube_list__feed(struct kube_list *kl, const char *data, size_t len);
/* The answer has ended. 0, or what was wrong with it. */
int kube_list__end(struct kube_list *kl);

/* Pods with a usable uid. */
unsigned kube_list__pods(const struct kube_list *kl);
/* Items that were no usable pod, and were left out. */
unsigned kube_list__garbled(const struct kube_list *kl);

/*
 * Fill in what the list knows of a pod or container by pod_uid and id. What is known of names stays
 * as it is; workload, labels and limit are the list's. 0 when the pod is in it, else -ENOENT.
 */
int kube_list__read_names(const struct kube_list *kl, struct container *c);

#endif /* SEEP_WHO_KUBE_LIST_H */
