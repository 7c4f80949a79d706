// SPDX-License-Identifier: BSD-2-Clause
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/capability.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <unistd.h>
#include <bpf/btf.h>
#include <bpf/libbpf.h>

#include <linux/types.h>
#include "../base/fs.h"
#include "bpf_log.h"
#include "feat.skel.h"
#include "feat.h"

/* Fixed inode numbers of the initial namespaces (include/linux/proc_ns.h). */
#define INIT_PID_NS_INO    0xEFFFFFFCu
#define INIT_CGROUP_NS_INO 0xEFFFFFFBu

struct checks {
	struct feat_check *v;
	int cnt, cap;
};

static void add(struct checks *c, const char *name, enum feat_level level, const char *means,
		const char *fix, const char *fmt, ...) __attribute__((format(printf, 6, 7)));

static void add(struct checks *c, const char *name, enum feat_level level, const char *means,
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
	{"feat_tp_btf", "event rss_stat (tp_btf)", FEAT_DEGRADED,
	 "the cheap way to follow each process's memory; without it the raw event is used",
	 "needs a kernel with BTF and CAP_BPF + CAP_PERFMON"},
	{"feat_raw_tp", "event rss_stat (raw_tp)", FEAT_DEGRADED,
	 "the fallback for tp_btf; without both, sizes between two polls are not seen",
	 "needs kernel 5.5 or newer and CAP_BPF + CAP_PERFMON"},
	{"feat_lifecycle", "events fork, exec, exit", FEAT_DEGRADED,
	 "processes that live shorter than a poll are seen",
	 "needs CAP_BPF + CAP_PERFMON"},
	{"feat_oom", "event oom:mark_victim", FEAT_DEGRADED,
	 "OOM kills are recorded with the victim's last sizes",
	 "needs CAP_BPF + CAP_PERFMON"},
	{"feat_ringbuf", "ring buffer", FEAT_DEGRADED,
	 "carries the last record of each process that ends", "needs kernel 5.8 or newer"},
	{"feat_iter", "task iterator, exact sums", FEAT_DEGRADED,
	 "one pass reads every process; without it /proc is read, at ten times the cost",
	 "needs kernel 5.8 or newer with BTF, and CAP_BPF + CAP_PERFMON"},
	{"feat_memcg", "memory cgroups in the kernel", FEAT_DEGRADED,
	 "memory is charged to its owner and cgroup, whoever touched it",
	 "boot a kernel with CONFIG_MEMCG (and without cgroup_disable=memory)"},
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
			add(c, p->name, FEAT_OK, p->means, NULL, "loads");
		else
			add(c, p->name, p->without, p->means, p->fix, "refused: %s (%s)",
			    strerror(-err), bpf_log__why());
	}
}

static void check_kernel(struct checks *c)
{
	struct utsname u;

	if (!uname(&u))
		add(c, "kernel", FEAT_OK, "for the record; nothing is decided by it", NULL, "%s %s",
		    u.release, u.machine);
	if (!access("/sys/kernel/btf/vmlinux", R_OK))
		add(c, "BTF", FEAT_OK, "programs adapt themselves to this kernel's layouts", NULL,
		    "/sys/kernel/btf/vmlinux");
	else
		add(c, "BTF", FEAT_DEGRADED,
		    "no BPF program can be fitted to this kernel: only /proc is polled",
		    "boot a kernel with CONFIG_DEBUG_INFO_BTF=y (all current distributions have it)",
		    "/sys/kernel/btf/vmlinux: %s", strerror(errno));
}

static void check_lockdown(struct checks *c)
{
	char text[128];
	ssize_t n = fs__read("/sys/kernel/security/lockdown", text, sizeof(text));

	if (n < 0)
		snprintf(text, sizeof(text), "not exposed here");
	text[strcspn(text, "\n")] = '\0';
	add(c, "lockdown", FEAT_OK,
	    "under [integrity] kprobes, fentry and tracefs are refused; seep uses none of them",
	    NULL, "%s", text);
}

/* ---- privileges -------------------------------------------------------------------------- */

static const struct cap_check {
	int cap;
	const char *name;
	const char *means;
} cap_checks[] = {
	{CAP_BPF, "CAP_BPF", "loads programs and maps"},
	{CAP_PERFMON, "CAP_PERFMON", "attaches tracing programs"},
	{CAP_SYS_PTRACE, "CAP_SYS_PTRACE",
	 "reads /proc/PID/{exe,root,maps} of other users: executables' names, later symbols"},
	{CAP_DAC_READ_SEARCH, "CAP_DAC_READ_SEARCH",
	 "reads container bundles and state files of other users: container names"},
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

static void check_caps(struct checks *c)
{
	uint64_t caps = effective_caps();
	bool admin = caps >> CAP_SYS_ADMIN & 1;
	const struct cap_check *k;
	bool has;
	size_t i;

	for (i = 0; i < sizeof(cap_checks) / sizeof(cap_checks[0]); i++) {
		k = &cap_checks[i];
		has = caps >> k->cap & 1;
		if (!has && admin && (k->cap == CAP_BPF || k->cap == CAP_PERFMON))
			add(c, k->name, FEAT_OK, k->means, NULL, "through CAP_SYS_ADMIN");
		else if (has)
			add(c, k->name, FEAT_OK, k->means, NULL, "effective");
		else
			add(c, k->name, FEAT_DEGRADED, k->means,
			    "run as root, or add the capability to the unit or container", "missing");
	}
}

/* ---- the node ---------------------------------------------------------------------------- */

static void check_namespace(struct checks *c, const char *name, const char *file, ino_t init,
			    const char *means, const char *fix)
{
	struct stat st;

	if (stat(file, &st))
		add(c, name, FEAT_DEGRADED, means, fix, "%s: %s", file, strerror(errno));
	else if (st.st_ino == init)
		add(c, name, FEAT_OK, means, NULL, "the host's");
	else
		add(c, name, FEAT_DEGRADED, means, fix, "a private one");
}

static void check_proc(struct checks *c)
{
	static const char means[] = "names of all processes, and the poll without BPF";
	static const char fix[] = "mount /proc without hidepid, or add the agent to its gid= group";
	char text[64];
	ssize_t n = fs__read("/proc/1/stat", text, sizeof(text));

	if (n > 0)
		add(c, "/proc of others", FEAT_OK, means, NULL, "readable");
	else
		add(c, "/proc of others", FEAT_MISSING, means, fix, "/proc/1/stat: %s",
		    strerror(-n));
}

/* mountinfo: "... <mount point> ... - cgroup <source> <options>" */
static bool find_memory_mount(char *text, char *ret_found, size_t cap)
{
	char point[256], type[32], options[256], *line, *dash, *save = NULL;
	char v2[256] = "";

	for (line = strtok_r(text, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
		dash = strstr(line, " - ");
		if (!dash || sscanf(line, "%*s %*s %*s %*s %255s", point) != 1 ||
		    sscanf(dash, " - %31s %*s %255s", type, options) != 2)
			continue;
		if (!strcmp(type, "cgroup") && strstr(options, "memory")) {
			snprintf(ret_found, cap, "v1 at %s", point);
			return true;
		}
		if (!strcmp(type, "cgroup2"))
			snprintf(v2, sizeof(v2), "%s", point);
	}
	if (!v2[0])
		return false;
	snprintf(ret_found, cap, "v2 at %s", v2);
	return true;
}

static void check_cgroups(struct checks *c)
{
	static const char means[] = "limits, time to the limit, growth per cgroup and container";
	static const char fix[] = "mount the host's /sys/fs/cgroup read-only into the agent";
	char *text = malloc(1 << 18);
	char found[300];

	if (!text)
		return;
	if (fs__read("/proc/self/mountinfo", text, 1 << 18) > 0 &&
	    find_memory_mount(text, found, sizeof(found)))
		add(c, "memory cgroups mounted", FEAT_OK, means, NULL, "%s", found);
	else
		add(c, "memory cgroups mounted", FEAT_DEGRADED, means, fix, "not found");
	free(text);
}

static void check_meminfo(struct checks *c)
{
	static const char means[] = "time until the node's memory is used up";
	char text[4096];
	uint64_t total_kib = 0, available_kib = 0;

	if (fs__read("/proc/meminfo", text, sizeof(text)) > 0 &&
	    fs__find_u64(text, "MemTotal", &total_kib) &&
	    fs__find_u64(text, "MemAvailable", &available_kib))
		add(c, "node memory", FEAT_OK, means, NULL,
		    "%" PRIu64 " MiB, %" PRIu64 " MiB available", total_kib / 1024,
		    available_kib / 1024);
	else
		add(c, "node memory", FEAT_DEGRADED, means, "mount /proc", "/proc/meminfo unreadable");
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

	check_kernel(&c);
	check_lockdown(&c);
	check_caps(&c);
	check_progs(&c);
	check_namespace(&c, "pid namespace", "/proc/self/ns/pid", INIT_PID_NS_INO,
			"process ids mean the same to the kernel's events and to /proc",
			"run the agent in the host's pid namespace (hostPID: true, --pid=host)");
	check_namespace(&c, "cgroup namespace", "/proc/self/ns/cgroup", INIT_CGROUP_NS_INO,
			"cgroup paths are whole",
			"run in the host's cgroup namespace (--cgroupns=host); relative paths are resolved as far as possible");
	check_proc(&c);
	check_cgroups(&c);
	check_meminfo(&c);
	return c.cnt;
}
