/* PostgreSQL statements: prepared once per connection, parameters and rows in binary.
 *
 * The server is asked for the type of every parameter, so a number is sent in the width that the
 * statement expects and a wrong type is our error, not a reinterpreted value.
 * SPDX-License-Identifier: Apache-2.0 */
#include "db/postgres/postgres_internal.h"

#include "base/mem.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void put_be(unsigned char *out, uint64_t v, size_t n)
{
    for (size_t i = 0; i < n; i++)
        out[i] = (unsigned char)(v >> (8 * (n - 1 - i)));
}

static uint64_t get_be(const unsigned char *p, size_t n)
{
    uint64_t v = 0;

    for (size_t i = 0; i < n; i++)
        v = v << 8 | p[i];
    return v;
}

ims_status ims__postgres_prepare(void *ctx, void *stmt, const char *sql, ims_err *err)
{
    struct postgres_stmt *s = stmt;

    (void)err; /* the server sees it at the first use, on the connection of that time */
    s->ctx = ctx;
    s->sql = sql;
    return IMS_OK;
}

static void free_params(struct postgres_stmt *s)
{
    ims__free(s->types);
    ims__free(s->numbers);
    ims__free(s->values);
    ims__free(s->lengths);
    ims__free(s->formats);
    s->types = NULL;
    s->numbers = NULL;
    s->values = NULL;
    s->lengths = NULL;
    s->formats = NULL;
    s->n_params = 0;
}

static ims_status allocate_params(struct postgres_stmt *s, int n, ims_err *err)
{
    size_t count = n > 0 ? (size_t)n : 1;

    free_params(s);
    s->types = ims__zalloc(count, sizeof(*s->types));
    s->numbers = ims__zalloc(count, sizeof(*s->numbers));
    s->values = ims__zalloc(count, sizeof(*s->values));
    s->lengths = ims__zalloc(count, sizeof(*s->lengths));
    s->formats = ims__zalloc(count, sizeof(*s->formats));
    if (!s->types || !s->numbers || !s->values || !s->lengths || !s->formats) {
        free_params(s);
        return ims_fail(err, IMS_E_NOMEM, "postgres", 0, "allocating parameters");
    }
    s->n_params = n;
    for (size_t i = 0; i < count; i++)
        s->formats[i] = 1;
    return IMS_OK;
}

/* Tells the server which statements were forgotten since. */
static void deallocate_dead(struct postgres_ctx *c)
{
    char sql[40];

    while (c->n_dead) {
        snprintf(sql, sizeof(sql), "DEALLOCATE s%u", c->dead[--c->n_dead]);
        PQclear(PQexec(c->conn, sql));
    }
}

ims_status ims__postgres_prepare_now(struct postgres_stmt *s, ims_err *err)
{
    struct postgres_ctx *c = s->ctx;
    PGresult *res;
    ims_status st = IMS_OK;

    if (s->connection == c->connection)
        return IMS_OK;
    deallocate_dead(c);
    s->number = ++c->n_statements;
    snprintf(s->name, sizeof(s->name), "s%u", s->number);
    res = PQprepare(c->conn, s->name, s->sql, 0, NULL);
    if (PQresultStatus(res) == PGRES_COMMAND_OK) {
        PQclear(res);
        res = PQdescribePrepared(c->conn, s->name);
    }
    if (PQresultStatus(res) != PGRES_COMMAND_OK) {
        st = ims__postgres_fail(c, res, "preparing a statement on", err);
        goto out;
    }
    st = allocate_params(s, PQnparams(res), err);
    if (st)
        goto out;
    for (int i = 0; i < s->n_params; i++)
        s->types[i] = PQparamtype(res, i);
    s->connection = c->connection;
out:
    PQclear(res);
    return st;
}

void ims__postgres_finalize(void *stmt)
{
    struct postgres_stmt *s = stmt;
    struct postgres_ctx *c = s->ctx;

    PQclear(s->res);
    free_params(s);
    if (s->connection && s->connection == c->connection && c->n_dead < PG_MAX_DEAD)
        c->dead[c->n_dead++] = s->number;
}

static ims_status wrong_type(const struct postgres_stmt *s, size_t i, const struct ims_db_value *v,
                             ims_err *err)
{
    return ims_fail(err, IMS_E_INVALID, "postgres", (int)s->types[i],
                    "parameter $%zu is a %s, the statement wants type %u", i + 1,
                    ims__db_type_name(v->type), (unsigned)s->types[i]);
}

static bool fits(int64_t v, size_t n_bytes)
{
    return n_bytes == 8 || (n_bytes == 4 && v >= INT32_MIN && v <= INT32_MAX) ||
           (n_bytes == 2 && v >= INT16_MIN && v <= INT16_MAX);
}

/* An integer or double in the width the server wants; 0 when it wants something else. */
static size_t encode_number(unsigned char *out, Oid type, const struct ims_db_value *v)
{
    double d = v->type == IMS_DB_INT64 ? (double)v->i : v->d;
    size_t n = type == PG_OID_INT8 ? 8 : type == PG_OID_INT4 ? 4 : type == PG_OID_INT2 ? 2 : 0;
    uint64_t bits;

    if (type == PG_OID_FLOAT8) {
        memcpy(&bits, &d, 8);
        put_be(out, bits, 8);
        return 8;
    }
    if (v->type != IMS_DB_INT64)
        return 0;
    if (type == PG_OID_BOOL && (v->i == 0 || v->i == 1)) {
        out[0] = (unsigned char)v->i;
        return 1;
    }
    if (!n || !fits(v->i, n))
        return 0;
    put_be(out, (uint64_t)v->i, n);
    return n;
}

ims_status ims__postgres_encode(struct postgres_stmt *s, const struct ims_db_value *values,
                                size_t n, ims_err *err)
{
    if (n != (size_t)s->n_params)
        return ims_fail(err, IMS_E_INVALID, "postgres", 0, "%zu values for %d parameters", n,
                        s->n_params);
    for (size_t i = 0; i < n; i++) {
        const struct ims_db_value *v = &values[i];
        Oid type = s->types[i];
        size_t len = v->n_bytes;

        s->values[i] = v->p;
        if (v->type == IMS_DB_NULL) {
            s->values[i] = NULL;
            len = 0;
        } else if (v->type == IMS_DB_INT64 || v->type == IMS_DB_DOUBLE) {
            len = encode_number(s->numbers[i], type, v);
            s->values[i] = (const char *)s->numbers[i];
            if (!len)
                return wrong_type(s, i, v, err);
        } else if (v->type == IMS_DB_TEXT) {
            if (type != PG_OID_TEXT && type != PG_OID_VARCHAR && type != PG_OID_NAME)
                return wrong_type(s, i, v, err);
        } else if (type != PG_OID_BYTEA) {
            return wrong_type(s, i, v, err);
        }
        if (len > INT32_MAX)
            return ims_fail(err, IMS_E_LIMIT, "postgres", 0, "value %zu is too long", i + 1);
        s->lengths[i] = (int)len;
    }
    return IMS_OK;
}

ims_status ims__postgres_start(void *stmt, const struct ims_db_value *values, size_t n,
                               ims_err *err)
{
    struct postgres_stmt *s = stmt;
    ims_status st = ims__postgres_prepare_now(s, err);

    if (!st)
        st = ims__postgres_encode(s, values, n, err);
    s->is_started = !st;
    return st;
}

static ims_status check_columns(struct postgres_stmt *s, ims_err *err)
{
    for (int i = 0; i < PQnfields(s->res); i++) {
        switch (PQftype(s->res, i)) {
        case PG_OID_BOOL:
        case PG_OID_BYTEA:
        case PG_OID_NAME:
        case PG_OID_INT8:
        case PG_OID_INT2:
        case PG_OID_INT4:
        case PG_OID_TEXT:
        case PG_OID_OID:
        case PG_OID_FLOAT4:
        case PG_OID_FLOAT8:
        case PG_OID_VARCHAR:
            break;
        default:
            return ims_fail(err, IMS_E_UNSUPPORTED, "postgres", (int)PQftype(s->res, i),
                            "column %d (%s) has a type we do not read; cast it in the statement",
                            i + 1, PQfname(s->res, i));
        }
    }
    return IMS_OK;
}

ims_status ims__postgres_take_result(struct postgres_stmt *s, PGresult *res, ims_err *err)
{
    ExecStatusType got = PQresultStatus(res);

    PQclear(s->res);
    s->res = res;
    s->row = -1;
    s->n_changed = 0;
    if (got != PGRES_TUPLES_OK && got != PGRES_COMMAND_OK)
        return ims__postgres_fail(s->ctx, res, "running a statement on", err);
    if (strncmp(PQcmdStatus(res), "SELECT", 6) != 0)
        s->n_changed = strtoll(PQcmdTuples(res), NULL, 10); /* "" for commands that count nothing */
    return check_columns(s, err);
}

ims_status ims__postgres_next(void *stmt, bool *out_has_row, ims_err *err)
{
    struct postgres_stmt *s = stmt;
    ims_status st;

    if (!s->is_started)
        return ims_fail(err, IMS_E_INVALID, "postgres", 0, "the statement has no values yet");
    if (!s->res) {
        PGresult *res = PQexecPrepared(s->ctx->conn, s->name, s->n_params, s->values, s->lengths,
                                       s->formats, 1);

        st = ims__postgres_take_result(s, res, err);
        if (st)
            return st;
    }
    s->row++;
    *out_has_row = s->row < PQntuples(s->res);
    return IMS_OK;
}

void ims__postgres_reset(void *stmt)
{
    struct postgres_stmt *s = stmt;

    PQclear(s->res);
    s->res = NULL;
    s->row = -1;
    s->is_started = false;
}

int64_t ims__postgres_n_changed(const void *stmt)
{
    return ((const struct postgres_stmt *)stmt)->n_changed;
}

size_t ims__postgres_n_columns(const void *stmt)
{
    return (size_t)PQnfields(((const struct postgres_stmt *)stmt)->res);
}

ims_db_type ims__postgres_column_type(const void *stmt, size_t column)
{
    const struct postgres_stmt *s = stmt;

    if (PQgetisnull(s->res, s->row, (int)column))
        return IMS_DB_NULL;
    switch (PQftype(s->res, (int)column)) {
    case PG_OID_BYTEA:
        return IMS_DB_BLOB;
    case PG_OID_FLOAT4:
    case PG_OID_FLOAT8:
        return IMS_DB_DOUBLE;
    case PG_OID_TEXT:
    case PG_OID_VARCHAR:
    case PG_OID_NAME:
        return IMS_DB_TEXT;
    default:
        return IMS_DB_INT64;
    }
}

int64_t ims__postgres_column_int(const void *stmt, size_t column)
{
    const struct postgres_stmt *s = stmt;
    const unsigned char *p = (const unsigned char *)PQgetvalue(s->res, s->row, (int)column);
    int n = PQgetlength(s->res, s->row, (int)column);

    switch (n) {
    case 8:
        return (int64_t)get_be(p, 8);
    case 4:
        if (PQftype(s->res, (int)column) == PG_OID_OID)
            return (int64_t)get_be(p, 4);
        return (int32_t)(uint32_t)get_be(p, 4);
    case 2:
        return (int16_t)(uint16_t)get_be(p, 2);
    default:
        return n == 1 ? p[0] : 0;
    }
}

double ims__postgres_column_double(const void *stmt, size_t column)
{
    const struct postgres_stmt *s = stmt;
    const unsigned char *p = (const unsigned char *)PQgetvalue(s->res, s->row, (int)column);
    uint64_t bits;
    uint32_t bits32;
    double d = 0;
    float f;

    if (PQgetlength(s->res, s->row, (int)column) == 8) {
        bits = get_be(p, 8);
        memcpy(&d, &bits, 8);
    } else if (PQgetlength(s->res, s->row, (int)column) == 4) {
        bits32 = (uint32_t)get_be(p, 4);
        memcpy(&f, &bits32, 4);
        d = (double)f;
    }
    return d;
}

const void *ims__postgres_column_bytes(const void *stmt, size_t column, size_t *n)
{
    const struct postgres_stmt *s = stmt;

    *n = (size_t)PQgetlength(s->res, s->row, (int)column);
    return PQgetvalue(s->res, s->row, (int)column); /* libpq puts a NUL after it */
}
