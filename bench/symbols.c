// SPDX-License-Identifier: BSD-2-Clause
/*
 * symbols.c - naming 1000 different stacks of 64 frames of a large program with debug information.
 *
 * The program is generated and compiled here: a few source files of many functions with inlined
 * calls, each linked in many times, until it is about 100 MB. The stacks are the hardest there are:
 * no two frames are at the same address, and they lie all over the program. Then the same with
 * frames as they are in a running program, where most stacks share most of their callers. CPU and
 * memory are those of the process that asks and of its sandbox together.
 *
 *   build/bench/symbols
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fs.h"
#include "sym/maps.h"
#include "sym/symbolizer.h"

#define GOAL_S	   3.0
#define GOAL_MIB   150.0
#define STACKS	   1000
#define DEPTH	   64
#define LEAVES	   8 /* frames at the top of a usual stack that are its own */
#define UNITS	   4
#define COPIES	   16 /* of each unit */
#define FUNCTIONS  1500
#define FRAMES_MAX 16
#define PATH_CAP   512

/* ---- the program ------------------------------------------------------------------------- */

static int write_unit(const char *dir, int unit)
{
	char path[PATH_CAP];
	FILE *f;
	int i;

	snprintf(path, sizeof(path), "%s/unit%d.c", dir, unit);
	f = fopen(path, "w");
	if (!f)
		return -errno;
	fputs("extern volatile int sink;\n", f);
	for (i = 0; i < FUNCTIONS; i++) {
		fprintf(f,
			"struct s%d_%d { int first, second; long table[%d]; const char *name; };\n",
			unit, i, i % 13 + 2);
		fprintf(f,
			"static inline __attribute__((always_inline)) int help%d_%d(struct s%d_%d "
			"*one, int count)\n{\n\tint local = one->first * %d + count;\n\n"
			"\tsink = local;\n\tone->table[1] += local;\n"
			"\treturn local ^ one->second;\n}\n",
			unit, i, unit, i, i % 7 + 3);
		fprintf(f,
			"__attribute__((noinline)) int work%d_%d(int number)\n{\n"
			"\tstruct s%d_%d value = {number, %d, {0}, \"name\"};\n\tint k, sum = "
			"0;\n\n"
			"\tfor (k = 0; k < number; k++)\n\t\tsum += help%d_%d(&value, k);\n"
			"\tif (sum > 99)\n\t\tsum -= help%d_%d(&value, sum);\n"
			"\treturn sum + (int)value.table[1];\n}\n",
			unit, i, unit, i, i, unit, i, unit, i);
	}
	return fclose(f) ? -errno : 0;
}

static int write_main(const char *dir)
{
	char path[PATH_CAP];
	FILE *f;

	snprintf(path, sizeof(path), "%s/main.c", dir);
	f = fopen(path, "w");
	if (!f)
		return -errno;
	fputs("#include <unistd.h>\nvolatile int sink;\nint main(void)\n{\n\tpause();\n}\n", f);
	return fclose(f) ? -errno : 0;
}

/* The same object again and again: its code and debug information are there each time. */
static int build(const char *dir)
{
	char command[4 * PATH_CAP];
	int i, err = write_main(dir);

	for (i = 0; i < UNITS && !err; i++)
		err = write_unit(dir, i);
	if (err)
		return err;
	snprintf(command, sizeof(command),
		 "cd %s && cc -g -O1 -c unit*.c main.c && "
		 "for u in unit*.o; do for i in $(seq %d); do cp $u $i-$u; echo $i-$u; done; done "
		 ">objects && cc -Wl,--allow-multiple-definition main.o @objects -o program",
		 dir, COPIES);
	return system(command) ? -ENOEXEC : 0;
}

static pid_t start(const char *dir)
{
	char path[PATH_CAP];
	pid_t pid = fork();

	if (pid)
		return pid;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	snprintf(path, sizeof(path), "%s/program", dir);
	execl(path, path, NULL);
	_exit(127);
}

/* ---- the stacks -------------------------------------------------------------------------- */

struct text {
	uint64_t start, end;
};

static int find_text(pid_t pid, const char *dir, struct text *ret_text)
{
	const struct map_region *r;
	struct maps *maps;
	size_t i;
	int err = maps__read(pid, &maps);

	if (err)
		return err;
	err = -ENOENT;
	for (i = 0; i < maps__cnt(maps); i++) {
		r = maps__at(maps, i);
		if (!r->executable || strncmp(r->path, dir, strlen(dir)))
			continue;
		*ret_text = (struct text){r->start, r->end};
		err = 0;
	}
	maps__free(maps);
	return err;
}

static uint64_t mix(uint64_t x)
{
	x = (x ^ (x >> 31)) * 0x7fb5d329728ea185ULL;
	x = (x ^ (x >> 27)) * 0x81dadef4bc2dd44dULL;
	return x ^ (x >> 33);
}

/* Frame `depth` of a stack. Callers are shared by ever more stacks the further out they are. */
static uint64_t address_of(const struct text *text, int stack, int depth, int is_usual)
{
	uint64_t path = stack;

	if (is_usual && depth >= LEAVES)
		path = stack >> (depth / LEAVES);
	return text->start + mix(path * DEPTH + depth + 1) % (text->end - text->start);
}

struct outcome {
	double seconds, mib;
	long frames, named, lined, inlined;
};

static void count(struct outcome *o, const struct frame *frames, int cnt)
{
	int i;

	for (i = 0; i < cnt; i++) {
		o->frames++;
		o->named += !!frames[i].function;
		o->lined += frames[i].line > 0;
		o->inlined += frames[i].inlined;
	}
}

/* What the process that reads the files has used. */
static void add_reader(struct outcome *o, pid_t pid)
{
	char path[64], status[4096] = "";
	clockid_t clock;
	const char *line;

	if (!clock_getcpuclockid(pid, &clock))
		o->seconds += clock__ns(clock) / 1e9;
	snprintf(path, sizeof(path), "/proc/%d/status", pid);
	line = fs__read(path, status, sizeof(status)) > 0 ? strstr(status, "\nVmHWM:") : NULL;
	if (line)
		o->mib += strtoul(line + strlen("\nVmHWM:"), NULL, 10) / 1024.0;
}

/* A stack is asked for as a whole. */
static void symbolize_stack(struct sym_target *target, const struct text *text, int stack,
			    int is_usual, struct outcome *o)
{
	struct sym_address addresses[DEPTH];
	struct frame frames[FRAMES_MAX];
	int depth;

	for (depth = 0; depth < DEPTH; depth++)
		addresses[depth] =
			(struct sym_address){address_of(text, stack, depth, is_usual), 1};
	sym_target__expect(target, addresses, DEPTH);
	for (depth = 0; depth < DEPTH; depth++)
		count(o, frames,
		      sym_target__frames(target, addresses[depth].address, 1, frames, FRAMES_MAX));
}

static int symbolize(pid_t pid, const struct text *text, int is_usual, struct outcome *ret_outcome)
{
	struct symbolizer_cfg cfg = {};
	struct symbolizer *s = symbolizer__new(&cfg);
	double begin_s = clock__ns(CLOCK_PROCESS_CPUTIME_ID) / 1e9;
	struct sym_target *target;
	struct outcome o = {};
	struct rusage usage;
	int i, err;

	if (!s)
		return -ENOMEM;
	err = sym_target__new(s, pid, &target);
	if (err)
		return err;
	for (i = 0; i < STACKS; i++)
		symbolize_stack(target, text, i, is_usual, &o);
	getrusage(RUSAGE_SELF, &usage);
	o.seconds = clock__ns(CLOCK_PROCESS_CPUTIME_ID) / 1e9 - begin_s;
	o.mib = usage.ru_maxrss / 1024.0;
	add_reader(&o, symbolizer__reader_pid(s));
	sym_target__free(target);
	symbolizer__free(s);
	*ret_outcome = o;
	return 0;
}

/* In a process of its own, so that its memory is its own. */
static int measure(pid_t pid, const struct text *text, int is_usual, struct outcome *ret_outcome)
{
	int ends[2], status, err;
	pid_t child;

	if (pipe(ends))
		return -errno;
	child = fork();
	if (!child) {
		struct outcome o = {};

		err = symbolize(pid, text, is_usual, &o);
		_exit(err || write(ends[1], &o, sizeof(o)) != sizeof(o));
	}
	close(ends[1]);
	err = read(ends[0], ret_outcome, sizeof(*ret_outcome)) == sizeof(*ret_outcome) ? 0 : -EIO;
	close(ends[0]);
	waitpid(child, &status, 0);
	return err;
}

static void print_row(const char *name, const struct outcome *o)
{
	printf("| %s | %.2f | %.1f | %.1f | %.1f | %ld |\n", name, o->seconds, o->mib,
	       100.0 * o->named / o->frames, 100.0 * o->lined / o->frames, o->inlined);
}

static int run(const char *dir)
{
	struct outcome hardest, usual;
	struct text text;
	struct stat st;
	char path[PATH_CAP];
	pid_t pid;
	int err = build(dir);

	if (err)
		return err;
	snprintf(path, sizeof(path), "%s/program", dir);
	pid = start(dir);
	usleep(300000);
	err = stat(path, &st) ? -errno : find_text(pid, dir, &text);
	if (!err)
		err = measure(pid, &text, 0, &hardest);
	if (!err)
		err = measure(pid, &text, 1, &usual);
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	if (err)
		return err;
	printf("a program of %.0f MB; %d stacks of %d frames\n\n", st.st_size / 1e6, STACKS, DEPTH);
	puts("| | CPU s | MiB | % named | % with a line | inlined frames "
	     "|\n|---|---|---|---|---|---|");
	print_row("every address another one", &hardest);
	print_row("callers shared", &usual);
	printf("\ngoal: %.0f s: %s, %.0f MiB: %s\n", GOAL_S,
	       hardest.seconds <= GOAL_S ? "met" : "MISSED", GOAL_MIB,
	       hardest.mib <= GOAL_MIB ? "met" : "MISSED");
	return 0;
}

int main(void)
{
	char dir[] = "/tmp/seep-bench-XXXXXX", command[PATH_CAP];
	int err = mkdtemp(dir) ? run(dir) : -errno;

	if (err)
		fprintf(stderr, "bench/symbols: %s\n", strerror(-err));
	snprintf(command, sizeof(command), "rm -rf %s", dir);
	return system(command) || err;
}
