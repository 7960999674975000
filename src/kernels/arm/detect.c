/* arm64: NEON (Advanced SIMD) is part of every processor that runs this build.
 * SPDX-License-Identifier: Apache-2.0 */
#include "kernels/tiers.h"

#include <string.h>

void ims__cpu_detect(struct ims_cpu_found *out)
{
    *out = (struct ims_cpu_found){ .has_neon = true };
    memcpy(out->features, "neon", sizeof("neon"));
}
