// SPDX-License-Identifier: BSD-2-Clause
#include <arpa/inet.h>
#include <errno.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <microhttpd.h>
#include <utlist.h>

#include "../base/clock.h"
#include "http.h"
#include "http_access.h"

#define TICK_NS 1000000000ULL /* how often timeouts are looked after */
#define TURN_NS 20000000ULL   /* then it is others' turn */

/* In the order in which they last asked for something, or came. */
struct client {
	struct client *prev, *next;
	int fd;
	int is_closing;
};

struct http {
	struct MHD_Daemon *daemon;
	struct loop *loop;
	struct loop_source *source;
	struct loop_source *timer; /* while there are clients */
	struct client *clients;
	struct http_stats stats;
	http_handler_fn handler;
	void *ctx;
	char *token;  /* NULL: none is asked for */
	int is_local; /* it listens on loopback */
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

/* A listening socket, and what was really taken. A descriptor or -errno. */
static int listen_on(const char *address, unsigned *ret_port, int *ret_is_local)
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
	*ret_is_local = access__is_loopback((struct sockaddr *)&addr);
	return fd;
}

/* ---- answers ----------------------------------------------------------------------------- */

/* Nothing runs, loads or frames but what the agent itself serves; nothing is kept by proxies. */
static const struct {
	const char *name, *value;
} safety[] = {
	{"Content-Security-Policy",
	 "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "
	 "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; "
	 "require-trusted-types-for 'script'; trusted-types 'none'"},
	{"X-Content-Type-Options", "nosniff"},
	{"X-Frame-Options", "DENY"},
	{"Referrer-Policy", "no-referrer"},
	{"Cross-Origin-Opener-Policy", "same-origin"},
	{"Cross-Origin-Resource-Policy", "same-origin"},
	{"Permissions-Policy", "camera=(), geolocation=(), microphone=()"},
	{"Cache-Control", "private, no-cache"},
};

static void add_headers(struct MHD_Response *r, unsigned status, const char *type)
{
	size_t i;

	for (i = 0; i < sizeof(safety) / sizeof(safety[0]); i++)
		MHD_add_response_header(r, safety[i].name, safety[i].value);
	MHD_add_response_header(r, "Content-Type", type);
	if (status == MHD_HTTP_METHOD_NOT_ALLOWED)
		MHD_add_response_header(r, "Allow", "GET, HEAD");
	if (status == MHD_HTTP_UNAUTHORIZED)
		MHD_add_response_header(r, "WWW-Authenticate", "Basic realm=\"seep\"");
}

/* FNV-1a: a body that changed has another tag, and nobody gains by making two alike. */
static void tag_of(const struct buf *body, char *ret_tag, size_t cap)
{
	uint64_t hash = 0xcbf29ce484222325;
	size_t i;

	for (i = 0; i < body->len; i++)
		hash = (hash ^ (unsigned char)body->data[i]) * 0x100000001b3;
	snprintf(ret_tag, cap, "\"%016" PRIx64 "\"", hash);
}

static enum MHD_Result send_body(struct MHD_Connection *c, unsigned status, const char *type,
				 struct buf *body)
{
	const char *known = MHD_lookup_connection_value(c, MHD_HEADER_KIND, "If-None-Match");
	struct MHD_Response *r;
	enum MHD_Result ret;
	char tag[24];

	tag_of(body, tag, sizeof(tag));
	if (status == MHD_HTTP_OK && known && strstr(known, tag)) {
		status = MHD_HTTP_NOT_MODIFIED;
		body->len = 0;
	}
	r = MHD_create_response_from_buffer(body->len, body->len ? body->data : (char *)"",
					    MHD_RESPMEM_MUST_COPY);
	if (!r)
		return MHD_NO;
	add_headers(r, status, type);
	if (status == MHD_HTTP_OK || status == MHD_HTTP_NOT_MODIFIED)
		MHD_add_response_header(r, "ETag", tag);
	ret = MHD_queue_response(c, status, r);
	MHD_destroy_response(r);
	return ret;
}

/* ---- clients ----------------------------------------------------------------------------- */

/* A client may have sent its next requests with the first: no event tells of those. */
static void run(void *ctx, uint32_t epoll_events)
{
	uint64_t end_ns = clock__boot_ns() + TURN_NS;
	MHD_UNSIGNED_LONG_LONG left_ms;
	struct http *h = ctx;

	(void)epoll_events;
	do
		MHD_run(h->daemon);
	while (MHD_get_timeout(h->daemon, &left_ms) == MHD_YES && !left_ms &&
	       clock__boot_ns() < end_ns);
}

/* The library closes it at its next run. */
static void displace(struct http *h)
{
	struct client *cl;

	DL_FOREACH(h->clients, cl)
		if (!cl->is_closing)
			break;
	if (!cl)
		return;
	cl->is_closing = 1;
	h->stats.displaced++;
	shutdown(cl->fd, SHUT_RDWR);
}

static void welcome(struct http *h, struct MHD_Connection *c, void **ret_client)
{
	const union MHD_ConnectionInfo *info =
		MHD_get_connection_info(c, MHD_CONNECTION_INFO_CONNECTION_FD);
	struct client *cl = calloc(1, sizeof(*cl));

	if (!info || !cl) {
		free(cl);
		return; /* it is served, and ends by its time limit */
	}
	if (h->stats.clients >= HTTP_MAX_CLIENTS)
		displace(h);
	cl->fd = info->connect_fd;
	DL_APPEND(h->clients, cl);
	h->stats.clients++;
	*ret_client = cl;
	if (!h->timer)
		h->timer = loop__add_timer(h->loop, TICK_NS, TICK_NS, run, h);
}

/*
 * Who has been silent for the longest makes room for the newest: probes of an orchestrator, which ask
 * at once, are answered, however many clients there are that only hold their connections.
 */
static void on_connection(void *cls, struct MHD_Connection *c, void **client,
			  enum MHD_ConnectionNotificationCode what)
{
	struct http *h = cls;
	struct client *cl = *client;

	if (what == MHD_CONNECTION_NOTIFY_STARTED) {
		welcome(h, c, client);
		return;
	}
	if (!cl)
		return;
	DL_DELETE(h->clients, cl);
	free(cl);
	*client = NULL;
	if (--h->stats.clients)
		return;
	loop__remove(h->timer);
	h->timer = NULL;
}

static void note_activity(struct http *h, struct MHD_Connection *c)
{
	const union MHD_ConnectionInfo *info =
		MHD_get_connection_info(c, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
	struct client *cl = info ? info->socket_context : NULL;

	if (!cl)
		return;
	DL_DELETE(h->clients, cl);
	DL_APPEND(h->clients, cl);
}

/* ---- requests ---------------------------------------------------------------------------- */

const char *http__arg(const struct http_request *rq, const char *name)
{
	return MHD_lookup_connection_value(rq->connection, MHD_GET_ARGUMENT_KIND, name);
}

/* What probes of an orchestrator ask for: it tells nothing, and they have no token. */
static int is_public(const char *path)
{
	return !strcmp(path, "/healthz") || !strcmp(path, "/readyz");
}

/* 0, or the status it is refused with and the reason in body. */
static int refuse(const struct http *h, struct MHD_Connection *c, const char *path,
		  const char *method, struct buf *body)
{
	const char *host = MHD_lookup_connection_value(c, MHD_HEADER_KIND, "Host");
	const char *authorization =
		MHD_lookup_connection_value(c, MHD_HEADER_KIND, "Authorization");

	if (strcmp(method, "GET") && strcmp(method, "HEAD")) {
		buf__puts(body, "only GET and HEAD\n");
		return MHD_HTTP_METHOD_NOT_ALLOWED;
	}
	if (is_public(path))
		return 0;
	if (h->is_local && host && !access__host_is_local(host)) {
		buf__puts(body, "this agent answers to localhost only\n");
		return MHD_HTTP_MISDIRECTED_REQUEST;
	}
	if (h->token && !access__is_granted(authorization, h->token)) {
		buf__puts(body, "the token is needed: as a bearer, or as the password of user "
				ACCESS_USER "\n");
		return MHD_HTTP_UNAUTHORIZED;
	}
	return 0;
}

static enum MHD_Result on_request(void *cls, struct MHD_Connection *c, const char *url,
				  const char *method, const char *version, const char *upload,
				  size_t *upload_size, void **state)
{
	const char *type = "text/plain; charset=utf-8";
	struct http *h = cls;
	const char *accept = MHD_lookup_connection_value(c, MHD_HEADER_KIND, "Accept");
	const struct http_request rq = {
		.path = url,
		.accept = accept ? accept : "",
		.is_private = h->is_local || h->token,
		.connection = c,
	};
	struct buf body = {0};
	enum MHD_Result ret;
	int status;

	(void)version;
	(void)upload;
	if (!*state) { /* headers only: wait for the whole request */
		*state = h;
		note_activity(h, c);
		return MHD_YES;
	}
	if (*upload_size) { /* nobody reads it */
		*upload_size = 0;
		return MHD_YES;
	}
	h->stats.requests++;
	status = refuse(h, c, url, method, &body);
	if (!status)
		status = h->handler(h->ctx, &rq, &body, &type);
	if (body.err)
		status = MHD_HTTP_INTERNAL_SERVER_ERROR;
	ret = send_body(c, status, type, &body);
	buf__free(&body);
	return ret;
}

/* The limit leaves room for those that are being closed. */
static struct MHD_Daemon *start(struct http *h, int fd)
{
	return MHD_start_daemon(MHD_USE_EPOLL, 0, NULL, NULL, on_request, h,
				MHD_OPTION_LISTEN_SOCKET, fd,
				MHD_OPTION_CONNECTION_LIMIT, 2 * (unsigned)HTTP_MAX_CLIENTS,
				MHD_OPTION_NOTIFY_CONNECTION, on_connection, h,
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
	return h->source ? 0 : -errno;
}

static int serve(struct http *h, struct loop *loop, const char *address)
{
	int fd = listen_on(address, &h->port, &h->is_local);

	if (fd < 0)
		return fd;
	h->daemon = start(h, fd); /* owns fd from here on */
	if (!h->daemon) {
		close(fd);
		return -ENOMEM;
	}
	return watch(h, loop);
}

int http__new(struct loop *loop, const char *address, const char *token, http_handler_fn handler,
	      void *ctx, struct http **ret_http)
{
	struct http *h = calloc(1, sizeof(*h));
	int err = -ENOMEM;

	if (!h)
		return err;
	h->loop = loop;
	h->handler = handler;
	h->ctx = ctx;
	h->token = token ? strdup(token) : NULL;
	if (!token || h->token)
		err = serve(h, loop, address);
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
	if (h->daemon)
		MHD_stop_daemon(h->daemon); /* ends the clients, and with the last the timer */
	free(h->token);
	free(h);
}

unsigned http__port(const struct http *h)
{
	return h->port;
}

void http__stats(const struct http *h, struct http_stats *ret_stats)
{
	*ret_stats = h->stats;
}
