/* A lock between processes by a record lock on a file.
 *
 * fcntl locks rather than flock: they work on NFS, and the kernel tells who holds one. They belong to
 * the process, so one process must not take the same lock twice; the engine does not.
 * SPDX-License-Identifier: Apache-2.0 */
#include "engine/lock_file.h"

#include "base/fs.h"
#include "base/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

struct ims_lock_file {
    int fd;
};

static ims_status fail_held(int fd, const char *path, ims_err *err)
{
    struct flock who = { .l_type = F_WRLCK, .l_whence = SEEK_SET };

    if (fcntl(fd, F_GETLK, &who) == 0 && who.l_type != F_UNLCK)
        return ims_fail(err, IMS_E_BUSY, "engine", 0,
                        "process %ld is indexing this library (%s); wait for it or stop it",
                        (long)who.l_pid, path);
    return ims_fail(err, IMS_E_BUSY, "engine", 0, "another process is indexing this library (%s)", path);
}

ims_status ims__lock_file_take(struct ims_lock_file **out, const char *dir, const char *name, ims_err *err)
{
    struct flock want = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
    struct ims_lock_file *l = ims__zalloc(1, sizeof(*l));
    char *path = ims__path_join(dir, name);
    ims_status st = IMS_OK;

    if (!l || !path) {
        st = ims_fail(err, IMS_E_NOMEM, "engine", 0, "taking a lock");
        goto out;
    }
    l->fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0644);
    if (l->fd < 0) {
        st = ims_fail(err, ims__errno_status(errno), "engine", errno, "opening %s: %s", path, strerror(errno));
        goto out;
    }
    if (fcntl(l->fd, F_SETLK, &want) != 0) {
        int e = errno;

        st = e == EACCES || e == EAGAIN
                 ? fail_held(l->fd, path, err)
                 : ims_fail(err, ims__errno_status(e), "engine", e, "locking %s: %s", path, strerror(e));
        close(l->fd);
        goto out;
    }
    *out = l;
    l = NULL;
out:
    ims__free(path);
    ims__free(l);
    return st;
}

void ims__lock_file_release(struct ims_lock_file *l)
{
    if (!l)
        return;
    close(l->fd);
    ims__free(l);
}
