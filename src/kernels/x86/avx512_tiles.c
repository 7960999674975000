/* Scores of many vectors against many for AVX-512: 24 registers of sums, 3 of columns, the rest for rows.
 * SPDX-License-Identifier: Apache-2.0 */
#include "kernels/tiers.h"

#include <immintrin.h>

#define ROWS 8
#define COLS 48
#define LANES 16
#define AHEAD (12 * COLS) /* floats of the panel asked for early; it streams from the second-level cache */

/* Bit i set for the first n of 16 lanes; n >= 16 gives all. */
static __mmask16 first_lanes(size_t n)
{
    return (__mmask16)(n >= LANES ? 0xffffu : (1u << n) - 1u);
}

static void run_f32(const float *const *rows, const float *panel, size_t n_k, float *out)
{
    const float *r0 = rows[0], *r1 = rows[1], *r2 = rows[2], *r3 = rows[3];
    const float *r4 = rows[4], *r5 = rows[5], *r6 = rows[6], *r7 = rows[7];
    __m512 sums[ROWS][3];

    for (size_t r = 0; r < ROWS; r++)
        sums[r][0] = sums[r][1] = sums[r][2] = _mm512_setzero_ps();
    for (size_t k = 0; k < n_k; k++, panel += COLS) {
        __m512 c0 = _mm512_loadu_ps(panel), c1 = _mm512_loadu_ps(panel + 16);
        __m512 c2 = _mm512_loadu_ps(panel + 32);

        _mm_prefetch((const char *)(panel + AHEAD), _MM_HINT_T0);
        _mm_prefetch((const char *)(panel + AHEAD + 16), _MM_HINT_T0);
        _mm_prefetch((const char *)(panel + AHEAD + 32), _MM_HINT_T0);
#define ADD_ROW(i)                                                                                 \
    do {                                                                                           \
        __m512 x = _mm512_set1_ps(r##i[k]);                                                        \
                                                                                                   \
        sums[i][0] = _mm512_fmadd_ps(x, c0, sums[i][0]);                                           \
        sums[i][1] = _mm512_fmadd_ps(x, c1, sums[i][1]);                                           \
        sums[i][2] = _mm512_fmadd_ps(x, c2, sums[i][2]);                                           \
    } while (0)
        ADD_ROW(0);
        ADD_ROW(1);
        ADD_ROW(2);
        ADD_ROW(3);
        ADD_ROW(4);
        ADD_ROW(5);
        ADD_ROW(6);
        ADD_ROW(7);
#undef ADD_ROW
    }
    for (size_t r = 0; r < ROWS; r++) {
        for (size_t c = 0; c < 3; c++)
            _mm512_storeu_ps(out + r * COLS + c * LANES, sums[r][c]);
    }
}

static size_t tile_above(const float *tile, size_t n_rows, size_t n_cols, const float *row_bounds,
                         const float *col_bounds, uint16_t *out)
{
    size_t n = 0;

    for (size_t r = 0; r < n_rows; r++) {
        __m512 row_bound = _mm512_set1_ps(row_bounds[r]);

        for (size_t c = 0; c < n_cols; c += LANES) {
            __mmask16 there = first_lanes(n_cols - c);
            __m512 bound = _mm512_min_ps(_mm512_maskz_loadu_ps(there, col_bounds + c), row_bound);
            __m512 scores = _mm512_maskz_loadu_ps(there, tile + r * n_cols + c);
            unsigned above = _mm512_mask_cmp_ps_mask(there, scores, bound, _CMP_GT_OQ);

            for (; above; above &= above - 1)
                out[n++] = (uint16_t)(r * n_cols + c + (size_t)__builtin_ctz(above));
        }
    }
    return n;
}

static double dot_wide(const float *a, const float *b, size_t n)
{
    __m512d low = _mm512_setzero_pd(), high = low;
    double lanes[8];

    for (size_t i = 0; i < n; i += LANES) {
        __mmask16 there = first_lanes(n - i);
        __m512 x = _mm512_maskz_loadu_ps(there, a + i), y = _mm512_maskz_loadu_ps(there, b + i);

        low = _mm512_fmadd_pd(_mm512_cvtps_pd(_mm512_castps512_ps256(x)),
                              _mm512_cvtps_pd(_mm512_castps512_ps256(y)), low);
        high = _mm512_fmadd_pd(_mm512_cvtps_pd(_mm512_extractf32x8_ps(x, 1)),
                               _mm512_cvtps_pd(_mm512_extractf32x8_ps(y, 1)), high);
    }
    _mm512_storeu_pd(lanes, _mm512_add_pd(low, high));
    return ((lanes[0] + lanes[4]) + (lanes[2] + lanes[6])) + ((lanes[1] + lanes[5]) + (lanes[3] + lanes[7]));
}

void ims__kernels_fill_avx512_tiles(struct ims_kernels *k)
{
    k->tiles_f32 = (struct ims_tiles_f32){ .n_rows = ROWS, .n_cols = COLS, .run = run_f32 };
    k->tile_above = tile_above;
    k->dot_wide = dot_wide;
}
