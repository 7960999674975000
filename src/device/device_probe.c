/* Facts about this machine that every platform shares, and how many cores to use.
 * SPDX-License-Identifier: Apache-2.0 */
#include "device/device_internal.h"

#include <stdio.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

unsigned ims__device_min_cores(unsigned online, unsigned affinity, unsigned quota)
{
    unsigned n = online;

    if (affinity && (n == 0 || affinity < n))
        n = affinity;
    if (quota && (n == 0 || quota < n))
        n = quota;
    return n ? n : 1;
}

static unsigned online_cores(void)
{
    long n = sysconf(_SC_NPROCESSORS_ONLN);

    return n > 0 ? (unsigned)n : 0;
}

unsigned ims_device_usable_cores(void)
{
    return ims__device_min_cores(online_cores(), ims__device_affinity_cores(),
                                 ims__device_quota_cores(""));
}

bool ims_device_is_apple_silicon(void)
{
    struct utsname u;

    return uname(&u) == 0 && strcmp(u.sysname, "Darwin") == 0 && strcmp(u.machine, "arm64") == 0;
}

void ims_device_probe(struct ims_device_facts *out)
{
    struct utsname u;

    memset(out, 0, sizeof(*out));
    if (uname(&u) == 0) {
        snprintf(out->platform, sizeof(out->platform), "%.15s", u.sysname);
        snprintf(out->machine, sizeof(out->machine), "%.15s", u.machine);
        snprintf(out->kernel, sizeof(out->kernel), "%.127s", u.release);
    }
    ims__device_probe_platform(out);
    if (!out->os[0])
        snprintf(out->os, sizeof(out->os), "%s", out->platform);
    out->is_apple_silicon = ims_device_is_apple_silicon();
    out->n_logical_cores = online_cores();
    out->n_usable_cores = ims_device_usable_cores();
    out->memory_usable_bytes = out->memory_bytes;
    {
        uint64_t limit = ims__device_memory_limit("");

        if (limit && (limit < out->memory_usable_bytes || !out->memory_usable_bytes))
            out->memory_usable_bytes = limit;
    }
}
