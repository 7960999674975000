/* Evidence: how vectors came to be, listed, summed up, forgotten.
 * SPDX-License-Identifier: Apache-2.0 */
#include "store/store_internal.h"

#define COLUMNS                                                                                            \
    "SELECT e.id, e.asset_id, e.model_id, e.dim, e.norm, e.embedding_ms, e.total_ms, e.created_us, "       \
    "e.session_id, e.task, m.name, m.digest, e.device, e.provider, e.runtime, e.checksum, e.error, "       \
    "e.metadata_json, a.path "
#define FROM "FROM evidence e JOIN models m ON m.id = e.model_id JOIN assets a ON a.id = e.asset_id WHERE 1 = 1"

static ims_status take_texts(struct ims_arena *arena, const struct ims_db_query *row, struct ims_store_evidence *e,
                             ims_err *err)
{
    const char **const texts[] = { &e->task,    &e->model_name, &e->model_digest, &e->device,        &e->provider,
                                   &e->runtime, &e->checksum,   &e->error,        &e->metadata_json, &e->asset_path };
    ims_status st = IMS_OK;

    for (size_t i = 0; !st && i < IMS_ARRAY_LEN(texts); i++)
        st = ims__store_string(arena, row, 9 + i, texts[i], err);
    return st;
}

static ims_status take_evidence(void *arg, const struct ims_db_query *row, ims_err *err)
{
    struct ims__store_list *l = arg;
    struct ims_store_evidence *e = ims__store_list_add(l, err);

    if (!e)
        return IMS_E_NOMEM;
    e->id = ims_db_column_int(row, 0);
    e->asset_id = ims_db_column_int(row, 1);
    e->model_id = ims_db_column_int(row, 2);
    e->dim = (int)ims_db_column_int(row, 3);
    e->norm = ims_db_column_double(row, 4);
    e->embedding_ms = ims_db_column_double(row, 5);
    e->total_ms = ims_db_column_double(row, 6);
    e->created_us = ims_db_column_int(row, 7);
    e->session_id = ims_db_column_int(row, 8);
    return take_texts(l->arena, row, e, err);
}

static void begin(struct ims__store_sql *q, const char *text, const struct ims_store_evidence_filter *f)
{
    ims__store_sql_init(q, text);
    if (f->id)
        ims__store_sql_add(q, " AND e.id = ?", IMS_DB_ARGS(ims_db_int(f->id)));
    if (f->asset_id)
        ims__store_sql_add(q, " AND e.asset_id = ?", IMS_DB_ARGS(ims_db_int(f->asset_id)));
    if (f->session_id)
        ims__store_sql_add(q, " AND e.session_id = ?", IMS_DB_ARGS(ims_db_int(f->session_id)));
}

static ims_status count(struct ims_store *s, const struct ims_store_evidence_filter *f, int64_t *out, ims_err *err)
{
    struct ims__store_sql q;
    ims_status st;

    begin(&q, "SELECT COUNT(*) FROM evidence e WHERE 1 = 1", f);
    st = ims__store_sql_status(&q, err);
    if (!st)
        st = ims__store_get_int(s, q.text.data, q.values, q.n, out, NULL, err);
    ims__store_sql_release(&q);
    return st;
}

ims_status ims_store_list_evidence(struct ims_store *s, const struct ims_store_evidence_filter *filter, int64_t offset,
                                   int64_t limit, struct ims_arena *arena, struct ims_store_evidence **out,
                                   size_t *out_n, int64_t *out_total, ims_err *err)
{
    struct ims__store_list l = { .arena = arena, .item_size = sizeof(**out) };
    struct ims__store_sql q;
    void *items = NULL;
    ims_status st = out_total ? count(s, filter, out_total, err) : IMS_OK;

    if (st)
        return st;
    begin(&q, COLUMNS FROM, filter);
    ims__store_sql_add(&q, " ORDER BY e.id DESC LIMIT ? OFFSET ?", IMS_DB_ARGS(ims_db_int(limit), ims_db_int(offset)));
    st = ims__store_sql_status(&q, err);
    if (!st)
        st = ims__store_select(s, q.text.data, q.values, q.n, take_evidence, &l, err);
    ims__store_sql_release(&q);
    st = ims__store_list_end(&l, st, &items, out_n, err);
    if (!st)
        *out = items;
    return st;
}

ims_status ims_store_asset_evidence(struct ims_store *s, int64_t asset_id, size_t limit, struct ims_arena *arena,
                                    struct ims_store_evidence **out, size_t *out_n, ims_err *err)
{
    const struct ims_store_evidence_filter filter = { .asset_id = asset_id };

    if (!asset_id) { /* which would ask for nothing, not for none */
        *out = NULL;
        *out_n = 0;
        return IMS_OK;
    }
    return ims_store_list_evidence(s, &filter, 0, (int64_t)limit, arena, out, out_n, NULL, err);
}

static ims_status delete_evidence(struct ims_store *s, void *arg, ims_err *err)
{
    int64_t id = *(const int64_t *)arg, n = 0;
    ims_status st = ims_db_run(s->db, "DELETE FROM evidence WHERE id = $1", IMS_DB_ARGS(ims_db_int(id)), &n, err);

    return st || n ? st : ims_fail(err, IMS_E_NOT_FOUND, "store", 0, "there is no evidence %lld", (long long)id);
}

ims_status ims_store_delete_evidence(struct ims_store *s, int64_t id, ims_err *err)
{
    return ims__store_write(s, delete_evidence, &id, err);
}

/* ---- sums ---- */

static ims_status take_stats(void *arg, const struct ims_db_query *row, ims_err *err)
{
    struct ims_store_evidence_stats *x = arg;

    (void)err;
    x->total = ims_db_column_int(row, 0);
    x->failed = ims_db_column_int(row, 1);
    x->mean_ms = ims_db_column_double(row, 2);
    x->min_ms = ims_db_column_double(row, 3);
    x->max_ms = ims_db_column_double(row, 4);
    return IMS_OK;
}

static ims_status take_word(void *arg, const struct ims_db_query *row, ims_err *err)
{
    struct ims__store_list *l = arg;
    const char **word = ims__store_list_add(l, err);

    return word ? ims__store_string(l->arena, row, 0, word, err) : IMS_E_NOMEM;
}

static ims_status words(struct ims_store *s, const char *sql, int64_t session_id, struct ims_arena *arena,
                        const char ***out, size_t *out_n, ims_err *err)
{
    struct ims__store_list l = { .arena = arena, .item_size = sizeof(const char *) };
    void *items = NULL;
    ims_status st = ims__store_select(s, sql, IMS_DB_ARGS(ims_db_int(session_id)), take_word, &l, err);

    st = ims__store_list_end(&l, st, &items, out_n, err);
    if (!st)
        *out = items;
    return st;
}

ims_status ims_store_session_evidence_stats(struct ims_store *s, int64_t session_id, struct ims_arena *arena,
                                            struct ims_store_evidence_stats *out, ims_err *err)
{
    struct ims_store_evidence_stats x = { 0 };
    ims_status st = ims__store_select(s,
                                      "SELECT COUNT(*), COUNT(error), AVG(total_ms), MIN(total_ms), MAX(total_ms) "
                                      "FROM evidence WHERE session_id = $1",
                                      IMS_DB_ARGS(ims_db_int(session_id)), take_stats, &x, err);

    if (!st)
        st = words(s, "SELECT DISTINCT device FROM evidence WHERE session_id = $1 ORDER BY device", session_id, arena,
                   &x.devices, &x.n_devices, err);
    if (!st)
        st = words(s,
                   "SELECT DISTINCT m.digest FROM evidence e JOIN models m ON m.id = e.model_id WHERE e.session_id = $1 "
                   "ORDER BY m.digest",
                   session_id, arena, &x.digests, &x.n_digests, err);
    if (!st)
        *out = x;
    return st;
}
