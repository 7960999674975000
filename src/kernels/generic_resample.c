/* The passes of a resize in plain C: the reference for every tier.
 * SPDX-License-Identifier: Apache-2.0 */
#include "kernels/tiers.h"

#define HALF (1 << (IMS_RESAMPLE_BITS - 1))

/* sum has IMS_RESAMPLE_BITS fractional bits and its rounding half already in it. */
static uint8_t to_byte(int32_t sum)
{
    int32_t v = sum >> IMS_RESAMPLE_BITS;

    return (uint8_t)(v < 0 ? 0 : v > 255 ? 255 : v);
}

/* The packed form of this tier is the weight itself, one pixel a block. */
static void pack(const int32_t *weights, uint32_t *out_words)
{
    out_words[0] = (uint32_t)weights[0];
}

static void run_rgb(const struct ims_taps *taps, const uint8_t *src, size_t src_stride,
                    size_t n_rows, uint8_t *dst, size_t dst_stride)
{
    for (size_t y = 0; y < n_rows; y++) {
        const uint8_t *row = src + y * src_stride;
        uint8_t *out = dst + y * dst_stride;

        for (size_t o = 0; o < taps->n_out; o++) {
            const uint8_t *p = row + (size_t)3 * taps->first[o];
            const uint32_t *w = taps->words + o * taps->n_blocks;
            int32_t r = HALF, g = HALF, b = HALF;

            for (size_t k = 0; k < taps->n_blocks; k++) {
                int32_t weight = (int32_t)w[k];

                r += weight * p[3 * k];
                g += weight * p[3 * k + 1];
                b += weight * p[3 * k + 2];
            }
            out[3 * o] = to_byte(r);
            out[3 * o + 1] = to_byte(g);
            out[3 * o + 2] = to_byte(b);
        }
    }
}

static void run_grey(const struct ims_taps *taps, const uint8_t *src, size_t src_stride,
                     size_t n_rows, uint8_t *dst, size_t dst_stride)
{
    for (size_t y = 0; y < n_rows; y++) {
        for (size_t o = 0; o < taps->n_out; o++) {
            const uint8_t *p = src + y * src_stride + taps->first[o];
            const uint32_t *w = taps->words + o * taps->n_blocks;
            int32_t sum = HALF;

            for (size_t k = 0; k < taps->n_blocks; k++)
                sum += (int32_t)w[k] * p[k];
            dst[y * dst_stride + o] = to_byte(sum);
        }
    }
}

#define STRIP 64 /* bytes of a row summed up together, so that each source row is read in runs */

static void resample_column(const int32_t *weights, size_t n_taps, const uint8_t *src,
                            size_t src_stride, size_t n_bytes, uint8_t *out)
{
    for (size_t x = 0; x < n_bytes; x += STRIP) {
        size_t n = n_bytes - x < STRIP ? n_bytes - x : STRIP;
        int32_t sums[STRIP];

        for (size_t i = 0; i < n; i++)
            sums[i] = HALF;
        for (size_t k = 0; k < n_taps; k++) {
            const uint8_t *p = src + k * src_stride + x;
            int32_t weight = weights[k];

            for (size_t i = 0; i < n; i++)
                sums[i] += weight * p[i];
        }
        for (size_t i = 0; i < n; i++)
            out[x + i] = to_byte(sums[i]);
    }
}

void ims__kernels_fill_generic_resample(struct ims_kernels *k)
{
    k->rows_rgb = (struct ims_rows_kernel){
        .block_px = 1, .block_words = 1, .slack_bytes = 0, .pack = pack, .run = run_rgb
    };
    k->rows_grey = (struct ims_rows_kernel){
        .block_px = 1, .block_words = 1, .slack_bytes = 0, .pack = pack, .run = run_grey
    };
    k->resample_column = resample_column;
}
