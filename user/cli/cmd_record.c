// SPDX-License-Identifier: BSD-2-Clause
/*
 * cmd_record.c - `seep record`: what the agent has stored, as a replay file.
 *
 * The agent hands it out in pages. A file takes its name only when all of it is written, so that
 * a failing agent never costs an older recording.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#include "cli.h"
#include "client.h"
#include "options.h"

#define PAGE 64 /* series; about 6 MB at most */

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

/* Where the pages go: a temporary file beside the wanted one, or standard output. */
struct sink {
	const char *path; /* NULL: standard output */
	char tmp[PATH_MAX];
	gzFile gz;
};

static int ends_with(const char *text, const char *end)
{
	size_t len = strlen(text), end_len = strlen(end);

	return len >= end_len && !strcmp(text + len - end_len, end);
}

static int sink__open(struct sink *s, const char *path)
{
	int fd;

	if (!path || !strcmp(path, "-"))
		return 0;
	s->path = path;
	if ((size_t)snprintf(s->tmp, sizeof(s->tmp), "%s.XXXXXX", path) >= sizeof(s->tmp))
		return -ENAMETOOLONG;
	fd = mkostemp(s->tmp, O_CLOEXEC);
	if (fd < 0)
		return -errno;
	fchmod(fd, 0644);
	/* T: as it is, without compression */
	s->gz = gzdopen(fd, ends_with(path, ".gz") ? "wb" : "wbT");
	if (s->gz)
		return 0;
	close(fd);
	unlink(s->tmp);
	return -ENOMEM;
}

static int sink__write(struct sink *s, const struct buf *page)
{
	if (!s->path)
		return fwrite(page->data, page->len, 1, stdout) == 1 ? 0 : -errno;
	return gzwrite(s->gz, page->data, page->len) == (int)page->len ? 0 : errno ? -errno : -EIO;
}

/* With err the file that stood there before stays. */
static int sink__close(struct sink *s, int err)
{
	if (!s->path)
		return fflush(stdout) && !err ? -errno : err;
	if (!s->gz)
		return err;
	if (gzclose(s->gz) != Z_OK && !err)
		err = errno ? -errno : -EIO;
	if (!err && rename(s->tmp, s->path))
		err = -errno;
	if (err)
		unlink(s->tmp);
	return err;
}

/* One page of series; the header stands in the first only. *ret_last: there are no more. */
static int ask_page(const char *socket, unsigned first, struct buf *page, struct buf *why,
		    int *ret_last)
{
	json_t *args = json_pack("{s:i,s:i}", "first", (int)first, "count", PAGE);
	char *end;
	int code;

	code = client__ask(client__socket(socket), CLIENT_TIMEOUT_S, "record", args, page, why);
	json_decref(args);
	*ret_last = code || !page->len;
	end = first && page->len ? memchr(page->data, '\n', page->len) : NULL;
	if (end)
		buf__consume(page, end + 1 - page->data);
	return code;
}

/* All pages into the sink. An exit code; *ret_err when writing failed. */
static int copy_pages(const char *socket, struct sink *s, struct buf *why, int *ret_err)
{
	int code = 0, is_last = 0;
	struct buf page = {0};
	unsigned first;

	for (first = 0; !is_last && !*ret_err; first += PAGE) {
		code = ask_page(socket, first, &page, why, &is_last);
		if (!code && page.len)
			*ret_err = sink__write(s, &page);
		buf__free(&page);
	}
	return code;
}

static int complain_file(const char *path, int err)
{
	struct buf why = {0};

	buf__printf(&why, "cannot write '%s': %s", path ? path : "standard output",
		    strerror(-err));
	return client__complain("record", err == -EACCES || err == -EPERM ?
				SEEP_EXIT_NOT_PERMITTED : SEEP_EXIT_FAILED, &why);
}

int cmd_record(int argc, char **argv)
{
	struct record_options opt = {0};
	struct buf why = {0};
	struct sink sink = {0};
	int code, err;

	if (parse(argc, argv, &opt, &code) < 0)
		return code;
	err = sink__open(&sink, opt.file);
	if (err)
		return complain_file(opt.file, err);
	code = copy_pages(opt.socket, &sink, &why, &err);
	err = sink__close(&sink, code ? -ECANCELED : err);
	if (code)
		return client__complain("record", code, &why);
	return err ? complain_file(opt.file, err) : SEEP_EXIT_OK;
}
