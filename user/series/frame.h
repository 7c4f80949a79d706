/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * frame.h - one poll of the whole store as a record of the journal.
 *
 * The writer remembers what a reader of the records so far knows, and writes only what is news;
 * a series that was polled and did not change costs nothing. A key frame forgets that knowledge
 * and so tells everything. Records are little-endian; numbers are varints (LEB128), signed ones
 * zigzag:
 *
 *	u8 kind, f64 t_s, [key frame: bytes boot_id], operations up to the end
 *	operation: varint slot << 3 | op, then
 *	  END                            the slot is free again
 *	  NAME      key, bytes name      a new series, or a new key or name of the one there
 *	  FORMER    key                  what the series named next was called before
 *	  INTEREST  u8
 *	  POLL      varint zigzag(kib - last) << 3 | flags, [zigzag(load - last)], [limit_kib]
 *	  PAUSE                          not polled from now on
 *
 * A series that was polled last time and is not mentioned was polled again with the same result.
 */
#ifndef SEEP_SERIES_FRAME_H
#define SEEP_SERIES_FRAME_H

#include "store_raw.h"

struct buf;

/* ---- writing ---- */

struct frame_writer;

/* For a store of that many series at most. NULL: out of memory. */
struct frame_writer *frame_writer__new(unsigned slots);
void frame_writer__free(struct frame_writer *w);
/* Append the record of the polls put since the last call. boot_id makes it a key frame, NULL a
 * delta. Failure shows in out->err. */
void frame_writer__poll(struct frame_writer *w, struct store *st, double t_s,
			const char *boot_id, struct buf *out);

/* ---- reading ---- */

struct frame_reader;

struct frame_reader_cfg {
	struct store *store;
	const char *boot_id; /* processes of other boots are passed over */
};

struct frame_reader *frame_reader__new(const struct frame_reader_cfg *cfg);
void frame_reader__free(struct frame_reader *r);
/* Deltas before the next key frame would be misunderstood: call where records were lost. */
void frame_reader__lost(struct frame_reader *r);
/* Put what the record says. 0 and its time, or -EBADMSG: it makes no sense. */
int frame_reader__apply(struct frame_reader *r, const void *record, size_t len, double *ret_t_s);
unsigned frame_reader__polls(const struct frame_reader *r);

#endif /* SEEP_SERIES_FRAME_H */
