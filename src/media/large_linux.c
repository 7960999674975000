/* Large blocks on Linux: huge pages where the system offers them on request.
 * SPDX-License-Identifier: Apache-2.0 */
#include "media/image.h"

#include <sys/mman.h>

void ims__media_advise_large(void *p, size_t bytes)
{
#if defined(MADV_HUGEPAGE)
    (void)madvise(p, bytes / MEDIA_LARGE_BYTES * MEDIA_LARGE_BYTES, MADV_HUGEPAGE);
#else
    (void)p;
    (void)bytes;
#endif
}
