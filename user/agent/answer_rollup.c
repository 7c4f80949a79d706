// SPDX-License-Identifier: BSD-2-Clause
/*
 * answer_rollup.c - pods of one workload on this node as one row of `seep top --by workload`.
 *
 * Made of the pods' rows: sizes and growth are sums, the verdict is the worst, the time to the limit
 * that of the pod that gets there first. A curve that steps is a pod that came or went.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "answer.h"

static const char *const sums[] = {
	"processes",   "rss_bytes",  "anon_bytes",   "swap_bytes",
	"shmem_bytes", "file_bytes", "signal_bytes", "growth_bytes_per_hour",
	"restarts",    "oom_kills",  "limit_hits",
};

/* Fields that mean one pod or cgroup, and nothing for several. */
static const char *const unshared[] = {
	"cgroup",	    "container",      "container_id", "pod",
	"pod_uid",	    "runtime",	      "limit_bytes",  "own_limit_bytes",
	"spec_limit_bytes", "headroom_bytes", "limit_cgroup", "load",
	"labels",
};

static void add_number(json_t *total, const json_t *row, const char *name)
{
	const json_t *a = json_object_get(total, name), *b = json_object_get(row, name);

	if (json_is_integer(b))
		json_object_set_new(total, name,
				    json_integer(json_integer_value(a) + json_integer_value(b)));
}

/* Both are sorted by time, and on the same grid. */
static json_t *add_curves(const json_t *x, const json_t *y)
{
	size_t i = 0, j = 0;
	json_t *sum = json_array();

	while (i < json_array_size(x) || j < json_array_size(y)) {
		const json_t *a = json_array_get(x, i), *b = json_array_get(y, j);
		json_int_t a_t = json_integer_value(json_array_get(a, 0));
		json_int_t b_t = json_integer_value(json_array_get(b, 0)), bytes = 0;
		int use_a = a && (!b || a_t <= b_t), use_b = b && (!a || b_t <= a_t);

		if (use_a)
			bytes += json_integer_value(json_array_get(a, 1));
		if (use_b)
			bytes += json_integer_value(json_array_get(b, 1));
		json_array_append_new(sum, json_pack("[I,I]", use_a ? a_t : b_t, bytes));
		i += use_a;
		j += use_b;
	}
	return sum;
}

static int is_worse(const json_t *row, const json_t *than)
{
	static const char *const ranks[] = {"leak", "suspect", "recovered", "warming", "healthy"};
	const char *a = json_string_value(json_object_get(row, "verdict"));
	const char *b = json_string_value(json_object_get(than, "verdict"));
	size_t i;

	for (i = 0; i < sizeof(ranks) / sizeof(ranks[0]); i++)
		if (!strcmp(ranks[i], a) || !strcmp(ranks[i], b))
			return !strcmp(ranks[i], a) && strcmp(ranks[i], b);
	return 0;
}

static void take_verdict(json_t *total, const json_t *row)
{
	static const char *const names[] = {"verdict", "class", "reason", "incident"};
	size_t i;

	for (i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		json_object_set(total, names[i], json_object_get(row, names[i]));
}

static void add_pod(json_t *total, const json_t *row)
{
	const json_t *left = json_object_get(row, "time_to_limit_s");
	const json_t *least = json_object_get(total, "time_to_limit_s");
	size_t i;

	for (i = 0; i < sizeof(sums) / sizeof(sums[0]); i++)
		add_number(total, row, sums[i]);
	if (is_worse(row, total))
		take_verdict(total, row);
	if (json_is_integer(left) &&
	    (!json_is_integer(least) || json_integer_value(left) < json_integer_value(least)))
		json_object_set(total, "time_to_limit_s", (json_t *)left);
	json_object_set_new(
		total, "history",
		add_curves(json_object_get(total, "history"), json_object_get(row, "history")));
	json_object_set_new(total, "pods",
			    json_integer(json_integer_value(json_object_get(total, "pods")) + 1));
}

/* The workload's row begins as a copy of the first pod's. */
static json_t *begin(const json_t *row)
{
	json_t *total = json_copy((json_t *)row);
	size_t i;

	for (i = 0; i < sizeof(unshared) / sizeof(unshared[0]); i++)
		json_object_set_new(total, unshared[i], json_null());
	json_object_set_new(total, "pods", json_integer(1));
	return total;
}

json_t *answer__fold(json_t *pods, unsigned n)
{
	json_t *by_name = json_object(), *rows = json_array(), *row, *total;
	char name[700];
	size_t i;

	json_array_foreach(pods, i, row)
	{
		const char *ns = json_string_value(json_object_get(row, "namespace"));
		const char *workload = json_string_value(json_object_get(row, "workload"));

		if (!workload)
			continue;
		snprintf(name, sizeof(name), "%s/%s", ns ? ns : "", workload);
		total = json_object_get(by_name, name);
		if (total) {
			add_pod(total, row);
			continue;
		}
		total = begin(row);
		if (json_array_size(rows) < n)
			json_array_append(rows, total);
		json_object_set_new(by_name, name, total);
	}
	json_decref(by_name);
	return rows;
}

json_t *answer__workloads(struct agent *a, unsigned n)
{
	json_t *pods = answer__rows(a, "pod", UINT32_MAX), *rows = answer__fold(pods, n);

	json_decref(pods);
	return rows;
}
