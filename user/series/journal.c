// SPDX-License-Identifier: BSD-2-Clause
/*
 * journal.c - segments of records on disk; what a record says is frame.c's.
 *
 * DIR/window-NNNNNN.seg: a header (magic, version, CRC), then records (length, CRC, payload). A
 * segment covers an eighth of the window and starts with a key frame, so it needs no other; one
 * that is older than the window is removed. A poll is one write(2): a SIGKILL can cut the last
 * record short, which the next start cuts off, and costs that poll. A damaged record ends its
 * segment; the next segment goes on, and the polls between are a gap.
 *
 * Nothing is ever synced: the page cache survives the agent, and a poll must not wait for a
 * disk. After a power loss the polls that the kernel had not written back (30 s by default) are
 * missing; whatever half-written blocks are left fail their CRC.
 *
 * After any failure the next tick starts a new segment, so a full disk costs a gap and nothing
 * else. One agent at a time: the directory is locked while it is open.
 */
#include <errno.h>
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#include "base/buf.h"
#include "base/fs.h"
#include "frame.h"
#include "journal.h"

#define MAGIC		   "seep-win"
#define VERSION		   1
#define HEADER_SZ	   16	       /* magic, u32 version, u32 CRC of both */
#define PREFIX_SZ	   8	       /* u32 length, u32 CRC of the payload */
#define RECORD_MAX	   (16u << 20) /* a key frame of 65536 series takes 8 MiB */
#define SEGMENT_MAX	   (32u << 20)
#define SEGMENTS_MAX	   16
#define SEGMENTS_IN_WINDOW 8
#define BUF_KEEP	   (64u << 10) /* more than that is given back after a key frame */
#define NAME_FMT	   "window-%06u.seg"
#define NAME_LEN	   40
#define BOOT_ID_MAX	   63

struct segment {
	unsigned seq;
	double last_s; /* of its last poll */
};

struct journal {
	char *dir;
	char *boot_id;
	double window_s;
	double last_s; /* of the last tick */
	int dirfd;     /* -1 = to be opened */
	bool locked;   /* dirfd is ours to write to */
	int fd;	       /* of the newest segment; -1 = the next tick starts one */
	bool need_key;
	double seg_start_s;
	uint64_t seg_bytes;
	struct segment segs[SEGMENTS_MAX]; /* oldest first */
	unsigned seg_cnt;
	struct frame_writer *writer;
	struct buf buf;
	struct journal_stats stats;
};

static void put_le32(void *at, uint32_t v)
{
	uint8_t *p = at;
	int i;

	for (i = 0; i < 4; i++)
		p[i] = v >> 8 * i;
}

static uint32_t get_le32(const void *at)
{
	const uint8_t *p = at;

	return p[0] | p[1] << 8 | p[2] << 16 | (uint32_t)p[3] << 24;
}

static void make_header(char header[HEADER_SZ])
{
	memcpy(header, MAGIC, 8);
	put_le32(header + 8, VERSION);
	put_le32(header + 12, crc32(0, (Bytef *)header, 12));
}

static void segment_name(char name[NAME_LEN], unsigned seq)
{
	snprintf(name, NAME_LEN, NAME_FMT, seq);
}

/* ---- the directory ---- */

/* The number in a segment's name, or -1. */
static long parse_name(const char *name)
{
	char again[NAME_LEN];
	unsigned seq;

	if (sscanf(name, "window-%u.seg", &seq) != 1 || seq > INT32_MAX)
		return -1;
	segment_name(again, seq);
	return strcmp(name, again) ? -1 : (long)seq;
}

static void forget_oldest(struct journal *j)
{
	char name[NAME_LEN];

	segment_name(name, j->segs[0].seq);
	if (j->locked)
		unlinkat(j->dirfd, name, 0);
	j->seg_cnt--;
	memmove(j->segs, j->segs + 1, j->seg_cnt * sizeof(j->segs[0]));
}

/* Enter a segment found on disk; nothing is known of its age yet. */
static void add_segment(struct journal *j, unsigned seq)
{
	unsigned i;

	for (i = 0; i < j->seg_cnt; i++)
		if (j->segs[i].seq == seq)
			return;
	if (j->seg_cnt == SEGMENTS_MAX) {
		if (seq < j->segs[0].seq)
			return;
		forget_oldest(j);
	}
	for (i = j->seg_cnt++; i && j->segs[i - 1].seq > seq; i--)
		j->segs[i] = j->segs[i - 1];
	j->segs[i] = (struct segment){.seq = seq, .last_s = INFINITY};
}

static int list_segments(struct journal *j)
{
	struct dirent *entry;
	int fd, err;
	DIR *dir;
	long seq;

	fd = openat(j->dirfd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	dir = fdopendir(fd);
	if (!dir) {
		close(fd);
		return -ENOMEM;
	}
	while ((errno = 0, entry = readdir(dir))) {
		seq = parse_name(entry->d_name);
		if (seq >= 0)
			add_segment(j, seq);
	}
	err = -errno;
	closedir(dir);
	return err;
}

static void close_dir(struct journal *j)
{
	if (j->dirfd >= 0)
		close(j->dirfd);
	j->dirfd = -1;
	j->locked = false;
}

/* Open and lock the directory, if that is still to be done. A directory that is open but not
 * locked can be read. */
static int open_dir(struct journal *j)
{
	int err;

	if (j->locked)
		return 0;
	close_dir(j);
	err = fs__mkdir_p(j->dir, 0700);
	if (err)
		return err;
	j->dirfd = open(j->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (j->dirfd < 0)
		return -errno;
	if (flock(j->dirfd, LOCK_EX | LOCK_NB))
		err = errno == EWOULDBLOCK ? -EBUSY : -errno;
	else if (faccessat(j->dirfd, ".", W_OK, AT_EACCESS))
		err = -errno;
	j->locked = !err;
	return list_segments(j) ?: err;
}

/* ---- writing ---- */

static void close_segment(struct journal *j)
{
	if (j->fd >= 0)
		close(j->fd);
	j->fd = -1;
}

static int start_segment(struct journal *j, double t_s)
{
	unsigned seq = j->seg_cnt ? j->segs[j->seg_cnt - 1].seq + 1 : 1;
	char name[NAME_LEN];

	while (j->seg_cnt && (j->seg_cnt == SEGMENTS_MAX || j->segs[0].last_s < t_s - j->window_s))
		forget_oldest(j);
	segment_name(name, seq);
	j->fd = openat(j->dirfd, name,
		       O_WRONLY | O_CREAT | O_EXCL | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (j->fd < 0)
		return -errno;
	add_segment(j, seq);
	j->need_key = true;
	j->seg_start_s = t_s;
	j->seg_bytes = 0;
	return 0;
}

/* The open segment, or a new one when it is full, too old, or from before the clock went back. */
static int ready_segment(struct journal *j, double t_s)
{
	double age = t_s - j->seg_start_s;

	if (age < 0 || age >= j->window_s / SEGMENTS_IN_WINDOW || j->seg_bytes > SEGMENT_MAX)
		close_segment(j);
	return j->fd >= 0 ? 0 : start_segment(j, t_s);
}

/* The record of this poll into j->buf, with the header if the segment is empty. */
static int encode(struct journal *j, struct store *st, double t_s)
{
	char header[HEADER_SZ], prefix[PREFIX_SZ] = {0};
	size_t at, len;

	j->buf.len = 0;
	if (!j->seg_bytes) {
		make_header(header);
		buf__append(&j->buf, header, HEADER_SZ);
	}
	at = j->buf.len;
	buf__append(&j->buf, prefix, PREFIX_SZ);
	frame_writer__poll(j->writer, st, t_s, j->need_key ? j->boot_id : NULL, &j->buf);
	if (j->buf.err)
		return j->buf.err;
	len = j->buf.len - at - PREFIX_SZ;
	if (len > RECORD_MAX)
		return -EMSGSIZE;
	put_le32(j->buf.data + at, len);
	put_le32(j->buf.data + at + 4, crc32(0, (Bytef *)j->buf.data + at + PREFIX_SZ, len));
	return 0;
}

static int append(struct journal *j, struct store *st, double t_s)
{
	int err;

	err = open_dir(j);
	if (!err)
		err = ready_segment(j, t_s);
	if (!err)
		err = encode(j, st, t_s);
	if (!err)
		err = fs__write_all(j->fd, j->buf.data, j->buf.len);
	if (err)
		return err;
	j->need_key = false;
	j->seg_bytes += j->buf.len;
	j->stats.bytes += j->buf.len;
	j->segs[j->seg_cnt - 1].last_s = t_s;
	return 0;
}

/* Leave the segment as it was before the failed record; what follows goes to a new one. */
static void abandon(struct journal *j, int err)
{
	char name[NAME_LEN];

	if (j->fd >= 0 && j->seg_bytes) {
		/* should this fail too, the torn record will fail its CRC */
		(void)!ftruncate(j->fd, j->seg_bytes);
	} else if (j->fd >= 0) {
		segment_name(name, j->segs[--j->seg_cnt].seq);
		unlinkat(j->dirfd, name, 0);
	}
	close_segment(j);
	if (err == -ENOENT || err == -ESTALE) /* the directory was removed */
		close_dir(j);
}

int journal__tick(struct journal *j, struct store *st, double t_s)
{
	int err = -EINVAL;

	if (t_s > j->last_s) {
		err = append(j, st, t_s);
		j->last_s = t_s;
		if (err)
			abandon(j, err);
	}
	if (j->buf.err || j->buf.cap > BUF_KEEP)
		buf__free(&j->buf);
	if (err) {
		j->stats.failed++;
		j->stats.last_err = -err;
		return err;
	}
	j->stats.ticks++;
	j->stats.last_err = 0;
	j->stats.last_write_s = t_s;
	return 0;
}

/* ---- restoring ---- */

/* A segment being read, record by record. */
struct source {
	FILE *file;
	uint64_t size;
	uint64_t good;	/* bytes understood */
	double first_s; /* time of the first record, NAN = there is none */
	char *record;	/* RECORD_MAX at most */
	size_t cap;
};

/* 0, or -errno: then nothing may be concluded from what was not read. */
static int open_source(struct journal *j, const char *name, struct source *src)
{
	struct stat sb;
	int fd;

	fd = openat(j->dirfd, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	if (fd < 0)
		return -errno;
	if (fstat(fd, &sb) || !S_ISREG(sb.st_mode)) {
		close(fd);
		return -EINVAL;
	}
	src->size = sb.st_size;
	src->file = fdopen(fd, "r");
	if (!src->file) {
		close(fd);
		return -ENOMEM;
	}
	return 0;
}

static void close_source(struct source *src)
{
	if (src->file)
		fclose(src->file);
	free(src->record);
}

/* All of it: 0. A file that ends: -EBADMSG. A disk that does not read: -EIO. */
static int read_exactly(struct source *src, void *to, size_t len)
{
	if (fread(to, 1, len, src->file) == len)
		return 0;
	return ferror(src->file) ? -EIO : -EBADMSG;
}

/* 0; 1: of a newer format; -EBADMSG or -EIO. */
static int read_header(struct source *src)
{
	char header[HEADER_SZ];
	int err;

	err = read_exactly(src, header, HEADER_SZ);
	if (err)
		return err;
	if (memcmp(header, MAGIC, 8) || get_le32(header + 12) != crc32(0, (Bytef *)header, 12))
		return -EBADMSG;
	src->good = HEADER_SZ;
	return get_le32(header + 8) > VERSION;
}

static int grow_record(struct source *src, size_t len)
{
	char *p;

	if (len <= src->cap)
		return 0;
	p = realloc(src->record, len);
	if (!p)
		return -ENOMEM;
	src->record = p;
	src->cap = len;
	return 0;
}

/* The record at src->good. 0, -EBADMSG at the end or when it is damaged, -EIO, -ENOMEM. */
static int read_record(struct source *src, size_t *ret_len)
{
	char prefix[PREFIX_SZ];
	size_t len;
	int err;

	err = read_exactly(src, prefix, PREFIX_SZ);
	if (err)
		return err;
	len = get_le32(prefix);
	if (!len || len > RECORD_MAX || src->good + PREFIX_SZ + len > src->size)
		return -EBADMSG;
	err = grow_record(src, len);
	if (!err)
		err = read_exactly(src, src->record, len);
	if (!err && get_le32(prefix + 4) != crc32(0, (Bytef *)src->record, len))
		err = -EBADMSG;
	*ret_len = len;
	return err;
}

/* Apply records as long as they are good. Returns what ended it, -EBADMSG as a rule. */
static int replay(struct source *src, struct frame_reader *r, struct segment *seg)
{
	size_t len;
	int err;

	frame_reader__lost(r);
	for (;;) {
		err = read_record(src, &len);
		if (!err)
			err = frame_reader__apply(r, src->record, len, &seg->last_s);
		if (err)
			return err;
		if (isnan(src->first_s))
			src->first_s = seg->last_s;
		src->good += PREFIX_SZ + len;
	}
}

/* Keep what a newer seep wrote: under a name that is not ours. */
static void set_aside(struct journal *j, const char *name)
{
	char other[NAME_LEN + 8];

	j->stats.set_aside++;
	snprintf(other, sizeof(other), "%s.newer", name);
	if (j->locked)
		renameat(j->dirfd, name, j->dirfd, other);
}

/* Cut off what was not understood. The newest segment goes on to be written. */
static void adopt(struct journal *j, const char *name, struct segment *seg,
		  const struct source *src)
{
	bool torn = src->good < src->size;
	int fd;

	j->stats.torn_bytes += src->size - src->good;
	if (isnan(src->first_s))
		seg->last_s = -INFINITY; /* nothing in it: it goes at the next chance */
	if (!j->locked)
		return;
	fd = openat(j->dirfd, name, O_WRONLY | O_APPEND | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0)
		return;
	if ((torn && ftruncate(fd, src->good)) || isnan(src->first_s)) {
		close(fd);
		return;
	}
	j->fd = fd;
	j->seg_bytes = src->good;
	j->seg_start_s = src->first_s;
}

/* 0 or -ENOMEM; a segment that cannot be read is left alone. */
static int restore_segment(struct journal *j, struct frame_reader *r, struct segment *seg)
{
	struct source src = {.first_s = NAN};
	char name[NAME_LEN];
	int err;

	segment_name(name, seg->seq);
	close_segment(j); /* the one before was not the newest */
	err = open_source(j, name, &src);
	if (!err) {
		err = read_header(&src);
		if (!err)
			err = replay(&src, r, seg);
		if (err > 0)
			set_aside(j, name);
		else if (err == -EBADMSG)
			adopt(j, name, seg, &src);
	}
	close_source(&src);
	return err == -ENOMEM ? err : 0;
}

static void forget_poll(void *ctx, struct series *s)
{
	struct series_poll poll;

	(void)ctx;
	series__take_poll(s, &poll);
}

static int restore(struct journal *j, struct store *st, unsigned *ret_restored)
{
	struct frame_reader_cfg rcfg = {
		.store = st,
		.boot_id = j->boot_id,
	};
	struct frame_reader *r = frame_reader__new(&rcfg);
	unsigned i;
	int err = 0;

	if (!r)
		return -ENOMEM;
	for (i = 0; i < j->seg_cnt && !err; i++)
		err = restore_segment(j, r, &j->segs[i]);
	*ret_restored = frame_reader__polls(r);
	frame_reader__free(r);
	/* they were put now, but not by a poll of now */
	store__foreach(st, forget_poll, NULL);
	return err;
}

/* ---- the object ---- */

static struct journal *new_journal(const struct journal_cfg *cfg, const struct store *st)
{
	struct journal *j = calloc(1, sizeof(*j));

	if (!j)
		return NULL;
	j->dirfd = j->fd = -1;
	j->need_key = true;
	j->last_s = -INFINITY;
	j->window_s = store__cfg(st)->window_s;
	j->stats.last_write_s = NAN;
	j->dir = strdup(cfg->dir);
	j->boot_id = strndup(cfg->boot_id ? cfg->boot_id : "", BOOT_ID_MAX);
	j->writer = frame_writer__new(store__cfg(st)->max_series);
	if (!j->dir || !j->boot_id || !j->writer) {
		journal__close(j);
		return NULL;
	}
	return j;
}

int journal__open(const struct journal_cfg *cfg, struct store *st, struct journal **ret_journal,
		  unsigned *ret_restored)
{
	struct journal *j = new_journal(cfg, st);
	unsigned restored = 0;
	int err, dir_err;

	if (!j)
		return -ENOMEM;
	dir_err = open_dir(j);
	err = j->dirfd >= 0 ? restore(j, st, &restored) : 0;
	if (err) {
		journal__close(j);
		return err;
	}
	if (dir_err) {
		j->stats.failed++;
		j->stats.last_err = -dir_err;
	}
	*ret_journal = j;
	*ret_restored = restored;
	return dir_err;
}

void journal__close(struct journal *j)
{
	if (!j)
		return;
	close_segment(j);
	close_dir(j);
	frame_writer__free(j->writer);
	buf__free(&j->buf);
	free(j->dir);
	free(j->boot_id);
	free(j);
}

void journal__stats(const struct journal *j, struct journal_stats *ret_stats)
{
	*ret_stats = j->stats;
}
