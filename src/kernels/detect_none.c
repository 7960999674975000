/* Processor families without a tier of their own.
 * SPDX-License-Identifier: Apache-2.0 */
#include "kernels/tiers.h"

void ims__cpu_detect(struct ims_cpu_found *out)
{
    *out = (struct ims_cpu_found){ 0 };
}
