// SPDX-License-Identifier: BSD-2-Clause
/*
 * test_targets.c - a command that is started in steps; the processes of cgroups and pods.
 */
#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/fs.h"
#include "drill/spawn.h"
#include "drill/targets.h"

static char state_of(pid_t pid)
{
	char path[64], text[1024], *rest;

	snprintf(path, sizeof(path), "/proc/%d/stat", pid);
	if (fs__read(path, text, sizeof(text)) < 0)
		return '-';
	rest = strrchr(text, ')');
	return rest ? rest[2] : '-';
}

static void end(pid_t pid)
{
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
}

/* Whether the process has a file of that name mapped to run. */
static int has_mapped(pid_t pid, const char *name)
{
	char path[64], line[4352];
	int found = 0;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/maps", pid);
	f = fopen(path, "r");
	assert_non_null(f);
	while (!found && fgets(line, sizeof(line), f))
		found = strstr(line, name) && strstr(line, " r-xp ");
	fclose(f);
	return found;
}

static void test_stands_at_its_entry(void **state)
{
	char *const argv[] = {"sleep", "60", NULL};
	pid_t pid;

	(void)state;
	assert_int_equal(spawn__start(argv, -1, &pid), 0);
	assert_int_equal(state_of(pid), 'T');
	assert_true(has_mapped(pid, "/libc"));
	spawn__continue(pid);
	assert_int_not_equal(state_of(pid), 'T');
	end(pid);
}

static void test_cannot_run(void **state)
{
	char *const missing[] = {"/nonexistent/program", NULL};
	char *const no_program[] = {"/", NULL};
	pid_t pid;

	(void)state;
	assert_int_equal(spawn__start(missing, -1, &pid), -ENOENT);
	assert_int_equal(spawn__start(no_program, -1, &pid), -EACCES);
	assert_true(waitpid(-1, NULL, WNOHANG) < 0); /* nothing is left behind */
}

/* What was put into its text for a moment is out again: it runs as ever. */
static void test_runs_to_its_end(void **state)
{
	char *const argv[] = {"sh", "-c", "exit 7", NULL};
	int i, status;
	pid_t pid;

	(void)state;
	for (i = 0; i < 20; i++) {
		assert_int_equal(spawn__start(argv, -1, &pid), 0);
		spawn__continue(pid);
		assert_int_equal(waitpid(pid, &status, 0), pid);
		assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 7);
	}
}

static void test_output_goes_elsewhere(void **state)
{
	char *const argv[] = {"echo", "hello", NULL};
	char text[16] = "";
	int fds[2];
	pid_t pid;

	(void)state;
	assert_int_equal(pipe(fds), 0);
	assert_int_equal(spawn__start(argv, fds[1], &pid), 0);
	spawn__continue(pid);
	waitpid(pid, NULL, 0);
	assert_int_equal(read(fds[0], text, sizeof(text) - 1), 6);
	assert_string_equal(text, "hello\n");
	close(fds[0]);
	close(fds[1]);
}

static int has_pid(const struct targets *t, pid_t pid)
{
	int i;

	for (i = 0; i < t->cnt; i++) {
		if (t->pids[i] == pid)
			return 1;
	}
	return 0;
}

/* In the hierarchy's root there is everybody, or as many as fit; never ourselves. */
static void test_cgroup(void **state)
{
	struct targets t;
	int err = targets__of_cgroup("/", &t);

	(void)state;
	if (err == -ENODEV || err == -ENOENT)
		skip();
	assert_int_equal(err, 0);
	assert_true(t.cnt <= TARGETS_MAX);
	assert_false(has_pid(&t, getpid()));
}

static void test_no_cgroup(void **state)
{
	struct targets t;

	(void)state;
	assert_true(targets__of_cgroup("/no/such/cgroup", &t) < 0);
	assert_true(targets__of_cgroup("/../../etc", &t) < 0);
	assert_true(targets__of_cgroup("", &t) <= 0);
}

static void test_no_pod(void **state)
{
	char known[64] = "x";
	struct targets t;

	(void)state;
	assert_int_equal(targets__of_pod("no-such-namespace/pod", &t, known, sizeof(known)),
			 -ENOENT);
	assert_int_equal(t.cnt, 0);
	assert_true(strlen(known) < sizeof(known));
	assert_null(strstr(known, "no-such-namespace"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_stands_at_its_entry),
		cmocka_unit_test(test_cannot_run),
		cmocka_unit_test(test_runs_to_its_end),
		cmocka_unit_test(test_output_goes_elsewhere),
		cmocka_unit_test(test_cgroup),
		cmocka_unit_test(test_no_cgroup),
		cmocka_unit_test(test_no_pod),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
