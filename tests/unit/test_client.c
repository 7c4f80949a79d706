// SPDX-License-Identifier: BSD-2-Clause
/*
 * test_client.c - the CLI's end of the socket, against agents that are away, forbidden, silent,
 * of another version or broken. Each fake agent is a child that says one thing and leaves.
 */
#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#include "cli/client.h"

#define NOBODY 65534

static char dir[] = "/tmp/seep-test-client-XXXXXX";
static char path[64];
static pid_t agent;

enum manners { POLITE, DEAF, SILENT }; /* reads first; never reads; reads and never answers */

static void behave(int fd, enum manners manners, const char *says, size_t len)
{
	char request[CTL_REQUEST_MAX];

	if (manners != DEAF && recv(fd, request, sizeof(request), 0) < 0)
		_exit(1);
	if (manners == SILENT)
		pause();
	if (len)
		send(fd, says, len, MSG_NOSIGNAL);
	_exit(0);
}

static void start_agent(enum manners manners, const char *says, size_t len)
{
	struct sockaddr_un addr = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	strcpy(addr.sun_path, path);
	unlink(path);
	assert_int_equal(bind(fd, (struct sockaddr *)&addr, sizeof(addr)), 0);
	assert_int_equal(listen(fd, 1), 0);
	agent = fork();
	assert_true(agent >= 0);
	if (!agent)
		behave(accept(fd, NULL, NULL), manners, says, len);
	close(fd);
}

static void stop_agent(void)
{
	kill(agent, SIGKILL);
	waitpid(agent, NULL, 0);
}

static int ask(struct buf *body, struct buf *why)
{
	return client__ask(path, 5, "status", NULL, body, why);
}

static void expect_failure(enum manners manners, const char *says, size_t len, int code,
			   const char *part)
{
	struct buf body = {0}, why = {0};

	start_agent(manners, says, len);
	assert_int_equal(ask(&body, &why), code);
	assert_int_equal(body.len, 0);
	assert_true(why.len > 0);
	if (!strstr(why.data, part))
		fail_msg("no '%s' in '%s'", part, why.data);
	stop_agent();
	buf__free(&why);
}

static void expect_failure_text(const char *says, int code, const char *part)
{
	expect_failure(POLITE, says, strlen(says), code, part);
}

static void test_answer(void **state)
{
	static const char says[] = "{\"v\":1,\"ok\":true,\"bytes\":5}\nab\0cd";
	struct buf body = {0}, why = {0};

	(void)state;
	start_agent(POLITE, says, sizeof(says) - 1);
	assert_int_equal(ask(&body, &why), SEEP_EXIT_OK);
	assert_int_equal(body.len, 5);
	assert_memory_equal(body.data, "ab\0cd", 5);
	assert_int_equal(why.len, 0);
	stop_agent();
	buf__free(&body);
}

static void test_empty_answer(void **state)
{
	static const char says[] = "{\"v\":1,\"ok\":true,\"bytes\":0}\n";
	struct buf body = {0}, why = {0};

	(void)state;
	start_agent(POLITE, says, sizeof(says) - 1);
	assert_int_equal(ask(&body, &why), SEEP_EXIT_OK);
	assert_int_equal(body.len, 0);
	stop_agent();
}

static void test_nobody_there(void **state)
{
	struct buf body = {0}, why = {0};

	(void)state;
	unlink(path);
	assert_int_equal(ask(&body, &why), SEEP_EXIT_FAILED);
	assert_non_null(strstr(why.data, "start it with `sudo seep agent`"));
	assert_non_null(strstr(why.data, path));
	buf__free(&why);
}

static void test_dead_socket(void **state)
{
	struct buf body = {0}, why = {0};

	(void)state;
	start_agent(POLITE, "", 0);
	stop_agent();
	assert_int_equal(ask(&body, &why), SEEP_EXIT_FAILED);
	assert_non_null(strstr(why.data, "start it with `sudo seep agent`"));
	buf__free(&why);
}

static void test_not_permitted(void **state)
{
	struct buf body = {0}, why = {0};
	int code;

	(void)state;
	start_agent(POLITE, "", 0);
	assert_int_equal(chmod(path, 0), 0);
	if (!geteuid())
		assert_int_equal(seteuid(NOBODY), 0);
	code = ask(&body, &why);
	if (!getuid())
		assert_int_equal(seteuid(0), 0);
	assert_int_equal(code, SEEP_EXIT_NOT_PERMITTED);
	assert_non_null(strstr(why.data, "CAP_DAC_OVERRIDE"));
	assert_non_null(strstr(why.data, "root"));
	assert_non_null(strstr(why.data, "group"));
	stop_agent();
	buf__free(&why);
}

static void test_refusals(void **state)
{
	(void)state;
	expect_failure_text("{\"v\":1,\"ok\":false,\"code\":4,\"error\":\"no incident 'x'\"}\n",
			    SEEP_EXIT_NO_TARGET, "no incident 'x'");
	expect_failure_text("{\"v\":1,\"ok\":false,\"code\":5,\"error\":\"no\"}\n",
			    SEEP_EXIT_NOT_PERMITTED, "no");
	/* codes out of range, or none at all, are failures and never success */
	expect_failure_text("{\"v\":1,\"ok\":false,\"code\":0,\"error\":\"e\"}\n",
			    SEEP_EXIT_FAILED, "e");
	expect_failure_text("{\"v\":1,\"ok\":false,\"code\":4294967300,\"error\":\"e\"}\n",
			    SEEP_EXIT_FAILED, "e");
	expect_failure_text("{\"v\":1,\"ok\":false}\n", SEEP_EXIT_FAILED, "without a reason");
}

static void test_refused_before_asking(void **state)
{
	static const char says[] = "{\"v\":1,\"ok\":false,\"code\":1,\"error\":\"too many clients\"}\n";

	(void)state;
	expect_failure(DEAF, says, sizeof(says) - 1, SEEP_EXIT_FAILED, "too many clients");
}

static void test_broken_answers(void **state)
{
	char noise[20000];

	(void)state;
	memset(noise, 'z', sizeof(noise));
	expect_failure(POLITE, "", 0, SEEP_EXIT_FAILED, "without an answer");
	expect_failure(POLITE, noise, sizeof(noise), SEEP_EXIT_FAILED, "makes no sense");
	expect_failure_text("hello\n", SEEP_EXIT_FAILED, "makes no sense");
	expect_failure_text("[]\n", SEEP_EXIT_FAILED, "version");
	expect_failure_text("{\"v\":2,\"ok\":true,\"bytes\":0}\n", SEEP_EXIT_FAILED, "version");
	expect_failure_text("{\"v\":1,\"ok\":true,\"bytes\":-1}\n", SEEP_EXIT_FAILED,
			    "impossible length");
	expect_failure_text("{\"v\":1,\"ok\":true,\"bytes\":9000000000000000000}\n",
			    SEEP_EXIT_FAILED, "impossible length");
	expect_failure_text("{\"v\":1,\"ok\":true,\"bytes\":10}\nabc", SEEP_EXIT_FAILED,
			    "3 of 10 bytes");
	expect_failure_text("{\"v\":1,\"ok\":true,\"bytes\":2}\nabc", SEEP_EXIT_FAILED,
			    "longer than it says");
}

static void test_silent_agent(void **state)
{
	struct buf body = {0}, why = {0};

	(void)state;
	start_agent(SILENT, "", 0);
	assert_int_equal(client__ask(path, .2, "status", NULL, &body, &why), SEEP_EXIT_FAILED);
	assert_non_null(strstr(why.data, "in time"));
	stop_agent();
	buf__free(&why);
}

static void test_long_path(void **state)
{
	struct buf body = {0}, why = {0};
	char longest[300];

	(void)state;
	memset(longest, 'p', sizeof(longest) - 1);
	longest[sizeof(longest) - 1] = '\0';
	assert_int_equal(client__ask(longest, 1, "status", NULL, &body, &why), SEEP_EXIT_USAGE);
	buf__free(&why);
}

static void test_long_request(void **state)
{
	struct buf body = {0}, why = {0};
	char id[CTL_REQUEST_MAX + 1];
	json_t *args;

	(void)state;
	memset(id, 'i', sizeof(id) - 1);
	id[sizeof(id) - 1] = '\0';
	args = json_pack("{s:s}", "id", id);
	start_agent(SILENT, "", 0);
	assert_int_equal(client__ask(path, 1, "show", args, &body, &why), SEEP_EXIT_USAGE);
	stop_agent();
	json_decref(args);
	buf__free(&why);
}

static void test_json_bodies(void **state)
{
	static const char good[] = "{\"v\":1,\"ok\":true,\"bytes\":8}\n{\"a\": 7}";
	static const char bad[] = "{\"v\":1,\"ok\":true,\"bytes\":4}\n[1]\n";
	struct buf why = {0};
	json_t *json = NULL;

	(void)state;
	start_agent(POLITE, good, sizeof(good) - 1);
	assert_int_equal(client__ask_json(path, 5, "top", NULL, &json, &why), SEEP_EXIT_OK);
	assert_int_equal(json_integer_value(json_object_get(json, "a")), 7);
	json_decref(json);
	stop_agent();
	json = NULL;
	start_agent(POLITE, bad, sizeof(bad) - 1);
	assert_int_equal(client__ask_json(path, 5, "top", NULL, &json, &why), SEEP_EXIT_FAILED);
	assert_null(json);
	stop_agent();
	buf__free(&why);
}

static void test_which_socket(void **state)
{
	(void)state;
	unsetenv("SEEP_SOCKET");
	assert_string_equal(client__socket(NULL), CTL_DEFAULT_SOCKET);
	setenv("SEEP_SOCKET", "", 1);
	assert_string_equal(client__socket(NULL), CTL_DEFAULT_SOCKET);
	setenv("SEEP_SOCKET", "/env", 1);
	assert_string_equal(client__socket(NULL), "/env");
	assert_string_equal(client__socket("/given"), "/given");
}

static int make_dir(void **state)
{
	(void)state;
	if (!mkdtemp(dir) || chmod(dir, 0755))
		return -1;
	snprintf(path, sizeof(path), "%s/sock", dir);
	return 0;
}

static int remove_dir(void **state)
{
	(void)state;
	unlink(path);
	return rmdir(dir);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_answer),
		cmocka_unit_test(test_empty_answer),
		cmocka_unit_test(test_nobody_there),
		cmocka_unit_test(test_dead_socket),
		cmocka_unit_test(test_not_permitted),
		cmocka_unit_test(test_refusals),
		cmocka_unit_test(test_refused_before_asking),
		cmocka_unit_test(test_broken_answers),
		cmocka_unit_test(test_silent_agent),
		cmocka_unit_test(test_long_path),
		cmocka_unit_test(test_long_request),
		cmocka_unit_test(test_json_bodies),
		cmocka_unit_test(test_which_socket),
	};

	return cmocka_run_group_tests(tests, make_dir, remove_dir);
}
