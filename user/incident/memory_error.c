/* SPDX-License-Identifier: BSD-2-Clause */
/* memory_error.c - see memory_error.h. */
#include <errno.h>
#include <math.h>
#include <string.h>

#include "memory_error.h"

#define TIME_MAX_S 1e15 /* later ones are no times */

const char *memory_error__name(enum memory_error_kind kind)
{
	static const char *const names[] = {
		[ERROR_LIMIT_HIT] = "limit-hit",
		[ERROR_OOM_KILL] = "oom-kill",
	};

	return (size_t)kind < ERROR_KIND_CNT ? names[kind] : "unknown";
}

/* The entry of a kind, or NULL. */
static json_t *entry_of(const json_t *errors, enum memory_error_kind kind)
{
	const char *name;
	size_t i;

	for (i = 0; i < json_array_size(errors); i++) {
		name = json_string_value(json_object_get(json_array_get(errors, i), "kind"));
		if (name && !strcmp(name, memory_error__name(kind)))
			return json_array_get(errors, i);
	}
	return NULL;
}

static json_t *new_entry(struct incident *in, enum memory_error_kind kind, json_int_t t_s)
{
	json_t *entry = json_pack("{ss, sI, sI, sI, s[]}", "kind", memory_error__name(kind),
				  "count", (json_int_t)0, "first_s", t_s, "last_s", t_s, "history");

	if (!in->errors)
		in->errors = json_array();
	return json_array_append_new(in->errors, entry) ? NULL : entry;
}

/* A long quiet time leaves no pairs: the next error begins one of its own. */
static int count_in_history(json_t *history, json_int_t t_s, double interval_s, json_int_t cnt)
{
	json_t *last = json_array_get(history, json_array_size(history) - 1);
	json_int_t begun_s = json_integer_value(json_array_get(last, 0));

	if (last && fabs((double)(t_s - begun_s)) < interval_s)
		return json_array_set_new(
			last, 1, json_integer(json_integer_value(json_array_get(last, 1)) + cnt));
	if (json_array_size(history) >= MEMORY_ERROR_PAIRS_MAX)
		json_array_remove(history, 0);
	return json_array_append_new(history, json_pack("[I, I]", t_s, cnt));
}

static int add_victim(struct incident *in, json_t *victim)
{
	if (!victim)
		return 0;
	if (!in->victims)
		in->victims = json_array();
	if (json_array_size(in->victims) >= INCIDENT_VICTIMS_MAX)
		json_array_remove(in->victims, 0);
	return json_array_append(in->victims, victim);
}

int memory_error__count(struct incident *in, double t_s, double interval_s,
			const struct memory_error *error)
{
	json_t *entry = entry_of(in->errors, error->kind);
	json_int_t at_s = (json_int_t)t_s, cnt = (json_int_t)error->cnt;
	int is_new = !entry, err;

	if (is_new)
		entry = new_entry(in, error->kind, at_s);
	if (!entry)
		return -ENOMEM;
	err = json_object_set_new(
		entry, "count",
		json_integer(json_integer_value(json_object_get(entry, "count")) + cnt));
	err |= json_object_set_new(entry, "last_s", json_integer(at_s));
	err |= count_in_history(json_object_get(entry, "history"), at_s, interval_s, cnt);
	err |= add_victim(in, error->victim);
	return err ? -ENOMEM : is_new;
}

double memory_error__last_s(const struct incident *in)
{
	double last_s = NAN;
	const json_t *entry;
	size_t i;

	json_array_foreach(in->errors, i, entry) last_s =
		fmax(last_s, json_number_value(json_object_get(entry, "last_s")));
	return last_s;
}

uint64_t memory_error__cnt(const struct incident *in, enum memory_error_kind kind)
{
	return json_integer_value(json_object_get(entry_of(in->errors, kind), "count"));
}

/* ---- in ---- */

/* A whole number of a document that may hold anything; 0 where there is none. */
static json_int_t whole_of(const json_t *json)
{
	double number = json_number_value(json);

	return fabs(number) < TIME_MAX_S ? (json_int_t)number : 0;
}

static int read_entry(struct incident *in, const json_t *from, enum memory_error_kind kind)
{
	const json_t *history = json_object_get(from, "history"), *pair;
	json_t *entry = new_entry(in, kind, whole_of(json_object_get(from, "first_s")));
	size_t i, cnt = json_array_size(history);
	int err = 0;

	if (!entry)
		return -ENOMEM;
	json_object_set_new(entry, "last_s",
			    json_integer(whole_of(json_object_get(from, "last_s"))));
	json_object_set_new(entry, "count", json_integer(whole_of(json_object_get(from, "count"))));
	i = cnt > MEMORY_ERROR_PAIRS_MAX ? cnt - MEMORY_ERROR_PAIRS_MAX : 0;
	for (; i < cnt && !err; i++) {
		pair = json_array_get(history, i);
		err = json_array_append_new(json_object_get(entry, "history"),
					    json_pack("[I, I]", whole_of(json_array_get(pair, 0)),
						      whole_of(json_array_get(pair, 1))));
	}
	return err ? -ENOMEM : 0;
}

static int kind_of(const json_t *entry)
{
	const char *name = json_string_value(json_object_get(entry, "kind"));
	int kind = ERROR_KIND_CNT;

	while (--kind >= 0 && (!name || strcmp(name, memory_error__name(kind))))
		;
	return kind;
}

int memory_error__read(struct incident *in, const json_t *document)
{
	const json_t *errors = json_object_get(document, "errors");
	const json_t *victims = json_object_get(document, "victims");
	json_t *from;
	size_t i;
	int kind, err = 0;

	for (i = 0; i < json_array_size(errors) && !err; i++) {
		from = json_array_get(errors, i);
		kind = kind_of(from);
		if (kind >= 0 && !entry_of(in->errors, kind))
			err = read_entry(in, from, kind);
	}
	for (i = 0; i < json_array_size(victims) && i < INCIDENT_VICTIMS_MAX && !err; i++) {
		from = json_array_get(victims, i);
		if (json_is_object(from))
			err = add_victim(in, from);
	}
	return err ? -ENOMEM : 0;
}
