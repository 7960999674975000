/* Shared memory by memfd: nameless, and sealed so that nobody can shrink it under the other side.
 * SPDX-License-Identifier: Apache-2.0 */
#define _GNU_SOURCE 1 /* memfd_create, seals */
#include "compute/child/child_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

int ims__child_memory_new(size_t bytes)
{
    int fd = memfd_create("imgsearch-tensors", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    int saved;

    if (fd < 0)
        return -1;
    if (ftruncate(fd, (off_t)bytes) == 0 &&
        fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) == 0)
        return fd;
    saved = errno;
    close(fd);
    errno = saved;
    return -1;
}
