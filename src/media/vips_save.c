/* JPEG encoding and colour conversion of small pictures through libvips.
 * SPDX-License-Identifier: Apache-2.0 */
#include "media/vips_lib.h"

#include "base/limits.h"
#include "base/mem.h"
#include "media/media.h"

#include <string.h>

struct encode {
    const uint8_t *rgb; /* packed */
    int width;
    int height;
    int quality;
    void *vips_buf; /* of GLib's allocator */
    size_t n_bytes;
};

static VipsImage *wrap(const struct vips_api *v, const uint8_t *rgb, int width, int height)
{
    VipsImage *raw = v->vips_image_new_from_memory(rgb, (size_t)width * (size_t)height * 3, width,
                                                   height, 3, VIPS_FORMAT_UCHAR);
    VipsImage *image = NULL;

    if (!raw)
        return NULL;
    /* memory images have no colour space; three bytes a pixel are taken for RGB and relabelled */
    if (v->vips_colourspace(raw, &image, VIPS_INTERPRETATION_sRGB, "source_space",
                            VIPS_INTERPRETATION_sRGB, NULL))
        image = NULL;
    v->g_object_unref(raw);
    return image;
}

static ims_status encode(const struct vips_api *v, void *arg, ims_err *err)
{
    struct encode *e = arg;
    VipsImage *image = wrap(v, e->rgb, e->width, e->height);
    int failed;

    if (!image)
        return ims_fail(err, IMS_E_FORMAT, "vips", 0, "a picture cannot be handed over");
    failed = v->vips_jpegsave_buffer(image, &e->vips_buf, &e->n_bytes, "Q", e->quality,
                                     "optimize_coding", TRUE, "strip", TRUE, NULL);
    v->g_object_unref(image);
    if (failed)
        return ims_fail(err, IMS_E_FORMAT, "vips", 0, "a picture of %d x %d cannot be encoded as JPEG",
                        e->width, e->height);
    return IMS_OK;
}

ims_status ims_media_encode_jpeg(struct ims_media *m, const uint8_t *rgb, int width, int height,
                                 size_t stride_bytes, int quality, uint8_t **out_buf,
                                 size_t *out_bytes, ims_err *err)
{
    struct encode e = { .rgb = rgb, .width = width, .height = height, .quality = quality };
    struct vips_work work = { encode, &e };
    const struct vips_api *v;
    uint8_t *packed = NULL;
    uint8_t *copy;
    ims_status st;

    (void)m;
    if (width < 1 || height < 1 || width > IMS_MAX_IMAGE_SIDE_PX || height > IMS_MAX_IMAGE_SIDE_PX ||
        stride_bytes < (size_t)width * 3 || quality < 1 || quality > 100)
        return ims_fail(err, IMS_E_INVALID, "media", 0, "encoding %d x %d at quality %d", width, height,
                        quality);
    st = ims__vips_get(&v, err);
    if (st)
        return st;
    if (stride_bytes != (size_t)width * 3) {
        packed = ims__alloc((size_t)width * 3, (size_t)height);
        if (!packed)
            return ims_fail(err, IMS_E_NOMEM, "media", 0, "encoding %d x %d", width, height);
        for (int y = 0; y < height; y++)
            memcpy(packed + (size_t)y * (size_t)width * 3, rgb + (size_t)y * stride_bytes,
                   (size_t)width * 3);
        e.rgb = packed;
    }
    st = ims__vips_run(v, &work, err);
    if (st)
        goto out;
    copy = ims__memdup(e.vips_buf, e.n_bytes);
    v->g_free(e.vips_buf);
    if (!copy) {
        st = ims_fail(err, IMS_E_NOMEM, "media", 0, "a JPEG of %zu bytes", e.n_bytes);
        goto out;
    }
    *out_buf = copy;
    *out_bytes = e.n_bytes;
out:
    ims__free(packed);
    return st;
}

struct colour {
    const struct ims_image *of;
    uint8_t *rgb; /* changed in place */
    size_t n_px;
    bool is_applied;
};

static ims_status to_srgb(const struct vips_api *v, void *arg, ims_err *err)
{
    struct colour *c = arg;
    VipsImage *image = wrap(v, c->rgb, (int)c->n_px, 1);
    VipsImage *converted = NULL;
    void *out = NULL;
    size_t n = 0;

    if (!image)
        return ims_fail(err, IMS_E_FORMAT, "vips", 0, "pixels cannot be handed over");
    v->vips_image_set_blob_copy(image, VIPS_META_ICC_NAME, c->of->icc, c->of->icc_bytes);
    if (v->vips_icc_is_compatible_profile(image, c->of->icc, c->of->icc_bytes) &&
        !v->vips_icc_transform(image, &converted, "srgb", "embedded", TRUE, "intent",
                               VIPS_INTENT_PERCEPTUAL, NULL)) {
        out = v->vips_image_write_to_memory(converted, &n);
        v->g_object_unref(converted);
    }
    if (out && n == c->n_px * 3) {
        memcpy(c->rgb, out, n);
        c->is_applied = true;
    }
    v->g_free(out);
    v->g_object_unref(image);
    return IMS_OK;
}

ims_status ims_media_to_srgb(struct ims_media *m, const struct ims_image *of, uint8_t *rgb, size_t n_px,
                             bool *out_applied, ims_err *err)
{
    struct colour c = { .of = of, .rgb = rgb, .n_px = n_px };
    struct vips_work work = { to_srgb, &c };
    const struct vips_api *v;
    ims_status st = IMS_OK;

    (void)m;
    if (n_px > INT_MAX)
        return ims_fail(err, IMS_E_LIMIT, "media", 0, "converting the colours of %zu pixels", n_px);
    if (of->icc && n_px) {
        st = ims__vips_get(&v, err);
        if (!st)
            st = ims__vips_run(v, &work, err);
    }
    if (!st && out_applied)
        *out_applied = c.is_applied;
    return st;
}
