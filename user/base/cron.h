/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * cron.h - when something is due: the five fields of crontab(5), in local time.
 *
 * "minute hour day-of-month month day-of-week", each "*", a number, a range, a list of these, with
 * an optional step ("*" "/15"); months and weekdays by name too; @hourly, @daily, @weekly,
 * @monthly. As in crontab(5), where both days are restricted either of them may match.
 */
#ifndef SEEP_BASE_CRON_H
#define SEEP_BASE_CRON_H

#include <stdint.h>
#include <time.h>

struct cron {
	uint64_t minutes;  /* bit n: at minute n */
	uint32_t hours;
	uint32_t days;     /* bits 1 to 31 */
	uint16_t months;   /* bits 1 to 12 */
	uint8_t weekdays;  /* bits 0 to 6, Sunday is 0 */
	uint8_t any_day, any_weekday; /* the field was a star */
};

/* 0, or -EINVAL with *ret_why naming what is wrong; ret_cron is untouched then. */
int cron__parse(const char *text, struct cron *ret_cron, const char **ret_why);

/* The first minute after `after` that matches; -1 when there is none within five years. */
time_t cron__next(const struct cron *c, time_t after);

#endif /* SEEP_BASE_CRON_H */
