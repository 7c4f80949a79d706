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

/* How much there is that is its own, by /proc/PID/status; UINT64_MAX: not known. */
uint64_t remote__anon_bytes(pid_t pid);

struct remote;

/* 0; -ESRCH no such process, -EPERM (CAP_SYS_PTRACE), -errno. */
int remote__open(pid_t pid, struct remote **ret_remote);
void remote__close(struct remote *r);
/* Valid as long as r. A read costs a system call. */
struct memory remote__memory(struct remote *r);

enum remote_pages {
	REMOTE_PRESENT, /* all that are in memory */
	REMOTE_ANON,	/* ...and no file's: of a private mapping those that were written to */
};

struct remote_seen {
	uint64_t read_bytes;
	uint64_t swapped_bytes; /* left out */
	uint64_t unread_bytes;	/* were unmapped meanwhile, or are a device's */
};

/*
 * Where the next page is, from *address on and below end, that is in memory or in swap; end if there is
 * none: a program may map terabytes of which it uses little. Before Linux 6.7, which tells this,
 * *address stays, and after 256 GiB remote__fill says -EFBIG. 0 or -errno.
 */
int remote__skip_hole(struct remote *r, uint64_t *address, uint64_t end);

/*
 * What is in memory of len bytes from address on, both multiples of a page; all else is zeros: what
 * was never touched, and what *seen counts (it is added to). 0 or -errno. Two system calls for each
 * 2 MiB or hole.
 */
int remote__fill(struct remote *r, uint64_t address, void *ret_bytes, size_t len,
		 enum remote_pages which, struct remote_seen *seen);
/* 1 if the process has ended since remote__open: its number may be another's. */
int remote__has_ended(const struct remote *r);

#endif /* SEEP_LANG_REMOTE_H */
