/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * wire.h - numbers and texts in messages between processes of one machine.
 *
 * Written into a buf, read with a reader: a message that is too short sets is_bad.
 */
#ifndef SEEP_SYM_WIRE_H
#define SEEP_SYM_WIRE_H

#include <stdint.h>
#include <string.h>

#include "../base/buf.h"
#include "reader.h"

#define WIRE_TEXT_MAX 4096 /* longer ones are cut */

/* The low `bytes` bytes of value. */
static inline void wire__put_uint(struct buf *b, uint64_t value, size_t bytes)
{
	buf__append(b, &value, bytes);
}

/* May be NULL, which comes out as NULL. */
static inline void wire__put_text(struct buf *b, const char *text)
{
	size_t len = text ? strlen(text) : 0;

	wire__put_uint(b, !!text, 1);
	if (!text)
		return;
	buf__append(b, text, len < WIRE_TEXT_MAX ? len : WIRE_TEXT_MAX);
	buf__append(b, "", 1);
}

/* Inside the message. */
static inline const char *wire__text(struct reader *r)
{
	return reader__u8(r) ? reader__string(r) : NULL;
}

#endif /* SEEP_SYM_WIRE_H */
