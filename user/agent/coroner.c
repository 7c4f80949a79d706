// SPDX-License-Identifier: BSD-2-Clause
/*
 * coroner.c - who was killed for want of memory, and what was known of them just before.
 *
 * OOM kills come from the kernel's tracepoint with the victim's sizes; what it was, where it ran and
 * what was thought of it comes from its watch. Limits that were hit are seen in the counters of the
 * cgroup, also without BPF. Both are kept for status, and told in the timeline of the leak that is
 * about the victim, its container or its pod. What no leak explains is an incident of its own: one
 * for each workload, container, cgroup or program, the first of these that is known.
 */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "answer.h"
#include "base/log.h"
#include "base/units.h"
#include "who/clean.h"

#define QUIET_SHARE  72 /* of the window: a cgroup at its limit is told of so often at most */
#define TROUBLE_PART 10 /* of its limit: with more than this left it is not in trouble */

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

/* ---- incidents ---------------------------------------------------------------------------- */

/* "e:" and what has the error; all processes of a workload share it. Returns buf. */
static const char *error_key(const struct incident_object *o, char buf[WATCH_KEY_LEN])
{
	const char *ns = o->ns ? o->ns : "";

	if (o->workload)
		snprintf(buf, WATCH_KEY_LEN, "e:w:%s/%s", ns, o->workload);
	else if (o->container)
		snprintf(buf, WATCH_KEY_LEN, "e:k:%s/%s/%s", ns, o->pod ? o->pod : "", o->container);
	else if (o->cgroup && strcmp(o->cgroup, "/"))
		snprintf(buf, WATCH_KEY_LEN, "e:c:%s", o->cgroup);
	else
		snprintf(buf, WATCH_KEY_LEN, "e:p:%s", o->comm ? o->comm : "?");
	return buf;
}

/* The newest numbers may be from before the limit was set: none is known then. */
static double limit_of(const struct watch *w)
{
	uint64_t limit = watch__is_proc(w) ? w->limit_bytes : w->own_limit_bytes;

	return limit == UINT64_MAX ? NAN : limit;
}

static void open_incident(struct agent *a, const struct watch *w, const struct memory_error *error)
{
	struct incident_object object = court__object_of(a, w);
	struct selector_subject subject = court__subject_of(a, w);
	struct verdict verdict = verdict__unknown(VERDICT_WARMING);
	char key[WATCH_KEY_LEN], why[RULES_WHY_LEN];
	enum incident_severity severity;
	struct finding f = {
		.key = error_key(&object, key),
		.object = &object,
		.verdict = &verdict,
		.severity = rules__severity(a->cfg.rules, &subject, &severity),
	};

	if (rules__forbid(a->cfg.rules, &subject, why))
		return;
	verdict.limit_bytes = limit_of(w);
	court__describe(a, w, 1, &f);
	tracker__error(a->tracker, a->now_s, &f, error);
	court__forget(&f);
}

/* To the leak that explains it, or to the incident of such errors. */
static __attribute__((format(printf, 4, 5))) void tell(struct agent *a, const struct watch *w,
						       struct memory_error *error, const char *fmt,
						       ...)
{
	const struct incident *leak = court__leak_behind(a, w);
	char text[INCIDENT_TEXT_MAX];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	error->text = text;
	if (leak)
		tracker__explained(a->tracker, a->now_s, leak->id, error);
	else
		open_incident(a, w, error);
}

struct deference {
	const struct incident *leak;
	const struct incident *found;
};

static int is_same(const char *a, const char *b)
{
	return a && b && !strcmp(a, b);
}

static void find_explained(void *ctx, const struct incident *in)
{
	const struct incident_object *o = &in->object, *leak;
	struct deference *d = ctx;

	leak = &d->leak->object;
	if (in->kind != INCIDENT_MEMORY_ERROR)
		return;
	if (leak->cgroup && strcmp(leak->cgroup, "/") ? is_same(o->cgroup, leak->cgroup) :
							is_same(o->comm, leak->comm))
		d->found = in;
	if (leak->workload && is_same(o->workload, leak->workload) && is_same(o->ns, leak->ns))
		d->found = in;
}

void coroner__defer(struct agent *a, const struct incident *leak)
{
	struct deference d = {.leak = leak};
	char text[80], key[WATCH_KEY_LEN];

	tracker__foreach_open(a->tracker, find_explained, &d);
	if (!d.found)
		return;
	snprintf(key, sizeof(key), "%s", d.found->key);
	snprintf(text, sizeof(text), "explains the memory errors of incident %s", d.found->id);
	tracker__note(a->tracker, a->now_s, leak->id, text);
	snprintf(text, sizeof(text), "explained by the leak of incident %s", leak->id);
	tracker__ended(a->tracker, a->now_s, key, text);
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

/* The note as it stands in status, for the incident. A new reference. */
static json_t *victim_of(const struct oom_note *note)
{
	json_t *victim = note->known ? json_copy(note->known) : json_object();

	set_num(victim, "t_s", note->t_s);
	set_u64(victim, "pid", note->pid);
	set_str(victim, "comm", note->comm);
	set_u64(victim, "bytes", note->bytes);
	return victim;
}

/* Nothing is known but its name: it came and went between two polls. */
static void tell_of_stranger(struct agent *a, const struct oom_note *note, struct memory_error *error)
{
	struct incident_object object = {
		.kind = (char *)"process", .pid = note->pid, .comm = (char *)note->comm};
	struct verdict verdict = verdict__unknown(VERDICT_WARMING);
	struct selector_subject subject = {.kind = object.kind, .host = a->node, .comm = note->comm,
					   .uid = UINT32_MAX, .pid = note->pid};
	char key[WATCH_KEY_LEN], why[RULES_WHY_LEN], text[64];
	struct finding f = {.key = error_key(&object, key), .object = &object, .verdict = &verdict};

	if (rules__forbid(a->cfg.rules, &subject, why))
		return;
	snprintf(text, sizeof(text), "OOM-killed: '%s' (PID %u)", note->comm, note->pid);
	error->text = text;
	f.not_seen = json_pack("[s]", "where it ran and what it grew from: it was killed before a "
				      "poll had seen it");
	tracker__error(a->tracker, a->now_s, &f, error);
	error->text = NULL; /* it ends here */
	json_decref(f.not_seen);
}

void coroner__oom(struct agent *a, const struct proc_event *ev, const struct watch *w)
{
	struct oom_note *note = &a->ooms[a->oom_cnt++ % OOM_MAX];
	struct memory_error error = {.kind = ERROR_OOM_KILL, .cnt = 1};
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
	error.victim = victim_of(note);
	if (w) {
		say_limit(w, limit, sizeof(limit));
		tell(a, w, &error, "OOM-killed: '%s' (PID %u) with %s, %s", note->comm, note->pid,
		     size, limit);
	} else {
		tell_of_stranger(a, note, &error);
	}
	json_decref(error.victim);
}

/* ---- limits ------------------------------------------------------------------------------ */

/* At its limit a cgroup first gives up page cache, which does no harm: only what has little left
 * to give is in trouble. */
static int is_in_trouble(const struct watch *w)
{
	return w->headroom_bytes <= w->own_limit_bytes / TROUBLE_PART;
}

/* The tracepoint tells of kills with the victim; without it, the counter has to do. */
static void tell_of_limit(struct agent *a, const struct watch *w, const struct limit_note *note)
{
	struct memory_error hits = {.kind = ERROR_LIMIT_HIT, .cnt = note->hits};
	struct memory_error kills = {.kind = ERROR_OOM_KILL, .cnt = note->kills};
	int has_tracepoint = poller__event_fd(a->poller) >= 0;
	char limit[16];

	units__format_bytes(w->own_limit_bytes, limit, sizeof(limit));
	if (note->hits && (note->kills || is_in_trouble(w)))
		tell(a, w, &hits, "the limit of %s was hit %" PRIu64 " times", limit, note->hits);
	if (note->kills && !has_tracepoint)
		tell(a, w, &kills, "OOM kills at the limit of %s: %" PRIu64, limit, note->kills);
}

static void note_limit(struct agent *a, struct watch *w)
{
	struct limit_note *note = &a->limits[a->limit_cnt++ % LIMIT_MAX];

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
	tell_of_limit(a, w, note);
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
