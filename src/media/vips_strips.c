/* Pixels from libvips, strip by strip on the caller's own thread, turned and split into RGB and
 * alpha on the way: no picture is held twice here, and the clock is looked at between strips.
 * SPDX-License-Identifier: Apache-2.0 */
#include "media/vips_load.h"

#include "base/mem.h"
#include "media/image.h"

#include <string.h>

#define STRIP_ROWS 16

/* Where strips go. */
struct sink {
    struct ims_orient rgb;
    struct ims_orient alpha;
    uint8_t *rgb_rows; /* scratch: one strip as RGB; NULL when the loader's rows are that already */
    uint8_t *alpha_rows;
    bool is_opaque;
};

static ims_status open_sink(const struct vips_load *l, struct ims_image *image, struct sink *s,
                            ims_err *err)
{
    const struct media_layout *y = &l->layout;
    size_t n_px = (size_t)l->width * STRIP_ROWS;
    bool is_direct = y->colour == MEDIA_RGB && y->bands == 3 && !y->is_16_bit;

    s->rgb = (struct ims_orient){ .orientation = l->job->info.orientation,
                                  .src_width = l->width,
                                  .src_height = l->height,
                                  .px_bytes = 3,
                                  .dst = image->rgb,
                                  .dst_stride = image->stride_bytes };
    s->alpha = s->rgb;
    s->alpha.px_bytes = 1;
    s->alpha.dst = image->alpha;
    s->alpha.dst_stride = (size_t)image->width;
    s->is_opaque = true;
    if (is_direct)
        return IMS_OK;
    s->rgb_rows = ims__alloc(n_px, 3);
    s->alpha_rows = y->has_alpha ? ims__alloc(n_px, 1) : NULL;
    if (!s->rgb_rows || (y->has_alpha && !s->alpha_rows))
        return ims_fail(err, IMS_E_NOMEM, "vips", 0, "a strip of %d pixels", l->width);
    return IMS_OK;
}

static bool is_all_255(const uint8_t *p, size_t n)
{
    return n == 0 || (p[0] == 255 && memcmp(p, p + 1, n - 1) == 0);
}

static void write_strip(const struct vips_load *l, struct sink *s, const uint8_t *rows,
                        size_t stride, int y, int n_rows)
{
    size_t width = (size_t)l->width;

    if (!s->rgb_rows) {
        ims__orient_rows(&s->rgb, rows, stride, y, n_rows);
        return;
    }
    for (int j = 0; j < n_rows; j++)
        ims__pixels_row(&l->layout, rows + (size_t)j * stride, l->width,
                        s->rgb_rows + (size_t)j * width * 3,
                        s->alpha_rows ? s->alpha_rows + (size_t)j * width : NULL);
    ims__orient_rows(&s->rgb, s->rgb_rows, width * 3, y, n_rows);
    if (s->alpha_rows) {
        ims__orient_rows(&s->alpha, s->alpha_rows, width, y, n_rows);
        s->is_opaque = s->is_opaque && is_all_255(s->alpha_rows, width * (size_t)n_rows);
    }
}

/* VIPS_REGION_ADDR would need a function of the library; strips are whole rows, so this is enough.
 */
static const uint8_t *row_address(const VipsRegion *region, int y)
{
    return region->data + (ptrdiff_t)(y - region->valid.top) * region->bpl;
}

static ims_status pull_strips(const struct vips_api *v, struct vips_load *l, struct sink *s,
                              ims_err *err)
{
    VipsRegion *region = v->vips_region_new(l->ready);
    ims_status st = IMS_OK;

    if (!region)
        return ims_fail(err, IMS_E_NOMEM, "vips", 0, "making a region");
    for (int y = 0; y < l->height && !st; y += STRIP_ROWS) {
        int n_rows = l->height - y < STRIP_ROWS ? l->height - y : STRIP_ROWS;
        VipsRect strip = { .left = 0, .top = y, .width = l->width, .height = n_rows };

        if (ims__media_is_late(l->job)) {
            st = ims__media_fail_late(l->job, err);
        } else if (v->vips_region_prepare(region, &strip)) {
            st = ims__vips_fail(l->job, "data is damaged", err);
        } else {
            write_strip(l, s, row_address(region, y), (size_t)region->bpl, y, n_rows);
        }
    }
    v->g_object_unref(region);
    return st;
}

ims_status ims__vips_read_pixels(const struct vips_api *v, struct vips_load *l, ims_err *err)
{
    struct media_job *job = l->job;
    struct ims_image *image = NULL;
    struct sink sink = { 0 };
    ims_status st;

    st = ims__image_alloc(&image, job->info.width, job->info.height, l->layout.has_alpha, err);
    if (!st) /* before the pixels: reading them gives the file's metadata new addresses */
        st = ims__media_take_icc(job, image, l->icc_kind, l->icc, l->icc_bytes, err);
    if (!st)
        st = open_sink(l, image, &sink, err);
    if (!st)
        st = pull_strips(v, l, &sink, err);
    if (st)
        goto out;
    if (sink.is_opaque) {
        ims__free(image->alpha);
        image->alpha = NULL;
    }
    job->image = image;
    image = NULL;
out:
    ims__free(sink.rgb_rows);
    ims__free(sink.alpha_rows);
    ims_image_unref(image);
    return st;
}
