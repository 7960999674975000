/* Platform facts where nothing better is known.
 * SPDX-License-Identifier: Apache-2.0 */
#include "device/device_internal.h"

void ims__device_probe_platform(struct ims_device_facts *f)
{
    (void)f;
}

unsigned ims__device_affinity_cores(void)
{
    return 0;
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
