/* Reading faces: by filter, by id, counts, vectors.
 * SPDX-License-Identifier: Apache-2.0 */
#include "store/faces.h"
#include "store/store_internal.h"

#include "base/limits.h"

#include <string.h>

/* the first file of the content that is there */
#define FIRST_ASSET                                                                                \
    "(SELECT MIN(a.id) FROM assets a WHERE a.content_id = f.content_id AND a.deleted_us IS NULL)"
#define FACE_TABLES                                                                                \
    "FROM faces f JOIN contents c ON c.id = f.content_id "                                         \
    "LEFT JOIN assets a ON a.id = " FIRST_ASSET " LEFT JOIN persons p ON p.id = f.person_id "

static ims_status fill_strings(struct ims_arena *arena, const struct ims_db_query *row,
                               struct ims_store_face *f, ims_err *err)
{
    ims_status st = ims__store_string(arena, row, 4, &f->path, err);

    if (!st)
        st = ims__store_string(arena, row, 13, &f->landmarks_json, err);
    if (!st)
        st = ims__store_string(arena, row, 24, &f->assigned_by, err);
    if (!st)
        st = ims__store_string(arena, row, 30, &f->person, err);
    return st ? st : ims__store_string(arena, row, 31, &f->birth_date, err);
}

ims_status ims__store_take_face(void *arg, const struct ims_db_query *row, ims_err *err)
{
    struct ims__store_list *l = arg;
    struct ims_store_face *f = ims__store_list_add(l, err);

    if (!f)
        return IMS_E_NOMEM;
    f->id = ims_db_column_int(row, 0);
    f->content_id = ims_db_column_int(row, 1);
    f->model_id = ims_db_column_int(row, 2);
    f->asset_id = ims_db_column_int(row, 3);
    f->x = (int)ims_db_column_int(row, 5);
    f->y = (int)ims_db_column_int(row, 6);
    f->w = (int)ims_db_column_int(row, 7);
    f->h = (int)ims_db_column_int(row, 8);
    f->image_width = (int)ims_db_column_int(row, 9);
    f->image_height = (int)ims_db_column_int(row, 10);
    f->score = ims_db_column_double(row, 11);
    f->quality = ims_db_column_double(row, 12);
    f->has_age = !ims_db_column_is_null(row, 14);
    f->age = ims_db_column_double(row, 14);
    f->gender =
        ims_db_column_is_null(row, 15) ? IMS_FACE_UNKNOWN_GENDER : (int)ims_db_column_int(row, 15);
    f->has_pose = !ims_db_column_is_null(row, 16);
    f->yaw = ims_db_column_double(row, 16);
    f->pitch = ims_db_column_double(row, 17);
    f->roll = ims_db_column_double(row, 18);
    f->cluster_id = ims_db_column_int(row, 19);
    f->cluster_probability = ims_db_column_double(row, 20);
    f->outlier_score = ims_db_column_double(row, 21);
    f->clustered_us = ims_db_column_int(row, 22);
    f->person_id = ims_db_column_int(row, 23);
    f->assigned_score = ims_db_column_double(row, 25);
    f->assigned_us = ims_db_column_int(row, 26);
    f->is_extra = ims_db_column_int(row, 27) != 0;
    f->has_taken_at = !ims_db_column_is_null(row, 28);
    f->taken_at_us = ims_db_column_int(row, 28);
    f->created_us = ims_db_column_int(row, 29);
    return fill_strings(l->arena, row, f, err);
}

/* --- conditions over faces f --- */

static void add_id(struct ims__store_sql *q, const char *text, int64_t id)
{
    if (id)
        ims__store_sql_add(q, text, IMS_DB_ARGS(ims_db_int(id)));
}

static void add_filter(struct ims__store_sql *q, const struct ims_store_face_filter *f)
{
    ims__store_sql_add(q,
                       f->include_gone ? "WHERE 1 = 1"
                                       : "WHERE EXISTS (SELECT 1 FROM assets t WHERE "
                                         "t.content_id = f.content_id AND t.deleted_us IS NULL)",
                       NULL, 0);
    add_id(q, " AND f.model_id = ?", f->model_id);
    add_id(q, " AND f.content_id = ?", f->content_id);
    add_id(q, " AND f.content_id = (SELECT content_id FROM assets WHERE id = ?)", f->asset_id);
    add_id(q, " AND f.person_id = ?", f->person_id);
    add_id(q, " AND f.cluster_id = ?", f->cluster_id);
    if (f->who != IMS_STORE_FACE_ANY)
        ims__store_sql_add(q,
                           f->who == IMS_STORE_FACE_ASSIGNED ? " AND f.person_id IS NOT NULL"
                                                             : " AND f.person_id IS NULL",
                           NULL, 0);
    if (f->is_unclustered)
        ims__store_sql_add(q, " AND f.cluster_id IS NULL", NULL, 0);
    if (f->min_quality > 0)
        ims__store_sql_add(q, " AND f.quality >= ?", IMS_DB_ARGS(ims_db_double(f->min_quality)));
    add_id(q, " AND f.id > ?", f->after_id);
    add_id(q, " AND f.created_us >= ?", f->created_from_us);
}

/* --- lists --- */

struct list_faces {
    const struct ims_store_face_filter *filter;
    ims_store_face_order order;
    int64_t offset;
    int64_t limit;
    int64_t total;
    struct ims__store_list *list;
};

static ims_status read_list(struct ims_store *s, void *arg, ims_err *err)
{
    static const char *const orders[] = {
        [IMS_STORE_FACES_BY_ID] = " ORDER BY f.id",
        [IMS_STORE_FACES_BY_QUALITY] = " ORDER BY f.quality DESC, f.id",
        [IMS_STORE_FACES_BY_PHOTO] = " ORDER BY a.id DESC, f.x, f.id",
    };
    struct list_faces *x = arg;
    struct ims__store_sql count, page;
    ims_status st;

    x->list->n = 0;
    ims__store_sql_init(&count, "SELECT count(*) FROM faces f ");
    ims__store_sql_init(&page, "SELECT " IMS_STORE_FACE_COLUMNS FACE_TABLES);
    add_filter(&count, x->filter);
    add_filter(&page, x->filter);
    ims__store_sql_add(&page, orders[x->order], NULL, 0);
    if (x->limit || x->offset)
        ims__store_sql_add(
            &page, " LIMIT ? OFFSET ?",
            IMS_DB_ARGS(ims_db_int(x->limit ? x->limit : INT64_MAX), ims_db_int(x->offset)));
    st = ims__store_sql_status(&count, err);
    if (!st)
        st = ims__store_sql_status(&page, err);
    if (!st)
        st = ims_db_get_int(s->db, count.text.data, count.values, count.n, &x->total, NULL, err);
    if (!st)
        st = ims__store_select(s, page.text.data, page.values, page.n, ims__store_take_face, x->list, err);
    ims__store_sql_release(&count);
    ims__store_sql_release(&page);
    return st;
}

ims_status ims_store_faces(struct ims_store *s, const struct ims_store_face_filter *filter,
                           ims_store_face_order order, int64_t offset, int64_t limit,
                           struct ims_arena *arena, struct ims_store_face **out, size_t *out_n,
                           int64_t *out_total, ims_err *err)
{
    struct ims__store_list l = { .arena = arena, .item_size = sizeof(**out) };
    struct list_faces x = { filter, order, offset, limit, 0, &l };
    void *items = NULL;
    ims_status st;

    if (offset < 0 || limit < 0)
        return ims_fail(err, IMS_E_INVALID, "store", 0, "offset and limit are not negative");
    st = ims__store_read(s, read_list, &x, err);
    st = ims__store_list_end(&l, st, &items, out_n, err);
    if (st)
        return st;
    *out = items;
    if (out_total)
        *out_total = x.total;
    return IMS_OK;
}

/* --- by id --- */

struct by_id {
    const int64_t *ids;
    struct ims_db_value *values;
    size_t n;
    const char *sql;
    ims_db_row_fn on_row;
    void *arg;
    size_t n_seen;
};

/* Every id gives one row, in order: the first that does not is the one that is missing. */
static ims_status count_and_pass(void *arg, size_t item, const struct ims_db_query *row,
                                 ims_err *err)
{
    struct by_id *x = arg;

    if (item != x->n_seen)
        return IMS_OK;
    x->n_seen++;
    return x->on_row(x->arg, item, row, err);
}

static ims_status read_by_id(struct ims_store *s, void *arg, ims_err *err)
{
    struct by_id *x = arg;
    ims_status st;

    x->n_seen = 0;
    st = ims_db_run_many(s->db, x->sql, x->values, 1, x->n, count_and_pass, x, NULL, err);
    if (!st && x->n_seen < x->n)
        st = ims_fail(err, IMS_E_NOT_FOUND, "store", 0, "there is no face %lld",
                      (long long)x->ids[x->n_seen]);
    return st;
}

static ims_status run_by_id(struct ims_store *s, struct by_id *x, ims_err *err)
{
    ims_status st;

    x->values = ims__zalloc(x->n, sizeof(*x->values));
    if (!x->values)
        return ims__store_nomem(err);
    for (size_t i = 0; i < x->n; i++)
        x->values[i] = ims_db_int(x->ids[i]);
    st = ims__store_read(s, read_by_id, x, err);
    ims__free(x->values);
    return st;
}

static ims_status take_face_of_series(void *arg, size_t item, const struct ims_db_query *row,
                                      ims_err *err)
{
    struct ims__store_list *l = arg;

    l->n = item; /* a repetition starts over */
    return ims__store_take_face(l, row, err);
}

ims_status ims_store_faces_by_id(struct ims_store *s, const int64_t *ids, size_t n,
                                 struct ims_arena *arena, struct ims_store_face **out, ims_err *err)
{
    struct ims__store_list l = { .arena = arena, .item_size = sizeof(**out) };
    struct by_id x = { .ids = ids,
                       .n = n,
                       .sql = "SELECT " IMS_STORE_FACE_COLUMNS FACE_TABLES "WHERE f.id = $1",
                       .on_row = take_face_of_series,
                       .arg = &l };
    void *items = NULL;
    size_t n_items;
    ims_status st = run_by_id(s, &x, err);

    st = ims__store_list_end(&l, st, &items, &n_items, err);
    if (!st)
        *out = items;
    return st;
}

/* --- counts --- */

static ims_status take_counts(void *arg, const struct ims_db_query *row, ims_err *err)
{
    struct ims_store_face_counts *c = arg;

    (void)err;
    c->faces = ims_db_column_int(row, 0);
    c->photos = ims_db_column_int(row, 1);
    c->assigned = ims_db_column_int(row, 2);
    c->clustered = ims_db_column_int(row, 3);
    c->noise = ims_db_column_int(row, 4);
    c->clusters = ims_db_column_int(row, 5);
    return IMS_OK;
}

static ims_status count_faces(struct ims_store *s, void *arg, ims_err *err)
{
    struct ims_store_face_counts *c = arg;
    int64_t model_id = c->unclustered; /* handed in there */
    ims_status st = ims__store_select(
        s,
        "SELECT count(*), count(DISTINCT f.content_id), count(f.person_id), "
        "count(CASE WHEN f.person_id IS NULL THEN f.cluster_id END), "
        "count(CASE WHEN f.person_id IS NULL AND f.cluster_id IS NULL THEN f.clustered_us END), "
        "count(DISTINCT CASE WHEN f.person_id IS NULL THEN f.cluster_id END) FROM faces f "
        "WHERE f.model_id = $1 AND EXISTS (SELECT 1 FROM assets t WHERE "
        "t.content_id = f.content_id AND t.deleted_us IS NULL)",
        IMS_DB_ARGS(ims_db_int(model_id)), take_counts, c, err);

    return st ? st
              : ims_db_get_int(s->db,
                               "SELECT count(*) FROM persons WHERE status IN ('active', 'hidden')",
                               IMS_DB_NO_ARGS, &c->persons, NULL, err);
}

ims_status ims_store_count_faces(struct ims_store *s, int64_t model_id,
                                 struct ims_store_face_counts *out, ims_err *err)
{
    struct ims_store_face_counts c = { .unclustered = model_id };
    ims_status st = ims__store_read(s, count_faces, &c, err);

    if (st)
        return st;
    c.unassigned = c.faces - c.assigned;
    c.unclustered = c.unassigned - c.clustered - c.noise;
    *out = c;
    return IMS_OK;
}

/* --- vectors --- */

struct face_vectors {
    const struct ims_store_face_filter *filter;
    ims_store_face_vector_fn fn;
    void *arg;
    int dim;
    float *vector;
    bool has_begun;
};

static ims_status take_face_vector(void *arg, const struct ims_db_query *row, ims_err *err)
{
    struct face_vectors *x = arg;
    struct ims_store_face_key key = {
        .id = ims_db_column_int(row, 0),
        .content_id = ims_db_column_int(row, 1),
        .person_id = ims_db_column_int(row, 2),
        .cluster_id = ims_db_column_int(row, 3),
        .area_px = ims_db_column_int(row, 4),
        .quality = ims_db_column_double(row, 5),
    };
    size_t n_bytes = 0;
    const void *stored = ims_db_column_blob(row, 6, &n_bytes);

    if (!stored || n_bytes != (size_t)x->dim * sizeof(float))
        return ims__store_bad_vector("face", key.id, n_bytes, x->dim, err);
    ims__store_get_f32(x->vector, stored, (size_t)x->dim);
    x->has_begun = true;
    return x->fn(x->arg, &key, x->vector, err);
}

static ims_status read_face_vectors(struct ims_store *s, void *arg, ims_err *err)
{
    struct face_vectors *x = arg;
    struct ims__store_sql q;
    ims_status st;

    if (x->has_begun)
        return ims_fail(err, IMS_E_DB, "store", 0,
                        "the connection was lost while vectors were read");
    ims__store_sql_init(&q, "SELECT f.id, f.content_id, f.person_id, f.cluster_id, f.w * f.h, "
                            "f.quality, v.vector FROM faces f JOIN face_vectors v "
                            "ON v.face_id = f.id ");
    add_filter(&q, x->filter);
    ims__store_sql_add(&q, " ORDER BY f.id", NULL, 0);
    st = ims__store_sql_status(&q, err);
    if (!st)
        st = ims__store_select(s, q.text.data, q.values, q.n, take_face_vector, x, err);
    ims__store_sql_release(&q);
    return st;
}

ims_status ims_store_face_vectors(struct ims_store *s, const struct ims_store_face_filter *filter,
                                  ims_store_face_vector_fn fn, void *arg, ims_err *err)
{
    struct face_vectors x = { .filter = filter, .fn = fn, .arg = arg };
    ims_status st = ims__store_model_dim(s, filter->model_id, &x.dim, err);

    if (st)
        return st;
    x.vector = ims__aligned_alloc(64, (size_t)x.dim, sizeof(float));
    if (!x.vector)
        return ims__store_nomem(err);
    st = ims__store_read(s, read_face_vectors, &x, err);
    ims__free(x.vector);
    return st;
}

struct vectors_by_id {
    const int64_t *ids;
    float *out;
    int dim;
};

static ims_status take_vector(void *arg, size_t item, const struct ims_db_query *row, ims_err *err)
{
    struct vectors_by_id *x = arg;
    size_t n_bytes = 0;
    const void *stored = ims_db_column_blob(row, 0, &n_bytes);

    if (!stored || n_bytes != (size_t)x->dim * sizeof(float))
        return ims_fail(err, IMS_E_DIMENSION, "store", 0,
                        "the vector of face %lld has %zu bytes, expected %zu",
                        (long long)x->ids[item], n_bytes, (size_t)x->dim * sizeof(float));
    ims__store_get_f32(x->out + item * (size_t)x->dim, stored, (size_t)x->dim);
    return IMS_OK;
}

ims_status ims_store_face_vectors_by_id(struct ims_store *s, const int64_t *ids, size_t n, int dim,
                                        float *out, ims_err *err)
{
    struct vectors_by_id v = { ids, out, dim };
    struct by_id x = { .ids = ids,
                       .n = n,
                       .sql = "SELECT vector FROM face_vectors WHERE face_id = $1",
                       .on_row = take_vector,
                       .arg = &v };

    return run_by_id(s, &x, err);
}
