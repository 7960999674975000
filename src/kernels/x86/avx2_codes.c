/* The kernels of one-bit codes for AVX2; the checksum uses the CRC32 instruction that comes with it.
 * SPDX-License-Identifier: Apache-2.0 */
#include "kernels/tiers.h"

#include <immintrin.h>
#include <math.h>
#include <string.h>

#define LANES 8

/* The steps of 1, 2 and 4 within a register. */
static __m256 butterfly_within(__m256 x)
{
    __m256 y = _mm256_permute_ps(x, 0xb1);

    x = _mm256_blend_ps(_mm256_add_ps(x, y), _mm256_sub_ps(y, x), 0xaa);
    y = _mm256_permute_ps(x, 0x4e);
    x = _mm256_blend_ps(_mm256_add_ps(x, y), _mm256_sub_ps(y, x), 0xcc);
    y = _mm256_permute2f128_ps(x, x, 1);
    return _mm256_blend_ps(_mm256_add_ps(x, y), _mm256_sub_ps(y, x), 0xf0);
}

/* Two steps at a time: half and 2 * half. */
static void butterfly_twice(float *v, size_t n, size_t half)
{
    for (size_t i = 0; i < n; i += 4 * half) {
        for (size_t j = i; j < i + half; j += LANES) {
            __m256 a = _mm256_loadu_ps(v + j), b = _mm256_loadu_ps(v + j + half);
            __m256 c = _mm256_loadu_ps(v + j + 2 * half), d = _mm256_loadu_ps(v + j + 3 * half);
            __m256 ab = _mm256_add_ps(a, b), a_b = _mm256_sub_ps(a, b);
            __m256 cd = _mm256_add_ps(c, d), c_d = _mm256_sub_ps(c, d);

            _mm256_storeu_ps(v + j, _mm256_add_ps(ab, cd));
            _mm256_storeu_ps(v + j + half, _mm256_add_ps(a_b, c_d));
            _mm256_storeu_ps(v + j + 2 * half, _mm256_sub_ps(ab, cd));
            _mm256_storeu_ps(v + j + 3 * half, _mm256_sub_ps(a_b, c_d));
        }
    }
}

static void hadamard_f32(float *v, size_t n)
{
    size_t half = LANES;

    if (n < LANES) {
        for (half = 1; half < n; half *= 2) {
            for (size_t i = 0; i < n; i++) {
                if (!(i & half)) {
                    float a = v[i], b = v[i + half];

                    v[i] = a + b;
                    v[i + half] = a - b;
                }
            }
        }
        return;
    }
    for (size_t i = 0; i < n; i += LANES)
        _mm256_storeu_ps(v + i, butterfly_within(_mm256_loadu_ps(v + i)));
    for (; 4 * half <= n; half *= 4)
        butterfly_twice(v, n, half);
    if (half < n) {
        for (size_t j = 0; j < half; j += LANES) {
            __m256 a = _mm256_loadu_ps(v + j), b = _mm256_loadu_ps(v + j + half);

            _mm256_storeu_ps(v + j, _mm256_add_ps(a, b));
            _mm256_storeu_ps(v + j + half, _mm256_sub_ps(a, b));
        }
    }
}

static void pack_signs(const float *v, size_t n, uint8_t *out)
{
    size_t i = 0;

    for (; i + LANES <= n; i += LANES)
        out[i / 8] = (uint8_t)~_mm256_movemask_ps(_mm256_loadu_ps(v + i));
    if (i < n) {
        unsigned bits = 0;

        for (size_t j = i; j < n; j++)
            bits |= signbit(v[j]) ? 0u : 1u << (j - i);
        out[i / 8] = (uint8_t)bits;
    }
}

static __m256i round_eight(const float *v, __m256 scale)
{
    __m256 x = _mm256_mul_ps(_mm256_loadu_ps(v), scale);

    x = _mm256_min_ps(x, _mm256_set1_ps(127.0f));
    x = _mm256_max_ps(x, _mm256_set1_ps(-127.0f));
    return _mm256_cvtps_epi32(x);
}

static void quantise_i8(const float *v, size_t n, float scale, int8_t *out)
{
    const __m256i in_order = _mm256_setr_epi32(0, 4, 1, 5, 2, 6, 3, 7);
    __m256 s = _mm256_set1_ps(scale);
    size_t i = 0;

    for (; i + 32 <= n; i += 32) {
        __m256i a = _mm256_packs_epi32(round_eight(v + i, s), round_eight(v + i + 8, s));
        __m256i b = _mm256_packs_epi32(round_eight(v + i + 16, s), round_eight(v + i + 24, s));
        __m256i bytes = _mm256_permutevar8x32_epi32(_mm256_packs_epi16(a, b), in_order);

        _mm256_storeu_si256((__m256i *)(out + i), bytes);
    }
    for (; i < n; i++) {
        float x = v[i] * scale;

        x = x > 127.0f ? 127.0f : x < -127.0f ? -127.0f : x;
        out[i] = (int8_t)_mm_cvtss_si32(_mm_set_ss(x));
    }
}

static void mul_f32(const float *a, const float *b, float *out, size_t n)
{
    size_t i = 0;

    for (; i + LANES <= n; i += LANES)
        _mm256_storeu_ps(out + i, _mm256_mul_ps(_mm256_loadu_ps(a + i), _mm256_loadu_ps(b + i)));
    for (; i < n; i++)
        out[i] = a[i] * b[i];
}

static void residual_f32(const float *a, const float *c, float along, size_t n, float *out, float *out_sum,
                         float *out_most)
{
    const __m256 sign = _mm256_set1_ps(-0.0f), factor = _mm256_set1_ps(along);
    __m256 sum[2] = { _mm256_setzero_ps(), _mm256_setzero_ps() }, most = _mm256_setzero_ps();
    float sums[2 * LANES], largest[LANES];
    size_t i = 0;

    for (; i + 2 * LANES <= n; i += 2 * LANES) {
        for (size_t j = 0; j < 2; j++) {
            __m256 x = _mm256_mul_ps(factor, _mm256_loadu_ps(c + i + j * LANES));

            x = _mm256_sub_ps(_mm256_loadu_ps(a + i + j * LANES), x);
            _mm256_storeu_ps(out + i + j * LANES, x);
            x = _mm256_andnot_ps(sign, x);
            sum[j] = _mm256_add_ps(sum[j], x);
            most = _mm256_max_ps(x, most);
        }
    }
    _mm256_storeu_ps(sums, sum[0]);
    _mm256_storeu_ps(sums + LANES, sum[1]);
    _mm256_storeu_ps(largest, most);
    for (size_t j = 1; j < LANES; j++)
        largest[0] = largest[j] > largest[0] ? largest[j] : largest[0];
    for (size_t j = 0; i < n; i++, j++) {
        out[i] = a[i] - along * c[i];
        sums[j] += fabsf(out[i]);
        largest[0] = fabsf(out[i]) > largest[0] ? fabsf(out[i]) : largest[0];
    }
    *out_sum = ims__fold_sums(sums);
    *out_most = largest[0];
}

static void add_i8(float *sum, const int8_t *x, float scale, size_t n)
{
    __m256 factor = _mm256_set1_ps(scale);
    size_t i = 0;

    for (; i + LANES <= n; i += LANES) {
        __m256 y = _mm256_cvtepi32_ps(_mm256_cvtepi8_epi32(_mm_loadl_epi64((const __m128i *)(x + i))));

        _mm256_storeu_ps(sum + i, _mm256_add_ps(_mm256_loadu_ps(sum + i), _mm256_mul_ps(factor, y)));
    }
    for (; i < n; i++)
        sum[i] += scale * (float)x[i];
}

/* The entries of both halves of 32 code bytes: at most 126 each. */
static __m256i look_up(const uint8_t *codes, const uint8_t *table)
{
    const __m256i low_half = _mm256_set1_epi8(15);
    __m256i x = _mm256_loadu_si256((const __m256i *)codes);
    __m256i low = _mm256_broadcastsi128_si256(_mm_loadu_si128((const __m128i *)table));
    __m256i high = _mm256_broadcastsi128_si256(_mm_loadu_si128((const __m128i *)(table + 16)));

    return _mm256_add_epi8(
        _mm256_shuffle_epi8(low, _mm256_and_si256(x, low_half)),
        _mm256_shuffle_epi8(high, _mm256_and_si256(_mm256_srli_epi16(x, 4), low_half)));
}

/* Sums of 16 bits without widening each byte: `all` takes bytes in pairs as one number, `odd` the upper
 * byte of each pair; all - 256 * odd leaves the lower ones. */
static void scan_block(const uint8_t *codes, size_t n_bytes, const uint8_t *lut, uint16_t *out)
{
    __m256i all = _mm256_setzero_si256(), odd = all, even, low, high;
    size_t c = 0;

    for (; c + 2 <= n_bytes; c += 2) {
        __m256i r = _mm256_add_epi8(look_up(codes + c * 32, lut + c * 32),
                                    look_up(codes + c * 32 + 32, lut + c * 32 + 32));

        _mm_prefetch((const char *)(codes + c * 32 + 4096), _MM_HINT_T0);
        all = _mm256_add_epi16(all, r);
        odd = _mm256_add_epi16(odd, _mm256_srli_epi16(r, 8));
    }
    if (c < n_bytes) {
        __m256i r = look_up(codes + c * 32, lut + c * 32);

        all = _mm256_add_epi16(all, r);
        odd = _mm256_add_epi16(odd, _mm256_srli_epi16(r, 8));
    }
    even = _mm256_sub_epi16(all, _mm256_slli_epi16(odd, 8));
    low = _mm256_unpacklo_epi16(even, odd);
    high = _mm256_unpackhi_epi16(even, odd);
    _mm256_storeu_si256((__m256i *)out, _mm256_permute2x128_si256(low, high, 0x20));
    _mm256_storeu_si256((__m256i *)(out + 16), _mm256_permute2x128_si256(low, high, 0x31));
}

static void scan_codes(const uint8_t *codes, size_t n_bytes, size_t n_blocks, const uint8_t *lut,
                       uint16_t *out_sums)
{
    for (size_t b = 0; b < n_blocks; b++)
        scan_block(codes + b * n_bytes * IMS_CODE_BLOCK, n_bytes, lut, out_sums + b * IMS_CODE_BLOCK);
}

static size_t select_codes(const struct ims_code_bounds *x, size_t n_blocks, float *out_bounds,
                           uint32_t *out_at)
{
    __m256 along = _mm256_set1_ps(x->along), step = _mm256_set1_ps(x->step);
    __m256 offset = _mm256_set1_ps(x->offset), least = _mm256_set1_ps(x->least);
    size_t n = 0;

    for (size_t i = 0; i < n_blocks * IMS_CODE_BLOCK; i += LANES) {
        unsigned mask = x->allowed[i / IMS_CODE_BLOCK] >> i % IMS_CODE_BLOCK & 0xffu;
        __m256 sum = _mm256_cvtepi32_ps(
            _mm256_cvtepu16_epi32(_mm_loadu_si128((const __m128i *)(x->sums + i))));
        __m256 right = _mm256_mul_ps(_mm256_loadu_ps(x->scale + i),
                                     _mm256_add_ps(_mm256_mul_ps(step, sum), offset));
        __m256 bound = _mm256_add_ps(_mm256_mul_ps(along, _mm256_loadu_ps(x->centre + i)), right);
        float bounds[LANES];

        mask &= (unsigned)_mm256_movemask_ps(_mm256_cmp_ps(bound, least, _CMP_GE_OQ));
        if (!mask)
            continue;
        _mm256_storeu_ps(bounds, bound);
        for (; mask; mask &= mask - 1) {
            unsigned lane = (unsigned)__builtin_ctz(mask);

            out_bounds[n] = bounds[lane];
            out_at[n++] = (uint32_t)(i + lane);
        }
    }
    return n;
}

/* The POPCNT instruction comes with AVX2. */
static size_t keep_bits(const uint32_t *keep, const uint32_t *drop, size_t n_words, uint32_t *out)
{
    size_t n = 0;

    for (size_t i = 0; i < n_words; i++) {
        uint32_t word = (keep ? keep[i] : ~0u) & (drop ? ~drop[i] : ~0u);

        if (out)
            out[i] = word;
        n += (size_t)_mm_popcnt_u32(word);
    }
    return n;
}

/* The instruction takes three cycles and a new one may begin in each: three parts of CRC_PART bytes side by side.
 * What CRC_PART bytes of zeros make of a register is linear in its bits: crc_shift[i] for byte i of it. */
#define CRC_PART 672 /* 3 * 672 = 2016: nearly a row of 512 floats */
static uint32_t crc_shift[4][256];

static void fill_crc_shift(void)
{
    for (size_t i = 0; i < 4; i++) {
        for (uint32_t byte = 0; byte < 256; byte++) {
            uint64_t crc = byte << 8 * i;

            for (size_t n = 0; n < CRC_PART; n += 8)
                crc = _mm_crc32_u64(crc, 0);
            crc_shift[i][byte] = (uint32_t)crc;
        }
    }
}

static uint64_t shift_crc(uint64_t crc)
{
    return crc_shift[0][crc & 255] ^ crc_shift[1][crc >> 8 & 255] ^ crc_shift[2][crc >> 16 & 255] ^
           crc_shift[3][crc >> 24 & 255];
}

static uint64_t word_at(const uint8_t *bytes)
{
    uint64_t word;

    memcpy(&word, bytes, 8);
    return word;
}

static uint32_t crc32c(uint32_t crc, const void *p, size_t n)
{
    const uint8_t *bytes = p;
    uint64_t wide = (uint32_t)~crc;

    for (; n >= 3 * CRC_PART; n -= 3 * CRC_PART, bytes += 3 * CRC_PART) {
        uint64_t second = 0, third = 0;

        for (size_t i = 0; i < CRC_PART; i += 8) {
            wide = _mm_crc32_u64(wide, word_at(bytes + i));
            second = _mm_crc32_u64(second, word_at(bytes + i + CRC_PART));
            third = _mm_crc32_u64(third, word_at(bytes + i + 2 * CRC_PART));
        }
        wide = shift_crc(shift_crc(wide) ^ second) ^ third;
    }
    for (; n >= 8; n -= 8, bytes += 8)
        wide = _mm_crc32_u64(wide, word_at(bytes));
    crc = (uint32_t)wide;
    for (; n; n--, bytes++)
        crc = _mm_crc32_u8(crc, *bytes);
    return ~crc;
}

void ims__kernels_fill_avx2_codes(struct ims_kernels *k)
{
    if (!crc_shift[0][1]) /* called by one thread, before any other has a table */
        fill_crc_shift();
    k->hadamard_f32 = hadamard_f32;
    k->pack_signs = pack_signs;
    k->quantise_i8 = quantise_i8;
    k->mul_f32 = mul_f32;
    k->residual_f32 = residual_f32;
    k->add_i8 = add_i8;
    k->scan_codes = scan_codes;
    k->select_codes = select_codes;
    k->keep_bits = keep_bits;
    k->crc32c = crc32c;
}
