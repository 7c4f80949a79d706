// SPDX-License-Identifier: BSD-2-Clause
/*
 * cmd_top.c - `seep top`: the live screen, or one printed table with --once or without a terminal.
 */
#include <errno.h>
#include <unistd.h>

#include "cli.h"
#include "client.h"
#include "field.h"
#include "options.h"
#include "render.h"
#include "top_screen.h"
#include "top_view.h"

#define ONCE_ROWS 20

struct top_options {
	const char *socket;
	struct top_view view;
	int once;
	int json;
	int color;
};

static int parse(int argc, char **argv, struct top_options *opt, int *ret_exit)
{
	const struct option_spec specs[] = {
		{"by", 'b', OPTION_CHOICE, "process|cgroup|pod|workload", &opt->view.by,
		 "what a row is (default process)", top_by_names},
		{"sort", 's', OPTION_CHOICE, "growth|rss|anon|swap|pid|verdict", &opt->view.sort,
		 "what comes first (default growth)", top_sort_names},
		{"rows", 'n', OPTION_UINT, "N", &opt->view.rows,
		 "show N rows (default: all on the screen, 20 with --once)", NULL},
		{"once", '1', OPTION_FLAG, NULL, &opt->once, "print one table and exit", NULL},
		{"json", 'j', OPTION_FLAG, NULL, &opt->json, "print seep.top/1", NULL},
		SOCKET_OPTION(&opt->socket),
		COLOR_OPTION(&opt->color),
		{0},
	};
	const struct options options = {
		.command = "top",
		.about = "Shows processes, cgroups, pods or workloads with their memory, how fast it grows, the curve\n"
			 "of the window and the detector's verdict.",
		.epilog = "Keys: q quits, arrows and page keys scroll, g r a s n v sort, p c b w switch\n"
			  "between processes, cgroups, pods and workloads, / filters, h shows help.",
		.specs = specs,
	};

	return options__parse(&options, argc, argv, ret_exit);
}

static json_t *request_args(const struct top_options *opt)
{
	unsigned rows = opt->json ? opt->view.rows : TOP_ROWS_MAX;
	json_t *args = json_pack("{s:s}", "by", top_by_names[opt->view.by]);

	if (args && rows)
		json_object_set_new(args, "n", json_integer(rows));
	return args;
}

/* Only for its health: a failure leaves it unknown. */
static json_t *ask_status(const char *socket)
{
	struct buf why = {0};
	json_t *status = NULL;

	client__ask_json(client__socket(socket), CLIENT_TIMEOUT_S, "status", NULL, &status, &why);
	buf__free(&why);
	return status;
}

static int print_once(const struct top_options *opt, const json_t *body)
{
	json_t *status = ask_status(opt->socket);
	struct top_view view = opt->view;
	struct buf out = {0};
	struct table *t;
	struct style s;

	if (!view.rows)
		view.rows = ONCE_ROWS;
	style__of_stdout(&s, opt->color);
	top_view__header(body, status, &out);
	buf__puts(&out, "\n");
	top_view__subheader(&view, body, &out);
	buf__puts(&out, "\n\n");
	t = top_view__table(&view, body, &s);
	if (t)
		table__print(t, &s, &out);
	else
		out.err = -ENOMEM;
	label__not_seen(&out, status, &s);
	table__free(t);
	json_decref(status);
	return render__print(&out);
}

static int run_once(const struct top_options *opt)
{
	json_t *body = NULL;
	int code;

	code = client__query("top", opt->socket, request_args(opt), opt->json, &body);
	if (!code && !opt->json)
		code = print_once(opt, body);
	json_decref(body);
	return code;
}

int cmd_top(int argc, char **argv)
{
	struct top_options opt = {0};
	struct style s;
	int code;

	if (parse(argc, argv, &opt, &code) < 0)
		return code;
	if (opt.once || opt.json || !isatty(STDIN_FILENO) || !isatty(STDOUT_FILENO))
		return run_once(&opt);
	style__of_stdout(&s, opt.color);
	return top_screen__run(client__socket(opt.socket), &opt.view, s.color);
}
