/* The database seam: backends by address, handles, transactions.
 * SPDX-License-Identifier: Apache-2.0 */
#include "db/db_internal.h"

#include "base/mem.h"

#include <string.h>

/* In the order of asking; the last takes every address. */
static const struct ims_db_ops *const backends[] = {
    &ims__db_postgres,
    &ims__db_sqlite,
};

static bool is_complete(const struct ims_db_ops *o)
{
    return o->abi == IMS_DB_ABI && o->name && o->ctx_size && o->stmt_size && o->words &&
           o->has_table_sql && o->accepts && o->open && o->close && o->location && o->version &&
           o->exec && o->begin && o->commit && o->rollback && o->prepare && o->finalize &&
           o->start && o->next && o->reset && o->n_changed && o->n_columns && o->column_type &&
           o->column_int && o->column_double && o->column_bytes && !o->is_lost == !o->reconnect;
}

static const struct ims_db_ops *find_backend(const char *url)
{
    for (size_t i = 0; i < IMS_ARRAY_LEN(backends); i++) {
        if (is_complete(backends[i]) && backends[i]->accepts(url))
            return backends[i];
    }
    return NULL;
}

bool ims_db_url_is_server(const char *url)
{
    return ims__db_postgres.accepts(url);
}

ims_status ims_db_open(struct ims_db **out, const char *url, const struct ims_db_options *opts,
                       ims_err *err)
{
    struct ims_db_options o = { 0 };
    const struct ims_db_ops *ops;
    struct ims_db *db = NULL;
    ims_status st;

    if (!url || !*url)
        return ims_fail(err, IMS_E_CONFIG, "db", 0, "the database address is empty");
    if (opts)
        o = *opts;
    if (!o.busy_timeout_ms)
        o.busy_timeout_ms = IMS_DB_DEFAULT_BUSY_MS;
    ops = find_backend(url);
    if (!ops)
        return ims_fail(err, IMS_E_CONFIG, "db", 0, "no database backend takes this address");

    db = ims__zalloc(1, sizeof(*db) + ops->ctx_size);
    if (!db) {
        st = ims_fail(err, IMS_E_NOMEM, "db", 0, "allocating the database handle");
        goto out;
    }
    db->ops = ops;
    db->is_read_only = o.is_read_only;
    st = ops->open(db->ctx, url, &o, err);
    if (st)
        goto out;

    *out = db;
    db = NULL;
out:
    ims_db_close(db);
    return st;
}

void ims_db_close(struct ims_db *db)
{
    if (!db)
        return;
    ims_db_rollback(db);
    ims__db_free_queries(db);
    db->ops->close(db->ctx);
    ims__free(db);
}

const char *ims_db_dialect(const struct ims_db *db)
{
    return db->ops->name;
}

const char *ims_db_location(const struct ims_db *db)
{
    return db->ops->location(db->ctx);
}

const char *ims_db_version(const struct ims_db *db)
{
    return db->ops->version(db->ctx);
}

bool ims_db_is_in_transaction(const struct ims_db *db)
{
    return db->tx != DB_TX_NONE;
}

bool ims_db_is_lost(const struct ims_db *db)
{
    return db->ops->is_lost && db->ops->is_lost(db->ctx);
}

ims_status ims__db_failed(struct ims_db *db, ims_status st)
{
    if (st && db->tx == DB_TX_OPEN)
        db->tx = DB_TX_FAILED;
    return st;
}

ims_status ims__db_check_ready(struct ims_db *db, ims_err *err)
{
    if (db->is_in_series)
        return ims_fail(err, IMS_E_INVALID, "db", 0,
                        "the handle is in use by a series of statements");
    if (db->tx == DB_TX_FAILED)
        return ims_fail(err, IMS_E_INVALID, "db", 0,
                        "a statement of this transaction failed; it can only be rolled back");
    if (db->tx == DB_TX_NONE && ims_db_is_lost(db))
        return db->ops->reconnect(db->ctx, err);
    return IMS_OK;
}

ims_status ims_db_exec(struct ims_db *db, const char *sql, ims_err *err)
{
    ims_status st = ims__db_check_ready(db, err);

    if (!st)
        st = db->ops->exec(db->ctx, sql, err);
    return ims__db_failed(db, st);
}

ims_status ims_db_begin(struct ims_db *db, ims_db_mode mode, ims_err *err)
{
    ims_status st;

    if (db->tx != DB_TX_NONE)
        return ims_fail(err, IMS_E_INVALID, "db", 0, "a transaction is open already");
    if (mode == IMS_DB_WRITE && db->is_read_only)
        return ims_fail(err, IMS_E_PERMISSION, "db", 0, "%s is open for reading only",
                        ims_db_location(db));
    st = ims__db_check_ready(db, err);
    if (st)
        return st;
    st = db->ops->begin(db->ctx, mode, err);
    if (!st)
        db->tx = DB_TX_OPEN;
    return st;
}

ims_status ims_db_commit(struct ims_db *db, ims_err *err)
{
    ims_status st;

    if (db->tx == DB_TX_NONE)
        return ims_fail(err, IMS_E_INVALID, "db", 0, "there is no transaction to commit");
    if (db->is_in_series)
        return ims_fail(err, IMS_E_INVALID, "db", 0,
                        "the handle is in use by a series of statements");
    if (db->tx == DB_TX_FAILED) {
        ims_db_rollback(db);
        return ims_fail(err, IMS_E_INVALID, "db", 0,
                        "a statement of this transaction failed; it was rolled back");
    }
    ims__db_end_queries(db);
    st = db->ops->commit(db->ctx, err);
    if (st) {
        ims_db_rollback(db);
        return st;
    }
    db->tx = DB_TX_NONE;
    return IMS_OK;
}

void ims_db_rollback(struct ims_db *db)
{
    if (db->tx == DB_TX_NONE)
        return;
    ims__db_end_queries(db);
    db->ops->rollback(db->ctx);
    db->tx = DB_TX_NONE;
}

ims_status ims_db_has_table(struct ims_db *db, const char *name, bool *out, ims_err *err)
{
    int64_t n = 0;
    ims_status st =
        ims_db_get_int(db, db->ops->has_table_sql, IMS_DB_ARGS(ims_db_text(name)), &n, NULL, err);

    if (!st)
        *out = n != 0;
    return st;
}
