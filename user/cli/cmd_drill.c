// SPDX-License-Identifier: BSD-2-Clause
/* cmd_drill.c - `seep drill`: whether the agent looks closer at suspects; pause and resume that. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "cli.h"
#include "client.h"
#include "field.h"
#include "options.h"
#include "render.h"

struct drill_options {
	const char *socket;
	double for_s; /* NAN = until resumed */
	int json;
};

static const char *const actions[] = {"pause", "resume", "status", NULL};

static int parse(int argc, char **argv, struct drill_options *opt, const char **ret_action,
		 int *ret_exit)
{
	const struct option_spec specs[] = {
		{"for", 0, OPTION_DURATION, "TIME", &opt->for_s,
		 "pause only so long, such as 1h (default: until\nresumed, or the agent's end)",
		 NULL},
		{"json", 'j', OPTION_FLAG, NULL, &opt->json, "print seep.drill/1", NULL},
		SOCKET_OPTION(&opt->socket),
		{0},
	};
	const struct options options = {
		.command = "drill",
		.args = "[pause|resume|status]",
		.about = "The agent looks closer at what leaks: call stacks of growth, then probes "
			 "on\nallocators. This pauses it, and takes the probes away at once.",
		.specs = specs,
		.max_args = 1,
	};
	int first = options__parse(&options, argc, argv, ret_exit), i;

	if (first < 0)
		return -1;
	*ret_action = first < argc ? argv[first] : "status";
	for (i = 0; actions[i] && strcmp(actions[i], *ret_action); i++)
		;
	if (actions[i] && (isnan(opt->for_s) || !i))
		return 0;
	*ret_exit = actions[i] ? options__complain(&options, "only a pause has a duration")
			       : options__complain(&options, "'%s' is not pause, resume or status",
						   *ret_action);
	return -1;
}

static void print_targets(const json_t *body, struct buf *out)
{
	const json_t *targets = field__get(body, "targets"), *target;
	size_t i;

	json_array_foreach(targets, i, target)
		buf__printf(out, "  pid %.0f (%s): looked at %.0f times, pays %.3f %% of a core\n",
			    field__num(target, "pid"), field__str(target, "comm", "?"),
			    field__num(target, "slices"), field__num(target, "cost_percent"));
}

static int print_text(const json_t *body)
{
	const char *state = field__str(body, "state", "unknown");
	const json_t *forbidden = field__get(body, "no_drill_for"), *one;
	struct buf out = {0};
	char until[FIELD_TEXT];
	size_t i;

	buf__printf(&out, "%s", state);
	if (isfinite(field__num(body, "paused_until_s")))
		buf__printf(&out, " until %s", field__time(body, "paused_until_s", until));
	else if (field__str(body, "reason", NULL))
		buf__printf(&out, ": %s", field__str(body, "reason", ""));
	buf__puts(&out, "\n");
	json_array_foreach(forbidden, i, one)
		buf__printf(&out, "  never: %s\n", json_string_value(one));
	print_targets(body, &out);
	return render__print(&out);
}

int cmd_drill(int argc, char **argv)
{
	struct drill_options opt = {.for_s = NAN};
	const char *action;
	json_t *args, *body = NULL;
	int code;

	if (parse(argc, argv, &opt, &action, &code) < 0)
		return code;
	args = json_pack("{s:s}", "action", action);
	if (args && isfinite(opt.for_s))
		json_object_set_new(args, "for_s", json_real(opt.for_s));
	code = client__query("drill", opt.socket, args, opt.json, &body);
	if (code)
		return code;
	if (!opt.json)
		code = print_text(body);
	json_decref(body);
	return code;
}
