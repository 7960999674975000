/* Conversion of small pictures from their own colour profile to sRGB.
 * SPDX-License-Identifier: Apache-2.0 */
#include "media/vips_lib.h"

#include "base/mem.h"
#include "media/media.h"

#include <limits.h>
#include <string.h>

#define MAX_ROWS 10000000 /* what every libvips takes as a height */
#define ROW_PX 4096 /* the pixels are handed over as a picture of rows of this many */

struct colour {
    const struct ims_image *of;
    const uint8_t *rgb; /* whole rows; the last is padded */
    int n_rows;
    uint8_t *converted; /* room for as many */
    bool is_applied;
};

static VipsImage *wrap(const struct vips_api *v, const struct colour *c)
{
    VipsImage *raw = v->vips_image_new_from_memory(c->rgb, (size_t)c->n_rows * ROW_PX * 3, ROW_PX,
                                                   c->n_rows, 3, VIPS_FORMAT_UCHAR);
    VipsImage *image = NULL;

    if (!raw)
        return NULL;
    /* memory has no colour space; this only puts the label on */
    if (v->vips_copy(raw, &image, "interpretation", VIPS_INTERPRETATION_sRGB, NULL))
        image = NULL;
    v->g_object_unref(raw);
    return image;
}

/* Row by row on this thread; libvips' own way would start workers. */
static bool read_rows(const struct vips_api *v, VipsImage *image, const struct colour *c)
{
    VipsRegion *region = v->vips_region_new(image);
    bool is_ok = region != NULL;

    for (int y = 0; y < c->n_rows && is_ok; y++) {
        VipsRect row = { .left = 0, .top = y, .width = ROW_PX, .height = 1 };

        is_ok = v->vips_region_prepare(region, &row) == 0;
        if (is_ok)
            memcpy(c->converted + (size_t)y * ROW_PX * 3,
                   region->data + (ptrdiff_t)(y - region->valid.top) * region->bpl, ROW_PX * 3);
    }
    if (region)
        v->g_object_unref(region);
    return is_ok;
}

static ims_status to_srgb(const struct vips_api *v, void *arg, ims_err *err)
{
    struct colour *c = arg;
    VipsImage *image = wrap(v, c);
    VipsImage *converted = NULL;

    if (!image)
        return ims_fail(err, IMS_E_NOMEM, "vips", 0, "handing over %d rows of pixels", c->n_rows);
    v->vips_image_set_blob_copy(image, VIPS_META_ICC_NAME, c->of->icc, c->of->icc_bytes);
    if (v->vips_icc_is_compatible_profile(image, c->of->icc, c->of->icc_bytes) &&
        !v->vips_icc_transform(image, &converted, "srgb", "embedded", TRUE, "intent",
                               VIPS_INTENT_PERCEPTUAL, NULL)) {
        c->is_applied = v->vips_image_get_bands(converted) == 3 &&
                        v->vips_image_get_format(converted) == VIPS_FORMAT_UCHAR &&
                        read_rows(v, converted, c);
        v->g_object_unref(converted);
    }
    v->g_object_unref(image);
    return IMS_OK;
}

ims_status ims_media_to_srgb(struct ims_media *m, const struct ims_image *of, uint8_t *rgb,
                             size_t n_px, bool *out_applied, ims_err *err)
{
    size_t n_rows = (n_px + ROW_PX - 1) / ROW_PX;
    struct colour c = { .of = of, .n_rows = (int)n_rows };
    struct vips_work work = { to_srgb, &c };
    const struct vips_api *v;
    uint8_t *padded = NULL;
    ims_status st = IMS_OK;

    (void)m;
    if (!of->icc || n_px == 0)
        goto out;
    if (n_rows > MAX_ROWS)
        return ims_fail(err, IMS_E_LIMIT, "media", 0, "converting the colours of %zu pixels", n_px);
    st = ims__vips_get(&v, err);
    if (st)
        return st;
    padded = ims__zalloc(n_rows * ROW_PX, 3);
    c.converted = ims__alloc(n_rows * ROW_PX, 3);
    if (!padded || !c.converted) {
        st = ims_fail(err, IMS_E_NOMEM, "media", 0, "converting the colours of %zu pixels", n_px);
        goto out;
    }
    memcpy(padded, rgb, n_px * 3);
    c.rgb = padded;
    st = ims__vips_run(v, &work, err);
    if (st)
        goto out;
    if (c.is_applied)
        memcpy(rgb, c.converted, n_px * 3);
out:
    if (!st && out_applied)
        *out_applied = c.is_applied;
    ims__free(padded);
    ims__free(c.converted);
    return st;
}
