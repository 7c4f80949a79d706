// SPDX-License-Identifier: BSD-2-Clause
/*
 * stacks.c - how many of the copied stacks are followed all the way to where the program began.
 *
 * Programs built in every way that matters, and programs as Debian ships them, run freely; every
 * allocation counts. A stack is whole if the walk says so and its outermost frames are indeed the
 * start of the program or of a thread, which is checked by name or by the program's entry point.
 * As root. With -v the broken chains are printed.
 *
 *   build/bench/stacks [-v] [name...]
 */
#include <elf.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fs.h"
#include "probe/alloc_probe.h"
#include "sym/symbolizer.h"

#define GOAL_PERCENT 99.0
#define WARM_UP_US   700000
#define ROUNDS	     20
#define ROUND_US     100000
#define STACKS_MAX   20000
#define DEPTH_MAX    128
#define ENTRY_BYTES  64 /* of _start */
#define OUTER_FRAMES 4	/* the start is among so many outermost ones */
#define COMMAND_CAP  1024
#define ENDS_CNT     (UNWIND_TRAMPOLINE + 1)
#define CHAIN	     "cc -g -O2 -pthread $S/chain.c -o $D/p "
#define SQL                                                                \
	"WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) " \
	"SELECT max(printf('%d', i)) FROM n GROUP BY i % 1000"

static const struct subject {
	const char *name;
	const char *build; /* $S: where the sources are, $D: a directory of its own */
	const char *run;
} subjects[] = {
	{"with frame pointers", CHAIN "-fno-omit-frame-pointer", "$D/p"},
	{"without (-O2 -fomit-frame-pointer)", CHAIN "-fomit-frame-pointer", "$D/p"},
	{"without, stripped", CHAIN "-fomit-frame-pointer && strip $D/p", "$D/p"},
	{"without, built by clang", "clang -g -O2 -pthread $S/chain.c -o $D/p", "$D/p"},
	{"without, a library without symbols",
	 "cc -O2 -fomit-frame-pointer -fPIC -shared -DLIBRARY $S/chain.c -o $D/l.so && "
	 "strip $D/l.so && " CHAIN "-DUSES_LIBRARY $D/l.so -Wl,-rpath,$D",
	 "$D/p"},
	{"without, only .debug_frame",
	 CHAIN "-fomit-frame-pointer -fno-asynchronous-unwind-tables -fno-unwind-tables", "$D/p"},
	{"without, static", CHAIN "-fomit-frame-pointer -static", "$D/p"},
	{"without, static and stripped", CHAIN "-fomit-frame-pointer -static && strip $D/p",
	 "$D/p"},
	{"without, musl", "musl-gcc -g -O2 -pthread $S/chain.c -o $D/p", "$D/p"},
	{"without, musl, static", "musl-gcc -static -g -O2 -pthread $S/chain.c -o $D/p", "$D/p"},
	{"C++ with exceptions", "g++ -O2 $S/chain.cc -o $D/p", "$D/p"},
	{"Debian's python3", "",
	 "/usr/bin/python3 -c \"while True: x = sorted(map(str, "
	 "range(3000)), key=lambda s: s[::-1] * 99)\""},
	{"Debian's sqlite3", "", "sqlite3 :memory: \"" SQL "\""},
	{"Debian's perl", "",
	 "perl -e 'while (1) { my %h; $h{$_} = \"x\" x ($_ % 999) for 1..999; "
	 "sort { $h{$a} cmp $h{$b} } keys %h; }'"},
	{"Debian's bash", "", "bash -c 'while :; do x=$((x + 1)); y[x % 99]=${x//1/long}; done'"},
	{"Debian's gcc (cc1plus)",
	 "g++ -O3 -include bits/stdc++.h -v $S/chain.cc -S -o $D/s 2>&1 | grep -m 1 cc1plus | "
	 "sed 's/^ *//' >$D/run",
	 "$(cat $D/run)"},
	{"Node.js", "",
	 "node -e 'for (;;) JSON.parse(JSON.stringify(Array.from({length: 999}, "
	 "(v, i) => [Buffer.alloc(i), new RegExp(\"a\" + i).exec(\"a\" + i)])))'"},
};

#define SUBJECT_CNT (sizeof(subjects) / sizeof(subjects[0]))

static int is_verbose;

/* One stack that was seen. */
struct seen {
	uint64_t id;
	enum unwind_end end;
	int is_whole;
	double cnt; /* allocations made there */
};

struct look {
	struct sym_target *target;
	uint64_t entry; /* of the program */
	struct seen *seen;
	size_t cnt;
	char why[256]; /* it cannot be traced */
};

/* ---- the program ------------------------------------------------------------------------- */

static uint64_t entry_of(pid_t pid)
{
	Elf64_auxv_t auxv[64];
	char path[64];
	ssize_t len;
	size_t i;

	snprintf(path, sizeof(path), "/proc/%d/auxv", pid);
	len = fs__read(path, (char *)auxv, sizeof(auxv));
	for (i = 0; len > 0 && i < len / sizeof(auxv[0]); i++) {
		if (auxv[i].a_type == AT_ENTRY)
			return auxv[i].a_un.a_val;
	}
	return 0;
}

static pid_t start(const char *command, const char *dir)
{
	char line[COMMAND_CAP];
	pid_t pid = fork();

	if (pid)
		return pid;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	setenv("D", dir, 1);
	setenv("LC_ALL", "C", 1);
	snprintf(line, sizeof(line), "exec %s >/dev/null 2>&1 </dev/null", command);
	execl("/bin/sh", "sh", "-c", line, NULL);
	_exit(127);
}

static int build(const char *command, const char *dir)
{
	char line[COMMAND_CAP];

	setenv("D", dir, 1);
	setenv("S", "tests/workloads/stacks", 1);
	snprintf(line, sizeof(line), "{ %s\n} >/dev/null 2>&1", *command ? command : ":");
	return system(line);
}

/* ---- its stacks -------------------------------------------------------------------------- */

static int is_start_name(const char *name)
{
	static const char *const names[] = {"main",	"_start",   "start_thread", "clone",
					    "clone3",	"__clone",  "__clone3",	    "start",
					    "_start_c", "in_thread" /* of chain.c */};
	size_t i;

	for (i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		if (!strcmp(name, names[i]))
			return 1;
	}
	return !strncmp(name, "__libc_start_main", strlen("__libc_start_main"));
}

static int begins_at(const struct look *look, uint64_t ip)
{
	struct frame frames[16];
	int i, cnt;

	if (look->entry && ip > look->entry && ip <= look->entry + ENTRY_BYTES)
		return 1;
	cnt = sym_target__frames(look->target, ip, 1, frames, 16);
	for (i = 0; i < cnt; i++) {
		if (frames[i].function && is_start_name(frames[i].function))
			return 1;
	}
	return 0;
}

static int reaches_start(const struct look *look, const uint64_t *ips, int cnt)
{
	int i;

	for (i = cnt - 1; i > 0 && i >= cnt - OUTER_FRAMES; i--) {
		if (begins_at(look, ips[i]))
			return 1;
	}
	return 0;
}

static void print_chain(const struct look *look, const uint64_t *ips, int cnt, enum unwind_end end)
{
	struct frame frames[16];
	int i;

	for (i = 0; i < cnt; i++) {
		sym_target__frames(look->target, ips[i], i > 0, frames, 16);
		printf("    %s+0x%llx (%s)\n", frames[0].function ? frames[0].function : "?",
		       (unsigned long long)frames[0].offset,
		       frames[0].module ? frames[0].module : "?");
	}
	printf("  %s\n", unwind__end_name(end));
}

static void take_stack(void *ctx, const struct seep_stack *stack, const void *bytes)
{
	struct look *look = ctx;
	struct seen *seen = &look->seen[look->cnt];
	uint64_t ips[DEPTH_MAX];
	int cnt;

	if (look->cnt == STACKS_MAX)
		return;
	cnt = sym_target__walk(look->target, &stack->regs, bytes, stack->stack_bytes, ips,
			       DEPTH_MAX, &seen->end);
	seen->id = stack->stack_id;
	seen->is_whole = seen->end == UNWIND_OUTERMOST && reaches_start(look, ips, cnt);
	look->cnt++;
	if (!seen->is_whole && is_verbose)
		print_chain(look, ips, cnt, seen->end);
}

static void take_total(void *ctx, uint64_t stack_id, uint64_t bytes, double cnt)
{
	struct look *look = ctx;
	size_t i;

	(void)bytes;
	for (i = 0; i < look->cnt; i++) {
		if (look->seen[i].id == stack_id)
			look->seen[i].cnt = cnt;
	}
}

static int watch(pid_t pid, struct look *look)
{
	const struct alloc_probe_cfg cfg = {.pid = pid};
	struct alloc_probe *probe;
	int err, i;

	err = alloc_probe__new(&cfg, &probe, look->why, sizeof(look->why));
	if (err)
		return err;
	for (i = 0; i < ROUNDS && !err; i++) {
		usleep(ROUND_US);
		err = alloc_probe__drain(probe, take_stack, look);
	}
	alloc_probe__detach(probe);
	if (err >= 0)
		err = alloc_probe__totals(probe, take_total, look);
	alloc_probe__free(probe);
	return err;
}

static int look_at(pid_t pid, struct look *look)
{
	const struct symbolizer_cfg cfg = {.no_lines = 1};
	struct symbolizer *symbolizer = symbolizer__new(&cfg);
	int err = symbolizer ? 0 : -ENOMEM;

	look->seen = calloc(STACKS_MAX, sizeof(*look->seen));
	look->entry = entry_of(pid);
	if (!err)
		err = look->seen ? sym_target__new(symbolizer, pid, &look->target) : -ENOMEM;
	if (!err)
		err = watch(pid, look);
	sym_target__free(look->target);
	symbolizer__free(symbolizer);
	return err;
}

/* ---- figures ----------------------------------------------------------------------------- */

/* Returns 1 if the goal is met. */
static int print_row(const struct subject *s, const struct look *look)
{
	double all = 0, whole = 0, percent;
	unsigned lost[ENDS_CNT] = {}, i;
	size_t n;

	for (n = 0; n < look->cnt; n++) {
		all += look->seen[n].cnt;
		whole += look->seen[n].is_whole ? look->seen[n].cnt : 0;
		lost[look->seen[n].end] += !look->seen[n].is_whole;
	}
	percent = all > 0 ? 100 * whole / all : 0;
	printf("| %s | %.2f | %.0f | %zu |", s->name, percent, all, look->cnt);
	for (i = 0; i < ENDS_CNT; i++) {
		if (lost[i])
			printf(" %s: %u", unwind__end_name(i), lost[i]);
	}
	printf(" |\n");
	return percent >= GOAL_PERCENT;
}

static int run_subject(const struct subject *s, const char *dir)
{
	struct look look = {};
	int err, is_met = 0;
	pid_t pid;

	if (build(s->build, dir)) {
		printf("| %s | cannot be built here | | | |\n", s->name);
		return 1;
	}
	pid = start(s->run, dir);
	usleep(WARM_UP_US);
	err = waitpid(pid, NULL, WNOHANG) == pid ? -ESRCH : look_at(pid, &look);
	if (err < 0)
		printf("| %s | %s | | | |\n", s->name, *look.why ? look.why : "cannot be run here");
	else
		is_met = print_row(s, &look);
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	free(look.seen);
	return is_met || err < 0;
}

static int is_wanted(const struct subject *s, int argc, char **argv)
{
	int i, any = 0;

	for (i = 1; i < argc; i++) {
		if (argv[i][0] == '-')
			continue;
		any = 1;
		if (strstr(s->name, argv[i]))
			return 1;
	}
	return !any;
}

int main(int argc, char **argv)
{
	char dir[] = "/tmp/seep-bench-XXXXXX", command[COMMAND_CAP];
	int met = 1;
	size_t i;

	setvbuf(stdout, NULL, _IOLBF, 0);
	is_verbose = argc > 1 && !strcmp(argv[1], "-v");
	if (!mkdtemp(dir)) {
		perror("bench/stacks");
		return 1;
	}
	puts("| program | % whole | allocations | stacks | broken stacks |\n"
	     "|---|---|---|---|---|");
	for (i = 0; i < SUBJECT_CNT; i++) {
		if (is_wanted(&subjects[i], argc, argv))
			met &= run_subject(&subjects[i], dir);
	}
	printf("\ngoal: %.0f %% of the stacks whole, also without frame pointers: %s\n",
	       GOAL_PERCENT, met ? "met" : "MISSED");
	snprintf(command, sizeof(command), "rm -rf %s", dir);
	return system(command) ? 1 : 0;
}
