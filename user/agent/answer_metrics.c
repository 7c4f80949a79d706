// SPDX-License-Identifier: BSD-2-Clause
/*
 * answer_metrics.c - everything that is told as metrics, and the pages of HTTP around it.
 *
 * One table names every family; docs/metrics.md explains each. Series per object are told of the
 * metrics_top first ones of `seep top`, of every suspect and of whatever has an open incident, and
 * at most OBJECTS_MAX of each kind: the number of series is bounded whatever runs on the node.
 * Numbers that are not known are left out, never made up.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "answer.h"
#include "base/clock.h"
#include "base/sandbox.h"

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))
#define OBJECTS_MAX   500 /* of each kind: processes, cgroups, incidents */
#define SITE_MAX      160

/* Families of processes and of cgroups stand in the same order. */
enum object_family {
	OBJECT_MEMORY,
	OBJECT_RESIDENT,
	OBJECT_ANON,
	OBJECT_SWAP,
	OBJECT_LIMIT,
	OBJECT_GROWTH,
	OBJECT_TIME_TO_LIMIT,
	OBJECT_CONFIDENCE,
	OBJECT_LEAKING,
	OBJECT_VERDICT,
	OBJECT_CNT,
};

enum family {
	BUILD_INFO,
	NODE_TOTAL,
	NODE_AVAILABLE,
	PROCESSES,
	CGROUPS,
	INCIDENTS_OPEN,
	INCIDENTS,
	INCIDENTS_OPENED,
	INCIDENTS_CLOSED,
	INCIDENT_ONE,
	INCIDENT_SITE,
	INCIDENT_GROWN,
	OOM_KILLS,
	PROCESS_FIRST,
	PROCESS_LAST = PROCESS_FIRST + OBJECT_CNT - 1,
	PROCESS_PROBE,
	CGROUP_FIRST,
	CGROUP_LAST = CGROUP_FIRST + OBJECT_CNT - 1,
	CGROUP_OOM_KILLS,
	CGROUP_LIMIT_HITS,
	OBJECTS_OMITTED,
	POLLS,
	POLLS_FAILED,
	POLLS_LATE,
	POLL_DURATION,
	POLL_DURATION_MAX,
	LAST_POLL,
	INTERVAL,
	WINDOW,
	EVENTS,
	DROPPED,
	MAP_BYTES,
	MAP_ENTRIES,
	MAP_MAX_ENTRIES,
	SERIES,
	UNWATCHED,
	SERIES_MAX,
	DETECTORS,
	CPU_SECONDS,
	RESIDENT,
	START_TIME,
	READERS_STARTED,
	READERS_FAILED,
	READERS_SECONDS,
	TARGETS_PROBED,
	TARGETS_HITS,
	TARGETS_SECONDS,
	JOURNAL_FAILURES,
	JOURNAL_BYTES,
	HISTORY_FAILURES,
	HISTORY_UP,
	INCIDENTS_UNWRITTEN,
	NOTIFICATIONS_SENT,
	NOTIFICATIONS_FAILED,
	NOTIFICATIONS_PENDING,
	OTLP_EXPORTS,
	OTLP_FAILED,
	FAMILY_CNT,
};

/* clang-format off */
#define OBJECT_FAMILIES(first, prefix, noun)                                                     \
	[(first) + OBJECT_MEMORY] = {prefix "_memory_bytes", METRIC_GAUGE,                       \
		"What is judged of the " noun ": anonymous, swapped and owned shared memory."},  \
	[(first) + OBJECT_RESIDENT] = {prefix "_resident_bytes", METRIC_GAUGE,                   \
		"Resident memory of the " noun "."},                                             \
	[(first) + OBJECT_ANON] = {prefix "_anonymous_bytes", METRIC_GAUGE,                      \
		"Anonymous resident memory of the " noun "."},                                   \
	[(first) + OBJECT_SWAP] = {prefix "_swap_bytes", METRIC_GAUGE,                           \
		"Swapped out memory of the " noun "."},                                          \
	[(first) + OBJECT_LIMIT] = {prefix "_limit_bytes", METRIC_GAUGE,                         \
		"The nearest cgroup limit on the " noun "; absent where there is none."},        \
	[(first) + OBJECT_GROWTH] = {prefix "_growth_bytes_per_second", METRIC_GAUGE,            \
		"Robust slope of the floor of the " noun "'s memory; negative when it shrinks."},\
	[(first) + OBJECT_TIME_TO_LIMIT] = {prefix "_time_to_limit_seconds", METRIC_GAUGE,       \
		"Until the " noun " reaches its limit at this rate."},                           \
	[(first) + OBJECT_CONFIDENCE] = {prefix "_confidence_ratio", METRIC_GAUGE,               \
		"How sure it is that the growth of the " noun " goes on, 0 to 1."},              \
	[(first) + OBJECT_LEAKING] = {prefix "_leaking", METRIC_GAUGE,                           \
		"1 when the " noun " leaks, 0 otherwise."},                                      \
	[(first) + OBJECT_VERDICT] = {prefix "_verdict", METRIC_GAUGE,                           \
		"1; the labels verdict and class say what is thought of the " noun "."}

static const struct metric_desc families[FAMILY_CNT] = {
	[BUILD_INFO] = {"seep_build_info", METRIC_GAUGE, "1; which agent this is, on which node."},
	[NODE_TOTAL] = {"seep_node_memory_bytes", METRIC_GAUGE, "Memory of the node."},
	[NODE_AVAILABLE] = {"seep_node_memory_available_bytes", METRIC_GAUGE,
		"Memory of the node that can still be allocated without swapping."},
	[PROCESSES] = {"seep_processes", METRIC_GAUGE, "Processes in the last poll."},
	[CGROUPS] = {"seep_cgroups", METRIC_GAUGE, "Memory cgroups with processes in the last poll."},
	[INCIDENTS_OPEN] = {"seep_incidents_open", METRIC_GAUGE, "Open incidents."},
	[INCIDENTS] = {"seep_incidents", METRIC_GAUGE, "Open incidents by severity."},
	[INCIDENTS_OPENED] = {"seep_incidents_opened_total", METRIC_COUNTER,
		"Incidents opened since the agent's start, by their severity then."},
	[INCIDENTS_CLOSED] = {"seep_incidents_closed_total", METRIC_COUNTER,
		"Incidents closed since the agent's start, by their severity."},
	[INCIDENT_ONE] = {"seep_incident_open", METRIC_GAUGE,
		"1 for each open incident, with what it is about."},
	[INCIDENT_SITE] = {"seep_incident_site_info", METRIC_GAUGE,
		"1; the call site that keeps the most memory of an open incident."},
	[INCIDENT_GROWN] = {"seep_incident_growth_bytes", METRIC_GAUGE,
		"What was leaked since the onset of an open incident."},
	[OOM_KILLS] = {"seep_oom_kills_total", METRIC_COUNTER, "OOM kills seen since the agent's start."},
	OBJECT_FAMILIES(PROCESS_FIRST, "seep_process", "process"),
	[PROCESS_PROBE] = {"seep_process_probe_cost_ratio", METRIC_GAUGE,
		"Share of one core that looking closer costs the process."},
	OBJECT_FAMILIES(CGROUP_FIRST, "seep_cgroup", "cgroup"),
	[CGROUP_OOM_KILLS] = {"seep_cgroup_oom_kills_total", METRIC_COUNTER,
		"OOM kills in the cgroup as the kernel counts them."},
	[CGROUP_LIMIT_HITS] = {"seep_cgroup_limit_hits_total", METRIC_COUNTER,
		"How often the cgroup ran into its memory limit."},
	[OBJECTS_OMITTED] = {"seep_metrics_objects_omitted", METRIC_GAUGE,
		"Suspects and incidents without series of their own, because there are too many."},
	[POLLS] = {"seep_polls_total", METRIC_COUNTER, "Polls since the agent's start."},
	[POLLS_FAILED] = {"seep_polls_failed_total", METRIC_COUNTER, "Polls that failed."},
	[POLLS_LATE] = {"seep_polls_late_total", METRIC_COUNTER,
		"Polls that came a whole interval or more after their time."},
	[POLL_DURATION] = {"seep_poll_duration_seconds", METRIC_GAUGE, "Of the last tick."},
	[POLL_DURATION_MAX] = {"seep_poll_duration_max_seconds", METRIC_GAUGE,
		"Of the longest tick since the agent's start."},
	[LAST_POLL] = {"seep_last_poll_timestamp_seconds", METRIC_GAUGE,
		"When the last successful poll was made, in Unix seconds."},
	[INTERVAL] = {"seep_poll_interval_seconds", METRIC_GAUGE, "Time between two polls."},
	[WINDOW] = {"seep_window_seconds", METRIC_GAUGE, "History that is kept and judged."},
	[EVENTS] = {"seep_events_total", METRIC_COUNTER, "Events taken by the kernel side, by kind."},
	[DROPPED] = {"seep_dropped_total", METRIC_COUNTER, "What could not be kept or read, by reason."},
	[MAP_BYTES] = {"seep_bpf_map_bytes", METRIC_GAUGE, "Kernel memory of the agent's BPF maps."},
	[MAP_ENTRIES] = {"seep_bpf_map_entries", METRIC_GAUGE, "Used entries of a BPF map."},
	[MAP_MAX_ENTRIES] = {"seep_bpf_map_max_entries", METRIC_GAUGE, "Room of a BPF map."},
	[SERIES] = {"seep_series", METRIC_GAUGE, "Objects whose history is kept."},
	[UNWATCHED] = {"seep_unwatched_processes", METRIC_GAUGE,
		"Processes without a history of their own, for want of room."},
	[SERIES_MAX] = {"seep_series_max", METRIC_GAUGE, "Room for objects whose history is kept."},
	[DETECTORS] = {"seep_detectors", METRIC_GAUGE, "Objects that have grown and are judged."},
	[CPU_SECONDS] = {"seep_cpu_seconds_total", METRIC_COUNTER, "CPU time of the agent."},
	[RESIDENT] = {"seep_resident_memory_bytes", METRIC_GAUGE, "Resident memory of the agent."},
	[START_TIME] = {"seep_start_time_seconds", METRIC_GAUGE,
		"When the agent was started, in Unix seconds."},
	[READERS_STARTED] = {"seep_readers_started_total", METRIC_COUNTER,
		"Sandboxes that read the files of processes looked at closer."},
	[READERS_FAILED] = {"seep_readers_failed_total", METRIC_COUNTER,
		"Such sandboxes that crashed, took too long or could not be started."},
	[READERS_SECONDS] = {"seep_readers_cpu_seconds_total", METRIC_COUNTER,
		"CPU time of such sandboxes that have ended."},
	[TARGETS_PROBED] = {"seep_targets_probed", METRIC_GAUGE,
		"Running processes that were or are being looked at closer."},
	[TARGETS_HITS] = {"seep_target_probe_hits_total", METRIC_COUNTER,
		"Calls of allocators that went through the agent's probes."},
	[TARGETS_SECONDS] = {"seep_target_probe_seconds_total", METRIC_COUNTER,
		"Time that the probes took from the processes looked at."},
	[JOURNAL_FAILURES] = {"seep_journal_write_failures_total", METRIC_COUNTER,
		"Polls that could not be saved."},
	[JOURNAL_BYTES] = {"seep_journal_written_bytes_total", METRIC_COUNTER,
		"Written to the journal of polls."},
	[HISTORY_FAILURES] = {"seep_history_write_failures_total", METRIC_COUNTER,
		"Calls of the incident history that failed."},
	[HISTORY_UP] = {"seep_history_up", METRIC_GAUGE,
		"1 when incidents are kept on disk, 0 when in memory only."},
	[INCIDENTS_UNWRITTEN] = {"seep_incidents_unwritten", METRIC_GAUGE,
		"Incidents with changes that are not on disk yet."},
	[NOTIFICATIONS_SENT] = {"seep_notifications_sent_total", METRIC_COUNTER,
		"Messages that a target has taken."},
	[NOTIFICATIONS_FAILED] = {"seep_notifications_failed_total", METRIC_COUNTER,
		"Attempts to tell a target that failed; they are repeated."},
	[NOTIFICATIONS_PENDING] = {"seep_notifications_pending", METRIC_GAUGE,
		"Incidents that a target has yet to be told of."},
	[OTLP_EXPORTS] = {"seep_otlp_exports_total", METRIC_COUNTER,
		"Pushes of these metrics that the collector has taken."},
	[OTLP_FAILED] = {"seep_otlp_failed_total", METRIC_COUNTER,
		"Pushes of these metrics that failed or were left out because one was still under way."},
};
/* clang-format on */

/* ---- processes and cgroups --------------------------------------------------------------- */

struct chosen {
	struct watch *w;
	int must; /* suspect, or with an open incident */
};

struct choice {
	const struct agent *a;
	int processes;
	struct chosen *v;
	size_t cnt, cap, must_cnt;
};

static int is_suspect(const struct watch *w)
{
	return w->verdict.state == VERDICT_LEAK || w->verdict.state == VERDICT_SUSPECT ||
	       w->wants_detector;
}

static void choose(void *ctx, struct series *s)
{
	struct watch *w = series__user(s);
	struct choice *c = ctx;

	if (!w || w->seen_seq != c->a->seq || watch__is_proc(w) != c->processes || c->cnt == c->cap)
		return;
	if (!c->processes && !(w->read_s > 0))
		return; /* never read is unknown, not empty */
	c->v[c->cnt].w = w;
	c->v[c->cnt].must = is_suspect(w);
	c->must_cnt += c->v[c->cnt++].must;
}

/* Suspects before others, leaks first of all, then by size. */
static int by_interest(const void *p, const void *q)
{
	const struct chosen *x = p, *y = q;
	int x_leaks = x->w->verdict.state == VERDICT_LEAK,
	    y_leaks = y->w->verdict.state == VERDICT_LEAK;

	if (x->must != y->must)
		return y->must - x->must;
	if (x_leaks != y_leaks)
		return y_leaks - x_leaks;
	return x->w->rss_bytes < y->w->rss_bytes ? 1 : x->w->rss_bytes > y->w->rss_bytes ? -1 : 0;
}

/* Fills the array of c, which the caller frees, and returns how many of it are to be told. */
static size_t choose_objects(struct agent *a, struct choice *c)
{
	size_t told;

	c->a = a;
	c->cap = a->procs + a->cgroups;
	c->v = calloc(c->cap + 1, sizeof(*c->v));
	if (!c->v)
		return 0;
	store__foreach(a->store, choose, c);
	qsort(c->v, c->cnt, sizeof(*c->v), by_interest);
	told = c->must_cnt > a->cfg.metrics_top ? c->must_cnt : a->cfg.metrics_top;
	if (told > OBJECTS_MAX)
		told = OBJECTS_MAX;
	return told < c->cnt ? told : c->cnt;
}

static double or_unknown(uint64_t value)
{
	return value == UINT64_MAX ? NAN : value;
}

#define OBJECT_LABELS 10

/* More may be appended: OBJECT_LABELS of room. */
static size_t name_object(const struct watch *w, char pid[16], struct metric_label *ret_labels)
{
	static const struct cgroup_info nothing;
	const struct cgroup_info *cg = w->cgroup ? w->cgroup : &nothing;
	const struct metric_label labels[] = {
		{"pid", pid},
		{"comm", w->proc ? w->proc->comm : NULL},
		{"cgroup", w->path ? w->path : cg->path},
		{"container", cg->container},
		{"pod", cg->pod},
		{"namespace", cg->ns},
		{"workload", cg->workload},
		{"image", cg->image},
	};

	_Static_assert(ARRAY_SIZE(labels) + 2 <= OBJECT_LABELS, "room for two more labels");
	pid[0] = '\0';
	if (watch__is_proc(w))
		snprintf(pid, 16, "%u", w->id.tgid);
	memcpy(ret_labels, labels, sizeof(labels));
	return ARRAY_SIZE(labels);
}

static void add_verdict(struct metrics *m, const struct watch *w, size_t first,
			struct metric_label *labels, size_t cnt)
{
	labels[cnt++] = (struct metric_label){"verdict", verdict__state_name(w->verdict.state)};
	labels[cnt++] = (struct metric_label){"class", verdict__class_name(w->verdict.class)};
	metrics__add(m, first + OBJECT_VERDICT, metrics__labels(m, labels, cnt), 1);
}

static void add_object(struct agent *a, struct metrics *m, const struct watch *w)
{
	int is_proc = watch__is_proc(w);
	size_t first = is_proc ? PROCESS_FIRST : CGROUP_FIRST, cnt;
	struct metric_label labels[OBJECT_LABELS];
	const struct metric_labels *l;
	char pid[16];

	cnt = name_object(w, pid, labels);
	l = metrics__labels(m, labels, cnt);
	metrics__add(m, first + OBJECT_MEMORY, l, w->signal_bytes);
	metrics__add(m, first + OBJECT_RESIDENT, l, w->rss_bytes);
	metrics__add(m, first + OBJECT_ANON, l, w->anon_bytes);
	metrics__add(m, first + OBJECT_SWAP, l, w->swap_bytes);
	metrics__add(m, first + OBJECT_LIMIT, l, or_unknown(w->limit_bytes));
	metrics__add(m, first + OBJECT_GROWTH, l,
		     watch__growth_per_hour(w, a->store, a->now_s) / 3600);
	metrics__add(m, first + OBJECT_TIME_TO_LIMIT, l, w->verdict.time_to_limit_s);
	metrics__add(m, first + OBJECT_CONFIDENCE, l, w->verdict.confidence);
	metrics__add(m, first + OBJECT_LEAKING, l, w->verdict.state == VERDICT_LEAK);
	add_verdict(m, w, first, labels, cnt);
	if (is_proc) {
		metrics__add(m, PROCESS_PROBE, l, w->drill_hits ? w->drill_cost_share : NAN);
	} else {
		metrics__add(m, CGROUP_OOM_KILLS, l, or_unknown(w->oom_kills));
		metrics__add(m, CGROUP_LIMIT_HITS, l, or_unknown(w->limit_hits));
	}
}

static void add_objects(struct agent *a, struct metrics *m, int processes)
{
	struct choice c = {.processes = processes};
	size_t told = choose_objects(a, &c), i;

	for (i = 0; i < told; i++)
		add_object(a, m, c.v[i].w);
	metrics__add_one(m, OBJECTS_OMITTED, "kind", processes ? "process" : "cgroup",
			 c.must_cnt > told ? c.must_cnt - told : 0);
	free(c.v);
}

/* ---- incidents --------------------------------------------------------------------------- */

struct incidents {
	struct metrics *m;
	unsigned by_severity[SEVERITY_CRITICAL + 1];
	unsigned cnt;
};

/* "take (workload.h:69)" of the first site; 0 when there is none. */
static int name_site(const struct incident *in, char *buf, size_t cap)
{
	const json_t *frames = json_object_get(json_array_get(in->sites, 0), "frames");
	const json_t *frame = json_array_get(frames, 0);
	const char *function = json_string_value(json_object_get(frame, "function"));
	const char *file = json_string_value(json_object_get(frame, "file"));
	json_int_t line = json_integer_value(json_object_get(frame, "line"));

	if (!function)
		return 0;
	if (file)
		snprintf(buf, cap, "%s (%s:%lld)", function, file, (long long)line);
	else
		snprintf(buf, cap, "%s", function);
	return 1;
}

static void add_incident(void *ctx, const struct incident *in)
{
	struct incidents *i = ctx;
	const struct incident_object *o = &in->object;
	char pid[16] = "", site[SITE_MAX];
	const struct metric_label labels[] = {
		{"id", in->id},
		{"kind", incident__kind_name(in->kind)},
		{"severity", incident__severity_name(in->severity)},
		{"object", o->kind},
		{"pid", pid},
		{"comm", o->comm},
		{"cgroup", o->cgroup},
		{"container", o->container},
		{"pod", o->pod},
		{"namespace", o->ns},
		{"workload", o->workload},
		{"image", o->image},
	};

	_Static_assert(ARRAY_SIZE(labels) <= METRICS_LABELS_MAX, "too many labels");
	i->by_severity[in->severity]++;
	if (i->cnt++ >= OBJECTS_MAX)
		return;
	if (o->pid)
		snprintf(pid, sizeof(pid), "%u", o->pid);
	metrics__add(i->m, INCIDENT_ONE, metrics__labels(i->m, labels, ARRAY_SIZE(labels)), 1);
	metrics__add_one(i->m, INCIDENT_GROWN, "id", in->id, in->verdict.growth_bytes);
	if (name_site(in, site, sizeof(site))) {
		const struct metric_label where[] = {{"id", in->id}, {"site", site}};

		metrics__add(i->m, INCIDENT_SITE, metrics__labels(i->m, where, 2), 1);
	}
}

static void add_incidents(struct agent *a, struct metrics *m)
{
	struct incidents i = {.m = m};
	int s;

	tracker__foreach_open(a->tracker, add_incident, &i);
	for (s = SEVERITY_INFO; s <= SEVERITY_CRITICAL; s++) {
		const char *name = incident__severity_name(s);

		const struct metric_label labels[] = {{"state", "open"}, {"severity", name}};

		metrics__add(m, INCIDENTS, metrics__labels(m, labels, 2), i.by_severity[s]);
		metrics__add_one(m, INCIDENTS_OPENED, "severity", name, a->opened_cnt[s]);
		metrics__add_one(m, INCIDENTS_CLOSED, "severity", name, a->closed_cnt[s]);
	}
	metrics__add(m, INCIDENTS_OPEN, NULL, tracker__open_cnt(a->tracker));
	metrics__add(m, INCIDENTS_UNWRITTEN, NULL, tracker__unwritten(a->tracker));
	metrics__add_one(m, OBJECTS_OMITTED, "kind", "incident",
			 i.cnt > OBJECTS_MAX ? i.cnt - OBJECTS_MAX : 0);
}

/* ---- the agent itself -------------------------------------------------------------------- */

static void add_counts(struct metrics *m, size_t family, const char *label, json_t *counts)
{
	const char *name;
	json_t *value;

	/* clang-format off */
	json_object_foreach(counts, name, value)
		metrics__add_one(m, family, label, name, json_number_value(value));
	/* clang-format on */
	json_decref(counts);
}

static void add_maps(struct metrics *m, json_t *maps)
{
	const char *name;
	json_t *map;

	/* clang-format off */
	json_object_foreach(maps, name, map) {
	/* clang-format on */
		metrics__add_one(m, MAP_ENTRIES, "map", name,
				 json_number_value(json_object_get(map, "used")));
		metrics__add_one(m, MAP_MAX_ENTRIES, "map", name,
				 json_number_value(json_object_get(map, "max")));
	}
	json_decref(maps);
}

static void add_kernel_side(struct agent *a, struct metrics *m)
{
	struct poller_stats p;

	poller__stats(a->poller, &p);
	metrics__add(m, MAP_BYTES, NULL, p.map_bytes);
	add_counts(m, EVENTS, "kind", answer__events(a));
	add_counts(m, DROPPED, "reason", answer__dropped(a));
	add_maps(m, answer__maps(a));
}

static void add_polls(const struct agent *a, struct metrics *m)
{
	metrics__add(m, POLLS, NULL, a->seq);
	metrics__add(m, POLLS_FAILED, NULL, a->polls_failed);
	metrics__add(m, POLLS_LATE, NULL, a->ticks_late);
	metrics__add(m, POLL_DURATION, NULL, a->tick_ns / 1e9);
	metrics__add(m, POLL_DURATION_MAX, NULL, a->tick_max_ns / 1e9);
	metrics__add(m, LAST_POLL, NULL, a->polled_s > 0 ? a->polled_s : NAN);
	metrics__add(m, INTERVAL, NULL, a->cfg.interval_s);
	metrics__add(m, WINDOW, NULL, a->cfg.window_s);
}

static void add_storage(struct agent *a, struct metrics *m)
{
	struct journal_stats js = {0};
	struct history_stats hs = {0};
	struct store_stats st;

	if (a->journal)
		journal__stats(a->journal, &js);
	if (a->history)
		history__stats(a->history, &hs);
	store__stats(a->store, &st);
	metrics__add(m, SERIES, NULL, st.series);
	metrics__add(m, UNWATCHED, NULL, a->unwatched);
	metrics__add(m, SERIES_MAX, NULL, st.max_series);
	metrics__add(m, DETECTORS, NULL, a->detectors);
	metrics__add(m, JOURNAL_FAILURES, NULL, js.failed);
	metrics__add(m, JOURNAL_BYTES, NULL, js.bytes);
	metrics__add(m, HISTORY_FAILURES, NULL, hs.failed);
	metrics__add(m, HISTORY_UP, NULL, a->history && !hs.last_err);
}

static void add_notifications(const struct agent *a, struct metrics *m)
{
	struct notify_stats ns;
	struct otlp_stats os;
	size_t i;

	if (a->otlp) {
		otlp__stats(a->otlp, &os);
		metrics__add(m, OTLP_EXPORTS, NULL, os.sent);
		metrics__add(m, OTLP_FAILED, NULL, os.failed + os.skipped);
	}
	for (i = 0; a->notify && i < notify__cnt(a->notify); i++) {
		notify__stats(a->notify, i, &ns);
		metrics__add_one(m, NOTIFICATIONS_SENT, "target", ns.name, ns.sent);
		metrics__add_one(m, NOTIFICATIONS_FAILED, "target", ns.name, ns.failed);
		metrics__add_one(m, NOTIFICATIONS_PENDING, "target", ns.name, ns.pending);
	}
}

struct self {
	uint32_t pid;
	const struct watch *w;
	unsigned probed;
};

static void look_at(void *ctx, struct series *s)
{
	const struct watch *w = series__user(s);
	struct self *self = ctx;

	if (!w || !watch__is_proc(w) || !isnan(w->ended_s))
		return;
	self->probed += w->drill_hits > 0;
	if (w->id.tgid == self->pid)
		self->w = w;
}

static void add_self(struct agent *a, struct metrics *m)
{
	const struct metric_label labels[] = {{"version", SEEP_VERSION}, {"node", a->node}};
	struct self self = {.pid = getpid()};
	struct sandbox_stats readers;

	store__foreach(a->store, look_at, &self);
	sandbox__stats(&readers);
	metrics__add(m, BUILD_INFO, metrics__labels(m, labels, 2), 1);
	metrics__add(m, CPU_SECONDS, NULL, clock__ns(CLOCK_PROCESS_CPUTIME_ID) / 1e9);
	metrics__add(m, RESIDENT, NULL, self.w ? self.w->rss_bytes : NAN);
	metrics__add(m, START_TIME, NULL, a->start_s);
	metrics__add(m, READERS_STARTED, NULL, readers.started);
	metrics__add(m, READERS_FAILED, NULL, readers.failed + readers.refused);
	metrics__add(m, READERS_SECONDS, NULL, readers.cpu_ns / 1e9);
	metrics__add(m, TARGETS_PROBED, NULL, self.probed);
	metrics__add(m, TARGETS_HITS, NULL, a->probe_hits);
	metrics__add(m, TARGETS_SECONDS, NULL, a->probe_cost_ns / 1e9);
}

struct metrics *answer__metrics(struct agent *a)
{
	struct metrics *m = metrics__new(families, FAMILY_CNT);

	if (!m)
		return NULL;
	metrics__add(m, NODE_TOTAL, NULL, or_unknown(a->node_total_bytes));
	metrics__add(m, NODE_AVAILABLE, NULL, or_unknown(a->node_available_bytes));
	metrics__add(m, PROCESSES, NULL, a->procs);
	metrics__add(m, CGROUPS, NULL, a->cgroups);
	metrics__add(m, OOM_KILLS, NULL, a->oom_cnt);
	add_incidents(a, m);
	add_objects(a, m, 1);
	add_objects(a, m, 0);
	add_kernel_side(a, m);
	add_polls(a, m);
	add_storage(a, m);
	add_notifications(a, m);
	add_self(a, m);
	return m;
}

/* ---- HTTP -------------------------------------------------------------------------------- */

static int serve_metrics(struct agent *a, const char *accept, struct buf *body,
			 const char **ret_type)
{
	enum metrics_format format = metrics__format_of(accept);
	struct metrics *m = answer__metrics(a);

	if (!m || metrics__render(m, format, body)) {
		metrics__free(m);
		buf__consume(body, body->len);
		buf__puts(body, "out of memory\n");
		return 500;
	}
	metrics__free(m);
	*ret_type = metrics__content_type(format);
	return 200;
}

int answer__http(void *ctx, const struct http_request *rq, struct buf *body, const char **ret_type)
{
	struct agent *a = ctx;
	int fresh = a->seq && !a->poll_err;

	if (!strcmp(rq->path, "/healthz")) {
		buf__puts(body, "ok\n");
		return 200;
	}
	if (!strcmp(rq->path, "/readyz")) {
		buf__puts(body, fresh ? "ok\n" : "the last poll failed, or there was none yet\n");
		return fresh ? 200 : 503;
	}
	if (!strcmp(rq->path, "/metrics"))
		return serve_metrics(a, rq->accept, body, ret_type);
	return answer__web(a, rq, body, ret_type);
}
