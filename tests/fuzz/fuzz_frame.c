// SPDX-License-Identifier: BSD-2-Clause
/*
 * fuzz_frame.c - the journal's records behind their CRC: a chain of records, each with its length
 * in the two bytes before it.
 */
#include "base/buf.h"
#include "fuzz.h"
#include "series/frame.h"
#include "series/store.h"

static void count_points(void *ctx, struct series *s)
{
	series__points(ctx, s, 1.7e9, NULL, 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct store_cfg cfg = {.interval_s = 1, .window_s = 60, .max_series = 16};
	struct frame_reader_cfg reader_cfg = {.store = store__new(&cfg), .boot_id = "this"};
	struct frame_reader *r = frame_reader__new(&reader_cfg);
	double t_s;

	while (size >= 2) {
		size_t len = data[0] | data[1] << 8;

		data += 2;
		size -= 2;
		len = len < size ? len : size;
		if (frame_reader__apply(r, data, len, &t_s))
			frame_reader__lost(r);
		data += len;
		size -= len;
	}
	store__foreach(reader_cfg.store, count_points, reader_cfg.store);
	frame_reader__free(r);
	store__free(reader_cfg.store);
	return 0;
}
