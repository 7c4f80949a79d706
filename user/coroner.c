// SPDX-License-Identifier: BSD-2-Clause
/*
 * coroner.c - who was killed for want of memory, and what was known of them just before.
 *
 * OOM kills come from the kernel's tracepoint with the victim's sizes; what it was, where it ran and
 * what was thought of it comes from its watch. Limits that were hit are seen in the counters of the
 * cgroup, also without BPF. Both are kept for status, and told in the timeline of the incident
 * that is about the victim, its container or its pod.
 */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "answer.h"
#include "base/log.h"
#include "base/units.h"
#include "who/clean.h"

#define QUIET_SHARE 72 /* of the window: a cgroup at its limit is told of so often at most */

/* What was known, as JSON; the sizes are those of the last poll. */
static json_t *known_of(struct agent *a, const struct watch *w)
{
	const struct incident *in = court__incident_about(a, w);
	json_t *o = json_object();

	set_u64(o, "rss_bytes", w->rss_bytes);
	set_u64(o, "anon_bytes", w->anon_bytes);
	set_u64(o, "swap_bytes", w->swap_bytes);
	set_u64(o, "shmem_bytes", w->shmem_bytes);
	set_u64(o, "limit_bytes", w->limit_bytes);
	set_str(o, "limit_cgroup", w->limit_path);
	answer__where(o, w);
	set_str(o, "verdict", verdict__state_name(w->verdict.state));
	set_str(o, "class", verdict__class_name(w->verdict.class));
	set_num(o, "growth_bytes_per_hour", watch__growth_per_hour(w, a->store, a->now_s));
	set_str(o, "incident", in ? in->id : NULL);
	return o;
}

static __attribute__((format(printf, 3, 4))) void tell(struct agent *a, const struct watch *w,
						       const char *fmt, ...)
{
	const struct incident *in = court__incident_about(a, w);
	char text[INCIDENT_TEXT_MAX];
	va_list ap;

	if (!in)
		return;
	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	tracker__note(a->tracker, a->now_s, in->id, text);
}

/* ---- OOM kills --------------------------------------------------------------------------- */

static void name_victim(struct oom_note *note, const struct proc_event *ev, const struct watch *w)
{
	const char *comm = ev->comm[0] ? ev->comm : w && w->proc ? w->proc->comm : "?";

	clean__name(comm, strnlen(comm, SEEP_COMM_LEN), note->comm, sizeof(note->comm));
}

/* "the container's limit of 50.0 MiB" */
static void say_limit(const struct watch *w, char *text, size_t cap)
{
	const struct cgroup_info *cg = w->proc ? w->proc->cgroup : NULL;
	char limit[16];

	units__format_bytes(w->limit_bytes, limit, sizeof(limit));
	if (w->limit_bytes == UINT64_MAX || !w->limit_path)
		snprintf(text, cap, "no cgroup limit");
	else if (cg && cg->container_cgroup && !strcmp(cg->container_cgroup->path, w->limit_path))
		snprintf(text, cap, "the container's limit of %s", limit);
	else if (cg && cg->pod_cgroup && !strcmp(cg->pod_cgroup->path, w->limit_path))
		snprintf(text, cap, "the pod's limit of %s", limit);
	else
		snprintf(text, cap, "the limit of %s of '%.400s'", limit, w->limit_path);
}

void coroner__oom(struct agent *a, const struct proc_event *ev, const struct watch *w)
{
	struct oom_note *note = &a->ooms[a->oom_cnt++ % OOM_MAX];
	char size[16], limit[512];

	json_decref(note->known);
	*note = (struct oom_note){.t_s = a->now_s, .pid = ev->id.tgid};
	note->bytes = ev->anon_bytes + ev->swap_bytes + ev->shmem_bytes;
	if (!note->bytes && w)
		note->bytes = w->signal_bytes;
	name_victim(note, ev, w);
	note->known = w ? known_of(a, w) : NULL;
	units__format_bytes(note->bytes, size, sizeof(size));
	log_warn("OOM kill: '%s' (pid %u) with %s", note->comm, note->pid, size);
	if (!w)
		return;
	say_limit(w, limit, sizeof(limit));
	tell(a, w, "OOM-killed: '%s' (PID %u) with %s, %s", note->comm, note->pid, size, limit);
}

/* ---- limits ------------------------------------------------------------------------------ */

static void note_limit(struct agent *a, struct watch *w)
{
	struct limit_note *note = &a->limits[a->limit_cnt++ % LIMIT_MAX];
	char limit[16];

	json_decref(note->known);
	*note = (struct limit_note){
		.t_s = a->now_s,
		.hits = w->limit_hits - w->noted_hits,
		.kills = w->oom_kills - w->noted_kills,
		.known = known_of(a, w),
	};
	w->noted_s = a->now_s;
	w->noted_hits = w->limit_hits;
	w->noted_kills = w->oom_kills;
	units__format_bytes(w->own_limit_bytes, limit, sizeof(limit));
	if (note->kills)
		tell(a, w, "the limit of %s was hit %" PRIu64 " times, with %" PRIu64 " OOM kills",
		     limit, note->hits, note->kills);
	else
		tell(a, w, "the limit of %s was hit %" PRIu64 " times", limit, note->hits);
}

/* Counters start anew with the cgroup; what they stood at when first seen is not ours to tell. */
void coroner__limit(struct agent *a, struct watch *w, const struct cgroup_usage *u)
{
	if (w->limit_hits == UINT64_MAX || u->limit_hits < w->limit_hits ||
	    u->oom_kills < w->oom_kills) {
		w->noted_hits = w->start ? 0 : u->limit_hits;
		w->noted_kills = w->start ? 0 : u->oom_kills;
	}
	w->limit_hits = u->limit_hits;
	w->oom_kills = u->oom_kills;
	if (w->own_limit_bytes == UINT64_MAX || u->limit_hits == UINT64_MAX ||
	    (w->limit_hits == w->noted_hits && w->oom_kills == w->noted_kills) ||
	    a->now_s - w->noted_s < a->cfg.window_s / QUIET_SHARE)
		return;
	note_limit(a, w);
}

void coroner__free(struct agent *a)
{
	unsigned i;

	for (i = 0; i < OOM_MAX; i++)
		json_decref(a->ooms[i].known);
	for (i = 0; i < LIMIT_MAX; i++)
		json_decref(a->limits[i].known);
	a->oom_cnt = a->limit_cnt = 0;
	memset(a->ooms, 0, sizeof(a->ooms));
	memset(a->limits, 0, sizeof(a->limits));
}
