// SPDX-License-Identifier: BSD-2-Clause
#include "uprobe_link.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>
#include <linux/bpf.h>
#include <bpf/libbpf.h>

/*
 * d920179b3d48 ("bpf: Add support for uprobe multi session attach", 6.13), not in the headers
 * of Debian 12 and 13.
 */
#define ATTACH_UPROBE_MULTI   48
#define ATTACH_UPROBE_SESSION 57
#define UPROBE_MULTI_RETURN   1U

struct uprobe_link {
	int fd; /* of a multi link; -1 = none */
	struct bpf_link **perf_links;
	size_t perf_cnt;
};

/* The part of union bpf_attr that makes a multi link. */
struct multi_attr {
	uint32_t prog_fd;
	uint32_t target_fd;
	uint32_t attach_type;
	uint32_t flags;
	uint64_t path;
	uint64_t offsets;
	uint64_t ref_ctr_offsets;
	uint64_t cookies;
	uint32_t cnt;
	uint32_t multi_flags;
	uint32_t pid;
	uint32_t pad;
};

const char *uprobe_mode__name(enum uprobe_mode mode)
{
	static const char *const names[] = {"session", "multi", "perf"};

	return names[mode];
}

int uprobe_mode__attach_type(enum uprobe_mode mode)
{
	static const int types[] = {ATTACH_UPROBE_SESSION, ATTACH_UPROBE_MULTI, 0};

	return types[mode];
}

static int create_multi(const struct uprobe_spec *spec, const struct bpf_program *prog,
			const char *path, const uint64_t *offsets, const uint64_t *cookies)
{
	struct multi_attr attr = {
		.prog_fd = bpf_program__fd(prog),
		.attach_type = uprobe_mode__attach_type(spec->mode),
		.path = (uintptr_t)path,
		.offsets = (uintptr_t)offsets,
		.cookies = (uintptr_t)cookies,
		.cnt = spec->cnt,
		.multi_flags = spec->is_return ? UPROBE_MULTI_RETURN : 0,
		.pid = spec->pid,
	};
	int fd = syscall(SYS_bpf, BPF_LINK_CREATE, &attr, sizeof(attr));

	return fd < 0 ? -errno : fd;
}

static int attach_multi(struct uprobe_link *l, const struct uprobe_spec *spec,
			const struct bpf_program *prog, const char *path)
{
	uint64_t *offsets = calloc(spec->cnt * 2, sizeof(*offsets)), *cookies;
	size_t i;

	if (!offsets)
		return -ENOMEM;
	cookies = offsets + spec->cnt;
	for (i = 0; i < spec->cnt; i++) {
		offsets[i] = spec->places[i].offset;
		cookies[i] = spec->places[i].cookie;
	}
	l->fd = create_multi(spec, prog, path, offsets, cookies);
	free(offsets);
	return l->fd < 0 ? l->fd : 0;
}

/* Kernels before 5.15 have no cookies: the program knows its place by the address. */
static struct bpf_link *attach_place(const struct uprobe_spec *spec, const struct bpf_program *prog,
				     const char *path, const struct uprobe_place *place)
{
	LIBBPF_OPTS(bpf_uprobe_opts, opts, .retprobe = spec->is_return,
		    .bpf_cookie = place->cookie);
	struct bpf_link *link;

	link = bpf_program__attach_uprobe_opts(prog, spec->pid, path, place->offset, &opts);
	if (link || errno != EOPNOTSUPP)
		return link;
	opts.bpf_cookie = 0;
	return bpf_program__attach_uprobe_opts(prog, spec->pid, path, place->offset, &opts);
}

static int attach_perf(struct uprobe_link *l, const struct uprobe_spec *spec,
		       const struct bpf_program *prog, const char *path)
{
	struct bpf_link *link;

	l->perf_links = calloc(spec->cnt, sizeof(struct bpf_link *));
	if (!l->perf_links)
		return -ENOMEM;
	for (; l->perf_cnt < spec->cnt; l->perf_cnt++) {
		link = attach_place(spec, prog, path, &spec->places[l->perf_cnt]);
		if (!link)
			return -errno;
		l->perf_links[l->perf_cnt] = link;
	}
	return 0;
}

int uprobe_link__new(const struct uprobe_spec *spec, const struct bpf_program *prog,
		     struct uprobe_link **ret_link)
{
	struct uprobe_link *l = calloc(1, sizeof(*l));
	char path[32];
	int err;

	if (!l)
		return -ENOMEM;
	l->fd = -1;
	/* works for files in other mount namespaces, and for deleted ones */
	snprintf(path, sizeof(path), "/proc/self/fd/%d", spec->fd);
	err = spec->mode == UPROBE_PERF ? attach_perf(l, spec, prog, path)
					: attach_multi(l, spec, prog, path);
	if (err) {
		uprobe_link__free(l);
		return err;
	}
	*ret_link = l;
	return 0;
}

void uprobe_link__free(struct uprobe_link *l)
{
	size_t i;

	if (!l)
		return;
	if (l->fd >= 0)
		close(l->fd);
	for (i = 0; i < l->perf_cnt; i++)
		bpf_link__destroy(l->perf_links[i]);
	free(l->perf_links);
	free(l);
}
