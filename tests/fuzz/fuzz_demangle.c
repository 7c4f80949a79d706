// SPDX-License-Identifier: BSD-2-Clause
/* fuzz_demangle.c - names of symbols, through libiberty's demanglers, at two sizes of the result. */
#include "fuzz.h"
#include "sym/demangle.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *name = fuzz__text(data, size), small[8], large[1024];

	if ((demangle(name, small, sizeof(small)) && strlen(small) >= sizeof(small)) ||
	    (demangle(name, large, sizeof(large)) && strlen(large) >= sizeof(large)))
		abort();
	free(name);
	return 0;
}
