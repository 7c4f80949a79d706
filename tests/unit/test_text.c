/* SPDX-License-Identifier: BSD-2-Clause */
/* test_text.c - hostile names become harmless, and keys survive a round trip. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "incident/text.h"

static void expect_clean(const char *in, size_t max, const char *want)
{
	char *got = text__clean(in, max);

	assert_non_null(got);
	assert_string_equal(got, want);
	free(got);
}

static void test_clean_keeps_what_is_text(void **state)
{
	expect_clean("", 100, "");
	expect_clean("plain \"quoted\" \\ text", 100, "plain \"quoted\" \\ text");
	expect_clean("gr\xc3\xb6\xc3\x9f"
		     "e \xe2\x82\xac \xf0\x9f\x90\xb3",
		     100,
		     "gr\xc3\xb6\xc3\x9f"
		     "e \xe2\x82\xac \xf0\x9f\x90\xb3");
	assert_null(text__clean(NULL, 100));
}

static void test_clean_replaces_what_is_not(void **state)
{
	expect_clean("a\nb\tc\x1b[31m\x7f", 100, "a?b?c?[31m?");
	expect_clean("\xff\xfe", 100, "??");
	expect_clean("\xc3", 100, "?");	     /* cut in the middle */
	expect_clean("\xc0\xaf", 100, "??"); /* overlong '/' */
	expect_clean("\xe0\x80\xaf", 100, "???");
	expect_clean("\xed\xa0\x80", 100, "???");      /* a surrogate */
	expect_clean("\xf4\x90\x80\x80", 100, "????"); /* above U+10FFFF */
	expect_clean("\xf8\x88\x80\x80\x80", 100, "?????");
	expect_clean("\xc2\x9b"
		     "31m",
		     100, "??31m"); /* C1 CSI */
	expect_clean("\xe2\x80\xae"
		     "txt.exe",
		     100, "???txt.exe"); /* right-to-left override */
}

static void test_clean_cuts_between_characters(void **state)
{
	expect_clean("abcdef", 3, "abc");
	expect_clean("a\xe2\x82\xac"
		     "b",
		     3, "a");
	expect_clean("a\xe2\x82\xac"
		     "b",
		     4, "a\xe2\x82\xac");
}

static void test_escape_is_lossless(void **state)
{
	char all[256], *escaped, *back;
	int i;

	for (i = 0; i < 255; i++)
		all[i] = (char)(i + 1);
	all[255] = '\0';
	escaped = text__escape(all);
	assert_non_null(escaped);
	for (i = 0; escaped[i]; i++)
		assert_in_range(escaped[i], ' ', '~');
	back = text__unescape(escaped);
	assert_string_equal(back, all);
	free(escaped);
	free(back);
}

static void test_unescape_refuses_broken_escapes(void **state)
{
	static const char *const broken[] = {"%", "%4", "a%zz", "%4g", "%%41"};
	size_t i;

	for (i = 0; i < sizeof(broken) / sizeof(broken[0]); i++) {
		errno = 0;
		assert_null(text__unescape(broken[i]));
		assert_int_equal(errno, EINVAL);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_clean_keeps_what_is_text),
		cmocka_unit_test(test_clean_replaces_what_is_not),
		cmocka_unit_test(test_clean_cuts_between_characters),
		cmocka_unit_test(test_escape_is_lossless),
		cmocka_unit_test(test_unescape_refuses_broken_escapes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
