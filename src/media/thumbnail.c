/* Thumbnails: shrink with Pillow's Lanczos, on white, sRGB, JPEG.
 * SPDX-License-Identifier: Apache-2.0 */
#include "media/media.h"

#include "base/mem.h"
#include "kernels/resample.h"
#include "media/image.h"

#include <math.h>
#include <string.h>

/* Of the two whole numbers around x the one whose aspect ratio is nearer to the picture's. */
static int round_to_aspect(double x, double aspect, double other, bool is_width)
{
    double low = floor(x);
    double high = ceil(x);
    double low_off;
    double high_off;

    if (is_width) {
        low_off = fabs(aspect - low / other);
        high_off = fabs(aspect - high / other);
    } else {
        low_off = low > 0 ? fabs(aspect - other / low) : 0;
        high_off = fabs(aspect - other / high);
    }
    x = high_off < low_off ? high : low;
    return x < 1 ? 1 : (int)x;
}

void ims_media_fit(int width, int height, int max_px, int *out_width, int *out_height)
{
    double aspect = (double)width / (double)height;

    *out_width = width;
    *out_height = height;
    if (width <= max_px && height <= max_px)
        return;
    *out_width = max_px;
    *out_height = max_px;
    if (aspect <= 1)
        *out_width = round_to_aspect(max_px * aspect, aspect, max_px, true);
    else
        *out_height = round_to_aspect(max_px / aspect, aspect, max_px, false);
}

/* colour over white, rounded as Pillow's paste does */
static uint8_t blend_white(unsigned colour, unsigned alpha)
{
    unsigned t = 255 * (255 - alpha) + colour * alpha + 128;

    return (uint8_t)(((t >> 8) + t) >> 8);
}

static uint8_t *flatten(const struct ims_image *im)
{
    size_t width = (size_t)im->width;
    uint8_t *flat = ims__media_alloc_px(width * (size_t)im->height * 3);

    for (size_t y = 0; flat && y < (size_t)im->height; y++) {
        const uint8_t *rgb = im->rgb + y * im->stride_bytes;
        const uint8_t *alpha = im->alpha + y * width;
        uint8_t *out = flat + y * width * 3;

        for (size_t x = 0; x < width; x++) {
            for (size_t c = 0; c < 3; c++)
                out[3 * x + c] = blend_white(rgb[3 * x + c], alpha[x]);
        }
    }
    return flat;
}

ims_status ims_media_thumbnail(struct ims_media *m, const struct ims_image *im, int max_px,
                               int quality, uint8_t **out_buf, size_t *out_bytes, ims_err *err)
{
    struct ims_resample r = { .src = im->rgb,
                              .src_width = im->width,
                              .src_height = im->height,
                              .src_stride = im->stride_bytes,
                              .channels = 3,
                              .filter = IMS_FILTER_LANCZOS3 };
    uint8_t *flat = NULL;
    uint8_t *small = NULL;
    size_t n_px;
    ims_status st;

    if (max_px < 1)
        return ims_fail(err, IMS_E_INVALID, "media", 0, "a thumbnail of %d pixels", max_px);
    ims_media_fit(im->width, im->height, max_px, &r.dst_width, &r.dst_height);
    n_px = (size_t)r.dst_width * (size_t)r.dst_height;
    small = ims__alloc(n_px, 3);
    flat = im->alpha ? flatten(im) : NULL;
    if (!small || (im->alpha && !flat)) {
        st =
            ims_fail(err, IMS_E_NOMEM, "media", 0, "a thumbnail of %d x %d", im->width, im->height);
        goto out;
    }
    if (flat) {
        r.src = flat;
        r.src_stride = (size_t)im->width * 3;
    }
    st = ims__resample(&r, small, (size_t)r.dst_width * 3, err);
    if (!st)
        st = ims_media_to_srgb(m, im, small, n_px, NULL, err);
    if (!st)
        st = ims_media_encode_jpeg(m, small, r.dst_width, r.dst_height, (size_t)r.dst_width * 3,
                                   quality, out_buf, out_bytes, err);
out:
    ims__free(flat);
    ims__free(small);
    return st;
}
