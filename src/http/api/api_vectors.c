/* Deleting vectors by hand, and the log of it.
 * SPDX-License-Identifier: Apache-2.0 */
#include "base/limits.h"
#include "base/text.h"
#include "http/api/api.h"
#include "http/api/api_files.h"
#include "store/deletions.h"

#include <stdio.h>
#include <string.h>

/* {..., vectorsDeleted, message} added to what the caller put. */
static ims_status reply_deleted(ims_json *take_o, int64_t n, struct ims_http_reply *rp, ims_err *err)
{
    char text[120];

    snprintf(text, sizeof(text), "%lld vector%s deleted.", (long long)n, n == 1 ? " was" : "s were");
    return ims__reply_json(rp, 200,
                           ims__whole(take_o, ims__put_int(take_o, "vectorsDeleted", n) &&
                                                  ims__put_str(take_o, "message", text)),
                           err);
}

/* A path as a client shows it, without slashes at its end. */
static ims_status read_path(const char *shown, struct ims_buf *out, ims_err *err)
{
    ims_status st = ims__undisplay(shown, strlen(shown), out);

    if (st)
        return ims_fail(err, IMS_E_INVALID, "http", 0, "pathPrefix is not a path as this interface shows them");
    while (out->len > 1 && out->data[out->len - 1] == '/')
        out->data[--out->len] = '\0';
    return IMS_OK;
}

IMS_API_HANDLER(ims__api_vectors_delete_directory)
{
    struct ims_store_forget what = { .scope = IMS_FORGET_DIRECTORY, .reason = ims__in_str(rq->body, "deletionReason", NULL) };
    const char *shown = ims__in_str(rq->body, "pathPrefix", "");
    struct ims_buf path;
    ims_json *o;
    int64_t n = 0;
    ims_status st;

    if (!ims__in_bool(rq->body, "confirm", false))
        return ims__reply_error(rp, 400, "set confirm to true: this deletes vectors");
    ims__buf_init(&path, IMS_MAX_PATH_BYTES);
    st = read_path(shown, &path, err);
    what.path = path.data;
    if (!st)
        st = ims_store_forget_vectors(cx->store, &what, &n, err);
    ims__buf_release(&path);
    if (st)
        return st;
    o = ims__json_new_object();
    return reply_deleted(ims__whole(o, ims__put_str(o, "pathPrefix", shown)), n, rp, err);
}

IMS_API_HANDLER(ims__api_vectors_retrain)
{
    const char *shown = ims__in_str(rq->body, "pathPrefix", "");
    char *folder = NULL;
    ims_json *o;
    int64_t n = 0, session = 0;
    ims_status st = ims__api_find_folder(cx->store, shown, &folder, err);

    if (!st)
        st = ims_store_retrain(cx->store, folder, ims__in_int(rq->body, "categoryId", 0),
                               ims__in_str(rq->body, "deletionReason", NULL), &n, &session, err);
    ims__free(folder);
    if (st)
        return st;
    o = ims__json_new_object();
    return reply_deleted(ims__whole(o, ims__put_str(o, "pathPrefix", shown) && ims__put_int(o, "newSessionId", session)), n,
                         rp, err);
}

/* ---- by what they belong to ---- */

static ims_status delete_of(struct ims_http_context *cx, ims_store_forget_scope scope, const struct ims_http_request *rq,
                            const char *name, const char *key, struct ims_http_reply *rp, ims_err *err)
{
    struct ims_store_forget what = { .scope = scope, .id = ims__in_int(rq->path, name, 0) };
    ims_json *o;
    int64_t n = 0;
    ims_status st = ims_store_forget_vectors(cx->store, &what, &n, err);

    if (st)
        return st;
    o = ims__json_new_object();
    return reply_deleted(ims__whole(o, ims__put_int(o, key, what.id)), n, rp, err);
}

IMS_API_HANDLER(ims__api_vectors_delete_asset)
{
    return delete_of(cx, IMS_FORGET_ASSET, rq, "asset_id", "assetId", rp, err);
}

IMS_API_HANDLER(ims__api_vectors_delete_session)
{
    return delete_of(cx, IMS_FORGET_SESSION, rq, "session_id", "sessionId", rp, err);
}

IMS_API_HANDLER(ims__api_vectors_delete_category)
{
    return delete_of(cx, IMS_FORGET_CATEGORY, rq, "category_id", "categoryId", rp, err);
}

/* ---- all of a kind ---- */

IMS_API_HANDLER(ims__api_vectors_cleanup)
{
    struct ims_store_forget what = { .scope = IMS_FORGET_ORPHANS, .reason = ims__in_str(rq->body, "deletionReason", NULL) };
    ims_json *o;
    int64_t n = 0;
    ims_status st;

    if (!ims__in_bool(rq->body, "confirm", false))
        return ims__reply_error(rp, 400, "set confirm to true: this deletes vectors");
    st = ims_store_forget_vectors(cx->store, &what, &n, err);
    if (st)
        return st;
    o = ims__json_new_object();
    return reply_deleted(ims__whole(o, ims__put_int(o, "orphansDeleted", n)), n, rp, err);
}

IMS_API_HANDLER(ims__api_vectors_reset)
{
    struct ims_store_forget what = { .scope = IMS_FORGET_ALL, .reason = ims__in_str(rq->body, "deletionReason", NULL) };
    int64_t n = 0;
    ims_status st;

    if (!ims__in_bool(rq->body, "confirm", false) ||
        strcmp(ims__in_str(rq->body, "confirmationText", ""), "DELETE ALL VECTORS") != 0)
        return ims__reply_error(rp, 400, "set confirm to true and confirmationText to DELETE ALL VECTORS");
    st = ims_store_forget_vectors(cx->store, &what, &n, err);
    return st ? st : reply_deleted(ims__json_new_object(), n, rp, err);
}

/* ---- looking ---- */

static ims_json *folder_json(const struct ims_store_vector_folder *f)
{
    ims_json *o = ims__json_new_object();
    struct ims_buf shown;
    bool is_good;

    ims__buf_init(&shown, (size_t)IMS_MAX_PATH_BYTES * 4 + 1);
    is_good = ims__display(f->path, strlen(f->path), &shown) == IMS_OK && ims__put_str(o, "pathPrefix", shown.data) &&
              ims__put_int(o, "vectorCount", f->n_vectors) && ims__put_time(o, "lastIndexed", f->indexed_us);
    ims__buf_release(&shown);
    return ims__whole(o, is_good);
}

IMS_API_HANDLER(ims__api_vectors_directories)
{
    struct ims_store_vector_folder *found;
    struct ims_arena arena;
    int64_t total = 0;
    size_t n = 0;
    ims_json *o, *list = ims__json_new_array();
    ims_status st;

    (void)rq;
    ims__arena_init(&arena, 0);
    st = ims_store_vector_folders(cx->store, &arena, &found, &n, &total, err);
    for (size_t i = 0; !st && i < n; i++) {
        if (!list || ims__json_add(list, folder_json(&found[i])))
            st = ims_fail(err, IMS_E_NOMEM, "http", 0, "folders");
    }
    ims__arena_release(&arena);
    if (st) {
        ims__json_free(list);
        return st;
    }
    o = ims__json_new_object();
    return ims__reply_json(
        rp, 200, ims__whole(o, ims__put(o, "directories", list) && ims__put_int(o, "totalVectors", total)), err);
}

static ims_json *deletion_json(const struct ims_store_deletion *d)
{
    ims_json *o = ims__json_new_object();

    return ims__whole(o, ims__put_int(o, "id", d->id) && ims__put_str(o, "deletionType", d->kind) &&
                             ims__put_str(o, "deletionTarget", d->target) && ims__put_int(o, "vectorCount", d->n_vectors) &&
                             ims__put_str(o, "deletionReason", d->reason) && ims__put_time(o, "createdAt", d->created_us));
}

IMS_API_HANDLER(ims__api_vectors_log)
{
    struct ims_page page = ims__api_page(rq);
    struct ims_store_deletion *found;
    struct ims_arena arena;
    int64_t total = 0;
    size_t n = 0;
    ims_json *o, *list = ims__json_new_array();
    ims_status st;

    ims__arena_init(&arena, 0);
    st = ims_store_deletions(cx->store, page.offset, page.size, &arena, &found, &n, &total, err);
    for (size_t i = 0; !st && i < n; i++) {
        if (!list || ims__json_add(list, deletion_json(&found[i])))
            st = ims_fail(err, IMS_E_NOMEM, "http", 0, "deletions");
    }
    ims__arena_release(&arena);
    if (st) {
        ims__json_free(list);
        return st;
    }
    o = ims__json_new_object();
    return ims__reply_json(rp, 200,
                           ims__whole(o, ims__put(o, "logs", list) && ims__put_int(o, "total", total) &&
                                             ims__put_int(o, "page", page.number) && ims__put_int(o, "pageSize", page.size)),
                           err);
}
