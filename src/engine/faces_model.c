/* Which face models serve a library, and their number in it.
 * SPDX-License-Identifier: Apache-2.0 */
#include "base/fs.h"
#include "engine/engine_internal.h"
#include "store/faces.h"

#include <stdio.h>
#include <string.h>

#define DEMO_PACK "face" /* folder of the demo's models below a root */

/* Beside the demo's picture model the demo's face models serve, whatever else is installed. */
static ims_status find_demo(struct ims_engine *e, ims_err *err)
{
    const struct ims_engine_options *o = &e->options;

    for (size_t i = 0; !e->face_pack && i < o->n_model_roots; i++) {
        char *dir = ims__path_join(o->model_roots[i], DEMO_PACK);

        if (!dir)
            return ims_fail(err, IMS_E_NOMEM, "engine", 0, "looking for face models");
        if (ims_face_pack_open(&e->face_pack, dir, NULL))
            e->face_pack = NULL;
        ims__free(dir);
        if (e->face_pack && !e->face_pack->is_demo) {
            ims_face_pack_close(e->face_pack);
            e->face_pack = NULL;
        }
    }
    return IMS_OK;
}

/* Nobody named a model: having none is no error, an undecided choice is. */
static ims_status find_default(struct ims_engine *e, bool is_demo, char *why, size_t why_bytes, ims_err *err)
{
    const struct ims_engine_options *o = &e->options;
    ims_err reason;
    ims_status st = is_demo ? find_demo(e, err) : IMS_OK;

    if (st || e->face_pack)
        return st;
    st = ims_face_pack_find(&e->face_pack, o->model_roots, o->n_model_roots, NULL, &reason);
    if (!st && e->face_pack->is_demo && !is_demo) {
        ims_face_pack_close(e->face_pack);
        e->face_pack = NULL;
        snprintf(why, why_bytes,
                 "no face models are installed (those of the demo know drawn people only); `imgsearch models pull "
                 "buffalo_l` fetches some");
    } else if (st == IMS_E_MODEL) {
        snprintf(why, why_bytes, "%s", reason.text);
        st = IMS_OK;
    } else if (st && err) {
        *err = reason;
    }
    return st;
}

static ims_status find_pack(struct ims_engine *e, char *why, size_t why_bytes, ims_err *err)
{
    const struct ims_engine_options *o = &e->options;
    ims_err reason;

    if (o->face_model)
        return ims_face_pack_find(&e->face_pack, o->model_roots, o->n_model_roots, o->face_model, err);
    /* a library may still be without a picture model: then real faces are what is looked for */
    return find_default(e, ims__engine_need_pack(e, &reason) == IMS_OK && e->pack->is_demo, why, why_bytes, err);
}

static ims_status borrow(struct ims_engine *e, char *why, size_t why_bytes, ims_err *err)
{
    ims_status st;

    ims__lock(&e->host->sharing);
    st = ims__engine_need_faces(e->host, why, why_bytes, err);
    e->face_pack = e->host->face_pack;
    e->faces = e->host->faces;
    ims__unlock(&e->host->sharing);
    return st;
}

ims_status ims__engine_need_faces(struct ims_engine *e, char *why, size_t why_bytes, ims_err *err)
{
    const struct ims_engine_options *o = &e->options;
    const struct ims_face_options options = {
        .min_score = (float)o->min_face_score,
        .min_size_px = (float)o->min_face_px,
        .is_one_shot = o->is_one_shot,
        .measures_batch = !o->is_one_shot,
    };
    ims_status st = IMS_OK;

    if (e->faces)
        return IMS_OK;
    if (e->host)
        return borrow(e, why, why_bytes, err);
    if (!e->face_pack)
        st = find_pack(e, why, why_bytes, err);
    if (!st && e->face_pack)
        st = ims_face_models_open(&e->faces, e->face_pack, e->compute, &options, err);
    return st;
}

ims_status ims__engine_need_face_model_id(struct ims_engine *e, bool create, ims_err *err)
{
    const struct ims_face_pack *p = e->face_pack;

    if (e->face_model_id)
        return IMS_OK;
    if (create)
        return ims_store_add_model(e->store, p->name, p->digest, IMS_MODEL_FACE, IMS_FACE_DIM, &e->face_model_id,
                                   err);
    return ims_store_find_model(e->store, p->name, p->digest, &e->face_model_id, err);
}

static ims_status find_fullest(struct ims_engine *e, int64_t *out_id, ims_err *err)
{
    struct ims_store_model *models;
    struct ims_arena arena;
    int64_t most = -1;
    size_t n = 0;
    ims_status st;

    *out_id = 0;
    ims__arena_init(&arena, 0);
    st = ims_store_models(e->store, &arena, &models, &n, err);
    for (size_t i = 0; !st && i < n; i++) {
        int64_t n_faces = 0;

        if (strcmp(models[i].kind, IMS_MODEL_FACE) != 0)
            continue;
        st = ims_store_vector_count(e->store, models[i].id, &n_faces, NULL, err);
        if (!st && n_faces >= most) {
            most = n_faces;
            *out_id = models[i].id;
        }
    }
    ims__arena_release(&arena);
    return st;
}

ims_status ims__engine_find_face_model(struct ims_engine *e, int64_t *out_id, ims_err *err)
{
    char why[sizeof(err->text)];
    ims_err ignored;

    if (ims__engine_need_faces(e, why, sizeof(why), &ignored) == IMS_OK && e->faces &&
        ims__engine_need_face_model_id(e, false, &ignored) == IMS_OK && e->face_model_id) {
        *out_id = e->face_model_id;
        return IMS_OK;
    }
    return find_fullest(e, out_id, err);
}
