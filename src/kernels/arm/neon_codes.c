/* The kernels of one-bit codes for NEON. The checksum stays generic: the CRC instructions are no part
 * of every arm64.
 * SPDX-License-Identifier: Apache-2.0 */
#include "kernels/tiers.h"

#include <arm_neon.h>
#include <math.h>
#include <string.h>

#define LANES 4

static float32x4_t butterfly_within(float32x4_t x)
{
    float32x4_t y = vrev64q_f32(x), sum = vaddq_f32(x, y), difference = vsubq_f32(y, x);
    const uint32x4_t odd = { 0, ~0u, 0, ~0u }, upper = { 0, 0, ~0u, ~0u };

    x = vbslq_f32(odd, difference, sum);
    y = vextq_f32(x, x, 2);
    return vbslq_f32(upper, vsubq_f32(y, x), vaddq_f32(x, y));
}

static void hadamard_small(float *v, size_t n)
{
    for (size_t half = 1; half < n; half *= 2) {
        for (size_t i = 0; i < n; i++) {
            if (!(i & half)) {
                float a = v[i], b = v[i + half];

                v[i] = a + b;
                v[i + half] = a - b;
            }
        }
    }
}

static void hadamard_f32(float *v, size_t n)
{
    if (n < LANES) {
        hadamard_small(v, n);
        return;
    }
    for (size_t i = 0; i < n; i += LANES)
        vst1q_f32(v + i, butterfly_within(vld1q_f32(v + i)));
    for (size_t half = LANES; half < n; half *= 2) {
        for (size_t i = 0; i < n; i += 2 * half) {
            for (size_t j = i; j < i + half; j += LANES) {
                float32x4_t a = vld1q_f32(v + j), b = vld1q_f32(v + j + half);

                vst1q_f32(v + j, vaddq_f32(a, b));
                vst1q_f32(v + j + half, vsubq_f32(a, b));
            }
        }
    }
}

static void pack_signs(const float *v, size_t n, uint8_t *out)
{
    const int32x4_t place = { 0, 1, 2, 3 };
    size_t i = 0;

    for (; i + 8 <= n; i += 8) {
        uint32x4_t a = vshrq_n_u32(vmvnq_u32(vreinterpretq_u32_f32(vld1q_f32(v + i))), 31);
        uint32x4_t b = vshrq_n_u32(vmvnq_u32(vreinterpretq_u32_f32(vld1q_f32(v + i + 4))), 31);

        out[i / 8] = (uint8_t)(vaddvq_u32(vshlq_u32(a, place)) |
                               vaddvq_u32(vshlq_u32(b, place)) << 4);
    }
    if (i < n) {
        unsigned bits = 0;

        for (size_t j = i; j < n; j++)
            bits |= signbit(v[j]) ? 0u : 1u << (j - i);
        out[i / 8] = (uint8_t)bits;
    }
}

static int16x4_t round_four(const float *v, float scale)
{
    float32x4_t x = vmulq_n_f32(vld1q_f32(v), scale);

    x = vmaxq_f32(vminq_f32(x, vdupq_n_f32(127.0f)), vdupq_n_f32(-127.0f));
    return vmovn_s32(vcvtnq_s32_f32(x));
}

static void quantise_i8(const float *v, size_t n, float scale, int8_t *out)
{
    size_t i = 0;

    for (; i + 8 <= n; i += 8)
        vst1_s8(out + i, vmovn_s16(vcombine_s16(round_four(v + i, scale), round_four(v + i + 4, scale))));
    for (; i < n; i++) {
        float x = v[i] * scale;

        x = x > 127.0f ? 127.0f : x < -127.0f ? -127.0f : x;
        out[i] = (int8_t)((x + 12582912.0f) - 12582912.0f);
    }
}

static void mul_f32(const float *a, const float *b, float *out, size_t n)
{
    size_t i = 0;

    for (; i + LANES <= n; i += LANES)
        vst1q_f32(out + i, vmulq_f32(vld1q_f32(a + i), vld1q_f32(b + i)));
    for (; i < n; i++)
        out[i] = a[i] * b[i];
}

static void residual_f32(const float *a, const float *c, float along, size_t n, float *out, float *out_sum,
                         float *out_most)
{
    float32x4_t sum[4] = { vdupq_n_f32(0), vdupq_n_f32(0), vdupq_n_f32(0), vdupq_n_f32(0) }, most = vdupq_n_f32(0);
    float sums[4 * LANES], largest;
    size_t i = 0;

    for (; i + 4 * LANES <= n; i += 4 * LANES) {
        for (size_t j = 0; j < 4; j++) {
            float32x4_t x = vmulq_n_f32(vld1q_f32(c + i + j * LANES), along);

            x = vsubq_f32(vld1q_f32(a + i + j * LANES), x);
            vst1q_f32(out + i + j * LANES, x);
            x = vabsq_f32(x);
            sum[j] = vaddq_f32(sum[j], x);
            most = vmaxq_f32(x, most);
        }
    }
    for (size_t j = 0; j < 4; j++)
        vst1q_f32(sums + j * LANES, sum[j]);
    largest = vmaxvq_f32(most);
    for (size_t j = 0; i < n; i++, j++) {
        out[i] = a[i] - along * c[i];
        sums[j] += fabsf(out[i]);
        largest = fabsf(out[i]) > largest ? fabsf(out[i]) : largest;
    }
    *out_sum = ims__fold_sums(sums);
    *out_most = largest;
}

static void add_i8(float *sum, const int8_t *x, float scale, size_t n)
{
    size_t i = 0;

    for (; i + 8 <= n; i += 8) {
        int16x8_t wide = vmovl_s8(vld1_s8(x + i));
        float32x4_t low = vcvtq_f32_s32(vmovl_s16(vget_low_s16(wide)));
        float32x4_t high = vcvtq_f32_s32(vmovl_s16(vget_high_s16(wide)));

        vst1q_f32(sum + i, vaddq_f32(vld1q_f32(sum + i), vmulq_n_f32(low, scale)));
        vst1q_f32(sum + i + 4, vaddq_f32(vld1q_f32(sum + i + 4), vmulq_n_f32(high, scale)));
    }
    for (; i < n; i++)
        sum[i] += scale * (float)x[i];
}

static uint8x16_t look_up(const uint8_t *codes, uint8x16_t low, uint8x16_t high)
{
    uint8x16_t x = vld1q_u8(codes);

    return vaddq_u8(vqtbl1q_u8(low, vandq_u8(x, vdupq_n_u8(15))), vqtbl1q_u8(high, vshrq_n_u8(x, 4)));
}

static void scan_codes(const uint8_t *codes, size_t n_bytes, size_t n_blocks, const uint8_t *lut,
                       uint16_t *out_sums)
{
    for (size_t b = 0; b < n_blocks; b++, out_sums += IMS_CODE_BLOCK) {
        uint16x8_t s0 = vdupq_n_u16(0), s1 = s0, s2 = s0, s3 = s0;

        for (size_t c = 0; c < n_bytes; c++, codes += IMS_CODE_BLOCK) {
            uint8x16_t low = vld1q_u8(lut + c * 32), high = vld1q_u8(lut + c * 32 + 16);
            uint8x16_t r0 = look_up(codes, low, high), r1 = look_up(codes + 16, low, high);

            s0 = vaddw_u8(s0, vget_low_u8(r0));
            s1 = vaddw_high_u8(s1, r0);
            s2 = vaddw_u8(s2, vget_low_u8(r1));
            s3 = vaddw_high_u8(s3, r1);
        }
        vst1q_u16(out_sums, s0);
        vst1q_u16(out_sums + 8, s1);
        vst1q_u16(out_sums + 16, s2);
        vst1q_u16(out_sums + 24, s3);
    }
}

static size_t select_codes(const struct ims_code_bounds *x, size_t n_blocks, float *out_bounds,
                           uint32_t *out_at)
{
    const uint32x4_t bit = { 1, 2, 4, 8 };
    size_t n = 0;

    for (size_t i = 0; i < n_blocks * IMS_CODE_BLOCK; i += LANES) {
        unsigned mask = x->allowed[i / IMS_CODE_BLOCK] >> i % IMS_CODE_BLOCK & 15u;
        float32x4_t sum = vcvtq_f32_u32(vmovl_u16(vld1_u16(x->sums + i)));
        float32x4_t inner = vaddq_f32(vmulq_n_f32(sum, x->step), vdupq_n_f32(x->offset));
        float32x4_t bound = vaddq_f32(vmulq_n_f32(vld1q_f32(x->centre + i), x->along),
                                      vmulq_f32(vld1q_f32(x->scale + i), inner));
        float bounds[LANES];

        mask &= vaddvq_u32(vandq_u32(vcgeq_f32(bound, vdupq_n_f32(x->least)), bit));
        if (!mask)
            continue;
        vst1q_f32(bounds, bound);
        for (; mask; mask &= mask - 1) {
            unsigned lane = (unsigned)__builtin_ctz(mask);

            out_bounds[n] = bounds[lane];
            out_at[n++] = (uint32_t)(i + lane);
        }
    }
    return n;
}

static size_t keep_bits(const uint32_t *keep, const uint32_t *drop, size_t n_words, uint32_t *out)
{
    size_t n = 0;

    for (size_t i = 0; i < n_words; i++) {
        uint32_t word = (keep ? keep[i] : ~0u) & (drop ? ~drop[i] : ~0u);

        if (out)
            out[i] = word;
        n += vaddv_u8(vcnt_u8(vreinterpret_u8_u32(vdup_n_u32(word)))) / 2u; /* both halves hold it */
    }
    return n;
}

void ims__kernels_fill_neon_codes(struct ims_kernels *k)
{
    k->hadamard_f32 = hadamard_f32;
    k->pack_signs = pack_signs;
    k->quantise_i8 = quantise_i8;
    k->mul_f32 = mul_f32;
    k->residual_f32 = residual_f32;
    k->add_i8 = add_i8;
    k->scan_codes = scan_codes;
    k->select_codes = select_codes;
    k->keep_bits = keep_bits;
}
