/* Files: read whole, map, replace atomically, make folders.
 * SPDX-License-Identifier: Apache-2.0 */
#include "base/fs.h"

#include "base/mem.h"
#include "base/text.h"

#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

ims_status ims__errno_status(int e)
{
    switch (e) {
    case ENOENT:
    case ENOTDIR:
        return IMS_E_NOT_FOUND;
    case EACCES:
    case EPERM:
    case EROFS:
        return IMS_E_PERMISSION;
    case ENOSPC:
#ifdef EDQUOT
    case EDQUOT:
#endif
        return IMS_E_NO_SPACE;
    case ENOMEM:
        return IMS_E_NOMEM;
    case EEXIST:
        return IMS_E_EXISTS;
    case ENAMETOOLONG:
    case ELOOP:
        return IMS_E_INVALID;
    default:
        return IMS_E_IO;
    }
}

static ims_status fs_fail(ims_err *err, int e, const char *verb, const char *path)
{
    char shown[IMS_SHOWN_BYTES];

    return ims_fail(err, ims__errno_status(e), "fs", e, "%s %s: %s", verb,
                    ims__shown(shown, sizeof(shown), path), strerror(e));
}

static ims_status fail_nomem(ims_err *err, const char *verb, const char *path)
{
    char shown[IMS_SHOWN_BYTES];

    return ims_fail(err, IMS_E_NOMEM, "fs", 0, "%s %s: not enough memory", verb,
                    ims__shown(shown, sizeof(shown), path));
}

static ims_status fail_too_large(ims_err *err, const char *path, size_t max_bytes)
{
    char shown[IMS_SHOWN_BYTES];

    return ims_fail(err, IMS_E_LIMIT, "fs", 0, "%s holds more than the limit of %zu bytes",
                    ims__shown(shown, sizeof(shown), path), max_bytes);
}

static void fill_info(struct ims_file_info *out, const struct stat *s)
{
#if defined(__APPLE__)
    struct timespec mtime = s->st_mtimespec;
#else
    struct timespec mtime = s->st_mtim;
#endif
    *out = (struct ims_file_info){
        .size_bytes = (uint64_t)s->st_size,
        .mtime_us = (int64_t)mtime.tv_sec * 1000000 + mtime.tv_nsec / 1000,
        .device = (uint64_t)s->st_dev,
        .inode = (uint64_t)s->st_ino,
        .is_regular = S_ISREG(s->st_mode),
        .is_dir = S_ISDIR(s->st_mode),
        .is_symlink = S_ISLNK(s->st_mode),
    };
}

ims_status ims__stat(const char *path, bool follow, struct ims_file_info *out, ims_err *err)
{
    struct stat s;

    if ((follow ? stat(path, &s) : lstat(path, &s)) != 0)
        return fs_fail(err, errno, "looking at", path);
    fill_info(out, &s);
    return IMS_OK;
}

/* Opens without ever waiting for the other end of a FIFO, then insists on a regular file. */
static ims_status open_regular(const char *path, int *out_fd, struct stat *out_stat, ims_err *err)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);

    if (fd < 0)
        return fs_fail(err, errno, "opening", path);
    if (fstat(fd, out_stat) != 0) {
        int e = errno;

        close(fd);
        return fs_fail(err, e, "looking at", path);
    }
    if (!S_ISREG(out_stat->st_mode)) {
        close(fd);
        (void)fs_fail(err, EINVAL, "opening", path);
        return ims_fail_in(err, IMS_E_UNSUPPORTED, "not a regular file");
    }
    *out_fd = fd;
    return IMS_OK;
}

static ims_status read_all(int fd, const char *path, size_t max_bytes, struct ims_buf *out, ims_err *err)
{
    for (;;) {
        size_t room;
        ssize_t n;

        if (out->cap - out->len < 2 && ims__buf_reserve(out, out->len < 65536 ? 65536 : out->len))
            return fail_nomem(err, "reading", path);
        room = out->cap - out->len - 1;
        n = read(fd, out->data + out->len, room);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return fs_fail(err, errno, "reading", path);
        if (n == 0)
            break;
        out->len += (size_t)n;
        if (out->len > max_bytes)
            return fail_too_large(err, path, max_bytes);
    }
    out->data[out->len] = '\0';
    out->max_bytes = max_bytes;
    return IMS_OK;
}

ims_status ims__read_file(const char *path, size_t max_bytes, struct ims_buf *out,
                          struct ims_file_info *out_info, ims_err *err)
{
    struct ims_buf buf;
    struct stat s;
    ims_status st;
    int fd = -1;

    ims__buf_init(&buf, SIZE_MAX / 4);
    st = open_regular(path, &fd, &s, err);
    if (st)
        goto out;
    if ((uint64_t)s.st_size > max_bytes) {
        st = fail_too_large(err, path, max_bytes);
        goto out;
    }
    st = ims__buf_reserve(&buf, (size_t)s.st_size + 1); /* one more, so that the end is seen at once */
    if (st) {
        st = fail_nomem(err, "reading", path);
        goto out;
    }
    st = read_all(fd, path, max_bytes, &buf, err);
    if (st)
        goto out;
    if (out_info)
        fill_info(out_info, &s);
    *out = buf;
    ims__buf_init(&buf, 0);
out:
    if (fd >= 0)
        close(fd);
    ims__buf_release(&buf);
    return st;
}

ims_status ims__map_open(struct ims_map *out, const char *path, ims_err *err)
{
    struct stat s;
    ims_status st;
    void *p = NULL;
    int fd = -1;

    st = open_regular(path, &fd, &s, err);
    if (st)
        return st;
    if (s.st_size > 0) {
        p = mmap(NULL, (size_t)s.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
        if (p == MAP_FAILED) {
            st = fs_fail(err, errno, "mapping", path);
            close(fd);
            return st;
        }
    }
    close(fd);
    *out = (struct ims_map){ .data = p, .size_bytes = (size_t)s.st_size };
    return IMS_OK;
}

void ims__map_close(struct ims_map *m)
{
    if (m->data)
        munmap((void *)(uintptr_t)m->data, m->size_bytes);
    *m = (struct ims_map){ 0 };
}

static int write_all(int fd, const char *p, size_t n, bool is_durable)
{
    while (n > 0) {
        ssize_t k = write(fd, p, n);

        if (k < 0 && errno == EINTR)
            continue;
        if (k < 0)
            return errno;
        p += k;
        n -= (size_t)k;
    }
    return !is_durable || fsync(fd) == 0 ? 0 : errno;
}

/* A new file beside path. Not mkstemp, whose 0600 would not follow the umask. */
static int create_beside(const char *path, char **out_tmp)
{
    static _Atomic unsigned counter;
    int fd = -1;

    do {
        char *tmp = ims__strfmt("%s.tmp-%ld-%u", path, (long)getpid(), counter++);

        if (!tmp) {
            errno = ENOMEM;
            return -1;
        }
        fd = open(tmp, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
        if (fd >= 0)
            *out_tmp = tmp;
        else
            ims__free(tmp);
    } while (fd < 0 && errno == EEXIST); /* left behind by a process of the same number */
    return fd;
}

static ims_status replace_file(const char *path, const void *p, size_t n, bool is_durable, ims_err *err)
{
    char *tmp = NULL;
    int fd = create_beside(path, &tmp), e;

    if (fd < 0)
        return fs_fail(err, errno, "writing", path);
    e = write_all(fd, p, n, is_durable);
    if (close(fd) != 0 && !e)
        e = errno;
    if (!e && rename(tmp, path) != 0)
        e = errno;
    if (e)
        unlink(tmp);
    ims__free(tmp);
    return e ? fs_fail(err, e, "writing", path) : IMS_OK;
}

/* A device or a pipe is written to: a file that took its name would be a disaster for /dev/null. */
static ims_status write_special(const char *path, const void *p, size_t n, ims_err *err)
{
    int fd = open(path, O_WRONLY | O_CLOEXEC | O_NOCTTY), e;

    if (fd < 0)
        return fs_fail(err, errno, "writing", path);
    e = write_all(fd, p, n, false);
    if (close(fd) != 0 && !e)
        e = errno;
    return e ? fs_fail(err, e, "writing", path) : IMS_OK;
}

ims_status ims__write_file(const char *path, const void *p, size_t n, ims_err *err)
{
    struct stat s;

    if (stat(path, &s) == 0 && !S_ISREG(s.st_mode) && !S_ISDIR(s.st_mode))
        return write_special(path, p, n, err);
    return replace_file(path, p, n, true, err);
}

ims_status ims__write_derived(const char *path, const void *p, size_t n, ims_err *err)
{
    const char *base = ims__path_base(path);
    char *dir;
    ims_status st = replace_file(path, p, n, false, err);

    if (st != IMS_E_NOT_FOUND || base - path < 2)
        return st;
    dir = ims__strndup(path, (size_t)(base - path) - 1);
    if (!dir)
        return fail_nomem(err, "writing", path);
    st = ims__mkdir_p(dir, err);
    ims__free(dir);
    return st ? st : replace_file(path, p, n, false, err);
}

/* Some file systems say something else than EEXIST of a folder that is there. */
static bool is_folder(const char *path)
{
    struct stat s;

    return stat(path, &s) == 0 && S_ISDIR(s.st_mode);
}

ims_status ims__mkdir_p(const char *path, ims_err *err)
{
    char *copy = ims__strdup(path);
    ims_status st = IMS_OK;

    if (!copy)
        return fail_nomem(err, "creating", path);
    if (!*path)
        st = fs_fail(err, ENOENT, "creating", path);
    for (char *p = copy; !st && *p;) {
        char c;

        p += strspn(p, "/");
        p += strcspn(p, "/");
        c = *p;
        *p = '\0';
        if (mkdir(copy, 0777) != 0) {
            int e = errno;

            if (!is_folder(copy))
                st = fs_fail(err, e == EEXIST ? ENOTDIR : e, "creating", copy);
        }
        *p = c;
    }
    ims__free(copy);
    return st;
}

char *ims__path_join(const char *dir, const char *name)
{
    size_t n = strlen(dir);

    return ims__strfmt("%s%s%s", dir, n && dir[n - 1] == '/' ? "" : "/", name);
}

ims_status ims__real_path(const char *path, char **out, ims_err *err)
{
    char *real = realpath(path, NULL);
    char *copy;

    if (!real)
        return fs_fail(err, errno, "opening", path);
    copy = ims__strdup(real);
    free(real); /* realpath's own block */
    if (!copy)
        return ims_fail(err, IMS_E_NOMEM, "fs", 0, "resolving a path");
    *out = copy;
    return IMS_OK;
}

const char *ims__path_base(const char *path)
{
    const char *slash = strrchr(path, '/');

    return slash ? slash + 1 : path;
}

bool ims__path_is_in(const char *path, const char *dir)
{
    size_t n = strlen(dir);

    return strncmp(path, dir, n) == 0 && (path[n] == '/' || path[n] == '\0' || (n == 1 && dir[0] == '/'));
}
