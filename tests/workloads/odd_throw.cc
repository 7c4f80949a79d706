// SPDX-License-Identifier: BSD-2-Clause
/*
 * odd_throw.cc - exceptions through frames that allocate, out of constructors and out of operator
 * new itself. As odd.c: rounds until standard input can be read, then ROUNDS that leak one block each.
 */
#include <csignal>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <new>
#include <poll.h>
#include <stdexcept>
#include <string>
#include <sys/prctl.h>
#include <unistd.h>
#include <vector>

#define ROUNDS	   211
#define LEAK_BYTES 1009
#define DEPTH	   13

static uint64_t sum;
static volatile size_t absurd = SIZE_MAX / 4;

static void forget(void *p)
{
	__asm__ volatile("" : : "r"(p) : "memory");
}

static void add(uint64_t value)
{
	sum = sum * 31 + value;
}

static __attribute__((noinline)) void leaky()
{
	forget(malloc(LEAK_BYTES)); /* line: leak */
	__asm__ volatile("");
}

struct thrower {
	std::vector<int> kept;
	explicit thrower(int n) : kept(n, n)
	{
		throw std::runtime_error("out of a constructor, with a text too long to be kept inside");
	}
};

static __attribute__((noinline)) void throw_from(int depth, int leaks)
{
	std::unique_ptr<char[]> p(new char[101 + depth]);
	std::string text(64 + depth, 'x');

	forget(p.get());
	if (depth > 0)
		throw_from(depth - 1, leaks);
	if (leaks)
		leaky();
	if (!text.empty()) // always; the compiler is not to know
		std::unique_ptr<thrower> never(new thrower(509));
}

static __attribute__((noinline)) void by_exception(int leaks)
{
	try {
		throw_from(DEPTH, leaks);
	} catch (const std::exception &e) {
		add(std::string(e.what()).size());
	}
	try {
		forget(new char[absurd]);
	} catch (const std::bad_alloc &) {
		add(1);
	}
	try {
		try {
			throw std::string(211, 'y');
		} catch (const std::string &s) {
			add(s.size());
			throw;
		}
	} catch (...) {
		add(2);
	}
}

int main()
{
	struct pollfd in = {STDIN_FILENO, POLLIN, 0};

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	alarm(1800);
	setvbuf(stdout, nullptr, _IOLBF, 0);
	puts("ready");
	while (!poll(&in, 1, 0)) {
		by_exception(0);
		usleep(2000);
	}
	sum = 0;
	for (int i = 0; i < ROUNDS; i++)
		by_exception(1);
	printf("throw %d rounds: %016llx\n", ROUNDS, (unsigned long long)sum);
	fflush(stdout);
	_exit(0);
}
