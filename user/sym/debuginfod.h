/* SPDX-License-Identifier: BSD-2-Clause */
/* debuginfod.h - debug information asked of servers, for who wants that. */
#ifndef SEEP_SYM_DEBUGINFOD_H
#define SEEP_SYM_DEBUGINFOD_H

/* 1 if the library is here and $DEBUGINFOD_URLS names a server. */
int debuginfod__is_possible(void);
/*
 * The debug file of a build-id, from the servers in $DEBUGINFOD_URLS or what was asked of them
 * before (~/.cache/debuginfod_client). May take as long as $DEBUGINFOD_TIMEOUT allows. A descriptor,
 * or -errno.
 */
int debuginfod__fetch(const char *build_id);

#endif /* SEEP_SYM_DEBUGINFOD_H */
