// SPDX-License-Identifier: BSD-2-Clause
/*
 * cmd_mute.c - `seep mute`, `unmute` and `mutes`: about whom nobody is told for a while.
 */
#include <errno.h>
#include <math.h>
#include <stdio.h>

#include "../base/units.h"
#include "cli.h"
#include "client.h"
#include "field.h"
#include "options.h"
#include "render.h"
#include "table.h"

struct mute_options {
	const char *socket, *reason;
	double for_s; /* NAN = for good */
	int json;
	int color;
};

static const struct table_column columns[] = {
	{.title = "ID"},
	{.title = "SELECTOR", .min_width = 16},
	{.title = "ENDS IN", .align = ALIGN_RIGHT},
	{.title = "OPEN", .align = ALIGN_RIGHT},
	{.title = "REASON", .min_width = 8, .drop = 1},
};

static void add_row(struct table *t, const json_t *mute, double at_s)
{
	double left_s = field__num(mute, "until_s") - at_s;
	char text[FIELD_TEXT];

	table__cell(t, PAINT_BOLD, field__str(mute, "id", "?"));
	table__cell(t, PAINT_PLAIN, field__str(mute, "selector", "?"));
	table__cell(t, PAINT_PLAIN,
		    isnan(left_s) ? "never" : units__format_duration(left_s, text, sizeof(text)));
	snprintf(text, sizeof(text), "%.0f", field__num(mute, "open_incidents"));
	table__cell(t, PAINT_PLAIN, text);
	table__cell(t, PAINT_PLAIN, field__str(mute, "reason", "-"));
}

static int print_mutes(const json_t *body, int color)
{
	struct table *t = table__new(columns, sizeof(columns) / sizeof(columns[0]));
	const json_t *list = field__get(body, "mutes");
	struct buf out = {0};
	struct style s;
	size_t i;

	style__of_stdout(&s, color);
	for (i = 0; t && i < json_array_size(list); i++)
		add_row(t, json_array_get(list, i), field__num(body, "at_s"));
	if (!json_array_size(list))
		buf__puts(&out, "Nobody is muted.\n");
	else if (t)
		table__print(t, &s, &out);
	out.err = t ? table__err(t) : -ENOMEM;
	table__free(t);
	return render__print(&out);
}

static int ask(const char *command, json_t *args, const struct mute_options *opt)
{
	json_t *body = NULL;
	int code = client__query(command, opt->socket, args, opt->json, &body);

	if (!code && !opt->json)
		code = print_mutes(body, opt->color);
	json_decref(body);
	return code;
}

int cmd_mute(int argc, char **argv)
{
	struct mute_options opt = {.for_s = NAN};
	const struct option_spec specs[] = {
		{"for", 'f', OPTION_DURATION, "DURATION", &opt.for_s,
		 "how long, such as 2h (default: until `seep unmute`)", NULL},
		{"reason", 'r', OPTION_STRING, "TEXT", &opt.reason, "why, for others", NULL},
		{"json", 'j', OPTION_FLAG, NULL, &opt.json, "print seep.mutes/1", NULL},
		SOCKET_OPTION(&opt.socket),
		COLOR_OPTION(&opt.color),
		{0},
	};
	const struct options options = {
		.command = "mute",
		.args = "SELECTOR",
		.about = "Tells nobody of what SELECTOR chooses, such as "
			 "\"namespace=shop,comm=api\".\n"
			 "Incidents open as ever; what is still open when the mute ends is told "
			 "then.",
		.specs = specs,
		.min_args = 1,
		.max_args = 1,
	};
	json_t *args;
	int first, code;

	first = options__parse(&options, argc, argv, &code);
	if (first < 0)
		return code;
	args = json_pack("{s:s, s:s?}", "select", argv[first], "reason", opt.reason);
	if (isfinite(opt.for_s))
		json_object_set_new(args, "for_s", json_real(opt.for_s));
	return ask("mute", args, &opt);
}

int cmd_unmute(int argc, char **argv)
{
	struct mute_options opt = {0};
	const struct option_spec specs[] = {
		{"json", 'j', OPTION_FLAG, NULL, &opt.json, "print seep.mutes/1", NULL},
		SOCKET_OPTION(&opt.socket),
		COLOR_OPTION(&opt.color),
		{0},
	};
	const struct options options = {
		.command = "unmute",
		.args = "ID|SELECTOR",
		.about = "Ends a mute; `seep mutes` lists them.",
		.specs = specs,
		.min_args = 1,
		.max_args = 1,
	};
	int first, code;

	first = options__parse(&options, argc, argv, &code);
	return first < 0 ? code : ask("unmute", json_pack("{s:s}", "what", argv[first]), &opt);
}

int cmd_mutes(int argc, char **argv)
{
	struct mute_options opt = {0};
	const struct option_spec specs[] = {
		{"json", 'j', OPTION_FLAG, NULL, &opt.json, "print seep.mutes/1", NULL},
		SOCKET_OPTION(&opt.socket),
		COLOR_OPTION(&opt.color),
		{0},
	};
	const struct options options = {
		.command = "mutes",
		.about = "Lists who is muted, until when, and how many open incidents that holds "
			 "back.",
		.specs = specs,
	};
	int code;

	return options__parse(&options, argc, argv, &code) < 0 ? code : ask("mutes", NULL, &opt);
}
