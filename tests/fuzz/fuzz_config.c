// SPDX-License-Identifier: BSD-2-Clause
/* fuzz_config.c - the agent's configuration file. */
#include "agent/config.h"
#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	int fd = fuzz__fd(data, size);
	char path[32], why[512] = "";

	if (config__check_file(fuzz__path(fd, path), why, sizeof(why)) && !*why)
		abort(); /* refused without a reason */
	close(fd);
	return 0;
}
