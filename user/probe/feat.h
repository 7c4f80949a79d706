/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * feat.h - what this kernel, these privileges and this node allow, found by trying.
 *
 * Never by version number: a calibration object (bpf/feat.bpf.c) is loaded program by program,
 * and files are opened. `seep doctor` prints the list; the loaders ask the same questions.
 */
#ifndef SEEP_PROBE_FEAT_H
#define SEEP_PROBE_FEAT_H

enum feat_level {
	FEAT_OK,
	FEAT_DEGRADED, /* works with something missing; `means` says what */
	FEAT_MISSING,  /* seep cannot do its job without it */
};

struct feat_check {
	const char *name;  /* "BTF", "tp_btf/rss_stat", "CAP_BPF", ... */
	enum feat_level level;
	char found[192];   /* what was found, one line */
	const char *means; /* what it means for seep; static */
	const char *fix;   /* how to mend it; NULL where there is nothing to mend */
};

#define FEAT_CHECKS_MAX 48

/* Can uprobe_multi links be made (6.6)? Without them allocator probes are perf events, which want
 * CAP_SYS_ADMIN. Reads the kernel's BTF: some 30 ms. */
int feat__has_uprobe_multi(void);

/* Run all checks (about 50 ms; needs no agent). Returns how many were filled. */
int feat__check(struct feat_check *checks, int cap);

#endif /* SEEP_PROBE_FEAT_H */
