// SPDX-License-Identifier: BSD-2-Clause
/* remote.c - see remote.h: process_vm_readv for the bytes, /proc/PID/pagemap for what is present. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include "../base/fs.h"
#include "remote.h"

#define PAGES_AT_ONCE 512
#define PAGE_PRESENT  (1ULL << 63)
#define PAGE_SWAPPED  (1ULL << 62)
#define PAGE_OF_FILE  (1ULL << 61) /* or shared */
#define UNTOLD_MAX    (256ULL << 30)

/* PAGEMAP_SCAN of <linux/fs.h>, which Debian 12's headers do not have. */
struct pages_wanted {
	uint64_t size, flags, start, end, walk_end, vec, vec_len, max_pages;
	uint64_t inverted, mask, any_of, told;
};

struct pages_found {
	uint64_t start, end, categories;
};

#define SCAN_PAGES   _IOWR('f', 16, struct pages_wanted)
#define IS_PRESENT   (1ULL << 3)
#define IS_SWAPPED   (1ULL << 4)

struct remote {
	pid_t pid;
	int pid_fd;
	int pagemap_fd;
	size_t page_size;
	int cannot_skip;
	uint64_t untold_bytes; /* looked at page by page */
};

uint64_t remote__anon_bytes(pid_t pid)
{
	char path[64], text[4096];
	uint64_t kib;

	snprintf(path, sizeof(path), "/proc/%d/status", pid);
	if (fs__read(path, text, sizeof(text)) <= 0 || !fs__find_u64(text, "RssAnon", &kib))
		return UINT64_MAX;
	return kib << 10;
}

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

int remote__skip_hole(struct remote *r, uint64_t *address, uint64_t end)
{
	struct pages_found found;
	struct pages_wanted wanted = {
		.size = sizeof(wanted), .start = *address, .end = end, .max_pages = 1,
		.vec = (uintptr_t)&found, .vec_len = 1,
		.any_of = IS_PRESENT | IS_SWAPPED, .told = IS_PRESENT | IS_SWAPPED,
	};
	int cnt = ioctl(r->pagemap_fd, SCAN_PAGES, &wanted);

	if (cnt >= 0) {
		*address = cnt ? found.start : end;
		return 0;
	}
	if (errno != ENOTTY)
		return -errno;
	r->cannot_skip = 1;
	return 0;
}

/* The entries of cnt pages; what is not mapped (any more) has 0. */
static int read_pagemap(struct remote *r, uint64_t address, size_t cnt, uint64_t *ret_entries)
{
	size_t bytes = cnt * sizeof(*ret_entries);
	ssize_t got;

	memset(ret_entries, 0, bytes);
	got = pread(r->pagemap_fd, ret_entries, bytes,
		    address / r->page_size * sizeof(*ret_entries));
	return got < 0 ? -errno : 0;
}

static int is_wanted(uint64_t entry, enum remote_pages which)
{
	return (entry & PAGE_PRESENT) && (which == REMOTE_PRESENT || !(entry & PAGE_OF_FILE));
}

/* One run of pages. What went away meanwhile is left out. */
static int read_run(struct remote *r, uint64_t address, unsigned char *ret_bytes, size_t len,
		    struct remote_seen *seen)
{
	int err = read_memory(r, address, ret_bytes, len);

	if (err == -EFAULT) {
		seen->unread_bytes += len;
		memset(ret_bytes, 0, len);
		return 0;
	}
	if (!err)
		seen->read_bytes += len;
	return err;
}

/* At most PAGES_AT_ONCE of them. */
static int fill_some(struct remote *r, uint64_t address, unsigned char *ret_bytes, size_t cnt,
		     enum remote_pages which, struct remote_seen *seen)
{
	size_t page = r->page_size, i, first;
	uint64_t entries[PAGES_AT_ONCE];
	int err;

	err = read_pagemap(r, address, cnt, entries);
	for (i = 0; i < cnt && !err; i++) {
		for (first = i; i < cnt && is_wanted(entries[i], which);)
			i++;
		if (i > first)
			err = read_run(r, address + first * page, ret_bytes + first * page,
				       (i - first) * page, seen);
		if (i < cnt && (entries[i] & PAGE_SWAPPED))
			seen->swapped_bytes += page;
	}
	return err;
}

int remote__fill(struct remote *r, uint64_t address, void *ret_bytes, size_t len,
		 enum remote_pages which, struct remote_seen *seen)
{
	size_t most = PAGES_AT_ONCE * r->page_size, done, some;
	int err = 0;

	r->untold_bytes += r->cannot_skip ? len : 0;
	if (r->untold_bytes > UNTOLD_MAX)
		return -EFBIG;
	memset(ret_bytes, 0, len);
	for (done = 0; done < len && !err; done += some) {
		some = len - done < most ? len - done : most;
		err = fill_some(r, address + done, (unsigned char *)ret_bytes + done,
				some / r->page_size, which, seen);
	}
	return err;
}

int remote__has_ended(const struct remote *r)
{
	return fs__is_readable(r->pid_fd);
}
