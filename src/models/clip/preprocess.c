/* The geometry of open_clip's preprocessing: how far to resize, what to cut off or fill.
 * SPDX-License-Identifier: Apache-2.0 */
#include "models/clip/preprocess.h"

#include "base/limits.h"

#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

const struct ims_clip_preprocess ims__clip_preprocess_openai = {
    .width = 224,
    .height = 224,
    .resize = IMS_CLIP_RESIZE_SHORTEST,
    .interpolation = IMS_FILTER_BICUBIC,
    .mean = { 0.48145466f, 0.4578275f, 0.40821073f },
    .std = { 0.26862954f, 0.26130258f, 0.27577711f },
    .fill = 0,
};

const struct ims_clip_preprocess ims__clip_preprocess_siglip = {
    .width = 224,
    .height = 224,
    .resize = IMS_CLIP_RESIZE_SQUASH,
    .interpolation = IMS_FILTER_BICUBIC,
    .mean = { 0.5f, 0.5f, 0.5f },
    .std = { 0.5f, 0.5f, 0.5f },
    .fill = 0,
};

/* torchvision's round((size - wanted) / 2) of a size that is larger: a half goes to the even
 * neighbour. */
static int half_of_excess(int excess)
{
    int floor = excess / 2;

    return excess % 2 != 0 && floor % 2 != 0 ? floor + 1 : floor;
}

/* Where output 0 lies in the resized picture; negative when there is padding before it. Padding
 * puts the odd pixel after the picture. */
static int find_start(int resized, int wanted)
{
    return resized >= wanted ? half_of_excess(resized - wanted) : -((wanted - resized) / 2);
}

/* The whole part of side * wanted / base, which is what int(size * long / short) gives: the
 * quotient of two numbers this small is never rounded up to the next whole one in double. */
static int scale_side(int side, int wanted, int base)
{
    return (int)((int64_t)side * wanted / base);
}

/* open_clip's ResizeKeepRatio, in double and with Python's round as the reference. A side that
 * would vanish is kept at 1 (the reference fails there). */
static int divide_side(int side, double ratio)
{
    double v = nearbyint((double)side / ratio);

    return v < 1.0 ? 1 : v > (double)INT_MAX ? INT_MAX : (int)v;
}

static void fit(const struct ims_clip_preprocess *p, int width, int height,
                struct ims_clip_geometry *g)
{
    double ratio_x = (double)width / p->width, ratio_y = (double)height / p->height, ratio;

    switch (p->resize) {
    case IMS_CLIP_RESIZE_SHORTEST:
        if (p->width == p->height) { /* torchvision's own rule, which truncates */
            bool is_portrait = width <= height;

            g->resized_width = is_portrait ? p->width : scale_side(width, p->width, height);
            g->resized_height = is_portrait ? scale_side(height, p->width, width) : p->width;
            return;
        }
        ratio = fmin(ratio_x, ratio_y);
        break;
    case IMS_CLIP_RESIZE_LONGEST:
        ratio = fmax(ratio_x, ratio_y);
        break;
    default:
        g->resized_width = p->width;
        g->resized_height = p->height;
        return;
    }
    g->resized_width = divide_side(width, ratio);
    g->resized_height = divide_side(height, ratio);
}

static bool is_side(int px, int max)
{
    return px >= 1 && px <= max;
}

ims_status ims__clip_preprocess_geometry(const struct ims_clip_preprocess *p, int width, int height,
                                         struct ims_clip_geometry *out, ims_err *err)
{
    struct ims_clip_geometry g = { 0 };

    if (!is_side(p->width, IMS_MAX_MODEL_SIDE_PX) || !is_side(p->height, IMS_MAX_MODEL_SIDE_PX) ||
        (int)p->resize < 0 || p->resize >= IMS_CLIP_RESIZE_N)
        return ims_fail(err, IMS_E_INVALID, "preprocess", 0,
                        "a model input of %d x %d with resize mode %d is not supported", p->width,
                        p->height, (int)p->resize);
    if (!is_side(width, IMS_MAX_IMAGE_SIDE_PX) || !is_side(height, IMS_MAX_IMAGE_SIDE_PX))
        return ims_fail(err, IMS_E_INVALID, "preprocess", 0, "a picture of %d x %d is not usable",
                        width, height);
    fit(p, width, height, &g);
    g.left = find_start(g.resized_width, p->width);
    g.top = find_start(g.resized_height, p->height);
    *out = g;
    return IMS_OK;
}

/* open_clip hands the interpolation on except here, where its own default applies. */
static ims_filter pick_filter(const struct ims_clip_preprocess *p)
{
    return p->resize == IMS_CLIP_RESIZE_SHORTEST && p->width != p->height ? IMS_FILTER_BICUBIC
                                                                          : p->interpolation;
}

ims_status ims__clip_preprocess_run(const struct ims_clip_preprocess *p, const uint8_t *rgb,
                                    int width, int height, size_t stride, uint8_t *out_rgb,
                                    ims_err *err)
{
    struct ims_clip_geometry g = { 0 };
    struct ims_resample r;
    size_t out_stride, at_x, at_y;
    ims_status st;

    st = ims__clip_preprocess_geometry(p, width, height, &g, err);
    if (st)
        return st;
    if (p->interpolation != IMS_FILTER_BICUBIC && p->interpolation != IMS_FILTER_BILINEAR)
        return ims_fail(err, IMS_E_INVALID, "preprocess", 0, "interpolation %d is not supported",
                        (int)p->interpolation);
    out_stride = (size_t)p->width * 3;
    at_x = g.left < 0 ? (size_t)-g.left : 0;
    at_y = g.top < 0 ? (size_t)-g.top : 0;
    r = (struct ims_resample){
        .src = rgb,
        .src_width = width,
        .src_height = height,
        .src_stride = stride,
        .channels = 3,
        .filter = pick_filter(p),
        .dst_width = g.resized_width,
        .dst_height = g.resized_height,
        .crop_x = g.left > 0 ? g.left : 0,
        .crop_y = g.top > 0 ? g.top : 0,
        .crop_width = g.resized_width < p->width ? g.resized_width : p->width,
        .crop_height = g.resized_height < p->height ? g.resized_height : p->height,
    };
    if (r.crop_width < p->width || r.crop_height < p->height)
        memset(out_rgb, p->fill, out_stride * (size_t)p->height);
    return ims__resample(&r, out_rgb + at_y * out_stride + at_x * 3, out_stride, err);
}

char *ims__clip_preprocess_name(const struct ims_clip_preprocess *p, char *out, size_t size)
{
    static const char *const resizes[] = { [IMS_CLIP_RESIZE_SHORTEST] = "shortest",
                                           [IMS_CLIP_RESIZE_SQUASH] = "squash",
                                           [IMS_CLIP_RESIZE_LONGEST] = "longest" };
    static const char *const filters[] = { [IMS_FILTER_BILINEAR] = "bilinear",
                                           [IMS_FILTER_BICUBIC] = "bicubic",
                                           [IMS_FILTER_LANCZOS3] = "lanczos3" };

    snprintf(out, size, "%d %s %s %dx%d", IMS_CLIP_PREPROCESS_VERSION, resizes[p->resize],
             filters[p->interpolation], p->width, p->height);
    return out;
}
