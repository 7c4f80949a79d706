/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * explain.c - an incident in plain English, one sentence per question a person asks: who and
 * since when, how much, how sure, how long to the limit, where, what was not seen, what to do.
 *
 * A sentence is left out when its numbers are unknown. Every sentence ends with ". "; the last
 * space is cut at the end.
 */
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "../base/buf.h"
#include "../base/units.h"
#include "explain.h"
#include "memory_error.h"
#include "text.h"

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))

/* How a class reads in a sentence, while it lasts and afterwards, and what to do about it. */
#define LOST_ADVICE                                                                              \
	"Look for what becomes of its result: a pointer that is overwritten, a path (of an error, "  \
	"say) that does not free it, an owner that is freed without what it owns."

/* clang-format off */
static const struct {
	const char *lasting;
	const char *past;
	const char *advice;
} classes[] = {
	[CLASS_UNKNOWN] = {
		"has been growing", "grew",
		"Compare its growth with what it was asked to do in that time.",
	},
	[CLASS_LEAK] = {
		"has been leaking memory", "leaked memory",
		"Look for what is added with each request or job and never removed: list and map "
		"entries, listeners, sessions, buffers on error paths.",
	},
	[CLASS_RETENTION] = {
		"has been keeping memory longer than it seems to need",
		"kept memory longer than it seemed to need",
		"Look for pools, queues and sessions without a bound or an expiry.",
	},
	[CLASS_FRAGMENTATION] = {
		"has been holding memory that looks fragmented",
		"held memory that looked fragmented",
		"The memory is likely free inside the allocator: fewer arenas "
		"(MALLOC_ARENA_MAX=2), malloc_trim() or another allocator give it back.",
	},
	[CLASS_WARM_UP] = {
		"has been warming up", "warmed up",
		"Nothing to do unless it goes on after the start is over.",
	},
	[CLASS_CACHE] = {
		"has been filling a cache", "filled a cache",
		"Give the cache a bound in bytes that leaves room below the limit.",
	},
	[CLASS_SAWTOOTH] = {
		"has been collecting garbage late", "collected garbage late",
		"A smaller heap limit makes the garbage collector run earlier.",
	},
	[CLASS_STEP] = {
		"has been growing in steps", "grew in steps",
		"Find out what happened at each step: a deployment, a reload, a large job.",
	},
	[CLASS_LOAD] = {
		"has been growing with its load", "grew with its load",
		"Plan its memory for the highest load, or limit the load.",
	},
};
/* clang-format on */

static const struct {
	double at_least;
	const char *word;
} certainties[] = {
	{.97, "almost certain"}, {.9, "very likely"}, {.8, "likely"},
	{.5, "possible"},	 {0, "doubtful"},
};

static const char *size(double bytes, char *buf, size_t cap)
{
	return units__format_bytes(bytes, buf, cap);
}

static const char *span(double seconds, char *buf, size_t cap)
{
	return units__format_duration(seconds > 0 ? seconds : 0, buf, cap);
}

static size_t class_of(const struct incident *in)
{
	return (size_t)in->verdict.class < ARRAY_SIZE(classes) ? in->verdict.class : CLASS_UNKNOWN;
}

static int is_open(const struct incident *in)
{
	return in->state == INCIDENT_OPEN;
}

static void name_object(struct buf *b, const struct incident *in)
{
	const struct incident_object *o = &in->object;

	if (o->pid)
		buf__printf(b, "Process \"%s\" (PID %u)", o->comm ? o->comm : "?", o->pid);
	else if (o->cgroup)
		buf__printf(b, "The cgroup \"%s\"", o->cgroup);
	else
		buf__puts(b, "An object whose name is not known");
	if (o->container)
		buf__printf(b, " in container \"%s\"", o->container);
	if (o->pod)
		buf__printf(b, " of pod %s%s%s", o->ns ? o->ns : "", o->ns ? "/" : "", o->pod);
	if (o->workload)
		buf__printf(b, " (%s)", o->workload);
	if (o->pid && o->cgroup && !o->container && !o->pod)
		buf__printf(b, " in cgroup \"%s\"", o->cgroup);
	if (o->node)
		buf__printf(b, " on node %s", o->node);
}

static void say_who(struct buf *b, const struct incident *in, double now_s)
{
	double end_s = is_open(in) ? now_s : in->closed_s;
	char when[32], how_long[32];

	name_object(b, in);
	buf__printf(b, " %s",
		    is_open(in) ? classes[class_of(in)].lasting : classes[class_of(in)].past);
	if (!isnan(in->started_s)) {
		buf__printf(b, is_open(in) ? " since %s" : " from %s on",
			    units__format_time(in->started_s, when, sizeof(when)));
		if (end_s > in->started_s)
			buf__printf(b, is_open(in) ? " (%s ago)" : ", for %s",
				    span(end_s - in->started_s, how_long, sizeof(how_long)));
	}
	buf__puts(b, ". ");
}

static void say_growth(struct buf *b, const struct incident *in)
{
	const struct verdict *v = &in->verdict;
	char growth[32], slope[32], lo[32], hi[32], horizon[32];

	if (isnan(v->growth_bytes))
		return;
	buf__puts(b, is_open(in) ? "What it never gives back"
				 : "At its worst, what it never gave back");
	buf__printf(b, " grew by %s", size(v->growth_bytes, growth, sizeof(growth)));
	if (v->horizon_s > 0)
		buf__printf(b, " within %s", span(v->horizon_s, horizon, sizeof(horizon)));
	if (!isnan(v->slope_bytes_per_hour))
		buf__printf(b, ", a rate of %s per hour",
			    size(v->slope_bytes_per_hour, slope, sizeof(slope)));
	if (isfinite(v->slope_lo_bytes_per_hour) && isfinite(v->slope_hi_bytes_per_hour))
		buf__printf(b, " (95 %% interval: %s to %s)",
			    size(v->slope_lo_bytes_per_hour, lo, sizeof(lo)),
			    size(v->slope_hi_bytes_per_hour, hi, sizeof(hi)));
	buf__puts(b, ". ");
}

static void say_certainty(struct buf *b, const struct incident *in)
{
	size_t i = 0;

	if (isnan(in->verdict.confidence))
		return;
	while (i + 1 < ARRAY_SIZE(certainties) && in->verdict.confidence < certainties[i].at_least)
		i++;
	buf__printf(b,
		    is_open(in) ? "It is %s (%.0f %%) that this goes on and is not given back. "
				: "It was %s (%.0f %%) that this would go on. ",
		    certainties[i].word, floor(100 * in->verdict.confidence));
}

static void say_time_to_limit(struct buf *b, const struct incident *in)
{
	const struct verdict *v = &in->verdict;
	char limit[32], mid[32], lo[32], hi[32];

	buf__printf(b, "At %s rate it %s the limit of %s in %s", is_open(in) ? "this" : "that",
		    is_open(in) ? "reaches" : "would have reached",
		    size(v->limit_bytes, limit, sizeof(limit)),
		    span(v->time_to_limit_s, mid, sizeof(mid)));
	if (isfinite(v->time_to_limit_lo_s) && isfinite(v->time_to_limit_hi_s))
		buf__printf(b, " (95 %% interval: %s to %s)",
			    span(v->time_to_limit_lo_s, lo, sizeof(lo)),
			    span(v->time_to_limit_hi_s, hi, sizeof(hi)));
	else if (isfinite(v->time_to_limit_lo_s))
		buf__printf(b, " (95 %% interval: not before %s)",
			    span(v->time_to_limit_lo_s, lo, sizeof(lo)));
	buf__puts(b, ". ");
}

static void say_limit(struct buf *b, const struct incident *in)
{
	const struct verdict *v = &in->verdict;
	char limit[32];

	if (!isfinite(v->limit_bytes)) {
		if (is_open(in))
			buf__puts(b, "No limit is known for it: it can grow until the node is out "
				     "of memory. ");
	} else if (v->time_to_limit_s > 0 && isfinite(v->time_to_limit_s)) {
		say_time_to_limit(b, in);
	} else {
		buf__printf(b, "It %s %s the limit of %s. ", is_open(in) ? "is" : "was",
			    v->time_to_limit_s <= 0 ? "at" : "not known to come near",
			    size(v->limit_bytes, limit, sizeof(limit)));
	}
}

/* Seen by page faults, not by an allocator: no blocks, and nobody asked for it there. */
static int is_growth(const json_t *site)
{
	const char *allocator = json_string_value(json_object_get(site, "allocator"));

	return allocator && !strcmp(allocator, "pagefault");
}

/*
 * How many of its blocks, of so many that were looked for, nothing refers to; 0 unless that is proof. That
 * blocks are referred to proves nothing.
 */
static json_int_t lost_blocks(const json_t *site, json_int_t *ret_asked)
{
	const json_t *references = json_object_get(site, "references");
	const char *verdict = json_string_value(json_object_get(site, "verdict"));
	json_int_t lost = json_integer_value(json_object_get(references, "unreferenced"));

	*ret_asked = json_integer_value(json_object_get(references, "blocks"));
	return lost * 2 >= *ret_asked && verdict && !strcmp(verdict, "leak") ? lost : 0;
}

static void say_references(struct buf *b, const json_t *site)
{
	json_int_t asked, lost = lost_blocks(site, &asked);

	if (lost)
		buf__printf(b,
			    "Nothing in its memory refers to %" JSON_INTEGER_FORMAT
			    " of %" JSON_INTEGER_FORMAT
			    " of them that were looked for, so it cannot free those any more. ",
			    lost, asked);
}

/* The first site is the largest; its first frame with a function is where the code is. */
static void say_site(struct buf *b, const struct incident *in)
{
	const json_t *site = json_array_get(in->sites, 0);
	const json_t *frames = json_object_get(site, "frames"), *frame = NULL;
	const char *function = NULL, *file;
	json_int_t cnt = json_integer_value(json_object_get(site, "outstanding_count"));
	char bytes[32];
	size_t i;

	for (i = 0; i < json_array_size(frames) && !function; i++) {
		frame = json_array_get(frames, i);
		function = json_string_value(json_object_get(frame, "function"));
	}
	if (!function)
		return;
	size(json_number_value(json_object_get(site, "outstanding_bytes")), bytes, sizeof(bytes));
	if (is_growth(site))
		buf__printf(b, "The largest part, %s, came to life in %s", bytes, function);
	else
		buf__printf(b,
			    "The largest part, %s in %" JSON_INTEGER_FORMAT
			    " block%s, was allocated by %s",
			    bytes, cnt, cnt == 1 ? "" : "s", function);
	file = json_string_value(json_object_get(frame, "file"));
	if (file)
		buf__printf(b, " (%s:%" JSON_INTEGER_FORMAT ")", file,
			    json_integer_value(json_object_get(frame, "line")));
	buf__puts(b, ". ");
	say_references(b, site);
}

static void say_type(struct buf *b, const json_t *type, const char *what, const char *verb)
{
	char bytes[32];

	buf__printf(b, "%s %s%s by %" JSON_INTEGER_FORMAT " (%s)", what,
		    json_string_value(json_object_get(type, "type")), verb,
		    json_integer_value(json_object_get(type, "added_objects")),
		    size(json_number_value(json_object_get(type, "added_bytes")), bytes,
			 sizeof(bytes)));
}

/* What it is that piles up, where objects can be counted; a class of the program tells most. */
static void say_objects(struct buf *b, const struct incident *in)
{
	const json_t *types = json_object_get(in->objects, "types"), *type, *first = NULL, *own = NULL;
	char how_long[32];
	size_t i;

	json_array_foreach(types, i, type) {
		if (!json_string_value(json_object_get(type, "type")))
			continue;
		first = first ? first : type;
		if (!own && json_is_true(json_object_get(type, "class")))
			own = type;
	}
	if (!first)
		return;
	buf__printf(b, "Within %s its objects",
		    span(json_number_value(json_object_get(in->objects, "span_s")), how_long,
			 sizeof(how_long)));
	say_type(b, first, " of type", " grew");
	if (own && own != first)
		say_type(b, own, ", those of its own class", "");
	buf__puts(b, ". ");
}

static void say_state(struct buf *b, const struct incident *in, double now_s)
{
	char when[32], how_long[32];

	if (is_open(in) && now_s > in->opened_s)
		buf__printf(b, "The incident has been open for %s. ",
			    span(now_s - in->opened_s, how_long, sizeof(how_long)));
	else if (!is_open(in))
		buf__printf(b, "The incident was closed on %s%s%s. ",
			    units__format_time(in->closed_s, when, sizeof(when)),
			    in->close_reason ? ": " : "", in->close_reason ? in->close_reason : "");
}

static void say_not_seen(struct buf *b, const struct incident *in)
{
	int i;

	if (!in->not_seen_cnt)
		return;
	if (in->not_seen_cnt == 1)
		buf__puts(b, "One thing was not seen: ");
	else
		buf__printf(b, "%d things were not seen: ", in->not_seen_cnt);
	for (i = 0; i < in->not_seen_cnt; i++)
		buf__printf(b, "%s%s", i ? "; " : "", in->not_seen[i]);
	buf__puts(b, ". ");
}

static void say_advice(struct buf *b, const struct incident *in)
{
	json_int_t asked;

	if (is_open(in) && in->severity == SEVERITY_CRITICAL)
		buf__puts(b, "Act soon: a restart that is planned costs less than being killed at "
			     "the limit. ");
	buf__printf(b, "%s ", lost_blocks(json_array_get(in->sites, 0), &asked) ?
				      LOST_ADVICE :
				      classes[class_of(in)].advice);
}

/* ---- memory errors ---- */

static void say_count(struct buf *b, uint64_t cnt, const char *one)
{
	buf__printf(b, "%" PRIu64 " %s%s", cnt, one, cnt == 1 ? "" : "s");
}

static void say_errors(struct buf *b, const struct incident *in)
{
	uint64_t kills = memory_error__cnt(in, ERROR_OOM_KILL);
	uint64_t hits = memory_error__cnt(in, ERROR_LIMIT_HIT);
	char first[32], last[32], limit[32];

	name_object(b, in);
	buf__printf(b, " %s ", is_open(in) ? "has met memory errors:" : "met memory errors:");
	if (kills)
		say_count(b, kills, "OOM kill");
	if (kills && hits)
		buf__puts(b, " and ");
	if (hits)
		say_count(b, hits, "hit");
	if (hits)
		buf__puts(b, " of the limit");
	if (isfinite(in->verdict.limit_bytes))
		buf__printf(b, "%s of %s", hits ? "" : ", under a limit",
			    size(in->verdict.limit_bytes, limit, sizeof(limit)));
	buf__printf(b, ", the first on %s and the last on %s. ",
		    units__format_time(in->started_s, first, sizeof(first)),
		    units__format_time(memory_error__last_s(in), last, sizeof(last)));
}

/* The newest. */
static void say_victim(struct buf *b, const struct incident *in)
{
	const json_t *victim = json_array_get(in->victims, json_array_size(in->victims) - 1);
	const char *comm = json_string_value(json_object_get(victim, "comm"));
	const json_t *growth = json_object_get(victim, "growth_bytes_per_hour");
	char bytes[32], rate[32];

	if (!comm)
		return;
	buf__printf(b, "The one killed last was \"%s\" with %s", comm,
		    size(json_number_value(json_object_get(victim, "bytes")), bytes,
			 sizeof(bytes)));
	if (json_number_value(growth) > 0)
		buf__printf(b, ", which had grown by %s per hour",
			    size(json_number_value(growth), rate, sizeof(rate)));
	buf__puts(b, ". ");
}

static void say_error_advice(struct buf *b, const struct incident *in)
{
	buf__puts(b, "No leak was found that explains it. ");
	if (memory_error__cnt(in, ERROR_OOM_KILL))
		buf__puts(b, "Compare the limit with what it needs at its peak, and look at what "
			     "else was large at that time. ");
	else
		buf__puts(b, "The kernel took memory back each time, which costs time: give it more "
			     "room or have it use less. ");
}

static void say_error_incident(struct buf *b, const struct incident *in, double now_s)
{
	say_errors(b, in);
	say_victim(b, in);
	say_site(b, in);
	say_state(b, in, now_s);
	say_not_seen(b, in);
	say_error_advice(b, in);
}

static void say_leak(struct buf *b, const struct incident *in, double now_s)
{
	say_who(b, in, now_s);
	say_growth(b, in);
	say_certainty(b, in);
	say_limit(b, in);
	say_site(b, in);
	say_objects(b, in);
	say_state(b, in, now_s);
	say_not_seen(b, in);
	say_advice(b, in);
}

char *explain__incident(const struct incident *in, double now_s)
{
	struct buf b = {0};
	char *text;

	if (in->kind == INCIDENT_MEMORY_ERROR)
		say_error_incident(&b, in, now_s);
	else
		say_leak(&b, in, now_s);
	/* clean although the setters are: an incident may have been filled by hand */
	text = b.err ? NULL : text__clean(b.data, b.len - 1);
	buf__free(&b);
	return text;
}
