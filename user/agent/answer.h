/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * answer.h - what the parts of the answers share; answer__handle itself is in state.h.
 *
 * Every part fills *ret_json and returns 0, or an enum seep_exit code with a line in `why`.
 */
#ifndef SEEP_AGENT_ANSWER_H
#define SEEP_AGENT_ANSWER_H

#include <math.h>
#include <stdint.h>
#include <jansson.h>

#include "state.h"
#include "base/buf.h"
#include "out/metrics.h"

/* Unknown is null, never a made-up number. */
static inline void set_str(json_t *o, const char *key, const char *value)
{
	json_t *text = value ? json_string(value) : NULL;

	json_object_set_new(o, key, text ? text : json_null());
}

static inline void set_u64(json_t *o, const char *key, uint64_t value)
{
	json_object_set_new(o, key, value == UINT64_MAX ? json_null() : json_integer(value));
}

/* Whole numbers: bytes and seconds. */
static inline void set_num(json_t *o, const char *key, double value)
{
	json_object_set_new(o, key, isfinite(value) ? json_integer(llround(value)) : json_null());
}

/* Append a bounded line to a list of sentences. */
void answer__say(json_t *list, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* The n most interesting workloads, made of the rows of their pods. NULL: out of memory. */
json_t *answer__workloads(struct agent *a, unsigned n);
/* The same of given rows of pods, which stay as they are. */
json_t *answer__fold(json_t *pods, unsigned n);
int answer__top(struct agent *a, const json_t *request, json_t **ret_json, struct buf *why);
int answer__leaks(struct agent *a, const json_t *request, json_t **ret_json, struct buf *why);
int answer__show(struct agent *a, const json_t *request, json_t **ret_json, struct buf *why);
int answer__mute(struct agent *a, const json_t *request, json_t **ret_json, struct buf *why);
int answer__unmute(struct agent *a, const json_t *request, json_t **ret_json, struct buf *why);
int answer__mutes(struct agent *a, const json_t *request, json_t **ret_json, struct buf *why);
int answer__status(struct agent *a, json_t **ret_json);
/* Whether suspects are looked at closer, and what that costs them. */
json_t *answer__drill(struct agent *a);
/* The web page and its JSON: an HTTP status. */
int answer__web(struct agent *a, const struct http_request *rq, struct buf *body,
		const char **ret_type);

/* Parts of the status that metrics tell as well: {name: number}, maps as {name: {used, max}}. */
json_t *answer__events(struct agent *a);
json_t *answer__dropped(struct agent *a);
json_t *answer__maps(struct agent *a);

#endif /* SEEP_AGENT_ANSWER_H */
