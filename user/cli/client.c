// SPDX-License-Identifier: BSD-2-Clause
/*
 * client.c - plain blocking reads and writes; the kernel keeps the time (SO_RCVTIMEO).
 *
 * The agent is trusted to be the agent, not to be of our version, alive or finished: every
 * answer is checked against the protocol and bounded.
 */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include "../base/json_mem.h"
#include "client.h"
#include "render.h"

#define HEAD_MAX 4096
#define READ_CHUNK 65536
#define BODY_MAX (CTL_BUFFER_MAX * 4ULL) /* far above what an agent sends */

const char *client__socket(const char *given)
{
	const char *env = getenv("SEEP_SOCKET");

	if (given)
		return given;
	return env && *env ? env : CTL_DEFAULT_SOCKET;
}

static int explain_connect(const char *path, int err, struct buf *why)
{
	switch (err) {
	case ENOENT:
	case ECONNREFUSED:
		buf__printf(why, "agent not running? start it with `sudo seep agent` "
			    "(nobody answers at '%s')", path);
		return SEEP_EXIT_FAILED;
	case EACCES:
	case EPERM:
		buf__printf(why, "not permitted to use '%s': be root, join the group that owns "
			    "the socket, or have CAP_DAC_OVERRIDE", path);
		return SEEP_EXIT_NOT_PERMITTED;
	case EAGAIN:
		buf__printf(why, "the agent at '%s' is too busy to answer", path);
		return SEEP_EXIT_FAILED;
	default:
		buf__printf(why, "cannot connect to '%s': %s", path, strerror(err));
		return SEEP_EXIT_FAILED;
	}
}

/* Also bounds connect(): a Unix socket waits for room in the backlog as for room to send. */
static int set_timeout(int fd, double timeout_s)
{
	struct timeval tv = {
		.tv_sec = timeout_s,
		.tv_usec = (timeout_s - (long)timeout_s) * 1e6,
	};

	if (setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof(tv)) ||
	    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &tv, sizeof(tv)))
		return -errno;
	return 0;
}

/* Returns the connected socket, or -1 with the exit code in *ret_exit. */
static int open_socket(const char *path, double timeout_s, int *ret_exit, struct buf *why)
{
	struct sockaddr_un addr = {.sun_family = AF_UNIX};
	int fd;

	if (strlen(path) >= sizeof(addr.sun_path)) {
		buf__printf(why, "the socket path '%s' is longer than %zu bytes", path,
			    sizeof(addr.sun_path) - 1);
		*ret_exit = SEEP_EXIT_USAGE;
		return -1;
	}
	strcpy(addr.sun_path, path);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd >= 0 && !set_timeout(fd, timeout_s) &&
	    !connect(fd, (struct sockaddr *)&addr, sizeof(addr)))
		return fd;
	*ret_exit = explain_connect(path, errno, why);
	if (fd >= 0)
		close(fd);
	return -1;
}

static int explain_io(int err, struct buf *why)
{
	if (err == -EAGAIN)
		buf__puts(why, "the agent did not answer in time");
	else
		buf__printf(why, "the connection to the agent broke: %s", strerror(-err));
	return SEEP_EXIT_FAILED;
}

static int protocol_error(struct buf *why, const char *what)
{
	buf__printf(why, "%s; do seep and its agent have the same version? "
		    "Restart the agent after an upgrade", what);
	return SEEP_EXIT_FAILED;
}

static int send_all(int fd, const char *data, size_t len, struct buf *why)
{
	ssize_t n;

	while (len) {
		n = send(fd, data, len, MSG_NOSIGNAL);
		if (n < 0 && errno == EINTR)
			continue;
		/* an agent that refuses us answers without reading: its reason is worth more */
		if (n < 0 && (errno == EPIPE || errno == ECONNRESET))
			return SEEP_EXIT_OK;
		if (n < 0)
			return explain_io(-errno, why);
		data += n;
		len -= n;
	}
	return SEEP_EXIT_OK;
}

static int send_request(int fd, const char *cmd, json_t *args, struct buf *why)
{
	json_t *request = json_pack("{s:i, s:s}", "v", CTL_VERSION, "cmd", cmd);
	char *line = NULL;
	int code;

	if (request && (!args || !json_object_update(request, args)))
		line = json_mem__dumps(request, JSON_COMPACT);
	json_decref(request);
	if (!line || strlen(line) + 1 > CTL_REQUEST_MAX) {
		buf__puts(why, line ? "the request is too long" : "the request is not valid UTF-8");
		free(line);
		return SEEP_EXIT_USAGE;
	}
	code = send_all(fd, line, strlen(line), why);
	if (!code)
		code = send_all(fd, "\n", 1, why);
	free(line);
	return code;
}

/* Returns bytes read, 0 at the end, or -errno. */
static ssize_t read_some(int fd, struct buf *in)
{
	char chunk[READ_CHUNK];
	ssize_t n;

	do {
		n = recv(fd, chunk, sizeof(chunk), 0);
	} while (n < 0 && errno == EINTR);
	if (n < 0)
		return -errno;
	buf__append(in, chunk, n);
	return in->err ? in->err : n;
}

/* Read the head line; what came behind it is left in `in`. *ret_head is the caller's. */
static int read_head(int fd, struct buf *in, json_t **ret_head, struct buf *why)
{
	char *end = NULL;
	ssize_t n;

	while (!end) {
		if (in->len > HEAD_MAX)
			return protocol_error(why, "the answer makes no sense");
		n = read_some(fd, in);
		if (n < 0)
			return explain_io(n, why);
		if (!n)
			return protocol_error(why, "the agent closed without an answer");
		end = memchr(in->data, '\n', in->len);
	}
	*ret_head = json_loadb(in->data, end - in->data, 0, NULL);
	if (!*ret_head)
		return protocol_error(why, "the answer makes no sense");
	buf__consume(in, end - in->data + 1);
	return SEEP_EXIT_OK;
}

static int read_body(int fd, struct buf *in, json_int_t bytes, struct buf *why)
{
	ssize_t n;

	if (bytes < 0 || (unsigned long long)bytes > BODY_MAX)
		return protocol_error(why, "the answer has an impossible length");
	while (in->len < (size_t)bytes) {
		n = read_some(fd, in);
		if (n < 0)
			return explain_io(n, why);
		if (!n) {
			buf__printf(why, "the agent closed after %zu of %lld bytes", in->len,
				    (long long)bytes);
			return SEEP_EXIT_FAILED;
		}
	}
	if (in->len > (size_t)bytes)
		return protocol_error(why, "the answer is longer than it says");
	return SEEP_EXIT_OK;
}

static int explain_refusal(const json_t *head, struct buf *why)
{
	const char *error = json_string_value(json_object_get(head, "error"));
	json_int_t code = json_integer_value(json_object_get(head, "code"));

	buf__puts(why, error ? error : "the agent refused without a reason");
	return code > SEEP_EXIT_OK && code <= SEEP_EXIT_NOT_PERMITTED ? code : SEEP_EXIT_FAILED;
}

static int read_answer(int fd, struct buf *in, struct buf *why)
{
	json_t *head = NULL;
	int code;

	code = read_head(fd, in, &head, why);
	if (code)
		return code;
	if (json_integer_value(json_object_get(head, "v")) != CTL_VERSION)
		code = protocol_error(why, "the agent speaks another version of the protocol");
	else if (!json_is_true(json_object_get(head, "ok")))
		code = explain_refusal(head, why);
	else
		code = read_body(fd, in, json_integer_value(json_object_get(head, "bytes")), why);
	json_decref(head);
	return code;
}

int client__complain(const char *command, int code, struct buf *why)
{
	struct buf clean = {0};

	render__clip(&clean, why->len ? why->data : "failed", INT_MAX, CLIP_TAIL, NULL);
	fprintf(stderr, "seep %s: %s\n", command, clean.len ? clean.data : "failed");
	buf__free(&clean);
	buf__free(why);
	return code;
}

int client__ask(const char *socket_path, double timeout_s, const char *cmd, json_t *args,
		struct buf *ret_body, struct buf *why)
{
	static uint64_t known;
	uint64_t failed = json_mem__failed();
	struct buf in = {0};
	int fd, code = SEEP_EXIT_FAILED;

	/* arguments of which some are missing would ask for something else */
	if (failed != known) {
		known = failed;
		buf__puts(why, "out of memory");
		return code;
	}
	fd = open_socket(socket_path, timeout_s, &code, why);
	if (fd < 0)
		return code;
	code = send_request(fd, cmd, args, why);
	if (!code)
		code = read_answer(fd, &in, why);
	if (!code && in.len)
		buf__append(ret_body, in.data, in.len);
	if (!code && ret_body->err) {
		buf__puts(why, "out of memory");
		code = SEEP_EXIT_FAILED;
	}
	buf__free(&in);
	close(fd);
	return code;
}

static int parse_body(const struct buf *body, json_t **ret_json, struct buf *why)
{
	uint64_t failed = json_mem__failed();
	json_t *json = body->len ? json_loadb(body->data, body->len, 0, NULL) : NULL;

	if (failed != json_mem__failed()) {
		json_decref(json);
		buf__puts(why, "out of memory");
		return SEEP_EXIT_FAILED;
	}
	if (!json_is_object(json)) {
		json_decref(json);
		return protocol_error(why, "the answer makes no sense");
	}
	*ret_json = json;
	return SEEP_EXIT_OK;
}

int client__ask_json(const char *socket_path, double timeout_s, const char *cmd, json_t *args,
		     json_t **ret_json, struct buf *why)
{
	struct buf body = {0};
	int code;

	code = client__ask(socket_path, timeout_s, cmd, args, &body, why);
	if (!code)
		code = parse_body(&body, ret_json, why);
	buf__free(&body);
	return code;
}

int client__query(const char *command, const char *socket, json_t *args, int print_body,
		  json_t **ret_json)
{
	struct buf body = {0}, why = {0};
	int code;

	code = client__ask(client__socket(socket), CLIENT_TIMEOUT_S, command, args, &body, &why);
	json_decref(args);
	if (!code)
		code = parse_body(&body, ret_json, &why);
	if (code)
		client__complain(command, code, &why);
	else if (print_body)
		code = render__print(&body);
	if (code && *ret_json) {
		json_decref(*ret_json);
		*ret_json = NULL;
	}
	buf__free(&body);
	buf__free(&why);
	return code;
}
