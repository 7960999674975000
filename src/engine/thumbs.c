/* Thumbnails: small JPEGs beside the database, named by the content they show.
 *
 * They are derived: one that is missing or damaged is made again, so none is ever synced to disk.
 * SPDX-License-Identifier: Apache-2.0 */
#include "base/fs.h"
#include "base/limits.h"
#include "engine/engine_internal.h"
#include "engine/folders.h"

#include <stdio.h>
#include <string.h>

char *ims__thumbnail_path(const char *data_dir, const uint8_t sha256[IMS_SHA256_BYTES])
{
    char hex[IMS_SHA256_HEX];

    ims__hex(sha256, IMS_SHA256_BYTES, hex);
    return ims__strfmt("%s/thumbs/%.2s/%s.jpg", data_dir, hex, hex);
}

/* A JPEG that was cut short by a power failure does not end in its end marker. */
static bool is_whole_jpeg(const struct ims_buf *b)
{
    const uint8_t *p = (const uint8_t *)b->data;

    return b->len > 4 && p[0] == 0xff && p[1] == 0xd8 && p[b->len - 2] == 0xff && p[b->len - 1] == 0xd9;
}

ims_status ims__read_jpeg(const char *path, uint8_t **out, size_t *out_n, ims_err *err)
{
    struct ims_buf bytes;
    ims_status st = ims__read_file(path, 16 * IMS_MIB, &bytes, NULL, err);

    if (st)
        return st;
    if (!is_whole_jpeg(&bytes)) {
        ims__buf_release(&bytes);
        return ims_fail(err, IMS_E_CORRUPT, "engine", 0, "a stored thumbnail is damaged");
    }
    *out = (uint8_t *)ims__buf_take(&bytes, out_n);
    return IMS_OK;
}

static ims_status read_stored(struct ims_engine *e, const struct ims_store_asset *asset, uint8_t **out,
                              size_t *out_n, ims_err *err)
{
    char *path = ims__thumbnail_path(e->options.data_dir, asset->sha256);
    ims_status st = path ? ims__read_jpeg(path, out, out_n, err)
                         : ims_fail(err, IMS_E_NOMEM, "engine", 0, "reading a thumbnail");

    ims__figure_add(e, st ? IMS_FIGURE_THUMB_MISSES : IMS_FIGURE_THUMB_HITS, 1);
    ims__free(path);
    return st;
}

ims_status ims_engine_shrink(struct ims_engine *e, const void *bytes, size_t n, unsigned max_px, uint8_t **out,
                             size_t *out_n, ims_err *err)
{
    struct ims_image *image = NULL;
    ims_status st = ims__engine_need_media(e, err);

    if (!st)
        st = ims_media_decode(e->media, bytes, n, NULL, &image, err);
    if (!st)
        st = ims_media_thumbnail(e->media, image, (int)max_px, IMS_THUMBNAIL_QUALITY, out, out_n, err);
    ims_image_unref(image);
    return st;
}

/* Decodes the file anew. */
static ims_status make_jpeg(struct ims_engine *e, const struct ims_store_asset *asset, unsigned max_px, uint8_t **out,
                            size_t *out_n, ims_err *err)
{
    struct ims_buf bytes;
    ims_status st = ims__read_file(asset->path, IMS_MAX_IMAGE_BYTES, &bytes, NULL, err);

    if (st)
        return st;
    st = ims_engine_shrink(e, bytes.data, bytes.len, max_px, out, out_n, err);
    ims__buf_release(&bytes);
    return st;
}

static ims_status find_asset(struct ims_engine *e, int64_t id, struct ims_arena *arena, struct ims_store_asset **out,
                             ims_err *err)
{
    size_t n = 0;
    ims_status st = ims_store_assets(e->store, &id, 1, arena, out, &n, err);

    if (!st && n == 0)
        st = ims_fail(err, IMS_E_NOT_FOUND, "engine", 0, "there is no asset %lld", (long long)id);
    return st;
}

ims_status ims_engine_thumbnail(struct ims_engine *e, int64_t asset_id, unsigned max_px, uint8_t **out,
                                size_t *out_n, ims_err *err)
{
    struct ims_arena arena;
    struct ims_store_asset *asset;
    ims_status st;

    ims__arena_init(&arena, 0);
    st = find_asset(e, asset_id, &arena, &asset, err);
    if (!st && (max_px != e->options.thumbnail_px || !asset->has_sha256 ||
                read_stored(e, asset, out, out_n, NULL) != IMS_OK))
        st = make_jpeg(e, asset, max_px, out, out_n, err);
    ims__arena_release(&arena);
    return st;
}

static char *preview_path(const struct ims_engine *e, const struct ims_store_asset *asset, unsigned max_px)
{
    char hex[IMS_SHA256_HEX];

    ims__hex(asset->sha256, IMS_SHA256_BYTES, hex);
    return ims__strfmt("%s/previews/%.2s/%s_%u.jpg", e->options.data_dir, hex, hex, max_px);
}

ims_status ims_engine_preview(struct ims_engine *e, int64_t asset_id, unsigned max_px, uint8_t **out, size_t *out_n,
                              ims_err *err)
{
    struct ims_arena arena;
    struct ims_store_asset *asset;
    char *path = NULL;
    ims_status st;

    if (max_px < 64 || max_px > 4096)
        return ims_fail(err, IMS_E_INVALID, "engine", 0, "a preview has 64 to 4096 pixels on a side, not %u", max_px);
    ims__arena_init(&arena, 0);
    st = find_asset(e, asset_id, &arena, &asset, err);
    if (!st && asset->has_sha256)
        path = preview_path(e, asset, max_px);
    if (!st && (!path || ims__read_jpeg(path, out, out_n, NULL) != IMS_OK)) {
        st = make_jpeg(e, asset, max_px, out, out_n, err);
        if (!st && path && ims__write_derived(path, *out, *out_n, NULL))
            st = IMS_OK; /* it is made again the next time */
    }
    ims__free(path);
    ims__arena_release(&arena);
    return st;
}

static ims_status remake(struct ims_engine *e, const struct ims_store_asset *asset, struct ims_thumbnail *out, ims_err *err)
{
    struct ims_image *image = NULL;
    struct ims_media_info info = { 0 };
    struct ims_buf bytes;
    uint8_t *jpeg = NULL;
    char *path = NULL;
    size_t n = 0;
    ims_status st = ims__read_file(asset->path, IMS_MAX_IMAGE_BYTES, &bytes, NULL, err);

    if (st)
        return st;
    st = ims_media_decode(e->media, (const uint8_t *)bytes.data, bytes.len, NULL, &image, err);
    if (!st)
        st = ims_media_thumbnail(e->media, image, (int)e->options.thumbnail_px, IMS_THUMBNAIL_QUALITY, &jpeg, &n, err);
    if (!st)
        st = ims_media_probe(e->media, jpeg, n, &info, err);
    path = st ? NULL : ims__thumbnail_path(e->options.data_dir, asset->sha256);
    if (!st && !path)
        st = ims_fail(err, IMS_E_NOMEM, "engine", 0, "a thumbnail");
    if (!st)
        st = ims__write_derived(path, jpeg, n, err);
    if (!st) {
        snprintf(out->name, sizeof(out->name), "%s", path + strlen(e->options.data_dir) + strlen("/thumbs/"));
        out->width = info.width;
        out->height = info.height;
    }
    ims_media_info_release(&info);
    ims__free(path);
    ims__free(jpeg);
    ims_image_unref(image);
    ims__buf_release(&bytes);
    return st;
}

ims_status ims_engine_make_thumbnail(struct ims_engine *e, int64_t asset_id, struct ims_thumbnail *out, ims_err *err)
{
    struct ims_arena arena;
    struct ims_store_asset *asset;
    ims_status st;

    ims__arena_init(&arena, 0);
    st = find_asset(e, asset_id, &arena, &asset, err);
    if (!st && !asset->has_sha256)
        st = ims_fail(err, IMS_E_NOT_FOUND, "engine", 0, "asset %lld was never read", (long long)asset_id);
    if (!st)
        st = ims__engine_need_media(e, err);
    if (!st)
        st = remake(e, asset, out, err);
    ims__arena_release(&arena);
    return st;
}
