/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * reader.h - a cursor over untrusted little-endian bytes, in the encodings that DWARF uses.
 *
 * A read beyond the end gives 0 and sets is_bad for good, so callers check once, at the end.
 */
#ifndef SEEP_SYM_READER_H
#define SEEP_SYM_READER_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct reader {
	const uint8_t *p, *end;
	int is_bad;
};

/* data may be NULL when len is 0. */
static inline struct reader reader__make(const void *data, size_t len)
{
	if (!len)
		data = "";
	return (struct reader){.p = data, .end = (const uint8_t *)data + len};
}

static inline size_t reader__left(const struct reader *r)
{
	return r->end - r->p;
}

static inline void reader__fail(struct reader *r)
{
	r->is_bad = 1;
	r->p = r->end;
}

/* The bytes passed over, or NULL. */
static inline const uint8_t *reader__skip(struct reader *r, uint64_t len)
{
	const uint8_t *p = r->p;

	if (len > reader__left(r)) {
		reader__fail(r);
		return NULL;
	}
	r->p += len;
	return p;
}

/* An unsigned number of 1 to 8 bytes. */
static inline uint64_t reader__uint(struct reader *r, size_t bytes)
{
	const uint8_t *p = reader__skip(r, bytes);
	uint64_t value = 0;

	if (p)
		memcpy(&value, p, bytes);
	return value;
}

static inline int64_t reader__sint(struct reader *r, size_t bytes)
{
	unsigned shift = 64 - 8 * bytes;

	return (int64_t)(reader__uint(r, bytes) << shift) >> shift;
}

static inline uint8_t reader__u8(struct reader *r)
{
	return reader__uint(r, 1);
}

/* LEB128 of at most 10 bytes; bits above the 64th are lost. */
static inline uint64_t reader__leb(struct reader *r, int is_signed)
{
	uint64_t value = 0;
	unsigned shift = 0;
	uint8_t byte;

	do {
		byte = reader__u8(r);
		if (shift < 64)
			value |= (uint64_t)(byte & 0x7f) << shift;
		shift += 7;
		if (shift > 70)
			reader__fail(r);
	} while (byte & 0x80 && !r->is_bad);
	if (is_signed && shift < 64 && byte & 0x40)
		value |= ~0ULL << shift;
	return value;
}

static inline uint64_t reader__uleb(struct reader *r)
{
	return reader__leb(r, 0);
}

static inline int64_t reader__sleb(struct reader *r)
{
	return reader__leb(r, 1);
}

/* A NUL-terminated string, or "" and is_bad. */
static inline const char *reader__string(struct reader *r)
{
	const uint8_t *p = r->p, *nul = memchr(p, 0, reader__left(r));

	if (!nul) {
		reader__fail(r);
		return "";
	}
	r->p = nul + 1;
	return (const char *)p;
}

#endif /* SEEP_SYM_READER_H */
