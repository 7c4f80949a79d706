// SPDX-License-Identifier: BSD-2-Clause
/* message.c - see message.h: a header of two numbers, then the bytes. */
#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "clock.h"
#include "message.h"

#define BLOCK_BYTES 16384 /* taken in at a time: what is claimed is not what is allocated */

struct header {
	uint32_t type, len;
};

union control {
	char bytes[CMSG_SPACE(sizeof(int))];
	struct cmsghdr align;
};

/* Until the socket is ready. 0, -ETIMEDOUT or -errno. */
static int await(int sock, short events, int *patience_ms)
{
	struct pollfd p = {.fd = sock, .events = events};
	uint64_t began_ns = clock__boot_ns();
	int n;

	do
		n = poll(&p, 1, patience_ms ? *patience_ms : -1);
	while (n < 0 && errno == EINTR);
	if (patience_ms) {
		*patience_ms -= (clock__boot_ns() - began_ns) / 1000000;
		if (*patience_ms < 0)
			*patience_ms = 0;
	}
	return n < 0 ? -errno : n ? 0 : -ETIMEDOUT;
}

static int is_passing(int err)
{
	return err == EINTR || err == EAGAIN || err == EWOULDBLOCK;
}

/* All of it; the descriptor goes with the first byte. */
static int send_bytes(int sock, const void *data, size_t len, int fd, int *patience_ms)
{
	union control control = {};
	struct iovec io = {(void *)data, len};
	struct msghdr msg = {.msg_iov = &io, .msg_iovlen = 1};
	ssize_t n;
	int err;

	if (fd >= 0) {
		msg.msg_control = control.bytes;
		msg.msg_controllen = sizeof(control.bytes);
		CMSG_FIRSTHDR(&msg)->cmsg_level = SOL_SOCKET;
		CMSG_FIRSTHDR(&msg)->cmsg_type = SCM_RIGHTS;
		CMSG_FIRSTHDR(&msg)->cmsg_len = CMSG_LEN(sizeof(int));
		memcpy(CMSG_DATA(CMSG_FIRSTHDR(&msg)), &fd, sizeof(fd));
	}
	while (io.iov_len) {
		n = sendmsg(sock, &msg, MSG_NOSIGNAL | MSG_DONTWAIT);
		if (n < 0 && !is_passing(errno))
			return errno == ECONNRESET ? -EPIPE : -errno;
		if (n < 0) {
			err = await(sock, POLLOUT, patience_ms);
			if (err)
				return err;
			continue;
		}
		io.iov_base = (char *)io.iov_base + n;
		io.iov_len -= n;
		msg.msg_control = NULL;
		msg.msg_controllen = 0;
	}
	return 0;
}

int message__send(int sock, uint32_t type, const void *data, size_t len, int fd, int *patience_ms)
{
	struct header h = {type, len};
	int err;

	if (len > UINT32_MAX)
		return -EMSGSIZE;
	err = send_bytes(sock, &h, sizeof(h), fd, patience_ms);
	return err ? err : send_bytes(sock, data, len, -1, patience_ms);
}

/* Whoever gets more than one, or one that it did not ask for, has them closed. */
static void take_fd(struct msghdr *msg, int *fd)
{
	struct cmsghdr *c;

	for (c = CMSG_FIRSTHDR(msg); c; c = CMSG_NXTHDR(msg, c)) {
		if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS ||
		    c->cmsg_len != CMSG_LEN(sizeof(int)))
			continue;
		if (*fd >= 0)
			close(*fd);
		memcpy(fd, CMSG_DATA(c), sizeof(*fd));
	}
}

static int recv_bytes(int sock, void *data, size_t len, int *fd, int *patience_ms)
{
	union control control;
	struct iovec io = {data, len};
	ssize_t n;
	int err;

	while (io.iov_len) {
		struct msghdr msg = {.msg_iov = &io, .msg_iovlen = 1};

		if (fd) {
			msg.msg_control = control.bytes;
			msg.msg_controllen = sizeof(control.bytes);
		}
		n = recvmsg(sock, &msg, MSG_CMSG_CLOEXEC | MSG_DONTWAIT);
		if (n > 0 && fd)
			take_fd(&msg, fd);
		if (!n || (n < 0 && errno == ECONNRESET))
			return -EPIPE;
		if (n < 0 && !is_passing(errno))
			return -errno;
		if (n < 0) {
			err = await(sock, POLLIN, patience_ms);
			if (err)
				return err;
			continue;
		}
		io.iov_base = (char *)io.iov_base + n;
		io.iov_len -= n;
	}
	return 0;
}

static int recv_body(int sock, size_t len, struct buf *data, int *patience_ms)
{
	char block[BLOCK_BYTES];
	size_t part;
	int err = 0;

	data->len = 0;
	while (len && !err) {
		part = len < sizeof(block) ? len : sizeof(block);
		err = recv_bytes(sock, block, part, NULL, patience_ms);
		if (!err)
			buf__append(data, block, part);
		len -= part;
	}
	return err ? err : data->err;
}

int message__recv(int sock, size_t max, uint32_t *ret_type, struct buf *ret_data, int *ret_fd,
		  int *patience_ms)
{
	struct header h;
	int fd = -1, err;

	err = recv_bytes(sock, &h, sizeof(h), ret_fd ? &fd : NULL, patience_ms);
	if (!err && h.len > max)
		err = -EMSGSIZE;
	if (!err)
		err = recv_body(sock, h.len, ret_data, patience_ms);
	if (err) {
		if (fd >= 0)
			close(fd);
		return err;
	}
	*ret_type = h.type;
	if (ret_fd)
		*ret_fd = fd;
	return 0;
}
