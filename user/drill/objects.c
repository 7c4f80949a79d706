// SPDX-License-Identifier: BSD-2-Clause
/* objects.c - see objects.h. */
#include <math.h>
#include <stdint.h>
#include <stdlib.h>

#include "../base/clock.h"
#include "../lang/heap.h"
#include "../lang/remote.h"
#include "objects.h"

#define AGENT_SHARE 0.02	 /* of a core, on average, for looking */
#define ANON_MAX    (2ULL << 30) /* beyond that a look would take seconds */

struct objects {
	pid_t pid;
	int is_hopeless; /* no such runtime; not asked again */
	struct heap *first, *last;
	double next_s; /* CLOCK_BOOTTIME: no look before */
};

struct objects *objects__new(pid_t pid)
{
	struct objects *o = calloc(1, sizeof(*o));

	if (o)
		o->pid = pid;
	return o;
}

void objects__forget(struct objects *o)
{
	heap__free(o->first);
	heap__free(o->last);
	o->first = o->last = NULL;
	o->is_hopeless = 0;
	o->next_s = 0;
}

void objects__free(struct objects *o)
{
	if (!o)
		return;
	objects__forget(o);
	free(o);
}

void objects__look(struct objects *o)
{
	double now_s = clock__boot_ns() / 1e9, paid_s = clock__ns(CLOCK_THREAD_CPUTIME_ID) / 1e9;
	char why[HEAP_WHY_LEN];
	struct heap *h;

	if (o->is_hopeless || now_s < o->next_s || remote__anon_bytes(o->pid) > ANON_MAX)
		return;
	if (heap__take(o->pid, &h, why)) {
		o->is_hopeless = !o->first;
		return;
	}
	paid_s = clock__ns(CLOCK_THREAD_CPUTIME_ID) / 1e9 - paid_s;
	o->next_s = now_s + paid_s / AGENT_SHARE;
	if (!o->first) {
		o->first = h;
		return;
	}
	heap__free(o->last);
	o->last = h;
}

json_t *objects__to_json(const struct objects *o, size_t top)
{
	struct heap_totals first, last;
	struct heap_change *all;
	json_t *types;
	size_t cnt, i;

	if (!o->last)
		return NULL;
	all = heap__changes(o->first, o->last, &cnt);
	types = all ? json_array() : NULL;
	for (i = 0; types && i < cnt && i < top && all[i].added_bytes > 0; i++)
		json_array_append_new(types, heap_change__to_json(&all[i]));
	free(all);
	if (!types)
		return NULL;
	heap__totals(o->first, &first);
	heap__totals(o->last, &last);
	return json_pack("{s:s,s:f,s:o}", "runtime", heap__runtime(o->last), "span_s",
			 fmax(0, last.taken_s - first.taken_s), "types", types);
}
