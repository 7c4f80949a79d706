// SPDX-License-Identifier: BSD-2-Clause
/*
 * agent.c - the composition root: makes every module, and lets one tick run through them.
 *
 * Single-threaded: one epoll loop with a timer (the tick), the kernel's event ring, the socket and
 * the signals. Agent time is the wall clock at the start carried on by CLOCK_BOOTTIME, so that a
 * stepped clock bends no trend; it starts after the newest restored point.
 */
#include <errno.h>
#include <limits.h>
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <linux/capability.h>
#include <sys/epoll.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent.h"
#include "state.h"
#include "base/caps.h"
#include "base/clock.h"
#include "base/confine.h"
#include "base/fs.h"
#include "base/log.h"
#include "base/units.h"
#include "out/http_access.h"
#include "probe/feat.h"

#define HOUSEKEEPING_TICKS 60
#define HISTORY_ROWS_MAX   100000
#define HISTORY_RETRY_SHARE 360 /* a database that does not open: so often per window */
#define SWEEP_SHARE        24 /* restored incidents without their object close after so much */

static void retry_history(struct agent *a);

/* ---- the tick ---------------------------------------------------------------------------- */

static double agent_time(const struct agent *a)
{
	return a->base_s + (clock__boot_ns() - a->base_ns) / 1e9;
}

static void on_proc_event(void *ctx, const struct proc_event *ev)
{
	census__event(ctx, ev);
}

static void drain_events(void *ctx, uint32_t epoll_events)
{
	struct agent *a = ctx;

	(void)epoll_events;
	poller__drain(a->poller, on_proc_event, a);
}

/* How long it took, whether it came late, and what the agent itself costs. */
static void account_tick(struct agent *a, uint64_t began_ns)
{
	uint64_t cpu_ns = clock__ns(CLOCK_PROCESS_CPUTIME_ID);
	double span_s = a->now_s - a->before_s;

	a->tick_ns = clock__boot_ns() - began_ns;
	if (a->tick_ns > a->tick_max_ns)
		a->tick_max_ns = a->tick_ns;
	if (span_s > 0) {
		a->cpu_percent = (cpu_ns - a->cpu_ns) / 1e7 / span_s;
		a->ticks_late += span_s > 2 * a->cfg.interval_s;
	}
	a->cpu_ns = cpu_ns;
	a->before_s = a->now_s;
}

/* Say once what became of it. */
static void hear_kubelet(struct agent *a)
{
	struct kube_status st;

	who__update(a->who);
	if (who__kube_status(a->who, &st) || !strcmp(st.why, a->kubelet_why))
		return;
	memcpy(a->kubelet_why, st.why, sizeof(st.why));
	if (*st.why)
		log_warn("kubelet '%s': %s; going on without what it knows of pods, asking again",
			 a->cfg.kubelet, st.why);
	else
		log_info("kubelet '%s': answers again, %u pods", a->cfg.kubelet, st.pods);
}

static int poll_kernel(struct agent *a)
{
	const struct proc_sample *samples;
	size_t cnt;
	int err;

	err = poller__poll(a->poller, &samples, &cnt);
	if (err && err != a->poll_err)
		log_err("poll failed: %s, trying again at the next tick", strerror(-err));
	a->poll_err = err;
	if (err) {
		a->polls_failed++;
		return err;
	}
	a->polled_s = a->now_s;
	drain_events(a, 0);
	hear_kubelet(a);
	census__take(a, samples, cnt);
	return 0;
}

static void save(struct agent *a)
{
	int err = journal__tick(a->journal, a->store, a->now_s);

	if (err && err != a->journal_err)
		log_err("'%s': history not saved: %s, trying again at each tick", a->cfg.state_dir,
			strerror(-err));
	else if (!err && a->journal_err)
		log_info("'%s': history is saved again", a->cfg.state_dir);
	a->journal_err = err;
}

static void ignore_cgroup(void *ctx, uint64_t cgroup_id, const struct seep_cgroup *cg)
{
	(void)ctx;
	(void)cgroup_id;
	(void)cg;
}

/* Now and then: what has piled up and is of no use any more. */
static void keep_house(struct agent *a)
{
	who__expire(a->who);
	poller__cgroups(a->poller, ignore_cgroup, NULL); /* takes empty ones out of the map */
	if (a->history)
		history__expire(a->history, a->now_s - a->cfg.retention_days * 86400.0,
				HISTORY_ROWS_MAX);
}

/* Poll, store, judge, track, look closer, save. */
static void tick(void *ctx, uint32_t epoll_events)
{
	uint64_t began_ns = clock__boot_ns();
	struct agent *a = ctx;

	(void)epoll_events;
	a->seq++;
	a->now_s = agent_time(a);
	retry_history(a);
	if (!poll_kernel(a)) {
		court__sit(a);
		court__investigate(a);
		inspect__tick(a);
		save(a);
	}
	if (a->now_s - a->start_s > a->cfg.window_s / SWEEP_SHARE)
		tracker__sweep(a->tracker, a->now_s, a->start_s);
	herald__tick(a);
	if (a->seq % HOUSEKEEPING_TICKS == 0)
		keep_house(a);
	account_tick(a, began_ns);
}

static void on_drill(void *ctx, uint32_t epoll_events)
{
	struct agent *a = ctx;

	(void)epoll_events;
	drill__collect(a->drill, court__hear, a);
}

/* ---- signals ----------------------------------------------------------------------------- */

static void on_terminate(void *ctx, uint32_t epoll_events)
{
	struct agent *a = ctx;

	(void)epoll_events;
	log_info("ending: saving and detaching");
	loop__stop(a->loop);
}

static int differ(const char *a, const char *b)
{
	return a && b ? strcmp(a, b) : a != b;
}

/* What is already built keeps its shape until the next start. */
static int needs_restart(const struct config *old, const struct config *fresh)
{
	return fresh->interval_s != old->interval_s || fresh->window_s != old->window_s ||
	       strcmp(fresh->state_dir, old->state_dir) || strcmp(fresh->socket, old->socket) ||
	       strcmp(fresh->listen, old->listen) ||
	       differ(fresh->web_token_file, old->web_token_file) ||
	       fresh->max_processes != old->max_processes;
}

static int has_commands(const struct config *cfg)
{
	size_t i;

	for (i = 0; i < cfg->notify_cnt; i++)
		if (cfg->notify[i].type == NOTIFY_COMMAND)
			return 1;
	return 0;
}

/* The rules of a->cfg were freed by config__reload. */
static void follow(struct agent *a, const struct config *fresh)
{
	const char *reason;

	log__set_level(LOG_LEVEL_INFO + (fresh->verbose > 0));
	a->cfg.verbose = fresh->verbose;
	a->cfg.retention_days = fresh->retention_days;
	a->cfg.no_drill = fresh->no_drill;
	a->cfg.metrics_top = fresh->metrics_top;
	a->cfg.inspect = fresh->inspect;
	a->cfg.inspect_limit_s = fresh->inspect_limit_s;
	a->cfg.include = fresh->include;
	a->cfg.exclude = fresh->exclude;
	a->cfg.no_drill_for = fresh->no_drill_for;
	a->cfg.rules = fresh->rules;
	inspect__schedule(&a->inspection, a->cfg.inspect, a->now_s, &reason);
	court__obey(a);
	memcpy(a->cfg.notify, fresh->notify, sizeof(a->cfg.notify));
	a->cfg.notify_cnt = fresh->notify_cnt;
	a->cfg.kube_events = fresh->kube_events;
	a->cfg.otlp = fresh->otlp;
	a->cfg.otlp_header_file = fresh->otlp_header_file;
	a->cfg.otlp_interval_s = fresh->otlp_interval_s;
	if (has_commands(&a->cfg) && !a->may_run_commands && !a->guard_err)
		log_warn("commands can be run only if one is configured at the start: "
			 "start the agent again");
	herald__stop(a);
	herald__start(a);
}

int agent__reload(struct agent *a, char *why, size_t cap)
{
	struct config fresh = a->cfg;

	if (config__reload(&fresh, a->argc, a->argv, why, cap)) {
		log_err("%s; keeping the configuration as it was", why);
		return -EINVAL;
	}
	snprintf(why, cap, "configuration read%s",
		 needs_restart(&a->cfg, &fresh) ?
			 "; interval, window, state-dir, socket, listen, web-token-file and "
			 "max-processes take effect at the next start" : "");
	log_info("%s", why);
	follow(a, &fresh);
	return 0;
}

static void on_reload(void *ctx, uint32_t epoll_events)
{
	char why[512];

	(void)epoll_events;
	agent__reload(ctx, why, sizeof(why));
}

/* ---- incidents that opened or closed --------------------------------------------------- */

static void on_incident(void *ctx, const struct incident *in)
{
	const struct incident_object *o = &in->object;
	char grown[16], left[24];
	struct agent *a = ctx;

	if (in->state == INCIDENT_CLOSED) {
		a->closed_cnt[in->severity]++;
		if (a->notify)
			notify__closed(a->notify, a->now_s, in);
		log_info("incident %s closed: %s", in->id,
			 in->close_reason ? in->close_reason : "over");
		return;
	}
	a->opened_cnt[in->severity]++;
	if (in->kind == INCIDENT_MEMORY_ERROR) {
		log_warn("incident %s: memory error of '%s'; `seep show %s`", in->id,
			 o->comm ? o->comm : o->cgroup ? o->cgroup : "?", in->id);
		return;
	}
	units__format_bytes(in->verdict.growth_bytes, grown, sizeof(grown));
	units__format_duration(in->verdict.time_to_limit_s, left, sizeof(left));
	log_warn("incident %s: '%s' (%s %u) leaks: %s grown, %s to the limit; `seep show %s`",
		 in->id, o->comm ? o->comm : o->cgroup ? o->cgroup : "?",
		 o->pid ? "pid" : "cgroup", o->pid, grown, left, in->id);
}

/* ---- making and unmaking ----------------------------------------------------------------- */

static void read_boot_id(char boot_id[40])
{
	ssize_t n = fs__read("/proc/sys/kernel/random/boot_id", boot_id, 40);

	boot_id[n > 0 ? strcspn(boot_id, "\n") : 0] = '\0';
}

static void on_evict(void *ctx, struct series *s)
{
	census__evicted(ctx, s);
}

static int make_store(struct agent *a)
{
	struct store_cfg cfg = {
		.interval_s = a->cfg.interval_s,
		.window_s = a->cfg.window_s,
		.max_series = a->cfg.max_processes,
	};

	a->store = store__new(&cfg);
	if (!a->store)
		return -ENOMEM;
	store__on_evict(a->store, on_evict, a);
	return 0;
}

static void find_newest(void *ctx, struct series *s)
{
	double last_s = series__last_s(s), *newest_s = ctx;

	if (last_s > *newest_s)
		*newest_s = last_s;
}

/* Time goes on after the newest restored point, even when the wall clock went back meanwhile. */
static void start_clock(struct agent *a)
{
	double newest_s = -INFINITY;

	store__foreach(a->store, find_newest, &newest_s);
	a->base_ns = clock__boot_ns();
	a->base_s = clock__wall_s();
	if (a->base_s <= newest_s) {
		log_warn("the clock went back by %.0f s since the last run; times run on from there",
			 newest_s - a->base_s);
		a->base_s = newest_s + a->cfg.interval_s;
	}
	a->start_s = a->now_s = a->base_s;
	a->before_s = NAN;
}

static int restore(struct agent *a)
{
	struct journal_cfg cfg = {.dir = a->cfg.state_dir, .boot_id = a->boot_id};
	int err;

	err = journal__open(&cfg, a->store, &a->journal, &a->restored_polls);
	if (!a->journal)
		return err ? err : -ENOMEM;
	if (err)
		log_err("'%s': %s; the history of sizes is kept in memory only, trying again at "
			"each tick", a->cfg.state_dir, strerror(-err));
	else if (a->restored_polls)
		log_info("'%s': %u polls restored", a->cfg.state_dir, a->restored_polls);
	a->journal_err = err;
	return 0;
}

/* Logs what is new about it. */
static int open_history(struct agent *a)
{
	char path[PATH_MAX], before[sizeof(a->history_why)];
	const char *why = "";
	int err;

	memcpy(before, a->history_why, sizeof(before));
	a->history_tried_s = a->now_s;
	snprintf(path, sizeof(path), "%s/incidents.db", a->cfg.state_dir);
	err = history__open(path, &a->history, &why);
	if (!err) {
		a->history_why[0] = '\0';
		if (why && *why)
			log_warn("'%s': %s", path, why);
		return 0;
	}
	a->history = NULL;
	snprintf(a->history_why, sizeof(a->history_why), "'%.120s': %s", path,
		 why && *why ? why : strerror(-err));
	if (strcmp(before, a->history_why))
		log_err("%s; incidents are kept in memory only, trying again", a->history_why);
	return err;
}

/* What could not be opened may be well again, as after a disk that was full. */
static void retry_history(struct agent *a)
{
	if (a->history ||
	    a->now_s - a->history_tried_s < a->cfg.window_s / HISTORY_RETRY_SHARE ||
	    open_history(a))
		return;
	log_info("'%s': incidents are saved again", a->cfg.state_dir);
	tracker__use(a->tracker, a->history);
	mutes__use(a->mutes, a->history);
	herald__stop(a);
	herald__start(a);
}

static int make_incidents(struct agent *a)
{
	struct tracker_cfg cfg;

	(void)open_history(a);
	cfg = (struct tracker_cfg){
		.history = a->history,
		.node = a->node,
		.window_s = a->cfg.window_s,
	};
	a->tracker = tracker__new(&cfg);
	a->mutes = mutes__new(a->history);
	if (!a->tracker || !a->mutes)
		return -ENOMEM;
	tracker__on_change(a->tracker, on_incident, a);
	return 0;
}

static int make_probes(struct agent *a)
{
	struct poller_cfg cfg = {
		.no_bpf = a->cfg.no_bpf,
		.probe.max_procs = a->cfg.max_processes,
	};
	struct who_cfg who_cfg = {
		.max_procs = a->cfg.max_processes * 2,
		.root_dir = a->cfg.host_root,
	};
	struct poller_stats stats;
	int err;

	err = who__new(&who_cfg, &a->who);
	if (!a->who)
		return err ? err : -ENOMEM;
	if (err)
		log_warn("no memory cgroups: %s; limits and containers stay unknown",
			 strerror(-err));
	err = poller__new(&cfg, &a->poller);
	if (err)
		return err;
	poller__stats(a->poller, &stats);
	if (!strcmp(stats.rss, "off"))
		log_warn("BPF is off (%s): polling /proc only; `seep doctor` says what to do",
			 stats.why);
	else
		log_info("probes: rss_stat by %s, poll by %s", stats.rss, stats.poll);
	return 0;
}

/*
 * From here on only what polls and closer looks need: BPF, perf for return probes' stacks, reading
 * /proc of others, and deleted files through map_files. A state directory of somebody else's wants
 * one more, and so do probes where there is no uprobe_multi.
 */
static void drop_privileges(const struct agent *a)
{
	uint64_t keep = CAPS_BIT(CAP_BPF) | CAPS_BIT(CAP_PERFMON) | CAPS_BIT(CAP_SYS_PTRACE) |
			CAPS_BIT(CAP_DAC_READ_SEARCH) | CAPS_BIT(CAP_CHECKPOINT_RESTORE);
	struct stat st;
	int err;

	if (!stat(a->cfg.state_dir, &st) && st.st_uid != geteuid())
		keep |= CAPS_BIT(CAP_DAC_OVERRIDE);
	if (!a->cfg.no_bpf && !feat__has_uprobe_multi())
		keep |= CAPS_BIT(CAP_SYS_ADMIN);
	err = caps__keep(keep);
	if (err)
		log_warn("cannot drop privileges: %s, going on with all of them", strerror(-err));
}

/* What no agent needs is not to be had from here on, whoever may have got hold of a thread. */
static void filter_calls(struct agent *a)
{
	a->may_run_commands = has_commands(&a->cfg);
	a->guard_err = confine__guard(a->may_run_commands);
	if (a->guard_err)
		log_warn("cannot filter system calls: %s, going on without",
			 strerror(-a->guard_err));
}

static void ask_kubelet(struct agent *a)
{
	struct kube_cfg cfg = {
		.url = a->cfg.kubelet,
		.token_file = a->cfg.kubelet_token_file,
		.ca_file = a->cfg.kubelet_ca,
	};

	if (a->cfg.kubelet)
		who__ask_kubelet(a->who, &cfg);
}

/* Without BPF there is nothing to look with; the incidents say so. */
static int make_drill(struct agent *a)
{
	struct drill_cfg cfg = {
		.budget_share = a->cfg.drill_percent / 100.0,
		.max_targets = a->cfg.drill_targets,
		.window_s = a->cfg.window_s,
	};
	int err;

	if (a->cfg.no_bpf)
		return 0;
	err = drill__new(&cfg, &a->drill);
	if (!err && !loop__add_fd(a->loop, drill__fd(a->drill), EPOLLIN, on_drill, a))
		err = -errno;
	return err;
}

/* Neither an address that is taken nor a bad token may keep the agent from watching. */
static void make_http(struct agent *a)
{
	char token[ACCESS_TOKEN_MAX + 1];
	const char *file = a->cfg.web_token_file;
	int err = 0;

	if (!strcmp(a->cfg.listen, "none"))
		return;
	if (file)
		err = access__read_token(file, token);
	if (err) {
		log_err("'%s': %s; going on without HTTP", file, err == -EINVAL ?
			"expected a token of 8 to 256 printable characters" : strerror(-err));
		return;
	}
	err = http__new(a->loop, a->cfg.listen, file ? token : NULL, answer__http, a, &a->http);
	if (err)
		log_err("'%s': %s; going on without HTTP", a->cfg.listen,
			err == -EINVAL ? "expected ADDR:PORT or none" : strerror(-err));
	else
		log_info("HTTP on %s, port %u", a->cfg.listen, http__port(a->http));
}

static int make_loop(struct agent *a)
{
	uint64_t period_ns = a->cfg.interval_s * 1e9;
	int fd = poller__event_fd(a->poller), err;

	a->loop = loop__new();
	if (!a->loop)
		return -errno;
	err = ctl__new(a->loop, a->cfg.socket, answer__handle, a, &a->ctl);
	if (err) {
		log_err("'%s': %s%s", a->cfg.socket, strerror(-err),
			err == -EADDRINUSE ? ": another agent is running" : "");
		return err;
	}
	if (!loop__add_timer(a->loop, 1, period_ns, tick, a) ||
	    (fd >= 0 && !loop__add_fd(a->loop, fd, EPOLLIN, drain_events, a)) ||
	    !loop__add_signal(a->loop, SIGTERM, on_terminate, a) ||
	    !loop__add_signal(a->loop, SIGINT, on_terminate, a) ||
	    !loop__add_signal(a->loop, SIGHUP, on_reload, a))
		return -errno;
	return 0;
}

/* From here on the agent has threads. */
static int settle_in(struct agent *a)
{
	drop_privileges(a);
	filter_calls(a);
	ask_kubelet(a);
	return 0;
}

/* The socket comes early: a second agent must not touch the state of the first. */
static const struct {
	const char *name;
	int (*make)(struct agent *a);
} parts[] = {
	{"the probes", make_probes},
	{"the event loop", make_loop},
	{"privileges", settle_in},
	{"the store of series", make_store},
	{"the restored state", restore},
	{"the incidents", make_incidents},
	{"the threads for closer looks", make_drill},
};

static int make_parts(struct agent *a)
{
	size_t i;
	int err;

	for (i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
		err = parts[i].make(a);
		if (!err)
			continue;
		log_err("cannot start: %s: %s", parts[i].name, strerror(-err));
		return err;
	}
	return 0;
}

static void name_node(struct agent *a)
{
	if (a->cfg.node_name)
		snprintf(a->node, sizeof(a->node), "%s", a->cfg.node_name);
	else
		gethostname(a->node, sizeof(a->node) - 1);
}

int agent__new(const struct config *cfg, int argc, char **argv, struct agent **ret_agent)
{
	struct agent *a = calloc(1, sizeof(*a));
	const char *why;
	int err;

	if (!a) {
		log_err("cannot start: %s", strerror(ENOMEM));
		return -ENOMEM;
	}
	a->cfg = *cfg;
	a->drill_paused_s = -INFINITY;
	a->argc = argc;
	a->argv = argv;
	name_node(a);
	read_boot_id(a->boot_id);
	err = make_parts(a);
	if (err) {
		agent__free(a);
		return err;
	}
	make_http(a);
	start_clock(a);
	inspect__schedule(&a->inspection, a->cfg.inspect, a->now_s, &why);
	herald__start(a);
	*ret_agent = a;
	return 0;
}

int agent__run(struct agent *a)
{
	log_info("watching %s: every %gs, window %gs, socket '%s'", a->node, a->cfg.interval_s,
		 a->cfg.window_s, a->cfg.socket);
	return loop__run(a->loop);
}

static void free_watch(void *ctx, struct series *s)
{
	(void)ctx;
	watch__free(series__user(s));
}

void agent__free(struct agent *a)
{
	if (!a)
		return;
	coroner__free(a);
	census__free(a);
	ctl__free(a->ctl);
	http__free(a->http);
	herald__stop(a);
	drill__free(a->drill);
	journal__close(a->journal);
	tracker__free(a->tracker);
	mutes__free(a->mutes);
	history__close(a->history);
	if (a->store)
		store__foreach(a->store, free_watch, NULL);
	store__free(a->store);
	poller__free(a->poller);
	who__free(a->who);
	loop__free(a->loop);
	rules__free(a->cfg.rules);
	free(a);
}
