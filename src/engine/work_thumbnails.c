/* The job "thumbnails": sees to it that every picture of a training session has its small JPEG.
 * SPDX-License-Identifier: Apache-2.0 */
#include "base/fs.h"
#include "engine/engine_internal.h"
#include "engine/work.h"

#include <stdio.h>

#define PAGE 256

struct tally {
    size_t there, made, failed;
};

static bool has_thumbnail(const struct ims_engine *e, const struct ims_store_asset *a)
{
    char *path = ims__thumbnail_path(e->options.data_dir, a->sha256);
    uint8_t *bytes = NULL;
    size_t n;
    bool is_there = path && ims__read_jpeg(path, &bytes, &n, NULL) == IMS_OK;

    ims__free(bytes);
    ims__free(path);
    return is_there;
}

/* A picture that cannot be shown is counted; only what concerns all of them ends the job. */
static ims_status make_one(struct ims_task *t, const struct ims_store_asset *a, struct tally *n, ims_err *err)
{
    struct ims_thumbnail made;
    ims_status st;

    if (a->has_sha256 && has_thumbnail(t->engine, a)) {
        n->there++;
        return IMS_OK;
    }
    st = ims_engine_make_thumbnail(t->engine, a->id, &made, err);
    if (st == IMS_E_NO_SPACE || st == IMS_E_DB || st == IMS_E_DB_BUSY || st == IMS_E_RUNTIME)
        return st;
    if (st)
        n->failed++;
    else
        n->made++;
    return IMS_OK;
}

static ims_status make_page(struct ims_task *t, const int64_t *ids, size_t n_ids, int64_t total, struct tally *tally,
                            ims_err *err)
{
    struct ims_store_asset *assets;
    struct ims_arena arena;
    char text[160];
    size_t n = 0;
    ims_status st;

    ims__arena_init(&arena, 0);
    st = ims_store_assets(t->engine->store, ids, n_ids, &arena, &assets, &n, err);
    for (size_t i = 0; !st && i < n; i++) {
        snprintf(text, sizeof(text), "{\"phase\":\"running\",\"current\":%zu,\"total\":%lld,\"message\":\"thumbnails\"}",
                 tally->there + tally->made + tally->failed, (long long)total);
        if (!ims__task_beat(t, text))
            st = ims_fail(err, IMS_E_CANCELLED, "engine", 0, "stopped");
        if (!st)
            st = make_one(t, &assets[i], tally, err);
    }
    ims__arena_release(&arena);
    return st;
}

ims_status ims__work_thumbnails(struct ims_task *t, ims_err *err)
{
    int64_t session = ims__json_int(ims__json_get(t->args, "session"), 0), after = 0;
    struct ims_store_session_counts counts = { 0 };
    struct tally tally = { 0 };
    size_t n = 1;
    ims_status st = session ? ims_store_count_session(t->engine->store, session, IMS_TASK_CLIP, 0, &counts, err)
                            : ims_fail(err, IMS_E_INVALID, "engine", 0, "the job names no session");

    while (!st && n) {
        struct ims_arena arena;
        int64_t *ids;

        ims__arena_init(&arena, 0);
        st = ims_store_session_assets(t->engine->store, session, after, PAGE, &arena, &ids, &n, err);
        if (!st && n)
            after = ids[n - 1];
        if (!st && n)
            st = make_page(t, ids, n, counts.assets, &tally, err);
        ims__arena_release(&arena);
    }
    if (!st)
        t->result = ims__strfmt("{\"there\":%zu,\"made\":%zu,\"failed\":%zu}", tally.there, tally.made, tally.failed);
    return st;
}
