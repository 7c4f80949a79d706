/* SPDX-License-Identifier: BSD-2-Clause */
/* string_pool.c - a hash set of strings. */
#include <stdlib.h>
#include <string.h>

#define HASH_NONFATAL_OOM 1
#include <uthash.h>

#include "string_pool.h"

struct kept {
	UT_hash_handle hh;
	char text[];
};

struct string_pool {
	struct kept *set;
	size_t bytes, max_bytes;
};

struct string_pool *string_pool__new(size_t max_bytes)
{
	struct string_pool *s = calloc(1, sizeof(*s));

	if (s)
		s->max_bytes = max_bytes;
	return s;
}

void string_pool__free(struct string_pool *s)
{
	struct kept *kept, *next;

	if (!s)
		return;
	HASH_ITER(hh, s->set, kept, next) {
		HASH_DEL(s->set, kept);
		free(kept);
	}
	free(s);
}

size_t string_pool__held(const struct string_pool *s)
{
	return s->bytes;
}

const char *string_pool__keep(struct string_pool *s, const char *text)
{
	size_t len = text ? strlen(text) : 0;
	struct kept *kept = NULL;

	if (!text)
		return NULL;
	HASH_FIND(hh, s->set, text, len, kept);
	if (kept)
		return kept->text;
	if (s->bytes + sizeof(*kept) + len > s->max_bytes)
		return NULL;
	kept = malloc(sizeof(*kept) + len + 1);
	if (!kept)
		return NULL;
	memcpy(kept->text, text, len + 1);
	HASH_ADD_KEYPTR(hh, s->set, kept->text, len, kept);
	if (!kept->hh.tbl) {
		free(kept);
		return NULL;
	}
	s->bytes += sizeof(*kept) + len;
	return kept->text;
}
