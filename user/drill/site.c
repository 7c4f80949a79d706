// SPDX-License-Identifier: BSD-2-Clause
/*
 * site.c - a call site as SITE of the CLI contract.
 *
 * Unknown strings and numbers are null. Names come from files that anybody may have written, so
 * they are cleaned. Besides the contract's members there are "evidence", the numbers behind the
 * verdict, "references", and "whole", false where the stack was cut short.
 */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "../who/clean.h"
#include "site.h"

#define TEXT_CAP 4096
#define LOST_MIN 5
#define LOST_SHARE .5

const char *site__verdict_name(enum site_verdict verdict)
{
	static const char *const names[] = {
		[SITE_UNKNOWN] = "unknown", [SITE_LEAK] = "leak",
		[SITE_CACHE] = "cache", [SITE_CHURN] = "churn",
	};

	return names[verdict];
}

static const char *kind_name(enum frame_kind kind)
{
	static const char *const names[] = {
		[FRAME_NATIVE] = "native", [FRAME_PYTHON] = "python", [FRAME_NODE] = "node",
		[FRAME_GO] = "go", [FRAME_JAVA] = "java", [FRAME_KERNEL] = "kernel",
	};

	return names[kind];
}

static json_t *whole_or_null(double number)
{
	return isfinite(number) && fabs(number) < 9e18 ? json_integer(llround(number)) :
							 json_null();
}

/* Ages are whole seconds, as all times in JSON. */
static json_t *seconds_or_null(double seconds)
{
	return whole_or_null(floor(seconds));
}

static json_t *text_or_null(const char *text)
{
	char clean[TEXT_CAP];

	if (!text)
		return json_null();
	clean__name(text, strlen(text), clean, sizeof(clean));
	return json_string(clean);
}

static json_t *address_of(const struct frame *f)
{
	char text[32];

	snprintf(text, sizeof(text), "0x%llx", (unsigned long long)f->address);
	return json_string(text);
}

static json_t *frame_to_json(const struct frame *f)
{
	return json_pack("{s:o, s:I, s:o, s:o, s:o, s:o, s:o, s:b, s:s}",
			 "function", text_or_null(f->function),
			 "offset", (json_int_t)f->offset,
			 "file", text_or_null(f->file),
			 "line", f->line ? json_integer(f->line) : json_null(),
			 "module", text_or_null(f->module),
			 "build_id", text_or_null(f->build_id),
			 "address", address_of(f),
			 "inlined", f->inlined,
			 "kind", kind_name(f->kind));
}

static json_t *frames_to_json(const struct site *s)
{
	json_t *list = json_array();
	int i, err = !list;

	for (i = 0; i < s->frame_cnt && !err; i++)
		err = json_array_append_new(list, frame_to_json(&s->frames[i]));
	if (err) {
		json_decref(list);
		return NULL;
	}
	return list;
}

/* [age_s, bytes]: what is younger than that and at least half as old; up to the oldest. */
static json_t *cohorts_to_json(const struct site *s)
{
	json_t *list = json_array();
	int i, cnt = SITE_COHORTS, err = !list;

	while (cnt > 0 && !(s->cohort_bytes[cnt - 1] > 0))
		cnt--;
	for (i = 0; i < cnt && !err; i++)
		err = json_array_append_new(list, json_pack("[I, o]", (json_int_t)1 << i,
							    whole_or_null(s->cohort_bytes[i])));
	if (err) {
		json_decref(list);
		return NULL;
	}
	return list;
}

int site__is_lost(unsigned asked, unsigned unreferred)
{
	return unreferred >= LOST_MIN && unreferred >= LOST_SHARE * asked;
}

json_t *site__references(unsigned asked, unsigned unreferred)
{
	return asked ? json_pack("{s:i, s:i}", "blocks", asked, "unreferenced", unreferred) :
		       json_null();
}

const char *site__say_references(unsigned asked, unsigned unreferred, char *buf, size_t cap)
{
	buf[0] = '\0';
	if (asked && unreferred)
		snprintf(buf, cap, "nothing in its memory refers to %u of %u blocks that were looked "
				   "for: those cannot be freed any more", unreferred, asked);
	else if (asked)
		snprintf(buf, cap, "%u of its blocks were looked for, and all are referred to from "
				   "somewhere in its memory", asked);
	return buf;
}

json_t *site__evidence(const char *sentence, unsigned asked, unsigned unreferred)
{
	json_t *list = json_array();
	char text[SITE_EVIDENCE_LEN];

	if (sentence)
		json_array_append_new(list, json_string(sentence));
	if (*site__say_references(asked, unreferred, text, sizeof(text)))
		json_array_append_new(list, json_string(text));
	return list;
}

/* What a short look cannot tell by ages is no news where it can be told without. */
const char *site__ages(const struct site *s)
{
	return s->evidence[0] && !site__is_lost(s->asked, s->unreferred) ? s->evidence : NULL;
}

json_t *site__to_json(const struct site *s)
{
	return json_pack("{s:o, s:[o, o], s:o, s:o, s:o, s:o, s:o, s:s, s:o, s:o, s:o, s:o, s:I, "
			 "s:b, s:o}",
			 "outstanding_bytes", whole_or_null(s->outstanding_bytes),
			 "outstanding_ci_bytes", whole_or_null(s->outstanding_lo_bytes),
			 whole_or_null(s->outstanding_hi_bytes),
			 "outstanding_count", whole_or_null(s->outstanding_count),
			 "allocated_bytes", whole_or_null(s->allocated_bytes),
			 "growth_bytes_per_hour", whole_or_null(s->growth_bytes_per_hour),
			 "oldest_age_s", seconds_or_null(s->oldest_age_s),
			 "median_age_s", seconds_or_null(s->median_age_s),
			 "verdict", site__verdict_name(s->verdict),
			 "evidence", site__evidence(site__ages(s), s->asked, s->unreferred),
			 "references", site__references(s->asked, s->unreferred),
			 "age_cohorts", cohorts_to_json(s),
			 "allocator", text_or_null(s->allocator),
			 "samples", (json_int_t)s->samples,
			 "whole", s->is_whole,
			 "frames", frames_to_json(s));
}
