/* Faces and their neighbour graph in memory.
 * SPDX-License-Identifier: Apache-2.0 */
#include "engine/clusters_internal.h"
#include "engine/people_internal.h"

#include "base/fs.h"
#include "base/log.h"
#include "base/mem.h"

#include <string.h>

#define MAX_GRAPH_BYTES ((size_t)16 << 30)

static bool grow(struct ims__face_set *f)
{
    size_t cap = f->cap ? 2 * f->cap : 1024;
    float *vectors = ims__realloc(f->vectors, cap, f->dim * sizeof(*vectors));
    int64_t **columns[] = { &f->ids, &f->contents, &f->clusters, &f->persons };
    double *qualities;

    if (!vectors)
        return false;
    f->vectors = vectors;
    for (size_t i = 0; i < IMS_ARRAY_LEN(columns); i++) {
        int64_t *column = ims__realloc(*columns[i], cap, sizeof(*column));

        if (!column)
            return false;
        *columns[i] = column;
    }
    qualities = ims__realloc(f->qualities, cap, sizeof(*qualities));
    if (!qualities)
        return false;
    f->qualities = qualities;
    f->cap = cap;
    return true;
}

static ims_status add(struct ims__face_set *f, const struct ims_store_face_key *key, const float *vector, ims_err *err)
{
    if (f->n == f->cap && !grow(f))
        return ims_fail(err, IMS_E_NOMEM, "engine", 0, "the vectors of %zu faces", f->n + 1);
    memcpy(f->vectors + f->n * f->dim, vector, f->dim * sizeof(*vector));
    f->ids[f->n] = key->id;
    f->contents[f->n] = key->content_id;
    f->clusters[f->n] = key->cluster_id;
    f->persons[f->n] = key->person_id;
    f->qualities[f->n] = key->quality;
    f->n++;
    return IMS_OK;
}

static ims_status take_face(void *arg, const struct ims_store_face_key *key, const float *vector, ims_err *err)
{
    return add(arg, key, vector, err);
}

static ims_status find_dim(struct ims_engine *e, int64_t model_id, size_t *out, ims_err *err)
{
    struct ims_store_model *models;
    struct ims_arena arena;
    size_t n = 0;
    ims_status st;

    ims__arena_init(&arena, 0);
    st = ims_store_models(e->store, &arena, &models, &n, err);
    for (size_t i = 0; i < n && !st; i++) {
        if (models[i].id == model_id)
            *out = (size_t)models[i].dim;
    }
    ims__arena_release(&arena);
    return st;
}

/* Vectors stay as they are in the library: what a training makes of them is for comparing only. */
static ims_status project(struct ims__face_set *f, struct ims_engine *e, int64_t model_id, ims_err *err)
{
    float *projection = NULL, *row = NULL;
    ims_status st = ims__people_projection(e, model_id, &f->projection_id, &projection, err);

    if (!st && projection) {
        row = ims__alloc(f->dim, sizeof(*row));
        if (!row)
            st = ims_fail(err, IMS_E_NOMEM, "engine", 0, "the vectors of %zu faces", f->n);
    }
    for (size_t i = 0; row && i < f->n; i++) {
        ims__people_project(projection, (int)f->dim, f->vectors + i * f->dim, row);
        memcpy(f->vectors + i * f->dim, row, f->dim * sizeof(*row));
    }
    ims__free(projection);
    ims__free(row);
    return st;
}

ims_status ims__face_set_load(struct ims__face_set *f, struct ims_engine *e, const struct ims_store_face_filter *filter,
                              ims_err *err)
{
    ims_status st;

    *f = (struct ims__face_set){ .dim = 0 };
    st = find_dim(e, filter->model_id, &f->dim, err);
    if (!st)
        st = ims_store_face_vectors(e->store, filter, take_face, f, err);
    if (!st)
        st = project(f, e, filter->model_id, err);
    if (st)
        ims__face_set_release(f);
    return st;
}

void ims__face_set_release(struct ims__face_set *f)
{
    ims__free(f->vectors);
    ims__free(f->ids);
    ims__free(f->contents);
    ims__free(f->clusters);
    ims__free(f->persons);
    ims__free(f->qualities);
    *f = (struct ims__face_set){ 0 };
}

struct ims_points ims__face_set_points(const struct ims__face_set *f)
{
    return (struct ims_points){ .n = f->n, .dim = f->dim, .vectors = f->vectors, .ids = f->ids };
}

ims_status ims__face_set_part(struct ims__face_set *out, const struct ims__face_set *f, const bool *is_in, ims_err *err)
{
    ims_status st = IMS_OK;

    *out = (struct ims__face_set){ .dim = f->dim, .projection_id = f->projection_id };
    for (size_t i = 0; i < f->n && !st; i++) {
        struct ims_store_face_key key = { .id = f->ids[i],
                                          .content_id = f->contents[i],
                                          .person_id = f->persons[i],
                                          .cluster_id = f->clusters[i],
                                          .quality = f->qualities[i] };

        if (is_in[i])
            st = add(out, &key, f->vectors + i * f->dim, err);
    }
    if (st)
        ims__face_set_release(out);
    return st;
}

/* --- the stored graph --- */

/* A graph that cannot be read is none: it can be made again. */
static struct ims_graph *read_graph(const char *path, const char *key)
{
    struct ims_graph *g = NULL;
    struct ims_buf bytes;
    uint64_t generation;
    ims_err why = { 0 };

    if (ims__read_file(path, MAX_GRAPH_BYTES, &bytes, NULL, &why))
        return NULL;
    if (ims__graph_decode(&g, bytes.data, bytes.len, key, &generation, &why))
        ims__log(IMS_LOG_DEBUG, "engine", "%s: %s", path, why.text);
    ims__buf_release(&bytes);
    return g;
}

static void write_graph(const struct ims_graph *g, const char *path, const char *key, uint64_t generation)
{
    struct ims_buf bytes;
    ims_err why = { 0 };

    if (ims__graph_encode(g, key, generation, &bytes, &why))
        return;
    if (ims__write_derived(path, bytes.data, bytes.len, &why))
        ims__log(IMS_LOG_DEBUG, "engine", "%s: %s", path, why.text);
    ims__buf_release(&bytes);
}

static bool is_complete(const struct ims_graph *g, const struct ims_points *p, const struct ims_graph_options *o)
{
    size_t wanted = o->max_samples ? o->max_samples : IMS_GRAPH_MAX_SAMPLES;

    return g->n == p->n && (g->max_samples >= wanted || g->max_samples + 1 >= g->n);
}

ims_status ims__face_graph(struct ims_graph **out, struct ims_engine *e, int64_t model_id, const struct ims__face_set *f,
                           const struct ims_graph_options *options, bool is_anew, const char **out_from, ims_err *err)
{
    struct ims_points points = ims__face_set_points(f);
    char *key = ims__strfmt(f->projection_id ? "faces of model %lld, training %lld" : "faces of model %lld",
                            (long long)model_id, (long long)f->projection_id);
    char *path = ims__strfmt("%s/cache/faces-%lld.graph", e->options.data_dir, (long long)model_id);
    struct ims_graph *old = NULL, *g = NULL;
    ims_status st = IMS_E_UNSUPPORTED;

    if (!key || !path) {
        st = ims_fail(err, IMS_E_NOMEM, "engine", 0, "the neighbour graph");
        goto out;
    }
    old = is_anew ? NULL : read_graph(path, key);
    if (old && !ims__graph_fits(old, &points)) {
        ims__graph_free(old);
        old = NULL;
    }
    if (old && is_complete(old, &points, options)) {
        *out = old;
        *out_from = "stored";
        old = NULL;
        st = IMS_OK;
        goto out;
    }
    *out_from = "extended";
    if (old)
        st = ims__graph_extend(&g, old, &points, options, err);
    if (st == IMS_E_UNSUPPORTED) {
        *out_from = "computed";
        st = ims__graph_build(&g, &points, options, err);
    }
    if (!st) {
        write_graph(g, path, key, (uint64_t)f->n);
        *out = g;
    }
out:
    ims__graph_free(old);
    ims__free(key);
    ims__free(path);
    return st;
}
