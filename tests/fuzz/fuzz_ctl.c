// SPDX-License-Identifier: BSD-2-Clause
/* fuzz_ctl.c - the agent's socket: what a client sends, through the real server and loop. */
#include <errno.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "base/loop.h"
#include "fuzz.h"
#include "out/ctl.h"

static struct loop *loop;
static struct sockaddr_un address = {.sun_family = AF_UNIX};
static int client;

static int answer(void *ctx, const char *cmd, const json_t *request, struct buf *body)
{
	char *text = json_dumps(request, 0);

	buf__puts(body, cmd);
	buf__puts(body, text ? text : "");
	free(text);
	return strlen(cmd) % 6;
}

static void on_answer(void *ctx, uint32_t events)
{
	char bytes[4096];

	if (read(client, bytes, sizeof(bytes)) <= 0)
		loop__stop(loop);
}

static struct ctl *start_server(void)
{
	struct ctl *ctl;

	loop = loop__new();
	snprintf(address.sun_path, sizeof(address.sun_path), "%s/ctl.sock", fuzz__dir());
	if (!loop || ctl__new(loop, address.sun_path, answer, NULL, &ctl))
		abort();
	return ctl;
}

static void connect_to_server(void)
{
	client = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (client < 0 || connect(client, (void *)&address, sizeof(address)) ||
	    !loop__add_fd(loop, client, EPOLLIN, on_answer, NULL))
		abort();
}

/* A loop that was stopped stays so: each input gets a server of its own. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct ctl *ctl = start_server();

	connect_to_server();
	if (send(client, data, size, MSG_NOSIGNAL | MSG_DONTWAIT) >= 0) {
		shutdown(client, SHUT_WR);
		loop__run(loop);
	}
	ctl__free(ctl);
	loop__free(loop);
	close(client);
	return 0;
}
