/* Folders of models: where they are put together, how they get their place, how they go.
 * SPDX-License-Identifier: Apache-2.0 */
#include "base/fs.h"
#include "base/mem.h"
#include "models/install_internal.h"
#include "models/pack_internal.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#define ORIGIN "install"
#define MAX_NAME_BYTES 120
#define MAX_DEPTH 16

ims_status ims__model_name_check(const char *name, ims_err *err)
{
    size_t n = strlen(name);
    bool is_good = n > 0 && n <= MAX_NAME_BYTES && name[0] != '.' && name[0] != '-';

    for (const char *p = name; is_good && *p; p++)
        is_good = isalnum((unsigned char)*p) || strchr("._-+", *p);
    if (!is_good)
        return ims_fail(err, IMS_E_INVALID, ORIGIN, 0,
                        "\"%.60s\" cannot be the name of a model: letters, digits and . _ - + only",
                        name);
    return IMS_OK;
}

static ims_status fail_errno(const char *verb, const char *path, ims_err *err)
{
    int e = errno;

    return ims_fail(err, ims__errno_status(e), ORIGIN, e, "%s %.400s: %s", verb, path, strerror(e));
}

/* Beside the folder, not in it: the folder moves away when it is finished. */
static ims_status take_lock(struct ims_staging *s, ims_err *err)
{
    char *path = ims__strfmt("%s.lock", s->dir);
    ims_status st = IMS_OK;

    if (!path)
        return ims_fail(err, IMS_E_NOMEM, ORIGIN, 0, "preparing a folder");
    s->lock_fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0644);
    if (s->lock_fd < 0)
        st = fail_errno("opening", path, err);
    else if (flock(s->lock_fd, LOCK_EX | LOCK_NB) != 0)
        st = errno == EWOULDBLOCK
                 ? ims_fail(err, IMS_E_BUSY, ORIGIN, errno,
                            "another process is at this model (%.300s); wait for it", path)
                 : fail_errno("locking", path, err);
    ims__free(path);
    return st;
}

ims_status ims__staging_open(struct ims_staging *out, const char *data_dir, const char *name,
                             ims_err *err)
{
    struct ims_staging s = { .lock_fd = -1 };
    char *downloads = ims__path_join(data_dir, "downloads");
    ims_status st = ims__model_name_check(name, err);

    s.models = ims__path_join(data_dir, "models");
    if (downloads && s.models) {
        s.dir = ims__path_join(downloads, name);
        s.final = ims__path_join(s.models, name);
    }
    if (!st && (!s.dir || !s.final))
        st = ims_fail(err, IMS_E_NOMEM, ORIGIN, 0, "preparing a folder");
    if (!st)
        st = ims__mkdir_p(downloads, err);
    if (!st)
        st = take_lock(&s, err);
    if (!st)
        st = ims__mkdir_p(s.dir, err);
    ims__free(downloads);
    if (st) {
        ims__staging_close(&s);
        return st;
    }
    *out = s;
    return IMS_OK;
}

void ims__staging_close(struct ims_staging *s)
{
    if (s->lock_fd >= 0)
        close(s->lock_fd);
    ims__free(s->dir);
    ims__free(s->final);
    ims__free(s->models);
    *s = (struct ims_staging){ .lock_fd = -1 };
}

/* A rename is only durable once the folder that holds the name is. */
static void sync_dir(const char *dir)
{
    int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    if (fd >= 0) {
        (void)fsync(fd);
        close(fd);
    }
}

ims_status ims__staging_publish(struct ims_staging *s, ims_err *err)
{
    struct ims_file_info info;
    ims_status st = ims__mkdir_p(s->models, err);

    if (st)
        return st;
    if (ims__stat(s->final, false, &info, NULL) == IMS_OK)
        return ims_fail(err, IMS_E_EXISTS, ORIGIN, 0, "%.400s is there already", s->final);
    sync_dir(s->dir);
    if (rename(s->dir, s->final) != 0)
        return fail_errno("naming", s->final, err);
    sync_dir(s->models);
    return IMS_OK;
}

ims_status ims__staging_path(const struct ims_staging *s, const char *local, char **out_path,
                             ims_err *err)
{
    char *path = ims__path_join(s->dir, local);
    char *dir = path ? ims__strndup(path, (size_t)(ims__path_base(path) - path) - 1) : NULL;
    ims_status st =
        dir ? ims__mkdir_p(dir, err) : ims_fail(err, IMS_E_NOMEM, ORIGIN, 0, "naming a file");

    ims__free(dir);
    if (st) {
        ims__free(path);
        return st;
    }
    *out_path = path;
    return IMS_OK;
}

/* ---- removing ---- */

static ims_status remove_below(const char *dir, unsigned depth, ims_err *err);

static ims_status remove_one(const char *path, unsigned depth, ims_err *err)
{
    struct ims_file_info info;
    ims_status st = ims__stat(path, false, &info, err);

    if (st)
        return st == IMS_E_NOT_FOUND ? IMS_OK : st;
    if (info.is_dir)
        return remove_below(path, depth + 1, err);
    return unlink(path) == 0 || errno == ENOENT ? IMS_OK : fail_errno("removing", path, err);
}

static ims_status remove_below(const char *dir, unsigned depth, ims_err *err)
{
    struct ims_dir_names d = { 0 };
    ims_status st;

    if (depth > MAX_DEPTH)
        return ims_fail(err, IMS_E_LIMIT, ORIGIN, 0, "%.400s lies too deep to be of a model", dir);
    st = ims__dir_names_read(&d, dir, err);
    for (size_t i = 0; !st && i < d.n; i++) {
        char *path = ims__path_join(dir, d.names[i]);

        st = path ? remove_one(path, depth, err)
                  : ims_fail(err, IMS_E_NOMEM, ORIGIN, 0, "removing %s", dir);
        ims__free(path);
    }
    ims__dir_names_release(&d);
    if (!st && rmdir(dir) != 0 && errno != ENOENT)
        st = fail_errno("removing", dir, err);
    return st;
}

ims_status ims__remove_tree(const char *dir, ims_err *err)
{
    return remove_one(dir, 0, err);
}

/* The folder leaves its place at once; only then it is taken apart. */
ims_status ims_model_remove(const char *data_dir, const char *name, ims_err *err)
{
    struct ims_staging s = { .lock_fd = -1 };
    struct ims_file_info info;
    bool is_model, is_part;
    char *lock = NULL;
    ims_status st = ims__staging_open(&s, data_dir, name, err);

    if (st)
        return st;
    lock = ims__strfmt("%s.lock", s.dir);
    is_part = rmdir(s.dir) != 0;
    is_model = ims__stat(s.final, false, &info, NULL) == IMS_OK;
    if (!is_model && !is_part)
        st = ims_fail(err, IMS_E_NOT_FOUND, ORIGIN, 0, "no model named %s is installed in %.300s",
                      name, s.models);
    if (!st && is_part)
        st = ims__remove_tree(s.dir, err);
    if (!st && is_model && rename(s.final, s.dir) != 0)
        st = fail_errno("removing", s.final, err);
    if (!st && is_model)
        st = ims__remove_tree(s.dir, err);
    if (lock)
        (void)unlink(lock);
    ims__free(lock);
    ims__staging_close(&s);
    return st;
}
