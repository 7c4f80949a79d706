// SPDX-License-Identifier: BSD-2-Clause
/* test_rules.c - filters and [rule] sections: what they forbid, want and set; what is refused. */
#include <errno.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "agent/rules.h"

static const struct selector_subject api = {
	.kind = "process",
	.ns = "shop",
	.pod = "api-1",
	.comm = "api",
	.uid = UINT32_MAX,
};
static const struct selector_subject backup = {
	.kind = "process",
	.comm = "backupd",
	.uid = UINT32_MAX,
};

static char why[RULES_WHY_LEN];

static struct verdict leak(double bytes_per_hour, double confidence)
{
	struct verdict v = verdict__unknown(VERDICT_LEAK);

	v.slope_bytes_per_hour = bytes_per_hour;
	v.confidence = confidence;
	return v;
}

static void set(struct rules *r, const char *name, const char *key, const char *value)
{
	if (rules__set(r, name, key, value, why))
		fail_msg("%s = %s: %s", key, value, why);
}

static void without_any_everything_may(void **state)
{
	struct rules *r = rules__new();
	const struct verdict v = leak(1, .5);
	enum incident_severity buf;

	assert_int_equal(rules__object_to(r, &api, &v, why), 0);
	assert_null(rules__severity(r, &api, &buf));
	assert_int_equal(rules__object_to(NULL, &api, &v, why), 0);
	rules__free(r);
	rules__free(NULL);
}

static void filters_let_through(void **state)
{
	struct rules *r = rules__new();

	assert_int_equal(rules__filter(r, RULES_EXCLUDE, "comm=backup*", why), 0);
	assert_int_equal(rules__forbid(r, &api, why), 0);
	assert_int_equal(rules__forbid(r, &backup, why), 1);
	assert_string_equal(why, "the configuration excludes comm=backup*");

	assert_int_equal(rules__filter(r, RULES_INCLUDE, "namespace=prod", why), 0);
	assert_int_equal(rules__forbid(r, &api, why), 1);
	assert_non_null(strstr(why, "does not include"));
	assert_int_equal(rules__filter(r, RULES_INCLUDE, "namespace=shop", why), 0);
	assert_int_equal(rules__forbid(r, &api, why), 0); /* one of several is enough */
	rules__free(r);
}

static void the_first_rule_that_fits_applies(void **state)
{
	struct rules *r = rules__new();
	struct verdict slow = leak(1 << 20, .99), unsure = leak(1 << 30, .9);
	enum incident_severity buf;

	set(r, "shop", "select", "namespace=shop");
	set(r, "shop", "min-growth", "10M");
	set(r, "shop", "min-confidence", "0.95");
	set(r, "shop", "severity", "critical");
	set(r, "all", "select", "kind=process");
	set(r, "all", "report", "no");
	assert_int_equal(rules__check(r, why), 0);

	assert_int_equal(rules__object_to(r, &api, &slow, why), 1);
	assert_non_null(strstr(why, "rule 'shop' wants growth of 10.0 MiB"));
	assert_int_equal(rules__object_to(r, &api, &unsure, why), 1);
	assert_non_null(strstr(why, "confidence of 0.95"));
	unsure.confidence = .96;
	assert_int_equal(rules__object_to(r, &api, &unsure, why), 0);
	assert_int_equal(*rules__severity(r, &api, &buf), SEVERITY_CRITICAL);

	assert_int_equal(rules__forbid(r, &backup, why), 1);
	assert_non_null(strstr(why, "rule 'all'"));
	assert_null(rules__severity(r, &backup, &buf));
	rules__free(r);
}

static void forbids_a_closer_look_only(void **state)
{
	struct rules *r = rules__new();
	json_t *list;

	assert_int_equal(rules__forbid_drill(NULL, &api, why), 0);
	assert_int_equal(rules__filter(r, RULES_NO_DRILL, "namespace=shop", why), 0);
	assert_int_equal(rules__forbid_drill(r, &api, why), 1);
	assert_non_null(strstr(why, "namespace=shop"));
	assert_int_equal(rules__forbid_drill(r, &backup, why), 0);
	assert_int_equal(rules__forbid(r, &api, why), 0);
	list = rules__filters_to_json(r, RULES_NO_DRILL);
	assert_int_equal(json_array_size(list), 1);
	json_decref(list);
	rules__free(r);
}

static void says_what_is_wrong(void **state)
{
	static const struct {
		const char *key, *value, *why;
	} rows[] = {
		{"select", "nonsense", "="},
		{"report", "maybe", "yes or no"},
		{"min-growth", "fast", "a size such as"},
		{"min-confidence", "2", "from 0 to 1"},
		{"min-confidence", "0.9x", "from 0 to 1"},
		{"severity", "mild", "info, warning or critical"},
		{"colour", "red", "no 'colour'"},
	};
	struct rules *r = rules__new();
	char name[32];
	size_t i;

	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		assert_true(rules__set(r, "x", rows[i].key, rows[i].value, why) < 0);
		if (!strstr(why, rows[i].why))
			fail_msg("expected '%s', got '%s'", rows[i].why, why);
	}
	assert_true(rules__check(r, why) < 0);
	assert_non_null(strstr(why, "rule 'x' selects nothing"));
	for (i = 1; i < RULES_MAX; i++) {
		snprintf(name, sizeof(name), "rule %zu", i);
		set(r, name, "select", "comm=x");
	}
	assert_int_equal(rules__set(r, "one more", "select", "comm=x", why), -E2BIG);
	for (i = 0; i < RULES_MAX; i++)
		assert_int_equal(rules__filter(r, RULES_EXCLUDE, "comm=y", why), 0);
	assert_int_equal(rules__filter(r, RULES_EXCLUDE, "comm=y", why), -E2BIG);
	rules__free(r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(without_any_everything_may),
		cmocka_unit_test(filters_let_through),
		cmocka_unit_test(the_first_rule_that_fits_applies),
		cmocka_unit_test(forbids_a_closer_look_only),
		cmocka_unit_test(says_what_is_wrong),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
