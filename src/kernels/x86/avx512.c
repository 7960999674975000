/* The vector kernels for AVX-512 (F, BW, DQ, VL). What is not here AVX2 does as well: wider
 * registers made the passes of a resize no faster.
 * SPDX-License-Identifier: Apache-2.0 */
#include "kernels/tiers.h"

#include <immintrin.h>
#include <math.h>

#define LANES 16

/* Bit i set for the first n of 16 lanes; n >= 16 gives all. */
static __mmask16 first_lanes(size_t n)
{
    return (__mmask16)(n >= LANES ? 0xffffu : (1u << n) - 1u);
}

static __m512 load_half(const uint16_t *p)
{
    return _mm512_cvtph_ps(_mm256_loadu_si256((const __m256i *)p));
}

static __m512 load_half_part(const uint16_t *p, size_t n)
{
    return _mm512_cvtph_ps(_mm256_maskz_loadu_epi16(first_lanes(n), p));
}

static float dot_f32(const float *a, const float *b, size_t n)
{
    __m512 s0 = _mm512_setzero_ps(), s1 = s0, s2 = s0, s3 = s0;
    size_t i = 0;

    for (; i + 4 * LANES <= n; i += 4 * LANES) {
        s0 = _mm512_fmadd_ps(_mm512_loadu_ps(a + i), _mm512_loadu_ps(b + i), s0);
        s1 = _mm512_fmadd_ps(_mm512_loadu_ps(a + i + 16), _mm512_loadu_ps(b + i + 16), s1);
        s2 = _mm512_fmadd_ps(_mm512_loadu_ps(a + i + 32), _mm512_loadu_ps(b + i + 32), s2);
        s3 = _mm512_fmadd_ps(_mm512_loadu_ps(a + i + 48), _mm512_loadu_ps(b + i + 48), s3);
    }
    for (; i < n; i += LANES) {
        __mmask16 mask = first_lanes(n - i);

        s0 = _mm512_fmadd_ps(_mm512_maskz_loadu_ps(mask, a + i), _mm512_maskz_loadu_ps(mask, b + i),
                             s0);
    }
    return _mm512_reduce_add_ps(_mm512_add_ps(_mm512_add_ps(s0, s1), _mm512_add_ps(s2, s3)));
}

static float dot_f16(const uint16_t *a, const uint16_t *b, size_t n)
{
    __m512 s0 = _mm512_setzero_ps(), s1 = s0;
    size_t i = 0;

    for (; i + 2 * LANES <= n; i += 2 * LANES) {
        s0 = _mm512_fmadd_ps(load_half(a + i), load_half(b + i), s0);
        s1 = _mm512_fmadd_ps(load_half(a + i + 16), load_half(b + i + 16), s1);
    }
    for (; i < n; i += LANES)
        s0 = _mm512_fmadd_ps(load_half_part(a + i, n - i), load_half_part(b + i, n - i), s0);
    return _mm512_reduce_add_ps(_mm512_add_ps(s0, s1));
}

static float dot_f32_f16(const float *a, const uint16_t *b, size_t n)
{
    __m512 s0 = _mm512_setzero_ps(), s1 = s0;
    size_t i = 0;

    for (; i + 2 * LANES <= n; i += 2 * LANES) {
        s0 = _mm512_fmadd_ps(_mm512_loadu_ps(a + i), load_half(b + i), s0);
        s1 = _mm512_fmadd_ps(_mm512_loadu_ps(a + i + 16), load_half(b + i + 16), s1);
    }
    for (; i < n; i += LANES) {
        __m512 x = _mm512_maskz_loadu_ps(first_lanes(n - i), a + i);

        s0 = _mm512_fmadd_ps(x, load_half_part(b + i, n - i), s0);
    }
    return _mm512_reduce_add_ps(_mm512_add_ps(s0, s1));
}

static int32_t dot_i8(const int8_t *a, const int8_t *b, size_t n)
{
    __m512i s0 = _mm512_setzero_si512(), s1 = s0;
    size_t i = 0;

    for (; i + 64 <= n; i += 64) {
        __m512i a0 = _mm512_cvtepi8_epi16(_mm256_loadu_si256((const __m256i *)(a + i)));
        __m512i b0 = _mm512_cvtepi8_epi16(_mm256_loadu_si256((const __m256i *)(b + i)));
        __m512i a1 = _mm512_cvtepi8_epi16(_mm256_loadu_si256((const __m256i *)(a + i + 32)));
        __m512i b1 = _mm512_cvtepi8_epi16(_mm256_loadu_si256((const __m256i *)(b + i + 32)));

        s0 = _mm512_add_epi32(s0, _mm512_madd_epi16(a0, b0));
        s1 = _mm512_add_epi32(s1, _mm512_madd_epi16(a1, b1));
    }
    for (; i < n; i += 32) {
        __mmask32 mask = n - i >= 32 ? 0xffffffffu : (1u << (n - i)) - 1u;
        __m512i x = _mm512_cvtepi8_epi16(_mm256_maskz_loadu_epi8(mask, a + i));
        __m512i y = _mm512_cvtepi8_epi16(_mm256_maskz_loadu_epi8(mask, b + i));

        s0 = _mm512_add_epi32(s0, _mm512_madd_epi16(x, y));
    }
    return _mm512_reduce_add_epi32(_mm512_add_epi32(s0, s1));
}

static void ask_for(const float *p)
{
    _mm_prefetch((const char *)p, _MM_HINT_T0);
}

/* As in avx2.c: shared loads of the query, four streams, the next rows asked for early. */
static void dot_four_rows(const float *query, const float *rows, size_t stride, size_t n,
                          size_t ahead, float *out)
{
    const float *r0 = rows, *r1 = rows + stride, *r2 = rows + 2 * stride, *r3 = rows + 3 * stride;
    __m512 s0 = _mm512_setzero_ps(), s1 = s0, s2 = s0, s3 = s0;
    size_t i = 0;

    for (; i + LANES <= n; i += LANES) {
        __m512 q = _mm512_loadu_ps(query + i);

        ask_for(r0 + ahead + i);
        ask_for(r1 + ahead + i);
        ask_for(r2 + ahead + i);
        ask_for(r3 + ahead + i);
        s0 = _mm512_fmadd_ps(q, _mm512_loadu_ps(r0 + i), s0);
        s1 = _mm512_fmadd_ps(q, _mm512_loadu_ps(r1 + i), s1);
        s2 = _mm512_fmadd_ps(q, _mm512_loadu_ps(r2 + i), s2);
        s3 = _mm512_fmadd_ps(q, _mm512_loadu_ps(r3 + i), s3);
    }
    if (i < n) {
        __mmask16 mask = first_lanes(n - i);
        __m512 q = _mm512_maskz_loadu_ps(mask, query + i);

        s0 = _mm512_fmadd_ps(q, _mm512_maskz_loadu_ps(mask, r0 + i), s0);
        s1 = _mm512_fmadd_ps(q, _mm512_maskz_loadu_ps(mask, r1 + i), s1);
        s2 = _mm512_fmadd_ps(q, _mm512_maskz_loadu_ps(mask, r2 + i), s2);
        s3 = _mm512_fmadd_ps(q, _mm512_maskz_loadu_ps(mask, r3 + i), s3);
    }
    out[0] = _mm512_reduce_add_ps(s0);
    out[1] = _mm512_reduce_add_ps(s1);
    out[2] = _mm512_reduce_add_ps(s2);
    out[3] = _mm512_reduce_add_ps(s3);
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
    __m512d s0 = _mm512_setzero_pd(), factor;
    double norm;

    for (size_t i = 0; i < n; i += 8) {
        __m512d x = _mm512_cvtps_pd(_mm256_maskz_loadu_ps((__mmask8)first_lanes(n - i), v + i));

        s0 = _mm512_fmadd_pd(x, x, s0);
    }
    norm = sqrt(_mm512_reduce_add_pd(s0));
    if (!(norm > 0) || !isfinite(norm))
        return norm;
    factor = _mm512_set1_pd(1.0 / norm);
    for (size_t i = 0; i < n; i += 8) {
        __mmask8 mask = (__mmask8)first_lanes(n - i);
        __m512d x = _mm512_cvtps_pd(_mm256_maskz_loadu_ps(mask, v + i));

        _mm256_mask_storeu_ps(v + i, mask, _mm512_cvtpd_ps(_mm512_mul_pd(x, factor)));
    }
    return norm;
}

static void f16_to_f32(const uint16_t *in, float *out, size_t n)
{
    for (size_t i = 0; i < n; i += LANES)
        _mm512_mask_storeu_ps(out + i, first_lanes(n - i), load_half_part(in + i, n - i));
}

static void f32_to_f16(const float *in, uint16_t *out, size_t n)
{
    for (size_t i = 0; i < n; i += LANES) {
        __mmask16 mask = first_lanes(n - i);
        __m512 x = _mm512_maskz_loadu_ps(mask, in + i);

        _mm256_mask_storeu_epi16(out + i, mask, _mm512_cvtps_ph(x, _MM_FROUND_TO_NEAREST_INT));
    }
}

void ims__kernels_fill_avx512(struct ims_kernels *k)
{
    k->dot_f32 = dot_f32;
    k->dot_f16 = dot_f16;
    k->dot_f32_f16 = dot_f32_f16;
    k->dot_i8 = dot_i8;
    k->dot_f32_rows = dot_f32_rows;
    k->normalise_f32 = normalise_f32;
    k->f16_to_f32 = f16_to_f32;
    k->f32_to_f16 = f32_to_f16;
}
