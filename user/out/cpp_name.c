// SPDX-License-Identifier: BSD-2-Clause
/*
 * cpp_name.c - see cpp_name.h.
 *
 * Only text is looked at. What does not have the form that demanglers write is left alone.
 */
#include <string.h>

#include "cpp_name.h"

static void replace(char *name, const char *what, const char *with)
{
	size_t what_len = strlen(what), with_len = strlen(with);
	char *at = name;

	while ((at = strstr(at, what))) {
		memcpy(at, with, with_len);
		memmove(at + with_len, at + what_len, strlen(at + what_len) + 1);
		at += with_len;
	}
}

/* Behind the '>' that closes the list which `at` is in; NULL: it is never closed. */
static char *behind_list(char *at)
{
	int depth = 1;

	for (; *at && depth; at++)
		depth += *at == '<' ? 1 : *at == '>' ? -1 : 0;
	return depth ? NULL : at;
}

/* A parameter that begins so, with its own parameters. */
static void drop_parameter(char *name, const char *beginning)
{
	char *at = name, *end;

	while ((at = strstr(at, beginning))) {
		end = behind_list(at + strlen(beginning));
		if (!end)
			return;
		memmove(at, end, strlen(end) + 1);
	}
}

void cpp_name__shorten(char *name)
{
	static const char *const usual[] = {
		", std::allocator<", ", std::less<",	    ", std::hash<",
		", std::equal_to<",  ", std::char_traits<", ", std::default_delete<",
	};
	size_t i;

	if (!strstr(name, "std::"))
		return;
	replace(name, "std::__cxx11::", "std::");
	replace(name, "std::__1::", "std::");
	for (i = 0; i < sizeof(usual) / sizeof(usual[0]); i++)
		drop_parameter(name, usual[i]);
	replace(name, " >", ">");
	replace(name, "std::basic_string<char>", "std::string");
}
