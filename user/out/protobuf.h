/* SPDX-License-Identifier: BSD-2-Clause */
/* protobuf.h - just enough of the protocol buffer wire format to write messages. */
#ifndef SEEP_OUT_PROTOBUF_H
#define SEEP_OUT_PROTOBUF_H

#include <stdint.h>

#include "../base/buf.h"

/* A bare number, as in a packed field. */
void protobuf__varint(struct buf *b, uint64_t value);
/* A field that holds a number; 0 is the default and is left out. */
void protobuf__number(struct buf *b, unsigned field, uint64_t value);
/* A field that holds bytes: a string, a message, packed numbers. */
void protobuf__bytes(struct buf *b, unsigned field, const void *data, size_t len);
/* A field that holds the message that was built in m, which is emptied. */
void protobuf__message(struct buf *b, unsigned field, struct buf *m);

#endif /* SEEP_OUT_PROTOBUF_H */
