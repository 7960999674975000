/* The parts of the PostgreSQL backend that its files share.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef IMS_DB_POSTGRES_INTERNAL_H
#define IMS_DB_POSTGRES_INTERNAL_H

#include "db/db_backend.h"

#include <libpq-fe.h>

#define PG_MAX_DEAD 32

struct postgres_ctx {
    PGconn *conn;
    char *conninfo; /* holds the password: never in a message */
    char *password; /* the same, by itself, to find it in messages of the library */
    char *location;
    char version[48];
    struct ims_db_options opts;
    unsigned connection;   /* raised by each connect: statements prepared before are gone */
    unsigned n_statements; /* names given out on any connection */
    /* statements that were forgotten: the server is told at the next prepare, not one by one at
     * close */
    unsigned dead[PG_MAX_DEAD];
    size_t n_dead;
};

struct postgres_stmt {
    struct postgres_ctx *ctx;
    const char *sql;
    char name[24];
    unsigned number;     /* that the name is made of */
    unsigned connection; /* the one it is prepared on; 0 = none */
    /* parameters, as the server described them */
    int n_params;
    Oid *types;
    unsigned char (*numbers)[8]; /* big-endian forms */
    const char **values;
    int *lengths;
    int *formats; /* 1: all are binary */
    bool is_started;
    /* rows */
    PGresult *res;
    int row; /* -1 before the first */
    int64_t n_changed;
};

#define PG_OID_BOOL 16u
#define PG_OID_BYTEA 17u
#define PG_OID_NAME 19u
#define PG_OID_INT8 20u
#define PG_OID_INT2 21u
#define PG_OID_INT4 23u
#define PG_OID_TEXT 25u
#define PG_OID_OID 26u
#define PG_OID_FLOAT4 700u
#define PG_OID_FLOAT8 701u
#define PG_OID_VARCHAR 1043u

/* Translate failures; res may be NULL (then the connection's message counts). */
ims_status ims__postgres_fail(struct postgres_ctx *c, const PGresult *res, const char *doing,
                              ims_err *err);

/* address.c: from DATABASE_URL to what libpq takes and to what may be shown. Fills conninfo,
 * password, location. */
ims_status ims__postgres_parse_url(struct postgres_ctx *c, const char *url, ims_err *err);

ims_status ims__postgres_prepare(void *ctx, void *stmt, const char *sql, ims_err *err);
/* Prepares on the present connection where that is still to do. */
ims_status ims__postgres_prepare_now(struct postgres_stmt *s, ims_err *err);
ims_status ims__postgres_encode(struct postgres_stmt *s, const struct ims_db_value *values,
                                size_t n, ims_err *err);
/* Takes a result of the statement: rows and counts, or its failure. Owns res from here on. */
ims_status ims__postgres_take_result(struct postgres_stmt *s, PGresult *res, ims_err *err);
void ims__postgres_finalize(void *stmt);
ims_status ims__postgres_start(void *stmt, const struct ims_db_value *values, size_t n,
                               ims_err *err);
ims_status ims__postgres_next(void *stmt, bool *out_has_row, ims_err *err);
void ims__postgres_reset(void *stmt);
int64_t ims__postgres_n_changed(const void *stmt);
size_t ims__postgres_n_columns(const void *stmt);
ims_db_type ims__postgres_column_type(const void *stmt, size_t column);
int64_t ims__postgres_column_int(const void *stmt, size_t column);
double ims__postgres_column_double(const void *stmt, size_t column);
const void *ims__postgres_column_bytes(const void *stmt, size_t column, size_t *n);
ims_status ims__postgres_run_many(void *stmt, const struct ims_db_value *values, size_t n_values,
                                  size_t n_items, ims_db_row_fn on_row, void *arg,
                                  const struct ims_db_query *row, size_t *out_failed_item,
                                  ims_err *err);

#endif
