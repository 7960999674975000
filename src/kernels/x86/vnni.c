/* What AVX-512 VNNI does better: sums of four byte products in one instruction.
 *
 * A weight w of 23 bits is split into three signed digits, w = d2 * 65536 + d1 * 256 + d0, so that
 * the pixels stay bytes; the three sums are joined at the end. Nothing saturates, and the sums wrap
 * at 2^32 like the whole sum, which fits: the result is exact.
 * SPDX-License-Identifier: Apache-2.0 */
#include "kernels/tiers.h"

#include <immintrin.h>
#include <string.h>

#define HALF (1 << (IMS_RESAMPLE_BITS - 1))
#define ROWS 8 /* computed together: enough independent sums to hide the latency */
#define RGB_BLOCK 4
#define RGB_WORDS 3 /* d0, d1, d2 of four pixels */
#define GREY_BLOCK 64
#define GREY_WORDS 48
#define GREY_ROWS 4

/* Signed bytes times signed bytes: the instruction wants one side unsigned, so 128 is added to that
 * side and 128 * sum(b) taken off again. */
static int32_t dot_i8(const int8_t *a, const int8_t *b, size_t n)
{
    const __m512i flip = _mm512_set1_epi8((char)0x80);
    __m512i sum0 = _mm512_setzero_si512(), sum1 = sum0, excess0 = sum0, excess1 = sum0;
    size_t i = 0;

    for (; i + 128 <= n; i += 128) {
        __m512i x0 = _mm512_xor_si512(_mm512_loadu_si512(a + i), flip);
        __m512i x1 = _mm512_xor_si512(_mm512_loadu_si512(a + i + 64), flip);
        __m512i y0 = _mm512_loadu_si512(b + i), y1 = _mm512_loadu_si512(b + i + 64);

        sum0 = _mm512_dpbusd_epi32(sum0, x0, y0);
        excess0 = _mm512_dpbusd_epi32(excess0, flip, y0);
        sum1 = _mm512_dpbusd_epi32(sum1, x1, y1);
        excess1 = _mm512_dpbusd_epi32(excess1, flip, y1);
    }
    for (; i < n; i += 64) {
        __mmask64 mask = n - i >= 64 ? ~(__mmask64)0 : ((__mmask64)1 << (n - i)) - 1;
        __m512i x = _mm512_xor_si512(_mm512_maskz_loadu_epi8(mask, a + i), flip);
        __m512i y = _mm512_maskz_loadu_epi8(mask, b + i);

        sum0 = _mm512_dpbusd_epi32(sum0, x, y);
        excess0 = _mm512_dpbusd_epi32(excess0, flip, y);
    }
    return _mm512_reduce_add_epi32(
        _mm512_sub_epi32(_mm512_add_epi32(sum0, sum1), _mm512_add_epi32(excess0, excess1)));
}

/* The digits of w in -128..127; w < 2^23 - 2^15, which no filter's weight reaches. */
static void split(int32_t w, uint8_t digits[3])
{
    for (size_t d = 0; d < 3; d++) {
        int32_t digit = ((w + 128) & 255) - 128;

        digits[d] = (uint8_t)(digit & 255);
        w = (w - digit) / 256;
    }
}

/* n weights to n bytes of d0, then n of d1, then n of d2. */
static void pack_digits(const int32_t *weights, size_t n, uint32_t *out)
{
    uint8_t *bytes = (uint8_t *)out;

    for (size_t i = 0; i < n; i++) {
        uint8_t digits[3];

        split(weights[i], digits);
        for (size_t d = 0; d < 3; d++)
            bytes[d * n + i] = digits[d];
    }
}

static void pack_rgb(const int32_t *weights, uint32_t *out)
{
    pack_digits(weights, RGB_BLOCK, out);
}

static void pack_grey(const int32_t *weights, uint32_t *out)
{
    pack_digits(weights, GREY_BLOCK, out);
}

static __m512i join(__m512i d0, __m512i d1, __m512i d2)
{
    return _mm512_add_epi32(_mm512_add_epi32(d0, _mm512_slli_epi32(d1, 8)),
                            _mm512_slli_epi32(d2, 16));
}

/* Four rows of 16 bytes, each sorted into R R R R, G G G G, B B B B, 0 0 0 0 of its four pixels. */
static __m512i load_four(const uint8_t *const *rows, size_t at)
{
    const __m512i pick =
        _mm512_broadcast_i32x4(_mm_setr_epi8(0, 3, 6, 9, 1, 4, 7, 10, 2, 5, 8, 11, -1, -1, -1, -1));
    __m512i v = _mm512_castsi128_si512(_mm_loadu_si128((const __m128i *)(rows[0] + at)));

    v = _mm512_inserti32x4(v, _mm_loadu_si128((const __m128i *)(rows[1] + at)), 1);
    v = _mm512_inserti32x4(v, _mm_loadu_si128((const __m128i *)(rows[2] + at)), 2);
    v = _mm512_inserti32x4(v, _mm_loadu_si128((const __m128i *)(rows[3] + at)), 3);
    return _mm512_shuffle_epi8(v, pick);
}

static void store_four(uint8_t *const *rows, size_t o, size_t n_out, __m512i v)
{
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

static void run_rgb_group(const struct ims_taps *taps, const uint8_t *const *in,
                          uint8_t *const *out)
{
    for (size_t o = 0; o < taps->n_out; o++) {
        const uint32_t *w = taps->words + o * taps->n_blocks * RGB_WORDS;
        size_t at = (size_t)3 * taps->first[o];
        __m512i a0 = _mm512_setzero_si512(), a1 = a0, a2 = a0, b0 = a0, b1 = a0, b2 = a0;

        for (size_t k = 0; k < taps->n_blocks; k++, w += RGB_WORDS, at += 3 * RGB_BLOCK) {
            __m512i w0 = _mm512_set1_epi32((int)w[0]), w1 = _mm512_set1_epi32((int)w[1]);
            __m512i w2 = _mm512_set1_epi32((int)w[2]);
            __m512i a = load_four(in, at), b = load_four(in + 4, at);

            a0 = _mm512_dpbusd_epi32(a0, a, w0);
            a1 = _mm512_dpbusd_epi32(a1, a, w1);
            a2 = _mm512_dpbusd_epi32(a2, a, w2);
            b0 = _mm512_dpbusd_epi32(b0, b, w0);
            b1 = _mm512_dpbusd_epi32(b1, b, w1);
            b2 = _mm512_dpbusd_epi32(b2, b, w2);
        }
        store_four(out, o, taps->n_out, join(a0, a1, a2));
        store_four(out + 4, o, taps->n_out, join(b0, b1, b2));
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
        run_rgb_group(taps, in, out);
    }
}

static void run_grey_group(const struct ims_taps *taps, const uint8_t *const *in,
                           uint8_t *const *out)
{
    for (size_t o = 0; o < taps->n_out; o++) {
        const uint32_t *w = taps->words + o * taps->n_blocks * GREY_WORDS;
        size_t at = taps->first[o];
        __m512i sums[GREY_ROWS][3];

        for (size_t j = 0; j < GREY_ROWS; j++)
            sums[j][0] = sums[j][1] = sums[j][2] = _mm512_setzero_si512();
        for (size_t k = 0; k < taps->n_blocks; k++, w += GREY_WORDS, at += GREY_BLOCK) {
            __m512i w0 = _mm512_loadu_si512(w), w1 = _mm512_loadu_si512(w + 16);
            __m512i w2 = _mm512_loadu_si512(w + 32);

            for (size_t j = 0; j < GREY_ROWS; j++) {
                __m512i x = _mm512_loadu_si512(in[j] + at);

                sums[j][0] = _mm512_dpbusd_epi32(sums[j][0], x, w0);
                sums[j][1] = _mm512_dpbusd_epi32(sums[j][1], x, w1);
                sums[j][2] = _mm512_dpbusd_epi32(sums[j][2], x, w2);
            }
        }
        for (size_t j = 0; j < GREY_ROWS; j++) {
            __m512i lanes = join(sums[j][0], sums[j][1], sums[j][2]);
            int32_t v = (_mm512_reduce_add_epi32(lanes) + HALF) >> IMS_RESAMPLE_BITS;

            out[j][o] = (uint8_t)(v < 0 ? 0 : v > 255 ? 255 : v);
        }
    }
}

static void run_grey(const struct ims_taps *taps, const uint8_t *src, size_t src_stride,
                     size_t n_rows, uint8_t *dst, size_t dst_stride)
{
    const uint8_t *in[GREY_ROWS];
    uint8_t *out[GREY_ROWS];

    for (size_t y = 0; y < n_rows; y += GREY_ROWS) {
        for (size_t j = 0; j < GREY_ROWS; j++) {
            size_t row = y + j < n_rows ? y + j : n_rows - 1;

            in[j] = src + row * src_stride;
            out[j] = dst + row * dst_stride;
        }
        run_grey_group(taps, in, out);
    }
}

void ims__kernels_fill_vnni(struct ims_kernels *k)
{
    k->dot_i8 = dot_i8;
    k->rows_rgb = (struct ims_rows_kernel){ .block_px = RGB_BLOCK,
                                            .block_words = RGB_WORDS,
                                            .slack_bytes = 4,
                                            .pack = pack_rgb,
                                            .run = run_rgb };
    k->rows_grey = (struct ims_rows_kernel){ .block_px = GREY_BLOCK,
                                             .block_words = GREY_WORDS,
                                             .slack_bytes = 0,
                                             .pack = pack_grey,
                                             .run = run_grey };
}
