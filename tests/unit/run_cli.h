/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * run_cli.h - runs `seep ...` in a child and keeps what it printed, for tests of whole commands.
 * Included by one test program each, after cmocka.h.
 */
#ifndef SEEP_TESTS_RUN_CLI_H
#define SEEP_TESTS_RUN_CLI_H

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cli/cli.h"

#define RUN_ARGS_MAX 16

static char dir[] = "/tmp/seep-test-cli-XXXXXX"; /* for files of the test */
static char out[65536];                         /* what the last command printed */
static char err[8192];                          /* and on standard error */

static int make_run_dir(void)
{
	return mkdtemp(dir) ? 0 : -1;
}

static int remove_run_dir(void)
{
	char command[128];

	snprintf(command, sizeof(command), "rm -rf %s", dir);
	return system(command);
}

static void redirect(int fd, const char *name)
{
	char path[128];
	int to;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	to = open(path, O_CREAT | O_TRUNC | O_WRONLY, 0600);
	if (to < 0 || dup2(to, fd) < 0)
		_exit(99);
	close(to);
}

static void slurp(const char *name, char *text, size_t cap)
{
	char path[128];
	FILE *f;
	size_t n;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	f = fopen(path, "r");
	assert_non_null(f);
	n = fread(text, 1, cap - 1, f);
	text[n] = '\0';
	fclose(f);
}

/* In a child, so that each command has its own options, locale and streams. */
static int run(const char *line)
{
	static char words[512];
	char *argv[RUN_ARGS_MAX] = {"seep"}, *p;
	int argc = 1, status;
	pid_t pid;

	snprintf(words, sizeof(words), "%s", line);
	for (p = strtok(words, " "); p; p = strtok(NULL, " "))
		argv[argc++] = p;
	fflush(NULL);
	pid = fork();
	if (!pid) {
		setenv("LC_ALL", "C.UTF-8", 1);
		redirect(STDOUT_FILENO, "out");
		redirect(STDERR_FILENO, "err");
		exit(cli__main(argc, argv));
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	slurp("out", out, sizeof(out));
	slurp("err", err, sizeof(err));
	if (!WIFEXITED(status))
		fail_msg("'%s' died: %s", line, err);
	return WEXITSTATUS(status);
}

static void expect(const char *text, const char *part)
{
	if (!strstr(text, part))
		fail_msg("no '%s' in\n%s", part, text);
}

#endif /* SEEP_TESTS_RUN_CLI_H */
