// SPDX-License-Identifier: BSD-2-Clause
/*
 * cmd_doctor.c - `seep doctor`: what this kernel, these privileges and this node allow, each
 * with its fix. Needs no agent; of one that runs it asks what only that one knows: how its kubelet
 * answers.
 */
#include <errno.h>
#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "../out/ctl_proto.h"
#include "../probe/feat.h"
#include "cli.h"
#include "client.h"
#include "field.h"
#include "options.h"
#include "render.h"
#include "table.h"

struct doctor_options {
	const char *socket;
	int json;
	int color;
};

static int parse(int argc, char **argv, struct doctor_options *opt, int *ret_exit)
{
	const struct option_spec specs[] = {
		{"json", 'j', OPTION_FLAG, NULL, &opt->json, "print seep.doctor/1", NULL},
		SOCKET_OPTION(&opt->socket),
		COLOR_OPTION(&opt->color),
		{0},
	};
	const struct options options = {
		.command = "doctor",
		.about = "Tries what seep needs of this kernel, these privileges and this node, and\n"
			 "says what each finding means and how to mend it. Needs no agent; run it as\n"
			 "the user the agent runs as.",
		.epilog = "Exits with 1 if something is missing that seep cannot do without.",
		.specs = specs,
	};

	return options__parse(&options, argc, argv, ret_exit);
}

static const struct {
	const char *name;
	enum paint paint;
} levels[] = {
	[FEAT_OK] = {"ok", PAINT_GREEN},
	[FEAT_DEGRADED] = {"degraded", PAINT_YELLOW},
	[FEAT_MISSING] = {"missing", PAINT_RED},
};

static int count_level(const struct feat_check *checks, int cnt, enum feat_level level)
{
	int i, sum = 0;

	for (i = 0; i < cnt; i++)
		sum += checks[i].level == level;
	return sum;
}

static json_t *check_to_json(const struct feat_check *c)
{
	return json_pack("{s:s, s:s, s:s, s:s?, s:s?}", "name", c->name, "level",
			 levels[c->level].name, "found", c->found, "means", c->means, "fix",
			 c->fix);
}

static json_t *to_json(const struct feat_check *checks, int cnt)
{
	json_t *list = json_array();
	int i, err = !list;

	for (i = 0; i < cnt && !err; i++)
		err = json_array_append_new(list, check_to_json(&checks[i]));
	if (err) {
		json_decref(list);
		return NULL;
	}
	return json_pack("{s:s, s:b, s:o}", "schema", "seep.doctor/1", "ok",
			 !count_level(checks, cnt, FEAT_MISSING), "checks", list);
}

static void print_json(const struct feat_check *checks, int cnt, struct buf *out)
{
	json_t *json = to_json(checks, cnt);
	char *text = json ? json_dumps(json, JSON_COMPACT) : NULL;

	if (text)
		buf__puts(out, text);
	else
		out->err = -ENOMEM;
	free(text);
	json_decref(json);
}

static const struct table_column columns[] = {
	{.title = "CHECK"},
	{.title = "LEVEL"},
	{.title = "FOUND", .min_width = 20},
};

static void print_table(const struct feat_check *checks, int cnt, const struct style *s,
			struct buf *out)
{
	struct table *t = table__new(columns, sizeof(columns) / sizeof(columns[0]));
	int i;

	if (!t) {
		out->err = -ENOMEM;
		return;
	}
	for (i = 0; i < cnt; i++) {
		table__cell(t, PAINT_PLAIN, checks[i].name);
		table__cell(t, levels[checks[i].level].paint, levels[checks[i].level].name);
		table__cell(t, PAINT_PLAIN, checks[i].found);
	}
	table__print(t, s, out);
	if (table__err(t))
		out->err = table__err(t);
	table__free(t);
}

/* What is less than ok: what that means, and the fix. */
static void print_advice(const struct feat_check *checks, int cnt, const struct style *s,
			 struct buf *out)
{
	int i;

	for (i = 0; i < cnt; i++) {
		if (checks[i].level == FEAT_OK)
			continue;
		buf__puts(out, "\n");
		style__paint(s, out, levels[checks[i].level].paint, checks[i].name);
		buf__puts(out, ":\n");
		if (checks[i].means)
			render__paragraph(out, checks[i].means, 2, s);
		if (!checks[i].fix)
			continue;
		buf__puts(out, "  Fix:\n");
		render__paragraph(out, checks[i].fix, 4, s);
	}
}

static void print_summary(const struct feat_check *checks, int cnt, struct buf *out)
{
	int missing = count_level(checks, cnt, FEAT_MISSING);
	int degraded = count_level(checks, cnt, FEAT_DEGRADED);

	if (missing)
		buf__printf(out, "\nseep cannot work here: %d of %d checks failed.\n", missing, cnt);
	else if (degraded)
		buf__printf(out, "\nseep works here, with %d of %d checks degraded.\n", degraded,
			    cnt);
	else
		buf__printf(out, "\nseep works here: all %d checks are ok.\n", cnt);
}

static void print_text(const struct feat_check *checks, int cnt, enum color_mode color,
		       struct buf *out)
{
	struct style s;

	style__of_stdout(&s, color);
	print_table(checks, cnt, &s, out);
	print_advice(checks, cnt, &s, out);
	print_summary(checks, cnt, out);
}

/* Returns how many checks were filled: 0 or 1. */
static int check_kubelet(const char *socket, struct feat_check *check)
{
	struct buf why = {0};
	json_t *status = NULL;
	const char *error;
	int cnt;

	client__ask_json(client__socket(socket), CLIENT_TIMEOUT_S, "status", NULL, &status, &why);
	buf__free(&why);
	cnt = json_is_object(field__get(status, "kubelet"));
	error = field__str(status, "kubelet.error", NULL);
	*check = (struct feat_check){
		.name = "kubelet",
		.level = error ? FEAT_DEGRADED : FEAT_OK,
		.means = "Workloads, labels and image digests of pods stay unknown or get old; names "
			 "of pods and containers come from the runtime's files.",
		.fix = error ? "See what was found; --kubelet, --kubelet-ca and --kubelet-token-file "
			       "of the agent, and `get` on nodes/pods for its service account." :
			       NULL,
	};
	if (error)
		snprintf(check->found, sizeof(check->found), "%s", error);
	else if (!isfinite(field__num(status, "kubelet.answer_age_s")))
		snprintf(check->found, sizeof(check->found), "the agent has just asked it");
	else
		snprintf(check->found, sizeof(check->found), "answers the agent, %.0f pods",
			 field__num(status, "kubelet.pods"));
	json_decref(status);
	return cnt;
}

int cmd_doctor(int argc, char **argv)
{
	struct feat_check checks[FEAT_CHECKS_MAX + 1];
	struct doctor_options opt = {0};
	struct buf out = {0};
	int cnt, code;

	if (parse(argc, argv, &opt, &code) < 0)
		return code;
	cnt = feat__check(checks, FEAT_CHECKS_MAX);
	cnt += check_kubelet(opt.socket, &checks[cnt]);
	if (opt.json)
		print_json(checks, cnt, &out);
	else
		print_text(checks, cnt, opt.color, &out);
	code = render__print(&out);
	if (!code && count_level(checks, cnt, FEAT_MISSING))
		code = SEEP_EXIT_FAILED;
	return code;
}
