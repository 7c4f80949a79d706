// SPDX-License-Identifier: BSD-2-Clause
/*
 * confine.c - see confine.h.
 *
 * Two filters of opposite kinds. A reader does one thing, so all but that is forbidden: what another
 * C library would like to use beside it fails as on a kernel that does not have it (ENOSYS), and what
 * no reader can ever want ends it. An agent does many things through many libraries, and an
 * allow-list that is wrong on some machine would take a guard down: only what it never needs is
 * forbidden.
 *
 * Under ASan the reader's memory is not bounded and its filter only forbids what is deadly: the
 * runtime reserves terabytes and reads /proc/self. Those builds are for tests.
 */
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <sched.h>
#include <seccomp.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "caps.h"
#include "confine.h"

#define NOBODY	     65534
#define MEMORY_BYTES (1ULL << 30) /* of address space: the caches hold 150 MiB */
#define FILES_MAX    8192

#if defined(__SANITIZE_ADDRESS__)
#define IS_SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define IS_SANITIZED 1
#endif
#endif
#ifndef IS_SANITIZED
#define IS_SANITIZED 0
#endif

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))

/* ---- who it is --------------------------------------------------------------------------- */

static int become_nobody(void)
{
	return setgroups(0, NULL) || setresgid(NOBODY, NOBODY, NOBODY) ||
	       setresuid(NOBODY, NOBODY, NOBODY);
}

unsigned confine__identity(void)
{
	unsigned steps = 0;
	int err;

	(void)setsid();
	(void)umask(0777);
	if (!unshare(CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS))
		steps |= CONFINED_NETWORK;
	if (geteuid() ? getuid() == NOBODY : !become_nobody())
		steps |= CONFINED_USER;
	/* whoever may not change the user may still enter a name space in which it has none */
	if (!(steps & CONFINED_NETWORK) && !unshare(CLONE_NEWUSER | CLONE_NEWNET))
		steps |= CONFINED_NETWORK;
	err = caps__keep(0);
	if (!err && !caps__effective())
		steps |= CONFINED_CAPS;
	return steps;
}

/* ---- a reader ---------------------------------------------------------------------------- */

/* Memory is short: it goes before anybody else. Its own file is its own only while it is dumpable. */
static void go_first(void)
{
	int fd;

	prctl(PR_SET_DUMPABLE, 1, 0, 0, 0);
	fd = open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);
	if (fd >= 0) {
		(void)!write(fd, "1000", 4);
		close(fd);
	}
	prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
}

static int limit(int resource, rlim_t value)
{
	struct rlimit r;

	if (getrlimit(resource, &r))
		return -errno;
	if (value < r.rlim_max)
		r.rlim_max = value;
	r.rlim_cur = r.rlim_max;
	return setrlimit(resource, &r) ? -errno : 0;
}

static int set_limits(void)
{
	int err = limit(RLIMIT_CORE, 0);

	err |= limit(RLIMIT_FSIZE, 0);
	err |= limit(RLIMIT_NPROC, 0);
	err |= limit(RLIMIT_MEMLOCK, 0);
	err |= limit(RLIMIT_NOFILE, FILES_MAX);
	if (!IS_SANITIZED)
		err |= limit(RLIMIT_AS, MEMORY_BYTES);
	return err;
}

/* Descriptors that it has: read, look at, wait for, close. And memory. */
static const int reader_calls[] = {
	SCMP_SYS(read), SCMP_SYS(pread64), SCMP_SYS(readv), SCMP_SYS(preadv), SCMP_SYS(lseek),
	SCMP_SYS(write), SCMP_SYS(recvmsg), SCMP_SYS(sendmsg), SCMP_SYS(poll), SCMP_SYS(ppoll),
	SCMP_SYS(close), SCMP_SYS(fstat), SCMP_SYS(dup), SCMP_SYS(brk),
	SCMP_SYS(munmap), SCMP_SYS(mremap), SCMP_SYS(madvise), SCMP_SYS(futex),
	SCMP_SYS(clock_gettime), SCMP_SYS(gettimeofday), SCMP_SYS(getrandom), SCMP_SYS(getpid),
	SCMP_SYS(gettid), SCMP_SYS(sysinfo), SCMP_SYS(sched_yield), SCMP_SYS(rt_sigprocmask),
	SCMP_SYS(rt_sigaction), SCMP_SYS(rt_sigreturn), SCMP_SYS(restart_syscall),
	SCMP_SYS(exit), SCMP_SYS(exit_group),
};

/* No reader asks for these, unless somebody else has taken it over. */
static const int deadly_calls[] = {
	SCMP_SYS(execve), SCMP_SYS(execveat), SCMP_SYS(ptrace), SCMP_SYS(process_vm_readv),
	SCMP_SYS(process_vm_writev), SCMP_SYS(socket), SCMP_SYS(connect), SCMP_SYS(bind),
	SCMP_SYS(bpf), SCMP_SYS(perf_event_open), SCMP_SYS(mount), SCMP_SYS(umount2),
	SCMP_SYS(pivot_root), SCMP_SYS(chroot), SCMP_SYS(setns), SCMP_SYS(unshare),
	SCMP_SYS(init_module), SCMP_SYS(finit_module), SCMP_SYS(kexec_load), SCMP_SYS(add_key),
	SCMP_SYS(request_key), SCMP_SYS(keyctl), SCMP_SYS(userfaultfd), SCMP_SYS(io_uring_setup),
	SCMP_SYS(open_by_handle_at), SCMP_SYS(kill), SCMP_SYS(tkill), SCMP_SYS(pidfd_open),
	SCMP_SYS(pidfd_getfd), SCMP_SYS(pidfd_send_signal),
};

static int add_rules(scmp_filter_ctx ctx, uint32_t action, const int *calls, size_t cnt)
{
	int err = 0;
	size_t i;

	for (i = 0; i < cnt && !err; i++) {
		err = seccomp_rule_add(ctx, action, calls[i], 0);
		if (err == -EDOM) /* an architecture without that call */
			err = 0;
	}
	return err;
}

/* Of a descriptor's properties only its own: a lock on a file would be a lock on its owner. */
static const int fcntl_commands[] = {F_GETFD, F_SETFD, F_GETFL, F_DUPFD, F_DUPFD_CLOEXEC};

static int allow_if(scmp_filter_ctx ctx, int call, struct scmp_arg_cmp condition)
{
	return seccomp_rule_add(ctx, SCMP_ACT_ALLOW, call, 1, condition);
}

/* Memory, but no code; signals, but only to itself (abort); the state of a descriptor, by whatever
 * call the C library takes for it. */
static int add_narrow_rules(scmp_filter_ctx ctx)
{
	const struct scmp_arg_cmp no_code = SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0);
	const struct scmp_arg_cmp to_itself = SCMP_A0(SCMP_CMP_EQ, (scmp_datum_t)getpid(), 0);
	const struct scmp_arg_cmp no_path = SCMP_A3(SCMP_CMP_EQ, AT_EMPTY_PATH, 0);
	int err = 0;
	size_t i;

	err |= allow_if(ctx, SCMP_SYS(mmap), no_code);
	err |= allow_if(ctx, SCMP_SYS(mprotect), no_code);
	err |= allow_if(ctx, SCMP_SYS(tgkill), to_itself);
	err |= allow_if(ctx, SCMP_SYS(newfstatat), no_path);
	for (i = 0; i < ARRAY_SIZE(fcntl_commands); i++)
		err |= allow_if(ctx, SCMP_SYS(fcntl),
				SCMP_A1(SCMP_CMP_EQ, (scmp_datum_t)fcntl_commands[i], 0));
	return err;
}

static int install_reader_filter(void)
{
	scmp_filter_ctx ctx = seccomp_init(IS_SANITIZED ? SCMP_ACT_ALLOW : SCMP_ACT_ERRNO(ENOSYS));
	int err = ctx ? 0 : -ENOMEM;

	if (!err)
		err = add_rules(ctx, SCMP_ACT_KILL_PROCESS, deadly_calls, ARRAY_SIZE(deadly_calls));
	if (!err && !IS_SANITIZED)
		err = add_rules(ctx, SCMP_ACT_ALLOW, reader_calls, ARRAY_SIZE(reader_calls));
	if (!err && !IS_SANITIZED)
		err = add_narrow_rules(ctx);
	if (!err)
		err = seccomp_load(ctx);
	if (ctx)
		seccomp_release(ctx);
	return err;
}

unsigned confine__reader(void)
{
	unsigned steps = 0;

	go_first();
	if (!set_limits())
		steps |= CONFINED_LIMITS;
	if (!install_reader_filter())
		steps |= CONFINED_SECCOMP;
	return steps;
}

/* ---- in words ---------------------------------------------------------------------------- */

static const struct {
	unsigned step;
	const char *text, *missing;
} step_names[] = {
	{CONFINED_USER, "user nobody", "another user"},
	{CONFINED_NETWORK, "no network", "a network of its own"},
	{CONFINED_CAPS, "no capabilities", "giving up capabilities"},
	{CONFINED_SECCOMP, "seccomp", "seccomp"},
	{CONFINED_LIMITS, "limits", "limits"},
};

static void list_steps(unsigned steps, int is_missing, char *ret_text, size_t cap)
{
	size_t i, len = 0;

	ret_text[0] = '\0';
	for (i = 0; i < ARRAY_SIZE(step_names) && len < cap; i++)
		if (steps & step_names[i].step)
			len += snprintf(ret_text + len, cap - len, "%s%s", len ? ", " : "",
					is_missing ? step_names[i].missing : step_names[i].text);
}

void confine__describe(unsigned steps, char *ret_text, size_t cap)
{
	list_steps(steps, 0, ret_text, cap);
}

void confine__missing(unsigned steps, char *ret_text, size_t cap)
{
	list_steps(CONFINED_ALL & ~steps, 1, ret_text, cap);
}

/* ---- an agent ---------------------------------------------------------------------------- */

static const int agent_never[] = {
	SCMP_SYS(process_vm_writev), SCMP_SYS(pidfd_getfd),
	SCMP_SYS(pidfd_send_signal), SCMP_SYS(process_madvise),
	SCMP_SYS(mount), SCMP_SYS(umount2), SCMP_SYS(move_mount), SCMP_SYS(open_tree),
	SCMP_SYS(fsopen), SCMP_SYS(fsmount), SCMP_SYS(mount_setattr), SCMP_SYS(pivot_root),
	SCMP_SYS(chroot), SCMP_SYS(setns), SCMP_SYS(unshare), SCMP_SYS(swapon), SCMP_SYS(swapoff),
	SCMP_SYS(init_module), SCMP_SYS(finit_module), SCMP_SYS(delete_module),
	SCMP_SYS(kexec_load), SCMP_SYS(kexec_file_load), SCMP_SYS(reboot), SCMP_SYS(acct),
	SCMP_SYS(setuid), SCMP_SYS(setgid), SCMP_SYS(setreuid), SCMP_SYS(setregid),
	SCMP_SYS(setresuid), SCMP_SYS(setresgid), SCMP_SYS(setfsuid), SCMP_SYS(setfsgid),
	SCMP_SYS(setgroups), SCMP_SYS(add_key), SCMP_SYS(request_key), SCMP_SYS(keyctl),
	SCMP_SYS(userfaultfd), SCMP_SYS(io_uring_setup), SCMP_SYS(open_by_handle_at),
	SCMP_SYS(settimeofday), SCMP_SYS(clock_settime), SCMP_SYS(adjtimex),
	SCMP_SYS(clock_adjtime), SCMP_SYS(sethostname), SCMP_SYS(setdomainname),
	SCMP_SYS(syslog), SCMP_SYS(quotactl), SCMP_SYS(personality), SCMP_SYS(vhangup),
	SCMP_SYS(nfsservctl), SCMP_SYS(lookup_dcookie), SCMP_SYS(mknod), SCMP_SYS(mknodat),
};

/* Only who runs commands ends them. */
static const int command_calls[] = {
	SCMP_SYS(execve), SCMP_SYS(execveat), SCMP_SYS(kill), SCMP_SYS(tkill),
};

/* LeakSanitizer stops the threads with it when a program ends. */
static int refuse_ptrace(scmp_filter_ctx ctx, uint32_t refuse)
{
	if (!IS_SANITIZED)
		return seccomp_rule_add(ctx, refuse, SCMP_SYS(ptrace), 0);
	return seccomp_rule_add(ctx, refuse, SCMP_SYS(ptrace), 1,
				SCMP_A0(SCMP_CMP_EQ, PTRACE_TRACEME, 0));
}

int confine__guard(int may_exec)
{
	const uint32_t refuse = SCMP_ACT_ERRNO(EPERM);
	scmp_filter_ctx ctx = seccomp_init(SCMP_ACT_ALLOW);
	int err = ctx ? 0 : -ENOMEM;

	if (!err)
		(void)seccomp_attr_set(ctx, SCMP_FLTATR_CTL_LOG, 1); /* not before Linux 4.14 */
	if (!err)
		err = add_rules(ctx, refuse, agent_never, ARRAY_SIZE(agent_never));
	if (!err)
		err = refuse_ptrace(ctx, refuse);
	if (!err && !may_exec)
		err = add_rules(ctx, refuse, command_calls, ARRAY_SIZE(command_calls));
	if (!err)
		err = seccomp_rule_add(ctx, refuse, SCMP_SYS(tgkill), 1,
				       SCMP_A0(SCMP_CMP_NE, (scmp_datum_t)getpid(), 0));
	if (!err)
		err = seccomp_load(ctx);
	if (ctx)
		seccomp_release(ctx);
	return err;
}
