/* The horizontal pass for AVX-512 without VNNI: as avx2_resample.c, in its packed form, with four
 * rows in a register and eight at a time. The grey and the vertical pass stay with AVX2.
 * SPDX-License-Identifier: Apache-2.0 */
#include "kernels/tiers.h"

#include <immintrin.h>
#include <string.h>

#define HALF (1 << (IMS_RESAMPLE_BITS - 1))
#define ROWS 8
#define RGB_BLOCK 4
#define RGB_WORDS 4 /* low 0 1, low 2 3, high 0 1, high 2 3 */

static __m512i load_four(const uint8_t *const *rows, size_t at)
{
    __m512i v = _mm512_castsi128_si512(_mm_loadu_si128((const __m128i *)(rows[0] + at)));

    v = _mm512_inserti32x4(v, _mm_loadu_si128((const __m128i *)(rows[1] + at)), 1);
    v = _mm512_inserti32x4(v, _mm_loadu_si128((const __m128i *)(rows[2] + at)), 2);
    return _mm512_inserti32x4(v, _mm_loadu_si128((const __m128i *)(rows[3] + at)), 3);
}

static void store_four(uint8_t *const *rows, size_t o, size_t n_out, __m512i low, __m512i high)
{
    __m512i v = _mm512_add_epi32(low, _mm512_slli_epi32(high, 16));
    size_t n =
        o + 1 < n_out ? 4 : 3; /* all but the last may spill a byte into the next one's place */
    uint32_t lanes[16];

    v = _mm512_srai_epi32(_mm512_add_epi32(v, _mm512_set1_epi32(HALF)), IMS_RESAMPLE_BITS);
    v = _mm512_packs_epi32(v, v);
    v = _mm512_packus_epi16(v, v);
    _mm512_storeu_si512(lanes, v);
    for (size_t j = 0; j < 4; j++)
        memcpy(rows[j] + 3 * o, &lanes[4 * j], n);
}

static void run_group(const struct ims_taps *taps, const uint8_t *const *in, uint8_t *const *out)
{
    const __m512i pick01 = _mm512_broadcast_i32x4(
        _mm_setr_epi8(0, -1, 3, -1, 1, -1, 4, -1, 2, -1, 5, -1, -1, -1, -1, -1));
    const __m512i pick23 = _mm512_broadcast_i32x4(
        _mm_setr_epi8(6, -1, 9, -1, 7, -1, 10, -1, 8, -1, 11, -1, -1, -1, -1, -1));

    for (size_t o = 0; o < taps->n_out; o++) {
        const uint32_t *w = taps->words + o * taps->n_blocks * RGB_WORDS;
        size_t at = (size_t)3 * taps->first[o];
        __m512i low0 = _mm512_setzero_si512(), high0 = low0, low1 = low0, high1 = low0;

        for (size_t k = 0; k < taps->n_blocks; k++, w += RGB_WORDS, at += 3 * RGB_BLOCK) {
            __m512i l01 = _mm512_set1_epi32((int)w[0]), l23 = _mm512_set1_epi32((int)w[1]);
            __m512i h01 = _mm512_set1_epi32((int)w[2]), h23 = _mm512_set1_epi32((int)w[3]);
            __m512i a = load_four(in, at), b = load_four(in + 4, at);
            __m512i a01 = _mm512_shuffle_epi8(a, pick01), a23 = _mm512_shuffle_epi8(a, pick23);
            __m512i b01 = _mm512_shuffle_epi8(b, pick01), b23 = _mm512_shuffle_epi8(b, pick23);

            low0 = _mm512_add_epi32(low0, _mm512_madd_epi16(a01, l01));
            high0 = _mm512_add_epi32(high0, _mm512_madd_epi16(a01, h01));
            low1 = _mm512_add_epi32(low1, _mm512_madd_epi16(b01, l01));
            high1 = _mm512_add_epi32(high1, _mm512_madd_epi16(b01, h01));
            low0 = _mm512_add_epi32(low0, _mm512_madd_epi16(a23, l23));
            high0 = _mm512_add_epi32(high0, _mm512_madd_epi16(a23, h23));
            low1 = _mm512_add_epi32(low1, _mm512_madd_epi16(b23, l23));
            high1 = _mm512_add_epi32(high1, _mm512_madd_epi16(b23, h23));
        }
        store_four(out, o, taps->n_out, low0, high0);
        store_four(out + 4, o, taps->n_out, low1, high1);
    }
}

static void run_rgb(const struct ims_taps *taps, const uint8_t *src, size_t src_stride,
                    size_t n_rows, uint8_t *dst, size_t dst_stride)
{
    const uint8_t *in[ROWS];
    uint8_t *out[ROWS];

    for (size_t y = 0; y < n_rows; y += ROWS) {
        for (size_t j = 0; j < ROWS;
             j++) { /* past the end: the last row again, with the same bytes */
            size_t row = y + j < n_rows ? y + j : n_rows - 1;

            in[j] = src + row * src_stride;
            out[j] = dst + row * dst_stride;
        }
        run_group(taps, in, out);
    }
}

void ims__kernels_fill_avx512_resample(struct ims_kernels *k)
{
    k->rows_rgb.run = run_rgb;
}
