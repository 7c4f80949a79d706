// SPDX-License-Identifier: BSD-2-Clause
/*
 * herald.c - whom the agent tells by itself: of incidents the targets of its configuration and
 * Kubernetes, of metrics an OpenTelemetry collector.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>

#include "state.h"
#include "base/log.h"

#define SERVICE_ACCOUNT "/var/run/secrets/kubernetes.io/serviceaccount/"

/* ---- incidents --------------------------------------------------------------------------- */

/* Failing is logged when it begins and when it ends. */
static void log_target(struct agent *a, size_t target)
{
	uint32_t bit = 1u << target;
	struct notify_stats stats;

	_Static_assert(NOTIFY_TARGETS_MAX <= 32, "a bit for each target");
	notify__stats(a->notify, target, &stats);
	if (stats.error[0] && !(a->notify_failing & bit))
		log_err("notify '%s': %s, trying again", stats.name, stats.error);
	else if (!stats.error[0] && (a->notify_failing & bit))
		log_info("notify '%s': messages are taken again", stats.name);
	a->notify_failing &= ~bit;
	if (stats.error[0])
		a->notify_failing |= bit;
}

static void tick_notify(struct agent *a)
{
	size_t i;

	notify__tick(a->notify, a->now_s);
	for (i = 0; i < notify__cnt(a->notify); i++)
		log_target(a, i);
}

static void on_notified(void *ctx, uint32_t epoll_events)
{
	(void)epoll_events;
	tick_notify(ctx);
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
static void start_notify(struct agent *a)
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
		.mutes = a->mutes,
		.now_s = a->now_s,
	};
	err = notify__new(&cfg, &a->notify);
	if (!err && !(a->notify_source = loop__add_fd(a->loop, notify__fd(a->notify), EPOLLIN,
						      on_notified, a)))
		err = -errno;
	if (err)
		log_err("notifications: %s; nobody will be told", strerror(-err));
}

/* ---- metrics ----------------------------------------------------------------------------- */

/* Failing is logged when it begins and when it ends. */
static void on_exported(void *ctx, uint32_t epoll_events)
{
	struct agent *a = ctx;
	struct otlp_stats stats;

	(void)epoll_events;
	otlp__settle(a->otlp);
	otlp__stats(a->otlp, &stats);
	if (stats.error[0] && !a->otlp_failing)
		log_err("otlp: %s, trying again every %gs", stats.error, a->cfg.otlp_interval_s);
	else if (!stats.error[0] && a->otlp_failing)
		log_info("otlp: metrics are pushed again");
	a->otlp_failing = !!stats.error[0];
}

static void start_otlp(struct agent *a)
{
	const struct otlp_cfg cfg = {
		.url = a->cfg.otlp,
		.header_file = a->cfg.otlp_header_file,
		.node = a->node,
		.start_s = a->start_s,
	};
	int err;

	if (!cfg.url)
		return;
	err = otlp__new(&cfg, &a->otlp);
	if (!err &&
	    !(a->otlp_source = loop__add_fd(a->loop, otlp__fd(a->otlp), EPOLLIN, on_exported, a)))
		err = -errno;
	if (err)
		log_err("otlp: %s; metrics will not be pushed", strerror(-err));
}

static void push(struct agent *a)
{
	struct metrics *m = answer__metrics(a);

	a->otlp_next_s = a->now_s + a->cfg.otlp_interval_s;
	if (m)
		otlp__push(a->otlp, m, a->now_s);
	metrics__free(m);
}

/* ---- both -------------------------------------------------------------------------------- */

void herald__start(struct agent *a)
{
	start_notify(a);
	start_otlp(a);
}

void herald__tick(struct agent *a)
{
	if (a->notify)
		tick_notify(a);
	if (a->otlp && a->now_s >= a->otlp_next_s)
		push(a);
}

void herald__stop(struct agent *a)
{
	loop__remove(a->notify_source);
	loop__remove(a->otlp_source);
	notify__free(a->notify);
	otlp__free(a->otlp);
	a->notify_source = a->otlp_source = NULL;
	a->notify = NULL;
	a->notify_failing = 0;
	a->otlp = NULL;
}
