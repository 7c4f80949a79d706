// SPDX-License-Identifier: BSD-2-Clause
/*
 * alloc.c - what the closer look costs the program, and what it takes itself; peers beside it.
 *
 * All arms run interleaved in one go, each repetition beginning with another one; a figure is the
 * median over the repetitions. CPU time of the traced thread is measured, because the machine may
 * be shared. Tracers run as commands, as their users run them; seep's ways to attach run in here.
 * heaptrack must be there when the program starts, so it has a program of its own. As root.
 *
 *   build/bench/alloc [--quick] [automatic]
 *
 * `automatic`: only what the agent's own look costs. MEMLEAK=command: instead of what
 * bench/peers.sh finds.
 */
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "closer/target.h"
#include "closer/tool.h"
#include "drill/drill.h"
#include "probe/alloc_probe.h"
#include "probe/proc_scan.h"

#define REPS_MAX	 15
#define REPS_QUICK	 3
#define SAMPLE_BYTES	 (512 * 1024)
#define PAIR_GOAL_NS	 1500.0
#define SQLITE_GOAL	 3.0
#define AUTO_GOAL	 1.02
#define ATTACH_TIMEOUT_S 60
#define ATTACHED_NS	 100 /* a pair costs more than this: somebody is there */
#define AUTO_WINDOW_S	 30
#define COMMAND_CAP	 512
#define HEAPTRACK_DIR	 "/tmp/seep-bench-XXXXXX"

enum work { PAIR_64, PAIR_1024, SQLITE, WORK_CNT };

static const struct target_job jobs[WORK_CNT] = {
	[PAIR_64] = {.pair_bytes = 64, .cnt = 20000},
	[PAIR_1024] = {.pair_bytes = 1024, .cnt = 20000},
	[SQLITE] = {.cnt = 1},
};

enum kind { OFF, COMMAND, PROBE, PRELOAD };

static struct arm {
	const char *name;
	enum kind kind;
	const char *args; /* COMMAND: behind the tool */
	const char *tool; /* COMMAND: NULL = it cannot be had */
	struct alloc_probe_cfg cfg;
	const char *why_not;
	double ns[WORK_CNT][REPS_MAX];
	double bytes; /* the most that the tool took */
	int cnt;
} arms[] = {
	{.name = "off", .kind = OFF},
	{.name = "seep trace", .kind = COMMAND, .args = "-p %d -d 10m", .tool = "build/seep trace"},
	{.name = "seep trace --sample all",
	 .kind = COMMAND,
	 .args = "-p %d -d 10m --sample all",
	 .tool = "build/seep trace"},
	{.name = "bcc memleak", .kind = COMMAND, .args = "-p %d 600"},
	{.name = "bcc memleak -s 100", .kind = COMMAND, .args = "-p %d -s 100 600"},
	{.name = "heaptrack", .kind = PRELOAD},
	{.name = "seep, entry and return probes",
	 .kind = PROBE,
	 .cfg = {.sample_bytes = SAMPLE_BYTES, .no_session = 1}},
	{.name = "seep, perf-event probes",
	 .kind = PROBE,
	 .cfg = {.sample_bytes = SAMPLE_BYTES, .no_session = 1, .no_multi = 1}},
	{.name = "seep, probes not placed",
	 .kind = PROBE,
	 .cfg = {.sample_bytes = SAMPLE_BYTES, .at_entry = 1}},
};

#define ARM_CNT (sizeof(arms) / sizeof(arms[0]))

enum { ARM_OFF, ARM_SAMPLED };

static struct target plain, preloaded;

/* ---- arms -------------------------------------------------------------------------------- */

static void find_memleak(void)
{
	static char path[COMMAND_CAP];
	FILE *script = getenv("MEMLEAK") ? NULL : popen("bench/peers.sh", "r");
	const char *tool = getenv("MEMLEAK");
	size_t i;

	if (script && fgets(path, sizeof(path), script)) {
		path[strcspn(path, "\n")] = '\0';
		tool = path;
	}
	if (script && pclose(script))
		tool = NULL;
	for (i = 0; i < ARM_CNT; i++) {
		if (arms[i].kind != COMMAND || arms[i].tool)
			continue;
		arms[i].tool = tool;
		arms[i].why_not = tool ? NULL : "not here, and cannot be fetched (see above)";
	}
}

static char heaptrack_dir[] = HEAPTRACK_DIR;

static void find_heaptrack(struct arm *arm)
{
	char command[COMMAND_CAP];

	if (!mkdtemp(heaptrack_dir))
		return;
	snprintf(command, sizeof(command), "heaptrack -o %s/data", heaptrack_dir);
	if (system("command -v heaptrack >/dev/null"))
		arm->why_not = "not installed (make deps-peers)";
	else if (target__start(&preloaded, command))
		arm->why_not = "the program does not start under it";
}

static void remove_data(void)
{
	char command[COMMAND_CAP];

	snprintf(command, sizeof(command), "rm -rf %s", heaptrack_dir);
	if (system(command))
		fprintf(stderr, "'%s' is left behind\n", heaptrack_dir);
}

/* Nobody says when probes are in place, but a pair tells. 0 or -errno. */
static int await_attached(pid_t tool)
{
	static const struct target_job probe = {.pair_bytes = 64, .cnt = 1000};
	double end_s = clock__boot_ns() / 1e9 + ATTACH_TIMEOUT_S;

	while (clock__boot_ns() / 1e9 < end_s) {
		if (tool__has_ended(tool))
			return -ECHILD;
		if (target__run(&plain, &probe) > ATTACHED_NS)
			return 0;
		usleep(100000);
	}
	return -ETIMEDOUT;
}

static void measure(struct arm *arm, struct target *t)
{
	int work;

	for (work = 0; work < WORK_CNT; work++) {
		if (work != SQLITE)
			target__run(t, &jobs[work]); /* warm */
		arm->ns[work][arm->cnt] = target__run(t, &jobs[work]);
	}
	arm->cnt++;
}

static void run_command(struct arm *arm)
{
	char command[COMMAND_CAP + 64];
	pid_t tool;
	int err;

	snprintf(command, sizeof(command), "%s %s", arm->tool, arm->args);
	tool = tool__start(command, plain.pid);
	err = tool < 0 ? tool : await_attached(tool);
	if (err)
		arm->why_not = err == -ECHILD ? "it ended at once" : "it does not attach";
	else
		measure(arm, &plain);
	if (tool <= 0)
		return;
	arm->bytes = fmax(arm->bytes, tool__bytes(tool, 0));
	tool__stop(tool);
}

static void run_probe(struct arm *arm)
{
	struct alloc_probe_cfg cfg = arm->cfg;
	static char why[256];
	struct alloc_probe *probe;

	cfg.pid = plain.pid;
	if (alloc_probe__new(&cfg, &probe, why, sizeof(why))) {
		arm->why_not = why;
		return;
	}
	measure(arm, &plain);
	alloc_probe__free(probe);
}

/* What its library takes in the program counts as heaptrack's. */
static void run_preloaded(struct arm *arm)
{
	measure(arm, &preloaded);
	arm->bytes = tool__bytes(preloaded.leader, preloaded.pid) +
		     fmax(tool__peak_bytes(preloaded.pid) - tool__peak_bytes(plain.pid), 0);
}

static void run_arm(struct arm *arm)
{
	if (arm->why_not)
		return;
	switch (arm->kind) {
	case OFF:
		measure(arm, &plain);
		break;
	case COMMAND:
		run_command(arm);
		break;
	case PROBE:
		run_probe(arm);
		break;
	case PRELOAD:
		run_preloaded(arm);
		break;
	}
}

/* ---- the agent's own look ---------------------------------------------------------------- */

struct automatic {
	double ratio;	   /* SQLite jobs with it, over those of a program beside */
	double cost_share; /* as it says itself */
	double duty_share;
	unsigned slices;
};

static void take_result(void *ctx, const struct drill_result *r)
{
	struct automatic *a = ctx;

	a->cost_share = r->cost_share;
	a->duty_share = r->duty_share;
	a->slices = r->slices;
}

/*
 * SQLite jobs of the program that is looked at, over those of one beside it that is not. Slices
 * are rare and short, so sums count, not medians.
 */
static double ratio_beside(struct target *beside, double seconds)
{
	double end_s = clock__boot_ns() / 1e9 + seconds, with = 0, without = 0;

	do {
		if (target__begin(&plain, &jobs[SQLITE]) || target__begin(beside, &jobs[SQLITE]))
			return NAN;
		with += target__end(&plain);
		without += target__end(beside);
	} while (clock__boot_ns() / 1e9 < end_s);
	return with / without;
}

static int look_automatically(struct target *beside, double seconds, struct automatic *found)
{
	const struct drill_cfg cfg = {.window_s = AUTO_WINDOW_S};
	struct proc_sample sample;
	struct drill *drill;
	double before;
	int err;

	err = proc_scan__one("/proc", plain.pid, &sample);
	if (!err)
		err = drill__new(&cfg, &drill);
	if (err)
		return err;
	before = ratio_beside(beside, seconds / 4);
	drill__want(drill, &sample.id, 1);
	found->ratio = ratio_beside(beside, seconds) / before;
	drill__collect(drill, take_result, found);
	drill__free(drill);
	return 0;
}

static int run_automatic(double seconds, struct automatic *found)
{
	struct target beside;
	int err = target__start(&beside, NULL);

	if (err)
		return err;
	err = look_automatically(&beside, seconds, found);
	target__stop(&beside);
	return err;
}

/* ---- figures ----------------------------------------------------------------------------- */

static int by_value(const void *a, const void *b)
{
	const double *x = a, *y = b;

	return *x < *y ? -1 : *x > *y;
}

static double median(const double *values, int cnt)
{
	double sorted[REPS_MAX];

	memcpy(sorted, values, cnt * sizeof(*values));
	qsort(sorted, cnt, sizeof(*sorted), by_value);
	return sorted[cnt / 2];
}

/* The median of the ratios within a repetition. */
static double sqlite_ratio(const struct arm *arm)
{
	double ratios[REPS_MAX];
	int i;

	for (i = 0; i < arm->cnt; i++)
		ratios[i] = arm->ns[SQLITE][i] / arms[ARM_OFF].ns[SQLITE][i];
	return median(ratios, arm->cnt);
}

static void print_arm(const struct arm *arm)
{
	if (arm->why_not || !arm->cnt) {
		printf("| %s | %s | | | |\n", arm->name, arm->why_not);
		return;
	}
	printf("| %s | %.0f | %.0f |", arm->name, median(arm->ns[PAIR_64], arm->cnt),
	       median(arm->ns[PAIR_1024], arm->cnt));
	if (arm == &arms[ARM_OFF])
		printf(" %.2f s |", median(arm->ns[SQLITE], arm->cnt) / 1e9);
	else
		printf(" %.1f x |", sqlite_ratio(arm));
	if (arm->bytes > 0)
		printf(" %.1f |\n", arm->bytes / (1 << 20));
	else
		printf(" |\n");
}

static const char *met(int is_met)
{
	return is_met ? "met" : "MISSED";
}

static void print_goals(const struct automatic *a)
{
	const struct arm *sampled = &arms[ARM_SAMPLED];
	double ns, ratio;

	if (sampled->cnt) {
		ns = fmax(median(sampled->ns[PAIR_64], sampled->cnt),
			  median(sampled->ns[PAIR_1024], sampled->cnt));
		ratio = sqlite_ratio(sampled);
		printf("goal: %.0f ns a pair with samples: %s (%.0f)\n", PAIR_GOAL_NS,
		       met(ns <= PAIR_GOAL_NS), ns);
		printf("goal: the SQLite job at %.0f x with samples: %s (%.1f)\n", SQLITE_GOAL,
		       met(ratio <= SQLITE_GOAL), ratio);
	}
	if (a->slices)
		printf("goal: the SQLite job at %.2f x when the agent looks: %s (%.3f)\n",
		       AUTO_GOAL, met(a->ratio <= AUTO_GOAL), a->ratio);
}

static void print_table(const struct automatic *a)
{
	size_t i;

	puts("| | ns a pair, 64 B | 1024 B | SQLite job | MiB taken |\n|---|---|---|---|---|");
	for (i = 0; i < ARM_CNT; i++) {
		if (arms[i].cnt || arms[i].why_not)
			print_arm(&arms[i]);
	}
	if (a->slices)
		printf("| seep agent, by itself | | | %.3f x | |\n\n"
		       "By its own account it took %.2f %% of a core, attached %.2f %% of the "
		       "time, "
		       "in %u slices.\n",
		       a->ratio, 100 * a->cost_share, 100 * a->duty_share, a->slices);
	puts("");
	print_goals(a);
}

static void run_arms(int reps)
{
	size_t i;
	int rep;

	find_memleak();
	for (i = 0; i < ARM_CNT; i++) {
		if (arms[i].kind == PRELOAD)
			find_heaptrack(&arms[i]);
	}
	for (rep = 0; rep < reps; rep++) {
		for (i = 0; i < ARM_CNT; i++)
			run_arm(&arms[(rep + i) % ARM_CNT]);
	}
	target__stop(&preloaded);
	remove_data();
}

static int usage(void)
{
	fputs("usage: [MEMLEAK=command] build/bench/alloc [--quick] [automatic]\n", stderr);
	return 2;
}

int main(int argc, char **argv)
{
	int quick = 0, only_automatic = 0, err, i;
	struct automatic automatic = {};

	if (argc > 1 && !strcmp(argv[1], TARGET_OPTION))
		target__serve();
	for (i = 1; i < argc; i++) {
		if (!strcmp(argv[i], "--quick"))
			quick = 1;
		else if (!strcmp(argv[i], "automatic"))
			only_automatic = 1;
		else
			return usage();
	}
	err = target__start(&plain, NULL);
	if (err) {
		fprintf(stderr, "bench/alloc: %s\n", strerror(-err));
		return 1;
	}
	if (!only_automatic)
		run_arms(quick ? REPS_QUICK : REPS_MAX);
	err = run_automatic(quick ? 60 : 300, &automatic);
	if (err)
		fprintf(stderr, "the agent's own look cannot be measured: %s\n", strerror(-err));
	target__stop(&plain);
	print_table(&automatic);
	return 0;
}
