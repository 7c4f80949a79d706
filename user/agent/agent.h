/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * agent.h - the daemon: one loop, one tick.
 *
 * tick = poll the kernel, store, judge, track incidents, save. Everything else answers questions.
 */
#ifndef SEEP_AGENT_AGENT_H
#define SEEP_AGENT_AGENT_H

#include "config.h"

struct agent;

/* argc/argv are kept for SIGHUP. 0 or -errno; what failed has been logged. */
int agent__new(const struct config *cfg, int argc, char **argv, struct agent **ret_agent);
/* Until SIGTERM or SIGINT. 0 or -errno. */
int agent__run(struct agent *a);
/* Saves and removes the socket. */
void agent__free(struct agent *a);

#endif /* SEEP_AGENT_AGENT_H */
