/* Scores of many vectors against many for AVX2 with FMA.
 * SPDX-License-Identifier: Apache-2.0 */
#include "kernels/tiers.h"

#include <immintrin.h>
#include <string.h>

#define ROWS 6
#define COLS 16
#define LANES 8

static void run_f32(const float *const *rows, const float *panel, size_t n_k, float *out)
{
    const float *r0 = rows[0], *r1 = rows[1], *r2 = rows[2], *r3 = rows[3], *r4 = rows[4], *r5 = rows[5];
    __m256 sums[ROWS][2];

    for (size_t r = 0; r < ROWS; r++)
        sums[r][0] = sums[r][1] = _mm256_setzero_ps();
    for (size_t k = 0; k < n_k; k++, panel += COLS) {
        __m256 c0 = _mm256_loadu_ps(panel), c1 = _mm256_loadu_ps(panel + LANES);

#define ADD_ROW(i)                                                                                 \
    do {                                                                                           \
        __m256 x = _mm256_set1_ps(r##i[k]);                                                        \
                                                                                                   \
        sums[i][0] = _mm256_fmadd_ps(x, c0, sums[i][0]);                                           \
        sums[i][1] = _mm256_fmadd_ps(x, c1, sums[i][1]);                                           \
    } while (0)
        ADD_ROW(0);
        ADD_ROW(1);
        ADD_ROW(2);
        ADD_ROW(3);
        ADD_ROW(4);
        ADD_ROW(5);
#undef ADD_ROW
    }
    for (size_t r = 0; r < ROWS; r++) {
        _mm256_storeu_ps(out + r * COLS, sums[r][0]);
        _mm256_storeu_ps(out + r * COLS + LANES, sums[r][1]);
    }
}

/* Columns as signed 16-bit pairs, [(k / 2 * COLS + c) * 2 + k % 2]; then COLS starting values, because the
 * rows stay unsigned: 128 times the column's sum is taken off. */
static void pack_u8(const uint8_t *vectors, size_t stride, size_t n, size_t n_k, void *panel)
{
    int16_t *out = panel;
    int32_t start[COLS];

    for (size_t c = 0; c < COLS; c++) {
        int32_t sum = 0;

        for (size_t k = 0; k < n_k; k++) {
            int16_t x = (int16_t)(c < n ? vectors[c * stride + k] - 128 : 0);

            out[(k / 2 * COLS + c) * 2 + k % 2] = x;
            sum += x;
        }
        start[c] = -128 * sum;
    }
    memcpy(out + n_k * COLS, start, sizeof(start));
}

static __m256i add_pairs(__m256i sum, __m256i rows, const int16_t *columns)
{
    return _mm256_add_epi32(sum, _mm256_madd_epi16(rows, _mm256_loadu_si256((const __m256i *)columns)));
}

static void run_u8(const uint8_t *rows, size_t stride, const void *panel, size_t n_k, float *out)
{
    const int16_t *columns = panel;
    const uint8_t *start = (const uint8_t *)(columns + n_k * COLS);
    /* Of four bytes in each 32-bit lane the first two, or the last two, widened. */
    const __m256i first = _mm256_broadcastsi128_si256(
        _mm_setr_epi8(0, -1, 1, -1, 0, -1, 1, -1, 0, -1, 1, -1, 0, -1, 1, -1));
    const __m256i last = _mm256_broadcastsi128_si256(
        _mm_setr_epi8(2, -1, 3, -1, 2, -1, 3, -1, 2, -1, 3, -1, 2, -1, 3, -1));
    __m256i sums[ROWS][2];

    for (size_t r = 0; r < ROWS; r++) {
        sums[r][0] = _mm256_loadu_si256((const __m256i *)start);
        sums[r][1] = _mm256_loadu_si256((const __m256i *)(start + 32));
    }
    for (size_t k = 0; k < n_k; k += 4, columns += 4 * (size_t)COLS) {
        for (size_t r = 0; r < ROWS; r++) {
            int32_t word;
            __m256i x, x0, x1;

            memcpy(&word, rows + r * stride + k, sizeof(word));
            x = _mm256_set1_epi32(word);
            x0 = _mm256_shuffle_epi8(x, first);
            x1 = _mm256_shuffle_epi8(x, last);
            sums[r][0] = add_pairs(add_pairs(sums[r][0], x0, columns), x1, columns + 32);
            sums[r][1] = add_pairs(add_pairs(sums[r][1], x0, columns + 16), x1, columns + 48);
        }
    }
    for (size_t r = 0; r < ROWS; r++) {
        _mm256_storeu_ps(out + r * COLS, _mm256_cvtepi32_ps(sums[r][0]));
        _mm256_storeu_ps(out + r * COLS + LANES, _mm256_cvtepi32_ps(sums[r][1]));
    }
}

static size_t tile_above(const float *tile, size_t n_rows, size_t n_cols, const float *row_bounds,
                         const float *col_bounds, uint16_t *out)
{
    size_t n = 0;

    for (size_t r = 0; r < n_rows; r++) {
        const float *row = tile + r * n_cols;
        __m256 row_bound = _mm256_set1_ps(row_bounds[r]);
        size_t c = 0;

        for (; c + LANES <= n_cols; c += LANES) {
            __m256 bound = _mm256_min_ps(_mm256_loadu_ps(col_bounds + c), row_bound);
            __m256 is_above = _mm256_cmp_ps(_mm256_loadu_ps(row + c), bound, _CMP_GT_OQ);
            unsigned above = (unsigned)_mm256_movemask_ps(is_above);

            for (; above; above &= above - 1)
                out[n++] = (uint16_t)(r * n_cols + c + (size_t)__builtin_ctz(above));
        }
        for (; c < n_cols; c++) {
            float bound = row_bounds[r] < col_bounds[c] ? row_bounds[r] : col_bounds[c];

            if (row[c] > bound)
                out[n++] = (uint16_t)(r * n_cols + c);
        }
    }
    return n;
}

static __m256d add_four(__m256d sum, const float *a, const float *b)
{
    return _mm256_fmadd_pd(_mm256_cvtps_pd(_mm_loadu_ps(a)), _mm256_cvtps_pd(_mm_loadu_ps(b)), sum);
}

static double dot_wide(const float *a, const float *b, size_t n)
{
    __m256d s0 = _mm256_setzero_pd(), s1 = s0, s2 = s0, s3 = s0;
    double sums[16];
    size_t i = 0;

    for (; i + 16 <= n; i += 16) {
        s0 = add_four(s0, a + i, b + i);
        s1 = add_four(s1, a + i + 4, b + i + 4);
        s2 = add_four(s2, a + i + 8, b + i + 8);
        s3 = add_four(s3, a + i + 12, b + i + 12);
    }
    _mm256_storeu_pd(sums, s0);
    _mm256_storeu_pd(sums + 4, s1);
    _mm256_storeu_pd(sums + 8, s2);
    _mm256_storeu_pd(sums + 12, s3);
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
    int32_t total = 0;

    for (size_t i = 0; i < n; i++)
        total += query[i];
    for (size_t r = 0; r < n_rows; r++) {
        const uint8_t *row = rows + r * stride;
        __m256i s = _mm256_setzero_si256();
        int32_t lanes[LANES], sum = -128 * total;
        size_t i = 0;

        for (; i + 16 <= n; i += 16) {
            __m256i x = _mm256_cvtepu8_epi16(_mm_loadu_si128((const __m128i *)(row + i)));
            __m256i y = _mm256_cvtepi8_epi16(_mm_loadu_si128((const __m128i *)(query + i)));

            s = _mm256_add_epi32(s, _mm256_madd_epi16(x, y));
        }
        _mm256_storeu_si256((__m256i *)lanes, s);
        for (; i < n; i++)
            sum += row[i] * query[i];
        for (size_t j = 0; j < LANES; j++)
            sum += lanes[j];
        out[r] = sum;
    }
}

static void begin_or_end(void)
{
}

void ims__kernels_fill_avx2_tiles(struct ims_kernels *k)
{
    k->tiles_f32 = (struct ims_tiles_f32){ .n_rows = ROWS, .n_cols = COLS, .run = run_f32 };
    k->tiles_u8 = (struct ims_tiles_u8){ .n_rows = ROWS,
                                         .n_cols = COLS,
                                         .element_bytes = 2,
                                         .pack = pack_u8,
                                         .begin = begin_or_end,
                                         .end = begin_or_end,
                                         .run = run_u8 };
    k->tile_above = tile_above;
    k->dot_wide = dot_wide;
    k->dot_u8_rows = dot_u8_rows;
}
