// SPDX-License-Identifier: BSD-2-Clause
/*
 * field.c - see field.h.
 */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "../base/units.h"
#include "field.h"

#define KEY_MAX 64
#define BRIDGE 2 /* holes up to so many usual distances are bridged */

const json_t *field__get(const json_t *json, const char *path)
{
	char key[KEY_MAX];
	size_t len;

	while (*path && json) {
		len = strcspn(path, ".");
		if (len >= sizeof(key))
			return NULL;
		memcpy(key, path, len);
		key[len] = '\0';
		json = json_object_get(json, key);
		path += len + (path[len] == '.');
	}
	return json;
}

const char *field__str(const json_t *json, const char *path, const char *otherwise)
{
	const char *s = json_string_value(field__get(json, path));

	return s ? s : otherwise;
}

double field__num(const json_t *json, const char *path)
{
	const json_t *j = field__get(json, path);

	return json_is_number(j) ? json_number_value(j) : NAN;
}

size_t field__cnt(const json_t *json, const char *path)
{
	return json_array_size(field__get(json, path));
}

struct point {
	double t_s, bytes;
};

static int point_at(const json_t *history, size_t i, struct point *ret)
{
	const json_t *pair = json_array_get(history, i);
	const json_t *t = json_array_get(pair, 0), *bytes = json_array_get(pair, 1);

	if (!json_is_number(t) || !json_is_number(bytes))
		return 0;
	*ret = (struct point){json_number_value(t), json_number_value(bytes)};
	return 1;
}

/* Buckets whose middle lies between two points that are close enough. */
static void bridge(struct point a, struct point b, double from_s, double width_s, double *values,
		   int n)
{
	int i = fmin(fmax(ceil((a.t_s - from_s) / width_s - .5), 0), n);

	for (; i < n && from_s + (i + .5) * width_s <= b.t_s; i++)
		values[i] = a.bytes + (b.bytes - a.bytes) *
			    (from_s + (i + .5) * width_s - a.t_s) / (b.t_s - a.t_s);
}

/* The usual distance of two points; the average would do but for the holes. */
static double usual_distance(const json_t *history)
{
	size_t i, cnt = json_array_size(history);
	struct point a, b;
	double least = INFINITY, sum = 0;
	size_t steps = 0;

	for (i = 1; i < cnt; i++) {
		if (!point_at(history, i - 1, &a) || !point_at(history, i, &b) || b.t_s <= a.t_s)
			continue;
		least = fmin(least, b.t_s - a.t_s);
		sum += b.t_s - a.t_s;
		steps++;
	}
	return steps ? fmin(sum / steps, 2 * least) : 0;
}

void field__curve(const json_t *history, double from_s, double to_s, double *ret_values, int n)
{
	size_t i, cnt = json_array_size(history);
	double width_s = (to_s - from_s) / n;
	double reach_s = BRIDGE * fmax(usual_distance(history), width_s);
	struct point p, last = {.t_s = NAN};
	int at;

	for (at = 0; at < n; at++)
		ret_values[at] = NAN;
	if (!(width_s > 0) || !isfinite(width_s))
		return;
	for (i = 0; i < cnt; i++) {
		if (!point_at(history, i, &p) || p.t_s <= last.t_s)
			continue;
		if (p.t_s - last.t_s <= reach_s)
			bridge(last, p, from_s, width_s, ret_values, n);
		if (p.t_s >= from_s && p.t_s <= to_s)
			ret_values[(int)fmin((p.t_s - from_s) / width_s, n - 1)] = p.bytes;
		last = p;
	}
}

/* Times beyond the next millennium do not fit into the C library's types. */
static double sane_s(double s)
{
	return fabs(s) < 32503680000.0 ? s : NAN;
}

char *field__bytes(const json_t *json, const char *path, char *buf)
{
	return units__format_bytes(field__num(json, path), buf, FIELD_TEXT);
}

char *field__duration(const json_t *json, const char *path, char *buf)
{
	return units__format_duration(sane_s(field__num(json, path)), buf, FIELD_TEXT);
}

char *field__time(const json_t *json, const char *path, char *buf)
{
	return units__format_time(sane_s(field__num(json, path)), buf, FIELD_TEXT);
}

/* Append "namespace/pod", the container's name or the cgroup; returns 0 if none is known. */
static int label_place(struct buf *b, const json_t *object)
{
	const char *ns = field__str(object, "namespace", NULL);
	const char *pod = field__str(object, "pod", NULL);
	const char *container = field__str(object, "container", NULL);

	if (pod)
		buf__printf(b, "%s%s%s%s%s", ns ? ns : "", ns ? "/" : "", pod,
			    container ? "/" : "", container ? container : "");
	else if (container)
		buf__puts(b, container);
	return pod || container;
}

void label__object(struct buf *b, const json_t *object)
{
	const char *comm = field__str(object, "comm", NULL);
	double pid = field__num(object, "pid");
	struct buf place = {0};

	if (!comm) {
		if (!label_place(b, object))
			buf__puts(b, field__str(object, "cgroup", "?"));
		return;
	}
	buf__puts(b, comm);
	if (pid > 0)
		buf__printf(b, "[%.0f]", pid);
	if (label_place(&place, object) && !place.err)
		buf__printf(b, " in %s", place.data);
	buf__free(&place);
}

enum paint label__verdict_paint(const char *verdict)
{
	if (!strcmp(verdict, "leak"))
		return PAINT_RED;
	if (!strcmp(verdict, "suspect"))
		return PAINT_YELLOW;
	if (!strcmp(verdict, "healthy") || !strcmp(verdict, "recovered"))
		return PAINT_GREEN;
	return PAINT_DIM;
}

enum paint label__severity_paint(const char *severity)
{
	if (!strcmp(severity, "critical"))
		return PAINT_RED;
	return strcmp(severity, "warning") ? PAINT_PLAIN : PAINT_YELLOW;
}

void label__not_seen(struct buf *b, const json_t *json, const struct style *s)
{
	const json_t *list = field__get(json, "not_seen");
	size_t i;

	for (i = 0; i < json_array_size(list); i++) {
		style__paint(s, b, PAINT_YELLOW, "Not seen: ");
		render__clip(b, field__str(json_array_get(list, i), "", "?"), 1000, CLIP_TAIL, s);
		buf__puts(b, "\n");
	}
}
