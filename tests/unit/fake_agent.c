// SPDX-License-Identifier: BSD-2-Clause
/*
 * fake_agent.c - answers like an agent, from canned data: to try the CLI by hand and to test it
 * without root. Usage: fake_agent SOCKET [ROWS]; ends on SIGTERM.
 *
 * Names are hostile on purpose: escape sequences, wide characters, marks that turn text around.
 */
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/loop.h"
#include "out/ctl.h"

#define WINDOW_S 21600
#define POINTS 72
#define MIB 1048576.0

static int row_cnt = 40;

static const char *const names[] = {
	"api", "postgres", "evil\033[31mred", "日本語プロセス", "turned\u202efdp.exe", "kworker", "java",
};

static json_t *history(int i, time_t now)
{
	json_t *list = json_array();
	int k;

	for (k = 0; k < POINTS; k++) {
		double bytes = 200 * MIB + (i % 5 == 0 ? k * 4 * MIB : 0) +
			       10 * MIB * sin(k / 3.0 + i) * (i % 3);

		if (i % 7 == 6 && k > 20 && k < 40)
			continue; /* a gap */
		json_array_append_new(list, json_pack("[I, I]",
			(json_int_t)(now - WINDOW_S + k * WINDOW_S / POINTS), (json_int_t)bytes));
	}
	return list;
}

static json_t *row(const char *by, int i, time_t now)
{
	json_t *r = json_pack("{s:I, s:I, s:I, s:o, s:I, s:s, s:s, s:o}",
		"rss_bytes", (json_int_t)((300 + 37 * i) * MIB),
		"anon_bytes", (json_int_t)((200 + 29 * i) * MIB),
		"swap_bytes", (json_int_t)(i % 4 ? 0 : 5 * MIB),
		"limit_bytes", i % 2 ? json_null() : json_integer(2048 * MIB),
		"growth_bytes_per_hour", (json_int_t)(i % 5 ? i * 1000 : (48 - i) * MIB),
		"verdict", i % 5 == 0 ? "leak" : i % 5 == 1 ? "suspect" : i % 5 == 2 ? "warming" :
			   "healthy",
		"class", i % 5 ? "unknown" : "leak",
		"history", history(i, now));

	if (!strcmp(by, "process")) {
		json_object_set_new(r, "pid", json_integer(1000 + i));
		json_object_set_new(r, "comm",
				    json_string(names[i % (sizeof(names) / sizeof(names[0]))]));
	}
	json_object_set_new(r, "cgroup", json_sprintf("/kubepods/burstable/pod%d/container-%d", i, i));
	json_object_set_new(r, "container", i % 3 ? json_null() : json_sprintf("web-%d", i));
	if (!strcmp(by, "pod")) {
		json_object_set_new(r, "pod", json_sprintf("api-7f9c-%d", i));
		json_object_set_new(r, "namespace", json_string("shop"));
		json_object_set_new(r, "workload", json_string("Deployment/api"));
	}
	return r;
}

static json_t *top(const json_t *request, time_t now)
{
	const char *by = json_string_value(json_object_get(request, "by"));
	const json_t *n = json_object_get(request, "n");
	int i, cnt = json_is_integer(n) && json_integer_value(n) < row_cnt ?
		     (int)json_integer_value(n) : row_cnt;
	json_t *rows = json_array();

	for (i = 0; i < cnt; i++)
		json_array_append_new(rows, row(by ? by : "process", i, now));
	return json_pack("{s:s, s:I, s:i, s:f, s:{s:s, s:I, s:I, s:i}, s:o}",
			 "schema", "seep.top/1", "at_s", (json_int_t)now, "window_s", WINDOW_S,
			 "interval_s", 1.0, "node", "name", "node-1", "total_bytes",
			 (json_int_t)(16384 * MIB), "available_bytes", (json_int_t)(9000 * MIB),
			 "open_incidents", 2, "rows", rows);
}

static json_t *incident(const char *id, int open, time_t now)
{
	json_t *verdict = json_pack(
		"{s:s, s:s, s:f, s:I, s:I, s:I, s:[I, I], s:I, s:i, s:[i, n], s:[s, s]}",
		"verdict", open ? "leak" : "recovered", "class", "leak", "confidence", .97,
		"since_s", (json_int_t)(now - 14400), "growth_bytes", (json_int_t)(240 * MIB),
		"slope_bytes_per_hour", (json_int_t)(48 * MIB), "slope_ci_bytes_per_hour",
		(json_int_t)(46 * MIB), (json_int_t)(51 * MIB), "limit_bytes",
		(json_int_t)(640 * MIB), "time_to_limit_s", 11000, "time_to_limit_ci_s", 9000,
		"evidence", "the floor rose by 240 MiB in 4h",
		"growth in 8 of 8 blocks, still growing in the last");
	json_t *in = json_pack("{s:s, s:s, s:s, s:s, s:s, s:o, s:I, s:I, s:o, s:o, s:[s], s:[]}",
		"schema", "seep.incident/1", "id", id, "state", open ? "open" : "closed", "kind",
		"leak", "severity", open ? "critical" : "warning", "object",
		json_pack("{s:i, s:s, s:s, s:s, s:s, s:n}", "pid", 4711, "comm", "api\033]0;x\007",
			  "cgroup", "/kubepods/pod1", "pod", "api-7f9c", "namespace", "shop",
			  "workload"),
		"opened_s", (json_int_t)(now - 7200), "started_s", (json_int_t)(now - 14400),
		"closed_s", open ? json_null() : json_integer(now - 600), "verdict", verdict,
		"not_seen", "call sites: not looked for", "related");

	json_object_set_new(in, "explanation", json_string(
		"api[4711] in pod shop/api-7f9c grows by 48 MiB an hour since 4 hours and never "
		"gives any of it back. At this rate it reaches its limit of 640 MiB in 3 hours. "
		"Look at what it keeps per request."));
	json_object_set_new(in, "history", history(0, now));
	json_object_set_new(in, "top", json_pack("[o, o]", row("process", 0, now),
						 row("process", 3, now)));
	json_object_set_new(in, "timeline", json_pack("[{s:I, s:s}]", "t_s",
						      (json_int_t)(now - 7200), "text", "opened"));
	return in;
}

static json_t *leaks(const json_t *request, time_t now)
{
	int all = json_is_true(json_object_get(request, "all"));
	json_t *list = json_array();

	if (row_cnt)
		json_array_append_new(list, incident("3f2a9c01", 1, now));
	if (row_cnt && all)
		json_array_append_new(list, incident("77b0e4d2", 0, now));
	return json_pack("{s:s, s:I, s:{s:i, s:i, s:i, s:I}, s:[s], s:o}", "schema",
			 "seep.leaks/1", "at_s", (json_int_t)now, "watched", "processes", 132,
			 "cgroups", 41, "window_s", WINDOW_S, "since_s", (json_int_t)(now - 86400),
			 "not_seen", "3 processes at the bound of seep_procs", "incidents", list);
}

static json_t *status(time_t now)
{
	return json_pack("{s:s, s:I, s:s, s:i, s:s, s:I, s:i, s:s, s:i, s:i, s:s, s:[s], s:[s],"
			 " s:{s:s, s:s, s:s}, s:{s:i, s:i, s:i}, s:{s:i, s:i, s:i},"
			 " s:{s:{s:i, s:i, s:i}, s:{s:i, s:i, s:i}}, s:{s:f, s:i, s:i}, s:n}",
			 "schema", "seep.status/1", "at_s", (json_int_t)now, "version", "0.1.0",
			 "pid", 812, "node", "node-1", "started_s", (json_int_t)(now - 5000),
			 "uptime_s", 5000, "state_dir", "/var/lib/seep", "interval_s", 10,
			 "window_s", WINDOW_S, "health", "degraded", "problems",
			 "the journal cannot be written: No space left on device", "not_seen",
			 "swap of 2 processes", "probes", "rss", "tp_btf", "poll", "iter/task",
			 "lifecycle", "ok", "tracked", "processes", 132, "cgroups", 41, "series", 173,
			 "dropped", "proc_full", 0, "ring_full", 7, "cgroup_full", 0, "maps",
			 "seep_procs", "used", 132, "max", 16384, "bytes", 3000000, "seep_cgroups",
			 "used", 4000, "max", 4096, "bytes", 400000, "self", "cpu_percent", .04,
			 "rss_bytes", 18000000, "anon_bytes", 9000000, "last_inspection");
}

static int answer(void *ctx, const char *cmd, const json_t *request, struct buf *body)
{
	time_t now = time(NULL);
	const char *id = json_string_value(json_object_get(request, "id"));
	json_t *json = NULL;
	char *text;

	(void)ctx;
	if (!strcmp(cmd, "record")) {
		if (!json_integer_value(json_object_get(request, "first")))
			buf__puts(body, "series,t_s,bytes\napi,0,1000\napi,10,2000\n");
		return SEEP_EXIT_OK;
	}
	if (!strcmp(cmd, "top"))
		json = top(request, now);
	else if (!strcmp(cmd, "leaks"))
		json = leaks(request, now);
	else if (!strcmp(cmd, "status"))
		json = status(now);
	else if (!strcmp(cmd, "show") && id && !strncmp("3f2a9c01", id, strlen(id)))
		json = incident("3f2a9c01", 1, now);
	if (!json) {
		buf__printf(body, "no incident '%s'", id ? id : "");
		return SEEP_EXIT_NO_TARGET;
	}
	text = json_dumps(json, JSON_COMPACT);
	buf__puts(body, text ? text : "");
	free(text);
	json_decref(json);
	return SEEP_EXIT_OK;
}

static void on_signal(void *ctx, uint32_t events)
{
	(void)events;
	loop__stop(ctx);
}

int main(int argc, char **argv)
{
	struct loop *loop = loop__new();
	struct ctl *ctl = NULL;
	int err;

	if (argc < 2 || !loop) {
		fprintf(stderr, "usage: fake_agent SOCKET [ROWS]\n");
		return 2;
	}
	if (argc > 2)
		row_cnt = atoi(argv[2]);
	loop__add_signal(loop, SIGTERM, on_signal, loop);
	loop__add_signal(loop, SIGINT, on_signal, loop);
	err = ctl__new(loop, argv[1], answer, NULL, &ctl);
	if (err) {
		fprintf(stderr, "%s: %s\n", argv[1], strerror(-err));
		return 1;
	}
	err = loop__run(loop);
	ctl__free(ctl);
	loop__free(loop);
	return err != 0;
}
