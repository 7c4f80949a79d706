// SPDX-License-Identifier: BSD-2-Clause
/*
 * cli.c - `seep COMMAND`: finds the command's row and runs it.
 *
 * Only LC_CTYPE follows the user's locale (for display widths); numbers are read and written as
 * in C everywhere.
 */
#include <locale.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../base/json_mem.h"
#include "../out/ctl_proto.h"
#include "cli.h"

#ifndef SEEP_VERSION
#define SEEP_VERSION "unknown"
#endif

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))
#define WORD_MAX 32
#define NEAR 2 /* edits between a mistyped command and the one that is suggested */

static const struct cli_command commands[] = {
	{"agent", "watch this node; runs in the foreground", cmd_agent},
	{"top", "live view of processes, cgroups or pods, and how they grow", cmd_top},
	{"leaks", "what leaks now, or did", cmd_leaks},
	{"show", "one incident in full", cmd_show},
	{"diff", "the call sites of two incidents, side by side", cmd_diff},
	{"inspect", "judge everything that grew afresh, and say why", cmd_inspect},
	{"trace", "which call stacks own the memory of a process, now", cmd_trace},
	{"heap", "the objects of a Python program by type, now", cmd_heap},
	{"drill", "pause or resume the agent's closer looks", cmd_drill},
	{"status", "health of the agent", cmd_status},
	{"config", "what the agent goes by; check a file, read it again", cmd_config},
	{"doctor", "what this kernel, these privileges and this node allow", cmd_doctor},
	{"export", "the history of incidents as JSON Lines", cmd_export},
	{"import", "take an exported history in", cmd_import},
	{"mute", "tell nobody of some objects for a while", cmd_mute},
	{"unmute", "tell again", cmd_unmute},
	{"mutes", "who is muted", cmd_mutes},
	{"record", "save what the agent has stored as a replay file", cmd_record},
	{"replay", "run the detector on recorded series", cmd_replay},
};

static const struct cli_command *find_command(const char *name)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(commands); i++) {
		if (!strcmp(commands[i].name, name))
			return &commands[i];
	}
	return NULL;
}

static int min3(int a, int b, int c)
{
	if (b < a)
		a = b;
	return c < a ? c : a;
}

/* Levenshtein distance of two short words. */
static int edits(const char *a, const char *b)
{
	int row[WORD_MAX + 1], la = strlen(a), lb = strlen(b), i, j, diagonal, above;

	if (la > WORD_MAX || lb > WORD_MAX)
		return WORD_MAX;
	for (j = 0; j <= lb; j++)
		row[j] = j;
	for (i = 1; i <= la; i++) {
		diagonal = row[0];
		row[0] = i;
		for (j = 1; j <= lb; j++) {
			above = row[j];
			row[j] = min3(above + 1, row[j - 1] + 1, diagonal + (a[i - 1] != b[j - 1]));
			diagonal = above;
		}
	}
	return row[lb];
}

static const char *closest_command(const char *name)
{
	int distance, best = NEAR + 1;
	const char *found = NULL;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(commands); i++) {
		distance = edits(name, commands[i].name);
		if (distance < best) {
			best = distance;
			found = commands[i].name;
		}
	}
	return found;
}

static void print_help(void)
{
	size_t i;

	printf("seep finds slow memory leaks on this node: who leaks, how fast, and how sure that is.\n"
	       "\nUsage: seep [--socket PATH] COMMAND [OPTIONS]\n\nCommands:\n");
	for (i = 0; i < ARRAY_SIZE(commands); i++)
		printf("  %-8s  %s\n", commands[i].name, commands[i].summary);
	printf("\nOptions:\n"
	       "  --socket PATH  where the agent listens (default: $SEEP_SOCKET,\n"
	       "                 then " CTL_DEFAULT_SOCKET ")\n"
	       "  --help         show this; `seep COMMAND --help` shows a command's options\n"
	       "  --version      show the version\n"
	       "\nExit codes: 0 done, 1 failed, 2 wrong usage, 3 leaks found (with --exit-code),\n"
	       "4 target not found, 5 not permitted.\n");
}

static int usage_error(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

static int usage_error(const char *fmt, ...)
{
	va_list ap;

	fputs("seep: ", stderr);
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fputs("\nTry 'seep --help'.\n", stderr);
	return SEEP_EXIT_USAGE;
}

static int unknown_command(const char *name)
{
	const char *closest = closest_command(name);

	if (closest)
		return usage_error("unknown command '%s', did you mean '%s'?", name, closest);
	return usage_error("unknown command '%s'", name);
}

static int run_command(int argc, char **argv)
{
	const struct cli_command *command = find_command(argv[0]);

	return command ? command->run(argc, argv) : unknown_command(argv[0]);
}

/* `seep help [COMMAND]` is what many try first. */
static int help_command(int argc, char **argv)
{
	char *args[] = {argv[argc - 1], "--help", NULL};

	if (argc > 1)
		return run_command(2, args);
	print_help();
	return SEEP_EXIT_OK;
}

/*
 * `--socket` in front of the command: handed on in the environment, where every command looks.
 * Returns the arguments taken, or -1.
 */
static int take_socket(int argc, char **argv)
{
	static const char option[] = "--socket";
	const char *value = argv[0] + sizeof(option) - 1;

	if (!strcmp(argv[0], option) && argc > 1)
		return setenv("SEEP_SOCKET", argv[1], 1) ? -1 : 2;
	if (!strncmp(argv[0], option, sizeof(option) - 1) && *value == '=')
		return setenv("SEEP_SOCKET", value + 1, 1) ? -1 : 1;
	return -1;
}

int cli__main(int argc, char **argv)
{
	int taken;

	setlocale(LC_CTYPE, "");
	json_mem__start();
	argc--;
	argv++;
	while (argc > 0 && !strncmp(argv[0], "--socket", 8)) {
		taken = take_socket(argc, argv);
		if (taken < 0)
			return usage_error("option '%s' needs a path", argv[0]);
		argc -= taken;
		argv += taken;
	}
	if (argc < 1) {
		print_help();
		return SEEP_EXIT_USAGE;
	}
	if (!strcmp(argv[0], "--version")) {
		printf("seep " SEEP_VERSION "\n");
		return SEEP_EXIT_OK;
	}
	if (!strcmp(argv[0], "help") || !strcmp(argv[0], "--help") || !strcmp(argv[0], "-h"))
		return help_command(argc, argv);
	if (argv[0][0] == '-')
		return usage_error("unknown option '%s'", argv[0]);
	return run_command(argc, argv);
}
