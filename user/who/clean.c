// SPDX-License-Identifier: BSD-2-Clause
/* clean.c - see clean.h. */
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "clean.h"

/* Length of the sequence that a lead byte announces; 0 = no lead byte. */
static size_t announced_len(unsigned char lead)
{
	if (lead < 0x80)
		return 1;
	if (lead >= 0xc2 && lead <= 0xdf)
		return 2;
	if ((lead & 0xf0) == 0xe0)
		return 3;
	if (lead >= 0xf0 && lead <= 0xf4)
		return 4;
	return 0;
}

/* Bytes of the character at s, 0 when it is not valid UTF-8. len > 0. */
static size_t decode(const unsigned char *s, size_t len, uint32_t *ret_code)
{
	static const uint32_t smallest[] = {0, 0, 0x80, 0x800, 0x10000};
	size_t i, n = announced_len(s[0]);
	uint32_t code;

	if (!n || n > len)
		return 0;
	code = n == 1 ? s[0] : s[0] & (0xff >> (n + 1));
	for (i = 1; i < n; i++) {
		if ((s[i] & 0xc0) != 0x80)
			return 0;
		code = code << 6 | (s[i] & 0x3f);
	}
	if (code < smallest[n] || code > 0x10ffff || (code >= 0xd800 && code <= 0xdfff))
		return 0;
	*ret_code = code;
	return n;
}

static bool printable(uint32_t code)
{
	if (code < 0x20 || (code >= 0x7f && code <= 0x9f))
		return false;
	/* Line and paragraph separators, embeddings, overrides, isolates. */
	return !(code >= 0x2028 && code <= 0x202e) && !(code >= 0x2066 && code <= 0x2069);
}

void clean__name(const char *src, size_t len, char *ret_name, size_t cap)
{
	size_t n, out = 0;
	uint32_t code = 0;

	while (len && out + 1 < cap) {
		n = decode((const unsigned char *)src, len, &code);
		if (!n || !printable(code)) {
			ret_name[out++] = '?';
			n = n ? n : 1;
		} else {
			if (out + n >= cap)
				break;
			memcpy(ret_name + out, src, n);
			out += n;
		}
		src += n;
		len -= n;
	}
	ret_name[out] = '\0';
}
