// SPDX-License-Identifier: BSD-2-Clause
/*
 * fuzz_lines.c - debug information of whole files, through elfutils' libdw as the symbolizer asks
 * it. libdw itself is the system's: its faults are seen where they crash, its branches are not.
 */
#include "fuzz.h"
#include "sym/lines.h"

#define MAX_BYTES (16u << 20)
#define FRAMES	  8

/* Their strings are read as an output would. */
static void read_frames(const struct line_frame *frames, int cnt)
{
	size_t len = 0;
	int i;

	if (cnt < 0 || cnt > FRAMES)
		abort();
	for (i = 0; i < cnt; i++)
		len += (frames[i].function ? strlen(frames[i].function) : 0) +
		       (frames[i].file ? strlen(frames[i].file) : 0);
	if (len > MAX_BYTES)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct line_frame frames[FRAMES];
	int fd = fuzz__fd(data, size);
	struct lines *l;
	uint64_t at;

	if (!lines__new(fd, MAX_BYTES, NULL, &l)) {
		/* the seed's code, see the Makefile */
		for (at = 0x401000; at < 0x401100; at += 3)
			read_frames(frames, lines__find(l, at, frames, at & 1 ? FRAMES : 1));
		lines__free(l);
	}
	close(fd);
	return 0;
}
