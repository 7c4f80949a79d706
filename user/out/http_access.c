// SPDX-License-Identifier: BSD-2-Clause
#include <arpa/inet.h>
#include <ctype.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "../base/fs.h"
#include "http_access.h"

#define LOGIN_MAX (sizeof(ACCESS_USER) + 1 + ACCESS_TOKEN_MAX)

/* ---- loopback ---------------------------------------------------------------------------- */

static int is_v4_loopback(struct in_addr addr)
{
	return ntohl(addr.s_addr) >> 24 == 127;
}

int access__is_loopback(const struct sockaddr *addr)
{
	if (addr->sa_family == AF_INET)
		return is_v4_loopback(((const struct sockaddr_in *)addr)->sin_addr);
	return addr->sa_family == AF_INET6 &&
	       IN6_IS_ADDR_LOOPBACK(&((const struct sockaddr_in6 *)addr)->sin6_addr);
}

int access__host_is_local(const char *host)
{
	const char *end = host[0] == '[' ? strchr(host, ']') : NULL;
	struct in_addr v4;
	char name[64];
	size_t len;

	len = end ? (size_t)(end + 1 - host) : strcspn(host, ":");
	if (len >= sizeof(name) || (host[len] && host[len] != ':') ||
	    (host[len] && strspn(host + len + 1, "0123456789") != strlen(host + len + 1)))
		return 0;
	snprintf(name, sizeof(name), "%.*s", (int)len, host);
	return !strcasecmp(name, "localhost") || !strcmp(name, "[::1]") ||
	       (inet_pton(AF_INET, name, &v4) == 1 && is_v4_loopback(v4));
}

/* ---- the token --------------------------------------------------------------------------- */

int access__read_token(const char *path, char ret_token[ACCESS_TOKEN_MAX + 1])
{
	char text[ACCESS_TOKEN_MAX + 64], *token = text;
	ssize_t n = fs__read(path, text, sizeof(text));
	size_t len, i;

	if (n < 0)
		return n;
	if (strlen(text) != (size_t)n || (size_t)n == sizeof(text) - 1)
		return -EINVAL;
	token += strspn(token, " \t\r\n");
	len = strlen(token);
	while (len && isspace((unsigned char)token[len - 1]))
		len--;
	if (len < ACCESS_TOKEN_MIN || len > ACCESS_TOKEN_MAX)
		return -EINVAL;
	for (i = 0; i < len; i++)
		if (token[i] <= ' ' || token[i] > '~')
			return -EINVAL;
	memcpy(ret_token, token, len);
	ret_token[len] = '\0';
	return 0;
}

static void base64(const char *text, char *ret_code)
{
	static const char digits[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	size_t len = strlen(text), i, k;
	unsigned bits;

	for (i = 0; i < len; i += 3) {
		for (bits = 0, k = 0; k < 3; k++)
			bits = bits << 8 | (i + k < len ? (unsigned char)text[i + k] : 0);
		for (k = 0; k < 4; k++)
			*ret_code++ = i + k <= len ? digits[bits >> (18 - 6 * k) & 63] : '=';
	}
	*ret_code = '\0';
}

/* As long as `given` is, wherever they differ. */
static int is_equal(const char *given, const char *secret)
{
	size_t given_len = strlen(given), secret_len = strlen(secret), i;
	volatile unsigned char differs = given_len != secret_len;

	for (i = 0; i < given_len; i++)
		differs |= given[i] ^ secret[i < secret_len ? i : 0];
	return !differs;
}

/* What follows the scheme, or NULL. */
static const char *credentials(const char *authorization, const char *scheme)
{
	size_t len = strlen(scheme);

	if (strncasecmp(authorization, scheme, len) || authorization[len] != ' ')
		return NULL;
	return authorization + len + strspn(authorization + len, " ");
}

int access__is_granted(const char *authorization, const char *token)
{
	char login[LOGIN_MAX], code[4 * (LOGIN_MAX / 3 + 1) + 1] = "";
	const char *given;

	if (!authorization)
		return 0;
	given = credentials(authorization, "Bearer");
	if (given)
		return is_equal(given, token);
	given = credentials(authorization, "Basic");
	if (!given)
		return 0;
	snprintf(login, sizeof(login), "%s:%s", ACCESS_USER, token);
	base64(login, code);
	return is_equal(given, code);
}
