// SPDX-License-Identifier: BSD-2-Clause
/*
 * trace_pprof.c - the result of a trace as a gzipped profile.proto, for `go tool pprof` and others.
 *
 * All symbols are in it, so no reader has to look at the binaries. Values are those of a Go heap
 * profile: what was allocated since the trace began, and what is still in use. Several processes
 * become one profile, told apart by the labels "pid" and "comm".
 */
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

/* a failed allocation of uthash leaves the element out instead of ending the program */
#define HASH_NONFATAL_OOM 1
#define uthash_nonfatal_oom(element) ((element)->is_lost = 1)
#include <uthash.h>

#include "../who/clean.h"
#include "protobuf.h"
#include "trace_format.h"

/* Field numbers of profile.proto. */
enum {
	PROFILE_SAMPLE_TYPE = 1, PROFILE_SAMPLE, PROFILE_MAPPING, PROFILE_LOCATION,
	PROFILE_FUNCTION, PROFILE_STRING, PROFILE_TIME_NS = 9, PROFILE_DURATION_NS,
	PROFILE_PERIOD_TYPE, PROFILE_PERIOD, PROFILE_COMMENT, PROFILE_DEFAULT_SAMPLE_TYPE,
};
enum { TYPE_TYPE = 1, TYPE_UNIT };
enum { SAMPLE_LOCATIONS = 1, SAMPLE_VALUES, SAMPLE_LABEL };
enum { LABEL_KEY = 1, LABEL_STRING, LABEL_NUMBER };
enum {
	MAPPING_ID = 1, MAPPING_FILE = 5, MAPPING_BUILD_ID, MAPPING_HAS_FUNCTIONS,
	MAPPING_HAS_FILES, MAPPING_HAS_LINES, MAPPING_HAS_INLINES,
};
enum { LOCATION_ID = 1, LOCATION_MAPPING, LOCATION_ADDRESS, LOCATION_LINE };
enum { LINE_FUNCTION = 1, LINE_LINE };
enum { FUNCTION_ID = 1, FUNCTION_NAME, FUNCTION_SYSTEM_NAME, FUNCTION_FILE };

/* Something that is written once and then called by its number. */
struct entry {
	uint64_t id;
	int is_lost;
	UT_hash_handle hh;
	size_t key_len;
	char key[];
};

struct numbering {
	struct entry *entries;
	uint64_t next_id;
};

struct profile {
	struct buf out;
	struct numbering strings, mappings, functions, locations;
};

static void free_numbering(struct numbering *n)
{
	struct entry *e, *next;

	HASH_ITER(hh, n->entries, e, next) {
		HASH_DEL(n->entries, e);
		free(e);
	}
}

/* The number of a key. *ret_is_new: it has to be written. 0: out of memory, the profile says so. */
static uint64_t number_of(struct profile *p, struct numbering *n, const void *key, size_t len,
			  int *ret_is_new)
{
	struct entry *e;

	HASH_FIND(hh, n->entries, key, len, e);
	*ret_is_new = !e;
	if (e)
		return e->id;
	e = calloc(1, sizeof(*e) + len);
	if (e) {
		e->id = n->next_id++;
		memcpy(e->key, key, len);
		HASH_ADD(hh, n->entries, key, len, e);
		if (!e->is_lost)
			return e->id;
		free(e);
	}
	*ret_is_new = 0;
	p->out.err = -ENOMEM;
	return 0;
}

/* The string table begins with "". */
static uint64_t string_id(struct profile *p, const char *text)
{
	char clean[TRACE_NAME_CAP];
	uint64_t id;
	int is_new;

	clean__name(text ? text : "", text ? strlen(text) : 0, clean, sizeof(clean));
	id = number_of(p, &p->strings, clean, strlen(clean) + 1, &is_new);
	if (is_new)
		protobuf__bytes(&p->out, PROFILE_STRING, clean, strlen(clean));
	return id;
}

static uint64_t mapping_id(struct profile *p, const struct frame *f)
{
	const uint64_t key[] = {string_id(p, f->module), string_id(p, f->build_id)};
	struct buf m = {0};
	uint64_t id;
	int is_new, i;

	if (!f->module)
		return 0;
	id = number_of(p, &p->mappings, key, sizeof(key), &is_new);
	if (!is_new)
		return id;
	protobuf__number(&m, MAPPING_ID, id);
	protobuf__number(&m, MAPPING_FILE, key[0]);
	protobuf__number(&m, MAPPING_BUILD_ID, key[1]);
	for (i = MAPPING_HAS_FUNCTIONS; i <= MAPPING_HAS_INLINES; i++)
		protobuf__number(&m, i, 1);
	protobuf__message(&p->out, PROFILE_MAPPING, &m);
	return id;
}

static uint64_t function_id(struct profile *p, const struct frame *f)
{
	char name[TRACE_NAME_CAP];
	const uint64_t key[] = {
		string_id(p, trace_format__frame_name(f, name, sizeof(name))),
		string_id(p, f->file),
	};
	struct buf m = {0};
	uint64_t id;
	int is_new;

	id = number_of(p, &p->functions, key, sizeof(key), &is_new);
	if (!is_new)
		return id;
	protobuf__number(&m, FUNCTION_ID, id);
	protobuf__number(&m, FUNCTION_NAME, key[0]);
	protobuf__number(&m, FUNCTION_SYSTEM_NAME,
			 f->function ? string_id(p, f->function) : key[0]);
	protobuf__number(&m, FUNCTION_FILE, key[1]);
	protobuf__message(&p->out, PROFILE_FUNCTION, &m);
	return id;
}

static void put_line(struct profile *p, const struct frame *f, struct buf *location)
{
	struct buf line = {0};

	protobuf__number(&line, LINE_FUNCTION, function_id(p, f));
	protobuf__number(&line, LINE_LINE, f->line);
	protobuf__message(location, LOCATION_LINE, &line);
}

/* One address: the frames inlined there, innermost first, and the function itself. */
static uint64_t location_id(struct profile *p, int process, const struct frame *frames, int cnt)
{
	const struct frame *f = &frames[cnt - 1];
	/* the name belongs to it for frames that have no address, as "(other call sites)" */
	const uint64_t key[] = {process, f->address, function_id(p, f), f->line};
	struct buf m = {0};
	uint64_t id;
	int is_new, i;

	id = number_of(p, &p->locations, key, sizeof(key), &is_new);
	if (!is_new)
		return id;
	protobuf__number(&m, LOCATION_ID, id);
	protobuf__number(&m, LOCATION_MAPPING, mapping_id(p, f));
	protobuf__number(&m, LOCATION_ADDRESS, f->address);
	for (i = 0; i < cnt; i++)
		put_line(p, &frames[i], &m);
	protobuf__message(&p->out, PROFILE_LOCATION, &m);
	return id;
}

static void put_locations(struct profile *p, int process, const struct site *s, struct buf *packed)
{
	int i, first = 0;

	for (i = 0; i < s->frame_cnt; i++) {
		if (s->frames[i].inlined && i + 1 < s->frame_cnt)
			continue;
		protobuf__varint(packed, location_id(p, process, &s->frames[first], i + 1 - first));
		first = i + 1;
	}
}

static void put_label(struct profile *p, const char *key, const char *text, uint64_t number,
		      struct buf *sample)
{
	struct buf label = {0};

	protobuf__number(&label, LABEL_KEY, string_id(p, key));
	if (text)
		protobuf__number(&label, LABEL_STRING, string_id(p, text));
	protobuf__number(&label, LABEL_NUMBER, number);
	protobuf__message(sample, SAMPLE_LABEL, &label);
}

static uint64_t whole(double number)
{
	return isfinite(number) && number > 0 && number < 9e18 ? (uint64_t)llround(number) : 0;
}

/* In the order of value_types below. What is in use was allocated, whatever is known of that. */
static void put_values(const struct site *s, struct buf *packed)
{
	uint64_t inuse_cnt = whole(s->outstanding_count), inuse = whole(s->outstanding_bytes);
	uint64_t alloc_cnt = whole(s->allocated_count), alloc = whole(s->allocated_bytes);

	protobuf__varint(packed, alloc_cnt > inuse_cnt ? alloc_cnt : inuse_cnt);
	protobuf__varint(packed, alloc > inuse ? alloc : inuse);
	protobuf__varint(packed, inuse_cnt);
	protobuf__varint(packed, inuse);
}

static void put_sample(struct profile *p, int process, const struct trace_process *from,
		       const struct site *s)
{
	struct buf sample = {0}, locations = {0}, values = {0};

	put_locations(p, process, s, &locations);
	put_values(s, &values);
	protobuf__message(&sample, SAMPLE_LOCATIONS, &locations);
	protobuf__message(&sample, SAMPLE_VALUES, &values);
	put_label(p, "pid", NULL, from->pid, &sample);
	put_label(p, "comm", from->comm, 0, &sample);
	protobuf__message(&p->out, PROFILE_SAMPLE, &sample);
}

static void put_type(struct profile *p, unsigned field, const char *type, const char *unit)
{
	struct buf m = {0};

	protobuf__number(&m, TYPE_TYPE, string_id(p, type));
	protobuf__number(&m, TYPE_UNIT, string_id(p, unit));
	protobuf__message(&p->out, field, &m);
}

static const struct {
	const char *type;
	const char *unit;
} value_types[] = {
	{"alloc_objects", "count"}, {"alloc_space", "bytes"},
	{"inuse_objects", "count"}, {"inuse_space", "bytes"},
};

static void put_header(struct profile *p, const struct trace_result *r)
{
	size_t i;

	string_id(p, "");
	for (i = 0; i < sizeof(value_types) / sizeof(value_types[0]); i++)
		put_type(p, PROFILE_SAMPLE_TYPE, value_types[i].type, value_types[i].unit);
	put_type(p, PROFILE_PERIOD_TYPE, "space", "bytes");
	protobuf__number(&p->out, PROFILE_PERIOD,
			 r->process_cnt && r->processes[0].sample_bytes ?
			 r->processes[0].sample_bytes : 1);
	protobuf__number(&p->out, PROFILE_TIME_NS, whole(r->started_s * 1e9));
	protobuf__number(&p->out, PROFILE_DURATION_NS, whole(r->duration_s * 1e9));
	protobuf__number(&p->out, PROFILE_DEFAULT_SAMPLE_TYPE, string_id(p, "inuse_space"));
}

/* Readers take the first mapping for the program: where main is, or else what began the stack. */
static void put_program(struct profile *p, const struct trace_process *from)
{
	const struct site *s = from->sites;
	size_t i;
	int j;

	for (i = 0; i < from->site_cnt; i++) {
		for (j = from->sites[i].frame_cnt - 1; j >= 0; j--) {
			const struct frame *f = &from->sites[i].frames[j];

			if (f->function && !strcmp(f->function, "main")) {
				mapping_id(p, f);
				return;
			}
		}
	}
	if (from->site_cnt && s->frame_cnt)
		mapping_id(p, &s->frames[s->frame_cnt - 1]);
}

static void put_samples(struct profile *p, const struct trace_result *r)
{
	const struct trace_process *from;
	size_t j;
	int i;

	for (i = 0; i < r->process_cnt; i++) {
		from = &r->processes[i];
		for (j = 0; j < from->site_cnt; j++)
			put_sample(p, i, from, &from->sites[j]);
	}
}

static int gzip(const struct buf *in, struct buf *out)
{
	z_stream z = {.next_in = (Bytef *)in->data, .avail_in = in->len};
	unsigned char chunk[16384];
	int err;

	if (in->len > UINT32_MAX)
		return -EFBIG;
	if (deflateInit2(&z, Z_DEFAULT_COMPRESSION, Z_DEFLATED, MAX_WBITS + 16, 8,
			 Z_DEFAULT_STRATEGY) != Z_OK)
		return -ENOMEM;
	do {
		z.next_out = chunk;
		z.avail_out = sizeof(chunk);
		err = deflate(&z, Z_FINISH);
		buf__append(out, chunk, sizeof(chunk) - z.avail_out);
	} while (err == Z_OK);
	deflateEnd(&z);
	return err == Z_STREAM_END ? out->err : -ENOMEM;
}

int trace_pprof__write(const struct trace_result *r, const struct trace_format_options *opt,
		       struct buf *out)
{
	struct profile p = {
		.mappings.next_id = 1, .functions.next_id = 1, .locations.next_id = 1,
	};
	int err;

	(void)opt;
	put_header(&p, r);
	if (r->process_cnt)
		put_program(&p, &r->processes[0]);
	put_samples(&p, r);
	err = p.out.err ? p.out.err : gzip(&p.out, out);
	buf__free(&p.out);
	free_numbering(&p.strings);
	free_numbering(&p.mappings);
	free_numbering(&p.functions);
	free_numbering(&p.locations);
	return err;
}
