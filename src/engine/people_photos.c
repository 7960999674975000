/* The faces of a person in some pictures.
 * SPDX-License-Identifier: Apache-2.0 */
#include "engine/people_internal.h"

#include <stdlib.h>

static int compare_ids(const void *pa, const void *pb)
{
    int64_t a = *(const int64_t *)pa, b = *(const int64_t *)pb;

    return (a > b) - (a < b);
}

/* The contents of the pictures, in rising order. */
static ims_status contents_of(struct ims_store *s, const int64_t *asset_ids, size_t n, struct ims_arena *arena,
                              int64_t **out, size_t *out_n, ims_err *err)
{
    struct ims_store_asset *assets = NULL;
    int64_t *ids;
    size_t n_assets = 0;
    ims_status st = ims_store_assets(s, asset_ids, n, arena, &assets, &n_assets, err);

    if (st)
        return st;
    ids = ims__arena_alloc(arena, n_assets + 1, sizeof(*ids));
    if (!ids)
        return ims__people_nomem(err);
    for (size_t i = 0; i < n_assets; i++)
        ids[i] = assets[i].content_id;
    qsort(ids, n_assets, sizeof(*ids), compare_ids);
    *out = ids;
    *out_n = n_assets;
    return IMS_OK;
}

ims_status ims_people_faces_in(struct ims_engine *e, const int64_t *asset_ids, size_t n, int64_t person_id,
                               struct ims_arena *arena, int64_t **out_face_ids, size_t *out_n, ims_err *err)
{
    struct ims_store_face_filter filter = { .person_id = person_id };
    struct ims_store_face *faces = NULL;
    int64_t *contents = NULL, *ids = NULL;
    size_t n_contents = 0, n_faces = 0, n_ids = 0;
    ims_status st = ims_people_model(e, &filter.model_id, err);

    if (!st)
        st = contents_of(e->store, asset_ids, n, arena, &contents, &n_contents, err);
    if (!st)
        st = ims__people_faces(e->store, &filter, IMS_STORE_FACES_BY_QUALITY, arena, &faces, &n_faces, err);
    if (!st) {
        ids = ims__arena_alloc(arena, n_faces + 1, sizeof(*ids));
        st = ids ? IMS_OK : ims__people_nomem(err);
    }
    for (size_t i = 0; !st && i < n_faces; i++) {
        if (bsearch(&faces[i].content_id, contents, n_contents, sizeof(*contents), compare_ids))
            ids[n_ids++] = faces[i].id;
    }
    if (st)
        return st;
    *out_face_ids = ids;
    *out_n = n_ids;
    return IMS_OK;
}
