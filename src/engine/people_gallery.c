/* The gallery: prototypes and centroids of persons, in the space in which faces are compared.
 * SPDX-License-Identifier: Apache-2.0 */
#include "engine/people_internal.h"

#include <string.h>

#define NO_ROW ((size_t)-1)

/* Persons who can be recognised, with the prototypes of each. */
static ims_status add_persons(struct ims__gallery *g, const struct ims_store_person *persons,
                              size_t n_persons, const struct ims_store_prototype *prototypes,
                              size_t n_prototypes, ims_err *err)
{
    g->persons = ims__arena_alloc(&g->arena, n_persons + 1, sizeof(*g->persons));
    g->face_ids = ims__arena_alloc(&g->arena, n_prototypes + 1, sizeof(*g->face_ids));
    g->qualities = ims__arena_alloc(&g->arena, n_prototypes + 1, sizeof(*g->qualities));
    if (!g->persons || !g->face_ids || !g->qualities)
        return ims__people_nomem(err);
    for (size_t i = 0; i < n_persons; i++) {
        struct ims__gallery_person *p = &g->persons[g->n_persons++];

        *p = (struct ims__gallery_person){
            .id = persons[i].id, .name = persons[i].name, .first = g->n_rows, .centroid = NO_ROW,
            .n_faces = persons[i].n_faces
        };
        for (size_t k = 0; k < n_prototypes; k++) {
            if (prototypes[k].person_id != p->id)
                continue;
            g->face_ids[g->n_rows] = prototypes[k].face_id;
            g->qualities[g->n_rows++] = prototypes[k].quality;
            p->n++;
        }
    }
    return IMS_OK;
}

static ims_status read_vectors(struct ims_engine *e, struct ims__gallery *g,
                               const struct ims_store_centroid *centroids, size_t n_centroids,
                               ims_err *err)
{
    size_t n_prototypes = g->n_rows, dim = (size_t)g->dim;
    float *raw = ims__aligned_alloc(64, (n_prototypes + 1) * dim, sizeof(float));
    ims_status st = IMS_OK;

    g->vectors = ims__aligned_alloc(64, (n_prototypes + n_centroids + 1) * dim, sizeof(float));
    if (!raw || !g->vectors) {
        ims__free(raw);
        return ims__people_nomem(err);
    }
    st = ims_store_face_vectors_by_id(e->store, g->face_ids, n_prototypes, g->dim, raw, err);
    for (size_t i = 0; !st && i < n_prototypes; i++)
        ims__gallery_view(g, raw + i * dim, g->vectors + i * dim);
    for (size_t i = 0; !st && i < n_centroids; i++) {
        for (size_t p = 0; p < g->n_persons; p++) {
            if (g->persons[p].id == centroids[i].person_id)
                g->persons[p].centroid = g->n_rows;
        }
        memcpy(g->vectors + g->n_rows++ * dim, centroids[i].vector, dim * sizeof(float));
    }
    ims__free(raw);
    return st;
}

/* The faces to compare with, in the form of prototypes. */
static ims_status read_queries(struct ims_engine *e, const struct ims__gallery_of *of, struct ims__gallery *g,
                               struct ims_store_prototype **out, size_t *out_n, ims_err *err)
{
    struct ims_store_prototype *list = ims__arena_alloc(&g->arena, of->n_queries, sizeof(*list));
    struct ims_store_face *faces = NULL;
    ims_status st = list ? ims_store_faces_by_id(e->store, of->queries, of->n_queries, &g->arena, &faces, err)
                         : ims__people_nomem(err);

    for (size_t i = 0; !st && i < of->n_queries; i++)
        list[i] = (struct ims_store_prototype){ .person_id = of->person_id,
                                                .face_id = faces[i].id,
                                                .quality = faces[i].quality };
    if (st)
        return st;
    *out = list;
    *out_n = of->n_queries;
    return IMS_OK;
}

/* Prototypes and centroids as they are wanted; a list that is not wanted stays empty. */
static ims_status read_rows(struct ims_engine *e, const struct ims__gallery_of *of, struct ims__gallery *g,
                            struct ims_store_prototype **prototypes, size_t *n_prototypes,
                            struct ims_store_centroid **centroids, size_t *n_centroids, ims_err *err)
{
    double use_centroids = of->by_centroid;
    ims_status st = IMS_OK;

    if (of->n_queries)
        return read_queries(e, of, g, prototypes, n_prototypes, err);
    if (!of->by_centroid)
        st = ims_store_prototypes(e->store, g->model_id, of->person_id, false, &g->arena, prototypes, n_prototypes,
                                  err);
    if (!st && !of->by_centroid)
        st = ims_people_setting(e, "post_training_use_centroids", &use_centroids, err);
    if (!st && use_centroids > 0)
        st = ims_store_centroids(e->store, g->model_id, g->projection_id, of->person_id, &g->arena, centroids,
                                 n_centroids, err);
    return st;
}

static ims_status fill(struct ims_engine *e, const struct ims__gallery_of *of, struct ims__gallery *g, ims_err *err)
{
    const struct ims_store_person_filter filter = {
        .model_id = g->model_id, .id = of->person_id, .has_status = true, .status = IMS_PERSON_ACTIVE
    };
    struct ims_store_person *persons = NULL;
    struct ims_store_prototype *prototypes = NULL;
    struct ims_store_centroid *centroids = NULL;
    struct ims_store_model *models = NULL;
    size_t n_persons = 0, n_prototypes = 0, n_centroids = 0, n_models = 0;
    ims_status st = ims_store_models(e->store, &g->arena, &models, &n_models, err);

    for (size_t i = 0; i < n_models; i++)
        g->dim = models[i].id == g->model_id ? models[i].dim : g->dim;
    if (!st)
        st = ims__people_projection(e, g->model_id, &g->projection_id, &g->projection, err);
    if (!st)
        st = ims_store_persons(e->store, &filter, IMS_PERSONS_BY_NAME, 0, 0, &g->arena, &persons,
                               &n_persons, NULL, err);
    if (!st)
        st = read_rows(e, of, g, &prototypes, &n_prototypes, &centroids, &n_centroids, err);
    if (!st)
        st = add_persons(g, persons, n_persons, prototypes, n_prototypes, err);
    return st ? st : read_vectors(e, g, centroids, n_centroids, err);
}

/* Centroids of persons with enough faces, brought up to date; others have none. */
static ims_status refresh_centroids(struct ims_engine *e, const struct ims__gallery_of *of, ims_err *err)
{
    struct ims_people_centroids c = { .person_id = of->person_id };
    double min_faces = 0, is_on = of->by_centroid;
    ims_status st = IMS_OK;

    if (of->n_queries)
        return IMS_OK;
    if (!of->by_centroid)
        st = ims_people_setting(e, "centroid_min_faces_for_suggestions", &min_faces, err);
    if (!st && !of->by_centroid)
        st = ims_people_setting(e, "post_training_use_centroids", &is_on, err);
    c.min_faces = min_faces > 2 ? (size_t)min_faces : 2;
    return st || is_on <= 0 ? st : ims_people_centroids(e, &c, err);
}

ims_status ims__gallery_open(struct ims_engine *e, const struct ims__gallery_of *of, struct ims__gallery *out,
                             ims_err *err)
{
    ims_status st;

    memset(out, 0, sizeof(*out));
    ims__arena_init(&out->arena, 0);
    st = ims_people_model(e, &out->model_id, err);
    if (!st && out->model_id)
        st = refresh_centroids(e, of, err);
    if (!st && out->model_id)
        st = fill(e, of, out, err);
    if (st)
        ims__gallery_release(out);
    return st;
}

void ims__gallery_release(struct ims__gallery *g)
{
    ims__free(g->vectors);
    ims__free(g->projection);
    ims__arena_release(&g->arena);
    memset(g, 0, sizeof(*g));
}

void ims__gallery_view(const struct ims__gallery *g, const float *vector, float *out)
{
    if (g->projection)
        ims__people_project(g->projection, g->dim, vector, out);
    else
        memcpy(out, vector, (size_t)g->dim * sizeof(*out));
}
