// SPDX-License-Identifier: BSD-2-Clause
/* test_transfer.c - `seep export`, `seep import` and `seep diff` on real databases and files. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <cmocka.h>

#include "incident/history.h"
#include "incident_sample.h"
#include "run_cli.h"

static char line[512];

static struct history *open_db(const char *name)
{
	struct history *h;
	const char *why;
	char path[128];

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	mkdir(path, 0700);
	snprintf(path, sizeof(path), "%s/%s/incidents.db", dir, name);
	assert_int_equal(history__open(path, &h, &why), 0);
	return h;
}

static void put(struct history *h, const char *id, double opened_s, int is_closed)
{
	struct incident *in = sample_incident(id, id);

	in->opened_s = opened_s;
	if (is_closed)
		incident__close(in, opened_s + 60, "growth stopped");
	assert_int_equal(history__put(h, in), 0);
	incident__free(in);
}

static int command(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(line, sizeof(line), fmt, ap);
	va_end(ap);
	return run(line);
}

static int collect(void *ctx, struct incident *in)
{
	struct incident **v = ctx;

	while (*v)
		v++;
	*v = in;
	return 0;
}

static void a_history_moves(void **state)
{
	const struct history_query all = {.since_s = NAN};
	struct incident *found[4] = {NULL};
	struct history *h = open_db("old");
	char *json_before, *json_after;
	json_t *json;

	put(h, "aaaa", T0, 1);
	put(h, "bbbb", T0 + 100, 0);
	history__close(h);
	assert_int_equal(command("export --state-dir %s/old -O %s/x", dir, dir), 0);
	history__close(open_db("new"));
	assert_int_equal(command("import --state-dir %s/new %s/x", dir, dir), 0);
	expect(err, "2 incidents taken, 0 lines skipped");
	assert_int_equal(command("import --state-dir %s/new %s/x", dir, dir), 0); /* replaces */

	h = open_db("new");
	assert_int_equal(history__query(h, &all, collect, found), 0);
	assert_non_null(found[1]);
	assert_null(found[2]);
	assert_string_equal(found[0]->id, "bbbb");
	assert_int_equal(found[0]->state, INCIDENT_CLOSED);
	assert_string_equal(found[0]->close_reason, "imported while it was open");
	json = incident__to_json(found[1], 0);
	json_after = json_dumps(json, JSON_SORT_KEYS);
	json_decref(json);
	incident__free(found[0]);
	incident__free(found[1]);
	history__close(h);

	memset(found, 0, sizeof(found));
	h = open_db("old");
	assert_int_equal(history__query(h, &all, collect, found), 0);
	json = incident__to_json(found[1], 0);
	json_before = json_dumps(json, JSON_SORT_KEYS);
	json_decref(json);
	assert_string_equal(json_before, json_after);
	free(json_before);
	free(json_after);
	incident__free(found[0]);
	incident__free(found[1]);
	history__close(h);
}

static void bad_lines_are_named(void **state)
{
	char path[128];
	FILE *f;

	history__close(open_db("bad"));
	snprintf(path, sizeof(path), "%s/lines", dir);
	f = fopen(path, "w");
	fputs("{\"schema\":\"other\"}\n\nnot json\n", f);
	fclose(f);
	assert_int_equal(command("import --state-dir %s/bad %s", dir, path), 1);
	expect(err, "lines:1: ");
	expect(err, "lines:3: no JSON");
	expect(err, "0 incidents taken, 2 lines skipped");
	assert_int_equal(command("import --state-dir %s/nowhere %s", dir, path), 1);
	expect(err, "No such file");
	assert_int_equal(command("export --state-dir %s/nowhere", dir), 1);
	assert_int_equal(command("import --state-dir %s/bad %s/none", dir, dir), 1);
}

static void write_sites(const char *name, const char *text)
{
	char path[128];
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	f = fopen(path, "w");
	assert_non_null(f);
	fprintf(f, "{\"schema\":\"seep.trace/1\",\"sites\":[%s]}", text);
	fclose(f);
}

#define SITE(function, line, bytes)                                                          \
	"{\"outstanding_bytes\":" #bytes ",\"growth_bytes_per_hour\":" #bytes ",\"frames\":" \
	"[{\"function\":\"" function "\",\"file\":\"a.c\",\"line\":" #line "}]}"

static void sites_side_by_side(void **state)
{
	write_sites("before", SITE("fixed", 1, 1000000) "," SITE("stays", 2,
								 5000) "," SITE("stays", 3, 5000));
	write_sites("after", SITE("stays", 9, 30000) "," SITE("fresh", 4, 70000));
	assert_int_equal(command("diff %s/before %s/after", dir, dir), 0);
	expect(out, "fixed a.c:1");
	assert_true(strstr(out, "fixed") < strstr(out, "fresh")); /* the largest change first */
	assert_int_equal(command("diff --json %s/before %s/after", dir, dir), 0);
	expect(out, "\"state\":\"gone\",\"change_bytes\":-1000000");
	expect(out, "\"state\":\"new\",\"change_bytes\":70000");
	expect(out, "\"state\":\"both\",\"change_bytes\":20000");
	write_sites("empty", "");
	assert_int_equal(command("diff %s/empty %s/empty", dir, dir), 0);
	expect(out, "Neither has call sites");
	assert_int_equal(command("diff %s/before %s/x.out", dir, dir), 1); /* asks an agent */
	assert_int_equal(command("diff %s/before", dir), 2);
}

static int setup(void **state)
{
	setenv("SEEP_SOCKET", "/nonexistent/seep.sock", 1);
	return make_run_dir();
}

static int teardown(void **state)
{
	return remove_run_dir();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_history_moves),
		cmocka_unit_test(bad_lines_are_named),
		cmocka_unit_test(sites_side_by_side),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
