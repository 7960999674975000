/* What a database backend supplies; only src/db and its backends include this.
 *
 * The registry allocates ctx_size zeroed bytes per handle and stmt_size zeroed bytes per statement.
 * It calls close for every ctx, also after a failed open, and finalize for every statement, also
 * after a failed prepare: both must accept what is half built. Calls on one ctx come from one
 * thread at a time. db.c has checked arguments (number of values excepted), transaction nesting,
 * text and NaN before a slot is called.
 *
 * To append a slot: at the end of the struct, raise IMS_DB_ABI.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef IMS_DB_DB_BACKEND_H
#define IMS_DB_DB_BACKEND_H

#include "db/db.h"

#define IMS_DB_ABI 1u
#define IMS_DB_DEFAULT_BUSY_MS 10000u

/* A word of migration files and what it stands for in the dialect. */
struct ims_db_word {
    const char *word; /* "{id}" */
    const char *text;
};

struct ims_db_ops {
    unsigned abi;
    const char *name;                /* the dialect: "sqlite" */
    size_t ctx_size;                 /* per handle */
    size_t stmt_size;                /* per statement */
    unsigned caps;                   /* none yet */
    const struct ims_db_word *words; /* for migrations, ended by { NULL, NULL } */
    const char *has_table_sql;       /* $1 = name; one row, one integer: 0 or not */
    const char *migration_lock_sql; /* (optional) run first in each migrating transaction; must keep
                                     * other migrating transactions out until this one ends */

    /* Is this address mine? Looks at the scheme only. The registry asks in its order; the last
     * backend takes everything. */
    bool (*accepts)(const char *url);
    /* Connects. opts is never NULL and its timeout never 0. Secrets in url must not reach err. */
    ims_status (*open)(void *ctx, const char *url, const struct ims_db_options *opts, ims_err *err);
    void (*close)(void *ctx);
    const char *(*location)(const void *ctx); /* without secrets; as long as ctx */
    const char *(*version)(const void *ctx);
    /* (optional) Was the connection lost since it was opened? */
    bool (*is_lost)(const void *ctx);
    /* (optional) Connects again; outside a transaction only. Statements stay usable. */
    ims_status (*reconnect)(void *ctx, ims_err *err);

    /* Several statements, no values, rows are dropped. */
    ims_status (*exec)(void *ctx, const char *sql, ims_err *err);
    ims_status (*begin)(void *ctx, ims_db_mode mode, ims_err *err);
    /* On failure the registry calls rollback. */
    ims_status (*commit)(void *ctx, ims_err *err);
    void (*rollback)(void *ctx);

    /* sql outlives stmt. May put the work off until start. */
    ims_status (*prepare)(void *ctx, void *stmt, const char *sql, ims_err *err);
    void (*finalize)(void *stmt);
    /* Gives the statement its values and makes it ready for the first next. Bytes stay valid until
     * reset; the array itself only for the call. A wrong number of values is IMS_E_INVALID. */
    ims_status (*start)(void *stmt, const struct ims_db_value *values, size_t n, ims_err *err);
    /* The next row; what SQL reports is reported here. Not called again after false or a failure.
     */
    ims_status (*next)(void *stmt, bool *out_has_row, ims_err *err);
    /* Ends the run; after it start may be called again. Must accept any state. */
    void (*reset)(void *stmt);
    int64_t (*n_changed)(const void *stmt); /* after the last next */

    /* Of the present row; column is in range. */
    size_t (*n_columns)(const void *stmt);
    ims_db_type (*column_type)(const void *stmt, size_t column);
    int64_t (*column_int)(const void *stmt, size_t column);   /* INT64 columns */
    double (*column_double)(const void *stmt, size_t column); /* DOUBLE columns */
    const void *(*column_bytes)(const void *stmt, size_t column,
                                size_t *n); /* TEXT (NUL follows), BLOB */

    /* (optional) The statement n_items times; on_row is called for each row of each item with
     * `row`, through which the column slots above must read. The first failure ends the series and
     * *out_failed_item names it. Without this slot the registry loops over start and next. */
    ims_status (*run_many)(void *stmt, const struct ims_db_value *values, size_t n_values,
                           size_t n_items, ims_db_row_fn on_row, void *arg,
                           const struct ims_db_query *row, size_t *out_failed_item, ims_err *err);
};

extern const struct ims_db_ops ims__db_sqlite;
extern const struct ims_db_ops ims__db_postgres;

/* For backends: the type's name in messages, "text". */
const char *ims__db_type_name(ims_db_type t);

#endif
