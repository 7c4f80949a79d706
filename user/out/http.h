/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * http.h - a few read-only pages over HTTP, served by libmicrohttpd from the agent's loop.
 *
 * No threads: the library's epoll descriptor is one more source of the loop. Clients are bounded
 * and timed out, and the most silent one makes room for a new one; anything but GET and HEAD of a known path is refused. Who may read is decided here
 * (see http_access.h), and every answer tells browsers to run nothing that did not come with it.
 */
#ifndef SEEP_OUT_HTTP_H
#define SEEP_OUT_HTTP_H

#include <stdint.h>

#include "../base/buf.h"
#include "../base/loop.h"

#define HTTP_MAX_CLIENTS 32
#define HTTP_TIMEOUT_S   10

struct http;

/* What a handler may look at; it lives for the call. */
struct http_request {
	const char *path;
	const char *accept; /* the header, or "" */
	int is_private; /* it came over loopback, or with the token */
	void *connection;
};

/* A parameter of the query, decoded, or NULL. */
const char *http__arg(const struct http_request *rq, const char *name);

/* Fill body and *ret_type; returns the HTTP status (200, 404, 503). */
typedef int (*http_handler_fn)(void *ctx, const struct http_request *rq, struct buf *body,
			       const char **ret_type);

/*
 * address is "IPV4:PORT", "[IPV6]:PORT" or ":PORT" (loopback); port 0 picks a free one. With a
 * token (else NULL) only /healthz and /readyz are answered without it. 0, -EINVAL for an address
 * that does not parse, -EADDRINUSE, -errno.
 */
int http__new(struct loop *loop, const char *address, const char *token, http_handler_fn handler,
	      void *ctx, struct http **ret_http);
void http__free(struct http *h);
unsigned http__port(const struct http *h);

struct http_stats {
	unsigned clients;
	uint64_t requests;
	uint64_t displaced; /* clients that had been silent for the longest when there were too many */
};
void http__stats(const struct http *h, struct http_stats *ret_stats);

#endif /* SEEP_OUT_HTTP_H */
