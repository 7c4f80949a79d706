/* SPDX-License-Identifier: BSD-2-Clause */
/* test_selector.c - what a selector chooses, what it refuses and how it says so. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "who/selector.h"

static const struct selector_label labels[] = {
	{"app.kubernetes.io/name", "api"},
	{"tier", ""},
	{"unset", NULL},
};

static const struct selector_subject api = {
	.kind = "process",
	.host = "node-7",
	.ns = "shop",
	.pod = "api-5d9f-x2x",
	.workload = "Deployment/api",
	.container = "api",
	.image = "registry.local/shop/api:1.4",
	.cgroup = "/kubepods/burstable/pod12/ab34",
	.comm = "api, v2",
	.labels = labels,
	.label_cnt = 3,
	.uid = 1000,
	.pid = 4242,
};

/* Only what a bare process has. */
static const struct selector_subject bare = {
	.kind = "process",
	.comm = "bash",
	.uid = UINT32_MAX,
};

static bool chooses(const char *text, const struct selector_subject *subject)
{
	char why[SELECTOR_WHY_LEN] = "";
	struct selector *s = NULL;
	bool matches;

	if (selector__parse(text, &s, why))
		fail_msg("'%s' was refused: %s", text, why);
	assert_string_equal(selector__text(s), text);
	matches = selector__matches(s, subject);
	selector__free(s);
	return matches;
}

/* It is refused, the reason holds `part`, and nothing is given out. */
static void expect_refusal(const char *text, const char *part)
{
	struct selector *s = (void *)0x1;
	char why[SELECTOR_WHY_LEN] = "";

	assert_int_equal(selector__parse(text, &s, why), -EINVAL);
	assert_ptr_equal(s, (void *)0x1);
	if (!strstr(why, part))
		fail_msg("'%.80s': '%s' does not name '%s'", text, why, part);
}

static void test_each_key_looks_at_its_field(void **state)
{
	static const char *const right[] = {
		"host=node-7",
		"node=node-?",
		"namespace=shop",
		"pod=api-*",
		"workload=*/api",
		"container=api",
		"image=*/shop/api:*",
		"cgroup=/kubepods/*",
		"comm=api*",
		"uid=1000",
		"uid=10*",
		"pid=4242",
		"kind=process",
		"kind=*",
		"label.app.kubernetes.io/name=a[op]i",
	};
	static const char *const wrong[] = {
		"host=node-8",
		"node=*8",
		"namespace=sho",
		"pod=web-*",
		"workload=api",
		"container=ap",
		"image=api",
		"cgroup=kubepods*",
		"comm=API*",
		"uid=100",
		"pid=4243",
		"kind=cgroup",
		"label.app.kubernetes.io/name=",
		"label.name=*",
	};
	char negated[64];
	size_t i;

	for (i = 0; i < sizeof(right) / sizeof(right[0]); i++) {
		assert_true(chooses(right[i], &api));
		snprintf(negated, sizeof(negated), "%.*s!%s", (int)strcspn(right[i], "="), right[i],
			 strchr(right[i], '='));
		assert_false(chooses(negated, &api));
	}
	for (i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
		assert_false(chooses(wrong[i], &api));
}

static void test_all_terms_must_hold(void **state)
{
	assert_true(chooses("namespace=shop,pod=api-*,uid!=0", &api));
	assert_true(chooses("namespace=shop, \tpod=api-*", &api));
	assert_false(chooses("namespace=shop,pod=web-*", &api));
	assert_false(chooses("namespace=shop,pod!=api-*", &api));
	assert_true(chooses("pod=api-*,pod!=*-y", &api));
}

static void test_unknown_matches_no_glob(void **state)
{
	static const char *const names[] = {
		"host",	 "namespace", "pod", "workload", "container",
		"image", "cgroup",    "uid", "pid",	 "label.tier",
	};
	char text[64];
	size_t i;

	for (i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		snprintf(text, sizeof(text), "%s=*", names[i]);
		assert_false(chooses(text, &bare));
		snprintf(text, sizeof(text), "%s!=*", names[i]);
		assert_true(chooses(text, &bare));
	}
	assert_false(chooses("label.unset=*", &api));
	assert_true(chooses("label.tier=", &api));
	assert_false(chooses("label.tier!=*", &api));
}

static void test_a_backslash_takes_the_meaning(void **state)
{
	assert_true(chooses("comm=api\\, v2,uid=1000", &api));
	assert_true(chooses("comm=api[\\,] v2", &api));
	assert_false(chooses("comm=api\\*", &api));
	/* = and ! after the first sign belong to the glob */
	assert_false(chooses("comm=a=b", &api));
	assert_false(chooses("comm==", &api));
	assert_false(chooses("comm=!=", &api));
	/* a lone one at the end escapes nothing and matches nothing */
	assert_false(chooses("comm=api\\", &api));
}

static void test_refusals_name_the_part(void **state)
{
	expect_refusal("api-*", "'api-*'");
	expect_refusal("api-*", "namespace");
	expect_refusal("api-*", "label.NAME");
	expect_refusal("", "KEY=GLOB");
	expect_refusal("pod=a,", "KEY=GLOB");
	expect_refusal(",pod=a", "KEY=GLOB");
	expect_refusal("pod=a,,pod=b", "KEY=GLOB");
	expect_refusal("pod=a,pods=b", "'pods'");
	expect_refusal("pod =a", "'pod '");
	expect_refusal("=a", "''");
	expect_refusal("!=a", "''");
	expect_refusal("Pod=a", "'Pod'");
	expect_refusal("pod=", "pod=GLOB");
	expect_refusal("label=a", "'label'");
	expect_refusal("label.=a", "'label.'");
	expect_refusal("uid=root", "a number");
	expect_refusal("pid!=12a", "a number");
	expect_refusal("kind=proces", "process or cgroup");
	expect_refusal("\x1b[31m", "control characters");
}

static void test_bounds(void **state)
{
	char why[SELECTOR_WHY_LEN], *text = malloc(100001);
	struct selector *s;
	int i;

	assert_non_null(text);
	memset(text, 'x', 100000);
	text[100000] = '\0';
	expect_refusal(text, "1024 bytes");
	text[SELECTOR_TEXT_MAX] = '\0';
	expect_refusal(text, "KEY=GLOB");
	memcpy(text, "pod=", 4);
	assert_int_equal(selector__parse(text, &s, why), 0);
	selector__free(s);
	selector__free(NULL);

	*text = '\0';
	for (i = 0; i < SELECTOR_TERMS_MAX; i++)
		strcat(text, i ? ",uid!=0" : "uid!=0");
	assert_true(chooses(text, &api));
	strcat(text, ",uid!=0");
	expect_refusal(text, "more than 16 terms");
	free(text);
}

/* Names that others chose may be anything; the globs decide in reasonable time. */
static void test_hostile_subjects(void **state)
{
	struct selector_subject hostile = api;
	char name[4096];

	memset(name, 'a', sizeof(name) - 1);
	name[sizeof(name) - 1] = '\0';
	hostile.comm = name;
	assert_false(chooses("comm=*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*b", &hostile));
	assert_true(chooses("comm=*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*", &hostile));
	memset(name, '\xff', sizeof(name) - 1);
	assert_true(chooses("comm=*", &hostile));
	assert_false(chooses("comm=?", &hostile));
	hostile.comm = "[*]\\";
	assert_true(chooses("comm=\\[\\*]\\\\", &hostile));
	hostile.comm = "";
	assert_true(chooses("comm=*", &hostile));
	assert_false(chooses("comm=?*", &hostile));
	assert_false(chooses("comm=[", &hostile));
	assert_false(chooses("comm=[!", &hostile));
	assert_false(chooses("comm=[[:", &hostile));
	assert_false(chooses("comm=[[:nonsense:]]", &hostile));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_each_key_looks_at_its_field),
		cmocka_unit_test(test_all_terms_must_hold),
		cmocka_unit_test(test_unknown_matches_no_glob),
		cmocka_unit_test(test_a_backslash_takes_the_meaning),
		cmocka_unit_test(test_refusals_name_the_part),
		cmocka_unit_test(test_bounds),
		cmocka_unit_test(test_hostile_subjects),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
