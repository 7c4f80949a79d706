// SPDX-License-Identifier: BSD-2-Clause
/* fuzz_incident.c - incidents as they come from a database or an import: in, out, and in again. */
#include "fuzz.h"
#include "incident/incident.h"
#include "incident/relate.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	json_t *json = json_loadb((const char *)data, size, 0, NULL), *again;
	struct incident *in, *copy;
	const char *why;

	in = json ? incident__from_json(json, &why) : NULL;
	json_decref(json);
	if (!in)
		return 0;
	again = incident__to_json(in, 0);
	copy = incident__from_json(again, &why);
	if (!copy)
		abort();
	incident__relation(in, copy);
	json_decref(again);
	incident__free(copy);
	incident__free(in);
	return 0;
}
