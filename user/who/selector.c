// SPDX-License-Identifier: BSD-2-Clause
/*
 * selector.c - see selector.h.
 *
 * A selector is one allocation: its text as written, and a copy cut into terms. Who writes
 * selectors is trusted not to make them slow, but not to spell them right: what can never match
 * is refused. Subjects are hostile: their bytes are only ever compared.
 */
#include <errno.h>
#include <fnmatch.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "selector.h"

#define LABEL_PREFIX "label."
#define NUMBER_LEN   12

struct term {
	const struct key *key; /* NULL: a label */
	const char *label;
	const char *glob;
	bool negated;
};

struct selector {
	int term_cnt;
	struct term terms[SELECTOR_TERMS_MAX];
	char text[SELECTOR_TEXT_MAX + 1];
	char parts[SELECTOR_TEXT_MAX + 1]; /* the same, cut into keys and globs */
};

/* ---- keys -------------------------------------------------------------------------------- */

struct key {
	const char *name;
	size_t offset; /* of its string in selector_subject, unless there is a get */
	const char *(*get)(const struct selector_subject *subject, char number[NUMBER_LEN]);
	const char *expected; /* where not every glob is_possible */
	bool (*is_possible)(const char *glob);
};

static const char *get_uid(const struct selector_subject *subject, char number[NUMBER_LEN])
{
	if (subject->uid == UINT32_MAX)
		return NULL;
	snprintf(number, NUMBER_LEN, "%u", subject->uid);
	return number;
}

static const char *get_pid(const struct selector_subject *subject, char number[NUMBER_LEN])
{
	if (!subject->pid)
		return NULL;
	snprintf(number, NUMBER_LEN, "%u", subject->pid);
	return number;
}

static bool is_kind(const char *glob)
{
	return !fnmatch(glob, "process", 0) || !fnmatch(glob, "cgroup", 0);
}

static bool is_number(const char *glob)
{
	return !glob[strspn(glob, "0123456789*?[]!-")];
}

#define STRING(field) .offset = offsetof(struct selector_subject, field)

static const struct key keys[] = {
	{.name = "host", STRING(host)},
	{.name = "node", STRING(host)},
	{.name = "namespace", STRING(ns)},
	{.name = "pod", STRING(pod)},
	{.name = "workload", STRING(workload)},
	{.name = "container", STRING(container)},
	{.name = "image", STRING(image)},
	{.name = "cgroup", STRING(cgroup)},
	{.name = "comm", STRING(comm)},
	{.name = "uid", .get = get_uid, .expected = "a number", .is_possible = is_number},
	{.name = "pid", .get = get_pid, .expected = "a number", .is_possible = is_number},
	{.name = "kind", STRING(kind), .expected = "process or cgroup", .is_possible = is_kind},
	{.name = NULL},
};

static const struct key *find_key(const char *name)
{
	const struct key *k;

	for (k = keys; k->name; k++)
		if (!strcmp(k->name, name))
			return k;
	return NULL;
}

/* "host, node, ... or label.NAME" */
static const char *list_keys(char *buf, size_t cap)
{
	const struct key *k;
	size_t len = 0;

	for (k = keys; k->name && len < cap; k++)
		len += snprintf(buf + len, cap - len, "%s, ", k->name);
	if (len < cap)
		snprintf(buf + len - 2, cap - len + 2, " or " LABEL_PREFIX "NAME");
	return buf;
}

/* ---- parsing ----------------------------------------------------------------------------- */

/* Ends the term at its comma; returns what follows, NULL after the last one. */
static char *cut_term(char *term)
{
	char *p;

	for (p = term; *p && *p != ','; p++)
		if (*p == '\\' && p[1])
			p++;
	if (!*p)
		return NULL;
	*p = '\0';
	return p + 1;
}

/* Nothing that a person could have meant reaches a terminal unseen. */
static const char *quotable(const char *part)
{
	const unsigned char *p;

	for (p = (const unsigned char *)part; *p; p++)
		if (*p < 0x20 || *p == 0x7f)
			return "(control characters)";
	return part;
}

static int refuse_key(const char *key, char ret_why[SELECTOR_WHY_LEN])
{
	char names[160];

	snprintf(ret_why, SELECTOR_WHY_LEN, "'%.60s' is not a key: expected %s", quotable(key),
		 list_keys(names, sizeof(names)));
	return -EINVAL;
}

static int check_glob(const char *key, const struct term *t, char ret_why[SELECTOR_WHY_LEN])
{
	const struct key *k = t->key;

	/* a label may have an empty value, nothing else has */
	if (k && !*t->glob)
		snprintf(ret_why, SELECTOR_WHY_LEN, "'%s' has no value: expected %s=GLOB", key,
			 key);
	else if (k && k->is_possible && !k->is_possible(t->glob))
		snprintf(ret_why, SELECTOR_WHY_LEN, "'%s=%.60s': expected %s", key,
			 quotable(t->glob), k->expected);
	else
		return 0;
	return -EINVAL;
}

/* Cuts `part` at its sign. */
static int parse_term(char *part, struct term *ret_term, char ret_why[SELECTOR_WHY_LEN])
{
	struct term t = {0};
	char names[160], *sign;

	part += strspn(part, " \t");
	sign = strchr(part, '=');
	if (!sign) {
		snprintf(ret_why, SELECTOR_WHY_LEN, "'%.60s': expected KEY=GLOB, where KEY is %s",
			 quotable(part), list_keys(names, sizeof(names)));
		return -EINVAL;
	}
	t.negated = sign > part && sign[-1] == '!';
	sign[t.negated ? -1 : 0] = '\0';
	t.glob = sign + 1;
	t.key = find_key(part);
	if (!t.key && !strncmp(part, LABEL_PREFIX, strlen(LABEL_PREFIX)))
		t.label = part + strlen(LABEL_PREFIX);
	if (!t.key && (!t.label || !*t.label))
		return refuse_key(part, ret_why);
	*ret_term = t;
	return check_glob(part, &t, ret_why);
}

static int parse_terms(struct selector *s, char ret_why[SELECTOR_WHY_LEN])
{
	char *part, *next;
	int err;

	for (part = s->parts; part; part = next) {
		next = cut_term(part);
		if (s->term_cnt == SELECTOR_TERMS_MAX) {
			snprintf(ret_why, SELECTOR_WHY_LEN, "more than %d terms",
				 SELECTOR_TERMS_MAX);
			return -EINVAL;
		}
		err = parse_term(part, &s->terms[s->term_cnt++], ret_why);
		if (err)
			return err;
	}
	return 0;
}

int selector__parse(const char *text, struct selector **ret_selector,
		    char ret_why[SELECTOR_WHY_LEN])
{
	size_t len = strnlen(text, SELECTOR_TEXT_MAX + 1);
	struct selector *s;
	int err;

	if (len > SELECTOR_TEXT_MAX) {
		snprintf(ret_why, SELECTOR_WHY_LEN, "longer than %d bytes", SELECTOR_TEXT_MAX);
		return -EINVAL;
	}
	s = calloc(1, sizeof(*s));
	if (!s) {
		snprintf(ret_why, SELECTOR_WHY_LEN, "out of memory");
		return -ENOMEM;
	}
	memcpy(s->text, text, len);
	memcpy(s->parts, text, len);
	err = parse_terms(s, ret_why);
	if (err) {
		selector__free(s);
		return err;
	}
	*ret_selector = s;
	return 0;
}

void selector__free(struct selector *s)
{
	free(s);
}

const char *selector__text(const struct selector *s)
{
	return s->text;
}

/* ---- matching ---------------------------------------------------------------------------- */

static const char *label_of(const struct selector_subject *subject, const char *name)
{
	size_t i;

	for (i = 0; i < subject->label_cnt; i++)
		if (!strcmp(subject->labels[i].name, name))
			return subject->labels[i].value;
	return NULL;
}

static bool holds(const struct term *t, const struct selector_subject *subject)
{
	char number[NUMBER_LEN];
	const char *value;

	if (!t->key)
		value = label_of(subject, t->label);
	else if (t->key->get)
		value = t->key->get(subject, number);
	else
		value = *(const char *const *)((const char *)subject + t->key->offset);
	return (value && !fnmatch(t->glob, value, 0)) != t->negated;
}

bool selector__matches(const struct selector *s, const struct selector_subject *subject)
{
	int i;

	for (i = 0; i < s->term_cnt; i++)
		if (!holds(&s->terms[i], subject))
			return false;
	return true;
}
