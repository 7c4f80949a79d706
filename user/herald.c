// SPDX-License-Identifier: BSD-2-Clause
/*
 * herald.c - whom the agent tells of incidents: the targets of its configuration, and Kubernetes.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>

#include "agent_state.h"
#include "base/log.h"

#define SERVICE_ACCOUNT "/var/run/secrets/kubernetes.io/serviceaccount/"

static void on_notified(void *ctx, uint32_t epoll_events)
{
	struct agent *a = ctx;

	(void)epoll_events;
	notify__tick(a->notify, a->now_s);
}

/* The API server as a pod is told of it. Returns 0 outside of a pod. */
static int add_kube_events(struct agent *a)
{
	const char *host = getenv("KUBERNETES_SERVICE_HOST");
	const char *port = getenv("KUBERNETES_SERVICE_PORT");
	struct notify_target *t = &a->cfg.notify[a->cfg.notify_cnt];
	char *url, why[64];

	if (!host || a->cfg.notify_cnt == NOTIFY_TARGETS_MAX ||
	    asprintf(&url, strchr(host, ':') ? "https://[%s]:%s" : "https://%s:%s", host,
		     port ? port : "443") < 0)
		return 0;
	notify_target__init(t, "kube-events");
	t->type = NOTIFY_KUBE_EVENT;
	t->url = url; /* until exit, as all of the configuration */
	t->token_file = SERVICE_ACCOUNT "token";
	t->ca_file = SERVICE_ACCOUNT "ca.crt";
	notify_target__check(t, why, sizeof(why));
	a->cfg.notify_cnt++;
	return 1;
}

/* Whoever cannot be told must not keep the agent from watching. */
void herald__start(struct agent *a)
{
	struct notify_cfg cfg;
	int err;

	if (a->cfg.kube_events && !add_kube_events(a))
		log_err("kube-events: not in a pod (KUBERNETES_SERVICE_HOST is not set), ignoring");
	if (!a->cfg.notify_cnt)
		return;
	cfg = (struct notify_cfg){
		.targets = a->cfg.notify,
		.cnt = a->cfg.notify_cnt,
		.node = a->node,
		.tracker = a->tracker,
		.history = a->history,
		.now_s = a->now_s,
	};
	err = notify__new(&cfg, &a->notify);
	if (!err && !(a->notify_source = loop__add_fd(a->loop, notify__fd(a->notify), EPOLLIN,
						      on_notified, a)))
		err = -errno;
	if (err)
		log_err("notifications: %s; nobody will be told", strerror(-err));
}

void herald__stop(struct agent *a)
{
	loop__remove(a->notify_source);
	notify__free(a->notify);
	a->notify_source = NULL;
	a->notify = NULL;
}
