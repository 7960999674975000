/* A series of one statement over PostgreSQL: sent in chunks through pipeline mode, so that a batch
 * costs a round trip per chunk and not per item.
 * SPDX-License-Identifier: Apache-2.0 */
#include "db/postgres/postgres_internal.h"

/* Replies wait in libpq's memory until the chunk is read; both bounds keep that small. */
#define CHUNK_ITEMS 512
#define CHUNK_BYTES ((size_t)4 << 20)

static size_t sent_bytes(const struct ims_db_value *values, size_t n)
{
    size_t bytes = 0;

    for (size_t i = 0; i < n; i++)
        bytes += values[i].n_bytes + 12;
    return bytes;
}

/* Sends items from first on; *out_end is the first not sent. */
static ims_status send_chunk(struct postgres_stmt *s, const struct ims_db_value *values,
                             size_t n_values, size_t first, size_t n_items, size_t *out_end,
                             ims_err *err)
{
    PGconn *conn = s->ctx->conn;
    size_t bytes = 0, i;
    ims_status st = IMS_OK;

    for (i = first; i < n_items && i - first < CHUNK_ITEMS && bytes < CHUNK_BYTES; i++) {
        const struct ims_db_value *v = values ? values + i * n_values : NULL;

        st = ims__postgres_encode(s, v, n_values, err);
        if (st)
            break;
        if (!PQsendQueryPrepared(conn, s->name, s->n_params, s->values, s->lengths, s->formats,
                                 1)) {
            st = ims__postgres_fail(s->ctx, NULL, "sending to", err);
            break;
        }
        bytes += sent_bytes(v, n_values);
    }
    *out_end = i;
    if (!PQpipelineSync(conn) && !st)
        st = ims__postgres_fail(s->ctx, NULL, "sending to", err);
    return st;
}

struct series {
    struct postgres_stmt *s;
    ims_db_row_fn on_row;
    void *arg;
    const struct ims_db_query *row;
};

/* Takes one item's result and shows its rows. */
static ims_status take_item(struct series *r, size_t item, PGresult *res, ims_err *err)
{
    struct postgres_stmt *s = r->s;
    ims_status st = ims__postgres_take_result(s, res, err);

    for (s->row = 0; !st && r->on_row && s->row < PQntuples(s->res); s->row++)
        st = r->on_row(r->arg, item, r->row, err);
    return st;
}

/* Reads the replies of items first .. end; after the first failure the rest is read and dropped,
 * since the connection can be used again only behind it. */
static ims_status read_chunk(struct series *r, size_t first, size_t end, ims_status st,
                             size_t *out_failed_item, ims_err *err)
{
    PGconn *conn = r->s->ctx->conn;
    PGresult *res;

    for (size_t i = first; i < end; i++) {
        res = PQgetResult(conn);
        if (st) {
            PQclear(res);
        } else {
            st = take_item(r, i, res, err);
            if (st)
                *out_failed_item = i;
        }
        while (res && (res = PQgetResult(conn)) != NULL) /* a NULL ends each item */
            PQclear(res);
        if (PQstatus(conn) != CONNECTION_OK)
            return st ? st : ims__postgres_fail(r->s->ctx, NULL, "reading from", err);
    }
    res = PQgetResult(conn); /* the mark of PQpipelineSync */
    if (!st && PQresultStatus(res) != PGRES_PIPELINE_SYNC)
        st = ims__postgres_fail(r->s->ctx, res, "reading from", err);
    PQclear(res);
    return st;
}

ims_status ims__postgres_run_many(void *stmt, const struct ims_db_value *values, size_t n_values,
                                  size_t n_items, ims_db_row_fn on_row, void *arg,
                                  const struct ims_db_query *row, size_t *out_failed_item,
                                  ims_err *err)
{
    struct postgres_stmt *s = stmt;
    struct series r = { .s = s, .on_row = on_row, .arg = arg, .row = row };
    ims_status st = ims__postgres_prepare_now(s, err);
    size_t first = 0, end = 0;

    if (st)
        return st;
    if (!PQenterPipelineMode(s->ctx->conn))
        return ims__postgres_fail(s->ctx, NULL, "starting a series on", err);
    while (!st && first < n_items) {
        st = send_chunk(s, values, n_values, first, n_items, &end, err);
        if (st)
            *out_failed_item = end;
        st = read_chunk(&r, first, end, st, out_failed_item, err);
        first = end;
    }
    if (!PQexitPipelineMode(s->ctx->conn) && !st)
        st = ims__postgres_fail(s->ctx, NULL, "ending a series on", err);
    return st;
}
