/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * config.h - what the agent was asked to do: defaults, then the file, then the command line.
 *
 * One table serves --help, the command line and the file: a key of the file is the long name of
 * an option. The file is INI: `key = value` lines, `#` and `;` comments, section [agent] or none.
 */
#ifndef SEEP_CONFIG_H
#define SEEP_CONFIG_H

#include <stddef.h>

struct config {
	const char *file;        /* --config, or NULL */
	double interval_s;
	double window_s;
	const char *state_dir;
	const char *socket;
	const char *listen;      /* ADDR:PORT or "none" */
	unsigned max_processes;  /* tracked at once */
	unsigned retention_days; /* of closed incidents */
	const char *inspect;     /* when: crontab times, a period, or "off" */
	double inspect_limit_s;
	int no_drill;
	unsigned drill_percent;  /* of one core's time that a suspect may pay for a closer look */
	unsigned drill_targets;  /* looked at closer at once */
	int no_bpf;
	int verbose;
};

/*
 * Fill cfg. Returns 0, or -1 with *ret_exit: help was printed, or the usage or the file was
 * wrong (said on stderr, with the file's line). Strings point into argv or live until exit.
 */
int config__parse(struct config *cfg, int argc, char **argv, int *ret_exit);

/* Read the file again into cfg; on error cfg is unchanged and `why` says what is wrong. */
int config__reload(struct config *cfg, int argc, char **argv, char *why, size_t cap);

#endif /* SEEP_CONFIG_H */
