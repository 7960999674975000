/* Pictures as bytes: thumbnails and the files themselves, only from below the library's roots.
 * SPDX-License-Identifier: Apache-2.0 */
#include "base/fs.h"
#include "base/limits.h"
#include "base/text.h"
#include "http/api/api.h"
#include "http/api/api_files.h"

#include <stdio.h>
#include <string.h>

#define THUMBNAIL_PX 256
#define PREVIEW_PX 1600

/* The asset of a request; IMS_E_NOT_FOUND for one that is not there or was deleted. */
static ims_status find_asset(struct ims_http_context *cx, int64_t id, struct ims_arena *arena,
                             struct ims_store_asset **out, ims_err *err)
{
    size_t n = 0;
    ims_status st = ims_store_assets(cx->store, &id, 1, arena, out, &n, err);

    if (!st && (n == 0 || (*out)->deleted_us))
        st = ims_fail(err, IMS_E_NOT_FOUND, "http", 0, "there is no asset %lld", (long long)id);
    return st;
}

/* Names the version of the content, so that a changed picture is fetched again. */
static void set_caching(struct ims_http_reply *rp, const struct ims_store_asset *a, const char *kind)
{
    char hex[IMS_SHA256_HEX];

    if (!a->has_sha256)
        return;
    ims__hex(a->sha256, IMS_SHA256_BYTES, hex);
    snprintf(rp->etag, sizeof(rp->etag), "\"%.32s-%s\"", hex, kind);
    snprintf(rp->cache_control, sizeof(rp->cache_control), "private, max-age=86400");
}

static ims_status thumbnail(struct ims_http_context *cx, int64_t id, uint8_t **out, size_t *out_n,
                            struct ims_http_reply *rp, ims_err *err)
{
    struct ims_arena arena;
    struct ims_store_asset *a;
    ims_status st;

    ims__arena_init(&arena, 0);
    st = find_asset(cx, id, &arena, &a, err);
    if (!st)
        st = ims__api_check_path(cx->store, a->path, NULL, err);
    if (!st)
        st = ims_engine_thumbnail(cx->engine, id, THUMBNAIL_PX, out, out_n, err);
    if (!st && rp)
        set_caching(rp, a, "t");
    ims__arena_release(&arena);
    return st;
}

IMS_API_HANDLER(ims__api_image_thumbnail)
{
    uint8_t *bytes = NULL;
    size_t n = 0;
    ims_status st = thumbnail(cx, ims__in_int(rq->path, "asset_id", 0), &bytes, &n, rp, err);

    if (!st && ims__buf_add(&rp->bytes, bytes, n))
        st = ims_fail(err, IMS_E_NOMEM, "http", 0, "a thumbnail");
    ims_engine_free(bytes);
    snprintf(rp->content_type, sizeof(rp->content_type), "image/jpeg");
    return st;
}

IMS_API_HANDLER(ims__api_image_preview)
{
    int64_t id = ims__in_int(rq->path, "asset_id", 0), size = ims__in_int(rq->query, "size", PREVIEW_PX);
    struct ims_arena arena;
    struct ims_store_asset *a;
    uint8_t *bytes = NULL;
    size_t n = 0;
    char kind[16];
    ims_status st;

    ims__arena_init(&arena, 0);
    st = find_asset(cx, id, &arena, &a, err);
    if (!st)
        st = ims__api_check_path(cx->store, a->path, NULL, err);
    if (!st)
        st = ims_engine_preview(cx->engine, id, (unsigned)size, &bytes, &n, err);
    if (!st && ims__buf_add(&rp->bytes, bytes, n))
        st = ims_fail(err, IMS_E_NOMEM, "http", 0, "a preview");
    if (!st) {
        snprintf(kind, sizeof(kind), "p%d", (int)size);
        set_caching(rp, a, kind);
        snprintf(rp->content_type, sizeof(rp->content_type), "image/jpeg");
    }
    ims_engine_free(bytes);
    ims__arena_release(&arena);
    return st;
}

IMS_API_HANDLER(ims__api_image_full)
{
    struct ims_arena arena;
    struct ims_store_asset *a;
    ims_status st;

    ims__arena_init(&arena, 0);
    st = find_asset(cx, ims__in_int(rq->path, "asset_id", 0), &arena, &a, err);
    if (!st)
        st = ims__api_open_file(cx->store, a->path, &rp->fd, &rp->n_file_bytes, err);
    if (!st) {
        set_caching(rp, a, "f");
        snprintf(rp->content_type, sizeof(rp->content_type), "%s", a->media.mime ? a->media.mime : "image/jpeg");
    }
    ims__arena_release(&arena);
    return st;
}

/* One entry of the batch: a data URL, or null when the picture is not there or cannot be shown. */
static ims_status add_data_url(struct ims_http_context *cx, int64_t id, ims_json *thumbnails, ims_json *missing,
                               ims_err *err)
{
    struct ims_buf url;
    uint8_t *bytes = NULL;
    size_t n = 0;
    char key[24];
    ims_status st = thumbnail(cx, id, &bytes, &n, NULL, NULL);
    bool is_good;

    if (st == IMS_E_NOMEM || st == IMS_E_DB || st == IMS_E_DB_BUSY)
        return ims_fail(err, st, "http", 0, "thumbnail of asset %lld", (long long)id);
    snprintf(key, sizeof(key), "%lld", (long long)id);
    ims__buf_init(&url, 4 * IMS_MIB);
    if (st)
        is_good = ims__put_null(thumbnails, key) && ims__json_add(missing, ims__json_new_int(id)) == IMS_OK;
    else
        is_good = ims__buf_add_str(&url, "data:image/jpeg;base64,") == IMS_OK && ims__base64(bytes, n, &url) == IMS_OK &&
                  ims__put_str(thumbnails, key, url.data);
    ims__buf_release(&url);
    ims_engine_free(bytes);
    return is_good ? IMS_OK : ims_fail(err, IMS_E_NOMEM, "http", 0, "thumbnails");
}

IMS_API_HANDLER(ims__api_image_thumbnails_batch)
{
    const ims_json *ids = ims__json_get(rq->body, "assetIds");
    ims_json *o = ims__json_new_object(), *thumbnails = ims__json_new_object(), *missing = ims__json_new_array();
    ims_status st = o && thumbnails && missing ? IMS_OK : ims_fail(err, IMS_E_NOMEM, "http", 0, "thumbnails");
    int64_t n_found;

    for (size_t i = 0; !st && i < ims__json_len(ids); i++)
        st = add_data_url(cx, ims__json_int(ims__json_at(ids, i), 0), thumbnails, missing, err);
    if (st) {
        ims__json_free(thumbnails);
        ims__json_free(missing);
        ims__json_free(o);
        return st;
    }
    n_found = (int64_t)ims__json_len(ids) - (int64_t)ims__json_len(missing);
    return ims__reply_json(rp, 200,
                           ims__whole(o, ims__put(o, "thumbnails", thumbnails) && ims__put_int(o, "found", n_found) &&
                                             ims__put(o, "notFound", missing)),
                           err);
}

IMS_API_HANDLER(ims__api_image_thumbnail_generate)
{
    int64_t id = ims__in_int(rq->path, "asset_id", 0);
    struct ims_arena arena;
    struct ims_store_asset *a;
    struct ims_thumbnail made;
    ims_json *o = ims__json_new_object();
    ims_status st;

    ims__arena_init(&arena, 0);
    st = find_asset(cx, id, &arena, &a, err);
    if (!st)
        st = ims__api_check_path(cx->store, a->path, NULL, err);
    if (!st)
        st = ims_engine_make_thumbnail(cx->engine, id, &made, err);
    ims__arena_release(&arena);
    if (st) {
        ims__json_free(o);
        return st;
    }
    return ims__reply_json(rp, 200,
                           ims__whole(o, ims__put_int(o, "assetId", id) && ims__put_str(o, "thumbnailPath", made.name) &&
                                             ims__put_int(o, "width", made.width) &&
                                             ims__put_int(o, "height", made.height) &&
                                             ims__put_str(o, "status", "generated")),
                           err);
}
