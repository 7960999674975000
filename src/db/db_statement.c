/* Statements: found again by their text, given values, stepped through, and run in series.
 * SPDX-License-Identifier: Apache-2.0 */
#include "db/db_internal.h"

#include "base/hash.h"
#include "base/mem.h"
#include "base/text.h"

#include <math.h>
#include <string.h>

/* More different texts than this at once: the one not used for longest is forgotten. */
#define MAX_PREPARED 160

static void free_query(struct ims_db_query *q)
{
    q->db->ops->finalize(q->stmt);
    ims__free(q->sql);
    ims__free(q);
}

void ims__db_free_queries(struct ims_db *db)
{
    while (db->queries) {
        struct ims_db_query *q = db->queries;

        db->queries = q->next;
        free_query(q);
    }
    db->n_queries = 0;
}

void ims__db_end_queries(struct ims_db *db)
{
    for (struct ims_db_query *q = db->queries; q; q = q->next) {
        if (q->is_open && !q->is_ended) {
            db->ops->reset(q->stmt);
            q->is_ended = true;
            q->has_row = false;
        }
    }
}

/* Takes a prepared statement of this text that is not in use out of the list. */
static struct ims_db_query *take_prepared(struct ims_db *db, const char *sql, uint64_t hash)
{
    for (struct ims_db_query **link = &db->queries; *link; link = &(*link)->next) {
        struct ims_db_query *q = *link;

        if (q->hash == hash && !q->is_open && strcmp(q->sql, sql) == 0) {
            *link = q->next;
            db->n_queries--;
            return q;
        }
    }
    return NULL;
}

static void forget_oldest(struct ims_db *db)
{
    struct ims_db_query **oldest = NULL;

    for (struct ims_db_query **link = &db->queries; *link; link = &(*link)->next) {
        if (!(*link)->is_open)
            oldest = link;
    }
    if (oldest) {
        struct ims_db_query *q = *oldest;

        *oldest = q->next;
        db->n_queries--;
        free_query(q);
    }
}

static ims_status prepare_new(struct ims_db *db, const char *sql, uint64_t hash,
                              struct ims_db_query **out, ims_err *err)
{
    struct ims_db_query *q = ims__zalloc(1, sizeof(*q) + db->ops->stmt_size);
    ims_status st;

    if (!q)
        return ims_fail(err, IMS_E_NOMEM, "db", 0, "allocating a statement");
    q->db = db;
    q->hash = hash;
    q->sql = ims__strdup(sql);
    st = q->sql ? db->ops->prepare(db->ctx, q->stmt, q->sql, err)
                : ims_fail(err, IMS_E_NOMEM, "db", 0, "allocating a statement");
    if (st) {
        free_query(q);
        return st;
    }
    *out = q;
    return IMS_OK;
}

static ims_status get_prepared(struct ims_db *db, const char *sql, struct ims_db_query **out,
                               ims_err *err)
{
    uint64_t hash = ims__hash64(sql, strlen(sql));
    struct ims_db_query *q = take_prepared(db, sql, hash);

    if (!q) {
        ims_status st;

        if (db->n_queries >= MAX_PREPARED)
            forget_oldest(db);
        st = prepare_new(db, sql, hash, &q, err);
        if (st)
            return st;
    }
    q->next = db->queries;
    db->queries = q;
    db->n_queries++;
    q->is_open = true;
    q->is_ended = false;
    q->has_row = false;
    *out = q;
    return IMS_OK;
}

/* The rules that hold in every backend, so that no value is stored by one and refused by another.
 */
static ims_status check_values(const struct ims_db_value *values, size_t n, size_t *out_bad,
                               ims_err *err)
{
    for (size_t i = 0; i < n; i++) {
        const struct ims_db_value *v = &values[i];

        *out_bad = i;
        if (v->type == IMS_DB_DOUBLE && isnan(v->d))
            return ims_fail(err, IMS_E_INVALID, "db", 0, "value %zu is not a number", i + 1);
        if (v->type == IMS_DB_TEXT &&
            (memchr(v->p, '\0', v->n_bytes) != NULL || !ims__utf8_is_valid(v->p, v->n_bytes)))
            return ims_fail(err, IMS_E_INVALID, "db", 0, "value %zu is not UTF-8 text without NUL",
                            i + 1);
    }
    return IMS_OK;
}

ims_status ims_db_query(struct ims_db *db, struct ims_db_query **out, const char *sql,
                        const struct ims_db_value *values, size_t n_values, ims_err *err)
{
    struct ims_db_query *q = NULL;
    size_t bad;
    ims_status st;

    st = ims__db_check_ready(db, err);
    if (!st)
        st = check_values(values, n_values, &bad, err);
    if (!st)
        st = get_prepared(db, sql, &q, err);
    if (!st)
        st = db->ops->start(q->stmt, values, n_values, err);
    if (st) {
        ims_db_done(q);
        return ims__db_failed(db, st);
    }
    *out = q;
    return IMS_OK;
}

ims_status ims_db_next(struct ims_db_query *q, bool *out_has_row, ims_err *err)
{
    ims_status st;

    if (q->is_ended)
        return ims_fail(err, IMS_E_INVALID, "db", 0, "the query has ended");
    q->has_row = false;
    if (q->db->tx == DB_TX_FAILED)
        return ims__db_check_ready(q->db, err);
    st = q->db->ops->next(q->stmt, &q->has_row, err);
    if (st || !q->has_row)
        q->is_ended = true;
    if (st)
        return ims__db_failed(q->db, st);
    *out_has_row = q->has_row;
    return IMS_OK;
}

void ims_db_done(struct ims_db_query *q)
{
    if (!q || !q->is_open)
        return;
    q->db->ops->reset(q->stmt);
    q->is_open = false;
    q->is_ended = true;
    q->has_row = false;
}

size_t ims_db_n_columns(const struct ims_db_query *q)
{
    return q->has_row ? q->db->ops->n_columns(q->stmt) : 0;
}

ims_db_type ims_db_column_type(const struct ims_db_query *q, size_t column)
{
    return column < ims_db_n_columns(q) ? q->db->ops->column_type(q->stmt, column) : IMS_DB_NULL;
}

bool ims_db_column_is_null(const struct ims_db_query *q, size_t column)
{
    return ims_db_column_type(q, column) == IMS_DB_NULL;
}

int64_t ims_db_column_int(const struct ims_db_query *q, size_t column)
{
    return ims_db_column_type(q, column) == IMS_DB_INT64 ? q->db->ops->column_int(q->stmt, column)
                                                         : 0;
}

double ims_db_column_double(const struct ims_db_query *q, size_t column)
{
    ims_db_type t = ims_db_column_type(q, column);

    if (t == IMS_DB_INT64)
        return (double)q->db->ops->column_int(q->stmt, column);
    return t == IMS_DB_DOUBLE ? q->db->ops->column_double(q->stmt, column) : 0;
}

static const void *column_bytes(const struct ims_db_query *q, size_t column, ims_db_type want,
                                size_t *out_n_bytes)
{
    const void *p = NULL;
    size_t n = 0;

    if (ims_db_column_type(q, column) == want)
        p = q->db->ops->column_bytes(q->stmt, column, &n);
    if (out_n_bytes)
        *out_n_bytes = p ? n : 0;
    return p;
}

const char *ims_db_column_text(const struct ims_db_query *q, size_t column, size_t *out_n_bytes)
{
    return column_bytes(q, column, IMS_DB_TEXT, out_n_bytes);
}

const void *ims_db_column_blob(const struct ims_db_query *q, size_t column, size_t *out_n_bytes)
{
    return column_bytes(q, column, IMS_DB_BLOB, out_n_bytes);
}

ims_status ims_db_run(struct ims_db *db, const char *sql, const struct ims_db_value *values,
                      size_t n_values, int64_t *out_n_changed, ims_err *err)
{
    struct ims_db_query *q = NULL;
    bool has_row = true;
    ims_status st = ims_db_query(db, &q, sql, values, n_values, err);

    while (!st && has_row)
        st = ims_db_next(q, &has_row, err);
    if (!st && out_n_changed)
        *out_n_changed = db->ops->n_changed(q->stmt);
    ims_db_done(q);
    return st;
}

ims_status ims_db_get_int(struct ims_db *db, const char *sql, const struct ims_db_value *values,
                          size_t n_values, int64_t *out, bool *out_found, ims_err *err)
{
    struct ims_db_query *q = NULL;
    bool has_row = false, is_found = false;
    int64_t v = 0;
    ims_status st = ims_db_query(db, &q, sql, values, n_values, err);

    if (!st)
        st = ims_db_next(q, &has_row, err);
    if (!st && has_row) {
        is_found = true;
        v = ims_db_column_int(q, 0);
    }
    while (!st && has_row) /* to its end: only then has a statement that writes succeeded */
        st = ims_db_next(q, &has_row, err);
    ims_db_done(q);
    if (st)
        return st;
    if (!is_found && !out_found)
        return ims_fail(err, IMS_E_NOT_FOUND, "db", 0, "there is no such row");
    if (is_found)
        *out = v;
    if (out_found)
        *out_found = is_found;
    return IMS_OK;
}

/* A series for backends without one of their own. */
static ims_status run_each(struct ims_db_query *q, const struct ims_db_value *values,
                           size_t n_values, size_t n_items, ims_db_row_fn on_row, void *arg,
                           size_t *out_failed_item, ims_err *err)
{
    const struct ims_db_ops *ops = q->db->ops;

    for (size_t i = 0; i < n_items; i++) {
        ims_status st = ops->start(q->stmt, values ? values + i * n_values : NULL, n_values, err);
        bool has_row = true;

        while (!st) {
            st = ops->next(q->stmt, &has_row, err);
            if (st || !has_row)
                break;
            if (on_row)
                st = on_row(arg, i, q, err);
        }
        ops->reset(q->stmt);
        if (st) {
            *out_failed_item = i;
            return st;
        }
    }
    return IMS_OK;
}

ims_status ims_db_run_many(struct ims_db *db, const char *sql, const struct ims_db_value *values,
                           size_t n_values, size_t n_items, ims_db_row_fn on_row, void *arg,
                           size_t *out_failed_item, ims_err *err)
{
    struct ims_db_query *q = NULL;
    size_t failed = 0, n_all;
    ims_status st;

    if (n_items == 0)
        return IMS_OK;
    if (db->tx == DB_TX_NONE || !ims__mul_size(n_values, n_items, &n_all))
        return ims_fail(err, IMS_E_INVALID, "db", 0, "a series of statements needs a transaction");
    st = ims__db_check_ready(db, err);
    if (!st)
        st = check_values(values, n_all, &failed, err);
    failed = n_values ? failed / n_values : 0; /* of a value to its item */
    if (!st)
        st = get_prepared(db, sql, &q, err);
    if (st)
        goto out;

    q->has_row = true; /* on_row reads columns through q */
    db->is_in_series = true;
    st = db->ops->run_many
             ? db->ops->run_many(q->stmt, values, n_values, n_items, on_row, arg, q, &failed, err)
             : run_each(q, values, n_values, n_items, on_row, arg, &failed, err);
    db->is_in_series = false;
out:
    if (st && out_failed_item)
        *out_failed_item = failed;
    ims_db_done(q);
    return ims__db_failed(db, st);
}
