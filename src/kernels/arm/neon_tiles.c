/* Scores of many vectors against many for NEON.
 * SPDX-License-Identifier: Apache-2.0 */
#include "kernels/tiers.h"

#include <arm_neon.h>

#define F32_ROWS 8
#define F32_COLS 8
#define U8_SIDE 4

static void run_f32(const float *const *rows, const float *panel, size_t n_k, float *out)
{
    float32x4_t sums[F32_ROWS][2];

    for (size_t r = 0; r < F32_ROWS; r++)
        sums[r][0] = sums[r][1] = vdupq_n_f32(0);
    for (size_t k = 0; k < n_k; k++, panel += F32_COLS) {
        float32x4_t c0 = vld1q_f32(panel), c1 = vld1q_f32(panel + 4);

        for (size_t r = 0; r < F32_ROWS; r++) {
            sums[r][0] = vfmaq_n_f32(sums[r][0], c0, rows[r][k]);
            sums[r][1] = vfmaq_n_f32(sums[r][1], c1, rows[r][k]);
        }
    }
    for (size_t r = 0; r < F32_ROWS; r++) {
        vst1q_f32(out + r * F32_COLS, sums[r][0]);
        vst1q_f32(out + r * F32_COLS + 4, sums[r][1]);
    }
}

/* The vectors one after the other, as signed bytes. */
static void pack_u8(const uint8_t *vectors, size_t stride, size_t n, size_t n_k, void *panel)
{
    int8_t *out = panel;

    for (size_t c = 0; c < U8_SIDE; c++) {
        for (size_t k = 0; k < n_k; k++)
            out[c * n_k + k] = (int8_t)(c < n ? vectors[c * stride + k] - 128 : 0);
    }
}

static int8x16_t load_signed(const uint8_t *p)
{
    return vreinterpretq_s8_u8(veorq_u8(vld1q_u8(p), vdupq_n_u8(0x80)));
}

static int32x4_t add_products(int32x4_t sum, int8x16_t x, int8x16_t y)
{
    sum = vpadalq_s16(sum, vmull_s8(vget_low_s8(x), vget_low_s8(y)));
    return vpadalq_s16(sum, vmull_s8(vget_high_s8(x), vget_high_s8(y)));
}

static void run_u8(const uint8_t *rows, size_t stride, const void *panel, size_t n_k, float *out)
{
    const int8_t *columns = panel;
    int32x4_t sums[U8_SIDE][U8_SIDE];

    for (size_t r = 0; r < U8_SIDE; r++) {
        for (size_t c = 0; c < U8_SIDE; c++)
            sums[r][c] = vdupq_n_s32(0);
    }
    for (size_t k = 0; k < n_k; k += 16) {
        int8x16_t y[U8_SIDE];

        for (size_t c = 0; c < U8_SIDE; c++)
            y[c] = vld1q_s8(columns + c * n_k + k);
        for (size_t r = 0; r < U8_SIDE; r++) {
            int8x16_t x = load_signed(rows + r * stride + k);

            for (size_t c = 0; c < U8_SIDE; c++)
                sums[r][c] = add_products(sums[r][c], x, y[c]);
        }
    }
    for (size_t r = 0; r < U8_SIDE; r++) {
        for (size_t c = 0; c < U8_SIDE; c++)
            out[r * U8_SIDE + c] = (float)vaddvq_s32(sums[r][c]);
    }
}

static size_t tile_above(const float *tile, size_t n_rows, size_t n_cols, const float *row_bounds,
                         const float *col_bounds, uint16_t *out)
{
    size_t n = 0;

    for (size_t r = 0; r < n_rows; r++) {
        const float *row = tile + r * n_cols;
        float32x4_t row_bound = vdupq_n_f32(row_bounds[r]);

        for (size_t c = 0; c < n_cols; c += 4) {
            size_t end = n_cols - c >= 4 ? c + 4 : n_cols;

            if (end == c + 4) {
                float32x4_t bound = vminq_f32(vld1q_f32(col_bounds + c), row_bound);

                if (vmaxvq_u32(vcgtq_f32(vld1q_f32(row + c), bound)) == 0)
                    continue;
            }
            for (size_t i = c; i < end; i++) {
                float bound = row_bounds[r] < col_bounds[i] ? row_bounds[r] : col_bounds[i];

                if (row[i] > bound)
                    out[n++] = (uint16_t)(r * n_cols + i);
            }
        }
    }
    return n;
}

static double dot_wide(const float *a, const float *b, size_t n)
{
    float64x2_t pairs[8];
    double sums[16];
    size_t i = 0;

    for (size_t j = 0; j < 8; j++)
        pairs[j] = vdupq_n_f64(0);
    for (; i + 16 <= n; i += 16) {
        for (size_t j = 0; j < 8; j++)
            pairs[j] = vfmaq_f64(pairs[j], vcvt_f64_f32(vld1_f32(a + i + 2 * j)),
                                 vcvt_f64_f32(vld1_f32(b + i + 2 * j)));
    }
    for (size_t j = 0; j < 8; j++)
        vst1q_f64(sums + 2 * j, pairs[j]);
    for (size_t j = 0; i < n; i++, j++)
        sums[j] += (double)a[i] * (double)b[i];
    for (size_t half = 8; half > 0; half /= 2) {
        for (size_t j = 0; j < half; j++)
            sums[j] += sums[j + half];
    }
    return sums[0];
}

static void dot_u8_rows(const int8_t *query, const uint8_t *rows, size_t stride, size_t n_rows, size_t n,
                        int32_t *out)
{
    for (size_t r = 0; r < n_rows; r++) {
        const uint8_t *row = rows + r * stride;
        int32x4_t s = vdupq_n_s32(0);
        int32_t sum = 0;
        size_t i = 0;

        for (; i + 16 <= n; i += 16)
            s = add_products(s, load_signed(row + i), vld1q_s8(query + i));
        for (; i < n; i++)
            sum += (row[i] - 128) * query[i];
        out[r] = sum + vaddvq_s32(s);
    }
}

static void begin_or_end(void)
{
}

void ims__kernels_fill_neon_tiles(struct ims_kernels *k)
{
    k->tiles_f32 = (struct ims_tiles_f32){ .n_rows = F32_ROWS, .n_cols = F32_COLS, .run = run_f32 };
    k->tiles_u8 = (struct ims_tiles_u8){ .n_rows = U8_SIDE,
                                         .n_cols = U8_SIDE,
                                         .element_bytes = 1,
                                         .pack = pack_u8,
                                         .begin = begin_or_end,
                                         .end = begin_or_end,
                                         .run = run_u8 };
    k->tile_above = tile_above;
    k->dot_wide = dot_wide;
    k->dot_u8_rows = dot_u8_rows;
}
