/* Training sessions: named runs of indexing.
 * SPDX-License-Identifier: Apache-2.0 */
#include "base/clock.h"
#include "base/fs.h"
#include "base/limits.h"
#include "base/text.h"
#include "engine/engine_parts.h"
#include "http/api/api.h"
#include "http/api/api_files.h"
#include "store/jobs.h"
#include "store/sessions.h"

#include <stdio.h>
#include <string.h>

/* ---- shapes ---- */

/* What the session is about, and how much of it is done with the serving model. */
static ims_status count_session(struct ims_http_context *cx, const struct ims_store_session *s,
                                struct ims_store_folder_counts *out, ims_err *err)
{
    struct ims_arena arena;
    struct ims_store_subdirectory *subs;
    const char **folders;
    size_t n_subs = 0, n = 0;
    ims_status st;

    ims__arena_init(&arena, 0);
    st = ims_store_subdirectories(cx->store, s->id, &arena, &subs, &n_subs, err);
    folders = st ? NULL : ims__arena_alloc(&arena, n_subs + 1, sizeof(*folders));
    if (!st && !folders)
        st = ims_fail(err, IMS_E_NOMEM, "http", 0, "a session");
    for (size_t i = 0; !st && i < n_subs; i++) {
        if (subs[i].is_selected)
            folders[n++] = subs[i].path;
    }
    if (!st && n == 0)
        folders[n++] = s->root_path;
    if (!st)
        st = ims_engine_count_done(cx->engine, folders, n, out, err);
    ims__arena_release(&arena);
    return st;
}

static ims_json *config_of(const struct ims_store_session *s)
{
    ims_json *v = NULL;

    if (s->config_json && ims__json_parse(&v, s->config_json, strlen(s->config_json), "configuration", NULL) == IMS_OK)
        return v;
    return ims__json_new_null();
}

static ims_json *session_json(struct ims_http_context *cx, const struct ims_store_session *s, ims_err *err)
{
    struct ims_store_folder_counts c = { 0 };
    ims_json *o;

    if (s->status != IMS_SESSION_PENDING && count_session(cx, s, &c, err))
        return NULL;
    o = ims__json_new_object();
    return ims__whole(
        o, ims__put_int(o, "id", s->id) && ims__put_str(o, "name", s->name) &&
               ims__put_str(o, "status", ims_session_status_name(s->status)) && ims__put_str(o, "rootPath", s->root_path) &&
               (s->category_id ? ims__put_int(o, "categoryId", s->category_id) : ims__put_null(o, "categoryId")) &&
               ims__put(o, "category", s->category_id ? ims__api_category(cx, s->category_id) : ims__json_new_null()) &&
               ims__put(o, "config", config_of(s)) && ims__put_int(o, "totalImages", c.assets) &&
               ims__put_int(o, "processedImages", c.done) && ims__put_int(o, "failedImages", c.failed) &&
               ims__put_int(o, "skippedImages", 0) && ims__put_time(o, "createdAt", s->created_us) &&
               ims__put_time(o, "startedAt", s->started_us) && ims__put_time(o, "completedAt", s->completed_us) &&
               ims__put_time(o, "pausedAt", s->paused_us) && ims__put_str(o, "error", s->error));
}

static ims_status reply_session(struct ims_http_context *cx, int64_t id, struct ims_http_reply *rp, ims_err *err)
{
    struct ims_arena arena;
    struct ims_store_session s;
    ims_status st;

    ims__arena_init(&arena, 0);
    st = ims_store_session(cx->store, id, &arena, &s, err);
    if (!st)
        st = ims__reply_json(rp, 200, session_json(cx, &s, err), err);
    ims__arena_release(&arena);
    return st;
}

/* ---- rows ---- */

IMS_API_HANDLER(ims__api_sessions_list)
{
    struct ims_page page = ims__api_page(rq);
    struct ims_store_session *found;
    struct ims_arena arena;
    ims_session_status status;
    bool has_status = ims_session_status_read(ims__in_str(rq->query, "status", NULL), &status);
    size_t n = 0;
    int64_t total = 0;
    ims_json *items = ims__json_new_array();
    ims_status st;

    ims__arena_init(&arena, 0);
    st = ims_store_list_sessions(cx->store, has_status ? (int)status : -1, page.offset, page.size, &arena, &found, &n,
                                 &total, err);
    for (size_t i = 0; !st && i < n; i++) {
        if (!items || ims__json_add(items, session_json(cx, &found[i], err)))
            st = ims_fail(err, IMS_E_NOMEM, "http", 0, "sessions");
    }
    ims__arena_release(&arena);
    if (!st)
        return ims__reply_json(rp, 200, ims__api_page_json(&page, items, total), err);
    ims__json_free(items);
    return st;
}

/* The subdirectories of a request; relative ones are meant below the root. */
static ims_status read_subdirectories(struct ims_http_context *cx, const ims_json *list, const char *root, char **out,
                                      size_t *out_n, ims_err *err)
{
    ims_status st = IMS_OK;

    for (size_t i = 0; !st && i < ims__json_len(list); i++) {
        const char *given = ims__json_str(ims__json_at(list, i), NULL);
        char *full = *given == '/' ? ims__strdup(given) : ims__path_join(root, given);

        st = full ? ims__api_find_folder(cx->store, full, &out[*out_n], err) : ims_fail(err, IMS_E_NOMEM, "http", 0, "a session");
        ims__free(full);
        if (!st && !ims__path_is_in(out[(*out_n)++], root))
            st = ims_fail(err, IMS_E_INVALID, "http", 0, "%.200s is not below the session's folder", given);
    }
    return st;
}

IMS_API_HANDLER(ims__api_session_create)
{
    const ims_json *list = ims__json_get(rq->body, "subdirectories");
    struct ims_store_session s = { .name = ims__in_str(rq->body, "name", ""),
                                   .category_id = ims__in_int(rq->body, "categoryId", 0) };
    char **subs = ims__zalloc(ims__json_len(list) + 1, sizeof(*subs)), *root = NULL;
    struct ims_buf config;
    size_t n = 0;
    int64_t id = 0;
    ims_status st = subs ? ims__api_find_folder(cx->store, ims__in_str(rq->body, "rootPath", ""), &root, err) : IMS_E_NOMEM;

    ims__buf_init(&config, IMS_MIB);
    s.root_path = root;
    if (!st)
        st = read_subdirectories(cx, list, root, subs, &n, err);
    if (!st && ims__json_len(ims__json_get(rq->body, "config")))
        st = ims__json_write(ims__json_get(rq->body, "config"), 0, &config, err);
    s.config_json = config.data;
    if (!st)
        st = ims_store_add_session(cx->store, &s, (const char *const *)subs, n, &id, err);
    if (!st)
        st = reply_session(cx, id, rp, err);
    ims__buf_release(&config);
    for (size_t i = 0; subs && i < n; i++)
        ims__free(subs[i]);
    ims__free(subs);
    ims__free(root);
    return st;
}

IMS_API_HANDLER(ims__api_session_get)
{
    return reply_session(cx, ims__in_int(rq->path, "session_id", 0), rp, err);
}

IMS_API_HANDLER(ims__api_session_update)
{
    int64_t id = ims__in_int(rq->path, "session_id", 0);
    const ims_json *config = ims__json_get(rq->body, "config");
    struct ims_buf text;
    ims_status st = IMS_OK;

    ims__buf_init(&text, IMS_MIB);
    if (ims__json_type(config) == IMS_JSON_OBJECT)
        st = ims__json_write(config, 0, &text, err);
    if (!st)
        st = ims_store_change_session(cx->store, id, ims__in_str(rq->body, "name", NULL), text.data, err);
    ims__buf_release(&text);
    return st ? st : reply_session(cx, id, rp, err);
}

/* ---- control ---- */

/* One key for each run: the job of the run before may still be on its way out. */
static void job_key(int64_t id, int64_t generation, char *out, size_t size)
{
    snprintf(out, size, "session:%lld:%lld", (long long)id, (long long)generation);
}

/* The work of a run; an unfinished job of an older one is asked to end first. */
static ims_status push_run(struct ims_http_context *cx, int64_t id, int64_t generation, bool retry_failed, ims_err *err)
{
    char key[60], before[60], args[120];
    struct ims_store_job job = { .queue = "training-high", .func = "train", .args_json = args, .key = key, .max_attempts = 10 };
    bool found;
    int64_t job_id;
    ims_status st;

    job_key(id, generation, key, sizeof(key));
    job_key(id, generation - 1, before, sizeof(before));
    snprintf(args, sizeof(args), "{\"session\":%lld,\"generation\":%lld,\"retryFailed\":%s}", (long long)id,
             (long long)generation, retry_failed ? "true" : "false");
    st = ims_store_ask_job_of(cx->store, before, IMS_JOB_CANCEL, &found, err);
    return st ? st : ims_store_push_job(cx->store, &job, &job_id, err);
}

static ims_status reply_control(struct ims_http_context *cx, int64_t id, const char *message, struct ims_http_reply *rp,
                                ims_err *err)
{
    struct ims_arena arena;
    struct ims_store_session s;
    ims_json *o;
    ims_status st;

    ims__arena_init(&arena, 0);
    st = ims_store_session(cx->store, id, &arena, &s, err);
    if (!st) {
        o = ims__json_new_object();
        st = ims__reply_json(rp, 200,
                             ims__whole(o, ims__put_int(o, "sessionId", id) &&
                                               ims__put_str(o, "status", ims_session_status_name(s.status)) &&
                                               ims__put_str(o, "message", message)),
                             err);
    }
    ims__arena_release(&arena);
    return st;
}

IMS_API_HANDLER(ims__api_session_start)
{
    int64_t id = ims__in_int(rq->path, "session_id", 0), generation;
    ims_status st = ims_store_session_event(cx->store, id, IMS_SESSION_START, 0, NULL, &generation, err);

    if (!st)
        st = push_run(cx, id, generation, false, err);
    return st ? st : reply_control(cx, id, "The run is queued.", rp, err);
}

/* The session's state changes at once; the worker hears of it at its next look and stops. */
static ims_status stop_run(struct ims_http_context *cx, int64_t id, ims_session_event event, ims_store_wish wish,
                           const char *message, struct ims_http_reply *rp, ims_err *err)
{
    char key[60];
    int64_t generation;
    bool found;
    ims_status st = ims_store_session_event(cx->store, id, event, 0, NULL, &generation, err);

    if (st)
        return st;
    job_key(id, generation, key, sizeof(key));
    st = ims_store_ask_job_of(cx->store, key, wish, &found, err);
    return st ? st : reply_control(cx, id, message, rp, err);
}

IMS_API_HANDLER(ims__api_session_pause)
{
    return stop_run(cx, ims__in_int(rq->path, "session_id", 0), IMS_SESSION_PAUSE, IMS_JOB_PAUSE, "The run is paused.", rp,
                    err);
}

IMS_API_HANDLER(ims__api_session_cancel)
{
    return stop_run(cx, ims__in_int(rq->path, "session_id", 0), IMS_SESSION_CANCEL, IMS_JOB_CANCEL, "The run is cancelled.",
                    rp, err);
}

/* A run that is going on ends by itself: its session is gone. */
IMS_API_HANDLER(ims__api_session_delete)
{
    rp->status = 204;
    return ims_store_delete_session(cx->store, ims__in_int(rq->path, "session_id", 0), err);
}

/* ---- restart ---- */

static ims_json *cleanup_json(int64_t id, const struct ims_store_folder_counts *c, double ms)
{
    ims_json *o = ims__json_new_object();

    return ims__whole(o, ims__put_str(o, "operation", "training_restart") && ims__put_int(o, "session_id", id) &&
                             ims__put_int(o, "items_deleted", 0) && ims__put_int(o, "items_reset", c->failed) &&
                             ims__put_int(o, "items_preserved", c->done) && ims__put_int(o, "duration_ms", (int64_t)ms));
}

static ims_status restart(struct ims_http_context *cx, int64_t id, const char *reason, ims_err *err)
{
    int64_t generation;
    ims_status st = ims_store_session_event(cx->store, id, IMS_SESSION_RESTART, 0, reason, NULL, err);

    if (!st)
        st = ims_store_session_event(cx->store, id, IMS_SESSION_START, 0, NULL, &generation, err);
    return st ? st : push_run(cx, id, generation, true, err);
}

/* Pictures that are done and unchanged are not done again: their vectors would be the same. */
IMS_API_HANDLER(ims__api_session_restart)
{
    int64_t id = ims__in_int(rq->path, "session_id", 0);
    uint64_t started = ims__mono_ns();
    struct ims_store_folder_counts c = { 0 };
    struct ims_store_session s;
    struct ims_arena arena;
    ims_json *o;
    double ms;
    ims_status st;

    ims__arena_init(&arena, 0);
    st = ims_store_session(cx->store, id, &arena, &s, err);
    if (!st)
        st = count_session(cx, &s, &c, err);
    if (!st)
        st = restart(cx, id, ims__in_bool(rq->query, "failed_only", true) ? "Failed jobs only" : "Full restart", err);
    if (!st)
        st = ims_store_session(cx->store, id, &arena, &s, err);
    ms = (double)(ims__mono_ns() - started) / 1e6;
    if (!st) {
        o = ims__json_new_object();
        st = ims__reply_json(rp, 200,
                             ims__whole(o, ims__put_int(o, "sessionId", id) &&
                                               ims__put_str(o, "status", ims_session_status_name(s.status)) &&
                                               ims__put_str(o, "message", "The session starts anew.") &&
                                               ims__put(o, "cleanupStats", cleanup_json(id, &c, ms)) &&
                                               ims__put(o, "cleanup_stats", cleanup_json(id, &c, ms))),
                             err);
    }
    ims__arena_release(&arena);
    return st;
}

/* ---- progress ---- */

/* Rate and remaining time of a run that is going on; nulls otherwise. */
static bool put_rate(ims_json *o, const struct ims_store_session *s, int64_t current, int64_t total)
{
    double elapsed = (double)(ims__now_us() - s->started_us) / 1e6;
    double rate = s->started_us && elapsed > 0 ? (double)current / elapsed : 0;

    if (s->status != IMS_SESSION_RUNNING || rate <= 0)
        return ims__put_null(o, "etaSeconds") && ims__put_null(o, "imagesPerMinute");
    return ims__put_int(o, "etaSeconds", (int64_t)((double)(total - current) / rate)) &&
           ims__put_num(o, "imagesPerMinute", rate * 60);
}

static ims_json *progress_json(const struct ims_store_session *s, const struct ims_store_folder_counts *c)
{
    ims_json *o = ims__json_new_object();
    int64_t current = c->done + c->failed;
    double percent = c->assets ? 100.0 * (double)current / (double)c->assets : s->status == IMS_SESSION_COMPLETED ? 100 : 0;

    return ims__whole(o, ims__put_int(o, "current", current) && ims__put_int(o, "total", c->assets) &&
                             ims__put_num(o, "percentage", (double)(int64_t)(percent * 100 + 0.5) / 100) &&
                             put_rate(o, s, current, c->assets) && ims__put_int(o, "unique", c->assets - c->duplicates) &&
                             ims__put_int(o, "skipped", 0));
}

static ims_json *summary_json(const struct ims_store_session *s, const struct ims_store_folder_counts *c)
{
    ims_json *o = ims__json_new_object();
    int64_t left = c->assets - c->done - c->failed;
    bool is_cancelled = s->status == IMS_SESSION_CANCELLED;

    return ims__whole(o, ims__put_int(o, "pending", is_cancelled ? 0 : left) && ims__put_int(o, "running", 0) &&
                             ims__put_int(o, "completed", c->done) && ims__put_int(o, "failed", c->failed) &&
                             ims__put_int(o, "cancelled", is_cancelled ? left : 0) && ims__put_int(o, "skipped", 0));
}

IMS_API_HANDLER(ims__api_session_progress)
{
    int64_t id = ims__in_int(rq->path, "session_id", 0);
    struct ims_store_folder_counts c = { 0 };
    struct ims_store_session s;
    struct ims_arena arena;
    ims_json *o;
    ims_status st;

    ims__arena_init(&arena, 0);
    st = ims_store_session(cx->store, id, &arena, &s, err);
    if (!st)
        st = count_session(cx, &s, &c, err);
    if (!st) {
        o = ims__json_new_object();
        st = ims__reply_json(rp, 200,
                             ims__whole(o, ims__put_int(o, "sessionId", id) &&
                                               ims__put_str(o, "status", ims_session_status_name(s.status)) &&
                                               ims__put(o, "progress", progress_json(&s, &c)) &&
                                               ims__put(o, "jobsSummary", summary_json(&s, &c))),
                             err);
    }
    ims__arena_release(&arena);
    return st;
}
