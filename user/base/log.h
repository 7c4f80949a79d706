/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * log.h - one logger, four levels, on stderr.
 *
 * Library code returns errors and does not log; whoever can act on an error logs it once, with
 * the object's name in quotes and what happens next.
 */
#ifndef SEEP_BASE_LOG_H
#define SEEP_BASE_LOG_H

#include <stdarg.h>

enum log_level { LOG_LEVEL_ERROR, LOG_LEVEL_WARN, LOG_LEVEL_INFO, LOG_LEVEL_DEBUG };

/* Messages above the level are dropped. Default LOG_LEVEL_WARN. */
void log__set_level(enum log_level level);
enum log_level log__get_level(void);
/* Timestamps in front of each line, for daemons; off for one-shot commands. */
void log__set_timestamps(int on);

void log__vwrite(enum log_level level, const char *fmt, va_list ap);
void log__write(enum log_level level, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

#define log_err(...)   log__write(LOG_LEVEL_ERROR, __VA_ARGS__)
#define log_warn(...)  log__write(LOG_LEVEL_WARN, __VA_ARGS__)
#define log_info(...)  log__write(LOG_LEVEL_INFO, __VA_ARGS__)
#define log_debug(...) log__write(LOG_LEVEL_DEBUG, __VA_ARGS__)

#endif /* SEEP_BASE_LOG_H */
