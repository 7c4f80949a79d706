// SPDX-License-Identifier: BSD-2-Clause
/* notify_message.c - what a notification says, in JSON, in a line, and through a template. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../base/buf.h"
#include "../base/json_mem.h"
#include "../base/units.h"
#include "../who/clean.h"
#include "notify_kind.h"

#define TITLE_MAX 300
#define LINES_MAX 20 /* of text, one for each incident */
#define PLACE_MAX 64 /* bytes of a {{name}} */

static const char *str_of(const json_t *o, const char *name)
{
	return json_string_value(json_object_get(o, name));
}

static double num_of(const json_t *o, const char *name)
{
	const json_t *value = json_object_get(o, name);

	return json_is_number(value) ? json_number_value(value) : NAN;
}

/* "api[4711] in shop/api-1", or the cgroup. */
static void name_object(const json_t *object, char *buf, size_t cap)
{
	const char *comm = str_of(object, "comm"), *pod = str_of(object, "pod");
	const char *ns = str_of(object, "namespace"), *container = str_of(object, "container");
	const char *where = pod ? pod : container;
	char who[160];

	if (comm)
		snprintf(who, sizeof(who), "%s[%lld]", comm,
			 (long long)json_integer_value(json_object_get(object, "pid")));
	else
		snprintf(who, sizeof(who), "%s", str_of(object, "cgroup") ?: "?");
	if (where)
		snprintf(buf, cap, "%s in %s%s%s", who, ns ? ns : "", ns ? "/" : "", where);
	else
		snprintf(buf, cap, "%s", who);
}

/* snprintf cuts anywhere; JSON wants whole characters. */
static void copy_whole(const char *text, char *buf, size_t cap)
{
	clean__name(text, strlen(text), buf, cap);
}

/* "2 OOM kills, the limit was hit 7 times" */
static void say_errors(const json_t *incident, char *buf, size_t cap)
{
	const json_t *errors = json_object_get(incident, "errors"), *error;
	const char *kind;
	double cnt;
	size_t i, len = 0;

	buf[0] = '\0';
	for (i = json_array_size(errors); i-- > 0 && len < cap;) {
		error = json_array_get(errors, i);
		kind = str_of(error, "kind");
		cnt = num_of(error, "count");
		if (kind && !strcmp(kind, "oom-kill"))
			len += snprintf(buf + len, cap - len, "%s%.0f OOM kill%s", len ? ", " : "",
					cnt, cnt == 1 ? "" : "s");
		else
			len += snprintf(buf + len, cap - len, "%sthe limit was hit %.0f time%s",
					len ? ", " : "", cnt, cnt == 1 ? "" : "s");
	}
}

static void error_line(const json_t *incident, const char *who, char *buf, size_t cap)
{
	const char *state = str_of(incident, "state"), *reason = str_of(incident, "close_reason");
	char errors[120], line[TITLE_MAX];

	say_errors(incident, errors, sizeof(errors));
	if (state && !strcmp(state, "closed"))
		snprintf(line, sizeof(line), "closed: %s, %.60s: %s", who, reason ? reason : "over",
			 errors);
	else
		snprintf(line, sizeof(line), "%s: %s: %s", str_of(incident, "severity") ?: "?", who,
			 errors);
	copy_whole(line, buf, cap);
}

int notify_message__is_error(const json_t *incident)
{
	const char *kind = str_of(incident, "kind");

	return kind && !strcmp(kind, "memory-error");
}

void notify_message__line(const json_t *incident, char *buf, size_t cap)
{
	const json_t *verdict = json_object_get(incident, "verdict");
	const char *state = str_of(incident, "state"), *reason = str_of(incident, "close_reason");
	char who[240], grown[32], rate[32], left[32], line[TITLE_MAX];

	name_object(json_object_get(incident, "object"), who, sizeof(who));
	if (notify_message__is_error(incident)) {
		error_line(incident, who, buf, cap);
		return;
	}
	units__format_bytes(num_of(verdict, "growth_bytes"), grown, sizeof(grown));
	if (state && !strcmp(state, "closed")) {
		snprintf(line, sizeof(line), "closed: %s, %s: %s leaked", who,
			 reason ? reason : "over", grown);
		copy_whole(line, buf, cap);
		return;
	}
	units__format_bytes(num_of(verdict, "slope_bytes_per_hour"), rate, sizeof(rate));
	units__format_duration(num_of(verdict, "time_to_limit_s"), left, sizeof(left));
	snprintf(line, sizeof(line), "%s: %s leaks: %s so far, %s per hour, %s to the limit",
		 str_of(incident, "severity") ?: "?", who, grown, rate, left);
	copy_whole(line, buf, cap);
}

/* ---- the message ------------------------------------------------------------------------- */

/* "open" when any of them is. */
static const char *state_of(const json_t *incidents)
{
	const char *state;
	size_t i;

	for (i = 0; i < json_array_size(incidents); i++) {
		state = str_of(json_array_get(incidents, i), "state");
		if (state && !strcmp(state, "open"))
			return "open";
	}
	return "closed";
}

static const char *severity_of(const json_t *incidents)
{
	enum incident_severity most = SEVERITY_INFO, s;
	const char *name;
	size_t i;

	for (i = 0; i < json_array_size(incidents); i++) {
		name = str_of(json_array_get(incidents, i), "severity");
		for (s = SEVERITY_CRITICAL; name && s > most; s--)
			if (!strcmp(name, incident__severity_name(s)))
				most = s;
	}
	return incident__severity_name(most);
}

/* What all of them have in common, for a title. */
static const char *common(const json_t *incidents, const char *name)
{
	const char *first = NULL, *value;
	size_t i;

	for (i = 0; i < json_array_size(incidents); i++) {
		value = str_of(json_object_get(json_array_get(incidents, i), "object"), name);
		if (!value || (first && strcmp(first, value)))
			return NULL;
		first = value;
	}
	return first;
}

static int all_leaks(const json_t *incidents)
{
	size_t i;

	for (i = 0; i < json_array_size(incidents); i++)
		if (notify_message__is_error(json_array_get(incidents, i)))
			return 0;
	return 1;
}

static void write_title(const json_t *incidents, size_t cnt, const char *node, char *buf)
{
	const char *what = common(incidents, "workload") ?: common(incidents, "image");
	char line[TITLE_MAX - 80], title[TITLE_MAX];

	if (cnt == 1) {
		notify_message__line(json_array_get(incidents, 0), line, sizeof(line));
		snprintf(title, sizeof(title), "%s (node %s)", line, node);
		copy_whole(title, buf, TITLE_MAX);
		return;
	}
	snprintf(title, sizeof(title), "%s: %zu %s%s%.160s on node %s",
		 strcmp(state_of(incidents), "open") ? "closed" : severity_of(incidents), cnt,
		 all_leaks(incidents) ? "leaks" : "incidents",
		 what ? " of " : "", what ? what : "", node);
	copy_whole(title, buf, TITLE_MAX);
}

/* The explanation of one; of several a line each. */
static json_t *text_of(const json_t *incidents, size_t cnt)
{
	const char *explanation = str_of(json_array_get(incidents, 0), "explanation");
	size_t i, lines = json_array_size(incidents);
	struct buf b = {0};
	char line[TITLE_MAX];
	json_t *text;

	if (cnt == 1 && explanation)
		return json_string(explanation);
	if (lines > LINES_MAX)
		lines = LINES_MAX;
	for (i = 0; i < lines; i++) {
		notify_message__line(json_array_get(incidents, i), line, sizeof(line));
		buf__printf(&b, "%s%s", i ? "\n" : "", line);
	}
	if (cnt > lines)
		buf__printf(&b, "\nand %zu more", cnt - lines);
	text = b.err || !b.len ? NULL : json_string(b.data);
	buf__free(&b);
	return text;
}

json_t *notify_message__new(const char *target, const char *node, const char *group, double now_s,
			    json_t *incidents, size_t cnt)
{
	char title[TITLE_MAX];
	json_t *text;

	write_title(incidents, cnt, node, title);
	text = text_of(incidents, cnt);
	return json_pack("{ss, ss, ss, sI, ss, ss, ss, sI, ss?, so*, so}", "schema",
			 "seep.notification/1", "target", target, "node", node, "at_s",
			 (json_int_t)now_s, "state", state_of(incidents), "severity",
			 severity_of(incidents), "grouped_by", group, "count", (json_int_t)cnt,
			 "title", title, "text", text, "incidents", incidents);
}

/* ---- templates --------------------------------------------------------------------------- */

static const json_t *look_up(const json_t *message, const char *name)
{
	const json_t *first = json_array_get(json_object_get(message, "incidents"), 0);
	const json_t *const places[] = {
		message,
		first,
		json_object_get(first, "object"),
		json_object_get(first, "verdict"),
	};
	const json_t *found;
	size_t i;

	for (i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
		found = json_object_get(places[i], name);
		if (found && !json_is_null(found))
			return found;
	}
	return NULL;
}

/* A string without its quotes, anything else as it is written in JSON. */
static void put_value(struct buf *out, const json_t *value)
{
	char *text = json_mem__dumps(value, JSON_ENCODE_ANY | JSON_COMPACT);

	if (!text) {
		out->err = -1;
		return;
	}
	if (json_is_string(value))
		buf__append(out, text + 1, strlen(text) - 2);
	else
		buf__puts(out, text);
	free(text);
}

static void put_place(struct buf *out, const json_t *message, const char *place, size_t len)
{
	char name[PLACE_MAX];
	const json_t *value;

	while (len && *place == ' ') {
		place++;
		len--;
	}
	while (len && place[len - 1] == ' ')
		len--;
	if (len >= sizeof(name))
		return;
	memcpy(name, place, len);
	name[len] = '\0';
	value = strcmp(name, "json") ? look_up(message, name) : message;
	if (value)
		put_value(out, value);
}

int notify_message__expand(const char *text, const json_t *message, struct buf *out)
{
	const char *open, *close;

	while ((open = strstr(text, "{{")) && (close = strstr(open, "}}"))) {
		buf__append(out, text, open - text);
		put_place(out, message, open + 2, close - open - 2);
		text = close + 2;
	}
	buf__puts(out, text);
	return out->err;
}
