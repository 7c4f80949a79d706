/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * uprobe_link.h - attach one program to many places of a file, in one process.
 *
 * Three ways, from the newest kernel to the oldest: a session (entry and return in one program,
 * 6.13), uprobe_multi (6.6), and perf events (one per place, slow to detach). Sessions are newer
 * than the libbpf we build with, so links of the first two are made by bpf(2) itself.
 */
#ifndef SEEP_PROBE_UPROBE_LINK_H
#define SEEP_PROBE_UPROBE_LINK_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct bpf_program;
struct uprobe_link;

enum uprobe_mode { UPROBE_SESSION, UPROBE_MULTI, UPROBE_PERF };

/* "session", "multi", "perf". */
const char *uprobe_mode__name(enum uprobe_mode mode);
/* Expected attach type a program needs when it is loaded. */
int uprobe_mode__attach_type(enum uprobe_mode mode);

struct uprobe_place {
	uint64_t offset; /* in the file */
	uint64_t cookie;
};

struct uprobe_spec {
	enum uprobe_mode mode;
	pid_t pid;
	int fd;	       /* of the file, open until the link is made */
	int is_return; /* on return of the function; not with sessions */
	const struct uprobe_place *places;
	size_t cnt;
};

/* 0 or -errno: -EINVAL usually means that the kernel does not know the mode. */
int uprobe_link__new(const struct uprobe_spec *spec, const struct bpf_program *prog,
		     struct uprobe_link **ret_link);
/* Detaches. NULL is fine. */
void uprobe_link__free(struct uprobe_link *l);

#endif /* SEEP_PROBE_UPROBE_LINK_H */
