/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * client.h - one question to the agent over its Unix socket, and the answer; blocking, with a
 * time limit on each step.
 *
 * Failures are exit codes (enum seep_exit) with one line in `why` that says what to do next.
 */
#ifndef SEEP_CLI_CLIENT_H
#define SEEP_CLI_CLIENT_H

#include <jansson.h>

#include "../base/buf.h"
#include "../out/ctl_proto.h"
#include "options.h"

#define CLIENT_TIMEOUT_S 15 /* the agent gives up on us after CTL_TIMEOUT_S */

/* The row of every command that talks to the agent; target is a const char *. */
#define SOCKET_OPTION(target) \
	{"socket", 0, OPTION_STRING, "PATH", target, \
	 "where the agent listens (default: $SEEP_SOCKET,\nthen " CTL_DEFAULT_SOCKET ")", NULL}

/* `given` if not NULL, else $SEEP_SOCKET, else CTL_DEFAULT_SOCKET. */
const char *client__socket(const char *given);

/*
 * Send {"v":1,"cmd":cmd} with the members of args (may be NULL) and append the body of the
 * answer to ret_body. SEEP_EXIT_OK, or an exit code with the reason in why.
 */
int client__ask(const char *socket_path, double timeout_s, const char *cmd, json_t *args,
		struct buf *ret_body, struct buf *why);

/* The same for bodies that are JSON objects; *ret_json is the caller's. */
int client__ask_json(const char *socket_path, double timeout_s, const char *cmd, json_t *args,
		     json_t **ret_json, struct buf *why);

/* Print "seep COMMAND: WHY" on stderr, free why, and return code. */
int client__complain(const char *command, int code, struct buf *why);

/*
 * What every `seep COMMAND [--json]` does that shows an answer: ask (args are stolen), complain
 * on stderr if that fails, print the body as it came if print_body, hand it over parsed.
 */
int client__query(const char *command, const char *socket, json_t *args, int print_body,
		  json_t **ret_json);

#endif /* SEEP_CLI_CLIENT_H */
