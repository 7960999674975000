/* Training sessions: named runs of indexing.
 * SPDX-License-Identifier: Apache-2.0 */
#include "base/clock.h"
#include "base/fs.h"
#include "base/limits.h"
#include "base/text.h"
#include "engine/engine_parts.h"
#include "engine/sessions.h"
#include "http/api/api.h"
#include "http/api/api_files.h"
#include "store/sessions.h"

#include <stdio.h>
#include <string.h>

/* ---- shapes ---- */

static ims_json *config_of(const struct ims_store_session *s)
{
    ims_json *v = NULL;

    if (s->config_json && ims__json_parse(&v, s->config_json, strlen(s->config_json), "configuration", NULL) == IMS_OK)
        return v;
    return ims__json_new_null();
}

static ims_json *session_json(struct ims_http_context *cx, const struct ims_store_session *s, ims_err *err)
{
    struct ims_store_session_counts c = { 0 };
    ims_json *o;

    if (s->status != IMS_SESSION_PENDING && ims_engine_count_done(cx->engine, s, &c, err))
        return NULL;
    o = ims__json_new_object();
    return ims__whole(
        o, ims__put_int(o, "id", s->id) && ims__put_str(o, "name", s->name) &&
               ims__put_str(o, "status", ims_session_status_name(s->status)) && ims__put_path(o, "rootPath", s->root_path) &&
               (s->category_id ? ims__put_int(o, "categoryId", s->category_id) : ims__put_null(o, "categoryId")) &&
               ims__put(o, "category", s->category_id ? ims__api_category(cx, s->category_id) : ims__json_new_null()) &&
               ims__put(o, "config", config_of(s)) && ims__put_int(o, "totalImages", c.assets) &&
               ims__put_int(o, "processedImages", c.done - c.skipped) && ims__put_int(o, "failedImages", c.failed) &&
               ims__put_int(o, "skippedImages", c.skipped) && ims__put_time(o, "createdAt", s->created_us) &&
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

static ims_status reply_control(struct ims_http_context *cx, int64_t id, ims_status st, const char *message,
                                struct ims_http_reply *rp, ims_err *err)
{
    struct ims_arena arena;
    struct ims_store_session s;
    ims_json *o;

    if (st)
        return st;
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
    int64_t id = ims__in_int(rq->path, "session_id", 0);

    return reply_control(cx, id, ims_sessions_start(cx->engine, id, err), "The run is queued.", rp, err);
}

IMS_API_HANDLER(ims__api_session_pause)
{
    int64_t id = ims__in_int(rq->path, "session_id", 0);

    return reply_control(cx, id, ims_sessions_pause(cx->engine, id, err), "The run is paused.", rp, err);
}

IMS_API_HANDLER(ims__api_session_cancel)
{
    int64_t id = ims__in_int(rq->path, "session_id", 0);

    return reply_control(cx, id, ims_sessions_cancel(cx->engine, id, err), "The run is cancelled.", rp, err);
}

static const char *reason_of(const struct ims_http_request *rq)
{
    return ims__in_bool(rq->query, "failed_only", true) ? "Failed jobs only" : "Full restart";
}

IMS_API_HANDLER(ims__api_session_restart)
{
    int64_t id = ims__in_int(rq->path, "session_id", 0);

    return reply_control(cx, id, ims_sessions_restart(cx->engine, id, reason_of(rq), true, err), "The session starts anew.", rp,
                         err);
}

/* A run that is going on ends by itself: its session is gone. */
IMS_API_HANDLER(ims__api_session_delete)
{
    rp->status = 204;
    return ims_store_delete_session(cx->store, ims__in_int(rq->path, "session_id", 0), err);
}

/* ---- starting a phase anew ---- */

struct cleanup {
    const char *operation;
    int64_t id, deleted, reset, preserved;
    uint64_t started_ns;
    const struct ims_restarted_faces *faces; /* of the phases of faces */
    bool is_clustering;
};

static bool put_cleanup_faces(ims_json *o, const struct cleanup *x)
{
    const struct ims_restarted_faces *f = x->faces;

    if (!f)
        return true;
    if (x->is_clustering)
        return ims__put_int(o, "unknown_persons_deleted", 0) && ims__put_int(o, "faces_reset", f->reset) &&
               ims__put_int(o, "manually_assigned_faces_preserved", f->by_hand);
    return ims__put_int(o, "face_instances_deleted", 0) && ims__put_int(o, "qdrant_vectors_deleted", 0) &&
           ims__put_int(o, "suggestions_deleted", f->suggestions) && ims__put_int(o, "persons_deleted", f->persons_deleted) &&
           ims__put_int(o, "persons_orphaned", 0) && ims__put_int(o, "faces_reset", f->reset);
}

static ims_json *cleanup_json(const struct cleanup *x)
{
    double ms = (double)(ims__mono_ns() - x->started_ns) / 1e6;
    ims_json *o = ims__json_new_object();

    return ims__whole(o, ims__put_str(o, "operation", x->operation) && ims__put_int(o, "session_id", x->id) &&
                             ims__put_int(o, "items_deleted", x->deleted) && ims__put_int(o, "items_reset", x->reset) &&
                             ims__put_int(o, "items_preserved", x->preserved) && ims__put_int(o, "duration_ms", (int64_t)ms) &&
                             ims__put_null(o, "job_id") && put_cleanup_faces(o, x));
}

/* Clients read one spelling or the other. */
static ims_status reply_cleanup(const struct cleanup *x, const char *message, struct ims_http_reply *rp, ims_err *err)
{
    ims_json *o = ims__json_new_object();

    return ims__reply_json(rp, 200,
                           ims__whole(o, ims__put_int(o, "sessionId", x->id) && ims__put_str(o, "status", "pending") &&
                                             ims__put_str(o, "message", message) &&
                                             ims__put(o, "cleanupStats", cleanup_json(x)) &&
                                             ims__put(o, "cleanup_stats", cleanup_json(x))),
                           err);
}

/* Pictures that are done and unchanged are not done again: their vectors would be the same. */
IMS_API_HANDLER(ims__api_session_restart_training)
{
    struct cleanup x = { .operation = "training_restart",
                         .id = ims__in_int(rq->path, "session_id", 0),
                         .started_ns = ims__mono_ns() };
    struct ims_store_session_counts c = { 0 };
    struct ims_store_session s;
    struct ims_arena arena;
    ims_status st;

    ims__arena_init(&arena, 0);
    st = ims_store_session(cx->store, x.id, &arena, &s, err);
    if (!st)
        st = ims_engine_count_done(cx->engine, &s, &c, err);
    ims__arena_release(&arena);
    if (!st)
        st = ims_sessions_restart(cx->engine, x.id, reason_of(rq), false, err);
    x.reset = c.failed;
    x.preserved = c.done;
    return st ? st : reply_cleanup(&x, "The session starts anew.", rp, err);
}

IMS_API_HANDLER(ims__api_session_restart_faces)
{
    struct ims_restarted_faces f;
    struct cleanup x = { .operation = "face_detection_restart",
                         .id = ims__in_int(rq->path, "session_id", 0),
                         .started_ns = ims__mono_ns(),
                         .faces = &f };
    ims_status st =
        ims_sessions_restart_faces(cx->engine, x.id, ims__in_bool(rq->query, "delete_persons", false), &f, err);

    if (st)
        return st;
    x.deleted = f.persons_deleted;
    x.reset = f.pictures;
    x.preserved = f.by_hand;
    return reply_cleanup(&x, "Its pictures are looked at for faces again.", rp, err);
}

IMS_API_HANDLER(ims__api_session_restart_clustering)
{
    struct ims_restarted_faces f;
    struct cleanup x = { .operation = "clustering_restart",
                         .id = ims__in_int(rq->path, "session_id", 0),
                         .started_ns = ims__mono_ns(),
                         .faces = &f,
                         .is_clustering = true };
    ims_status st = ims_sessions_restart_clustering(cx->engine, x.id, &f, err);

    if (st)
        return st;
    x.reset = f.reset;
    x.preserved = f.by_hand;
    return reply_cleanup(&x, "The faces without a person are grouped again.", rp, err);
}
