// SPDX-License-Identifier: BSD-2-Clause
/*
 * notify_alertmanager.c - incidents as alerts of Alertmanager's v2 API.
 *
 * Alertmanager forgets an alert whose endsAt has passed: while an incident is open it is told
 * again and again, each time to hold for a few repeats. Grouping and silencing are its own.
 */
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "../base/json_mem.h"
#include "notify_kind.h"

#define HOLD_REPEATS 4

static json_t *time_of(double t_s)
{
	time_t seconds = (time_t)t_s;
	char text[32];
	struct tm tm;

	if (!isfinite(t_s) || !gmtime_r(&seconds, &tm) ||
	    !strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%SZ", &tm))
		return NULL;
	return json_string(text);
}

static void copy_label(json_t *labels, const json_t *from, const char *name)
{
	const json_t *value = json_object_get(from, name);
	char text[24];

	if (json_is_string(value) && json_string_length(value)) {
		json_object_set_new(labels, name, json_string(json_string_value(value)));
	} else if (json_is_integer(value)) {
		snprintf(text, sizeof(text), "%lld", (long long)json_integer_value(value));
		json_object_set_new(labels, name, json_string(text));
	}
}

/* The names that the metrics use, so that routes and silences fit both ways. */
static json_t *labels_of(const json_t *incident)
{
	static const char *const names[] = {
		"pid",	     "comm",	 "cgroup", "container", "pod",
		"namespace", "workload", "image",  "node",
	};
	json_t *labels = json_pack("{ss}", "alertname",
				   notify_message__is_error(incident) ? "SeepMemoryError" :
									"SeepMemoryLeak");
	size_t i;

	copy_label(labels, incident, "id");
	copy_label(labels, incident, "severity");
	for (i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		copy_label(labels, json_object_get(incident, "object"), names[i]);
	return labels;
}

static json_t *annotations_of(const json_t *incident)
{
	const json_t *explanation = json_object_get(incident, "explanation");
	char line[300];

	notify_message__line(incident, line, sizeof(line));
	return json_pack("{ss, ss?}", "summary", line, "description",
			 json_string_value(explanation));
}

static json_t *alert_of(const struct notify_target *t, const json_t *incident, double now_s)
{
	const json_t *closed = json_object_get(incident, "closed_s");
	double ends_s = json_is_number(closed) ? json_number_value(closed)
					       : now_s + HOLD_REPEATS * t->repeat_s;

	return json_pack("{so, so, so*, so*}", "labels", labels_of(incident), "annotations",
			 annotations_of(incident), "startsAt",
			 time_of(json_number_value(json_object_get(incident, "opened_s"))),
			 "endsAt", time_of(ends_s));
}

static int deliver(const struct notify_delivery *d, char ret_why[NOTIFY_WHY_LEN])
{
	const json_t *incidents = json_object_get(d->message, "incidents");
	double now_s = json_number_value(json_object_get(d->message, "at_s"));
	json_t *alerts = json_array();
	char *body;
	size_t i;
	int err = -ENOMEM;

	for (i = 0; i < json_array_size(incidents); i++)
		json_array_append_new(alerts,
				      alert_of(d->target, json_array_get(incidents, i), now_s));
	body = json_mem__dumps(alerts, JSON_COMPACT);
	if (body)
		err = notify__post(d, "/api/v2/alerts", body, ret_why);
	free(body);
	json_decref(alerts);
	return err;
}

const struct notify_kind notify_kind_alertmanager = {
	.name = "alertmanager",
	.needs = "url",
	.batch = 64,
	.group = NOTIFY_BY_ALL,
	.wait_s = 0,
	.interval_s = 0,
	.repeat_s = 60,
	.rate = 3600,
	.deliver = deliver,
};
