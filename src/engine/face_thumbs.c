/* Small JPEGs of single faces, beside the thumbnails, named by content and box. Derived: one that is missing is
 * made again from the picture.
 * SPDX-License-Identifier: Apache-2.0 */
#include "base/fs.h"
#include "base/limits.h"
#include "engine/ingest.h"

#include <string.h>

#define FACE_THUMB_PX 160
#define MARGIN 0.3 /* of the box's longer side, around it */

struct box {
    int x, y, w, h;
};

char *ims__face_thumb_path(const char *data_dir, const uint8_t sha256[IMS_SHA256_BYTES], int x, int y, int w, int h)
{
    char hex[IMS_SHA256_HEX];

    ims__hex(sha256, IMS_SHA256_BYTES, hex);
    return ims__strfmt("%s/faces/%.2s/%s_%d_%d_%d_%d.jpg", data_dir, hex, hex, x, y, w, h);
}

/* [centre - side/2, centre + side/2), moved into and cut to 0..limit. */
static void fit(double centre, double side, int limit, int *out_first, int *out_n)
{
    int n = side < 1 ? 1 : side > limit ? limit : (int)side;
    double first = centre - n / 2.0;

    *out_first = first < 0 ? 0 : first > limit - n ? limit - n : (int)first;
    *out_n = n;
}

static ims_status make(struct ims_media *media, const struct ims_image *image, struct box b, uint8_t **out,
                       size_t *out_n, ims_err *err)
{
    double side = (b.w > b.h ? b.w : b.h) * (1.0 + 2.0 * MARGIN);
    struct ims_image part = { .stride_bytes = image->stride_bytes, .icc = image->icc, .icc_bytes = image->icc_bytes };
    int x, y;

    fit(b.x + b.w / 2.0, side, image->width, &x, &part.width);
    fit(b.y + b.h / 2.0, side, image->height, &y, &part.height);
    part.rgb = image->rgb + (size_t)y * image->stride_bytes + (size_t)x * 3;
    return ims_media_thumbnail(media, &part, FACE_THUMB_PX, IMS_THUMBNAIL_QUALITY, out, out_n, err);
}

static ims_status store(struct ims_engine *e, const uint8_t *sha256, const struct ims_image *image, struct box b,
                        ims_err *err)
{
    char *path = ims__face_thumb_path(e->options.data_dir, sha256, b.x, b.y, b.w, b.h);
    struct ims_file_info known;
    uint8_t *jpeg = NULL;
    size_t n = 0;
    ims_status st = IMS_OK;

    if (!path)
        return ims_fail(err, IMS_E_NOMEM, "engine", 0, "storing the picture of a face");
    if (ims__stat(path, true, &known, NULL) == IMS_OK && known.size_bytes > 0)
        goto out;
    st = make(e->media, image, b, &jpeg, &n, err);
    if (!st)
        st = ims__write_derived(path, jpeg, n, err);
out:
    ims__free(jpeg);
    ims__free(path);
    return st;
}

ims_status ims__ingest_store_face_thumbs(struct ims_ingest *g, struct ims_job *j, const struct ims_image *image,
                                         ims_err *err)
{
    for (size_t i = 0; i < j->faces.n; i++) {
        const struct ims_face *f = &j->faces.faces[i];
        struct box b = { (int)f->x, (int)f->y, (int)f->width, (int)f->height };
        ims_status st = store(g->e, j->sha256, image, b, err);

        if (st == IMS_E_NO_SPACE || st == IMS_E_PERMISSION)
            return st;
        if (st)
            ims__ingest_note(g, j->path, "no_face_thumbnail", err->text);
    }
    return IMS_OK;
}

/* ---- reading ---- */

static ims_status make_from_file(struct ims_engine *e, const struct ims_store_face *face, uint8_t **out,
                                 size_t *out_n, ims_err *err)
{
    const struct box b = { face->x, face->y, face->w, face->h };
    struct ims_image *image = NULL;
    struct ims_buf bytes;
    ims_status st;

    if (!face->path)
        return ims_fail(err, IMS_E_NOT_FOUND, "engine", 0, "the picture of face %lld is gone", (long long)face->id);
    ims__buf_init(&bytes, 0);
    st = ims__engine_need_media(e, err);
    if (!st)
        st = ims__read_file(face->path, IMS_MAX_IMAGE_BYTES, &bytes, NULL, err);
    if (!st)
        st = ims_media_decode(e->media, (const uint8_t *)bytes.data, bytes.len, NULL, &image, err);
    if (!st)
        st = make(e->media, image, b, out, out_n, err);
    ims_image_unref(image);
    ims__buf_release(&bytes);
    return st;
}

/* For the next time; where that fails, it is made again. */
static void keep(const char *path, const uint8_t *jpeg, size_t n)
{
    if (ims__write_derived(path, jpeg, n, NULL))
        return;
}

ims_status ims_engine_face_thumbnail(struct ims_engine *e, int64_t face_id, uint8_t **out, size_t *out_n,
                                     ims_err *err)
{
    struct ims_store_face *face;
    struct ims_store_asset *asset;
    struct ims_arena arena;
    char *path = NULL;
    size_t n = 0;
    ims_status st;

    ims__arena_init(&arena, 0);
    st = ims_store_faces_by_id(e->store, &face_id, 1, &arena, &face, err);
    if (!st && face->asset_id)
        st = ims_store_assets(e->store, &face->asset_id, 1, &arena, &asset, &n, err);
    if (st)
        goto out;
    if (n && asset->has_sha256)
        path = ims__face_thumb_path(e->options.data_dir, asset->sha256, face->x, face->y, face->w, face->h);
    if (path && ims__read_jpeg(path, out, out_n, NULL) == IMS_OK)
        goto out;
    st = make_from_file(e, face, out, out_n, err);
    if (!st && path)
        keep(path, *out, *out_n);
out:
    ims__free(path);
    ims__arena_release(&arena);
    return st;
}
