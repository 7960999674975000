/* Looking at folders without entering anything.
 * SPDX-License-Identifier: Apache-2.0 */
#include "engine/engine_internal.h"
#include "engine/walk.h"

static ims_status pass_file(void *arg, const char *path, int64_t size_bytes, int64_t mtime_us, ims_err *err)
{
    (void)arg;
    (void)path;
    (void)size_bytes;
    (void)mtime_us;
    (void)err;
    return IMS_OK;
}

static void pass_odd(void *arg, const char *path, const char *what)
{
    (void)arg;
    (void)path;
    (void)what;
}

static ims_status pass_failed_dir(void *arg, const char *path, const ims_err *why, ims_err *err)
{
    (void)arg;
    (void)path;
    (void)why;
    (void)err;
    return IMS_OK;
}

static bool go_on(void *arg)
{
    (void)arg;
    return false;
}

ims_status ims_engine_count_folder(struct ims_engine *e, const char *dir, struct ims_folder_count *out, ims_err *err)
{
    struct ims_walk_sink sink = {
        .on_file = pass_file, .on_odd = pass_odd, .on_failed_dir = pass_failed_dir, .is_stopped = go_on
    };
    struct ims_store_filter filter = { .path_prefix = dir };
    struct ims_walk_counts counts = { 0 };
    struct ims_store_asset *some;
    struct ims_arena arena;
    size_t n = 0;
    int64_t known = 0;
    ims_status st;

    ims__arena_init(&arena, 0);
    st = ims__walk(dir, &sink, &counts, err);
    if (!st)
        st = ims_store_list_assets(e->store, &filter, 0, 1, &arena, &some, &n, &known, err);
    if (!st)
        *out = (struct ims_folder_count){ .pictures = counts.files,
                                          .known = (uint64_t)known < counts.files ? (uint64_t)known : counts.files };
    ims__arena_release(&arena);
    return st;
}

ims_status ims_engine_count_done(struct ims_engine *e, const char *const *folders, size_t n,
                                 struct ims_store_folder_counts *out, ims_err *err)
{
    ims_status st = ims__engine_need_model_id(e, false, err);

    return st ? st : ims_store_count_below(e->store, folders, n, IMS_TASK_CLIP, e->model_id, out, err);
}
