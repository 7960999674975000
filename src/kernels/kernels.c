/* Builds the tables of the tiers that this build and this processor have, and chooses one of them.
 * SPDX-License-Identifier: Apache-2.0 */
#include "kernels/kernels.h"
#include "kernels/tiers.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#if defined(IMS_KERNELS_X86)
#define FAMILY_HAS_NEON false
#define FAMILY_HAS_AVX true
#elif defined(IMS_KERNELS_ARM)
#define FAMILY_HAS_NEON true
#define FAMILY_HAS_AVX false
#else
#define FAMILY_HAS_NEON false
#define FAMILY_HAS_AVX false
#endif

struct tier_row {
    const char *name;
    bool is_in_build;
};

static const struct tier_row tier_rows[IMS_CPU_N_TIERS] = {
    [IMS_CPU_GENERIC] = { "generic", true },
    [IMS_CPU_NEON] = { "neon", FAMILY_HAS_NEON },
    [IMS_CPU_AVX2] = { "avx2", FAMILY_HAS_AVX },
    [IMS_CPU_AVX512] = { "avx512", FAMILY_HAS_AVX },
};

/* Written once by build_tables, read-only afterwards. A tier that is not there has no name. */
static pthread_once_t tables_once = PTHREAD_ONCE_INIT;
static struct ims_kernels tables[IMS_CPU_N_TIERS];
static struct ims_kernels avx512_plain;
static struct ims_kernels avx512_vnni;
static struct ims_cpu_found found;

static _Atomic(const struct ims_kernels *) chosen;

static void start_table(struct ims_kernels *k, ims_cpu_tier tier)
{
    k->tier = tier;
    k->name = tier_rows[tier].name;
    ims__kernels_fill_generic(k);
    ims__kernels_fill_generic_codes(k);
    ims__kernels_fill_generic_resample(k);
    ims__kernels_fill_generic_tiles(k);
}

static void build_tables(void)
{
    ims__cpu_detect(&found);
    start_table(&tables[IMS_CPU_GENERIC], IMS_CPU_GENERIC);
#if defined(IMS_KERNELS_X86)
    if (found.has_avx2) {
        struct ims_kernels *k = &tables[IMS_CPU_AVX2];

        start_table(k, IMS_CPU_AVX2);
        ims__kernels_fill_avx2(k);
        ims__kernels_fill_avx2_codes(k);
        ims__kernels_fill_avx2_resample(k);
        ims__kernels_fill_avx2_tiles(k);
    }
    if (found.has_avx2 && found.has_avx512) {
        avx512_plain = tables[IMS_CPU_AVX2];
        avx512_plain.tier = IMS_CPU_AVX512;
        avx512_plain.name = "avx512";
        ims__kernels_fill_avx512(&avx512_plain);
        ims__kernels_fill_avx512_codes(&avx512_plain);
        ims__kernels_fill_avx512_tiles(&avx512_plain);
        tables[IMS_CPU_AVX512] = avx512_plain;
        if (found.has_avx512_vnni) {
            avx512_vnni = avx512_plain;
            avx512_vnni.name = "avx512+vnni";
            ims__kernels_fill_vnni(&avx512_vnni);
            ims__kernels_fill_vnni_tiles(&avx512_vnni);
            tables[IMS_CPU_AVX512] = avx512_vnni;
            if (found.has_amx_int8) {
                tables[IMS_CPU_AVX512].name = "avx512+vnni+amx";
                ims__kernels_fill_amx_tiles(&tables[IMS_CPU_AVX512]);
            }
        }
    }
#elif defined(IMS_KERNELS_ARM)
    if (found.has_neon) {
        start_table(&tables[IMS_CPU_NEON], IMS_CPU_NEON);
        ims__kernels_fill_neon(&tables[IMS_CPU_NEON]);
        ims__kernels_fill_neon_codes(&tables[IMS_CPU_NEON]);
        ims__kernels_fill_neon_resample(&tables[IMS_CPU_NEON]);
        ims__kernels_fill_neon_tiles(&tables[IMS_CPU_NEON]);
    }
#endif
}

static const struct ims_kernels *best_up_to(ims_cpu_tier cap)
{
    for (int tier = (int)cap; tier > IMS_CPU_GENERIC; tier--) {
        if (tables[tier].name)
            return &tables[tier];
    }
    return &tables[IMS_CPU_GENERIC];
}

static ims_status parse_cap(const char *word, ims_cpu_tier *out, ims_err *err)
{
    if (!word || !*word)
        word = getenv("IMS_CPU");
    if (!word || !*word) {
        *out = IMS_CPU_N_TIERS - 1;
        return IMS_OK;
    }
    for (int tier = 0; tier < IMS_CPU_N_TIERS; tier++) {
        if (strcmp(word, tier_rows[tier].name) != 0)
            continue;
        if (!tier_rows[tier].is_in_build)
            return ims_fail(err, IMS_E_CONFIG, "kernels", 0,
                            "the CPU tier \"%s\" belongs to another processor family", word);
        *out = (ims_cpu_tier)tier;
        return IMS_OK;
    }
    return ims_fail(err, IMS_E_CONFIG, "kernels", 0,
                    "\"%s\" is no CPU tier; there are generic, avx2, avx512 and neon", word);
}

ims_status ims__kernels_init(const char *cap, ims_err *err)
{
    const struct ims_kernels *wanted, *expected = NULL;
    ims_cpu_tier tier = IMS_CPU_GENERIC;
    ims_status st;

    pthread_once(&tables_once, build_tables);
    st = parse_cap(cap, &tier, err);
    if (st)
        return st;
    wanted = best_up_to(tier);
    if (!atomic_compare_exchange_strong(&chosen, &expected, wanted) && expected != wanted)
        return ims_fail(err, IMS_E_CONFIG, "kernels", 0,
                        "the CPU tier is already %s and cannot become %s", expected->name,
                        wanted->name);
    return IMS_OK;
}

const struct ims_kernels *ims__kernels(void)
{
    const struct ims_kernels *k = atomic_load_explicit(&chosen, memory_order_acquire);
    const struct ims_kernels *expected = NULL;
    ims_cpu_tier tier = IMS_CPU_N_TIERS - 1;

    if (k)
        return k;
    pthread_once(&tables_once, build_tables);
    if (parse_cap(NULL, &tier, NULL) != IMS_OK)
        tier = IMS_CPU_N_TIERS - 1;
    k = best_up_to(tier);
    return atomic_compare_exchange_strong(&chosen, &expected, k) ? k : expected;
}

const struct ims_kernels *ims__kernels_for(ims_cpu_tier tier)
{
    pthread_once(&tables_once, build_tables);
    if ((int)tier < 0 || tier >= IMS_CPU_N_TIERS || !tables[tier].name)
        return NULL;
    return &tables[tier];
}

const struct ims_kernels *ims__kernels_avx512_plain(void)
{
    pthread_once(&tables_once, build_tables);
    return avx512_plain.name ? &avx512_plain : NULL;
}

const struct ims_kernels *ims__kernels_avx512_vnni(void)
{
    pthread_once(&tables_once, build_tables);
    return avx512_vnni.name ? &avx512_vnni : NULL;
}

const char *ims__cpu_tier_name(ims_cpu_tier tier)
{
    return (int)tier >= 0 && tier < IMS_CPU_N_TIERS ? tier_rows[tier].name : "unknown";
}

const char *ims__cpu_features(void)
{
    pthread_once(&tables_once, build_tables);
    return found.features;
}

bool ims__cpu_i8_overflows(void)
{
    pthread_once(&tables_once, build_tables);
    return found.i8_overflows;
}
