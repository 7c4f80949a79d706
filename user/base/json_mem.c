// SPDX-License-Identifier: BSD-2-Clause
#include <stdlib.h>

#include "json_mem.h"

static _Thread_local uint64_t failed;

static void *allocate(size_t size)
{
	void *p = malloc(size);

	failed += !p;
	return p;
}

void json_mem__start(void)
{
	json_set_alloc_funcs(allocate, free);
}

uint64_t json_mem__failed(void)
{
	return failed;
}

json_t *json_mem__whole(json_t *value, uint64_t failed_before)
{
	if (failed == failed_before)
		return value;
	json_decref(value);
	return NULL;
}

char *json_mem__dumps(const json_t *value, size_t flags)
{
	uint64_t before = failed;
	char *text = json_dumps(value, flags);

	if (failed == before)
		return text;
	free(text);
	return NULL;
}
