/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * incident.c - the life of one incident in memory: fields that own their memory, and a timeline.
 *
 * Every setter builds the new value before it drops the old one, so that a failed allocation
 * leaves the incident as it was. Text is cleaned on its way in (text.h).
 */
#include <errno.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "incident.h"
#include "text.h"

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))

const char *incident__severity_name(enum incident_severity severity)
{
	static const char *const names[] = {
		[SEVERITY_INFO] = "info",
		[SEVERITY_WARNING] = "warning",
		[SEVERITY_CRITICAL] = "critical",
	};

	return (size_t)severity < ARRAY_SIZE(names) ? names[severity] : "unknown";
}

const char *incident__kind_name(enum incident_kind kind)
{
	return kind == INCIDENT_LEAK ? "leak" : "memory-error";
}

const char *incident__top_name(enum incident_top which)
{
	static const char *const names[] = {
		[TOP_PROCESSES] = "top",
		[TOP_GROWING_PROCESSES] = "top_growth",
		[TOP_PODS] = "top_pods",
		[TOP_GROWING_PODS] = "top_pods_growth",
	};

	return names[which];
}

const char *incident__state_name(enum incident_state state)
{
	return state == INCIDENT_OPEN ? "open" : "closed";
}

struct incident *incident__new(const char *key)
{
	struct incident *in = calloc(1, sizeof(*in));

	if (!in)
		return NULL;
	in->key = strdup(key);
	if (!in->key) {
		free(in);
		return NULL;
	}
	in->state = INCIDENT_OPEN;
	in->severity = SEVERITY_WARNING;
	in->opened_s = in->started_s = in->updated_s = in->closed_s = NAN;
	in->verdict = in->worst = verdict__unknown(VERDICT_WARMING);
	return in;
}

/* Strings of an object, for code that treats all of them alike. */
static char **object_string(struct incident_object *o, size_t i)
{
	char **const strings[] = {&o->kind,	    &o->comm, &o->cmdline,  &o->cgroup,
				  &o->container,    &o->pod,  &o->ns,	    &o->workload,
				  &o->node,	    &o->image, &o->image_digest,
				  &o->container_id, &o->pod_uid};

	return i < ARRAY_SIZE(strings) ? strings[i] : NULL;
}

static void free_object(struct incident_object *o)
{
	size_t i;

	for (i = 0; object_string(o, i); i++)
		free(*object_string(o, i));
	json_decref(o->labels);
}

static void free_lines(char **lines, int cnt)
{
	while (cnt > 0)
		free(lines[--cnt]);
}

void incident__free(struct incident *in)
{
	int i;

	if (!in)
		return;
	free(in->key);
	free_object(&in->object);
	free_lines(in->evidence, in->evidence_cnt);
	free_lines(in->worst_evidence, in->worst_evidence_cnt);
	free(in->history);
	for (i = 0; i < TOP_CNT; i++)
		json_decref(in->top[i]);
	json_decref(in->sites);
	json_decref(in->objects);
	json_decref(in->configuration);
	json_decref(in->errors);
	json_decref(in->victims);
	json_decref(in->notified);
	free(in->close_reason);
	for (i = 0; i < in->timeline_cnt; i++)
		free(in->timeline[i].text);
	free_lines(in->not_seen, in->not_seen_cnt);
	free(in->not_seen);
	free(in);
}

int incident__set_key(struct incident *in, const char *key)
{
	char *copy = strdup(key);

	if (!copy)
		return -ENOMEM;
	free(in->key);
	in->key = copy;
	return 0;
}

int incident__set_object(struct incident *in, const struct incident_object *object)
{
	struct incident_object from = *object, to = *object;
	const char *s;
	size_t i;
	int err = 0;

	to.labels = json_incref(to.labels);
	for (i = 0; object_string(&to, i); i++) {
		s = *object_string(&from, i);
		*object_string(&to, i) = text__clean(s, INCIDENT_TEXT_MAX);
		if (s && !*object_string(&to, i))
			err = -ENOMEM;
	}
	if (err) {
		free_object(&to);
		return err;
	}
	free_object(&in->object);
	in->object = to;
	return 0;
}

/* Replace *cnt owned lines by copies of others; the arrays hold DETECTOR_EVIDENCE_MAX. */
static int replace_lines(char **lines, int *cnt, const char *const *from, int from_cnt)
{
	char *copies[DETECTOR_EVIDENCE_MAX];
	int i;

	if (from_cnt > DETECTOR_EVIDENCE_MAX)
		from_cnt = DETECTOR_EVIDENCE_MAX;
	for (i = 0; i < from_cnt; i++) {
		copies[i] = text__clean(from[i], INCIDENT_TEXT_MAX);
		if (!copies[i]) {
			free_lines(copies, i);
			return -ENOMEM;
		}
	}
	free_lines(lines, *cnt);
	memcpy(lines, copies, i * sizeof(*lines));
	*cnt = i;
	return 0;
}

int incident__set_verdict(struct incident *in, const struct verdict *v, const char *const *evidence,
			  int evidence_cnt)
{
	int err;

	err = replace_lines(in->evidence, &in->evidence_cnt, evidence, evidence_cnt);
	if (err)
		return err;
	in->verdict = *v;
	/* the NAN of no verdict gives way to any, and takes the place of none */
	if (!isnan(in->worst.growth_bytes) && !(v->growth_bytes >= in->worst.growth_bytes))
		return 0;
	err = replace_lines(in->worst_evidence, &in->worst_evidence_cnt, evidence, evidence_cnt);
	if (!err)
		in->worst = *v;
	return err;
}

int incident__set_history(struct incident *in, const double (*history)[2], size_t cnt)
{
	size_t keep = cnt < INCIDENT_HISTORY_MAX ? cnt : INCIDENT_HISTORY_MAX;
	double(*copy)[2];
	size_t i, from;

	copy = malloc((keep ? keep : 1) * sizeof(*copy));
	if (!copy)
		return -ENOMEM;
	for (i = 0; i < keep; i++) {
		from = keep == cnt ? i : i * (cnt - 1) / (keep - 1);
		memcpy(copy[i], history[from], sizeof(*copy));
	}
	free(in->history);
	in->history = copy;
	in->history_cnt = keep;
	return 0;
}

int incident__set_top(struct incident *in, enum incident_top which, json_t *top)
{
	json_t *rows;
	size_t i;
	int err = 0;

	rows = json_array();
	for (i = 0; rows && i < json_array_size(top) && i < INCIDENT_TOP_MAX; i++)
		err |= json_array_append(rows, json_array_get(top, i));
	if (!rows || err) {
		json_decref(rows);
		return -ENOMEM;
	}
	json_decref(in->top[which]);
	in->top[which] = rows;
	return 0;
}

static void replace(json_t **kept, json_t *fresh)
{
	if (!fresh)
		return;
	json_incref(fresh);
	json_decref(*kept);
	*kept = fresh;
}

void incident__set_objects(struct incident *in, json_t *objects)
{
	replace(&in->objects, objects);
}

void incident__set_configuration(struct incident *in, json_t *configuration)
{
	replace(&in->configuration, configuration);
}

int incident__told(struct incident *in, double t_s, const char *target, const char *type,
		   enum incident_state state)
{
	json_t *told = json_pack("{sI, ss, ss, ss}", "t_s", (json_int_t)t_s, "target", target,
				 "type", type, "state", incident__state_name(state));

	if (!in->notified)
		in->notified = json_array();
	if (json_array_size(in->notified) >= INCIDENT_TOLD_MAX)
		json_array_remove(in->notified, 0);
	return json_array_append_new(in->notified, told) ? -ENOMEM : 0;
}

/* The line a site stands for: its innermost frame with a source line, else its first. */
static json_t *site_place(const json_t *sites)
{
	json_t *frames = json_object_get(json_array_get(sites, 0), "frames"), *frame;
	size_t i;

	json_array_foreach(frames, i, frame)
		if (json_is_string(json_object_get(frame, "file")))
			return frame;
	return json_array_get(frames, 0);
}

int incident__set_sites(struct incident *in, json_t *sites)
{
	const json_t *before = json_object_get(site_place(in->sites), "address");
	const json_t *now = json_object_get(site_place(sites), "address");
	int is_news = now && (!before || !json_equal((json_t *)before, (json_t *)now));

	json_incref(sites);
	json_decref(in->sites);
	in->sites = sites;
	return is_news;
}

int incident__close(struct incident *in, double t_s, const char *reason)
{
	char *copy = text__clean(reason, INCIDENT_TEXT_MAX);
	int err;

	in->state = INCIDENT_CLOSED;
	in->closed_s = t_s;
	free(in->close_reason);
	in->close_reason = copy;
	in->verdict = in->worst;
	err = replace_lines(in->evidence, &in->evidence_cnt,
			    (const char *const *)in->worst_evidence, in->worst_evidence_cnt);
	return copy ? err : -ENOMEM;
}

void incident__reopen(struct incident *in)
{
	in->state = INCIDENT_OPEN;
	in->closed_s = NAN;
	free(in->close_reason);
	in->close_reason = NULL;
}

/* Make room for one more line; the first, which says how it began, stays. */
static void drop_oldest_event(struct incident *in)
{
	free(in->timeline[1].text);
	memmove(in->timeline + 1, in->timeline + 2,
		(INCIDENT_TIMELINE_MAX - 2) * sizeof(in->timeline[0]));
	in->timeline_cnt--;
}

int incident__note(struct incident *in, double t_s, const char *fmt, ...)
{
	char line[INCIDENT_TEXT_MAX + 1];
	va_list ap;
	char *text;

	va_start(ap, fmt);
	vsnprintf(line, sizeof(line), fmt, ap);
	va_end(ap);
	text = text__clean(line, INCIDENT_TEXT_MAX);
	if (!text)
		return -ENOMEM;
	if (in->timeline_cnt == INCIDENT_TIMELINE_MAX)
		drop_oldest_event(in);
	in->timeline[in->timeline_cnt++] = (struct incident_event){t_s, text};
	return 0;
}

static int says(const struct incident *in, const char *text)
{
	int i;

	for (i = 0; i < in->not_seen_cnt; i++) {
		if (!strcmp(in->not_seen[i], text))
			return 1;
	}
	return 0;
}

static int append_not_seen(struct incident *in, char *text)
{
	char **grown;

	grown = realloc(in->not_seen, (in->not_seen_cnt + 1) * sizeof(*grown));
	if (!grown)
		return -ENOMEM;
	in->not_seen = grown;
	in->not_seen[in->not_seen_cnt++] = text;
	return 0;
}

int incident__not_seen(struct incident *in, const char *fmt, ...)
{
	char line[INCIDENT_TEXT_MAX + 1];
	va_list ap;
	char *text;
	int err = 0;

	va_start(ap, fmt);
	vsnprintf(line, sizeof(line), fmt, ap);
	va_end(ap);
	text = text__clean(line, INCIDENT_TEXT_MAX);
	if (!text)
		return -ENOMEM;
	if (in->not_seen_cnt == INCIDENT_NOT_SEEN_MAX || says(in, text))
		goto out;
	err = append_not_seen(in, text);
	if (!err)
		return 0;
out:
	free(text);
	return err;
}

void incident__forget_not_seen(struct incident *in, const char *prefix)
{
	int i, kept = 0;

	for (i = 0; i < in->not_seen_cnt; i++) {
		if (strncmp(in->not_seen[i], prefix, strlen(prefix)))
			in->not_seen[kept++] = in->not_seen[i];
		else
			free(in->not_seen[i]);
	}
	in->not_seen_cnt = kept;
}
