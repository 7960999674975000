/* SQLite: one file, a write-ahead log, every commit synced (docs/decisions/0020).
 * SPDX-License-Identifier: Apache-2.0 */
#include "db/sqlite/sqlite_internal.h"

#include "base/buf.h"
#include "base/clock.h"
#include "base/fs.h"
#include "base/limits.h"
#include "base/mem.h"
#include "base/text.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static const struct ims_db_word words[] = {
    { "{id}", "INTEGER PRIMARY KEY AUTOINCREMENT" },
    { "{int}", "INTEGER" },
    { "{real}", "REAL" },
    { "{blob}", "BLOB" },
    { "{strict}", "STRICT" },
    { NULL, NULL },
};

static ims_status io_status(int rc, int os_error)
{
    if (rc == SQLITE_IOERR_NOMEM)
        return IMS_E_NOMEM;
    if (rc == SQLITE_IOERR_CORRUPTFS)
        return IMS_E_CORRUPT;
    if (os_error == ENOSPC || os_error == EDQUOT || os_error == EFBIG)
        return IMS_E_NO_SPACE;
    if (os_error == EACCES || os_error == EPERM || os_error == EROFS)
        return IMS_E_PERMISSION;
    return IMS_E_IO;
}

static ims_status to_status(int rc, int os_error)
{
    switch (rc & 0xff) {
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
    case SQLITE_PROTOCOL:
        return IMS_E_DB_BUSY;
    case SQLITE_CONSTRAINT:
        return IMS_E_CONSTRAINT;
    case SQLITE_FULL:
        return IMS_E_NO_SPACE;
    case SQLITE_READONLY:
    case SQLITE_PERM:
    case SQLITE_AUTH:
        return IMS_E_PERMISSION;
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
        return IMS_E_CORRUPT;
    case SQLITE_NOMEM:
        return IMS_E_NOMEM;
    case SQLITE_TOOBIG:
        return IMS_E_LIMIT;
    case SQLITE_INTERRUPT:
        return IMS_E_CANCELLED;
    case SQLITE_IOERR:
        return io_status(rc, os_error);
    case SQLITE_CANTOPEN:
        return os_error == EACCES || os_error == EPERM || os_error == EROFS ? IMS_E_PERMISSION
                                                                            : IMS_E_IO;
    case SQLITE_MISUSE:
    case SQLITE_RANGE:
        return IMS_E_INTERNAL;
    default:
        return IMS_E_DB;
    }
}

ims_status ims__sqlite_fail(struct sqlite_ctx *c, int rc, const char *doing, ims_err *err)
{
    int os_error = c->db ? sqlite3_system_errno(c->db) : 0;
    const char *text = c->db ? sqlite3_errmsg(c->db) : sqlite3_errstr(rc);
    ims_status st = to_status(rc, os_error);
    const char *why = "";

    if ((rc & 0xff) == SQLITE_IOERR && os_error)
        why = strerror(os_error);
    return ims_fail(err, st, "sqlite", rc, "%s %s: %s%s%s", doing,
                    c->path ? c->path : "the database", text, *why ? ": " : "", why);
}

static bool sqlite_accepts(const char *url)
{
    (void)url;
    return true;
}

/* "sqlite:///a.db" is relative and "sqlite:////a.db" absolute, as SQLAlchemy has it. New string. */
static char *path_of_url(const char *url)
{
    const char *colon;

    if (ims__starts_with(url, "sqlite:") || ims__starts_with(url, "sqlite+")) {
        colon = strchr(url, ':');
        if (colon) {
            url = colon + 1;
            if (ims__starts_with(url, "///"))
                url += 3;
            else if (ims__starts_with(url, "//"))
                url += 2;
        }
    } else if (ims__starts_with(url, "file:")) {
        return ims__strfmt("./%s", url); /* a file of that name; SQLite would take it for a URI */
    }
    return ims__strdup(*url ? url : ":memory:");
}

/* SQLite says only "unable to open", with the errno of its last try: finds out which part of the
 * path is to blame. */
static ims_status explain_open(struct sqlite_ctx *c, int rc, const struct ims_db_options *opts,
                               ims_err *err)
{
    bool must_exist = opts->is_read_only || opts->must_exist;
    const char *base = ims__path_base(c->path);
    char *dir = base > c->path ? ims__strndup(c->path, (size_t)(base - c->path)) : ims__strdup(".");
    struct ims_file_info info;
    ims_status st, of_file;

    if (!dir)
        return ims_fail(err, IMS_E_NOMEM, "sqlite", 0, "allocating a path");
    of_file = ims__stat(c->path, true, &info, NULL);
    if (of_file == IMS_OK && info.is_dir)
        st = ims_fail(err, IMS_E_CONFIG, "sqlite", rc, "%s is a folder, not a database", c->path);
    else if (of_file == IMS_OK && access(c->path, opts->is_read_only ? R_OK : R_OK | W_OK) != 0)
        st = ims_fail(err, ims__errno_status(errno), "sqlite", errno, "%s: %s", c->path,
                      strerror(errno));
    else if (access(dir, F_OK) != 0)
        st = ims_fail(err, ims__errno_status(errno), "sqlite", errno, "the folder %s: %s", dir,
                      strerror(errno));
    else if (of_file == IMS_E_NOT_FOUND && must_exist)
        st = ims_fail(err, IMS_E_NOT_FOUND, "sqlite", rc, "there is no database %s", c->path);
    else if (access(dir, W_OK) != 0)
        st = ims_fail(err, ims__errno_status(errno), "sqlite", errno,
                      "the folder %s cannot be written: %s", dir, strerror(errno));
    else
        st = ims__sqlite_fail(c, rc, "opening", err);
    ims__free(dir);
    return st;
}

/* Turning the log on needs the file alone for a moment, and SQLite does not wait for that by itself
 * when two processes try it at once. */
static int turn_on_wal(struct sqlite_ctx *c, unsigned timeout_ms)
{
    uint64_t until = ims__mono_ns() + (uint64_t)timeout_ms * 1000000u;
    struct timespec pause = { 0, 5 * 1000 * 1000 };
    int rc;

    for (;;) {
        rc = sqlite3_exec(c->db, "PRAGMA journal_mode = WAL", NULL, NULL, NULL);
        if ((rc & 0xff) != SQLITE_BUSY || ims__mono_ns() >= until)
            return rc;
        nanosleep(&pause, NULL);
    }
}

static ims_status set_up(struct sqlite_ctx *c, const struct ims_db_options *opts, ims_err *err)
{
    /* fullfsync means something on macOS only: there plain fsync does not reach the disk. */
    static const char pragmas[] =
        "PRAGMA page_size = 16384;" /* of new files: rows hold vectors of 2 to 4 KiB */
        "PRAGMA foreign_keys = ON;"
        "PRAGMA synchronous = FULL;"
        "PRAGMA fullfsync = ON;"
        "PRAGMA checkpoint_fullfsync = ON;"
        "PRAGMA temp_store = MEMORY;"
        "PRAGMA cache_size = -16384;"
        "PRAGMA cell_size_check = ON;"
        "PRAGMA analysis_limit = 1000;" /* ANALYZE samples */
        "PRAGMA trusted_schema = OFF;"
        "PRAGMA journal_size_limit = 67108864;";
    int rc;

    sqlite3_extended_result_codes(c->db, 1);
    sqlite3_busy_timeout(c->db, (int)opts->busy_timeout_ms);
    rc = sqlite3_exec(c->db, pragmas, NULL, NULL, NULL);
    if (rc == SQLITE_OK && !opts->is_read_only)
        rc = turn_on_wal(c, opts->busy_timeout_ms);
    if (rc == SQLITE_OK) /* reads the header: tells a foreign file now, not at the first query */
        rc = sqlite3_exec(c->db, "PRAGMA schema_version", NULL, NULL, NULL);
    if ((rc & 0xff) == SQLITE_CANTOPEN)
        return explain_open(c, rc, opts, err);
    if (rc)
        return ims__sqlite_fail(c, rc, "opening", err);
    if (!opts->is_read_only &&
        sqlite3_db_readonly(c->db, "main") == 1) /* SQLite falls back in silence */
        return ims_fail(err, IMS_E_PERMISSION, "sqlite", 0, "%s cannot be written", c->path);
    return IMS_OK;
}

static ims_status sqlite_open(void *ctx, const char *url, const struct ims_db_options *opts,
                              ims_err *err)
{
    struct sqlite_ctx *c = ctx;
    int flags = SQLITE_OPEN_NOMUTEX, rc;

    if (!sqlite3_threadsafe())
        return ims_fail(err, IMS_E_UNSUPPORTED, "sqlite", 0,
                        "this SQLite library is not thread-safe");
    snprintf(c->version, sizeof(c->version), "SQLite %s", sqlite3_libversion());
    c->path = path_of_url(url);
    if (!c->path)
        return ims_fail(err, IMS_E_NOMEM, "sqlite", 0, "allocating a path");
    if (opts->is_read_only)
        flags |= SQLITE_OPEN_READONLY;
    else
        flags |= SQLITE_OPEN_READWRITE | (opts->must_exist ? 0 : SQLITE_OPEN_CREATE);
    rc = sqlite3_open_v2(c->path, &c->db, flags, NULL);
    if ((rc & 0xff) == SQLITE_CANTOPEN && c->db)
        return explain_open(c, rc, opts, err);
    if (rc)
        return ims__sqlite_fail(c, rc, "opening", err);
    return set_up(c, opts, err);
}

static void sqlite_close(void *ctx)
{
    struct sqlite_ctx *c = ctx;

    sqlite3_close_v2(c->db);
    ims__free(c->path);
}

static const char *sqlite_location(const void *ctx)
{
    return ((const struct sqlite_ctx *)ctx)->path;
}

static const char *sqlite_version(const void *ctx)
{
    return ((const struct sqlite_ctx *)ctx)->version;
}

static ims_status run_text(struct sqlite_ctx *c, const char *sql, const char *doing, ims_err *err)
{
    int rc = sqlite3_exec(c->db, sql, NULL, NULL, NULL);

    return rc ? ims__sqlite_fail(c, rc, doing, err) : IMS_OK;
}

static ims_status sqlite_exec(void *ctx, const char *sql, ims_err *err)
{
    return run_text(ctx, sql, "changing", err);
}

static ims_status sqlite_begin(void *ctx, ims_db_mode mode, ims_err *err)
{
    struct sqlite_ctx *c = ctx;
    ims_status st;

    st = run_text(c, mode == IMS_DB_WRITE ? "BEGIN IMMEDIATE" : "BEGIN DEFERRED", "locking", err);
    c->is_reading = !st && mode == IMS_DB_READ;
    return st;
}

static ims_status sqlite_commit(void *ctx, ims_err *err)
{
    struct sqlite_ctx *c = ctx;
    ims_status st = run_text(c, "COMMIT", "committing to", err);

    if (!st)
        c->is_reading = false;
    return st;
}

static void sqlite_rollback(void *ctx)
{
    struct sqlite_ctx *c = ctx;

    /* Some failures (disk full, out of memory) have ended the transaction already. */
    if (!sqlite3_get_autocommit(c->db))
        sqlite3_exec(c->db, "ROLLBACK", NULL, NULL, NULL);
    c->is_reading = false;
}

const struct ims_db_ops ims__db_sqlite = {
    .abi = IMS_DB_ABI,
    .name = "sqlite",
    .ctx_size = sizeof(struct sqlite_ctx),
    .stmt_size = sizeof(struct sqlite_stmt),
    .caps = 0,
    .words = words,
    .has_table_sql = "SELECT count(*) FROM sqlite_master WHERE type = 'table' AND name = $1",
    .migration_lock_sql = NULL, /* BEGIN IMMEDIATE keeps every other writer out */
    .accepts = sqlite_accepts,
    .open = sqlite_open,
    .close = sqlite_close,
    .location = sqlite_location,
    .version = sqlite_version,
    .is_lost = NULL,
    .reconnect = NULL,
    .exec = sqlite_exec,
    .begin = sqlite_begin,
    .commit = sqlite_commit,
    .rollback = sqlite_rollback,
    .prepare = ims__sqlite_prepare,
    .finalize = ims__sqlite_finalize,
    .start = ims__sqlite_start,
    .next = ims__sqlite_next,
    .reset = ims__sqlite_reset,
    .n_changed = ims__sqlite_n_changed,
    .n_columns = ims__sqlite_n_columns,
    .column_type = ims__sqlite_column_type,
    .column_int = ims__sqlite_column_int,
    .column_double = ims__sqlite_column_double,
    .column_bytes = ims__sqlite_column_bytes,
    .run_many = NULL,
};
