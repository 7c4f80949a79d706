// SPDX-License-Identifier: BSD-2-Clause
/* fuzz_words.c - one-line inputs: cgroup paths, selectors, schedules, sizes and durations. */
#include "fuzz.h"
#include "base/cron.h"
#include "base/units.h"
#include "who/container.h"
#include "who/selector.h"

static void try_selector(const char *text)
{
	const struct selector_subject subject = {
		.kind = "process", .comm = text, .cgroup = text, .pod = "api-1", .uid = 0};
	char why[SELECTOR_WHY_LEN];
	struct selector *s;

	if (selector__parse(text, &s, why))
		return;
	selector__matches(s, &subject);
	selector__free(s);
}

static void try_cron(const char *text)
{
	const char *why;
	struct cron c;

	if (!cron__parse(text, &c, &why) && cron__next(&c, 1800000000) == 1800000000)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = fuzz__text(data, size);
	struct container c;
	uint64_t bytes;
	double seconds;

	container__parse_path(text, &c);
	try_selector(text);
	try_cron(text);
	units__parse_size(text, &bytes);
	units__parse_duration(text, &seconds);
	free(text);
	return 0;
}
