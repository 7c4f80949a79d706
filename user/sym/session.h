/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * session.h - questions to a sandbox, and its own, in between, for files to read.
 *
 * Outside: one question, one answer of the same type; while the sandbox works on it, it may ask for
 * files of the targets that it was told of. Inside: the mirror of that. All numbers are bounded, and
 * so is the time that the inner side may take.
 */
#ifndef SEEP_SYM_SESSION_H
#define SEEP_SYM_SESSION_H

#include <stddef.h>
#include <stdint.h>

#include "../base/buf.h"
#include "opener.h"

#define SESSION_ANSWER_MAX (16u << 20) /* bytes */
#define SESSION_FIRST_TYPE 16	       /* of questions; below are the session's own */

/* Opens files of a target for the sandbox; as struct opener. */
typedef int (*session_open_fn)(void *ctx, uint32_t target, enum opener_kind kind, uint64_t start,
			       const char *name);

/* 0; -ETIMEDOUT, -EPIPE it has ended, -EPROTO, -EMSGSIZE it said what makes no sense; -errno. After
 * an error there is nothing more to be had from it. */
int session__ask(int sock, uint32_t type, const struct buf *question, session_open_fn fn, void *ctx,
		 struct buf *ret_answer);

/* ---- inside ---- */

/* 0, or -errno: over. */
int session__next(int sock, uint32_t *ret_type, struct buf *ret_question);
int session__answer(int sock, uint32_t type, const struct buf *answer);

/* Who asks for the files of one target. */
struct session_asker {
	int sock;
	uint32_t target;
};
/* asker stays where it is while the opener is used. */
struct opener session__opener(struct session_asker *asker);

#endif /* SEEP_SYM_SESSION_H */
