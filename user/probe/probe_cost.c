// SPDX-License-Identifier: BSD-2-Clause
#include "probe_cost.h"

void probe_cost__measure(enum uprobe_mode mode, struct probe_cost *ret_cost)
{
	*ret_cost = (struct probe_cost){.emulated_ns = 700, .stepped_ns = 9000, .return_ns = 600};
}
