// SPDX-License-Identifier: BSD-2-Clause
/* test_options.c - option tables: every kind of value, and every way to get it wrong. */
#include <errno.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "cli/options.h"
#include "out/ctl_proto.h"

#define ARGS_MAX 16

static const char *const colors[] = {"red", "green", "blue", NULL};

static struct values {
	int json, drill, verbose, color;
	const char *name;
	unsigned rows;
	uint64_t size;
	double window_s;
	struct option_list pids;
} got;

static const struct option_spec specs[] = {
	{"json", 'j', OPTION_FLAG, NULL, &got.json, "print JSON", NULL},
	{"no-drill", 0, OPTION_OFF, NULL, &got.drill, "do not drill", NULL},
	{"verbose", 'v', OPTION_COUNT, NULL, &got.verbose, "say more", NULL},
	{"color", 'c', OPTION_CHOICE, "red|green|blue", &got.color, "which", colors},
	{"name", 'N', OPTION_STRING, "NAME", &got.name, "who\nin two lines", NULL},
	{"rows", 'n', OPTION_UINT, "N", &got.rows, "how many", NULL},
	{"size", 's', OPTION_SIZE, "SIZE", &got.size, "how much", NULL},
	{"window", 'w', OPTION_DURATION, "TIME", &got.window_s, "how long", NULL},
	{"pid", 'p', OPTION_LIST, "PID", &got.pids, "which", NULL},
	{0},
};

static const struct options options = {
	.command = "test",
	.args = "FILE...",
	.about = "Tests options.",
	.epilog = "The end.",
	.specs = specs,
	.max_args = 2,
};

/* What the last parse printed, both streams. */
static char printed[8192];

/* Parse a command line given as words separated by blanks. */
static int parse_with(const struct options *o, const char *line, int *ret_exit)
{
	static char words[512];
	static char *argv[ARGS_MAX];
	int argc = 0, first, saved_out, saved_err;
	FILE *sink = tmpfile();
	size_t n;
	char *p;

	got = (struct values){.drill = 1};
	snprintf(words, sizeof(words), "test %s", line);
	for (p = strtok(words, " "); p; p = strtok(NULL, " "))
		argv[argc++] = p;
	argv[argc] = NULL;
	fflush(stdout);
	saved_out = dup(STDOUT_FILENO);
	saved_err = dup(STDERR_FILENO);
	dup2(fileno(sink), STDOUT_FILENO);
	dup2(fileno(sink), STDERR_FILENO);
	first = options__parse(o, argc, argv, ret_exit);
	fflush(stdout);
	dup2(saved_out, STDOUT_FILENO);
	dup2(saved_err, STDERR_FILENO);
	close(saved_out);
	close(saved_err);
	rewind(sink);
	n = fread(printed, 1, sizeof(printed) - 1, sink);
	printed[n] = '\0';
	fclose(sink);
	return first;
}

static int parse(const char *line)
{
	int exit_code = -1, first = parse_with(&options, line, &exit_code);

	assert_int_equal(exit_code, SEEP_EXIT_OK);
	return first;
}

static void expect_usage_error(const char *line, const char *said)
{
	int exit_code = -1;

	assert_int_equal(parse_with(&options, line, &exit_code), -1);
	assert_int_equal(exit_code, SEEP_EXIT_USAGE);
	if (!strstr(printed, said))
		fail_msg("'%s' says: %s", line, printed);
	assert_non_null(strstr(printed, "seep test: "));
	assert_non_null(strstr(printed, "--help"));
}

static void test_nothing_given(void **state)
{
	(void)state;
	assert_int_equal(parse(""), 1);
	assert_int_equal(got.drill, 1);
	assert_int_equal(got.json, 0);
	assert_null(got.name);
}

static void test_every_kind(void **state)
{
	(void)state;
	parse("--json --no-drill -vv --color blue --name x --rows 7 --size 1.5K --window 1h30m");
	assert_int_equal(got.json, 1);
	assert_int_equal(got.drill, 0);
	assert_int_equal(got.verbose, 2);
	assert_int_equal(got.color, 2);
	assert_string_equal(got.name, "x");
	assert_int_equal(got.rows, 7);
	assert_int_equal(got.size, 1536);
	assert_true(got.window_s == 5400);
}

static void test_short_joined_and_abbreviated(void **state)
{
	(void)state;
	parse("-jvn5 --win=200ms --color=green");
	assert_int_equal(got.json, 1);
	assert_int_equal(got.verbose, 1);
	assert_int_equal(got.rows, 5);
	assert_true(fabs(got.window_s - .2) < 1e-9);
	assert_int_equal(got.color, 1);
}

static void test_later_wins(void **state)
{
	(void)state;
	parse("-n 1 -n 2 --name a --name b");
	assert_int_equal(got.rows, 2);
	assert_string_equal(got.name, "b");
}

static void test_list_collects(void **state)
{
	struct option_list full = {.cnt = OPTION_LIST_MAX};
	const struct option_spec spec = {"pid", 'p', OPTION_LIST, "PID", &full, "which", NULL};

	(void)state;
	parse("-p 1 --pid=2,3 -n 1 -p4");
	assert_int_equal(got.pids.cnt, 3);
	assert_string_equal(got.pids.items[1], "2,3");
	assert_string_equal(got.pids.items[2], "4");
	assert_int_equal(options__assign(&spec, "1"), -ERANGE);
}

static void test_arguments_mix_with_options(void **state)
{
	(void)state;
	assert_int_equal(parse("one -n 3 two"), 3);
	assert_int_equal(got.rows, 3);
	assert_int_equal(parse("-- -n"), 2);
	assert_int_equal(got.rows, 0);
}

static void test_wrong_usage_names_the_option(void **state)
{
	(void)state;
	expect_usage_error("--nonsense", "--nonsense");
	expect_usage_error("-x", "'-x'");
	expect_usage_error("-jx", "'-x'");
	expect_usage_error("--rows", "'--rows' needs a value");
	expect_usage_error("-n", "'--rows' needs a value");
	expect_usage_error("--json=1", "'--json' takes no value");
	expect_usage_error("--help=1", "'--help' takes no value");
	expect_usage_error("a b c", "unexpected argument 'c'");
}

static void test_wrong_values(void **state)
{
	(void)state;
	expect_usage_error("--rows x", "'--rows': 'x' is not valid, expected a whole number");
	expect_usage_error("--rows -1", "--rows");
	expect_usage_error("--rows 3x", "--rows");
	expect_usage_error("--rows=", "--rows");
	expect_usage_error("--rows 4294967296", "too large");
	expect_usage_error("--rows 99999999999999999999", "too large");
	expect_usage_error("--size 3X", "expected a size");
	expect_usage_error("--size 99999999999T", "too large");
	expect_usage_error("--window soon", "expected a duration");
	expect_usage_error("--color pink", "expected red|green|blue");
	expect_usage_error("--color=", "expected red|green|blue");
}

static void test_missing_argument(void **state)
{
	struct options needy = options;
	int exit_code = -1;

	(void)state;
	needy.min_args = 1;
	assert_int_equal(parse_with(&needy, "-j", &exit_code), -1);
	assert_int_equal(exit_code, SEEP_EXIT_USAGE);
	assert_non_null(strstr(printed, "FILE... is missing"));
}

static void test_any_number_of_arguments(void **state)
{
	struct options greedy = options;
	int exit_code = -1;

	(void)state;
	greedy.max_args = -1;
	assert_int_equal(parse_with(&greedy, "a b c d", &exit_code), 1);
	assert_int_equal(exit_code, SEEP_EXIT_OK);
}

static void test_help(void **state)
{
	int exit_code = -1;
	size_t i;

	(void)state;
	assert_int_equal(parse_with(&options, "a b c --help", &exit_code), -1);
	assert_int_equal(exit_code, SEEP_EXIT_OK);
	assert_non_null(strstr(printed, "Usage: seep test [OPTIONS] FILE...\n"));
	assert_non_null(strstr(printed, "Tests options."));
	assert_non_null(strstr(printed, "The end."));
	for (i = 0; specs[i].name; i++)
		assert_non_null(strstr(printed, specs[i].name));
	/* help texts begin in one column, on the option's line or below it */
	assert_non_null(strstr(printed, "  -n, --rows N              how many\n"));
	assert_non_null(strstr(printed, "      --no-drill            do not drill\n"));
	assert_non_null(strstr(printed, "who\n                            in two lines\n"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_nothing_given),
		cmocka_unit_test(test_every_kind),
		cmocka_unit_test(test_short_joined_and_abbreviated),
		cmocka_unit_test(test_later_wins),
		cmocka_unit_test(test_list_collects),
		cmocka_unit_test(test_arguments_mix_with_options),
		cmocka_unit_test(test_wrong_usage_names_the_option),
		cmocka_unit_test(test_wrong_values),
		cmocka_unit_test(test_missing_argument),
		cmocka_unit_test(test_any_number_of_arguments),
		cmocka_unit_test(test_help),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
