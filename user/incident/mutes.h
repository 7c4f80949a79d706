/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * mutes.h - about whom nobody wants to be told for a while.
 *
 * A mute is a selector with an end. It holds back notifications; incidents open, update and close as
 * ever. Mutes live in the history, so that a restart does not wake anybody, and in memory where
 * there is none.
 */
#ifndef SEEP_INCIDENT_MUTES_H
#define SEEP_INCIDENT_MUTES_H

#include "../who/selector.h"
#include "history.h"

#define MUTES_MAX	64
#define MUTE_REASON_MAX 200 /* bytes */

struct mute {
	char id[INCIDENT_ID_LEN];
	struct selector *select;
	char reason[MUTE_REASON_MAX + 1];
	double created_s, until_s; /* until_s INFINITY: for good */
};

struct mutes;

/* Takes up what the history (may be NULL) knows. NULL: out of memory. */
struct mutes *mutes__new(struct history *h);
/* A history, where there was none: its mutes join those that are here, which may get new IDs. */
void mutes__use(struct mutes *m, struct history *h);
void mutes__free(struct mutes *m);

/* 0 with the mute, owned by the module; -EINVAL, -E2BIG, -ENOMEM with the reason in why. reason may
 * be NULL. */
int mutes__add(struct mutes *m, double now_s, double until_s, const char *selector,
	       const char *reason, const struct mute **ret_mute, char why[SELECTOR_WHY_LEN]);
/* By id or by the selector as it was written. 0 or -ENOENT. */
int mutes__remove(struct mutes *m, const char *what);

/* The mute that covers the subject now and lasts longest, or NULL. Drops what is over. */
const struct mute *mutes__covering(struct mutes *m, double now_s,
				   const struct selector_subject *subject);

size_t mutes__cnt(struct mutes *m, double now_s);
const struct mute *mutes__at(const struct mutes *m, size_t i);

#endif /* SEEP_INCIDENT_MUTES_H */
