/* SPDX-License-Identifier: BSD-2-Clause */
/* tool.h - a tracer run as its users run it: a command beside the program that it looks at. */
#ifndef SEEP_BENCH_CLOSER_TOOL_H
#define SEEP_BENCH_CLOSER_TOOL_H

#include <stddef.h>
#include <sys/types.h>

/* command: for sh, "%d" stands for the program's pid. Its process group, or -errno. */
pid_t tool__start(const char *command, pid_t target);
/* 1: it has ended by itself. */
int tool__has_ended(pid_t tool);
/* As Ctrl-C does; returns when it is gone. */
void tool__stop(pid_t tool);

/*
 * Bytes of a process group without one process: the most that was resident, and the maps of its
 * BPF programs, which are the kernel's.
 */
double tool__bytes(pid_t group, pid_t without);
/* The most that was resident of one process. */
double tool__peak_bytes(pid_t pid);

#endif /* SEEP_BENCH_CLOSER_TOOL_H */
