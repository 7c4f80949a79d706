// SPDX-License-Identifier: BSD-2-Clause
/*
 * test_commands.c - `seep COMMAND` from its arguments to its output and exit code, against an
 * agent (a child with the real server end of the socket) that answers canned bodies.
 */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#include <zlib.h>
#include <cmocka.h>

#include "base/loop.h"
#include "out/ctl.h"
#include "run_cli.h"

static char socket_path[64];

/* ---- the agent ---- */

static int answer(void *ctx, const char *cmd, const json_t *request, struct buf *body)
{
	const char *id = json_string_value(json_object_get(request, "id"));

	/* the last page of a recording is empty */
	if (!strcmp(cmd, "record") && json_integer_value(json_object_get(request, "first")) > 64)
		return 0;
	if (!strcmp(cmd, "show") && id && strcmp(id, "1a")) {
		buf__printf(body, "no incident \033[31m'%s'", id);
		return SEEP_EXIT_NO_TARGET;
	}
	buf__puts(body, ctx);
	return 0;
}

static void run_agent(const char *body)
{
	struct loop *loop = loop__new();
	struct ctl *ctl;

	if (!loop || ctl__new(loop, socket_path, answer, (void *)body, &ctl))
		_exit(1);
	loop__run(loop);
	_exit(0);
}

static pid_t start_agent(const char *body)
{
	pid_t pid = fork();
	int i;

	assert_true(pid >= 0);
	if (!pid)
		run_agent(body);
	for (i = 0; i < 1000 && access(socket_path, F_OK); i++)
		usleep(5000);
	usleep(20000); /* from bind to listen */
	return pid;
}

static void stop_agent(pid_t pid)
{
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	unlink(socket_path);
}

/* ---- the command line as such ---- */

static void test_help_and_version(void **state)
{
	(void)state;
	assert_int_equal(run("--help"), 0);
	expect(out, "Commands:");
	expect(out, "  leaks ");
	assert_int_equal(run("help leaks"), 0);
	expect(out, "Usage: seep leaks [OPTIONS]");
	assert_int_equal(run("--version"), 0);
	assert_int_equal(strncmp(out, "seep ", 5), 0);
}

static void test_unknown_commands(void **state)
{
	(void)state;
	assert_int_equal(run(""), 2);
	assert_int_equal(run("lekas"), 2);
	expect(err, "did you mean 'leaks'?");
	assert_int_equal(run("xyzzy"), 2);
	assert_null(strstr(err, "did you mean"));
	assert_int_equal(run("--nonsense"), 2);
	expect(err, "--nonsense");
	assert_int_equal(run("--socket"), 2);
	expect(err, "--socket");
}

static void test_every_command_has_help(void **state)
{
	static const char *const commands[] = {"agent", "top", "leaks", "show", "status", "doctor",
					       "record", "replay"};
	char line[64];
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(commands) / sizeof(commands[0]); i++) {
		snprintf(line, sizeof(line), "%s --help", commands[i]);
		assert_int_equal(run(line), 0);
		expect(out, commands[i]);
		snprintf(line, sizeof(line), "%s --nonsense", commands[i]);
		assert_int_equal(run(line), 2);
		expect(err, "--nonsense");
	}
}

static void test_no_agent(void **state)
{
	static const char *const lines[] = {"top --once", "top --json", "leaks", "show 1", "status",
					    "record"};
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
		assert_int_equal(run(lines[i]), 1);
		expect(err, "start it with `sudo seep agent`");
		assert_string_equal(out, "");
	}
}

static void test_socket_option(void **state)
{
	(void)state;
	assert_int_equal(run("--socket /nowhere/a status"), 1);
	expect(err, "/nowhere/a");
	assert_int_equal(run("--socket=/nowhere/b status"), 1);
	expect(err, "/nowhere/b");
	assert_int_equal(run("status --socket /nowhere/c"), 1);
	expect(err, "/nowhere/c");
}

/* ---- commands that show an answer ---- */

static const char leaks_body[] =
	"{\"schema\":\"seep.leaks/1\",\"at_s\":20000,\"watched\":{\"processes\":5},\"incidents\":["
	"{\"id\":\"1a\",\"state\":\"open\",\"kind\":\"leak\",\"severity\":\"critical\",\"started_s\":9200,"
	"\"object\":{\"pid\":42,\"comm\":\"ev\\u001b[31mil\"},"
	"\"verdict\":{\"growth_bytes\":1048576,\"slope_bytes_per_hour\":2097152,"
	"\"time_to_limit_s\":3600}}]}";

static void test_leaks(void **state)
{
	pid_t agent = start_agent(leaks_body);

	(void)state;
	assert_int_equal(run("leaks"), 0);
	expect(out, "1a open  leak critical ev?[31mil[42]");
	expect(out, "1.0M");
	expect(out, "2.0M");
	expect(out, "1h");
	expect(out, "3h ago");
	assert_null(strchr(out, '\033'));
	assert_int_equal(run("leaks --exit-code"), 3);
	assert_int_equal(run("leaks --exit-code --json"), 3);
	assert_int_equal(strncmp(out, leaks_body, strlen(leaks_body)), 0);
	assert_int_equal(run("leaks --color always"), 0);
	expect(out, "\033[31mcritical\033[0m");
	stop_agent(agent);
}

static void test_no_leaks(void **state)
{
	pid_t agent = start_agent("{\"at_s\":7200,\"watched\":{\"processes\":12,\"cgroups\":3,"
				  "\"window_s\":21600,\"since_s\":0},\"incidents\":[],"
				  "\"not_seen\":[\"swap\"]}");

	(void)state;
	assert_int_equal(run("leaks --exit-code"), 0);
	expect(out, "No leaks among 12 processes and 3 cgroups, watched for 2h over a window of 6h.");
	expect(out, "Not seen: swap\n");
	stop_agent(agent);
}

static void test_closed_leaks_are_not_counted(void **state)
{
	pid_t agent = start_agent("{\"incidents\":[{\"id\":\"9\",\"state\":\"closed\"},"
				  "{\"id\":\"8\",\"state\":\"open\",\"kind\":\"memory-error\"}]}");

	(void)state;
	assert_int_equal(run("leaks --all --exit-code"), 0);
	expect(out, "closed");
	stop_agent(agent);
}

static void test_show(void **state)
{
	pid_t agent = start_agent(
		"{\"id\":\"1a\",\"kind\":\"leak\",\"severity\":\"warning\",\"state\":\"open\","
		"\"object\":{\"comm\":\"api\",\"pid\":42,\"cgroup\":\"/a\"},\"explanation\":\"It leaks.\","
		"\"started_s\":1000,\"history\":[[0,1000],[1000,2000],[2000,9000]],"
		"\"verdict\":{\"confidence\":0.9,\"evidence\":[\"it rose\"],\"limit_bytes\":10000,"
		"\"slope_bytes_per_hour\":1024,\"slope_ci_bytes_per_hour\":[512,2048]},"
		"\"top\":[{\"pid\":1,\"comm\":\"init\",\"rss_bytes\":4096}],"
		"\"timeline\":[{\"t_s\":5,\"text\":\"opened\"}],\"not_seen\":[\"sites\"]}");

	(void)state;
	assert_int_equal(run("show 1a"), 0);
	expect(out, "warning leak 1a: api[42]\n");
	expect(out, "1.0 KiB (95 %: 512 B to 2.0 KiB)");
	expect(out, "▲");
	expect(out, " limit\n");
	expect(out, "  It leaks.\n");
	expect(out, "  • it rose\n");
	expect(out, "cgroup=/a");
	expect(out, "init");
	expect(out, "opened");
	expect(out, "  • sites\n");
	assert_int_equal(run("show nope"), 4);
	expect(err, "no incident ?[31m'nope'");
	assert_int_equal(run("show"), 2);
	assert_int_equal(run("show a b"), 2);
	stop_agent(agent);
}

static void test_status(void **state)
{
	pid_t agent = start_agent("{\"health\":\"degraded\",\"uptime_s\":65,\"problems\":[\"disk full\"],"
				  "\"probes\":{\"rss\":\"tp_btf\"},\"dropped\":{\"ring\":3,\"map\":0},"
				  "\"maps\":{\"seep_procs\":{\"used\":95,\"max\":100}}}");

	(void)state;
	assert_int_equal(run("status"), 0);
	expect(out, "The agent is degraded, up for 1m 5s.\n");
	expect(out, "Problem: disk full\n");
	expect(out, "tp_btf");
	expect(out, "  ring: 3\n");
	assert_null(strstr(out, "map:"));
	expect(out, "95 %");
	stop_agent(agent);
}

static void test_top_once(void **state)
{
	pid_t agent = start_agent(
		"{\"at_s\":100,\"window_s\":100,\"interval_s\":10,\"node\":{\"name\":\"n1\"},\"rows\":["
		"{\"pid\":1,\"comm\":\"small\",\"rss_bytes\":1,\"growth_bytes_per_hour\":null},"
		"{\"pid\":3,\"comm\":\"grows\",\"rss_bytes\":5,\"growth_bytes_per_hour\":9,"
		"\"verdict\":\"leak\",\"history\":[[0,1],[50,500],[100,1000]]},"
		"{\"pid\":2,\"comm\":\"big\",\"rss_bytes\":7,\"growth_bytes_per_hour\":1}]}");
	char *grows, *big, *small;

	(void)state;
	assert_int_equal(run("top --once"), 0);
	grows = strstr(out, "grows");
	big = strstr(out, "big");
	small = strstr(out, "small");
	assert_true(grows && big && small && grows < big && big < small);
	assert_int_equal(run("top --once --sort rss"), 0);
	assert_true(strstr(out, "big") < strstr(out, "grows"));
	assert_int_equal(run("top --once --sort pid -n 1"), 0);
	expect(out, "small");
	assert_null(strstr(out, "big"));
	assert_int_equal(run("top"), 0); /* no terminal: the same */
	expect(out, "█");
	assert_int_equal(run("top --json"), 0);
	expect(out, "\"interval_s\":10");
	stop_agent(agent);
}

/* Whatever an agent says, commands end in their own ways. */
static void test_shapes_that_make_no_sense(void **state)
{
	static const char *const bodies[] = {
		"{}",
		"{\"rows\":[1,null,[],{},\"x\"],\"incidents\":[1,null,[],{}],\"history\":[1,{}],"
		"\"verdict\":[],\"object\":7,\"top\":{},\"timeline\":[1,null],\"not_seen\":{},"
		"\"problems\":[1],\"maps\":{\"a\":1,\"b\":null},\"dropped\":[],\"node\":null}",
		"{\"rows\":[{\"pid\":1e300,\"comm\":7,\"history\":[[1e300,-1e300],[-1e300,1e300]],"
		"\"rss_bytes\":-1e300}],\"at_s\":1e300,\"window_s\":-5,\"interval_s\":1e300,"
		"\"history\":[[0,1e308],[1e18,-1e308]],\"started_s\":-1e300,\"oom_kills\":[{}],"
		"\"verdict\":{\"time_to_limit_s\":1e300,\"limit_bytes\":1e300,\"evidence\":[7]},"
		"\"uptime_s\":1e300,\"poll\":{\"duration_ns\":1e300},\"incidents\":[{\"started_s\":1e300}]}",
	};
	static const char *const lines[] = {"top --once", "leaks", "show 1a", "status"};
	size_t b, l;
	pid_t agent;

	(void)state;
	for (b = 0; b < sizeof(bodies) / sizeof(bodies[0]); b++) {
		agent = start_agent(bodies[b]);
		for (l = 0; l < sizeof(lines) / sizeof(lines[0]); l++) {
			assert_int_equal(run(lines[l]), 0);
			assert_true(*out);
		}
		stop_agent(agent);
	}
}

static void test_not_json(void **state)
{
	pid_t agent = start_agent("series,t_s,bytes\n");

	(void)state;
	assert_int_equal(run("status"), 1);
	expect(err, "makes no sense");
	assert_int_equal(run("leaks --json"), 1);
	assert_string_equal(out, "");
	stop_agent(agent);
}

/* ---- record ---- */

static void test_record(void **state)
{
	static const char page[] = "series,t_s,bytes\nx,1,2\n";
	static const char csv[] = "series,t_s,bytes\nx,1,2\nx,1,2\n"; /* two pages */
	pid_t agent = start_agent(page);
	char line[128], text[64];
	gzFile gz;

	(void)state;
	assert_int_equal(run("record"), 0);
	assert_string_equal(out, csv);
	snprintf(line, sizeof(line), "record -O %s/tape.csv", dir);
	assert_int_equal(run(line), 0);
	slurp("tape.csv", text, sizeof(text));
	assert_string_equal(text, csv);
	snprintf(line, sizeof(line), "record -O %s/tape.csv.gz", dir);
	assert_int_equal(run(line), 0);
	gz = gzopen(strchr(line, '/'), "r");
	memset(text, 0, sizeof(text));
	assert_false(gzdirect(gz));
	assert_int_equal(gzread(gz, text, sizeof(text) - 1), strlen(csv));
	gzclose(gz);
	assert_string_equal(text, csv);
	assert_int_equal(run("record -O /nowhere/tape.csv"), 1);
	expect(err, "/nowhere/tape.csv");
	stop_agent(agent);
	/* a failing agent does not cost the older recording */
	snprintf(line, sizeof(line), "record -O %s/tape.csv", dir);
	assert_int_equal(run(line), 1);
	slurp("tape.csv", text, sizeof(text));
	assert_string_equal(text, csv);
}

static int make_dir(void **state)
{
	(void)state;
	if (make_run_dir())
		return -1;
	snprintf(socket_path, sizeof(socket_path), "%s/sock", dir);
	return setenv("SEEP_SOCKET", socket_path, 1);
}

static int remove_dir(void **state)
{
	(void)state;
	return remove_run_dir();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_help_and_version),
		cmocka_unit_test(test_unknown_commands),
		cmocka_unit_test(test_every_command_has_help),
		cmocka_unit_test(test_no_agent),
		cmocka_unit_test(test_socket_option),
		cmocka_unit_test(test_leaks),
		cmocka_unit_test(test_no_leaks),
		cmocka_unit_test(test_closed_leaks_are_not_counted),
		cmocka_unit_test(test_show),
		cmocka_unit_test(test_status),
		cmocka_unit_test(test_top_once),
		cmocka_unit_test(test_shapes_that_make_no_sense),
		cmocka_unit_test(test_not_json),
		cmocka_unit_test(test_record),
	};

	return cmocka_run_group_tests(tests, make_dir, remove_dir);
}
