// SPDX-License-Identifier: BSD-2-Clause
/* test_mutes.c - whom a mute covers, how it ends, and that it outlives a restart. */
#include <errno.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "incident/mutes.h"

#define NOW 1800000000.

static const struct selector_subject api = {.kind = "process", .comm = "api", .uid = UINT32_MAX};
static char dir[64], why[SELECTOR_WHY_LEN];
static struct history *history;

static int setup(void **state)
{
	char path[128];
	const char *reason;

	strcpy(dir, "/tmp/seep-mutes-XXXXXX");
	if (!mkdtemp(dir))
		return -1;
	snprintf(path, sizeof(path), "%s/incidents.db", dir);
	return history__open(path, &history, &reason);
}

static int teardown(void **state)
{
	char command[128];

	history__close(history);
	snprintf(command, sizeof(command), "rm -rf %s", dir);
	return system(command);
}

static const struct mute *add(struct mutes *m, const char *selector, double until_s)
{
	const struct mute *mute = NULL;

	if (mutes__add(m, NOW, until_s, selector, "a\nreason", &mute, why))
		fail_msg("%s", why);
	return mute;
}

static void covers_until_it_ends(void **state)
{
	struct mutes *m = mutes__new(history);

	assert_null(mutes__covering(m, NOW, &api));
	add(m, "comm=a*", NOW + 60);
	add(m, "comm=other", NOW + 3600);
	assert_string_equal(mutes__covering(m, NOW, &api)->id, "m1");
	add(m, "kind=process", NOW + 120);
	assert_string_equal(mutes__covering(m, NOW, &api)->id, "m3"); /* lasts longer */
	assert_int_equal(mutes__cnt(m, NOW + 60), 2);
	assert_string_equal(mutes__covering(m, NOW + 61, &api)->id, "m3");
	assert_null(mutes__covering(m, NOW + 121, &api));
	assert_string_equal(add(m, "comm=x", NOW + 9999)->id, "m1"); /* free again */
	mutes__free(m);
}

static void outlives_a_restart(void **state)
{
	struct mutes *m = mutes__new(history);

	add(m, "comm=api", INFINITY);
	add(m, "comm=gone", NOW + 60);
	assert_int_equal(mutes__remove(m, "comm=gone"), 0);
	assert_int_equal(mutes__remove(m, "m9"), -ENOENT);
	mutes__free(m);
	m = mutes__new(history);
	assert_int_equal(mutes__cnt(m, NOW), 1);
	assert_string_equal(mutes__at(m, 0)->reason, "a?reason");
	assert_true(isinf(mutes__covering(m, NOW + 1e9, &api)->until_s));
	assert_int_equal(mutes__remove(m, "m1"), 0);
	mutes__free(m);
	m = mutes__new(history);
	assert_int_equal(mutes__cnt(m, NOW), 0);
	mutes__free(m);
}

static void says_what_is_wrong(void **state)
{
	struct mutes *m = mutes__new(NULL); /* without a history they live in memory */
	const struct mute *mute;
	int i;

	assert_int_equal(mutes__add(m, NOW, INFINITY, "api", NULL, &mute, why), -EINVAL);
	assert_true(strlen(why) > 0);
	for (i = 0; i < MUTES_MAX; i++)
		add(m, "comm=x", NOW + 60);
	assert_int_equal(mutes__add(m, NOW, NOW + 60, "comm=x", NULL, &mute, why), -E2BIG);
	assert_int_equal(mutes__add(m, NOW + 61, NOW + 99, "comm=x", NULL, &mute, why), 0);
	mutes__free(m);
	mutes__free(NULL);
}

/* Muted while the history could not be opened: both lists are kept. */
static void history_comes_late(void **state)
{
	struct mutes *m = mutes__new(history);

	add(m, "comm=before", INFINITY);
	mutes__free(m);
	m = mutes__new(NULL);
	add(m, "comm=api", INFINITY);
	mutes__use(m, history);
	assert_int_equal(mutes__cnt(m, NOW), 2);
	assert_string_equal(mutes__covering(m, NOW, &api)->id, "m2");
	mutes__free(m);
	m = mutes__new(history);
	assert_int_equal(mutes__cnt(m, NOW), 2);
	mutes__free(m);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(covers_until_it_ends, setup, teardown),
		cmocka_unit_test_setup_teardown(outlives_a_restart, setup, teardown),
		cmocka_unit_test_setup_teardown(says_what_is_wrong, setup, teardown),
		cmocka_unit_test_setup_teardown(history_comes_late, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
