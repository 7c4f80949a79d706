/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * field.h - reading the agent's JSON without trusting its shape: a member that is missing, null
 * or of another type is simply unknown.
 */
#ifndef SEEP_CLI_FIELD_H
#define SEEP_CLI_FIELD_H

#include <jansson.h>

#include "../base/buf.h"
#include "render.h"

/* Member by path ("object.comm"); an empty path is the object itself. NULL = not there. */
const json_t *field__get(const json_t *json, const char *path);
const char *field__str(const json_t *json, const char *path, const char *otherwise);
double field__num(const json_t *json, const char *path); /* NAN = unknown */
size_t field__cnt(const json_t *json, const char *path); /* elements of an array, or 0 */

/*
 * Lay a history [[t_s,bytes],..] out as n evenly spaced values between two times. Holes that are
 * wide beside the usual distance of the points stay NAN, smaller ones are bridged.
 */
void field__curve(const json_t *history, double from_s, double to_s, double *ret_values, int n);

/* "1.4 GiB", "2h 3m", "2026-11-21 10:42:03"; "-" when unknown. buf of at least FIELD_TEXT bytes. */
#define FIELD_TEXT 32
char *field__bytes(const json_t *json, const char *path, char *buf);
char *field__duration(const json_t *json, const char *path, char *buf);
char *field__time(const json_t *json, const char *path, char *buf);

/* Append what a top row or an incident's object is about: "api[4711] in shop/api-7f9c". */
void label__object(struct buf *b, const json_t *object);
enum paint label__verdict_paint(const char *verdict);
enum paint label__severity_paint(const char *severity);
/* One dimmed line per thing that was not seen; nothing if the list is missing or empty. */
void label__not_seen(struct buf *b, const json_t *json, const struct style *s);

#endif /* SEEP_CLI_FIELD_H */
