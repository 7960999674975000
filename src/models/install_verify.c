/* Checking a model: every byte against its sum, and whether it can be run here.
 * SPDX-License-Identifier: Apache-2.0 */
#include "base/fs.h"
#include "base/limits.h"
#include "base/mem.h"
#include "models/clip/clip.h"
#include "models/clip/clip_config.h"
#include "models/face/face_pack.h"
#include "models/install_internal.h"

#include <stdio.h>
#include <string.h>

#define ORIGIN "install"

ims_status ims__model_config_probe(const char *path, ims_err *err)
{
    struct ims_clip_config config;
    struct ims_buf text;
    ims_status st = ims__read_file(path, IMS_MAX_CONFIG_FILE_BYTES, &text, NULL, err);

    if (st)
        return st;
    st = ims__clip_config_parse(&config, IMS_PACK_OPEN_CLIP, text.data ? text.data : "", text.len,
                                path, NULL, 0, NULL, err);
    ims__buf_release(&text);
    return st;
}

ims_status ims__model_probe(const char *dir, ims_err *err)
{
    struct ims_pack *pack = NULL;
    struct ims_clip *clip = NULL;
    ims_status st = ims_pack_open(&pack, dir, err);

    if (!st)
        st = ims_clip_open(&clip, pack, NULL, NULL, err);
    ims_clip_close(clip);
    ims_pack_close(pack);
    return st;
}

struct verify {
    const char *dir;
    ims_verify_fn on_file;
    void *arg;
    size_t n_bad, n_unproven;
};

static void check_one(struct verify *v, const char *path, const struct ims_fetch_meta *want)
{
    char *full = ims__path_join(v->dir, path);
    struct ims_file_info info = { 0 };
    ims_err why = { 0 };
    ims_status st = full ? ims__stat(full, true, &info, &why)
                         : ims_fail(&why, IMS_E_NOMEM, ORIGIN, 0, "checking");

    if (!st)
        st = ims__fetch_check(full, want, &why);
    v->n_bad += st != IMS_OK;
    v->n_unproven += !st && !want->sha256[0];
    if (v->on_file)
        v->on_file(v->arg, path, info.size_bytes, st ? &why : NULL);
    ims__free(full);
}

static void check_manifest(struct verify *v, const struct ims_manifest *m)
{
    for (size_t i = 0; i < m->n_files; i++) {
        struct ims_fetch_meta want = { .has_size = true, .size_bytes = m->files[i].size_bytes };

        memcpy(want.sha256, m->files[i].sha256, sizeof(want.sha256));
        check_one(v, m->files[i].path, &want);
    }
}

/* A folder that somebody filled by hand: the sums of the registry where its name is known. */
static void check_by_name(struct verify *v, const struct ims_registry_row *row)
{
    for (size_t i = 0; i < row->n_files; i++) {
        struct ims_fetch_meta want = { .has_size = row->files[i].size_bytes > 0,
                                       .size_bytes = row->files[i].size_bytes };

        if (row->files[i].sha256)
            snprintf(want.sha256, sizeof(want.sha256), "%s", row->files[i].sha256);
        check_one(v, row->files[i].local, &want);
    }
}

/* Face models that this program knows nothing of. */
static void check_face_files(struct verify *v, const struct ims_face_pack *faces)
{
    const struct ims_fetch_meta any = { 0 };

    for (size_t i = 0; i < IMS_FACE_N_PARTS; i++) {
        if (faces->files[i])
            check_one(v, faces->files[i] + strlen(faces->dir) + 1, &any);
    }
}

static void check_pack_files(struct verify *v, const struct ims_pack *pack)
{
    const struct ims_fetch_meta any = { 0 };

    for (size_t i = 0; i < IMS_PACK_N_FILES; i++) {
        bool is_new = true;

        for (size_t k = 0; k < i; k++)
            is_new = is_new && strcmp(pack->files[i], pack->files[k]) != 0;
        if (is_new)
            check_one(v, pack->files[i] + strlen(pack->dir) + 1, &any);
    }
}

ims_status ims_model_verify(const char *dir, ims_verify_fn on_file, void *arg,
                            size_t *out_n_unproven, ims_err *err)
{
    struct verify v = { .dir = dir, .on_file = on_file, .arg = arg };
    const struct ims_registry_row *row = NULL;
    struct ims_registry_own own;
    struct ims_manifest m = { 0 };
    struct ims_face_pack *faces = NULL;
    struct ims_pack *pack = NULL;
    bool is_faces = false;
    ims_status st = ims__manifest_read(&m, dir, err);

    if (st && st != IMS_E_NOT_FOUND)
        return st;
    if (!st) {
        is_faces = m.kind && strcmp(m.kind, "faces") == 0;
        check_manifest(&v, &m);
    } else if (ims_registry_find(&row, ims__path_base(dir), &own, NULL) == IMS_OK) {
        is_faces = row->kind == IMS_MODEL_FACES;
        check_by_name(&v, row);
    }
    if (ims_face_pack_open(&faces, dir, is_faces ? err : NULL) == IMS_OK)
        st = IMS_OK;
    else
        st = is_faces ? IMS_E_MODEL : ims__model_probe(dir, err);
    if (!st && !m.n_files && !row && faces)
        check_face_files(&v, faces);
    else if (!st && !m.n_files && !row && (st = ims_pack_open(&pack, dir, err)) == IMS_OK)
        check_pack_files(&v, pack);
    ims_face_pack_close(faces);
    ims_pack_close(pack);
    ims__manifest_release(&m);
    if (v.n_bad)
        st = ims_fail(err, IMS_E_CORRUPT, ORIGIN, 0,
                      "%zu file%s of %.300s %s not what %s should be; fetch the model again",
                      v.n_bad, v.n_bad == 1 ? "" : "s", dir, v.n_bad == 1 ? "is" : "are",
                      v.n_bad == 1 ? "it" : "they");
    if (!st)
        *out_n_unproven = v.n_unproven;
    return st;
}
