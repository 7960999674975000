/* SQLite statements: parameters by number, rows, columns.
 * SPDX-License-Identifier: Apache-2.0 */
#include "db/sqlite/sqlite_internal.h"

#include "base/text.h"

/* SQLite takes $1 for a name and numbers parameters as they appear: finds where each went. */
static ims_status number_params(struct sqlite_stmt *s, ims_err *err)
{
    int n = sqlite3_bind_parameter_count(s->stmt);

    if (n > SQLITE_MAX_PARAMS)
        return ims_fail(err, IMS_E_LIMIT, "sqlite", 0, "a statement has %d parameters, at most %d",
                        n, SQLITE_MAX_PARAMS);
    for (int i = 1; i <= n; i++) {
        const char *name = sqlite3_bind_parameter_name(s->stmt, i);
        int64_t number;

        /* n different numbers from 1 to n: none can be missing */
        if (!name || name[0] != '$' || !ims__parse_int(name + 1, 1, n, &number))
            return ims_fail(err, IMS_E_INVALID, "sqlite", 0,
                            "parameters must be $1, $2 ... without gaps; found %s",
                            name ? name : "?");
        s->index[number - 1] = (unsigned char)i;
    }
    s->n_params = n;
    return IMS_OK;
}

ims_status ims__sqlite_prepare(void *ctx, void *stmt, const char *sql, ims_err *err)
{
    struct sqlite_stmt *s = stmt;
    const char *rest = NULL;
    int rc;

    s->ctx = ctx;
    rc = sqlite3_prepare_v3(s->ctx->db, sql, -1, SQLITE_PREPARE_PERSISTENT, &s->stmt, &rest);
    if (rc)
        return ims__sqlite_fail(s->ctx, rc, "preparing a statement on", err);
    if (!s->stmt || (rest && *rest))
        return ims_fail(err, IMS_E_INVALID, "sqlite", 0, "not exactly one statement");
    return number_params(s, err);
}

void ims__sqlite_finalize(void *stmt)
{
    sqlite3_finalize(((struct sqlite_stmt *)stmt)->stmt);
}

static int bind_one(sqlite3_stmt *stmt, int i, const struct ims_db_value *v)
{
    switch (v->type) {
    case IMS_DB_NULL:
        return sqlite3_bind_null(stmt, i);
    case IMS_DB_INT64:
        return sqlite3_bind_int64(stmt, i, v->i);
    case IMS_DB_DOUBLE:
        return sqlite3_bind_double(stmt, i, v->d);
    case IMS_DB_TEXT:
        return sqlite3_bind_text64(stmt, i, v->p, v->n_bytes, SQLITE_STATIC, SQLITE_UTF8);
    case IMS_DB_BLOB:
        return sqlite3_bind_blob64(stmt, i, v->p, v->n_bytes, SQLITE_STATIC);
    }
    return SQLITE_MISUSE;
}

ims_status ims__sqlite_start(void *stmt, const struct ims_db_value *values, size_t n, ims_err *err)
{
    struct sqlite_stmt *s = stmt;

    if (n != (size_t)s->n_params)
        return ims_fail(err, IMS_E_INVALID, "sqlite", 0, "%zu values for %d parameters", n,
                        s->n_params);
    if (s->ctx->is_reading && !sqlite3_stmt_readonly(s->stmt))
        return ims_fail(err, IMS_E_PERMISSION, "sqlite", 0,
                        "a statement writes in a transaction that only reads");
    s->n_changed = 0;
    for (size_t i = 0; i < n; i++) {
        int rc = bind_one(s->stmt, s->index[i], &values[i]);

        if (rc)
            return ims__sqlite_fail(s->ctx, rc, "giving values to a statement on", err);
    }
    return IMS_OK;
}

ims_status ims__sqlite_next(void *stmt, bool *out_has_row, ims_err *err)
{
    struct sqlite_stmt *s = stmt;
    int rc = sqlite3_step(s->stmt);

    if (rc == SQLITE_ROW) {
        *out_has_row = true;
        return IMS_OK;
    }
    if (rc != SQLITE_DONE) {
        ims_status st = ims__sqlite_fail(
            s->ctx, rc, sqlite3_stmt_readonly(s->stmt) ? "reading" : "writing", err);

        sqlite3_reset(s->stmt);
        return st;
    }
    if (!sqlite3_stmt_readonly(s->stmt))
        s->n_changed = sqlite3_changes(s->ctx->db);
    *out_has_row = false;
    return IMS_OK;
}

void ims__sqlite_reset(void *stmt)
{
    struct sqlite_stmt *s = stmt;

    if (!s->stmt)
        return;
    sqlite3_reset(s->stmt);
    sqlite3_clear_bindings(s->stmt); /* they point into memory of the caller */
}

int64_t ims__sqlite_n_changed(const void *stmt)
{
    return ((const struct sqlite_stmt *)stmt)->n_changed;
}

size_t ims__sqlite_n_columns(const void *stmt)
{
    int n = sqlite3_column_count(((const struct sqlite_stmt *)stmt)->stmt);

    return n > 0 ? (size_t)n : 0;
}

ims_db_type ims__sqlite_column_type(const void *stmt, size_t column)
{
    switch (sqlite3_column_type(((const struct sqlite_stmt *)stmt)->stmt, (int)column)) {
    case SQLITE_INTEGER:
        return IMS_DB_INT64;
    case SQLITE_FLOAT:
        return IMS_DB_DOUBLE;
    case SQLITE_TEXT:
        return IMS_DB_TEXT;
    case SQLITE_BLOB:
        return IMS_DB_BLOB;
    default:
        return IMS_DB_NULL;
    }
}

int64_t ims__sqlite_column_int(const void *stmt, size_t column)
{
    return sqlite3_column_int64(((const struct sqlite_stmt *)stmt)->stmt, (int)column);
}

double ims__sqlite_column_double(const void *stmt, size_t column)
{
    return sqlite3_column_double(((const struct sqlite_stmt *)stmt)->stmt, (int)column);
}

const void *ims__sqlite_column_bytes(const void *stmt, size_t column, size_t *n)
{
    sqlite3_stmt *s = ((const struct sqlite_stmt *)stmt)->stmt;
    const void *p;
    int bytes;

    if (sqlite3_column_type(s, (int)column) == SQLITE_TEXT)
        p = sqlite3_column_text(s, (int)column);
    else
        p = sqlite3_column_blob(s, (int)column);
    bytes = sqlite3_column_bytes(s, (int)column);
    *n = bytes > 0 ? (size_t)bytes : 0;
    return p ? p : ""; /* SQLite gives NULL for an empty blob */
}
