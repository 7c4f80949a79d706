/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * debuginfod.c - elfutils' client library, opened only when somebody asks for it.
 *
 * It brings libcurl and all that belongs to it, which an agent that never asks a server need not
 * load. What a server sends is read as any other hostile file, and must have the build-id.
 */
#include <dlfcn.h>
#include <errno.h>
#include <stdlib.h>

#include "debuginfod.h"

#define LIBRARY "libdebuginfod.so.1"

struct client {
	void *library;
	void *(*begin)(void);
	int (*find)(void *client, const unsigned char *build_id, int len, char **ret_path);
	void (*end)(void *client);
};

static int open_client(struct client *c)
{
	c->library = dlopen(LIBRARY, RTLD_NOW | RTLD_NODELETE);
	if (!c->library)
		return -ENOENT;
	c->begin = dlsym(c->library, "debuginfod_begin");
	c->find = dlsym(c->library, "debuginfod_find_debuginfo");
	c->end = dlsym(c->library, "debuginfod_end");
	return c->begin && c->find && c->end ? 0 : -ENOENT;
}

static void close_client(struct client *c)
{
	if (c->library)
		dlclose(c->library);
}

int debuginfod__is_possible(void)
{
	const char *urls = getenv("DEBUGINFOD_URLS");
	struct client c = {0};
	int err = open_client(&c);

	close_client(&c);
	return !err && urls && *urls;
}

/* A descriptor, or -errno. Length 0: the build-id is text. */
static int download(const struct client *c, const char *build_id)
{
	void *session = c->begin();
	int fd;

	if (!session)
		return -ENOMEM;
	fd = c->find(session, (const unsigned char *)build_id, 0, NULL);
	c->end(session);
	return fd;
}

int debuginfod__fetch(const char *build_id)
{
	struct client c = {0};
	int fd = -ENOENT;

	if (!open_client(&c))
		fd = download(&c, build_id);
	close_client(&c);
	return fd;
}
