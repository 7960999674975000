/* Scores of byte vectors for AVX-512 VNNI. The instruction multiplies unsigned by signed bytes: rows stay as
 * they are (128 too large), columns become signed, and 128 times a column's sum is taken off at the start.
 * SPDX-License-Identifier: Apache-2.0 */
#include "kernels/tiers.h"

#include <immintrin.h>
#include <string.h>

#define ROWS 8
#define COLS 48

/* Groups of four elements, panel[(k / 4 * COLS + c) * 4 + k % 4]; then COLS starting values. */
static void pack_u8(const uint8_t *vectors, size_t stride, size_t n, size_t n_k, void *panel)
{
    uint8_t *out = panel;
    int32_t start[COLS] = { 0 };

    for (size_t c = 0; c < COLS; c++) {
        int32_t sum = 0;

        for (size_t k = 0; k < n_k; k += 4) {
            uint8_t *group = out + (k / 4 * COLS + c) * 4;

            for (size_t j = 0; j < 4; j++) {
                uint8_t b = c < n ? vectors[c * stride + k + j] : 128;

                group[j] = b ^ 0x80;
                sum += b - 128;
            }
        }
        start[c] = -128 * sum;
    }
    memcpy(out + n_k * COLS, start, sizeof(start));
}

/* As assembly: for the intrinsic gcc 12 moves sums between registers and memory. */
static inline __m512i add_products(__m512i sum, __m512i rows, __m512i columns)
{
    __asm__("vpdpbusd %2, %1, %0" : "+v"(sum) : "v"(rows), "v"(columns));
    return sum;
}

static __m512i four_of(const uint8_t *p)
{
    int32_t word;

    memcpy(&word, p, sizeof(word));
    return _mm512_set1_epi32(word);
}

static void run_u8(const uint8_t *rows, size_t stride, const void *panel, size_t n_k, float *out)
{
    const uint8_t *columns = panel, *start = columns + n_k * COLS;
    __m512i sums[ROWS][3];

    for (size_t r = 0; r < ROWS; r++) {
        for (size_t c = 0; c < 3; c++)
            sums[r][c] = _mm512_loadu_si512(start + c * 64);
    }
    for (size_t k = 0; k < n_k; k += 4, columns += 4 * (size_t)COLS) {
        __m512i c0 = _mm512_loadu_si512(columns), c1 = _mm512_loadu_si512(columns + 64);
        __m512i c2 = _mm512_loadu_si512(columns + 128);

#define ADD_ROW(i)                                                                                 \
    do {                                                                                           \
        __m512i x = four_of(rows + (i)*stride + k);                                                \
                                                                                                   \
        sums[i][0] = add_products(sums[i][0], x, c0);                                              \
        sums[i][1] = add_products(sums[i][1], x, c1);                                              \
        sums[i][2] = add_products(sums[i][2], x, c2);                                              \
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
            _mm512_storeu_ps(out + r * COLS + c * 16, _mm512_cvtepi32_ps(sums[r][c]));
    }
}

static void dot_u8_rows(const int8_t *query, const uint8_t *rows, size_t stride, size_t n_rows, size_t n,
                        int32_t *out)
{
    const __m512i ones = _mm512_set1_epi8(1);
    __m512i total = _mm512_setzero_si512();
    int32_t excess;

    for (size_t i = 0; i < n; i += 64) {
        __mmask64 there = n - i >= 64 ? ~(__mmask64)0 : ((__mmask64)1 << (n - i)) - 1;

        total = _mm512_dpbusd_epi32(total, ones, _mm512_maskz_loadu_epi8(there, query + i));
    }
    excess = 128 * _mm512_reduce_add_epi32(total);
    for (size_t r = 0; r < n_rows; r++) {
        const uint8_t *row = rows + r * stride;
        const uint8_t *later = r + 8 < n_rows ? row + 8 * stride : row;
        __m512i s0 = _mm512_setzero_si512(), s1 = s0;
        size_t i = 0;

        for (; i + 128 <= n; i += 128) {
            _mm_prefetch((const char *)(later + i), _MM_HINT_T0);
            _mm_prefetch((const char *)(later + i + 64), _MM_HINT_T0);
            s0 = _mm512_dpbusd_epi32(s0, _mm512_loadu_si512(row + i), _mm512_loadu_si512(query + i));
            s1 = _mm512_dpbusd_epi32(s1, _mm512_loadu_si512(row + i + 64), _mm512_loadu_si512(query + i + 64));
        }
        for (; i < n; i += 64) {
            __mmask64 there = n - i >= 64 ? ~(__mmask64)0 : ((__mmask64)1 << (n - i)) - 1;

            s0 = _mm512_dpbusd_epi32(s0, _mm512_maskz_loadu_epi8(there, row + i),
                                     _mm512_maskz_loadu_epi8(there, query + i));
        }
        out[r] = _mm512_reduce_add_epi32(_mm512_add_epi32(s0, s1)) - excess;
    }
}

static void begin_or_end(void)
{
}

void ims__kernels_fill_vnni_tiles(struct ims_kernels *k)
{
    k->tiles_u8 = (struct ims_tiles_u8){ .n_rows = ROWS,
                                         .n_cols = COLS,
                                         .element_bytes = 1,
                                         .pack = pack_u8,
                                         .begin = begin_or_end,
                                         .end = begin_or_end,
                                         .run = run_u8 };
    k->dot_u8_rows = dot_u8_rows;
}
