/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * memory_error.h - the memory errors that an incident holds: how many of each kind, when, and whom
 * they hit.
 *
 * They stand in the incident as in its JSON:
 *	"errors": [{"kind": "oom-kill", "count": 3, "first_s": .., "last_s": ..,
 *		    "history": [[t_s, count], ..]}]
 * with the errors of one interval in one pair of the history, the newest MEMORY_ERROR_PAIRS_MAX.
 */
#ifndef SEEP_INCIDENT_MEMORY_ERROR_H
#define SEEP_INCIDENT_MEMORY_ERROR_H

#include "incident.h"

#define MEMORY_ERROR_PAIRS_MAX 72

struct memory_error {
	enum memory_error_kind kind;
	uint64_t cnt;
	const char *text; /* for the timeline */
	json_t *victim;	  /* shared: {"t_s", "pid", "comm", "bytes", ..}; NULL = nobody */
};

const char *memory_error__name(enum memory_error_kind kind);

/* Count it in; errors less than interval_s apart share a pair. 1: the first of its kind, 0: one
 * more, -ENOMEM. */
int memory_error__count(struct incident *in, double t_s, double interval_s,
			const struct memory_error *error);
/* When the newest was; NAN: there was none. */
double memory_error__last_s(const struct incident *in);
/* How many of this kind. */
uint64_t memory_error__cnt(const struct incident *in, enum memory_error_kind kind);

/* `errors` and `victims` of a document. 0 or -ENOMEM. */
int memory_error__read(struct incident *in, const json_t *document);

#endif /* SEEP_INCIDENT_MEMORY_ERROR_H */
