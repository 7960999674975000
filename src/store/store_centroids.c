/* Centroids of persons, and groups of unknown faces that were dismissed.
 * SPDX-License-Identifier: Apache-2.0 */
#include "store/store_people.h"

#include "base/clock.h"
#include "base/limits.h"

#include <stdlib.h>
#include <string.h>

/* --- centroids --- */

struct put_centroid {
    struct ims_store_centroid *c;
    const void *stored;
    size_t n_bytes;
    int64_t id;
    int64_t now_us;
};

static ims_status put_centroid(struct ims_store *s, void *arg, ims_err *err)
{
    struct put_centroid *x = arg;
    const struct ims_store_centroid *c = x->c;
    ims_status st;

    x->now_us = ims__now_us();
    st = ims_db_run(s->db,
                    "UPDATE person_centroids SET status = 'deprecated' WHERE person_id = $1 AND "
                    "model_id = $2 AND projection_id = $3 AND status = 'active'",
                    IMS_DB_ARGS(ims_db_int(c->person_id), ims_db_int(c->model_id),
                                ims_db_int(c->projection_id)),
                    NULL, err);
    if (st)
        return st;
    return ims_db_get_int(
        s->db,
        "INSERT INTO person_centroids (person_id, model_id, projection_id, algorithm, "
        "kind, label, n_faces, n_trimmed, source_hash, vector, status, created_us) "
        "VALUES ($1, $2, $3, $4, 'global', 'global', $5, $6, $7, $8, 'active', $9) "
        "RETURNING id",
        IMS_DB_ARGS(ims_db_int(c->person_id), ims_db_int(c->model_id), ims_db_int(c->projection_id),
                    ims_db_int(c->algorithm), ims_db_int(c->n_faces), ims_db_int(c->n_trimmed),
                    ims_db_text(c->source_hash), ims_db_blob(x->stored, x->n_bytes),
                    ims_db_int(x->now_us)),
        &x->id, NULL, err);
}

ims_status ims_store_put_centroid(struct ims_store *s, struct ims_store_centroid *c, ims_err *err)
{
    struct put_centroid x = { .c = c };
    void *stored;
    int dim = 0;
    ims_status st = ims__store_model_dim(s, c->model_id, &dim, err);

    if (st)
        return st;
    if (!ims__store_is_unit(c->vector, dim, NULL))
        return ims_fail(err, IMS_E_INVALID, "store", 0, "a centroid has not length 1");
    x.n_bytes = (size_t)dim * sizeof(float);
    stored = ims__alloc(x.n_bytes, 1);
    if (!stored)
        return ims__store_nomem(err);
    ims__store_put_f32(stored, c->vector, (size_t)dim);
    x.stored = stored;
    st = ims__store_write(s, put_centroid, &x, err);
    ims__free(stored);
    if (!st) {
        c->id = x.id;
        c->created_us = x.now_us;
    }
    return st;
}

struct list_centroids {
    struct ims__store_list list;
    int dim;
};

static ims_status take_centroid(void *arg, const struct ims_db_query *row, ims_err *err)
{
    struct list_centroids *x = arg;
    struct ims_store_centroid *c = ims__store_list_add(&x->list, err);
    size_t n_bytes = 0;
    const void *stored = ims_db_column_blob(row, 8, &n_bytes);
    float *vector;

    if (!c)
        return IMS_E_NOMEM;
    c->id = ims_db_column_int(row, 0);
    if (!stored || n_bytes != (size_t)x->dim * sizeof(float))
        return ims__store_bad_vector("centroid", c->id, n_bytes, x->dim, err);
    vector = ims__arena_alloc(x->list.arena, (size_t)x->dim, sizeof(float));
    if (!vector)
        return ims__store_nomem(err);
    ims__store_get_f32(vector, stored, (size_t)x->dim);
    c->vector = vector;
    c->person_id = ims_db_column_int(row, 1);
    c->model_id = ims_db_column_int(row, 2);
    c->projection_id = ims_db_column_int(row, 3);
    c->algorithm = (int)ims_db_column_int(row, 4);
    c->n_faces = ims_db_column_int(row, 5);
    c->n_trimmed = ims_db_column_int(row, 6);
    c->created_us = ims_db_column_int(row, 9);
    return ims__store_string(x->list.arena, row, 7, &c->source_hash, err);
}

ims_status ims_store_centroids(struct ims_store *s, int64_t model_id, int64_t projection_id,
                               int64_t person_id, struct ims_arena *arena,
                               struct ims_store_centroid **out, size_t *out_n, ims_err *err)
{
    struct list_centroids x = { { .arena = arena, .item_size = sizeof(**out) }, 0 };
    void *items = NULL;
    ims_status st = ims__store_model_dim(s, model_id, &x.dim, err);

    if (!st)
        st = ims__store_select(
            s,
            "SELECT id, person_id, model_id, projection_id, algorithm, n_faces, "
            "n_trimmed, source_hash, vector, created_us FROM person_centroids WHERE "
            "model_id = $1 AND projection_id = $2 AND (person_id = $3 OR $3 = 0) "
            "AND status = 'active' ORDER BY person_id, id",
            IMS_DB_ARGS(ims_db_int(model_id), ims_db_int(projection_id), ims_db_int(person_id)),
            take_centroid, &x, err);
    st = ims__store_list_end(&x.list, st, &items, out_n, err);
    if (!st)
        *out = items;
    return st;
}

struct drop_centroids {
    int64_t person_id;
    int64_t n;
};

static ims_status drop_centroids(struct ims_store *s, void *arg, ims_err *err)
{
    struct drop_centroids *x = arg;

    return ims_db_run(s->db, "DELETE FROM person_centroids WHERE person_id = $1",
                      IMS_DB_ARGS(ims_db_int(x->person_id)), &x->n, err);
}

ims_status ims_store_drop_centroids(struct ims_store *s, int64_t person_id, int64_t *out_n,
                                    ims_err *err)
{
    struct drop_centroids x = { person_id, 0 };
    ims_status st = ims__store_write(s, drop_centroids, &x, err);

    if (!st && out_n)
        *out_n = x.n;
    return st;
}

/* --- dismissed groups --- */

static int compare_ids(const void *pa, const void *pb)
{
    int64_t a = *(const int64_t *)pa, b = *(const int64_t *)pb;

    return (a > b) - (a < b);
}

/* The JSON array of the ids in rising order. */
static ims_status ids_text(const int64_t *ids, size_t n, struct ims_buf *out, ims_err *err)
{
    int64_t *sorted = ims__memdup(ids, (n ? n : 1) * sizeof(*ids));
    ims_status st;

    if (!sorted)
        return ims__store_nomem(err);
    qsort(sorted, n, sizeof(*sorted), compare_ids);
    (void)ims__buf_add_char(out, '[');
    for (size_t i = 0; i < n; i++)
        (void)ims__buf_addf(out, "%s%lld", i ? "," : "", (long long)sorted[i]);
    (void)ims__buf_add_char(out, ']');
    ims__free(sorted);
    st = ims__buf_status(out);
    return st ? ims_fail(err, st, "store", 0, "listing the faces of a group") : IMS_OK;
}

ims_status ims_store_membership_hash(const int64_t *face_ids, size_t n, char *out, ims_err *err)
{
    uint8_t digest[IMS_SHA256_BYTES];
    struct ims_buf text;
    ims_status st;

    if (!n)
        return ims_fail(err, IMS_E_INVALID, "store", 0, "a group without faces");
    ims__buf_init(&text, IMS_MAX_JSON_BYTES);
    st = ids_text(face_ids, n, &text, err);
    if (!st)
        st = ims__sha256(text.data, text.len, digest, err);
    if (!st)
        ims__hex(digest, sizeof(digest), out);
    ims__buf_release(&text);
    return st;
}

struct dismiss {
    const int64_t *face_ids;
    size_t n;
    int64_t cluster_id;
    const char *reason;
    const char *ids;
    bool is_noise;
    char hash[IMS_SHA256_HEX];
    int64_t id;
};

static ims_status leave_cluster(struct ims_store *s, const struct dismiss *x, ims_err *err)
{
    struct ims_db_value *values = ims__zalloc(x->n, 2 * sizeof(*values));
    ims_status st;

    if (!values)
        return ims__store_nomem(err);
    for (size_t i = 0; i < x->n; i++) {
        values[2 * i] = ims_db_int(x->face_ids[i]);
        values[2 * i + 1] = ims_db_int(ims__now_us());
    }
    st = ims_db_run_many(s->db,
                         "UPDATE faces SET cluster_id = NULL, cluster_probability = NULL, "
                         "clustered_us = $2 WHERE id = $1",
                         values, 2, x->n, NULL, NULL, NULL, err);
    ims__free(values);
    return st ? st : ims__store_drop_empty_clusters(s, err);
}

static ims_status dismiss(struct ims_store *s, void *arg, ims_err *err)
{
    struct dismiss *x = arg;
    ims_status st = ims_db_get_int(
        s->db,
        "INSERT INTO dismissed_groups (membership_hash, cluster_id, n_faces, face_ids_json, "
        "reason, "
        "is_noise, created_us) VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT (membership_hash) "
        "DO UPDATE SET reason = COALESCE(excluded.reason, dismissed_groups.reason) RETURNING id",
        IMS_DB_ARGS(ims_db_text(x->hash), ims__int_or_null(x->cluster_id),
                    ims_db_int((int64_t)x->n), ims_db_text(x->ids), ims_db_text(x->reason),
                    ims_db_int(x->is_noise), ims_db_int(ims__now_us())),
        &x->id, NULL, err);

    return !st && x->is_noise ? leave_cluster(s, x, err) : st;
}

ims_status ims_store_dismiss(struct ims_store *s, const int64_t *face_ids, size_t n,
                             int64_t cluster_id, const char *reason, bool is_noise, int64_t *out_id,
                             ims_err *err)
{
    struct dismiss x = { .face_ids = face_ids,
                         .n = n,
                         .cluster_id = cluster_id,
                         .reason = reason,
                         .is_noise = is_noise };
    struct ims_buf ids;
    ims_status st;

    ims__buf_init(&ids, IMS_MAX_JSON_BYTES);
    st = ims_store_membership_hash(face_ids, n, x.hash, err);
    if (!st)
        st = ids_text(face_ids, n, &ids, err);
    x.ids = ids.data;
    if (!st)
        st = ims__store_write(s, dismiss, &x, err);
    ims__buf_release(&ids);
    if (!st && out_id)
        *out_id = x.id;
    return st;
}

static ims_status take_dismissed(void *arg, const struct ims_db_query *row, ims_err *err)
{
    struct ims__store_list *l = arg;
    struct ims_store_dismissed *d = ims__store_list_add(l, err);
    ims_status st;

    if (!d)
        return IMS_E_NOMEM;
    d->id = ims_db_column_int(row, 0);
    d->cluster_id = ims_db_column_int(row, 2);
    d->n_faces = ims_db_column_int(row, 3);
    d->is_noise = ims_db_column_int(row, 5) != 0;
    d->created_us = ims_db_column_int(row, 6);
    st = ims__store_string(l->arena, row, 1, &d->membership_hash, err);
    return st ? st : ims__store_string(l->arena, row, 4, &d->reason, err);
}

ims_status ims_store_dismissed_groups(struct ims_store *s, struct ims_arena *arena,
                                      struct ims_store_dismissed **out, size_t *out_n, ims_err *err)
{
    struct ims__store_list l = { .arena = arena, .item_size = sizeof(**out) };
    void *items = NULL;
    ims_status st =
        ims__store_select(s,
                          "SELECT id, membership_hash, cluster_id, n_faces, reason, is_noise, "
                          "created_us FROM dismissed_groups ORDER BY id",
                          IMS_DB_NO_ARGS, take_dismissed, &l, err);

    st = ims__store_list_end(&l, st, &items, out_n, err);
    if (!st)
        *out = items;
    return st;
}

static ims_status undismiss(struct ims_store *s, void *arg, ims_err *err)
{
    int64_t id = *(int64_t *)arg, n = 0;
    ims_status st = ims_db_run(s->db, "DELETE FROM dismissed_groups WHERE id = $1",
                               IMS_DB_ARGS(ims_db_int(id)), &n, err);

    if (!st && !n)
        st = ims_fail(err, IMS_E_NOT_FOUND, "store", 0, "there is no dismissed group %lld",
                      (long long)id);
    return st;
}

ims_status ims_store_undismiss(struct ims_store *s, int64_t id, ims_err *err)
{
    return ims__store_write(s, undismiss, &id, err);
}
