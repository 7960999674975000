/* The kernels of one-bit codes and of checksums in plain C: the reference for every tier.
 * SPDX-License-Identifier: Apache-2.0 */
#include "kernels/tiers.h"

#include <math.h>
#include <string.h>

static void hadamard_f32(float *v, size_t n)
{
    for (size_t half = 1; half < n; half *= 2) {
        for (size_t i = 0; i < n; i += 2 * half) {
            for (size_t j = i; j < i + half; j++) {
                float a = v[j], b = v[j + half];

                v[j] = a + b;
                v[j + half] = a - b;
            }
        }
    }
}

static void pack_signs(const float *v, size_t n, uint8_t *out)
{
    for (size_t i = 0; i < n; i++) {
        unsigned bit = signbit(v[i]) ? 0u : 1u << i % 8;

        out[i / 8] = (uint8_t)((i % 8 ? out[i / 8] : 0u) | bit);
    }
}

/* Adding 1.5 * 2^23 leaves the nearest integer in the low bits of the sum, ties to even. */
static void quantise_i8(const float *v, size_t n, float scale, int8_t *out)
{
    for (size_t i = 0; i < n; i++) {
        float x = v[i] * scale;

        x = x > 127.0f ? 127.0f : x < -127.0f ? -127.0f : x;
        out[i] = (int8_t)((x + 12582912.0f) - 12582912.0f);
    }
}

static void mul_f32(const float *a, const float *b, float *out, size_t n)
{
    for (size_t i = 0; i < n; i++)
        out[i] = a[i] * b[i];
}

static void residual_f32(const float *a, const float *c, float along, size_t n, float *out, float *out_sum,
                         float *out_most)
{
    float sums[16] = { 0 }, most = 0;

    for (size_t i = 0; i < n; i++) {
        float size;

        out[i] = a[i] - along * c[i];
        size = fabsf(out[i]);
        sums[i % 16] += size;
        most = size > most ? size : most;
    }
    *out_sum = ims__fold_sums(sums);
    *out_most = most;
}

static void add_i8(float *sum, const int8_t *x, float scale, size_t n)
{
    for (size_t i = 0; i < n; i++)
        sum[i] += scale * (float)x[i];
}

static void scan_codes(const uint8_t *codes, size_t n_bytes, size_t n_blocks, const uint8_t *lut,
                       uint16_t *out_sums)
{
    for (size_t b = 0; b < n_blocks; b++) {
        uint16_t sums[IMS_CODE_BLOCK] = { 0 };

        for (size_t c = 0; c < n_bytes; c++, codes += IMS_CODE_BLOCK) {
            const uint8_t *table = lut + c * IMS_CODE_LUT_BYTES;

            for (size_t v = 0; v < IMS_CODE_BLOCK; v++)
                sums[v] = (uint16_t)(sums[v] + table[codes[v] & 15] + table[16 + (codes[v] >> 4)]);
        }
        memcpy(out_sums + b * IMS_CODE_BLOCK, sums, sizeof(sums));
    }
}

static size_t select_codes(const struct ims_code_bounds *x, size_t n_blocks, float *out_bounds,
                           uint32_t *out_at)
{
    size_t n = 0;

    for (size_t i = 0; i < n_blocks * IMS_CODE_BLOCK; i++) {
        float bound = x->along * x->centre[i] + x->scale[i] * (x->step * (float)x->sums[i] + x->offset);

        if (bound >= x->least && (x->allowed[i / IMS_CODE_BLOCK] >> i % IMS_CODE_BLOCK & 1u)) {
            out_bounds[n] = bound;
            out_at[n++] = (uint32_t)i;
        }
    }
    return n;
}

static size_t keep_bits(const uint32_t *keep, const uint32_t *drop, size_t n_words, uint32_t *out)
{
    size_t n = 0;

    for (size_t i = 0; i < n_words; i++) {
        uint32_t word = (keep ? keep[i] : ~0u) & (drop ? ~drop[i] : ~0u), x = word;

        if (out)
            out[i] = word;
        x -= x >> 1 & 0x55555555u; /* sums of 2, 4, 8 bits, then of all */
        x = (x & 0x33333333u) + (x >> 2 & 0x33333333u);
        x = (x + (x >> 4)) & 0x0f0f0f0fu;
        n += x * 0x01010101u >> 24;
    }
    return n;
}

/* Eight bytes a step: table t gives the effect of a byte that t more bytes follow. */
static uint32_t crc_tables[8][256];

static void fill_crc_tables(void)
{
    for (uint32_t i = 0; i < 256; i++) {
        uint32_t crc = i;

        for (int bit = 0; bit < 8; bit++)
            crc = crc >> 1 ^ (crc & 1u ? 0x82f63b78u : 0u);
        crc_tables[0][i] = crc;
    }
    for (size_t t = 1; t < 8; t++) {
        for (size_t i = 0; i < 256; i++)
            crc_tables[t][i] = crc_tables[t - 1][i] >> 8 ^ crc_tables[0][crc_tables[t - 1][i] & 255];
    }
}

static uint32_t crc32c(uint32_t crc, const void *p, size_t n)
{
    const uint8_t *bytes = p;

    crc = ~crc;
    for (; n >= 8; n -= 8, bytes += 8) {
        uint32_t low = crc ^ ((uint32_t)bytes[0] | (uint32_t)bytes[1] << 8 | (uint32_t)bytes[2] << 16 |
                              (uint32_t)bytes[3] << 24);

        crc = crc_tables[7][low & 255] ^ crc_tables[6][low >> 8 & 255] ^
              crc_tables[5][low >> 16 & 255] ^ crc_tables[4][low >> 24] ^ crc_tables[3][bytes[4]] ^
              crc_tables[2][bytes[5]] ^ crc_tables[1][bytes[6]] ^ crc_tables[0][bytes[7]];
    }
    for (; n; n--, bytes++)
        crc = crc >> 8 ^ crc_tables[0][(crc ^ *bytes) & 255];
    return ~crc;
}

void ims__kernels_fill_generic_codes(struct ims_kernels *k)
{
    if (!crc_tables[0][1]) /* called by one thread, before any other has a table */
        fill_crc_tables();
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
