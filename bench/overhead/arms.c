// SPDX-License-Identifier: BSD-2-Clause
#include "arms.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "peers.skel.h"
#include "probe/bpf_log.h"
#include "probe/growth_probe.h"
#include "probe/rss_probe.h"

struct arm {
	struct rss_probe *probe;
	struct peers_bpf *peers;
	struct growth_probe *growth;
};

static const char *const names[] = {
	[ARM_OFF] = "off",
	[ARM_SEEP] = "seep (tp_btf)",
	[ARM_EMPTY] = "floor: tp_btf, empty program",
	[ARM_NAIVE] = "peer: tp_btf + hash update",
	[ARM_CLASSIC_EMPTY] = "peer: tracepoint, empty program",
	[ARM_CLASSIC_HASH] = "peer: tracepoint + hash update",
	[ARM_GROWTH] = "growth by call stack, of it",
	[ARM_GROWTH_OTHER] = "growth by call stack, of another",
};

const char *arm__name(enum arm_id id)
{
	return names[id];
}

static int load_peer(struct arm *arm, enum arm_id id)
{
	struct peers_bpf *peers = peers_bpf__open();
	int err;

	if (!peers)
		return -errno;
	arm->peers = peers;
	bpf_program__set_autoload(peers->progs.empty_btf, id == ARM_EMPTY);
	bpf_program__set_autoload(peers->progs.naive_btf, id == ARM_NAIVE);
	bpf_program__set_autoload(peers->progs.classic_empty, id == ARM_CLASSIC_EMPTY);
	bpf_program__set_autoload(peers->progs.classic_hash, id == ARM_CLASSIC_HASH);
	err = peers_bpf__load(peers);
	return err ? err : peers_bpf__attach(peers);
}

static int watch_growth(struct arm *arm, pid_t pid, char *why, size_t why_cap)
{
	const struct growth_probe_cfg cfg = {.pid = pid};
	int err = growth_probe__new(&cfg, &arm->growth, why, why_cap);

	return err ? err : growth_probe__attach(arm->growth);
}

int arm__on(enum arm_id id, pid_t pid, struct arm **ret_arm, char *why, size_t why_cap)
{
	const struct rss_probe_cfg cfg = {0};
	struct arm *arm = calloc(1, sizeof(*arm));
	int err = 0;

	if (!arm)
		return -ENOMEM;
	if (id == ARM_SEEP) {
		err = rss_probe__new(&cfg, &arm->probe, why, why_cap);
	} else if (id == ARM_GROWTH || id == ARM_GROWTH_OTHER) {
		err = watch_growth(arm, id == ARM_GROWTH ? pid : getppid(), why, why_cap);
	} else if (id != ARM_OFF) {
		bpf_log__start();
		err = load_peer(arm, id);
		if (err)
			snprintf(why, why_cap, "%s", bpf_log__why());
	}
	if (err) {
		arm__off(arm);
		return err;
	}
	*ret_arm = arm;
	return 0;
}

void arm__off(struct arm *arm)
{
	if (!arm)
		return;
	rss_probe__free(arm->probe);
	growth_probe__free(arm->growth);
	peers_bpf__destroy(arm->peers);
	free(arm);
}

static int is_on_rss_stat(uint32_t link_id)
{
	char name[32] = "";
	struct bpf_link_info info = {
		.raw_tracepoint.tp_name = (uintptr_t)name,
		.raw_tracepoint.tp_name_len = sizeof(name),
	};
	uint32_t len = sizeof(info);
	int fd = bpf_link_get_fd_by_id(link_id), err;

	if (fd < 0)
		return 0;
	err = bpf_obj_get_info_by_fd(fd, &info, &len);
	close(fd);
	return !err && info.type == BPF_LINK_TYPE_RAW_TRACEPOINT && !strcmp(name, "rss_stat");
}

int arm__others(void)
{
	uint32_t id = 0;
	int cnt = 0;

	while (!bpf_link_get_next_id(id, &id))
		cnt += is_on_rss_stat(id);
	return cnt;
}
