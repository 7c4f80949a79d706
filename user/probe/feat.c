// SPDX-License-Identifier: BSD-2-Clause
/* feat.c - what the kernel and our privileges allow; feat_node.c has the rest. See feat.h. */
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <unistd.h>
#include <bpf/btf.h>
#include <bpf/libbpf.h>

#include <linux/types.h>
#include "../base/confine.h"
#include "../base/fs.h"
#include "../base/sandbox.h"
#include "bpf_log.h"
#include "feat.skel.h"
#include "feat_add.h"
#include "uretprobe.h"

void feat__add(struct checks *c, const char *name, enum feat_level level, const char *means,
	       const char *fix, const char *fmt, ...)
{
	struct feat_check *check;
	va_list ap;

	if (c->cnt == c->cap)
		return;
	check = &c->v[c->cnt++];
	check->name = name;
	check->level = level;
	check->means = means;
	check->fix = level == FEAT_OK ? NULL : fix;
	va_start(ap, fmt);
	vsnprintf(check->found, sizeof(check->found), fmt, ap);
	va_end(ap);
}

/* ---- the kernel's programs --------------------------------------------------------------- */

static const struct prog_check {
	const char *prog; /* in bpf/feat.bpf.c */
	const char *name;
	enum feat_level without;
	const char *means, *fix;
} prog_checks[] = {
	{"feat_rss_stat", "event rss_stat", FEAT_DEGRADED,
	 "follows each process's memory; without it, sizes between two polls are not seen",
	 "needs kernel 5.5 or newer with BTF, and CAP_BPF + CAP_PERFMON"},
	{"feat_lifecycle", "events fork, exec, exit", FEAT_DEGRADED,
	 "processes that live shorter than a poll are seen", "needs CAP_BPF + CAP_PERFMON"},
	{"feat_oom", "event oom:mark_victim", FEAT_DEGRADED,
	 "OOM kills are recorded with the victim's last sizes", "needs CAP_BPF + CAP_PERFMON"},
	{"feat_ringbuf", "ring buffer", FEAT_DEGRADED,
	 "carries the last record of each process that ends", "needs kernel 5.8 or newer"},
	{"feat_iter", "task iterator, exact sums", FEAT_DEGRADED,
	 "one pass reads every process; without it /proc is read, at ten times the cost",
	 "needs kernel 5.8 or newer with BTF, and CAP_BPF + CAP_PERFMON"},
	{"feat_memcg", "memory cgroups in the kernel", FEAT_DEGRADED,
	 "memory is charged to its owner and cgroup, whoever touched it",
	 "boot a kernel with CONFIG_MEMCG; without it only /proc is polled"},
};

static int try_prog(const char *name)
{
	struct feat_bpf *skel = feat_bpf__open();
	struct bpf_program *prog;
	int err;

	if (!skel)
		return -errno;
	bpf_object__for_each_program(prog, skel->obj)
		bpf_program__set_autoload(prog, !strcmp(bpf_program__name(prog), name));
	err = feat_bpf__load(skel);
	feat_bpf__destroy(skel);
	return err;
}

static void check_progs(struct checks *c)
{
	const struct prog_check *p;
	size_t i;
	int err;

	for (i = 0; i < sizeof(prog_checks) / sizeof(prog_checks[0]); i++) {
		p = &prog_checks[i];
		bpf_log__start();
		err = try_prog(p->prog);
		if (!err)
			feat__add(c, p->name, FEAT_OK, p->means, NULL, "loads");
		else
			feat__add(c, p->name, p->without, p->means, p->fix, "refused: %s (%s)",
				  strerror(-err), bpf_log__why());
	}
}

static void check_kernel(struct checks *c)
{
	struct utsname u;

	if (!uname(&u))
		feat__add(c, "kernel", FEAT_OK, "for the record; nothing is decided by it", NULL,
			  "%s %s", u.release, u.machine);
	if (!access("/sys/kernel/btf/vmlinux", R_OK))
		feat__add(c, "BTF", FEAT_OK, "programs adapt themselves to this kernel's layouts",
			  NULL, "/sys/kernel/btf/vmlinux");
	else
		feat__add(c, "BTF", FEAT_DEGRADED,
			  "no BPF program can be fitted to this kernel: only /proc is polled",
			  "boot a kernel with CONFIG_DEBUG_INFO_BTF=y (all current distributions "
			  "have it)",
			  "/sys/kernel/btf/vmlinux: %s", strerror(errno));
}

static void check_lockdown(struct checks *c)
{
	char text[128];
	ssize_t n = fs__read("/sys/kernel/security/lockdown", text, sizeof(text));

	if (n < 0)
		snprintf(text, sizeof(text), "not exposed here");
	text[strcspn(text, "\n")] = '\0';
	feat__add(
		c, "lockdown", FEAT_OK,
		"under [integrity] kprobes, fentry and tracefs are refused; seep uses none of them",
		NULL, "%s", text);
}

/* ---- privileges -------------------------------------------------------------------------- */

#define ADD(cap)                                                                           \
	"run as root with CAP_" cap " (pod: securityContext.capabilities.add: [" cap "]; " \
	"podman, docker: --cap-add=" cap "; unit: CapabilityBoundingSet=)"

static const struct cap_check {
	int cap;
	const char *name;
	bool in_admin; /* CAP_SYS_ADMIN will do */
	const char *means, *fix;
} cap_checks[] = {
	{CAP_BPF, "CAP_BPF", true, "loads programs and maps", ADD("BPF")},
	{CAP_PERFMON, "CAP_PERFMON", true, "attaches tracing programs", ADD("PERFMON")},
	{CAP_SYS_PTRACE, "CAP_SYS_PTRACE", false,
	 "reads /proc/PID/{exe,root,maps} of other users: executables' names, symbols",
	 ADD("SYS_PTRACE")},
	{CAP_DAC_READ_SEARCH, "CAP_DAC_READ_SEARCH", false,
	 "reads container bundles and state files of other users: container names",
	 ADD("DAC_READ_SEARCH")},
};
static uint64_t effective_caps(void)
{
	char text[4096];
	uint64_t caps = 0;
	char *p;

	if (fs__read("/proc/self/status", text, sizeof(text)) > 0) {
		p = strstr(text, "\nCapEff:");
		if (p)
			caps = strtoull(p + strlen("\nCapEff:"), NULL, 16);
	}
	return caps;
}

bool feat__has_cap(int cap)
{
	return effective_caps() >> cap & 1;
}

static void check_caps(struct checks *c)
{
	const struct cap_check *k;
	size_t i;

	for (i = 0; i < sizeof(cap_checks) / sizeof(cap_checks[0]); i++) {
		k = &cap_checks[i];
		if (feat__has_cap(k->cap))
			feat__add(c, k->name, FEAT_OK, k->means, NULL, "effective");
		else if (k->in_admin && feat__has_cap(CAP_SYS_ADMIN))
			feat__add(c, k->name, FEAT_OK, k->means, NULL, "through CAP_SYS_ADMIN");
		else
			feat__add(c, k->name, FEAT_DEGRADED, k->means, k->fix, "missing");
	}
}

/* Probes on allocators are perf events there, which ask for more than CAP_PERFMON. */
static void check_old_probes(struct checks *c)
{
	if (feat__has_uprobe_multi())
		return;
	feat__add(c, "CAP_SYS_ADMIN", feat__has_cap(CAP_SYS_ADMIN) ? FEAT_OK : FEAT_DEGRADED,
		  "a closer look at a suspect, on kernels without uprobe_multi (before 6.6)",
		  ADD("SYS_ADMIN"), feat__has_cap(CAP_SYS_ADMIN) ? "effective" : "missing");
}

/* A call that is always wrong: whoever lets it pass to the kernel gets EINVAL. */
static void check_seccomp(struct checks *c)
{
	static const char means[] = "container runtimes' default filters refuse bpf(2)";

	if (!feat__has_cap(CAP_BPF) && !feat__has_cap(CAP_SYS_ADMIN))
		return; /* the kernel itself refuses */
	if (syscall(__NR_bpf, -1, NULL, 0) && errno != EINVAL)
		feat__add(c, "seccomp", FEAT_DEGRADED, means,
			  "run without the filter (pod: seccompProfile type Unconfined), or with "
			  "one that allows bpf",
			  "bpf(2) is refused: %s", strerror(errno));
	else
		feat__add(c, "seccomp", FEAT_OK, means, NULL, "bpf(2) passes");
}

/* A sandbox is made as the agent makes it, and says what it could give up. */
static void check_sandbox(struct checks *c)
{
	static const char means[] = "programs and libraries of others are parsed in a process that "
				    "cannot do anything else";
	char confined[128], missing[128];
	struct sandbox_stats st;
	int err = sandbox__prepare();

	sandbox__stats(&st);
	confine__describe(st.confined, confined, sizeof(confined));
	confine__missing(st.confined, missing, sizeof(missing));
	if (err)
		feat__add(c, "sandbox", FEAT_DEGRADED, means,
			  "without it call sites have no names: processes must be permitted "
			  "(pids.max, RLIMIT_NPROC)",
			  "cannot be made: %s", strerror(-err));
	else
		feat__add(c, "sandbox",
			  ~st.confined & (CONFINED_CAPS | CONFINED_SECCOMP) ? FEAT_DEGRADED : FEAT_OK,
			  means, "a kernel with CONFIG_SECCOMP_FILTER, and a container or unit that "
			  "permits seccomp(2)",
			  "%s%s%s", confined, *missing ? "; not: " : "", missing);
}

static void check_return_probes(struct checks *c)
{
	int is_safe = uretprobe__pass_filters();

	feat__add(c, "return probes", is_safe ? FEAT_OK : FEAT_DEGRADED,
		  "a closer look at allocators", is_safe ? NULL :
		  "run a kernel from 6.14 on, or a stable one of 2025 or later",
		  is_safe ? "harmless to processes with a seccomp filter" :
			    "kill processes with a seccomp filter: never used");
}

int feat__has_uprobe_multi(void)
{
	struct btf *btf = btf__load_vmlinux_btf();
	int id = btf ? btf__find_by_name_kind(btf, "bpf_uprobe_multi_link", BTF_KIND_STRUCT) : -1;

	btf__free(btf);
	return id > 0;
}

int feat__check(struct feat_check *checks, int cap)
{
	struct checks c = {.v = checks, .cap = cap};

	bpf_log__start();
	check_kernel(&c);
	check_lockdown(&c);
	check_caps(&c);
	check_old_probes(&c);
	check_seccomp(&c);
	check_sandbox(&c);
	check_return_probes(&c);
	check_progs(&c);
	feat__check_node(&c);
	return c.cnt;
}
