// SPDX-License-Identifier: BSD-2-Clause
/* rules.c - see rules.h. */
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/units.h"
#include "rules.h"

#define NAME_LEN 64

struct rule {
	char name[NAME_LEN];
	struct selector *select;
	int report;
	double min_growth_bytes; /* per hour */
	double min_confidence;
	int severity; /* -1 = as found */
};

struct filters {
	struct selector *v[RULES_MAX];
	int cnt;
};

struct rules {
	struct filters filters[RULES_FILTER_CNT]; /* by enum rules_filter */
	struct rule v[RULES_MAX];
	int cnt;
};

struct rules *rules__new(void)
{
	return calloc(1, sizeof(struct rules));
}

void rules__free(struct rules *r)
{
	int i, k;

	if (!r)
		return;
	for (k = 0; k < RULES_FILTER_CNT; k++)
		for (i = 0; i < r->filters[k].cnt; i++)
			selector__free(r->filters[k].v[i]);
	for (i = 0; i < r->cnt; i++)
		selector__free(r->v[i].select);
	free(r);
}

/* ---- reading ----------------------------------------------------------------------------- */

int rules__filter(struct rules *r, enum rules_filter kind, const char *selector,
		  char why[RULES_WHY_LEN])
{
	struct filters *f = &r->filters[kind];

	if (f->cnt == RULES_MAX) {
		snprintf(why, RULES_WHY_LEN, "at most %d of them", RULES_MAX);
		return -E2BIG;
	}
	return selector__parse(selector, &f->v[f->cnt], why) ?: (f->cnt++, 0);
}

static int set_select(struct rule *rule, const char *value, char why[RULES_WHY_LEN])
{
	struct selector *fresh;
	int err = selector__parse(value, &fresh, why);

	if (err)
		return err;
	selector__free(rule->select);
	rule->select = fresh;
	return 0;
}

static int set_report(struct rule *rule, const char *value, char why[RULES_WHY_LEN])
{
	snprintf(why, RULES_WHY_LEN, "expected yes or no");
	rule->report = !strcmp(value, "yes");
	return rule->report || !strcmp(value, "no") ? 0 : -EINVAL;
}

static int set_min_growth(struct rule *rule, const char *value, char why[RULES_WHY_LEN])
{
	uint64_t bytes;
	int err = units__parse_size(value, &bytes);

	snprintf(why, RULES_WHY_LEN, "expected a size such as 512K or 10M (per hour)");
	if (!err)
		rule->min_growth_bytes = bytes;
	return err;
}

static int set_min_confidence(struct rule *rule, const char *value, char why[RULES_WHY_LEN])
{
	char *end;
	double share = strtod(value, &end);

	snprintf(why, RULES_WHY_LEN, "expected a number from 0 to 1");
	if (end == value || *end || !(share >= 0 && share <= 1))
		return -EINVAL;
	rule->min_confidence = share;
	return 0;
}

static int set_severity(struct rule *rule, const char *value, char why[RULES_WHY_LEN])
{
	int i;

	for (i = SEVERITY_INFO; i <= SEVERITY_CRITICAL; i++) {
		if (strcmp(value, incident__severity_name(i)))
			continue;
		rule->severity = i;
		return 0;
	}
	snprintf(why, RULES_WHY_LEN, "expected info, warning or critical");
	return -EINVAL;
}

static const struct {
	const char *name;
	int (*set)(struct rule *rule, const char *value, char why[RULES_WHY_LEN]);
} keys[] = {
	{"select", set_select},		{"report", set_report},
	{"min-growth", set_min_growth}, {"min-confidence", set_min_confidence},
	{"severity", set_severity},
};

static struct rule *find_or_begin(struct rules *r, const char *name)
{
	struct rule *rule;
	int i;

	for (i = 0; i < r->cnt; i++)
		if (!strncmp(r->v[i].name, name, NAME_LEN - 1))
			return &r->v[i];
	if (r->cnt == RULES_MAX)
		return NULL;
	rule = &r->v[r->cnt++];
	snprintf(rule->name, sizeof(rule->name), "%s", name);
	rule->report = 1;
	rule->severity = -1;
	return rule;
}

int rules__set(struct rules *r, const char *name, const char *key, const char *value,
	       char why[RULES_WHY_LEN])
{
	struct rule *rule = find_or_begin(r, name);
	size_t i;

	if (!rule) {
		snprintf(why, RULES_WHY_LEN, "at most %d rules", RULES_MAX);
		return -E2BIG;
	}
	for (i = 0; i < sizeof(keys) / sizeof(keys[0]); i++)
		if (!strcmp(key, keys[i].name))
			return keys[i].set(rule, value, why);
	snprintf(why, RULES_WHY_LEN,
		 "a rule has select, report, min-growth, min-confidence and "
		 "severity, but no '%.40s'",
		 key);
	return -EINVAL;
}

int rules__check(const struct rules *r, char why[RULES_WHY_LEN])
{
	int i;

	for (i = 0; i < r->cnt; i++) {
		if (r->v[i].select)
			continue;
		snprintf(why, RULES_WHY_LEN,
			 "rule '%s' selects nothing: it needs a line "
			 "select = key=glob",
			 r->v[i].name);
		return -EINVAL;
	}
	return 0;
}

/* ---- ruling ------------------------------------------------------------------------------ */

static const struct selector *match(const struct filters *f, const struct selector_subject *subject)
{
	int i;

	for (i = 0; i < f->cnt; i++)
		if (selector__matches(f->v[i], subject))
			return f->v[i];
	return NULL;
}

static const struct rule *rule_of(const struct rules *r, const struct selector_subject *subject)
{
	int i;

	for (i = 0; r && i < r->cnt; i++)
		if (selector__matches(r->v[i].select, subject))
			return &r->v[i];
	return NULL;
}

int rules__forbid(const struct rules *r, const struct selector_subject *subject,
		  char why[RULES_WHY_LEN])
{
	const struct selector *excluded;
	const struct rule *rule;

	if (!r)
		return 0;
	excluded = match(&r->filters[RULES_EXCLUDE], subject);
	rule = rule_of(r, subject);
	if (excluded)
		snprintf(why, RULES_WHY_LEN, "the configuration excludes %.200s",
			 selector__text(excluded));
	else if (r->filters[RULES_INCLUDE].cnt && !match(&r->filters[RULES_INCLUDE], subject))
		snprintf(why, RULES_WHY_LEN, "the configuration does not include it");
	else if (rule && !rule->report)
		snprintf(why, RULES_WHY_LEN, "rule '%s' does not want it reported", rule->name);
	else
		return 0;
	return 1;
}

int rules__forbid_drill(const struct rules *r, const struct selector_subject *subject,
			char why[RULES_WHY_LEN])
{
	const struct selector *s = r ? match(&r->filters[RULES_NO_DRILL], subject) : NULL;

	if (s)
		snprintf(why, RULES_WHY_LEN, "the configuration forbids to probe %.200s",
			 selector__text(s));
	return !!s;
}

int rules__object_to(const struct rules *r, const struct selector_subject *subject,
		     const struct verdict *v, char why[RULES_WHY_LEN])
{
	const struct rule *rule = rule_of(r, subject);
	char text[16];

	if (rules__forbid(r, subject, why))
		return 1;
	if (!rule)
		return 0;
	units__format_bytes(rule->min_growth_bytes, text, sizeof(text));
	if (v->slope_bytes_per_hour < rule->min_growth_bytes)
		snprintf(why, RULES_WHY_LEN, "rule '%s' wants growth of %s an hour or more",
			 rule->name, text);
	else if (v->confidence < rule->min_confidence)
		snprintf(why, RULES_WHY_LEN, "rule '%s' wants a confidence of %.2f or more",
			 rule->name, rule->min_confidence);
	else
		return 0;
	return 1;
}

const enum incident_severity *rules__severity(const struct rules *r,
					      const struct selector_subject *subject,
					      enum incident_severity *buf)
{
	const struct rule *rule = rule_of(r, subject);

	if (!rule || rule->severity < 0)
		return NULL;
	*buf = rule->severity;
	return buf;
}

/* ---- showing ----------------------------------------------------------------------------- */

json_t *rules__filters_to_json(const struct rules *r, enum rules_filter kind)
{
	json_t *list = json_array();
	int i;

	for (i = 0; r && i < r->filters[kind].cnt; i++)
		json_array_append_new(list, json_string(selector__text(r->filters[kind].v[i])));
	return list;
}

static json_t *rule_to_json(const struct rule *rule)
{
	return json_pack("{s:s, s:s, s:b, s:f, s:f, s:s?}", "name", rule->name, "select",
			 selector__text(rule->select), "report", rule->report,
			 "min_growth_bytes_per_hour", rule->min_growth_bytes, "min_confidence",
			 rule->min_confidence, "severity",
			 rule->severity < 0 ? NULL : incident__severity_name(rule->severity));
}

json_t *rules__rule_to_json(const struct rules *r, const struct selector_subject *subject)
{
	const struct rule *rule = rule_of(r, subject);

	return rule ? rule_to_json(rule) : json_null();
}

json_t *rules__to_json(const struct rules *r)
{
	json_t *list = json_array();
	int i;

	for (i = 0; i < r->cnt; i++)
		json_array_append_new(list, rule_to_json(&r->v[i]));
	return json_pack("{s:o, s:o, s:o, s:o}",
			 "include", rules__filters_to_json(r, RULES_INCLUDE),
			 "exclude", rules__filters_to_json(r, RULES_EXCLUDE),
			 "no_drill_for", rules__filters_to_json(r, RULES_NO_DRILL),
			 "rules", list);
}
