/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * remote.h - another process's memory, read from outside and never disturbed.
 *
 * Nothing is stopped or written. Only pages that are in memory now are read: reading a page that is
 * swapped out would bring it in, at the cost of whom we look at. A process that runs changes its
 * memory meanwhile, so whatever is read has to be checked by who reads it.
 */
#ifndef SEEP_LANG_REMOTE_H
#define SEEP_LANG_REMOTE_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* Where bytes come from; tests and fuzzers bring memory of their own. */
struct memory {
	void *ctx;
	/* len bytes at address: 0; -EFAULT: not all of it is there; -ESRCH, -EPERM. */
	int (*read)(void *ctx, uint64_t address, void *ret_bytes, size_t len);
};

struct remote;

/* 0; -ESRCH no such process, -EPERM (CAP_SYS_PTRACE), -errno. */
int remote__open(pid_t pid, struct remote **ret_remote);
void remote__close(struct remote *r);
/* Valid as long as r. A read costs a system call. */
struct memory remote__memory(struct remote *r);

/*
 * Which of cnt pages (of remote__page_size bytes) from address on are in memory: ret_present[i] is 1
 * or 0. Adds those in swap to *swapped. 0 or -errno.
 */
int remote__present(struct remote *r, uint64_t address, size_t cnt, uint8_t *ret_present,
		    uint64_t *swapped);
size_t remote__page_size(const struct remote *r);
/* 1 if the process has ended since remote__open: its number may be another's. */
int remote__has_ended(const struct remote *r);

#endif /* SEEP_LANG_REMOTE_H */
