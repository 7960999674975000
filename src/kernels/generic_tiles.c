/* Scores of many vectors against many in plain C: the reference for every tier.
 * SPDX-License-Identifier: Apache-2.0 */
#include "kernels/tiers.h"

#include <string.h>

#define ROWS 4
#define COLS 8
#define LANES 16

static void run_f32(const float *const *rows, const float *panel, size_t n_k, float *out)
{
    float sums[ROWS][COLS] = { { 0 } };

    for (size_t k = 0; k < n_k; k++) {
        for (size_t r = 0; r < ROWS; r++) {
            for (size_t c = 0; c < COLS; c++)
                sums[r][c] += rows[r][k] * panel[k * COLS + c];
        }
    }
    memcpy(out, sums, sizeof(sums));
}

static void begin_or_end(void)
{
}

/* As signed bytes, panel[k * COLS + c]. */
static void pack_u8(const uint8_t *vectors, size_t stride, size_t n, size_t n_k, void *panel)
{
    int8_t *out = panel;

    for (size_t k = 0; k < n_k; k++) {
        for (size_t c = 0; c < COLS; c++)
            out[k * COLS + c] = (int8_t)(c < n ? vectors[c * stride + k] - 128 : 0);
    }
}

static void run_u8(const uint8_t *rows, size_t stride, const void *panel, size_t n_k, float *out)
{
    const int8_t *columns = panel;
    int32_t sums[ROWS][COLS] = { { 0 } };

    for (size_t k = 0; k < n_k; k++) {
        for (size_t r = 0; r < ROWS; r++) {
            int32_t x = rows[r * stride + k] - 128;

            for (size_t c = 0; c < COLS; c++)
                sums[r][c] += x * columns[k * COLS + c];
        }
    }
    for (size_t r = 0; r < ROWS; r++) {
        for (size_t c = 0; c < COLS; c++)
            out[r * COLS + c] = (float)sums[r][c];
    }
}

static size_t tile_above(const float *tile, size_t n_rows, size_t n_cols, const float *row_bounds,
                         const float *col_bounds, uint16_t *out)
{
    size_t n = 0;

    for (size_t r = 0; r < n_rows; r++) {
        for (size_t c = 0; c < n_cols; c++) {
            float bound = row_bounds[r] < col_bounds[c] ? row_bounds[r] : col_bounds[c];

            if (tile[r * n_cols + c] > bound)
                out[n++] = (uint16_t)(r * n_cols + c);
        }
    }
    return n;
}

static double dot_wide(const float *a, const float *b, size_t n)
{
    double sums[LANES] = { 0 };

    for (size_t i = 0; i < n; i++)
        sums[i % LANES] += (double)a[i] * (double)b[i];
    for (size_t half = LANES / 2; half > 0; half /= 2) {
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
        int32_t sum = 0;

        for (size_t i = 0; i < n; i++)
            sum += (row[i] - 128) * query[i];
        out[r] = sum;
    }
}

void ims__kernels_fill_generic_tiles(struct ims_kernels *k)
{
    k->tiles_f32 = (struct ims_tiles_f32){ .n_rows = ROWS, .n_cols = COLS, .run = run_f32 };
    k->tiles_u8 = (struct ims_tiles_u8){ .n_rows = ROWS,
                                         .n_cols = COLS,
                                         .element_bytes = 1,
                                         .pack = pack_u8,
                                         .begin = begin_or_end,
                                         .end = begin_or_end,
                                         .run = run_u8 };
    k->tile_above = tile_above;
    k->dot_wide = dot_wide;
    k->dot_u8_rows = dot_u8_rows;
}
