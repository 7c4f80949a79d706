// SPDX-License-Identifier: BSD-2-Clause
/* test_render.c - safe text, widths, tables, sparklines and charts, with and without UTF-8. */
#include <limits.h>
#include <locale.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "cli/render.h"
#include "cli/table.h"

#define MIB 1048576.0

static const struct style utf8 = {.width = 80, .utf8 = 1};
static const struct style ascii = {.width = 80};

static int use_utf8(void **state)
{
	(void)state;
	return setlocale(LC_CTYPE, "C.UTF-8") ? 0 : -1;
}

static void expect_clip(const char *text, int max, enum clip clip, const struct style *s,
			const char *expected)
{
	struct buf b = {0};
	int width;

	buf__puts(&b, "");
	width = render__clip(&b, text, max, clip, s);
	assert_string_equal(b.data, expected);
	assert_int_equal(width, render__width(expected));
	assert_true(width <= max);
	buf__free(&b);
}

static void test_width(void **state)
{
	(void)state;
	assert_int_equal(render__width(""), 0);
	assert_int_equal(render__width("abc"), 3);
	assert_int_equal(render__width("größe"), 5);
	assert_int_equal(render__width("日本"), 4);
	assert_int_equal(render__width("▁▂█"), 3);
}

static void test_clip(void **state)
{
	(void)state;
	expect_clip("short", 5, CLIP_TAIL, &utf8, "short");
	expect_clip("longer", 5, CLIP_TAIL, &utf8, "long…");
	expect_clip("longer", 5, CLIP_TAIL, &ascii, "long~");
	expect_clip("longer", 5, CLIP_TAIL, NULL, "long~");
	expect_clip("/a/b/leaf", 5, CLIP_HEAD, &utf8, "…leaf");
	expect_clip("x", 0, CLIP_TAIL, &utf8, "");
	expect_clip("xy", 1, CLIP_TAIL, &utf8, "…");
	/* a wide character is not cut in half */
	expect_clip("日本語", 4, CLIP_TAIL, &utf8, "日…");
	expect_clip("日本語", 4, CLIP_HEAD, &utf8, "…語");
}

static void test_nothing_dangerous_passes(void **state)
{
	(void)state;
	expect_clip("a\033[31mb", INT_MAX, CLIP_TAIL, &utf8, "a?[31mb");
	expect_clip("a\rb\nc\td\x7f", INT_MAX, CLIP_TAIL, &utf8, "a?b?c?d?");
	/* C1 controls, text turned around, characters without width, broken encoding */
	expect_clip("a\xc2\x9b" "b", INT_MAX, CLIP_TAIL, &utf8, "a?b");
	expect_clip("a\u202eb\u2066c", INT_MAX, CLIP_TAIL, &utf8, "a?b?c");
	expect_clip("a\u200bb\u0301", INT_MAX, CLIP_TAIL, &utf8, "a?b?");
	expect_clip("a\xff" "b\xc3", INT_MAX, CLIP_TAIL, &utf8, "a?b?");
	expect_clip("\xe2\x96", INT_MAX, CLIP_TAIL, &utf8, "??");
	expect_clip("\xf4\x90\x80\x80", INT_MAX, CLIP_TAIL, &utf8, "?");
}

static void test_c_locale(void **state)
{
	struct style s;

	(void)state;
	setlocale(LC_CTYPE, "C");
	expect_clip("gr\xc3\xb6\xc3\x9f" "e", INT_MAX, CLIP_TAIL, &ascii, "gr????e");
	style__of_stdout(&s, COLOR_MODE_NEVER);
	assert_int_equal(s.utf8, 0);
	setlocale(LC_CTYPE, "C.UTF-8");
	style__of_stdout(&s, COLOR_MODE_NEVER);
	assert_int_equal(s.utf8, 1);
}

static void test_color_modes(void **state)
{
	struct style s;

	(void)state;
	unsetenv("NO_COLOR");
	style__of_stdout(&s, COLOR_MODE_ALWAYS);
	assert_int_equal(s.color, 1);
	style__of_stdout(&s, COLOR_MODE_NEVER);
	assert_int_equal(s.color, 0);
	setenv("NO_COLOR", "1", 1);
	style__of_stdout(&s, COLOR_MODE_AUTO);
	assert_int_equal(s.color, 0);
	style__of_stdout(&s, COLOR_MODE_ALWAYS);
	assert_int_equal(s.color, 1);
}

static void test_paint(void **state)
{
	struct style s = utf8;
	struct buf b = {0};

	(void)state;
	style__paint(&s, &b, PAINT_RED, "x");
	assert_string_equal(b.data, "x");
	s.color = 1;
	style__paint(&s, &b, PAINT_RED, "y");
	style__paint(&s, &b, PAINT_PLAIN, "z");
	assert_string_equal(b.data, "x\033[31my\033[0mz");
	buf__free(&b);
}

static void expect_bytes(double bytes, const char *expected)
{
	char text[16];

	assert_string_equal(render__bytes(bytes, text, sizeof(text)), expected);
	assert_true(strlen(text) <= 6);
}

static void test_bytes(void **state)
{
	(void)state;
	expect_bytes(0, "0");
	expect_bytes(-0.2, "0");
	expect_bytes(512, "512B");
	expect_bytes(1024, "1.0K");
	expect_bytes(999.6 * 1024, "1.0M");
	expect_bytes(-3.2 * MIB, "-3.2M");
	expect_bytes(9.96 * MIB, "10M");
}

static void test_bytes_unknown_and_huge(void **state)
{
	char text[8];

	(void)state;
	expect_bytes(NAN, "-");
	expect_bytes(INFINITY, "-");
	/* no size of a real node, but it must not overrun */
	render__bytes(1e300, text, sizeof(text));
	assert_int_equal(strlen(text), sizeof(text) - 1);
}

/* ---- tables ---- */

static const struct table_column columns[] = {
	{.title = "PID", .align = ALIGN_RIGHT},
	{.title = "NAME", .min_width = 5},
	{.title = "PATH", .clip = CLIP_HEAD, .min_width = 6, .drop = 1},
	{.title = "SIZE", .align = ALIGN_RIGHT, .drop = 2},
	{.title = "STATE"},
};

static void expect_table(int width, const char *expected)
{
	static const char *const cells[] = {
		"1", "init", "/sbin/init", "10M", "ok",
		"4711", "日本語プロセス", "/usr/lib/long/path", "1.5G", "leak",
		"99", "", "", "", "",
	};
	struct table *t = table__new(columns, 5);
	struct style s = {.width = width, .utf8 = 1};
	struct buf b = {0};
	size_t i;

	for (i = 0; i < sizeof(cells) / sizeof(cells[0]); i++)
		table__cell(t, PAINT_PLAIN, cells[i]);
	assert_int_equal(table__rows(t), 3);
	assert_int_equal(table__err(t), 0);
	table__print(t, &s, &b);
	assert_string_equal(b.data, expected);
	buf__free(&b);
	table__free(t);
}

static void test_table_wide(void **state)
{
	(void)state;
	expect_table(80,
		     " PID NAME           PATH               SIZE STATE\n"
		     "   1 init           /sbin/init          10M ok\n"
		     "4711 日本語プロセス /usr/lib/long/path 1.5G leak\n"
		     "  99\n");
}

static void test_table_shortens(void **state)
{
	(void)state;
	expect_table(34,
		     " PID NAME     PATH      SIZE STATE\n"
		     "   1 init     …bin/init  10M ok\n"
		     "4711 日本語…  …ong/path 1.5G leak\n"
		     "  99\n");
}

static void test_table_drops(void **state)
{
	(void)state;
	expect_table(24,
		     " PID NAME  PATH    STATE\n"
		     "   1 init  …n/init ok\n"
		     "4711 日本… …g/path leak\n"
		     "  99\n");
	expect_table(1, " PID NAME  STATE\n   1 init  ok\n4711 日本… leak\n  99\n");
}

static void test_table_fits_every_width(void **state)
{
	int width;

	(void)state;
	for (width = 16; width < 100; width++) {
		struct table *t = table__new(columns, 5);
		struct style s = {.width = width, .utf8 = 1};
		struct buf b = {0};
		char *line, *save = NULL;
		int i;

		for (i = 0; i < 50; i++)
			table__cell(t, PAINT_PLAIN, i % 5 ? "日本語 some long text" : "123");
		table__print(t, &s, &b);
		for (line = strtok_r(b.data, "\n", &save); line; line = strtok_r(NULL, "\n", &save))
			assert_true(render__width(line) <= (width > 30 ? width : 36));
		buf__free(&b);
		table__free(t);
	}
}

static void test_table_empty(void **state)
{
	struct table *t = table__new(columns, 5);
	struct buf b = {0};

	(void)state;
	table__print(t, &utf8, &b);
	assert_string_equal(b.data, "PID NAME PATH SIZE STATE\n");
	buf__free(&b);
	table__free(t);
	table__free(NULL);
}

static void test_table_cleans_cells(void **state)
{
	struct table *t = table__new(columns, 5);
	struct buf b = {0};

	(void)state;
	table__cell(t, PAINT_PLAIN, "1");
	table__cell(t, PAINT_PLAIN, "x\033[2Jy\n");
	table__print(t, &utf8, &b);
	assert_null(strchr(b.data, '\033'));
	assert_int_equal(table__rows(t), 0); /* a row that is not complete is not drawn */
	buf__free(&b);
	table__free(t);
}

/* ---- curves ---- */

static void expect_sparkline(const double *values, int n, const struct style *s,
			     const char *expected)
{
	struct buf b = {0};

	buf__puts(&b, "");
	render__sparkline(&b, values, n, s);
	assert_string_equal(b.data, expected);
	buf__free(&b);
}

static void test_sparkline(void **state)
{
	const double rising[] = {0, 1, 2, 3, 4, 5, 6, 7};
	const double flat[] = {1e9, 1.001e9, 1e9};
	const double gap[] = {0, NAN, 8};
	const double unknown[] = {NAN, NAN};
	const double odd[] = {-5, 1e300, -1e300};
	const double endless[] = {1e308, -1e308};

	(void)state;
	expect_sparkline(rising, 8, &utf8, "▁▂▃▄▅▆▇█");
	expect_sparkline(rising, 8, &ascii, "_.:-=+*#");
	expect_sparkline(flat, 3, &utf8, "▁▁▁");
	expect_sparkline(gap, 3, &utf8, "▁ █");
	expect_sparkline(unknown, 2, &utf8, "  ");
	expect_sparkline(unknown, 0, &utf8, "");
	expect_sparkline(odd, 3, &utf8, "▅█▁");
	expect_sparkline(endless, 2, &utf8, "▁▁");
}

static void expect_chart(const struct chart *c, const struct style *s, const char *part)
{
	struct buf b = {0};

	render__chart(&b, c, s);
	assert_int_equal(b.err, 0);
	if (!strstr(b.data, part))
		fail_msg("no '%s' in\n%s", part, b.data);
	buf__free(&b);
}

static void test_chart(void **state)
{
	double values[60];
	struct chart c = {.values = values, .n = 60, .height = 4, .from_s = 0, .to_s = 6000,
			  .onset_s = 2000, .limit_bytes = NAN};
	int i;

	(void)state;
	setenv("TZ", "UTC", 1);
	for (i = 0; i < 60; i++)
		values[i] = i * MIB;
	expect_chart(&c, &ascii, "    59M |");
	expect_chart(&c, &ascii, "      0 +--------------------^---------------------------------------\n");
	expect_chart(&c, &utf8, "      0 └────────────────────▲───────────────────────────────────────\n");
	expect_chart(&c, &ascii, "         00:00:00            00:33:20 onset");
	c.onset_s = 5000; /* no room right of the mark */
	expect_chart(&c, &ascii, "         00:00:00                             01:23:20 onset 01:40:00\n");
	c.limit_bytes = 90 * MIB;
	expect_chart(&c, &ascii, "|------------------------------------------------------------ limit\n");
	c.limit_bytes = 1e6 * MIB; /* too far away to be drawn */
	expect_chart(&c, &ascii, "    59M |");
}

static void test_chart_of_nothing(void **state)
{
	double values[8] = {NAN, NAN, NAN, NAN, NAN, NAN, NAN, NAN};
	struct chart c = {.values = values, .n = 8, .height = 3, .from_s = NAN, .to_s = INFINITY,
			  .onset_s = -1e300, .limit_bytes = -INFINITY};
	int i;

	(void)state;
	expect_chart(&c, &utf8, "└────────");
	for (i = 0; i < 8; i++)
		values[i] = 5; /* flat */
	c.from_s = 1e300;
	expect_chart(&c, &utf8, "█");
	values[3] = 1e308;
	values[4] = -1e308;
	expect_chart(&c, &ascii, "+--------");
}

static void test_paragraph(void **state)
{
	struct style s = {.width = 20, .utf8 = 1};
	struct buf b = {0};

	(void)state;
	render__paragraph(&b, "one two three four\nfive \033[31msix", 2, &s);
	assert_string_equal(b.data, "  one two three four\n  five ?[31msix\n");
	buf__free(&b);
	render__paragraph(&b, "averyveryverylongwordthatdoesnotfit x", 0, &s);
	assert_string_equal(b.data, "averyveryverylongwordthatdoesnotfit\nx\n");
	buf__free(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_width),
		cmocka_unit_test(test_clip),
		cmocka_unit_test(test_nothing_dangerous_passes),
		cmocka_unit_test(test_c_locale),
		cmocka_unit_test(test_color_modes),
		cmocka_unit_test(test_paint),
		cmocka_unit_test(test_bytes),
		cmocka_unit_test(test_bytes_unknown_and_huge),
		cmocka_unit_test(test_table_wide),
		cmocka_unit_test(test_table_shortens),
		cmocka_unit_test(test_table_drops),
		cmocka_unit_test(test_table_fits_every_width),
		cmocka_unit_test(test_table_empty),
		cmocka_unit_test(test_table_cleans_cells),
		cmocka_unit_test(test_sparkline),
		cmocka_unit_test(test_chart),
		cmocka_unit_test(test_chart_of_nothing),
		cmocka_unit_test(test_paragraph),
	};

	return cmocka_run_group_tests(tests, use_utf8, NULL);
}
