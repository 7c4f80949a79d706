/* SPDX-License-Identifier: BSD-2-Clause */
/* bpf_log.h - libbpf's messages, demoted to debug, the last warning kept to explain a failure. */
#ifndef SEEP_PROBE_BPF_LOG_H
#define SEEP_PROBE_BPF_LOG_H

#include <stddef.h>

/* Route libbpf's output here; safe to call again. Forgets the last warning. */
void bpf_log__start(void);
/* The first warning since bpf_log__start, one line; "" if there was none. */
const char *bpf_log__why(void);

#endif /* SEEP_PROBE_BPF_LOG_H */
