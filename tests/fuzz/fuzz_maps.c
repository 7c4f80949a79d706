// SPDX-License-Identifier: BSD-2-Clause
/* fuzz_maps.c - /proc/PID/maps, whose paths anybody may choose. */
#include "fuzz.h"
#include "sym/maps.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = fuzz__text(data, size);
	const struct map_region *r;
	struct maps *m;
	size_t i;

	if (!maps__parse(text, size, &m)) {
		for (i = 0; i < maps__cnt(m); i++) {
			r = maps__at(m, i);
			if (strlen(r->path) > size ||
			    (r->end > r->start && !maps__find(m, r->start)))
				abort();
		}
		maps__find(m, 0x7fff12345678);
		maps__free(m);
	}
	free(text);
	return 0;
}
