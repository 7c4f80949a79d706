// SPDX-License-Identifier: BSD-2-Clause
/*
 * relate.c - see relate.h.
 *
 * Call sites are compared by the names along the stack: lines and addresses move with each build,
 * and what was fixed or came back is told by comparing builds.
 */
#include <math.h>
#include <string.h>

#include "../base/buf.h"
#include "relate.h"

#define SITES_COMPARED 3

static int same(const char *a, const char *b)
{
	return a && b && *a && !strcmp(a, b);
}

static int same_workload(const struct incident *a, const struct incident *b)
{
	return same(a->object.workload, b->object.workload) && same(a->object.ns, b->object.ns);
}

static int same_object(const struct incident *a, const struct incident *b)
{
	return same(a->key, b->key);
}

static void frame_name(const json_t *frame, struct buf *name)
{
	const char *function = json_string_value(json_object_get(frame, "function"));
	const char *module = json_string_value(json_object_get(frame, "module"));

	if (function)
		buf__puts(name, function);
	else
		buf__printf(name, "%s+0x%llx", module ? module : "?",
			    (long long)json_integer_value(json_object_get(frame, "offset")));
}

void incident__site_name(const json_t *site, struct buf *name)
{
	const json_t *frames = json_object_get(site, "frames");
	size_t i;

	for (i = 0; i < json_array_size(frames); i++) {
		if (i)
			buf__puts(name, " < ");
		frame_name(json_array_get(frames, i), name);
	}
}

static int has_site(const struct incident *in, const char *name)
{
	struct buf other = {0};
	size_t i;
	int found = 0;

	for (i = 0; i < json_array_size(in->sites) && i < SITES_COMPARED && !found; i++) {
		incident__site_name(json_array_get(in->sites, i), &other);
		found = other.len && !strcmp(other.data, name);
		buf__free(&other);
	}
	return found;
}

static int same_site(const struct incident *a, const struct incident *b)
{
	struct buf name = {0};
	size_t i;
	int found = 0;

	for (i = 0; i < json_array_size(a->sites) && i < SITES_COMPARED && !found; i++) {
		incident__site_name(json_array_get(a->sites, i), &name);
		found = name.len && has_site(b, name.data);
		buf__free(&name);
	}
	return found;
}

static int same_image(const struct incident *a, const struct incident *b)
{
	return same(a->object.image, b->object.image);
}

static int same_program(const struct incident *a, const struct incident *b)
{
	return same(a->object.comm, b->object.comm) && same(a->object.cmdline, b->object.cmdline);
}

static int same_cgroup(const struct incident *a, const struct incident *b)
{
	return same(a->object.cgroup, b->object.cgroup) && strcmp(a->object.cgroup, "/");
}

static double end_of(const struct incident *in)
{
	return isnan(in->closed_s) ? INFINITY : in->closed_s;
}

static int same_time(const struct incident *a, const struct incident *b)
{
	return a->opened_s <= end_of(b) && b->opened_s <= end_of(a);
}

static const struct {
	int (*holds)(const struct incident *a, const struct incident *b);
	const char *name;
} relations[] = {
	{same_object, "an earlier or later episode of the same object"},
	{same_workload, "the same workload"},
	{same_site, "the same call site"},
	{same_image, "the same image"},
	{same_program, "the same program"},
	{same_cgroup, "the same cgroup"},
	{same_time, "at the same time on this node"},
};

#define RELATION_CNT ((int)(sizeof(relations) / sizeof(relations[0])))

int incident__relation(const struct incident *a, const struct incident *b)
{
	int i;

	if (!strcmp(a->id, b->id))
		return -1;
	for (i = 0; i < RELATION_CNT; i++)
		if (relations[i].holds(a, b))
			return i;
	return -1;
}

const char *incident__relation_name(int rank)
{
	return rank >= 0 && rank < RELATION_CNT ? relations[rank].name : "";
}

struct selector_subject incident__subject(const struct incident *in)
{
	const struct incident_object *o = &in->object;

	return (struct selector_subject){
		.kind = o->kind,
		.host = o->node,
		.ns = o->ns,
		.pod = o->pod,
		.workload = o->workload,
		.container = o->container,
		.image = o->image,
		.cgroup = o->cgroup,
		.comm = o->comm,
		.uid = UINT32_MAX,
		.pid = o->pid,
	};
}
