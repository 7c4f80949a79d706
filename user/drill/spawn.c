// SPDX-License-Identifier: BSD-2-Clause
/*
 * spawn.c - see spawn.h.
 *
 * The entry point is the first place where all libraries that a program names are mapped and none
 * of its own code has run. The child lets itself be traced, which stops it in exec; a breakpoint at
 * its entry (AT_ENTRY) is then run into, taken out again, and the child is let go, stopped. It is
 * our own child and no target yet: nothing of this is ever done to a process that runs already.
 */
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/uio.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../base/fs.h"
#include "spawn.h"

#define AUXV_MAX 64

#if defined(__x86_64__)
#define TRAP	  0xccUL /* int3 */
#define TRAP_MASK 0xffUL
#define TRAP_STEP 1 /* the program counter stands behind it */
#define PC(regs)  (regs).rip
#elif defined(__aarch64__)
#define TRAP	  0xd4200000UL /* brk #0 */
#define TRAP_MASK 0xffffffffUL
#define TRAP_STEP 0
#define PC(regs)  (regs).pc
#endif

/* ---- the child --------------------------------------------------------------------------- */

/*
 * Only calls that are safe after fork. A pipe that exec closes tells how it went. Should we die
 * while it is stopped, it goes on.
 */
static void run_child(char *const argv[], int stdout_fd, int result_fd)
{
	int err = 0;

	prctl(PR_SET_PDEATHSIG, SIGCONT);
	if (stdout_fd >= 0 && dup2(stdout_fd, STDOUT_FILENO) < 0)
		err = errno;
	if (!err && ptrace(PTRACE_TRACEME, 0, NULL, NULL))
		err = errno;
	if (!err) {
		execvp(argv[0], argv);
		err = errno;
	}
	if (write(result_fd, &err, sizeof(err)) < 0)
		_exit(126);
	_exit(127);
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

static pid_t wait_for(pid_t pid, int *ret_status, int options)
{
	pid_t found;

	do
		found = waitpid(pid, ret_status, options);
	while (found < 0 && errno == EINTR);
	return found;
}

/* ---- to its entry point ------------------------------------------------------------------ */

/* Where the kernel will have the program begin, linker or not; 0: not told. */
static uint64_t entry_of(pid_t pid)
{
	unsigned long auxv[AUXV_MAX][2] = {};
	char path[64];
	size_t i;

	snprintf(path, sizeof(path), "/proc/%d/auxv", pid);
	if (fs__read(path, (char *)auxv, sizeof(auxv)) < 0)
		return 0;
	for (i = 0; i < AUXV_MAX && auxv[i][0] != AT_NULL; i++)
		if (auxv[i][0] == AT_ENTRY)
			return auxv[i][1];
	return 0;
}

static int move_pc(pid_t pid, uint64_t from, uint64_t to)
{
	struct user_regs_struct regs;
	struct iovec io = {&regs, sizeof(regs)};

	if (ptrace(PTRACE_GETREGSET, pid, (void *)NT_PRSTATUS, &io) || PC(regs) != from)
		return -EAGAIN;
	PC(regs) = to;
	return ptrace(PTRACE_SETREGSET, pid, (void *)NT_PRSTATUS, &io) ? -errno : 0;
}

/* Let it run until it stops there; signals for it are passed on. */
static int run_into(pid_t pid, uint64_t entry)
{
	int status, signo = 0;

	for (;;) {
		if (ptrace(PTRACE_CONT, pid, NULL, (void *)(long)signo) ||
		    wait_for(pid, &status, 0) < 0 || !WIFSTOPPED(status))
			return -ESRCH;
		signo = WSTOPSIG(status);
		if (signo == SIGTRAP && !move_pc(pid, entry + TRAP_STEP, entry))
			return 0;
	}
}

static int run_to_entry(pid_t pid)
{
	uint64_t entry = entry_of(pid);
	long word;
	int err;

	if (!entry)
		return -ENOENT;
	errno = 0;
	word = ptrace(PTRACE_PEEKTEXT, pid, (void *)entry, NULL);
	if (errno ||
	    ptrace(PTRACE_POKETEXT, pid, (void *)entry, (void *)((word & ~TRAP_MASK) | TRAP)))
		return -errno;
	err = run_into(pid, entry);
	if (!err && ptrace(PTRACE_POKETEXT, pid, (void *)entry, (void *)word))
		err = -errno;
	return err;
}

/* From the stop in exec to one at the entry point, as any other stopped process. */
static int settle(pid_t pid)
{
	int status, err;

	if (wait_for(pid, &status, 0) < 0 || !WIFSTOPPED(status))
		return -ESRCH;
	err = run_to_entry(pid);
	if (err == -ESRCH)
		return err;
	if (ptrace(PTRACE_DETACH, pid, NULL, (void *)(long)SIGSTOP) ||
	    wait_for(pid, &status, WUNTRACED) < 0)
		return -errno;
	return WIFSTOPPED(status) ? 0 : -ESRCH;
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
		else
			err = settle(pid);
	}
	close(result[0]);
	if (!err)
		*ret_pid = pid;
	return err;
}

void spawn__continue(pid_t pid)
{
	kill(pid, SIGCONT);
}
