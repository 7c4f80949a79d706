// SPDX-License-Identifier: BSD-2-Clause
/* test_http_access.c - who may read over HTTP: hosts, tokens and their file. */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/fs.h"
#include "out/http_access.h"

/* ---- hosts ------------------------------------------------------------------------------- */

static void test_hosts(void **state)
{
	static const char *const local[] = {"localhost",    "LOCALHOST:9741", "127.0.0.1",
					    "127.0.0.1:80", "127.200.3.4:1",  "[::1]",
					    "[::1]:9741",   "localhost:"};
	static const char *const foreign[] = {
		"",
		":",
		":80",
		"evil.example",
		"localhost.evil.example",
		"127.0.0.1.nip.io",
		"127.1",
		"0.0.0.0",
		"[::1",
		"[::1]x",
		"[::2]",
		"::1",
		"localhost:80x",
		"localhost:80:90",
		"localhost@evil",
		"128.0.0.1",
		"[::ffff:127.0.0.1]",
		"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
		"aaaaaa",
	};
	size_t i;

	for (i = 0; i < sizeof(local) / sizeof(local[0]); i++)
		if (!access__host_is_local(local[i]))
			fail_msg("'%s' is loopback", local[i]);
	for (i = 0; i < sizeof(foreign) / sizeof(foreign[0]); i++)
		if (access__host_is_local(foreign[i]))
			fail_msg("'%s' is not loopback", foreign[i]);
}

static void test_addresses(void **state)
{
	struct sockaddr_in v4 = {.sin_family = AF_INET};
	struct sockaddr_in6 v6 = {.sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT};

	assert_false(access__is_loopback((struct sockaddr *)&v4));
	v4.sin_addr.s_addr = htonl(0x7f010203);
	assert_true(access__is_loopback((struct sockaddr *)&v4));
	assert_true(access__is_loopback((struct sockaddr *)&v6));
	v6.sin6_addr = in6addr_any;
	assert_false(access__is_loopback((struct sockaddr *)&v6));
}

/* ---- tokens ------------------------------------------------------------------------------ */

static int read_text(const char *text, size_t len, char ret_token[ACCESS_TOKEN_MAX + 1])
{
	char path[] = "/tmp/seep-token-XXXXXX";
	int fd = mkstemp(path), err;

	assert_true(fd >= 0);
	assert_int_equal(fs__write_all(fd, text, len), 0);
	close(fd);
	err = access__read_token(path, ret_token);
	unlink(path);
	return err;
}

static void test_token_files(void **state)
{
	char token[ACCESS_TOKEN_MAX + 1] = "untouched", text[400];

	assert_int_equal(read_text("12345678", 8, token), 0);
	assert_string_equal(token, "12345678");
	assert_int_equal(read_text("  abcdefgh~!\r\n", 14, token), 0);
	assert_string_equal(token, "abcdefgh~!");
	assert_int_equal(read_text("1234567\n", 8, token), -EINVAL);
	assert_int_equal(read_text("", 0, token), -EINVAL);
	assert_int_equal(read_text(" \n\t ", 4, token), -EINVAL);
	assert_int_equal(read_text("two words here", 14, token), -EINVAL);
	assert_int_equal(read_text("12345678\0abc", 12, token), -EINVAL);
	assert_int_equal(read_text("12345678\xc3\xa4", 10, token), -EINVAL);
	memset(text, 'x', sizeof(text));
	assert_int_equal(read_text(text, sizeof(text), token), -EINVAL);
	assert_int_equal(read_text(text, ACCESS_TOKEN_MAX + 1, token), -EINVAL);
	assert_string_equal(token, "abcdefgh~!");
	assert_int_equal(read_text(text, ACCESS_TOKEN_MAX, token), 0);
	assert_int_equal(strlen(token), ACCESS_TOKEN_MAX);
	assert_int_equal(access__read_token("/nosuch/token", token), -ENOENT);
}

static void test_grants(void **state)
{
	/* seep:secret-1, seep:secret-12 and seep:secret-123: every padding of base64 */
	assert_true(access__is_granted("Basic c2VlcDpzZWNyZXQtMQ==", "secret-1"));
	assert_true(access__is_granted("Basic c2VlcDpzZWNyZXQtMTI=", "secret-12"));
	assert_true(access__is_granted("basic  c2VlcDpzZWNyZXQtMTIz", "secret-123"));
	assert_true(access__is_granted("Bearer secret-1", "secret-1"));
	assert_false(access__is_granted(NULL, "secret-1"));
	assert_false(access__is_granted("", "secret-1"));
	assert_false(access__is_granted("secret-1", "secret-1"));
	assert_false(access__is_granted("Bearer", "secret-1"));
	assert_false(access__is_granted("Bearer ", "secret-1"));
	assert_false(access__is_granted("Bearer secret-", "secret-1"));
	assert_false(access__is_granted("Bearer secret-11", "secret-1"));
	assert_false(access__is_granted("Bearersecret-1", "secret-1"));
	assert_false(access__is_granted("Basic secret-1", "secret-1"));
	assert_false(access__is_granted("Basic c2VlcDpzZWNyZXQtMQ=", "secret-1"));
	assert_false(access__is_granted("Basic cm9vdDpzZWNyZXQtMQ==", "secret-1"));
}

/* The longest token still fits what its basic form is built in. */
static void test_longest_token(void **state)
{
	char token[ACCESS_TOKEN_MAX + 1], given[ACCESS_TOKEN_MAX + 16];

	memset(token, 'z', ACCESS_TOKEN_MAX);
	token[ACCESS_TOKEN_MAX] = '\0';
	assert_false(access__is_granted("Basic c2VlcDo=", token));
	snprintf(given, sizeof(given), "Bearer %s", token);
	assert_true(access__is_granted(given, token));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_hosts),	      cmocka_unit_test(test_addresses),
		cmocka_unit_test(test_token_files),   cmocka_unit_test(test_grants),
		cmocka_unit_test(test_longest_token),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
