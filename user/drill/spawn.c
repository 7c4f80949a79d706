// SPDX-License-Identifier: BSD-2-Clause
/* spawn.c - see spawn.h. */
#include <errno.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "spawn.h"

/* The child; only calls that are safe after fork. Reports why exec failed, by closing if not. */
static void run_child(char *const argv[], int stdout_fd, int go_fd, int result_fd)
{
	char go;
	int err;

	if (read(go_fd, &go, 1) != 1)
		_exit(127);
	if (stdout_fd >= 0 && dup2(stdout_fd, STDOUT_FILENO) < 0)
		_exit(127);
	execvp(argv[0], argv);
	err = errno;
	if (write(result_fd, &err, sizeof(err)) < 0)
		_exit(126);
	_exit(127);
}

/* A pipe whose writer is not killed when the reader is gone. */
static int open_pipe(int fds[2])
{
	return socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) ? -errno : 0;
}

static void close_pipe(int fds[2])
{
	close(fds[0]);
	close(fds[1]);
}

int spawn__start(struct spawn *s, char *const argv[], int stdout_fd)
{
	int go[2], result[2], err;

	err = open_pipe(go);
	if (err)
		return err;
	err = open_pipe(result);
	if (err) {
		close_pipe(go);
		return err;
	}
	s->pid = fork();
	if (s->pid < 0) {
		err = -errno;
		close_pipe(go);
		close_pipe(result);
		return err;
	}
	if (!s->pid) {
		close(go[1]);
		close(result[0]);
		run_child(argv, stdout_fd, go[0], result[1]);
	}
	close(go[0]);
	close(result[1]);
	s->go_fd = go[1];
	s->result_fd = result[0];
	return 0;
}

static void reap(struct spawn *s)
{
	while (waitpid(s->pid, NULL, 0) < 0 && errno == EINTR)
		;
}

int spawn__go(struct spawn *s)
{
	int err = 0, gone;

	/* a child that was killed meanwhile shows in the read below */
	gone = send(s->go_fd, "g", 1, MSG_NOSIGNAL) != 1;
	close(s->go_fd);
	if (read(s->result_fd, &err, sizeof(err)) <= 0)
		err = gone ? ESRCH : 0;
	close(s->result_fd);
	if (err)
		reap(s);
	return -err;
}

void spawn__cancel(struct spawn *s)
{
	close(s->go_fd);
	close(s->result_fd);
	reap(s);
}
