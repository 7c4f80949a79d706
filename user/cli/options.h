/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * options.h - the options of a command as one table: parsing, checking and --help come from it.
 *
 * A table row names the option, says what kind of value it takes and where the value goes; what
 * the target holds before parsing is the default. --help is understood everywhere and needs no
 * row. Wrong usage is reported on stderr with the option's name.
 *
 *	struct top_options opt = {.rows = 20};
 *	const struct option_spec specs[] = {
 *		{"rows", 'n', OPTION_UINT, "N", &opt.rows, "print N rows (default 20)"},
 *		{0},
 *	};
 *	const struct options options = {
 *		.command = "top", .about = "Live view of ...", .specs = specs,
 *	};
 *	int exit_code, first = options__parse(&options, argc, argv, &exit_code);
 *
 *	if (first < 0)
 *		return exit_code;
 */
#ifndef SEEP_CLI_OPTIONS_H
#define SEEP_CLI_OPTIONS_H

enum option_kind {
	OPTION_FLAG,     /* int: set to 1 */
	OPTION_OFF,      /* int: set to 0, for --no-something */
	OPTION_COUNT,    /* int: one more each time, for -v */
	OPTION_STRING,   /* const char *: points into argv */
	OPTION_UINT,     /* unsigned */
	OPTION_SIZE,     /* uint64_t bytes: "512K", "1.5G" */
	OPTION_DURATION, /* double seconds: "200ms", "6h" */
	OPTION_LIST,     /* struct option_list: one more each time, as OPTION_STRING */
	OPTION_CHOICE,   /* int: index of the word in .choices */
};

#define OPTION_LIST_MAX 64

struct option_list {
	const char *items[OPTION_LIST_MAX];
	int cnt;
};

struct option_spec {
	const char *name;           /* long name without dashes; NULL ends the table */
	char letter;                /* short name, 0 = none */
	enum option_kind kind;
	const char *metavar;        /* how --help calls the value, NULL for flags */
	void *target;               /* of the type that the kind says */
	const char *help;           /* may hold newlines; the default belongs in here */
	const char *const *choices; /* OPTION_CHOICE: words, NULL-terminated */
};

struct options {
	const char *command;  /* as in `seep COMMAND` */
	const char *args;     /* positional arguments as --help shows them, NULL = none */
	const char *about;    /* what the command does, for --help */
	const char *epilog;   /* exit codes, examples; or NULL */
	const struct option_spec *specs;
	int min_args;
	int max_args;         /* -1 = any number */
};

#define OPTIONS_MAX 32 /* rows of one table */

/*
 * Returns the index in argv of the first positional argument (argv is permuted), or -1: the
 * command ends here with *ret_exit, because help was printed or the usage was wrong.
 */
int options__parse(const struct options *o, int argc, char **argv, int *ret_exit);

/* Print "seep COMMAND: TEXT" and where to find help on stderr; returns SEEP_EXIT_USAGE. */
int options__complain(const struct options *o, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

/* Put a value into the row's target, as --NAME VALUE would. 0, -EINVAL or -ERANGE. */
int options__assign(const struct option_spec *s, const char *value);
/* What the row's kind accepts, in words: "a duration such as ...". */
const char *options__expected(const struct option_spec *s);

#endif /* SEEP_CLI_OPTIONS_H */
