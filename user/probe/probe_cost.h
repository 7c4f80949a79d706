/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * probe_cost.h - what a hit of a probe costs here.
 *
 * Measured once, on functions of our own process: the trap is nearly all of it, and what it costs
 * depends on the machine (virtual ones single-step 10 times slower than real ones), on the kernel
 * and on its mitigations.
 */
#ifndef SEEP_PROBE_PROBE_COST_H
#define SEEP_PROBE_PROBE_COST_H

#include "uprobe_link.h"

struct probe_cost {
	unsigned emulated_ns; /* a hit on an instruction that the kernel emulates */
	unsigned stepped_ns;  /* ...that it single-steps */
	unsigned return_ns;   /* a return probe, on top of its entry */
};

/*
 * `nothing` is a program that only returns. About 200 ms the first time; not for threads. Gives
 * typical figures where it cannot measure.
 */
void probe_cost__measure(enum uprobe_mode mode, const struct bpf_program *nothing,
			 struct probe_cost *ret_cost);

#endif /* SEEP_PROBE_PROBE_COST_H */
