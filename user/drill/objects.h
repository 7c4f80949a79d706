/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * objects.h - which type of objects piles up in a suspect whose runtime lets others count them.
 *
 * The first look is the base; every later one tells what was added since. Reading a heap takes the
 * agent's time, not the target's, and is done the less often the longer it takes.
 */
#ifndef SEEP_DRILL_OBJECTS_H
#define SEEP_DRILL_OBJECTS_H

#include <jansson.h>
#include <sys/types.h>

struct objects;

/* NULL: out of memory. No look is taken yet. */
struct objects *objects__new(pid_t pid);
void objects__free(struct objects *o);
/* Begin anew: another program runs there. */
void objects__forget(struct objects *o);

/* Look, if there is something to look at and it is time to. */
void objects__look(struct objects *o);

/*
 * {"runtime":..,"span_s":..,"types":[{"type","objects","bytes","added_objects","added_bytes"},..]}: the
 * types that grew most since the first look, at most `top`. A new reference; NULL: not known (yet).
 */
json_t *objects__to_json(const struct objects *o, size_t top);

#endif /* SEEP_DRILL_OBJECTS_H */
