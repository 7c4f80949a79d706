// SPDX-License-Identifier: BSD-2-Clause
/* test_answer.c - what the agent tells: the shapes of its JSON, and what it says to bad requests. */
#include <errno.h>
#include <ftw.h>
#include <limits.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

#include "agent_world.h"
#include "agent/answer.h"
#include "base/log.h"

/* ---- asking ------------------------------------------------------------------------------ */

static int ask(struct world *w, const char *cmd, const char *request, struct buf *body)
{
	json_t *json = json_loads(request, 0, NULL);
	int code;

	assert_non_null(json);
	code = answer__handle(&w->a, cmd, json, body);
	json_decref(json);
	return code;
}

static json_t *told(struct world *w, const char *cmd, const char *request)
{
	struct buf body = {0};
	json_t *json;

	assert_int_equal(ask(w, cmd, request, &body), 0);
	json = json_loadb(body.data, body.len, 0, NULL);
	assert_non_null(json);
	assert_int_equal(body.data[body.len - 1], '\n');
	buf__free(&body);
	return json;
}

static void refused(struct world *w, const char *cmd, const char *request, int code,
		    const char *why)
{
	struct buf body = {0};

	assert_int_equal(ask(w, cmd, request, &body), code);
	if (!strstr(body.data, why))
		fail_msg("expected '%s', got '%s'", why, body.data);
	assert_null(strchr(body.data, '\n'));
	buf__free(&body);
}

static void has_all(const json_t *object, const char *const *names)
{
	for (; *names; names++)
		if (!json_object_get(object, *names))
			fail_msg("'%s' is missing", *names);
}

static const char *str(const json_t *object, const char *name)
{
	return json_string_value(json_object_get(object, name));
}

#define ID  "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
#define ID2 "fedcba9876543210fedcba9876543210fedcba9876543210fedcba9876543210"

static void populate(struct world *w)
{
	struct proc_sample s[] = {sized(100, "small", MIB), sized(101, "big", 30 * MIB),
				  sized(102, "middle", 20 * MIB)};

	world__proc(w, 100, "small", "/app");
	world__proc(w, 101, "big", "/app");
	world__proc(w, 102, "middle", "/other");
	world__cgroup(w, "/app", 31 * MIB, "67108864");
	world__idle_with(w, s, 3, 5);
}

/* ---- top --------------------------------------------------------------------------------- */

static void test_top_rows(void **state)
{
	static const char *const top_names[] = {"schema", "at_s", "window_s", "rows", NULL};
	static const char *const names[] = {
		"pid", "start_ns", "comm", "cmdline", "cgroup", "container", "pod", "namespace",
		"workload", "rss_bytes", "anon_bytes", "swap_bytes", "shmem_bytes", "limit_bytes",
		"growth_bytes_per_hour", "verdict", "class", "history", NULL,
	};
	struct world *w = *state;
	json_t *top, *rows, *row, *point;

	populate(w);
	top = told(w, "top", "{}");
	has_all(top, top_names);
	assert_string_equal(str(top, "schema"), "seep.top/1");
	rows = json_object_get(top, "rows");
	assert_int_equal(json_array_size(rows), 3);
	row = json_array_get(rows, 0); /* the biggest first */
	has_all(row, names);
	assert_int_equal(json_integer_value(json_object_get(row, "pid")), 101);
	assert_string_equal(str(row, "comm"), "big");
	assert_string_equal(str(row, "cgroup"), "/app");
	assert_string_equal(str(row, "verdict"), "warming");
	assert_true(json_is_null(json_object_get(row, "container")));
	assert_true(json_is_null(json_object_get(row, "time_to_limit_s")));
	assert_int_equal(json_integer_value(json_object_get(row, "limit_bytes")), 64 * MIB);
	point = json_array_get(json_object_get(row, "history"), 0);
	assert_int_equal(json_array_size(point), 2);
	assert_true(json_is_integer(json_array_get(point, 0)));
	assert_int_equal(json_integer_value(json_array_get(point, 1)), 30 * MIB);
	assert_true(json_is_null(json_object_get(json_array_get(rows, 1), "limit_bytes")));
	json_decref(top);
}

static size_t row_cnt(struct world *w, const char *request)
{
	json_t *top = told(w, "top", request);
	size_t cnt = json_array_size(json_object_get(top, "rows"));

	json_decref(top);
	return cnt;
}

static void test_top_by(void **state)
{
	struct world *w = *state;
	json_t *top, *row;

	populate(w);
	assert_int_equal(row_cnt(w, "{\"n\":2}"), 2);
	assert_int_equal(row_cnt(w, "{\"n\":-2}"), 3);
	assert_int_equal(row_cnt(w, "{\"n\":\"2\"}"), 3);
	assert_int_equal(row_cnt(w, "{\"by\":\"pod\"}"), 0);
	top = told(w, "top", "{\"by\":\"cgroup\"}");
	assert_int_equal(json_array_size(json_object_get(top, "rows")), 2);
	row = json_array_get(json_object_get(top, "rows"), 0);
	assert_true(json_is_null(json_object_get(row, "pid")));
	assert_string_equal(str(row, "cgroup"), "/app");
	assert_int_equal(json_integer_value(json_object_get(row, "processes")), 2);
	json_decref(top);
	refused(w, "top", "{\"by\":\"colour\"}", SEEP_EXIT_USAGE, "not process, cgroup, pod or workload");
}

#define POD_CGROUP(n) "/kubepods/pod1234567" n "-9abc-def0-1234-56789abcdef0"

/* Rows as they come from pods; the kubelet's part is put in by hand. */
static json_t *pod_row(const char *workload, const char *verdict, int bytes, const char *history)
{
	return json_pack("{s:s, s:s, s:s, s:s, s:i, s:n, s:o}", "namespace", "shop", "workload",
			 workload, "pod", "x", "verdict", verdict, "anon_bytes", bytes,
			 "time_to_limit_s", "history", json_loads(history, 0, NULL));
}

static void test_rollup(void **state)
{
	json_t *pods = json_pack("[o, o, o, n]",
				 pod_row("Deployment/api", "healthy", 5, "[[10,1],[20,2]]"),
				 pod_row("DaemonSet/logs", "warming", 1, "[]"),
				 pod_row("Deployment/api", "leak", 7, "[[20,30],[30,40]]"));
	json_t *rows, *row, *curve = json_loads("[[10,1],[20,32],[30,40]]", 0, NULL);

	json_object_set_new(json_array_get(pods, 2), "time_to_limit_s", json_integer(60));
	rows = answer__fold(pods, 9);
	assert_int_equal(json_array_size(rows), 2);
	row = json_array_get(rows, 0);
	assert_string_equal(str(row, "workload"), "Deployment/api");
	assert_string_equal(str(row, "verdict"), "leak");
	assert_true(json_is_null(json_object_get(row, "pod")));
	assert_int_equal(json_integer_value(json_object_get(row, "pods")), 2);
	assert_int_equal(json_integer_value(json_object_get(row, "anon_bytes")), 12);
	assert_int_equal(json_integer_value(json_object_get(row, "time_to_limit_s")), 60);
	assert_true(json_equal(json_object_get(row, "history"), curve));
	assert_int_equal(json_integer_value(json_object_get(json_array_get(rows, 1), "pods")), 1);
	json_decref(rows);
	rows = answer__fold(pods, 1);
	assert_int_equal(json_array_size(rows), 1);
	json_decref(rows);
	json_decref(curve);
	json_decref(pods);
}

static void test_pods_are_rows(void **state)
{
	struct proc_sample s[] = {sized(100, "web", 4 * MIB), sized(101, "db", 8 * MIB),
				  sized(102, "ssh", 8 * MIB)};
	struct world *w = *state;
	json_t *top, *row;

	world__cgroup(w, POD_CGROUP("1"), 4 * MIB, "104857600");
	world__proc(w, 100, "web", POD_CGROUP("1") "/" ID "/sub");
	world__proc(w, 101, "db", "/system.slice/docker-" ID2 ".scope");
	world__proc(w, 102, "ssh", "/system.slice/ssh.service");
	world__tick(w, s, 3);
	top = told(w, "top", "{\"by\":\"pod\"}");
	assert_int_equal(json_array_size(json_object_get(top, "rows")), 2);
	row = json_array_get(json_object_get(top, "rows"), 0);
	assert_string_equal(str(row, "cgroup"), "/system.slice/docker-" ID2 ".scope");
	row = json_array_get(json_object_get(top, "rows"), 1);
	assert_string_equal(str(row, "cgroup"), POD_CGROUP("1"));
	assert_string_equal(str(row, "limit_cgroup"), POD_CGROUP("1"));
	assert_int_equal(json_integer_value(json_object_get(row, "own_limit_bytes")), 100 * MIB);
	assert_int_equal(json_integer_value(json_object_get(row, "processes")), 1);
	json_decref(top);
	assert_int_equal(row_cnt(w, "{\"by\":\"workload\"}"), 0);
}

static void test_ended_processes_are_not_shown(void **state)
{
	struct proc_sample s = sized(100, "small", MIB);
	struct world *w = *state;

	populate(w);
	world__tick(w, &s, 1);
	assert_int_equal(row_cnt(w, "{}"), 1);
}

/* ---- leaks, show ------------------------------------------------------------------------- */

static size_t leak_cnt(struct world *w, const char *request)
{
	json_t *leaks = told(w, "leaks", request);
	size_t cnt = json_array_size(json_object_get(leaks, "incidents"));

	json_decref(leaks);
	return cnt;
}

static void test_leaks_and_show(void **state)
{
	char id[INCIDENT_ID_LEN], request[64];
	struct world *w = *state;
	json_t *in;

	assert_int_equal(leak_cnt(w, "{}"), 0);
	world__proc(w, 100, "web", "/app");
	world__leak(w, 100, "/app");
	strcpy(id, world__incident(w, 100)->id);
	assert_int_equal(leak_cnt(w, "{}"), 1);
	assert_int_equal(leak_cnt(w, "{\"all\":true}"), 1);
	id[4] = '\0'; /* a prefix will do */
	snprintf(request, sizeof(request), "{\"id\":\"%s\"}", id);
	in = told(w, "show", request);
	assert_string_equal(str(in, "schema"), "seep.incident/1");
	assert_string_equal(str(in, "state"), "open");
	assert_true(json_array_size(json_object_get(in, "history")) > 0);
	json_decref(in);

	world__idle(w, census__grace_s(&w->a) + 3);
	assert_int_equal(leak_cnt(w, "{}"), 0);
	assert_int_equal(leak_cnt(w, "{\"all\":true}"), 1);
	in = told(w, "show", request);
	assert_string_equal(str(in, "state"), "closed");
	json_decref(in);
}

static void test_leaks_are_chosen(void **state)
{
	struct world *w = *state;
	char request[64];

	world__proc(w, 100, "web", "/app");
	world__leak(w, 100, "/app");
	assert_int_equal(leak_cnt(w, "{\"select\":\"comm=w*\"}"), 1);
	assert_int_equal(leak_cnt(w, "{\"select\":\"comm=w*,pod=*\"}"), 0);
	assert_int_equal(leak_cnt(w, "{\"severity\":0}"), 1);
	assert_int_equal(leak_cnt(w, "{\"all\":true,\"until_s\":1}"), 0);
	snprintf(request, sizeof(request), "{\"until_s\":%.0f}", w->a.now_s);
	assert_int_equal(leak_cnt(w, request), 1);
	refused(w, "leaks", "{\"select\":\"colour=red\"}", SEEP_EXIT_USAGE, "colour");

	world__idle(w, 30);
	assert_int_equal(leak_cnt(w, "{}"), 0);
	assert_int_equal(leak_cnt(w, "{\"all\":true,\"select\":\"comm=web\"}"), 1);
}

static void test_show_refuses(void **state)
{
	struct world *w = *state;

	refused(w, "show", "{\"id\":\"zzzz\"}", SEEP_EXIT_NO_TARGET, "no incident 'zzzz'");
	refused(w, "show", "{\"id\":\"%\"}", SEEP_EXIT_NO_TARGET, "no incident");
	refused(w, "show", "{}", SEEP_EXIT_USAGE, "which incident?");
	refused(w, "show", "{\"id\":7}", SEEP_EXIT_USAGE, "which incident?");
	refused(w, "show", "{\"id\":\"\"}", SEEP_EXIT_USAGE, "which incident?");
	refused(w, "dance", "{}", SEEP_EXIT_USAGE, "does not know 'dance'");
}

/* ---- record ------------------------------------------------------------------------------ */

static unsigned lines_of(struct world *w, const char *request)
{
	struct buf body = {0};
	unsigned cnt = 0;
	size_t i;

	assert_int_equal(ask(w, "record", request, &body), 0);
	for (i = 0; i < body.len; i++)
		cnt += body.data[i] == '\n';
	buf__free(&body);
	return cnt;
}

static void test_record_pages(void **state)
{
	unsigned points = 0, whole, first, cnt;
	struct world *w = *state;
	char request[64];

	populate(w);
	whole = lines_of(w, "{\"first\":0,\"count\":256}");
	assert_int_equal(whole, 1 + 5 * 5); /* a header; 3 processes and 2 cgroups, 5 polls */
	for (first = 0; first < 1024; first += 2) {
		snprintf(request, sizeof(request), "{\"first\":%u,\"count\":2}", first);
		cnt = lines_of(w, request);
		assert_true(cnt >= 1);
		points += cnt - 1;
	}
	assert_int_equal(points, whole - 1);
	assert_int_equal(lines_of(w, "{\"first\":1024,\"count\":2}"), 0); /* the end */
	assert_int_equal(lines_of(w, "{\"first\":99999999999}"), 0);
	refused(w, "record", "{\"count\":257}", SEEP_EXIT_USAGE, "at most 256");
	refused(w, "record", "{\"first\":-1}", SEEP_EXIT_USAGE, "at most 256");
}

/* ---- drill ------------------------------------------------------------------------------- */

static void expect_drill(struct world *w, const char *request, const char *state, double until_s)
{
	json_t *o = told(w, "drill", request), *until = json_object_get(o, "paused_until_s");

	assert_string_equal(str(o, "schema"), "seep.drill/1");
	assert_string_equal(str(o, "state"), state);
	if (isnan(until_s))
		assert_true(json_is_null(until));
	else
		assert_int_equal(json_integer_value(until), (long long)until_s);
	json_decref(o);
}

static void test_drill_pauses_and_resumes(void **state)
{
	const struct drill_cfg cfg = {.max_targets = 1, .window_s = WORLD_WINDOW_S};
	struct world *w = *state;

	expect_drill(w, "{}", "off", NAN); /* without BPF */
	assert_int_equal(drill__new(&cfg, &w->a.drill), 0);
	expect_drill(w, "{\"action\":\"status\"}", "on", NAN);
	expect_drill(w, "{\"action\":\"pause\"}", "paused", NAN);
	expect_drill(w, "{\"action\":\"resume\"}", "on", NAN);
	expect_drill(w, "{\"action\":\"pause\",\"for_s\":2}", "paused", w->a.now_s + 2);
	world__idle(w, 3);
	expect_drill(w, "{}", "on", NAN);
	refused(w, "drill", "{\"action\":\"stop\"}", 2, "'stop'");
	refused(w, "drill", "{\"action\":\"pause\",\"for_s\":-1}", 2, "for no time");
	w->a.cfg.no_drill = 1;
	expect_drill(w, "{\"action\":\"resume\"}", "off", NAN);
	drill__free(w->a.drill);
	w->a.drill = NULL;
}

/* ---- status, HTTP ------------------------------------------------------------------------ */

static void test_status(void **state)
{
	static const char *const names[] = {
		"schema", "health", "problems", "not_seen", "probes", "events", "dropped", "maps",
		"tracked", "poll", "journal", "history", "incidents", "oom_kills", "self", NULL,
	};
	struct proc_event oom = {.kind = SEEP_EVENT_OOM, .id = {.tgid = 101}};
	struct world *w = *state;
	json_t *status, *ooms;
	unsigned i;

	populate(w);
	for (i = 0; i < OOM_MAX + 3; i++)
		census__event(&w->a, &oom);
	status = told(w, "status", "{}");
	has_all(status, names);
	assert_string_equal(str(status, "health"), "degraded"); /* there is no BPF */
	assert_int_equal(json_integer_value(json_object_get(json_object_get(status, "tracked"),
							    "processes")), 3);
	ooms = json_object_get(status, "oom_kills");
	assert_int_equal(json_array_size(ooms), OOM_MAX);
	assert_string_equal(str(json_array_get(ooms, 0), "comm"), "big");
	json_decref(status);
}

static int get_as(struct world *w, const char *path, int is_private, struct buf *body)
{
	const struct http_request rq = {.path = path, .accept = "", .is_private = is_private};
	const char *type = NULL;

	buf__consume(body, body->len);
	return answer__http(&w->a, &rq, body, &type);
}

static int get(struct world *w, const char *path, struct buf *body)
{
	return get_as(w, path, 1, body);
}

static unsigned count(const char *text, const char *what)
{
	unsigned cnt = 0;

	for (; (text = strstr(text, what)); text++)
		cnt++;
	return cnt;
}

static void has(const struct buf *body, const char *what)
{
	if (!strstr(body->data, what))
		fail_msg("no '%s' in\n%s", what, body->data);
}

static void test_http(void **state)
{
	struct world *w = *state;
	struct buf body = {0};

	assert_int_equal(get(w, "/healthz", &body), 200);
	assert_int_equal(get(w, "/readyz", &body), 503); /* no poll yet */
	assert_int_equal(get(w, "/etc/passwd", &body), 404);
	world__proc(w, 100, "web", "/app");
	world__leak(w, 100, "/app");
	assert_int_equal(get(w, "/readyz", &body), 200);
	assert_int_equal(get(w, "/metrics", &body), 200);
	has(&body, "\nseep_incidents_open 1\n");
	has(&body, "\nseep_incidents{state=\"open\",severity=\"warning\"} 1\n");
	has(&body, "seep_process_leaking{pid=\"100\",comm=\"web\",cgroup=\"/app\"} 1\n");
	has(&body, "comm=\"web\",cgroup=\"/app\",verdict=\"leak\",class=\"leak\"} 1\n");
	has(&body, "seep_cgroup_memory_bytes{cgroup=\"/app\"} ");
	buf__free(&body);
}

/* As many series as were asked for, but every suspect, however small beside the others. */
static void test_metrics_are_bounded(void **state)
{
	struct proc_sample s[12];
	struct world *w = *state;
	struct buf body = {0};
	unsigned i;

	for (i = 0; i < 12; i++) {
		world__proc(w, 200 + i, "idle", "/idle");
		s[i] = sized(200 + i, "idle", (900 + i) * MIB);
	}
	world__proc(w, 100, "web", "/app");
	world__leak(w, 100, "/app");
	s[11] = sized(100, "web", 590 * MIB);
	world__tick(w, s, 12);
	for (i = 0; i < 3; i++) {
		w->a.cfg.metrics_top = i * 3;
		assert_int_equal(get(w, "/metrics", &body), 200);
		assert_int_equal(count(body.data, "\nseep_process_memory_bytes{"), i ? i * 3 : 1);
		has(&body, "seep_process_memory_bytes{pid=\"100\",");
	}
	assert_int_equal(count(body.data, "seep_process_memory_bytes{pid=\"200\""), 0);
	has(&body, "seep_process_memory_bytes{pid=\"210\""); /* the biggest */
	buf__free(&body);
}

static void test_openmetrics(void **state)
{
	const struct http_request rq = {
		.path = "/metrics",
		.accept = "application/openmetrics-text; version=1.0.0",
	};
	struct world *w = *state;
	struct buf body = {0};
	const char *type;

	assert_int_equal(answer__http(&w->a, &rq, &body, &type), 200);
	assert_string_equal(type, "application/openmetrics-text; version=1.0.0; charset=utf-8");
	has(&body, "# TYPE seep_polls counter\nseep_polls_total 0\n");
	assert_string_equal(body.data + body.len - 6, "# EOF\n");
	buf__free(&body);
}

static void has_text(struct world *w, const char *path, int status, const char *text)
{
	struct buf body = {0};

	assert_int_equal(get(w, path, &body), status);
	if (!body.len || !memmem(body.data, body.len, text, strlen(text)))
		fail_msg("%s: no '%s' in: %.300s", path, text, body.len ? body.data : "");
	buf__free(&body);
}

static void test_web(void **state)
{
	struct world *w = *state;
	struct buf body = {0};

	populate(w);
	has_text(w, "/", 200, "<!doctype html>");
	has_text(w, "/api/top", 200, "\"comm\":\"big\"");
	has_text(w, "/api/leaks", 200, "\"seep.leaks/1\"");
	has_text(w, "/api/status", 200, "\"seep.status/1\"");
	has_text(w, "/api/incident/nosuch", 404, "\"error\":\"no incident 'nosuch'");
	has_text(w, "/api/incident/", 400, "\"seep.error/1\"");
	has_text(w, "/api/record", 404, "\"seep.error/1\"");
	assert_int_equal(get_as(w, "/api/top", 0, &body), 403);
	assert_int_equal(get_as(w, "/", 0, &body), 403);
	assert_int_equal(get_as(w, "/metrics", 0, &body), 200);
	buf__free(&body);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		WORLD_TEST(test_top_rows),
		WORLD_TEST(test_top_by),
		WORLD_TEST(test_rollup),
		WORLD_TEST(test_pods_are_rows),
		WORLD_TEST(test_ended_processes_are_not_shown),
		WORLD_TEST(test_leaks_and_show),
		WORLD_TEST(test_leaks_are_chosen),
		WORLD_TEST(test_show_refuses),
		WORLD_TEST(test_record_pages),
		WORLD_TEST(test_drill_pauses_and_resumes),
		WORLD_TEST(test_status),
		WORLD_TEST(test_http),
		WORLD_TEST(test_metrics_are_bounded),
		WORLD_TEST(test_openmetrics),
		WORLD_TEST(test_web),
	};

	log__set_level(LOG_LEVEL_ERROR);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
