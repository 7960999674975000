/* Platform facts from sysctl on macOS.
 * SPDX-License-Identifier: Apache-2.0 */
#include "device/device_internal.h"

#include <stdio.h>
#include <string.h>
#include <sys/sysctl.h>
#include <sys/types.h>

static void read_text(const char *name, char *out, size_t size)
{
    size_t n = size;

    if (sysctlbyname(name, out, &n, NULL, 0) != 0)
        out[0] = '\0';
    else
        out[size - 1] = '\0';
}

static bool read_flag(const char *name)
{
    int value = 0;
    size_t n = sizeof(value);

    return sysctlbyname(name, &value, &n, NULL, 0) == 0 && value != 0;
}

static void read_features(char *out, size_t size)
{
    static const struct {
        const char *sysctl, *name;
    } features[] = {
        { "hw.optional.neon", "neon" },
        { "hw.optional.arm.FEAT_FP16", "fp16" },
        { "hw.optional.arm.FEAT_DotProd", "dotprod" },
        { "hw.optional.arm.FEAT_I8MM", "i8mm" },
        { "hw.optional.arm.FEAT_BF16", "bf16" },
        { "hw.optional.avx2_0", "avx2" },
        { "hw.optional.avx512f", "avx512f" },
    };
    size_t n = 0;

    out[0] = '\0';
    for (size_t i = 0; i < sizeof(features) / sizeof(features[0]) && n < size; i++) {
        if (read_flag(features[i].sysctl))
            n += (size_t)snprintf(out + n, size - n, "%s%s", n ? " " : "", features[i].name);
    }
}

void ims__device_probe_platform(struct ims_device_facts *f)
{
    char version[64];
    uint64_t memory = 0;
    size_t n = sizeof(memory);

    read_text("kern.osproductversion", version, sizeof(version));
    snprintf(f->os, sizeof(f->os), "macOS %s", version);
    read_text("machdep.cpu.brand_string", f->cpu_model, sizeof(f->cpu_model));
    if (sysctlbyname("hw.memsize", &memory, &n, NULL, 0) == 0)
        f->memory_bytes = memory;
    read_features(f->cpu_features, sizeof(f->cpu_features));
}

unsigned ims__device_affinity_cores(void)
{
    return 0; /* macOS has no affinity masks */
}

unsigned ims__device_quota_cores(const char *root)
{
    (void)root;
    return 0;
}

uint64_t ims__device_memory_limit(const char *root)
{
    (void)root;
    return 0;
}
