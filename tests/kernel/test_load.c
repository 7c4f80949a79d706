// SPDX-License-Identifier: BSD-2-Clause
/*
 * test_load.c - the verifier takes every option set the loader can ask for, each attaches and
 * polls, several side by side, and what the kernel refuses is an error with a reason.
 */
#include "support.h"

#include <sys/wait.h>
#include <unistd.h>

static const struct rss_probe_cfg option_sets[] = {
	{0},
	{.count_events = 1},
	{.max_procs = 1, .max_cgroups = 1, .ring_bytes = 4096},
	{.max_procs = 200000, .max_cgroups = 50000, .ring_bytes = 8 << 20},
};

#define OPTION_SETS (sizeof(option_sets) / sizeof(option_sets[0]))

static void test_every_option_set_loads(void **state)
{
	const struct rss_probe_cfg *cfg;
	struct watch *w;
	size_t i;

	for (i = 0; i < OPTION_SETS; i++) {
		cfg = &option_sets[i];
		WATCH_OR_SKIP(w, cfg);
		watch__poll(w);
		watch__get(w, getpid());
		watch__free(w);
	}
}

static void test_limits_are_as_asked(void **state)
{
	const struct rss_probe_cfg cfg = {.max_procs = 12345, .max_cgroups = 678};
	struct watch *w;

	WATCH_OR_SKIP(w, &cfg);
	assert_int_equal(rss_probe__max_procs(watch__probe(w)), 12345);
	assert_int_equal(rss_probe__max_cgroups(watch__probe(w)), 678);
	assert_true(rss_probe__map_bytes(watch__probe(w)) > 0);
	watch__free(w);
}

static void test_probes_do_not_disturb_each_other(void **state)
{
	struct watch *a, *b;
	int64_t anon;

	WATCH_OR_SKIP(a, NULL);
	WATCH_OR_SKIP(b, NULL);
	anon = watch__pages(a, getpid(), SEEP_MM_ANON);
	assert_true(anon > 0);
	watch__free(a);
	assert_true(watch__pages(b, getpid(), SEEP_MM_ANON) > 0);
	watch__free(b);
}

static void without_privileges(struct turn *t, void *arg)
{
	const struct rss_probe_cfg cfg = {0};
	struct rss_probe *probe = NULL;
	char why[256] = "";

	if (setuid(65534))
		_exit(9);
	if (rss_probe__new(&cfg, &probe, why, sizeof(why)) >= 0)
		_exit(1);
	_exit(probe ? 2 : !why[0] ? 3 : 0);
}

static void test_refusal_has_a_reason(void **state)
{
	struct watch *w;
	struct child c;
	int status;

	WATCH_OR_SKIP(w, NULL);
	child__start(&c, without_privileges, NULL);
	status = child__finish(&c);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
	watch__free(w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_option_set_loads),
		cmocka_unit_test(test_limits_are_as_asked),
		cmocka_unit_test(test_probes_do_not_disturb_each_other),
		cmocka_unit_test(test_refusal_has_a_reason),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
