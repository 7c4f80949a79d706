/* SPDX-License-Identifier: BSD-2-Clause */
/* relate.h - which other incidents one should be read with, and choosing incidents by selector. */
#ifndef SEEP_INCIDENT_RELATE_H
#define SEEP_INCIDENT_RELATE_H

#include "../base/buf.h"
#include "../who/selector.h"
#include "incident.h"

/*
 * Why b should be read with a: the rank of the closest relation (0 = an episode of the same object,
 * then the same workload, call site, image, program, cgroup, time), or -1: nothing says so. An
 * incident is not related to itself. O(frames of the first sites).
 */
int incident__relation(const struct incident *a, const struct incident *b);
/* "the same call site" and so on, of a rank. */
const char *incident__relation_name(int rank);

/* The object for selectors; strings are borrowed from the incident. */
struct selector_subject incident__subject(const struct incident *in);

/* A call stack without what changes from build to build: "inner < ... < outer", the names of its
 * functions (module+offset where there is none). Appends; nothing for a site without frames. */
void incident__site_name(const json_t *site, struct buf *name);

#endif /* SEEP_INCIDENT_RELATE_H */
