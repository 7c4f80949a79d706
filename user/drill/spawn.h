/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * spawn.h - start a command so that it can be watched from its first own instruction on.
 */
#ifndef SEEP_DRILL_SPAWN_H
#define SEEP_DRILL_SPAWN_H

#include <sys/types.h>

/*
 * Fork, exec, and run to the program's entry point, where its libraries are mapped and nothing of
 * its own has run (only their constructors); there it stands stopped until spawn__continue. Where
 * it cannot be brought there it stands behind its exec. stdout_fd: what the command shall have as
 * its standard output, -1: ours. 0; -ESRCH: it ended on the way; -errno.
 */
int spawn__start(char *const argv[], int stdout_fd, pid_t *ret_pid);
void spawn__continue(pid_t pid);

#endif /* SEEP_DRILL_SPAWN_H */
