/* The inner loops of imgsearch behind one table of pointers, chosen once for the processor at hand.
 *
 * A table is immutable and lives as long as the program; every function in it is thread-safe,
 * accepts unaligned pointers, reads and writes nothing outside the ranges given, and does nothing
 * for n == 0. Integer results are the same bits on every tier. A float tolerance stands beside its
 * prototype.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef IMS_KERNELS_H
#define IMS_KERNELS_H

#include "ims/status.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef enum ims_cpu_tier {
    IMS_CPU_GENERIC,
    IMS_CPU_NEON,   /* arm64 */
    IMS_CPU_AVX2,   /* AVX2, FMA, F16C */
    IMS_CPU_AVX512, /* F, BW, DQ, VL; VNNI and AMX are used where present */
    IMS_CPU_N_TIERS
} ims_cpu_tier;

struct ims_taps;

/* The horizontal pass of a resize (kernels/resample.h drives it). Weights are fixed point with
 * IMS_RESAMPLE_BITS fractional bits; outputs are rounded and clamped to 0..255. Each tier packs the
 * weights of block_px neighbouring pixels into block_words words of its own form. */
struct ims_rows_kernel {
    size_t block_px;
    size_t block_words;
    size_t slack_bytes; /* that may be read, and are not used, after a row's last block */
    void (*pack)(const int32_t *weights, uint32_t *out_words);
    void (*run)(const struct ims_taps *taps, const uint8_t *src, size_t src_stride, size_t n_rows,
                uint8_t *dst, size_t dst_stride);
};

#define IMS_RESAMPLE_BITS 22

/* Scores of many vectors against many, a tile of n_rows x n_cols at a time. The columns' side is packed
 * into panels of n_cols vectors first; out holds n_rows * n_cols scores, out[r * n_cols + c]. */
#define IMS_TILE_MAX 1024     /* no tier's n_rows * n_cols is larger */
#define IMS_TILE_SIDE_MAX 64  /* nor is either of them */

struct ims_tiles_f32 {
    size_t n_rows, n_cols;
    /* panel[k * n_cols + c] is element k of column c. Each score is off the exact one by at most
     * (n_k + 8) * 2^-24 * sum |a[k] * b[k]|, and is the same bits wherever in a tile it stands. */
    void (*run)(const float *const *rows, const float *panel, size_t n_k, float *out);
};

/* Bytes: b stands for the integer b - 128. n_k is a multiple of 64 and at most IMS_TILE_U8_MAX. Scores
 * are exact integers rounded to float, so exact themselves up to n_k = 1024: the same bits on every tier. */
#define IMS_TILE_U8_MAX 16384

struct ims_tiles_u8 {
    size_t n_rows, n_cols;
    size_t element_bytes; /* a panel has n_cols * (n_k * element_bytes + 4) bytes */
    /* n <= n_cols vectors, stride bytes apart; the columns that are left score 0. */
    void (*pack)(const uint8_t *vectors, size_t stride, size_t n, size_t n_k, void *panel);
    /* A thread calls begin before its first run and end after its last. */
    void (*begin)(void);
    void (*end)(void);
    void (*run)(const uint8_t *rows, size_t stride, const void *panel, size_t n_k, float *out);
};

/* Which pixels of a row make which output: output o is the weighted sum of the n_blocks * block_px
 * pixels from first[o] on, with the packed weights at words + o * n_blocks * block_words. */
struct ims_taps {
    size_t n_out;
    size_t n_blocks;
    const uint32_t *first;
    const uint32_t *words;
};

/* One-bit codes lie in blocks of IMS_CODE_BLOCK vectors, transposed: byte c of vector v at
 * block + c * IMS_CODE_BLOCK + v. Bit i of a vector is bit i % 8 of its byte i / 8. */
#define IMS_CODE_BLOCK 32
#define IMS_CODE_LUT_BYTES 32 /* of a lookup table, per code byte: 16 for its low half, 16 for its high */
#define IMS_CODE_LUT_MAX 63   /* no entry is larger, so that four of them fit a byte */

/* What select_codes needs besides the sums. All of one element per vector, but allowed. */
struct ims_code_bounds {
    const uint16_t *sums;    /* what scan_codes gave */
    const float *scale;      /* f: weight of the sum */
    const float *centre;     /* g: weight of the query's share along the centre */
    const uint32_t *allowed; /* bit v of word b: vector v of block b may be selected */
    float along;             /* a, */
    float step, offset;      /* s, o: bound = a * g + f * (s * sum + o), */
    float least;             /* selected when bound >= least */
};

struct ims_kernels {
    ims_cpu_tier tier;
    const char *name; /* "generic", "neon", "avx2", "avx512", "avx512+vnni", "avx512+vnni+amx" */

    /* Sum of a[i] * b[i]. Off the exact value by at most (n / 8 + 8) * 2^-24 * sum |a[i] * b[i]|.
     */
    float (*dot_f32)(const float *a, const float *b, size_t n);
    /* The same for IEEE half precision (binary16), on both sides or on one; sums are float. */
    float (*dot_f16)(const uint16_t *a, const uint16_t *b, size_t n);
    float (*dot_f32_f16)(const float *a, const uint16_t *b, size_t n);
    /* Exact. n <= IMS_DOT_I8_MAX, so that the sum fits. */
    int32_t (*dot_i8)(const int8_t *a, const int8_t *b, size_t n);
    /* Sum of a[i] * b[i] in double: products are exact, element i is added to sum i % 16, and the sums are
     * folded by halves (s[j] += s[j + 8], then + 4, + 2, + 1). The same bits on every tier. */
    double (*dot_wide)(const float *a, const float *b, size_t n);
    /* out[r] = sum of (rows[r * stride + i] - 128) * query[i] for n_rows rows, exact. n <= IMS_DOT_I8_MAX. */
    void (*dot_u8_rows)(const int8_t *query, const uint8_t *rows, size_t stride, size_t n_rows, size_t n,
                        int32_t *out);
    /* out[r] = dot_f32(query, rows + r * stride, n) for n_rows rows; stride in floats, >= n.
     * Streams several rows at a time; same tolerance. */
    void (*dot_f32_rows)(const float *query, const float *rows, size_t stride, size_t n_rows,
                         size_t n, float *out);
    /* Divides v by its Euclidean norm and returns the norm. A norm that is 0, infinite or not a
     * number leaves v as it was. Computed in double: each element is off by at most 1 unit in the
     * last place, the norm by n * 2^-52 relative. */
    double (*normalise_f32)(float *v, size_t n);
    /* Exact widening, and rounding to nearest even (overflow gives infinity, NaN stays NaN). The
     * same bits on every tier, the payload of a NaN excepted. */
    void (*f16_to_f32)(const uint16_t *in, float *out, size_t n);
    void (*f32_to_f16)(const float *in, uint16_t *out, size_t n);
    /* Interleaved RGB to three planes, plane c at out + c * plane_stride (in floats):
     * rgb[3 * i + c] * scale[c] + bias[c], product and sum each rounded: the same bits on every
     * tier. */
    void (*u8_to_f32_planar)(const uint8_t *rgb, size_t n_px, const float scale[3],
                             const float bias[3], float *out, size_t plane_stride);
    /* Interleaved RGB to ITU-R 601 luma, (19595 R + 38470 G + 7471 B + 32768) >> 16: what Pillow's
     * conversion to "L" gives. */
    void (*rgb_to_luma)(const uint8_t *rgb, size_t n_px, uint8_t *out);

    /* The Walsh-Hadamard transform in place, not normalised; n is a power of two (or 0). Sums and
     * differences in one order: the same bits on every tier. */
    void (*hadamard_f32)(float *v, size_t n);
    /* Bit i of out = v[i] is not negative (-0.0 and NaN count as their sign bit says);
     * (n + 7) / 8 bytes, the bits past n are 0. */
    void (*pack_signs)(const float *v, size_t n, uint8_t *out);
    /* v[i] * scale to the nearest integer, ties to even, held within -127..127. |v[i] * scale| < 2^22. */
    void (*quantise_i8)(const float *v, size_t n, float scale, int8_t *out);
    /* out[i] = a[i] * b[i], rounded: the same bits on every tier. out may be a. */
    void (*mul_f32)(const float *a, const float *b, float *out, size_t n);
    /* out[i] = a[i] - along * c[i], product and difference each rounded; out may be a. *out_sum is the sum of |out[i]|:
     * element i is added to sum i % 16, and the sums are folded by halves (s[j] += s[j + 8], then + 4, + 2, + 1);
     * *out_most is the largest of them. The same bits on every tier. */
    void (*residual_f32)(const float *a, const float *c, float along, size_t n, float *out, float *out_sum,
                         float *out_most);
    /* sum[i] += scale * x[i], product and sum each rounded: the same bits on every tier. */
    void (*add_i8)(float *sum, const int8_t *x, float scale, size_t n);
    /* For each vector of n_blocks blocks of n_bytes * IMS_CODE_BLOCK bytes the sum of its table
     * entries: lut[c * 32 + low half of byte c] + lut[c * 32 + 16 + high half]. No entry is above
     * IMS_CODE_LUT_MAX and no sum above 65535. Exact. */
    void (*scan_codes)(const uint8_t *codes, size_t n_bytes, size_t n_blocks, const uint8_t *lut,
                       uint16_t *out_sums);
    /* The allowed vectors of n_blocks blocks whose bound reaches least, by position; returns their
     * number. The outputs have room for all. Each product and sum is rounded: the same bits on
     * every tier. */
    size_t (*select_codes)(const struct ims_code_bounds *bounds, size_t n_blocks, float *out_bounds,
                           uint32_t *out_at);
    /* out[i] = keep[i] & ~drop[i]; a NULL keep is all ones, a NULL drop all zeros, a NULL out is not
     * written. Returns the number of ones. */
    size_t (*keep_bits)(const uint32_t *keep, const uint32_t *drop, size_t n_words, uint32_t *out);
    /* CRC-32C (Castagnoli, RFC 3720) of n bytes after those that gave crc; begin with 0. */
    uint32_t (*crc32c)(uint32_t crc, const void *p, size_t n);
    struct ims_tiles_f32 tiles_f32;
    struct ims_tiles_u8 tiles_u8;
    /* Which scores of a tile are above the lower one of their row's and their column's bound: their places
     * in tile, ascending, go to out (room for n_rows * n_cols). Returns how many. NaN is never above. */
    size_t (*tile_above)(const float *tile, size_t n_rows, size_t n_cols, const float *row_bounds,
                         const float *col_bounds, uint16_t *out);

    struct ims_rows_kernel rows_rgb;
    struct ims_rows_kernel rows_grey;
    /* The vertical pass for one output row: out[i] from n_taps rows, row k at src + k * src_stride.
     */
    void (*resample_column)(const int32_t *weights, size_t n_taps, const uint8_t *src,
                            size_t src_stride, size_t n_bytes, uint8_t *out);
};

#define IMS_DOT_I8_MAX 131071

/* The table for this processor. The first call chooses it (see ims__kernels_init). Never NULL. */
const struct ims_kernels *ims__kernels(void);

/* Chooses the table: the best tier that the processor has and that is not above cap. cap is
 * "generic", "avx2", "avx512" or "neon", "" or NULL for what the environment variable IMS_CPU says
 * (unset or empty: no cap). IMS_E_CONFIG when the word is unknown or of another processor family,
 * or when another tier was chosen before; the same choice again is fine. Without this call
 * ims__kernels() chooses by the same rule, except that a wrong IMS_CPU counts as none: a program
 * calls this first, so that a wrong word is reported. */
ims_status ims__kernels_init(const char *cap, ims_err *err) IMS_MUST_CHECK;

/* The table of one tier, NULL when this build or this processor lacks it. For tests and benches. */
const struct ims_kernels *ims__kernels_for(ims_cpu_tier tier);
/* AVX-512 without VNNI, and with VNNI but without AMX; NULL as above. */
const struct ims_kernels *ims__kernels_avx512_plain(void);
const struct ims_kernels *ims__kernels_avx512_vnni(void);

const char *ims__cpu_tier_name(ims_cpu_tier tier);
/* What was found, for `devices` and the log: "avx2 fma f16c avx512f ..."; static storage. */
const char *ims__cpu_features(void);
/* x86 without VNNI: products of unsigned with signed bytes are summed in 16 bits, which overflow.
 * Libraries that multiply so need to be told to take the longer way. */
bool ims__cpu_i8_overflows(void);

#endif
