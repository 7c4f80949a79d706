/* SPDX-License-Identifier: BSD-2-Clause */
/* buf.h - a byte buffer that grows; after a failed allocation it takes no more and says so. */
#ifndef SEEP_BASE_BUF_H
#define SEEP_BASE_BUF_H

#include <stdarg.h>
#include <stddef.h>

struct buf {
	char *data; /* NUL-terminated whenever len > 0 */
	size_t len;
	size_t cap;
	int err;    /* 0 or -ENOMEM, sticky until buf__free */
};

void buf__append(struct buf *b, const void *data, size_t len);
void buf__puts(struct buf *b, const char *s);
void buf__printf(struct buf *b, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* Drop the first n bytes. */
void buf__consume(struct buf *b, size_t n);
void buf__free(struct buf *b);

#endif /* SEEP_BASE_BUF_H */
