// SPDX-License-Identifier: BSD-2-Clause
/*
 * cmd_trace.c - `seep trace`: outstanding allocations by call stack, without an agent.
 *
 * Finds the processes, runs one session over them and writes its result. Ctrl-C, and the end of
 * the processes, end it early; what was found until then is written all the same.
 */
#include <errno.h>
#include <limits.h>
#include <linux/capability.h>
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../base/fs.h"
#include "../base/sandbox.h"
#include "../base/units.h"
#include "../drill/spawn.h"
#include "../drill/targets.h"
#include "../drill/trace.h"
#include "../out/ctl_proto.h"
#include "../out/trace_format.h"
#include "../sym/debuginfod.h"
#include "cli.h"
#include "options.h"

#define KNOWN_CAP 1024
#define TEXT_CAP 32

struct trace_options {
	struct option_list pids;
	const char *cgroup;
	const char *pod;
	double duration_s;
	double min_age_s;
	const char *sample;
	uint64_t sample_bytes;
	uint64_t stack_bytes;
	int use_debuginfod;
	int follows_forks;
	int no_references;
	unsigned top;
	int format;
	int json;
	const char *file;
	char **command; /* NULL: none */
};

/* ---- options ---- */

static const char *const format_names[] = {"text", "json", "folded", "pprof", "svg", NULL};

static int parse_sample(struct trace_options *opt)
{
	if (!strcmp(opt->sample, "all")) {
		opt->sample_bytes = 0;
		return 0;
	}
	if (units__parse_size(opt->sample, &opt->sample_bytes) || !opt->sample_bytes)
		return -EINVAL;
	return 0;
}

/* What the table cannot check. An exit code. */
static int check_options(const struct options *o, struct trace_options *opt)
{
	int kinds = !!opt->pids.cnt + !!opt->cgroup + !!opt->pod + !!opt->command;

	if (opt->json)
		opt->format = TRACE_JSON;
	if (kinds != 1)
		return options__complain(o, "%s", kinds ?
					 "only one of -p, --cgroup, --pod and a command" :
					 "say what to trace: -p PID, --cgroup PATH, --pod NS/NAME "
					 "or -- COMMAND");
	if (parse_sample(opt))
		return options__complain(o, "option '--sample': '%s' is not valid, expected a size "
					 "such as 512K, or all", opt->sample);
	if (opt->stack_bytes > SEEP_STACK_BYTES_MAX)
		return options__complain(o, "option '--stack': at most %uK", SEEP_STACK_BYTES_MAX >> 10);
	if (opt->use_debuginfod && !debuginfod__is_possible())
		return options__complain(o, "option '--debuginfod': set DEBUGINFOD_URLS and install "
					 "elfutils' libdebuginfod");
	if (!(opt->duration_s > 0))
		return options__complain(o, "option '--duration': must be above zero");
	if (trace_formats[opt->format].is_binary && !opt->file && isatty(STDOUT_FILENO))
		return options__complain(o, "%s is not for a terminal; write it to a file with -O",
					 trace_formats[opt->format].name);
	return SEEP_EXIT_OK;
}

static int parse(int argc, char **argv, struct trace_options *opt, int *ret_exit)
{
	const struct option_spec specs[] = {
		{"pid", 'p', OPTION_LIST, "PID", &opt->pids,
		 "trace this process; may stand several times, or hold\na list: 12,34", NULL},
		{"cgroup", 0, OPTION_STRING, "PATH", &opt->cgroup,
		 "trace every process in this cgroup, and those to come", NULL},
		{"pod", 0, OPTION_STRING, "NS/NAME", &opt->pod,
		 "trace every process of this Kubernetes pod", NULL},
		{"duration", 'd', OPTION_DURATION, "DURATION", &opt->duration_s,
		 "for how long (default 30s)", NULL},
		{"min-age", 0, OPTION_DURATION, "DURATION", &opt->min_age_s,
		 "count only memory that is at least this old", NULL},
		{"sample", 0, OPTION_STRING, "SIZE|all", &opt->sample,
		 "mean number of bytes allocated between two samples;\n"
		 "all: every allocation, exact and slower (default 512K)", NULL},
		{"stack", 0, OPTION_SIZE, "SIZE", &opt->stack_bytes,
		 "how much of each stack is copied, at most 32K (default 16K)", NULL},
		{"follow-forks", 'f', OPTION_FLAG, NULL, &opt->follows_forks,
		 "their children, too: those that there are, and those to\n"
		 "come that live for longer than a tenth of a second", NULL},
		{"no-references", 0, OPTION_FLAG, NULL, &opt->no_references,
		 "do not look through their memory at the end for blocks that\n"
		 "nothing refers to any more", NULL},
		{"debuginfod", 0, OPTION_FLAG, NULL, &opt->use_debuginfod,
		 "ask the servers in $DEBUGINFOD_URLS for missing symbols;\n"
		 "they learn which files run here", NULL},
		{"top", 0, OPTION_UINT, "N", &opt->top,
		 "call sites in text and JSON; 0: all (default 20)", NULL},
		{"format", 'o', OPTION_CHOICE, "text|json|folded|pprof|svg", &opt->format,
		 "in which form (default text)", format_names},
		{"json", 'j', OPTION_FLAG, NULL, &opt->json,
		 "print seep.trace/1, one line per process", NULL},
		{"output", 'O', OPTION_STRING, "FILE", &opt->file,
		 "write to FILE instead of standard output", NULL},
		{0},
	};
	const struct options options = {
		.command = "trace",
		.args = "[-- COMMAND [ARG...]]",
		.about = "Shows which call stacks own what was allocated while it looked and not freed\n"
			 "since. Running processes are not stopped or changed; their malloc and free\n"
			 "become slower, and how much is said at the end. Needs no agent.",
		.epilog = "Ctrl-C ends it early and prints what it has. Exits with 4 if there is no\n"
			  "such process, cgroup or pod, with 5 if it is not permitted.",
		.specs = specs,
		.max_args = -1,
	};
	int first = options__parse(&options, argc, argv, ret_exit);

	if (first < 0)
		return first;
	opt->command = argv[first] ? argv + first : NULL;
	*ret_exit = check_options(&options, opt);
	return *ret_exit ? -1 : first;
}

/* ---- complaints ---- */

static int exit_of(int err)
{
	switch (err) {
	case -ESRCH:
	case -ENODEV:
		return SEEP_EXIT_NO_TARGET;
	case -EPERM:
	case -EACCES:
		return SEEP_EXIT_NOT_PERMITTED;
	default:
		return SEEP_EXIT_FAILED;
	}
}

static uint64_t effective_capabilities(void)
{
	uint64_t caps = 0;
	char text[4096];
	const char *line;

	if (fs__read("/proc/self/status", text, sizeof(text)) > 0) {
		line = strstr(text, "\nCapEff:");
		caps = line ? strtoull(line + strlen("\nCapEff:"), NULL, 16) : 0;
	}
	return caps;
}

static void name_missing_capabilities(void)
{
	static const struct {
		int cap;
		int is_in_admin; /* CAP_SYS_ADMIN includes it */
		const char *name;
	} wanted[] = {
		{CAP_BPF, 1, "CAP_BPF"},
		{CAP_PERFMON, 1, "CAP_PERFMON"},
		{CAP_SYS_PTRACE, 0, "CAP_SYS_PTRACE"},
	};
	uint64_t caps = effective_capabilities();
	const char *separator = "missing capability: ";
	size_t i;

	for (i = 0; i < sizeof(wanted) / sizeof(wanted[0]); i++) {
		if (caps >> wanted[i].cap & 1 ||
		    (wanted[i].is_in_admin && caps >> CAP_SYS_ADMIN & 1))
			continue;
		fprintf(stderr, "%s%s", separator, wanted[i].name);
		separator = ", ";
	}
	if (separator[0] == ',')
		fputs("; run as root, or add it\n", stderr);
}

static int complain(const char *what, const char *why, int err)
{
	int code = exit_of(err);

	fprintf(stderr, "seep trace: cannot trace %s: %s\n", what, *why ? why : strerror(-err));
	if (code == SEEP_EXIT_NOT_PERMITTED)
		name_missing_capabilities();
	return code;
}

/* ---- targets ---- */

/* A running session, as the progress callback sees it. */
struct session {
	const struct trace_options *opt;
	struct trace *trace;
	struct targets seen; /* of a cgroup or pod: tried already */
	int added, is_full;
	int is_terminal;     /* standard error is one: show progress */
	sigset_t inherited;  /* signals that were blocked when we came; a command's as well */
};

/* An exit code; a process that cannot be traced is only fatal when there is no other. */
static int add_one(struct session *s, pid_t pid)
{
	char why[TRACE_WHY_LEN], what[TEXT_CAP];
	int err = trace__add(s->trace, pid, why);

	if (err == -EALREADY || (err == -ENOSPC && s->is_full))
		return SEEP_EXIT_OK;
	s->is_full = err == -ENOSPC; /* said once */
	if (!err) {
		s->added++;
		return SEEP_EXIT_OK;
	}
	snprintf(what, sizeof(what), "process %d", pid);
	return complain(what, why, err);
}

/* What it forks from now on the session finds by itself. */
static int add_pid(struct session *s, pid_t pid)
{
	struct targets family = {0};
	int code = add_one(s, pid), i;

	if (s->opt->follows_forks)
		targets__of_family(pid, &family);
	for (i = 0; i < family.cnt; i++)
		(void)add_one(s, family.pids[i]);
	return code;
}

static int parse_pid(const char **text, pid_t *ret_pid)
{
	char *end;
	long pid;

	errno = 0;
	pid = strtol(*text, &end, 10);
	if (end == *text || errno || pid <= 0 || pid > INT_MAX || (*end && *end != ','))
		return -EINVAL;
	*text = *end ? end + 1 : end;
	*ret_pid = pid;
	return 0;
}

static int add_listed(struct session *s)
{
	int i, code = SEEP_EXIT_OK, first_code = SEEP_EXIT_OK;
	const char *text;
	pid_t pid;

	for (i = 0; i < s->opt->pids.cnt; i++) {
		text = s->opt->pids.items[i];
		do {
			if (parse_pid(&text, &pid)) {
				fprintf(stderr, "seep trace: '%s' is no process id\n",
					s->opt->pids.items[i]);
				return SEEP_EXIT_USAGE;
			}
			code = add_pid(s, pid);
			first_code = first_code ? first_code : code;
		} while (*text);
	}
	return s->added ? SEEP_EXIT_OK : first_code;
}

static int was_seen(const struct session *s, pid_t pid)
{
	int i;

	for (i = 0; i < s->seen.cnt; i++) {
		if (s->seen.pids[i] == pid)
			return 1;
	}
	return 0;
}

/* Those not tried before; returns the first complaint's exit code. */
static int add_new(struct session *s, const struct targets *found)
{
	int i, code, first_code = SEEP_EXIT_OK;

	for (i = 0; i < found->cnt && s->seen.cnt < TARGETS_MAX; i++) {
		if (was_seen(s, found->pids[i]))
			continue;
		s->seen.pids[s->seen.cnt++] = found->pids[i];
		code = add_pid(s, found->pids[i]);
		first_code = first_code ? first_code : code;
	}
	return first_code;
}

static int add_cgroup(struct session *s)
{
	struct targets found;
	int code, err = targets__of_cgroup(s->opt->cgroup, &found);

	if (err || !found.cnt) {
		fprintf(stderr, "seep trace: %s '%s'%s%s\n",
			err ? "cannot look into cgroup" : "no process in cgroup", s->opt->cgroup,
			err ? ": " : "", err ? strerror(-err) : "");
		return err && err != -ENOENT ? exit_of(err) : SEEP_EXIT_NO_TARGET;
	}
	code = add_new(s, &found);
	return s->added ? SEEP_EXIT_OK : code;
}

static int add_pod(struct session *s)
{
	char known[KNOWN_CAP];
	struct targets found;
	int code, err = targets__of_pod(s->opt->pod, &found, known, sizeof(known));

	if (err) {
		fprintf(stderr, "seep trace: no process is known to belong to pod '%s'; %s%s\n",
			s->opt->pod, known[0] ? "known are: " : "no pod is known on this node",
			known);
		return err == -ENOENT ? SEEP_EXIT_NO_TARGET : exit_of(err);
	}
	code = add_new(s, &found);
	return s->added ? SEEP_EXIT_OK : code;
}

/* Its output is not to be mixed with ours. */
static int run_command(struct session *s)
{
	char why[TRACE_WHY_LEN] = "";
	sigset_t ours;
	pid_t pid;
	int err;

	sigprocmask(SIG_SETMASK, &s->inherited, &ours);
	err = spawn__start(s->opt->command, s->opt->file ? -1 : STDERR_FILENO, &pid);
	sigprocmask(SIG_SETMASK, &ours, NULL);
	if (err) {
		fprintf(stderr, "seep trace: cannot run '%s': %s\n", s->opt->command[0],
			strerror(-err));
		return err == -ENOENT ? SEEP_EXIT_NO_TARGET : exit_of(err);
	}
	err = trace__add(s->trace, pid, why);
	spawn__continue(pid);
	return err ? complain(s->opt->command[0], why, err) : SEEP_EXIT_OK;
}

static int add_targets(struct session *s)
{
	if (s->opt->command)
		return run_command(s);
	if (s->opt->cgroup)
		return add_cgroup(s);
	if (s->opt->pod)
		return add_pod(s);
	return add_listed(s);
}

/* ---- while it runs ---- */

/* A line that wraps cannot be written over. */
static int terminal_columns(void)
{
	struct winsize size;

	return ioctl(STDERR_FILENO, TIOCGWINSZ, &size) || !size.ws_col ? 80 : size.ws_col;
}

static void print_progress(const struct trace_options *opt, const struct trace_progress *p)
{
	char elapsed[TEXT_CAP], duration[TEXT_CAP], allocated[TEXT_CAP], freed[TEXT_CAP];
	char outstanding[TEXT_CAP], processes[TEXT_CAP] = "", line[8 * TEXT_CAP];

	units__format_duration(round(p->elapsed_s), elapsed, sizeof(elapsed));
	units__format_duration(opt->duration_s, duration, sizeof(duration));
	units__format_bytes(p->allocated_bytes, allocated, sizeof(allocated));
	units__format_bytes(p->freed_bytes, freed, sizeof(freed));
	units__format_bytes(fmax(p->allocated_bytes - p->freed_bytes, 0), outstanding,
			    sizeof(outstanding));
	if (p->running != 1)
		snprintf(processes, sizeof(processes), "%d processes, ", p->running);
	snprintf(line, sizeof(line),
		 "%s of %s: %soutstanding %s, allocated %s, freed %s; %llu stacks, %llu hits of "
		 "%.0f ns", elapsed, duration, processes, outstanding, allocated, freed,
		 (unsigned long long)p->stacks, (unsigned long long)p->hits,
		 p->hits ? (double)p->cost_ns / p->hits : 0);
	fprintf(stderr, "\r\033[K%.*s", terminal_columns() - 1, line);
}

static void on_progress(void *ctx, const struct trace_progress *progress)
{
	struct session *s = ctx;
	struct targets found;

	if (s->opt->cgroup && !targets__of_cgroup(s->opt->cgroup, &found))
		(void)add_new(s, &found);
	if (s->is_terminal)
		print_progress(s->opt, progress);
}

/* Readable once Ctrl-C or SIGTERM came; -1: those end the program as ever. */
static int open_stop_fd(sigset_t *ret_inherited)
{
	sigset_t signals;

	sigemptyset(&signals);
	sigaddset(&signals, SIGINT);
	sigaddset(&signals, SIGTERM);
	if (sigprocmask(SIG_BLOCK, &signals, ret_inherited))
		return -1;
	return signalfd(-1, &signals, SFD_CLOEXEC | SFD_NONBLOCK);
}

static int run_session(struct session *s, int stop_fd)
{
	int err;

	s->is_terminal = isatty(STDERR_FILENO);
	err = trace__run(s->trace, stop_fd, on_progress, s);
	if (s->is_terminal)
		fputs("\r\033[K", stderr);
	if (err)
		fprintf(stderr, "seep trace: ended early: %s\n", strerror(-err));
	return err;
}

/* ---- the result ---- */

static int write_file(const char *path, const struct buf *out)
{
	struct stat st;
	FILE *file;
	int err;

	if (stat(path, &st) || S_ISREG(st.st_mode))
		return fs__write_atomic(path, out->data, out->len, 0644);
	file = fopen(path, "we"); /* a pipe or device keeps its place */
	if (!file)
		return -errno;
	err = fwrite(out->data, 1, out->len, file) == out->len ? 0 : -EIO;
	if (fclose(file) && !err)
		err = -errno;
	return err;
}

static int print_bytes(const struct buf *out)
{
	if (fwrite(out->data, 1, out->len, stdout) != out->len || fflush(stdout))
		return -errno;
	return 0;
}

static int write_result(struct session *s)
{
	const struct trace_format_options format_opt = {.top = s->opt->top};
	const struct trace_result *result;
	const char *path = s->opt->file;
	struct buf out = {0};
	int err;

	err = trace__result(s->trace, &result);
	if (!err)
		err = trace_formats[s->opt->format].write(result, &format_opt, &out);
	if (!err && out.len)
		err = path && strcmp(path, "-") ? write_file(path, &out) : print_bytes(&out);
	buf__free(&out);
	if (err)
		fprintf(stderr, "seep trace: cannot write '%s': %s\n",
			path ? path : "standard output", strerror(-err));
	return err;
}

/* A file that cannot be written is better known now than when all the work is done. */
static int check_file(const char *path)
{
	const char *slash = path ? strrchr(path, '/') : NULL;
	char dir[PATH_MAX];

	if (!path || !strcmp(path, "-") || !access(path, W_OK))
		return SEEP_EXIT_OK;
	snprintf(dir, sizeof(dir), "%.*s", slash ? (int)(slash - path) + 1 : 1, slash ? path : ".");
	if (errno == ENOENT && !access(dir, W_OK | X_OK))
		return SEEP_EXIT_OK;
	fprintf(stderr, "seep trace: cannot write '%s': %s\n", path, strerror(errno));
	return errno == EACCES || errno == EPERM ? SEEP_EXIT_NOT_PERMITTED : SEEP_EXIT_FAILED;
}

/* Ctrl-C must end it well from the first probe on, so signals are ours before there is one. */
static int run(struct session *s)
{
	int stop_fd = open_stop_fd(&s->inherited), code = add_targets(s), err;

	if (!code) {
		err = run_session(s, stop_fd);
		if (write_result(s) || err)
			code = SEEP_EXIT_FAILED;
	}
	while (waitpid(-1, NULL, WNOHANG) > 0)
		; /* the command, if it has ended */
	if (stop_fd >= 0)
		close(stop_fd);
	return code;
}

int cmd_trace(int argc, char **argv)
{
	struct trace_options opt = {
		.duration_s = 30, .sample = "512K", .top = 20,
	};
	struct session s = {.opt = &opt};
	struct trace_cfg cfg;
	int code;

	if (parse(argc, argv, &opt, &code) < 0)
		return code;
	code = check_file(opt.file);
	if (code)
		return code;
	(void)sandbox__prepare(); /* if it fails, names are missing, and why is told */
	cfg = (struct trace_cfg){
		.sample_bytes = opt.sample_bytes,
		.duration_s = opt.duration_s,
		.min_age_s = opt.min_age_s,
		.stack_bytes = opt.stack_bytes,
		.use_debuginfod = opt.use_debuginfod,
		.follows_forks = opt.follows_forks,
		.asks_references = !opt.no_references,
		.asks_when_stopped = 1,
	};
	s.trace = trace__new(&cfg);
	if (!s.trace) {
		fprintf(stderr, "seep trace: %s\n", strerror(ENOMEM));
		return SEEP_EXIT_FAILED;
	}
	code = run(&s);
	trace__free(s.trace);
	return code;
}
