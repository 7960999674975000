/* Linux gives a process the tile registers of AMX only when it asks.
 * SPDX-License-Identifier: Apache-2.0 */
#include "kernels/tiers.h"

#include <sys/syscall.h>
#include <unistd.h>

#define REQUEST_PERMISSION 0x1023 /* ARCH_REQ_XCOMP_PERM, asm/prctl.h of Linux 5.16 */
#define TILE_DATA 18              /* the XSAVE component of the tile registers */

bool ims__amx_allow(void)
{
    return syscall(SYS_arch_prctl, REQUEST_PERMISSION, TILE_DATA) == 0;
}
