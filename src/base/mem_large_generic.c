/* Large blocks where there is no advice to give.
 * SPDX-License-Identifier: Apache-2.0 */
#include "base/mem.h"

void ims__advise_large(void *p, size_t bytes)
{
    (void)p;
    (void)bytes;
}
