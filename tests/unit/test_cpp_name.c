/* SPDX-License-Identifier: BSD-2-Clause */
/* test_cpp_name.c - names that GCC and Clang give, and names that only look like it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "out/cpp_name.h"

#define STRING "std::__cxx11::basic_string<char, std::char_traits<char>, std::allocator<char> >"
#define STRING1 \
	"std::__1::basic_string<char, std::__1::char_traits<char>, std::__1::allocator<char> >"

static void expect(const char *name, const char *wanted)
{
	char *copy = strdup(name); /* its own size: nothing may be written behind it */

	assert_non_null(copy);
	cpp_name__shorten(copy);
	assert_string_equal(copy, wanted);
	free(copy);
}

static void test_strings(void **state)
{
	expect(STRING "::append(char const*)", "std::string::append(char const*)");
	expect(STRING1 "::append", "std::string::append");
	expect("std::basic_string<wchar_t, std::char_traits<wchar_t>, std::allocator<wchar_t> >",
	       "std::basic_string<wchar_t>");
}

static void test_containers(void **state)
{
	expect("std::vector<" STRING ", std::allocator<" STRING " > >::push_back",
	       "std::vector<std::string>::push_back");
	expect("std::map<int, long, std::less<int>, std::allocator<std::pair<int const, long> > >",
	       "std::map<int, long>");
	expect("std::unique_ptr<Step<long>, std::default_delete<Step<long> > >::reset",
	       "std::unique_ptr<Step<long>>::reset");
	expect("std::vector<int, pool::allocator<int> >", "std::vector<int, pool::allocator<int>>");
}

static void test_others(void **state)
{
	expect("", "");
	expect("main", "main");
	expect("operator new", "operator new");
	expect("a > b", "a > b");
	expect("std::operator< <char, std::allocator<char",
	       "std::operator< <char, std::allocator<char");
	expect("f(std::x, std::allocator<", "f(std::x, std::allocator<");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_strings),
		cmocka_unit_test(test_containers),
		cmocka_unit_test(test_others),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
