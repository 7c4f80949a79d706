/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * message.h - messages over a stream socket between two processes that need not trust each other.
 *
 * A message has a type, up to `max` bytes, and may bring one descriptor. Who waits may say how long:
 * the other side may be stuck, or want it to be.
 */
#ifndef SEEP_BASE_MESSAGE_H
#define SEEP_BASE_MESSAGE_H

#include <stddef.h>
#include <stdint.h>

#include "buf.h"

/*
 * patience_ms: how long all of it may still have to wait, and is counted down; NULL: for ever.
 * fd -1: none; it stays the caller's. 0; -ETIMEDOUT, -EPIPE the other side is gone, -errno.
 */
int message__send(int sock, uint32_t type, const void *data, size_t len, int fd, int *patience_ms);

/*
 * ret_data is emptied first. ret_fd NULL: descriptors are not wanted, and closed; else -1 if none
 * came. 0; -EMSGSIZE longer than max; -ETIMEDOUT, -EPIPE, -errno. After an error the socket is of no
 * more use.
 */
int message__recv(int sock, size_t max, uint32_t *ret_type, struct buf *ret_data, int *ret_fd,
		  int *patience_ms);

#endif /* SEEP_BASE_MESSAGE_H */
