// SPDX-License-Identifier: BSD-2-Clause
/*
 * answer_metrics.c - what is served over HTTP: health, readiness, and metrics for Prometheus.
 *
 * Series per process are told for suspects and leaks only, and at most PROCESSES_MAX of them: the
 * number of series stays bounded whatever runs on the node.
 */
#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "answer.h"

#define PROCESSES_MAX 100

static void family(struct buf *b, const char *name, const char *type, const char *help)
{
	buf__printf(b, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

static void sample(struct buf *b, const char *name, const char *type, const char *help,
		   double value)
{
	family(b, name, type, help);
	buf__printf(b, "%s %.17g\n", name, value);
}

/* A label's value, as the text format wants it escaped. */
static void label(struct buf *b, const char *name, const char *value, const char *before)
{
	const char *p;

	buf__printf(b, "%s%s=\"", before, name);
	for (p = value ? value : ""; *p; p++) {
		if (*p == '\n')
			buf__puts(b, "\\n");
		else if (*p == '"' || *p == '\\')
			buf__printf(b, "\\%c", *p);
		else
			buf__append(b, p, 1);
	}
	buf__puts(b, "\"");
}

struct listing {
	struct agent *a;
	struct buf *b;
	const char *name;
	double (*value)(const struct agent *a, const struct watch *w);
	unsigned cnt;
};

static double signal_bytes(const struct agent *a, const struct watch *w)
{
	(void)a;
	return w->signal_bytes;
}

static double growth_rate(const struct agent *a, const struct watch *w)
{
	(void)a;
	return w->verdict.slope_bytes_per_hour / 3600;
}

static double time_to_limit(const struct agent *a, const struct watch *w)
{
	(void)a;
	return w->verdict.time_to_limit_s;
}

static double leaking(const struct agent *a, const struct watch *w)
{
	(void)a;
	return w->verdict.state == VERDICT_LEAK;
}

static void list_one(void *ctx, struct series *s)
{
	struct watch *w = series__user(s);
	struct listing *l = ctx;
	double value;

	if (!w || !watch__is_proc(w) || w->seen_seq != l->a->seq || l->cnt >= PROCESSES_MAX ||
	    (w->verdict.state != VERDICT_LEAK && w->verdict.state != VERDICT_SUSPECT))
		return;
	value = l->value(l->a, w);
	if (isnan(value))
		return;
	l->cnt++;
	buf__puts(l->b, l->name);
	buf__printf(l->b, "{pid=\"%u\"", w->id.tgid);
	label(l->b, "comm", w->proc ? w->proc->comm : NULL, ",");
	label(l->b, "cgroup", w->cgroup ? w->cgroup->path : NULL, ",");
	label(l->b, "container", w->cgroup ? w->cgroup->container : NULL, ",");
	label(l->b, "pod", w->cgroup ? w->cgroup->pod : NULL, ",");
	label(l->b, "namespace", w->cgroup ? w->cgroup->ns : NULL, ",");
	buf__printf(l->b, "} %.17g\n", value);
}

static const struct {
	const char *name, *help;
	double (*value)(const struct agent *a, const struct watch *w);
} per_process[] = {
	{"seep_process_memory_bytes", "Anonymous, swapped and owned shared memory of a suspect.",
	 signal_bytes},
	{"seep_process_growth_bytes_per_second", "Robust slope of a suspect's memory floor.",
	 growth_rate},
	{"seep_process_time_to_limit_seconds", "Until a suspect reaches its limit at this rate.",
	 time_to_limit},
	{"seep_process_leaking", "1 for a leak, 0 for a suspect.", leaking},
};

static void list_processes(struct agent *a, struct buf *b)
{
	size_t i;

	for (i = 0; i < sizeof(per_process) / sizeof(per_process[0]); i++) {
		struct listing l = {
			.a = a,
			.b = b,
			.name = per_process[i].name,
			.value = per_process[i].value,
		};

		family(b, l.name, "gauge", per_process[i].help);
		store__foreach(a->store, list_one, &l);
	}
}

static void drops(struct agent *a, struct buf *b)
{
	static const struct {
		enum seep_stat stat;
		const char *reason;
	} reasons[] = {
		{SEEP_STAT_PROC_FULL, "process_table_full"},
		{SEEP_STAT_CGROUP_FULL, "cgroup_table_full"},
		{SEEP_STAT_RING_FULL, "event_ring_full"},
	};
	struct poller_stats p;
	size_t i;

	poller__stats(a->poller, &p);
	family(b, "seep_dropped_total", "counter", "What the kernel side could not keep, by reason.");
	for (i = 0; i < sizeof(reasons) / sizeof(reasons[0]); i++)
		buf__printf(b, "seep_dropped_total{reason=\"%s\"} %" PRIu64 "\n", reasons[i].reason,
			    p.stat[reasons[i].stat]);
	sample(b, "seep_bpf_map_bytes", "gauge", "Kernel memory of the agent's BPF maps.",
	       p.map_bytes);
}

static void metrics(struct agent *a, struct buf *b)
{
	sample(b, "seep_processes", "gauge", "Processes in the last poll.", a->procs);
	sample(b, "seep_cgroups", "gauge", "Memory cgroups with processes in the last poll.",
	       a->cgroups);
	sample(b, "seep_incidents_open", "gauge", "Open incidents.", tracker__open_cnt(a->tracker));
	sample(b, "seep_oom_kills_total", "counter", "OOM kills seen since the agent's start.",
	       a->oom_cnt);
	sample(b, "seep_polls_total", "counter", "Polls since the agent's start.", a->seq);
	sample(b, "seep_polls_failed_total", "counter", "Polls that failed.", a->polls_failed);
	sample(b, "seep_poll_duration_seconds", "gauge", "Of the last tick.", a->tick_ns / 1e9);
	sample(b, "seep_cpu_seconds_total", "counter", "CPU time of the agent.", a->cpu_ns / 1e9);
	drops(a, b);
	list_processes(a, b);
}

int answer__http(void *ctx, const struct http_request *rq, struct buf *body,
		 const char **ret_type)
{
	const char *path = rq->path;
	struct agent *a = ctx;
	int fresh = a->seq && !a->poll_err;

	if (!strcmp(path, "/healthz")) {
		buf__puts(body, "ok\n");
		return 200;
	}
	if (!strcmp(path, "/readyz")) {
		buf__puts(body, fresh ? "ok\n" : "the last poll failed, or there was none yet\n");
		return fresh ? 200 : 503;
	}
	if (!strcmp(path, "/metrics")) {
		*ret_type = "text/plain; version=0.0.4; charset=utf-8";
		metrics(a, body);
		return 200;
	}
	buf__puts(body, "there are /healthz, /readyz and /metrics\n");
	return 404;
}
