/* Folders on disk: what is in them, how far each is trained, which are passed over, what their pictures look like.
 * Only what lies below a root of the library is ever shown.
 * SPDX-License-Identifier: Apache-2.0 */
#include "base/fs.h"
#include "base/hash.h"
#include "base/limits.h"
#include "base/text.h"
#include "engine/engine_parts.h"
#include "engine/folders.h"
#include "engine/walk.h"
#include "http/api/api.h"
#include "http/api/api_files.h"
#include "store/persons.h"
#include "store/sessions.h"

#include <stdio.h>
#include <string.h>

#define MAX_LOOK_MS 20000 /* of counting what is below a folder */
#define MAX_REGISTER_MS 60000
#define MAX_PREVIEWED 2000 /* pictures listed of one folder */
#define PREVIEW_PX 400

/* ---- listing ---- */

static bool put_training(ims_json *o, const struct ims_folder *f, const struct ims_store_folder_training *t, bool is_at_work)
{
    const char *status = is_at_work                           ? "in_progress"
                         : t->done == 0                       ? "never"
                         : t->done < f->pictures              ? "partial"
                                                              : "complete";

    return ims__put_int(o, "trainedCount", t->done) && ims__put_time(o, "lastTrainedAt", t->last_us) &&
           ims__put_str(o, "trainingStatus", status);
}

static ims_status folder_json(struct ims_http_context *cx, const struct ims_folder *f, bool with_training, int64_t model_id,
                              ims_json **out, ims_err *err)
{
    struct ims_store_folder_training t = { 0 };
    bool is_at_work = false, is_whole;
    ims_json *o;
    ims_status st = IMS_OK;

    if (with_training)
        st = ims_store_folder_training(cx->store, f->path, IMS_TASK_CLIP, model_id, &t, err);
    if (!st && with_training)
        st = ims_store_is_in_training(cx->store, f->path, &is_at_work, err);
    if (st)
        return st;
    o = ims__json_new_object();
    is_whole = ims__put_path(o, "path", f->path) && ims__put_path(o, "name", ims__path_base(f->path)) &&
               ims__put_int(o, "imageCount", f->pictures) && ims__put_bool(o, "selected", false) &&
               (with_training ? put_training(o, f, &t, is_at_work)
                              : ims__put_null(o, "trainedCount") && ims__put_null(o, "lastTrainedAt") &&
                                    ims__put_null(o, "trainingStatus")) &&
               ims__put_bool(o, "isIgnored", f->is_ignored);
    *out = ims__whole(o, is_whole);
    return *out ? IMS_OK : ims_fail(err, IMS_E_NOMEM, "http", 0, "folders");
}

static ims_status folders_json(struct ims_http_context *cx, const struct ims_folders *folders, bool with_training,
                               ims_json **out, ims_err *err)
{
    ims_json *list = ims__json_new_array(), *one;
    int64_t model_id = 0;
    ims_status st = with_training ? ims_engine_serving_model(cx->engine, &model_id, err) : IMS_OK;

    for (size_t i = 0; !st && i < folders->n; i++) {
        st = folder_json(cx, &folders->items[i], with_training, model_id, &one, err);
        if (!st && (!list || ims__json_add(list, one)))
            st = ims_fail(err, IMS_E_NOMEM, "http", 0, "folders");
    }
    if (!st) {
        *out = list;
        return IMS_OK;
    }
    ims__json_free(list);
    return st;
}

IMS_API_HANDLER(ims__api_directories_scan)
{
    struct ims_folders_options options = { .is_recursive = ims__in_bool(rq->body, "recursive", true), .max_ms = MAX_LOOK_MS };
    struct ims_index_options wanted = { 0 };
    struct ims_folders found = { 0 };
    struct ims_arena arena;
    ims_json *o, *list = NULL;
    char *real = NULL;
    ims_status st = ims__api_find_folder(cx->store, ims__in_str(rq->body, "rootPath", ""), &real, err);

    ims__arena_init(&arena, 0);
    if (!st)
        st = ims__index_config(rq->body, &arena, &wanted, err);
    options.suffixes = wanted.suffixes;
    options.n_suffixes = wanted.n_suffixes;
    if (!st)
        st = ims_engine_list_folders(cx->engine, real, &options, &arena, &found, err);
    if (!st)
        st = folders_json(cx, &found, false, &list, err);
    if (!st) {
        o = ims__json_new_object();
        st = ims__reply_json(rp, 200,
                             ims__whole(o, ims__put_path(o, "rootPath", real) && ims__put(o, "subdirectories", list) &&
                                               ims__put_int(o, "totalSubdirectories", (int64_t)found.n) &&
                                               ims__put_int(o, "totalImages", found.pictures) &&
                                               ims__put_bool(o, "isPartial", found.is_partial)),
                             err);
    }
    ims__arena_release(&arena);
    ims__free(real);
    return st;
}

IMS_API_HANDLER(ims__api_directories_list)
{
    const struct ims_folders_options options = { .include_ignored = ims__in_bool(rq->query, "include_ignored", false),
                                                 .max_ms = MAX_LOOK_MS };
    struct ims_folders found = { 0 };
    struct ims_arena arena;
    ims_json *list = NULL;
    char *real = NULL;
    ims_status st = ims__api_find_folder(cx->store, ims__in_str(rq->query, "path", ""), &real, err);

    ims__arena_init(&arena, 0);
    if (!st)
        st = ims_engine_list_folders(cx->engine, real, &options, &arena, &found, err);
    if (!st)
        st = folders_json(cx, &found, ims__in_bool(rq->query, "include_training_status", false), &list, err);
    ims__arena_release(&arena);
    ims__free(real);
    return st ? st : ims__reply_json(rp, 200, list, err);
}

/* ---- looking at pictures ---- */

static ims_json *file_json(const struct ims_folder_file *f)
{
    ims_json *o = ims__json_new_object();

    return ims__whole(o, ims__put_path(o, "filename", ims__path_base(f->path)) && ims__put_path(o, "fullPath", f->path) &&
                             ims__put_int(o, "sizeBytes", f->size_bytes) && ims__put_time(o, "modifiedAt", f->mtime_us));
}

IMS_API_HANDLER(ims__api_directories_preview)
{
    struct ims_folder_file *files = NULL;
    struct ims_arena arena;
    ims_json *o, *list = ims__json_new_array();
    char *real = NULL;
    size_t n = 0, total = 0;
    ims_status st = ims__api_find_folder(cx->store, ims__in_str(rq->query, "path", ""), &real, err);

    ims__arena_init(&arena, 0);
    if (!st)
        st = ims_engine_folder_files(cx->engine, real, MAX_PREVIEWED, &arena, &files, &n, &total, err);
    for (size_t i = 0; !st && i < n; i++) {
        if (!list || ims__json_add(list, file_json(&files[i])))
            st = ims_fail(err, IMS_E_NOMEM, "http", 0, "a folder");
    }
    if (!st) {
        o = ims__json_new_object();
        st = ims__reply_json(rp, 200,
                             ims__whole(o, ims__put_path(o, "directory", real) && ims__put_int(o, "imageCount", (int64_t)total) &&
                                               ims__put(o, "images", list)),
                             err);
    } else {
        ims__json_free(list);
    }
    ims__arena_release(&arena);
    ims__free(real);
    return st;
}

/* Names the version of the file, so that a changed one is fetched again. */
static void set_caching(struct ims_http_reply *rp, const char *real, const struct ims_file_info *info)
{
    struct ims_buf text;

    ims__buf_init(&text, 2 * IMS_MAX_PATH_BYTES);
    (void)ims__buf_addf(&text, "%llu %lld %s", (unsigned long long)info->size_bytes, (long long)info->mtime_us, real);
    snprintf(rp->etag, sizeof(rp->etag), "\"%016llx-p\"", (unsigned long long)ims__hash64(text.data, text.len));
    ims__buf_release(&text);
    snprintf(rp->cache_control, sizeof(rp->cache_control), "private, max-age=3600");
}

/* No picture by its name is refused before anything is opened. */
static ims_status find_picture(struct ims_http_context *cx, const char *shown, char **out_real, ims_err *err)
{
    struct ims_buf bytes;
    ims_status st;

    ims__buf_init(&bytes, IMS_MAX_PATH_BYTES);
    st = ims__undisplay(shown, strlen(shown), &bytes);
    if (!st)
        st = ims__api_check_path(cx->store, bytes.data, out_real, err);
    ims__buf_release(&bytes);
    if (!st && !ims__walk_is_picture_name(ims__path_base(*out_real))) {
        ims__free(*out_real);
        *out_real = NULL;
        st = ims_fail(err, IMS_E_INVALID, "http", 0, "the file has no name of a picture");
    }
    return st == IMS_E_FORMAT ? ims_fail(err, IMS_E_INVALID, "http", 0, "the path is malformed") : st;
}

IMS_API_HANDLER(ims__api_directories_preview_thumbnail)
{
    struct ims_file_info info;
    struct ims_buf bytes;
    char *real = NULL;
    uint8_t *jpeg = NULL;
    size_t n = 0;
    ims_status st = find_picture(cx, ims__in_str(rq->query, "path", ""), &real, err);

    if (st)
        return st;
    st = ims__read_file(real, IMS_MAX_IMAGE_BYTES, &bytes, &info, err); /* the path has no links */
    if (!st) {
        set_caching(rp, real, &info);
        st = ims_engine_shrink(cx->engine, bytes.data, bytes.len, PREVIEW_PX, &jpeg, &n, err);
        ims__buf_release(&bytes);
    }
    ims__free(real);
    if (st == IMS_E_UNSUPPORTED || st == IMS_E_FORMAT || st == IMS_E_TRUNCATED || st == IMS_E_CORRUPT)
        return ims__reply_error(rp, 422, "the file is no picture that can be shown");
    if (!st && ims__buf_add(&rp->bytes, jpeg, n))
        st = ims_fail(err, IMS_E_NOMEM, "http", 0, "a preview");
    ims_engine_free(jpeg);
    snprintf(rp->content_type, sizeof(rp->content_type), "image/jpeg");
    return st;
}

/* ---- folders that are passed over ---- */

static ims_status reply_ignored(const char *real, int64_t us, struct ims_http_reply *rp, ims_err *err)
{
    ims_json *o = ims__json_new_object();

    return ims__reply_json(rp, 200,
                           ims__whole(o, ims__put_str(o, "status", "success") && ims__put_path(o, "path", real) &&
                                             ims__put_time(o, "ignoredAt", us)),
                           err);
}

IMS_API_HANDLER(ims__api_directory_ignore)
{
    char *real = NULL;
    int64_t us = 0;
    ims_status st = ims__api_find_folder(cx->store, ims__in_str(rq->body, "path", ""), &real, err);

    if (!st)
        st = ims_store_ignore(cx->store, real, ims__in_str(rq->body, "reason", NULL), &us, err);
    if (!st)
        st = reply_ignored(real, us, rp, err);
    ims__free(real);
    return st;
}

/* The folder may be gone by now: its name as it was is enough. */
IMS_API_HANDLER(ims__api_directory_unignore)
{
    const char *shown = ims__in_str(rq->body, "path", "");
    struct ims_buf bytes;
    char *real = NULL;
    int64_t us = 0;
    ims_status st;

    ims__buf_init(&bytes, IMS_MAX_PATH_BYTES);
    st = ims__undisplay(shown, strlen(shown), &bytes);
    if (!st && ims__real_path(bytes.data, &real, NULL))
        real = ims__strdup(bytes.data);
    ims__buf_release(&bytes);
    st = !st && real && *real == '/' ? ims_store_unignore(cx->store, real, &us, err)
                                     : ims_fail(err, IMS_E_NOT_FOUND, "http", 0, "the folder is not ignored");
    if (!st)
        st = reply_ignored(real, us, rp, err);
    ims__free(real);
    return st;
}

IMS_API_HANDLER(ims__api_directories_ignored)
{
    struct ims_store_ignored *found;
    struct ims_arena arena;
    ims_json *o = ims__json_new_object(), *list = ims__json_new_array();
    size_t n = 0;
    ims_status st;

    (void)rq;
    ims__arena_init(&arena, 0);
    st = ims_store_ignored(cx->store, &arena, &found, &n, err);
    for (size_t i = 0; !st && i < n; i++) {
        ims_json *one = ims__json_new_object();

        one = ims__whole(one, ims__put_path(one, "path", found[i].path) && ims__put_str(one, "reason", found[i].reason) &&
                                  ims__put_time(one, "ignoredAt", found[i].created_us) && ims__put_null(one, "ignoredBy"));
        if (!list || ims__json_add(list, one))
            st = ims_fail(err, IMS_E_NOMEM, "http", 0, "ignored folders");
    }
    ims__arena_release(&arena);
    o = ims__whole(o, ims__put(o, "directories", list));
    if (!st)
        return ims__reply_json(rp, 200, o, err);
    ims__json_free(o);
    return st;
}

/* ---- what is new ---- */

IMS_API_HANDLER(ims__api_scan_incremental)
{
    struct ims_index_options options = { .n_dirs = 1 };
    struct ims_registered found = { 0 };
    char *real = NULL;
    const char *dir;
    ims_json *o;
    ims_status st = ims__api_find_folder(cx->store, ims__in_str(rq->query, "directory", ""), &real, err);

    if (st)
        return st;
    dir = real;
    options.dirs = &dir;
    st = ims_engine_register(cx->engine, &options, MAX_REGISTER_MS, &found, err);
    if (!st && ims__in_bool(rq->query, "auto_train", false))
        st = ims__api_push_ingest(cx, real, NULL, err);
    if (!st) {
        o = ims__json_new_object();
        st = ims__reply_json(rp, 200,
                             ims__whole(o, ims__put_path(o, "directory", real) &&
                                               ims__put_int(o, "discovered", (int64_t)found.found) &&
                                               ims__put_int(o, "created", (int64_t)found.fresh) &&
                                               ims__put_int(o, "skipped", (int64_t)found.known)),
                             err);
    }
    ims__free(real);
    return st;
}

/* ---- what a session is about ---- */

static ims_json *subdirectory_json(struct ims_http_context *cx, const struct ims_store_subdirectory *d, int64_t model_id,
                                   ims_err *err)
{
    struct ims_store_folder_training t;
    int64_t n = 0;
    size_t n_some = 0;
    const struct ims_store_filter below = { .path_prefix = d->path };
    struct ims_store_asset *some;
    struct ims_arena arena;
    ims_json *o;
    ims_status st;

    ims__arena_init(&arena, 0);
    st = ims_store_folder_training(cx->store, d->path, IMS_TASK_CLIP, model_id, &t, err);
    if (!st)
        st = ims_store_list_assets(cx->store, &below, 0, 1, &arena, &some, &n_some, &n, err);
    ims__arena_release(&arena);
    if (st)
        return NULL;
    o = ims__json_new_object();
    return ims__whole(o, ims__put_int(o, "id", d->id) && ims__put_int(o, "sessionId", d->session_id) &&
                             ims__put_path(o, "path", d->path) && ims__put_str(o, "name", d->name) &&
                             ims__put_bool(o, "selected", d->is_selected) && ims__put_int(o, "imageCount", n) &&
                             ims__put_int(o, "trainedCount", t.done) &&
                             ims__put_str(o, "status", t.done == 0 ? "pending" : t.done < n ? "training" : "trained") &&
                             ims__put_time(o, "createdAt", d->created_us));
}

static ims_status reply_subdirectories(struct ims_http_context *cx, int64_t id, struct ims_http_reply *rp, ims_err *err)
{
    struct ims_store_subdirectory *found;
    struct ims_store_session s;
    struct ims_arena arena;
    ims_json *list = ims__json_new_array();
    int64_t model_id = 0;
    size_t n = 0;
    ims_status st;

    ims__arena_init(&arena, 0);
    st = ims_store_session(cx->store, id, &arena, &s, err);
    if (!st)
        st = ims_store_subdirectories(cx->store, id, &arena, &found, &n, err);
    if (!st)
        st = ims_engine_serving_model(cx->engine, &model_id, err);
    for (size_t i = 0; !st && i < n; i++) {
        if (!list || ims__json_add(list, subdirectory_json(cx, &found[i], model_id, err)))
            st = ims_fail(err, IMS_E_NOMEM, "http", 0, "subdirectories");
    }
    ims__arena_release(&arena);
    if (!st)
        return ims__reply_json(rp, 200, list, err);
    ims__json_free(list);
    return st;
}

IMS_API_HANDLER(ims__api_session_subdirectories)
{
    return reply_subdirectories(cx, ims__in_int(rq->path, "session_id", 0), rp, err);
}

struct selection {
    int64_t session_id;
    const ims_json *list;
};

static ims_status run_select(struct ims_store *s, void *arg, ims_err *err)
{
    const struct selection *x = arg;
    ims_status st = IMS_OK;

    for (size_t i = 0; !st && i < ims__json_len(x->list); i++) {
        const ims_json *one = ims__json_at(x->list, i);

        st = ims_store_select_subdirectory(s, x->session_id, ims__in_int(one, "id", 0), ims__in_bool(one, "selected", true), err);
    }
    return st;
}

/* Clients send the list itself, or {"selections": list} or {"subdirectories": list}. */
IMS_API_HANDLER(ims__api_session_select)
{
    struct selection x = { .session_id = ims__in_int(rq->path, "session_id", 0), .list = rq->body };
    ims_status st;

    if (ims__json_type(x.list) == IMS_JSON_OBJECT)
        x.list = ims__json_get(rq->body, "selections") ? ims__json_get(rq->body, "selections")
                                                       : ims__json_get(rq->body, "subdirectories");
    st = ims_store_transact(cx->store, run_select, &x, err);
    return st ? st : reply_subdirectories(cx, x.session_id, rp, err);
}
