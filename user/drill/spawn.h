/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * spawn.h - start a command in two steps: a process that waits, then the command in it.
 *
 * In between, the process has its final pid and can be watched from its first instruction.
 */
#ifndef SEEP_DRILL_SPAWN_H
#define SEEP_DRILL_SPAWN_H

#include <sys/types.h>

struct spawn {
	pid_t pid;
	int go_fd;    /* closed: the child gives up */
	int result_fd;
};

/* Fork. stdout_fd: what the command shall have as its standard output, -1: ours. 0 or -errno. */
int spawn__start(struct spawn *s, char *const argv[], int stdout_fd);
/* Let it exec. 0, or -errno: why it could not; the child is gone then. */
int spawn__go(struct spawn *s);
/* Before spawn__go: give up. */
void spawn__cancel(struct spawn *s);

#endif /* SEEP_DRILL_SPAWN_H */
