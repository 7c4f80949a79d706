// SPDX-License-Identifier: BSD-2-Clause
/*
 * test_targets.c - what becomes of the programs that are looked at: nothing.
 *
 * Programs that do odd things (tests/workloads/odd.c) get the same result, and lose the same blocks,
 * with probes that come and go; and a program that does nothing but allocate is as fast afterwards,
 * has no damaged block, and no breakpoint is left in it. SEEP_ATTACH_CYCLES says how often (40).
 */
#include "trace.h"

#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

#include "probe/uretprobe.h"

#define CYCLES	    40
#define FRESH_EVERY 20 /* cycles: then the programs are loaded anew */
#define ODD_CYCLES  3
#define LEAK_BYTES  1009 /* of tests/workloads/odd.c */
#define ROUNDS	    211
#define NOT_HERE    77
#define EARLIER_KERNEL 3
#define PATIENCE_S  60

/* ---- a program --------------------------------------------------------------------------- */

struct program {
	pid_t pid;
	int in_fd;
	FILE *out;
};

static void path_of(const char *name, char path[PATH_MAX])
{
	char self[PATH_MAX];
	ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);

	assert_true(n > 0);
	self[n] = '\0';
	snprintf(path, PATH_MAX, "%s/../workloads/%s", dirname(self), name);
}

static void program__start(struct program *p, const char *name, const char *arg)
{
	char path[PATH_MAX];
	int in[2], out[2];

	path_of(name, path);
	assert_int_equal(pipe2(in, O_CLOEXEC), 0);
	assert_int_equal(pipe2(out, O_CLOEXEC), 0);
	p->pid = fork();
	if (!p->pid) {
		dup2(in[0], STDIN_FILENO);
		dup2(out[1], STDOUT_FILENO);
		execl(path, name, arg, NULL);
		_exit(127);
	}
	close(in[0]);
	close(out[1]);
	p->in_fd = in[1];
	p->out = fdopen(out[0], "r");
	assert_non_null(p->out);
}

/* Its next line; empty at its end. */
static const char *program__line(struct program *p, char line[128])
{
	if (!fgets(line, 128, p->out))
		line[0] = '\0';
	return line;
}

/* A wait(2) status. */
static int program__end(struct program *p)
{
	int status = -1;

	if (p->in_fd >= 0)
		close(p->in_fd);
	while (getc(p->out) != EOF)
		;
	fclose(p->out);
	assert_int_equal(waitpid(p->pid, &status, 0), p->pid);
	return status;
}

static void program__tell(struct program *p)
{
	close(p->in_fd);
	p->in_fd = -1;
}

/* ---- breakpoints ------------------------------------------------------------------------- */

/* How many bytes of a mapped file differ from what is in the process's memory. */
static size_t differences(int mem_fd, const char *path, uint64_t start, uint64_t end, uint64_t offset)
{
	static uint8_t ours[4096], theirs[4096];
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	size_t found = 0, i;

	assert_true(fd >= 0);
	for (; start < end; start += sizeof(ours), offset += sizeof(ours)) {
		memset(ours, 0, sizeof(ours)); /* beyond the file's end */
		memset(theirs, 0, sizeof(theirs));
		assert_true(pread(fd, ours, sizeof(ours), offset) >= 0);
		if (pread(mem_fd, theirs, sizeof(theirs), start) < 0)
			continue;
		for (i = 0; i < sizeof(ours); i++)
			found += ours[i] != theirs[i];
	}
	close(fd);
	return found;
}

/* Bytes of code that are not as in their files. */
static size_t breakpoints_in(pid_t pid)
{
	char path[PATH_MAX], line[PATH_MAX + 128], name[64];
	unsigned long start, end, offset;
	size_t found = 0;
	int mem_fd;
	FILE *maps;

	snprintf(name, sizeof(name), "/proc/%d/mem", pid);
	mem_fd = open(name, O_RDONLY | O_CLOEXEC);
	snprintf(name, sizeof(name), "/proc/%d/maps", pid);
	maps = fopen(name, "re");
	assert_true(mem_fd >= 0 && maps);
	while (fgets(line, sizeof(line), maps))
		if (sscanf(line, "%lx-%lx r-xp %lx %*s %*s %4095s", &start, &end, &offset, path) == 4 &&
		    path[0] == '/')
			found += differences(mem_fd, path, start, end, offset);
	fclose(maps);
	close(mem_fd);
	return found;
}

/* ---- probes that come and go ------------------------------------------------------------- */

static uint64_t hits_of(struct alloc_probe *probe)
{
	uint64_t stats[SEEP_ALLOC_STAT_CNT];

	alloc_probe__stats(probe, stats);
	return stats[SEEP_ALLOC_STAT_HITS];
}

static void await_hits(struct alloc_probe *probe, pid_t pid, uint64_t cnt)
{
	int tries;

	for (tries = 0; tries < PATIENCE_S * 1000 && hits_of(probe) < cnt; tries++) {
		usleep(1000);
		if (alloc_probe__state(probe) != SEEP_TARGET_ALIVE)
			fail_msg("process %d has ended", pid);
	}
	assert_true(hits_of(probe) >= cnt);
}

/* A fresh probe now and then; else the one of before, attached anew, as the agent's slices do. */
static void come(struct trace *t, pid_t pid, const struct alloc_probe_cfg *cfg, int is_fresh)
{
	if (is_fresh) {
		trace__stop(t);
		TRACE_OR_SKIP(t, pid, cfg);
	} else {
		assert_int_equal(alloc_probe__resume(t->probe, cfg->sample_bytes), 0);
	}
}

struct speed {
	unsigned long long ops, cpu_ns, damaged;
};

static struct speed ask(struct program *p)
{
	struct speed now = {};
	char line[128];

	assert_int_equal(write(p->in_fd, "?", 1), 1);
	assert_int_equal(sscanf(program__line(p, line), "%llu %llu %llu", &now.ops, &now.cpu_ns,
				&now.damaged), 3);
	return now;
}

/* CPU time that an operation takes. Only printed: other programs have the machine's caches, too. */
static double ns_per_op(struct program *p)
{
	struct speed before = ask(p), after = before;

	while (after.cpu_ns - before.cpu_ns < 500000000ULL) {
		usleep(20 * 1000);
		after = ask(p);
	}
	return (double)(after.cpu_ns - before.cpu_ns) / (after.ops - before.ops);
}

static double seconds(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec + ts.tv_nsec / 1e9;
}

static unsigned cycles_wanted(void)
{
	const char *text = getenv("SEEP_ATTACH_CYCLES");

	return text ? strtoul(text, NULL, 10) : fewer_if_slow(CYCLES);
}

static void probes_come_and_go_without_a_trace(void **state)
{
	const struct alloc_probe_cfg cfgs[] = {{}, {.sample_bytes = 512 * 1024}};
	unsigned cycles = cycles_wanted(), i;
	double before, after, busy = 0, began_s = seconds();
	uint64_t hits = 0;
	struct trace t = {};
	struct program p;

	program__start(&p, "churn", NULL);
	before = ns_per_op(&p);
	assert_int_equal(breakpoints_in(p.pid), 0);
	for (i = 0; i < cycles; i++) {
		come(&t, p.pid, &cfgs[i / FRESH_EVERY % 2], i % FRESH_EVERY == 0);
		await_hits(t.probe, p.pid, 100);
		hits += hits_of(t.probe);
		if (i == cycles / 2)
			busy = ns_per_op(&p);
		if (i % FRESH_EVERY == 0)
			assert_true(breakpoints_in(p.pid) > 0);
		alloc_probe__detach(t.probe);
		if (i % FRESH_EVERY == 0)
			assert_int_equal(breakpoints_in(p.pid), 0);
		if (i % 100 == 99)
			print_message("%u times after %.0f s\n", i + 1, seconds() - began_s);
	}
	trace__stop(&t);
	assert_int_equal(breakpoints_in(p.pid), 0);
	after = ns_per_op(&p);
	print_message("%u times attached and detached, %llu hits: %.1f ns an operation before, %.1f "
		      "while attached, %.1f after\n", cycles, (unsigned long long)hits, before, busy,
		      after);
	assert_int_equal(ask(&p).damaged, 0);
	assert_int_equal(program__end(&p), 0);
}

/* ---- children ---------------------------------------------------------------------------- */

#define PAIRS 20000

/* A worker: says again and again what a pair of malloc and free takes. */
static void time_pairs(uint64_t *shared_ns)
{
	struct timespec a, b;
	int i;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	for (;;) {
		clock_gettime(CLOCK_THREAD_CPUTIME_ID, &a);
		for (i = 0; i < PAIRS; i++)
			free(*(void *volatile *)&(void *){malloc(61)});
		clock_gettime(CLOCK_THREAD_CPUTIME_ID, &b);
		__atomic_store_n(shared_ns, (b.tv_sec - a.tv_sec) * 1000000000ULL + b.tv_nsec - a.tv_nsec,
				 __ATOMIC_RELEASE);
	}
}

static void fork_worker(struct turn *t, void *shared_ns)
{
	pid_t pid;

	turn__wait(t, 0);
	pid = fork();
	if (!pid)
		time_pairs(shared_ns);
	turn__wait(t, pid);
}

/* A whole measurement of it that began after now. */
static double worker_ns(uint64_t *shared_ns)
{
	int turn;

	for (turn = 0; turn < 2; turn++) {
		__atomic_store_n(shared_ns, 0, __ATOMIC_RELEASE);
		while (!__atomic_load_n(shared_ns, __ATOMIC_ACQUIRE))
			usleep(1000);
	}
	return (double)__atomic_load_n(shared_ns, __ATOMIC_ACQUIRE) / PAIRS;
}

/* What the target forks keeps its breakpoints for as long as there are probes, and no longer. */
static void children_are_free_afterwards(void **state)
{
	uint64_t *shared_ns = mmap(NULL, sizeof(*shared_ns), PROT_READ | PROT_WRITE,
				   MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	const struct alloc_probe_cfg cfg = {.sample_bytes = 512 * 1024};
	struct seep_child told = {};
	double during, after;
	struct child c;
	struct trace t;
	pid_t worker;

	child__start(&c, fork_worker, shared_ns);
	TRACE_OR_SKIP(&t, c.pid, &cfg);
	worker = child__step(&c);
	assert_int_equal(alloc_probe__next_child(t.probe, &told), 1);
	assert_int_equal(told.tgid, worker);
	assert_true(told.is_copy);
	assert_int_equal(alloc_probe__next_child(t.probe, &told), 0);
	if (strcmp(alloc_probe__mode(t.probe), "perf"))
		assert_true(breakpoints_in(worker) > 0);
	during = worker_ns(shared_ns);
	alloc_probe__detach(t.probe);
	assert_int_equal(breakpoints_in(worker), 0);
	after = worker_ns(shared_ns);
	print_message("malloc and free in a child of the target: %.0f ns, %.0f ns afterwards\n", during,
		      after);
	kill(worker, SIGKILL);
	trace__stop(&t);
	child__finish(&c);
	munmap(shared_ns, sizeof(*shared_ns));
}

/* ---- programs that do odd things --------------------------------------------------------- */

struct odd {
	const char *program, *kind;
	int needs_choice; /* to live; some of its blocks are lost to who looks, and that is told */
};

/* What it says, and how it ends, when nobody looks. */
static void run_alone(const struct odd *odd, char ret_line[128])
{
	struct program p;
	char line[128];
	int status;

	program__start(&p, odd->program, odd->kind);
	program__line(&p, line);
	program__tell(&p);
	program__line(&p, ret_line);
	status = program__end(&p);
	if (WIFEXITED(status) && WEXITSTATUS(status) == NOT_HERE) {
		print_message("[   SKIP   ] this machine does not have what '%s' needs\n", odd->kind);
		skip();
	}
	assert_int_equal(status, 0);
	assert_string_equal(line, "ready\n");
}

/* Before sessions (6.13) no call can be left alone: it would not survive. */
static void skip_without_choice(const struct odd *odd)
{
	if (!odd->needs_choice || !strcmp(trace__newest_way(), "session"))
		return;
	print_message("[   SKIP   ] return probes cannot be declined on this kernel\n");
	skip();
}

static void an_odd_program_does_not_notice(void **state)
{
	const struct odd *odd = *state;
	char alone[128], watched[128];
	const struct alloc_probe_cfg cfg = {};
	struct trace t = {};
	struct program p;
	uint64_t leaked, lost;
	int i, status;

	skip_without_choice(odd);
	run_alone(odd, alone);
	program__start(&p, odd->program, odd->kind);
	assert_string_equal(program__line(&p, watched), "ready\n");
	for (i = 0; i < ODD_CYCLES; i++) {
		come(&t, p.pid, &cfg, i == 0);
		await_hits(t.probe, p.pid, 20);
		alloc_probe__detach(t.probe);
	}
	assert_int_equal(breakpoints_in(p.pid), 0);
	come(&t, p.pid, &cfg, 0);
	program__tell(&p);
	program__line(&p, watched);
	status = program__end(&p);
	trace__look(&t);
	leaked = trace__of(&t, LEAK_BYTES).cnt;
	lost = t.stats[SEEP_ALLOC_STAT_NO_RETURN];
	trace__stop(&t);
	if (status)
		fail_msg("'%s' ended with %d", odd->kind, status);
	assert_string_equal(watched, alone);
	if (odd->needs_choice)
		assert_in_range(leaked + lost, ROUNDS, UINT64_MAX);
	else
		assert_int_equal(leaked, ROUNDS);
	assert_in_range(leaked, 0, ROUNDS);
}

/* ---- kernels whose return probes kill ---------------------------------------------------- */

/* A filter that lets nobody set another: then nothing can be found out. */
static void forbid_filters(void)
{
	struct sock_filter filter[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_prctl, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	const struct sock_fprog program = {sizeof(filter) / sizeof(filter[0]), filter};

	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) ||
	    prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program))
		_exit(2);
}

/* The first test: an answer is kept. */
static void what_is_not_known_to_be_harmless_is_not_done(void **state)
{
	struct alloc_probe_cfg cfg = {.pid = getpid()};
	struct alloc_probe *probe;
	char why[256];
	int status = -1;
	pid_t pid = fork();

	if (!pid) {
		forbid_filters();
		if (uretprobe__pass_filters())
			_exit(EARLIER_KERNEL); /* or another machine: no system call ends them */
		_exit(alloc_probe__new(&cfg, &probe, why, sizeof(why)) != -EOPNOTSUPP);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	if (WEXITSTATUS(status) == EARLIER_KERNEL)
		skip();
	assert_int_equal(status, 0);
}

#define ODD(program, kind, needs_choice)                                                            \
	{"an_odd_program_does_not_notice (" kind ")", an_odd_program_does_not_notice, NULL, NULL, \
	 (void *)&(struct odd){program, kind, needs_choice}}

/*
 * Those that only a lone probe leaves unharmed have their C library in themselves: nobody else who
 * runs on this machine has probes in it.
 */
int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_not_known_to_be_harmless_is_not_done),
		{"probes_come_and_go_without_a_trace", probes_come_and_go_without_a_trace, NULL, NULL,
		 NULL},
		cmocka_unit_test(children_are_free_afterwards),
		ODD("odd_throw", "throw", 0),
		ODD("odd", "longjmp", 0),
		ODD("odd", "coroutines", 0),
		ODD("odd", "vfork", 0),
		ODD("odd", "storm", 0),
		ODD("odd", "io_uring", 0),
		ODD("odd", "filter", 0),
		ODD("odd", "strict", 0),
		ODD("odd", "unload", 0),
		ODD("odd-static", "dispatch", 1),
		ODD("odd-static", "signals", 1),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
