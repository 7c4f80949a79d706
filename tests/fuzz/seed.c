// SPDX-License-Identifier: BSD-2-Clause
/* seed.c - a program as small as they come, with symbols, lines and unwind tables: what the ELF and
 * CFI fuzzers start from. Built without a C library, never run. */
static int leaf(int x)
{
	return x * 3;
}

int add(int (*f)(int), int n);

int add(int (*f)(int), int n)
{
	volatile char room[100] = {0};

	return n ? f(n) + add(f, n - 1) + room[n] : 0;
}

void _start(void);

void _start(void)
{
	for (;;)
		add(leaf, 7);
}
