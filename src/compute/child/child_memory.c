/* Mapping a region of shared memory.
 * SPDX-License-Identifier: Apache-2.0 */
#include "compute/child/child_internal.h"

#include <sys/mman.h>
#include <sys/stat.h>

bool ims__child_region_map(struct child_region *r, int fd, size_t bytes)
{
    struct stat st;
    void *p;

    if (fstat(fd, &st) != 0 || (uint64_t)st.st_size < bytes)
        return false;
    p = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (p == MAP_FAILED)
        return false;
    ims__child_region_unmap(r);
    r->data = p;
    r->bytes = bytes;
    return true;
}

void ims__child_region_unmap(struct child_region *r)
{
    if (r->data)
        munmap(r->data, r->bytes);
    *r = (struct child_region){ NULL, 0 };
}
