/* Centroids: the mean of a person's faces, made anew when what it comes from changed, and the faces near it.
 * SPDX-License-Identifier: Apache-2.0 */
#include "engine/people_internal.h"

#include "kernels/kernels.h"
#include "people/identity/centroid.h"

#include <string.h>

ims_status ims__people_projection(struct ims_engine *e, int64_t model_id, int64_t *out_id,
                                  float **out, ims_err *err)
{
    int dim = 0;
    ims_status st = ims_store_active_projection(e->store, model_id, out_id, err);

    *out = NULL;
    if (!st && *out_id)
        st = ims_store_read_projection(e->store, *out_id, out, &dim, NULL, NULL, err);
    return st;
}

void ims__people_project(const float *projection, int dim, const float *in, float *out)
{
    const struct ims_kernels *k = ims__kernels();

    k->dot_f32_rows(in, projection, (size_t)dim, (size_t)dim, (size_t)dim, out);
    (void)k->normalise_f32(out, (size_t)dim);
}

struct collect {
    const float *projection;
    int dim;
    float *vectors;
    int64_t *ids;
    size_t n, cap_vectors, cap_ids;
};

static ims_status collect_vector(void *arg, const struct ims_store_face_key *face,
                                 const float *vector, ims_err *err)
{
    struct collect *c = arg;
    void *vectors = c->vectors, *ids = c->ids;
    size_t row = (size_t)c->dim * sizeof(float);
    bool ok = ims__grow(&vectors, &c->cap_vectors, c->n, row, SIZE_MAX / row) &&
              ims__grow(&ids, &c->cap_ids, c->n, sizeof(int64_t), SIZE_MAX / 8);

    c->vectors = vectors;
    c->ids = ids;
    if (!ok)
        return ims__people_nomem(err);
    if (c->projection)
        ims__people_project(c->projection, c->dim, vector, c->vectors + c->n * (size_t)c->dim);
    else
        memcpy(c->vectors + c->n * (size_t)c->dim, vector, row);
    c->ids[c->n++] = face->id;
    return IMS_OK;
}

struct centroid_run {
    struct ims_engine *e;
    struct ims_people_centroids *what;
    int64_t model_id, projection_id;
    float *projection;
    int dim;
};

/* The active one; NULL = none. */
static ims_status read_centroid(struct ims_engine *e, int64_t model_id, int64_t projection_id, int64_t person_id,
                                struct ims_arena *arena, struct ims_store_centroid **out, ims_err *err)
{
    size_t n = 0;
    ims_status st = ims_store_centroids(e->store, model_id, projection_id, person_id, arena, out, &n, err);

    if (!st && !n)
        *out = NULL;
    return st;
}

static bool is_of(const struct ims_store_centroid *c, const char *hash)
{
    return c && c->algorithm == IMS_CENTROID_ALGORITHM && strcmp(c->source_hash, hash) == 0;
}

/* What there is and is as it should be? */
static ims_status is_fresh(struct centroid_run *x, int64_t person_id, const char *hash, bool *out,
                           ims_err *err)
{
    struct ims_store_centroid *c = NULL;
    struct ims_arena arena;
    ims_status st;

    ims__arena_init(&arena, 0);
    st = read_centroid(x->e, x->model_id, x->projection_id, person_id, &arena, &c, err);
    *out = !st && is_of(c, hash);
    ims__arena_release(&arena);
    return st;
}

static ims_status make_centroid(struct centroid_run *x, int64_t person_id, ims_err *err)
{
    const struct ims_store_face_filter filter = { .model_id = x->model_id, .person_id = person_id };
    struct collect faces = { .projection = x->projection, .dim = x->dim };
    struct ims_store_centroid c = { .person_id = person_id,
                                    .model_id = x->model_id,
                                    .projection_id = x->projection_id,
                                    .algorithm = IMS_CENTROID_ALGORITHM };
    char hash[IMS_CENTROID_HASH_BYTES];
    float *mean = ims__alloc((size_t)x->dim, sizeof(*mean));
    size_t n_trimmed = 0;
    bool fresh = false;
    ims_status st = mean ? ims_store_face_vectors(x->e->store, &filter, collect_vector, &faces, err)
                         : ims__people_nomem(err);

    if (!st && faces.n < (x->what->min_faces ? x->what->min_faces : 2)) {
        x->what->n_too_few++;
        goto out;
    }
    if (!st)
        st = ims_centroid_hash(faces.ids, faces.n, hash, err);
    if (!st && !x->what->is_forced)
        st = is_fresh(x, person_id, hash, &fresh, err);
    x->what->n_fresh += fresh;
    if (st || fresh)
        goto out;
    st =
        ims_centroid(ims__kernels(), faces.vectors, faces.n, (size_t)x->dim, mean, &n_trimmed, err);
    c.n_faces = (int64_t)faces.n;
    c.n_trimmed = (int64_t)n_trimmed;
    c.source_hash = hash;
    c.vector = mean;
    if (!st)
        st = ims_store_put_centroid(x->e->store, &c, err);
    x->what->n_made += !st;
out:
    ims__free(faces.vectors);
    ims__free(faces.ids);
    ims__free(mean);
    return st;
}

static ims_status make_all(struct centroid_run *x, struct ims_arena *arena, ims_err *err)
{
    const struct ims_store_person_filter filter = { .model_id = x->model_id,
                                                    .id = x->what->person_id };
    struct ims_store_person *persons = NULL;
    size_t n = 0;
    ims_status st = ims_store_persons(x->e->store, &filter, IMS_PERSONS_BY_NAME, 0, 0, arena,
                                      &persons, &n, NULL, err);

    if (!st && !n && x->what->person_id)
        st = ims_fail(err, IMS_E_NOT_FOUND, "people", 0, "there is no person %lld",
                      (long long)x->what->person_id);
    x->what->n_persons = n;
    for (size_t i = 0; !st && i < n; i++)
        st = make_centroid(x, persons[i].id, err);
    return st;
}

ims_status ims__people_model_dim(struct ims_engine *e, int64_t model_id, int *out, ims_err *err)
{
    struct ims_store_model *models = NULL;
    struct ims_arena arena;
    size_t n = 0;
    ims_status st;

    ims__arena_init(&arena, 0);
    st = ims_store_models(e->store, &arena, &models, &n, err);
    for (size_t i = 0; !st && i < n; i++) {
        if (models[i].id == model_id)
            *out = models[i].dim;
    }
    ims__arena_release(&arena);
    return st;
}

ims_status ims_people_centroids(struct ims_engine *e, struct ims_people_centroids *what,
                                ims_err *err)
{
    struct centroid_run x = { .e = e, .what = what };
    struct ims_arena arena;
    ims_status st;

    what->n_persons = what->n_made = what->n_fresh = what->n_too_few = 0;
    ims__arena_init(&arena, 0);
    st = ims_people_model(e, &x.model_id, err);
    if (!st && x.model_id) {
        st = ims__people_model_dim(e, x.model_id, &x.dim, err);
        if (!st)
            st = ims__people_projection(e, x.model_id, &x.projection_id, &x.projection, err);
        if (!st)
            st = make_all(&x, &arena, err);
    }
    ims__free(x.projection);
    ims__arena_release(&arena);
    return st;
}

/* The hash of the person's faces as they are; "" when there are none. */
static ims_status hash_faces(struct ims_engine *e, int64_t model_id, int64_t person_id, struct ims_arena *arena,
                             char out[IMS_CENTROID_HASH_BYTES], ims_err *err)
{
    const struct ims_store_face_filter filter = { .model_id = model_id, .person_id = person_id };
    struct ims_store_face *faces = NULL;
    int64_t *ids;
    size_t n = 0;
    ims_status st = ims__people_faces(e->store, &filter, IMS_STORE_FACES_BY_ID, arena, &faces, &n, err);

    out[0] = '\0';
    if (st || !n)
        return st;
    ids = ims__people_ids(arena, faces, n);
    return ids ? ims_centroid_hash(ids, n, out, err) : ims__people_nomem(err);
}

ims_status ims_people_centroid_of(struct ims_engine *e, int64_t person_id, struct ims_arena *arena,
                                  struct ims_store_centroid **out, ims_centroid_state *out_state, ims_err *err)
{
    struct ims_store_centroid *c = NULL;
    char hash[IMS_CENTROID_HASH_BYTES] = "";
    int64_t model_id = 0, projection_id = 0;
    ims_status st = ims_people_model(e, &model_id, err);

    if (!st && model_id) {
        st = ims_store_active_projection(e->store, model_id, &projection_id, err);
        if (!st)
            st = read_centroid(e, model_id, projection_id, person_id, arena, &c, err);
        if (!st)
            st = hash_faces(e, model_id, person_id, arena, hash, err);
    }
    if (st)
        return st;
    *out = c;
    *out_state = !c ? IMS_CENTROID_MISSING : is_of(c, hash) ? IMS_CENTROID_FRESH : IMS_CENTROID_STALE;
    return IMS_OK;
}
