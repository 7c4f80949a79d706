// SPDX-License-Identifier: BSD-2-Clause
/*
 * answer_status.c - how the agent itself is: `seep status`, and what is not being seen.
 */
#include <inttypes.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "answer.h"
#include "base/clock.h"
#include "base/confine.h"
#include "base/sandbox.h"

/* ---- what is not seen -------------------------------------------------------------------- */

void answer__say(json_t *list, const char *fmt, ...)
{
	char line[PROBLEM_LEN];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(line, sizeof(line), fmt, ap);
	va_end(ap);
	json_array_append_new(list, json_string(line));
}

/* What was lost at a bound or cannot be looked at. */
static void say_lost(struct agent *a, json_t *list)
{
	struct store_stats store;
	struct poller_stats poller;
	struct who_stats who;

	poller__stats(a->poller, &poller);
	store__stats(a->store, &store);
	who__stats(a->who, &who);
	if (!strcmp(poller.rss, "off"))
		answer__say(list, "without BPF (%s), what happens between two polls is not seen",
			poller.why);
	if (poller.stat[SEEP_STAT_PROC_FULL])
		answer__say(list, "%" PRIu64 " times a process did not fit the kernel's table of %u: its "
			"peaks between polls and its end are not seen; raise --max-processes",
			poller.stat[SEEP_STAT_PROC_FULL], poller.max_procs);
	if (poller.stat[SEEP_STAT_RING_FULL])
		answer__say(list, "%" PRIu64 " last records of ended processes were lost",
			poller.stat[SEEP_STAT_RING_FULL]);
	if (a->unwatched)
		answer__say(list, "%u processes, the smallest, are not watched one by one: there are no "
			"more than %u series; raise --max-processes", a->unwatched, store.max_series);
	if (store.evicted + store.dropped)
		answer__say(list, "%" PRIu64 " series were evicted and %" PRIu64 " not begun at the "
			"bound of %u; raise --max-processes", store.evicted, store.dropped,
			store.max_series);
	if (who.dropped_procs + who.dropped_cgroups)
		answer__say(list, "%" PRIu64 " times a process and %" PRIu64 " times a cgroup was left out, "
			"because too many have names already; raise --max-processes",
			who.dropped_procs, who.dropped_cgroups);
	if (a->limbo_dropped)
		answer__say(list, "%" PRIu64 " processes that ended were not waited for: should they "
			"start again, their history begins anew", a->limbo_dropped);
	if (!who.cgroup_version)
		answer__say(list, "no memory cgroups are mounted: limits and containers are unknown");
}

json_t *answer__not_seen(struct agent *a)
{
	json_t *list = json_array();

	say_lost(a, list);
	if (a->poll_err)
		answer__say(list, "the last poll failed: %s", strerror(-a->poll_err));
	if (a->now_s - a->start_s < a->cfg.window_s / 24)
		answer__say(list, "watching for %.0f s only: slow growth takes up to the window of "
			"%.0f s to tell", a->now_s - a->start_s, a->cfg.window_s);
	if (tracker__unwritten(a->tracker))
		answer__say(list, "%zu changes of incidents are not written yet",
			    tracker__unwritten(a->tracker));
	if (tracker__dropped(a->tracker))
		answer__say(list, "%" PRIu64 " incidents were not opened: too many are open",
			tracker__dropped(a->tracker));
	return list;
}

/* ---- status ------------------------------------------------------------------------------ */

static const struct {
	enum seep_stat stat;
	const char *name;
} stat_names[] = {
	{SEEP_STAT_MOVES, "moves"},       {SEEP_STAT_FOREIGN, "foreign"},
	{SEEP_STAT_NO_OWNER, "no_owner"}, {SEEP_STAT_FORKS, "forks"},
	{SEEP_STAT_EXECS, "execs"},       {SEEP_STAT_EXITS, "exits"},
	{SEEP_STAT_OOMS, "ooms"},
}, drop_names[] = {
	{SEEP_STAT_PROC_FULL, "process_table_full"},
	{SEEP_STAT_CGROUP_FULL, "cgroup_table_full"},
	{SEEP_STAT_RING_FULL, "event_ring_full"},
	{SEEP_STAT_MISSED, "events_missed"},
};

static json_t *status_probes(const struct poller_stats *p)
{
	json_t *o = json_object();

	set_str(o, "rss", p->rss);
	set_str(o, "poll", p->poll);
	set_str(o, "lifecycle", strcmp(p->rss, "off") ? "raw_tp" : "off");
	set_str(o, "reason", p->why[0] ? p->why : NULL);
	return o;
}

json_t *answer__events(struct agent *a)
{
	struct poller_stats p;
	json_t *o = json_object();
	size_t i;

	poller__stats(a->poller, &p);
	for (i = 0; i < sizeof(stat_names) / sizeof(stat_names[0]); i++)
		set_u64(o, stat_names[i].name, p.stat[stat_names[i].stat]);
	set_u64(o, "short_lived", a->short_lived);
	return o;
}

json_t *answer__dropped(struct agent *a)
{
	struct http_stats http = {0};
	struct ctl_stats ctl = {0};
	struct poller_stats p;
	struct store_stats store;
	struct who_stats who;
	json_t *o = json_object();
	size_t i;

	poller__stats(a->poller, &p);
	store__stats(a->store, &store);
	who__stats(a->who, &who);
	for (i = 0; i < sizeof(drop_names) / sizeof(drop_names[0]); i++)
		set_u64(o, drop_names[i].name, p.stat[drop_names[i].stat]);
	set_u64(o, "proc_unreadable", p.proc_errors);
	set_u64(o, "series_evicted", store.evicted);
	set_u64(o, "series_full", store.dropped);
	set_u64(o, "process_names_full", who.dropped_procs);
	set_u64(o, "cgroup_names_full", who.dropped_cgroups);
	set_u64(o, "names_vanished", who.vanished);
	set_u64(o, "restart_joins_full", a->limbo_dropped);
	set_u64(o, "incidents_full", tracker__dropped(a->tracker));
	if (a->ctl)
		ctl__stats(a->ctl, &ctl);
	if (a->http)
		http__stats(a->http, &http);
	set_u64(o, "clients_refused", ctl.refused);
	set_u64(o, "clients_displaced", ctl.displaced + http.displaced);
	return o;
}

static void count_entry(void *ctx, uint64_t cgroup_id, const struct seep_cgroup *cg)
{
	(void)cgroup_id;
	(void)cg;
	++*(unsigned *)ctx;
}

static json_t *fill(uint64_t used, uint64_t max)
{
	json_t *o = json_object();

	set_u64(o, "used", used);
	set_u64(o, "max", max);
	return o;
}

json_t *answer__maps(struct agent *a)
{
	struct poller_stats p;
	unsigned cgroups = 0;
	json_t *o = json_object();

	poller__stats(a->poller, &p);
	poller__cgroups(a->poller, count_entry, &cgroups);
	json_object_set_new(o, "seep_procs", fill(p.procs, p.max_procs));
	json_object_set_new(o, "seep_cgroups", fill(cgroups, p.max_cgroups));
	return o;
}

static json_t *status_tracked(const struct agent *a, const struct store_stats *st)
{
	json_t *o = json_object();

	set_u64(o, "processes", a->procs);
	set_u64(o, "unwatched", a->unwatched);
	set_u64(o, "cgroups", a->cgroups);
	set_u64(o, "series", st->series);
	set_u64(o, "max_series", st->max_series);
	set_u64(o, "fine_series", st->fine);
	set_u64(o, "detectors", a->detectors);
	set_u64(o, "series_bytes", st->touched_bytes);
	return o;
}

static json_t *status_poll(const struct agent *a)
{
	json_t *o = json_object();

	set_num(o, "last_s", a->now_s);
	set_u64(o, "cnt", a->seq);
	set_u64(o, "duration_ns", a->tick_ns);
	set_u64(o, "max_duration_ns", a->tick_max_ns);
	set_u64(o, "late", a->ticks_late);
	set_u64(o, "failed", a->polls_failed);
	return o;
}

static json_t *status_journal(const struct agent *a)
{
	struct journal_stats js = {0};
	json_t *o = json_object();

	if (a->journal)
		journal__stats(a->journal, &js);
	set_u64(o, "ticks", js.ticks);
	set_u64(o, "bytes", js.bytes);
	set_u64(o, "failed", js.failed);
	set_str(o, "error", js.last_err ? strerror(js.last_err) : NULL);
	set_u64(o, "restored_polls", a->restored_polls);
	set_u64(o, "torn_bytes", js.torn_bytes);
	return o;
}

static json_t *status_history(struct agent *a)
{
	struct history_stats hs = {0};
	json_t *o = json_object();

	if (a->history)
		history__stats(a->history, &hs);
	set_u64(o, "incidents", hs.rows);
	set_u64(o, "bytes", hs.size_bytes);
	set_u64(o, "failed", hs.failed);
	set_u64(o, "unreadable", hs.unreadable);
	set_str(o, "error", a->history ? hs.last_err ? strerror(-hs.last_err) : NULL :
					 a->history_why);
	return o;
}

static json_t *status_ooms(const struct agent *a)
{
	uint64_t i = a->oom_cnt > OOM_MAX ? a->oom_cnt - OOM_MAX : 0;
	json_t *list = json_array();

	for (; i < a->oom_cnt; i++) {
		const struct oom_note *note = &a->ooms[i % OOM_MAX];
		json_t *o = json_object();

		set_num(o, "at_s", note->t_s);
		set_u64(o, "pid", note->pid);
		set_str(o, "comm", note->comm);
		set_u64(o, "bytes", note->bytes);
		json_object_update(o, note->known);
		json_array_append_new(list, o);
	}
	return list;
}

static json_t *status_limits(const struct agent *a)
{
	uint64_t i = a->limit_cnt > LIMIT_MAX ? a->limit_cnt - LIMIT_MAX : 0;
	json_t *list = json_array();

	for (; i < a->limit_cnt; i++) {
		const struct limit_note *note = &a->limits[i % LIMIT_MAX];
		json_t *o = json_object();

		set_num(o, "at_s", note->t_s);
		set_u64(o, "limit_hits", note->hits);
		set_u64(o, "oom_kills", note->kills);
		json_object_update(o, note->known);
		json_array_append_new(list, o);
	}
	return list;
}

/* Who asks the agent, and who was sent away for asking too slowly or too much. */
static json_t *status_clients(const struct agent *a)
{
	struct http_stats http = {0};
	struct ctl_stats ctl = {0};
	json_t *o = json_object();

	if (a->ctl)
		ctl__stats(a->ctl, &ctl);
	if (a->http)
		http__stats(a->http, &http);
	set_u64(o, "socket_requests", ctl.requests);
	set_u64(o, "socket_refused", ctl.refused);
	set_u64(o, "socket_displaced", ctl.displaced);
	set_u64(o, "socket_timed_out", ctl.timed_out);
	set_u64(o, "socket_bad", ctl.bad);
	set_u64(o, "http_requests", http.requests);
	set_u64(o, "http_displaced", http.displaced);
	return o;
}

/* null: nobody was to be asked. */
static json_t *status_kubelet(struct agent *a)
{
	struct kube_status st;
	json_t *o;

	if (who__kube_status(a->who, &st))
		return json_null();
	o = json_object();
	set_str(o, "url", a->cfg.kubelet);
	set_u64(o, "requests", st.requests);
	set_u64(o, "failures", st.failures);
	set_num(o, "answer_age_s", clock__boot_ns() / 1e9 - st.answered_s);
	set_u64(o, "pods", st.pods);
	set_u64(o, "garbled", st.garbled);
	set_str(o, "error", *st.why ? st.why : NULL);
	return o;
}

struct self {
	uint32_t pid;
	struct watch *w;
};

static void find_self(void *ctx, struct series *s)
{
	struct watch *w = series__user(s);
	struct self *self = ctx;

	if (w && watch__is_proc(w) && w->id.tgid == self->pid && isnan(w->ended_s))
		self->w = w;
}

static json_t *status_self(struct agent *a, const struct poller_stats *p)
{
	struct self self = {.pid = getpid()};
	json_t *o = json_object();

	store__foreach(a->store, find_self, &self);
	json_object_set_new(o, "cpu_percent", json_real(a->cpu_percent));
	set_u64(o, "cpu_ns", a->cpu_ns);
	set_u64(o, "map_bytes", p->map_bytes);
	if (self.w) {
		set_u64(o, "rss_bytes", self.w->rss_bytes);
		set_u64(o, "anon_bytes", self.w->anon_bytes);
		set_str(o, "verdict", verdict__state_name(self.w->verdict.state));
	}
	return o;
}

static void add_target(void *ctx, struct series *s)
{
	struct watch *w = series__user(s);
	json_t *o;

	if (!w || !w->drill_hits || !isnan(w->ended_s))
		return;
	o = json_object();
	set_u64(o, "pid", w->id.tgid);
	set_str(o, "comm", w->proc ? w->proc->comm : NULL);
	set_u64(o, "slices", w->drill_slices);
	set_u64(o, "hits", w->drill_hits);
	set_u64(o, "cost_ns", w->drill_cost_ns);
	json_object_set_new(o, "cost_percent", json_real(100 * w->drill_cost_share));
	json_object_set_new(o, "duty_percent", json_real(100 * w->drill_duty_share));
	json_object_set_new(o, "watched_s", json_real(w->drill_watched_s));
	json_array_append_new(ctx, o);
}

/* What the closer looks cost the processes that are there. */
static json_t *status_targets(struct agent *a)
{
	json_t *list = json_array();

	store__foreach(a->store, add_target, list);
	return list;
}

/* Who is told of incidents, and how that goes. URLs may be secrets: names and types only. */
static json_t *status_notifications(const struct agent *a)
{
	json_t *list = json_array();
	struct notify_stats ns;
	size_t i;

	for (i = 0; a->notify && i < notify__cnt(a->notify); i++) {
		json_t *o = json_object();

		notify__stats(a->notify, i, &ns);
		set_str(o, "target", ns.name);
		set_str(o, "type", ns.type);
		set_u64(o, "sent", ns.sent);
		set_u64(o, "failed", ns.failed);
		set_u64(o, "queued", ns.pending);
		set_u64(o, "dropped", ns.dropped);
		set_num(o, "last_sent_s", ns.sent_s);
		set_num(o, "last_failed_s", ns.failed_s);
		set_str(o, "last_error", ns.error[0] ? ns.error : NULL);
		json_array_append_new(list, o);
	}
	return list;
}

static json_t *status_otlp(const struct agent *a)
{
	json_t *o = json_object();
	struct otlp_stats os;

	if (!a->otlp) {
		json_decref(o);
		return json_null();
	}
	otlp__stats(a->otlp, &os);
	set_u64(o, "sent", os.sent);
	set_u64(o, "failed", os.failed);
	set_u64(o, "skipped", os.skipped);
	set_str(o, "last_error", os.error[0] ? os.error : NULL);
	return o;
}

static void say_untold(const struct agent *a, json_t *list)
{
	struct notify_stats ns;
	size_t i;

	for (i = 0; a->notify && i < notify__cnt(a->notify); i++) {
		notify__stats(a->notify, i, &ns);
		if (ns.error[0])
			answer__say(list, "'%s' cannot be told of incidents: %s; it is tried again",
				    ns.name, ns.error);
	}
}

json_t *answer__drill(struct agent *a)
{
	const char *off = court__drill_is_off(a);
	int is_paused = a->drill && !a->cfg.no_drill && off;
	json_t *o = json_object();

	set_str(o, "state", !off ? "on" : is_paused ? "paused" : "off");
	set_str(o, "reason", off);
	set_num(o, "paused_until_s", is_paused ? a->drill_paused_s : NAN);
	json_object_set_new(o, "no_drill_for",
			    rules__filters_to_json(a->cfg.rules, RULES_NO_DRILL));
	json_object_set_new(o, "targets", status_targets(a));
	return o;
}

/* Who reads the files of others, without rights of its own; and what the agent itself cannot do. */
static json_t *status_sandbox(const struct agent *a)
{
	char confined[PROBLEM_LEN], missing[PROBLEM_LEN];
	struct sandbox_stats st;
	json_t *o = json_object();

	sandbox__stats(&st);
	confine__describe(st.confined, confined, sizeof(confined));
	confine__missing(st.confined, missing, sizeof(missing));
	set_str(o, "confined", st.confined ? confined : NULL);
	set_str(o, "missing", missing[0] ? missing : NULL);
	set_u64(o, "started", st.started);
	set_u64(o, "running", st.running);
	set_u64(o, "failed", st.failed);
	set_u64(o, "refused", st.refused);
	set_u64(o, "cpu_ns", st.cpu_ns);
	set_u64(o, "max_rss_bytes", st.max_rss_bytes);
	set_str(o, "error", st.last_err ? strerror(-st.last_err) : NULL);
	set_str(o, "own_calls", a->guard_err ? strerror(-a->guard_err) : "filtered");
	json_object_set_new(o, "may_run_commands",
			    json_boolean(a->guard_err || a->may_run_commands));
	return o;
}

/* User and network are missing wherever a container does not permit them; the filter makes up for
 * that. Without it there is no sandbox. */
static void say_unconfined(const struct agent *a, json_t *list)
{
	struct sandbox_stats st;

	sandbox__stats(&st);
	if (st.confined && ~st.confined & (CONFINED_CAPS | CONFINED_SECCOMP))
		answer__say(list, "files of others are read without a sandbox: this kernel or "
				  "container permits none (%s); `seep doctor`",
			    st.confined & CONFINED_CAPS ? "seccomp" : "capabilities");
	if (st.last_err)
		answer__say(list, "%" PRIu64 " readers of the files of others could not be started: "
				  "%s; call sites have no names", st.refused,
			    strerror(-st.last_err));
	if (a->guard_err)
		answer__say(list, "the agent's own system calls are not filtered: %s",
			    strerror(-a->guard_err));
}

static json_t *status_problems(struct agent *a, const struct poller_stats *p)
{
	struct journal_stats js = {0};
	struct history_stats hs = {0};
	struct kube_status kube;
	json_t *list = json_array();

	if (a->journal)
		journal__stats(a->journal, &js);
	if (a->history)
		history__stats(a->history, &hs);
	if (!strcmp(p->rss, "off"))
		answer__say(list, "BPF is off: %s; `seep doctor` says what to do", p->why);
	if (!who__kube_status(a->who, &kube) && *kube.why)
		answer__say(list, "workloads and labels of pods are missing or old: kubelet "
			    "'%.100s': %s", a->cfg.kubelet ? a->cfg.kubelet : "?", kube.why);
	if (a->poll_err)
		answer__say(list, "polls fail: %s", strerror(-a->poll_err));
	if (js.last_err)
		answer__say(list, "the history of sizes is not saved in '%s': %s", a->cfg.state_dir,
			strerror(js.last_err));
	if (!a->history)
		answer__say(list, "incidents are not saved: %s", a->history_why);
	else if (hs.last_err)
		answer__say(list, "incidents are not saved in '%s': %s", a->cfg.state_dir,
			strerror(-hs.last_err));
	say_untold(a, list);
	say_unconfined(a, list);
	return list;
}

int answer__status(struct agent *a, json_t **ret_json)
{
	json_t *o = json_object(), *problems;
	struct poller_stats poller;
	struct store_stats store;

	poller__stats(a->poller, &poller);
	store__stats(a->store, &store);
	problems = status_problems(a, &poller);
	set_str(o, "schema", "seep.status/1");
	set_num(o, "at_s", a->now_s);
	set_str(o, "version", SEEP_VERSION);
	set_u64(o, "pid", getpid());
	set_str(o, "node", a->node);
	set_num(o, "started_s", a->start_s);
	set_num(o, "uptime_s", a->now_s - a->start_s);
	set_str(o, "state_dir", a->cfg.state_dir);
	json_object_set_new(o, "interval_s", json_real(a->cfg.interval_s));
	set_num(o, "window_s", a->cfg.window_s);
	set_str(o, "health", json_array_size(problems) ? "degraded" : "ok");
	json_object_set_new(o, "problems", problems);
	json_object_set_new(o, "not_seen", answer__not_seen(a));
	json_object_set_new(o, "probes", status_probes(&poller));
	json_object_set_new(o, "events", answer__events(a));
	json_object_set_new(o, "dropped", answer__dropped(a));
	json_object_set_new(o, "maps", answer__maps(a));
	json_object_set_new(o, "tracked", status_tracked(a, &store));
	json_object_set_new(o, "poll", status_poll(a));
	json_object_set_new(o, "journal", status_journal(a));
	json_object_set_new(o, "history", status_history(a));
	json_object_set_new(o, "incidents", json_pack("{s:I}", "open",
				    (json_int_t)tracker__open_cnt(a->tracker)));
	json_object_set_new(o, "oom_kills", status_ooms(a));
	json_object_set_new(o, "limit_events", status_limits(a));
	json_object_set_new(o, "clients", status_clients(a));
	json_object_set_new(o, "kubelet", status_kubelet(a));
	json_object_set_new(o, "last_inspection", inspect__last(a));
	json_object_set_new(o, "self", status_self(a, &poller));
	json_object_set_new(o, "sandbox", status_sandbox(a));
	json_object_set_new(o, "drill", answer__drill(a));
	json_object_set_new(o, "targets", status_targets(a));
	json_object_set_new(o, "notifications", status_notifications(a));
	json_object_set_new(o, "otlp", status_otlp(a));
	*ret_json = o;
	return 0;
}
