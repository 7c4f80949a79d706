// SPDX-License-Identifier: BSD-2-Clause
/*
 * options.c - table-driven options on top of getopt_long, which knows abbreviations, bundled
 * short options and "--" already; only its messages are replaced by ours.
 */
#include <errno.h>
#include <getopt.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../base/units.h"
#include "../out/ctl_proto.h"
#include "options.h"

#define HELP_COLUMN 28
#define LONG_BASE 256 /* getopt's value of row i is LONG_BASE + i, beyond every letter */
#define HELP_VALUE (LONG_BASE + OPTIONS_MAX)

/* The table in the form that getopt_long wants. */
struct getopt_table {
	struct option longs[OPTIONS_MAX + 2];
	char shorts[2 * OPTIONS_MAX + 4];
};

static int takes_value(const struct option_spec *s)
{
	return s->kind != OPTION_FLAG && s->kind != OPTION_OFF && s->kind != OPTION_COUNT;
}

static int spec_cnt(const struct option_spec *specs)
{
	int n = 0;

	while (n < OPTIONS_MAX && specs[n].name)
		n++;
	return n;
}

static void build_table(const struct option_spec *specs, struct getopt_table *ret_table)
{
	int i, cnt = spec_cnt(specs);
	char *p = ret_table->shorts;

	memset(ret_table, 0, sizeof(*ret_table));
	*p++ = ':'; /* a missing value is told apart from an unknown option */
	for (i = 0; i < cnt; i++) {
		ret_table->longs[i].name = specs[i].name;
		ret_table->longs[i].has_arg = takes_value(&specs[i]);
		ret_table->longs[i].val = LONG_BASE + i;
		if (!specs[i].letter)
			continue;
		*p++ = specs[i].letter;
		if (takes_value(&specs[i]))
			*p++ = ':';
	}
	ret_table->longs[cnt] = (struct option){"help", no_argument, NULL, HELP_VALUE};
}

static const struct option_spec *find_spec(const struct option_spec *specs, int value)
{
	int i, cnt = spec_cnt(specs);

	if (value >= LONG_BASE)
		return value - LONG_BASE < cnt ? &specs[value - LONG_BASE] : NULL;
	for (i = 0; i < cnt; i++) {
		if (value && specs[i].letter == value)
			return &specs[i];
	}
	return NULL;
}

int options__complain(const struct options *o, const char *fmt, ...)
{
	va_list ap;

	fprintf(stderr, "seep %s: ", o->command);
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fprintf(stderr, "\nTry 'seep %s --help'.\n", o->command);
	return SEEP_EXIT_USAGE;
}

static int parse_uint(const char *text, unsigned *ret_value)
{
	unsigned long value;
	char *end;

	if (*text < '0' || *text > '9')
		return -EINVAL;
	errno = 0;
	value = strtoul(text, &end, 10);
	if (*end)
		return -EINVAL;
	if (errno || value > UINT32_MAX)
		return -ERANGE;
	*ret_value = value;
	return 0;
}

static int parse_choice(const char *text, const char *const *choices, int *ret_index)
{
	int i;

	for (i = 0; choices[i]; i++) {
		if (!strcmp(choices[i], text)) {
			*ret_index = i;
			return 0;
		}
	}
	return -EINVAL;
}

static int append_item(struct option_list *list, const char *value)
{
	if (list->cnt == OPTION_LIST_MAX)
		return -ERANGE;
	list->items[list->cnt++] = value;
	return 0;
}

int options__assign(const struct option_spec *s, const char *value)
{
	switch (s->kind) {
	case OPTION_FLAG:
		*(int *)s->target = 1;
		return 0;
	case OPTION_OFF:
		*(int *)s->target = 0;
		return 0;
	case OPTION_COUNT:
		++*(int *)s->target;
		return 0;
	case OPTION_STRING:
		*(const char **)s->target = value;
		return 0;
	case OPTION_LIST:
		return append_item(s->target, value);
	case OPTION_UINT:
		return parse_uint(value, s->target);
	case OPTION_SIZE:
		return units__parse_size(value, s->target);
	case OPTION_DURATION:
		return units__parse_duration(value, s->target);
	case OPTION_CHOICE:
		return parse_choice(value, s->choices, s->target);
	}
	return -EINVAL;
}

const char *options__expected(const struct option_spec *s)
{
	switch (s->kind) {
	case OPTION_UINT:
		return "a whole number";
	case OPTION_SIZE:
		return "a size such as 512K or 2G";
	case OPTION_DURATION:
		return "a duration such as 200ms, 10s or 6h";
	case OPTION_CHOICE:
		return s->metavar;
	default:
		return "something else";
	}
}

static int complain_value(const struct options *o, const struct option_spec *s, const char *value,
			  int err)
{
	if (err == -ERANGE)
		return options__complain(o, "option '--%s': '%s' is too large", s->name, value);
	return options__complain(o, "option '--%s': '%s' is not valid, expected %s", s->name, value,
				 options__expected(s));
}

/* getopt's '?' and ':': unknown, ambiguous, value missing, value not wanted. */
static int complain_option(const struct options *o, int result, char **argv)
{
	const struct option_spec *s = find_spec(o->specs, optopt);

	if (s && result == ':')
		return options__complain(o, "option '--%s' needs a value (%s)", s->name,
					 s->metavar ? s->metavar : "VALUE");
	if (s || optopt == HELP_VALUE)
		return options__complain(o, "option '--%s' takes no value", s ? s->name : "help");
	if (optopt)
		return options__complain(o, "unknown option '-%c'", optopt);
	return options__complain(o, "unknown or ambiguous option '%s'", argv[optind - 1]);
}

static void print_help_text(const char *text, int column)
{
	const char *end;

	for (;;) {
		end = strchr(text, '\n');
		printf("%.*s\n", (int)(end ? end - text : (long)strlen(text)), text);
		if (!end)
			return;
		printf("%*s", column, "");
		text = end + 1;
	}
}

static void print_option(const struct option_spec *s)
{
	char left[128];
	char letter[8] = "    ";

	if (s->letter)
		snprintf(letter, sizeof(letter), "-%c, ", s->letter);
	snprintf(left, sizeof(left), "  %s--%s%s%s", letter, s->name, s->metavar ? " " : "",
		 s->metavar ? s->metavar : "");
	if (strlen(left) + 2 > HELP_COLUMN)
		printf("%s\n%*s", left, HELP_COLUMN, "");
	else
		printf("%-*s", HELP_COLUMN, left);
	print_help_text(s->help, HELP_COLUMN);
}

static void print_help(const struct options *o)
{
	static const struct option_spec help = {.name = "help", .help = "show this"};
	int i, cnt = spec_cnt(o->specs);

	printf("Usage: seep %s [OPTIONS]%s%s\n\n", o->command, o->args ? " " : "",
	       o->args ? o->args : "");
	if (o->about)
		printf("%s\n\n", o->about);
	printf("Options:\n");
	for (i = 0; i < cnt; i++)
		print_option(&o->specs[i]);
	print_option(&help);
	if (o->epilog)
		printf("\n%s\n", o->epilog);
}

static int check_args(const struct options *o, int argc, char **argv)
{
	int cnt = argc - optind;

	if (cnt < o->min_args)
		return options__complain(o, "%s is missing", o->args ? o->args : "an argument");
	if (o->max_args >= 0 && cnt > o->max_args)
		return options__complain(o, "unexpected argument '%s'",
					 argv[optind + o->max_args]);
	return SEEP_EXIT_OK;
}

/* Returns 1 to go on, 0 when the command ends with *ret_exit. */
static int take_option(const struct options *o, int result, char **argv, int *ret_exit)
{
	const struct option_spec *s;
	int err;

	if (result == HELP_VALUE) {
		print_help(o);
		*ret_exit = SEEP_EXIT_OK;
		return 0;
	}
	s = result == '?' || result == ':' ? NULL : find_spec(o->specs, result);
	if (!s) {
		*ret_exit = complain_option(o, result, argv);
		return 0;
	}
	err = options__assign(s, optarg);
	if (err)
		*ret_exit = complain_value(o, s, optarg, err);
	return !err;
}

int options__parse(const struct options *o, int argc, char **argv, int *ret_exit)
{
	struct getopt_table table;
	int result;

	build_table(o->specs, &table);
	opterr = 0;
	optind = 0; /* glibc: start over, also after an earlier parse */
	while ((result = getopt_long(argc, argv, table.shorts, table.longs, NULL)) != -1) {
		if (!take_option(o, result, argv, ret_exit))
			return -1;
	}
	*ret_exit = check_args(o, argc, argv);
	return *ret_exit ? -1 : optind;
}
