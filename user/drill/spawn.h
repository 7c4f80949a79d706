/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * spawn.h - start a command so that it can be watched from nearly its first instruction.
 *
 * Nothing of a program can be probed before its libraries are mapped, and nobody is told when
 * they are. So the command runs in short steps, stopped in between, until it can be attached to.
 */
#ifndef SEEP_DRILL_SPAWN_H
#define SEEP_DRILL_SPAWN_H

#include <sys/types.h>

/*
 * Fork and exec. stdout_fd: what the command shall have as its standard output, -1: ours.
 * 0 once it runs, or -errno.
 */
int spawn__start(char *const argv[], int stdout_fd, pid_t *ret_pid);
/* Stop it, and return when it has stopped. -ESRCH: it has ended. */
int spawn__stop(pid_t pid);
void spawn__continue(pid_t pid);

#endif /* SEEP_DRILL_SPAWN_H */
