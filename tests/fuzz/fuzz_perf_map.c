// SPDX-License-Identifier: BSD-2-Clause
/* fuzz_perf_map.c - /tmp/perf-PID.map, written by whoever is traced. */
#include "fuzz.h"
#include "sym/perf_map.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const uint64_t addresses[] = {0, 0x1000, 0x7f0000001234, UINT64_MAX};
	struct perf_map *m;
	const char *name;
	uint64_t start;
	size_t i;

	if (perf_map__open_fd(fuzz__fd(data, size), &m))
		return 0;
	for (i = 0; i < sizeof(addresses) / sizeof(addresses[0]); i++)
		if (!perf_map__find(m, addresses[i], &name, &start) && strlen(name) > size)
			abort();
	perf_map__free(m);
	return 0;
}
