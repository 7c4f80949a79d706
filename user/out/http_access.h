/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * http_access.h - who may read over HTTP: pure decisions on what a request's headers say.
 *
 * Two dangers are met. A web page of somebody else may point a name of its own at 127.0.0.1 and
 * let the visitor's browser read the agent (DNS rebinding): an agent on loopback therefore answers
 * only requests that name loopback. And whoever reaches the port may try tokens: they are compared
 * in a time that does not depend on where they differ.
 */
#ifndef SEEP_OUT_HTTP_ACCESS_H
#define SEEP_OUT_HTTP_ACCESS_H

#include <stddef.h>
#include <sys/socket.h>

#define ACCESS_USER	 "seep" /* of basic auth; the password is the token */
#define ACCESS_TOKEN_MIN 8
#define ACCESS_TOKEN_MAX 256

/* Only this machine can connect to the address. */
int access__is_loopback(const struct sockaddr *addr);
/* The Host header names loopback: localhost, 127.x.y.z or [::1], with or without a port. */
int access__host_is_local(const char *host);

/*
 * The token that a file holds: printable ASCII without blanks; blanks around it are cut off.
 * 0; -EINVAL when it is shorter or longer than the bounds or something else; -errno.
 */
int access__read_token(const char *path, char ret_token[ACCESS_TOKEN_MAX + 1]);
/* The Authorization header (may be NULL) carries the token, as a bearer or as basic auth. */
int access__is_granted(const char *authorization, const char *token);

#endif /* SEEP_OUT_HTTP_ACCESS_H */
