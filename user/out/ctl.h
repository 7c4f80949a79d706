/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * ctl.h - the agent's end of the Unix socket: many clients, none of whom can stall the loop.
 *
 * Everything is non-blocking; requests, answers, clients and waiting times are bounded (see
 * ctl_proto.h); what exceeds a bound is closed and counted.
 */
#ifndef SEEP_OUT_CTL_H
#define SEEP_OUT_CTL_H

#include <jansson.h>

#include "../base/buf.h"
#include "../base/loop.h"
#include "ctl_proto.h"

struct ctl;

/*
 * Answer a request: append the body to `body` and return 0, or return an enum seep_exit code
 * and put one line of reason (no newline) into `body`.
 */
typedef int (*ctl_handler_fn)(void *ctx, const char *cmd, const json_t *request,
			      struct buf *body);

/*
 * Listen at path (0600, root's; parent made if missing). A stale socket file is replaced, one
 * with a live agent behind it gives -EADDRINUSE. 0 or -errno.
 */
int ctl__new(struct loop *loop, const char *path, ctl_handler_fn handler, void *ctx,
	     struct ctl **ret_ctl);
void ctl__free(struct ctl *c); /* removes the socket file */

struct ctl_stats {
	unsigned clients;
	uint64_t requests, refused, displaced, timed_out, bad;
};
void ctl__stats(const struct ctl *c, struct ctl_stats *ret_stats);

#endif /* SEEP_OUT_CTL_H */
