/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * rules.h - which objects may become incidents, and how strictly: filters and [rule] sections.
 *
 *	include = namespace=shop*        only these (any of several)
 *	exclude = comm=backup*           never these
 *	no-drill-for = uid=0             reported, but never probed
 *
 *	[rule "batch jobs"]
 *	select = workload=CronJob*
 *	report = no                      never an incident
 *	min-growth = 10M                 per hour; slower growth is no incident
 *	min-confidence = 0.97
 *	severity = critical              info, warning or critical, whatever the numbers say
 *
 * Filters come first; of the rules the first one that selects an object applies, as they stand in
 * the file. Objects stay watched and shown in either case.
 */
#ifndef SEEP_AGENT_RULES_H
#define SEEP_AGENT_RULES_H

#include <jansson.h>

#include "detect/verdict.h"
#include "incident/incident.h"
#include "who/selector.h"

#define RULES_MAX   64 /* of each kind */
#define RULES_WHY_LEN 320

struct rules;

/* NULL: out of memory. */
struct rules *rules__new(void);
void rules__free(struct rules *r);

enum rules_filter { RULES_INCLUDE, RULES_EXCLUDE, RULES_NO_DRILL, RULES_FILTER_CNT };

/* 0, -EINVAL with the reason in why, -E2BIG, -ENOMEM. */
int rules__filter(struct rules *r, enum rules_filter kind, const char *selector,
		  char why[RULES_WHY_LEN]);
/* A line `key = value` of the section of this name, which is begun if it is new. The same. */
int rules__set(struct rules *r, const char *name, const char *key, const char *value,
	       char why[RULES_WHY_LEN]);
/* To be called when all has been read: every rule has its selector. */
int rules__check(const struct rules *r, char why[RULES_WHY_LEN]);

/* Why no filter or rule lets the object become an incident at all: 0, or 1 with the reason. */
int rules__forbid(const struct rules *r, const struct selector_subject *subject,
		  char why[RULES_WHY_LEN]);
/* Why nobody may look closer at the object: 0, or 1 with the reason. It may still be reported. */
int rules__forbid_drill(const struct rules *r, const struct selector_subject *subject,
			char why[RULES_WHY_LEN]);
/* As rules__forbid, with the thresholds for this verdict. */
int rules__object_to(const struct rules *r, const struct selector_subject *subject,
		     const struct verdict *v, char why[RULES_WHY_LEN]);
/* The severity that its rule sets, put into buf; NULL: none does. */
const enum incident_severity *rules__severity(const struct rules *r,
					      const struct selector_subject *subject,
					      enum incident_severity *buf);

/* The rule that applies to the object, as in rules__to_json; null: none does. */
json_t *rules__rule_to_json(const struct rules *r, const struct selector_subject *subject);
/* The selectors of one kind, as they were written; r may be NULL. NULL: out of memory. */
json_t *rules__filters_to_json(const struct rules *r, enum rules_filter kind);
/* For `seep config`. NULL: out of memory. */
json_t *rules__to_json(const struct rules *r);

#endif /* SEEP_AGENT_RULES_H */
