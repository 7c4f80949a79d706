/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * incident_sample.h - one plausible leak, for the tests of incidents. Numbers are primes, so
 * that a mixed-up field shows.
 */
#ifndef SEEP_TESTS_INCIDENT_SAMPLE_H
#define SEEP_TESTS_INCIDENT_SAMPLE_H

#include <math.h>
#include <string.h>

#include "incident/incident.h"
#include "incident/memory_error.h"

#define MIB	 (1024. * 1024)
#define T0	 1800000000.
#define WINDOW_S 21600.

static inline struct verdict sample_verdict(void)
{
	return (struct verdict){
		.state = VERDICT_LEAK,
		.class = CLASS_LEAK,
		.confidence = .97,
		.since_s = T0 - 7919,
		.growth_bytes = 311 * MIB,
		.slope_bytes_per_hour = 97 * MIB,
		.slope_lo_bytes_per_hour = 89 * MIB,
		.slope_hi_bytes_per_hour = 101 * MIB,
		.limit_bytes = 907 * MIB,
		.time_to_limit_s = 17 * 3600,
		.time_to_limit_lo_s = 13 * 3600,
		.time_to_limit_hi_s = 19 * 3600,
		.horizon_s = 3600,
	};
}

static inline struct incident_object sample_object(void)
{
	return (struct incident_object){
		.kind = (char *)"process",
		.pid = 4711,
		.start_ns = 7907000000001,
		.comm = (char *)"api",
		.cmdline = (char *)"/usr/bin/api --port 80",
		.cgroup = (char *)"/kubepods/pod1/c1",
		.container = (char *)"web",
		.pod = (char *)"api-7d9",
		.ns = (char *)"shop",
		.workload = (char *)"Deployment/api",
		.node = (char *)"n1",
		.image = (char *)"api:1.2",
		.image_digest = (char *)"sha256:5e",
		.container_id = (char *)"0123456789abcdef",
		.pod_uid = (char *)"12345678-9abc-def0-1234-56789abcdef0",
	};
}

/* An open incident with every field set. NULL: out of memory. */
static inline struct incident *sample_incident(const char *id, const char *key)
{
	static const char *const evidence[] = {"grew by 311 MiB", "in 7 of 8 blocks"};
	static const double history[][2] = {
		{T0 - 20, 7 * MIB}, {T0 - 10, 11 * MIB}, {T0, 13 * MIB}};
	struct incident_object object = sample_object();
	struct verdict v = sample_verdict();
	struct incident *in = incident__new(key);
	struct memory_error hit = {.kind = ERROR_LIMIT_HIT, .cnt = 7};
	struct memory_error kill = {.kind = ERROR_OOM_KILL, .cnt = 1};
	json_t *top, *configuration, *objects;

	if (!in)
		return NULL;
	kill.victim = json_pack("{s:i, s:s}", "pid", 4711, "comm", "api");
	configuration = json_pack("{s:f, s:f, s:{s:s}, s:[s], s:[s], s:s}", "window_s", 21600.,
				  "interval_s", 10., "rule", "name", "batch", "include", "pod=*",
				  "exclude", "comm=cc1", "drill", "on");
	incident__set_configuration(in, configuration);
	json_decref(configuration);
	objects = json_pack("{s:s, s:f, s:[{s:s, s:b, s:i, s:i, s:i, s:i}]}", "runtime", "CPython 3.11",
			    "span_s", 89., "types", "type", "Basket", "class", 1, "objects", 103,
			    "bytes", 107, "added_objects", 61, "added_bytes", 67);
	incident__set_objects(in, objects);
	json_decref(objects);
	object.labels = json_pack("{s:s}", "app", "api");
	strcpy(in->id, id);
	in->opened_s = T0;
	in->started_s = T0 - 7919;
	in->updated_s = T0 + 601;
	top = json_pack("[{s:i, s:s}]", "pid", 4711, "comm", "api");
	if (incident__set_object(in, &object) || incident__set_verdict(in, &v, evidence, 2) ||
	    incident__set_history(in, history, 3) || incident__set_top(in, TOP_PROCESSES, top) ||
	    incident__set_top(in, TOP_GROWING_PODS, top) ||
	    memory_error__count(in, T0, 300, &hit) < 0 || memory_error__count(in, T0, 300, &kill) < 0 ||
	    incident__told(in, T0 + 5, "ops", "webhook", INCIDENT_OPEN) ||
	    incident__note(in, T0, "opened") || incident__not_seen(in, "a gap of %d s", 37)) {
		incident__free(in);
		in = NULL;
	}
	json_decref(object.labels);
	json_decref(kill.victim);
	json_decref(top);
	return in;
}

#endif /* SEEP_TESTS_INCIDENT_SAMPLE_H */
