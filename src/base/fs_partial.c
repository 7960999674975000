/* Large derived files under a partial name until they are whole.
 * SPDX-License-Identifier: Apache-2.0 */
#include "base/fs_partial.h"

#include "base/fs.h"
#include "base/mem.h"
#include "base/text.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

static ims_status fail(const struct ims_partial *f, int e, ims_err *err)
{
    char shown[IMS_SHOWN_BYTES];

    return ims_fail(err, ims__errno_status(e), "fs", e, "writing %s: %s",
                    ims__shown(shown, sizeof(shown), f->path), strerror(e));
}

/* Waits for the lock; *out_is_ours: the name still means this file, which its last owner may have
 * published or removed meanwhile. */
static int lock(struct ims_partial *f, bool *out_is_ours)
{
    struct stat mine, named;
    int rc = flock(f->fd, LOCK_EX | LOCK_NB);

    if (rc != 0 && errno == EWOULDBLOCK) {
        f->has_waited = true;
        do
            rc = flock(f->fd, LOCK_EX);
        while (rc != 0 && errno == EINTR);
    }
    if (rc != 0 || fstat(f->fd, &mine) != 0)
        return errno;
    *out_is_ours = stat(f->partial, &named) == 0 && mine.st_ino == named.st_ino &&
                   mine.st_dev == named.st_dev;
    return 0;
}

static int open_locked(struct ims_partial *f)
{
    bool is_ours = false;

    while (!is_ours) {
        int e;

        f->fd = open(f->partial, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0666);
        if (f->fd < 0)
            return errno;
        e = lock(f, &is_ours);
        if (e || !is_ours) {
            close(f->fd);
            f->fd = -1;
        }
        if (e)
            return e;
    }
    return ftruncate(f->fd, 0) == 0 ? 0 : errno;
}

static ims_status make_folder(const char *path, ims_err *err)
{
    const char *base = ims__path_base(path);
    char *dir;
    ims_status st;

    if (base - path < 2)
        return IMS_OK; /* "/" or here */
    dir = ims__strndup(path, (size_t)(base - path) - 1);
    st = dir ? ims__mkdir_p(dir, err) : ims_fail(err, IMS_E_NOMEM, "fs", 0, "writing a file");
    ims__free(dir);
    return st;
}

ims_status ims__partial_open(struct ims_partial *out, const char *path, ims_err *err)
{
    struct ims_partial f = { .fd = -1 };
    ims_status st = IMS_OK;
    int e;

    f.path = ims__strdup(path);
    f.partial = ims__strfmt("%s.partial", path);
    if (!f.path || !f.partial)
        st = ims_fail(err, IMS_E_NOMEM, "fs", 0, "writing a file");
    e = st ? 0 : open_locked(&f);
    if (e == ENOENT) {
        st = make_folder(path, err);
        e = st ? 0 : open_locked(&f);
    }
    if (e)
        st = fail(&f, e, err);
    if (st) {
        ims__partial_drop(&f);
        return st;
    }
    *out = f;
    return IMS_OK;
}

ims_status ims__partial_add(struct ims_partial *f, const void *p, size_t n, ims_err *err)
{
    const char *from = p;

    while (n > 0) {
        ssize_t k = write(f->fd, from, n);

        if (k < 0 && errno == EINTR)
            continue;
        if (k < 0)
            return fail(f, errno, err);
        from += k;
        n -= (size_t)k;
    }
    return IMS_OK;
}

ims_status ims__partial_patch(struct ims_partial *f, uint64_t at, const void *p, size_t n,
                              ims_err *err)
{
    const char *from = p;

    while (n > 0) {
        ssize_t k = pwrite(f->fd, from, n, (off_t)at);

        if (k < 0 && errno == EINTR)
            continue;
        if (k < 0)
            return fail(f, errno, err);
        from += k;
        at += (uint64_t)k;
        n -= (size_t)k;
    }
    return IMS_OK;
}

static void let_go(struct ims_partial *f)
{
    if (f->fd >= 0)
        close(f->fd);
    ims__free(f->path);
    ims__free(f->partial);
    *f = (struct ims_partial){ .fd = -1 };
}

ims_status ims__partial_publish(struct ims_partial *f, ims_err *err)
{
    if (rename(f->partial, f->path) != 0)
        return fail(f, errno, err);
    let_go(f);
    return IMS_OK;
}

void ims__partial_drop(struct ims_partial *f)
{
    if (!f->path && !f->partial)
        return;
    if (f->fd >= 0) /* still locked: the name is ours */
        (void)unlink(f->partial);
    let_go(f);
}
