// SPDX-License-Identifier: BSD-2-Clause
/*
 * trace_folded.c - "main;foo;bar 12345", one line per path, as flame graph tools read it.
 */
#include <string.h>

#include "trace_format.h"
#include "trace_paths.h"

int trace_folded__write(const struct trace_result *r, const struct trace_format_options *opt,
			struct buf *out)
{
	struct trace_path *paths;
	size_t i, cnt;
	int err;

	(void)opt;
	err = trace_paths__new(r, &paths, &cnt);
	if (err)
		return err;
	for (i = 0; i < cnt; i++)
		buf__printf(out, "%.*s %.0f\n", (int)strlen(paths[i].names) - 1, paths[i].names,
			    paths[i].bytes);
	trace_paths__free(paths, cnt);
	return out->err;
}
