// SPDX-License-Identifier: BSD-2-Clause
/*
 * fuzz_history.c - a database of incidents that somebody damaged: the input is patches (offset,
 * length, bytes) to a good one, whose rows are then read, expired and written to.
 */
#include <math.h>

#include "base/fs.h"
#include "fuzz.h"
#include "incident/history.h"
#include "incident/mutes.h"
#include "../unit/incident_sample.h"

static char good[256 << 10]; /* the database as it was made */
static ssize_t good_len;
static char db_path[160];

static int take(void *ctx, struct incident *in)
{
	json_t *json = incident__to_json(in, 0);
	int *cnt = ctx;

	json_decref(json);
	incident__free(in);
	return ++*cnt > 100;
}

static void take_told(void *ctx, const struct history_told *told)
{
	*(size_t *)ctx += strlen(told->target) + strlen(told->id);
}

static void put_incident(struct history *h, const char *id, const char *key, int is_closed)
{
	struct incident *in = sample_incident(id, key);

	if (is_closed)
		incident__close(in, T0 + 60, "growth stopped");
	if (history__put(h, in))
		abort();
	incident__free(in);
}

static void make_good(void)
{
	const struct history_told told = {.target = "ops", .id = "aaaa", .open = 1, .at_s = T0};
	const struct history_mute mute = {"m1", "pod=api-*", "why not", T0, INFINITY};
	struct history *h;
	const char *why;

	snprintf(db_path, sizeof(db_path), "%s/incidents.db", fuzz__dir());
	if (history__open(db_path, &h, &why))
		abort();
	put_incident(h, "aaaa", "p:1:1", 0);
	put_incident(h, "bbbb", "c:/x", 1);
	if (history__put_told(h, &told) || history__put_mute(h, &mute))
		abort();
	history__close(h);
	good_len = fs__read(db_path, good, sizeof(good));
	if (good_len <= 0 || good_len == sizeof(good) - 1)
		abort();
}

static void patch(char *db, const uint8_t *data, size_t size)
{
	size_t at, len;

	while (size > 4) {
		at = (data[0] | data[1] << 8 | data[2] << 16) % good_len;
		len = data[3];
		data += 4;
		size -= 4;
		len = len < size ? len : size;
		len = len < good_len - at ? len : good_len - at;
		memcpy(db + at, data, len);
		data += len;
		size -= len;
	}
}

static void use(struct history *h)
{
	const struct history_query all = {.since_s = NAN}, one = {.since_s = T0, .id_prefix = "aa"};
	struct incident *in = sample_incident("cccc", "p:2:2");
	struct history_stats stats;
	struct mutes *mutes;
	int cnt = 0;
	size_t len = 0;

	history__query(h, &all, take, &cnt);
	history__query(h, &one, take, &cnt);
	history__foreach_told(h, take_told, &len);
	mutes = mutes__new(h);
	mutes__free(mutes);
	history__put(h, in);
	history__expire(h, T0 + 100, 1);
	history__stats(h, &stats);
	incident__free(in);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static char db[sizeof(good)];
	struct history *h;
	const char *why;

	if (!good_len)
		make_good();
	fuzz__remove_dir();
	memcpy(db, good, good_len);
	patch(db, data, size);
	fuzz__put("incidents.db", (uint8_t *)db, good_len);
	if (!history__open(db_path, &h, &why)) {
		use(h);
		history__close(h);
	}
	return 0;
}
