/* Projections: learned maps of a face model's vectors, versioned, at most one active.
 * SPDX-License-Identifier: Apache-2.0 */
#include "store/faces.h"
#include "store/store_internal.h"

#include "base/clock.h"

#include <string.h>

struct add_projection {
    int64_t model_id;
    const char *name;
    const char *digest;
    const void *weights;
    size_t n_bytes;
    const void *optimizer;
    size_t optimizer_bytes;
    const char *metrics_json;
    int64_t id;
};

static ims_status add_projection(struct ims_store *s, void *arg, ims_err *err)
{
    struct add_projection *x = arg;

    return ims_db_get_int(
        s->db,
        "INSERT INTO face_projections (model_id, version, name, digest, weights, optimizer, "
        "metrics_json, created_us) VALUES ($1, (SELECT COALESCE(MAX(version), 0) + 1 "
        "FROM face_projections WHERE model_id = $1), $2, $3, $4, $5, $6, $7) RETURNING id",
        IMS_DB_ARGS(ims_db_int(x->model_id), ims_db_text(x->name), ims_db_text(x->digest),
                    ims_db_blob(x->weights, x->n_bytes),
                    x->optimizer ? ims_db_blob(x->optimizer, x->optimizer_bytes) : ims_db_null(),
                    ims_db_text(x->metrics_json), ims_db_int(ims__now_us())),
        &x->id, NULL, err);
}

static ims_status digest_of(const void *p, size_t n, char out[IMS_SHA256_HEX], ims_err *err)
{
    uint8_t digest[IMS_SHA256_BYTES];
    ims_status st = ims__sha256(p, n, digest, err);

    if (!st)
        ims__hex(digest, sizeof(digest), out);
    return st;
}

ims_status ims_store_add_projection(struct ims_store *s, int64_t model_id, const char *name,
                                    const float *weights, const void *optimizer,
                                    size_t optimizer_bytes, const char *metrics_json,
                                    int64_t *out_id, ims_err *err)
{
    struct add_projection x = { .model_id = model_id,
                                .name = name,
                                .optimizer = optimizer,
                                .optimizer_bytes = optimizer_bytes,
                                .metrics_json = metrics_json };
    char digest[IMS_SHA256_HEX];
    void *stored = NULL;
    int dim = 0;
    ims_status st;

    if (!name || !*name)
        return ims_fail(err, IMS_E_INVALID, "store", 0, "a projection needs a name");
    st = ims__store_model_dim(s, model_id, &dim, err);
    if (st)
        return st;
    x.n_bytes = (size_t)dim * (size_t)dim * sizeof(float);
    stored = ims__alloc(x.n_bytes, 1);
    if (!stored)
        return ims__store_nomem(err);
    ims__store_put_f32(stored, weights, (size_t)dim * (size_t)dim);
    x.weights = stored;
    x.digest = digest;
    st = digest_of(stored, x.n_bytes, digest, err);
    if (!st)
        st = ims__store_write(s, add_projection, &x, err);
    ims__free(stored);
    if (!st)
        *out_id = x.id;
    return st;
}

static ims_status take_projection(void *arg, const struct ims_db_query *row, ims_err *err)
{
    struct ims__store_list *l = arg;
    struct ims_store_projection *p = ims__store_list_add(l, err);
    ims_status st;

    if (!p)
        return IMS_E_NOMEM;
    p->id = ims_db_column_int(row, 0);
    p->model_id = ims_db_column_int(row, 1);
    p->version = (int)ims_db_column_int(row, 2);
    p->is_active = ims_db_column_int(row, 6) != 0;
    p->created_us = ims_db_column_int(row, 7);
    st = ims__store_string(l->arena, row, 3, &p->name, err);
    if (!st)
        st = ims__store_string(l->arena, row, 4, &p->digest, err);
    if (!st)
        st = ims__store_string(l->arena, row, 5, &p->metrics_json, err);
    return st;
}

ims_status ims_store_projections(struct ims_store *s, int64_t model_id, struct ims_arena *arena,
                                 struct ims_store_projection **out, size_t *out_n, ims_err *err)
{
    struct ims__store_list l = { .arena = arena, .item_size = sizeof(**out) };
    void *items = NULL;
    ims_status st = ims__store_select(s,
                                      "SELECT id, model_id, version, name, digest, metrics_json, "
                                      "is_active, created_us FROM face_projections "
                                      "WHERE model_id = $1 ORDER BY version DESC",
                                      IMS_DB_ARGS(ims_db_int(model_id)), take_projection, &l, err);

    st = ims__store_list_end(&l, st, &items, out_n, err);
    if (!st)
        *out = items;
    return st;
}

/* --- reading the weights --- */

struct read_projection {
    int64_t dim;
    bool is_found;
    float *weights;
    void *optimizer;
    size_t optimizer_bytes;
};

static ims_status take_weights(void *arg, const struct ims_db_query *row, ims_err *err)
{
    struct read_projection *x = arg;
    size_t n_bytes = 0, n = 0;
    const void *stored = ims_db_column_blob(row, 1, &n_bytes);
    const char *digest = ims_db_column_text(row, 3, NULL);
    const void *optimizer = ims_db_column_blob(row, 2, &n);
    char found[IMS_SHA256_HEX];
    ims_status st;

    x->is_found = true;
    x->dim = ims_db_column_int(row, 0);
    st = digest_of(stored, n_bytes, found, err);
    if (st)
        return st;
    if (!stored || n_bytes != (size_t)x->dim * (size_t)x->dim * sizeof(float) || !digest ||
        strcmp(found, digest) != 0)
        return ims_fail(err, IMS_E_CORRUPT, "store", 0,
                        "the weights of a projection are damaged; train it again");
    x->weights = ims__aligned_alloc(64, n_bytes, 1);
    if (!x->weights)
        return ims__store_nomem(err);
    ims__store_get_f32(x->weights, stored, n_bytes / sizeof(float));
    if (optimizer && !ims_db_column_is_null(row, 2)) {
        x->optimizer = ims__memdup(optimizer, n);
        x->optimizer_bytes = n;
        if (!x->optimizer)
            return ims__store_nomem(err);
    }
    return IMS_OK;
}

ims_status ims_store_read_projection(struct ims_store *s, int64_t id, float **out_weights,
                                     int *out_dim, void **out_optimizer,
                                     size_t *out_optimizer_bytes, ims_err *err)
{
    struct read_projection x = { 0 };
    ims_status st = ims__store_select(s,
                                      "SELECT m.dim, p.weights, p.optimizer, p.digest FROM "
                                      "face_projections p JOIN models m ON m.id = p.model_id "
                                      "WHERE p.id = $1",
                                      IMS_DB_ARGS(ims_db_int(id)), take_weights, &x, err);

    if (!st && !x.is_found)
        st = ims_fail(err, IMS_E_NOT_FOUND, "store", 0, "there is no projection %lld",
                      (long long)id);
    if (st || !out_optimizer) {
        ims__free(x.optimizer);
        x.optimizer = NULL;
    }
    if (st) {
        ims__free(x.weights);
        return st;
    }
    *out_weights = x.weights;
    *out_dim = (int)x.dim;
    if (out_optimizer)
        *out_optimizer = x.optimizer;
    if (out_optimizer_bytes)
        *out_optimizer_bytes = x.optimizer_bytes;
    return IMS_OK;
}

/* --- which one is applied --- */

struct activate {
    int64_t model_id;
    int64_t id;
};

static ims_status activate(struct ims_store *s, void *arg, ims_err *err)
{
    const struct activate *x = arg;
    int64_t n = 0;
    ims_status st =
        ims_db_run(s->db, "UPDATE face_projections SET is_active = 0 WHERE model_id = $1",
                   IMS_DB_ARGS(ims_db_int(x->model_id)), NULL, err);

    if (!st && x->id)
        st = ims_db_run(s->db,
                        "UPDATE face_projections SET is_active = 1 WHERE id = $1 AND model_id = $2",
                        IMS_DB_ARGS(ims_db_int(x->id), ims_db_int(x->model_id)), &n, err);
    if (!st && x->id && !n)
        st = ims_fail(err, IMS_E_NOT_FOUND, "store", 0, "the model has no projection %lld",
                      (long long)x->id);
    return st;
}

ims_status ims_store_activate_projection(struct ims_store *s, int64_t model_id, int64_t id,
                                         ims_err *err)
{
    struct activate x = { model_id, id };

    return ims__store_write(s, activate, &x, err);
}

ims_status ims_store_active_projection(struct ims_store *s, int64_t model_id, int64_t *out_id,
                                       ims_err *err)
{
    bool is_found = false;
    int64_t id = 0;
    ims_status st = ims__store_get_int(
        s, "SELECT id FROM face_projections WHERE model_id = $1 AND is_active = 1",
        IMS_DB_ARGS(ims_db_int(model_id)), &id, &is_found, err);

    if (!st)
        *out_id = is_found ? id : 0;
    return st;
}

static ims_status drop_projection(struct ims_store *s, void *arg, ims_err *err)
{
    int64_t id = *(int64_t *)arg, is_active = 0;
    ims_status st = ims_db_get_int(s->db, "SELECT is_active FROM face_projections WHERE id = $1",
                                   IMS_DB_ARGS(ims_db_int(id)), &is_active, NULL, err);

    if (st == IMS_E_NOT_FOUND)
        return ims_fail(err, st, "store", 0, "there is no projection %lld", (long long)id);
    if (!st && is_active)
        return ims_fail(err, IMS_E_CONSTRAINT, "store", 0,
                        "projection %lld is active; switch it off first", (long long)id);
    if (!st)
        st = ims_db_run(s->db, "DELETE FROM person_centroids WHERE projection_id = $1",
                        IMS_DB_ARGS(ims_db_int(id)), NULL, err);
    return st ? st
              : ims_db_run(s->db, "DELETE FROM face_projections WHERE id = $1",
                           IMS_DB_ARGS(ims_db_int(id)), NULL, err);
}

ims_status ims_store_drop_projection(struct ims_store *s, int64_t id, ims_err *err)
{
    return ims__store_write(s, drop_projection, &id, err);
}
