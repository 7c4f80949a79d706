// SPDX-License-Identifier: BSD-2-Clause
/* remote.c - see remote.h: process_vm_readv for the bytes, /proc/PID/pagemap for what is present. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include "remote.h"

#define PAGES_AT_ONCE 512
#define PAGE_PRESENT  (1ULL << 63)
#define PAGE_SWAPPED  (1ULL << 62)

struct remote {
	pid_t pid;
	int pid_fd;
	int pagemap_fd;
	size_t page_size;
};

int remote__open(pid_t pid, struct remote **ret_remote)
{
	struct remote *r = calloc(1, sizeof(*r));
	char path[64];
	int err = 0;

	if (!r)
		return -ENOMEM;
	snprintf(path, sizeof(path), "/proc/%d/pagemap", pid);
	r->pid = pid;
	r->page_size = sysconf(_SC_PAGESIZE);
	r->pagemap_fd = -1;
	r->pid_fd = syscall(SYS_pidfd_open, pid, 0);
	if (r->pid_fd >= 0)
		r->pagemap_fd = open(path, O_RDONLY | O_CLOEXEC);
	if (r->pagemap_fd < 0) {
		err = errno == ENOENT ? -ESRCH : errno == EACCES ? -EPERM : -errno;
		remote__close(r);
		return err;
	}
	*ret_remote = r;
	return 0;
}

void remote__close(struct remote *r)
{
	if (!r)
		return;
	if (r->pagemap_fd >= 0)
		close(r->pagemap_fd);
	if (r->pid_fd >= 0)
		close(r->pid_fd);
	free(r);
}

static int read_memory(void *ctx, uint64_t address, void *ret_bytes, size_t len)
{
	struct remote *r = ctx;
	struct iovec here = {ret_bytes, len}, there = {(void *)(uintptr_t)address, len};
	ssize_t got = process_vm_readv(r->pid, &here, 1, &there, 1, 0);

	if (got < 0)
		return -errno;
	return (size_t)got == len ? 0 : -EFAULT;
}

struct memory remote__memory(struct remote *r)
{
	return (struct memory){.ctx = r, .read = read_memory};
}

int remote__present(struct remote *r, uint64_t address, size_t cnt, uint8_t *ret_present,
		    uint64_t *swapped)
{
	uint64_t entries[PAGES_AT_ONCE];
	size_t done, some, i;
	ssize_t got;

	for (done = 0; done < cnt; done += some) {
		some = cnt - done < PAGES_AT_ONCE ? cnt - done : PAGES_AT_ONCE;
		got = pread(r->pagemap_fd, entries, some * sizeof(entries[0]),
			    (address / r->page_size + done) * sizeof(entries[0]));
		if (got < 0)
			return -errno;
		for (i = 0; i < some; i++) {
			if ((i + 1) * sizeof(entries[0]) > (size_t)got)
				entries[i] = 0; /* the mapping is gone */
			ret_present[done + i] = !!(entries[i] & PAGE_PRESENT);
			*swapped += !!(entries[i] & PAGE_SWAPPED);
		}
	}
	return 0;
}

size_t remote__page_size(const struct remote *r)
{
	return r->page_size;
}

int remote__has_ended(const struct remote *r)
{
	struct pollfd p = {.fd = r->pid_fd, .events = POLLIN};

	return poll(&p, 1, 0) == 1;
}
