/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * ctl_proto.h - how the CLI talks to the agent over its Unix socket.
 *
 * One request per connection: a line of JSON {"v":1,"cmd":"top",...}\n of at most
 * CTL_REQUEST_MAX bytes. One answer: a line {"v":1,"ok":true,"bytes":N}\n followed by N bytes of
 * body (JSON or CSV, as the command says), or {"v":1,"ok":false,"code":E,"error":"..."}\n where
 * code is the CLI's exit code. The agent closes afterwards.
 *
 *   cmd      further members of the request                   body
 *   top      by ("process"|"cgroup"|"pod"), n                 seep.top/1
 *   leaks    all (bool), since_s, until_s, select (selector),  seep.leaks/1
 *            severity (at least: 0 to 2)
 *   show     id (or unique prefix)                            seep.incident/1
 *   inspect  last_s: not the whole window                     seep.inspect/1
 *   mute     select, for_s (none: for good), reason           seep.mutes/1
 *   unmute   what: id or selector                             seep.mutes/1
 *   mutes                                                     seep.mutes/1
 *   drill    action ("pause"|"resume"|"status"), for_s        seep.drill/1
 *   config   reload (bool)                                    seep.config/1
 *   status                                                    seep.status/1
 *   record   first, count: a page of series                   replay CSV; empty = no more pages
 */
#ifndef SEEP_OUT_CTL_PROTO_H
#define SEEP_OUT_CTL_PROTO_H

#define CTL_VERSION 1
#define CTL_REQUEST_MAX 4096
#define CTL_DEFAULT_SOCKET "/run/seep/seep.sock"
#define CTL_MAX_CLIENTS 32
#define CTL_TIMEOUT_S 10          /* a client that does not finish its request, or read */
#define CTL_BUFFER_MAX (64u << 20) /* answers held for all slow readers together */

/* Exit codes of the CLI, and `code` of a failed answer. */
enum seep_exit {
	SEEP_EXIT_OK = 0,
	SEEP_EXIT_FAILED = 1,
	SEEP_EXIT_USAGE = 2,
	SEEP_EXIT_LEAKS = 3,
	SEEP_EXIT_NO_TARGET = 4,
	SEEP_EXIT_NOT_PERMITTED = 5,
};

#endif /* SEEP_OUT_CTL_PROTO_H */
