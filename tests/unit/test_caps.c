// SPDX-License-Identifier: BSD-2-Clause
/* test_caps.c - what was given up stays given up. Each test in a child: there is no way back. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <linux/capability.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/caps.h"

/* 0: as expected; else the line that was not. */
#define CHECK(what)                             \
	do {                                    \
		if (!(what))                    \
			_exit(__LINE__ & 0xff); \
	} while (0)

static void in_child(void (*body)(uint64_t before))
{
	uint64_t before = caps__effective();
	int status;
	pid_t pid;

	pid = fork();
	if (!pid) {
		body(before);
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

static void keep_one(uint64_t before)
{
	const uint64_t mask = CAPS_BIT(CAP_SYS_PTRACE) | CAPS_BIT(CAP_CHECKPOINT_RESTORE);

	CHECK(caps__keep(mask) == 0);
	CHECK(caps__effective() == (before & mask));
	CHECK(prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1);
	CHECK(prctl(PR_CAPBSET_READ, CAP_SYS_ADMIN, 0, 0, 0) == 0 ||
	      !(before & CAPS_BIT(CAP_SETPCAP)));
	/* asking for all of them again gives nothing back */
	CHECK(caps__keep(~0ULL) == 0);
	CHECK(caps__effective() == (before & mask));
}

static void keeps_at_most_what_is_asked(void **state)
{
	in_child(keep_one);
}

static void keep_none(uint64_t before)
{
	CHECK(caps__keep(0) == 0);
	CHECK(caps__effective() == 0);
}

static void can_give_up_everything(void **state)
{
	in_child(keep_none);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(keeps_at_most_what_is_asked),
		cmocka_unit_test(can_give_up_everything),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
