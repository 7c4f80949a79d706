// SPDX-License-Identifier: BSD-2-Clause
/*
 * answer.c - what the agent tells: the bodies of top, leaks, show, status and record.
 *
 * Nothing here changes anything. Shapes are contracts (docs/man, CLI --json); an unknown value
 * is null, never a made-up number.
 */
#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "agent_state.h"
#include "base/buf.h"
#include "series/tape.h"

#define SPARK_POINTS 60
#define MAX_ROWS     10000

/* ---- small JSON helpers ------------------------------------------------------------------ */

static void set_str(json_t *o, const char *key, const char *value)
{
	json_t *text = value ? json_string(value) : NULL;

	json_object_set_new(o, key, text ? text : json_null());
}

static void set_u64(json_t *o, const char *key, uint64_t value)
{
	json_object_set_new(o, key, value == UINT64_MAX ? json_null() : json_integer(value));
}

/* Whole numbers: bytes and seconds. */
static void set_num(json_t *o, const char *key, double value)
{
	json_object_set_new(o, key, isfinite(value) ? json_integer(llround(value)) : json_null());
}

/* ---- top --------------------------------------------------------------------------------- */

static json_t *row_history(struct agent *a, const struct watch *w)
{
	double points[SPARK_POINTS], step_s = a->cfg.window_s / SPARK_POINTS;
	json_t *history = json_array();
	int i;

	series__resample(a->store, w->series, a->now_s, points, SPARK_POINTS);
	for (i = 0; i < SPARK_POINTS; i++)
		if (!isnan(points[i]))
			json_array_append_new(history,
				json_pack("[I,I]",
					  (json_int_t)llround(a->now_s - (SPARK_POINTS - 1 - i) * step_s),
					  (json_int_t)llround(points[i])));
	return history;
}

static void set_cgroup(json_t *row, const struct watch *w)
{
	static const struct cgroup_info nothing;
	const struct cgroup_info *cg = w->cgroup ? w->cgroup : &nothing;

	set_str(row, "cgroup", w->path ? w->path : cg->path);
	set_str(row, "container", cg->container);
	set_str(row, "container_id", cg->container_id);
	set_str(row, "runtime", cg->runtime);
	set_str(row, "image", cg->image);
	set_str(row, "pod", cg->pod);
	set_str(row, "pod_uid", cg->pod_uid);
	set_str(row, "namespace", cg->ns);
	set_str(row, "workload", cg->workload);
}

static json_t *row_of(struct agent *a, const struct watch *w)
{
	int is_proc = watch__is_proc(w);
	json_t *row = json_object();

	json_object_set_new(row, "pid", is_proc ? json_integer(w->id.tgid) : json_null());
	json_object_set_new(row, "start_ns", is_proc ? json_integer(w->id.start_ns) : json_null());
	set_str(row, "comm", w->proc ? w->proc->comm : NULL);
	set_str(row, "cmdline", w->proc ? w->proc->cmdline : NULL);
	set_cgroup(row, w);
	if (is_proc) {
		set_u64(row, "uid", w->uid);
		set_u64(row, "threads", w->threads);
	} else {
		set_u64(row, "processes", w->procs);
	}
	set_u64(row, "rss_bytes", w->rss_bytes);
	set_u64(row, "anon_bytes", w->anon_bytes);
	set_u64(row, "swap_bytes", w->swap_bytes);
	set_u64(row, "shmem_bytes", w->shmem_bytes);
	set_u64(row, "file_bytes", w->file_bytes);
	set_u64(row, "signal_bytes", w->signal_bytes);
	set_u64(row, "limit_bytes", w->limit_bytes);
	json_object_set_new(row, "load", isnan(w->load) ? json_null() : json_real(w->load));
	set_num(row, "growth_bytes_per_hour", watch__growth_per_hour(w, a->store, a->now_s));
	set_num(row, "time_to_limit_s", w->verdict.time_to_limit_s);
	set_str(row, "verdict", verdict__state_name(w->verdict.state));
	set_str(row, "class", verdict__class_name(w->verdict.class));
	set_str(row, "reason", w->detector ? detector__reason(w->detector) : "flat");
	json_object_set_new(row, "history", row_history(a, w));
	return row;
}

enum by { BY_PROCESS, BY_CGROUP, BY_POD, BY_CNT };

static const char *const by_names[BY_CNT] = {"process", "cgroup", "pod"};

static int find_by(const char *name)
{
	int by;

	for (by = 0; by < BY_CNT; by++)
		if (!strcmp(by_names[by], name))
			return by;
	return -EINVAL;
}

struct choice {
	struct watch *w;
	double score;
};

struct choices {
	const struct agent *a;
	enum by by;
	struct choice *v;
	size_t cnt, cap;
};

/* Leaks first, then suspects; among equals the faster growing, then the bigger. */
static double score_of(const struct watch *w)
{
	static const double tier[] = {
		[VERDICT_LEAK] = 3e18, [VERDICT_SUSPECT] = 2e18, [VERDICT_RECOVERED] = 1e18,
	};
	double score = (size_t)w->verdict.state < sizeof(tier) / sizeof(tier[0]) ?
			       tier[w->verdict.state] : 0;

	if (score > 0 && isfinite(w->verdict.slope_bytes_per_hour))
		score += w->verdict.slope_bytes_per_hour * 1024;
	return score + w->rss_bytes;
}

static int is_wanted(const struct choices *c, const struct watch *w)
{
	if (!w || w->seen_seq != c->a->seq)
		return 0;
	if (c->by == BY_PROCESS)
		return watch__is_proc(w);
	return !watch__is_proc(w) && (c->by == BY_CGROUP || (w->cgroup && w->cgroup->container_id));
}

static void choose(void *ctx, struct series *s)
{
	struct watch *w = series__user(s);
	struct choices *c = ctx;

	if (!is_wanted(c, w) || c->cnt == c->cap)
		return;
	c->v[c->cnt].w = w;
	c->v[c->cnt++].score = score_of(w);
}

static int by_score(const void *a, const void *b)
{
	const struct choice *x = a, *y = b;

	return x->score < y->score ? 1 : x->score > y->score ? -1 : 0;
}

json_t *answer__rows(struct agent *a, const char *by, unsigned n)
{
	struct choices c = {.a = a, .by = find_by(by), .cap = a->procs + a->cgroups};
	json_t *rows = json_array();
	size_t i;

	c.v = malloc(c.cap * sizeof(*c.v) + 1);
	if (!rows || !c.v) {
		json_decref(rows);
		free(c.v);
		return NULL;
	}
	store__foreach(a->store, choose, &c);
	qsort(c.v, c.cnt, sizeof(*c.v), by_score);
	for (i = 0; i < c.cnt && i < n; i++)
		json_array_append_new(rows, row_of(a, c.v[i].w));
	free(c.v);
	return rows;
}

static json_t *node_of(const struct agent *a)
{
	json_t *node = json_object();

	set_str(node, "name", a->node);
	set_u64(node, "total_bytes", a->node_total_bytes);
	set_u64(node, "available_bytes", a->node_available_bytes);
	set_u64(node, "open_incidents", tracker__open_cnt(a->tracker));
	return node;
}

static int answer_top(struct agent *a, const json_t *request, json_t **ret_json, struct buf *why)
{
	const char *by = json_string_value(json_object_get(request, "by"));
	json_int_t n = json_integer_value(json_object_get(request, "n"));
	json_t *top = json_object();

	if (!by)
		by = "process";
	if (find_by(by) < 0) {
		buf__printf(why, "by '%.16s' is not process, cgroup or pod", by);
		json_decref(top);
		return SEEP_EXIT_USAGE;
	}
	set_str(top, "schema", "seep.top/1");
	set_num(top, "at_s", a->now_s);
	set_num(top, "window_s", a->cfg.window_s);
	json_object_set_new(top, "interval_s", json_real(a->cfg.interval_s));
	set_str(top, "by", by);
	json_object_set_new(top, "node", node_of(a));
	json_object_set_new(top, "rows", answer__rows(a, by, n > 0 && n < MAX_ROWS ? n : MAX_ROWS));
	*ret_json = top;
	return 0;
}

/* ---- what is not seen -------------------------------------------------------------------- */

static void missing(json_t *list, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

static void missing(json_t *list, const char *fmt, ...)
{
	struct buf text = {0};
	char line[PROBLEM_LEN];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(line, sizeof(line), fmt, ap);
	va_end(ap);
	buf__puts(&text, line);
	json_array_append_new(list, json_string(text.data ? text.data : "?"));
	buf__free(&text);
}

json_t *answer__not_seen(struct agent *a)
{
	struct store_stats store;
	struct poller_stats poller;
	struct who_stats who;
	json_t *list = json_array();

	poller__stats(a->poller, &poller);
	store__stats(a->store, &store);
	who__stats(a->who, &who);
	if (!strcmp(poller.rss, "off"))
		missing(list, "without BPF (%s), what happens between two polls is not seen",
			poller.why);
	if (poller.stat[SEEP_STAT_PROC_FULL])
		missing(list, "%" PRIu64 " processes did not fit the kernel's table of %u; raise "
			"--max-processes", poller.stat[SEEP_STAT_PROC_FULL], poller.max_procs);
	if (poller.stat[SEEP_STAT_RING_FULL])
		missing(list, "%" PRIu64 " last records of ended processes were lost",
			poller.stat[SEEP_STAT_RING_FULL]);
	if (store.evicted + store.dropped)
		missing(list, "%" PRIu64 " series were evicted and %" PRIu64 " not begun at the "
			"bound of %u; raise --max-processes", store.evicted, store.dropped,
			store.max_series);
	if (!who.cgroup_version)
		missing(list, "no memory cgroups are mounted: limits and containers are unknown");
	if (a->poll_err)
		missing(list, "the last poll failed: %s", strerror(-a->poll_err));
	if (a->now_s - a->start_s < a->cfg.window_s / 24)
		missing(list, "watching for %.0f s only: slow growth takes up to the window of "
			"%.0f s to tell", a->now_s - a->start_s, a->cfg.window_s);
	if (tracker__dropped(a->tracker))
		missing(list, "%" PRIu64 " incidents were not opened: too many are open",
			tracker__dropped(a->tracker));
	return list;
}

/* ---- leaks, show ------------------------------------------------------------------------- */

static int add_incident(void *ctx, struct incident *in)
{
	json_array_append_new(ctx, incident__to_json(in, 1));
	incident__free(in);
	return 0;
}

static void add_open(void *ctx, const struct incident *in)
{
	json_array_append_new(ctx, incident__to_json(in, 1));
}

/* Open ones come from the tracker, which is always right; closed ones from the history. */
static int list_incidents(struct agent *a, int all, double since_s, json_t *list)
{
	struct history_query q = {.since_s = since_s};

	if (!all || !a->history) {
		tracker__foreach_open(a->tracker, add_open, list);
		return 0;
	}
	return history__query(a->history, &q, add_incident, list);
}

static int answer_leaks(struct agent *a, const json_t *request, json_t **ret_json, struct buf *why)
{
	int all = json_is_true(json_object_get(request, "all")), err;
	const json_t *since = json_object_get(request, "since_s");
	json_t *leaks = json_object(), *list = json_array(), *watched, *not_seen;

	err = list_incidents(a, all, json_is_number(since) ? json_number_value(since) : NAN, list);
	if (err) {
		buf__printf(why, "the history cannot be read: %s", strerror(-err));
		json_decref(leaks);
		json_decref(list);
		return SEEP_EXIT_FAILED;
	}
	watched = json_object();
	set_u64(watched, "processes", a->procs);
	set_u64(watched, "cgroups", a->cgroups);
	set_num(watched, "window_s", a->cfg.window_s);
	set_num(watched, "since_s", a->start_s);
	not_seen = answer__not_seen(a);
	if (all && !a->history)
		missing(not_seen, "closed incidents: there is no history (%s)", a->history_why);
	set_str(leaks, "schema", "seep.leaks/1");
	set_num(leaks, "at_s", a->now_s);
	json_object_set_new(leaks, "watched", watched);
	json_object_set_new(leaks, "not_seen", not_seen);
	json_object_set_new(leaks, "incidents", list);
	*ret_json = leaks;
	return 0;
}

struct lookup {
	const char *prefix;
	json_t *found;
	unsigned matches;
};

static void match(struct lookup *l, const struct incident *in)
{
	if (strncmp(in->id, l->prefix, strlen(l->prefix)))
		return;
	if (!strcmp(in->id, l->prefix))
		l->matches = 0; /* an exact id beats longer ones */
	if (!l->matches++) {
		json_decref(l->found);
		l->found = incident__to_json(in, 0);
	}
}

static void match_open(void *ctx, const struct incident *in)
{
	match(ctx, in);
}

static int match_closed(void *ctx, struct incident *in)
{
	if (in->state == INCIDENT_CLOSED)
		match(ctx, in);
	incident__free(in);
	return 0;
}

static int answer_show(struct agent *a, const json_t *request, json_t **ret_json, struct buf *why)
{
	const char *id = json_string_value(json_object_get(request, "id"));
	struct lookup l = {.prefix = id};
	struct history_query q = {.since_s = NAN, .id_prefix = id};

	if (!id || !*id) {
		buf__puts(why, "which incident? `seep leaks --all` lists them");
		return SEEP_EXIT_USAGE;
	}
	tracker__foreach_open(a->tracker, match_open, &l);
	if (a->history)
		history__query(a->history, &q, match_closed, &l);
	if (l.matches == 1) {
		*ret_json = l.found;
		return 0;
	}
	json_decref(l.found);
	if (l.matches)
		buf__printf(why, "'%.16s' is the beginning of %u incidents; give more of it", id,
			    l.matches);
	else
		buf__printf(why, "no incident '%.16s'; `seep leaks --all` lists them", id);
	return SEEP_EXIT_NO_TARGET;
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

static json_t *status_events(const struct agent *a, const struct poller_stats *p)
{
	json_t *o = json_object();
	size_t i;

	for (i = 0; i < sizeof(stat_names) / sizeof(stat_names[0]); i++)
		set_u64(o, stat_names[i].name, p->stat[stat_names[i].stat]);
	set_u64(o, "short_lived", a->short_lived);
	return o;
}

static json_t *status_dropped(const struct agent *a, const struct poller_stats *p,
			      const struct store_stats *st, const struct who_stats *who)
{
	json_t *o = json_object();
	size_t i;

	for (i = 0; i < sizeof(drop_names) / sizeof(drop_names[0]); i++)
		set_u64(o, drop_names[i].name, p->stat[drop_names[i].stat]);
	set_u64(o, "proc_unreadable", p->proc_errors);
	set_u64(o, "series_evicted", st->evicted);
	set_u64(o, "series_full", st->dropped);
	set_u64(o, "process_names_full", who->dropped_procs);
	set_u64(o, "cgroup_names_full", who->dropped_cgroups);
	set_u64(o, "names_vanished", who->vanished);
	set_u64(o, "restart_joins_full", a->limbo_dropped);
	set_u64(o, "incidents_full", tracker__dropped(a->tracker));
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

static json_t *status_maps(struct agent *a, const struct poller_stats *p)
{
	unsigned cgroups = 0;
	json_t *o = json_object();

	poller__cgroups(a->poller, count_entry, &cgroups);
	json_object_set_new(o, "seep_procs", fill(p->procs, p->max_procs));
	json_object_set_new(o, "seep_cgroups", fill(cgroups, p->max_cgroups));
	return o;
}

static json_t *status_tracked(const struct agent *a, const struct store_stats *st)
{
	json_t *o = json_object();

	set_u64(o, "processes", a->procs);
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
	set_str(o, "error", a->history ? hs.last_err ? strerror(hs.last_err) : NULL :
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
		json_array_append_new(list, o);
	}
	return list;
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

static json_t *status_problems(struct agent *a, const struct poller_stats *p)
{
	struct journal_stats js = {0};
	struct history_stats hs = {0};
	json_t *list = json_array();

	if (a->journal)
		journal__stats(a->journal, &js);
	if (a->history)
		history__stats(a->history, &hs);
	if (!strcmp(p->rss, "off"))
		missing(list, "BPF is off: %s; `seep doctor` says what to do", p->why);
	if (a->poll_err)
		missing(list, "polls fail: %s", strerror(-a->poll_err));
	if (js.last_err)
		missing(list, "the history of sizes is not saved in '%s': %s", a->cfg.state_dir,
			strerror(js.last_err));
	if (!a->history)
		missing(list, "incidents are not saved: %s", a->history_why);
	else if (hs.last_err)
		missing(list, "incidents are not saved in '%s': %s", a->cfg.state_dir,
			strerror(hs.last_err));
	return list;
}

static int answer_status(struct agent *a, json_t **ret_json)
{
	json_t *o = json_object(), *problems;
	struct poller_stats poller;
	struct store_stats store;
	struct who_stats who;

	poller__stats(a->poller, &poller);
	store__stats(a->store, &store);
	who__stats(a->who, &who);
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
	json_object_set_new(o, "events", status_events(a, &poller));
	json_object_set_new(o, "dropped", status_dropped(a, &poller, &store, &who));
	json_object_set_new(o, "maps", status_maps(a, &poller));
	json_object_set_new(o, "tracked", status_tracked(a, &store));
	json_object_set_new(o, "poll", status_poll(a));
	json_object_set_new(o, "journal", status_journal(a));
	json_object_set_new(o, "history", status_history(a));
	json_object_set_new(o, "incidents", json_pack("{s:I}", "open",
				    (json_int_t)tracker__open_cnt(a->tracker)));
	json_object_set_new(o, "oom_kills", status_ooms(a));
	json_object_set_new(o, "last_inspection", json_null());
	json_object_set_new(o, "self", status_self(a, &poller));
	json_object_set_new(o, "targets", json_array());
	*ret_json = o;
	return 0;
}

/* ---- record ------------------------------------------------------------------------------ */

struct recording {
	struct agent *a;
	struct buf *body;
};

static void record_series(void *ctx, struct series *s)
{
	struct recording *r = ctx;
	struct store_point *points;
	struct tape_row row = {.limit_bytes = series__limit_bytes(s)};
	size_t cnt, i;

	cnt = series__points(r->a->store, s, r->a->now_s, NULL, 0);
	points = malloc((cnt + 1) * sizeof(*points));
	if (!points) {
		r->body->err = -ENOMEM;
		return;
	}
	cnt = series__points(r->a->store, s, r->a->now_s, points, cnt);
	for (i = 0; i < cnt; i++) {
		row.t_s = points[i].t_s;
		row.bytes = points[i].last_bytes;
		row.load = points[i].load;
		row.start = points[i].start;
		tape__write_row(r->body, series__name(s), &row);
	}
	free(points);
}

static int answer_record(struct agent *a, struct buf *body)
{
	struct recording r = {.a = a, .body = body};

	tape__write_header(body);
	store__foreach(a->store, record_series, &r);
	return 0;
}

/* ---- dispatch ---------------------------------------------------------------------------- */

static int answer_json(struct agent *a, const char *cmd, const json_t *request, json_t **ret_json,
		       struct buf *why)
{
	if (!strcmp(cmd, "top"))
		return answer_top(a, request, ret_json, why);
	if (!strcmp(cmd, "leaks"))
		return answer_leaks(a, request, ret_json, why);
	if (!strcmp(cmd, "show"))
		return answer_show(a, request, ret_json, why);
	if (!strcmp(cmd, "status"))
		return answer_status(a, ret_json);
	buf__printf(why, "the agent does not know '%.32s'", cmd);
	return SEEP_EXIT_USAGE;
}

int answer__handle(void *ctx, const char *cmd, const json_t *request, struct buf *body)
{
	struct agent *a = ctx;
	json_t *json = NULL;
	char *text;
	int code;

	if (!strcmp(cmd, "record"))
		return answer_record(a, body);
	code = answer_json(a, cmd, request, &json, body);
	if (code)
		return code;
	text = json_dumps(json, JSON_COMPACT);
	json_decref(json);
	if (!text) {
		buf__puts(body, "the agent is out of memory");
		return SEEP_EXIT_FAILED;
	}
	buf__puts(body, text);
	buf__puts(body, "\n");
	free(text);
	return 0;
}
