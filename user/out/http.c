// SPDX-License-Identifier: BSD-2-Clause
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <microhttpd.h>

#include "http.h"

#define TICK_NS 1000000000ULL /* how often timeouts are looked after */

struct http {
	struct MHD_Daemon *daemon;
	struct loop_source *source, *timer;
	http_handler_fn handler;
	void *ctx;
	unsigned port;
};

/* ---- addresses --------------------------------------------------------------------------- */

static int parse_port(const char *text, in_port_t *ret_port)
{
	unsigned long port;
	char *end;

	errno = 0;
	port = strtoul(text, &end, 10);
	if (end == text || *end || errno || port > 65535)
		return -EINVAL;
	*ret_port = htons(port);
	return 0;
}

static int parse_address(const char *text, struct sockaddr_storage *ret_addr, socklen_t *ret_len)
{
	struct sockaddr_in *v4 = (struct sockaddr_in *)ret_addr;
	struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)ret_addr;
	char host[64];
	const char *colon = strrchr(text, ':');
	size_t len = colon ? (size_t)(colon - text) : 0;

	memset(ret_addr, 0, sizeof(*ret_addr));
	if (!colon || len >= sizeof(host))
		return -EINVAL;
	snprintf(host, sizeof(host), "%.*s", (int)len, text);
	if (host[0] == '[' && len > 2 && host[len - 1] == ']') {
		host[len - 1] = '\0';
		v6->sin6_family = AF_INET6;
		*ret_len = sizeof(*v6);
		if (inet_pton(AF_INET6, host + 1, &v6->sin6_addr) != 1)
			return -EINVAL;
		return parse_port(colon + 1, &v6->sin6_port);
	}
	v4->sin_family = AF_INET;
	*ret_len = sizeof(*v4);
	if (inet_pton(AF_INET, len ? host : "127.0.0.1", &v4->sin_addr) != 1)
		return -EINVAL;
	return parse_port(colon + 1, &v4->sin_port);
}

/* A listening socket; the port that was really taken in *ret_port. A descriptor or -errno. */
static int listen_on(const char *address, unsigned *ret_port)
{
	struct sockaddr_storage addr;
	socklen_t len;
	int fd, err, one = 1;

	err = parse_address(address, &addr, &len);
	if (err)
		return err;
	fd = socket(addr.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (bind(fd, (struct sockaddr *)&addr, len) || listen(fd, HTTP_MAX_CLIENTS) ||
	    getsockname(fd, (struct sockaddr *)&addr, &len)) {
		err = -errno;
		close(fd);
		return err;
	}
	/* the port stands at the same place for both families */
	*ret_port = ntohs(((struct sockaddr_in *)&addr)->sin_port);
	return fd;
}

/* ---- requests ---------------------------------------------------------------------------- */

static const char *header(struct MHD_Connection *c, const char *name)
{
	const char *value = MHD_lookup_connection_value(c, MHD_HEADER_KIND, name);

	return value ? value : "";
}

static enum MHD_Result send_body(struct MHD_Connection *c, unsigned status, const char *type,
				 const struct buf *body)
{
	struct MHD_Response *r;
	enum MHD_Result ret;

	r = MHD_create_response_from_buffer(body->len, body->len ? body->data : (char *)"",
					    MHD_RESPMEM_MUST_COPY);
	if (!r)
		return MHD_NO;
	MHD_add_response_header(r, "Content-Type", type);
	MHD_add_response_header(r, "X-Content-Type-Options", "nosniff");
	if (status == MHD_HTTP_METHOD_NOT_ALLOWED)
		MHD_add_response_header(r, "Allow", "GET, HEAD");
	ret = MHD_queue_response(c, status, r);
	MHD_destroy_response(r);
	return ret;
}

static enum MHD_Result on_request(void *cls, struct MHD_Connection *c, const char *url,
				  const char *method, const char *version, const char *upload,
				  size_t *upload_size, void **state)
{
	struct http_request rq = {.path = url, .accept = header(c, "Accept")};
	const char *type = "text/plain; charset=utf-8";
	struct http *h = cls;
	struct buf body = {0};
	enum MHD_Result ret;
	int status;

	(void)version;
	(void)upload;
	if (!*state) { /* headers only: wait for the whole request */
		*state = h;
		return MHD_YES;
	}
	if (*upload_size) { /* nobody reads it */
		*upload_size = 0;
		return MHD_YES;
	}
	if (strcmp(method, "GET") && strcmp(method, "HEAD")) {
		status = MHD_HTTP_METHOD_NOT_ALLOWED;
		buf__puts(&body, "only GET and HEAD\n");
	} else {
		status = h->handler(h->ctx, &rq, &body, &type);
	}
	if (body.err)
		status = MHD_HTTP_INTERNAL_SERVER_ERROR;
	ret = send_body(c, status, type, &body);
	buf__free(&body);
	return ret;
}

static void run(void *ctx, uint32_t epoll_events)
{
	struct http *h = ctx;

	(void)epoll_events;
	MHD_run(h->daemon);
}

static struct MHD_Daemon *start(struct http *h, int fd)
{
	return MHD_start_daemon(MHD_USE_EPOLL, 0, NULL, NULL, on_request, h,
				MHD_OPTION_LISTEN_SOCKET, fd,
				MHD_OPTION_CONNECTION_LIMIT, (unsigned)HTTP_MAX_CLIENTS,
				MHD_OPTION_CONNECTION_TIMEOUT, (unsigned)HTTP_TIMEOUT_S,
				MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)16384, MHD_OPTION_END);
}

static int watch(struct http *h, struct loop *loop)
{
	const union MHD_DaemonInfo *info;

	info = MHD_get_daemon_info(h->daemon, MHD_DAEMON_INFO_EPOLL_FD);
	if (!info)
		return -ENOSYS;
	h->source = loop__add_fd(loop, info->epoll_fd, EPOLLIN, run, h);
	h->timer = loop__add_timer(loop, TICK_NS, TICK_NS, run, h);
	return h->source && h->timer ? 0 : -errno;
}

int http__new(struct loop *loop, const char *address, http_handler_fn handler, void *ctx,
	      struct http **ret_http)
{
	struct http *h = calloc(1, sizeof(*h));
	int fd, err;

	if (!h)
		return -ENOMEM;
	h->handler = handler;
	h->ctx = ctx;
	fd = listen_on(address, &h->port);
	if (fd < 0) {
		free(h);
		return fd;
	}
	h->daemon = start(h, fd); /* owns fd from here on */
	if (!h->daemon) {
		close(fd);
		free(h);
		return -ENOMEM;
	}
	err = watch(h, loop);
	if (err) {
		http__free(h);
		return err;
	}
	*ret_http = h;
	return 0;
}

void http__free(struct http *h)
{
	if (!h)
		return;
	loop__remove(h->source);
	loop__remove(h->timer);
	MHD_stop_daemon(h->daemon);
	free(h);
}

unsigned http__port(const struct http *h)
{
	return h->port;
}
