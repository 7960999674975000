/* What the library holds: counts, failures, one asset's story.
 * SPDX-License-Identifier: Apache-2.0 */
#include "base/fs.h"
#include "base/text.h"
#include "engine/engine_internal.h"
#include "store/faces.h"

#include <stdio.h>
#include <string.h>

#define PAGE 500

ims_status ims_engine_status(struct ims_engine *e, struct ims_library_status *out, ims_err *err)
{
    struct ims_store_counts counts;
    struct ims_faces_stats faces;
    ims_err why;
    ims_status st;

    *out = (struct ims_library_status){ .database = ims_store_location(e->store),
                                        .database_version = ims_store_db_version(e->store) };
    if (ims__engine_need_model_id(e, false, &why) == IMS_OK)
        out->model = ims_clip_info(e->clip)->name;
    else
        snprintf(out->model_problem, sizeof(out->model_problem), "%s", why.text);
    st = ims_store_count(e->store, IMS_TASK_CLIP, e->model_id, &counts, err);
    if (!st)
        st = ims_engine_faces_stats(e, &faces, err);
    if (st)
        return st;
    out->faces = faces.faces;
    out->persons = faces.persons;
    out->faces_done = faces.done;
    out->faces_failed = faces.failed;
    out->faces_queued = faces.queued;
    out->face_model = faces.model;
    out->assets = counts.assets;
    out->done = counts.done;
    out->failed = counts.failed;
    out->queued = counts.queued;
    out->deleted = counts.deleted;
    out->contents = counts.contents;
    out->vectors = counts.vectors;
    return IMS_OK;
}

struct failures {
    ims_failure_fn fn;
    void *arg;
    size_t limit;
};

/* Where the picture itself failed, its faces did for the same reason: said once. */
static bool is_repeated(struct ims_engine *e, const struct ims_store_work *w)
{
    struct ims_store_work *all;
    struct ims_arena arena;
    bool is_found = false;
    size_t n = 0;

    if (strcmp(w->task, IMS_TASK_FACES) != 0)
        return false;
    ims__arena_init(&arena, 0);
    if (ims_store_asset_work(e->store, w->asset_id, &arena, &all, &n, NULL))
        n = 0;
    for (size_t i = 0; i < n; i++)
        is_found = is_found || (strcmp(all[i].task, IMS_TASK_CLIP) == 0 && all[i].model_id == e->model_id &&
                                all[i].reason && strcmp(all[i].reason, w->reason) == 0);
    ims__arena_release(&arena);
    return is_found;
}

static ims_status show_failures(struct ims_engine *e, const struct failures *f, const char *task, int64_t model_id,
                                ims_err *err)
{
    size_t limit = f->limit;
    struct ims_arena arena;
    int64_t after = 0;
    ims_status st = IMS_OK;

    ims__arena_init(&arena, 0);
    while (!st && model_id && limit > 0) {
        struct ims_store_work *work;
        size_t n;

        st = ims_store_failures(e->store, task, model_id, NULL, after, limit < PAGE ? limit : PAGE, &arena, &work, &n,
                                err);
        if (st || n == 0)
            break;
        for (size_t i = 0; i < n; i++) {
            if (!is_repeated(e, &work[i]))
                f->fn(f->arg, work[i].asset_id, work[i].path, task, work[i].reason, work[i].detail);
        }
        after = work[n - 1].asset_id;
        limit -= n;
        ims__arena_release(&arena);
    }
    ims__arena_release(&arena);
    return st;
}

ims_status ims_engine_failures(struct ims_engine *e, size_t limit, ims_failure_fn fn, void *arg, ims_err *err)
{
    const struct failures f = { fn, arg, limit };
    int64_t face_model_id = 0;
    ims_status st = ims__engine_need_model_id(e, false, err);

    if (!st)
        st = show_failures(e, &f, IMS_TASK_CLIP, e->model_id, err);
    if (!st)
        st = ims__engine_find_face_model(e, &face_model_id, err);
    return st ? st : show_failures(e, &f, IMS_TASK_FACES, face_model_id, err);
}

static ims_status find_asset(struct ims_engine *e, int64_t asset_id, const char *path,
                             struct ims_store_asset **out, ims_err *err)
{
    char shown[IMS_SHOWN_BYTES], *real = NULL;
    size_t n;
    ims_status st;

    if (asset_id) {
        st = ims_store_assets(e->store, &asset_id, 1, &e->story, out, &n, err);
        if (!st && n == 0)
            st = ims_fail(err, IMS_E_NOT_FOUND, "engine", 0, "there is no asset %lld", (long long)asset_id);
        return st;
    }
    if (ims__real_path(path, &real, NULL))
        real = NULL; /* a file that is gone may still be known by its path */
    st = ims_store_asset_by_path(e->store, real ? real : path, &e->story, out, err);
    if (st == IMS_E_NOT_FOUND)
        st = ims_fail(err, st, "engine", 0, "%s is not in the library",
                      ims__shown(shown, sizeof(shown), real ? real : path));
    ims__free(real);
    return st;
}

static ims_status add_work(struct ims_engine *e, struct ims_asset_story *out, ims_err *err)
{
    struct ims_store_work *work;
    size_t n;
    ims_status st = ims_store_asset_work(e->store, out->asset.id, &e->story, &work, &n, err);

    for (size_t i = 0; !st && i < n && i < IMS_ARRAY_LEN(out->work); i++)
        out->work[out->n_work++] = (struct ims_asset_work){ .task = work[i].task,
                                                            .state = ims_store_state_name(work[i].state),
                                                            .reason = work[i].reason,
                                                            .detail = work[i].detail,
                                                            .attempts = work[i].attempts,
                                                            .updated_us = work[i].updated_us };
    return st;
}

static ims_status add_evidence(struct ims_engine *e, struct ims_asset_story *out, ims_err *err)
{
    struct ims_store_evidence *ev;
    size_t n;
    ims_status st = ims_store_asset_evidence(e->store, out->asset.id, IMS_ARRAY_LEN(out->evidence),
                                             &e->story, &ev, &n, err);

    for (size_t i = 0; !st && i < n; i++)
        out->evidence[out->n_evidence++] =
            (struct ims_asset_evidence){ .task = ev[i].task,
                                         .model = ev[i].model_name,
                                         .device = ev[i].device,
                                         .provider = ev[i].provider,
                                         .runtime = ev[i].runtime,
                                         .checksum = ev[i].checksum,
                                         .error = ev[i].error,
                                         .metadata_json = ev[i].metadata_json,
                                         .dim = ev[i].dim,
                                         .norm = ev[i].norm,
                                         .embedding_ms = ev[i].embedding_ms,
                                         .total_ms = ev[i].total_ms,
                                         .created_us = ev[i].created_us };
    return st;
}

ims_status ims_engine_show(struct ims_engine *e, int64_t asset_id, const char *path,
                           struct ims_asset_story *out, ims_err *err)
{
    struct ims_store_asset *asset;
    ims_status st;

    ims__arena_release(&e->story);
    st = find_asset(e, asset_id, path, &asset, err);
    if (st)
        return st;
    *out = (struct ims_asset_story){ 0 };
    ims__asset_from_store(&out->asset, asset);
    st = add_work(e, out, err);
    if (!st)
        st = add_evidence(e, out, err);
    return st ? st : ims__engine_story_faces(e, out->asset.id, &out->faces, &out->n_faces, err);
}
