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
    IMS_CPU_AVX512, /* F, BW, DQ, VL; VNNI is used where present */
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

/* Which pixels of a row make which output: output o is the weighted sum of the n_blocks * block_px
 * pixels from first[o] on, with the packed weights at words + o * n_blocks * block_words. */
struct ims_taps {
    size_t n_out;
    size_t n_blocks;
    const uint32_t *first;
    const uint32_t *words;
};

struct ims_kernels {
    ims_cpu_tier tier;
    const char *name; /* "generic", "neon", "avx2", "avx512", "avx512+vnni" */

    /* Sum of a[i] * b[i]. Off the exact value by at most (n / 8 + 8) * 2^-24 * sum |a[i] * b[i]|.
     */
    float (*dot_f32)(const float *a, const float *b, size_t n);
    /* The same for IEEE half precision (binary16), on both sides or on one; sums are float. */
    float (*dot_f16)(const uint16_t *a, const uint16_t *b, size_t n);
    float (*dot_f32_f16)(const float *a, const uint16_t *b, size_t n);
    /* Exact. n <= IMS_DOT_I8_MAX, so that the sum fits. */
    int32_t (*dot_i8)(const int8_t *a, const int8_t *b, size_t n);
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
/* AVX-512 without VNNI; NULL as above. */
const struct ims_kernels *ims__kernels_avx512_plain(void);

const char *ims__cpu_tier_name(ims_cpu_tier tier);
/* What was found, for `devices` and the log: "avx2 fma f16c avx512f ..."; static storage. */
const char *ims__cpu_features(void);

#endif
