/* Roots, categories, models.
 * SPDX-License-Identifier: Apache-2.0 */
#include "store/store_internal.h"

#include "base/buf.h"
#include "base/clock.h"
#include "base/limits.h"
#include "store/faces.h"

#include <string.h>

/* --- roots --- */

struct add_root {
    const char *path;
    size_t n;
    int64_t id;
};

static ims_status add_root(struct ims_store *s, void *arg, ims_err *err)
{
    struct add_root *x = arg;

    return ims_db_get_int(s->db,
                          "INSERT INTO roots (path, created_us) VALUES ($1, $2) "
                          "ON CONFLICT (path) DO UPDATE SET path = excluded.path RETURNING id",
                          IMS_DB_ARGS(ims_db_blob(x->path, x->n), ims_db_int(ims__now_us())),
                          &x->id, NULL, err);
}

ims_status ims_store_add_root(struct ims_store *s, const char *path, int64_t *out_id, ims_err *err)
{
    struct add_root x = { .path = path };
    ims_status st = ims__store_check_path(path, err);

    if (st)
        return st;
    x.n = strlen(path);
    while (x.n > 1 && path[x.n - 1] == '/')
        x.n--;
    st = ims__store_write(s, add_root, &x, err);
    if (!st)
        *out_id = x.id;
    return st;
}

static ims_status take_root(void *arg, const struct ims_db_query *row, ims_err *err)
{
    struct ims__store_list *l = arg;
    struct ims_store_root *r = ims__store_list_add(l, err);

    if (!r)
        return IMS_E_NOMEM;
    r->id = ims_db_column_int(row, 0);
    r->created_us = ims_db_column_int(row, 2);
    return ims__store_string(l->arena, row, 1, &r->path, err);
}

ims_status ims_store_roots(struct ims_store *s, struct ims_arena *arena,
                           struct ims_store_root **out, size_t *out_n, ims_err *err)
{
    struct ims__store_list l = { .arena = arena, .item_size = sizeof(**out) };
    void *items = NULL;
    ims_status st = ims__store_select(s, "SELECT id, path, created_us FROM roots ORDER BY path",
                                      IMS_DB_NO_ARGS, take_root, &l, err);

    st = ims__store_list_end(&l, st, &items, out_n, err);
    if (!st)
        *out = items;
    return st;
}

/* --- categories --- */

struct add_category {
    const char *name;
    const char *description;
    const char *color;
    int64_t id;
};

static ims_status add_category(struct ims_store *s, void *arg, ims_err *err)
{
    struct add_category *x = arg;
    bool is_new = false;
    ims_status st;

    st = ims_db_get_int(s->db,
                        "INSERT INTO categories (name, description, color, created_us, updated_us) "
                        "VALUES ($1, $2, $3, $4, $4) ON CONFLICT (name) DO NOTHING RETURNING id",
                        IMS_DB_ARGS(ims_db_text(x->name), ims_db_text(x->description),
                                    ims_db_text(x->color), ims_db_int(ims__now_us())),
                        &x->id, &is_new, err);
    if (!st && !is_new)
        st = ims_fail(err, IMS_E_EXISTS, "store", 0, "there is a category of this name already");
    return st;
}

ims_status ims_store_add_category(struct ims_store *s, const char *name, const char *description,
                                  const char *color, int64_t *out_id, ims_err *err)
{
    struct add_category x = { .name = name, .description = description, .color = color };
    ims_status st;

    if (!name || !*name)
        return ims_fail(err, IMS_E_INVALID, "store", 0, "a category needs a name");
    st = ims__store_write(s, add_category, &x, err);
    if (!st)
        *out_id = x.id;
    return st;
}

ims_status ims_store_find_category(struct ims_store *s, const char *name, int64_t *out_id,
                                   ims_err *err)
{
    bool is_found = false;
    int64_t id = 0;
    ims_status st;

    if (name)
        st = ims__store_get_int(s, "SELECT id FROM categories WHERE name = $1",
                                IMS_DB_ARGS(ims_db_text(name)), &id, &is_found, err);
    else
        st = ims__store_get_int(s, "SELECT id FROM categories WHERE is_default = 1 ORDER BY id",
                                IMS_DB_NO_ARGS, &id, &is_found, err);
    if (st)
        return st;
    if (!is_found)
        return ims_fail(err, IMS_E_NOT_FOUND, "store", 0, "there is no %s%s",
                        name ? "category " : "default category", name ? name : "");
    *out_id = id;
    return IMS_OK;
}

static ims_status take_category(void *arg, const struct ims_db_query *row, ims_err *err)
{
    struct ims__store_list *l = arg;
    struct ims_store_category *c = ims__store_list_add(l, err);
    ims_status st;

    if (!c)
        return IMS_E_NOMEM;
    c->id = ims_db_column_int(row, 0);
    c->is_default = ims_db_column_int(row, 4) != 0;
    c->created_us = ims_db_column_int(row, 5);
    c->updated_us = ims_db_column_int(row, 6);
    st = ims__store_string(l->arena, row, 1, &c->name, err);
    if (!st)
        st = ims__store_string(l->arena, row, 2, &c->description, err);
    if (!st)
        st = ims__store_string(l->arena, row, 3, &c->color, err);
    return st;
}

ims_status ims_store_categories(struct ims_store *s, struct ims_arena *arena,
                                struct ims_store_category **out, size_t *out_n, ims_err *err)
{
    struct ims__store_list l = { .arena = arena, .item_size = sizeof(**out) };
    void *items = NULL;
    ims_status st =
        ims__store_select(s,
                          "SELECT id, name, description, color, is_default, created_us, "
                          "updated_us FROM categories ORDER BY id",
                          IMS_DB_NO_ARGS, take_category, &l, err);

    st = ims__store_list_end(&l, st, &items, out_n, err);
    if (!st)
        *out = items;
    return st;
}

struct set_category {
    const int64_t *asset_ids;
    size_t n;
    size_t n_found;
    int64_t category_id;
    struct ims_db_value *values;
};

static ims_status count_row(void *arg, size_t item, const struct ims_db_query *row, ims_err *err)
{
    (void)item;
    (void)row;
    (void)err;
    ++*(size_t *)arg;
    return IMS_OK;
}

static ims_status set_category(struct ims_store *s, void *arg, ims_err *err)
{
    struct set_category *x = arg;
    int64_t id;
    ims_status st;

    st = ims_db_get_int(s->db, "SELECT id FROM categories WHERE id = $1",
                        IMS_DB_ARGS(ims_db_int(x->category_id)), &id, NULL, err);
    if (st == IMS_E_NOT_FOUND)
        return ims_fail(err, st, "store", 0, "there is no category %lld",
                        (long long)x->category_id);
    if (st)
        return st;
    x->n_found = 0;
    st = ims_db_run_many(s->db, "UPDATE assets SET category_id = $2 WHERE id = $1 RETURNING id",
                         x->values, 2, x->n, count_row, &x->n_found, NULL, err);
    if (!st && x->n_found != x->n)
        st = ims_fail(err, IMS_E_NOT_FOUND, "store", 0, "%zu of %zu assets do not exist",
                      x->n - x->n_found, x->n);
    return st ? st : ims__store_bump_epoch(s, err);
}

ims_status ims_store_set_category(struct ims_store *s, const int64_t *asset_ids, size_t n,
                                  int64_t category_id, ims_err *err)
{
    struct set_category x = { .asset_ids = asset_ids, .n = n, .category_id = category_id };
    ims_status st;

    x.values = ims__zalloc(n, 2 * sizeof(*x.values));
    if (!x.values)
        return ims__store_nomem(err);
    for (size_t i = 0; i < n; i++) {
        x.values[2 * i] = ims_db_int(asset_ids[i]);
        x.values[2 * i + 1] = ims_db_int(category_id);
    }
    st = ims__store_write(s, set_category, &x, err);
    ims__free(x.values);
    return st;
}

/* --- models --- */

struct add_model {
    const char *name;
    const char *digest;
    const char *kind;
    int dim;
    /* as stored */
    int64_t id;
    int64_t stored_dim;
    bool is_same_kind;
};

static ims_status take_model_id(void *arg, const struct ims_db_query *row, ims_err *err)
{
    struct add_model *x = arg;
    const char *kind = ims_db_column_text(row, 2, NULL);

    (void)err;
    x->id = ims_db_column_int(row, 0);
    x->stored_dim = ims_db_column_int(row, 1);
    x->is_same_kind = kind && strcmp(kind, x->kind) == 0;
    return IMS_OK;
}

static ims_status add_model(struct ims_store *s, void *arg, ims_err *err)
{
    struct add_model *x = arg;

    return ims__store_select(s,
                             "INSERT INTO models (name, digest, kind, dim, created_us) "
                             "VALUES ($1, $2, $3, $4, $5) ON CONFLICT (name, digest) "
                             "DO UPDATE SET name = excluded.name RETURNING id, dim, kind",
                             IMS_DB_ARGS(ims_db_text(x->name), ims_db_text(x->digest),
                                         ims_db_text(x->kind), ims_db_int(x->dim),
                                         ims_db_int(ims__now_us())),
                             take_model_id, x, err);
}

ims_status ims_store_add_model(struct ims_store *s, const char *name, const char *digest,
                               const char *kind, int dim, int64_t *out_id, ims_err *err)
{
    struct add_model x = { .name = name, .digest = digest, .kind = kind, .dim = dim };
    ims_status st;

    if (!name || !*name || !digest || !kind || !*kind)
        return ims_fail(err, IMS_E_INVALID, "store", 0,
                        "a model needs a name, a digest and a kind");
    if (dim < 1 || dim > IMS_MAX_EMBEDDING_DIM)
        return ims_fail(err, IMS_E_DIMENSION, "store", 0,
                        "model %s has %d dimensions, expected 1 to %d", name, dim,
                        IMS_MAX_EMBEDDING_DIM);
    st = ims__store_write(s, add_model, &x, err);
    if (st)
        return st;
    if (x.stored_dim != dim || !x.is_same_kind)
        return ims_fail(
            err, IMS_E_DIMENSION, "store", 0,
            "model %s is stored with %lld dimensions or as another kind, not %s with %d", name,
            (long long)x.stored_dim, kind, dim);
    *out_id = x.id;
    return IMS_OK;
}

ims_status ims_store_find_model(struct ims_store *s, const char *name, const char *digest,
                                int64_t *out_id, ims_err *err)
{
    bool is_found = false;
    int64_t id = 0;
    ims_status st = ims__store_get_int(s, "SELECT id FROM models WHERE name = $1 AND digest = $2",
                                       IMS_DB_ARGS(ims_db_text(name), ims_db_text(digest)), &id,
                                       &is_found, err);

    if (!st)
        *out_id = is_found ? id : 0;
    return st;
}

struct shape {
    int64_t dim;
    bool is_of_faces;
    bool is_found;
};

static ims_status take_shape(void *arg, const struct ims_db_query *row, ims_err *err)
{
    struct shape *x = arg;
    const char *kind = ims_db_column_text(row, 1, NULL);

    (void)err;
    x->dim = ims_db_column_int(row, 0);
    x->is_of_faces = kind && strcmp(kind, IMS_MODEL_FACE) == 0;
    x->is_found = true;
    return IMS_OK;
}

ims_status ims__store_model_shape(struct ims_store *s, int64_t model_id, int *out_dim,
                                  bool *out_is_of_faces, ims_err *err)
{
    struct shape x = { .is_found = false };
    ims_status st = ims__store_select(s, "SELECT dim, kind FROM models WHERE id = $1",
                                      IMS_DB_ARGS(ims_db_int(model_id)), take_shape, &x, err);

    if (st)
        return st;
    if (!x.is_found)
        return ims_fail(err, IMS_E_NOT_FOUND, "store", 0, "there is no model %lld",
                        (long long)model_id);
    if (x.dim < 1 || x.dim > IMS_MAX_EMBEDDING_DIM)
        return ims_fail(err, IMS_E_CORRUPT, "store", 0, "model %lld has %lld dimensions",
                        (long long)model_id, (long long)x.dim);
    *out_dim = (int)x.dim;
    *out_is_of_faces = x.is_of_faces;
    return IMS_OK;
}

ims_status ims__store_model_dim(struct ims_store *s, int64_t model_id, int *out_dim, ims_err *err)
{
    bool is_of_faces;

    return ims__store_model_shape(s, model_id, out_dim, &is_of_faces, err);
}

static ims_status take_model(void *arg, const struct ims_db_query *row, ims_err *err)
{
    struct ims__store_list *l = arg;
    struct ims_store_model *m = ims__store_list_add(l, err);
    ims_status st;

    if (!m)
        return IMS_E_NOMEM;
    m->id = ims_db_column_int(row, 0);
    m->dim = (int)ims_db_column_int(row, 4);
    m->created_us = ims_db_column_int(row, 5);
    st = ims__store_string(l->arena, row, 1, &m->name, err);
    if (!st)
        st = ims__store_string(l->arena, row, 2, &m->digest, err);
    if (!st)
        st = ims__store_string(l->arena, row, 3, &m->kind, err);
    return st;
}

ims_status ims_store_models(struct ims_store *s, struct ims_arena *arena,
                            struct ims_store_model **out, size_t *out_n, ims_err *err)
{
    struct ims__store_list l = { .arena = arena, .item_size = sizeof(**out) };
    void *items = NULL;
    ims_status st = ims__store_select(
        s, "SELECT id, name, digest, kind, dim, created_us FROM models ORDER BY id", IMS_DB_NO_ARGS,
        take_model, &l, err);

    st = ims__store_list_end(&l, st, &items, out_n, err);
    if (!st)
        *out = items;
    return st;
}
