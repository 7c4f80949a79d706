/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * history.c - incidents in one SQLite table: the INCIDENT document beside the columns that are
 * searched.
 *
 * Why WAL with synchronous=NORMAL is enough: a commit is a write(2) to the log, and what was
 * written belongs to the kernel, so SIGKILL cannot take it back. Only a power failure may lose
 * the commits since the last checkpoint, and it loses the newest ones, never the order or the
 * file. In return a commit costs no fsync, which matters on the loop it is called from.
 *
 * Every statement is a transaction of its own, except a migration, which is rolled back when any
 * part of it fails.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <math.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "../base/json_mem.h"
#include "history.h"
#include "text.h"

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))
#define DEFAULT_LIMIT 1000

struct history {
	sqlite3 *db;
	sqlite3_stmt *put;
	char *path;
	uint64_t failed, unreadable;
	int last_err;
};

/*
 * migrations[v] takes a database from user_version v to v + 1. Rows are never edited once they
 * have been released; a change of the schema is a new row.
 */
static const char *const migrations[] = {
	"CREATE TABLE incident ("
	"	id TEXT PRIMARY KEY NOT NULL,"
	"	key TEXT NOT NULL,"
	"	state TEXT NOT NULL,"
	"	severity TEXT NOT NULL,"
	"	kind TEXT NOT NULL,"
	"	opened_s INTEGER NOT NULL,"
	"	closed_s INTEGER,"
	"	comm TEXT,"
	"	cgroup TEXT,"
	"	container TEXT,"
	"	pod TEXT,"
	"	namespace TEXT,"
	"	workload TEXT,"
	"	document TEXT NOT NULL"
	");"
	"CREATE INDEX incident_opened ON incident (opened_s);"
	"CREATE INDEX incident_closed ON incident (closed_s);",
	"CREATE TABLE told ("
	"	target TEXT NOT NULL,"
	"	incident TEXT NOT NULL,"
	"	open INTEGER NOT NULL,"
	"	severity INTEGER NOT NULL,"
	"	at_s REAL NOT NULL,"
	"	PRIMARY KEY (target, incident)"
	") WITHOUT ROWID;",
	"CREATE TABLE mute ("
	"	id TEXT PRIMARY KEY NOT NULL,"
	"	selector TEXT NOT NULL,"
	"	reason TEXT NOT NULL,"
	"	created_s REAL NOT NULL,"
	"	until_s REAL" /* NULL: for good */
	");",
};

#define SCHEMA_VERSION ((int)ARRAY_SIZE(migrations))

static const char put_sql[] =
	"INSERT OR REPLACE INTO incident (id, key, state, severity, kind, opened_s, closed_s, comm,"
	" cgroup, container, pod, namespace, workload, document)"
	" VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14)";

/* Where the columns of put_sql stand in the document, which is the last one itself. */
static const struct {
	const char *parent;
	const char *name;
} columns[] = {
	{NULL, "id"},		{NULL, "key"},
	{NULL, "state"},	{NULL, "severity"},
	{NULL, "kind"},		{NULL, "opened_s"},
	{NULL, "closed_s"},	{"object", "comm"},
	{"object", "cgroup"},	{"object", "container"},
	{"object", "pod"},	{"object", "namespace"},
	{"object", "workload"},
};

/* A condition whose parameter is NULL selects everything. */
static const char query_sql[] = "SELECT document FROM incident"
				" WHERE (?1 = 0 OR closed_s IS NULL)"
				" AND (?2 IS NULL OR closed_s IS NULL OR closed_s >= ?2)"
				" AND (?3 IS NULL OR substr(id, 1, length(?3)) = lower(?3))"
				" AND (?4 IS NULL OR key = ?4)"
				" ORDER BY opened_s DESC, id LIMIT ?5";

static const char expire_age_sql[] = "DELETE FROM incident WHERE closed_s < ?1";

static const char expire_rows_sql[] =
	"DELETE FROM incident WHERE id IN ("
	" SELECT id FROM incident WHERE closed_s IS NOT NULL ORDER BY closed_s"
	" LIMIT max(0, (SELECT count(*) FROM incident) - ?1))";

static const struct {
	int rc; /* primary result code */
	int err;
} errnos[] = {
	{SQLITE_NOMEM, ENOMEM},	  {SQLITE_BUSY, EBUSY},	    {SQLITE_LOCKED, EBUSY},
	{SQLITE_FULL, ENOSPC},	  {SQLITE_READONLY, EROFS}, {SQLITE_CANTOPEN, EACCES},
	{SQLITE_PERM, EACCES},	  {SQLITE_AUTH, EACCES},    {SQLITE_CORRUPT, EBADMSG},
	{SQLITE_NOTADB, EBADMSG}, {SQLITE_TOOBIG, E2BIG},   {SQLITE_CONSTRAINT, EEXIST},
	{SQLITE_IOERR, EIO},
};

static int to_errno(int rc)
{
	size_t i;

	if (rc == SQLITE_OK || rc == SQLITE_ROW || rc == SQLITE_DONE)
		return 0;
	for (i = 0; i < ARRAY_SIZE(errnos); i++) {
		if (errnos[i].rc == (rc & 0xff))
			return -errnos[i].err;
	}
	return -EINVAL;
}

/* The end of every public call: failures are counted in one place. */
static int done(struct history *h, int err)
{
	if (err) {
		h->failed++;
		h->last_err = err;
	}
	return err;
}

/* The same of what was written: once that works again, the trouble is over. */
static int written(struct history *h, int err)
{
	if (!err)
		h->last_err = 0;
	return done(h, err);
}

static int exec(sqlite3 *db, const char *sql)
{
	return to_errno(sqlite3_exec(db, sql, NULL, NULL, NULL));
}

/* ---- opening ---- */

static int user_version(sqlite3 *db, int *ret_version)
{
	sqlite3_stmt *stmt = NULL;
	int rc;

	rc = sqlite3_prepare_v2(db, "PRAGMA user_version", -1, &stmt, NULL);
	if (rc == SQLITE_OK)
		rc = sqlite3_step(stmt);
	if (rc == SQLITE_ROW)
		*ret_version = sqlite3_column_int(stmt, 0);
	sqlite3_finalize(stmt);
	if (rc == SQLITE_ROW && *ret_version < 0)
		return -EBADMSG; /* nobody has written that */
	return to_errno(rc);
}

/*
 * What quick_check says of a file: damage, or an error of reading that says nothing of the file
 * ("unable to get the page. error code=266"), which must not be taken for it.
 */
static int verdict_of(const char *said)
{
	const char *code = said ? strstr(said, "error code=") : NULL;
	int rc = code ? atoi(code + strlen("error code=")) : SQLITE_CORRUPT;

	if (!said)
		return -ENOMEM;
	return strcmp(said, "ok") ? to_errno(rc) ?: -EBADMSG : 0;
}

/* -EBADMSG when the file is damaged in a place that nobody has read yet. */
static int check(sqlite3 *db)
{
	sqlite3_stmt *stmt = NULL;
	int rc, err;

	rc = sqlite3_prepare_v2(db, "PRAGMA quick_check(1)", -1, &stmt, NULL);
	if (rc == SQLITE_OK)
		rc = sqlite3_step(stmt);
	err = to_errno(rc);
	if (rc == SQLITE_ROW)
		err = verdict_of((const char *)sqlite3_column_text(stmt, 0));
	sqlite3_finalize(stmt);
	return err;
}

static int migrate_to(sqlite3 *db, int version)
{
	char set_version[64];
	int err;

	snprintf(set_version, sizeof(set_version), "PRAGMA user_version = %d; COMMIT", version);
	err = exec(db, "BEGIN IMMEDIATE");
	if (err)
		return err;
	err = exec(db, migrations[version - 1]);
	if (!err)
		err = exec(db, set_version);
	if (err)
		exec(db, "ROLLBACK");
	return err;
}

static int migrate(sqlite3 *db)
{
	int version = 0, err;

	err = user_version(db, &version);
	while (!err && version < SCHEMA_VERSION)
		err = migrate_to(db, ++version);
	return err;
}

/* Pages of removed rows go back to the file system; the caches are small: rows are few. */
static const char settings_sql[] =
	"PRAGMA auto_vacuum = INCREMENTAL;" /* first: it has no effect on a database with tables */
	"PRAGMA journal_mode = WAL;"
	"PRAGMA synchronous = NORMAL;"
	"PRAGMA journal_size_limit = 4194304;"
	"PRAGMA cache_size = -512;"
	"PRAGMA temp_store = MEMORY;"
	"PRAGMA trusted_schema = OFF;";

static int prepare(struct history *h, const char **ret_why)
{
	int version = 0, err;

	err = user_version(h->db, &version);
	if (err)
		return err;
	if (version > SCHEMA_VERSION) {
		*ret_why = "it was written by a newer version of seep";
		return -ENOTSUP;
	}
	err = exec(h->db, settings_sql);
	if (!err)
		err = check(h->db);
	if (!err)
		err = migrate(h->db);
	if (err)
		return err;
	return to_errno(
		sqlite3_prepare_v3(h->db, put_sql, -1, SQLITE_PREPARE_PERSISTENT, &h->put, NULL));
}

static void close_db(struct history *h)
{
	sqlite3_finalize(h->put);
	sqlite3_close(h->db);
	h->put = NULL;
	h->db = NULL;
}

/*
 * SQLite would create the file with the umask's mode; its log takes over the mode of the file.
 * And it would open a file that cannot be written for reading, which is of no use here.
 */
static int create_private(const char *path)
{
	int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NONBLOCK | O_NOCTTY, 0600);

	if (fd < 0)
		return -errno;
	close(fd);
	return 0;
}

static int open_db(struct history *h, const char **ret_why)
{
	int err, rc;

	err = create_private(h->path);
	if (err) {
		*ret_why = strerrordesc_np(-err);
		return err;
	}
	rc = sqlite3_open_v2(h->path, &h->db, SQLITE_OPEN_READWRITE, NULL);
	err = to_errno(rc);
	if (!err) {
		sqlite3_busy_timeout(h->db, HISTORY_BUSY_MS);
		err = prepare(h, ret_why);
	}
	if (!err)
		return 0;
	if (!*ret_why)
		*ret_why = strerrordesc_np(-err);
	/* what is refused or moved aside stays as it is, with its log */
	if (h->db)
		sqlite3_db_config(h->db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
	close_db(h);
	return err;
}

/* A log left beside a new database would be taken for its own, so it moves along. */
static int move_aside(const char *path)
{
	static const char *const suffixes[] = {"", "-wal", "-shm"};
	char from[PATH_MAX], to[PATH_MAX];
	long long now_s = time(NULL);
	size_t i;

	for (i = 0; i < ARRAY_SIZE(suffixes); i++) {
		if (snprintf(from, sizeof(from), "%s%s", path, suffixes[i]) >= PATH_MAX ||
		    snprintf(to, sizeof(to), "%s.corrupt-%lld%s", path, now_s, suffixes[i]) >=
			    PATH_MAX)
			return -ENAMETOOLONG;
		if (rename(from, to) && errno != ENOENT)
			return -errno;
	}
	return 0;
}

/* To its end, whatever it holds. */
static int read_through(const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY), err = 0;
	char block[16384];
	ssize_t n = -1;

	if (fd >= 0)
		while ((n = read(fd, block, sizeof(block))) > 0)
			;
	if (n < 0)
		err = -errno;
	if (fd >= 0)
		close(fd);
	return err;
}

/*
 * SQLite calls a file corrupt that only could not be read, too. Nothing is moved aside for that:
 * the file has to be readable, and corrupt a second time.
 */
static int open_twice(struct history *h, const char **ret_why)
{
	int err = open_db(h, ret_why), unread;

	if (err != -EBADMSG)
		return err;
	*ret_why = NULL;
	unread = read_through(h->path);
	if (!unread)
		return open_db(h, ret_why);
	*ret_why = strerrordesc_np(-unread);
	return unread;
}

static int open_or_begin_anew(struct history *h, const char **ret_why)
{
	int err;

	err = open_twice(h, ret_why);
	if (err != -EBADMSG)
		return err;
	*ret_why = NULL;
	err = move_aside(h->path);
	if (!err)
		err = open_db(h, ret_why);
	if (!*ret_why)
		*ret_why = err ? "it is corrupt and cannot be moved aside"
			       : "it was corrupt and has been moved aside";
	return err;
}

int history__open(const char *path, struct history **ret_history, const char **ret_why)
{
	struct history *h;
	int err = -ENOMEM;

	*ret_why = NULL;
	h = calloc(1, sizeof(*h));
	if (h)
		h->path = strdup(path);
	if (h && h->path)
		err = open_or_begin_anew(h, ret_why);
	else
		*ret_why = "out of memory";
	if (err) {
		history__close(h);
		return err;
	}
	*ret_history = h;
	return 0;
}

void history__close(struct history *h)
{
	if (!h)
		return;
	close_db(h);
	free(h->path);
	free(h);
}

/* ---- writing ---- */

static int bind_json(sqlite3_stmt *stmt, int at, const json_t *value)
{
	if (json_is_string(value))
		return sqlite3_bind_text(stmt, at, json_string_value(value), -1, SQLITE_STATIC);
	if (json_is_integer(value))
		return sqlite3_bind_int64(stmt, at, json_integer_value(value));
	return sqlite3_bind_null(stmt, at);
}

/* Run put with columns that live at least as long as this call. */
static int write_row(struct history *h, const json_t *json, const char *document)
{
	const json_t *from;
	size_t i;
	int rc = SQLITE_OK;

	for (i = 0; i < ARRAY_SIZE(columns) && rc == SQLITE_OK; i++) {
		from = columns[i].parent ? json_object_get(json, columns[i].parent) : json;
		rc = bind_json(h->put, (int)i + 1, json_object_get(from, columns[i].name));
	}
	if (rc == SQLITE_OK)
		rc = sqlite3_bind_text(h->put, (int)i + 1, document, -1, SQLITE_STATIC);
	if (rc == SQLITE_OK)
		rc = sqlite3_step(h->put);
	sqlite3_reset(h->put);
	sqlite3_clear_bindings(h->put);
	return to_errno(rc);
}

int history__put(struct history *h, const struct incident *in)
{
	uint64_t failed = json_mem__failed();
	json_t *json = json_mem__whole(incident__to_json(in, 0), failed);
	char *document = json ? json_mem__dumps(json, JSON_COMPACT) : NULL;
	int err = -ENOMEM;

	if (document)
		err = write_row(h, json, document);
	free(document);
	json_decref(json);
	return written(h, err);
}

/* ---- reading ---- */

/* 0, -EBADMSG, or -ENOMEM: then nothing is wrong with the document. */
static int parse(const char *document, struct incident **ret_incident)
{
	struct incident *in = NULL;
	const char *why;
	json_t *json;
	int err;

	errno = 0;
	json = document ? json_loads(document, 0, NULL) : NULL;
	if (json)
		in = incident__from_json(json, &why);
	err = in ? 0 : errno == ENOMEM ? -ENOMEM : -EBADMSG;
	json_decref(json);
	if (in)
		*ret_incident = in;
	return err;
}

static int bind_query(sqlite3_stmt *stmt, const struct history_query *q, const char *key)
{
	int rc;

	rc = sqlite3_bind_int(stmt, 1, q->open_only);
	if (rc == SQLITE_OK)
		rc = sqlite3_bind_double(stmt, 2, q->since_s); /* NAN becomes NULL */
	if (rc == SQLITE_OK)
		rc = sqlite3_bind_text(stmt, 3, q->id_prefix, -1, SQLITE_STATIC);
	if (rc == SQLITE_OK)
		rc = sqlite3_bind_text(stmt, 4, key, -1, SQLITE_STATIC);
	if (rc == SQLITE_OK)
		rc = sqlite3_bind_int64(stmt, 5, q->limit ? q->limit : DEFAULT_LIMIT);
	return rc;
}

static int run_query(struct history *h, sqlite3_stmt *stmt, history_fn fn, void *ctx)
{
	struct incident *in;
	int rc, err;

	while ((rc = sqlite3_step(stmt)) == SQLITE_ROW) {
		err = parse((const char *)sqlite3_column_text(stmt, 0), &in);
		if (err == -ENOMEM)
			return SQLITE_NOMEM;
		if (err)
			h->unreadable++;
		else if (fn(ctx, in))
			return SQLITE_OK;
	}
	return rc;
}

/* A statement of its own for each call: the callback may query as well. */
int history__query(struct history *h, const struct history_query *q, history_fn fn, void *ctx)
{
	sqlite3_stmt *stmt = NULL;
	char *key = NULL;
	int rc = SQLITE_NOMEM;

	if (q->key)
		key = text__escape(q->key);
	if (key || !q->key)
		rc = sqlite3_prepare_v2(h->db, query_sql, -1, &stmt, NULL);
	if (rc == SQLITE_OK)
		rc = bind_query(stmt, q, key);
	if (rc == SQLITE_OK)
		rc = run_query(h, stmt, fn, ctx);
	sqlite3_finalize(stmt);
	free(key);
	return done(h, to_errno(rc));
}

/* ---- notifications ---- */

int history__put_told(struct history *h, const struct history_told *told)
{
	static const char sql[] = "INSERT OR REPLACE INTO told (target, incident, open, severity,"
				  " at_s) VALUES (?1, ?2, ?3, ?4, ?5)";
	sqlite3_stmt *stmt = NULL;
	int rc;

	rc = sqlite3_prepare_v2(h->db, sql, -1, &stmt, NULL);
	if (rc == SQLITE_OK)
		rc = sqlite3_bind_text(stmt, 1, told->target, -1, SQLITE_STATIC);
	if (rc == SQLITE_OK)
		rc = sqlite3_bind_text(stmt, 2, told->id, -1, SQLITE_STATIC);
	if (rc == SQLITE_OK)
		rc = sqlite3_bind_int(stmt, 3, told->open);
	if (rc == SQLITE_OK)
		rc = sqlite3_bind_int(stmt, 4, told->severity);
	if (rc == SQLITE_OK)
		rc = sqlite3_bind_double(stmt, 5, told->at_s);
	if (rc == SQLITE_OK)
		rc = sqlite3_step(stmt);
	sqlite3_finalize(stmt);
	return written(h, to_errno(rc));
}

int history__remove_told(struct history *h, const char *target, const char *id)
{
	static const char sql[] = "DELETE FROM told WHERE target = ?1 AND incident = ?2";
	sqlite3_stmt *stmt = NULL;
	int rc;

	rc = sqlite3_prepare_v2(h->db, sql, -1, &stmt, NULL);
	if (rc == SQLITE_OK)
		rc = sqlite3_bind_text(stmt, 1, target, -1, SQLITE_STATIC);
	if (rc == SQLITE_OK)
		rc = sqlite3_bind_text(stmt, 2, id, -1, SQLITE_STATIC);
	if (rc == SQLITE_OK)
		rc = sqlite3_step(stmt);
	sqlite3_finalize(stmt);
	return written(h, to_errno(rc));
}

int history__foreach_told(struct history *h, history_told_fn fn, void *ctx)
{
	static const char sql[] = "SELECT target, incident, open, severity, at_s FROM told";
	sqlite3_stmt *stmt = NULL;
	int rc;

	rc = sqlite3_prepare_v2(h->db, sql, -1, &stmt, NULL);
	while (rc == SQLITE_OK || rc == SQLITE_ROW) {
		rc = sqlite3_step(stmt);
		if (rc == SQLITE_ROW) {
			struct history_told told = {
				.target = (const char *)sqlite3_column_text(stmt, 0),
				.id = (const char *)sqlite3_column_text(stmt, 1),
				.open = sqlite3_column_int(stmt, 2),
				.severity = (enum incident_severity)sqlite3_column_int(stmt, 3),
				.at_s = sqlite3_column_double(stmt, 4),
			};

			if (told.target && told.id)
				fn(ctx, &told);
		}
	}
	sqlite3_finalize(stmt);
	return done(h, to_errno(rc));
}

/* ---- mutes ---- */

int history__put_mute(struct history *h, const struct history_mute *mute)
{
	static const char sql[] = "INSERT OR REPLACE INTO mute (id, selector, reason, created_s,"
				  " until_s) VALUES (?1, ?2, ?3, ?4, ?5)";
	double until_s = isfinite(mute->until_s) ? mute->until_s : NAN; /* NAN becomes NULL */
	sqlite3_stmt *stmt = NULL;
	int rc;

	rc = sqlite3_prepare_v2(h->db, sql, -1, &stmt, NULL);
	if (rc == SQLITE_OK)
		rc = sqlite3_bind_text(stmt, 1, mute->id, -1, SQLITE_STATIC);
	if (rc == SQLITE_OK)
		rc = sqlite3_bind_text(stmt, 2, mute->selector, -1, SQLITE_STATIC);
	if (rc == SQLITE_OK)
		rc = sqlite3_bind_text(stmt, 3, mute->reason, -1, SQLITE_STATIC);
	if (rc == SQLITE_OK)
		rc = sqlite3_bind_double(stmt, 4, mute->created_s);
	if (rc == SQLITE_OK)
		rc = sqlite3_bind_double(stmt, 5, until_s);
	if (rc == SQLITE_OK)
		rc = sqlite3_step(stmt);
	sqlite3_finalize(stmt);
	return written(h, to_errno(rc));
}

int history__remove_mute(struct history *h, const char *id)
{
	sqlite3_stmt *stmt = NULL;
	int rc;

	rc = sqlite3_prepare_v2(h->db, "DELETE FROM mute WHERE id = ?1", -1, &stmt, NULL);
	if (rc == SQLITE_OK)
		rc = sqlite3_bind_text(stmt, 1, id, -1, SQLITE_STATIC);
	if (rc == SQLITE_OK)
		rc = sqlite3_step(stmt);
	sqlite3_finalize(stmt);
	return written(h, to_errno(rc));
}

static struct history_mute mute_of(sqlite3_stmt *stmt)
{
	return (struct history_mute){
		.id = (const char *)sqlite3_column_text(stmt, 0),
		.selector = (const char *)sqlite3_column_text(stmt, 1),
		.reason = (const char *)sqlite3_column_text(stmt, 2),
		.created_s = sqlite3_column_double(stmt, 3),
		.until_s = sqlite3_column_type(stmt, 4) == SQLITE_NULL ?
				   INFINITY : sqlite3_column_double(stmt, 4),
	};
}

int history__foreach_mute(struct history *h, history_mute_fn fn, void *ctx)
{
	static const char sql[] = "SELECT id, selector, reason, created_s, until_s FROM mute"
				  " ORDER BY created_s";
	sqlite3_stmt *stmt = NULL;
	struct history_mute mute;
	int rc;

	rc = sqlite3_prepare_v2(h->db, sql, -1, &stmt, NULL);
	if (rc == SQLITE_OK)
		while ((rc = sqlite3_step(stmt)) == SQLITE_ROW) {
			mute = mute_of(stmt);
			if (mute.id && mute.selector && mute.reason)
				fn(ctx, &mute);
		}
	sqlite3_finalize(stmt);
	return done(h, to_errno(rc));
}

/* ---- upkeep ---- */

static int run_with_number(sqlite3 *db, const char *sql, double number)
{
	sqlite3_stmt *stmt = NULL;
	int rc;

	rc = sqlite3_prepare_v2(db, sql, -1, &stmt, NULL);
	if (rc == SQLITE_OK)
		rc = sqlite3_bind_double(stmt, 1, number);
	if (rc == SQLITE_OK)
		rc = sqlite3_step(stmt);
	sqlite3_finalize(stmt);
	return to_errno(rc);
}

int history__expire(struct history *h, double before_s, unsigned max_rows)
{
	int err = 0;

	if (!isnan(before_s))
		err = run_with_number(h->db, expire_age_sql, before_s);
	if (!err && max_rows)
		err = run_with_number(h->db, expire_rows_sql, max_rows);
	if (!err)
		err = exec(h->db, "PRAGMA incremental_vacuum");
	return written(h, err);
}

static uint64_t count_rows(sqlite3 *db)
{
	sqlite3_stmt *stmt = NULL;
	uint64_t rows = 0;

	if (sqlite3_prepare_v2(db, "SELECT count(*) FROM incident", -1, &stmt, NULL) == SQLITE_OK &&
	    sqlite3_step(stmt) == SQLITE_ROW)
		rows = sqlite3_column_int64(stmt, 0);
	sqlite3_finalize(stmt);
	return rows;
}

/* The database and its log. */
static uint64_t disk_bytes(const char *path)
{
	char wal[PATH_MAX];
	uint64_t bytes = 0;
	struct stat st;

	if (!stat(path, &st))
		bytes += st.st_size;
	if (snprintf(wal, sizeof(wal), "%s-wal", path) < PATH_MAX && !stat(wal, &st))
		bytes += st.st_size;
	return bytes;
}

void history__stats(struct history *h, struct history_stats *ret_stats)
{
	*ret_stats = (struct history_stats){
		.rows = count_rows(h->db),
		.failed = h->failed,
		.unreadable = h->unreadable,
		.size_bytes = disk_bytes(h->path),
		.last_err = h->last_err,
	};
}
