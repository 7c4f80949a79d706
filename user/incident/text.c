/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * text.c - names from hostile places made safe to print and to put into JSON.
 */
#include <ctype.h>
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "text.h"

static int is_printable(uint32_t c)
{
	if (c < 0x20 || (c >= 0x7f && c < 0xa0))
		return 0; /* C0, DEL, C1: terminals act on them */
	if (c >= 0xd800 && c <= 0xdfff)
		return 0; /* surrogates are not characters */
	if ((c >= 0x202a && c <= 0x202e) || (c >= 0x2066 && c <= 0x2069))
		return 0; /* direction overrides make text read as something else */
	return c <= 0x10ffff;
}

/* Length of the printable UTF-8 sequence at p; 0: there is none. p is NUL-terminated. */
static size_t sequence_len(const unsigned char *p)
{
	static const uint32_t smallest[] = {0, 0, 0x80, 0x800, 0x10000};
	size_t n, i;
	uint32_t c;

	if (p[0] < 0x80)
		return is_printable(p[0]);
	if (p[0] < 0xc0 || p[0] >= 0xf8)
		return 0;
	n = p[0] >= 0xf0 ? 4 : p[0] >= 0xe0 ? 3 : 2;
	c = p[0] & (0x7f >> n);
	for (i = 1; i < n; i++) {
		if ((p[i] & 0xc0) != 0x80)
			return 0;
		c = c << 6 | (p[i] & 0x3f);
	}
	return c >= smallest[n] && is_printable(c) ? n : 0;
}

char *text__clean(const char *s, size_t max)
{
	size_t len, n, at = 0;
	char *out;

	if (!s)
		return NULL;
	len = strnlen(s, max);
	out = malloc(len + 1);
	if (!out)
		return NULL;
	while (at < len) {
		n = sequence_len((const unsigned char *)s + at);
		if (at + n > len)
			break;
		if (n)
			memcpy(out + at, s + at, n);
		else
			out[at] = '?';
		at += n ? n : 1;
	}
	out[at] = '\0';
	return out;
}

char *text__escape(const char *s)
{
	char *out, *to;

	out = malloc(3 * strlen(s) + 1);
	if (!out)
		return NULL;
	for (to = out; *s; s++) {
		if (*s >= ' ' && *s <= '~' && *s != '%')
			*to++ = *s;
		else
			to += sprintf(to, "%%%02X", (unsigned char)*s);
	}
	*to = '\0';
	return out;
}

static int hex_digit(char c)
{
	return isdigit((unsigned char)c) ? c - '0' : (c | 0x20) - 'a' + 10;
}

char *text__unescape(const char *s)
{
	char *out, *to;

	out = malloc(strlen(s) + 1);
	if (!out)
		return NULL;
	for (to = out; *s; s++) {
		if (*s != '%') {
			*to++ = *s;
			continue;
		}
		if (!isxdigit((unsigned char)s[1]) || !isxdigit((unsigned char)s[2])) {
			free(out);
			errno = EINVAL;
			return NULL;
		}
		*to++ = (char)(hex_digit(s[1]) << 4 | hex_digit(s[2]));
		s += 2;
	}
	*to = '\0';
	return out;
}
