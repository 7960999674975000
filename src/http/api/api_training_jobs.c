/* The pictures of training sessions as jobs, and the session's job for thumbnails.
 *
 * There is no row for each: a job is a picture below the session's folders, and its state follows from the work state.
 * Its number is made of both numbers, so it can be told apart and found again: 32 bits of the asset, above them the
 * session; exact in a double.
 * SPDX-License-Identifier: Apache-2.0 */
#include "engine/engine_parts.h"
#include "engine/sessions.h"
#include "http/api/api.h"
#include "http/api/api_ids.h"
#include "store/jobs.h"

#include <stdio.h>
#include <string.h>

#define ASSET_BITS 32
#define MAX_JOB_ID ((int64_t)1 << 53)

/* ---- jobs ---- */

static const char *status_of(const struct ims_store_session *s, const struct ims_store_session_item *x)
{
    if (x->state == IMS_STORE_DONE)
        return x->duplicate_of ? "skipped" : "completed";
    if (x->state == IMS_STORE_FAILED)
        return "failed";
    return s->status == IMS_SESSION_CANCELLED ? "cancelled" : "pending";
}

static ims_json *job_json(const struct ims_store_session *s, const struct ims_store_session_item *x)
{
    bool is_over = x->state == IMS_STORE_DONE || x->state == IMS_STORE_FAILED;
    bool is_cancelled = !is_over && s->status == IMS_SESSION_CANCELLED;
    int64_t ended_us = is_over ? x->updated_us : is_cancelled ? s->completed_us : 0;
    char reason[48] = "";
    ims_json *o = ims__json_new_object();

    if (x->duplicate_of)
        snprintf(reason, sizeof(reason), "Duplicate of asset %lld", (long long)x->duplicate_of);
    return ims__whole(
        o, ims__put_int(o, "id", (s->id << ASSET_BITS) + x->asset_id) && ims__put_int(o, "sessionId", s->id) &&
               ims__put_int(o, "assetId", x->asset_id) && ims__put_str(o, "status", status_of(s, x)) &&
               ims__put_null(o, "rqJobId") && ims__put_int(o, "progress", x->state == IMS_STORE_DONE ? 100 : 0) &&
               ims__put_str(o, "errorMessage", x->state == IMS_STORE_FAILED ? x->detail ? x->detail : x->reason : NULL) &&
               (x->total_ms >= 0 ? ims__put_int(o, "processingTimeMs", (int64_t)(x->total_ms + 0.5))
                                 : ims__put_null(o, "processingTimeMs")) &&
               ims__put_path(o, "imagePath", x->path) && ims__put_str(o, "skipReason", x->duplicate_of ? reason : NULL) &&
               ims__put_time(o, "createdAt", x->created_us) &&
               ims__put_time(o, "startedAt", is_over && x->total_ms >= 0 ? ended_us - (int64_t)(x->total_ms * 1000) : 0) &&
               ims__put_time(o, "completedAt", ended_us));
}

static ims_status find_filter(struct ims_http_context *cx, struct ims_store_session_item_filter *f, ims_err *err)
{
    f->task = IMS_TASK_CLIP;
    return ims_engine_serving_model(cx->engine, &f->model_id, err);
}

/* false: no job of this session can be in that state. */
static bool read_status(const struct ims_store_session *s, const char *word, ims_session_items *out)
{
    bool is_cancelled = s->status == IMS_SESSION_CANCELLED;

    *out = IMS_ITEMS_ALL;
    if (!word)
        return true;
    *out = strcmp(word, "completed") == 0 ? IMS_ITEMS_DONE
           : strcmp(word, "failed") == 0  ? IMS_ITEMS_FAILED
           : strcmp(word, "skipped") == 0 ? IMS_ITEMS_SKIPPED
                                          : IMS_ITEMS_QUEUED;
    return *out != IMS_ITEMS_QUEUED || (strcmp(word, "pending") == 0 && !is_cancelled) ||
           (strcmp(word, "cancelled") == 0 && is_cancelled);
}

static ims_status list_jobs(struct ims_http_context *cx, const struct ims_store_session *s, const char *word,
                            const struct ims_page *page, struct ims_arena *arena, ims_json *list, int64_t *out_total,
                            ims_err *err)
{
    struct ims_store_session_item_filter filter = { 0 };
    struct ims_store_session_item *items;
    size_t n = 0;
    ims_status st;

    *out_total = 0;
    if (s->status == IMS_SESSION_PENDING || !read_status(s, word, &filter.which))
        return IMS_OK;
    st = find_filter(cx, &filter, err);
    if (!st)
        st = ims_store_session_items(cx->store, s->id, &filter, page->offset, page->size, arena, &items, &n, out_total, err);
    for (size_t i = 0; !st && i < n; i++) {
        if (!list || ims__json_add(list, job_json(s, &items[i])))
            st = ims_fail(err, IMS_E_NOMEM, "http", 0, "jobs");
    }
    return st;
}

IMS_API_HANDLER(ims__api_session_jobs)
{
    struct ims_page page = ims__api_page(rq);
    struct ims_store_session s;
    struct ims_arena arena;
    ims_json *list = ims__json_new_array();
    int64_t total = 0;
    ims_status st;

    ims__arena_init(&arena, 0);
    st = ims_store_session(cx->store, ims__in_int(rq->path, "session_id", 0), &arena, &s, err);
    if (!st)
        st = list_jobs(cx, &s, ims__in_str(rq->query, "status", NULL), &page, &arena, list, &total, err);
    ims__arena_release(&arena);
    if (!st)
        return ims__reply_json(rp, 200, ims__api_page_json(&page, list, total), err);
    ims__json_free(list);
    return st;
}

static ims_status find_job(struct ims_http_context *cx, int64_t id, struct ims_arena *arena, struct ims_store_session *s,
                           struct ims_store_session_item **out, ims_err *err)
{
    struct ims_store_session_item_filter filter = { .asset_id = id & (((int64_t)1 << ASSET_BITS) - 1) };
    size_t n = 0;
    int64_t total;
    ims_status st = id > 0 && id < MAX_JOB_ID && filter.asset_id
                        ? ims_store_session(cx->store, id >> ASSET_BITS, arena, s, err)
                        : IMS_E_NOT_FOUND;

    if (!st)
        st = find_filter(cx, &filter, err);
    if (!st)
        st = ims_store_session_items(cx->store, s->id, &filter, 0, 1, arena, out, &n, &total, err);
    if (st == IMS_E_NOT_FOUND || (!st && (n == 0 || s->status == IMS_SESSION_PENDING)))
        return ims_fail(err, IMS_E_NOT_FOUND, "http", 0, "there is no training job %lld", (long long)id);
    return st;
}

IMS_API_HANDLER(ims__api_training_job_get)
{
    struct ims_store_session_item *item;
    struct ims_store_session s;
    struct ims_arena arena;
    ims_status st;

    ims__arena_init(&arena, 0);
    st = find_job(cx, ims__in_int(rq->path, "job_id", 0), &arena, &s, &item, err);
    if (!st)
        st = ims__reply_json(rp, 200, job_json(&s, item), err);
    ims__arena_release(&arena);
    return st;
}

/* ---- thumbnails ---- */

IMS_API_HANDLER(ims__api_session_thumbnails)
{
    int64_t id = ims__in_int(rq->path, "session_id", 0), job_id = 0;
    char key[60], args[60];
    struct ims_store_job job = { .queue = "training-low", .func = "thumbnails", .args_json = args, .key = key };
    struct ims_store_session_counts c;
    struct ims_store_session s;
    struct ims_arena arena;
    ims_json *o;
    ims_status st;

    ims__arena_init(&arena, 0);
    st = ims_store_session(cx->store, id, &arena, &s, err);
    if (!st)
        st = ims_engine_count_done(cx->engine, &s, &c, err);
    ims__arena_release(&arena);
    snprintf(key, sizeof(key), "thumbnails:%lld", (long long)id);
    snprintf(args, sizeof(args), "{\"session\":%lld}", (long long)id);
    if (!st)
        st = ims_store_push_job(cx->store, &job, &job_id, err);
    if (st && st != IMS_E_EXISTS) /* then it is on its way already */
        return st;
    o = ims__json_new_object();
    return ims__reply_json(rp, 200,
                           ims__whole(o, ims__put_id(o, "jobId", IMS_ID_JOB, job_id) && ims__put_int(o, "sessionId", id) &&
                                             ims__put_int(o, "totalImages", c.assets) && ims__put_str(o, "status", "queued")),
                           err);
}
