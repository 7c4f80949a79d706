// SPDX-License-Identifier: BSD-2-Clause
/*
 * answer_mutes.c - mute, unmute, mutes: each answers with what is muted then. Root's socket is the
 * only way here.
 */
#include <errno.h>
#include <math.h>

#include "answer.h"
#include "incident/relate.h"

struct covered {
	struct agent *a;
	const struct mute *mute;
	json_int_t cnt;
};

static void count_covered(void *ctx, const struct incident *in)
{
	const struct selector_subject subject = incident__subject(in);
	struct covered *c = ctx;

	c->cnt += selector__matches(c->mute->select, &subject);
}

static json_t *mute_to_json(struct agent *a, const struct mute *mute)
{
	struct covered c = {.a = a, .mute = mute};
	json_t *o = json_object();

	tracker__foreach_open(a->tracker, count_covered, &c);
	set_str(o, "id", mute->id);
	set_str(o, "selector", selector__text(mute->select));
	set_str(o, "reason", mute->reason[0] ? mute->reason : NULL);
	set_num(o, "created_s", mute->created_s);
	set_num(o, "until_s", mute->until_s);
	json_object_set_new(o, "open_incidents", json_integer(c.cnt));
	return o;
}

int answer__mutes(struct agent *a, const json_t *request, json_t **ret_json, struct buf *why)
{
	json_t *o = json_object(), *list = json_array();
	size_t i, cnt = mutes__cnt(a->mutes, a->now_s);

	for (i = 0; i < cnt; i++)
		json_array_append_new(list, mute_to_json(a, mutes__at(a->mutes, i)));
	set_str(o, "schema", "seep.mutes/1");
	set_num(o, "at_s", a->now_s);
	json_object_set_new(o, "mutes", list);
	*ret_json = o;
	return 0;
}

int answer__mute(struct agent *a, const json_t *request, json_t **ret_json, struct buf *why)
{
	const char *select = json_string_value(json_object_get(request, "select"));
	const char *reason = json_string_value(json_object_get(request, "reason"));
	const json_t *span = json_object_get(request, "for_s");
	double for_s = json_is_number(span) ? json_number_value(span) : INFINITY;
	char said[SELECTOR_WHY_LEN];
	const struct mute *mute;

	if (!select || !(for_s > 0)) {
		buf__puts(why, "mute whom, for how long?");
		return SEEP_EXIT_USAGE;
	}
	if (mutes__add(a->mutes, a->now_s, a->now_s + for_s, select, reason, &mute, said)) {
		buf__puts(why, said);
		return SEEP_EXIT_USAGE;
	}
	return answer__mutes(a, request, ret_json, why);
}

int answer__unmute(struct agent *a, const json_t *request, json_t **ret_json, struct buf *why)
{
	const char *what = json_string_value(json_object_get(request, "what"));

	if (what && !mutes__remove(a->mutes, what))
		return answer__mutes(a, request, ret_json, why);
	buf__printf(why, "no mute '%.64s'; `seep mutes` lists them", what ? what : "");
	return SEEP_EXIT_NO_TARGET;
}
