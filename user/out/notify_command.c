// SPDX-License-Identifier: BSD-2-Clause
/*
 * notify_command.c - a program with the message on its standard input.
 *
 * No shell: the words of the command are its arguments. It gets an empty signal mask and none of our
 * capabilities, its output is thrown away, and at the time limit it and its process group are killed.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "../base/caps.h"
#include "../base/clock.h"
#include "../base/fs.h"
#include "../base/json_mem.h"
#include "notify_kind.h"

#define ARGS_MAX 32
#define STEP_MS	 100 /* how often it is looked at */

extern char **environ;

/* The whole message, to be read from the start: nothing blocks, however slow the reader. */
static int make_input(const json_t *message)
{
	char *text = json_mem__dumps(message, JSON_COMPACT);
	int fd = text ? memfd_create("seep-notification", MFD_CLOEXEC) : -1;
	int err = text ? fd < 0 ? -errno : 0 : -ENOMEM;

	if (!err)
		err = fs__write_all(fd, text, strlen(text));
	if (!err && lseek(fd, 0, SEEK_SET))
		err = -errno;
	free(text);
	if (err && fd >= 0)
		close(fd);
	return err ? err : fd;
}

/*
 * This thread delivers to this target and nothing else: it gives its capabilities up for good, and
 * what it runs has none to begin with, whoever the user is. words is written to. 0 or -errno.
 */
static int start(char *words, int input, pid_t *ret_pid)
{
	char *argv[ARGS_MAX + 1] = {0}, *rest = words;
	posix_spawn_file_actions_t actions;
	posix_spawnattr_t attr;
	sigset_t none, defaults;
	size_t cnt = 0;
	int err;

	while (cnt < ARGS_MAX && (argv[cnt] = strtok_r(rest, " \t", &rest)))
		cnt++;
	if (!cnt)
		return -EINVAL;
	err = caps__keep(0);
	if (err)
		return err;
	sigemptyset(&none);
	sigemptyset(&defaults);
	sigaddset(&defaults, SIGPIPE);
	posix_spawnattr_init(&attr);
	posix_spawnattr_setflags(&attr, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETPGROUP |
						POSIX_SPAWN_SETSIGDEF);
	posix_spawnattr_setsigmask(&attr, &none);
	posix_spawnattr_setsigdefault(&attr, &defaults);
	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_adddup2(&actions, input, STDIN_FILENO);
	posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, "/dev/null", O_WRONLY, 0);
	posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, "/dev/null", O_WRONLY, 0);
	err = -posix_spawnp(ret_pid, argv[0], &actions, &attr, argv, environ);
	posix_spawn_file_actions_destroy(&actions);
	posix_spawnattr_destroy(&attr);
	return err;
}

/* Its wait status, or -ETIMEDOUT, -ECANCELED: then it is dead, too. */
static int await(const struct notify_delivery *d, pid_t pid, int *ret_status)
{
	uint64_t end_ns = clock__boot_ns() + d->target->timeout_s * 1e9;
	int err = 0;

	while (waitpid(pid, ret_status, WNOHANG) != pid) {
		if (worker__stopping(d->worker))
			err = -ECANCELED;
		else if (clock__boot_ns() > end_ns)
			err = -ETIMEDOUT;
		if (err) {
			kill(-pid, SIGKILL);
			waitpid(pid, ret_status, 0);
			return err;
		}
		poll(NULL, 0, STEP_MS);
	}
	return 0;
}

static int judge(int err, int status, char ret_why[NOTIFY_WHY_LEN])
{
	if (err)
		snprintf(ret_why, NOTIFY_WHY_LEN, "%s",
			 err == -ETIMEDOUT ? "not done within its time limit, killed"
					   : strerror(-err));
	else if (WIFSIGNALED(status))
		snprintf(ret_why, NOTIFY_WHY_LEN, "died of signal %d", WTERMSIG(status));
	else if (WEXITSTATUS(status))
		snprintf(ret_why, NOTIFY_WHY_LEN, "exit status %d", WEXITSTATUS(status));
	else
		return 0;
	return err ? err : -EPROTO;
}

static int deliver(const struct notify_delivery *d, char ret_why[NOTIFY_WHY_LEN])
{
	char *words = strdup(d->target->command);
	int input, err, status = 0;
	pid_t pid;

	input = words ? make_input(d->message) : -ENOMEM;
	err = input < 0 ? input : start(words, input, &pid);
	if (input >= 0)
		close(input);
	free(words);
	if (!err)
		err = await(d, pid, &status);
	return judge(err, status, ret_why);
}

const struct notify_kind notify_kind_command = {
	.name = "command",
	.needs = "command",
	.batch = 50,
	.sums_up = 1,
	.group = NOTIFY_BY_WORKLOAD,
	.wait_s = 30,
	.interval_s = 300,
	.repeat_s = 4 * 3600,
	.rate = 60,
	.deliver = deliver,
};
