// SPDX-License-Identifier: BSD-2-Clause
/*
 * config.c - the option table of `seep agent`, and its file.
 *
 * The command line is parsed twice: once to learn of --config, and again over what the file said,
 * so that the command line wins.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <ini.h>

#include "cli/client.h"
#include "cli/options.h"
#include "state.h"
#include "config.h"
#include "drill/drill.h"
#include "out/ctl_proto.h"
#include "who/kube.h"
#include "out/http_access.h"

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))
#define SPECS_MAX    32
#define RULE_SECTION "rule "
#define NOTIFY_SECTION "notify "
#define MIN_INTERVAL 0.02 /* below, polling is all the agent does */
#define MIN_BUCKETS  24   /* a window of fewer polls says nothing */
#define MAX_WINDOW_S (366 * 86400.0)

static const struct config defaults = {
	.interval_s = 10,
	.window_s = 6 * 3600,
	.state_dir = "/var/lib/seep",
	.socket = CTL_DEFAULT_SOCKET,
	.listen = "127.0.0.1:9741",
	.metrics_top = 20,
	.max_processes = 8192,
	.retention_days = 30,
	.otlp_interval_s = 60,
	.inspect = "@hourly",
	.inspect_limit_s = 900,
	.drill_percent = 1,
	.drill_targets = 2,
	.host_root = "",
	.kubelet_token_file = KUBE_TOKEN_FILE,
	.kubelet_ca = KUBE_CA_FILE,
};

static void fill_specs(struct config *cfg, struct option_spec specs[SPECS_MAX])
{
	const struct option_spec rows[] = {
		{"config", 'c', OPTION_STRING, "FILE", &cfg->file,
		 "read options from FILE (key = value); the command\nline wins", NULL},
		{"interval", 'i', OPTION_DURATION, "TIME", &cfg->interval_s,
		 "time between two polls (default 10s)", NULL},
		{"window", 'w', OPTION_DURATION, "TIME", &cfg->window_s,
		 "history that is kept and judged (default 6h)", NULL},
		{"state-dir", 's', OPTION_STRING, "DIR", &cfg->state_dir,
		 "history and incidents (default /var/lib/seep)", NULL},
		{"socket", 0, OPTION_STRING, "PATH", &cfg->socket,
		 "where the other commands find the agent (default:\n$SEEP_SOCKET, then " CTL_DEFAULT_SOCKET ")", NULL},
		{"listen", 0, OPTION_STRING, "ADDR:PORT", &cfg->listen,
		 "web page, health and metrics over HTTP, or none\n(default 127.0.0.1:9741)", NULL},
		{"metrics-top", 0, OPTION_UINT, "N", &cfg->metrics_top,
		 "processes and cgroups with metrics of their own,\nbesides suspects (default 20)", NULL},
		{"web-token-file", 0, OPTION_STRING, "FILE", &cfg->web_token_file,
		 "HTTP wants the token in FILE, as a bearer or as the\npassword of user "
		 ACCESS_USER, NULL},
		{"max-processes", 0, OPTION_UINT, "N", &cfg->max_processes,
		 "processes and cgroups tracked at once (default 8192)", NULL},
		{"retention-days", 0, OPTION_UINT, "N", &cfg->retention_days,
		 "how long closed incidents are kept (default 30)", NULL},
		{"inspect", 0, OPTION_STRING, "WHEN", &cfg->inspect,
		 "look at the whole window afresh: crontab times such as\n\"0 * * * *\", a period such as 30m, or off\n(default @hourly)", NULL},
		{"inspect-limit", 0, OPTION_DURATION, "TIME", &cfg->inspect_limit_s,
		 "end an inspection that takes longer (default 900s)", NULL},
		{"no-drill", 0, OPTION_FLAG, NULL, &cfg->no_drill,
		 "never attach probes to a suspect by itself", NULL},
		{"no-drill-for", 0, OPTION_LIST, "SELECTOR", &cfg->no_drill_for,
		 "never attach probes to what this selects; may be\nrepeated", NULL},
		{"drill-percent", 0, OPTION_UINT, "N", &cfg->drill_percent,
		 "what a suspect may pay for a closer look, in percent\nof one core (default 1)", NULL},
		{"drill-targets", 0, OPTION_UINT, "N", &cfg->drill_targets,
		 "suspects that are looked at closer at once (default 2)", NULL},
		{"include", 0, OPTION_LIST, "SELECTOR", &cfg->include,
		 "report only what this selects, such as\n\"namespace=shop*,comm!=nginx\"; may be repeated", NULL},
		{"exclude", 0, OPTION_LIST, "SELECTOR", &cfg->exclude,
		 "never report what this selects; may be repeated", NULL},
		{"otlp", 0, OPTION_STRING, "URL", &cfg->otlp,
		 "push metrics to this OTLP/HTTP endpoint, as JSON\n(http://collector:4318/v1/metrics)", NULL},
		{"otlp-interval", 0, OPTION_DURATION, "TIME", &cfg->otlp_interval_s,
		 "time between two pushes (default 60s)", NULL},
		{"otlp-header-file", 0, OPTION_STRING, "FILE", &cfg->otlp_header_file,
		 "lines NAME: VALUE to send along, read each time", NULL},
		{"kube-events", 0, OPTION_FLAG, NULL, &cfg->kube_events,
		 "tell of incidents as Events of their pods, with the\npod's service account", NULL},
		{"no-bpf", 0, OPTION_FLAG, NULL, &cfg->no_bpf,
		 "poll /proc only, without BPF", NULL},
		{"node-name", 0, OPTION_STRING, "NAME", &cfg->node_name,
		 "what incidents call this node (default: its host name)", NULL},
		{"host-root", 0, OPTION_STRING, "DIR", &cfg->host_root,
		 "where the host's /run, /var/lib and /var/log are\nmounted, to read names of containers", NULL},
		{"kubelet", 0, OPTION_STRING, "URL", &cfg->kubelet,
		 "ask this kubelet for workloads and labels of pods,\nas https://10.0.0.7:10250 (default: nobody)", NULL},
		{"kubelet-token-file", 0, OPTION_STRING, "FILE", &cfg->kubelet_token_file,
		 "token to ask with (default: the service account's)", NULL},
		{"kubelet-ca", 0, OPTION_STRING, "FILE|none", &cfg->kubelet_ca,
		 "who signed the kubelet's certificate; none: it is not\nchecked (default: the service account's)", NULL},
		{"verbose", 'v', OPTION_COUNT, NULL, &cfg->verbose,
		 "log more, libbpf's messages too", NULL},
		{0},
	};

	_Static_assert(sizeof(rows) / sizeof(rows[0]) <= SPECS_MAX, "SPECS_MAX is too small");
	memcpy(specs, rows, sizeof(rows));
}

/* One target of notifications; the file alone has these. */
static void fill_notify_specs(struct notify_target *t, struct option_spec specs[SPECS_MAX])
{
	static const char *const severities[] = {"info", "warning", "critical", NULL};
	const struct option_spec rows[] = {
		{.name = "type", .kind = OPTION_CHOICE, .target = &t->type, .choices = notify_types,
		 .metavar = "webhook, alertmanager, syslog, command or kube-event"},
		{.name = "url", .kind = OPTION_STRING, .target = &t->url},
		{.name = "url-file", .kind = OPTION_STRING, .target = &t->url_file},
		{.name = "header-file", .kind = OPTION_STRING, .target = &t->header_file},
		{.name = "token-file", .kind = OPTION_STRING, .target = &t->token_file},
		{.name = "ca-file", .kind = OPTION_STRING, .target = &t->ca_file},
		{.name = "body-file", .kind = OPTION_STRING, .target = &t->body_file},
		{.name = "command", .kind = OPTION_STRING, .target = &t->command},
		{.name = "selector", .kind = OPTION_STRING, .target = &t->selector},
		{.name = "min-severity", .kind = OPTION_CHOICE, .target = &t->min_severity,
		 .choices = severities, .metavar = "info, warning or critical"},
		{.name = "group", .kind = OPTION_CHOICE, .target = &t->group,
		 .choices = notify_groups, .metavar = "workload, image, none or all"},
		{.name = "send-resolved", .kind = OPTION_FLAG, .target = &t->send_resolved},
		{.name = "timeout", .kind = OPTION_DURATION, .target = &t->timeout_s},
		{.name = "group-wait", .kind = OPTION_DURATION, .target = &t->wait_s},
		{.name = "group-interval", .kind = OPTION_DURATION, .target = &t->interval_s},
		{.name = "repeat-interval", .kind = OPTION_DURATION, .target = &t->repeat_s},
		{.name = "rate", .kind = OPTION_UINT, .target = &t->rate},
		{0},
	};

	_Static_assert(sizeof(rows) / sizeof(rows[0]) <= SPECS_MAX, "SPECS_MAX is too small");
	memcpy(specs, rows, sizeof(rows));
}

/* ---- the file ---------------------------------------------------------------------------- */

struct reading {
	struct config *cfg;
	struct option_spec *specs;
	struct rules *rules;
	char *why;
	size_t cap;
};

static struct option_spec *find_spec(struct option_spec *specs, const char *name)
{
	for (; specs->name; specs++)
		if (!strcmp(specs->name, name) && strcmp(name, "config"))
			return specs;
	return NULL;
}

/* 1 or 0, or -EINVAL. */
static int parse_flag(const char *value)
{
	static const char *const words[] = {"0", "1", "false", "true", "no", "yes", "off", "on"};
	size_t i;

	for (i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		if (!strcmp(value, words[i]))
			return i % 2;
	return -EINVAL;
}

/* Until exit: an older configuration may still be what a part of the agent was built with. */
static const char *keep(const char *value)
{
	static struct kept {
		struct kept *next;
		char text[];
	} *all;
	struct kept *k = malloc(sizeof(*k) + strlen(value) + 1);

	if (!k)
		return NULL;
	k->next = all;
	all = k;
	return strcpy(k->text, value);
}

static int assign(struct option_spec *spec, const char *value)
{
	int flag = parse_flag(value);
	const char *copy;

	if (spec->kind == OPTION_FLAG || spec->kind == OPTION_COUNT) {
		if (flag < 0)
			return flag;
		*(int *)spec->target = flag;
		return 0;
	}
	if (spec->kind != OPTION_STRING && spec->kind != OPTION_LIST)
		return options__assign(spec, value);
	copy = keep(value);
	return copy ? options__assign(spec, copy) : -ENOMEM;
}

static void on_option(struct reading *r, struct option_spec *specs, const char *owner,
		      const char *name, const char *value)
{
	struct option_spec *spec = find_spec(specs, name);

	if (!spec)
		snprintf(r->why, r->cap, "'%s' is not an option of %s", name, owner);
	else if (assign(spec, value))
		snprintf(r->why, r->cap, "'%s = %s': expected %s", name, value,
			 spec->kind == OPTION_FLAG || spec->kind == OPTION_COUNT ?
				 "yes or no" : options__expected(spec));
}

/* The NAME of a section, in quotes or not. */
static void bare_name(const char *name, char bare[64])
{
	snprintf(bare, 64, "%s", name + (*name == '"'));
	if (*name == '"' && *bare && bare[strlen(bare) - 1] == '"')
		bare[strlen(bare) - 1] = '\0';
}

/* A section `rule NAME`. */
static void on_rule(struct reading *r, const char *section, const char *key, const char *value)
{
	char why[RULES_WHY_LEN], bare[64];

	bare_name(section + strlen(RULE_SECTION), bare);
	if (rules__set(r->rules, bare, key, value, why))
		snprintf(r->why, r->cap, "'%.40s = %.80s': %s", key, value, why);
}

/* Found by its name, or begun; NULL: there are too many. */
static struct notify_target *find_target(struct config *cfg, const char *name)
{
	size_t i;

	for (i = 0; i < cfg->notify_cnt; i++)
		if (!strcmp(cfg->notify[i].name, name))
			return &cfg->notify[i];
	if (cfg->notify_cnt == NOTIFY_TARGETS_MAX)
		return NULL;
	notify_target__init(&cfg->notify[cfg->notify_cnt], name);
	return &cfg->notify[cfg->notify_cnt++];
}

/* A section `notify NAME`. */
static void on_notify(struct reading *r, const char *section, const char *key, const char *value)
{
	struct option_spec specs[SPECS_MAX];
	struct notify_target *target;
	char bare[64];

	bare_name(section + strlen(NOTIFY_SECTION), bare);
	target = *bare ? find_target(r->cfg, bare) : NULL;
	if (!target) {
		if (*bare)
			snprintf(r->why, r->cap, "more than %d targets of notifications",
				 NOTIFY_TARGETS_MAX);
		else
			snprintf(r->why, r->cap, "a target of notifications needs a name");
		return;
	}
	fill_notify_specs(target, specs);
	on_option(r, specs, "notifications", key, value);
}

/* inih: non-zero is success. */
static int on_pair(void *ctx, const char *section, const char *name, const char *value)
{
	struct reading *r = ctx;

	if (r->why[0])
		return 1; /* only the first trouble is told */
	if (!strncmp(section, RULE_SECTION, strlen(RULE_SECTION)))
		on_rule(r, section, name, value);
	else if (!strncmp(section, NOTIFY_SECTION, strlen(NOTIFY_SECTION)))
		on_notify(r, section, name, value);
	else if (section[0] && strcmp(section, "agent"))
		snprintf(r->why, r->cap,
			 "section [%s] is not known: only [agent], [rule \"NAME\"] and "
			 "[notify \"NAME\"] are", section);
	else
		on_option(r, r->specs, "the agent", name, value);
	return !r->why[0];
}

static int read_file(struct config *cfg, char *why, size_t cap)
{
	struct option_spec specs[SPECS_MAX];
	struct reading r = {.cfg = cfg, .specs = specs, .rules = cfg->rules};
	char text[400] = "";
	int line;

	r.why = text;
	r.cap = sizeof(text);
	fill_specs(cfg, specs);
	line = ini_parse(cfg->file, on_pair, &r);
	if (line == -1)
		snprintf(why, cap, "'%s': %s", cfg->file, strerror(errno));
	else if (line)
		snprintf(why, cap, "'%s' line %d: %s", cfg->file, line > 0 ? line : 0,
			 text[0] ? text : "expected key = value");
	return line ? -EINVAL : 0;
}

/* ---- all of it --------------------------------------------------------------------------- */

static int check_notify(struct config *cfg, char *why, size_t cap)
{
	char text[300];
	size_t i;

	for (i = 0; i < cfg->notify_cnt; i++) {
		if (!notify_target__check(&cfg->notify[i], text, sizeof(text)))
			continue;
		snprintf(why, cap, "[notify \"%s\"]: %s", cfg->notify[i].name, text);
		return -EINVAL;
	}
	return 0;
}

static int check(struct config *cfg, char *why, size_t cap)
{
	struct inspection ignored;
	const char *reason;

	if (cfg->interval_s < MIN_INTERVAL)
		snprintf(why, cap, "interval must be 20ms or more");
	else if (cfg->window_s < cfg->interval_s * MIN_BUCKETS)
		snprintf(why, cap, "window must be %d intervals or more", MIN_BUCKETS);
	else if (cfg->window_s > MAX_WINDOW_S)
		snprintf(why, cap, "window must be 366d or less");
	else if (cfg->drill_percent < 1 || cfg->drill_percent > 100)
		snprintf(why, cap, "drill-percent must be 1 to 100");
	else if (cfg->drill_targets < 1 || cfg->drill_targets > DRILL_TARGETS_MAX)
		snprintf(why, cap, "drill-targets must be 1 to %d", DRILL_TARGETS_MAX);
	else if (inspect__schedule(&ignored, cfg->inspect, 0, &reason))
		snprintf(why, cap, "inspect '%.64s': %s", cfg->inspect, reason);
	else if (!(cfg->otlp_interval_s >= 0.1))
		snprintf(why, cap, "otlp-interval must be 100ms or more");
	else if (cfg->max_processes < 16 || cfg->max_processes > 1000000)
		snprintf(why, cap, "max-processes must be 16 to 1000000");
	else
		return check_notify(cfg, why, cap);
	return -EINVAL;
}

/* One pass over argv into cfg. 0, or -1 with *ret_exit. */
static int parse_args(struct config *cfg, int argc, char **argv, int *ret_exit)
{
	struct option_spec specs[SPECS_MAX];
	const struct options options = {
		.command = "agent",
		.about = "Watch every process and cgroup of this node, keep their history, and name\n"
			 "what leaks. Runs in the foreground and logs on stderr. SIGTERM saves and\n"
			 "ends, SIGHUP reads the configuration again.",
		.epilog = "Needs root, or CAP_BPF, CAP_PERFMON, CAP_SYS_PTRACE and\n"
			  "CAP_DAC_READ_SEARCH; `seep doctor` says what is missing.",
		.specs = specs,
	};

	fill_specs(cfg, specs);
	return options__parse(&options, argc, argv, ret_exit) < 0 ? -1 : 0;
}

static int add_filters(struct rules *rules, enum rules_filter kind, const char *option,
		       const struct option_list *list, char *why, size_t cap)
{
	char reason[RULES_WHY_LEN] = "out of memory";
	int i;

	for (i = 0; i < list->cnt; i++) {
		if (!rules__filter(rules, kind, list->items[i], reason))
			continue;
		snprintf(why, cap, "%s '%.100s': %s", option, list->items[i], reason);
		return -EINVAL;
	}
	return 0;
}

static int finish_rules(struct config *cfg, char *why, size_t cap)
{
	char reason[RULES_WHY_LEN];

	if (add_filters(cfg->rules, RULES_INCLUDE, "include", &cfg->include, why, cap) ||
	    add_filters(cfg->rules, RULES_EXCLUDE, "exclude", &cfg->exclude, why, cap) ||
	    add_filters(cfg->rules, RULES_NO_DRILL, "no-drill-for", &cfg->no_drill_for, why, cap))
		return -EINVAL;
	if (!rules__check(cfg->rules, reason))
		return 0;
	snprintf(why, cap, "%s", reason);
	return -EINVAL;
}

/* The line over what the file said; its lists replace those of the file. */
static int apply_args(struct config *cfg, int argc, char **argv, int *ret_exit)
{
	struct option_list *lists[] = {&cfg->include, &cfg->exclude, &cfg->no_drill_for};
	struct option_list of_file[ARRAY_SIZE(lists)];
	size_t i;

	for (i = 0; i < ARRAY_SIZE(lists); i++) {
		of_file[i] = *lists[i];
		lists[i]->cnt = 0;
	}
	if (parse_args(cfg, argc, argv, ret_exit))
		return -1;
	for (i = 0; i < ARRAY_SIZE(lists); i++)
		if (!lists[i]->cnt)
			*lists[i] = of_file[i];
	return 0;
}

/* Everything but the message of a wrong line, which parse_args prints itself. */
static int read_all(struct config *cfg, int argc, char **argv, char *why, size_t cap)
{
	int ret_exit;

	snprintf(why, cap, "out of memory");
	cfg->rules = rules__new();
	if (!cfg->rules || (cfg->file && read_file(cfg, why, cap)))
		return -EINVAL;
	if (apply_args(cfg, argc, argv, &ret_exit)) {
		snprintf(why, cap, "the command line does not parse");
		return -EINVAL;
	}
	return check(cfg, why, cap) ?: finish_rules(cfg, why, cap);
}

int config__parse(struct config *cfg, int argc, char **argv, int *ret_exit)
{
	char why[512];

	*cfg = defaults;
	cfg->socket = client__socket(NULL);
	if (parse_args(cfg, argc, argv, ret_exit))
		return -1;
	if (!config__reload(cfg, argc, argv, why, sizeof(why)))
		return 0;
	*ret_exit = SEEP_EXIT_USAGE;
	fprintf(stderr, "seep agent: %s\n", why);
	return -1;
}

int config__reload(struct config *cfg, int argc, char **argv, char *why, size_t cap)
{
	struct config fresh = defaults;
	int err;

	fresh.socket = client__socket(NULL);
	fresh.file = cfg->file;
	err = read_all(&fresh, argc, argv, why, cap);
	if (err) {
		rules__free(fresh.rules);
		return err;
	}
	rules__free(cfg->rules);
	*cfg = fresh;
	return 0;
}

int config__check_file(const char *path, char *why, size_t cap)
{
	struct config cfg = {.file = path};
	char *argv[] = {"agent", NULL};
	int err = config__reload(&cfg, 1, argv, why, cap);

	rules__free(cfg.rules);
	return err;
}

/* ---- showing ----------------------------------------------------------------------------- */

static json_t *value_to_json(const struct option_spec *spec)
{
	const char *text;

	switch (spec->kind) {
	case OPTION_FLAG:
	case OPTION_COUNT:
		return json_boolean(*(int *)spec->target);
	case OPTION_UINT:
		return json_integer(*(unsigned *)spec->target);
	case OPTION_DURATION:
		return json_real(*(double *)spec->target);
	case OPTION_STRING:
		text = *(const char **)spec->target;
		return text ? json_string(text) : json_null();
	default:
		return NULL; /* lists stand beside, with the rules */
	}
}

/* Who is told, without where: that may be a secret. */
static json_t *notify_to_json(const struct config *cfg)
{
	json_t *list = json_array();
	size_t i;

	for (i = 0; i < cfg->notify_cnt; i++) {
		const struct notify_target *t = &cfg->notify[i];

		json_array_append_new(list,
				      json_pack("{ss, ss, ss, ss?}", "name", t->name, "type",
						notify_types[t->type], "min_severity",
						incident__severity_name(t->min_severity),
						"selector", t->selector));
	}
	return list;
}

json_t *config__to_json(const struct config *cfg)
{
	struct config copy = *cfg; /* the table wants targets it may write */
	struct option_spec specs[SPECS_MAX], *spec;
	json_t *o = rules__to_json(cfg->rules), *options = json_object(), *value;

	fill_specs(&copy, specs);
	for (spec = specs; spec->name; spec++) {
		value = value_to_json(spec);
		if (value && strcmp(spec->name, "config"))
			json_object_set_new(options, spec->name, value);
		else
			json_decref(value);
	}
	json_object_set_new(o, "options", options);
	json_object_set_new(o, "notify", notify_to_json(cfg));
	json_object_set_new(o, "file", cfg->file ? json_string(cfg->file) : json_null());
	return o;
}
