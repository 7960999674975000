/* The kernels of one-bit codes for AVX-512 (F, BW, DQ, VL). What is not here AVX2 does.
 * SPDX-License-Identifier: Apache-2.0 */
#include "kernels/tiers.h"

#include <immintrin.h>
#include <string.h>

#define LANES 16
#define GROUP 4 /* blocks that share the loads of a table */

static __m512 butterfly_within(__m512 x)
{
    __m512 y = _mm512_permute_ps(x, 0xb1);

    x = _mm512_mask_sub_ps(_mm512_add_ps(x, y), 0xaaaa, y, x);
    y = _mm512_permute_ps(x, 0x4e);
    x = _mm512_mask_sub_ps(_mm512_add_ps(x, y), 0xcccc, y, x);
    y = _mm512_shuffle_f32x4(x, x, 0xb1);
    x = _mm512_mask_sub_ps(_mm512_add_ps(x, y), 0xf0f0, y, x);
    y = _mm512_shuffle_f32x4(x, x, 0x4e);
    return _mm512_mask_sub_ps(_mm512_add_ps(x, y), 0xff00, y, x);
}

static void butterfly_twice(float *v, size_t n, size_t half)
{
    for (size_t i = 0; i < n; i += 4 * half) {
        for (size_t j = i; j < i + half; j += LANES) {
            __m512 a = _mm512_loadu_ps(v + j), b = _mm512_loadu_ps(v + j + half);
            __m512 c = _mm512_loadu_ps(v + j + 2 * half), d = _mm512_loadu_ps(v + j + 3 * half);
            __m512 ab = _mm512_add_ps(a, b), a_b = _mm512_sub_ps(a, b);
            __m512 cd = _mm512_add_ps(c, d), c_d = _mm512_sub_ps(c, d);

            _mm512_storeu_ps(v + j, _mm512_add_ps(ab, cd));
            _mm512_storeu_ps(v + j + half, _mm512_add_ps(a_b, c_d));
            _mm512_storeu_ps(v + j + 2 * half, _mm512_sub_ps(ab, cd));
            _mm512_storeu_ps(v + j + 3 * half, _mm512_sub_ps(a_b, c_d));
        }
    }
}

/* n >= LANES */
static void hadamard_large(float *v, size_t n)
{
    size_t half = LANES;

    for (size_t i = 0; i < n; i += LANES)
        _mm512_storeu_ps(v + i, butterfly_within(_mm512_loadu_ps(v + i)));
    for (; 4 * half <= n; half *= 4)
        butterfly_twice(v, n, half);
    if (half < n) {
        for (size_t j = 0; j < half; j += LANES) {
            __m512 a = _mm512_loadu_ps(v + j), b = _mm512_loadu_ps(v + j + half);

            _mm512_storeu_ps(v + j, _mm512_add_ps(a, b));
            _mm512_storeu_ps(v + j + half, _mm512_sub_ps(a, b));
        }
    }
}

static void hadamard_f32(float *v, size_t n)
{
    if (n >= LANES) {
        hadamard_large(v, n);
        return;
    }
    for (size_t half = 1; half < n; half *= 2) {
        for (size_t i = 0; i < n; i++) {
            if (!(i & half)) {
                float a = v[i], b = v[i + half];

                v[i] = a + b;
                v[i + half] = a - b;
            }
        }
    }
}

static void pack_signs(const float *v, size_t n, uint8_t *out)
{
    size_t i = 0;

    for (; i + LANES <= n; i += LANES) {
        uint16_t bits = (uint16_t)~_mm512_movepi32_mask(_mm512_loadu_si512(v + i));

        memcpy(out + i / 8, &bits, 2);
    }
    if (i < n) {
        __mmask16 here = (__mmask16)((1u << (n - i)) - 1u);
        __m512i x = _mm512_maskz_loadu_epi32(here, v + i);
        uint16_t bits = (uint16_t)(~_mm512_movepi32_mask(x) & here);

        memcpy(out + i / 8, &bits, (n - i + 7) / 8);
    }
}

static void quantise_i8(const float *v, size_t n, float scale, int8_t *out)
{
    __m512 s = _mm512_set1_ps(scale), most = _mm512_set1_ps(127.0f), least = _mm512_set1_ps(-127.0f);

    for (size_t i = 0; i < n; i += LANES) {
        __mmask16 here = (__mmask16)(n - i >= LANES ? 0xffffu : (1u << (n - i)) - 1u);
        __m512 x = _mm512_mul_ps(_mm512_maskz_loadu_ps(here, v + i), s);

        x = _mm512_max_ps(_mm512_min_ps(x, most), least);
        _mm_mask_storeu_epi8(out + i, here, _mm512_cvtepi32_epi8(_mm512_cvtps_epi32(x)));
    }
}

static __mmask16 lanes_of(size_t n)
{
    return (__mmask16)(n >= LANES ? 0xffffu : (1u << n) - 1u);
}

static void mul_f32(const float *a, const float *b, float *out, size_t n)
{
    for (size_t i = 0; i < n; i += LANES) {
        __mmask16 here = lanes_of(n - i);

        _mm512_mask_storeu_ps(out + i, here,
                              _mm512_mul_ps(_mm512_maskz_loadu_ps(here, a + i), _mm512_maskz_loadu_ps(here, b + i)));
    }
}

static void residual_f32(const float *a, const float *c, float along, size_t n, float *out, float *out_sum,
                         float *out_most)
{
    __m512 sum = _mm512_setzero_ps(), most = _mm512_setzero_ps(), factor = _mm512_set1_ps(along);
    float sums[LANES];

    for (size_t i = 0; i < n; i += LANES) {
        __mmask16 here = lanes_of(n - i);
        __m512 x = _mm512_mul_ps(factor, _mm512_maskz_loadu_ps(here, c + i));

        x = _mm512_sub_ps(_mm512_maskz_loadu_ps(here, a + i), x);
        _mm512_mask_storeu_ps(out + i, here, x);
        x = _mm512_abs_ps(_mm512_maskz_mov_ps(here, x));
        sum = _mm512_add_ps(sum, x);
        most = _mm512_max_ps(x, most);
    }
    _mm512_storeu_ps(sums, sum);
    *out_sum = ims__fold_sums(sums);
    *out_most = _mm512_reduce_max_ps(most);
}

static void add_i8(float *sum, const int8_t *x, float scale, size_t n)
{
    __m512 factor = _mm512_set1_ps(scale);

    for (size_t i = 0; i < n; i += LANES) {
        __mmask16 here = lanes_of(n - i);
        __m512 y = _mm512_cvtepi32_ps(_mm512_cvtepi8_epi32(_mm_maskz_loadu_epi8(here, x + i)));

        y = _mm512_add_ps(_mm512_maskz_loadu_ps(here, sum + i), _mm512_mul_ps(factor, y));
        _mm512_mask_storeu_ps(sum + i, here, y);
    }
}

/* The tables of two neighbouring code bytes: low[0] low[0] low[1] low[1], and high likewise. */
struct tables {
    __m512i low, high;
};

static struct tables load_tables(const uint8_t *lut)
{
    __m512i x = _mm512_loadu_si512(lut);

    return (struct tables){ .low = _mm512_shuffle_i32x4(x, x, 0xa0),
                            .high = _mm512_shuffle_i32x4(x, x, 0xf5) };
}

static __m512i look_up(const uint8_t *codes, struct tables t)
{
    const __m512i low_half = _mm512_set1_epi8(15);
    __m512i x = _mm512_loadu_si512(codes);

    return _mm512_add_epi8(
        _mm512_shuffle_epi8(t.low, _mm512_and_si512(x, low_half)),
        _mm512_shuffle_epi8(t.high, _mm512_and_si512(_mm512_srli_epi16(x, 4), low_half)));
}

/* The last code byte of an odd number of them. */
static __m256i look_up_one(const uint8_t *codes, const uint8_t *table)
{
    const __m256i low_half = _mm256_set1_epi8(15);
    __m256i x = _mm256_loadu_si256((const __m256i *)codes);
    __m256i low = _mm256_broadcastsi128_si256(_mm_loadu_si128((const __m128i *)table));
    __m256i high = _mm256_broadcastsi128_si256(_mm_loadu_si128((const __m128i *)(table + 16)));

    return _mm256_add_epi8(
        _mm256_shuffle_epi8(low, _mm256_and_si256(x, low_half)),
        _mm256_shuffle_epi8(high, _mm256_and_si256(_mm256_srli_epi16(x, 4), low_half)));
}

/* Joins the halves of a register (two code bytes of the same vectors) and puts the sums in order;
 * see scan_block in avx2_codes.c. */
static void store_sums(__m512i all, __m512i odd, __m256i last, uint16_t *out)
{
    __m256i a = _mm256_add_epi16(_mm512_castsi512_si256(all), _mm512_extracti64x4_epi64(all, 1));
    __m256i o = _mm256_add_epi16(_mm512_castsi512_si256(odd), _mm512_extracti64x4_epi64(odd, 1));
    __m256i even, low, high;

    a = _mm256_add_epi16(a, last);
    o = _mm256_add_epi16(o, _mm256_srli_epi16(last, 8));
    even = _mm256_sub_epi16(a, _mm256_slli_epi16(o, 8));
    low = _mm256_unpacklo_epi16(even, o);
    high = _mm256_unpackhi_epi16(even, o);
    _mm256_storeu_si256((__m256i *)out, _mm256_permute2x128_si256(low, high, 0x20));
    _mm256_storeu_si256((__m256i *)(out + 16), _mm256_permute2x128_si256(low, high, 0x31));
}

#define ADD_UP(b, r)                                                                               \
    do {                                                                                           \
        all[b] = _mm512_add_epi16(all[b], r);                                                      \
        odd[b] = _mm512_add_epi16(odd[b], _mm512_srli_epi16(r, 8));                                \
    } while (0)

static void scan_group(const uint8_t *codes, size_t n_bytes, size_t n_blocks, const uint8_t *lut,
                       uint16_t *out)
{
    __m512i all[GROUP], odd[GROUP];
    size_t stride = n_bytes * IMS_CODE_BLOCK, c = 0;

    for (size_t b = 0; b < GROUP; b++)
        all[b] = odd[b] = _mm512_setzero_si512();
    for (; c + 4 <= n_bytes; c += 4) {
        struct tables t0 = load_tables(lut + c * 32), t1 = load_tables(lut + c * 32 + 64);

        for (size_t b = 0; b < n_blocks; b++) {
            const uint8_t *p = codes + b * stride + c * 32;
            __m512i r = _mm512_add_epi8(look_up(p, t0), look_up(p + 64, t1));

            _mm_prefetch((const char *)(p + GROUP * stride), _MM_HINT_T0);
            _mm_prefetch((const char *)(p + GROUP * stride + 64), _MM_HINT_T0);
            ADD_UP(b, r);
        }
    }
    for (; c + 2 <= n_bytes; c += 2) {
        struct tables t = load_tables(lut + c * 32);

        for (size_t b = 0; b < n_blocks; b++) {
            __m512i r = look_up(codes + b * stride + c * 32, t);

            ADD_UP(b, r);
        }
    }
    for (size_t b = 0; b < n_blocks; b++) {
        __m256i last = _mm256_setzero_si256();

        if (c < n_bytes)
            last = look_up_one(codes + b * stride + c * 32, lut + c * 32);
        store_sums(all[b], odd[b], last, out + b * IMS_CODE_BLOCK);
    }
}

static void scan_codes(const uint8_t *codes, size_t n_bytes, size_t n_blocks, const uint8_t *lut,
                       uint16_t *out_sums)
{
    size_t b = 0;

    for (; b + GROUP <= n_blocks; b += GROUP) /* a constant, so that the sums stay in registers */
        scan_group(codes + b * n_bytes * IMS_CODE_BLOCK, n_bytes, GROUP, lut,
                   out_sums + b * IMS_CODE_BLOCK);
    for (; b < n_blocks; b++)
        scan_group(codes + b * n_bytes * IMS_CODE_BLOCK, n_bytes, 1, lut,
                   out_sums + b * IMS_CODE_BLOCK);
}

static size_t select_codes(const struct ims_code_bounds *x, size_t n_blocks, float *out_bounds,
                           uint32_t *out_at)
{
    __m512 along = _mm512_set1_ps(x->along), step = _mm512_set1_ps(x->step);
    __m512 offset = _mm512_set1_ps(x->offset), least = _mm512_set1_ps(x->least);
    const __m512i ascending =
        _mm512_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
    size_t n = 0;

    for (size_t i = 0; i < n_blocks * IMS_CODE_BLOCK; i += LANES) {
        __mmask16 mask = (__mmask16)(x->allowed[i / IMS_CODE_BLOCK] >> i % IMS_CODE_BLOCK);
        __m512 sum = _mm512_cvtepi32_ps(
            _mm512_cvtepu16_epi32(_mm256_loadu_si256((const __m256i *)(x->sums + i))));
        __m512 right = _mm512_mul_ps(_mm512_loadu_ps(x->scale + i),
                                     _mm512_add_ps(_mm512_mul_ps(step, sum), offset));
        __m512 bound = _mm512_add_ps(_mm512_mul_ps(along, _mm512_loadu_ps(x->centre + i)), right);

        mask = _mm512_mask_cmp_ps_mask(mask, bound, least, _CMP_GE_OQ);
        if (!mask)
            continue;
        _mm512_mask_compressstoreu_ps(out_bounds + n, mask, bound);
        _mm512_mask_compressstoreu_epi32(
            out_at + n, mask, _mm512_add_epi32(ascending, _mm512_set1_epi32((int)i)));
        n += (size_t)__builtin_popcount(mask);
    }
    return n;
}

void ims__kernels_fill_avx512_codes(struct ims_kernels *k)
{
    k->hadamard_f32 = hadamard_f32;
    k->pack_signs = pack_signs;
    k->quantise_i8 = quantise_i8;
    k->mul_f32 = mul_f32;
    k->residual_f32 = residual_f32;
    k->add_i8 = add_i8;
    k->scan_codes = scan_codes;
    k->select_codes = select_codes;
}
