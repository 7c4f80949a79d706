/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * text.h - names from hostile places made safe to print and to put into JSON.
 *
 * Process names, command lines and cgroup paths are bytes that somebody else chose. What leaves
 * here is valid UTF-8 without control characters; what a program must find again (the key of an
 * object) is escaped instead, so that nothing is lost.
 */
#ifndef SEEP_INCIDENT_TEXT_H
#define SEEP_INCIDENT_TEXT_H

#include <stddef.h>

/*
 * A copy of at most max bytes, cut between characters; '?' stands for each byte that is not
 * UTF-8 and for each control character. The result is never longer than s. NULL: s is NULL, or
 * out of memory.
 */
char *text__clean(const char *s, size_t max);

/* Printable ASCII as it is, every other byte and '%' as %XX. NULL: out of memory. */
char *text__escape(const char *s);
/* The inverse. NULL: out of memory, or (errno EINVAL) a broken escape. */
char *text__unescape(const char *s);

#endif /* SEEP_INCIDENT_TEXT_H */
