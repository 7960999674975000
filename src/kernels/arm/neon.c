/* The vector kernels for NEON on arm64.
 * SPDX-License-Identifier: Apache-2.0 */
#include "kernels/tiers.h"

#include <arm_neon.h>
#include <math.h>
#include <string.h>

#define LANES 4

/* The first n < 4 elements, then zeros. */
static float32x4_t load_part(const float *p, size_t n)
{
    float part[LANES] = { 0 };

    memcpy(part, p, n * sizeof(*p));
    return vld1q_f32(part);
}

static float32x4_t load_half(const uint16_t *p)
{
    return vcvt_f32_f16(vreinterpret_f16_u16(vld1_u16(p)));
}

static float32x4_t load_half_part(const uint16_t *p, size_t n)
{
    uint16_t part[LANES] = { 0 };

    memcpy(part, p, n * sizeof(*p));
    return load_half(part);
}

static float dot_f32(const float *a, const float *b, size_t n)
{
    float32x4_t s0 = vdupq_n_f32(0), s1 = s0, s2 = s0, s3 = s0;
    size_t i = 0;

    for (; i + 4 * LANES <= n; i += 4 * LANES) {
        s0 = vfmaq_f32(s0, vld1q_f32(a + i), vld1q_f32(b + i));
        s1 = vfmaq_f32(s1, vld1q_f32(a + i + 4), vld1q_f32(b + i + 4));
        s2 = vfmaq_f32(s2, vld1q_f32(a + i + 8), vld1q_f32(b + i + 8));
        s3 = vfmaq_f32(s3, vld1q_f32(a + i + 12), vld1q_f32(b + i + 12));
    }
    for (; i + LANES <= n; i += LANES)
        s0 = vfmaq_f32(s0, vld1q_f32(a + i), vld1q_f32(b + i));
    if (i < n)
        s1 = vfmaq_f32(s1, load_part(a + i, n - i), load_part(b + i, n - i));
    return vaddvq_f32(vaddq_f32(vaddq_f32(s0, s1), vaddq_f32(s2, s3)));
}

static float dot_f16(const uint16_t *a, const uint16_t *b, size_t n)
{
    float32x4_t s0 = vdupq_n_f32(0), s1 = s0;
    size_t i = 0;

    for (; i + 2 * LANES <= n; i += 2 * LANES) {
        s0 = vfmaq_f32(s0, load_half(a + i), load_half(b + i));
        s1 = vfmaq_f32(s1, load_half(a + i + 4), load_half(b + i + 4));
    }
    if (i + LANES <= n) {
        s0 = vfmaq_f32(s0, load_half(a + i), load_half(b + i));
        i += LANES;
    }
    if (i < n)
        s1 = vfmaq_f32(s1, load_half_part(a + i, n - i), load_half_part(b + i, n - i));
    return vaddvq_f32(vaddq_f32(s0, s1));
}

static float dot_f32_f16(const float *a, const uint16_t *b, size_t n)
{
    float32x4_t s0 = vdupq_n_f32(0), s1 = s0;
    size_t i = 0;

    for (; i + 2 * LANES <= n; i += 2 * LANES) {
        s0 = vfmaq_f32(s0, vld1q_f32(a + i), load_half(b + i));
        s1 = vfmaq_f32(s1, vld1q_f32(a + i + 4), load_half(b + i + 4));
    }
    if (i + LANES <= n) {
        s0 = vfmaq_f32(s0, vld1q_f32(a + i), load_half(b + i));
        i += LANES;
    }
    if (i < n)
        s1 = vfmaq_f32(s1, load_part(a + i, n - i), load_half_part(b + i, n - i));
    return vaddvq_f32(vaddq_f32(s0, s1));
}

static int32_t dot_i8(const int8_t *a, const int8_t *b, size_t n)
{
    int32x4_t s0 = vdupq_n_s32(0), s1 = s0;
    int32_t rest = 0;
    size_t i = 0;

    for (; i + 16 <= n; i += 16) {
        int8x16_t x = vld1q_s8(a + i), y = vld1q_s8(b + i);

        s0 = vpadalq_s16(s0, vmull_s8(vget_low_s8(x), vget_low_s8(y)));
        s1 = vpadalq_s16(s1, vmull_s8(vget_high_s8(x), vget_high_s8(y)));
    }
    for (; i < n; i++)
        rest += (int32_t)a[i] * b[i];
    return rest + vaddvq_s32(vaddq_s32(s0, s1));
}

/* Four rows at a time share the loads of the query and keep four streams of memory going. */
static void dot_four_rows(const float *query, const float *rows, size_t stride, size_t n,
                          float *out)
{
    const float *r[4] = { rows, rows + stride, rows + 2 * stride, rows + 3 * stride };
    float32x4_t s0 = vdupq_n_f32(0), s1 = s0, s2 = s0, s3 = s0, t0 = s0, t1 = s0, t2 = s0, t3 = s0;
    size_t i = 0;

    for (; i + 2 * LANES <= n; i += 2 * LANES) {
        float32x4_t q = vld1q_f32(query + i), u = vld1q_f32(query + i + LANES);

        s0 = vfmaq_f32(s0, q, vld1q_f32(r[0] + i));
        s1 = vfmaq_f32(s1, q, vld1q_f32(r[1] + i));
        s2 = vfmaq_f32(s2, q, vld1q_f32(r[2] + i));
        s3 = vfmaq_f32(s3, q, vld1q_f32(r[3] + i));
        t0 = vfmaq_f32(t0, u, vld1q_f32(r[0] + i + LANES));
        t1 = vfmaq_f32(t1, u, vld1q_f32(r[1] + i + LANES));
        t2 = vfmaq_f32(t2, u, vld1q_f32(r[2] + i + LANES));
        t3 = vfmaq_f32(t3, u, vld1q_f32(r[3] + i + LANES));
    }
    out[0] = vaddvq_f32(vaddq_f32(s0, t0));
    out[1] = vaddvq_f32(vaddq_f32(s1, t1));
    out[2] = vaddvq_f32(vaddq_f32(s2, t2));
    out[3] = vaddvq_f32(vaddq_f32(s3, t3));
    if (i < n) {
        for (size_t j = 0; j < 4; j++)
            out[j] += dot_f32(query + i, r[j] + i, n - i);
    }
}

static void dot_f32_rows(const float *query, const float *rows, size_t stride, size_t n_rows,
                         size_t n, float *out)
{
    size_t r = 0;

    for (; r + 4 <= n_rows; r += 4)
        dot_four_rows(query, rows + r * stride, stride, n, out + r);
    for (; r < n_rows; r++)
        out[r] = dot_f32(query, rows + r * stride, n);
}

static double normalise_f32(float *v, size_t n)
{
    float64x2_t s0 = vdupq_n_f64(0), s1 = s0;
    double norm, inverse, rest = 0;
    size_t i = 0;

    for (; i + LANES <= n; i += LANES) {
        float32x4_t x = vld1q_f32(v + i);
        float64x2_t low = vcvt_f64_f32(vget_low_f32(x)), high = vcvt_high_f64_f32(x);

        s0 = vfmaq_f64(s0, low, low);
        s1 = vfmaq_f64(s1, high, high);
    }
    for (; i < n; i++)
        rest += (double)v[i] * (double)v[i];
    norm = sqrt(vaddvq_f64(vaddq_f64(s0, s1)) + rest);
    if (!(norm > 0) || !isfinite(norm))
        return norm;
    inverse = 1.0 / norm;
    for (i = 0; i + LANES <= n; i += LANES) {
        float32x4_t x = vld1q_f32(v + i);
        float64x2_t low = vmulq_n_f64(vcvt_f64_f32(vget_low_f32(x)), inverse);
        float64x2_t high = vmulq_n_f64(vcvt_high_f64_f32(x), inverse);

        vst1q_f32(v + i, vcvt_high_f32_f64(vcvt_f32_f64(low), high));
    }
    for (; i < n; i++)
        v[i] = (float)((double)v[i] * inverse);
    return norm;
}

static void f16_to_f32(const uint16_t *in, float *out, size_t n)
{
    size_t i = 0;

    for (; i + LANES <= n; i += LANES)
        vst1q_f32(out + i, load_half(in + i));
    if (i < n) {
        float part[LANES];

        vst1q_f32(part, load_half_part(in + i, n - i));
        memcpy(out + i, part, (n - i) * sizeof(*out));
    }
}

static void f32_to_f16(const float *in, uint16_t *out, size_t n)
{
    size_t i = 0;

    for (; i + LANES <= n; i += LANES)
        vst1_u16(out + i, vreinterpret_u16_f16(vcvt_f16_f32(vld1q_f32(in + i))));
    if (i < n) {
        uint16_t part[LANES];

        vst1_u16(part, vreinterpret_u16_f16(vcvt_f16_f32(load_part(in + i, n - i))));
        memcpy(out + i, part, (n - i) * sizeof(*out));
    }
}

/* Product and sum each rounded: vmla on floats would be free to fuse them. */
static float32x4_t scale_and_add(uint16x4_t x, float scale, float bias)
{
    return vaddq_f32(vmulq_n_f32(vcvtq_f32_u32(vmovl_u16(x)), scale), vdupq_n_f32(bias));
}

static void u8_to_f32_planar(const uint8_t *rgb, size_t n_px, const float scale[3],
                             const float bias[3], float *out, size_t plane_stride)
{
    size_t i = 0;

    for (; i + 8 <= n_px; i += 8) {
        uint8x8x3_t px = vld3_u8(rgb + 3 * i);

        for (size_t c = 0; c < 3; c++) {
            uint16x8_t x = vmovl_u8(px.val[c]);
            float *p = out + c * plane_stride + i;

            vst1q_f32(p, scale_and_add(vget_low_u16(x), scale[c], bias[c]));
            vst1q_f32(p + LANES, scale_and_add(vget_high_u16(x), scale[c], bias[c]));
        }
    }
    for (; i < n_px; i++) {
        for (size_t c = 0; c < 3; c++)
            out[c * plane_stride + i] = (float)rgb[3 * i + c] * scale[c] + bias[c];
    }
}

static uint16x4_t weigh_luma(uint16x4_t r, uint16x4_t g, uint16x4_t b)
{
    uint32x4_t sum = vmlal_n_u16(vdupq_n_u32(32768), r, 19595);

    sum = vmlal_n_u16(vmlal_n_u16(sum, g, 38470), b, 7471);
    return vshrn_n_u32(sum, 16);
}

static void rgb_to_luma(const uint8_t *rgb, size_t n_px, uint8_t *out)
{
    size_t i = 0;

    for (; i + 8 <= n_px; i += 8) {
        uint8x8x3_t px = vld3_u8(rgb + 3 * i);
        uint16x8_t r = vmovl_u8(px.val[0]), g = vmovl_u8(px.val[1]), b = vmovl_u8(px.val[2]);
        uint16x4_t low = weigh_luma(vget_low_u16(r), vget_low_u16(g), vget_low_u16(b));
        uint16x4_t high = weigh_luma(vget_high_u16(r), vget_high_u16(g), vget_high_u16(b));

        vst1_u8(out + i, vmovn_u16(vcombine_u16(low, high)));
    }
    for (; i < n_px; i++) {
        const uint8_t *p = rgb + 3 * i;

        out[i] = (uint8_t)((19595u * p[0] + 38470u * p[1] + 7471u * p[2] + 32768u) >> 16);
    }
}

void ims__kernels_fill_neon(struct ims_kernels *k)
{
    k->dot_f32 = dot_f32;
    k->dot_f16 = dot_f16;
    k->dot_f32_f16 = dot_f32_f16;
    k->dot_i8 = dot_i8;
    k->dot_f32_rows = dot_f32_rows;
    k->normalise_f32 = normalise_f32;
    k->f16_to_f32 = f16_to_f32;
    k->f32_to_f16 = f32_to_f16;
    k->u8_to_f32_planar = u8_to_f32_planar;
    k->rgb_to_luma = rgb_to_luma;
}
