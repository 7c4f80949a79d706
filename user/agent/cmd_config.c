// SPDX-License-Identifier: BSD-2-Clause
/*
 * cmd_config.c - `seep config`: what the agent goes by, whether a file would do, and reading it
 * again with an answer, which SIGHUP does not give.
 */
#include <stdio.h>

#include "cli/cli.h"
#include "cli/client.h"
#include "cli/field.h"
#include "cli/options.h"
#include "cli/render.h"
#include "config.h"

struct config_options {
	const char *socket;
	const char *check;
	int reload;
	int json;
};

static int parse(int argc, char **argv, struct config_options *opt, int *ret_exit)
{
	const struct option_spec specs[] = {
		{"check", 'c', OPTION_STRING, "FILE", &opt->check,
		 "say whether FILE would do, and if not, which line is\nwrong and why; needs no "
		 "agent",
		 NULL},
		{"reload", 'r', OPTION_FLAG, NULL, &opt->reload,
		 "make the agent read its file again first; a file that is\nwrong changes nothing",
		 NULL},
		{"json", 'j', OPTION_FLAG, NULL, &opt->json, "print seep.config/1", NULL},
		SOCKET_OPTION(&opt->socket),
		{0},
	};
	const struct options options = {
		.command = "config",
		.about = "Prints what the running agent goes by, in the form of its file.",
		.specs = specs,
	};

	return options__parse(&options, argc, argv, ret_exit);
}

static int check_file(const char *path)
{
	char why[512];

	if (config__check_file(path, why, sizeof(why))) {
		fprintf(stderr, "seep config: %s\n", why);
		return SEEP_EXIT_FAILED;
	}
	printf("'%s' is fine\n", path);
	return SEEP_EXIT_OK;
}

static void print_value(struct buf *out, const char *name, const json_t *value)
{
	if (json_is_string(value))
		buf__printf(out, "%s = %s\n", name, json_string_value(value));
	else if (json_is_boolean(value))
		buf__printf(out, "%s = %s\n", name, json_is_true(value) ? "yes" : "no");
	else if (json_is_number(value))
		buf__printf(out, "%s = %.10g\n", name, json_number_value(value));
}

static void print_list(struct buf *out, const char *name, const json_t *list)
{
	size_t i;

	for (i = 0; i < json_array_size(list); i++)
		print_value(out, name, json_array_get(list, i));
}

static void print_rule(struct buf *out, const json_t *rule)
{
	buf__printf(out, "\n[rule \"%s\"]\n", field__str(rule, "name", ""));
	print_value(out, "select", field__get(rule, "select"));
	print_value(out, "report", field__get(rule, "report"));
	print_value(out, "min-growth", field__get(rule, "min_growth_bytes_per_hour"));
	print_value(out, "min-confidence", field__get(rule, "min_confidence"));
	print_value(out, "severity", field__get(rule, "severity"));
}

/* Where to is not told: it may be a secret. */
static void print_notify(struct buf *out, const json_t *target)
{
	buf__printf(out, "\n[notify \"%s\"]\ntype = %s\nmin-severity = %s\n",
		    field__str(target, "name", "?"), field__str(target, "type", "?"),
		    field__str(target, "min_severity", "?"));
	if (field__str(target, "selector", NULL))
		buf__printf(out, "selector = %s\n", field__str(target, "selector", NULL));
}

static int print_text(const json_t *body)
{
	const json_t *options = field__get(body, "options"), *rules = field__get(body, "rules");
	const json_t *notify = field__get(body, "notify");
	const char *file = field__str(body, "file", NULL);
	struct buf out = {0};
	const char *name;
	json_t *value;
	size_t i;

	if (field__str(body, "reloaded", NULL))
		buf__printf(&out, "# %s\n", field__str(body, "reloaded", ""));
	buf__printf(&out, "# %s\n[agent]\n",
		    file ? file : "no file: defaults and the command line");
	json_object_foreach((json_t *)options, name, value) print_value(&out, name, value);
	print_list(&out, "include", field__get(body, "include"));
	print_list(&out, "exclude", field__get(body, "exclude"));
	print_list(&out, "no-drill-for", field__get(body, "no_drill_for"));
	for (i = 0; i < json_array_size(rules); i++)
		print_rule(&out, json_array_get(rules, i));
	for (i = 0; i < json_array_size(notify); i++)
		print_notify(&out, json_array_get(notify, i));
	return render__print(&out);
}

int cmd_config(int argc, char **argv)
{
	struct config_options opt = {0};
	json_t *body = NULL;
	int code;

	if (parse(argc, argv, &opt, &code) < 0)
		return code;
	if (opt.check)
		return check_file(opt.check);
	code = client__query("config", opt.socket, json_pack("{s:b}", "reload", opt.reload),
			     opt.json, &body);
	if (code)
		return code;
	if (!opt.json)
		code = print_text(body);
	json_decref(body);
	return code;
}
