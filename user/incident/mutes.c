// SPDX-License-Identifier: BSD-2-Clause
/* mutes.c - see mutes.h. Few enough to be looked through one by one. */
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "mutes.h"
#include "text.h"

struct mutes {
	struct history *history;
	struct mute v[MUTES_MAX];
	size_t cnt;
};

/* "m1", "m2": the first number that is free. */
static void choose_id(const struct mutes *m, char id[INCIDENT_ID_LEN])
{
	unsigned number = 0;
	size_t i;

	do {
		snprintf(id, INCIDENT_ID_LEN, "m%u", ++number);
		for (i = 0; i < m->cnt && strcmp(m->v[i].id, id); i++)
			;
	} while (i < m->cnt);
}

static void restore(void *ctx, const struct history_mute *row)
{
	char why[SELECTOR_WHY_LEN];
	struct mutes *m = ctx;
	struct mute *mute = &m->v[m->cnt];

	if (m->cnt == MUTES_MAX || selector__parse(row->selector, &mute->select, why))
		return;
	snprintf(mute->id, sizeof(mute->id), "%s", row->id);
	snprintf(mute->reason, sizeof(mute->reason), "%s", row->reason);
	mute->created_s = row->created_s;
	mute->until_s = row->until_s;
	m->cnt++;
}

struct mutes *mutes__new(struct history *h)
{
	struct mutes *m = calloc(1, sizeof(*m));

	if (!m)
		return NULL;
	m->history = h;
	if (h)
		history__foreach_mute(h, restore, m);
	return m;
}

static int save(struct mutes *m, const struct mute *mute)
{
	const struct history_mute row = {
		.id = mute->id,
		.selector = selector__text(mute->select),
		.reason = mute->reason,
		.created_s = mute->created_s,
		.until_s = mute->until_s,
	};

	return m->history ? history__put_mute(m->history, &row) : 0;
}

void mutes__use(struct mutes *m, struct history *h)
{
	size_t i, cnt = m->cnt;
	struct mute kept[MUTES_MAX];

	memcpy(kept, m->v, cnt * sizeof(kept[0]));
	m->history = h;
	m->cnt = 0;
	history__foreach_mute(h, restore, m);
	for (i = 0; i < cnt; i++) {
		if (m->cnt == MUTES_MAX) {
			selector__free(kept[i].select);
			continue;
		}
		choose_id(m, kept[i].id); /* that of the history may be another */
		m->v[m->cnt++] = kept[i];
		(void)save(m, &kept[i]);
	}
}

void mutes__free(struct mutes *m)
{
	size_t i;

	for (i = 0; m && i < m->cnt; i++)
		selector__free(m->v[i].select);
	free(m);
}

static void drop(struct mutes *m, size_t i)
{
	if (m->history)
		history__remove_mute(m->history, m->v[i].id);
	selector__free(m->v[i].select);
	m->v[i] = m->v[--m->cnt];
}

static void drop_ended(struct mutes *m, double now_s)
{
	size_t i;

	for (i = m->cnt; i-- > 0;)
		if (m->v[i].until_s <= now_s)
			drop(m, i);
}

static int set_reason(struct mute *mute, const char *reason)
{
	char *clean = text__clean(reason ? reason : "", MUTE_REASON_MAX);

	if (!clean)
		return -ENOMEM;
	snprintf(mute->reason, sizeof(mute->reason), "%s", clean);
	free(clean);
	return 0;
}

int mutes__add(struct mutes *m, double now_s, double until_s, const char *selector,
	       const char *reason, const struct mute **ret_mute, char why[SELECTOR_WHY_LEN])
{
	struct mute *mute;
	int err;

	drop_ended(m, now_s);
	if (m->cnt == MUTES_MAX) {
		snprintf(why, SELECTOR_WHY_LEN, "at most %d mutes at once", MUTES_MAX);
		return -E2BIG;
	}
	mute = &m->v[m->cnt];
	err = selector__parse(selector, &mute->select, why);
	if (err)
		return err;
	choose_id(m, mute->id);
	mute->created_s = now_s;
	mute->until_s = until_s;
	err = set_reason(mute, reason);
	if (!err)
		err = save(m, mute);
	if (err) {
		snprintf(why, SELECTOR_WHY_LEN, "it cannot be saved: %s", strerror(-err));
		selector__free(mute->select);
		return err;
	}
	m->cnt++;
	*ret_mute = mute;
	return 0;
}

int mutes__remove(struct mutes *m, const char *what)
{
	size_t i;

	for (i = 0; i < m->cnt; i++) {
		if (strcmp(m->v[i].id, what) && strcmp(selector__text(m->v[i].select), what))
			continue;
		drop(m, i);
		return 0;
	}
	return -ENOENT;
}

const struct mute *mutes__covering(struct mutes *m, double now_s,
				   const struct selector_subject *subject)
{
	const struct mute *longest = NULL;
	size_t i;

	drop_ended(m, now_s);
	for (i = 0; i < m->cnt; i++)
		if ((!longest || m->v[i].until_s > longest->until_s) &&
		    selector__matches(m->v[i].select, subject))
			longest = &m->v[i];
	return longest;
}

size_t mutes__cnt(struct mutes *m, double now_s)
{
	drop_ended(m, now_s);
	return m->cnt;
}

const struct mute *mutes__at(const struct mutes *m, size_t i)
{
	return &m->v[i];
}
