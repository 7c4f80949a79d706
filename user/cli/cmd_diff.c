// SPDX-License-Identifier: BSD-2-Clause
/*
 * cmd_diff.c - `seep diff`: the call sites of two incidents, or of two saved traces, side by side.
 *
 * Before and after a fix, or now and an hour ago. Stacks are matched by the names along them, since
 * lines and addresses move with each build.
 */
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../incident/relate.h"
#include "cli.h"
#include "client.h"
#include "field.h"
#include "options.h"
#include "render.h"
#include "table.h"

struct diff_options {
	const char *socket;
	int json;
	int color;
};

static int parse(int argc, char **argv, struct diff_options *opt, int *ret_exit)
{
	const struct option_spec specs[] = {
		{"json", 'j', OPTION_FLAG, NULL, &opt->json, "print seep.diff/1", NULL},
		SOCKET_OPTION(&opt->socket),
		COLOR_OPTION(&opt->color),
		{0},
	};
	const struct options options = {
		.command = "diff",
		.args = "BEFORE AFTER",
		.about = "Compares the call sites of two incidents: before and after a fix, or of "
			 "two\n"
			 "pods. Each is an incident's ID or a file saved from `seep show --json` "
			 "or\n"
			 "`seep trace -o json`.",
		.specs = specs,
		.min_args = 2,
		.max_args = 2,
	};

	return options__parse(&options, argc, argv, ret_exit);
}

/* ---- reading ----------------------------------------------------------------------------- */

static int read_file(const char *path, json_t **ret_json, struct buf *why)
{
	json_error_t error;
	json_t *json;

	json = json_load_file(path, 0, &error);
	if (!json) {
		buf__printf(why, "'%s' line %d: %s", path, error.line, error.text);
		return SEEP_EXIT_FAILED;
	}
	if (!json_is_array(json_object_get(json, "sites"))) {
		buf__printf(why,
			    "'%s' holds no call sites; `seep show --json` and "
			    "`seep trace -o json` write some",
			    path);
		json_decref(json);
		return SEEP_EXIT_FAILED;
	}
	*ret_json = json;
	return SEEP_EXIT_OK;
}

/* A file of that name, or else an incident of the agent. */
static int read_side(const char *what, const char *socket, json_t **ret_json, struct buf *why)
{
	json_t *args;
	int code;

	if (!access(what, F_OK))
		return read_file(what, ret_json, why);
	args = json_pack("{s:s}", "id", what);
	code = client__ask_json(client__socket(socket), CLIENT_TIMEOUT_S, "show", args, ret_json,
				why);
	json_decref(args);
	return code;
}

/* ---- comparing --------------------------------------------------------------------------- */

static const char *const counted[] = {"outstanding_bytes", "growth_bytes_per_hour"};

static json_t *entry_of(json_t *all, const char *name)
{
	json_t *entry = json_object_get(all, name);

	if (entry)
		return entry;
	entry = json_object();
	json_object_set_new(all, name, entry);
	return entry;
}

/* Sites that differ in lines only have one name, and are summed. */
static void add_number(json_t *side, const json_t *site, const char *name)
{
	double sum = field__num(side, name), more = field__num(site, name);

	if (!isnan(more))
		json_object_set_new(side, name,
				    json_integer(llround(more + (isnan(sum) ? 0 : sum))));
}

static void add_side(json_t *all, const json_t *body, const char *side_name)
{
	const json_t *sites = field__get(body, "sites"), *site;
	struct buf name = {0};
	json_t *entry, *side;
	size_t i, k;

	json_array_foreach(sites, i, site)
	{
		incident__site_name(site, &name);
		entry = entry_of(all, name.len ? name.data : "?");
		side = entry_of(entry, side_name);
		for (k = 0; k < sizeof(counted) / sizeof(counted[0]); k++)
			add_number(side, site, counted[k]);
		json_object_set(entry, "frames", json_object_get(site, "frames"));
		buf__free(&name);
	}
}

static double bytes_of(const json_t *entry, const char *side)
{
	double bytes = field__num(json_object_get(entry, side), "outstanding_bytes");

	return isnan(bytes) ? 0 : bytes;
}

static double change_of(const json_t *entry)
{
	return bytes_of(entry, "after") - bytes_of(entry, "before");
}

static const char *state_of(const json_t *entry)
{
	if (!json_object_get(entry, "before"))
		return "new";
	return json_object_get(entry, "after") ? "both" : "gone";
}

/* The largest change first, either way. */
static int by_change(const void *a, const void *b)
{
	double x = fabs(change_of(*(json_t *const *)a)), y = fabs(change_of(*(json_t *const *)b));

	return (x < y) - (x > y);
}

static json_t *sorted(json_t *all)
{
	size_t cnt = json_object_size(all), i = 0;
	json_t **v = calloc(cnt + 1, sizeof(*v)), *list = json_array(), *entry;
	const char *name;

	if (!v || !list) {
		free(v);
		json_decref(list);
		return NULL;
	}
	json_object_foreach(all, name, entry)
	{
		json_object_set_new(entry, "site", json_string(name));
		json_object_set_new(entry, "state", json_string(state_of(entry)));
		json_object_set_new(entry, "change_bytes", json_integer(llround(change_of(entry))));
		v[i++] = entry;
	}
	qsort(v, cnt, sizeof(*v), by_change);
	for (i = 0; i < cnt; i++)
		json_array_append(list, v[i]);
	free(v);
	return list;
}

static json_t *compare(const json_t *before, const json_t *after, char **names)
{
	json_t *all = json_object(), *list;

	add_side(all, before, "before");
	add_side(all, after, "after");
	list = sorted(all);
	json_decref(all);
	return list ? json_pack("{s:s, s:s, s:s, s:o}", "schema", "seep.diff/1", "before", names[0],
				"after", names[1], "sites", list)
		    : NULL;
}

/* ---- showing ----------------------------------------------------------------------------- */

static const struct table_column columns[] = {
	{.title = "BEFORE", .align = ALIGN_RIGHT},
	{.title = "AFTER", .align = ALIGN_RIGHT},
	{.title = "CHANGE", .align = ALIGN_RIGHT},
	{.title = "PER HOUR", .align = ALIGN_RIGHT, .drop = 1},
	{.title = "CALL SITE", .min_width = 24},
};

/* The innermost frame that has a line: where a person would look first. */
static void name_place(const json_t *entry, struct buf *place)
{
	const json_t *frames = field__get(entry, "frames"), *frame;
	size_t i;

	json_array_foreach(frames, i, frame)
	{
		if (isnan(field__num(frame, "line")))
			continue;
		buf__printf(place, "%s %s:%.0f", field__str(frame, "function", "?"),
			    field__str(frame, "file", "?"), field__num(frame, "line"));
		return;
	}
	buf__puts(place, field__str(entry, "site", "?"));
}

static void side_cell(struct table *t, const json_t *entry, const char *side)
{
	char text[FIELD_TEXT];

	table__cell(t, PAINT_PLAIN,
		    render__bytes(field__num(json_object_get(entry, side), "outstanding_bytes"),
				  text, sizeof(text)));
}

static void add_row(struct table *t, const json_t *entry)
{
	double change = field__num(entry, "change_bytes");
	struct buf place = {0};
	char text[FIELD_TEXT];

	side_cell(t, entry, "before");
	side_cell(t, entry, "after");
	table__cell(t,
		    change > 0	 ? PAINT_RED
		    : change < 0 ? PAINT_GREEN
				 : PAINT_PLAIN,
		    render__bytes(change, text, sizeof(text)));
	table__cell(t, PAINT_PLAIN,
		    render__bytes(field__num(entry, "after.growth_bytes_per_hour"), text,
				  sizeof(text)));
	name_place(entry, &place);
	table__cell(t, PAINT_BOLD, place.len ? place.data : "?");
	buf__free(&place);
}

static int print_text(const json_t *diff, int color)
{
	const json_t *sites = field__get(diff, "sites"), *entry;
	struct table *t = table__new(columns, sizeof(columns) / sizeof(columns[0]));
	struct buf out = {0};
	struct style s;
	size_t i;

	style__of_stdout(&s, color);
	if (!json_array_size(sites)) {
		buf__puts(&out,
			  "Neither has call sites: nobody looked closer, or nothing was found.\n");
	} else if (t) {
		json_array_foreach(sites, i, entry) add_row(t, entry);
		table__print(t, &s, &out);
	}
	if (!t || table__err(t))
		out.err = -ENOMEM;
	table__free(t);
	return render__print(&out);
}

static int print_diff(json_t *diff, const struct diff_options *opt)
{
	struct buf out = {0};
	char *text;
	int code;

	if (!opt->json)
		return print_text(diff, opt->color);
	text = json_dumps(diff, JSON_COMPACT);
	if (text)
		buf__printf(&out, "%s\n", text);
	else
		out.err = -ENOMEM;
	free(text);
	code = render__print(&out);
	return code;
}

int cmd_diff(int argc, char **argv)
{
	json_t *before = NULL, *after = NULL, *diff = NULL;
	struct diff_options opt = {0};
	struct buf why = {0};
	int first, code;

	first = parse(argc, argv, &opt, &code);
	if (first < 0)
		return code;
	code = read_side(argv[first], opt.socket, &before, &why);
	if (!code)
		code = read_side(argv[first + 1], opt.socket, &after, &why);
	if (!code)
		diff = compare(before, after, argv + first);
	json_decref(before);
	json_decref(after);
	if (code)
		return client__complain("diff", code, &why);
	code = print_diff(diff, &opt);
	json_decref(diff);
	return code;
}
