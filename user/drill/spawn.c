// SPDX-License-Identifier: BSD-2-Clause
/* spawn.c - see spawn.h. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "spawn.h"

/*
 * The child; only calls that are safe after fork. A pipe that exec closes tells how it went.
 * Should we die while it is stopped, it goes on.
 */
static void run_child(char *const argv[], int stdout_fd, int result_fd)
{
	int err = 0;

	prctl(PR_SET_PDEATHSIG, SIGCONT);
	if (stdout_fd >= 0 && dup2(stdout_fd, STDOUT_FILENO) < 0)
		err = errno;
	if (!err) {
		execvp(argv[0], argv);
		err = errno;
	}
	if (write(result_fd, &err, sizeof(err)) < 0)
		_exit(126);
	_exit(127);
}

static pid_t wait_for(pid_t pid, int *ret_status, int options)
{
	pid_t found;

	do
		found = waitpid(pid, ret_status, options);
	while (found < 0 && errno == EINTR);
	return found;
}

/* What the child has to say; silence is success. */
static int read_result(int fd)
{
	int err = 0;
	ssize_t n;

	do
		n = read(fd, &err, sizeof(err));
	while (n < 0 && errno == EINTR);
	return n == sizeof(err) ? -err : 0;
}

int spawn__start(char *const argv[], int stdout_fd, pid_t *ret_pid)
{
	int result[2], err, status;
	pid_t pid;

	if (pipe2(result, O_CLOEXEC))
		return -errno;
	pid = fork();
	err = pid < 0 ? -errno : 0;
	if (!pid)
		run_child(argv, stdout_fd, result[1]);
	close(result[1]);
	if (!err) {
		err = read_result(result[0]);
		if (err)
			wait_for(pid, &status, 0);
	}
	close(result[0]);
	if (!err)
		*ret_pid = pid;
	return err;
}

int spawn__stop(pid_t pid)
{
	int status;

	if (kill(pid, SIGSTOP))
		return -errno;
	if (wait_for(pid, &status, WUNTRACED) < 0)
		return -errno;
	return WIFSTOPPED(status) ? 0 : -ESRCH;
}

void spawn__continue(pid_t pid)
{
	kill(pid, SIGCONT);
}
