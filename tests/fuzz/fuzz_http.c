// SPDX-License-Identifier: BSD-2-Clause
/*
 * fuzz_http.c - bytes from a client of the HTTP port, through libmicrohttpd, the real server and
 * the agent's own answers. The first byte chooses whether a token is wanted.
 */
#include <netinet/in.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include "fuzz_agent.h"

#define TURN_NS 1000000
#define TURNS	3

static struct loop *loop;
static struct http *server;
static int client, turns;

/* Clients that say nothing more are let go after ten seconds: the input gets a few turns instead. */
static void on_turn(void *ctx, uint32_t events)
{
	if (!--turns)
		loop__stop(loop);
}

static void on_answer(void *ctx, uint32_t events)
{
	char bytes[65536];

	if (read(client, bytes, sizeof(bytes)) <= 0)
		loop__stop(loop);
}

static void connect_to_server(void)
{
	const struct linger at_once = {.l_onoff = 1};
	struct sockaddr_in address = {
		.sin_family = AF_INET,
		.sin_port = htons(http__port(server)),
		.sin_addr = {htonl(INADDR_LOOPBACK)},
	};

	client = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (client < 0 || connect(client, (void *)&address, sizeof(address)) ||
	    setsockopt(client, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once)) ||
	    !loop__add_fd(loop, client, EPOLLIN, on_answer, NULL) ||
	    !loop__add_timer(loop, TURN_NS, TURN_NS, on_turn, NULL))
		abort();
}

/* A loop that was stopped stays so: each input gets a server of its own. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (!size)
		return 0;
	loop = loop__new();
	if (!loop || http__new(loop, "127.0.0.1:0", data[0] & 1 ? "s3cret-Token" : NULL,
			       answer__http, fuzz__agent(), &server))
		abort();
	connect_to_server();
	turns = TURNS;
	if (send(client, data + 1, size - 1, MSG_NOSIGNAL | MSG_DONTWAIT) >= 0)
		loop__run(loop);
	http__free(server);
	loop__free(loop);
	close(client);
	return 0;
}
