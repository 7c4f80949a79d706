// SPDX-License-Identifier: BSD-2-Clause
/* caps.c - see caps.h; the two system calls are simple enough to go without a library. */
#include <errno.h>
#include <linux/capability.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "caps.h"

#define WORDS _LINUX_CAPABILITY_U32S_3

static struct __user_cap_header_struct header(void)
{
	return (struct __user_cap_header_struct){.version = _LINUX_CAPABILITY_VERSION_3};
}

static uint64_t join(uint32_t lo, uint32_t hi)
{
	return (uint64_t)hi << 32 | lo;
}

uint64_t caps__effective(void)
{
	struct __user_cap_header_struct h = header();
	struct __user_cap_data_struct d[WORDS];

	if (syscall(SYS_capget, &h, d))
		return 0;
	return join(d[0].effective, d[1].effective);
}

/* Without CAP_SETPCAP the bounding set stays; no_new_privs makes that harmless. */
static void drop_bounding(uint64_t mask)
{
	int cap;

	for (cap = 0; cap <= CAP_LAST_CAP; cap++)
		if (!(mask & CAPS_BIT(cap)))
			prctl(PR_CAPBSET_DROP, cap, 0, 0, 0);
}

int caps__keep(uint64_t mask)
{
	struct __user_cap_header_struct h = header();
	struct __user_cap_data_struct d[WORDS];
	int i;

	if (syscall(SYS_capget, &h, d))
		return -errno;
	drop_bounding(mask);
	for (i = 0; i < WORDS; i++) {
		d[i].permitted &= (uint32_t)(mask >> 32 * i);
		d[i].effective = d[i].permitted;
		d[i].inheritable = 0;
	}
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) ||
	    prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) || syscall(SYS_capset, &h, d))
		return -errno;
	return 0;
}
