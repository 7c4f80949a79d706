/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * incident.h - one object, one episode: opened once, updated, closed; and how it is kept.
 *
 * An incident owns its strings and arrays (incident__free). It can be turned into the INCIDENT
 * JSON of the CLI contract and back without loss: that JSON is also what the history stores.
 * All times are Unix seconds, whole ones in JSON. Strings are copied in by the functions below,
 * which bound them and make them valid UTF-8 without control characters.
 */
#ifndef SEEP_INCIDENT_INCIDENT_H
#define SEEP_INCIDENT_INCIDENT_H

#include <stddef.h>
#include <stdint.h>
#include <jansson.h>

#include "../detect/detector.h"

#define INCIDENT_ID_LEN	      16
#define INCIDENT_HISTORY_MAX  360
#define INCIDENT_TOP_MAX      10
#define INCIDENT_TIMELINE_MAX 64
#define INCIDENT_NOT_SEEN_MAX 16
#define INCIDENT_TEXT_MAX     1024 /* bytes of any string but the key */
#define INCIDENT_VICTIMS_MAX  10
#define INCIDENT_TOLD_MAX     32 /* notifications that are listed: the newest */

enum incident_kind { INCIDENT_LEAK, INCIDENT_MEMORY_ERROR };
enum incident_state { INCIDENT_OPEN, INCIDENT_CLOSED };
enum incident_severity { SEVERITY_INFO, SEVERITY_WARNING, SEVERITY_CRITICAL };

/* Kinds of memory errors, the harmless ones first. */
enum memory_error_kind { ERROR_LIMIT_HIT, ERROR_OOM_KILL, ERROR_KIND_CNT };

/* Whoever was largest and whoever grew fastest when it was looked at last. */
enum incident_top { TOP_PROCESSES, TOP_GROWING_PROCESSES, TOP_PODS, TOP_GROWING_PODS, TOP_CNT };

/* What it is about. kind is "process" or "cgroup"; strings may be NULL. */
struct incident_object {
	char *kind;
	uint32_t pid; /* 0 for cgroups */
	uint64_t start_ns;
	char *comm, *cmdline, *cgroup, *container, *pod, *ns, *workload, *node, *image;
	char *image_digest, *container_id, *pod_uid;
	json_t *labels; /* of the pod: an object of strings; shared, not copied: do not change it */
};

struct incident_event {
	double t_s;
	char *text;
};

struct incident {
	char id[INCIDENT_ID_LEN];
	char *key; /* identity of the object, any bytes: "p:TGID:START_NS", "c:PATH", "e:WHO" */
	enum incident_kind kind;
	enum incident_state state;
	enum incident_severity severity;
	struct incident_object object;
	double opened_s, started_s, updated_s, closed_s; /* closed_s NAN while open */
	struct verdict verdict; /* newest while open; the worst when closed */
	char *evidence[DETECTOR_EVIDENCE_MAX];
	int evidence_cnt;
	struct verdict worst; /* the one with the largest growth so far */
	char *worst_evidence[DETECTOR_EVIDENCE_MAX];
	int worst_evidence_cnt;
	double (*history)[2]; /* [t_s, bytes], at most INCIDENT_HISTORY_MAX */
	size_t history_cnt;
	json_t *top[TOP_CNT];  /* rows as in `top`, at most INCIDENT_TOP_MAX each, or NULL */
	json_t *sites;	       /* array of SITE, or NULL */
	json_t *objects;       /* which types of its runtime pile up (drill/objects.h), or NULL */
	json_t *configuration; /* what it was judged with, or NULL */
	json_t *errors;	       /* see memory_error.h; these three are its own, or NULL */
	json_t *victims;       /* of OOM kills, with what was known of them, the newest last */
	json_t *notified;      /* who was told, and when */
	char *close_reason; /* "growth stopped", "process ended", "oom-killed" */
	struct incident_event timeline[INCIDENT_TIMELINE_MAX];
	int timeline_cnt;
	char **not_seen; /* what is missing from this incident, and why */
	int not_seen_cnt;
};

struct incident *incident__new(const char *key);
void incident__free(struct incident *in);

/*
 * Setters: all or nothing, 0 or -ENOMEM. A history longer than the bound is thinned evenly, its
 * ends kept; of top the first rows are kept.
 */
int incident__set_key(struct incident *in, const char *key);
int incident__set_object(struct incident *in, const struct incident_object *object);
int incident__set_verdict(struct incident *in, const struct verdict *v, const char *const *evidence,
			  int evidence_cnt);
int incident__set_history(struct incident *in, const double (*history)[2], size_t cnt);
/* Shared, not copied: do not change it. */
int incident__set_top(struct incident *in, enum incident_top which, json_t *top);
/* Shared as well. 1: they are news (other call sites than before), 0: only their numbers moved. */
int incident__set_sites(struct incident *in, json_t *sites);

/* Shared as well; NULL is kept from before. */
void incident__set_objects(struct incident *in, json_t *objects);
void incident__set_configuration(struct incident *in, json_t *configuration);
/* A target of notifications was told that it is open, or of its end. 0 or -ENOMEM. */
int incident__told(struct incident *in, double t_s, const char *target, const char *type,
		   enum incident_state state);

/* The worst verdict becomes the verdict that is kept. 0 or -ENOMEM; closed in either case. */
int incident__close(struct incident *in, double t_s, const char *reason);
void incident__reopen(struct incident *in);

/* Oldest lines but the first are dropped at the bound. 0 or -ENOMEM. */
int incident__note(struct incident *in, double t_s, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
/* Said once each; more than INCIDENT_NOT_SEEN_MAX are dropped. 0 or -ENOMEM. */
int incident__not_seen(struct incident *in, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

/* Take back what begins so. */
void incident__forget_not_seen(struct incident *in, const char *prefix);

/* INCIDENT of the CLI contract; more fields than the contract are allowed. NULL: out of memory.
 * brief = 1 leaves history, top and timeline empty (for lists). duration_s runs from the opening
 * to the closing, or to the last update. */
json_t *incident__to_json(const struct incident *in, int brief);
/* Its `object`, of borrowed strings. NULL: out of memory. */
json_t *incident__object_to_json(const struct incident_object *object);
/* VERDICT of the contract. NAN becomes null. */
json_t *verdict__to_json(const struct verdict *v, char *const *evidence, int evidence_cnt);
/* NULL with *ret_why set when the JSON is not an incident. */
struct incident *incident__from_json(const json_t *json, const char **ret_why);

const char *incident__kind_name(enum incident_kind kind);
/* The field of the JSON. */
const char *incident__top_name(enum incident_top which);
const char *incident__severity_name(enum incident_severity severity);
const char *incident__state_name(enum incident_state state);

#endif /* SEEP_INCIDENT_INCIDENT_H */
