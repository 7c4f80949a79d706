// SPDX-License-Identifier: BSD-2-Clause
/*
 * cmd_export.c - `seep export` and `seep import`: the history of incidents as JSON Lines.
 *
 * Both work on the database itself, with or without an agent: SQLite lets several processes use
 * it. An agent that runs keeps what is open in memory, so what was open in the other history comes
 * in as closed.
 */
#include <errno.h>
#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../base/clock.h"
#include "../base/json_mem.h"
#include "../incident/history.h"
#include "cli.h"
#include "client.h"
#include "options.h"

#define ROWS_MAX     1000000
#define WARNINGS_MAX 10
#define LINE_CAP     (8u << 20)

struct transfer_options {
	const char *state_dir;
	const char *file;
	double since_s;
};

/* The database of a state directory, which has to exist. */
static int open_history(const char *command, const char *state_dir, struct history **ret_history)
{
	struct buf why = {0};
	const char *reason;
	char path[PATH_MAX];
	int err = -ENAMETOOLONG;

	if (snprintf(path, sizeof(path), "%s/incidents.db", state_dir) < PATH_MAX)
		err = access(path, R_OK | W_OK) ? -errno
						: history__open(path, ret_history, &reason);
	if (!err)
		return SEEP_EXIT_OK;
	buf__printf(&why, "'%s': %s (--state-dir says where the agent keeps it)", path,
		    strerror(-err));
	return client__complain(
		command,
		err == -EACCES || err == -EPERM ? SEEP_EXIT_NOT_PERMITTED : SEEP_EXIT_FAILED, &why);
}

/* ---- export ------------------------------------------------------------------------------ */

struct exporter {
	FILE *f;
	size_t cnt;
	int err;
};

static int write_line(void *ctx, struct incident *in)
{
	uint64_t failed = json_mem__failed();
	json_t *json = json_mem__whole(incident__to_json(in, 0), failed);
	char *text = json ? json_mem__dumps(json, JSON_COMPACT) : NULL;
	struct exporter *e = ctx;
	int err = text ? 0 : -ENOMEM;

	if (text && fprintf(e->f, "%s\n", text) < 0)
		err = -errno;
	free(text);
	e->cnt += !err;
	e->err = err;
	json_decref(json);
	incident__free(in);
	return err;
}

static int export_to(struct history *h, const struct transfer_options *opt, FILE *f)
{
	struct history_query q = {.since_s = opt->since_s, .limit = ROWS_MAX};
	struct exporter e = {.f = f};
	struct history_stats stats;
	int err = history__query(h, &q, write_line, &e);

	history__stats(h, &stats);
	err = err ? err : e.err;
	if (fflush(f) || ferror(f))
		err = err ? err : -EIO;
	if (err) {
		fprintf(stderr, "seep export: %s after %zu incidents\n", strerror(-err), e.cnt);
		return SEEP_EXIT_FAILED;
	}
	if (stats.unreadable)
		fprintf(stderr,
			"seep export: %llu rows of the history are unreadable and left out\n",
			(unsigned long long)stats.unreadable);
	return SEEP_EXIT_OK;
}

int cmd_export(int argc, char **argv)
{
	struct transfer_options opt = {.state_dir = "/var/lib/seep", .since_s = NAN};
	const struct option_spec specs[] = {
		{"output", 'O', OPTION_STRING, "FILE", &opt.file,
		 "write to FILE instead of standard output", NULL},
		{"since", 's', OPTION_DURATION, "DURATION", &opt.since_s,
		 "only what was open within this time, such as 7d", NULL},
		{"state-dir", 0, OPTION_STRING, "DIR", &opt.state_dir,
		 "where the agent keeps its history\n(default /var/lib/seep)", NULL},
		{0},
	};
	const struct options options = {
		.command = "export",
		.about = "Writes the history of incidents as JSON Lines, one seep.incident/1 a "
			 "line,\n"
			 "for `seep import` and for other tools. Needs no agent.",
		.specs = specs,
	};
	struct history *h = NULL;
	FILE *f = stdout;
	int code;

	if (options__parse(&options, argc, argv, &code) < 0)
		return code;
	if (isfinite(opt.since_s))
		opt.since_s = clock__wall_s() - opt.since_s;
	code = open_history("export", opt.state_dir, &h);
	if (code)
		return code;
	if (opt.file)
		f = fopen(opt.file, "we");
	if (f) {
		code = export_to(h, &opt, f);
	} else {
		fprintf(stderr, "seep export: '%s': %s\n", opt.file, strerror(errno));
		code = SEEP_EXIT_FAILED;
	}
	if (f && f != stdout && fclose(f) && !code) {
		fprintf(stderr, "seep export: '%s': %s\n", opt.file, strerror(errno));
		code = SEEP_EXIT_FAILED;
	}
	history__close(h);
	return code;
}

/* ---- import ------------------------------------------------------------------------------ */

struct importer {
	struct history *h;
	const char *file;
	size_t line, taken, bad;
};

static void warn(struct importer *im, const char *why)
{
	if (im->bad++ < WARNINGS_MAX)
		fprintf(stderr, "%s:%zu: %s\n", im->file, im->line, why);
}

static void take_line(struct importer *im, const char *text, size_t len)
{
	const char *why = "no JSON";
	json_t *json = json_loadb(text, len, 0, NULL);
	struct incident *in = json ? incident__from_json(json, &why) : NULL;
	int err;

	json_decref(json);
	if (!in) {
		warn(im, why);
		return;
	}
	if (in->state == INCIDENT_OPEN)
		incident__close(in, in->updated_s, "imported while it was open");
	err = history__put(im->h, in);
	if (err)
		warn(im, strerror(-err));
	else
		im->taken++;
	incident__free(in);
}

static int import_from(struct importer *im, FILE *f)
{
	size_t cap = 0;
	char *text = NULL;
	ssize_t len;

	while ((len = getline(&text, &cap, f)) >= 0) {
		im->line++;
		if (len > LINE_CAP)
			warn(im, "the line is too long");
		else if (strspn(text, " \t\r\n") < (size_t)len)
			take_line(im, text, len);
	}
	free(text);
	fprintf(stderr, "seep import: %zu incidents taken, %zu lines skipped\n", im->taken,
		im->bad);
	if (!feof(f))
		fprintf(stderr, "seep import: '%s': it could not be read to its end\n", im->file);
	return im->bad || !feof(f) ? SEEP_EXIT_FAILED : SEEP_EXIT_OK;
}

int cmd_import(int argc, char **argv)
{
	struct transfer_options opt = {.state_dir = "/var/lib/seep"};
	const struct option_spec specs[] = {
		{"state-dir", 0, OPTION_STRING, "DIR", &opt.state_dir,
		 "where the agent keeps its history\n(default /var/lib/seep)", NULL},
		{0},
	};
	const struct options options = {
		.command = "import",
		.args = "FILE",
		.about = "Takes incidents that `seep export` wrote into the history; '-' is "
			 "standard\n"
			 "input. What has the same ID is replaced. Needs no agent.",
		.epilog = "Lines that are no incident are named on standard error and skipped, and "
			  "the\n"
			  "exit code is 1.",
		.specs = specs,
		.min_args = 1,
		.max_args = 1,
	};
	struct importer im = {0};
	int first, code;
	FILE *f;

	first = options__parse(&options, argc, argv, &code);
	if (first < 0)
		return code;
	im.file = argv[first];
	f = strcmp(im.file, "-") ? fopen(im.file, "re") : stdin;
	if (!f) {
		fprintf(stderr, "seep import: '%s': %s\n", im.file, strerror(errno));
		return SEEP_EXIT_FAILED;
	}
	code = open_history("import", opt.state_dir, &im.h);
	if (!code)
		code = import_from(&im, f);
	history__close(im.h);
	if (f != stdin)
		fclose(f);
	return code;
}
