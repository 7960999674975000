/* The vector kernels in plain C: the reference for every tier.
 * SPDX-License-Identifier: Apache-2.0 */
#include "kernels/tiers.h"

#include <math.h>
#include <string.h>

#define N_SUMS                                                                                     \
    8 /* independent partial sums: for the compiler's vectors and for the error bound              \
       */

static float add_up(const float sums[N_SUMS])
{
    return ((sums[0] + sums[4]) + (sums[1] + sums[5])) +
           ((sums[2] + sums[6]) + (sums[3] + sums[7]));
}

static float bits_to_float(uint32_t bits)
{
    float f;

    memcpy(&f, &bits, sizeof(f));
    return f;
}

static uint32_t float_to_bits(float f)
{
    uint32_t bits;

    memcpy(&bits, &f, sizeof(bits));
    return bits;
}

static float half_to_float(uint16_t h)
{
    uint32_t sign = (uint32_t)(h & 0x8000u) << 16;
    uint32_t magnitude = h & 0x7fffu;

    if (magnitude >= 0x7c00u) /* infinity, NaN: the widest exponent; NaN becomes quiet */
        return bits_to_float(sign | 0x7f800000u | (magnitude & 0x3ffu) << 13 |
                             (magnitude > 0x7c00u ? 0x00400000u : 0u));
    if (magnitude < 0x400u) /* subnormal: a multiple of 2^-24, normal as a float */
        return bits_to_float(sign | float_to_bits((float)magnitude * 0x1p-24f));
    return bits_to_float(sign | ((magnitude << 13) + (112u << 23)));
}

static uint16_t float_to_half(float f)
{
    uint32_t bits = float_to_bits(f);
    uint32_t sign = (bits >> 16) & 0x8000u;
    uint32_t magnitude = bits & 0x7fffffffu;

    if (magnitude > 0x7f800000u)
        return (uint16_t)(sign | 0x7e00u);
    if (magnitude >= 0x477ff000u) /* from 65520 on, nearest is infinity */
        return (uint16_t)(sign | 0x7c00u);
    if (magnitude < 0x38800000u) {
        /* Below 2^-14: adding 0.5 leaves a float whose last bit is worth 2^-24, correctly rounded.
         */
        uint32_t sum = float_to_bits(bits_to_float(magnitude) + 0.5f);

        return (uint16_t)(sign | (sum - 0x3f000000u));
    }
    magnitude += 0xfffu + ((magnitude >> 13) & 1u);
    return (uint16_t)(sign | ((magnitude - (112u << 23)) >> 13));
}

static float dot_f32(const float *a, const float *b, size_t n)
{
    float sums[N_SUMS] = { 0 };
    size_t i = 0;

    for (; i + N_SUMS <= n; i += N_SUMS) {
        for (size_t j = 0; j < N_SUMS; j++)
            sums[j] += a[i + j] * b[i + j];
    }
    for (size_t j = 0; i < n; i++, j++)
        sums[j] += a[i] * b[i];
    return add_up(sums);
}

static float dot_f16(const uint16_t *a, const uint16_t *b, size_t n)
{
    float sums[N_SUMS] = { 0 };

    for (size_t i = 0; i < n; i++)
        sums[i % N_SUMS] += half_to_float(a[i]) * half_to_float(b[i]);
    return add_up(sums);
}

static float dot_f32_f16(const float *a, const uint16_t *b, size_t n)
{
    float sums[N_SUMS] = { 0 };

    for (size_t i = 0; i < n; i++)
        sums[i % N_SUMS] += a[i] * half_to_float(b[i]);
    return add_up(sums);
}

static int32_t dot_i8(const int8_t *a, const int8_t *b, size_t n)
{
    int32_t sum = 0;

    for (size_t i = 0; i < n; i++)
        sum += (int32_t)a[i] * b[i];
    return sum;
}

static void dot_f32_rows(const float *query, const float *rows, size_t stride, size_t n_rows,
                         size_t n, float *out)
{
    for (size_t r = 0; r < n_rows; r++)
        out[r] = dot_f32(query, rows + r * stride, n);
}

static double normalise_f32(float *v, size_t n)
{
    double sums[4] = { 0 };
    double norm, inverse;

    for (size_t i = 0; i < n; i++)
        sums[i % 4] += (double)v[i] * (double)v[i];
    norm = sqrt((sums[0] + sums[1]) + (sums[2] + sums[3]));
    if (!(norm > 0) || !isfinite(norm))
        return norm;
    inverse = 1.0 / norm;
    for (size_t i = 0; i < n; i++)
        v[i] = (float)((double)v[i] * inverse);
    return norm;
}

static void f16_to_f32(const uint16_t *in, float *out, size_t n)
{
    for (size_t i = 0; i < n; i++)
        out[i] = half_to_float(in[i]);
}

static void f32_to_f16(const float *in, uint16_t *out, size_t n)
{
    for (size_t i = 0; i < n; i++)
        out[i] = float_to_half(in[i]);
}

static void u8_to_f32_planar(const uint8_t *rgb, size_t n_px, const float scale[3],
                             const float bias[3], float *out, size_t plane_stride)
{
    for (size_t c = 0; c < 3; c++) {
        for (size_t i = 0; i < n_px; i++)
            out[c * plane_stride + i] = (float)rgb[3 * i + c] * scale[c] + bias[c];
    }
}

static void rgb_to_luma(const uint8_t *rgb, size_t n_px, uint8_t *out)
{
    for (size_t i = 0; i < n_px; i++) {
        const uint8_t *p = rgb + 3 * i;

        out[i] = (uint8_t)((19595u * p[0] + 38470u * p[1] + 7471u * p[2] + 32768u) >> 16);
    }
}

void ims__kernels_fill_generic(struct ims_kernels *k)
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
