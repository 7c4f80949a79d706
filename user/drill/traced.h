/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * traced.h - one process under `trace`: its probe, its names, its call sites, its costs.
 *
 * Only trace.c uses this. The process is held by a pidfd, so its number may be used again
 * without harm.
 */
#ifndef SEEP_DRILL_TRACED_H
#define SEEP_DRILL_TRACED_H

#include "trace.h"

struct traced;

/* Errors as of trace__add. */
int traced__new(const struct trace_cfg *cfg, struct symbolizer *symbolizer, pid_t pid,
		struct traced **ret_traced, char ret_why[TRACE_WHY_LEN]);
void traced__free(struct traced *t);

pid_t traced__pid(const struct traced *t);
int traced__pid_fd(const struct traced *t);   /* readable: it has ended */
int traced__probe_fd(const struct traced *t); /* readable: traced__drain; -1: not attached */

int traced__drain(struct traced *t);
/* To be called every tenth of a second or so: takes in what came, samples less when the table is
 * full, attaches anew after exec. */
int traced__maintain(struct traced *t);
int traced__snapshot(struct traced *t, double now_s);
/* The next process that it has forked: 1, or 0 if there is none. */
int traced__next_child(struct traced *t, struct seep_child *ret_child);
/* One of those is traced itself. */
void traced__has_heir(struct traced *t, const struct seep_child *child);
/* This is one: it ran for a while before there were probes. */
void traced__is_heir(struct traced *t);
/* Before it is left, while frees are seen: which of its blocks are referred to. */
void traced__ask_references(struct traced *t, int stop_fd);
/* Or why that is left out. */
void traced__ask_nothing(struct traced *t, const char *why);
/* Leave the process: detach, and take the last snapshot. Once. */
int traced__finish(struct traced *t, double now_s, int ended);
int traced__is_finished(const struct traced *t);

/* Add this process's numbers. */
void traced__progress(struct traced *t, struct trace_progress *p);
/* After traced__finish. The result points into t. */
int traced__result(struct traced *t, struct trace_process *ret_process);

#endif /* SEEP_DRILL_TRACED_H */
