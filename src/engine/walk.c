/* Walks a folder and hands over the pictures in it.
 * SPDX-License-Identifier: Apache-2.0 */
#include "engine/walk.h"

#include "base/fs.h"
#include "base/limits.h"
#include "base/mem.h"
#include "base/text.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define MAX_ENTRIES ((size_t)1 << 24) /* of one folder */

static const char *const picture_suffixes[] = { ".jpg",  ".jpeg", ".jpe",  ".png",  ".webp", ".gif",
                                                ".tif",  ".tiff", ".heic", ".heif", ".avif" };
static const char *const passed_over_dirs[] = { "@eaDir", "#recycle", "$RECYCLE.BIN", "lost+found" };

/* About 24 bytes an entry for names as cameras give them: a million in one folder cost 24 MB. */
struct names {
    struct ims_arena text;
    const char **at;
    size_t n, cap;
};

struct walk {
    const struct ims_walk_sink *sink;
    struct ims_walk_counts *counts;
};

bool ims__walk_is_picture_name(const char *name)
{
    const char *dot = strrchr(name, '.');

    if (!dot || dot == name || ims__starts_with(name, "._")) /* what macOS keeps beside a file on foreign disks */
        return false;
    for (size_t i = 0; i < IMS_ARRAY_LEN(picture_suffixes); i++) {
        if (ims__strcasecmp_ascii(dot, picture_suffixes[i]) == 0)
            return true;
    }
    return false;
}

bool ims__walk_is_ignored(const struct ims_walk_filter *f, const char *dir)
{
    for (size_t i = 0; f && i < f->n_ignored; i++) {
        if (ims__path_is_in(dir, f->ignored[i]))
            return true;
    }
    return false;
}

bool ims__walk_has_suffix(const struct ims_walk_filter *f, const char *name)
{
    const char *dot = strrchr(name, '.');

    for (size_t i = 0; f && i < f->n_suffixes; i++) {
        if (dot && ims__strcasecmp_ascii(dot, f->suffixes[i]) == 0)
            return true;
    }
    return !f || f->n_suffixes == 0;
}

bool ims__walk_is_passed_over(const char *name)
{
    if (name[0] == '.')
        return true;
    for (size_t i = 0; i < IMS_ARRAY_LEN(passed_over_dirs); i++) {
        if (strcmp(name, passed_over_dirs[i]) == 0)
            return true;
    }
    return false;
}

static void release_names(struct names *names)
{
    ims__arena_release(&names->text);
    ims__free(names->at);
}

static int compare_names(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static ims_status add_name(struct names *names, const char *name, ims_err *err)
{
    char *copy = ims__arena_strndup(&names->text, name, strlen(name));

    if (!copy || !ims__grow((void **)&names->at, &names->cap, names->n, sizeof(*names->at), MAX_ENTRIES))
        return ims_fail(err, IMS_E_NOMEM, "walk", 0, "memory for a folder of %zu entries", names->n);
    names->at[names->n++] = copy;
    return IMS_OK;
}

static ims_status add_names(struct names *names, DIR *d, ims_err *err)
{
    ims_status st = IMS_OK;

    while (!st) {
        struct dirent *entry;

        errno = 0;
        entry = readdir(d);
        if (!entry && errno)
            return ims_fail(err, ims__errno_status(errno), "walk", errno, "%s", strerror(errno));
        if (!entry)
            break;
        if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
            st = add_name(names, entry->d_name, err);
    }
    return st;
}

/* The entries of one folder, read at once so that no descriptor stays open while we go deeper. A folder
 * that may be read but not entered would look as if all its files were gone. */
static ims_status read_names(const char *dir, struct names *out, ims_err *err)
{
    struct names names = { .n = 0 };
    DIR *d = access(dir, R_OK | X_OK) == 0 ? opendir(dir) : NULL;
    ims_status st;

    if (!d)
        return ims_fail(err, ims__errno_status(errno), "walk", errno, "%s", strerror(errno));
    ims__arena_init(&names.text, 0);
    st = add_names(&names, d, err);
    closedir(d);
    if (st) {
        release_names(&names);
        return st;
    }
    if (names.n)
        qsort(names.at, names.n, sizeof(*names.at), compare_names);
    *out = names;
    return IMS_OK;
}

static ims_status walk_names(struct walk *w, const char *dir, const struct names *names, int depth,
                             ims_err *err);

static ims_status fail_dir(struct walk *w, const char *path, const ims_err *why, ims_err *err)
{
    w->counts->failed_dirs++;
    return w->sink->on_failed_dir(w->sink->arg, path, why, err);
}

static ims_status walk_subdir(struct walk *w, const char *path, int depth, ims_err *err)
{
    struct names names;
    ims_err why;
    ims_status st;

    if (depth + 1 >= IMS_MAX_WALK_DEPTH) {
        (void)ims_fail(&why, IMS_E_LIMIT, "walk", 0, "folders nested more than %d deep", IMS_MAX_WALK_DEPTH);
        return fail_dir(w, path, &why, err);
    }
    st = read_names(path, &names, &why);
    if (st == IMS_E_NOMEM)
        return ims_fail(err, st, "walk", 0, "%s", why.text);
    if (st)
        return fail_dir(w, path, &why, err);
    if (w->sink->on_dir)
        st = w->sink->on_dir(w->sink->arg, path, err);
    if (!st)
        st = walk_names(w, path, &names, depth + 1, err);
    release_names(&names);
    return st;
}

/* What a name stands for cannot be told, so perhaps for a folder with pictures. */
static ims_status visit_unknown(struct walk *w, const char *path, const char *name, const ims_err *why, ims_err *err)
{
    if (why->status == IMS_E_NOT_FOUND)
        return IMS_OK; /* gone since the folder was read */
    if (!ims__walk_is_picture_name(name))
        return fail_dir(w, path, why, err);
    w->sink->on_odd(w->sink->arg, path, why->text);
    return IMS_OK;
}

static ims_status visit_dir(struct walk *w, const char *path, int depth, ims_err *err)
{
    if (ims__walk_is_ignored(w->sink->filter, path))
        return w->sink->on_ignored ? w->sink->on_ignored(w->sink->arg, path, err) : IMS_OK;
    return w->sink->on_subdir ? w->sink->on_subdir(w->sink->arg, path, err) : walk_subdir(w, path, depth, err);
}

static ims_status visit_path(struct walk *w, const char *path, const char *name, int depth, ims_err *err)
{
    struct ims_file_info info;
    ims_err why;

    if (strlen(path) >= IMS_MAX_PATH_BYTES) {
        (void)ims_fail(&why, IMS_E_LIMIT, "walk", 0, "its path is longer than %d bytes", IMS_MAX_PATH_BYTES - 1);
        return visit_unknown(w, path, name, &why, err);
    }
    if (ims__stat(path, false, &info, &why))
        return visit_unknown(w, path, name, &why, err);
    if (info.is_dir && ims__walk_is_passed_over(name))
        return IMS_OK;
    if (info.is_dir)
        return visit_dir(w, path, depth, err);
    if (info.is_symlink) {
        w->counts->links++;
    } else if (!ims__walk_is_picture_name(name) || !ims__walk_has_suffix(w->sink->filter, name)) {
        w->counts->others++;
    } else if (!info.is_regular) {
        w->sink->on_odd(w->sink->arg, path, "it is not a regular file");
    } else {
        w->counts->files++;
        return w->sink->on_file(w->sink->arg, path, (int64_t)info.size_bytes, info.mtime_us, err);
    }
    return IMS_OK;
}

static ims_status visit(struct walk *w, const char *dir, const char *name, int depth, ims_err *err)
{
    char *path = ims__path_join(dir, name);
    ims_status st = path ? visit_path(w, path, name, depth, err)
                         : ims_fail(err, IMS_E_NOMEM, "walk", 0, "walking");

    ims__free(path);
    return st;
}

static ims_status walk_names(struct walk *w, const char *dir, const struct names *names, int depth,
                             ims_err *err)
{
    ims_status st = IMS_OK;

    for (size_t i = 0; !st && i < names->n; i++) {
        if (w->sink->is_stopped(w->sink->arg))
            st = ims_fail(err, IMS_E_CANCELLED, "walk", 0, "stopped");
        else
            st = visit(w, dir, names->at[i], depth, err);
    }
    return st;
}

ims_status ims__walk(const char *dir, const struct ims_walk_sink *sink, struct ims_walk_counts *counts,
                     ims_err *err)
{
    struct walk w = { .sink = sink, .counts = counts };
    struct names names;
    char shown[IMS_SHOWN_BYTES];
    ims_status st;

    if (ims__walk_is_ignored(sink->filter, dir))
        return IMS_OK;
    st = read_names(dir, &names, err);
    if (st)
        return ims_fail_in(err, st, "%s", ims__shown(shown, sizeof(shown), dir));
    st = walk_names(&w, dir, &names, 0, err);
    release_names(&names);
    return st;
}
