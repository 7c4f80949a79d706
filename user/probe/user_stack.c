// SPDX-License-Identifier: BSD-2-Clause
/* user_stack.c - see user_stack.h. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <linux/types.h>
#include <seep/alloc.h>

#include "../base/fs.h"
#include "user_stack.h"

#define BYTES_DEFAULT 16384

uint32_t user_stack__chunks(unsigned bytes)
{
	if (!bytes)
		bytes = BYTES_DEFAULT;
	if (bytes > SEEP_STACK_BYTES_MAX)
		bytes = SEEP_STACK_BYTES_MAX;
	return (bytes + SEEP_STACK_CHUNK - 1) / SEEP_STACK_CHUNK;
}

uint64_t user_stack__main_end(pid_t pid)
{
	char path[64], text[1024], *at;
	uint64_t end = 0;
	int field;

	snprintf(path, sizeof(path), "/proc/%d/stat", pid);
	if (fs__read(path, text, sizeof(text)) < 0)
		return 0;
	at = strrchr(text, ')'); /* ends the 2nd field */
	for (field = 2; at && field < 28; field++)
		at = strchr(at + 1, ' ');
	if (at)
		end = strtoull(at, NULL, 10);
	return end;
}
