// SPDX-License-Identifier: BSD-2-Clause
/*
 * gen.c - writes labelled synthetic series as a replay file (gzip when the name ends in .gz) with
 * its labels beside, for `seep replay` and for anybody else's detector.
 *
 *	gen --seed 1 --count 500 --split report -o corpus.csv.gz --labels corpus.json
 */
#include <errno.h>
#include <getopt.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>
#include "shapes.h"

struct args {
	struct shape_opts opts;
	unsigned long long count;
	unsigned long long first;
	const char *out;
	const char *labels;
};

static const struct option options[] = {
	{"seed", required_argument, NULL, 's'},
	{"count", required_argument, NULL, 'n'},
	{"first", required_argument, NULL, 'f'},
	{"shape", required_argument, NULL, 'S'},
	{"split", required_argument, NULL, 'p'},
	{"strangers", no_argument, NULL, 'x'},
	{"guests", no_argument, NULL, 'g'},
	{"wide", no_argument, NULL, 'w'},
	{"days", required_argument, NULL, 'd'},
	{"output", required_argument, NULL, 'o'},
	{"labels", required_argument, NULL, 'l'},
	{"list", no_argument, NULL, 'L'},
	{"help", no_argument, NULL, 'h'},
	{NULL, 0, NULL, 0},
};

static void usage(FILE *f)
{
	fprintf(f, "usage: gen [options] -o FILE.csv[.gz] --labels FILE.json\n"
		   "  --seed N          default 1\n"
		   "  --count N         how many series, default 100\n"
		   "  --first N         index of the first one, default 0\n"
		   "  --shape NAME      one shape only (see --list); after --strangers, --guests\n"
		   "  --split NAME      tune (default) or report: disjoint random streams\n"
		   "  --strangers       programs simulated by mechanism: never tune on these\n"
		   "  --guests          machines and pods with leaks added: never learn from these\n"
		   "  --wide            nuisances from outside the tuned ranges\n"
		   "  --days D          length of each series; default: drawn, 1 to 7\n"
		   "  --list            names of the shapes, and which of them leak\n");
}

static void list_shapes(const struct shape_set *set)
{
	int i;

	for (i = 0; i < shapes__cnt(set); i++)
		printf("%-20s %s\n", shapes__name(set, i),
		       shapes__leaks(set, i) ? "leak" : "healthy");
}

static int parse_split(const char *s, enum shape_split *ret_split)
{
	if (!strcmp(s, "tune"))
		*ret_split = SPLIT_TUNE;
	else if (!strcmp(s, "report"))
		*ret_split = SPLIT_REPORT;
	else
		return -EINVAL;
	return 0;
}

/* 0: go on; 1: done; negative: wrong usage. */
static int parse_args(int argc, char **argv, struct args *a)
{
	int c;

	while ((c = getopt_long(argc, argv, "o:h", options, NULL)) >= 0) {
		switch (c) {
		case 's':
			a->opts.seed = strtoull(optarg, NULL, 10);
			break;
		case 'n':
			a->count = strtoull(optarg, NULL, 10);
			break;
		case 'f':
			a->first = strtoull(optarg, NULL, 10);
			break;
		case 'x':
			a->opts.set = &strangers;
			break;
		case 'g':
			a->opts.set = &guests;
			break;
		case 'w':
			a->opts.wide = true;
			break;
		case 'd':
			a->opts.days = strtod(optarg, NULL);
			break;
		case 'o':
			a->out = optarg;
			break;
		case 'l':
			a->labels = optarg;
			break;
		case 'L':
			list_shapes(a->opts.set);
			return 1;
		case 'h':
			usage(stdout);
			return 1;
		case 'S':
			a->opts.kind = shapes__find(a->opts.set, optarg);
			if (a->opts.kind < 0) {
				fprintf(stderr, "gen: no shape '%s'; --list shows them\n", optarg);
				return -EINVAL;
			}
			break;
		case 'p':
			if (parse_split(optarg, &a->opts.split))
				return -EINVAL;
			break;
		default:
			return -EINVAL;
		}
	}
	return a->out && a->labels && optind == argc ? 0 : -EINVAL;
}

/* Plain or gzip: zlib writes a file as it is with mode "T". */
static gzFile open_out(const char *path)
{
	size_t len = strlen(path);
	bool gz = len > 3 && !strcmp(path + len - 3, ".gz");

	return gzopen(path, gz ? "wb6" : "wbT");
}

static void print_cell(gzFile f, double v, const char *fmt)
{
	gzprintf(f, ",");
	if (!isnan(v))
		gzprintf(f, fmt, v);
}

static void write_series(gzFile f, const struct shape_series *s)
{
	size_t i;

	for (i = 0; i < s->cnt; i++) {
		const struct shape_point *p = &s->points[i];

		gzprintf(f, "%s,%.10g,%.0f", s->name, p->t_s, p->bytes);
		print_cell(f, p->limit_bytes, "%.0f");
		gzprintf(f, ",%s", p->start ? "1" : "");
		print_cell(f, p->load, "%.5g");
		gzprintf(f, "\n");
	}
}

static void write_label(FILE *f, const struct shape_series *s, bool last)
{
	fprintf(f,
		"\"%s\":{\"leak\":%s,\"onset_s\":%.0f,\"leaked_bytes_end\":%.0f,\"shape\":\"%s\"}%"
		"s\n",
		s->name, s->leak ? "true" : "false", s->onset_s, s->leaked_bytes_end, s->shape,
		last ? "" : ",");
}

static int write_all(const struct args *a, gzFile out, FILE *labels)
{
	struct shape_series s;
	unsigned long long i;
	int err;

	gzprintf(out, "series,t_s,bytes,limit_bytes,start,load\n");
	fprintf(labels, "{\n");
	for (i = 0; i < a->count; i++) {
		err = shapes__generate(&a->opts, a->first + i, &s);
		if (err)
			return err;
		write_series(out, &s);
		write_label(labels, &s, i + 1 == a->count);
		shapes__release(&s);
	}
	fprintf(labels, "}\n");
	return 0;
}

static int run(const struct args *a)
{
	gzFile out = open_out(a->out);
	FILE *labels = out ? fopen(a->labels, "w") : NULL;
	int err = -EIO;

	if (!out || !labels)
		fprintf(stderr, "gen: cannot write '%s': %s\n", out ? a->labels : a->out,
			strerror(errno));
	else
		err = write_all(a, out, labels);
	if (out && gzclose(out) != Z_OK && !err)
		err = -EIO;
	if (labels && fclose(labels) && !err)
		err = -EIO;
	return err;
}

int main(int argc, char **argv)
{
	struct args a = {.opts = {.seed = 1, .kind = -1}, .count = 100};
	int err = parse_args(argc, argv, &a);

	if (err > 0)
		return 0;
	if (err < 0) {
		usage(stderr);
		return 2;
	}
	err = run(&a);
	if (err)
		fprintf(stderr, "gen: %s\n", strerror(-err));
	return err ? 1 : 0;
}
