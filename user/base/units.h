/* SPDX-License-Identifier: BSD-2-Clause */
/* units.h - sizes and durations as people write and read them. */
#ifndef SEEP_BASE_UNITS_H
#define SEEP_BASE_UNITS_H

#include <stddef.h>
#include <stdint.h>

/* "512K", "1.5G", "100" -> bytes (1024 based, K M G T, optional B or iB). 0 or -EINVAL/-ERANGE. */
int units__parse_size(const char *text, uint64_t *ret_bytes);
/* "200ms", "10s", "5m", "6h", "7d", "1h30m" -> seconds; a bare number is seconds. 0 or
 * -EINVAL/-ERANGE. */
int units__parse_duration(const char *text, double *ret_seconds);

/* "1.4 GiB", "-3.2 MiB". buf is returned; 16 bytes are enough. */
char *units__format_bytes(double bytes, char *buf, size_t cap);
/* "2d 3h", "1h 12m", "35s", "250ms"; NAN and INFINITY give "-". 24 bytes are enough. */
char *units__format_duration(double seconds, char *buf, size_t cap);
/* Unix seconds -> "2026-11-21 10:42:03" in local time; NAN gives "-". */
char *units__format_time(double t_s, char *buf, size_t cap);

#endif /* SEEP_BASE_UNITS_H */
