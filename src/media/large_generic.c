/* Large blocks where there is no advice to give.
 * SPDX-License-Identifier: Apache-2.0 */
#include "media/image.h"

void ims__media_advise_large(void *p, size_t bytes)
{
    (void)p;
    (void)bytes;
}
