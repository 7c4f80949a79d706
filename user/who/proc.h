/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * proc.h - what /proc/PID says of one process, safe against reuse of the pid.
 *
 * A descriptor of /proc/PID stays bound to that process: once its start time has been compared,
 * everything read below it belongs to the same process or fails.
 */
#ifndef SEEP_WHO_PROC_H
#define SEEP_WHO_PROC_H

#include <stddef.h>
#include <stdint.h>
#include <linux/types.h>
#include <seep/task_id.h>

#define PROC_CMDLINE_CAP 1024
#define PROC_EXE_CAP     1024
#define PROC_UID_UNKNOWN UINT32_MAX

struct proc_names {
	uint32_t uid; /* real uid, or PROC_UID_UNKNOWN */
	char cmdline[PROC_CMDLINE_CAP]; /* cleaned; empty for kernel threads and zombies */
	char exe[PROC_EXE_CAP];         /* cleaned; empty when it cannot be read */
};

/* A descriptor of the process's directory for the functions below, to be closed by the caller.
 * -ESRCH when it is gone, or when the pid belongs to another by now (start_ns 0: not checked). */
int proc__open(int proc_fd, const struct seep_task_id *id);

void proc__read_names(int pid_fd, struct proc_names *ret_names);

/*
 * The cgroup of the memory controller as /proc/PID/cgroup has it, as raw bytes. version is the
 * memory controller's: 1 takes the line of "memory", 2 the unified line, 0 whichever is there.
 * 0, -ENOENT when there is no such line, -errno.
 */
int proc__read_cgroup(int pid_fd, int version, char *ret_path, size_t cap);

#endif /* SEEP_WHO_PROC_H */
