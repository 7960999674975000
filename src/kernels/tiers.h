/* What the tier files give to the table, and what the processor was found to have. For src/kernels
 * only.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef IMS_KERNELS_TIERS_H
#define IMS_KERNELS_TIERS_H

#include "kernels/kernels.h"

struct ims_cpu_found {
    bool has_avx2;
    bool has_avx512;
    bool has_avx512_vnni;
    bool has_amx_int8; /* and the operating system lets this process use it */
    bool has_neon;
    bool i8_overflows; /* see ims__cpu_i8_overflows */
    char features[160];
};

/* One implementation per processor family; the operating system's support is part of the answer. */
void ims__cpu_detect(struct ims_cpu_found *out);

/* Asks the operating system for the tile registers; false where it has no such thing or refuses. */
bool ims__amx_allow(void);

/* Each overrides what it has. The generic one fills every slot; the others follow it in this order.
 */
void ims__kernels_fill_generic(struct ims_kernels *k);
void ims__kernels_fill_generic_codes(struct ims_kernels *k);
void ims__kernels_fill_generic_resample(struct ims_kernels *k);
void ims__kernels_fill_generic_tiles(struct ims_kernels *k);
void ims__kernels_fill_avx2(struct ims_kernels *k);
void ims__kernels_fill_avx2_codes(struct ims_kernels *k);
void ims__kernels_fill_avx2_resample(struct ims_kernels *k);
void ims__kernels_fill_avx2_tiles(struct ims_kernels *k);
void ims__kernels_fill_avx512(struct ims_kernels *k);
void ims__kernels_fill_avx512_codes(struct ims_kernels *k);
void ims__kernels_fill_avx512_tiles(struct ims_kernels *k);
void ims__kernels_fill_vnni(struct ims_kernels *k);
void ims__kernels_fill_vnni_tiles(struct ims_kernels *k);
void ims__kernels_fill_amx_tiles(struct ims_kernels *k);
void ims__kernels_fill_neon(struct ims_kernels *k);
void ims__kernels_fill_neon_codes(struct ims_kernels *k);
void ims__kernels_fill_neon_tiles(struct ims_kernels *k);
void ims__kernels_fill_neon_resample(struct ims_kernels *k);

/* Sixteen sums to one, by halves. */
static inline float ims__fold_sums(const float sums[16])
{
    float s[8];

    for (int j = 0; j < 8; j++)
        s[j] = sums[j] + sums[j + 8];
    for (int half = 4; half > 0; half /= 2) {
        for (int j = 0; j < half; j++)
            s[j] += s[j + half];
    }
    return s[0];
}

#endif
