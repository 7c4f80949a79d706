/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * confine.h - what a process gives up before it reads what strangers wrote, and which system calls
 * one that keeps its privileges does without.
 *
 * Each step is tried, whatever became of the others: a container may permit few of them.
 */
#ifndef SEEP_BASE_CONFINE_H
#define SEEP_BASE_CONFINE_H

#include <stddef.h>

/* Which steps were taken. */
#define CONFINED_USER	 (1u << 0) /* runs as nobody */
#define CONFINED_NETWORK (1u << 1) /* in a network of its own, without devices */
#define CONFINED_CAPS	 (1u << 2) /* no capabilities, and no way to get any */
#define CONFINED_SECCOMP (1u << 3) /* reads what it was given, and does nothing else */
#define CONFINED_LIMITS	 (1u << 4) /* memory, files, no core, no children */
#define CONFINED_ALL	 ((1u << 5) - 1)

/* Become nobody without network and capabilities, and leave the terminal. For a process with one
 * thread, for good. Returns the steps that were taken. */
unsigned confine__identity(void);
/* What is left to a process that only reads descriptors which it is given over a socket. For good. */
unsigned confine__reader(void);

/* "user nobody, no network, ..."; and what is missing of them, or "". */
void confine__describe(unsigned steps, char *ret_text, size_t cap);
void confine__missing(unsigned steps, char *ret_text, size_t cap);

/*
 * From here on this thread, and those that it begins, cannot do what an agent never does: take
 * control of other processes, run programs (but with may_exec), change mounts, modules, users. It
 * gets EPERM, and the kernel logs it. 0 or -errno.
 */
int confine__guard(int may_exec);

#endif /* SEEP_BASE_CONFINE_H */
