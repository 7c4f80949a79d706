// SPDX-License-Identifier: BSD-2-Clause
/* test_replay.c - `seep replay` from files to verdicts: formats, faults, and time that scales. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <zlib.h>
#include <cmocka.h>
#include <jansson.h>

#include "run_cli.h"

#define MIB 1048576.0
#define POINTS 2160
#define STEP_S 10.0

/* A leak of 20 MiB an hour, and a series that stays where it is, both a little noisy. */
static double leak_at(int i)
{
	return 200 * MIB + i * (20 * MIB / 360) + 65536 * (i * 7919 % 13);
}

static double flat_at(int i)
{
	return 300 * MIB + 65536 * (i * 104729 % 17);
}

static FILE *create(const char *name)
{
	char path[128];
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	f = fopen(path, "w");
	assert_non_null(f);
	return f;
}

static void write_tape(const char *name, double time_scale)
{
	FILE *f = create(name);
	int i;

	fprintf(f, "series,t_s,bytes\n");
	for (i = 0; i < POINTS; i++) {
		fprintf(f, "leaky,%.6f,%.0f\n", 1000 + i * STEP_S * time_scale, leak_at(i));
		fprintf(f, "flat,%.6f,%.0f\n", 1000 + i * STEP_S * time_scale, flat_at(i));
	}
	fclose(f);
}

static void write_text(const char *name, const char *text)
{
	FILE *f = create(name);

	fputs(text, f);
	fclose(f);
}

static int replay(const char *format)
{
	char line[256];

	snprintf(line, sizeof(line), format, dir, dir);
	return run(line);
}

/* Line n of the output as JSON. */
static json_t *line_of(int n)
{
	const char *p = out;
	json_t *json;
	int i;

	for (i = 0; i < n && p; i++) {
		p = strchr(p, '\n');
		p = p ? p + 1 : NULL;
	}
	assert_non_null(p);
	json = json_loads(p, JSON_DISABLE_EOF_CHECK, NULL);
	assert_non_null(json);
	assert_string_equal(json_string_value(json_object_get(json, "schema")), "seep.replay/1");
	return json;
}

static const char *text_of(const json_t *json, const char *name)
{
	const char *text = json_string_value(json_object_get(json, name));

	assert_non_null(text);
	return text;
}

static double number_of(const json_t *json, const char *name)
{
	assert_true(json_is_number(json_object_get(json, name)));
	return json_number_value(json_object_get(json, name));
}

static void test_leak_and_flat(void **state)
{
	json_t *leaky, *flat, *alarm;

	(void)state;
	write_tape("tape.csv", 1);
	assert_int_equal(replay("replay --json %s/tape.csv"), 0);
	leaky = line_of(0);
	flat = line_of(1);
	assert_string_equal(text_of(leaky, "series"), "leaky");
	assert_string_equal(text_of(leaky, "verdict"), "leak");
	assert_true(number_of(leaky, "points") == POINTS);
	assert_true(number_of(leaky, "span_s") == (POINTS - 1) * STEP_S);
	alarm = json_array_get(json_object_get(leaky, "alarms"), 0);
	assert_true(number_of(alarm, "opened_s") == number_of(leaky, "first_alarm_s"));
	assert_true(json_is_null(json_object_get(alarm, "closed_s")));
	assert_string_equal(text_of(json_object_get(leaky, "final"), "verdict"), "leak");
	assert_true(fabs(number_of(json_object_get(leaky, "final"), "slope_bytes_per_hour") -
			 20 * MIB) < MIB);
	assert_true(json_array_size(json_object_get(json_object_get(leaky, "final"),
						    "evidence")) > 0);
	assert_string_equal(text_of(flat, "verdict"), "healthy");
	assert_true(json_is_null(json_object_get(flat, "first_alarm_s")));
	assert_int_equal(json_array_size(json_object_get(flat, "alarms")), 0);
	json_decref(leaky);
	json_decref(flat);
}

static void test_compressed_time_judges_alike(void **state)
{
	json_t *slow, *fast;

	(void)state;
	write_tape("tape.csv", 1);
	write_tape("fast.csv", 1 / 360.0);
	assert_int_equal(replay("replay --json %s/tape.csv"), 0);
	slow = line_of(0);
	assert_int_equal(replay("replay --json --window 60s %s/fast.csv"), 0);
	fast = line_of(0);
	assert_string_equal(text_of(fast, "verdict"), text_of(slow, "verdict"));
	assert_true(fabs((number_of(fast, "first_alarm_s") - 1000) * 360 -
			 (number_of(slow, "first_alarm_s") - 1000)) <= STEP_S);
	json_decref(slow);
	json_decref(fast);
	fast = line_of(1);
	assert_string_equal(text_of(fast, "verdict"), "healthy");
	json_decref(fast);
}

static void test_alarm_closes(void **state)
{
	FILE *f = create("tape.csv");
	json_t *series, *alarm;
	int i;

	(void)state;
	fprintf(f, "series,t_s,bytes\n");
	for (i = 0; i < POINTS; i++)
		fprintf(f, "x,%.0f,%.0f\n", i * STEP_S, leak_at(i));
	for (; i < 4 * POINTS; i++)
		fprintf(f, "x,%.0f,%.0f\n", i * STEP_S, leak_at(POINTS));
	fclose(f);
	assert_int_equal(replay("replay --json %s/tape.csv"), 0);
	series = line_of(0);
	alarm = json_array_get(json_object_get(series, "alarms"), 0);
	assert_true(number_of(alarm, "closed_s") > POINTS * STEP_S);
	assert_string_not_equal(text_of(series, "verdict"), "leak");
	json_decref(series);
}

static void test_text_table(void **state)
{
	(void)state;
	write_tape("tape.csv", 1);
	assert_int_equal(replay("replay %s/tape.csv"), 0);
	expect(out, "SERIES POINTS   SPAN VERDICT CLASS");
	expect(out, "leaky    2160 5h 59m leak    leak");
	expect(out, "flat     2160 5h 59m healthy");
}

static void test_several_files_and_gzip(void **state)
{
	json_t *series;
	char path[128];
	gzFile gz;

	(void)state;
	write_text("a.csv", "series,t_s,bytes\na,1,100\nb,1,50\n");
	snprintf(path, sizeof(path), "%s/b.csv.gz", dir);
	gz = gzopen(path, "w");
	gzputs(gz, "bytes,series,t_s,start\n200,a,2,0\n300,a,3,1\n");
	gzclose(gz);
	assert_int_equal(replay("replay --json %s/a.csv %s/b.csv.gz"), 0);
	series = line_of(0);
	assert_string_equal(text_of(series, "series"), "a");
	assert_true(number_of(series, "points") == 3);
	assert_string_equal(text_of(series, "verdict"), "warming");
	json_decref(series);
	series = line_of(1);
	assert_true(number_of(series, "points") == 1);
	assert_true(number_of(series, "span_s") == 0);
	json_decref(series);
}

static void test_standard_input(void **state)
{
	char path[128];
	json_t *series;
	int saved = dup(STDIN_FILENO), fd;

	(void)state;
	write_text("stdin.csv", "series,t_s,bytes\nin,1.5,100\nin,2.75,120\n");
	snprintf(path, sizeof(path), "%s/stdin.csv", dir);
	fd = open(path, O_RDONLY);
	dup2(fd, STDIN_FILENO);
	close(fd);
	assert_int_equal(run("replay --json -"), 0);
	dup2(saved, STDIN_FILENO);
	close(saved);
	series = line_of(0);
	assert_string_equal(text_of(series, "series"), "in");
	assert_true(number_of(series, "span_s") == 1.25);
	json_decref(series);
}

static void test_few_garbled_rows(void **state)
{
	FILE *f = create("tape.csv");
	int i;

	(void)state;
	fprintf(f, "series,t_s,bytes\n");
	for (i = 0; i < 1000; i++)
		fprintf(f, "x,%d,100\n", i);
	fprintf(f, "x,soon,100\n");
	fclose(f);
	assert_int_equal(replay("replay --json %s/tape.csv"), 0);
	expect(err, "/tape.csv:1002: ");
	expect(out, "\"points\":1000");
}

static void test_many_garbled_rows(void **state)
{
	FILE *f = create("tape.csv");
	int i;

	(void)state;
	fprintf(f, "series,t_s,bytes\n");
	for (i = 0; i < 1000; i++)
		fprintf(f, i % 20 ? "x,%d,100\n" : "x,%d\n", i);
	fclose(f);
	assert_int_equal(replay("replay --json %s/tape.csv"), 1);
	expect(err, "30 more garbled rows");
	expect(err, "50 of 1000 rows are garbled");
	assert_null(strstr(err, ":500: "));
}

static void test_unusable_files(void **state)
{
	(void)state;
	write_text("empty.csv", "");
	assert_int_equal(replay("replay %s/empty.csv"), 1);
	write_text("head.csv", "series,t_s,bytes\n");
	assert_int_equal(replay("replay %s/head.csv"), 1);
	expect(err, "no usable row");
	write_text("other.csv", "name,when\nx,1\n");
	assert_int_equal(replay("replay %s/other.csv"), 1);
	expect(err, "other.csv");
	assert_int_equal(replay("replay %s/missing.csv"), 1);
	expect(err, "missing.csv");
	assert_int_equal(replay("replay %s"), 1);
}

static void test_wrong_usage(void **state)
{
	(void)state;
	assert_int_equal(run("replay"), 2);
	expect(err, "FILE... is missing");
	assert_int_equal(run("replay --window 0 x.csv"), 2);
	expect(err, "--window");
	assert_int_equal(run("replay --window soon x.csv"), 2);
}

static void test_hostile_names(void **state)
{
	json_t *series;

	(void)state;
	write_text("tape.csv", "series,t_s,bytes\n\"a,\"\"b\"\"\033[31m\xff\",1,100\n");
	assert_int_equal(replay("replay --json %s/tape.csv"), 0);
	series = line_of(0);
	json_decref(series);
	assert_int_equal(replay("replay %s/tape.csv"), 0);
	assert_null(strchr(out, '\033'));
	expect(out, "a,\"b\"?[31m?");
}

static int make_dir(void **state)
{
	(void)state;
	return make_run_dir();
}

static int remove_dir(void **state)
{
	(void)state;
	return remove_run_dir();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_leak_and_flat),
		cmocka_unit_test(test_compressed_time_judges_alike),
		cmocka_unit_test(test_alarm_closes),
		cmocka_unit_test(test_text_table),
		cmocka_unit_test(test_several_files_and_gzip),
		cmocka_unit_test(test_standard_input),
		cmocka_unit_test(test_few_garbled_rows),
		cmocka_unit_test(test_many_garbled_rows),
		cmocka_unit_test(test_unusable_files),
		cmocka_unit_test(test_wrong_usage),
		cmocka_unit_test(test_hostile_names),
	};

	return cmocka_run_group_tests(tests, make_dir, remove_dir);
}
