/* Systems that are not known to hand out the tile registers of AMX.
 * SPDX-License-Identifier: Apache-2.0 */
#include "kernels/tiers.h"

bool ims__amx_allow(void)
{
    return false;
}
