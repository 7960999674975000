/* Face sessions: runs that find faces, tell whose they are and group the rest.
 * SPDX-License-Identifier: Apache-2.0 */
#include "base/mem.h"
#include "engine/sessions.h"
#include "http/api/api.h"
#include "http/api/api_events.h"
#include "http/api/api_ids.h"
#include "store/faces.h"
#include "store/jobs.h"

#include <stdio.h>
#include <string.h>

/* ---- shape ---- */

struct batches {
    int64_t current, total;
    double percent;
};

static struct batches batches_of(const struct ims_store_face_session *x)
{
    int64_t looked_at = x->processed + x->failed;
    struct batches b = { .current = (looked_at + x->batch_size - 1) / x->batch_size,
                         .total = (x->images + x->batch_size - 1) / x->batch_size,
                         .percent = x->images > 0 ? 100.0 * (double)looked_at / (double)x->images : 0 };

    if (x->status == IMS_FACE_SESSION_COMPLETED || b.percent > 100)
        b.percent = 100;
    b.percent = (double)(int64_t)(b.percent * 100 + 0.5) / 100;
    return b;
}

static bool put_job(ims_json *o, struct ims_http_context *cx, const struct ims_store_face_session *x)
{
    struct ims_store_job job;
    struct ims_arena arena;
    char key[60];
    bool is_good;

    snprintf(key, sizeof(key), "face-session:%lld:%lld", (long long)x->id, (long long)x->generation);
    ims__arena_init(&arena, 0);
    if (ims_store_job_of(cx->store, key, &arena, &job, NULL))
        job.id = 0;
    is_good = ims__put_id(o, "jobId", IMS_ID_JOB, job.id);
    ims__arena_release(&arena);
    return is_good;
}

static ims_json *session_json(struct ims_http_context *cx, const struct ims_store_face_session *x)
{
    const struct batches b = batches_of(x);
    ims_json *o = ims__json_new_object();

    return ims__whole(
        o, ims__put_id(o, "id", IMS_ID_FACE_SESSION, x->id) &&
               (x->training_session_id ? ims__put_int(o, "trainingSessionId", x->training_session_id)
                                       : ims__put_null(o, "trainingSessionId")) &&
               ims__put_str(o, "status", ims_face_session_status_name(x->status)) && ims__put_int(o, "totalImages", x->images) &&
               ims__put_int(o, "processedImages", x->processed) && ims__put_int(o, "failedImages", x->failed) &&
               ims__put_int(o, "facesDetected", x->faces) && ims__put_int(o, "facesAssigned", x->assigned) &&
               ims__put_num(o, "minConfidence", x->min_confidence) && ims__put_int(o, "minFaceSize", x->min_face_size) &&
               ims__put_int(o, "batchSize", x->batch_size) && ims__put_str(o, "lastError", x->last_error) &&
               ims__put_time(o, "createdAt", x->created_us) && ims__put_time(o, "startedAt", x->started_us) &&
               ims__put_time(o, "completedAt", x->completed_us) && put_job(o, cx, x) &&
               ims__put_int(o, "facesAssignedToPersons", x->auto_assigned) && ims__put_int(o, "clustersCreated", x->clusters) &&
               ims__put_int(o, "suggestionsCreated", x->suggestions) && ims__put_int(o, "currentBatch", b.current) &&
               ims__put_int(o, "totalBatches", b.total) && ims__put_num(o, "progressPercent", b.percent));
}

/* Clients read one spelling or the other. */
static ims_json *event_json(const struct ims_store_face_session *x)
{
    const struct batches b = batches_of(x);
    const struct {
        const char *snake, *camel;
        int64_t n;
    } counts[] = { { "total_images", "totalImages", x->images },
                   { "processed_images", "processedImages", x->processed },
                   { "failed_images", "failedImages", x->failed },
                   { "faces_detected", "facesDetected", x->faces },
                   { "faces_assigned", "facesAssigned", x->assigned },
                   { "faces_assigned_to_persons", "facesAssignedToPersons", x->auto_assigned },
                   { "clusters_created", "clustersCreated", x->clusters },
                   { "suggestions_created", "suggestionsCreated", x->suggestions },
                   { "current_batch", "currentBatch", b.current },
                   { "total_batches", "totalBatches", b.total } };
    ims_json *o = ims__json_new_object();
    bool is_good = ims__put_id(o, "session_id", IMS_ID_FACE_SESSION, x->id) &&
                   ims__put_id(o, "sessionId", IMS_ID_FACE_SESSION, x->id) &&
                   ims__put_str(o, "status", ims_face_session_status_name(x->status));

    for (size_t i = 0; is_good && i < IMS_ARRAY_LEN(counts); i++)
        is_good = ims__put_int(o, counts[i].snake, counts[i].n) && ims__put_int(o, counts[i].camel, counts[i].n);
    return ims__whole(o, is_good && ims__put_num(o, "progress_percent", b.percent) &&
                             ims__put_num(o, "progressPercent", b.percent) && ims__put_str(o, "last_error", x->last_error) &&
                             ims__put_str(o, "lastError", x->last_error));
}

static ims_status reply_session(struct ims_http_context *cx, int64_t id, int status, struct ims_http_reply *rp, ims_err *err)
{
    struct ims_store_face_session x;
    struct ims_arena arena;
    int64_t model_id = 0;
    ims_status st = ims_face_sessions_model(cx->engine, &model_id, err);

    ims__arena_init(&arena, 0);
    if (!st)
        st = ims_store_face_session(cx->store, id, model_id, &arena, &x, err);
    if (!st)
        st = ims__reply_json(rp, status, session_json(cx, &x), err);
    ims__arena_release(&arena);
    return st;
}

static int64_t session_id_of(const struct ims_http_request *rq)
{
    return ims__in_id(rq->path, "face_session_id", IMS_ID_FACE_SESSION);
}

/* ---- rows ---- */

IMS_API_HANDLER(ims__api_face_sessions_list)
{
    const char *word = ims__in_str(rq->query, "status", NULL);
    struct ims_page page = ims__api_page(rq);
    struct ims_store_face_session *found;
    ims_face_session_status status;
    struct ims_arena arena;
    ims_json *items;
    int64_t total = 0, model_id = 0;
    size_t n = 0;
    ims_status st;

    if (word && !ims_face_session_status_read(word, &status))
        return ims__reply_error(rp, 400, "status is one of pending, processing, paused, completed, failed, cancelled");
    items = ims__json_new_array();
    ims__arena_init(&arena, 0);
    st = ims_face_sessions_model(cx->engine, &model_id, err);
    if (!st)
        st = ims_store_list_face_sessions(cx->store, word ? (int)status : -1, model_id, page.offset, page.size, &arena, &found,
                                          &n, &total, err);
    for (size_t i = 0; !st && i < n; i++) {
        if (!items || ims__json_add(items, session_json(cx, &found[i])))
            st = ims_fail(err, IMS_E_NOMEM, "http", 0, "face sessions");
    }
    ims__arena_release(&arena);
    if (!st)
        return ims__reply_json(rp, 200, ims__api_plain_page_json(&page, items, total), err);
    ims__json_free(items);
    return st;
}

IMS_API_HANDLER(ims__api_face_session_create)
{
    const struct ims_store_face_session in = {
        .training_session_id = ims__in_int(rq->body, "trainingSessionId", 0),
        .min_confidence = ims__in_num(rq->body, "minConfidence", IMS_FACE_SESSION_MIN_CONFIDENCE),
        .min_face_size = ims__in_int(rq->body, "minFaceSize", IMS_FACE_SESSION_MIN_FACE_PX),
        .batch_size = ims__in_int(rq->body, "batchSize", IMS_FACE_SESSION_BATCH),
    };
    int64_t id = 0;
    ims_status st = ims_face_sessions_add(cx->engine, &in, &id, err);

    return st ? st : reply_session(cx, id, 201, rp, err);
}

IMS_API_HANDLER(ims__api_face_session_get)
{
    return reply_session(cx, session_id_of(rq), 200, rp, err);
}

/* ---- control ---- */

IMS_API_HANDLER(ims__api_face_session_pause)
{
    ims_status st = ims_face_sessions_pause(cx->engine, session_id_of(rq), err);

    return st ? st : reply_session(cx, session_id_of(rq), 200, rp, err);
}

IMS_API_HANDLER(ims__api_face_session_resume)
{
    ims_status st = ims_face_sessions_resume(cx->engine, session_id_of(rq), err);

    return st ? st : reply_session(cx, session_id_of(rq), 200, rp, err);
}

/* One that is at work is cancelled and stays as a record; one that is over is forgotten, and what it says of itself
 * until then stays true. */
IMS_API_HANDLER(ims__api_face_session_delete)
{
    const char *status = "cancelled";
    ims_json *o;
    ims_status st = ims_face_sessions_cancel(cx->engine, session_id_of(rq), err);

    if (st == IMS_E_INVALID) {
        status = "deleted";
        st = ims_store_delete_face_session(cx->store, session_id_of(rq), err);
    }
    if (st)
        return st;
    o = ims__json_new_object();
    return ims__reply_json(rp, 200, ims__whole(o, ims__put_str(o, "status", status)), err);
}

/* ---- events ---- */

struct watch {
    int64_t id, model_id;
    bool is_begun; /* the first look only tells whether there is something to watch */
    bool was_over; /* its last state was told as progress: only the last word is left */
};

/* The first session of a library is there before the face models are known to it. */
static ims_status find_model(struct watch *w, struct ims_store *s, struct ims_arena *arena, ims_err *err)
{
    struct ims_store_model *models;
    size_t n = 0;
    ims_status st = w->model_id ? IMS_OK : ims_store_models(s, arena, &models, &n, err);

    for (size_t i = 0; !st && i < n; i++) {
        if (strcmp(models[i].kind, IMS_MODEL_FACE) == 0)
            w->model_id = models[i].id;
    }
    return st;
}

static ims_status look(void *arg, struct ims_store *s, struct ims_api_sight *out, ims_err *err)
{
    struct watch *w = arg;
    struct ims_store_face_session x;
    struct ims_arena arena;
    ims_status st;

    ims__arena_init(&arena, 0);
    st = find_model(w, s, &arena, err);
    if (!st)
        st = ims_store_face_session(s, w->id, w->model_id, &arena, &x, err);
    if (!st) {
        out->data = event_json(&x);
        out->event = w->was_over ? "complete" : "progress";
        out->is_last = w->was_over;
        w->was_over = w->is_begun && ims_face_session_is_over(x.status);
        w->is_begun = true;
        if (!out->data)
            st = ims_fail(err, IMS_E_NOMEM, "http", 0, "an event");
    }
    ims__arena_release(&arena);
    return st;
}

static const struct ims_api_watch_ops watch_ops = { .look = look, .close = ims__free };

/* A session that is not there is told as an event: a browser's EventSource cannot see a status. */
static ims_status reply_unknown(struct ims_http_reply *rp, ims_err *err)
{
    static const char *const text = "event: error\ndata: {\"error\":\"there is no such face session\"}\n\n";

    snprintf(rp->content_type, sizeof(rp->content_type), "text/event-stream");
    snprintf(rp->cache_control, sizeof(rp->cache_control), "no-cache");
    return ims__buf_add(&rp->bytes, text, strlen(text)) ? ims_fail(err, IMS_E_NOMEM, "http", 0, "an event") : IMS_OK;
}

IMS_API_HANDLER(ims__api_face_session_events)
{
    struct watch *w = ims__zalloc(1, sizeof(*w));
    ims_err why = { 0 };
    ims_status st = w ? ims_face_sessions_model(cx->engine, &w->model_id, err) : IMS_OK;

    if (st) {
        ims__free(w);
        return st;
    }
    if (w)
        w->id = session_id_of(rq);
    st = ims__api_watch(cx, rq, rp, &watch_ops, w, &why);
    if (st == IMS_E_NOT_FOUND)
        return reply_unknown(rp, err);
    if (st && err)
        *err = why;
    return st;
}
