/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * config.h - what the agent was asked to do: defaults, then the file, then the command line.
 *
 * One table serves --help, the command line and the file: a key of the file is the long name of
 * an option. The file is INI: `key = value` lines, `#` and `;` comments, section [agent] or none,
 * and sections [rule "NAME"] (rules.h) and [notify "NAME"] (out/notify.h). What can be given
 * several times is replaced as a whole by the command line.
 */
#ifndef SEEP_AGENT_CONFIG_H
#define SEEP_AGENT_CONFIG_H

#include <stddef.h>
#include <jansson.h>

#include "cli/options.h"
#include "out/notify.h"
#include "rules.h"

struct config {
	const char *file;        /* --config, or NULL */
	double interval_s;
	double window_s;
	const char *state_dir;
	const char *socket;
	const char *listen;      /* ADDR:PORT or "none" */
	unsigned metrics_top;    /* processes and cgroups with metrics of their own at least */
	const char *web_token_file; /* or NULL: no token */
	unsigned max_processes;  /* tracked at once */
	unsigned retention_days; /* of closed incidents */
	const char *inspect;     /* when: crontab times, a period, or "off" */
	double inspect_limit_s;
	int no_drill;
	unsigned drill_percent;  /* of one core's time that a suspect may pay for a closer look */
	unsigned drill_targets;  /* looked at closer at once */
	int no_bpf;
	int kube_events;
	const char *otlp, *otlp_header_file; /* metrics are pushed there; or NULL */
	double otlp_interval_s;
	const char *node_name;   /* NULL: the host's name */
	const char *host_root;   /* before /run, /var/lib and /var/log, where runtimes keep names */
	const char *kubelet;     /* https://HOST:PORT, or NULL: not asked */
	const char *kubelet_token_file;
	const char *kubelet_ca;  /* file, or "none" */
	int verbose;
	struct option_list include, exclude, no_drill_for; /* selectors, as they were written */
	struct rules *rules;     /* what these and the file's sections come to */
	struct notify_target notify[NOTIFY_TARGETS_MAX]; /* of the file */
	size_t notify_cnt;
};

/*
 * Fill cfg. Returns 0, or -1 with *ret_exit: help was printed, or the usage or the file was
 * wrong (said on stderr, with the file's line). Strings point into argv or live until exit.
 */
int config__parse(struct config *cfg, int argc, char **argv, int *ret_exit);

/* Read the file again into cfg; on error cfg is unchanged and `why` says what is wrong. The rules
 * of before are freed. */
int config__reload(struct config *cfg, int argc, char **argv, char *why, size_t cap);
/* Would the file do? 0, or -EINVAL with its line and the reason in why. */
int config__check_file(const char *path, char *why, size_t cap);

/* {"file":..,"options":{name:value,..},"include":[..],"exclude":[..],"no_drill_for":[..],
 * "rules":[..],"notify":[{"name":..,"type":..},..]}. NULL: out of memory. */
json_t *config__to_json(const struct config *cfg);

#endif /* SEEP_AGENT_CONFIG_H */
