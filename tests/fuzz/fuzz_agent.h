/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * fuzz_agent.h - the agent of the unit tests (agent_world.h), made once, with a leak to tell of.
 * Included by one fuzz target each.
 */
#ifndef SEEP_TESTS_FUZZ_AGENT_H
#define SEEP_TESTS_FUZZ_AGENT_H

#include <errno.h>
#include <ftw.h>
#include <limits.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

#include "agent/answer.h"
#include "base/log.h"
#include "fuzz.h"
#include "../unit/agent_world.h"

static struct world *fuzz_world;

static inline void fuzz__agent_down(void)
{
	void *state = fuzz_world;

	mutes__free(fuzz_world->a.mutes);
	rules__free(fuzz_world->a.cfg.rules);
	world__teardown(&state);
}

static inline struct agent *fuzz__agent(void)
{
	void *state;

	if (fuzz_world)
		return &fuzz_world->a;
	if (world__setup(&state))
		abort();
	fuzz_world = state;
	world__proc(fuzz_world, 7, "web", "/app");
	world__leak(fuzz_world, 7, "/app");
	fuzz_world->a.mutes = mutes__new(NULL);
	fuzz_world->a.cfg.rules = rules__new();
	if (!world__incident(fuzz_world, 7) || !fuzz_world->a.mutes || !fuzz_world->a.cfg.rules ||
	    atexit(fuzz__agent_down))
		abort();
	return &fuzz_world->a;
}

#endif /* SEEP_TESTS_FUZZ_AGENT_H */
