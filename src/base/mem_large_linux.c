/* Large blocks on Linux: huge pages where the system offers them on request.
 * SPDX-License-Identifier: Apache-2.0 */
#include "base/mem.h"

#include <sys/mman.h>

void ims__advise_large(void *p, size_t bytes)
{
#if defined(MADV_HUGEPAGE)
    (void)madvise(p, bytes / IMS_LARGE_BYTES * IMS_LARGE_BYTES, MADV_HUGEPAGE);
#else
    (void)p;
    (void)bytes;
#endif
}
