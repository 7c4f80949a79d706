// SPDX-License-Identifier: BSD-2-Clause
/*
 * fuzz_journal.c - segment files of the journal, restored and written on. Bit 0 of the first byte:
 * the rest is a file as it is; else it is records as in fuzz_frame.c, each of which gets a CRC that
 * fits, bit 1 cuts the file in two segments.
 */
#include <zlib.h>

#include "base/buf.h"
#include "fuzz.h"
#include "series/journal.h"

#define HEADER "seep-win\1\0\0"

static void put_le32(struct buf *b, uint32_t v)
{
	const char bytes[4] = {v, v >> 8, v >> 16, v >> 24};

	buf__append(b, bytes, 4);
}

static void put_header(struct buf *b)
{
	buf__append(b, HEADER, 12);
	put_le32(b, crc32(0, (const Bytef *)HEADER, 12));
}

static void put_record(struct buf *b, const uint8_t *data, size_t len)
{
	put_le32(b, len);
	put_le32(b, crc32(0, data, len));
	buf__append(b, data, len);
}

static void put_segment(int seq, const struct buf *b)
{
	char rel[64];

	snprintf(rel, sizeof(rel), "window-%06d.seg", seq);
	fuzz__put(rel, (const uint8_t *)b->data, b->len);
}

static void put_segments(const uint8_t *data, size_t size, int cuts)
{
	struct buf b = {0};
	size_t len;
	int seq = 1;

	put_header(&b);
	while (size >= 2) {
		len = data[0] | data[1] << 8;
		len = len < size - 2 ? len : size - 2;
		put_record(&b, data + 2, len);
		data += 2 + len;
		size -= 2 + len;
		if (cuts && seq == 1) {
			put_segment(seq++, &b);
			b.len = 0;
			put_header(&b);
		}
	}
	put_segment(seq, &b);
	buf__free(&b);
}

/* What was restored is written on, and restored again. */
static void open_and_tick(unsigned *ret_restored)
{
	const struct store_cfg store_cfg = {.interval_s = 1, .window_s = 60, .max_series = 16};
	const struct journal_cfg cfg = {.dir = fuzz__dir(), .boot_id = "this"};
	struct store *st = store__new(&store_cfg);
	struct journal *j;

	if (journal__open(&cfg, st, &j, ret_restored))
		abort();
	journal__tick(j, st, 4e9);
	journal__close(j);
	store__free(st);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	unsigned restored, again;
	struct buf raw = {0};

	if (!size)
		return 0;
	if (data[0] & 1) {
		buf__append(&raw, data + 1, size - 1);
		put_segment(1, &raw);
		buf__free(&raw);
	} else {
		put_segments(data + 1, size - 1, data[0] & 2);
	}
	open_and_tick(&restored);
	open_and_tick(&again);
	fuzz__remove_dir();
	return 0;
}
