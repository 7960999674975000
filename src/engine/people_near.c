/* The faces near a person's centroid.
 * SPDX-License-Identifier: Apache-2.0 */
#include "engine/people_internal.h"

#include "kernels/kernels.h"

#include <stdlib.h>
#include <string.h>

#define SPARE 4 /* candidates looked at for each that is wanted: some look the same */

struct candidate {
    int64_t face_id;
    double score;
};

struct search {
    const struct ims_people_near *what;
    const struct ims_store_centroid *centroid;
    float *projection, *view;
    int dim;
    const struct ims_store_prototype *prototypes; /* that are not wanted */
    size_t n_prototypes;
    struct candidate *found;
    size_t n, cap;
};

static bool is_prototype(const struct search *x, int64_t face_id)
{
    for (size_t i = 0; i < x->n_prototypes; i++) {
        if (x->prototypes[i].face_id == face_id)
            return true;
    }
    return false;
}

static ims_status look_at(void *arg, const struct ims_store_face_key *face, const float *vector, ims_err *err)
{
    struct search *x = arg;
    void *found = x->found;
    double score;

    if (face->person_id == x->what->person_id)
        return IMS_OK;
    if (x->projection) {
        ims__people_project(x->projection, x->dim, vector, x->view);
        vector = x->view;
    }
    score = (double)ims__kernels()->dot_f32(vector, x->centroid->vector, (size_t)x->dim);
    if (score < x->what->min_similarity || is_prototype(x, face->id))
        return IMS_OK;
    if (!ims__grow(&found, &x->cap, x->n, sizeof(*x->found), SIZE_MAX / sizeof(*x->found)))
        return ims__people_nomem(err);
    x->found = found;
    x->found[x->n++] = (struct candidate){ face->id, score > 1 ? 1 : score };
    return IMS_OK;
}

static int compare_candidates(const void *pa, const void *pb)
{
    const struct candidate *a = pa, *b = pb;

    if (a->score != b->score)
        return a->score > b->score ? -1 : 1;
    return (a->face_id > b->face_id) - (a->face_id < b->face_id);
}

static const struct ims_store_asset *asset_of(const struct ims_store_asset *assets, size_t n, int64_t id)
{
    for (size_t i = 0; i < n; i++) {
        if (assets[i].id == id)
            return &assets[i];
    }
    return NULL;
}

/* Does it look like one of the n? */
static bool is_seen(const struct ims_store_asset *const *shown, size_t n, const struct ims_store_asset *a)
{
    for (size_t i = 0; a->media.has_phash && i < n; i++) {
        if (shown[i]->media.has_phash && shown[i]->media.phash == a->media.phash)
            return true;
    }
    return false;
}

/* The best of those whose pictures differ. */
static ims_status choose(struct ims_engine *e, struct search *x, struct ims_people_near *what, struct ims_arena *arena,
                         ims_err *err)
{
    size_t n = x->n < what->max_faces * SPARE ? x->n : what->max_faces * SPARE, n_assets = 0;
    int64_t *ids = ims__arena_alloc(arena, n + 1, sizeof(*ids));
    const struct ims_store_asset **shown = ims__arena_alloc(arena, what->max_faces + 1, sizeof(*shown));
    struct ims_store_face *faces = NULL;
    struct ims_store_asset *assets = NULL;
    ims_status st;

    what->faces = ims__arena_alloc(arena, what->max_faces + 1, sizeof(*what->faces));
    if (!ids || !shown || !what->faces)
        return ims__people_nomem(err);
    for (size_t i = 0; i < n; i++)
        ids[i] = x->found[i].face_id;
    st = n ? ims_store_faces_by_id(e->store, ids, n, arena, &faces, err) : IMS_OK;
    for (size_t i = 0; !st && i < n; i++)
        ids[i] = faces[i].asset_id;
    if (!st && n)
        st = ims_store_assets(e->store, ids, n, arena, &assets, &n_assets, err);
    for (size_t i = 0; !st && i < n && what->n < what->max_faces; i++) {
        const struct ims_store_asset *a = asset_of(assets, n_assets, faces[i].asset_id);

        if (!a || is_seen(shown, what->n, a))
            continue;
        shown[what->n] = a;
        what->faces[what->n++] = (struct ims_people_near_face){ faces[i].id, a->id, x->found[i].score };
    }
    return st;
}

static ims_status search(struct ims_engine *e, struct search *x, int64_t model_id, struct ims_arena *arena, ims_err *err)
{
    const struct ims_store_face_filter filter = { .model_id = model_id,
                                                  .who = x->what->include_assigned ? IMS_STORE_FACE_ANY
                                                                                   : IMS_STORE_FACE_UNASSIGNED };
    struct ims_store_prototype *prototypes = NULL;
    ims_status st = IMS_OK;

    if (x->what->include_assigned && !x->what->include_prototypes)
        st = ims_store_prototypes(e->store, model_id, 0, false, arena, &prototypes, &x->n_prototypes, err);
    x->prototypes = prototypes;
    if (!st)
        st = ims_store_face_vectors(e->store, &filter, look_at, x, err);
    if (!st && x->n)
        qsort(x->found, x->n, sizeof(*x->found), compare_candidates);
    return st;
}

ims_status ims_people_near(struct ims_engine *e, struct ims_people_near *what, struct ims_arena *arena, ims_err *err)
{
    struct search x = { .what = what };
    struct ims_store_centroid *centroid = NULL;
    ims_centroid_state state;
    int64_t model_id = 0, projection_id;
    ims_status st = ims_people_centroid_of(e, what->person_id, arena, &centroid, &state, err);

    what->n = 0;
    if (!st && !centroid)
        st = ims_fail(err, IMS_E_NOT_FOUND, "people", 0, "person %lld has no centroid", (long long)what->person_id);
    if (!st)
        st = ims_people_model(e, &model_id, err);
    if (!st)
        st = ims__people_model_dim(e, model_id, &x.dim, err);
    if (!st)
        st = ims__people_projection(e, model_id, &projection_id, &x.projection, err);
    x.centroid = centroid;
    x.view = ims__aligned_alloc(64, (size_t)x.dim + 1, sizeof(*x.view));
    if (!st && !x.view)
        st = ims__people_nomem(err);
    if (!st)
        st = search(e, &x, model_id, arena, err);
    if (!st)
        st = choose(e, &x, what, arena, err);
    if (!st)
        what->centroid_id = centroid->id;
    ims__free(x.projection);
    ims__free(x.view);
    ims__free(x.found);
    return st;
}
