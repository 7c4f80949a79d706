/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * journal.h - the store's memory across restarts and SIGKILL.
 *
 * An append-only file of polls in a few segments: each starts with a key frame, each record has
 * a length and a CRC, a torn tail is cut off. A restart replays the segments through
 * series__put, so what is restored is what was polled. Old segments are removed. Disk trouble
 * never stops the agent: writing fails, is counted, and is tried again with a fresh key frame.
 */
#ifndef SEEP_SERIES_JOURNAL_H
#define SEEP_SERIES_JOURNAL_H

#include "store.h"

struct journal;

struct journal_cfg {
	const char *dir;      /* made if missing */
	const char *boot_id;  /* process series of another boot are not restored; NULL = none are */
};

/*
 * Read what is there into the (empty) store, then open for writing. *ret_restored counts the
 * polls read. 0, or -errno when nothing can be written there (what could be read is restored all
 * the same, *ret_journal is set, and each tick tries again). Only after -ENOMEM nothing is set.
 */
int journal__open(const struct journal_cfg *cfg, struct store *st, struct journal **ret_journal,
		  unsigned *ret_restored);
/* Append everything that was put since the last tick, as polls at t_s: put and tick with one time
 * per poll. Never blocks on fsync. 0 or -errno. */
int journal__tick(struct journal *j, struct store *st, double t_s);
void journal__close(struct journal *j);

struct journal_stats {
	uint64_t ticks, bytes, failed;
	int last_err;            /* errno of the last failure, 0 after a success */
	uint64_t torn_bytes;     /* cut off at the last restore */
	unsigned set_aside;      /* segments of a newer format, kept under another name */
	double last_write_s;
};
void journal__stats(const struct journal *j, struct journal_stats *ret_stats);

#endif /* SEEP_SERIES_JOURNAL_H */
