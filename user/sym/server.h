/* SPDX-License-Identifier: BSD-2-Clause */
/* server.h - an engine in a sandbox, and the questions that symbolizer.c puts to it. */
#ifndef SEEP_SYM_SERVER_H
#define SEEP_SYM_SERVER_H

#include "session.h"

#define SERVER_BATCH_MAX  128 /* addresses in one question */
#define SERVER_FRAMES_MAX 16  /* of one address */

enum server_question {
	ASK_CONFIG = SESSION_FIRST_TYPE, /* cache bytes u64, no_lines u8 */
	ASK_TARGET,			 /* id u32 -> errno u32; ids from 1, 0 is none */
	ASK_FORGET,			 /* id */
	ASK_WALK,     /* id, cap u32, seep_regs, stack -> end u32, addresses u64... */
	ASK_FRAMES,   /* id, (address u64, is_return u8)... -> for each: count u8 of frames: offset u64,
		       * line u32, inlined u8, kind u8, function, file, module, build_id: texts */
	ASK_NOT_SEEN, /* id -> texts */
	ASK_HELD,     /* -> u64 */
};

/* A sandbox_fn. */
void server__run(int sock);

#endif /* SEEP_SYM_SERVER_H */
