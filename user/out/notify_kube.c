// SPDX-License-Identifier: BSD-2-Clause
/*
 * notify_kube.c - an Event on the pod, for `kubectl describe pod` and `kubectl get events`.
 *
 * Needs permission to create events in the pod's namespace, and the service account's token and
 * CA. An incident outside of pods has nothing to hang an event on, and is passed over.
 */
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "../base/json_mem.h"
#include "../who/who.h"
#include "notify_kind.h"

#define NOTE_MAX 1024 /* bytes of an event's message that the API server takes */

static const char *str_of(const json_t *o, const char *name)
{
	return json_string_value(json_object_get(o, name));
}

static json_t *time_of(double t_s)
{
	time_t seconds = (time_t)t_s;
	char text[32] = "";
	struct tm tm;

	if (gmtime_r(&seconds, &tm))
		strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%SZ", &tm);
	return json_string(text);
}

/* With the uid, where the cgroup's path tells it: kubectl describe wants it. */
static json_t *pod_of(const json_t *object)
{
	const char *cgroup = str_of(object, "cgroup"), *runtime;
	char id[65] = "", uid[37] = "";
	json_t *pod = json_pack("{ss, ss, ss, ss}", "apiVersion", "v1", "kind", "Pod", "namespace",
				str_of(object, "namespace"), "name", str_of(object, "pod"));

	if (cgroup)
		who__parse_cgroup_path(cgroup, &runtime, id, uid);
	if (*uid)
		json_object_set_new(pod, "uid", json_string(uid));
	return pod;
}

static json_t *event_of(const json_t *incident, const char *node, double now_s)
{
	const json_t *object = json_object_get(incident, "object");
	const char *state = str_of(incident, "state"), *id = str_of(incident, "id");
	int closed = state && !strcmp(state, "closed");
	const char *reason = notify_message__is_error(incident) ? "MemoryError" : "MemoryLeak";
	char name[64], note[NOTE_MAX], line[300], ended[24];

	notify_message__line(incident, line, sizeof(line));
	snprintf(ended, sizeof(ended), "%sEnded", reason);
	snprintf(name, sizeof(name), "seep-%.16s-", id ? id : "");
	snprintf(note, sizeof(note), "%s; on node %s: seep show %.16s", line, node, id ? id : "");
	return json_pack("{ss, ss, s{ss, ss}, so, ss, ss, ss, s{ss, ss}, so, so, si}", "apiVersion",
			 "v1", "kind", "Event", "metadata", "generateName", name, "namespace",
			 str_of(object, "namespace"), "involvedObject", pod_of(object), "reason",
			 closed ? ended : reason, "message", note, "type",
			 closed ? "Normal" : "Warning", "source", "component", "seep", "host", node,
			 "firstTimestamp", time_of(now_s), "lastTimestamp", time_of(now_s), "count",
			 1);
}

/* A name of the API: anything else could reach beyond the path it is put into. */
static int is_name(const char *s)
{
	return s && *s && strlen(s) < 254 &&
	       !s[strspn(s, "abcdefghijklmnopqrstuvwxyz0123456789-.")] && s[0] != '.';
}

static int deliver(const struct notify_delivery *d, char ret_why[NOTIFY_WHY_LEN])
{
	const json_t *incident = json_array_get(json_object_get(d->message, "incidents"), 0);
	const json_t *object = json_object_get(incident, "object");
	const char *ns = str_of(object, "namespace"), *node = str_of(d->message, "node");
	char path[320], *body = NULL;
	int err = -ENOMEM;
	json_t *event;

	if (!is_name(ns) || !is_name(str_of(object, "pod")))
		return 0;
	event = event_of(incident, node ? node : "?",
			 json_number_value(json_object_get(d->message, "at_s")));
	if (event)
		body = json_mem__dumps(event, JSON_COMPACT);
	snprintf(path, sizeof(path), "/api/v1/namespaces/%s/events", ns);
	if (body)
		err = notify__post(d, path, body, ret_why);
	free(body);
	json_decref(event);
	return err;
}

const struct notify_kind notify_kind_kube_event = {
	.name = "kube-event",
	.needs = "url",
	.batch = 1,
	.group = NOTIFY_BY_NONE,
	.wait_s = 0,
	.interval_s = 0,
	.repeat_s = 3600,
	.rate = 600,
	.deliver = deliver,
};
