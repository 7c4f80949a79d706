// SPDX-License-Identifier: BSD-2-Clause
/*
 * ctl.c - the server side of ctl_proto.h on the agent's loop.
 *
 * A client is either sending its request or being sent its answer; it never goes back. Each has
 * one deadline for both, so that nobody can hold a slot by being slow. When all slots are taken,
 * the one who has said nothing useful for the longest makes room for the newest: whoever sends its
 * request at once is answered, whatever the others do. Accepting is done in small batches: a flood
 * of connections takes turns with everything else on the loop.
 */
#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "../base/clock.h"
#include "../base/fs.h"
#include "../base/json_mem.h"
#include "ctl.h"

#define ACCEPT_BATCH 8
#define SWEEP_NS 1000000000ULL
#define SMALL_ANSWER 65536    /* always passes: all clients together hold 2 MiB of these */
#define SEND_CHUNK (1u << 20) /* at most this much per turn of the loop */

struct client {
	struct ctl *ctl;
	struct loop_source *source;
	uint64_t deadline_ns;
	int fd;
	int answering;
	size_t in_len;
	size_t sent;        /* of head and body together */
	struct buf head;
	struct buf body;
	char in[CTL_REQUEST_MAX];
};

struct ctl {
	struct loop *loop;
	struct loop_source *listener;
	struct loop_source *sweeper; /* while there are clients, or accepting is paused */
	ctl_handler_fn handler;
	void *ctx;
	int fd;
	int paused;         /* accept failed for want of descriptors; the sweep tries again */
	dev_t dev;          /* of the socket file: only our own is removed at the end */
	ino_t ino;
	struct sockaddr_un addr;
	size_t buffered;    /* bytes held by all answers */
	struct ctl_stats stats;
	struct client *clients[CTL_MAX_CLIENTS];
};

static void client__close(struct client *cl)
{
	struct ctl *c = cl->ctl;
	int i;

	for (i = 0; i < CTL_MAX_CLIENTS; i++) {
		if (c->clients[i] == cl)
			c->clients[i] = NULL;
	}
	c->stats.clients--;
	c->buffered -= cl->body.len;
	loop__remove(cl->source);
	close(cl->fd);
	buf__free(&cl->head);
	buf__free(&cl->body);
	free(cl);
}

/* Send what is left of head and body. Returns 1 when all is sent, 0 to wait, or -errno. */
static int client__send(struct client *cl)
{
	size_t head = cl->head.len > cl->sent ? cl->head.len - cl->sent : 0;
	size_t past = cl->sent > cl->head.len ? cl->sent - cl->head.len : 0;
	size_t body = cl->body.len - past;
	struct iovec iov[2] = {
		{.iov_base = cl->head.data + cl->head.len - head, .iov_len = head},
		{.iov_base = cl->body.len ? cl->body.data + past : NULL,
		 .iov_len = body < SEND_CHUNK ? body : SEND_CHUNK},
	};
	struct msghdr msg = {.msg_iov = iov, .msg_iovlen = 2};
	ssize_t n;

	n = sendmsg(cl->fd, &msg, MSG_NOSIGNAL);
	if (n < 0)
		return errno == EAGAIN || errno == EINTR ? 0 : -errno;
	cl->sent += n;
	return cl->sent == cl->head.len + cl->body.len;
}

static void client__continue_answer(struct client *cl)
{
	if (client__send(cl))
		client__close(cl);
}

/* Head and body are complete: send, now and whenever the client has room. */
static void client__start_answer(struct client *cl)
{
	cl->answering = 1;
	cl->ctl->buffered += cl->body.len;
	if (cl->head.err || loop__modify(cl->source, EPOLLOUT)) {
		client__close(cl);
		return;
	}
	client__continue_answer(cl);
}

static void write_error_head(struct buf *head, int code, const char *reason)
{
	json_t *line = json_pack("{s:i, s:b, s:i, s:s}", "v", CTL_VERSION, "ok", 0, "code", code,
				 "error", reason);
	char *text = line ? json_mem__dumps(line, JSON_COMPACT) : NULL;

	if (text)
		buf__printf(head, "%s\n", text);
	else /* the reason is not UTF-8, or memory is short */
		buf__printf(head, "{\"v\":%d,\"ok\":false,\"code\":%d,\"error\":\"failed\"}\n",
			    CTL_VERSION, code);
	free(text);
	json_decref(line);
}

static void client__fail(struct client *cl, int code, const char *reason)
{
	write_error_head(&cl->head, code, reason);
	buf__free(&cl->body);
	client__start_answer(cl);
}

static void client__fail_bad(struct client *cl, const char *reason)
{
	cl->ctl->stats.bad++;
	client__fail(cl, SEEP_EXIT_USAGE, reason);
}

static void client__answer(struct client *cl, const char *cmd, const json_t *request)
{
	struct ctl *c = cl->ctl;
	int code;

	c->stats.requests++;
	code = c->handler(c->ctx, cmd, request, &cl->body);
	if (cl->body.err) {
		client__fail(cl, SEEP_EXIT_FAILED, "the agent is out of memory");
	} else if (code) {
		client__fail(cl, code, cl->body.len ? cl->body.data : "failed");
	} else if (cl->body.len > SMALL_ANSWER && c->buffered + cl->body.len > CTL_BUFFER_MAX) {
		c->stats.refused++;
		client__fail(cl, SEEP_EXIT_FAILED, cl->body.len > CTL_BUFFER_MAX ?
			     "the answer is larger than the agent may hold" :
			     "too many answers wait for slow clients");
	} else {
		buf__printf(&cl->head, "{\"v\":%d,\"ok\":true,\"bytes\":%zu}\n", CTL_VERSION,
			    cl->body.len);
		client__start_answer(cl);
	}
}

static void client__take_request(struct client *cl, size_t line_len)
{
	json_t *request = json_loadb(cl->in, line_len, JSON_REJECT_DUPLICATES, NULL);
	const char *cmd = json_string_value(json_object_get(request, "cmd"));
	const json_t *version = json_object_get(request, "v");

	if (!request)
		client__fail_bad(cl, "the request is not JSON");
	else if (!json_is_integer(version) || json_integer_value(version) != CTL_VERSION)
		client__fail_bad(cl, "this agent speaks another version of the protocol");
	else if (!cmd)
		client__fail_bad(cl, "the request names no command");
	else
		client__answer(cl, cmd, request);
	json_decref(request);
}

static void client__read(struct client *cl)
{
	ssize_t n = recv(cl->fd, cl->in + cl->in_len, sizeof(cl->in) - cl->in_len, 0);
	char *end;

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0) {
		if (cl->in_len)
			cl->ctl->stats.bad++;
		client__close(cl);
		return;
	}
	cl->in_len += n;
	end = memchr(cl->in, '\n', cl->in_len);
	if (end)
		client__take_request(cl, end - cl->in);
	else if (cl->in_len == sizeof(cl->in))
		client__fail_bad(cl, "the request is too long");
}

static void on_client(void *ctx, uint32_t events)
{
	struct client *cl = ctx;

	if (cl->answering && events & (EPOLLERR | EPOLLHUP))
		client__close(cl);
	else if (cl->answering)
		client__continue_answer(cl);
	else
		client__read(cl);
}

/* Say why in one go that may fail: whoever is turned away gets no memory. */
static void turn_away(int fd)
{
	static const char line[] =
		"{\"v\":1,\"ok\":false,\"code\":1,\"error\":\"too many clients, try again\"}\n";

	send(fd, line, sizeof(line) - 1, MSG_NOSIGNAL | MSG_DONTWAIT);
}

static void refuse(struct ctl *c, int fd)
{
	c->stats.refused++;
	turn_away(fd);
	close(fd);
}

/* The one that has not finished its request for the longest; NULL when all have. */
static struct client *most_idle(const struct ctl *c)
{
	struct client *found = NULL, *cl;
	int i;

	for (i = 0; i < CTL_MAX_CLIENTS; i++) {
		cl = c->clients[i];
		if (cl && !cl->answering && (!found || cl->deadline_ns < found->deadline_ns))
			found = cl;
	}
	return found;
}

static struct client **free_slot(struct ctl *c)
{
	struct client *idle;
	int i;

	for (i = 0; i < CTL_MAX_CLIENTS; i++) {
		if (!c->clients[i])
			return &c->clients[i];
	}
	idle = most_idle(c);
	if (!idle)
		return NULL;
	for (i = 0; c->clients[i] != idle; i++)
		;
	c->stats.displaced++;
	turn_away(idle->fd);
	client__close(idle);
	return &c->clients[i];
}

static void on_sweep(void *ctx, uint32_t events)
{
	struct ctl *c = ctx;
	uint64_t now_ns = clock__boot_ns();
	int i;

	(void)events;
	for (i = 0; i < CTL_MAX_CLIENTS; i++) {
		if (!c->clients[i] || now_ns < c->clients[i]->deadline_ns)
			continue;
		c->stats.timed_out++;
		client__close(c->clients[i]);
	}
	if (c->paused)
		c->paused = !!loop__modify(c->listener, EPOLLIN);
	if (!c->stats.clients && !c->paused) {
		loop__remove(c->sweeper);
		c->sweeper = NULL;
	}
}

/* An agent that nobody asks is not woken for it. 0: there is no timer to be had. */
static int sweep_from_now(struct ctl *c)
{
	if (!c->sweeper)
		c->sweeper = loop__add_timer(c->loop, SWEEP_NS, SWEEP_NS, on_sweep, c);
	return !!c->sweeper;
}

static int add_client(struct ctl *c, int fd)
{
	struct client **slot = free_slot(c);
	struct client *cl = slot && sweep_from_now(c) ? calloc(1, sizeof(*cl)) : NULL;

	if (!cl)
		return -ENOMEM;
	cl->ctl = c;
	cl->fd = fd;
	cl->deadline_ns = clock__boot_ns() + CTL_TIMEOUT_S * 1000000000ULL;
	cl->source = loop__add_fd(c->loop, fd, EPOLLIN, on_client, cl);
	if (!cl->source) {
		free(cl);
		return -ENOMEM;
	}
	*slot = cl;
	c->stats.clients++;
	return 0;
}

static void on_listener(void *ctx, uint32_t events)
{
	struct ctl *c = ctx;
	int fd, i;

	(void)events;
	for (i = 0; i < ACCEPT_BATCH; i++) {
		fd = accept4(c->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
		if (fd < 0 && (errno == ECONNABORTED || errno == EINTR))
			continue;
		if (fd < 0) {
			/* out of descriptors: the loop would spin on a ready listener */
			if (errno != EAGAIN && sweep_from_now(c))
				c->paused = !loop__modify(c->listener, 0);
			return;
		}
		if (add_client(c, fd))
			refuse(c, fd);
	}
}

static int new_socket(void)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	return fd < 0 ? -errno : fd;
}

/* Remove what a dead agent left at the path; never anything but a socket nobody listens on. */
static int clear_path(const struct sockaddr_un *addr)
{
	struct stat st;
	int fd, err = 0;

	if (lstat(addr->sun_path, &st))
		return errno == ENOENT ? 0 : -errno;
	if (!S_ISSOCK(st.st_mode))
		return -EEXIST;
	fd = new_socket();
	if (fd < 0)
		return fd;
	if (!connect(fd, (const struct sockaddr *)addr, sizeof(*addr)) || errno == EAGAIN)
		err = -EADDRINUSE;
	else if (errno != ECONNREFUSED && errno != ENOENT)
		err = -errno;
	close(fd);
	if (!err && unlink(addr->sun_path) && errno != ENOENT)
		err = -errno;
	return err;
}

static int make_parent(const char *path)
{
	char dir[sizeof(((struct sockaddr_un *)0)->sun_path)];
	char *slash;

	strcpy(dir, path); /* fits: ctl__new checked it */
	slash = strrchr(dir, '/');
	if (!slash || slash == dir)
		return 0;
	*slash = '\0';
	return fs__mkdir_p(dir, 0755);
}

/* Nobody can connect between bind and listen, so the mode is never wider than it should be. */
static int listen_at(struct ctl *c)
{
	struct stat st;

	c->fd = new_socket();
	if (c->fd < 0)
		return c->fd;
	if (bind(c->fd, (struct sockaddr *)&c->addr, sizeof(c->addr)))
		return -errno;
	if (lstat(c->addr.sun_path, &st))
		return -errno;
	c->dev = st.st_dev;
	c->ino = st.st_ino;
	if (chmod(c->addr.sun_path, 0600) || listen(c->fd, CTL_MAX_CLIENTS))
		return -errno;
	return 0;
}

static int start(struct ctl *c)
{
	int err;

	err = make_parent(c->addr.sun_path);
	if (!err)
		err = clear_path(&c->addr);
	if (!err)
		err = listen_at(c);
	if (err)
		return err;
	c->listener = loop__add_fd(c->loop, c->fd, EPOLLIN, on_listener, c);
	return c->listener ? 0 : -errno;
}

int ctl__new(struct loop *loop, const char *path, ctl_handler_fn handler, void *ctx,
	     struct ctl **ret_ctl)
{
	struct ctl *c;
	int err;

	if (!*path)
		return -EINVAL;
	if (strlen(path) >= sizeof(c->addr.sun_path))
		return -ENAMETOOLONG;
	c = calloc(1, sizeof(*c));
	if (!c)
		return -ENOMEM;
	c->loop = loop;
	c->handler = handler;
	c->ctx = ctx;
	c->fd = -1;
	c->addr.sun_family = AF_UNIX;
	strcpy(c->addr.sun_path, path);
	err = start(c);
	if (err) {
		ctl__free(c);
		return err;
	}
	*ret_ctl = c;
	return 0;
}

static void remove_socket_file(const struct ctl *c)
{
	struct stat st;

	if (c->ino && !lstat(c->addr.sun_path, &st) && st.st_dev == c->dev && st.st_ino == c->ino)
		unlink(c->addr.sun_path);
}

void ctl__free(struct ctl *c)
{
	int i;

	if (!c)
		return;
	for (i = 0; i < CTL_MAX_CLIENTS; i++) {
		if (c->clients[i])
			client__close(c->clients[i]);
	}
	loop__remove(c->listener);
	loop__remove(c->sweeper);
	remove_socket_file(c);
	if (c->fd >= 0)
		close(c->fd);
	free(c);
}

void ctl__stats(const struct ctl *c, struct ctl_stats *ret_stats)
{
	*ret_stats = c->stats;
}
