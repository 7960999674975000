/* OpenCV's bilinear resize and affine warp in its own fixed point.
 * SPDX-License-Identifier: Apache-2.0 */
#include "kernels/bilinear.h"

#include "base/limits.h"
#include "base/mem.h"

#include <math.h>
#include <string.h>

#define ORIGIN "bilinear"

static ims_status check_views(const struct ims_rgb_view *src, int width, int height,
                              size_t dst_stride, ims_err *err)
{
    if (!src->rgb || src->width <= 0 || src->height <= 0 || width <= 0 || height <= 0)
        return ims_fail(err, IMS_E_INVALID, ORIGIN, 0, "%d x %d to %d x %d: not a picture",
                        src->width, src->height, width, height);
    if (src->width > IMS_MAX_IMAGE_SIDE_PX || src->height > IMS_MAX_IMAGE_SIDE_PX ||
        width > IMS_MAX_IMAGE_SIDE_PX || height > IMS_MAX_IMAGE_SIDE_PX ||
        (uint64_t)src->width * (uint64_t)src->height > IMS_MAX_IMAGE_PX ||
        (uint64_t)width * (uint64_t)height > IMS_MAX_IMAGE_PX)
        return ims_fail(err, IMS_E_LIMIT, ORIGIN, 0, "%d x %d to %d x %d: too many pixels",
                        src->width, src->height, width, height);
    if (src->stride_bytes < (size_t)src->width * 3 || dst_stride < (size_t)width * 3)
        return ims_fail(err, IMS_E_INVALID, ORIGIN, 0, "a stride is shorter than its row");
    return IMS_OK;
}

/* ---- resize ---- */

#define COEF_ONE 2048 /* a weight of 1 */

/* Where an output sample comes from along one side: pixels at and at + 1 of the input. */
struct tap {
    int at;
    int16_t weight[2];
};

/* The arithmetic follows OpenCV's types: position in double, rounded to float, fraction in float.
 */
static struct tap find_tap(int o, double scale)
{
    float position = (float)(((double)o + 0.5) * scale - 0.5);
    struct tap t = { .at = (int)floorf(position) };
    float fraction = position - (float)t.at;

    t.weight[0] = (int16_t)lrintf((1.0F - fraction) * COEF_ONE);
    t.weight[1] = (int16_t)lrintf(fraction * COEF_ONE);
    return t;
}

static struct tap find_column(int o, double scale, int width)
{
    struct tap t = find_tap(o, scale);

    if (t.at < 0 || t.at >= width - 1)
        t = (struct tap){ .at = t.at < 0 ? 0 : width - 1, .weight = { COEF_ONE, 0 } };
    return t;
}

static int clamp_row(int y, int height)
{
    return y < 0 ? 0 : y >= height ? height - 1 : y;
}

static void mix_row(const uint8_t *src, const struct tap *taps, int width, int32_t *out)
{
    for (int x = 0; x < width; x++, out += 3) {
        const uint8_t *a = src + (size_t)taps[x].at * 3;
        const uint8_t *b = taps[x].weight[1] ? a + 3 : a; /* nothing is read past the last pixel */
        int32_t u = taps[x].weight[0], v = taps[x].weight[1];
        out[0] = a[0] * u + b[0] * v;
        out[1] = a[1] * u + b[1] * v;
        out[2] = a[2] * u + b[2] * v;
    }
}

static void mix_rows(const int32_t *upper, const int32_t *lower, const int16_t weight[2], size_t n,
                     uint8_t *out)
{
    for (size_t i = 0; i < n; i++)
        out[i] = (uint8_t)((((weight[0] * (upper[i] >> 4)) >> 16) +
                            ((weight[1] * (lower[i] >> 4)) >> 16) + 2) >>
                           2);
}

static void halve(const struct ims_rgb_view *src, int width, int height, uint8_t *dst,
                  size_t dst_stride)
{
    for (int y = 0; y < height; y++) {
        const uint8_t *a = src->rgb + (size_t)y * 2 * src->stride_bytes;
        const uint8_t *b = a + src->stride_bytes;
        uint8_t *out = dst + (size_t)y * dst_stride;
        for (int x = 0; x < width; x++, a += 6, b += 6, out += 3) {
            for (int c = 0; c < 3; c++)
                out[c] = (uint8_t)((a[c] + a[c + 3] + b[c] + b[c + 3] + 2) >> 2);
        }
    }
}

/* taps: one per column; rows: room for two rows of sums. */
static void resize(const struct ims_rgb_view *src, int width, int height, struct tap *taps,
                   int32_t *rows, uint8_t *dst, size_t dst_stride)
{
    const double scale_x = 1.0 / ((double)width / src->width);
    const double scale_y = 1.0 / ((double)height / src->height);
    const size_t n = (size_t)width * 3;
    int held[2] = { -1, -1 }; /* which source rows the two slots hold */

    for (int x = 0; x < width; x++)
        taps[x] = find_column(x, scale_x, src->width);
    for (int y = 0; y < height; y++) {
        struct tap t = find_tap(y, scale_y);
        int32_t *sums[2];
        for (int k = 0; k < 2; k++) {
            int row = clamp_row(t.at + k, src->height);
            int slot = row & 1; /* neighbours never share one */
            sums[k] = rows + (size_t)slot * n;
            if (held[slot] != row)
                mix_row(src->rgb + (size_t)row * src->stride_bytes, taps, width, sums[k]);
            held[slot] = row;
        }
        mix_rows(sums[0], sums[1], t.weight, n, dst + (size_t)y * dst_stride);
    }
}

ims_status ims__bilinear_resize(const struct ims_rgb_view *src, int width, int height, uint8_t *dst,
                                size_t dst_stride, ims_err *err)
{
    struct tap *taps = NULL;
    int32_t *rows = NULL;
    ims_status st = check_views(src, width, height, dst_stride, err);

    if (st)
        return st;
    if (width == src->width && height == src->height) {
        for (int y = 0; y < height; y++)
            memcpy(dst + (size_t)y * dst_stride, src->rgb + (size_t)y * src->stride_bytes,
                   (size_t)width * 3);
        return IMS_OK;
    }
    if (src->width == 2 * width && src->height == 2 * height) {
        halve(src, width, height, dst, dst_stride);
        return IMS_OK;
    }
    taps = ims__alloc((size_t)width, sizeof(*taps));
    rows = ims__alloc((size_t)width * 6, sizeof(*rows));
    if (taps && rows)
        resize(src, width, height, taps, rows, dst, dst_stride);
    else
        st = ims_fail(err, IMS_E_NOMEM, ORIGIN, 0, "resizing to %d x %d", width, height);
    ims__free(rows);
    ims__free(taps);
    return st;
}

/* ---- warp ---- */

#define POSITION_BITS 10 /* of a position while it is added up */
#define GRID_BITS 5      /* that are kept of its fraction */
#define GRID (1 << GRID_BITS)
#define MAX_REACH_PX ((double)(1 << 20))

/* OpenCV's order of operations, to the last bit. false: there is no inverse. */
static bool invert(const double m[6], double out[6])
{
    double d = m[0] * m[4] - m[1] * m[3];

    if (!(fabs(d) > 0) || !isfinite(d))
        return false;
    d = 1.0 / d;
    out[0] = m[4] * d;
    out[4] = m[0] * d;
    out[1] = m[1] * -d;
    out[3] = m[3] * -d;
    out[2] = -out[0] * m[2] - out[1] * m[5];
    out[5] = -out[3] * m[2] - out[4] * m[5];
    return true;
}

/* Do all four corners of the output stay within reach? NaN fails this too. */
static bool is_near(const double inverse[6], int width, int height)
{
    for (int k = 0; k < 6; k++) {
        double side = k % 3 == 0 ? width : k % 3 == 1 ? height : 1;
        if (!(fabs(inverse[k]) * side <= MAX_REACH_PX))
            return false;
    }
    return true;
}

static int64_t to_fixed(double v)
{
    return llrint(v * (1 << POSITION_BITS));
}

/* Weights sum up to 2^15. */
static void sample(const struct ims_rgb_view *src, int64_t x, int64_t y, uint8_t *out)
{
    const int u = (int)(x & (GRID - 1)), v = (int)(y & (GRID - 1));
    const int weight[4] = { (GRID - u) * (GRID - v) * GRID, u * (GRID - v) * GRID,
                            (GRID - u) * v * GRID, u * v * GRID };
    const int64_t left = x >> GRID_BITS, top = y >> GRID_BITS;
    int sum[3] = { 0, 0, 0 };

    for (int k = 0; k < 4; k++) {
        int64_t sx = left + (k & 1), sy = top + (k >> 1);
        const uint8_t *p;
        if (sx < 0 || sy < 0 || sx >= src->width || sy >= src->height)
            continue;
        p = src->rgb + (size_t)sy * src->stride_bytes + (size_t)sx * 3;
        for (int c = 0; c < 3; c++)
            sum[c] += weight[k] * p[c];
    }
    for (int c = 0; c < 3; c++)
        out[c] = (uint8_t)((sum[c] + (1 << 14)) >> 15);
}

ims_status ims__bilinear_warp(const struct ims_rgb_view *src, const double m[6], int width,
                              int height, uint8_t *dst, size_t dst_stride, ims_err *err)
{
    const int64_t half = 1 << (POSITION_BITS - GRID_BITS - 1);
    const int shift = POSITION_BITS - GRID_BITS;
    double inverse[6];
    ims_status st = check_views(src, width, height, dst_stride, err);

    if (st)
        return st;
    if (!invert(m, inverse) || !is_near(inverse, width, height))
        return ims_fail(err, IMS_E_INVALID, ORIGIN, 0,
                        "the transform [%g %g %g; %g %g %g] cannot be undone", m[0], m[1], m[2],
                        m[3], m[4], m[5]);
    for (int y = 0; y < height; y++) {
        int64_t row_x = to_fixed(inverse[1] * y + inverse[2]) + half;
        int64_t row_y = to_fixed(inverse[4] * y + inverse[5]) + half;
        for (int x = 0; x < width; x++)
            sample(src, (row_x + to_fixed(inverse[0] * x)) >> shift,
                   (row_y + to_fixed(inverse[3] * x)) >> shift,
                   dst + (size_t)y * dst_stride + (size_t)x * 3);
    }
    return IMS_OK;
}
