/* Shared memory by POSIX names, for systems without memfd: the name is gone as soon as it is open.
 * SPDX-License-Identifier: Apache-2.0 */
#include "compute/child/child_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

int ims__child_memory_new(size_t bytes)
{
    static _Atomic unsigned number;
    char name[32]; /* macOS takes 30 characters */
    int fd, saved;

    snprintf(name, sizeof(name), "/ims.%ld.%u", (long)getpid(), (unsigned)number++);
    fd = shm_open(name, O_RDWR | O_CREAT | O_EXCL, S_IRUSR | S_IWUSR);
    if (fd < 0)
        return -1;
    shm_unlink(name);
    if (ftruncate(fd, (off_t)bytes) == 0)
        return fd;
    saved = errno;
    close(fd);
    errno = saved;
    return -1;
}
