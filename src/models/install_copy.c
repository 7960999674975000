/* Copying one file of a model, to the disk itself.
 * SPDX-License-Identifier: Apache-2.0 */
#include "base/fs.h"
#include "base/limits.h"
#include "models/install_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#define CHUNK_BYTES (4 * IMS_MIB)

static ims_status copy_bytes(int fd, const struct ims_map *map)
{
    size_t at = 0;

    while (at < map->size_bytes) {
        size_t left = map->size_bytes - at;
        ssize_t n = write(fd, map->data + at, left < CHUNK_BYTES ? left : CHUNK_BYTES);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return IMS_E_IO;
        at += (size_t)n;
    }
    return fsync(fd) == 0 ? IMS_OK : IMS_E_IO;
}

ims_status ims__copy_file(const char *from, const char *to, ims_err *err)
{
    struct ims_map map;
    ims_status st = ims__map_open(&map, from, err);
    int fd, e = 0;

    if (st)
        return st;
    fd = open(to, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0644);
    if (fd < 0 || copy_bytes(fd, &map) != IMS_OK)
        e = errno;
    if (fd >= 0 && close(fd) != 0 && !e)
        e = errno;
    ims__map_close(&map);
    return e ? ims_fail(err, ims__errno_status(e), "install", e, "copying to %.400s: %s", to,
                        strerror(e))
             : IMS_OK;
}
