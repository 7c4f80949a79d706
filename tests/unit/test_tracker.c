/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_tracker.c - one incident per object and episode: across updates, flapping, restarts of
 * the object, restarts of the agent, and a history that fails.
 */
#include <errno.h>
#include <ftw.h>
#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>
#include <sqlite3.h>
#include <sys/stat.h>
#include <unistd.h>

#include "incident/tracker.h"
#include "incident_sample.h"

#define A "p:4711:1"
#define B "p:4712:2"

static char dir[64];
static char path[128];
static struct history *history;
static struct tracker *tr;

static void start_agent(unsigned max_open)
{
	const char *why;

	assert_int_equal(history__open(path, &history, &why), 0);
	tr = tracker__new(&(struct tracker_cfg){
		.history = history, .node = "node-a", .window_s = WINDOW_S, .max_open = max_open});
	assert_non_null(tr);
}

static void stop_agent(void)
{
	tracker__free(tr);
	history__close(history);
	tr = NULL;
	history = NULL;
}

static void copy(const char *from, const char *to)
{
	char data[65536];
	FILE *in = fopen(from, "r"), *out = fopen(to, "w");
	size_t n;

	assert_non_null(out);
	while (in && (n = fread(data, 1, sizeof(data), in)) > 0)
		assert_int_equal(fwrite(data, 1, n, out), n);
	if (in)
		fclose(in);
	fclose(out);
}

/* As SIGKILL leaves it: what the tracker writes when it is freed is undone. */
static void kill_agent(void)
{
	char log[160], saved[160], saved_log[192];

	snprintf(log, sizeof(log), "%s-wal", path);
	snprintf(saved, sizeof(saved), "%s.saved", path);
	snprintf(saved_log, sizeof(saved_log), "%s.saved-wal", path);
	copy(path, saved);
	copy(log, saved_log);
	stop_agent();
	assert_int_equal(rename(saved, path), 0);
	assert_int_equal(rename(saved_log, log), 0);
}

static int setup(void **state)
{
	strcpy(dir, "/tmp/seep-tracker-XXXXXX");
	if (!mkdtemp(dir))
		return -1;
	snprintf(path, sizeof(path), "%s/incidents.db", dir);
	start_agent(0);
	return 0;
}

static int remove_one(const char *name, const struct stat *st, int type, struct FTW *ftw)
{
	return remove(name);
}

static int teardown(void **state)
{
	stop_agent();
	return nftw(dir, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

static const struct incident *report_verdict(double t_s, const char *key, const struct verdict *v)
{
	static const double curve[][2] = {{T0, 700 * MIB}, {T0 + 1, 900 * MIB}};
	static char evidence[][DETECTOR_EVIDENCE_LEN] = {"grows", "and grows"};
	struct incident_object object = sample_object();

	object.node = NULL;
	return tracker__report(tr, t_s,
			       &(struct finding){.key = key,
						 .object = &object,
						 .verdict = v,
						 .evidence = evidence,
						 .evidence_cnt = 2,
						 .history = curve,
						 .history_cnt = 2});
}

static const struct incident *report(double t_s, const char *key, enum verdict_state state)
{
	struct verdict v = sample_verdict();

	v.state = state;
	return report_verdict(t_s, key, &v);
}

struct seen {
	int cnt, open;
	char ids[8][INCIDENT_ID_LEN];
	char reason[64];
};

static int look(void *ctx, struct incident *in)
{
	struct seen *seen = ctx;

	if (seen->cnt < 8)
		strcpy(seen->ids[seen->cnt], in->id);
	seen->cnt++;
	seen->open += in->state == INCIDENT_OPEN;
	snprintf(seen->reason, sizeof(seen->reason), "%s",
		 in->close_reason ? in->close_reason : "");
	incident__free(in);
	return 0;
}

static struct seen stored(const char *key)
{
	struct history_query q = {.since_s = NAN, .key = key, .limit = 1 << 20};
	struct seen seen = {0};

	assert_int_equal(history__query(history, &q, look, &seen), 0);
	return seen;
}

static int keep(void *ctx, struct incident *in)
{
	*(struct incident **)ctx = in;
	return 1;
}

static struct incident *stored_incident(const char *key)
{
	struct history_query q = {.since_s = NAN, .key = key};
	struct incident *in = NULL;

	assert_int_equal(history__query(history, &q, keep, &in), 0);
	assert_non_null(in);
	return in;
}

static int timeline_says(const struct incident *in, const char *text)
{
	int i, found = 0;

	for (i = 0; i < in->timeline_cnt; i++)
		found += !!strstr(in->timeline[i].text, text);
	return found;
}

/* ---- the ordinary life of an incident ---- */

static void test_only_a_leak_opens(void **state)
{
	assert_null(report(T0, A, VERDICT_WARMING));
	assert_null(report(T0, A, VERDICT_HEALTHY));
	assert_null(report(T0, A, VERDICT_SUSPECT));
	assert_null(report(T0, A, VERDICT_RECOVERED));
	assert_int_equal(tracker__open_cnt(tr), 0);
	assert_int_equal(stored(NULL).cnt, 0);
	assert_non_null(report(T0, A, VERDICT_LEAK));
	assert_int_equal(tracker__open_cnt(tr), 1);
}

static void test_opening_fills_the_incident(void **state)
{
	const struct incident *in = report(T0, A, VERDICT_LEAK);
	struct incident *kept = stored_incident(A);
	json_t *a = incident__to_json(in, 0), *b = incident__to_json(kept, 0);

	assert_true(json_equal(a, b));
	assert_string_equal(in->key, A);
	assert_int_equal(strlen(in->id), 8);
	assert_int_equal(strspn(in->id, "0123456789abcdefghjkmnpqrstvwxyz"), 8);
	assert_true(in->opened_s == T0 && in->started_s == T0 - 7919 && isnan(in->closed_s));
	assert_string_equal(in->object.node, "node-a");
	assert_string_equal(in->object.comm, "api");
	assert_int_equal(in->evidence_cnt, 2);
	assert_int_equal(in->history_cnt, 2);
	assert_int_equal(timeline_says(in, "opened"), 1);
	assert_ptr_equal(tracker__open_of(tr, A), in);
	assert_null(tracker__open_of(tr, B));
	json_decref(a);
	json_decref(b);
	incident__free(kept);
}

static void test_an_episode_is_one_incident(void **state)
{
	char id[INCIDENT_ID_LEN];
	const struct incident *in;
	int i;

	strcpy(id, report(T0, A, VERDICT_LEAK)->id);
	for (i = 1; i < 100; i++) {
		in = report(T0 + 60 * i, A, VERDICT_LEAK);
		assert_string_equal(in->id, id);
	}
	assert_int_equal(tracker__open_cnt(tr), 1);
	in = report(T0 + 6000, A, VERDICT_RECOVERED);
	assert_string_equal(in->id, id);
	assert_int_equal(in->state, INCIDENT_CLOSED);
	assert_true(in->closed_s == T0 + 6000);
	assert_string_equal(in->close_reason, "growth stopped");
	assert_int_equal(in->verdict.state, VERDICT_LEAK);
	assert_int_equal(tracker__open_cnt(tr), 0);
	assert_int_equal(stored(NULL).cnt, 1);
	assert_int_equal(stored(NULL).open, 0);
	assert_null(report(T0 + 6060, A, VERDICT_RECOVERED));
}

static void test_doubt_keeps_it_open_and_its_verdict(void **state)
{
	struct verdict v = sample_verdict();
	const struct incident *in;

	report(T0, A, VERDICT_LEAK);
	v.state = VERDICT_WARMING;
	v.growth_bytes = v.slope_bytes_per_hour = NAN;
	in = report_verdict(T0 + 60, A, &v);
	assert_int_equal(in->state, INCIDENT_OPEN);
	assert_int_equal(in->verdict.state, VERDICT_LEAK);
	assert_true(in->verdict.growth_bytes == 311 * MIB);
	assert_true(in->updated_s == T0 + 60);
	in = report(T0 + 120, A, VERDICT_SUSPECT);
	assert_int_equal(in->state, INCIDENT_OPEN);
	in = report(T0 + 180, A, VERDICT_HEALTHY);
	assert_int_equal(in->state, INCIDENT_CLOSED);
}

static void test_closing_shows_the_worst(void **state)
{
	struct verdict v = sample_verdict();
	const struct incident *in;

	v.growth_bytes = 700 * MIB;
	v.since_s = T0 - 9000;
	report_verdict(T0, A, &v);
	v.growth_bytes = 3 * MIB;
	v.since_s = T0 + 60;
	in = report_verdict(T0 + 120, A, &v);
	assert_true(in->verdict.growth_bytes == 3 * MIB);
	assert_true(in->started_s == T0 - 9000);
	in = report(T0 + 180, A, VERDICT_RECOVERED);
	assert_true(in->verdict.growth_bytes == 700 * MIB);
}

static void test_ended(void **state)
{
	report(T0, A, VERDICT_LEAK);
	report(T0, B, VERDICT_LEAK);
	tracker__ended(tr, T0 + 10, A, "oom-killed");
	tracker__ended(tr, T0 + 10, "p:1:1", "process ended");
	assert_null(tracker__open_of(tr, A));
	assert_non_null(tracker__open_of(tr, B));
	assert_string_equal(stored(A).reason, "oom-killed");
	assert_int_equal(stored(A).open, 0);
	assert_int_equal(stored(B).open, 1);
}

struct told {
	int opened, closed;
};

static void count_change(void *ctx, const struct incident *in)
{
	struct told *told = ctx;

	told->opened += in->state == INCIDENT_OPEN;
	told->closed += in->state == INCIDENT_CLOSED;
}

static void test_changes_are_told(void **state)
{
	struct told told = {0};

	tracker__on_change(tr, count_change, &told);
	report(T0, A, VERDICT_LEAK);
	report(T0 + 1, A, VERDICT_LEAK);
	report(T0 + 2, A, VERDICT_SUSPECT);
	assert_int_equal(told.opened, 1);
	assert_int_equal(told.closed, 0);
	report(T0 + 3, A, VERDICT_RECOVERED);
	assert_int_equal(told.closed, 1);
	report(T0 + 4, A, VERDICT_LEAK);
	assert_int_equal(told.opened, 2);
	tracker__ended(tr, T0 + 5, A, "process ended");
	assert_int_equal(told.closed, 2);
}

static void count_open(void *ctx, const struct incident *in)
{
	assert_int_equal(in->state, INCIDENT_OPEN);
	++*(int *)ctx;
}

static void test_foreach_open(void **state)
{
	int cnt = 0;

	report(T0, A, VERDICT_LEAK);
	report(T0, B, VERDICT_LEAK);
	report(T0, "c:/x", VERDICT_LEAK);
	report(T0 + 1, B, VERDICT_RECOVERED);
	tracker__foreach_open(tr, count_open, &cnt);
	assert_int_equal(cnt, 2);
}

/* ---- severity ---- */

static enum incident_severity severity_at(const char *key, double limit, double to_limit_lo,
					  double slope_mib)
{
	struct verdict v = sample_verdict();

	v.limit_bytes = limit;
	v.time_to_limit_lo_s = v.time_to_limit_s = v.time_to_limit_hi_s = to_limit_lo;
	v.slope_bytes_per_hour = slope_mib * MIB;
	return report_verdict(T0, key, &v)->severity;
}

static void test_severity(void **state)
{
	assert_int_equal(severity_at("1", 1e9, 3599, 97), SEVERITY_CRITICAL);
	assert_int_equal(severity_at("2", 1e9, 3601, 97), SEVERITY_WARNING);
	assert_int_equal(severity_at("3", 1e9, 7 * 86400, 97), SEVERITY_WARNING);
	assert_int_equal(severity_at("4", 1e9, 7 * 86400 + 1, 97), SEVERITY_INFO);
	assert_int_equal(severity_at("5", 1e9, 0, 97), SEVERITY_CRITICAL);
	/* the object has 900 MiB: 1 % of it per 6 h is 1.5 MiB per hour */
	assert_int_equal(severity_at("6", NAN, NAN, 1.4), SEVERITY_INFO);
	assert_int_equal(severity_at("7", NAN, NAN, 1.6), SEVERITY_WARNING);
	assert_int_equal(severity_at("8", 1e9, NAN, 1), SEVERITY_WARNING);
}

static void test_severity_only_rises(void **state)
{
	assert_int_equal(severity_at(A, 1e9, 1e7, 97), SEVERITY_INFO);
	assert_int_equal(severity_at(A, 1e9, 1000, 97), SEVERITY_CRITICAL);
	assert_int_equal(severity_at(A, 1e9, 1e7, 97), SEVERITY_CRITICAL);
	assert_int_equal(timeline_says(tracker__open_of(tr, A), "from info to critical"), 1);
}

/* ---- when it is written ---- */

static void test_news_is_written_at_once_the_rest_in_time(void **state)
{
	struct verdict v = sample_verdict();
	struct incident *kept;

	report(T0, A, VERDICT_LEAK);
	v.growth_bytes += MIB;
	report_verdict(T0 + 100, A, &v);
	kept = stored_incident(A);
	assert_true(kept->updated_s == T0);
	incident__free(kept);
	report_verdict(T0 + WINDOW_S / 24, A, &v);
	kept = stored_incident(A);
	assert_true(kept->updated_s == T0 + WINDOW_S / 24);
	incident__free(kept);
	v.class = CLASS_RETENTION;
	report_verdict(T0 + WINDOW_S / 24 + 1, A, &v);
	kept = stored_incident(A);
	assert_int_equal(kept->verdict.class, CLASS_RETENTION);
	assert_int_equal(timeline_says(kept, "now looks like retention, not leak"), 1);
	incident__free(kept);
}

static void test_stopping_writes_what_waited(void **state)
{
	struct incident *kept;

	report(T0, A, VERDICT_LEAK);
	report(T0 + 100, A, VERDICT_LEAK);
	stop_agent();
	start_agent(0);
	kept = stored_incident(A);
	assert_true(kept->updated_s == T0 + 100);
	incident__free(kept);
}

/* ---- coming back ---- */

static void test_flapping_reopens(void **state)
{
	char id[INCIDENT_ID_LEN];
	const struct incident *in;
	int i;

	strcpy(id, report(T0, A, VERDICT_LEAK)->id);
	for (i = 1; i <= 5; i++) {
		report(T0 + i * 3000, A, VERDICT_RECOVERED);
		in = report(T0 + i * 3000 + 2000, A, VERDICT_LEAK);
		assert_string_equal(in->id, id);
		assert_int_equal(in->state, INCIDENT_OPEN);
		assert_true(isnan(in->closed_s) && in->opened_s == T0);
		assert_null(in->close_reason);
	}
	assert_int_equal(timeline_says(in, "reopened"), 5);
	assert_int_equal(tracker__open_cnt(tr), 1);
	assert_int_equal(stored(NULL).cnt, 1);
	assert_int_equal(stored(NULL).open, 1);
}

static void test_later_it_is_a_new_incident(void **state)
{
	char id[INCIDENT_ID_LEN];

	strcpy(id, report(T0, A, VERDICT_LEAK)->id);
	report(T0 + 60, A, VERDICT_RECOVERED);
	assert_string_not_equal(report(T0 + 60 + 3601, A, VERDICT_LEAK)->id, id);
	assert_int_equal(stored(A).cnt, 2);
	assert_int_equal(stored(A).open, 1);
}

static void test_reopening_across_agents(void **state)
{
	char id[INCIDENT_ID_LEN];

	strcpy(id, report(T0, A, VERDICT_LEAK)->id);
	report(T0 + 60, A, VERDICT_RECOVERED);
	kill_agent();
	start_agent(0);
	assert_int_equal(tracker__open_cnt(tr), 0);
	assert_string_equal(report(T0 + 600, A, VERDICT_LEAK)->id, id);
	assert_int_equal(stored(NULL).cnt, 1);
	assert_int_equal(stored(NULL).open, 1);
}

/* ---- agents come and go ---- */

static void test_agents_take_up_what_is_open(void **state)
{
	char id[INCIDENT_ID_LEN];
	const struct incident *in;

	strcpy(id, report(T0, A, VERDICT_LEAK)->id);
	report(T0, B, VERDICT_LEAK);
	tracker__ended(tr, T0 + 1, B, "process ended");
	kill_agent();
	start_agent(0);
	assert_int_equal(tracker__open_cnt(tr), 1);
	in = tracker__open_of(tr, A);
	assert_non_null(in);
	assert_string_equal(in->id, id);
	in = report(T0 + 100, A, VERDICT_LEAK);
	assert_string_equal(in->id, id);
	assert_int_equal(timeline_says(in, "watched again"), 1);
	report(T0 + 101, A, VERDICT_LEAK);
	assert_int_equal(timeline_says(in, "watched again"), 1);
}

static void test_a_new_detector_needs_time(void **state)
{
	report(T0, A, VERDICT_LEAK);
	kill_agent();
	start_agent(0);
	assert_int_equal(report(T0 + 100, A, VERDICT_HEALTHY)->state, INCIDENT_OPEN);
	assert_int_equal(report(T0 + 10800, A, VERDICT_HEALTHY)->state, INCIDENT_OPEN);
	assert_int_equal(report(T0 + 10900, A, VERDICT_HEALTHY)->state, INCIDENT_CLOSED);

	report(T0 + 11000, A, VERDICT_LEAK);
	kill_agent();
	start_agent(0);
	assert_int_equal(report(T0 + 11100, A, VERDICT_LEAK)->state, INCIDENT_OPEN);
	assert_int_equal(report(T0 + 11110, A, VERDICT_HEALTHY)->state, INCIDENT_CLOSED);
}

static void test_sweep_closes_what_did_not_come_back(void **state)
{
	struct told told = {0};

	report(T0, A, VERDICT_LEAK);
	report(T0, B, VERDICT_LEAK);
	kill_agent();
	start_agent(0);
	tracker__on_change(tr, count_change, &told);
	report(T0 + 900, "c:/new", VERDICT_LEAK); /* not from the history: not the sweep's */
	report(T0 + 1000, A, VERDICT_WARMING);
	tracker__sweep(tr, T0 + 1900, T0 + 1000);
	assert_non_null(tracker__open_of(tr, A));
	assert_null(tracker__open_of(tr, B));
	assert_non_null(tracker__open_of(tr, "c:/new"));
	assert_string_equal(stored(B).reason, "gone while the agent was away");
	assert_int_equal(told.closed, 1);
	tracker__sweep(tr, T0 + 2000, T0 + 1000);
	assert_int_equal(tracker__open_cnt(tr), 2);
}

static void put_open(const char *id, const char *key, double opened_s)
{
	struct incident *in = sample_incident(id, key);

	in->opened_s = in->updated_s = opened_s;
	assert_int_equal(history__put(history, in), 0);
	incident__free(in);
}

static void test_two_open_in_the_history_become_one(void **state)
{
	stop_agent();
	start_agent(0);
	put_open("older", A, T0 - 100);
	put_open("newer", A, T0 - 50);
	kill_agent();
	start_agent(0);
	assert_int_equal(tracker__open_cnt(tr), 1);
	assert_string_equal(tracker__open_of(tr, A)->id, "newer");
	assert_int_equal(stored(A).cnt, 2);
	assert_int_equal(stored(A).open, 1);
}

static void test_history_with_too_many_open(void **state)
{
	char key[32];
	int i;

	for (i = 0; i < 20; i++) {
		snprintf(key, sizeof(key), "p:%d:1", i);
		report(T0 + i, key, VERDICT_LEAK);
	}
	kill_agent();
	start_agent(7);
	assert_int_equal(tracker__open_cnt(tr), 7);
	assert_int_equal(stored(NULL).open, 7);
	assert_non_null(tracker__open_of(tr, "p:19:1"));
}

/* ---- objects change their identity ---- */

/* What is no verdict stands in the timeline of the open incident, and nowhere else. */
static void test_note(void **state)
{
	const struct incident *in;
	char id[INCIDENT_ID_LEN];

	strcpy(id, report(T0, A, VERDICT_LEAK)->id);
	tracker__note(tr, T0 + 5, "no such", "OOM-killed");
	tracker__note(tr, T0 + 5, id, "OOM-killed");
	in = tracker__open_of(tr, A);
	assert_int_equal(timeline_says(in, "OOM-killed"), 1);
	assert_true(in->timeline[in->timeline_cnt - 1].t_s == T0 + 5);
}

static void test_rekey(void **state)
{
	struct incident_object object = sample_object();
	char id[INCIDENT_ID_LEN];
	const struct incident *in;

	strcpy(id, report(T0, A, VERDICT_LEAK)->id);
	object.pid = 4712;
	tracker__rekey(tr, T0 + 10, A, B, &object);
	assert_null(tracker__open_of(tr, A));
	in = tracker__open_of(tr, B);
	assert_string_equal(in->id, id);
	assert_int_equal(in->object.pid, 4712);
	assert_int_equal(timeline_says(in, "PID 4712, before it was 4711"), 1);
	assert_string_equal(report(T0 + 20, B, VERDICT_LEAK)->id, id);
	assert_int_equal(stored(B).open, 1);
	assert_int_equal(stored(A).cnt, 0);
	tracker__rekey(tr, T0 + 30, "p:1:1", "p:2:2", &object);
	tracker__rekey(tr, T0 + 30, B, B, &object);
	assert_int_equal(tracker__open_cnt(tr), 1);
}

static void test_rekey_never_makes_two(void **state)
{
	char id[INCIDENT_ID_LEN];

	strcpy(id, report(T0, A, VERDICT_LEAK)->id);
	report(T0 + 5, B, VERDICT_LEAK);
	tracker__rekey(tr, T0 + 10, A, B, NULL);
	assert_int_equal(tracker__open_cnt(tr), 1);
	assert_string_equal(tracker__open_of(tr, B)->id, id);
	assert_int_equal(stored(B).cnt, 2);
	assert_int_equal(stored(B).open, 1);
	/* of the two, the one that was closed last goes on */
	report(T0 + 20, B, VERDICT_RECOVERED);
	assert_string_equal(report(T0 + 30, B, VERDICT_LEAK)->id, id);
}

static void test_rekey_of_a_closed_one_gives_way(void **state)
{
	char id[INCIDENT_ID_LEN];

	report(T0, A, VERDICT_LEAK);
	tracker__ended(tr, T0 + 1, A, "process ended");
	strcpy(id, report(T0 + 2, B, VERDICT_LEAK)->id);
	tracker__rekey(tr, T0 + 3, A, B, NULL);
	assert_int_equal(tracker__open_cnt(tr), 1);
	assert_string_equal(tracker__open_of(tr, B)->id, id);
	assert_int_equal(stored(A).cnt, 1);
}

/* Killed at its limit, restarted, and it goes on: one incident. */
static void test_rekey_after_the_end(void **state)
{
	char id[INCIDENT_ID_LEN];

	strcpy(id, report(T0, A, VERDICT_LEAK)->id);
	tracker__ended(tr, T0 + 10, A, "oom-killed");
	tracker__rekey(tr, T0 + 20, A, B, NULL);
	assert_int_equal(tracker__open_cnt(tr), 0);
	assert_string_equal(report(T0 + 600, B, VERDICT_LEAK)->id, id);
	assert_int_equal(stored(B).cnt, 1);
}

/* ---- bounds and failures ---- */

static void test_open_incidents_are_bounded(void **state)
{
	char key[32];
	int i;

	stop_agent();
	start_agent(5);
	for (i = 0; i < 12; i++) {
		snprintf(key, sizeof(key), "p:%d:1", i);
		assert_int_equal(!!report(T0, key, VERDICT_LEAK), i < 5);
	}
	assert_int_equal(tracker__open_cnt(tr), 5);
	assert_int_equal(tracker__dropped(tr), 7);
	report(T0 + 1, "p:0:1", VERDICT_RECOVERED);
	assert_non_null(report(T0 + 2, "p:7:1", VERDICT_LEAK));
}

/* The database is held by somebody else for as long as the lock lives. */
static sqlite3 *lock_history(void)
{
	sqlite3 *db;

	assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
	assert_int_equal(sqlite3_exec(db, "BEGIN IMMEDIATE", NULL, NULL, NULL), SQLITE_OK);
	return db;
}

static void test_a_failing_history_loses_nothing(void **state)
{
	struct history_stats stats;
	sqlite3 *lock = lock_history();
	char id[INCIDENT_ID_LEN];
	int i;

	strcpy(id, report(T0, A, VERDICT_LEAK)->id);
	report(T0, B, VERDICT_LEAK);
	report(T0 + 1, B, VERDICT_RECOVERED);
	for (i = 0; i < 50; i++)
		report(T0 + 2 + i, A, VERDICT_LEAK);
	assert_int_equal(tracker__open_cnt(tr), 1);
	assert_int_equal(tracker__unwritten(tr), 2);
	assert_int_equal(stored(NULL).cnt, 0);
	/* a history that fails is left alone for a while: each try may cost a timeout */
	history__stats(history, &stats);
	assert_int_equal(stats.failed, 1);
	sqlite3_close(lock);

	report(T0 + 100, A, VERDICT_SUSPECT);
	assert_int_equal(tracker__unwritten(tr), 0);
	assert_string_equal(stored(A).ids[0], id);
	assert_int_equal(stored(A).open, 1);
	assert_int_equal(stored(B).cnt, 1);
	assert_int_equal(stored(B).open, 0);
}

static void test_closed_ones_wait_for_the_history(void **state)
{
	sqlite3 *lock = lock_history();

	report(T0, A, VERDICT_LEAK);
	report(T0 + 1, A, VERDICT_RECOVERED);
	report(T0 + 7200, B, VERDICT_SUSPECT);
	assert_int_equal(tracker__unwritten(tr), 1);
	sqlite3_close(lock);
	report(T0 + 9000, B, VERDICT_SUSPECT);
	assert_int_equal(stored(A).cnt, 1);
	assert_int_equal(stored(A).open, 0);
}

static void run_sql(const char *sql)
{
	sqlite3 *db;

	assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
	assert_int_equal(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
	sqlite3_close(db);
}

static void test_a_history_that_cannot_be_read_at_first(void **state)
{
	char a[INCIDENT_ID_LEN], b[INCIDENT_ID_LEN];

	strcpy(a, report(T0, A, VERDICT_LEAK)->id);
	report(T0, B, VERDICT_LEAK);
	tracker__free(tr);
	run_sql("ALTER TABLE incident RENAME TO hidden");
	tr = tracker__new(&(struct tracker_cfg){.history = history, .window_s = WINDOW_S});
	assert_int_equal(tracker__open_cnt(tr), 0);
	strcpy(b, report(T0 + 1, B, VERDICT_LEAK)->id);
	run_sql("ALTER TABLE hidden RENAME TO incident");
	report(T0 + 100, "c:/x", VERDICT_SUSPECT);
	assert_int_equal(tracker__open_cnt(tr), 2);
	assert_string_equal(tracker__open_of(tr, A)->id, a);
	assert_string_equal(tracker__open_of(tr, B)->id, b);
	assert_int_equal(stored(B).cnt, 2);
	assert_int_equal(stored(B).open, 1);
}

static void test_closed_ones_wait_within_bounds(void **state)
{
	sqlite3 *lock = lock_history();
	char key[32];
	int i;

	for (i = 0; i < TRACKER_CLOSED_MAX + 50; i++) {
		snprintf(key, sizeof(key), "p:%d:1", i);
		report(T0 + i * .01, key, VERDICT_LEAK);
		report(T0 + i * .01, key, VERDICT_RECOVERED);
	}
	sqlite3_close(lock);
	report(T0 + 1e6, A, VERDICT_SUSPECT);
	assert_in_range(stored(NULL).cnt, TRACKER_CLOSED_MAX, TRACKER_CLOSED_MAX + 1);
	assert_int_equal(stored(NULL).cnt + tracker__dropped(tr), TRACKER_CLOSED_MAX + 50);
}

static void test_without_a_history(void **state)
{
	char id[INCIDENT_ID_LEN];

	stop_agent();
	tr = tracker__new(&(struct tracker_cfg){.window_s = WINDOW_S});
	assert_non_null(tr);
	strcpy(id, report(T0, A, VERDICT_LEAK)->id);
	report(T0 + 1, A, VERDICT_RECOVERED);
	assert_string_equal(report(T0 + 2, A, VERDICT_LEAK)->id, id);
	tracker__sweep(tr, T0 + 3, T0);
	assert_int_equal(tracker__open_cnt(tr), 1);
	assert_int_equal(tracker__unwritten(tr), 0);
	tracker__ended(tr, T0 + 3, A, "process ended");
	assert_null(report(T0 + 1e6, A, VERDICT_SUSPECT));
	assert_int_equal(tracker__open_cnt(tr), 0);
}

static void test_clock_steps(void **state)
{
	char id[INCIDENT_ID_LEN];

	strcpy(id, report(T0, A, VERDICT_LEAK)->id);
	assert_string_equal(report(T0 - 86400, A, VERDICT_LEAK)->id, id);
	assert_string_equal(report(T0 + 86400, A, VERDICT_LEAK)->id, id);
	report(T0 + 86401, A, VERDICT_RECOVERED);
	assert_string_equal(report(T0 + 86401 - 100, A, VERDICT_LEAK)->id, id);
	report(T0, A, VERDICT_RECOVERED);
	assert_int_equal(stored(NULL).cnt, 1);
}

static void test_ids_are_unique(void **state)
{
	struct history_query all = {.since_s = NAN, .limit = 1 << 20};
	struct seen seen = {0};
	char key[32];
	int i;

	for (i = 0; i < 1000; i++) {
		snprintf(key, sizeof(key), "p:%d:1", i);
		assert_non_null(report(T0, key, VERDICT_LEAK));
	}
	history__query(history, &all, look, &seen); /* the id is the key of the table */
	assert_int_equal(seen.cnt, 1000);
}

/* An id is drawn from the object and the time, so that two agents may draw the same. */
static void test_ids_of_earlier_agents_are_not_used_again(void **state)
{
	char id[INCIDENT_ID_LEN];

	strcpy(id, report(T0, A, VERDICT_LEAK)->id);
	report(T0 + 1, A, VERDICT_RECOVERED);
	kill_agent();
	run_sql("UPDATE incident SET key = 'other'");
	start_agent(0);
	assert_string_not_equal(report(T0, A, VERDICT_LEAK)->id, id);
	assert_int_equal(stored(NULL).cnt, 2);
}

static void test_hostile_key(void **state)
{
	const char *key = "c:/\xff\xfe' \"%\n";
	char id[INCIDENT_ID_LEN];

	strcpy(id, report(T0, key, VERDICT_LEAK)->id);
	kill_agent();
	start_agent(0);
	assert_string_equal(report(T0 + 1, key, VERDICT_LEAK)->id, id);
	assert_int_equal(stored(key).cnt, 1);
}

/* Whatever is reported in whatever order: at most one open incident per key, in memory and
 * in the history, and both agree. */
static void test_random_walk(void **state)
{
	static const char *const keys[] = {"k:0", "k:1", "k:2", "k:3"};
	double t_s = T0;
	int i, k, open;

	srand(104729);
	for (i = 0; i < 3000; i++) {
		t_s += rand() % 1500;
		switch (rand() % 40) {
		case 0:
			kill_agent();
			start_agent(0);
			break;
		case 1:
			tracker__sweep(tr, t_s, t_s - 3000);
			break;
		case 2 ... 4:
			tracker__rekey(tr, t_s, keys[rand() % 4], keys[rand() % 4], NULL);
			break;
		case 5:
			tracker__ended(tr, t_s, keys[rand() % 4], "process ended");
			break;
		default:
			report(t_s, keys[rand() % 4], rand() % 5);
		}
		if (i % 50)
			continue;
		for (open = 0, k = 0; k < 4; k++) {
			assert_int_equal(stored(keys[k]).open, !!tracker__open_of(tr, keys[k]));
			open += !!tracker__open_of(tr, keys[k]);
		}
		assert_int_equal(tracker__open_cnt(tr), open);
	}
}

/* ---- a history that cannot be read at first ---- */

static int allocations_left;

static void *scarce_malloc(size_t size)
{
	if (allocations_left-- > 0)
		return malloc(size);
	errno = ENOMEM;
	return NULL;
}

/* Nothing is lost, closed or opened twice because memory was short while it was taken up. */
static void test_taking_up_without_memory(void **state)
{
	int left;

	report(T0, A, VERDICT_LEAK);
	report(T0, B, VERDICT_LEAK);
	stop_agent();
	for (left = 0; left < 400; left += 3) {
		allocations_left = left;
		json_set_alloc_funcs(scarce_malloc, free);
		start_agent(0);
		json_set_alloc_funcs(malloc, free);
		report(T0 + 1, A, VERDICT_LEAK);
		assert_int_equal(tracker__open_cnt(tr), 2);
		stop_agent();
	}
	start_agent(0);
	assert_int_equal(stored(A).cnt, 1);
	assert_int_equal(stored(A).open, 1);
	assert_int_equal(stored(B).cnt, 1);
	assert_int_equal(stored(B).open, 1);
}

/* What was found without a history is written as soon as there is one, and what it knows comes in. */
static void test_history_comes_late(void **state)
{
	report(T0, A, VERDICT_LEAK);
	tracker__free(tr);
	tr = tracker__new(&(struct tracker_cfg){.node = "node-a", .window_s = WINDOW_S});
	report(T0 + 1, B, VERDICT_LEAK);
	assert_int_equal(stored(B).cnt, 0);
	tracker__use(tr, history);
	report(T0 + 2, B, VERDICT_LEAK);
	assert_int_equal(stored(B).open, 1);
	assert_int_equal(tracker__open_cnt(tr), 2);
	assert_non_null(tracker__open_of(tr, A));
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_only_a_leak_opens),
		TEST(test_opening_fills_the_incident),
		TEST(test_an_episode_is_one_incident),
		TEST(test_doubt_keeps_it_open_and_its_verdict),
		TEST(test_closing_shows_the_worst),
		TEST(test_ended),
		TEST(test_changes_are_told),
		TEST(test_foreach_open),
		TEST(test_severity),
		TEST(test_severity_only_rises),
		TEST(test_news_is_written_at_once_the_rest_in_time),
		TEST(test_stopping_writes_what_waited),
		TEST(test_flapping_reopens),
		TEST(test_later_it_is_a_new_incident),
		TEST(test_reopening_across_agents),
		TEST(test_agents_take_up_what_is_open),
		TEST(test_a_new_detector_needs_time),
		TEST(test_sweep_closes_what_did_not_come_back),
		TEST(test_two_open_in_the_history_become_one),
		TEST(test_history_with_too_many_open),
		TEST(test_note),
		TEST(test_rekey),
		TEST(test_rekey_never_makes_two),
		TEST(test_rekey_of_a_closed_one_gives_way),
		TEST(test_rekey_after_the_end),
		TEST(test_open_incidents_are_bounded),
		TEST(test_a_failing_history_loses_nothing),
		TEST(test_closed_ones_wait_for_the_history),
		TEST(test_a_history_that_cannot_be_read_at_first),
		TEST(test_closed_ones_wait_within_bounds),
		TEST(test_without_a_history),
		TEST(test_clock_steps),
		TEST(test_ids_are_unique),
		TEST(test_ids_of_earlier_agents_are_not_used_again),
		TEST(test_hostile_key),
		TEST(test_random_walk),
		TEST(test_taking_up_without_memory),
		TEST(test_history_comes_late),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
