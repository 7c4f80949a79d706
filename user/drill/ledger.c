// SPDX-License-Identifier: BSD-2-Clause
#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "ledger.h"

struct entry {
	uint64_t key;         /* hash of the frames */
	json_t *newest;       /* SITE of the last slice that saw it */
	double bytes, lo, hi; /* sums of what each slice left behind */
	double cnt;
	uint64_t samples;
	unsigned slices;
};

struct ledger {
	struct entry entries[LEDGER_MAX];
	size_t cnt;
	double watched_s;
	unsigned slices;
};

struct ledger *ledger__new(void)
{
	return calloc(1, sizeof(struct ledger));
}

void ledger__free(struct ledger *l)
{
	size_t i;

	if (!l)
		return;
	for (i = 0; i < l->cnt; i++)
		json_decref(l->entries[i].newest);
	free(l);
}

/* Addresses stand still while the process lives: they are the identity of a chain. */
static uint64_t key_of(const struct site *s)
{
	uint64_t hash = 0xcbf29ce484222325ULL;
	int i;

	for (i = 0; i < s->frame_cnt; i++)
		hash = (hash ^ s->frames[i].address) * 0x100000001b3ULL;
	return hash;
}

static struct entry *find(struct ledger *l, uint64_t key)
{
	size_t i;

	for (i = 0; i < l->cnt; i++)
		if (l->entries[i].key == key)
			return &l->entries[i];
	return NULL;
}

/* A free entry, or that of the smallest site if the new one is larger. */
static struct entry *make_room(struct ledger *l, double bytes)
{
	struct entry *least = &l->entries[0];
	size_t i;

	if (l->cnt < LEDGER_MAX)
		return &l->entries[l->cnt++];
	for (i = 1; i < l->cnt; i++)
		if (l->entries[i].bytes < least->bytes)
			least = &l->entries[i];
	if (least->bytes >= bytes)
		return NULL;
	json_decref(least->newest);
	memset(least, 0, sizeof(*least));
	return least;
}

static int add_site(struct ledger *l, const struct site *s)
{
	uint64_t key = key_of(s);
	struct entry *e = find(l, key);
	json_t *json;

	if (!e)
		e = make_room(l, s->outstanding_bytes);
	if (!e)
		return 0;
	e->key = key;
	json = site__to_json(s);
	if (!json)
		return -ENOMEM;
	json_decref(e->newest);
	e->newest = json;
	e->bytes += s->outstanding_bytes;
	e->lo += s->outstanding_lo_bytes;
	e->hi += s->outstanding_hi_bytes;
	e->cnt += s->outstanding_count;
	e->samples += s->samples;
	e->slices++;
	return 0;
}

int ledger__add(struct ledger *l, const struct site *sites, size_t cnt, double watched_s)
{
	size_t i;
	int err;

	l->watched_s += watched_s;
	l->slices++;
	for (i = 0; i < cnt; i++) {
		if (sites[i].outstanding_bytes <= 0 || sites[i].verdict == SITE_CHURN)
			continue;
		err = add_site(l, &sites[i]);
		if (err)
			return err;
	}
	return 0;
}

double ledger__bytes(const struct ledger *l)
{
	double sum = 0;
	size_t i;

	for (i = 0; i < l->cnt; i++)
		sum += l->entries[i].bytes;
	return sum;
}

static int by_bytes(const void *a, const void *b)
{
	const struct entry *x = *(const struct entry *const *)a;
	const struct entry *y = *(const struct entry *const *)b;

	return x->bytes < y->bytes ? 1 : x->bytes > y->bytes ? -1 : 0;
}

static json_t *whole(double number)
{
	return fabs(number) < 9e18 ? json_integer(llround(number)) : json_null();
}

static json_t *entry_to_json(const struct ledger *l, const struct entry *e)
{
	double per_hour = l->watched_s > 0 ? e->bytes / l->watched_s * 3600 : NAN;
	json_t *o = json_copy(e->newest), *ci = json_array();

	if (!o || !ci) {
		json_decref(o);
		json_decref(ci);
		return NULL;
	}
	json_array_append_new(ci, whole(e->lo));
	json_array_append_new(ci, whole(e->hi));
	json_object_set_new(o, "outstanding_bytes", whole(e->bytes));
	json_object_set_new(o, "outstanding_ci_bytes", ci);
	json_object_set_new(o, "outstanding_count", whole(e->cnt));
	json_object_set_new(o, "samples", json_integer(e->samples));
	json_object_set_new(o, "slices", json_integer(e->slices));
	json_object_set_new(o, "growth_bytes_per_hour", whole(per_hour));
	return o;
}

json_t *ledger__to_json(const struct ledger *l, size_t top)
{
	const struct entry *order[LEDGER_MAX];
	json_t *list = json_array();
	size_t i;

	for (i = 0; i < l->cnt; i++)
		order[i] = &l->entries[i];
	qsort(order, l->cnt, sizeof(order[0]), by_bytes);
	for (i = 0; i < l->cnt && i < top; i++)
		json_array_append_new(list, entry_to_json(l, order[i]));
	return list;
}
