// SPDX-License-Identifier: BSD-2-Clause
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <bpf/libbpf.h>

#include "../base/log.h"
#include "bpf_log.h"

static _Thread_local char why[512]; /* several closer looks load at a time */

static int print(enum libbpf_print_level level, const char *fmt, va_list ap)
{
	char line[512];
	char *end;

	vsnprintf(line, sizeof(line), fmt, ap);
	end = strchr(line, '\n');
	if (end)
		*end = '\0';
	if (level == LIBBPF_WARN && !why[0])
		snprintf(why, sizeof(why), "%s", line);
	if (level != LIBBPF_DEBUG)
		log_debug("%s", line);
	return 0;
}

void bpf_log__start(void)
{
	why[0] = '\0';
	libbpf_set_print(print);
}

const char *bpf_log__why(void)
{
	return why;
}
