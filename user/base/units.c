// SPDX-License-Identifier: BSD-2-Clause
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#include "units.h"

int units__parse_size(const char *text, uint64_t *ret_bytes)
{
	static const char prefixes[] = "KMGT";
	const char *p;
	double value;
	char *end;

	value = strtod(text, &end);
	if (end == text || !isfinite(value) || value < 0)
		return -EINVAL;
	while (*end == ' ')
		end++;
	p = *end ? strchr(prefixes, *end == 'k' ? 'K' : *end) : NULL;
	if (p) {
		value *= pow(1024, p - prefixes + 1);
		end++;
		if (*end == 'i')
			end++;
	}
	if (*end == 'B' || *end == 'b')
		end++;
	if (*end)
		return -EINVAL;
	if (value >= 18446744073709551615.0)
		return -ERANGE;
	*ret_bytes = value;
	return 0;
}

static const struct {
	const char *suffix;
	double seconds;
} duration_units[] = {
	/* longest suffix first: "ms" must not be read as "m" */
	{"ms", 1e-3}, {"s", 1}, {"m", 60}, {"h", 3600}, {"d", 86400},
};

static double take_unit(const char **p)
{
	size_t i, len;

	for (i = 0; i < sizeof(duration_units) / sizeof(duration_units[0]); i++) {
		len = strlen(duration_units[i].suffix);
		if (strncmp(*p, duration_units[i].suffix, len))
			continue;
		*p += len;
		return duration_units[i].seconds;
	}
	return NAN;
}

int units__parse_duration(const char *text, double *ret_seconds)
{
	const char *p = text;
	double sum = 0, value, unit;
	char *end;

	if (!*p)
		return -EINVAL;
	while (*p) {
		value = strtod(p, &end);
		if (end == p || !isfinite(value) || value < 0)
			return -EINVAL;
		if (!*end && p == text) {
			*ret_seconds = value;
			return 0;
		}
		p = end;
		unit = take_unit(&p);
		if (isnan(unit))
			return -EINVAL;
		sum += value * unit;
	}
	if (!isfinite(sum))
		return -ERANGE;
	*ret_seconds = sum;
	return 0;
}

char *units__format_bytes(double bytes, char *buf, size_t cap)
{
	static const char *const names[] = {"B", "KiB", "MiB", "GiB", "TiB"};
	double size = fabs(bytes);
	int i = 0;

	if (!isfinite(bytes)) {
		snprintf(buf, cap, "-");
		return buf;
	}
	while (size >= 999.5 && i < 4) {
		size /= 1024;
		i++;
	}
	snprintf(buf, cap, "%s%.*f %s", bytes < 0 ? "-" : "", i && size < 99.95, size, names[i]);
	return buf;
}

char *units__format_duration(double seconds, char *buf, size_t cap)
{
	long long s;

	if (!(fabs(seconds) < 1e17)) {
		snprintf(buf, cap, "-");
	} else if (fabs(seconds) < 0.9995) {
		snprintf(buf, cap, "%.0fms", seconds * 1000);
	} else if (seconds < 10) {
		snprintf(buf, cap, "%.3gs", seconds);
	} else {
		s = llround(seconds);
		if (s < 60)
			snprintf(buf, cap, "%llds", s);
		else if (s < 3600)
			snprintf(buf, cap, s % 60 ? "%lldm %llds" : "%lldm", s / 60, s % 60);
		else if (s < 86400)
			snprintf(buf, cap, s / 60 % 60 ? "%lldh %lldm" : "%lldh", s / 3600,
				 s / 60 % 60);
		else
			snprintf(buf, cap, s / 3600 % 24 ? "%lldd %lldh" : "%lldd", s / 86400,
				 s / 3600 % 24);
	}
	return buf;
}

char *units__format_time(double t_s, char *buf, size_t cap)
{
	struct tm tm;
	time_t t;

	/* beyond year 9999 localtime_r may fail, and nobody means it */
	t = isfinite(t_s) && fabs(t_s) < 253402300800.0 ? t_s : -1;
	if (t < 0 || !localtime_r(&t, &tm))
		snprintf(buf, cap, "-");
	else
		strftime(buf, cap, "%F %T", &tm);
	return buf;
}
