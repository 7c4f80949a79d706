// SPDX-License-Identifier: BSD-2-Clause
/*
 * uretprobe.c - see uretprobe.h.
 *
 * The system call is made by hand. Where the kernel has it, it sends SIGILL to who does not come from
 * the trampoline; a filter that refuses it answers first.
 */
#include "uretprobe.h"

#if defined(__x86_64__)

#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <stddef.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
#include <bpf/btf.h>

#define NR_URETPROBE 335

static volatile sig_atomic_t sigills;

static void on_sigill(int signo)
{
	sigills++;
}

static int refuse(void)
{
	struct sock_filter filter[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, NR_URETPROBE, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	const struct sock_fprog program = {sizeof(filter) / sizeof(filter[0]), filter};

	return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) ||
	       prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program);
}

/* Only calls that are safe after fork. */
static void run_child(void)
{
	const struct sigaction action = {.sa_handler = on_sigill};
	sigset_t signals;

	sigemptyset(&signals);
	sigaddset(&signals, SIGILL);
	if (sigaction(SIGILL, &action, NULL) || sigprocmask(SIG_UNBLOCK, &signals, NULL) ||
	    refuse())
		_exit(1);
	syscall(NR_URETPROBE);
	_exit(sigills ? EXIT_SUCCESS : EXIT_FAILURE);
}

static int child_passes(void)
{
	int status = -1;
	pid_t pid = fork();

	if (!pid)
		run_child();
	while (pid > 0 && waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	return pid > 0 && WIFEXITED(status) && !WEXITSTATUS(status);
}

static int has_system_call(void)
{
	struct btf *btf = btf__load_vmlinux_btf();
	int has = !btf || btf__find_by_name_kind(btf, "arch_uretprobe_trampoline",
						 BTF_KIND_FUNC) > 0;

	btf__free(btf);
	return has;
}

int uretprobe__pass_filters(void)
{
	static int answer = -1; /* two threads that ask at once find the same */

	if (__atomic_load_n(&answer, __ATOMIC_RELAXED) < 0)
		__atomic_store_n(&answer, !has_system_call() || child_passes(), __ATOMIC_RELAXED);
	return answer;
}

#else

int uretprobe__pass_filters(void)
{
	return 1; /* a breakpoint ends them */
}

#endif
