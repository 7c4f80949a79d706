/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * incident_json.c - an incident as the INCIDENT of the CLI contract, and back.
 *
 * Unknown numbers are null on the way out and NAN on the way in. Times are cut to whole seconds,
 * sizes and durations rounded. Reading trusts nothing: what is read may be a damaged file, so
 * every count is bounded and every type checked; fields that are not known are ignored.
 */
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "../base/buf.h"
#include "explain.h"
#include "incident.h"
#include "memory_error.h"
#include "text.h"

#define SCHEMA "seep.incident/1"

/* ---- out: each put returns 0 or -1, so that a caller can or them up ---- */

static int put(json_t *o, const char *name, json_t *value)
{
	return json_object_set_new(o, name, value);
}

static json_t *whole(double number)
{
	if (!isfinite(number))
		return json_null();
	if (fabs(number) > 9e18)
		number = copysign(9e18, number);
	return json_integer((json_int_t)number);
}

static int put_number(json_t *o, const char *name, double number)
{
	return put(o, name, whole(round(number)));
}

static int put_time(json_t *o, const char *name, double t_s)
{
	return put(o, name, whole(floor(t_s)));
}

static int put_interval(json_t *o, const char *name, double lo, double hi)
{
	return put(o, name, json_pack("[o, o]", whole(round(lo)), whole(round(hi))));
}

/* Clean although the setters are: an incident may have been filled by hand. */
static json_t *text_or_null(const char *s)
{
	char *clean;
	json_t *json;

	if (!s)
		return json_null();
	clean = text__clean(s, INCIDENT_TEXT_MAX);
	json = clean ? json_string_nocheck(clean) : NULL;
	free(clean);
	return json;
}

static int put_text(json_t *o, const char *name, const char *s)
{
	return put(o, name, text_or_null(s));
}

static json_t *text_array(char *const *lines, int cnt)
{
	json_t *array = json_array();
	int i, err = 0;

	for (i = 0; array && i < cnt; i++)
		err |= json_array_append_new(array, text_or_null(lines[i]));
	if (err) {
		json_decref(array);
		return NULL;
	}
	return array;
}

/* The finished object, or NULL if any part of it failed. */
static json_t *finish(json_t *o, int err)
{
	if (!err)
		return o;
	json_decref(o);
	return NULL;
}

json_t *verdict__to_json(const struct verdict *v, char *const *evidence, int evidence_cnt)
{
	json_t *o = json_object();
	int err = 0;

	err |= put_text(o, "verdict", verdict__state_name(v->state));
	err |= put_text(o, "class", verdict__class_name(v->class));
	err |= put(o, "confidence",
		   isfinite(v->confidence) ? json_real(v->confidence) : json_null());
	err |= put_time(o, "since_s", v->since_s);
	err |= put_number(o, "growth_bytes", v->growth_bytes);
	err |= put_number(o, "slope_bytes_per_hour", v->slope_bytes_per_hour);
	err |= put_interval(o, "slope_ci_bytes_per_hour", v->slope_lo_bytes_per_hour,
			    v->slope_hi_bytes_per_hour);
	err |= put_number(o, "limit_bytes", v->limit_bytes);
	err |= put_number(o, "time_to_limit_s", v->time_to_limit_s);
	err |= put_interval(o, "time_to_limit_ci_s", v->time_to_limit_lo_s, v->time_to_limit_hi_s);
	err |= put_number(o, "horizon_s", v->horizon_s);
	err |= put(o, "evidence", text_array(evidence, evidence_cnt));
	return finish(o, err);
}

json_t *incident__object_to_json(const struct incident_object *object)
{
	json_t *o = json_object();
	int err = 0;

	err |= put_text(o, "kind", object->kind);
	err |= put_number(o, "pid", object->pid ? object->pid : NAN);
	err |= put(o, "start_ns",
		   object->start_ns ? json_integer((json_int_t)object->start_ns) : json_null());
	err |= put_text(o, "comm", object->comm);
	err |= put_text(o, "cmdline", object->cmdline);
	err |= put_text(o, "cgroup", object->cgroup);
	err |= put_text(o, "container", object->container);
	err |= put_text(o, "pod", object->pod);
	err |= put_text(o, "namespace", object->ns);
	err |= put_text(o, "workload", object->workload);
	err |= put_text(o, "node", object->node);
	err |= put_text(o, "image", object->image);
	err |= put_text(o, "image_digest", object->image_digest);
	err |= put_text(o, "container_id", object->container_id);
	err |= put_text(o, "pod_uid", object->pod_uid);
	err |= put(o, "labels", object->labels ? json_incref(object->labels) : json_null());
	return finish(o, err);
}

/* Of several points in one second the last is kept: times must differ to be a curve. */
static json_t *history_to_json(const struct incident *in)
{
	json_t *array = json_array();
	double t_s;
	size_t i;
	int err = 0;

	for (i = 0; array && i < in->history_cnt; i++) {
		t_s = floor(in->history[i][0]);
		if (i + 1 < in->history_cnt && floor(in->history[i + 1][0]) == t_s)
			continue;
		err |= json_array_append_new(
			array, json_pack("[o, o]", whole(t_s), whole(round(in->history[i][1]))));
	}
	return finish(array, err);
}

static json_t *timeline_to_json(const struct incident *in)
{
	json_t *array = json_array(), *event;
	int i, err = 0;

	for (i = 0; array && i < in->timeline_cnt; i++) {
		event = json_object();
		err |= put_time(event, "t_s", in->timeline[i].t_s);
		err |= put_text(event, "text", in->timeline[i].text);
		err |= json_array_append_new(array, event);
	}
	return finish(array, err);
}

static int put_explanation(json_t *o, const struct incident *in)
{
	char *text = explain__incident(in, in->updated_s);
	json_t *json = text ? json_string(text) : NULL;

	free(text);
	return put(o, "explanation", json);
}

static int put_key(json_t *o, const struct incident *in)
{
	char *key = text__escape(in->key);
	json_t *json = key ? json_string_nocheck(key) : NULL;

	free(key);
	return put(o, "key", json);
}

/* What is its own may change while somebody holds the document. */
static json_t *copied_or_empty(const json_t *array)
{
	return array ? json_deep_copy(array) : json_array();
}

/* Of an error there is a limit, but nothing that was judged. */
static json_t *verdict_of(const struct incident *in, const struct verdict *v,
			  char *const *evidence, int evidence_cnt)
{
	json_t *o = verdict__to_json(v, evidence, evidence_cnt);

	if (o && in->kind == INCIDENT_MEMORY_ERROR)
		json_object_set_new(o, "verdict", json_null());
	return o;
}

/* "pod=api-1", with a backslash before what a selector would take for more than itself. */
static int append_attribute(json_t *list, const char *key, const char *value)
{
	struct buf term = {0};
	json_t *text;

	if (!value || !*value)
		return 0;
	buf__printf(&term, "%s=", key);
	for (; *value; value++) {
		if (strchr("\\,*?[]", *value))
			buf__append(&term, "\\", 1);
		buf__append(&term, value, 1);
	}
	text = term.err ? NULL : text_or_null(term.data);
	buf__free(&term);
	return json_array_append_new(list, text);
}

/* What to choose it and its like by: each line is a term of a selector. */
static json_t *attributes_of(const struct incident_object *o)
{
	const struct {
		const char *key, *value;
	} terms[] = {
		{"namespace", o->ns}, {"workload", o->workload}, {"pod", o->pod},
		{"container", o->container}, {"image", o->image}, {"comm", o->comm},
		{"cgroup", o->cgroup}, {"host", o->node}, {"kind", o->kind},
	};
	json_t *list = json_array();
	char pid[16] = "";
	size_t i;
	int err = 0;

	for (i = 0; i < sizeof(terms) / sizeof(terms[0]); i++)
		err |= append_attribute(list, terms[i].key, terms[i].value);
	if (o->pid)
		snprintf(pid, sizeof(pid), "%u", o->pid);
	err |= append_attribute(list, "pid", pid);
	return finish(list, err);
}

static int put_tops(json_t *o, const struct incident *in, int brief)
{
	int i, err = 0;

	for (i = 0; i < TOP_CNT; i++)
		err |= put(o, incident__top_name(i),
			   !brief && in->top[i] ? json_incref(in->top[i]) : json_array());
	return err;
}

static json_t *shared_or_empty(json_t *array)
{
	return array ? json_incref(array) : json_array();
}

static int put_times(json_t *o, const struct incident *in)
{
	double end_s = in->state == INCIDENT_OPEN ? in->updated_s : in->closed_s;
	int err = 0;

	err |= put_time(o, "opened_s", in->opened_s);
	err |= put_time(o, "started_s", in->started_s);
	err |= put_time(o, "updated_s", in->updated_s);
	err |= put_time(o, "closed_s", in->closed_s);
	err |= put_number(o, "duration_s", floor(end_s) - floor(in->opened_s));
	return err;
}

json_t *incident__to_json(const struct incident *in, int brief)
{
	json_t *o = json_object();
	int err = 0;

	err |= put_text(o, "schema", SCHEMA);
	err |= put_text(o, "id", in->id);
	err |= put_key(o, in);
	err |= put_text(o, "state", incident__state_name(in->state));
	err |= put_text(o, "kind", incident__kind_name(in->kind));
	err |= put_text(o, "severity", incident__severity_name(in->severity));
	err |= put(o, "object", incident__object_to_json(&in->object));
	err |= put_times(o, in);
	err |= put_text(o, "close_reason", in->close_reason);
	err |= put(o, "verdict", verdict_of(in, &in->verdict, in->evidence, in->evidence_cnt));
	err |= put(o, "worst",
		   verdict_of(in, &in->worst, in->worst_evidence, in->worst_evidence_cnt));
	err |= put(o, "sites", shared_or_empty(in->sites));
	err |= put(o, "objects", in->objects ? json_incref(in->objects) : json_null());
	err |= put(o, "errors", copied_or_empty(in->errors));
	err |= put(o, "victims", copied_or_empty(in->victims));
	err |= put(o, "attributes", attributes_of(&in->object));
	err |= put(o, "configuration",
		   in->configuration ? json_incref(in->configuration) : json_null());
	err |= put_tops(o, in, brief);
	err |= put(o, "history", brief ? json_array() : history_to_json(in));
	err |= put(o, "timeline", brief ? json_array() : timeline_to_json(in));
	err |= put(o, "notified", copied_or_empty(in->notified));
	err |= put_explanation(o, in);
	err |= put(o, "related", json_array());
	err |= put(o, "not_seen", text_array(in->not_seen, in->not_seen_cnt));
	return finish(o, err);
}

/* ---- in ---- */

static double number_of(const json_t *json)
{
	return json_is_number(json) ? json_number_value(json) : NAN;
}

static double get_number(const json_t *o, const char *name)
{
	return number_of(json_object_get(o, name));
}

/* NULL also where the field is missing, null, or no string. */
static const char *get_text(const json_t *o, const char *name)
{
	return json_string_value(json_object_get(o, name));
}

static const char *state_name(int i)
{
	return incident__state_name((enum incident_state)i);
}

static const char *kind_name(int i)
{
	return incident__kind_name((enum incident_kind)i);
}

static const char *severity_name(int i)
{
	return incident__severity_name((enum incident_severity)i);
}

static const char *verdict_name(int i)
{
	return verdict__state_name((enum verdict_state)i);
}

static const char *class_name(int i)
{
	return verdict__class_name((enum verdict_class)i);
}

/* The i up to last whose name stands in a field; -1: none. */
static int get_name(const json_t *o, const char *field, const char *(*name)(int), int last)
{
	const char *text = get_text(o, field);
	int i = text ? last : -1;

	while (i >= 0 && strcmp(name(i), text))
		i--;
	return i;
}

static void get_interval(const json_t *o, const char *name, double *ret_lo, double *ret_hi)
{
	const json_t *pair = json_object_get(o, name);

	*ret_lo = number_of(json_array_get(pair, 0));
	*ret_hi = number_of(json_array_get(pair, 1));
}

/* Text lines of an array, borrowed from it. Returns how many were found, at most cap. */
static int get_lines(const json_t *array, const char **lines, int cap)
{
	const char *s;
	size_t i;
	int n = 0;

	for (i = 0; i < json_array_size(array) && n < cap; i++) {
		s = json_string_value(json_array_get(array, i));
		if (s)
			lines[n++] = s;
	}
	return n;
}

static void get_verdict(const json_t *o, struct verdict *ret)
{
	int state = get_name(o, "verdict", verdict_name, VERDICT_RECOVERED);
	int class = get_name(o, "class", class_name, CLASS_LOAD);

	ret->state = state < 0 ? VERDICT_WARMING : (enum verdict_state)state;
	ret->class = class < 0 ? CLASS_UNKNOWN : (enum verdict_class) class;
	ret->confidence = get_number(o, "confidence");
	ret->since_s = get_number(o, "since_s");
	ret->growth_bytes = get_number(o, "growth_bytes");
	ret->slope_bytes_per_hour = get_number(o, "slope_bytes_per_hour");
	get_interval(o, "slope_ci_bytes_per_hour", &ret->slope_lo_bytes_per_hour,
		     &ret->slope_hi_bytes_per_hour);
	ret->limit_bytes = get_number(o, "limit_bytes");
	ret->time_to_limit_s = get_number(o, "time_to_limit_s");
	get_interval(o, "time_to_limit_ci_s", &ret->time_to_limit_lo_s, &ret->time_to_limit_hi_s);
	/* JSON has no infinity: an interval that is open above was written as [lo, null] */
	if (!isnan(ret->time_to_limit_lo_s) && isnan(ret->time_to_limit_hi_s))
		ret->time_to_limit_hi_s = INFINITY;
	ret->horizon_s = get_number(o, "horizon_s");
}

/* The worst first: setting a verdict that is not worse leaves it in place. */
static int read_verdicts(struct incident *in, const json_t *json)
{
	static const char *const names[] = {"worst", "verdict"};
	const char *lines[DETECTOR_EVIDENCE_MAX];
	struct verdict v;
	const json_t *o;
	int i, n, err = 0;

	for (i = 0; i < 2 && !err; i++) {
		o = json_object_get(json, names[i]);
		get_verdict(o, &v);
		n = get_lines(json_object_get(o, "evidence"), lines, DETECTOR_EVIDENCE_MAX);
		err = incident__set_verdict(in, &v, lines, n);
	}
	return err;
}

static int read_object(struct incident *in, const json_t *o)
{
	const json_t *labels = json_object_get(o, "labels");
	struct incident_object object = {
		/* set_object copies; the casts only drop a const that it keeps */
		.kind = (char *)get_text(o, "kind"),
		.comm = (char *)get_text(o, "comm"),
		.cmdline = (char *)get_text(o, "cmdline"),
		.cgroup = (char *)get_text(o, "cgroup"),
		.container = (char *)get_text(o, "container"),
		.pod = (char *)get_text(o, "pod"),
		.ns = (char *)get_text(o, "namespace"),
		.workload = (char *)get_text(o, "workload"),
		.node = (char *)get_text(o, "node"),
		.image = (char *)get_text(o, "image"),
		.image_digest = (char *)get_text(o, "image_digest"),
		.container_id = (char *)get_text(o, "container_id"),
		.pod_uid = (char *)get_text(o, "pod_uid"),
		.labels = json_is_object(labels) ? (json_t *)labels : NULL,
		.pid = (uint32_t)json_integer_value(json_object_get(o, "pid")),
		.start_ns = (uint64_t)json_integer_value(json_object_get(o, "start_ns")),
	};

	return incident__set_object(in, &object);
}

static int read_history(struct incident *in, const json_t *array)
{
	double points[INCIDENT_HISTORY_MAX][2];
	const json_t *pair;
	size_t i, n = 0;

	for (i = 0; i < json_array_size(array) && n < INCIDENT_HISTORY_MAX; i++) {
		pair = json_array_get(array, i);
		points[n][0] = number_of(json_array_get(pair, 0));
		points[n][1] = number_of(json_array_get(pair, 1));
		n += !isnan(points[n][0]);
	}
	return incident__set_history(in, (const double(*)[2])points, n);
}

static int read_timeline(struct incident *in, const json_t *array)
{
	const json_t *event;
	const char *text;
	size_t i;
	int err = 0;

	for (i = 0; i < json_array_size(array) && !err; i++) {
		event = json_array_get(array, i);
		text = get_text(event, "text");
		if (text)
			err = incident__note(in, get_number(event, "t_s"), "%s", text);
	}
	return err;
}

static int read_not_seen(struct incident *in, const json_t *array)
{
	const char *lines[INCIDENT_NOT_SEEN_MAX];
	int i, n, err = 0;

	n = get_lines(array, lines, INCIDENT_NOT_SEEN_MAX);
	for (i = 0; i < n && !err; i++)
		err = incident__not_seen(in, "%s", lines[i]);
	return err;
}

static int read_told(struct incident *in, const json_t *array)
{
	const json_t *told;
	const char *target, *type;
	double t_s;
	size_t i;
	int err = 0;

	for (i = 0; i < json_array_size(array) && i < INCIDENT_TOLD_MAX && !err; i++) {
		told = json_array_get(array, i);
		target = get_text(told, "target");
		type = get_text(told, "type");
		t_s = get_number(told, "t_s");
		if (target && type && fabs(t_s) < 1e15)
			err = incident__told(in, t_s, target, type,
					     get_name(told, "state", state_name, INCIDENT_CLOSED) ==
							     INCIDENT_CLOSED ?
						     INCIDENT_CLOSED :
						     INCIDENT_OPEN);
	}
	return err;
}

/* What the history cannot do without. */
static const char *read_head(struct incident *in, const json_t *json)
{
	const char *id = get_text(json, "id");
	int state = get_name(json, "state", state_name, INCIDENT_CLOSED);
	int severity = get_name(json, "severity", severity_name, SEVERITY_CRITICAL);

	int kind = get_name(json, "kind", kind_name, INCIDENT_MEMORY_ERROR);

	if (kind < 0)
		return "not an incident of a kind that is known here";
	if (!id || !*id || strlen(id) >= sizeof(in->id))
		return "no usable id";
	if (state < 0)
		return "unknown state";
	if (severity < 0)
		return "unknown severity";
	strcpy(in->id, id);
	in->kind = kind;
	in->state = state;
	in->severity = severity;
	in->opened_s = get_number(json, "opened_s");
	in->started_s = get_number(json, "started_s");
	in->updated_s = get_number(json, "updated_s");
	in->closed_s = get_number(json, "closed_s");
	if (isnan(in->opened_s))
		return "no opening time";
	if ((state == INCIDENT_CLOSED) == isnan(in->closed_s))
		return "state and closing time contradict each other";
	return NULL;
}

static int read_body(struct incident *in, const json_t *json)
{
	const json_t *sites = json_object_get(json, "sites");
	json_t *configuration = json_object_get(json, "configuration"), *top;
	json_t *objects = json_object_get(json, "objects");
	const char *reason = get_text(json, "close_reason");
	int i, err = 0;

	if (reason) {
		in->close_reason = text__clean(reason, INCIDENT_TEXT_MAX);
		err |= in->close_reason ? 0 : -ENOMEM;
	}
	for (i = 0; i < TOP_CNT; i++) {
		top = json_object_get(json, incident__top_name(i));
		if (json_array_size(top))
			err |= incident__set_top(in, i, top);
	}
	if (json_is_object(objects))
		incident__set_objects(in, objects);
	if (json_is_object(configuration))
		incident__set_configuration(in, configuration);
	err |= memory_error__read(in, json);
	err |= read_told(in, json_object_get(json, "notified"));
	if (json_array_size(sites))
		in->sites = json_incref((json_t *)sites);
	err |= read_object(in, json_object_get(json, "object"));
	err |= read_verdicts(in, json);
	err |= read_history(in, json_object_get(json, "history"));
	err |= read_timeline(in, json_object_get(json, "timeline"));
	err |= read_not_seen(in, json_object_get(json, "not_seen"));
	return err;
}

static struct incident *new_with_key(const char *escaped, const char **ret_why)
{
	struct incident *in = NULL;
	char *key;

	errno = ENOMEM;
	key = text__unescape(escaped);
	if (key)
		in = incident__new(key);
	if (!in)
		*ret_why = !key && errno == EINVAL ? "garbled key" : "out of memory";
	free(key);
	return in;
}

struct incident *incident__from_json(const json_t *json, const char **ret_why)
{
	const char *schema = get_text(json, "schema");
	const char *key = get_text(json, "key");
	const char *why = NULL;
	struct incident *in;

	if (!schema || strcmp(schema, SCHEMA) || !key) {
		*ret_why = "not an incident of a kind that is known here";
		return NULL;
	}
	in = new_with_key(key, ret_why);
	if (!in)
		return NULL;
	why = read_head(in, json);
	if (!why && read_body(in, json))
		why = "out of memory";
	if (why) {
		*ret_why = why;
		incident__free(in);
		return NULL;
	}
	return in;
}
