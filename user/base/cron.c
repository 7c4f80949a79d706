// SPDX-License-Identifier: BSD-2-Clause
/*
 * cron.c - see cron.h.
 *
 * Days are looked for one by one, hours and minutes inside a day by their bits; mktime(3) puts
 * times that a change to summer time leaves out where they belong.
 */
#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "cron.h"

#define TEXT_MAX 128
#define DAYS_MAX (5 * 366)

struct field {
	const char *name;
	int lo, hi;
	const char *const *words; /* of lo, lo + 1, ... */
};

static const char *const month_names[] = {"jan", "feb", "mar", "apr", "may", "jun", "jul",
					  "aug", "sep", "oct", "nov", "dec", NULL};
static const char *const day_names[] = {"sun", "mon", "tue", "wed", "thu", "fri", "sat", NULL};

static const struct field fields[] = {
	{"the minute must be 0 to 59", 0, 59, NULL},
	{"the hour must be 0 to 23", 0, 23, NULL},
	{"the day of the month must be 1 to 31", 1, 31, NULL},
	{"the month must be 1 to 12 or jan to dec", 1, 12, month_names},
	{"the day of the week must be 0 to 7 or sun to sat", 0, 7, day_names},
};

#define FIELD_CNT (sizeof(fields) / sizeof(fields[0]))

static const struct {
	const char *name;
	const char *text;
} nicknames[] = {
	{"@hourly", "0 * * * *"},
	{"@daily", "0 0 * * *"},
	{"@weekly", "0 0 * * 0"},
	{"@monthly", "0 0 1 * *"},
};

/* A number or a name at *text, which is moved behind it. -1: neither. */
static int read_value(const struct field *f, const char **text)
{
	char *end;
	long value;
	int i;

	for (i = 0; f->words && f->words[i]; i++) {
		if (strncasecmp(*text, f->words[i], 3))
			continue;
		*text += 3;
		return f->lo + i;
	}
	if (!isdigit((unsigned char)**text))
		return -1;
	value = strtol(*text, &end, 10);
	*text = end;
	return value >= f->lo && value <= f->hi ? value : -1;
}

/* One element of a list: "*", "7", "1-5", each with "/step". -EINVAL: it is none. */
static int read_range(const struct field *f, const char **text, uint64_t *bits)
{
	int lo = f->lo, hi = f->hi, step = 1, i;

	if (**text == '*') {
		++*text;
	} else {
		lo = hi = read_value(f, text);
		if (**text == '-') {
			++*text;
			hi = read_value(f, text);
		} else if (**text == '/') {
			hi = f->hi;
		}
	}
	if (**text == '/') {
		char *end;

		step = strtol(*text + 1, &end, 10);
		if (end == *text + 1 || step < 1 || step > f->hi)
			return -EINVAL;
		*text = end;
	}
	if (lo < 0 || hi < lo)
		return -EINVAL;
	for (i = lo; i <= hi; i += step)
		*bits |= 1ULL << i;
	return 0;
}

static int read_field(const struct field *f, const char *text, uint64_t *ret_bits)
{
	uint64_t bits = 0;

	for (;;) {
		if (read_range(f, &text, &bits))
			return -EINVAL;
		if (!*text)
			break;
		if (*text++ != ',')
			return -EINVAL;
	}
	*ret_bits = bits;
	return 0;
}

static const char *expand(const char *text)
{
	size_t i;

	for (i = 0; i < sizeof(nicknames) / sizeof(nicknames[0]); i++)
		if (!strcmp(text, nicknames[i].name))
			return nicknames[i].text;
	return text;
}

int cron__parse(const char *text, struct cron *ret_cron, const char **ret_why)
{
	char copy[TEXT_MAX], *word, *rest = copy;
	uint64_t bits[FIELD_CNT];
	struct cron c = {0};
	size_t i;

	*ret_why = "expected five fields: minute hour day month weekday";
	text = expand(text);
	if (strlen(text) >= sizeof(copy))
		return -EINVAL;
	strcpy(copy, text);
	for (i = 0; i < FIELD_CNT; i++) {
		word = strtok_r(rest, " \t", &rest);
		if (!word)
			return -EINVAL;
		if (read_field(&fields[i], word, &bits[i])) {
			*ret_why = fields[i].name;
			return -EINVAL;
		}
		if (i == 2)
			c.any_day = word[0] == '*';
		if (i == 4)
			c.any_weekday = word[0] == '*';
	}
	if (strtok_r(rest, " \t", &rest))
		return -EINVAL;
	c.minutes = bits[0];
	c.hours = bits[1];
	c.days = bits[2];
	c.months = bits[3];
	c.weekdays = (bits[4] | bits[4] >> 7) & 0x7f; /* 7 is Sunday as well */
	*ret_cron = c;
	return 0;
}

static int is_on_day(const struct cron *c, const struct tm *tm)
{
	int day = c->days >> tm->tm_mday & 1, weekday = c->weekdays >> tm->tm_wday & 1;

	if (!(c->months >> (tm->tm_mon + 1) & 1))
		return 0;
	return c->any_day || c->any_weekday ? day && weekday : day || weekday;
}

/* The first time of the day that matches and is after `after`, or -1. */
static time_t next_on_day(const struct cron *c, const struct tm *day, time_t after)
{
	struct tm tm;
	time_t t;
	int h, m;

	for (h = 0; h < 24; h++) {
		if (!(c->hours >> h & 1))
			continue;
		for (m = 0; m < 60; m++) {
			if (!(c->minutes >> m & 1))
				continue;
			tm = *day;
			tm.tm_hour = h;
			tm.tm_min = m;
			tm.tm_sec = 0;
			tm.tm_isdst = -1;
			t = mktime(&tm);
			if (t > after)
				return t;
		}
	}
	return -1;
}

time_t cron__next(const struct cron *c, time_t after)
{
	struct tm day;
	time_t t;
	int i;

	localtime_r(&after, &day);
	for (i = 0; i < DAYS_MAX; i++) {
		t = is_on_day(c, &day) ? next_on_day(c, &day, after) : -1;
		if (t >= 0)
			return t;
		day.tm_mday++;
		day.tm_hour = 12; /* far from any change of the clock */
		day.tm_min = day.tm_sec = 0;
		day.tm_isdst = -1;
		mktime(&day);
	}
	return -1;
}
