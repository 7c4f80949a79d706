// SPDX-License-Identifier: BSD-2-Clause
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#include "log.h"

static enum log_level max_level = LOG_LEVEL_WARN;
static int timestamps;

void log__set_level(enum log_level level)
{
	max_level = level;
}

enum log_level log__get_level(void)
{
	return max_level;
}

void log__set_timestamps(int on)
{
	timestamps = on;
}

static const char *level_name(enum log_level level)
{
	static const char *const names[] = {"error", "warning", "info", "debug"};

	return names[level];
}

/* Names in a message may be anybody's: no line of its own, no commands to the terminal. */
static void defuse(char *line)
{
	for (; *line; line++)
		if ((unsigned char)*line < ' ' || *line == 0x7f)
			*line = '?';
}

void log__vwrite(enum log_level level, const char *fmt, va_list ap)
{
	char line[1024], stamp[32] = "";
	time_t now;
	struct tm tm;

	if (level > max_level)
		return;
	if (timestamps) {
		now = time(NULL);
		strftime(stamp, sizeof(stamp), "%F %T ", localtime_r(&now, &tm));
	}
	vsnprintf(line, sizeof(line), fmt, ap);
	defuse(line);
	fprintf(stderr, "%sseep: %s: %s\n", stamp, level_name(level), line);
}

void log__write(enum log_level level, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	log__vwrite(level, fmt, ap);
	va_end(ap);
}
