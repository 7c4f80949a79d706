/* SPDX-License-Identifier: BSD-2-Clause */
/* explain.h - an incident in plain English: the numbers in the sentence, and advice. */
#ifndef SEEP_INCIDENT_EXPLAIN_H
#define SEEP_INCIDENT_EXPLAIN_H

#include "incident.h"

/* One paragraph, malloc'ed; NULL: out of memory. now_s is used for "ago" and open durations. */
char *explain__incident(const struct incident *in, double now_s);

#endif /* SEEP_INCIDENT_EXPLAIN_H */
