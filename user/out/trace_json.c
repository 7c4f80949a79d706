// SPDX-License-Identifier: BSD-2-Clause
/*
 * trace_json.c - the result of a trace as seep.trace/1: JSON Lines, one object per process.
 */
#include <errno.h>
#include <jansson.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "../base/json_mem.h"
#include "../who/clean.h"
#include "trace_format.h"

static json_t *whole_or_null(double number)
{
	return isfinite(number) && fabs(number) < 9e18 ? json_integer(llround(number)) :
							 json_null();
}

static json_t *real_or_null(double number)
{
	return isfinite(number) ? json_real(number) : json_null();
}

static json_t *text_or_null(const char *text)
{
	char clean[TRACE_NAME_CAP];

	if (!text)
		return json_null();
	clean__name(text, strlen(text), clean, sizeof(clean));
	return json_string(clean);
}

static json_t *finish(json_t *json, int err)
{
	if (!err)
		return json;
	json_decref(json);
	return NULL;
}

static json_t *sites_to_json(const struct trace_process *p, unsigned top)
{
	size_t i, cnt = trace_format__site_cnt(p, top);
	json_t *list = json_array();
	int err = !list;

	for (i = 0; i < cnt && !err; i++)
		err = json_array_append_new(list, site__to_json(&p->sites[i]));
	return finish(list, err);
}

static json_t *drops_to_json(const struct trace_process *p)
{
	const struct trace_drop *d;
	json_t *object = json_object();
	int err = !object;

	for (d = p->drops; d->reason && !err; d++)
		err = json_object_set_new(object, d->reason, whole_or_null(d->cnt));
	return finish(object, err);
}

static json_t *not_seen_to_json(const struct trace_process *p)
{
	const char *const *line;
	json_t *list = json_array();
	int err = !list;

	for (line = p->not_seen; *line && !err; line++)
		err = json_array_append_new(list, text_or_null(*line));
	return finish(list, err);
}

static json_t *process_to_json(const struct trace_process *p, const struct trace_result *r,
			       unsigned top)
{
	return json_pack("{s:s, s:i, s:I, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:I, s:o, s:[o, o], "
			 "s:o, s:b, s:o, s:i, s:o, s:o, s:o, s:{s:I, s:I, s:o, s:o}}",
			 "schema", "seep.trace/1",
			 "pid", p->pid,
			 "start_ns", (json_int_t)p->start_ns,
			 "comm", text_or_null(p->comm),
			 "started_s", whole_or_null(floor(r->started_s)),
			 "duration_s", whole_or_null(fmax(p->duration_s, 1)),
			 "duration_ns", whole_or_null(p->duration_s * 1e9),
			 "min_age_ns", whole_or_null(r->min_age_s * 1e9),
			 "sample_bytes", whole_or_null(p->sample_bytes),
			 "allocated_bytes", whole_or_null(p->allocated_bytes),
			 "freed_bytes", whole_or_null(p->freed_bytes),
			 "failed", (json_int_t)p->failed,
			 "outstanding_bytes", whole_or_null(p->totals.outstanding_bytes),
			 "outstanding_ci_bytes", whole_or_null(p->totals.outstanding_lo_bytes),
			 whole_or_null(p->totals.outstanding_hi_bytes),
			 "outstanding_count", whole_or_null(p->totals.outstanding_count),
			 "ended", p->ended,
			 "allocator", text_or_null(p->allocator),
			 "site_cnt", (int)trace_format__site_cnt(p, 0),
			 "sites", sites_to_json(p, top),
			 "dropped", drops_to_json(p),
			 "not_seen", not_seen_to_json(p),
			 "overhead", "hits", (json_int_t)p->hits, "cost_ns", (json_int_t)p->cost_ns,
			 "target_cpu_percent", real_or_null(p->target_cpu_percent),
			 "mode", text_or_null(p->mode));
}

int trace_json__write(const struct trace_result *r, const struct trace_format_options *opt,
		      struct buf *out)
{
	json_t *json;
	char *text;
	int i;

	for (i = 0; i < r->process_cnt; i++) {
		json = process_to_json(&r->processes[i], r, opt->top);
		text = json ? json_mem__dumps(json, JSON_COMPACT | JSON_REAL_PRECISION(12)) : NULL;
		json_decref(json);
		if (!text)
			return -ENOMEM;
		buf__printf(out, "%s\n", text);
		free(text);
	}
	return out->err;
}
