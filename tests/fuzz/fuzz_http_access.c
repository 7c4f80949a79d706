// SPDX-License-Identifier: BSD-2-Clause
/*
 * fuzz_http_access.c - who may read over HTTP, by the headers Host and Authorization, and which file
 * a path is. Whoever is let in must have shown the token.
 */
#include <strings.h>

#include "fuzz.h"
#include "out/http_access.h"
#include "out/page.h"

#define TOKEN "s3cret-Token"
#define BASIC "c2VlcDpzM2NyZXQtVG9rZW4=" /* of seep:s3cret-Token */

static int may_be_granted(const char *header)
{
	return (!strncasecmp(header, "Bearer ", 7) && strstr(header, TOKEN)) ||
	       (!strncasecmp(header, "Basic ", 6) && strstr(header, BASIC));
}

static int may_be_local(const char *host)
{
	return !strncasecmp(host, "localhost", 9) || !strncmp(host, "127.", 4) ||
	       !strncmp(host, "[::1]", 5);
}

static void try_token_file(const uint8_t *data, size_t size)
{
	char token[ACCESS_TOKEN_MAX + 1], header[ACCESS_TOKEN_MAX + 16], path[32];
	int fd = fuzz__fd(data, size);

	if (!access__read_token(fuzz__path(fd, path), token)) {
		snprintf(header, sizeof(header), "Bearer %s", token);
		if (strlen(token) < ACCESS_TOKEN_MIN || !access__is_granted(header, token))
			abort();
	}
	close(fd);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = fuzz__text(data, size);
	const struct page_file *file;

	if (access__is_granted(text, TOKEN) && !may_be_granted(text))
		abort();
	if (access__host_is_local(text) && !may_be_local(text))
		abort();
	file = page__find(text);
	if (file && file->end <= file->data)
		abort();
	try_token_file(data, size);
	free(text);
	return 0;
}
