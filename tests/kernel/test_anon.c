// SPDX-License-Identifier: BSD-2-Clause
/*
 * test_anon.c - anonymous memory, page for page: exact after a poll, good to a batch from events
 * alone, high-water and low-water marks between two polls, threads, huge pages.
 */
#include "support.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fs.h"

#define PAGES	7919 /* primes: no batch or huge page divides them */
#define PART	4099
#define THREADS 8
#define SHARE	1009 /* pages a thread */

/* ---- one thread -------------------------------------------------------------------------- */

static void touch_and_release(struct turn *t, void *arg)
{
	char *mem = map_pages(PAGES);

	turn__wait(t, 0);
	touch(mem, PAGES);
	turn__wait(t, 0);
	release(mem, PART);
	turn__wait(t, 0);
	release(mem, PAGES);
	turn__wait(t, 0);
}

static void test_polls_are_exact(void **state)
{
	struct watch *w;
	struct child c;
	int64_t base;

	WATCH_OR_SKIP(w, NULL);
	child__start(&c, touch_and_release, NULL);
	base = watch__pages(w, c.pid, SEEP_MM_ANON);
	child__step(&c);
	assert_int_equal(watch__pages(w, c.pid, SEEP_MM_ANON) - base, PAGES);
	child__step(&c);
	assert_int_equal(watch__pages(w, c.pid, SEEP_MM_ANON) - base, PAGES - PART);
	child__step(&c);
	assert_int_equal(watch__pages(w, c.pid, SEEP_MM_ANON) - base, 0);
	child__finish(&c);
	watch__free(w);
}

/* The table between polls: each CPU may hold a batch back, no more. */
static void test_events_alone_are_good_to_a_batch(void **state)
{
	const struct seep_poll_proc *rec;
	struct seep_proc before, after;
	struct watch *w;
	struct child c;

	WATCH_OR_SKIP(w, NULL);
	child__start(&c, touch_and_release, NULL);
	watch__poll(w);
	rec = watch__get(w, c.pid);
	before = watch__entry(w, rec);
	assert_int_equal(before.pages[SEEP_MM_ANON], rec->pages[SEEP_MM_ANON]);
	assert_int_equal(before.events, 0);
	child__step(&c);
	after = watch__entry(w, rec);
	assert_in_range(after.pages[SEEP_MM_ANON] - before.pages[SEEP_MM_ANON] + batch_bound(),
			PAGES, PAGES + 2 * batch_bound());
	assert_in_range(after.events, PAGES / batch_bound(), PAGES);
	assert_int_equal(after.polled[SEEP_MM_ANON], before.pages[SEEP_MM_ANON]);
	child__step(&c);
	after = watch__entry(w, rec);
	assert_in_range(after.pages[SEEP_MM_ANON] - before.pages[SEEP_MM_ANON] + batch_bound(),
			PAGES - PART, PAGES - PART + 2 * batch_bound());
	child__finish(&c);
	watch__free(w);
}

/* A table that drifts a little with each move would show here. */
static void churn(struct turn *t, void *arg)
{
	char *mem = map_pages(PAGES);
	int i;

	turn__wait(t, 0);
	for (i = 0; i < 50; i++) {
		touch(mem, PAGES);
		release(mem, PAGES);
	}
	turn__wait(t, 0);
}

static void test_events_do_not_drift(void **state)
{
	const struct seep_poll_proc *rec;
	struct seep_proc entry;
	struct watch *w;
	struct child c;
	int64_t base;

	WATCH_OR_SKIP(w, NULL);
	child__start(&c, churn, NULL);
	watch__poll(w);
	rec = watch__get(w, c.pid);
	base = rec->pages[SEEP_MM_ANON];
	child__step(&c);
	entry = watch__entry(w, rec);
	assert_in_range(entry.pages[SEEP_MM_ANON] - base + batch_bound(), 0, 2 * batch_bound());
	assert_int_equal(watch__pages(w, c.pid, SEEP_MM_ANON), base);
	child__finish(&c);
	watch__free(w);
}

/* ---- marks between two polls ------------------------------------------------------------- */

static void peak(struct turn *t, void *arg)
{
	char *mem = map_pages(PAGES);

	touch(mem, PART);
	turn__wait(t, 0);
	touch(mem, PAGES);
	release(mem, PAGES);
	touch(mem, PART);
	turn__wait(t, 0);
	turn__wait(t, 0);
}

static void test_marks_keep_what_polls_miss(void **state)
{
	const struct seep_poll_proc *rec;
	struct watch *w;
	struct child c;
	int64_t base;

	WATCH_OR_SKIP(w, NULL);
	child__start(&c, peak, NULL);
	base = watch__pages(w, c.pid, SEEP_MM_ANON) - PART;
	child__step(&c);
	watch__poll(w);
	rec = watch__get(w, c.pid);
	assert_int_equal(rec->pages[SEEP_MM_ANON] - base, PART);
	assert_in_range(rec->hwm_anon_pages - base, PAGES - batch_bound(), PAGES + batch_bound());
	assert_in_range(rec->lwm_anon_pages - base + batch_bound(), 0, 2 * batch_bound());
	/* and start anew */
	child__step(&c);
	watch__poll(w);
	rec = watch__get(w, c.pid);
	assert_in_range(rec->hwm_anon_pages - base, PART, PART + batch_bound());
	assert_in_range(rec->lwm_anon_pages - base, PART - batch_bound(), PART);
	child__finish(&c);
	watch__free(w);
}

/* ---- threads ----------------------------------------------------------------------------- */

struct share {
	char *mem;
	pthread_barrier_t *barrier;
};

/* Three meetings with the main thread: started, touched, may end. */
static void *touch_share(void *arg)
{
	struct share *s = arg;

	pthread_barrier_wait(s->barrier);
	pthread_barrier_wait(s->barrier);
	touch(s->mem, SHARE);
	pthread_barrier_wait(s->barrier);
	pthread_barrier_wait(s->barrier);
	return NULL;
}

static void run_threads(struct turn *t, void *arg)
{
	char *mem = map_pages(THREADS * SHARE);
	struct share shares[THREADS];
	pthread_barrier_t barrier;
	pthread_t ids[THREADS];
	int i;

	pthread_barrier_init(&barrier, NULL, THREADS + 1);
	for (i = 0; i < THREADS; i++) {
		shares[i] = (struct share){mem + i * SHARE * page_size(), &barrier};
		if (pthread_create(&ids[i], NULL, touch_share, &shares[i]))
			_exit(98);
	}
	pthread_barrier_wait(&barrier);
	turn__wait(t, 0);
	pthread_barrier_wait(&barrier);
	pthread_barrier_wait(&barrier);
	turn__wait(t, 0);
	pthread_barrier_wait(&barrier);
	for (i = 0; i < THREADS; i++)
		pthread_join(ids[i], NULL);
	turn__wait(t, 0);
}

static void test_threads_share_one_entry(void **state)
{
	const struct seep_poll_proc *rec;
	const int64_t bound = batch_bound_of(THREADS + 1);
	struct seep_proc entry;
	struct watch *w;
	struct child c;
	int64_t base;

	WATCH_OR_SKIP(w, NULL);
	child__start(&c, run_threads, NULL);
	watch__poll(w);
	rec = watch__get(w, c.pid);
	base = rec->pages[SEEP_MM_ANON];
	assert_int_equal(watch__thread_records(w, c.pid), THREADS);
	child__step(&c);
	entry = watch__entry(w, rec);
	assert_in_range(entry.pages[SEEP_MM_ANON] - base, THREADS * SHARE - bound,
			THREADS * SHARE + THREADS + bound);
	/* a thread may touch a page of its own stack on the way */
	assert_in_range(watch__pages(w, c.pid, SEEP_MM_ANON) - base, THREADS * SHARE,
			THREADS * SHARE + 2 * THREADS);
	child__step(&c);
	watch__poll(w);
	assert_int_equal(watch__thread_records(w, c.pid), 0);
	child__finish(&c);
	watch__free(w);
}

/* ---- the leader goes first --------------------------------------------------------------- */

struct survivor {
	struct turn *turn;
	char *mem;
};

static void *outlive(void *arg)
{
	struct survivor *s = arg;

	turn__wait(s->turn, 0);
	touch(s->mem, PAGES);
	turn__wait(s->turn, 0);
	_exit(7);
}

static void leave_main(struct turn *t, void *arg)
{
	static struct survivor s;
	pthread_t id;

	s = (struct survivor){t, map_pages(PAGES)};
	if (pthread_create(&id, NULL, outlive, &s))
		_exit(98);
	pthread_exit(NULL);
}

static int is_zombie(pid_t pid)
{
	char path[64], text[512], *state;

	snprintf(path, sizeof(path), "/proc/%d/stat", pid);
	if (fs__read(path, text, sizeof(text)) < 0)
		return 0;
	state = strrchr(text, ')');
	return state && state[2] == 'Z';
}

/* Its last steps take as long as the machine likes. */
static void await_zombie(pid_t pid)
{
	int tries;

	for (tries = 0; tries < 6000 && !is_zombie(pid); tries++)
		usleep(10 * 1000);
	assert_true(is_zombie(pid));
}

static void test_a_process_outlives_its_leader(void **state)
{
	const struct seep_event *ev;
	struct seep_proc entry;
	struct watch *w;
	struct child c;
	uint64_t start_ns;
	int64_t base;
	int status;

	WATCH_OR_SKIP(w, NULL);
	child__start(&c, leave_main, NULL);
	await_zombie(c.pid);
	watch__poll(w);
	base = watch__get(w, c.pid)->pages[SEEP_MM_ANON];
	start_ns = watch__get(w, c.pid)->start_ns;
	assert_int_equal(watch__get(w, c.pid)->flags & SEEP_PROC_SHARED_MM, 0);
	child__step(&c);
	entry = watch__entry(w, watch__get(w, c.pid));
	assert_in_range(entry.pages[SEEP_MM_ANON] - base, PAGES - batch_bound(),
			PAGES + batch_bound());
	assert_int_equal(watch__pages(w, c.pid, SEEP_MM_ANON) - base, PAGES);
	assert_int_equal(watch__get(w, c.pid)->start_ns, start_ns);
	status = child__finish(&c);
	assert_true(WIFEXITED(status));
	watch__poll(w);
	assert_null(watch__find(w, c.pid));
	ev = watch__find_event(w, SEEP_EVENT_EXIT, c.pid);
	assert_non_null(ev);
	assert_int_equal(ev->id.start_ns, start_ns);
	watch__free(w);
}

/* ---- huge pages -------------------------------------------------------------------------- */

#define HUGE_BYTES (2UL << 20)
#define HUGE_CNT   11

static void touch_huge(struct turn *t, void *arg)
{
	size_t bytes = (HUGE_CNT + 1) * HUGE_BYTES, i;
	uintptr_t at;
	char *mem;

	mem = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (mem == MAP_FAILED || madvise(mem, bytes, MADV_HUGEPAGE))
		_exit(97);
	at = ((uintptr_t)mem + HUGE_BYTES - 1) & ~(HUGE_BYTES - 1);
	turn__wait(t, 1);
	for (i = 0; i < HUGE_CNT; i++)
		*(volatile char *)(at + i * HUGE_BYTES) = 1;
	turn__wait(t, 1);
	madvise((void *)at, HUGE_CNT * HUGE_BYTES, MADV_DONTNEED);
	turn__wait(t, 1);
}

static int has_huge_pages(void)
{
	char text[128];

	return fs__read("/sys/kernel/mm/transparent_hugepage/enabled", text, sizeof(text)) > 0 &&
	       !strstr(text, "[never]");
}

/* A step of 512 pages is one event. Fragmented memory gives small pages instead: same sum. */
static void test_huge_pages_count_as_pages(void **state)
{
	const size_t pages = HUGE_CNT * HUGE_BYTES / page_size();
	struct rss_probe_cfg cfg = {.count_events = 1};
	struct seep_proc entry;
	struct watch *w;
	struct child c;
	int64_t base, got;

	if (!has_huge_pages()) {
		print_message("[   SKIP   ] transparent huge pages are off\n");
		skip();
	}
	WATCH_OR_SKIP(w, &cfg);
	assert_int_equal(child__start(&c, touch_huge, NULL), 1);
	base = watch__pages(w, c.pid, SEEP_MM_ANON);
	child__step(&c);
	entry = watch__entry(w, watch__get(w, c.pid));
	got = watch__pages(w, c.pid, SEEP_MM_ANON) - base;
	assert_in_range(got, HUGE_CNT, pages);
	assert_in_range(entry.pages[SEEP_MM_ANON] - base + batch_bound(), got,
			got + 2 * batch_bound());
	if (got == (int64_t)pages)
		assert_in_range(entry.events, 1, HUGE_CNT + 1);
	child__step(&c);
	assert_int_equal(watch__pages(w, c.pid, SEEP_MM_ANON) - base, 0);
	child__finish(&c);
	watch__free(w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_polls_are_exact),
		cmocka_unit_test(test_events_alone_are_good_to_a_batch),
		cmocka_unit_test(test_events_do_not_drift),
		cmocka_unit_test(test_marks_keep_what_polls_miss),
		cmocka_unit_test(test_threads_share_one_entry),
		cmocka_unit_test(test_a_process_outlives_its_leader),
		cmocka_unit_test(test_huge_pages_count_as_pages),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
