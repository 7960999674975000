/* What the kernel tests share: one test per tier, and buffers with a wall behind their last byte.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef IMS_TESTS_KERNELS_TIERS_H
#define IMS_TESTS_KERNELS_TIERS_H

#include "harness/test.h"

#include "kernels/kernels.h"

#include <stddef.h>
#include <stdint.h>

/* Memory whose last byte is the last one that may be touched (then comes a page without access),
 * with known bytes before its first. fence_check fails the running test when those have changed. */
struct fence {
    uint8_t *data;
    size_t bytes;
    void *map;
    size_t map_bytes;
};
struct fence fence_new(size_t bytes);
void fence_free(struct fence *f);
bool fence_check(const struct fence *f);

/* Fills with reproducible values. */
void fill_bytes(uint8_t *p, size_t n, uint64_t seed);
void fill_floats(float *p, size_t n, uint64_t seed); /* -1 .. 1, some of them tiny */

#define GENERIC() ims__kernels_for(IMS_CPU_GENERIC)

/* Runs check(table) as one test per tier; a tier that is not there is a skip with its name. */
#define EACH_TIER(check, sentence)                                                                 \
    TEST(check##_generic, "generic: " sentence)                                                    \
    {                                                                                              \
        check(GENERIC());                                                                          \
    }                                                                                              \
    TIER_TEST(check, neon, "neon: " sentence, ims__kernels_for(IMS_CPU_NEON), "NEON")              \
    TIER_TEST(check, avx2, "avx2: " sentence, ims__kernels_for(IMS_CPU_AVX2), "AVX2, FMA, F16C")   \
    TIER_TEST(check, avx512, "avx512: " sentence, ims__kernels_avx512_plain(),                     \
              "AVX-512 F BW DQ VL")                                                                \
    TIER_TEST(check, vnni, "avx512+vnni: " sentence, ims__kernels_avx512_vnni(), "AVX-512 VNNI")   \
    TIER_TEST(check, amx, "avx512+vnni+amx: " sentence, table_with_amx(), "AMX for bytes")

#define TIER_TEST(check, tag, sentence, table, needs)                                              \
    TEST(check##_##tag, sentence)                                                                  \
    {                                                                                              \
        const struct ims_kernels *k = table;                                                       \
                                                                                                   \
        if (!k)                                                                                    \
            SKIP("this processor or build has no %s", needs);                                      \
        check(k);                                                                                  \
    }

const struct ims_kernels *table_with_amx(void); /* NULL when not there */

#endif
