// SPDX-License-Identifier: BSD-2-Clause
/*
 * cmd_record.c - `seep record`: what the agent has stored, as a replay file.
 *
 * The file is opened only when the whole answer is here, so that a failing agent never costs an
 * older recording.
 */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "cli.h"
#include "client.h"
#include "options.h"
#include "render.h"

struct record_options {
	const char *socket;
	const char *file;
};

static int parse(int argc, char **argv, struct record_options *opt, int *ret_exit)
{
	const struct option_spec specs[] = {
		{"output", 'O', OPTION_STRING, "FILE", &opt->file,
		 "write to FILE instead of standard output;\nFILE.gz is compressed", NULL},
		SOCKET_OPTION(&opt->socket),
		{0},
	};
	const struct options options = {
		.command = "record",
		.about = "Saves the window that the agent has stored as CSV, one row per point, for\n"
			 "`seep replay`.",
		.specs = specs,
	};

	return options__parse(&options, argc, argv, ret_exit);
}

/* Replace b by its gzip form. 0 or -errno; b is unchanged on failure. */
static int compress_gzip(struct buf *b)
{
	enum { GZIP = 16 };
	z_stream z = {.next_in = (Bytef *)b->data, .avail_in = b->len};
	size_t cap;
	char *data;
	int err;

	if (b->len > UINT_MAX)
		return -EFBIG;
	if (deflateInit2(&z, Z_DEFAULT_COMPRESSION, Z_DEFLATED, MAX_WBITS + GZIP, 8,
			 Z_DEFAULT_STRATEGY) != Z_OK)
		return -ENOMEM;
	cap = deflateBound(&z, b->len);
	data = malloc(cap);
	z.next_out = (Bytef *)data;
	z.avail_out = cap;
	err = data && deflate(&z, Z_FINISH) == Z_STREAM_END ? 0 : -ENOMEM;
	deflateEnd(&z);
	if (err) {
		free(data);
		return err;
	}
	buf__free(b);
	*b = (struct buf){.data = data, .len = z.total_out, .cap = cap};
	return 0;
}

static int write_file(const char *path, const struct buf *b)
{
	FILE *f = fopen(path, "we");
	int err = 0;

	if (!f)
		return -errno;
	if (b->len && fwrite(b->data, b->len, 1, f) != 1)
		err = -errno;
	if (fclose(f) && !err)
		err = -errno;
	return err;
}

static int ends_with(const char *text, const char *end)
{
	size_t len = strlen(text), end_len = strlen(end);

	return len >= end_len && !strcmp(text + len - end_len, end);
}

static int save(const char *path, struct buf *body)
{
	struct buf why = {0};
	int err = 0;

	if (ends_with(path, ".gz"))
		err = compress_gzip(body);
	if (!err)
		err = write_file(path, body);
	if (!err)
		return SEEP_EXIT_OK;
	buf__printf(&why, "cannot write '%s': %s", path, strerror(-err));
	return client__complain("record", err == -EACCES || err == -EPERM ?
				SEEP_EXIT_NOT_PERMITTED : SEEP_EXIT_FAILED, &why);
}

int cmd_record(int argc, char **argv)
{
	struct record_options opt = {0};
	struct buf body = {0}, why = {0};
	int code;

	if (parse(argc, argv, &opt, &code) < 0)
		return code;
	code = client__ask(client__socket(opt.socket), CLIENT_TIMEOUT_S, "record", NULL, &body,
			   &why);
	if (code)
		client__complain("record", code, &why);
	else if (opt.file && strcmp(opt.file, "-"))
		code = save(opt.file, &body);
	else
		code = render__print(&body);
	buf__free(&body);
	return code;
}
