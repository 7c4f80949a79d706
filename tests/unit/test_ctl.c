// SPDX-License-Identifier: BSD-2-Clause
/*
 * test_ctl.c - the agent's socket against clients that are many, slow, broken or hostile.
 *
 * The server runs its loop in a thread, the test is the client; its counters are asked for
 * through the socket, so that only the loop's thread touches them.
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/loop.h"
#include "out/ctl.h"

#define MIB (1u << 20)
#define FLOOD 150

struct server {
	char dir[64];
	char path[108];
	struct loop *loop;
	struct ctl *ctl;
	struct loop_source *stopper;
	int stop_fd;
	pthread_t thread;
};

static int handle(void *ctx, const char *cmd, const json_t *request, struct buf *body)
{
	static const char chunk[4096];
	struct server *sv = ctx;
	struct ctl_stats st;
	json_int_t n = json_integer_value(json_object_get(request, "n"));

	if (!strcmp(cmd, "stats")) {
		ctl__stats(sv->ctl, &st);
		buf__printf(body, "{\"clients\":%u,\"requests\":%lu,\"refused\":%lu,"
			    "\"displaced\":%lu,\"timed_out\":%lu,\"bad\":%lu}", st.clients,
			    st.requests, st.refused, st.displaced, st.timed_out, st.bad);
	} else if (!strcmp(cmd, "echo")) {
		buf__puts(body, json_string_value(json_object_get(request, "text")));
	} else if (!strcmp(cmd, "big")) {
		for (; n >= (json_int_t)sizeof(chunk); n -= sizeof(chunk))
			buf__append(body, chunk, sizeof(chunk));
		buf__append(body, chunk, n);
	} else {
		buf__printf(body, "no such thing: \"%s\"", cmd);
		return SEEP_EXIT_NO_TARGET;
	}
	return 0;
}

static void on_stop(void *ctx, uint32_t events)
{
	(void)events;
	loop__stop(ctx);
}

static void *serve(void *ctx)
{
	struct server *sv = ctx;

	loop__run(sv->loop);
	return NULL;
}

static int setup(void **state)
{
	struct server *sv = calloc(1, sizeof(*sv));

	strcpy(sv->dir, "/tmp/seep-test-ctl-XXXXXX");
	assert_non_null(mkdtemp(sv->dir));
	snprintf(sv->path, sizeof(sv->path), "%s/run/seep.sock", sv->dir);
	sv->loop = loop__new();
	assert_int_equal(ctl__new(sv->loop, sv->path, handle, sv, &sv->ctl), 0);
	sv->stop_fd = eventfd(0, 0);
	sv->stopper = loop__add_fd(sv->loop, sv->stop_fd, EPOLLIN, on_stop, sv->loop);
	assert_int_equal(pthread_create(&sv->thread, NULL, serve, sv), 0);
	*state = sv;
	return 0;
}

static int teardown(void **state)
{
	struct server *sv = *state;
	char command[128];

	assert_int_equal(eventfd_write(sv->stop_fd, 1), 0);
	pthread_join(sv->thread, NULL);
	ctl__free(sv->ctl);
	assert_int_equal(access(sv->path, F_OK), -1);
	loop__remove(sv->stopper);
	loop__free(sv->loop);
	close(sv->stop_fd);
	snprintf(command, sizeof(command), "rm -rf %s", sv->dir);
	assert_int_equal(system(command), 0);
	free(sv);
	return 0;
}

/* ---- a client made of bare calls ---- */

static int dial(const char *path)
{
	struct sockaddr_un addr = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	strcpy(addr.sun_path, path);
	assert_int_equal(connect(fd, (struct sockaddr *)&addr, sizeof(addr)), 0);
	return fd;
}

static void say(int fd, const char *text)
{
	assert_int_equal(send(fd, text, strlen(text), MSG_NOSIGNAL), strlen(text));
}

/* Everything until the server closes. */
static void hear(int fd, struct buf *b)
{
	char chunk[65536];
	ssize_t n;

	while ((n = recv(fd, chunk, sizeof(chunk), 0)) > 0)
		buf__append(b, chunk, n);
	close(fd);
}

/* The head of the answer; the body is what follows its line. */
static json_t *head_of(struct buf *b)
{
	char *end = b->len ? memchr(b->data, '\n', b->len) : NULL;
	json_t *head;

	assert_non_null(end);
	head = json_loadb(b->data, end - b->data, 0, NULL);
	assert_non_null(head);
	assert_int_equal(json_integer_value(json_object_get(head, "v")), CTL_VERSION);
	buf__consume(b, end - b->data + 1);
	return head;
}

static void expect_body(int fd, const char *body, size_t len)
{
	struct buf b = {0};
	json_t *head;

	hear(fd, &b);
	head = head_of(&b);
	assert_true(json_is_true(json_object_get(head, "ok")));
	assert_int_equal(json_integer_value(json_object_get(head, "bytes")), len);
	assert_int_equal(b.len, len);
	if (body)
		assert_memory_equal(b.data, body, len);
	json_decref(head);
	buf__free(&b);
}

static void expect_error(int fd, int code, const char *part)
{
	struct buf b = {0};
	json_t *head;

	hear(fd, &b);
	head = head_of(&b);
	assert_true(json_is_false(json_object_get(head, "ok")));
	assert_int_equal(json_integer_value(json_object_get(head, "code")), code);
	assert_non_null(strstr(json_string_value(json_object_get(head, "error")), part));
	assert_int_equal(b.len, 0);
	json_decref(head);
	buf__free(&b);
}

static void expect_served(struct server *sv)
{
	int fd = dial(sv->path);

	say(fd, "{\"v\":1,\"cmd\":\"echo\",\"text\":\"still here\"}\n");
	expect_body(fd, "still here", 10);
}

static long stat_of(struct server *sv, const char *name)
{
	struct buf b = {0};
	json_t *head, *stats;
	int fd = dial(sv->path);
	long value;

	say(fd, "{\"v\":1,\"cmd\":\"stats\"}\n");
	hear(fd, &b);
	head = head_of(&b);
	stats = json_loadb(b.data, b.len, 0, NULL);
	assert_non_null(stats);
	value = json_integer_value(json_object_get(stats, name));
	json_decref(stats);
	json_decref(head);
	buf__free(&b);
	return value;
}

/* ---- tests ---- */

static void test_answer(void **state)
{
	struct server *sv = *state;
	int fd = dial(sv->path);

	say(fd, "{\"v\":1,\"cmd\":\"echo\",\"text\":\"a\\nb\"}\n");
	expect_body(fd, "a\nb", 3);
	fd = dial(sv->path);
	say(fd, "{\"v\":1,\"cmd\":\"big\",\"n\":0}\n");
	expect_body(fd, NULL, 0);
	assert_int_equal(stat_of(sv, "requests"), 3);
	assert_int_equal(stat_of(sv, "bad"), 0);
}

static void test_error_code_and_reason(void **state)
{
	struct server *sv = *state;
	int fd = dial(sv->path);

	say(fd, "{\"v\":1,\"cmd\":\"nonsense\"}\n");
	expect_error(fd, SEEP_EXIT_NO_TARGET, "no such thing: \"nonsense\"");
}

static void test_request_in_pieces(void **state)
{
	static const char line[] = "{\"v\":1,\"cmd\":\"echo\",\"text\":\"slowly\"}\n";
	struct server *sv = *state;
	int fd = dial(sv->path);
	size_t i;

	for (i = 0; line[i]; i++) {
		assert_int_equal(send(fd, &line[i], 1, 0), 1);
		if (i % 10 == 0)
			expect_served(sv);
	}
	expect_body(fd, "slowly", 6);
}

static void test_half_closed_client_is_answered(void **state)
{
	struct server *sv = *state;
	int fd = dial(sv->path);

	say(fd, "{\"v\":1,\"cmd\":\"big\",\"n\":3000000}\n");
	shutdown(fd, SHUT_WR);
	expect_body(fd, NULL, 3000000);
}

static void test_half_request_then_gone(void **state)
{
	struct server *sv = *state;
	int fd = dial(sv->path);

	say(fd, "{\"v\":1,\"cmd\":\"ec");
	close(fd);
	expect_served(sv);
	while (stat_of(sv, "clients") > 1)
		;
	assert_int_equal(stat_of(sv, "bad"), 1);
}

static void test_longest_request(void **state)
{
	struct server *sv = *state;
	char line[CTL_REQUEST_MAX + 1];
	int fd = dial(sv->path), pad;

	pad = CTL_REQUEST_MAX - snprintf(line, sizeof(line), "{\"v\":1,\"cmd\":\"echo\",\"text\":\"ok\"}") - 1;
	snprintf(line, sizeof(line), "{\"v\":1,%*s\"cmd\":\"echo\",\"text\":\"ok\"}\n", pad, "");
	assert_int_equal(strlen(line), CTL_REQUEST_MAX);
	say(fd, line);
	expect_body(fd, "ok", 2);
}

static void test_oversize_request(void **state)
{
	struct server *sv = *state;
	char line[CTL_REQUEST_MAX + 1];
	int fd = dial(sv->path);

	memset(line, 'a', CTL_REQUEST_MAX);
	line[CTL_REQUEST_MAX] = '\0';
	say(fd, line);
	expect_error(fd, SEEP_EXIT_USAGE, "too long");
	expect_served(sv);
}

static void test_garbage(void **state)
{
	static const char *const lines[] = {
		"\n", "hello\n", "[1,2]\n", "{\"v\":1\n", "\"top\"\n", "{\"v\":1}\n", "\xff\xfe\n",
		"{\"v\":2,\"cmd\":\"echo\"}\n", "{\"cmd\":\"echo\"}\n", "{\"v\":\"1\",\"cmd\":\"echo\"}\n",
		"{\"v\":1,\"cmd\":7}\n", "{\"v\":1,\"v\":1,\"cmd\":\"stats\"}\n", "GET / HTTP/1.1\r\n",
		"{\"v\":1,\"cmd\":\"a\\u0000b\"}\n",
	};
	struct server *sv = *state;
	size_t i;
	int fd;

	for (i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
		fd = dial(sv->path);
		say(fd, lines[i]);
		expect_error(fd, SEEP_EXIT_USAGE, "");
	}
	assert_int_equal(stat_of(sv, "bad"), sizeof(lines) / sizeof(lines[0]));
	assert_int_equal(stat_of(sv, "requests"), 2);
}

static void test_deep_nesting(void **state)
{
	struct server *sv = *state;
	char line[CTL_REQUEST_MAX];
	int fd = dial(sv->path);

	memset(line, '[', sizeof(line) - 2);
	memcpy(line + sizeof(line) - 2, "\n", 2);
	say(fd, line);
	expect_error(fd, SEEP_EXIT_USAGE, "not JSON");
}

static void test_slow_reader_stalls_nobody(void **state)
{
	struct server *sv = *state;
	int slow = dial(sv->path), i;

	say(slow, "{\"v\":1,\"cmd\":\"big\",\"n\":5000011}\n");
	for (i = 0; i < 20; i++)
		expect_served(sv);
	expect_body(slow, NULL, 5000011);
}

static void test_reader_that_vanishes(void **state)
{
	struct server *sv = *state;
	char some[1000];
	int fd = dial(sv->path);

	say(fd, "{\"v\":1,\"cmd\":\"big\",\"n\":5000000}\n");
	assert_true(recv(fd, some, sizeof(some), 0) > 0);
	close(fd);
	expect_served(sv);
	while (stat_of(sv, "clients") > 1)
		;
}

static void test_answers_held_are_bounded(void **state)
{
	enum { HOARDERS = CTL_BUFFER_MAX / (16 * MIB) };
	struct server *sv = *state;
	int fds[HOARDERS], fd, i;
	char first;

	for (i = 0; i < HOARDERS; i++) {
		fds[i] = dial(sv->path);
		say(fds[i], "{\"v\":1,\"cmd\":\"big\",\"n\":16777216}\n");
		/* until the answer has begun: then it is held */
		assert_int_equal(recv(fds[i], &first, 1, MSG_PEEK), 1);
	}
	expect_served(sv);
	fd = dial(sv->path);
	say(fd, "{\"v\":1,\"cmd\":\"big\",\"n\":16777216}\n");
	expect_error(fd, SEEP_EXIT_FAILED, "slow clients");
	for (i = 0; i < HOARDERS; i++)
		expect_body(fds[i], NULL, 16 * MIB);
	fd = dial(sv->path);
	say(fd, "{\"v\":1,\"cmd\":\"big\",\"n\":16777216}\n");
	expect_body(fd, NULL, 16 * MIB);
}

static void test_answer_beyond_the_bound(void **state)
{
	struct server *sv = *state;
	int fd = dial(sv->path);

	say(fd, "{\"v\":1,\"cmd\":\"big\",\"n\":67108865}\n");
	expect_error(fd, SEEP_EXIT_FAILED, "larger than the agent may hold");
	expect_served(sv);
}

/* The newest are heard; those who came before and said nothing made room, and are told so. */
static void test_a_silent_flood_makes_room(void **state)
{
	struct server *sv = *state;
	int fds[FLOOD], i;

	for (i = 0; i < FLOOD; i++)
		fds[i] = dial(sv->path);
	for (i = 0; i < FLOOD - CTL_MAX_CLIENTS; i++)
		expect_error(fds[i], SEEP_EXIT_FAILED, "too many clients");
	for (; i < FLOOD; i++) {
		say(fds[i], "{\"v\":1,\"cmd\":\"echo\",\"text\":\"x\"}\n");
		expect_body(fds[i], "x", 1);
	}
	assert_int_equal(stat_of(sv, "displaced"), FLOOD - CTL_MAX_CLIENTS);
	assert_int_equal(stat_of(sv, "refused"), 0);
	assert_int_equal(stat_of(sv, "clients"), 1);
}

static void await_answer(int fd)
{
	char c;

	assert_int_equal(recv(fd, &c, 1, MSG_PEEK), 1);
}

/* Nobody who waits for the rest of an answer is displaced: then the newest is refused. */
static void test_a_flood_of_slow_readers_is_refused(void **state)
{
	struct server *sv = *state;
	int fds[CTL_MAX_CLIENTS], i;

	for (i = 0; i < CTL_MAX_CLIENTS; i++) {
		fds[i] = dial(sv->path);
		say(fds[i], "{\"v\":1,\"cmd\":\"big\",\"n\":1000000}\n");
		await_answer(fds[i]);
	}
	expect_error(dial(sv->path), SEEP_EXIT_FAILED, "too many clients");
	for (i = 0; i < CTL_MAX_CLIENTS; i++)
		expect_body(fds[i], NULL, 1000000);
	assert_int_equal(stat_of(sv, "refused"), 1);
	assert_int_equal(stat_of(sv, "displaced"), 0);
}

static void test_out_of_descriptors(void **state)
{
	struct server *sv = *state;
	struct rlimit limit, none;
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);
	struct sockaddr_un addr = {.sun_family = AF_UNIX};

	expect_served(sv);
	strcpy(addr.sun_path, sv->path);
	getrlimit(RLIMIT_NOFILE, &limit);
	none = (struct rlimit){.rlim_cur = 0, .rlim_max = limit.rlim_max};
	setrlimit(RLIMIT_NOFILE, &none);
	assert_int_equal(connect(fd, (struct sockaddr *)&addr, sizeof(addr)), 0);
	say(fd, "{\"v\":1,\"cmd\":\"echo\",\"text\":\"late\"}\n");
	usleep(50000);
	setrlimit(RLIMIT_NOFILE, &limit);
	expect_body(fd, "late", 4);
}

/* One wait for all who are too slow: the silent, the half-way and the one who does not read. */
static void test_the_slow_are_dropped(void **state)
{
	struct server *sv = *state;
	int silent = dial(sv->path), half = dial(sv->path), deaf = dial(sv->path);
	struct buf b = {0};

	say(half, "{\"v\":1,");
	say(deaf, "{\"v\":1,\"cmd\":\"big\",\"n\":8388608}\n");
	hear(silent, &b);
	hear(half, &b);
	assert_int_equal(b.len, 0);
	while (stat_of(sv, "timed_out") < 3)
		usleep(100000);
	hear(deaf, &b);
	assert_true(b.len < 8388608);
	buf__free(&b);
	assert_int_equal(stat_of(sv, "clients"), 1);
}

static void test_mode_and_parent(void **state)
{
	struct server *sv = *state;
	struct stat st;

	assert_int_equal(stat(sv->path, &st), 0);
	assert_true(S_ISSOCK(st.st_mode));
	assert_int_equal(st.st_mode & 07777, 0600);
}

static void test_live_agent_is_not_replaced(void **state)
{
	struct server *sv = *state;
	struct loop *loop = loop__new();
	struct ctl *second = NULL;

	assert_int_equal(ctl__new(loop, sv->path, handle, sv, &second), -EADDRINUSE);
	assert_null(second);
	loop__free(loop);
	expect_served(sv);
}

/* What a killed agent leaves: a socket file that nobody listens on. */
static void leave_stale_socket(const char *path)
{
	struct sockaddr_un addr = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	strcpy(addr.sun_path, path);
	assert_int_equal(bind(fd, (struct sockaddr *)&addr, sizeof(addr)), 0);
	close(fd);
}

static void test_stale_socket_is_replaced(void **state)
{
	struct server *sv = *state;
	struct loop *loop = loop__new();
	struct ctl *second = NULL;
	char path[128];

	snprintf(path, sizeof(path), "%s/stale.sock", sv->dir);
	leave_stale_socket(path);
	assert_int_equal(ctl__new(loop, path, handle, sv, &second), 0);
	ctl__free(second);
	assert_int_equal(access(path, F_OK), -1);
	loop__free(loop);
}

static void test_other_files_are_kept(void **state)
{
	struct server *sv = *state;
	struct loop *loop = loop__new();
	struct ctl *second = NULL;
	char path[128];
	int fd;

	snprintf(path, sizeof(path), "%s/precious", sv->dir);
	fd = open(path, O_CREAT | O_WRONLY, 0600);
	close(fd);
	assert_int_equal(ctl__new(loop, path, handle, sv, &second), -EEXIST);
	assert_int_equal(access(path, F_OK), 0);
	loop__free(loop);
}

static void test_only_the_own_socket_is_removed(void **state)
{
	struct server *sv = *state;
	struct loop *loop = loop__new();
	struct ctl *first = NULL;
	char path[128];

	snprintf(path, sizeof(path), "%s/shared.sock", sv->dir);
	assert_int_equal(ctl__new(loop, path, handle, sv, &first), 0);
	unlink(path);
	leave_stale_socket(path);
	ctl__free(first);
	assert_int_equal(access(path, F_OK), 0);
	loop__free(loop);
}

static void test_bad_paths(void **state)
{
	struct loop *loop = loop__new();
	struct ctl *c = NULL;
	char path[200];

	(void)state;
	memset(path, 'a', sizeof(path));
	path[0] = '/';
	path[sizeof(path) - 1] = '\0';
	assert_int_equal(ctl__new(loop, path, handle, NULL, &c), -ENAMETOOLONG);
	assert_int_equal(ctl__new(loop, "", handle, NULL, &c), -EINVAL);
	assert_true(ctl__new(loop, "/proc/no/where.sock", handle, NULL, &c) < 0);
	assert_null(c);
	ctl__free(NULL);
	loop__free(loop);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_answer, setup, teardown),
		cmocka_unit_test_setup_teardown(test_error_code_and_reason, setup, teardown),
		cmocka_unit_test_setup_teardown(test_request_in_pieces, setup, teardown),
		cmocka_unit_test_setup_teardown(test_half_closed_client_is_answered, setup, teardown),
		cmocka_unit_test_setup_teardown(test_half_request_then_gone, setup, teardown),
		cmocka_unit_test_setup_teardown(test_longest_request, setup, teardown),
		cmocka_unit_test_setup_teardown(test_oversize_request, setup, teardown),
		cmocka_unit_test_setup_teardown(test_garbage, setup, teardown),
		cmocka_unit_test_setup_teardown(test_deep_nesting, setup, teardown),
		cmocka_unit_test_setup_teardown(test_slow_reader_stalls_nobody, setup, teardown),
		cmocka_unit_test_setup_teardown(test_reader_that_vanishes, setup, teardown),
		cmocka_unit_test_setup_teardown(test_answers_held_are_bounded, setup, teardown),
		cmocka_unit_test_setup_teardown(test_answer_beyond_the_bound, setup, teardown),
		cmocka_unit_test_setup_teardown(test_a_silent_flood_makes_room, setup, teardown),
		cmocka_unit_test_setup_teardown(test_a_flood_of_slow_readers_is_refused, setup, teardown),
		cmocka_unit_test_setup_teardown(test_out_of_descriptors, setup, teardown),
		cmocka_unit_test_setup_teardown(test_the_slow_are_dropped, setup, teardown),
		cmocka_unit_test_setup_teardown(test_mode_and_parent, setup, teardown),
		cmocka_unit_test_setup_teardown(test_live_agent_is_not_replaced, setup, teardown),
		cmocka_unit_test_setup_teardown(test_stale_socket_is_replaced, setup, teardown),
		cmocka_unit_test_setup_teardown(test_other_files_are_kept, setup, teardown),
		cmocka_unit_test_setup_teardown(test_only_the_own_socket_is_removed, setup, teardown),
		cmocka_unit_test(test_bad_paths),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
