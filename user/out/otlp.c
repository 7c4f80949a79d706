// SPDX-License-Identifier: BSD-2-Clause
/*
 * otlp.c - see otlp.h. The shape is that of opentelemetry-proto's ExportMetricsServiceRequest:
 * 64-bit integers are strings, enums are numbers.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <jansson.h>

#include "../base/worker.h"
#include "otlp.h"

#define TIMEOUT_S  10
#define CUMULATIVE 2 /* AGGREGATION_TEMPORALITY_CUMULATIVE */

struct job {
	const struct otlp_cfg *cfg;
	struct buf body;
	int err;
	char why[POST_WHY_LEN];
};

struct otlp {
	struct otlp_cfg cfg;
	struct worker *worker;
	int done_fd;
	struct otlp_stats stats;
};

/* ---- encoding ---------------------------------------------------------------------------- */

struct encoder {
	json_t *metrics, *points; /* of the family at hand */
	const struct metric_desc *desc;
	char start_ns[24], now_ns[24];
	int err;
};

/* As UCUM has it: the last words of the name say the unit. */
static const char *unit_of(const char *name)
{
	static const struct {
		const char *suffix, *unit;
	} units[] = {
		{"_bytes_per_second", "By/s"}, {"_bytes", "By"},
		{"_bytes_total", "By"},	       {"_seconds", "s"},
		{"_seconds_total", "s"},       {"_ratio", "1"},
	};
	size_t len = strlen(name), n, i;

	for (i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
		n = strlen(units[i].suffix);
		if (len > n && !strcmp(name + len - n, units[i].suffix))
			return units[i].unit;
	}
	return "1";
}

static void on_family(void *ctx, const struct metric_desc *desc)
{
	struct encoder *e = ctx;
	json_t *metric = json_pack("{ss, ss, ss}", "name", desc->name, "description", desc->help,
				   "unit", unit_of(desc->name));
	json_t *data;

	e->desc = desc;
	e->points = json_array();
	data = desc->type == METRIC_COUNTER
		       ? json_pack("{sO, si, sb}", "dataPoints", e->points,
				   "aggregationTemporality", CUMULATIVE, "isMonotonic", 1)
		       : json_pack("{sO}", "dataPoints", e->points);
	json_decref(e->points); /* the data keep it */
	e->err |= json_object_set_new(metric, desc->type == METRIC_COUNTER ? "sum" : "gauge", data);
	e->err |= json_array_append_new(e->metrics, metric);
}

static json_t *attributes_of(const struct metric_label *labels, size_t cnt)
{
	json_t *attributes = json_array();
	size_t i;

	for (i = 0; i < cnt; i++)
		json_array_append_new(attributes,
				      json_pack("{ss, s{ss}}", "key", labels[i].name, "value",
						"stringValue", labels[i].value));
	return attributes;
}

static void on_sample(void *ctx, const struct metric_label *labels, size_t cnt, double value)
{
	struct encoder *e = ctx;
	json_t *point;

	if (e->err)
		return;
	point = json_pack("{so, ss, sf}", "attributes", attributes_of(labels, cnt), "timeUnixNano",
			  e->now_ns, "asDouble", value);
	if (e->desc->type == METRIC_COUNTER)
		e->err |= json_object_set_new(point, "startTimeUnixNano", json_string(e->start_ns));
	e->err |= json_array_append_new(e->points, point);
}

/* metrics is stolen. */
static json_t *request_of(json_t *metrics, const char *node)
{
	return json_pack("{s[{s{s[{ss, s{ss}}, {ss, s{ss}}, {ss, s{ss}}]},"
			 " s[{s{ss, ss}, so}]}]}",
			 "resourceMetrics", "resource", "attributes", "key", "service.name",
			 "value", "stringValue", "seep", "key", "service.version", "value",
			 "stringValue", SEEP_VERSION, "key", "host.name", "value", "stringValue",
			 node, "scopeMetrics", "scope", "name", "seep", "version", SEEP_VERSION,
			 "metrics", metrics);
}

static int append_to_buf(const char *data, size_t len, void *ctx)
{
	buf__append(ctx, data, len);
	return 0;
}

int otlp__encode(const struct metrics *m, const char *node, double start_s, double now_s,
		 struct buf *body)
{
	struct encoder e = {.metrics = json_array()};
	json_t *request;

	snprintf(e.start_ns, sizeof(e.start_ns), "%" PRIu64, (uint64_t)(start_s * 1e9));
	snprintf(e.now_ns, sizeof(e.now_ns), "%" PRIu64, (uint64_t)(now_s * 1e9));
	e.err |= metrics__foreach(m, on_family, on_sample, &e);
	request = request_of(e.metrics, node);
	if (!request || json_dump_callback(request, append_to_buf, body, JSON_COMPACT))
		e.err = -ENOMEM;
	json_decref(request);
	return e.err ? -ENOMEM : body->err;
}

/* ---- exporting --------------------------------------------------------------------------- */

static int is_stopping(void *ctx)
{
	return worker__stopping(ctx);
}

static void export(struct worker *w, void *arg)
{
	struct job *job = arg;
	struct post post = {
		.url = job->cfg->url,
		.body = job->body.data,
		.header_file = job->cfg->header_file,
		.timeout_s = TIMEOUT_S,
		.stopping = is_stopping,
		.ctx = w,
	};

	job->err = post__send(&post, job->why);
}

static void free_job(struct job *job)
{
	if (!job)
		return;
	buf__free(&job->body);
	free(job);
}

int otlp__push(struct otlp *o, const struct metrics *m, double now_s)
{
	struct job *job;

	if (!worker__is_idle(o->worker)) {
		o->stats.skipped++;
		return -EBUSY;
	}
	job = calloc(1, sizeof(*job));
	if (!job)
		return -ENOMEM;
	job->cfg = &o->cfg;
	if (otlp__encode(m, o->cfg.node, o->cfg.start_s, now_s, &job->body)) {
		free_job(job);
		return -ENOMEM;
	}
	return worker__give(o->worker, job);
}

void otlp__settle(struct otlp *o)
{
	struct job *job = worker__take(o->worker);
	uint64_t done;

	(void)!read(o->done_fd, &done, sizeof(done));
	if (!job)
		return;
	if (job->err)
		o->stats.failed++;
	else
		o->stats.sent++;
	snprintf(o->stats.error, sizeof(o->stats.error), "%s", job->err ? job->why : "");
	free_job(job);
}

int otlp__new(const struct otlp_cfg *cfg, struct otlp **ret_otlp)
{
	struct otlp *o = calloc(1, sizeof(*o));
	int err = 0;

	if (!o)
		return -ENOMEM;
	o->cfg = *cfg;
	o->done_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (o->done_fd < 0)
		err = -errno;
	if (!err)
		err = worker__new(export, o->done_fd, &o->worker);
	if (err) {
		otlp__free(o);
		return err;
	}
	*ret_otlp = o;
	return 0;
}

void otlp__free(struct otlp *o)
{
	if (!o)
		return;
	free_job(worker__free(o->worker));
	if (o->done_fd >= 0)
		close(o->done_fd);
	free(o);
}

int otlp__fd(const struct otlp *o)
{
	return o->done_fd;
}

void otlp__stats(const struct otlp *o, struct otlp_stats *ret_stats)
{
	*ret_stats = o->stats;
}
