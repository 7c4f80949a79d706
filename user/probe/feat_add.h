/* SPDX-License-Identifier: BSD-2-Clause */
/* feat_add.h - inside probe/feat*.c: how findings are added to the list of feat__check(). */
#ifndef SEEP_PROBE_FEAT_ADD_H
#define SEEP_PROBE_FEAT_ADD_H

#include <stdbool.h>

#include "feat.h"

struct checks {
	struct feat_check *v;
	int cnt, cap;
};

/* One finding; fix is dropped when the level is FEAT_OK. Beyond cap it is silently left out. */
void feat__add(struct checks *c, const char *name, enum feat_level level, const char *means,
	       const char *fix, const char *fmt, ...) __attribute__((format(printf, 6, 7)));

/* Effective, by number as in linux/capability.h. */
bool feat__has_cap(int cap);

/* feat_node.c: what of the node is to be seen from where we run: processes, cgroups, files. */
void feat__check_node(struct checks *c);

#endif /* SEEP_PROBE_FEAT_ADD_H */
