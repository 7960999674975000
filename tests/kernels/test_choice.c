/* Which table is chosen, and what happens when the wish cannot be met.
 * SPDX-License-Identifier: Apache-2.0 */
#include "harness/test.h"

#include "base/thread.h"
#include "kernels/kernels.h"

#include <stdlib.h>
#include <string.h>

static const struct ims_kernels *seen[4];

static void look(void *arg)
{
    const struct ims_kernels **place = arg;

    *place = ims__kernels();
}

/* The tests run in this order: before the first choice, the choice, after it. */
TEST(wrong_words, "a word that is no tier is an error and chooses nothing")
{
    ims_err err = { 0 };

    CHECK_STATUS(ims__kernels_init("sse2", &err), IMS_E_CONFIG, err);
    CHECK(strstr(err.text, "sse2") != NULL);
    CHECK_STATUS(ims__kernels_init("AVX2", &err), IMS_E_CONFIG, err);
    setenv("IMS_CPU", "fastest", 1);
    CHECK_STATUS(ims__kernels_init(NULL, &err), IMS_E_CONFIG, err);
    CHECK(strstr(err.text, "fastest") != NULL);
    unsetenv("IMS_CPU");
}

TEST(other_family, "a tier of another processor family is an error")
{
    ims_err err = { 0 };

#if defined(__x86_64__)
    CHECK_STATUS(ims__kernels_init("neon", &err), IMS_E_CONFIG, err);
#else
    CHECK_STATUS(ims__kernels_init("avx2", &err), IMS_E_CONFIG, err);
#endif
    CHECK(strstr(err.text, "another processor family") != NULL);
}

TEST(threads, "threads that ask at the same time get the same table, the capped one")
{
    struct ims_thread threads[4] = { 0 };
    ims_err err = { 0 };

    setenv("IMS_CPU", "generic", 1);
    for (int i = 0; i < 4; i++)
        CHECK_OK(ims__thread_start(&threads[i], "look", look, &seen[i], &err), err);
    for (int i = 0; i < 4; i++)
        ims__thread_join(&threads[i]);
    for (int i = 0; i < 4; i++)
        CHECK(seen[i] == ims__kernels_for(IMS_CPU_GENERIC));
}

TEST(again, "the same choice again is fine, another one is an error")
{
    ims_cpu_tier best = IMS_CPU_GENERIC;
    ims_err err = { 0 };

    CHECK_OK(ims__kernels_init("generic", &err), err);
    CHECK_OK(ims__kernels_init(NULL, &err), err); /* IMS_CPU is still generic */
    unsetenv("IMS_CPU");
    for (int t = 0; t < IMS_CPU_N_TIERS; t++) {
        if (ims__kernels_for((ims_cpu_tier)t))
            best = (ims_cpu_tier)t;
    }
    if (best == IMS_CPU_GENERIC)
        SKIP("this processor has the generic tier only");
    CHECK_STATUS(ims__kernels_init(NULL, &err), IMS_E_CONFIG, err);
    CHECK(strstr(err.text, "already generic") != NULL);
    CHECK_INT(ims__kernels()->tier, IMS_CPU_GENERIC);
}

TEST(tables, "every table is complete and tells its tier")
{
    for (int t = -1; t <= IMS_CPU_N_TIERS; t++) {
        const struct ims_kernels *k = ims__kernels_for((ims_cpu_tier)t);

        if (!k)
            continue;
        CHECK_INT(k->tier, t);
        CHECK(strncmp(k->name, ims__cpu_tier_name(k->tier), strlen(ims__cpu_tier_name(k->tier))) ==
              0);
        CHECK(k->dot_f32 && k->dot_f16 && k->dot_f32_f16 && k->dot_i8 && k->dot_f32_rows);
        CHECK(k->normalise_f32 && k->f16_to_f32 && k->f32_to_f16 && k->u8_to_f32_planar);
        CHECK(k->rgb_to_luma && k->resample_column);
        CHECK(k->rows_rgb.pack && k->rows_rgb.run && k->rows_rgb.block_px &&
              k->rows_rgb.block_words);
        CHECK(k->rows_grey.pack && k->rows_grey.run && k->rows_grey.block_px &&
              k->rows_grey.block_words);
        test_note("tier %s is here; features: %s", k->name, ims__cpu_features());
    }
    CHECK_STR(ims__cpu_tier_name(IMS_CPU_N_TIERS), "unknown");
}

TEST_MAIN
