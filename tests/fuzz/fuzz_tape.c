// SPDX-License-Identifier: BSD-2-Clause
/* fuzz_tape.c - replay files, plain and gzipped, and the detector on whatever was read. */
#include "fuzz.h"
#include "detect/detector.h"
#include "series/tape.h"

static void ignore(void *ctx, const char *file, size_t line, const char *why)
{
}

static void judge(const struct tape_series *s)
{
	char lines[DETECTOR_EVIDENCE_MAX][DETECTOR_EVIDENCE_LEN];
	struct detector *d = detector__new(60);
	struct verdict v;
	size_t i;

	for (i = 0; i < s->row_cnt; i++) {
		const struct tape_row *row = &s->rows[i];
		struct detector_point p = {row->t_s, row->bytes, row->limit_bytes, row->load,
					   row->start};

		detector__push(d, &p);
		if (i % 8 == 0)
			detector__judge(d, &v);
	}
	detector__judge(d, &v);
	detector__evidence(d, lines, DETECTOR_EVIDENCE_MAX);
	if (!(v.confidence >= 0 && v.confidence <= 1))
		abort();
	detector__free(d);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct tape *t = tape__new();
	int fd = fuzz__fd(data, size);
	const char *why;
	char path[32];
	size_t i;

	if (!tape__read(t, fuzz__path(fd, path), ignore, NULL, &why) && !tape__finish(t))
		for (i = 0; i < tape__series_cnt(t); i++)
			judge(tape__series(t, i));
	tape__free(t);
	close(fd);
	return 0;
}
