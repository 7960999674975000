/* The passes of a resize for AVX2.
 *
 * A weight w of 23 bits is split as w = high * 65536 + low with both parts signed 16-bit, so that
 * the multiply-and-add of 16-bit pairs serves twice and the sums stay exact (they wrap at 2^32 like
 * the whole sum, which fits). One 128-bit lane holds (R R, G G, B B, 0) of two neighbouring pixels
 * of one row.
 * SPDX-License-Identifier: Apache-2.0 */
#include "kernels/tiers.h"

#include <immintrin.h>
#include <string.h>

#define HALF (1 << (IMS_RESAMPLE_BITS - 1))
#define ROWS 4 /* computed together, so that a weight is loaded once for all */
#define RGB_BLOCK 4
#define RGB_WORDS 4 /* low 0 1, low 2 3, high 0 1, high 2 3 */
#define GREY_BLOCK 16
#define GREY_WORDS 16 /* 16 low parts, 16 high parts */

static int16_t low_part(int32_t w)
{
    return (int16_t)(uint16_t)((uint32_t)w & 0xffffu);
}

static int16_t high_part(int32_t w)
{
    return (int16_t)((w - low_part(w)) / 65536);
}

static uint32_t pair(int16_t first, int16_t second)
{
    return (uint32_t)(uint16_t)first | (uint32_t)(uint16_t)second << 16;
}

static void pack_rgb(const int32_t *w, uint32_t *out)
{
    out[0] = pair(low_part(w[0]), low_part(w[1]));
    out[1] = pair(low_part(w[2]), low_part(w[3]));
    out[2] = pair(high_part(w[0]), high_part(w[1]));
    out[3] = pair(high_part(w[2]), high_part(w[3]));
}

static void pack_grey(const int32_t *w, uint32_t *out)
{
    for (size_t i = 0; i < GREY_BLOCK; i += 2) {
        out[i / 2] = pair(low_part(w[i]), low_part(w[i + 1]));
        out[GREY_BLOCK / 2 + i / 2] = pair(high_part(w[i]), high_part(w[i + 1]));
    }
}

struct row_group {
    const uint8_t *in[ROWS];
    uint8_t *out[ROWS];
};

/* Rows y .. y + 3; past the end the last row again, which then is written twice with the same
 * bytes. */
static struct row_group group_rows(const uint8_t *src, size_t src_stride, size_t n_rows,
                                   uint8_t *dst, size_t dst_stride, size_t y)
{
    struct row_group g;

    for (size_t j = 0; j < ROWS; j++) {
        size_t row = y + j < n_rows ? y + j : n_rows - 1;

        g.in[j] = src + row * src_stride;
        g.out[j] = dst + row * dst_stride;
    }
    return g;
}

static __m256i load_two(const uint8_t *a, const uint8_t *b)
{
    __m256i v = _mm256_castsi128_si256(_mm_loadu_si128((const __m128i *)a));

    return _mm256_inserti128_si256(v, _mm_loadu_si128((const __m128i *)b), 1);
}

/* Joins the parts, rounds, and leaves R G B 0 in the lowest 4 bytes of each lane. */
static __m256i finish(__m256i low, __m256i high)
{
    __m256i v = _mm256_add_epi32(low, _mm256_slli_epi32(high, 16));

    v = _mm256_srai_epi32(_mm256_add_epi32(v, _mm256_set1_epi32(HALF)), IMS_RESAMPLE_BITS);
    v = _mm256_packs_epi32(v, v);
    return _mm256_packus_epi16(v, v);
}

/* Output o of a row; all but the last may spill a byte into the next one's place. */
static void store_rgb(uint8_t *out, size_t o, size_t n_out, int value)
{
    memcpy(out + 3 * o, &value, o + 1 < n_out ? 4 : 3);
}

static void run_rgb_group(const struct ims_taps *taps, const struct row_group *g)
{
    const __m256i pick01 = _mm256_broadcastsi128_si256(
        _mm_setr_epi8(0, -1, 3, -1, 1, -1, 4, -1, 2, -1, 5, -1, -1, -1, -1, -1));
    const __m256i pick23 = _mm256_broadcastsi128_si256(
        _mm_setr_epi8(6, -1, 9, -1, 7, -1, 10, -1, 8, -1, 11, -1, -1, -1, -1, -1));

    for (size_t o = 0; o < taps->n_out; o++) {
        const uint32_t *w = taps->words + o * taps->n_blocks * RGB_WORDS;
        size_t at = (size_t)3 * taps->first[o];
        __m256i low0 = _mm256_setzero_si256(), high0 = low0, low1 = low0, high1 = low0;

        for (size_t k = 0; k < taps->n_blocks; k++, w += RGB_WORDS, at += 3 * RGB_BLOCK) {
            __m256i l01 = _mm256_set1_epi32((int)w[0]), l23 = _mm256_set1_epi32((int)w[1]);
            __m256i h01 = _mm256_set1_epi32((int)w[2]), h23 = _mm256_set1_epi32((int)w[3]);
            __m256i a = load_two(g->in[0] + at, g->in[1] + at);
            __m256i b = load_two(g->in[2] + at, g->in[3] + at);
            __m256i a01 = _mm256_shuffle_epi8(a, pick01), a23 = _mm256_shuffle_epi8(a, pick23);
            __m256i b01 = _mm256_shuffle_epi8(b, pick01), b23 = _mm256_shuffle_epi8(b, pick23);

            low0 = _mm256_add_epi32(low0, _mm256_madd_epi16(a01, l01));
            high0 = _mm256_add_epi32(high0, _mm256_madd_epi16(a01, h01));
            low1 = _mm256_add_epi32(low1, _mm256_madd_epi16(b01, l01));
            high1 = _mm256_add_epi32(high1, _mm256_madd_epi16(b01, h01));
            low0 = _mm256_add_epi32(low0, _mm256_madd_epi16(a23, l23));
            high0 = _mm256_add_epi32(high0, _mm256_madd_epi16(a23, h23));
            low1 = _mm256_add_epi32(low1, _mm256_madd_epi16(b23, l23));
            high1 = _mm256_add_epi32(high1, _mm256_madd_epi16(b23, h23));
        }
        low0 = finish(low0, high0);
        low1 = finish(low1, high1);
        store_rgb(g->out[0], o, taps->n_out, _mm256_extract_epi32(low0, 0));
        store_rgb(g->out[1], o, taps->n_out, _mm256_extract_epi32(low0, 4));
        store_rgb(g->out[2], o, taps->n_out, _mm256_extract_epi32(low1, 0));
        store_rgb(g->out[3], o, taps->n_out, _mm256_extract_epi32(low1, 4));
    }
}

static void run_rgb(const struct ims_taps *taps, const uint8_t *src, size_t src_stride,
                    size_t n_rows, uint8_t *dst, size_t dst_stride)
{
    for (size_t y = 0; y < n_rows; y += ROWS) {
        struct row_group g = group_rows(src, src_stride, n_rows, dst, dst_stride, y);

        run_rgb_group(taps, &g);
    }
}

static void run_grey_group(const struct ims_taps *taps, const struct row_group *g)
{
    for (size_t o = 0; o < taps->n_out; o++) {
        const uint32_t *w = taps->words + o * taps->n_blocks * GREY_WORDS;
        size_t at = taps->first[o];
        __m256i low[ROWS], high[ROWS], v;
        __m128i sum;
        int bytes;

        for (size_t j = 0; j < ROWS; j++)
            low[j] = high[j] = _mm256_setzero_si256();
        for (size_t k = 0; k < taps->n_blocks; k++, w += GREY_WORDS, at += GREY_BLOCK) {
            __m256i l = _mm256_loadu_si256((const __m256i *)w);
            __m256i h = _mm256_loadu_si256((const __m256i *)(w + GREY_WORDS / 2));

            for (size_t j = 0; j < ROWS; j++) {
                __m128i px = _mm_loadu_si128((const __m128i *)(g->in[j] + at));
                __m256i x = _mm256_cvtepu8_epi16(px);

                low[j] = _mm256_add_epi32(low[j], _mm256_madd_epi16(x, l));
                high[j] = _mm256_add_epi32(high[j], _mm256_madd_epi16(x, h));
            }
        }
        for (size_t j = 0; j < ROWS; j++)
            low[j] = _mm256_add_epi32(low[j], _mm256_slli_epi32(high[j], 16));
        v = _mm256_hadd_epi32(_mm256_hadd_epi32(low[0], low[1]), _mm256_hadd_epi32(low[2], low[3]));
        sum = _mm_add_epi32(_mm256_castsi256_si128(v), _mm256_extracti128_si256(v, 1));
        sum = _mm_srai_epi32(_mm_add_epi32(sum, _mm_set1_epi32(HALF)), IMS_RESAMPLE_BITS);
        sum = _mm_packs_epi32(sum, sum);
        bytes = _mm_cvtsi128_si32(_mm_packus_epi16(sum, sum));
        for (size_t j = 0; j < ROWS; j++)
            g->out[j][o] = (uint8_t)((unsigned)bytes >> (8 * j) & 0xffu);
    }
}

static void run_grey(const struct ims_taps *taps, const uint8_t *src, size_t src_stride,
                     size_t n_rows, uint8_t *dst, size_t dst_stride)
{
    for (size_t y = 0; y < n_rows; y += ROWS) {
        struct row_group g = group_rows(src, src_stride, n_rows, dst, dst_stride, y);

        run_grey_group(taps, &g);
    }
}

/* 16 bytes of two rows: their four sums of 4 (low half and high half of each lane, low and high
 * parts). */
struct column_sums {
    __m256i low0, low1, high0, high1;
};

static void add_two_rows(struct column_sums *s, const uint8_t *a, const uint8_t *b, __m256i low,
                         __m256i high)
{
    __m256i x = _mm256_cvtepu8_epi16(_mm_loadu_si128((const __m128i *)a));
    __m256i y = _mm256_cvtepu8_epi16(_mm_loadu_si128((const __m128i *)b));
    __m256i xy0 = _mm256_unpacklo_epi16(x, y), xy1 = _mm256_unpackhi_epi16(x, y);

    s->low0 = _mm256_add_epi32(s->low0, _mm256_madd_epi16(xy0, low));
    s->low1 = _mm256_add_epi32(s->low1, _mm256_madd_epi16(xy1, low));
    s->high0 = _mm256_add_epi32(s->high0, _mm256_madd_epi16(xy0, high));
    s->high1 = _mm256_add_epi32(s->high1, _mm256_madd_epi16(xy1, high));
}

static __m128i finish_column(const struct column_sums *s)
{
    const __m256i half = _mm256_set1_epi32(HALF);
    __m256i v0 = _mm256_add_epi32(s->low0, _mm256_slli_epi32(s->high0, 16));
    __m256i v1 = _mm256_add_epi32(s->low1, _mm256_slli_epi32(s->high1, 16));

    v0 = _mm256_srai_epi32(_mm256_add_epi32(v0, half), IMS_RESAMPLE_BITS);
    v1 = _mm256_srai_epi32(_mm256_add_epi32(v1, half), IMS_RESAMPLE_BITS);
    v0 = _mm256_packs_epi32(v0, v1); /* undoes the interleaving: the order of the bytes again */
    return _mm_packus_epi16(_mm256_castsi256_si128(v0), _mm256_extracti128_si256(v0, 1));
}

#define COLUMN_BYTES 32

static void column_strip(const int32_t *weights, size_t n_taps, const uint8_t *src,
                         size_t src_stride, uint8_t *out)
{
    const __m256i zero = _mm256_setzero_si256();
    struct column_sums s = { zero, zero, zero, zero }, t = s;

    for (size_t k = 0; k < n_taps; k += 2) {
        bool is_pair = k + 1 < n_taps;
        const uint8_t *a = src + k * src_stride, *b = is_pair ? a + src_stride : a;
        int32_t w0 = weights[k], w1 = is_pair ? weights[k + 1] : 0;
        __m256i low = _mm256_set1_epi32((int)pair(low_part(w0), low_part(w1)));
        __m256i high = _mm256_set1_epi32((int)pair(high_part(w0), high_part(w1)));

        add_two_rows(&s, a, b, low, high);
        add_two_rows(&t, a + 16, b + 16, low, high);
    }
    _mm_storeu_si128((__m128i *)out, finish_column(&s));
    _mm_storeu_si128((__m128i *)(out + 16), finish_column(&t));
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

    if (n_bytes < COLUMN_BYTES) {
        column_bytes(weights, n_taps, src, src_stride, n_bytes, out);
        return;
    }
    for (; x + COLUMN_BYTES <= n_bytes; x += COLUMN_BYTES)
        column_strip(weights, n_taps, src + x, src_stride, out + x);
    if (x < n_bytes) { /* the last strip overlaps the one before it */
        x = n_bytes - COLUMN_BYTES;
        column_strip(weights, n_taps, src + x, src_stride, out + x);
    }
}

void ims__kernels_fill_avx2_resample(struct ims_kernels *k)
{
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
    k->resample_column = resample_column;
}
