/* The vector kernels for AVX2 with FMA and F16C.
 * SPDX-License-Identifier: Apache-2.0 */
#include "kernels/tiers.h"

#include <immintrin.h>
#include <math.h>
#include <string.h>

#define LANES 8

static float add_lanes(__m256 v)
{
    __m128 s = _mm_add_ps(_mm256_castps256_ps128(v), _mm256_extractf128_ps(v, 1));

    s = _mm_add_ps(s, _mm_movehl_ps(s, s));
    s = _mm_add_ss(s, _mm_movehdup_ps(s));
    return _mm_cvtss_f32(s);
}

static int32_t add_lanes_i32(__m256i v)
{
    __m128i s = _mm_add_epi32(_mm256_castsi256_si128(v), _mm256_extracti128_si256(v, 1));

    s = _mm_add_epi32(s, _mm_shuffle_epi32(s, 0x4e));
    s = _mm_add_epi32(s, _mm_shuffle_epi32(s, 0xb1));
    return _mm_cvtsi128_si32(s);
}

/* All ones in the first n of 8 lanes. */
static __m256i first_lanes(size_t n)
{
    const __m256i index = _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7);

    return _mm256_cmpgt_epi32(_mm256_set1_epi32((int)n), index);
}

static __m256 load_half(const uint16_t *p)
{
    return _mm256_cvtph_ps(_mm_loadu_si128((const __m128i *)p));
}

/* The first n < 8 halves, then zeros. */
static __m256 load_half_part(const uint16_t *p, size_t n)
{
    uint16_t part[LANES] = { 0 };

    memcpy(part, p, n * sizeof(*p));
    return load_half(part);
}

static float dot_f32(const float *a, const float *b, size_t n)
{
    __m256 s0 = _mm256_setzero_ps(), s1 = s0, s2 = s0, s3 = s0;
    size_t i = 0;

    for (; i + 4 * LANES <= n; i += 4 * LANES) {
        s0 = _mm256_fmadd_ps(_mm256_loadu_ps(a + i), _mm256_loadu_ps(b + i), s0);
        s1 = _mm256_fmadd_ps(_mm256_loadu_ps(a + i + 8), _mm256_loadu_ps(b + i + 8), s1);
        s2 = _mm256_fmadd_ps(_mm256_loadu_ps(a + i + 16), _mm256_loadu_ps(b + i + 16), s2);
        s3 = _mm256_fmadd_ps(_mm256_loadu_ps(a + i + 24), _mm256_loadu_ps(b + i + 24), s3);
    }
    for (; i + LANES <= n; i += LANES)
        s0 = _mm256_fmadd_ps(_mm256_loadu_ps(a + i), _mm256_loadu_ps(b + i), s0);
    if (i < n) {
        __m256i mask = first_lanes(n - i);

        s1 = _mm256_fmadd_ps(_mm256_maskload_ps(a + i, mask), _mm256_maskload_ps(b + i, mask), s1);
    }
    return add_lanes(_mm256_add_ps(_mm256_add_ps(s0, s1), _mm256_add_ps(s2, s3)));
}

static float dot_f16(const uint16_t *a, const uint16_t *b, size_t n)
{
    __m256 s0 = _mm256_setzero_ps(), s1 = s0;
    size_t i = 0;

    for (; i + 2 * LANES <= n; i += 2 * LANES) {
        s0 = _mm256_fmadd_ps(load_half(a + i), load_half(b + i), s0);
        s1 = _mm256_fmadd_ps(load_half(a + i + 8), load_half(b + i + 8), s1);
    }
    if (i + LANES <= n) {
        s0 = _mm256_fmadd_ps(load_half(a + i), load_half(b + i), s0);
        i += LANES;
    }
    if (i < n)
        s1 = _mm256_fmadd_ps(load_half_part(a + i, n - i), load_half_part(b + i, n - i), s1);
    return add_lanes(_mm256_add_ps(s0, s1));
}

static float dot_f32_f16(const float *a, const uint16_t *b, size_t n)
{
    __m256 s0 = _mm256_setzero_ps(), s1 = s0;
    size_t i = 0;

    for (; i + 2 * LANES <= n; i += 2 * LANES) {
        s0 = _mm256_fmadd_ps(_mm256_loadu_ps(a + i), load_half(b + i), s0);
        s1 = _mm256_fmadd_ps(_mm256_loadu_ps(a + i + 8), load_half(b + i + 8), s1);
    }
    if (i + LANES <= n) {
        s0 = _mm256_fmadd_ps(_mm256_loadu_ps(a + i), load_half(b + i), s0);
        i += LANES;
    }
    if (i < n) {
        __m256 rest = _mm256_maskload_ps(a + i, first_lanes(n - i));

        s1 = _mm256_fmadd_ps(rest, load_half_part(b + i, n - i), s1);
    }
    return add_lanes(_mm256_add_ps(s0, s1));
}

static int32_t dot_i8(const int8_t *a, const int8_t *b, size_t n)
{
    __m256i s0 = _mm256_setzero_si256(), s1 = s0;
    int32_t rest = 0;
    size_t i = 0;

    for (; i + 32 <= n; i += 32) {
        __m256i a0 = _mm256_cvtepi8_epi16(_mm_loadu_si128((const __m128i *)(a + i)));
        __m256i b0 = _mm256_cvtepi8_epi16(_mm_loadu_si128((const __m128i *)(b + i)));
        __m256i a1 = _mm256_cvtepi8_epi16(_mm_loadu_si128((const __m128i *)(a + i + 16)));
        __m256i b1 = _mm256_cvtepi8_epi16(_mm_loadu_si128((const __m128i *)(b + i + 16)));

        s0 = _mm256_add_epi32(s0, _mm256_madd_epi16(a0, b0));
        s1 = _mm256_add_epi32(s1, _mm256_madd_epi16(a1, b1));
    }
    for (; i < n; i++)
        rest += (int32_t)a[i] * b[i];
    return rest + add_lanes_i32(_mm256_add_epi32(s0, s1));
}

static void ask_for(const float *p)
{
    _mm_prefetch((const char *)p, _MM_HINT_T0);
}

/* Four rows at a time share the loads of the query and keep four streams of memory going; the rows
 * after them are asked for early (ahead: how many floats further they are), because each row is too
 * short for the processor to run ahead by itself. */
static void dot_four_rows(const float *query, const float *rows, size_t stride, size_t n,
                          size_t ahead, float *out)
{
    const float *r0 = rows, *r1 = rows + stride, *r2 = rows + 2 * stride, *r3 = rows + 3 * stride;
    __m256 s0 = _mm256_setzero_ps(), s1 = s0, s2 = s0, s3 = s0;
    __m256 t0 = s0, t1 = s0, t2 = s0, t3 = s0;
    size_t i = 0;

    for (; i + 2 * LANES <= n; i += 2 * LANES) {
        __m256 q = _mm256_loadu_ps(query + i), u = _mm256_loadu_ps(query + i + LANES);

        ask_for(r0 + ahead + i);
        ask_for(r1 + ahead + i);
        ask_for(r2 + ahead + i);
        ask_for(r3 + ahead + i);
        s0 = _mm256_fmadd_ps(q, _mm256_loadu_ps(r0 + i), s0);
        s1 = _mm256_fmadd_ps(q, _mm256_loadu_ps(r1 + i), s1);
        s2 = _mm256_fmadd_ps(q, _mm256_loadu_ps(r2 + i), s2);
        s3 = _mm256_fmadd_ps(q, _mm256_loadu_ps(r3 + i), s3);
        t0 = _mm256_fmadd_ps(u, _mm256_loadu_ps(r0 + i + LANES), t0);
        t1 = _mm256_fmadd_ps(u, _mm256_loadu_ps(r1 + i + LANES), t1);
        t2 = _mm256_fmadd_ps(u, _mm256_loadu_ps(r2 + i + LANES), t2);
        t3 = _mm256_fmadd_ps(u, _mm256_loadu_ps(r3 + i + LANES), t3);
    }
    for (; i < n; i += LANES) {
        __m256i mask = first_lanes(n - i < LANES ? n - i : LANES);
        __m256 q = _mm256_maskload_ps(query + i, mask);

        s0 = _mm256_fmadd_ps(q, _mm256_maskload_ps(r0 + i, mask), s0);
        s1 = _mm256_fmadd_ps(q, _mm256_maskload_ps(r1 + i, mask), s1);
        s2 = _mm256_fmadd_ps(q, _mm256_maskload_ps(r2 + i, mask), s2);
        s3 = _mm256_fmadd_ps(q, _mm256_maskload_ps(r3 + i, mask), s3);
    }
    out[0] = add_lanes(_mm256_add_ps(s0, t0));
    out[1] = add_lanes(_mm256_add_ps(s1, t1));
    out[2] = add_lanes(_mm256_add_ps(s2, t2));
    out[3] = add_lanes(_mm256_add_ps(s3, t3));
}

static void dot_f32_rows(const float *query, const float *rows, size_t stride, size_t n_rows,
                         size_t n, float *out)
{
    size_t r = 0;

    for (; r + 4 <= n_rows; r += 4)
        dot_four_rows(query, rows + r * stride, stride, n, r + 8 <= n_rows ? 4 * stride : 0,
                      out + r);
    for (; r < n_rows; r++)
        out[r] = dot_f32(query, rows + r * stride, n);
}

static double normalise_f32(float *v, size_t n)
{
    __m256d s0 = _mm256_setzero_pd(), s1 = s0, factor;
    double sums[4], norm, rest = 0;
    size_t i = 0;

    for (; i + 8 <= n; i += 8) {
        __m256d x = _mm256_cvtps_pd(_mm_loadu_ps(v + i));
        __m256d y = _mm256_cvtps_pd(_mm_loadu_ps(v + i + 4));

        s0 = _mm256_fmadd_pd(x, x, s0);
        s1 = _mm256_fmadd_pd(y, y, s1);
    }
    for (; i < n; i++)
        rest += (double)v[i] * (double)v[i];
    _mm256_storeu_pd(sums, _mm256_add_pd(s0, s1));
    norm = sqrt((sums[0] + sums[1]) + (sums[2] + sums[3]) + rest);
    if (!(norm > 0) || !isfinite(norm))
        return norm;
    factor = _mm256_set1_pd(1.0 / norm);
    for (i = 0; i + 4 <= n; i += 4) {
        __m256d x = _mm256_cvtps_pd(_mm_loadu_ps(v + i));

        _mm_storeu_ps(v + i, _mm256_cvtpd_ps(_mm256_mul_pd(x, factor)));
    }
    for (; i < n; i++)
        v[i] = (float)((double)v[i] * (1.0 / norm));
    return norm;
}

static void f16_to_f32(const uint16_t *in, float *out, size_t n)
{
    size_t i = 0;

    for (; i + LANES <= n; i += LANES)
        _mm256_storeu_ps(out + i, load_half(in + i));
    if (i < n)
        _mm256_maskstore_ps(out + i, first_lanes(n - i), load_half_part(in + i, n - i));
}

static void f32_to_f16(const float *in, uint16_t *out, size_t n)
{
    uint16_t part[LANES];
    size_t i = 0;

    for (; i + LANES <= n; i += LANES) {
        __m128i h = _mm256_cvtps_ph(_mm256_loadu_ps(in + i), _MM_FROUND_TO_NEAREST_INT);

        _mm_storeu_si128((__m128i *)(out + i), h);
    }
    if (i < n) {
        __m256 rest = _mm256_maskload_ps(in + i, first_lanes(n - i));

        _mm_storeu_si128((__m128i *)part, _mm256_cvtps_ph(rest, _MM_FROUND_TO_NEAREST_INT));
        memcpy(out + i, part, (n - i) * sizeof(*out));
    }
}

/* Eight pixels: bytes 0..15 and 8..23 of the 24. The masks pick channel c of pixels 0..4 from the
 * first and of pixels 5..7 from the second; 0x80 gives a zero to merge with. */
static __m128i pick_channel(__m128i head, __m128i tail, int c)
{
    const char z = (char)0x80, d = (char)c;
    const char h5 = (char)(c == 0 ? 15 : z); /* pixel 5 of channel 0 is byte 15 */
    const char t5 = (char)(c == 0 ? z : 7 + c);
    const __m128i from_head = _mm_setr_epi8(d, (char)(3 + d), (char)(6 + d), (char)(9 + d),
                                            (char)(12 + d), h5, z, z, z, z, z, z, z, z, z, z);
    const __m128i from_tail =
        _mm_setr_epi8(z, z, z, z, z, t5, (char)(10 + d), (char)(13 + d), z, z, z, z, z, z, z, z);

    return _mm_or_si128(_mm_shuffle_epi8(head, from_head), _mm_shuffle_epi8(tail, from_tail));
}

static void u8_to_f32_planar(const uint8_t *rgb, size_t n_px, const float scale[3],
                             const float bias[3], float *out, size_t plane_stride)
{
    size_t i = 0;

    for (; i + 8 <= n_px; i += 8) {
        __m128i head = _mm_loadu_si128((const __m128i *)(rgb + 3 * i));
        __m128i tail = _mm_loadu_si128((const __m128i *)(rgb + 3 * i + 8));
        __m128i channels[3] = { pick_channel(head, tail, 0), pick_channel(head, tail, 1),
                                pick_channel(head, tail, 2) };

        for (size_t c = 0; c < 3; c++) {
            __m256 x = _mm256_cvtepi32_ps(_mm256_cvtepu8_epi32(channels[c]));

            x = _mm256_add_ps(_mm256_mul_ps(x, _mm256_set1_ps(scale[c])), _mm256_set1_ps(bias[c]));
            _mm256_storeu_ps(out + c * plane_stride + i, x);
        }
    }
    for (; i < n_px; i++) {
        for (size_t c = 0; c < 3; c++)
            out[c * plane_stride + i] = (float)rgb[3 * i + c] * scale[c] + bias[c];
    }
}

/* Twelve bytes of four pixels in each half, to four sums in each. The weight of green is too large
 * for a signed 16-bit number, so it is paired twice, once with red and once with blue. */
static __m256i weigh_luma(const uint8_t *p)
{
    const __m256i pick_rg = _mm256_broadcastsi128_si256(
        _mm_setr_epi8(0, -1, 1, -1, 3, -1, 4, -1, 6, -1, 7, -1, 9, -1, 10, -1));
    const __m256i pick_gb = _mm256_broadcastsi128_si256(
        _mm_setr_epi8(1, -1, 2, -1, 4, -1, 5, -1, 7, -1, 8, -1, 10, -1, 11, -1));
    const __m256i rg = _mm256_set1_epi32(19595 | 19235 << 16);
    const __m256i gb = _mm256_set1_epi32(19235 | 7471 << 16);
    __m128i low = _mm_loadu_si128((const __m128i *)p);
    __m128i high = _mm_loadu_si128((const __m128i *)(p + 12));
    __m256i px = _mm256_inserti128_si256(_mm256_castsi128_si256(low), high, 1);
    __m256i sum = _mm256_add_epi32(_mm256_madd_epi16(_mm256_shuffle_epi8(px, pick_rg), rg),
                                   _mm256_madd_epi16(_mm256_shuffle_epi8(px, pick_gb), gb));

    return _mm256_srli_epi32(_mm256_add_epi32(sum, _mm256_set1_epi32(32768)), 16);
}

static void rgb_to_luma(const uint8_t *rgb, size_t n_px, uint8_t *out)
{
    const __m256i in_order = _mm256_setr_epi32(0, 4, 1, 5, 2, 6, 3, 7);
    size_t i = 0;

    for (; i + 34 <= n_px; i += 32) { /* the last load passes the 32 pixels by 4 bytes */
        const uint8_t *p = rgb + 3 * i;
        __m256i a = _mm256_packus_epi32(weigh_luma(p), weigh_luma(p + 24));
        __m256i b = _mm256_packus_epi32(weigh_luma(p + 48), weigh_luma(p + 72));
        __m256i bytes = _mm256_permutevar8x32_epi32(_mm256_packus_epi16(a, b), in_order);

        _mm256_storeu_si256((__m256i *)(out + i), bytes);
    }
    for (; i < n_px; i++) {
        const uint8_t *p = rgb + 3 * i;

        out[i] = (uint8_t)((19595u * p[0] + 38470u * p[1] + 7471u * p[2] + 32768u) >> 16);
    }
}

void ims__kernels_fill_avx2(struct ims_kernels *k)
{
    k->dot_f32 = dot_f32;
    k->dot_f16 = dot_f16;
    k->dot_f32_f16 = dot_f32_f16;
    k->dot_i8 = dot_i8;
    k->dot_f32_rows = dot_f32_rows;
    k->normalise_f32 = normalise_f32;
    k->f16_to_f32 = f16_to_f32;
    k->f32_to_f16 = f32_to_f16;
    k->u8_to_f32_planar = u8_to_f32_planar;
    k->rgb_to_luma = rgb_to_luma;
}
