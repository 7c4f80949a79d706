// SPDX-License-Identifier: BSD-2-Clause
/* protobuf.c - see protobuf.h. */
#include "protobuf.h"

enum { WIRE_VARINT = 0, WIRE_BYTES = 2 };

void protobuf__varint(struct buf *b, uint64_t value)
{
	unsigned char bytes[10];
	int n = 0;

	do {
		bytes[n] = (value & 0x7f) | (value > 0x7f ? 0x80 : 0);
		n++;
		value >>= 7;
	} while (value);
	buf__append(b, bytes, n);
}

void protobuf__number(struct buf *b, unsigned field, uint64_t value)
{
	if (!value)
		return;
	protobuf__varint(b, (uint64_t)field << 3 | WIRE_VARINT);
	protobuf__varint(b, value);
}

void protobuf__bytes(struct buf *b, unsigned field, const void *data, size_t len)
{
	protobuf__varint(b, (uint64_t)field << 3 | WIRE_BYTES);
	protobuf__varint(b, len);
	if (len)
		buf__append(b, data, len);
}

void protobuf__message(struct buf *b, unsigned field, struct buf *m)
{
	if (m->err)
		b->err = m->err;
	else
		protobuf__bytes(b, field, m->data, m->len);
	buf__free(m);
}
