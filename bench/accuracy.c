// SPDX-License-Identifier: BSD-2-Clause
/*
 * accuracy.c - how well seep tells leaks from healthy memory, with other people's rules beside it.
 *
 *	accuracy --synthetic 2000 --wide 1000      the generated corpus
 *	accuracy FILE.csv.gz LABELS.json ...       recordings with labels
 *	accuracy FILE.csv.gz inject                recordings without labels, and copies with a leak
 *	accuracy --quick                           a small slice of the corpus
 *
 * Protocol: series are replayed causally and judged every 15 minutes with a window of 6 h. A leak
 * counts when it is material, at least max(1 MiB/h, .12 %/h of the level); smaller growth is
 * healthy. It is found when an alarm opens at or after its onset. An alarm before the onset, or on
 * a healthy series, is false. Precision, recall and F1 are over series, false alarms over healthy
 * series-days (a leaky series is healthy up to its onset). Intervals are 95 % bootstrap over
 * series, pairs of an original and its injected copy kept together. One setting for every set.
 * The thresholds called "tuned" are those with the best F1 on the other half.
 */
#include <ctype.h>
#include <errno.h>
#include <getopt.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "scoring/load.h"
#include "scoring/report.h"
#include "scoring/run.h"

#define WINDOW_S	  (6 * 3600.0)
#define DEFAULT_SYNTHETIC 2000
#define DEFAULT_WIDE	  1000
#define DEFAULT_STRANGERS 1000
#define DEFAULT_GUESTS	  400

enum half {
	HALF_REPORT,
	HALF_TUNE,
	HALF_ALL,
};

struct args {
	long synthetic; /* series; 0: none */
	long wide;
	long strangers;
	long guests;
	uint64_t seed;
	double days;
	int kind;
	enum half half;
	bool quick;
	bool json;
	bool anchors;
	bool wrong;
	bool list;
	bool as_labelled;
	double window_s; /* of the recordings: their time is stretched to that of six hours */
	char **files;	 /* CSV, labels, CSV, labels, .. */
	int file_cnt;
};

static const struct option options[] = {
	{"synthetic", optional_argument, NULL, 's'},
	{"wide", optional_argument, NULL, 'w'},
	{"strangers", optional_argument, NULL, 'X'},
	{"guests", optional_argument, NULL, 'G'},
	{"seed", required_argument, NULL, 'S'},
	{"days", required_argument, NULL, 'd'},
	{"shape", required_argument, NULL, 'k'},
	{"half", required_argument, NULL, 'H'},
	{"quick", no_argument, NULL, 'q'},
	{"json", no_argument, NULL, 'j'},
	{"no-anchors", no_argument, NULL, 'A'},
	{"wrong", no_argument, NULL, 'W'},
	{"list", no_argument, NULL, 'l'},
	{"as-labelled", no_argument, NULL, 'L'},
	{"window", required_argument, NULL, 'x'},
	{"help", no_argument, NULL, 'h'},
	{NULL, 0, NULL, 0},
};

static void usage(FILE *f)
{
	fprintf(f,
		"usage: accuracy [options] [FILE.csv[.gz] LABELS.json|inject]...\n"
		"  --synthetic [N]    generated series, default %d\n"
		"  --wide [N]         the same with nuisances from outside the tuned ranges, "
		"default %d\n"
		"  --strangers [N]    programs simulated by mechanism, which nothing is tuned on,\n"
		"                     default %d\n"
		"  --guests [N]       machines and pods as others record them, with leaks added;\n"
		"                     nothing is learned from them; default %d\n"
		"  --seed N           of the generated series, default 1\n"
		"  --days D           their length; default: drawn, 1 to 7\n"
		"  --shape NAME       one shape of them only\n"
		"  --half HALF        report (default), tune, or all\n"
		"  --quick            about a minute\n"
		"  --no-anchors       seep only\n"
		"  --as-labelled      leaks below the bar count as leaks, not as healthy\n"
		"  --window SECONDS   recordings are of compressed time, six hours in so many\n"
		"  --list             no tables; a line for each series: name, shape, leak or\n"
		"                     healthy, and when seep's alarms opened or -\n"
		"  --wrong            name every series that seep got wrong, on stderr\n"
		"  --json             one object instead of tables\n",
		DEFAULT_SYNTHETIC, DEFAULT_WIDE, DEFAULT_STRANGERS, DEFAULT_GUESTS);
}

/* ---- arguments ---- */

/* "--synthetic 500", "--synthetic=500" and "--synthetic" alone. */
static long optional_count(int argc, char **argv, long otherwise)
{
	if (optarg)
		return strtol(optarg, NULL, 10);
	if (optind < argc && isdigit((unsigned char)argv[optind][0]) && !strchr(argv[optind], '.'))
		return strtol(argv[optind++], NULL, 10);
	return otherwise;
}

static int parse_half(const char *s, enum half *ret_half)
{
	if (!strcmp(s, "report"))
		*ret_half = HALF_REPORT;
	else if (!strcmp(s, "tune"))
		*ret_half = HALF_TUNE;
	else if (!strcmp(s, "all"))
		*ret_half = HALF_ALL;
	else
		return -EINVAL;
	return 0;
}

static int parse_option(int c, int argc, char **argv, struct args *a)
{
	switch (c) {
	case 's':
		a->synthetic = optional_count(argc, argv, DEFAULT_SYNTHETIC);
		return 0;
	case 'w':
		a->wide = optional_count(argc, argv, DEFAULT_WIDE);
		return 0;
	case 'X':
		a->strangers = optional_count(argc, argv, DEFAULT_STRANGERS);
		return 0;
	case 'G':
		a->guests = optional_count(argc, argv, DEFAULT_GUESTS);
		return 0;
	case 'S':
		a->seed = strtoull(optarg, NULL, 10);
		return 0;
	case 'd':
		a->days = strtod(optarg, NULL);
		return 0;
	case 'H':
		return parse_half(optarg, &a->half);
	case 'q':
		a->quick = true;
		return 0;
	case 'j':
		a->json = true;
		return 0;
	case 'A':
		a->anchors = false;
		return 0;
	case 'W':
		a->wrong = true;
		return 0;
	case 'l':
		a->list = true;
		a->anchors = false;
		return 0;
	case 'L':
		a->as_labelled = true;
		return 0;
	case 'x':
		a->window_s = strtod(optarg, NULL);
		return a->window_s > 0 ? 0 : -EINVAL;
	case 'k':
		a->kind = shapes__find(NULL, optarg);
		return a->kind < 0 ? -EINVAL : 0;
	case 'h':
		usage(stdout);
		exit(0);
	default:
		return -EINVAL;
	}
}

static int parse_args(int argc, char **argv, struct args *a)
{
	int c, err = 0;

	while (!err && (c = getopt_long(argc, argv, "h", options, NULL)) >= 0)
		err = parse_option(c, argc, argv, a);
	if (err || (argc - optind) % 2)
		return -EINVAL;
	a->files = argv + optind;
	a->file_cnt = argc - optind;
	if (!a->synthetic && !a->wide && !a->strangers && !a->guests &&
	    !a->file_cnt) {
		a->synthetic = a->quick ? 500 : DEFAULT_SYNTHETIC;
		a->wide = a->quick ? 200 : DEFAULT_WIDE;
		a->strangers = a->quick ? 200 : DEFAULT_STRANGERS;
		a->guests = a->quick ? 80 : DEFAULT_GUESTS;
	}
	if (a->quick && !(a->days > 0))
		a->days = 1;
	return 0;
}

/* ---- sets ---- */

/* A kind of generated corpus. */
struct source {
	const char *name;
	bool wide;
	const struct shape_set *shapes; /* NULL: the ones that were tuned on */
};

static const struct source synthetic = {"synthetic", false, NULL};
static const struct source wide = {"synthetic wide", true, NULL};
static const struct source stranger = {"strangers", false, &strangers};
static const struct source guest = {"guests", false, &guests};

static int run_generated(const struct args *a, struct runner *r, enum shape_split split,
			 const struct source *src, long cnt, struct outcomes *out)
{
	struct shape_opts opts = {
		.seed = a->seed,
		.split = split,
		.wide = src->wide,
		.days = a->days,
		.kind = src->shapes ? -1 : a->kind,
		.set = src->shapes,
	};
	struct shape_series s;
	long i;
	int err = 0;

	for (i = 0; !err && i < cnt; i++) {
		err = shapes__generate(&opts, (uint64_t)i, &s);
		if (err)
			break;
		err = runner__run(r, &s, (unsigned)i, out);
		shapes__release(&s);
	}
	return err;
}

static int fill_generated(const struct args *a, struct runner *r, const struct source *src,
			  long cnt, struct set *set)
{
	enum shape_split split = a->half == HALF_TUNE ? SPLIT_TUNE : SPLIT_REPORT;

	snprintf(set->title, sizeof(set->title), "%s, seed %llu, split %s", src->name,
		 (unsigned long long)a->seed, split == SPLIT_TUNE ? "tune" : "report");
	return run_generated(a, r, split, src, cnt, &set->report);
}

/* Which half a pair of a recording belongs to when its labels do not say: by hash. */
static bool in_tune_half(unsigned pair)
{
	uint64_t z = pair + 0x9e3779b97f4a7c15ULL;

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
	return (z ^ (z >> 31)) & 1;
}

static void stretch(struct shape_series *s, double by)
{
	size_t i;

	for (i = 0; i < s->cnt; i++)
		s->points[i].t_s *= by;
	s->onset_s *= by;
}

static int fill_recorded(const struct args *a, struct runner *r, const char *csv,
			 const char *labels, struct set *set)
{
	static const char *const halves[] = {"report half", "tune half", "all"};
	const char *name = strrchr(csv, '/');
	struct corpus c;
	int err = corpus__load(csv, strcmp(labels, "inject") ? labels : NULL, &c);
	size_t i;

	snprintf(set->title, sizeof(set->title), "%s, %s", name ? name + 1 : csv, halves[a->half]);
	for (i = 0; !err && i < c.cnt; i++) {
		unsigned pair = (unsigned)i / 2;
		bool tune =
			c.half[i] == HALF_UNKNOWN ? in_tune_half(pair) : c.half[i] == HALF_TUNED_ON;

		stretch(&c.v[i], WINDOW_S / a->window_s);
		if (a->half == HALF_ALL || tune == (a->half == HALF_TUNE))
			err = runner__run(r, &c.v[i], pair, &set->report);
		if (!err && a->anchors && (tune || a->half == HALF_ALL))
			err = runner__run(r, &c.v[i], pair, &set->own_tune);
	}
	set->tune = &set->own_tune;
	corpus__free(&c);
	return err;
}

/* ---- one set, all sets ---- */

static void show_set(const struct args *a, const struct set *s)
{
	if (a->list) {
		report__list(&s->report, a->window_s / WINDOW_S);
		return;
	}
	if (a->json)
		report__json(s, a->anchors);
	else
		report__text(s, a->anchors);
	if (a->wrong)
		report__wrong(&s->report);
	fflush(stdout);
}

static void set_free(struct set *s)
{
	outcomes__free(&s->own_tune);
	outcomes__free(&s->report);
}

static int run_generated_set(const struct args *a, struct runner *r, const struct source *src,
			     long cnt, const struct outcomes *tune)
{
	struct set s = {.tune = tune};
	int err = cnt ? fill_generated(a, r, src, cnt, &s) : 0;

	if (!err && cnt)
		show_set(a, &s);
	set_free(&s);
	return err;
}

/* Thresholds for the other sets are tuned on the ordinary ones, as they are in life. */
static int run_generated_sets(const struct args *a, struct runner *r)
{
	long most = a->synthetic > a->wide ? a->synthetic : a->wide;
	struct outcomes tune = {0};
	int err = 0;

	most = most > a->strangers ? most : a->strangers;
	most = most > a->guests ? most : a->guests;
	if (a->anchors)
		err = run_generated(a, r, SPLIT_TUNE, &synthetic, most / 2, &tune);
	if (!err)
		err = run_generated_set(a, r, &synthetic, a->synthetic, &tune);
	if (!err)
		err = run_generated_set(a, r, &wide, a->wide, &tune);
	if (!err)
		err = run_generated_set(a, r, &stranger, a->strangers, &tune);
	if (!err)
		err = run_generated_set(a, r, &guest, a->guests, &tune);
	outcomes__free(&tune);
	return err;
}

static int run_recorded_set(const struct args *a, struct runner *r, char **pair)
{
	struct set s = {0};
	int err = fill_recorded(a, r, pair[0], pair[1], &s);

	if (!err)
		show_set(a, &s);
	set_free(&s);
	return err;
}

static int run(const struct args *a)
{
	struct runner_opts opts = {
		.window_s = WINDOW_S,
		.anchors = a->anchors,
		.as_labelled = a->as_labelled,
	};
	struct runner *r = runner__new(&opts);
	int i, err = r ? 0 : -ENOMEM;

	if (a->json)
		printf("{\"schema\":\"seep.accuracy/1\",\"sets\":[");
	if (!err)
		err = run_generated_sets(a, r);
	for (i = 0; !err && i < a->file_cnt; i += 2)
		err = run_recorded_set(a, r, a->files + i);
	if (a->json)
		printf("]}\n");
	runner__free(r);
	return err;
}

int main(int argc, char **argv)
{
	struct args a = {.seed = 1, .kind = -1, .anchors = true, .window_s = WINDOW_S};
	int err;

	if (parse_args(argc, argv, &a)) {
		usage(stderr);
		return 2;
	}
	err = run(&a);
	if (err)
		fprintf(stderr, "accuracy: %s\n", strerror(-err));
	return err ? 1 : 0;
}
