/* The parts of the SQLite backend that its two files share.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef IMS_DB_SQLITE_INTERNAL_H
#define IMS_DB_SQLITE_INTERNAL_H

#include "db/db_backend.h"

#include <sqlite3.h>

struct sqlite_ctx {
    sqlite3 *db;
    char *path;
    char version[32];
    bool is_reading; /* inside a transaction that only reads */
};

#define SQLITE_MAX_PARAMS 64

struct sqlite_stmt {
    struct sqlite_ctx *ctx;
    sqlite3_stmt *stmt;
    int n_params;
    unsigned char
        index[SQLITE_MAX_PARAMS]; /* $1 is index[0] of SQLite's own numbering, and so on */
    int n_changed;
};

/* Translates what SQLite reported last; doing: "preparing", "committing". */
ims_status ims__sqlite_fail(struct sqlite_ctx *c, int rc, const char *doing, ims_err *err);

ims_status ims__sqlite_prepare(void *ctx, void *stmt, const char *sql, ims_err *err);
void ims__sqlite_finalize(void *stmt);
ims_status ims__sqlite_start(void *stmt, const struct ims_db_value *values, size_t n, ims_err *err);
ims_status ims__sqlite_next(void *stmt, bool *out_has_row, ims_err *err);
void ims__sqlite_reset(void *stmt);
int64_t ims__sqlite_n_changed(const void *stmt);
size_t ims__sqlite_n_columns(const void *stmt);
ims_db_type ims__sqlite_column_type(const void *stmt, size_t column);
int64_t ims__sqlite_column_int(const void *stmt, size_t column);
double ims__sqlite_column_double(const void *stmt, size_t column);
const void *ims__sqlite_column_bytes(const void *stmt, size_t column, size_t *n);

#endif
