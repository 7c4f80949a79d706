// SPDX-License-Identifier: BSD-2-Clause
/* session.c - see session.h. */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "../base/message.h"
#include "session.h"
#include "wire.h"

#define QUESTION_MAX (1u << 20)
#define ASKS_MAX     32768 /* for one answer: six for each file of a target, and more */

/* What the inner side may take for one answer, apart from the time that we take to open files. Under
 * a sanitizer, on a machine with better things to do, it is slow. */
#ifdef __SANITIZE_ADDRESS__
#define PATIENCE_MS 180000
#else
#define PATIENCE_MS 60000
#endif

enum { TYPE_ASK = 1, TYPE_GIVEN };

/* ---- outside ----------------------------------------------------------------------------- */

/* "kind, target, start, name": what it says is checked by who opens. */
static int serve_ask(int sock, const struct buf *ask, session_open_fn fn, void *ctx,
		     int *patience_ms)
{
	struct reader r = reader__make(ask->data, ask->len);
	uint32_t kind = reader__uint(&r, 4), target = reader__uint(&r, 4);
	uint64_t start = reader__uint(&r, 8);
	const char *name = wire__text(&r);
	struct buf given = {};
	int fd, err;

	if (r.is_bad || reader__left(&r) || kind >= OPEN_KINDS ||
	    (name && strlen(name) > OPENER_NAME_MAX))
		return -EPROTO;
	fd = fn(ctx, target, kind, start, name);
	wire__put_uint(&given, fd < 0 ? -fd : 0, 4);
	err = given.err ? given.err :
			  message__send(sock, TYPE_GIVEN, given.data, given.len, fd, patience_ms);
	if (fd >= 0)
		close(fd);
	buf__free(&given);
	return err;
}

int session__ask(int sock, uint32_t type, const struct buf *question, session_open_fn fn, void *ctx,
		 struct buf *ret_answer)
{
	int patience_ms = PATIENCE_MS, asks = 0, err;
	uint32_t got = 0;

	err = question->err ? question->err :
			      message__send(sock, type, question->data, question->len, -1,
					    &patience_ms);
	while (!err && got != type) {
		err = message__recv(sock, SESSION_ANSWER_MAX, &got, ret_answer, NULL, &patience_ms);
		if (err || got == type)
			break;
		if (got != TYPE_ASK || ++asks > ASKS_MAX)
			err = -EPROTO;
		else
			err = serve_ask(sock, ret_answer, fn, ctx, &patience_ms);
	}
	return err;
}

/* ---- inside ------------------------------------------------------------------------------ */

int session__next(int sock, uint32_t *ret_type, struct buf *ret_question)
{
	return message__recv(sock, QUESTION_MAX, ret_type, ret_question, NULL, NULL);
}

int session__answer(int sock, uint32_t type, const struct buf *answer)
{
	if (answer->err)
		return answer->err;
	return message__send(sock, type, answer->data, answer->len, -1, NULL);
}

static int recv_given(int sock)
{
	struct buf given = {};
	struct reader r;
	uint32_t type, refused;
	int fd, err;

	err = message__recv(sock, QUESTION_MAX, &type, &given, &fd, NULL);
	if (err)
		return err;
	r = reader__make(given.data, given.len);
	refused = reader__uint(&r, 4);
	if (r.is_bad || type != TYPE_GIVEN)
		err = -EPROTO;
	else if (refused || fd < 0)
		err = refused ? -(int)refused : -EPROTO;
	buf__free(&given);
	if (err && fd >= 0)
		close(fd);
	return err ? err : fd;
}

static int ask_for(void *ctx, enum opener_kind kind, uint64_t start, const char *name)
{
	const struct session_asker *asker = ctx;
	struct buf ask = {};
	int err;

	if (name && strlen(name) > OPENER_NAME_MAX)
		return -ENAMETOOLONG;
	wire__put_uint(&ask, kind, 4);
	wire__put_uint(&ask, asker->target, 4);
	wire__put_uint(&ask, start, 8);
	wire__put_text(&ask, name);
	err = ask.err ? ask.err :
			message__send(asker->sock, TYPE_ASK, ask.data, ask.len, -1, NULL);
	buf__free(&ask);
	return err ? err : recv_given(asker->sock);
}

struct opener session__opener(struct session_asker *asker)
{
	return (struct opener){.open = ask_for, .ctx = asker};
}
