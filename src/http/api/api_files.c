/* Path confinement.
 * SPDX-License-Identifier: Apache-2.0 */
#include "http/api/api_files.h"

#include "base/fs.h"
#include "base/limits.h"
#include "base/mem.h"
#include "base/text.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static ims_status is_below_root(struct ims_store *s, const char *real, ims_err *err)
{
    struct ims_arena arena;
    struct ims_store_root *roots;
    bool is_below = false;
    size_t n = 0;
    ims_status st;

    ims__arena_init(&arena, 0);
    st = ims_store_roots(s, &arena, &roots, &n, err);
    for (size_t i = 0; !st && !is_below && i < n; i++)
        is_below = ims__path_is_in(real, roots[i].path);
    ims__arena_release(&arena);
    if (!st && !is_below)
        st = ims_fail(err, IMS_E_PERMISSION, "http", 0, "the file is below none of the folders of the library");
    return st;
}

ims_status ims__api_check_path(struct ims_store *s, const char *path, char **out_real, ims_err *err)
{
    char *real = NULL;
    ims_status st = ims__real_path(path, &real, err);

    if (st) /* the operator's sentence has the path in it; a client gets none */
        return ims_fail(err, st == IMS_E_NOT_FOUND ? IMS_E_NOT_FOUND : st, "http", 0, "the file is not there any more");
    st = is_below_root(s, real, err);
    if (!st && out_real) {
        *out_real = real;
        real = NULL;
    }
    ims__free(real);
    return st;
}

static bool is_folder(const char *path)
{
    struct ims_file_info info;

    return ims__stat(path, true, &info, NULL) == IMS_OK && info.is_dir;
}

ims_status ims__api_find_folder(struct ims_store *s, const char *shown, char **out_real, ims_err *err)
{
    struct ims_buf bytes;
    ims_status st;

    ims__buf_init(&bytes, IMS_MAX_PATH_BYTES);
    st = ims__undisplay(shown, strlen(shown), &bytes);
    if (!st)
        st = ims__api_check_path(s, bytes.data, out_real, err);
    ims__buf_release(&bytes);
    if (!st && !is_folder(*out_real)) {
        ims__free(*out_real);
        *out_real = NULL;
        st = IMS_E_NOT_FOUND;
    }
    return st == IMS_E_NOT_FOUND || st == IMS_E_FORMAT || st == IMS_E_LIMIT
               ? ims_fail(err, IMS_E_INVALID, "http", 0, "%.200s is no folder that is there", shown)
               : st;
}

ims_status ims__api_open_file(struct ims_store *s, const char *path, int *out_fd, uint64_t *out_bytes, ims_err *err)
{
    char *real = NULL;
    struct stat info;
    int fd;
    ims_status st = ims__api_check_path(s, path, &real, err);

    if (st)
        return st;
    /* The path has no links now; one that was put there meanwhile is not followed at its end. */
    fd = open(real, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    ims__free(real);
    if (fd < 0)
        return ims_fail(err, errno == ELOOP ? IMS_E_PERMISSION : ims__errno_status(errno), "http", errno,
                        "the file cannot be opened");
    if (fstat(fd, &info) || !S_ISREG(info.st_mode)) {
        close(fd);
        return ims_fail(err, IMS_E_PERMISSION, "http", 0, "the path names no regular file");
    }
    *out_fd = fd;
    *out_bytes = (uint64_t)info.st_size;
    return IMS_OK;
}
