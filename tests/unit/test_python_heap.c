// SPDX-License-Identifier: BSD-2-Clause
/*
 * test_python_heap.c - pools of CPython made by hand: what is counted, and what a hostile or
 * half-changed pool may not do. Real interpreters are tests/e2e/heap_cases.py.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "lang/python_heap.h"

#define POOL   0x700000004000ULL /* where the pool says it is */
#define TYPES  0x600000000000ULL
#define HEADER 48

#define READY	      (1ULL << 12)
#define HAVE_GC	      (1ULL << 14)
#define MANAGED_DICT  (1ULL << 4)
#define TYPE_SUBCLASS (1ULL << 31)

/* `type`, and two types of objects; names behind them. As words, in CPython's order. */
enum { TYPE_TYPE, TYPE_PLAIN, TYPE_INSTANCE, TYPE_CNT };

static struct {
	uint64_t words[TYPE_CNT][22];
	char names[TYPE_CNT][16];
} types;

static unsigned reads;

static int read_memory(void *ctx, uint64_t address, void *ret_bytes, size_t len)
{
	reads++;
	if (address < TYPES || address - TYPES + len > sizeof(types))
		return -EFAULT;
	memcpy(ret_bytes, (const char *)&types + (address - TYPES), len);
	return 0;
}

static uint64_t type_at(int i)
{
	return TYPES + (char *)types.words[i] - (char *)&types;
}

static void make_type(int i, const char *name, uint64_t basic_size, uint64_t flags)
{
	uint64_t *w = types.words[i];

	strcpy(types.names[i], name);
	w[0] = 1;
	w[1] = type_at(TYPE_TYPE);
	w[3] = TYPES + (types.names[i] - (char *)&types);
	w[4] = basic_size;
	w[21] = flags | READY;
}

static union {
	unsigned char bytes[PYTHON_POOL_MAX];
	uint32_t numbers[HEADER / 4];
	uint64_t words[PYTHON_POOL_MAX / 8];
} pool;

static struct python_heap *heap;

/* A pool of that many blocks, none of them free. */
static void make_pool(uint32_t size, uint32_t used, uint32_t pool_size)
{
	memset(&pool, 0, sizeof(pool));
	pool.numbers[0] = used;
	pool.numbers[9] = size / 16 - 1;
	pool.numbers[10] = HEADER + used * size;
	pool.numbers[11] = pool_size - size;
}

static void put_object(uint32_t size, uint32_t i, uint32_t prefix, int type)
{
	uint64_t *w = &pool.words[(HEADER + i * size + prefix) / 8];

	w[0] = 1;
	w[1] = type_at(type);
}

static void put_free(uint32_t size, uint32_t i, uint64_t next)
{
	pool.numbers[0]--;
	pool.words[(HEADER + i * size) / 8] = next;
}

static int take(size_t len)
{
	return python_heap__pool(heap, POOL, pool.bytes, len);
}

static int setup(void **state)
{
	struct memory memory = {.read = read_memory};

	memset(&types, 0, sizeof(types));
	make_type(TYPE_TYPE, "type", 408, TYPE_SUBCLASS | HAVE_GC);
	make_type(TYPE_PLAIN, "float", 24, 0);
	make_type(TYPE_INSTANCE, "Session", 16, HAVE_GC | MANAGED_DICT);
	reads = 0;
	heap = python_heap__new(&memory);
	return !heap;
}

static int teardown(void **state)
{
	python_heap__free(heap);
	return 0;
}

struct wanted {
	const char *name;
	uint64_t objects, bytes;
};

static int find(void *ctx, const struct python_type *t)
{
	struct wanted *w = ctx;

	if (!t->name == !w->name && (!t->name || !strcmp(t->name, w->name))) {
		w->objects = t->objects;
		w->bytes = t->bytes;
	}
	return 0;
}

static uint64_t objects_of(const char *name)
{
	struct wanted w = {.name = name};

	assert_int_equal(python_heap__each(heap, find, &w), 0);
	return w.objects;
}

static void counts_objects_by_type(void **state)
{
	make_pool(32, 5, PYTHON_POOL_MAX);
	put_object(32, 0, 0, TYPE_PLAIN);
	put_object(32, 3, 0, TYPE_PLAIN);
	assert_int_equal(take(sizeof(pool)), PYTHON_POOL_MAX);
	assert_int_equal(objects_of("float"), 2);
	assert_int_equal(objects_of(NULL), 3);
}

static void an_object_stands_behind_the_headers_of_its_type(void **state)
{
	make_pool(48, 3, PYTHON_POOL_MAX);
	put_object(48, 0, 32, TYPE_INSTANCE);
	put_object(48, 1, 0, TYPE_INSTANCE); /* that is no object, whatever it is */
	put_object(48, 2, 16, TYPE_PLAIN);
	assert_int_equal(take(sizeof(pool)), PYTHON_POOL_MAX);
	assert_int_equal(objects_of("Session"), 1);
	assert_int_equal(objects_of("float"), 0);
	assert_int_equal(objects_of(NULL), 2);
}

static void free_blocks_are_no_objects(void **state)
{
	struct python_heap_totals totals;

	make_pool(32, 4, PYTHON_POOL_MAX);
	put_object(32, 0, 0, TYPE_PLAIN);
	put_object(32, 1, 0, TYPE_PLAIN);
	put_object(32, 2, 0, TYPE_PLAIN);
	put_free(32, 1, POOL + HEADER + 3 * 32); /* what it was is still there to read */
	put_free(32, 3, 0);
	pool.words[1] = POOL + HEADER + 32;
	assert_int_equal(take(sizeof(pool)), PYTHON_POOL_MAX);
	assert_int_equal(objects_of("float"), 2);
	python_heap__totals(heap, &totals);
	assert_int_equal(totals.blocks, 2);
	assert_int_equal(totals.block_bytes, 64);
}

static void small_pools_of_before_3_10(void **state)
{
	make_pool(32, 2, 4096);
	put_object(32, 0, 0, TYPE_PLAIN);
	assert_int_equal(take(4096), 4096);
	assert_int_equal(objects_of("float"), 1);
}

static void what_is_no_pool_is_not_counted(void **state)
{
	make_pool(32, 2, PYTHON_POOL_MAX);
	assert_int_equal(take(4096), 0); /* the rest of it is not mapped */
	pool.numbers[11]++;
	assert_int_equal(take(sizeof(pool)), 0);
	make_pool(32, 2, PYTHON_POOL_MAX);
	pool.numbers[9] = 32; /* a class that there is not */
	assert_int_equal(take(sizeof(pool)), 0);
	make_pool(32, 2, PYTHON_POOL_MAX);
	pool.numbers[10]++;
	assert_int_equal(take(sizeof(pool)), 0);
	make_pool(32, 2, PYTHON_POOL_MAX);
	pool.numbers[0] = 3; /* more in use than there are */
	assert_int_equal(take(sizeof(pool)), 0);
	make_pool(32, 2, PYTHON_POOL_MAX);
	assert_int_equal(python_heap__pool(heap, POOL + 4096, pool.bytes, sizeof(pool)), 0);
	memset(&pool, 0xff, sizeof(pool));
	assert_int_equal(take(sizeof(pool)), 0);
	assert_int_equal(objects_of(NULL), 0);
}

/* A chain that runs in a circle, leaves the pool, or is shorter than the header says. */
static void a_pool_that_is_being_changed_is_left_out(void **state)
{
	make_pool(32, 4, PYTHON_POOL_MAX);
	put_free(32, 1, POOL + HEADER + 32);
	pool.words[1] = POOL + HEADER + 32;
	assert_int_equal(take(sizeof(pool)), -EAGAIN);
	pool.words[(HEADER + 32) / 8] = POOL + PYTHON_POOL_MAX;
	assert_int_equal(take(sizeof(pool)), -EAGAIN);
	pool.words[(HEADER + 32) / 8] = POOL + HEADER + 7;
	assert_int_equal(take(sizeof(pool)), -EAGAIN);
	pool.words[1] = 0;
	assert_int_equal(take(sizeof(pool)), -EAGAIN);
	assert_int_equal(objects_of(NULL), 0);
}

static void a_pointer_is_asked_for_once(void **state)
{
	unsigned i, before;

	make_pool(32, 100, PYTHON_POOL_MAX);
	for (i = 0; i < 100; i++) {
		put_object(32, i, 0, TYPE_PLAIN);
		pool.words[(HEADER + i * 32) / 8 + 3] = TYPES - 8; /* and leads nowhere */
	}
	take(sizeof(pool));
	before = reads;
	take(sizeof(pool));
	assert_int_equal(reads, before);
	assert_true(reads < 10);
	assert_int_equal(objects_of("float"), 200);
}

/* A list's items lead to objects, each to another one: none is asked for. */
static void pointers_into_pools_are_not_followed(void **state)
{
	unsigned i;

	make_pool(32, 100, PYTHON_POOL_MAX);
	for (i = 0; i < 100; i++) {
		pool.words[(HEADER + i * 32) / 8] = 1;
		pool.words[(HEADER + i * 32) / 8 + 1] = POOL + 8 * i;
	}
	put_object(32, 50, 0, TYPE_PLAIN);
	assert_int_equal(python_heap__note(heap, POOL, pool.bytes, sizeof(pool)), PYTHON_POOL_MAX);
	assert_int_equal(take(sizeof(pool)), PYTHON_POOL_MAX);
	assert_int_equal(objects_of("float"), 1);
	assert_true(reads < 10); /* the type, its type, its name */
}

/* Each of these makes a type that is none. */
static void a_type_has_to_look_like_one(void **state)
{
	static const struct {
		int type, word;
		uint64_t value;
	} spoilt[] = {
		{TYPE_PLAIN, 0, 0},	      /* nobody refers to it */
		{TYPE_PLAIN, 1, 8},	      /* its type is nowhere */
		{TYPE_PLAIN, 3, 0},	      /* no name */
		{TYPE_PLAIN, 3, TYPES - 100}, /* a name that is not there */
		{TYPE_PLAIN, 4, 1ULL << 40},  /* enormous objects */
		{TYPE_PLAIN, 21, 0},	      /* not ready */
		{TYPE_TYPE, 21, READY},	      /* its type is no type of types */
	};
	size_t i;

	for (i = 0; i < sizeof(spoilt) / sizeof(spoilt[0]); i++) {
		teardown(state);
		setup(state);
		types.words[spoilt[i].type][spoilt[i].word] = spoilt[i].value;
		make_pool(32, 1, PYTHON_POOL_MAX);
		put_object(32, 0, 0, TYPE_PLAIN);
		assert_int_equal(take(sizeof(pool)), PYTHON_POOL_MAX);
		assert_int_equal(objects_of(NULL), 1);
	}
}

static void names_are_cleaned(void **state)
{
	strcpy(types.names[TYPE_PLAIN], "a\033[2Jb");
	make_pool(32, 1, PYTHON_POOL_MAX);
	put_object(32, 0, 0, TYPE_PLAIN);
	take(sizeof(pool));
	assert_int_equal(objects_of("a?[2Jb"), 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(counts_objects_by_type, setup, teardown),
		cmocka_unit_test_setup_teardown(an_object_stands_behind_the_headers_of_its_type,
						setup, teardown),
		cmocka_unit_test_setup_teardown(free_blocks_are_no_objects, setup, teardown),
		cmocka_unit_test_setup_teardown(small_pools_of_before_3_10, setup, teardown),
		cmocka_unit_test_setup_teardown(what_is_no_pool_is_not_counted, setup, teardown),
		cmocka_unit_test_setup_teardown(a_pool_that_is_being_changed_is_left_out, setup,
						teardown),
		cmocka_unit_test_setup_teardown(a_pointer_is_asked_for_once, setup, teardown),
		cmocka_unit_test_setup_teardown(pointers_into_pools_are_not_followed, setup,
						teardown),
		cmocka_unit_test_setup_teardown(a_type_has_to_look_like_one, setup, teardown),
		cmocka_unit_test_setup_teardown(names_are_cleaned, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
