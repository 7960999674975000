/* Databases: the seam is SQL itself. Open by address, run statements, read rows, hold a
 * transaction.
 *
 * SQL is written once for every backend: `$1` parameters, RETURNING, ON CONFLICT. Times are INT64
 * microseconds since the epoch, JSON and UUIDs are TEXT, vectors and paths are BLOB (numbers inside
 * are little-endian). A statement is looked up by its text and stays prepared for the life of the
 * handle, so callers pass literal SQL each time and pay for preparing once.
 *
 * A handle and its statements belong to one thread at a time: open one per thread.
 *
 * What fails, and how it is told, is the same in every backend:
 *   IMS_E_DB_BUSY     another writer holds a lock, a deadlock, a serialization failure: roll back
 * and repeat the whole transaction IMS_E_CONSTRAINT  unique, foreign key, not null, check
 *   IMS_E_NO_SPACE, IMS_E_PERMISSION (also read-only), IMS_E_CORRUPT (not a database, damaged),
 *   IMS_E_NOT_FOUND (missing file or folder, named), IMS_E_NOMEM, IMS_E_CONFIG (address not
 * understood) IMS_E_INVALID     our mistake: wrong number or type of values, text that is not UTF-8
 * or holds a NUL, a NaN, a begin inside a transaction, a statement after a failed one IMS_E_DB
 * anything else, a lost connection included
 *
 * A lost connection (PostgreSQL) fails the statement that met it; nothing is repeated in silence.
 * The next statement or begin outside a transaction connects again, once. A commit that fails so
 * may or may not have happened: transactions that are repeated must be idempotent.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef IMS_DB_DB_H
#define IMS_DB_DB_H

#include "ims/status.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct ims_db;
struct ims_db_query;

struct ims_db_options {
    bool is_read_only;
    bool must_exist; /* SQLite: a missing file is IMS_E_NOT_FOUND instead of a new database */
    unsigned busy_timeout_ms; /* how long to wait for another writer; 0 = 10 seconds */
};

/* url: "postgresql://..." or "postgres://..." (a driver as in "postgresql+asyncpg://" is accepted
 * and ignored); "sqlite:///relative", "sqlite:////absolute", ":memory:", or the path of a SQLite
 * file. opts may be NULL. */
ims_status ims_db_open(struct ims_db **out, const char *url, const struct ims_db_options *opts,
                       ims_err *err) IMS_MUST_CHECK;
void ims_db_close(struct ims_db *db); /* rolls back what is open; ends every query */

/* "sqlite", "postgres": chooses migration sections. */
const char *ims_db_dialect(const struct ims_db *db);
/* Where the data is, without secrets: a path, or "postgresql://user@host:port/name". */
const char *ims_db_location(const struct ims_db *db);
/* "SQLite 3.40.1", "PostgreSQL 15.8". */
const char *ims_db_version(const struct ims_db *db);
/* Is this an address of a server (and not of a local file)? Looks at the scheme only. */
bool ims_db_url_is_server(const char *url);

/* --- values --- */

typedef enum ims_db_type {
    IMS_DB_NULL,
    IMS_DB_INT64,
    IMS_DB_DOUBLE,
    IMS_DB_TEXT, /* UTF-8 without NUL */
    IMS_DB_BLOB
} ims_db_type;

/* A parameter. Bytes are borrowed until the call that takes the value returns (ims_db_run,
 * ims_db_run_many) or until the query is done (ims_db_query). */
struct ims_db_value {
    ims_db_type type;
    int64_t i;
    double d;
    const void *p;
    size_t n_bytes;
};

struct ims_db_value ims_db_null(void);
struct ims_db_value ims_db_int(int64_t v);
struct ims_db_value ims_db_double(double v);
struct ims_db_value ims_db_text(const char *s);                   /* NULL gives a null */
struct ims_db_value ims_db_text_n(const char *s, size_t n_bytes); /* NULL gives a null */
struct ims_db_value ims_db_blob(const void *p,
                                size_t n_bytes); /* NULL with n_bytes 0 is an empty blob */

/* Two arguments, the values and their number: ims_db_run(db, sql, IMS_DB_ARGS(ims_db_int(7)), &n,
 * err) */
#define IMS_DB_ARGS(...)                                                                           \
    (const struct ims_db_value[]){ __VA_ARGS__ },                                                  \
        sizeof((const struct ims_db_value[]){ __VA_ARGS__ }) / sizeof(struct ims_db_value)
#define IMS_DB_NO_ARGS NULL, 0

/* --- statements --- */

/* Starts a statement that returns rows; several may be open at once. End each with ims_db_done. One
 * that writes (RETURNING) must be read to its end: only then has it succeeded. */
ims_status ims_db_query(struct ims_db *db, struct ims_db_query **out, const char *sql,
                        const struct ims_db_value *values, size_t n_values,
                        ims_err *err) IMS_MUST_CHECK;
/* The next row, or *out_has_row = false after the last. */
ims_status ims_db_next(struct ims_db_query *q, bool *out_has_row, ims_err *err) IMS_MUST_CHECK;
void ims_db_done(struct ims_db_query *q); /* accepts NULL */

/* Columns of the present row, from 0. Another type than asked for reads as 0, "" or NULL (an INT64
 * reads as a double too). Text and blobs are borrowed until the next ims_db_next or ims_db_done;
 * text is NUL-terminated, an empty blob is a non-NULL pointer and 0 bytes. */
size_t ims_db_n_columns(const struct ims_db_query *q);
ims_db_type ims_db_column_type(const struct ims_db_query *q, size_t column);
bool ims_db_column_is_null(const struct ims_db_query *q, size_t column);
int64_t ims_db_column_int(const struct ims_db_query *q, size_t column);
double ims_db_column_double(const struct ims_db_query *q, size_t column);
const char *ims_db_column_text(const struct ims_db_query *q, size_t column, size_t *out_n_bytes);
const void *ims_db_column_blob(const struct ims_db_query *q, size_t column, size_t *out_n_bytes);

/* Runs a statement to its end. out_n_changed (may be NULL): rows inserted, updated or deleted. */
ims_status ims_db_run(struct ims_db *db, const char *sql, const struct ims_db_value *values,
                      size_t n_values, int64_t *out_n_changed, ims_err *err) IMS_MUST_CHECK;
/* The first column of the first row as a number; *out_found tells whether there was a row (may be
 * NULL: then no row is IMS_E_NOT_FOUND). A null reads as 0. */
ims_status ims_db_get_int(struct ims_db *db, const char *sql, const struct ims_db_value *values,
                          size_t n_values, int64_t *out, bool *out_found,
                          ims_err *err) IMS_MUST_CHECK;

/* What run_many hands to its caller: the row of statement number `item`. Returning a failure ends
 * the series with it (fill err). */
typedef ims_status (*ims_db_row_fn)(void *arg, size_t item, const struct ims_db_query *row,
                                    ims_err *err);

/* Runs one statement for n_items sets of n_values values each, laid out one after another. Backends
 * with a network send them together, so a batch costs a few round trips and not one per item.
 * on_row (may be NULL) sees every row returned, in the order of the items. Only inside a
 * transaction; the first failure ends the series and the transaction must be rolled back.
 * out_failed_item may be NULL. */
ims_status ims_db_run_many(struct ims_db *db, const char *sql, const struct ims_db_value *values,
                           size_t n_values, size_t n_items, ims_db_row_fn on_row, void *arg,
                           size_t *out_failed_item, ims_err *err) IMS_MUST_CHECK;

/* Several statements separated by semicolons, without values or rows (migrations, schema). */
ims_status ims_db_exec(struct ims_db *db, const char *sql, ims_err *err) IMS_MUST_CHECK;

bool ims_db_is_in_transaction(const struct ims_db *db);
/* Was the connection lost (and not made again yet)? Tells why an IMS_E_DB was returned. */
bool ims_db_is_lost(const struct ims_db *db);

/* --- transactions --- */

typedef enum ims_db_mode {
    IMS_DB_READ, /* one unchanging view of the data for all queries inside; writing is
                    IMS_E_PERMISSION */
    IMS_DB_WRITE /* SQLite takes the write lock at once, so later statements cannot find it taken */
} ims_db_mode;

ims_status ims_db_begin(struct ims_db *db, ims_db_mode mode, ims_err *err) IMS_MUST_CHECK;
/* On failure the transaction is over and nothing of it is stored (for a lost connection: see
 * above). Open queries are ended. */
ims_status ims_db_commit(struct ims_db *db, ims_err *err) IMS_MUST_CHECK;
void ims_db_rollback(struct ims_db *db); /* does nothing outside a transaction */

/* Is there a table of this name (in the schema the connection uses)? */
ims_status ims_db_has_table(struct ims_db *db, const char *name, bool *out,
                            ims_err *err) IMS_MUST_CHECK;

#endif
