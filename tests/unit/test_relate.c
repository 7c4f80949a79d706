// SPDX-License-Identifier: BSD-2-Clause
/* test_relate.c - which incidents belong together, and how selectors see them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include "incident/relate.h"
#include "incident_sample.h"

/* Two that share nothing but the node; tests make them alike in one thing. */
static void make_pair(struct incident **a, struct incident **b)
{
	struct incident_object o = {.kind = (char *)"process", .pid = 1, .comm = (char *)"other"};

	*a = sample_incident("aaaa", "p:1:1");
	*b = sample_incident("bbbb", "p:2:2");
	assert_non_null(*a);
	assert_non_null(*b);
	incident__set_object(*b, &o);
	(*a)->opened_s = 100;
	incident__close(*a, 200, "x");
	(*b)->opened_s = 300;
	incident__close(*b, 400, "x");
}

static void expect_relation(const struct incident *a, const struct incident *b, const char *name)
{
	int rank = incident__relation(a, b);

	assert_string_equal(incident__relation_name(rank), name);
	assert_int_equal(incident__relation(b, a), rank);
}

static void tells_the_closest_relation(void **state)
{
	struct incident_object o = {.kind = (char *)"process"};
	struct incident *a, *b;

	make_pair(&a, &b);
	expect_relation(a, b, "");
	assert_int_equal(incident__relation(a, a), -1);
	b->opened_s = 150;
	expect_relation(a, b, "at the same time on this node");
	o.comm = a->object.comm;
	o.cmdline = a->object.cmdline;
	incident__set_object(b, &o);
	expect_relation(a, b, "the same program");
	o.image = a->object.image;
	incident__set_object(b, &o);
	expect_relation(a, b, "the same image");
	o.workload = a->object.workload;
	o.ns = (char *)"staging";
	incident__set_object(b, &o);
	expect_relation(a, b, "the same image"); /* in another namespace it is another workload */
	o.ns = a->object.ns;
	incident__set_object(b, &o);
	expect_relation(a, b, "the same workload");
	incident__set_key(b, "p:1:1");
	expect_relation(a, b, "an earlier or later episode of the same object");
	incident__free(a);
	incident__free(b);
}

static json_t *site(const char *function, int line)
{
	return json_pack("{s:i, s:[{s:s, s:s, s:i}, {s:n, s:s, s:i}]}", "outstanding_bytes", 7,
			 "frames", "function", function, "file", "a.c", "line", line, "function",
			 "module", "libx.so", "offset", 16);
}

static void call_sites_match_by_name(void **state)
{
	json_t *one = json_pack("[o, o]", site("noise", 1), site("leak", 10));
	json_t *two = json_pack("[o]", site("leak", 12)), *other = json_pack("[o]", site("x", 10));
	struct incident *a, *b;
	struct buf name = {0};

	make_pair(&a, &b);
	incident__site_name(json_array_get(two, 0), &name);
	assert_string_equal(name.data, "leak < libx.so+0x10");
	incident__set_sites(a, one);
	incident__set_sites(b, other);
	expect_relation(a, b, "");
	incident__set_sites(b, two);
	expect_relation(a, b, "the same call site"); /* the line moved with a new build */
	buf__free(&name);
	json_decref(one);
	json_decref(two);
	json_decref(other);
	incident__free(a);
	incident__free(b);
}

static void selectors_see_the_object(void **state)
{
	struct incident *in = sample_incident("aaaa", "p:1:1");
	struct selector_subject subject = incident__subject(in);
	char why[SELECTOR_WHY_LEN];
	struct selector *s;

	assert_int_equal(selector__parse("pod=api-*,namespace=shop,workload=Deployment/*,comm=api,"
					 "container=web,image=api:*,node=n1,kind=process,pid=4711",
					 &s, why),
			 0);
	assert_true(selector__matches(s, &subject));
	selector__free(s);
	assert_int_equal(selector__parse("uid=*", &s, why), 0); /* is not kept */
	assert_false(selector__matches(s, &subject));
	selector__free(s);
	incident__free(in);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(tells_the_closest_relation),
		cmocka_unit_test(call_sites_match_by_name),
		cmocka_unit_test(selectors_see_the_object),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
