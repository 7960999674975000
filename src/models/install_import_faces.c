/* Importing a face pack: known by the sums of its files, or any other in a known layout.
 * SPDX-License-Identifier: Apache-2.0 */
#include "base/fs.h"
#include "base/mem.h"
#include "models/face/face_pack.h"
#include "models/import_internal.h"

#include <stdio.h>
#include <string.h>

#define ORIGIN "install"

/* Where a file of a row is below dir: by its own name, or by the hub's. NULL = nowhere. */
static const char *place_of(const char *dir, const struct ims_registry_file *file)
{
    return ims__import_has(dir, file->local)  ? file->local
           : ims__import_has(dir, file->path) ? file->path
                                              : NULL;
}

static bool has_all(const char *dir, const struct ims_registry_row *row)
{
    for (size_t i = 0; i < row->n_files; i++) {
        if (!place_of(dir, &row->files[i]))
            return false;
    }
    return true;
}

static ims_status check_file(const char *dir, const struct ims_registry_file *file, ims_err *err)
{
    struct ims_fetch_meta want = { 0 };
    const char *place = place_of(dir, file);
    char *path = place ? ims__path_join(dir, place) : NULL;
    ims_status st;

    if (!place)
        return IMS_OK; /* an extra that is not there */
    snprintf(want.sha256, sizeof(want.sha256), "%s", file->sha256);
    st = path ? ims__fetch_check(path, &want, err)
              : ims_fail(err, IMS_E_NOMEM, ORIGIN, 0, "reading %s", dir);
    ims__free(path);
    return st ? ims_fail_in(err, st, "%s", place) : IMS_OK;
}

static ims_status check_sums(const char *dir, const struct ims_registry_row *row, ims_err *err)
{
    ims_status st = IMS_OK;

    for (size_t i = 0; !st && i < row->n_files; i++)
        st = check_file(dir, &row->files[i], err);
    for (size_t i = 0; !st && i < row->n_extras; i++)
        st = check_file(dir, &row->extras[i], err);
    return st;
}

/* Immich calls the files of every pack alike: then only their sums, or the folder, can say which it is. */
static bool is_named(const char *dir, const struct ims_registry_row *row)
{
    return ims__import_has(dir, row->files[0].local) || strcmp(ims__path_base(dir), row->name) == 0;
}

/* A row whose files are there with the right sums; one that is called like the folder goes first, as
 * packs share files. IMS_E_CORRUPT: the names fit one, the sums do not. */
static ims_status find_known(struct ims_import *m, ims_err *err)
{
    size_t n;
    const struct ims_registry_row *rows = ims_registry_rows(&n);
    ims_status result = IMS_E_NOT_FOUND;

    for (size_t i = 0; i < 2 * n; i++) {
        const struct ims_registry_row *row = &rows[i % n];
        bool is_called = strcmp(ims__path_base(m->from), row->name) == 0;
        ims_err why;
        ims_status st;

        if (row->kind != IMS_MODEL_FACES || is_called != (i < n) || !has_all(m->from, row))
            continue;
        st = check_sums(m->from, row, &why);
        if (!st) {
            m->row = row;
            return IMS_OK;
        }
        if (st == IMS_E_CORRUPT && !is_named(m->from, row))
            continue;
        if (err)
            *err = why;
        if (st != IMS_E_CORRUPT)
            return st;
        result = st;
    }
    return result;
}

static ims_status find_any(struct ims_import *m, ims_err *err)
{
    ims_err why;
    ims_status st = find_known(m, err);

    if (st != IMS_E_NOT_FOUND)
        return st;
    st = ims_face_pack_open(&m->faces, m->from, &why);
    if (st == IMS_E_NOMEM)
        return ims_fail(err, st, ORIGIN, 0, "reading %s", m->from);
    return st ? IMS_E_NOT_FOUND : IMS_OK;
}

/* antelopev2.zip has its files in a folder of the same name inside. */
ims_status ims__import_find_faces(struct ims_import *m, ims_err *err)
{
    const char *named = m->from;
    struct ims_file_info info;
    ims_status st = find_any(m, err);

    if (st != IMS_E_NOT_FOUND)
        return st;
    m->inner = ims__path_join(named, ims__path_base(named));
    if (!m->inner)
        return ims_fail(err, IMS_E_NOMEM, ORIGIN, 0, "reading %s", named);
    if (ims__stat(m->inner, true, &info, NULL) != IMS_OK || !info.is_dir)
        return IMS_E_NOT_FOUND;
    m->from = m->inner;
    st = find_any(m, err);
    if (st == IMS_E_NOT_FOUND)
        m->from = named;
    return st;
}

static ims_status take_known(struct ims_import *m, ims_err *err)
{
    const struct ims_registry_row *row = m->row;
    ims_status st = IMS_OK;

    for (size_t i = 0; !st && i < row->n_files; i++)
        st = ims__import_take(m, place_of(m->from, &row->files[i]), row->files[i].local, err);
    for (size_t i = 0; !st && i < row->n_extras; i++) {
        if (place_of(m->from, &row->extras[i]))
            st = ims__import_take(m, row->extras[i].path, row->extras[i].local, err);
    }
    return st;
}

static ims_status take_other(struct ims_import *m, ims_err *err)
{
    const size_t skip = strlen(m->faces->dir) + 1;
    ims_status st = IMS_OK;

    for (size_t i = 0; !st && i < IMS_FACE_N_PARTS; i++) {
        if (m->faces->files[i])
            st = ims__import_take(m, m->faces->files[i] + skip, m->faces->files[i] + skip, err);
    }
    if (!st && ims__import_has(m->from, "imgsearch.json"))
        st = ims__import_take(m, "imgsearch.json", "imgsearch.json", err);
    return st;
}

ims_status ims__import_faces(struct ims_import *m, char **out_dir, ims_err *err)
{
    struct ims_face_pack *copy = NULL;
    ims_status st = ims__import_name(m, false, err);

    if (!st)
        st = ims__import_begin(m, err);
    if (!st)
        st = m->faces ? take_other(m, err) : take_known(m, err);
    if (!st)
        st = ims_face_pack_open(&copy, m->staging.dir, err);
    ims_face_pack_close(copy);
    return st ? st : ims__import_finish(m, "faces", out_dir, err);
}
