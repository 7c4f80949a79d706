/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * kube.h - asks the node's kubelet which pods there are, in a thread of its own.
 *
 * GET <url>/pods over HTTPS with the service account's token, which needs `get` on nodes/pods and
 * nothing else (never nodes/proxy, which is not read-only). The token is read for each request, so
 * that a rotated one counts at once. Nobody ever waits for the answer: a kubelet that is away, slow
 * or lying means names that come late or stay unknown, and a sentence that says why.
 */
#ifndef SEEP_WHO_KUBE_H
#define SEEP_WHO_KUBE_H

#include <stdint.h>

#include "kube_list.h"

#define KUBE_TOKEN_FILE "/var/run/secrets/kubernetes.io/serviceaccount/token"
#define KUBE_CA_FILE	"/var/run/secrets/kubernetes.io/serviceaccount/ca.crt"
#define KUBE_BODY_MAX	(64 << 20)
#define KUBE_WHY_CAP	256

struct kube_cfg {
	const char *url;	/* "https://10.0.0.7:10250" */
	const char *token_file; /* default KUBE_TOKEN_FILE */
	const char *ca_file;	/* default KUBE_CA_FILE; "none": the certificate is not checked */
	double refresh_s;	/* default 60: asked so often anyway */
	double gap_s;		/* default 10: never more often, whoever wants */
	double timeout_s;	/* default 20: for a whole request */
};

struct kube;

/* Strings are copied. 0, -EINVAL: the URL is not https, -errno. Starts the thread. */
int kube__new(const struct kube_cfg *cfg, struct kube **ret_kube);
/* Ends a running request and the thread. NULL is fine. */
void kube__free(struct kube *k);

/* There is a pod that the last answer did not know. */
void kube__want(struct kube *k);
/* The newest answer, once; the caller's to free. NULL: nothing new. */
struct kube_list *kube__take(struct kube *k);

struct kube_status {
	uint64_t requests, failures;
	double answered_s; /* CLOCK_BOOTTIME of the last good answer, NAN = none */
	unsigned pods, garbled;
	char why[KUBE_WHY_CAP]; /* what is wrong with the last request and how to mend it, or "" */
};
void kube__status(struct kube *k, struct kube_status *ret_status);

#endif /* SEEP_WHO_KUBE_H */
