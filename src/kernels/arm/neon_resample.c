/* The passes of a resize for NEON.
 *
 * Weights are split as in x86/avx2_resample.c, w = high * 65536 + low, for the widening 16-bit
 * multiply-and-add; eight pixels at a time, their channels taken apart by the load.
 * SPDX-License-Identifier: Apache-2.0 */
#include "kernels/tiers.h"

#include <arm_neon.h>

#define HALF (1 << (IMS_RESAMPLE_BITS - 1))
#define BLOCK 8
#define WORDS 8 /* eight low parts, eight high parts */

static int16_t low_part(int32_t w)
{
    return (int16_t)(uint16_t)((uint32_t)w & 0xffffu);
}

static int16_t high_part(int32_t w)
{
    return (int16_t)((w - low_part(w)) / 65536);
}

static void pack(const int32_t *w, uint32_t *out)
{
    int16_t parts[2 * BLOCK];

    for (size_t i = 0; i < BLOCK; i++) {
        parts[i] = low_part(w[i]);
        parts[BLOCK + i] = high_part(w[i]);
    }
    vst1q_u32(out, vreinterpretq_u32_s16(vld1q_s16(parts)));
    vst1q_u32(out + 4, vreinterpretq_u32_s16(vld1q_s16(parts + BLOCK)));
}

struct sums {
    int32x4_t low, high;
};

static void add_block(struct sums *s, uint8x8_t px, int16x8_t low, int16x8_t high)
{
    int16x8_t x = vreinterpretq_s16_u16(vmovl_u8(px));

    s->low = vmlal_s16(s->low, vget_low_s16(x), vget_low_s16(low));
    s->high = vmlal_s16(s->high, vget_low_s16(x), vget_low_s16(high));
    s->low = vmlal_high_s16(s->low, x, low);
    s->high = vmlal_high_s16(s->high, x, high);
}

static int32x4_t join(struct sums s)
{
    return vaddq_s32(s.low, vshlq_n_s32(s.high, 16));
}

static uint8_t to_byte(struct sums s)
{
    int32_t v = (vaddvq_s32(join(s)) + HALF) >> IMS_RESAMPLE_BITS;

    return (uint8_t)(v < 0 ? 0 : v > 255 ? 255 : v);
}

static void run_rgb(const struct ims_taps *taps, const uint8_t *src, size_t src_stride,
                    size_t n_rows, uint8_t *dst, size_t dst_stride)
{
    const struct sums zero = { vdupq_n_s32(0), vdupq_n_s32(0) };

    for (size_t y = 0; y < n_rows; y++) {
        for (size_t o = 0; o < taps->n_out; o++) {
            const uint32_t *w = taps->words + o * taps->n_blocks * WORDS;
            const uint8_t *p = src + y * src_stride + (size_t)3 * taps->first[o];
            uint8_t *out = dst + y * dst_stride + 3 * o;
            struct sums r = zero, g = zero, b = zero;

            for (size_t k = 0; k < taps->n_blocks; k++, w += WORDS, p += 3 * BLOCK) {
                uint8x8x3_t px = vld3_u8(p);
                int16x8_t low = vreinterpretq_s16_u32(vld1q_u32(w));
                int16x8_t high = vreinterpretq_s16_u32(vld1q_u32(w + 4));

                add_block(&r, px.val[0], low, high);
                add_block(&g, px.val[1], low, high);
                add_block(&b, px.val[2], low, high);
            }
            out[0] = to_byte(r);
            out[1] = to_byte(g);
            out[2] = to_byte(b);
        }
    }
}

static void run_grey(const struct ims_taps *taps, const uint8_t *src, size_t src_stride,
                     size_t n_rows, uint8_t *dst, size_t dst_stride)
{
    for (size_t y = 0; y < n_rows; y++) {
        for (size_t o = 0; o < taps->n_out; o++) {
            const uint32_t *w = taps->words + o * taps->n_blocks * WORDS;
            const uint8_t *p = src + y * src_stride + taps->first[o];
            struct sums s = { vdupq_n_s32(0), vdupq_n_s32(0) };

            for (size_t k = 0; k < taps->n_blocks; k++, w += WORDS, p += BLOCK)
                add_block(&s, vld1_u8(p), vreinterpretq_s16_u32(vld1q_u32(w)),
                          vreinterpretq_s16_u32(vld1q_u32(w + 4)));
            dst[y * dst_stride + o] = to_byte(s);
        }
    }
}

/* Rounds, clamps and narrows eight sums. */
static uint8x8_t finish(struct sums a, struct sums b)
{
    const int32x4_t half = vdupq_n_s32(HALF);
    int32x4_t x = vshrq_n_s32(vaddq_s32(join(a), half), IMS_RESAMPLE_BITS);
    int32x4_t y = vshrq_n_s32(vaddq_s32(join(b), half), IMS_RESAMPLE_BITS);

    return vqmovun_s16(vcombine_s16(vqmovn_s32(x), vqmovn_s32(y)));
}

static void column_strip(const int32_t *weights, size_t n_taps, const uint8_t *src,
                         size_t src_stride, uint8_t *out)
{
    struct sums a = { vdupq_n_s32(0), vdupq_n_s32(0) }, b = a;

    for (size_t k = 0; k < n_taps; k++) {
        int16x8_t x = vreinterpretq_s16_u16(vmovl_u8(vld1_u8(src + k * src_stride)));
        int16_t low = low_part(weights[k]), high = high_part(weights[k]);

        a.low = vmlal_n_s16(a.low, vget_low_s16(x), low);
        a.high = vmlal_n_s16(a.high, vget_low_s16(x), high);
        b.low = vmlal_high_n_s16(b.low, x, low);
        b.high = vmlal_high_n_s16(b.high, x, high);
    }
    vst1_u8(out, finish(a, b));
}

static void column_bytes(const int32_t *weights, size_t n_taps, const uint8_t *src,
                         size_t src_stride, size_t n_bytes, uint8_t *out)
{
    for (size_t i = 0; i < n_bytes; i++) {
        int32_t sum = HALF;

        for (size_t k = 0; k < n_taps; k++)
            sum += weights[k] * src[k * src_stride + i];
        sum >>= IMS_RESAMPLE_BITS;
        out[i] = (uint8_t)(sum < 0 ? 0 : sum > 255 ? 255 : sum);
    }
}

static void resample_column(const int32_t *weights, size_t n_taps, const uint8_t *src,
                            size_t src_stride, size_t n_bytes, uint8_t *out)
{
    size_t x = 0;

    if (n_bytes < BLOCK) {
        column_bytes(weights, n_taps, src, src_stride, n_bytes, out);
        return;
    }
    for (; x + BLOCK <= n_bytes; x += BLOCK)
        column_strip(weights, n_taps, src + x, src_stride, out + x);
    if (x < n_bytes) { /* the last strip overlaps the one before it */
        x = n_bytes - BLOCK;
        column_strip(weights, n_taps, src + x, src_stride, out + x);
    }
}

void ims__kernels_fill_neon_resample(struct ims_kernels *k)
{
    k->rows_rgb = (struct ims_rows_kernel){
        .block_px = BLOCK, .block_words = WORDS, .slack_bytes = 0, .pack = pack, .run = run_rgb
    };
    k->rows_grey = (struct ims_rows_kernel){
        .block_px = BLOCK, .block_words = WORDS, .slack_bytes = 0, .pack = pack, .run = run_grey
    };
    k->resample_column = resample_column;
}
