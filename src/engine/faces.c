/* The faces of the library: counts, those of one picture, and what is left over.
 * SPDX-License-Identifier: Apache-2.0 */
#include "base/fs.h"
#include "engine/engine_internal.h"
#include "engine/lock_file.h"
#include "engine/walk.h"
#include "store/faces.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* ---- counts ---- */

static ims_status find_model_name(struct ims_engine *e, int64_t model_id, const char **out, ims_err *err)
{
    struct ims_store_model *models;
    size_t n = 0;
    ims_status st = ims_store_models(e->store, &e->story, &models, &n, err);

    *out = NULL;
    for (size_t i = 0; !st && i < n; i++) {
        if (models[i].id == model_id)
            *out = models[i].name;
    }
    return st;
}

ims_status ims_engine_faces_stats(struct ims_engine *e, struct ims_faces_stats *out, ims_err *err)
{
    struct ims_store_face_counts faces = { 0 };
    struct ims_store_counts work = { 0 };
    int64_t model_id = 0;
    ims_status st;

    ims__arena_release(&e->story);
    st = ims__engine_find_face_model(e, &model_id, err);
    if (!st)
        st = ims_store_count_faces(e->store, model_id, &faces, err);
    if (!st)
        st = ims_store_count(e->store, IMS_TASK_FACES, model_id, &work, err);
    if (st)
        return st;
    *out = (struct ims_faces_stats){
        .faces = faces.faces,
        .photos = faces.photos,
        .persons = faces.persons,
        .assigned = faces.assigned,
        .unassigned = faces.unassigned,
        .clusters = faces.clusters,
        .clustered = faces.clustered,
        .noise = faces.noise,
        .unclustered = faces.unclustered,
        .done = work.done,
        .failed = work.failed,
        .queued = work.queued,
    };
    return find_model_name(e, model_id, &out->model, err);
}

/* ---- of one picture ---- */

ims_status ims__engine_story_faces(struct ims_engine *e, int64_t asset_id, const struct ims_asset_face **out,
                                   size_t *out_n, ims_err *err)
{
    struct ims_store_face_filter filter = { .asset_id = asset_id, .include_gone = true };
    struct ims_store_face *faces = NULL;
    struct ims_asset_face *list;
    size_t n = 0;
    ims_status st = ims__engine_find_face_model(e, &filter.model_id, err);

    *out_n = 0;
    if (!st && filter.model_id)
        st = ims_store_faces(e->store, &filter, IMS_STORE_FACES_BY_PHOTO, 0, 0, &e->story, &faces, &n, NULL, err);
    if (st || n == 0)
        return st;
    list = ims__arena_alloc(&e->story, n, sizeof(*list));
    if (!list)
        return ims_fail(err, IMS_E_NOMEM, "engine", 0, "listing faces");
    for (size_t i = 0; i < n; i++) {
        const struct ims_store_face *f = &faces[i];

        list[i] = (struct ims_asset_face){ .id = f->id,
                                           .x = f->x,
                                           .y = f->y,
                                           .w = f->w,
                                           .h = f->h,
                                           .score = f->score,
                                           .quality = f->quality,
                                           .has_age = f->has_age,
                                           .age = f->age,
                                           .cluster_id = f->cluster_id,
                                           .person_id = f->person_id,
                                           .person = f->person };
    }
    *out = list;
    *out_n = n;
    return st;
}

/* ---- what is left over ---- */

/* The keys of all small pictures that a face has. */
struct thumbs {
    struct ims_engine *e;
    uint64_t *keys; /* sorted once complete */
    size_t n, cap;
    bool is_fixed;
    int64_t n_strays;
};

#define MAX_THUMBS ((size_t)1 << 28)

/* FNV-1a of a file's name. Two names of one key make a stray one look known: it stays, which harms nobody. */
static uint64_t key_of(const char *name)
{
    uint64_t h = 0xcbf29ce484222325u;

    for (; *name; name++)
        h = (h ^ (uint8_t)*name) * 0x100000001b3u;
    return h;
}

static int compare_keys(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

    return (x > y) - (x < y);
}

static ims_status add_key(void *arg, const uint8_t sha256[IMS_SHA256_BYTES], int x, int y, int w, int h, ims_err *err)
{
    struct thumbs *t = arg;
    char *path = ims__face_thumb_path(t->e->options.data_dir, sha256, x, y, w, h);

    if (!path || !ims__grow((void **)&t->keys, &t->cap, t->n, sizeof(*t->keys), MAX_THUMBS)) {
        ims__free(path);
        return ims_fail(err, IMS_E_NOMEM, "engine", 0, "listing faces");
    }
    t->keys[t->n++] = key_of(ims__path_base(path));
    ims__free(path);
    return IMS_OK;
}

static ims_status on_thumb(void *arg, const char *path, int64_t size_bytes, int64_t mtime_us, ims_err *err)
{
    struct thumbs *t = arg;
    uint64_t key = key_of(ims__path_base(path));

    (void)size_bytes;
    (void)mtime_us;
    (void)err;
    if (t->n && bsearch(&key, t->keys, t->n, sizeof(key), compare_keys))
        return IMS_OK;
    if (!t->is_fixed || unlink(path) == 0)
        t->n_strays++;
    return IMS_OK;
}

static void on_odd(void *arg, const char *path, const char *what)
{
    (void)arg;
    (void)path;
    (void)what;
}

static ims_status on_failed_dir(void *arg, const char *path, const ims_err *why, ims_err *err)
{
    (void)arg;
    (void)path;
    if (err)
        *err = *why;
    return why->status;
}

static bool never(void *arg)
{
    (void)arg;
    return false;
}

static ims_status find_strays(struct thumbs *t, ims_err *err)
{
    const struct ims_walk_sink sink = {
        .arg = t, .on_file = on_thumb, .on_odd = on_odd, .on_failed_dir = on_failed_dir, .is_stopped = never
    };
    char *named = ims__path_join(t->e->options.data_dir, "faces"), *dir = NULL;
    struct ims_walk_counts counts = { 0 };
    ims_status st = IMS_OK;

    if (!named)
        return ims_fail(err, IMS_E_NOMEM, "engine", 0, "listing faces");
    if (ims__real_path(named, &dir, NULL)) /* none was ever stored */
        goto out;
    st = ims_store_face_boxes(t->e->store, add_key, t, err);
    if (!st && t->n)
        qsort(t->keys, t->n, sizeof(*t->keys), compare_keys);
    if (!st)
        st = ims__walk(dir, &sink, &counts, err);
out:
    ims__free(named);
    ims__free(dir);
    ims__free(t->keys);
    return st;
}

static_assert(IMS_FACE_ORPHANS_LISTED >= IMS_STORE_LISTED_ORPHANS, "listed faces fit");

ims_status ims_engine_face_orphans(struct ims_engine *e, bool is_fixed, struct ims_face_orphans *out, ims_err *err)
{
    struct thumbs thumbs = { .e = e, .is_fixed = is_fixed };
    struct ims_store_face_orphans found;
    struct ims_lock_file *lock = NULL;
    ims_status st = IMS_OK;

    if (is_fixed) /* who indexes stores small pictures before their faces */
        st = ims__lock_file_take(&lock, e->options.data_dir, "index.lock", err);
    if (!st)
        st = ims_store_face_orphans(e->store, is_fixed, &found, err);
    if (!st)
        st = find_strays(&thumbs, err);
    ims__lock_file_release(lock);
    if (!st)
        *out = (struct ims_face_orphans){ .gone = found.gone,
                                          .gone_named = found.gone_held,
                                          .without_vector = found.without_vector,
                                          .stray_thumbs = thumbs.n_strays,
                                          .unseen = found.unseen,
                                          .n_listed = found.n_listed };
    for (size_t i = 0; !st && i < found.n_listed; i++)
        out->listed[i] = found.listed[i];
    return st;
}
