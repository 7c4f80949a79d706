// SPDX-License-Identifier: BSD-2-Clause
/*
 * fuzz_notify.c - what notifications say: a template, a NUL, and incidents in JSON, with all the
 * names in them. Of incidents as they are a template that is JSON, with the places of names in strings,
 * stays JSON.
 */
#include "base/buf.h"
#include "fuzz.h"
#include "incident/incident.h"
#include "out/notify_kind.h"

#define SOUND "{\"text\":\"{{title}} {{ comm }} {{pod}}\",\"all\":{{json}}}"

static void expand(const char *text, const json_t *message, int is_sound)
{
	struct buf out = {0};
	json_t *json;

	if (notify_message__expand(text, message, &out))
		abort();
	json = is_sound ? json_loadb(out.data, out.len, 0, NULL) : NULL;
	if (is_sound && !json)
		abort();
	json_decref(json);
	buf__free(&out);
}

/* The loop hands over what incident__to_json made: names are strings or null. */
static void expand_as_told(const json_t *incident)
{
	struct incident *in;
	json_t *message;
	const char *why;

	in = incident__from_json(incident, &why);
	if (!in)
		return;
	message = notify_message__new("ops", "node", "none", 1.7e9,
				      json_pack("[o]", incident__to_json(in, 1)), 1);
	if (!message)
		abort();
	expand(SOUND, message, 1);
	json_decref(message);
	incident__free(in);
}

/* Of any shape. */
static json_t *incidents_of(const char *text, size_t len)
{
	json_t *json = json_loadb(text, len, 0, NULL), *list = json_array();

	if (json_is_object(json))
		json_array_append(list, json);
	else
		json_array_extend(list, json);
	json_decref(json);
	return list;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = fuzz__text(data, size), line[300];
	size_t len = strlen(text), cnt;
	json_t *incidents, *message;

	incidents =
		incidents_of(text + (len < size ? len + 1 : len), len < size ? size - len - 1 : 0);
	cnt = json_array_size(incidents);
	if (cnt) {
		notify_message__line(json_array_get(incidents, 0), line, sizeof(line));
		if (strlen(line) >= sizeof(line) || strpbrk(line, "\n\033"))
			abort();
		message = notify_message__new("ops", "node", "none", 1.7e9, incidents, cnt);
		if (!message)
			abort();
		expand(text, message, 0);
		expand_as_told(json_array_get(incidents, 0));
		json_decref(message);
	} else {
		json_decref(incidents);
	}
	free(text);
	return 0;
}
