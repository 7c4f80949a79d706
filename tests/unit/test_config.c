// SPDX-License-Identifier: BSD-2-Clause
/* test_config.c - defaults, then the file, then the command line; and what is refused, and why. */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/fs.h"
#include "agent/config.h"
#include "out/ctl_proto.h"

#define ARGS_MAX 12

static char path[64];

static int setup(void **state)
{
	strcpy(path, "/tmp/seep-config-XXXXXX");
	close(mkstemp(path));
	unsetenv("SEEP_SOCKET");
	return 0;
}

static int teardown(void **state)
{
	return unlink(path);
}

static void write_file(const char *text)
{
	assert_int_equal(fs__write_atomic(path, text, strlen(text), 0600), 0);
}

struct args {
	char *v[ARGS_MAX + 2];
	int cnt;
};

/* "agent" and the words of the line; a word FILE stands for the file. */
static struct args args_of(char *line)
{
	struct args args = {.v = {"agent"}, .cnt = 1};
	char *word, *rest = line;

	while (args.cnt < ARGS_MAX && (word = strtok_r(rest, " ", &rest)))
		args.v[args.cnt++] = strcmp(word, "FILE") ? word : path;
	return args;
}

/* What is said on stderr goes away: the tests print what they need. */
static int parse(struct config *cfg, const char *text, int *ret_exit)
{
	static char line[256];
	struct args args;
	int saved = dup(STDERR_FILENO), none = open("/dev/null", O_WRONLY), ret;

	snprintf(line, sizeof(line), "%s", text);
	args = args_of(line);
	dup2(none, STDERR_FILENO);
	ret = config__parse(cfg, args.cnt, args.v, ret_exit);
	dup2(saved, STDERR_FILENO);
	close(none);
	close(saved);
	return ret;
}

static void test_defaults(void **state)
{
	struct config cfg;
	int code;

	assert_int_equal(parse(&cfg, "", &code), 0);
	rules__free(cfg.rules);
	assert_true(cfg.interval_s == 10);
	assert_true(cfg.window_s == 6 * 3600);
	assert_string_equal(cfg.state_dir, "/var/lib/seep");
	assert_string_equal(cfg.socket, CTL_DEFAULT_SOCKET);
	assert_string_equal(cfg.listen, "127.0.0.1:9741");
	assert_null(cfg.file);
	assert_false(cfg.no_drill);
	assert_false(cfg.no_bpf);
}

static void test_command_line_wins_over_file(void **state)
{
	static struct config cfg; /* strings of a file live until exit */
	int code;

	write_file("# a comment\n[agent]\ninterval = 5s\nwindow = 1h ; another\nno-drill = yes\n"
		   "state-dir = /srv/seep\nverbose = 1\n");
	assert_int_equal(parse(&cfg, "--config FILE --interval 2s", &code), 0);
	rules__free(cfg.rules);
	assert_true(cfg.interval_s == 2);
	assert_true(cfg.window_s == 3600);
	assert_true(cfg.no_drill);
	assert_int_equal(cfg.verbose, 1);
	assert_string_equal(cfg.state_dir, "/srv/seep");
}

static void test_file_without_section(void **state)
{
	struct config cfg;
	int code;

	write_file("no-bpf = true\nno-drill = off\nmax-processes = 100");
	assert_int_equal(parse(&cfg, "--config FILE", &code), 0);
	rules__free(cfg.rules);
	assert_true(cfg.no_bpf);
	assert_false(cfg.no_drill);
	assert_int_equal(cfg.max_processes, 100);
}

static void test_targets_of_notifications(void **state)
{
	static struct config cfg; /* its strings live until exit */
	int code;

	write_file("window = 2h\n[notify \"ops\"]\ntype = webhook\nurl = https://h/?a=1;b\n"
		   "min-severity = critical\nsend-resolved = no\ngroup = image\nrate = 5\n"
		   "[notify log]\ntype = syslog\n[agent]\ninterval = 5s\n"
		   "[notify \"ops\"]\nrepeat-interval = 1d\n");
	assert_int_equal(parse(&cfg, "--config FILE", &code), 0);
	assert_true(cfg.window_s == 7200 && cfg.interval_s == 5);
	assert_int_equal(cfg.notify_cnt, 2);
	assert_string_equal(cfg.notify[0].name, "ops");
	assert_int_equal(cfg.notify[0].type, NOTIFY_WEBHOOK);
	assert_string_equal(cfg.notify[0].url, "https://h/?a=1;b");
	assert_int_equal(cfg.notify[0].min_severity, SEVERITY_CRITICAL);
	assert_int_equal(cfg.notify[0].group, NOTIFY_BY_IMAGE);
	assert_int_equal(cfg.notify[0].rate, 5);
	assert_false(cfg.notify[0].send_resolved);
	assert_true(cfg.notify[0].repeat_s == 86400);
	assert_true(cfg.notify[0].wait_s == 30); /* the type's */
	assert_string_equal(cfg.notify[1].name, "log");
	assert_int_equal(cfg.notify[1].min_severity, SEVERITY_WARNING);
	assert_true(cfg.notify[1].send_resolved);
}

static void test_bad_command_lines(void **state)
{
	static const char *const lines[] = {
		"--interval 1ms", "--interval 10x", "--window 1m", "--interval 1e300s --window 1e305s",
		"--interval 1e308d --window 1e308d", "--interval 400d --window 9999999d",
		"--drill-percent 0", "--drill-percent 101", "--drill-targets 9", "--max-processes 1",
		"--max-processes 99999999", "--nonsense", "positional", "--config /nonexistent",
	};
	struct config cfg;
	size_t i;
	int code;

	for (i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
		code = -1;
		if (parse(&cfg, lines[i], &code) != -1 || code != SEEP_EXIT_USAGE)
			fail_msg("'%s' gives exit code %d", lines[i], code);
	}
}

static void test_bad_files(void **state)
{
	static const struct {
		const char *text, *why;
	} rows[] = {
		{"interval = 5s\nwindow = soon\n", "line 2: 'window = soon': expected a duration"},
		{"\n\nintervall = 5s\n", "line 3: 'intervall' is not an option of the agent"},
		{"config = other\n", "line 1: 'config' is not an option"},
		{"[agent]\n[web]\nlisten = none\n", "line 3: section [web] is not known"},
		{"no-drill = maybe\n", "line 1: 'no-drill = maybe': expected yes or no"},
		{"verbose = loud\n", "line 1: 'verbose = loud': expected yes or no"},
		{"just words\n", "line 1: expected key = value"},
		{"exclude = backup\n", "exclude 'backup': "},
		{"no-drill-for = backup\n", "no-drill-for 'backup': "},
		{"[rule \"a\"]\nselect = comm=x\nseverity = mild\n",
		 "line 3: 'severity = mild': expected info, warning or critical"},
		{"[rule \"a\"]\nreport = no\n", "rule 'a' selects nothing"},
		{"inspect = 0 24 * * *\n", "inspect '0 24 * * *': the hour must be 0 to 23"},
		{"interval = 5s\nwindow = 10s\n", "window must be 24 intervals or more"},
		{"[notify \"a\"]\ntype = pigeon\n",
		 "line 2: 'type = pigeon': expected webhook, alertmanager"},
		{"[notify \"a\"]\ncolour = red\n",
		 "line 2: 'colour' is not an option of notifications"},
		{"[notify \"a\"]\nurl = http://h/\n", "[notify \"a\"]: type is missing"},
		{"[notify \"a\"]\ntype = webhook\n", "[notify \"a\"]: type webhook needs url"},
		{"[notify \"a\"]\ntype = syslog\nselector = color=red\n",
		 "[notify \"a\"]: selector: "},
		{"[notify \"a\"]\ntype = syslog\ntimeout = 1h\n", "timeout must be 100ms to 120s"},
		{"[notify]\ntype = syslog\n", "line 2: section [notify] is not known"},
		{"[notify \"\"]\ntype = syslog\n", "line 2: a target of notifications needs a name"},
		{"[notifier]\ntype = syslog\n", "line 2: section [notifier] is not known"},
	};
	struct args args = {.v = {"agent", "--config", path}, .cnt = 3};
	struct config cfg = {.file = path, .interval_s = 77};
	char why[512];
	size_t i;

	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		write_file(rows[i].text);
		assert_int_not_equal(config__reload(&cfg, args.cnt, args.v, why, sizeof(why)), 0);
		if (!strstr(why, rows[i].why))
			fail_msg("expected '%s', got '%s'", rows[i].why, why);
		assert_true(cfg.interval_s == 77); /* unchanged */
	}
}

static void test_reload(void **state)
{
	struct args args = {.v = {"agent", "--config", path, "--window", "2h"}, .cnt = 5};
	struct config cfg;
	char why[512];
	int code;

	write_file("retention-days = 7\n");
	assert_int_equal(config__parse(&cfg, args.cnt, args.v, &code), 0);
	assert_int_equal(cfg.retention_days, 7);
	write_file("retention-days = 8\nwindow = 5h\n");
	assert_int_equal(config__reload(&cfg, args.cnt, args.v, why, sizeof(why)), 0);
	assert_int_equal(cfg.retention_days, 8);
	assert_true(cfg.window_s == 7200);
	write_file("");
	assert_int_equal(config__reload(&cfg, args.cnt, args.v, why, sizeof(why)), 0);
	assert_int_equal(cfg.retention_days, 30);
	unlink(path);
	assert_int_not_equal(config__reload(&cfg, args.cnt, args.v, why, sizeof(why)), 0);
	assert_non_null(strstr(why, "No such file"));
	rules__free(cfg.rules);
	write_file("");
}

static void test_rules(void **state)
{
	const struct selector_subject backup = {.kind = "process", .comm = "backupd", .pid = 1};
	char why[RULES_WHY_LEN], text[512];
	static struct config cfg;
	json_t *json;
	int code;

	write_file("exclude = comm=backup*\nexclude = comm=cron\n"
		   "no-drill-for = uid=0\nno-drill-for = comm=backup*\n"
		   "[rule \"batch jobs\"]\nselect = comm=job*\nreport = no\n");
	assert_int_equal(config__check_file(path, text, sizeof(text)), 0);
	assert_int_equal(parse(&cfg, "--config FILE", &code), 0);
	assert_int_equal(cfg.exclude.cnt, 2);
	assert_int_equal(rules__forbid(cfg.rules, &backup, why), 1);
	assert_int_equal(rules__forbid_drill(cfg.rules, &backup, why), 1);
	json = config__to_json(&cfg);
	assert_int_equal(json_array_size(json_object_get(json, "exclude")), 2);
	assert_int_equal(json_array_size(json_object_get(json, "no_drill_for")), 2);
	assert_string_equal(json_string_value(json_object_get(
				    json_array_get(json_object_get(json, "rules"), 0), "name")),
			    "batch jobs");
	json_decref(json);
	rules__free(cfg.rules);

	/* the line's list stands in place of the file's */
	assert_int_equal(parse(&cfg, "--config FILE --exclude comm=other", &code), 0);
	assert_int_equal(cfg.exclude.cnt, 1);
	assert_int_equal(rules__forbid(cfg.rules, &backup, why), 0);
	assert_int_equal(rules__forbid_drill(cfg.rules, &backup, why), 1);
	rules__free(cfg.rules);

	write_file("windo = 1h\n");
	assert_true(config__check_file(path, text, sizeof(text)) < 0);
	assert_non_null(strstr(text, "line 1"));
}

static void test_help_is_no_error(void **state)
{
	int saved = dup(STDOUT_FILENO), none = open("/dev/null", O_WRONLY), code = -1, ret;
	struct config cfg;

	fflush(stdout);
	dup2(none, STDOUT_FILENO);
	ret = parse(&cfg, "--help", &code);
	fflush(stdout);
	dup2(saved, STDOUT_FILENO);
	close(none);
	close(saved);
	assert_int_equal(ret, -1);
	assert_int_equal(code, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_defaults),
		cmocka_unit_test(test_command_line_wins_over_file),
		cmocka_unit_test(test_file_without_section),
		cmocka_unit_test(test_targets_of_notifications),
		cmocka_unit_test(test_bad_command_lines),
		cmocka_unit_test(test_bad_files),
		cmocka_unit_test(test_reload),
		cmocka_unit_test(test_rules),
		cmocka_unit_test(test_help_is_no_error),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
