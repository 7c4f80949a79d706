/* SPDX-License-Identifier: BSD-2-Clause */
/* test_incident.c - an incident keeps what it is told, within bounds, and survives JSON. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include "incident/relate.h"
#include "incident_sample.h"

#define KEY "p:4711:7907000000001"

/* Through text and back, as the history does it. */
static struct incident *through_json(const struct incident *in)
{
	json_t *json = incident__to_json(in, 0), *parsed;
	const char *why = "";
	struct incident *back;
	char *text;

	assert_non_null(json);
	text = json_dumps(json, JSON_COMPACT);
	assert_non_null(text);
	parsed = json_loads(text, 0, NULL);
	assert_non_null(parsed);
	back = incident__from_json(parsed, &why);
	if (!back)
		fail_msg("not read back: %s", why);
	free(text);
	json_decref(parsed);
	json_decref(json);
	return back;
}

static void expect_same_json(const struct incident *a, const struct incident *b)
{
	json_t *ja = incident__to_json(a, 0), *jb = incident__to_json(b, 0);

	assert_true(json_equal(ja, jb));
	json_decref(ja);
	json_decref(jb);
}

static void test_round_trip_loses_nothing(void **state)
{
	struct incident *in = sample_incident("0123abcd", KEY), *back;

	in->severity = SEVERITY_CRITICAL;
	back = through_json(in);
	expect_same_json(in, back);
	assert_string_equal(back->id, "0123abcd");
	assert_string_equal(back->key, KEY);
	assert_int_equal(back->state, INCIDENT_OPEN);
	assert_int_equal(back->severity, SEVERITY_CRITICAL);
	assert_int_equal(back->object.pid, 4711);
	assert_int_equal(back->object.start_ns, 7907000000001);
	assert_string_equal(back->object.ns, "shop");
	assert_string_equal(back->object.image, "api:1.2");
	assert_string_equal(back->object.image_digest, "sha256:5e");
	assert_string_equal(back->object.container_id, "0123456789abcdef");
	assert_string_equal(back->object.pod_uid, "12345678-9abc-def0-1234-56789abcdef0");
	assert_true(json_equal(back->object.labels, in->object.labels));
	assert_int_equal(json_object_size(back->object.labels), 1);
	assert_true(back->opened_s == T0 && back->started_s == T0 - 7919);
	assert_true(back->updated_s == T0 + 601 && isnan(back->closed_s));
	assert_memory_equal(&back->verdict, &in->verdict, sizeof(in->verdict));
	assert_memory_equal(&back->worst, &in->worst, sizeof(in->worst));
	assert_int_equal(back->evidence_cnt, 2);
	assert_string_equal(back->evidence[1], "in 7 of 8 blocks");
	assert_int_equal(back->history_cnt, 3);
	assert_true(back->history[2][1] == 13 * MIB);
	assert_int_equal(json_array_size(back->top[TOP_PROCESSES]), 1);
	assert_int_equal(back->timeline_cnt, 1);
	assert_int_equal(back->not_seen_cnt, 1);
	incident__free(in);
	incident__free(back);
}

static void test_round_trip_of_a_bare_incident(void **state)
{
	struct incident *in = incident__new("c:/"), *back;

	strcpy(in->id, "x");
	in->opened_s = 1.75;
	back = through_json(in);
	expect_same_json(in, back);
	assert_true(back->opened_s == 1);
	assert_true(isnan(back->started_s) && isnan(back->verdict.limit_bytes));
	assert_null(back->object.comm);
	assert_null(back->top[TOP_PROCESSES]);
	incident__free(in);
	incident__free(back);
}

static void test_open_interval_survives(void **state)
{
	struct incident *in = sample_incident("0", KEY), *back;

	in->verdict.time_to_limit_hi_s = INFINITY;
	back = through_json(in);
	assert_true(isinf(back->verdict.time_to_limit_hi_s));
	incident__free(in);
	incident__free(back);
}

/* Member `path` ("object.pid") of a document. */
static json_t *at(json_t *json, const char *path)
{
	char part[64];
	size_t n;

	while (*path && json) {
		n = strcspn(path, ".");
		snprintf(part, sizeof(part), "%.*s", (int)n, path);
		json = json_object_get(json, part);
		path += n + (path[n] == '.');
	}
	return json;
}

static void test_json_has_the_fields_of_the_contract(void **state)
{
	static const char *const paths[] = {
		"schema",
		"id",
		"state",
		"kind",
		"severity",
		"object.pid",
		"object.comm",
		"object.cgroup",
		"object.container",
		"object.pod",
		"object.namespace",
		"object.workload",
		"object.node",
		"opened_s",
		"started_s",
		"closed_s",
		"duration_s",
		"verdict.verdict",
		"verdict.class",
		"verdict.confidence",
		"verdict.since_s",
		"verdict.growth_bytes",
		"verdict.slope_bytes_per_hour",
		"verdict.slope_ci_bytes_per_hour",
		"verdict.limit_bytes",
		"verdict.time_to_limit_s",
		"verdict.time_to_limit_ci_s",
		"verdict.evidence",
		"sites",
		"objects",
		"top",
		"history",
		"explanation",
		"related",
		"not_seen",
	};
	struct incident *in = sample_incident("0123abcd", KEY);
	int brief;
	size_t i;

	for (brief = 0; brief < 2; brief++) {
		json_t *json = incident__to_json(in, brief);

		for (i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
			if (!at(json, paths[i]))
				fail_msg("%s is missing", paths[i]);
		}
		assert_string_equal(json_string_value(at(json, "schema")), "seep.incident/1");
		assert_string_equal(json_string_value(at(json, "kind")), "leak");
		assert_true(json_is_integer(at(json, "opened_s")));
		assert_true(json_is_integer(at(json, "verdict.growth_bytes")));
		assert_true(json_is_null(at(json, "closed_s")));
		assert_int_equal(json_integer_value(at(json, "duration_s")), 601);
		assert_int_equal(json_array_size(at(json, "history")), brief ? 0 : 3);
		assert_int_equal(json_array_size(at(json, "top")), brief ? 0 : 1);
		json_decref(json);
	}
	incident__free(in);
}

/* ---- what docs/incidents.md says --------------------------------------------------------- */

/* Rows of other documents, and the names of the labels of pods. */
static int is_elsewhere(const char *path)
{
	static const char *const paths[] = {"sites", "victims", "object.labels", "worst",
					    "configuration.rule"};
	size_t i;

	for (i = 0; i < sizeof(paths) / sizeof(paths[0]); i++)
		if (!strcmp(paths[i], path))
			return 1;
	return !strncmp(path, "top", 3);
}

/* A row of a table of the page. */
static int is_explained(const char *doc, const char *path)
{
	char row[160];

	snprintf(row, sizeof(row), "\n| `%s` |", path);
	return !!strstr(doc, row);
}

/* Every member is explained; returns how many there are. */
static int expect_explained(const char *doc, const json_t *o, const char *prefix)
{
	const char *name;
	char path[128];
	json_t *value;
	int cnt = 0;

	json_object_foreach((json_t *)o, name, value) {
		snprintf(path, sizeof(path), "%s%s", prefix, name);
		if (!is_explained(doc, path))
			fail_msg("docs/incidents.md does not explain %s", path);
		cnt++;
		if (is_elsewhere(path))
			continue;
		strcat(path, json_is_array(value) ? "[]." : ".");
		if (json_is_array(value))
			value = json_array_get(value, 0);
		if (json_is_object(value))
			cnt += expect_explained(doc, value, path);
	}
	return cnt;
}

static int count_rows(const char *doc)
{
	int cnt = 0;

	while ((doc = strstr(doc, "\n| `"))) {
		doc++;
		cnt++;
	}
	return cnt;
}

/* No field without an explanation, and no explanation without a field. */
static void test_the_documentation_is_complete(void **state)
{
	FILE *f = fopen("docs/incidents.md", "r");
	static char doc[65536];
	struct incident *in;
	json_t *json;
	size_t len;

	if (!f) {
		print_message("skipped: run it from the root of the tree\n");
		skip();
	}
	len = fread(doc, 1, sizeof(doc) - 1, f);
	fclose(f);
	doc[len] = '\0';
	in = sample_incident("0123abcd", KEY);
	json = incident__to_json(in, 0);
	/* what the agent adds when it is asked */
	json_object_set_new(json, "related_by", json_array());
	json_object_set_new(json, "muted_by", json_null());
	assert_int_equal(expect_explained(doc, json, ""), count_rows(doc));
	json_decref(json);
	incident__free(in);
}

/* ---- attributes -------------------------------------------------------------------------- */

static void test_attributes_select_their_incident(void **state)
{
	struct incident *in = sample_incident("0", KEY);
	struct incident_object object = sample_object();
	char why[SELECTOR_WHY_LEN];
	struct selector_subject subject;
	json_t *json, *list, *term;
	struct selector *s;
	size_t i;

	object.comm = (char *)"a*,b[c]\\?";
	assert_int_equal(incident__set_object(in, &object), 0);
	subject = incident__subject(in);
	json = incident__to_json(in, 0);
	list = json_object_get(json, "attributes");
	assert_int_equal(json_array_size(list), 10);
	for (i = 0; i < json_array_size(list); i++) {
		term = json_array_get(list, i);
		if (selector__parse(json_string_value(term), &s, why))
			fail_msg("%s: %s", json_string_value(term), why);
		if (!selector__matches(s, &subject))
			fail_msg("%s does not select it", json_string_value(term));
		selector__free(s);
	}
	json_decref(json);
	incident__free(in);
}

/* ---- memory errors ----------------------------------------------------------------------- */

static void test_errors_are_counted_over_time(void **state)
{
	struct memory_error hit = {.kind = ERROR_LIMIT_HIT, .cnt = 3};
	struct incident *in = incident__new("e:c:/app");
	const json_t *history;
	int i;

	assert_true(isnan(memory_error__last_s(in)));
	assert_int_equal(memory_error__count(in, T0, 300, &hit), 1);
	assert_int_equal(memory_error__count(in, T0 + 299, 300, &hit), 0);
	assert_int_equal(memory_error__count(in, T0 + 300, 300, &hit), 0);
	history = json_object_get(json_array_get(in->errors, 0), "history");
	assert_int_equal(json_array_size(history), 2);
	assert_int_equal(json_integer_value(json_array_get(json_array_get(history, 0), 1)), 6);
	assert_true(memory_error__last_s(in) == T0 + 300);
	for (i = 2; i < 200; i++)
		memory_error__count(in, T0 + 300 * i, 300, &hit);
	assert_int_equal(json_array_size(history), MEMORY_ERROR_PAIRS_MAX);
	assert_int_equal(memory_error__cnt(in, ERROR_LIMIT_HIT), 603);
	incident__free(in);
}

static void test_hostile_errors(void **state)
{
	struct incident *in = incident__new("e:c:/app");
	json_t *json = json_loads("{\"errors\":[7,{\"kind\":7},{\"kind\":\"oom-kill\",\"count\":"
				  "1e300,\"last_s\":[],\"history\":[7,[],[1,2],{}]},{\"kind\":"
				  "\"oom-kill\",\"count\":5}],\"victims\":[7,{}]}", 0, NULL);
	struct memory_error kill = {.kind = ERROR_OOM_KILL, .cnt = 1};

	assert_non_null(json);
	assert_int_equal(memory_error__read(in, json), 0);
	assert_int_equal(json_array_size(in->errors), 1);
	assert_int_equal(json_array_size(in->victims), 1);
	assert_int_equal(memory_error__count(in, T0, 300, &kill), 0);
	assert_int_equal(memory_error__cnt(in, ERROR_OOM_KILL), 1);
	json_decref(json);
	incident__free(in);
}

static void test_an_error_has_no_verdict(void **state)
{
	struct incident *in = sample_incident("0", "e:c:/app"), *back;
	json_t *json;

	in->kind = INCIDENT_MEMORY_ERROR;
	in->verdict = in->worst = verdict__unknown(VERDICT_WARMING);
	json = incident__to_json(in, 0);
	assert_string_equal(json_string_value(at(json, "kind")), "memory-error");
	assert_true(json_is_null(at(json, "verdict.verdict")));
	assert_string_equal(json_string_value(at(json, "verdict.class")), "unknown");
	assert_non_null(strstr(json_string_value(at(json, "explanation")),
			       "has met memory errors: 1 OOM kill and 7 hits of the limit"));
	back = through_json(in);
	expect_same_json(in, back);
	assert_int_equal(back->kind, INCIDENT_MEMORY_ERROR);
	json_decref(json);
	incident__free(back);
	incident__free(in);
}

static void test_unknown_numbers_are_null(void **state)
{
	struct verdict v = sample_verdict();
	json_t *json;

	v.limit_bytes = v.time_to_limit_s = v.time_to_limit_lo_s = v.time_to_limit_hi_s = NAN;
	v.growth_bytes = -INFINITY;
	v.confidence = NAN;
	json = verdict__to_json(&v, NULL, 0);
	assert_true(json_is_null(at(json, "limit_bytes")));
	assert_true(json_is_null(at(json, "growth_bytes")));
	assert_true(json_is_null(at(json, "confidence")));
	assert_int_equal(json_array_size(at(json, "time_to_limit_ci_s")), 2);
	assert_true(json_is_null(json_array_get(at(json, "time_to_limit_ci_s"), 0)));
	json_decref(json);
	v.growth_bytes = 1e300; /* more than an integer holds */
	json = verdict__to_json(&v, NULL, 0);
	assert_true(json_integer_value(at(json, "growth_bytes")) > 1000000000000000000);
	json_decref(json);
}

static void test_hostile_strings(void **state)
{
	char evil[] = "\"'; DROP TABLE\n\xff\xc3|\xe2\x82\xac";
	struct incident *in = sample_incident("0", "c:/\xff%\"\n/x"), *back;
	struct incident_object object = sample_object();
	const char *lines[] = {evil};
	struct verdict v = sample_verdict();

	object.comm = object.cmdline = object.pod = evil;
	assert_int_equal(incident__set_object(in, &object), 0);
	assert_int_equal(incident__set_verdict(in, &v, lines, 1), 0);
	assert_int_equal(incident__note(in, T0, "%s", evil), 0);
	assert_string_equal(in->object.comm, "\"'; DROP TABLE???|\xe2\x82\xac");
	back = through_json(in);
	assert_string_equal(back->key, in->key);
	assert_string_equal(back->object.comm, in->object.comm);
	incident__free(back);

	free(in->object.comm); /* set behind the setter's back */
	in->object.comm = strdup(evil);
	back = through_json(in);
	assert_string_equal(back->object.comm, "\"'; DROP TABLE???|\xe2\x82\xac");
	incident__free(in);
	incident__free(back);
}

static void test_strings_are_bounded(void **state)
{
	struct incident *in = incident__new(KEY);
	struct incident_object object = {0};
	char *huge = malloc(1 << 20);

	memset(huge, 'x', 1 << 20);
	huge[(1 << 20) - 1] = '\0';
	object.cmdline = huge;
	assert_int_equal(incident__set_object(in, &object), 0);
	assert_int_equal(strlen(in->object.cmdline), INCIDENT_TEXT_MAX);
	incident__note(in, 1, "%s", huge);
	assert_int_equal(strlen(in->timeline[0].text), INCIDENT_TEXT_MAX);
	free(huge);
	incident__free(in);
}

static void test_timeline_keeps_the_first_and_the_newest(void **state)
{
	struct incident *in = incident__new(KEY);
	char want[32];
	int i;

	for (i = 0; i < 3 * INCIDENT_TIMELINE_MAX; i++)
		assert_int_equal(incident__note(in, i, "line %d", i), 0);
	assert_int_equal(in->timeline_cnt, INCIDENT_TIMELINE_MAX);
	assert_string_equal(in->timeline[0].text, "line 0");
	for (i = 1; i < INCIDENT_TIMELINE_MAX; i++) {
		snprintf(want, sizeof(want), "line %d", 2 * INCIDENT_TIMELINE_MAX + i);
		assert_string_equal(in->timeline[i].text, want);
	}
	incident__free(in);
}

static void test_not_seen_says_things_once(void **state)
{
	struct incident *in = incident__new(KEY);
	int i;

	for (i = 0; i < 100; i++)
		assert_int_equal(incident__not_seen(in, "thing %d", i % 3), 0);
	assert_int_equal(in->not_seen_cnt, 3);
	for (i = 0; i < 100; i++)
		assert_int_equal(incident__not_seen(in, "thing %d", i), 0);
	assert_int_equal(in->not_seen_cnt, INCIDENT_NOT_SEEN_MAX);
	incident__forget_not_seen(in, "thing 1");
	assert_int_equal(in->not_seen_cnt, INCIDENT_NOT_SEEN_MAX - 7); /* 1 and 10 to 15 */
	assert_string_equal(in->not_seen[1], "thing 2");
	incident__forget_not_seen(in, "");
	assert_int_equal(in->not_seen_cnt, 0);
	incident__free(in);
}

static void test_history_is_thinned(void **state)
{
	static double points[10007][2];
	struct incident *in = incident__new(KEY);
	size_t i;

	for (i = 0; i < 10007; i++) {
		points[i][0] = T0 + 10. * i;
		points[i][1] = i;
	}
	assert_int_equal(incident__set_history(in, (const double(*)[2])points, 10007), 0);
	assert_int_equal(in->history_cnt, INCIDENT_HISTORY_MAX);
	assert_true(in->history[0][1] == 0);
	assert_true(in->history[INCIDENT_HISTORY_MAX - 1][1] == 10006);
	for (i = 1; i < in->history_cnt; i++)
		assert_true(in->history[i][0] > in->history[i - 1][0]);
	assert_int_equal(incident__set_history(in, NULL, 0), 0);
	assert_int_equal(in->history_cnt, 0);
	incident__free(in);
}

static void test_history_times_differ_in_json(void **state)
{
	static const double fast[][2] = {{T0, 1}, {T0 + .2, 2}, {T0 + .4, 3}, {T0 + 1.1, 4}};
	struct incident *in = sample_incident("0", KEY);
	json_t *json, *history;

	incident__set_history(in, fast, 4);
	json = incident__to_json(in, 0);
	history = json_object_get(json, "history");
	assert_int_equal(json_array_size(history), 2);
	assert_int_equal(json_integer_value(json_array_get(json_array_get(history, 0), 1)), 3);
	json_decref(json);
	incident__free(in);
}

static void test_top_is_bounded(void **state)
{
	struct incident *in = incident__new(KEY);
	json_t *top = json_array();
	int i;

	for (i = 0; i < 25; i++)
		json_array_append_new(top, json_pack("{s:i}", "pid", i));
	assert_int_equal(incident__set_top(in, TOP_PROCESSES, top), 0);
	assert_int_equal(json_array_size(in->top[TOP_PROCESSES]), INCIDENT_TOP_MAX);
	json_decref(top);
	assert_int_equal(json_integer_value(json_object_get(json_array_get(in->top[TOP_PROCESSES], 9), "pid")), 9);
	incident__free(in);
}

static void test_closing_keeps_the_worst(void **state)
{
	struct incident *in = incident__new(KEY);
	struct verdict v = sample_verdict();
	const char *big = "big", *small = "small";

	v.growth_bytes = 500 * MIB;
	incident__set_verdict(in, &v, &big, 1);
	v.growth_bytes = 100 * MIB;
	incident__set_verdict(in, &v, &small, 1);
	assert_true(in->verdict.growth_bytes == 100 * MIB);
	v.growth_bytes = NAN;
	incident__set_verdict(in, &v, &small, 1);
	assert_int_equal(incident__close(in, T0, "growth stopped"), 0);
	assert_int_equal(in->state, INCIDENT_CLOSED);
	assert_true(in->verdict.growth_bytes == 500 * MIB);
	assert_string_equal(in->evidence[0], "big");
	assert_string_equal(in->close_reason, "growth stopped");
	incident__reopen(in);
	assert_int_equal(in->state, INCIDENT_OPEN);
	assert_true(isnan(in->closed_s));
	assert_null(in->close_reason);
	incident__free(in);
}

/* The sample with one member replaced by JSON text must be refused. */
static void expect_refused(const char *member, const char *value)
{
	struct incident *in = sample_incident("0123abcd", KEY), *back;
	json_t *json = incident__to_json(in, 0);
	const char *why = NULL;

	json_object_set_new(json, member, json_loads(value, JSON_DECODE_ANY, NULL));
	back = incident__from_json(json, &why);
	if (back)
		fail_msg("%s = %s was taken", member, value);
	assert_non_null(why);
	json_decref(json);
	incident__free(in);
}

static void test_from_json_refuses_what_is_no_incident(void **state)
{
	const char *why = NULL;
	json_t *array = json_array();

	assert_null(incident__from_json(NULL, &why));
	assert_null(incident__from_json(array, &why));
	assert_non_null(why);
	json_decref(array);
	expect_refused("schema", "\"seep.incident/2\"");
	expect_refused("kind", "\"surprise\"");
	expect_refused("key", "null");
	expect_refused("key", "\"c:%zz\"");
	expect_refused("id", "\"\"");
	expect_refused("id", "\"0123456789abcdef\"");
	expect_refused("id", "7");
	expect_refused("state", "\"ajar\"");
	expect_refused("state", "\"closed\"");
	expect_refused("severity", "[]");
	expect_refused("opened_s", "null");
	expect_refused("closed_s", "1");
}

/* The sample with one member replaced by JSON text is read as if the member were empty. */
static void expect_tolerated(const char *member, const char *value)
{
	struct incident *in = sample_incident("0123abcd", KEY), *back;
	json_t *json = incident__to_json(in, 0);
	const char *why = NULL;

	json_object_set_new(json, member, json_loads(value, JSON_DECODE_ANY, NULL));
	back = incident__from_json(json, &why);
	if (!back)
		fail_msg("%s = %s was refused: %s", member, value, why);
	incident__free(back);
	json_decref(json);
	incident__free(in);
}

static void test_from_json_tolerates_odd_details(void **state)
{
	expect_tolerated("object", "[1, 2]");
	expect_tolerated("object", "{\"pid\": \"x\", \"comm\": 7, \"start_ns\": -1}");
	expect_tolerated("verdict", "null");
	expect_tolerated("verdict", "{\"verdict\": \"odd\", \"class\": 3, \"evidence\": {}}");
	expect_tolerated("worst", "\"x\"");
	expect_tolerated("history", "[1, [], [null, 2], [\"x\", \"y\"], [1]]");
	expect_tolerated("timeline", "[1, {}, {\"t_s\": \"x\", \"text\": \"y\"}]");
	expect_tolerated("top", "{\"a\": 1}");
	expect_tolerated("sites", "17");
	expect_tolerated("objects", "[3]");
	expect_tolerated("objects", "{\"types\": {\"a\": 1}}");
	expect_tolerated("not_seen", "[null, 1, \"ok\"]");
}

static void test_from_json_is_bounded(void **state)
{
	struct incident *in = sample_incident("0123abcd", KEY), *back;
	json_t *json = incident__to_json(in, 0), *evidence = json_array(), *timeline = json_array();
	json_t *history = json_array(), *not_seen = json_array();
	const char *why;
	int i;

	for (i = 0; i < 5000; i++) {
		json_array_append_new(evidence, json_string("line"));
		json_array_append_new(timeline, json_pack("{s:i, s:s}", "t_s", i, "text", "line"));
		json_array_append_new(history, json_pack("[i, i]", i, i));
		json_array_append_new(not_seen, json_sprintf("thing %d", i));
	}
	json_object_set_new(json_object_get(json, "verdict"), "evidence", evidence);
	json_object_set_new(json, "timeline", timeline);
	json_object_set_new(json, "history", history);
	json_object_set_new(json, "not_seen", not_seen);
	back = incident__from_json(json, &why);
	assert_non_null(back);
	assert_int_equal(back->evidence_cnt, DETECTOR_EVIDENCE_MAX);
	assert_int_equal(back->timeline_cnt, INCIDENT_TIMELINE_MAX);
	assert_int_equal(back->history_cnt, INCIDENT_HISTORY_MAX);
	assert_int_equal(back->not_seen_cnt, INCIDENT_NOT_SEEN_MAX);
	json_decref(json);
	incident__free(in);
	incident__free(back);
}

/* ---- every allocation of the JSON library fails once ---- */

static int allocations_left;

static void *scarce_malloc(size_t size)
{
	return allocations_left-- > 0 ? malloc(size) : NULL;
}

static void test_writing_without_memory(void **state)
{
	struct incident *in = sample_incident("0123abcd", KEY);
	json_t *json = NULL;
	int n;

	for (n = 0; !json; n++) {
		allocations_left = n;
		json_set_alloc_funcs(scarce_malloc, free);
		json = incident__to_json(in, 0);
		json_set_alloc_funcs(malloc, free);
	}
	assert_in_range(n, 100, 10000);
	json_decref(json);
	incident__free(in);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_round_trip_loses_nothing),
		cmocka_unit_test(test_round_trip_of_a_bare_incident),
		cmocka_unit_test(test_open_interval_survives),
		cmocka_unit_test(test_json_has_the_fields_of_the_contract),
		cmocka_unit_test(test_the_documentation_is_complete),
		cmocka_unit_test(test_attributes_select_their_incident),
		cmocka_unit_test(test_errors_are_counted_over_time),
		cmocka_unit_test(test_hostile_errors),
		cmocka_unit_test(test_an_error_has_no_verdict),
		cmocka_unit_test(test_unknown_numbers_are_null),
		cmocka_unit_test(test_hostile_strings),
		cmocka_unit_test(test_strings_are_bounded),
		cmocka_unit_test(test_timeline_keeps_the_first_and_the_newest),
		cmocka_unit_test(test_not_seen_says_things_once),
		cmocka_unit_test(test_history_is_thinned),
		cmocka_unit_test(test_history_times_differ_in_json),
		cmocka_unit_test(test_top_is_bounded),
		cmocka_unit_test(test_closing_keeps_the_worst),
		cmocka_unit_test(test_from_json_refuses_what_is_no_incident),
		cmocka_unit_test(test_from_json_tolerates_odd_details),
		cmocka_unit_test(test_from_json_is_bounded),
		cmocka_unit_test(test_writing_without_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
