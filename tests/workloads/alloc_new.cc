// SPDX-License-Identifier: BSD-2-Clause
/*
 * alloc_new.cc - leaks an exact number of blocks of operator new, in each of its forms, and lets
 * exceptions through it; with an argument it never fails. Turns as in alloc_exact.c.
 */
#include <cstdio>
#include <cstdlib>
#include <new>
#include <stdexcept>
#include <thread>
#include <unistd.h>
#include <vector>

static constexpr int threads = 8, share = 103;
static volatile size_t too_much = (size_t)1 << 60;
static void *volatile kept;

struct alignas(128) wide {
	char bytes[1408];
};

template <typename T> static T *keep(T *p)
{
	kept = p;
	return p;
}

static void leak_once()
{
	keep(new char[211]);
	keep(::operator new(307));
	keep(::operator new(401, std::nothrow));
	keep(::operator new[](503, std::nothrow));
	keep(new wide);
	keep(::operator new(5003)); /* large: by another way through the allocator */
}

static void churn()
{
	for (size_t i = 0; i < 499; i++) {
		char *p = keep(new char[1 + i * 7 % 5003]);
		int *q = keep(new int);

		delete keep(new wide);
		::operator delete(keep(::operator new(67, std::nothrow)), std::nothrow);
		delete[] p;
		delete q;
	}
}

/* In a frame of its own, so that what comes after is deeper than what threw. */
static __attribute__((noinline)) int fails()
{
	try {
		keep(::operator new(too_much));
	} catch (const std::bad_alloc &) {
		return 1;
	}
	return 0;
}

/* An exception has a block of its own, by malloc. */
static __attribute__((noinline)) int throws(int depth)
{
	std::vector<char> dropped(depth + 1);

	if (!depth)
		throw std::runtime_error("through frames that hold blocks");
	return throws(depth - 1) + 1;
}

static void leak(bool may_fail)
{
	churn();
	for (int i = 0; i < share; i++) {
		leak_once();
		if (may_fail && (!fails() || ::operator new(too_much, std::nothrow)))
			abort();
		try {
			throws(5);
		} catch (const std::runtime_error &) {
		}
	}
	churn();
}

static bool next_turn()
{
	char byte = 't';

	return write(STDOUT_FILENO, &byte, 1) == 1 && read(STDIN_FILENO, &byte, 1) == 1;
}

int main(int argc, char **)
{
	std::thread workers[threads];

	delete keep(new int);
	if (argc == 1)
		fails(); /* what the runtime keeps for exceptions is there from here on */
	if (!next_turn())
		return 1;
	for (auto &worker : workers)
		worker = std::thread(leak, argc == 1);
	for (auto &worker : workers)
		worker.join();
	next_turn();
	return 0;
}
