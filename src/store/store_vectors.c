/* Vectors: reading what changed since a number, counting, forgetting.
 *
 * Every change of a model's vectors takes the next number from models.vector_seq inside the
 * writers' turn (store.c), so numbers become visible in their order and a reader that has seen n
 * has seen all up to n.
 * SPDX-License-Identifier: Apache-2.0 */
#include "store/store_internal.h"

#include "base/limits.h"

#include <string.h>

/* Rows fetched at a time: about this many bytes of vectors. */
#define PAGE_BYTES (4 * IMS_MIB)

static void copy_le32(void *out, const void *in, size_t n)
{
#if defined(__BYTE_ORDER__) && __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
    const unsigned char *a = in;
    unsigned char *b = out;

    for (size_t i = 0; i < n; i++) {
        for (size_t k = 0; k < 4; k++)
            b[4 * i + k] = a[4 * i + 3 - k];
    }
#else
    memcpy(out, in, n * 4);
#endif
}

void ims__store_get_f32(float *out, const void *stored, size_t dim)
{
    copy_le32(out, stored, dim);
}

void ims__store_put_f32(void *stored, const float *in, size_t dim)
{
    copy_le32(stored, in, dim);
}

ims_status ims__store_take_seq(struct ims_store *s, int64_t model_id, size_t n, int64_t *out_first,
                               ims_err *err)
{
    int64_t last = 0;
    ims_status st =
        ims_db_get_int(s->db,
                       "UPDATE models SET vector_seq = vector_seq + $2 WHERE id = $1 "
                       "RETURNING vector_seq",
                       IMS_DB_ARGS(ims_db_int(model_id), ims_db_int((int64_t)n)), &last, NULL, err);

    if (!st)
        *out_first = last - (int64_t)n + 1;
    return st;
}

/* --- reading changes --- */

struct read_vectors {
    int64_t model_id;
    int64_t after_seq;
    int64_t last_seq;
    const struct ims_store_vector_sink *sink;
    int dim;
    bool is_of_faces;
    float *vector;
    /* of the present page */
    int64_t page_seq;
    int64_t n_rows;
    bool has_begun; /* the sink was called: the reading cannot start again */
};

static ims_status take_removal(void *arg, const struct ims_db_query *row, ims_err *err)
{
    struct read_vectors *x = arg;

    x->has_begun = true;
    return x->sink->on_removed(x->sink->arg, ims_db_column_int(row, 0), err);
}

ims_status ims__store_bad_vector(const char *what, int64_t id, size_t n_bytes, int dim,
                                 ims_err *err)
{
    return ims_fail(err, IMS_E_CORRUPT, "store", 0,
                    "the vector of %s %lld has %zu bytes, expected %zu", what, (long long)id,
                    n_bytes, (size_t)dim * sizeof(float));
}

static ims_status take_vector(void *arg, const struct ims_db_query *row, ims_err *err)
{
    struct read_vectors *x = arg;
    int64_t id = ims_db_column_int(row, 0);
    size_t n_bytes = 0;
    const void *stored = ims_db_column_blob(row, 2, &n_bytes);

    x->page_seq = ims_db_column_int(row, 1);
    x->n_rows++;
    if (!stored || n_bytes != (size_t)x->dim * sizeof(float))
        return ims__store_bad_vector(x->is_of_faces ? "face" : "content", id, n_bytes, x->dim, err);
    ims__store_get_f32(x->vector, stored, (size_t)x->dim);
    x->has_begun = true;
    return x->sink->on_vector(x->sink->arg, id, x->vector, x->page_seq, err);
}

static ims_status read_pages(struct ims_store *s, struct read_vectors *x, ims_err *err)
{
    int64_t page = (int64_t)(PAGE_BYTES / ((size_t)x->dim * sizeof(float)));
    ims_status st;

    x->page_seq = x->after_seq;
    do {
        x->n_rows = 0;
        st = ims__store_select(
            s,
            x->is_of_faces ? "SELECT face_id, seq, vector FROM face_vectors WHERE model_id = $1 "
                             "AND seq > $2 ORDER BY seq LIMIT $3"
                           : "SELECT content_id, seq, vector FROM embeddings WHERE model_id = $1 "
                             "AND seq > $2 ORDER BY seq LIMIT $3",
            IMS_DB_ARGS(ims_db_int(x->model_id), ims_db_int(x->page_seq), ims_db_int(page)),
            take_vector, x, err);
    } while (!st && x->n_rows == page);
    return st;
}

static ims_status read_vectors(struct ims_store *s, void *arg, ims_err *err)
{
    struct read_vectors *x = arg;
    ims_status st;

    if (x->has_begun)
        return ims_fail(err, IMS_E_DB, "store", 0,
                        "the connection was lost while vectors were read");
    st = ims_db_get_int(s->db, "SELECT vector_seq FROM models WHERE id = $1",
                        IMS_DB_ARGS(ims_db_int(x->model_id)), &x->last_seq, NULL, err);
    if (!st && x->last_seq > x->after_seq && x->after_seq > 0 && x->sink->on_removed)
        st = ims__store_select(
            s,
            "SELECT item_id FROM vector_removals WHERE model_id = $1 AND seq > $2 "
            "ORDER BY seq",
            IMS_DB_ARGS(ims_db_int(x->model_id), ims_db_int(x->after_seq)), take_removal, x, err);
    if (!st && x->last_seq > x->after_seq)
        st = read_pages(s, x, err);
    return st;
}

ims_status ims_store_vectors(struct ims_store *s, int64_t model_id, int64_t after_seq,
                             const struct ims_store_vector_sink *sink, int64_t *out_seq,
                             ims_err *err)
{
    struct read_vectors x = { .model_id = model_id, .after_seq = after_seq, .sink = sink };
    ims_status st = ims__store_model_shape(s, model_id, &x.dim, &x.is_of_faces, err);

    if (st)
        return st;
    x.vector = ims__aligned_alloc(64, (size_t)x.dim, sizeof(float));
    if (!x.vector)
        return ims__store_nomem(err);
    st = ims__store_read(s, read_vectors, &x, err);
    ims__free(x.vector);
    if (!st)
        *out_seq = x.last_seq;
    return st;
}

struct count_vectors {
    int64_t n;
    int64_t seq;
    bool is_found;
};

static ims_status take_count(void *arg, const struct ims_db_query *row, ims_err *err)
{
    struct count_vectors *x = arg;

    (void)err;
    x->seq = ims_db_column_int(row, 0);
    x->n = ims_db_column_int(row, 1);
    x->is_found = true;
    return IMS_OK;
}

ims_status ims_store_vector_count(struct ims_store *s, int64_t model_id, int64_t *out_n,
                                  int64_t *out_seq, ims_err *err)
{
    struct count_vectors x = { .is_found = false };
    ims_status st =
        ims__store_select(s,
                          "SELECT m.vector_seq, (SELECT count(*) FROM embeddings e "
                          "WHERE e.model_id = m.id) + (SELECT count(*) FROM face_vectors v "
                          "WHERE v.model_id = m.id) FROM models m WHERE m.id = $1",
                          IMS_DB_ARGS(ims_db_int(model_id)), take_count, &x, err);

    if (st)
        return st;
    if (!x.is_found)
        return ims_fail(err, IMS_E_NOT_FOUND, "store", 0, "there is no model %lld",
                        (long long)model_id);
    *out_n = x.n;
    if (out_seq)
        *out_seq = x.seq;
    return IMS_OK;
}

ims_status ims_store_vector_seq(struct ims_store *s, int64_t model_id, int64_t *out, ims_err *err)
{
    bool is_found = false;
    ims_status st = ims__store_get_int(s, "SELECT vector_seq FROM models WHERE id = $1",
                                       IMS_DB_ARGS(ims_db_int(model_id)), out, &is_found, err);

    if (!st && !is_found)
        st = ims_fail(err, IMS_E_NOT_FOUND, "store", 0, "there is no model %lld", (long long)model_id);
    return st;
}

struct one_vector {
    float *out;
    int dim;
    bool is_found;
};

static ims_status take_one(void *arg, const struct ims_db_query *row, ims_err *err)
{
    struct one_vector *x = arg;
    size_t n_bytes = 0;
    const void *stored = ims_db_column_blob(row, 0, &n_bytes);

    if (!stored || n_bytes != (size_t)x->dim * sizeof(float))
        return ims__store_bad_vector("content", ims_db_column_int(row, 1), n_bytes, x->dim, err);
    ims__store_get_f32(x->out, stored, (size_t)x->dim);
    x->is_found = true;
    return IMS_OK;
}

ims_status ims_store_asset_vector(struct ims_store *s, int64_t asset_id, int64_t model_id,
                                  float *out, int dim, ims_err *err)
{
    struct one_vector x = { .out = out, .dim = dim };
    int stored_dim = 0;
    ims_status st = ims__store_model_dim(s, model_id, &stored_dim, err);

    if (!st && stored_dim != dim)
        st = ims_fail(err, IMS_E_DIMENSION, "store", 0, "model %lld has %d dimensions, not %d",
                      (long long)model_id, stored_dim, dim);
    if (!st)
        st = ims__store_select(s,
                               "SELECT e.vector, e.content_id FROM assets a JOIN embeddings e "
                               "ON e.content_id = a.content_id AND e.model_id = $2 WHERE a.id = $1",
                               IMS_DB_ARGS(ims_db_int(asset_id), ims_db_int(model_id)), take_one,
                               &x, err);
    if (!st && !x.is_found)
        st = ims_fail(err, IMS_E_NOT_FOUND, "store", 0, "asset %lld has no vector of model %lld",
                      (long long)asset_id, (long long)model_id);
    return st;
}

/* --- forgetting --- */

struct purge {
    int64_t before_us;
    int64_t n_assets;
};

/* Vectors about to go: ids of contents or faces, with the model of each. */
struct orphans {
    struct ims__store_list models;
    struct ims__store_list ids;
};

static ims_status take_orphan(void *arg, const struct ims_db_query *row, ims_err *err)
{
    struct orphans *o = arg;
    int64_t *model_id = ims__store_list_add(&o->models, err);
    int64_t *id = ims__store_list_add(&o->ids, err);

    if (!model_id || !id)
        return IMS_E_NOMEM;
    *model_id = ims_db_column_int(row, 0);
    *id = ims_db_column_int(row, 1);
    return IMS_OK;
}

ims_status ims__store_log_removals(struct ims_store *s, int64_t model_id, const int64_t *ids,
                                   size_t n, ims_err *err)
{
    struct ims_db_value *values;
    int64_t seq = 0;
    ims_status st;

    if (!n)
        return IMS_OK;
    values = ims__zalloc(n, 3 * sizeof(*values));
    if (!values)
        return ims__store_nomem(err);
    st = ims__store_take_seq(s, model_id, n, &seq, err);
    for (size_t i = 0; i < n; i++) {
        values[3 * i] = ims_db_int(model_id);
        values[3 * i + 1] = ims_db_int(seq + (int64_t)i);
        values[3 * i + 2] = ims_db_int(ids[i]);
    }
    if (!st)
        st = ims_db_run_many(
            s->db, "INSERT INTO vector_removals (model_id, seq, item_id) VALUES ($1, $2, $3)",
            values, 3, n, NULL, NULL, NULL, err);
    ims__free(values);
    return st;
}

ims_status ims__store_log_chosen(struct ims_store *s, const char *sql, const struct ims_db_value *values,
                                 size_t n_values, int64_t *out_n, ims_err *err)
{
    struct orphans o = { { .item_size = sizeof(int64_t) }, { .item_size = sizeof(int64_t) } };
    const int64_t *models, *ids;
    ims_status st = ims__store_select(s, sql, values, n_values, take_orphan, &o, err);

    models = o.models.items;
    ids = o.ids.items;
    for (size_t i = 0, end; !st && i < o.ids.n; i = end) {
        for (end = i + 1; end < o.ids.n && models[end] == models[i]; end++)
            ;
        st = ims__store_log_removals(s, models[i], ids + i, end - i, err);
    }
    if (out_n)
        *out_n = (int64_t)o.ids.n;
    ims__free(o.models.items);
    ims__free(o.ids.items);
    return st;
}

static ims_status purge(struct ims_store *s, void *arg, ims_err *err)
{
    struct purge *x = arg;
    ims_status st;

    st = ims_db_run(s->db, "DELETE FROM assets WHERE deleted_us < $1",
                    IMS_DB_ARGS(ims_db_int(x->before_us)), &x->n_assets, err);
    if (!st)
        st = ims__store_log_chosen(
            s,
            "SELECT e.model_id, e.content_id FROM embeddings e WHERE NOT EXISTS (SELECT 1 "
            "FROM assets a WHERE a.content_id = e.content_id) UNION ALL "
            "SELECT v.model_id, v.face_id FROM face_vectors v JOIN faces f ON f.id = v.face_id "
            "WHERE NOT EXISTS (SELECT 1 FROM assets a WHERE a.content_id = f.content_id) "
            "ORDER BY 1, 2",
            IMS_DB_NO_ARGS, NULL, err);
    if (!st) /* their embeddings and faces go with them */
        st = ims_db_run(s->db,
                        "DELETE FROM contents WHERE NOT EXISTS (SELECT 1 FROM assets a "
                        "WHERE a.content_id = contents.id)",
                        IMS_DB_NO_ARGS, NULL, err);
    return st ? st : ims__store_bump_epoch(s, err);
}

ims_status ims_store_purge(struct ims_store *s, int64_t deleted_before_us, int64_t *out_n_assets,
                           ims_err *err)
{
    struct purge x = { .before_us = deleted_before_us };
    ims_status st = ims__store_write(s, purge, &x, err);

    if (!st && out_n_assets)
        *out_n_assets = x.n_assets;
    return st;
}
