/* Opening a face pack: which of a folder's files is which part.
 * SPDX-License-Identifier: Apache-2.0 */
#include "models/face/face_pack.h"

#include "base/buf.h"
#include "base/fs.h"
#include "base/hash.h"
#include "base/json.h"
#include "base/limits.h"
#include "base/mem.h"
#include "base/text.h"
#include "models/pack_internal.h"

#include <string.h>

#define ORIGIN "face"
#define CARD "imgsearch.json"
#define RECIPE "imgsearch face pack 1\n"

static const char *const part_names[IMS_FACE_N_PARTS] = {
    [IMS_FACE_DETECT] = "detection",
    [IMS_FACE_EMBED] = "recognition",
    [IMS_FACE_GENDER_AGE] = "gender and age",
    [IMS_FACE_LANDMARKS] = "landmarks",
};

const char *ims_face_part_name(ims_face_part part)
{
    return part_names[part];
}

/* How the file of a part is called in InsightFace's packs: these words begin its name. */
static const struct {
    ims_face_part part;
    const char *prefix;
} name_rules[] = {
    { IMS_FACE_DETECT, "det_" },      { IMS_FACE_DETECT, "scrfd_" },
    { IMS_FACE_EMBED, "w600k_" },     { IMS_FACE_EMBED, "glintr" },
    { IMS_FACE_EMBED, "rec_" },       { IMS_FACE_GENDER_AGE, "genderage" },
    { IMS_FACE_LANDMARKS, "1k3d68" },
};

static const char *const immich_files[IMS_FACE_N_PARTS] = {
    [IMS_FACE_DETECT] = "detection/model.onnx",
    [IMS_FACE_EMBED] = "recognition/model.onnx",
};

static ims_status no_memory(const char *dir, ims_err *err)
{
    return ims_fail(err, IMS_E_NOMEM, ORIGIN, 0, "opening %s", dir);
}

/* The folder is read in the order of names, so the first of several wins. */
static ims_status find_named(struct ims_face_pack *p, ims_err *err)
{
    struct ims_dir_names d = { 0 };
    ims_status st = ims__dir_names_read(&d, p->dir, err);

    for (size_t i = 0; !st && i < d.n; i++) {
        if (!ims__ends_with(d.names[i], ".onnx"))
            continue;
        for (size_t k = 0; k < IMS_ARRAY_LEN(name_rules); k++) {
            char **file = &p->files[name_rules[k].part];
            if (*file || !ims__starts_with(d.names[i], name_rules[k].prefix))
                continue;
            *file = ims__path_join(p->dir, d.names[i]);
            if (!*file)
                st = no_memory(p->dir, err);
            break;
        }
    }
    ims__dir_names_release(&d);
    return st;
}

static ims_status find_immich(struct ims_face_pack *p, ims_err *err)
{
    for (size_t i = 0; i < IMS_FACE_N_PARTS; i++) {
        struct ims_file_info info;
        char *path;
        if (!immich_files[i])
            continue;
        path = ims__path_join(p->dir, immich_files[i]);
        if (!path)
            return no_memory(p->dir, err);
        if (ims__stat(path, true, &info, NULL) == IMS_OK && info.is_regular)
            p->files[i] = path;
        else
            ims__free(path);
    }
    return IMS_OK;
}

static ims_status find_files(struct ims_face_pack *p, ims_err *err)
{
    ims_status st = find_named(p, err);

    if (!st && !p->files[IMS_FACE_DETECT] && !p->files[IMS_FACE_EMBED]) {
        p->layout = IMS_FACE_IMMICH;
        st = find_immich(p, err);
    }
    if (st)
        return st;
    if (!p->files[IMS_FACE_DETECT] && !p->files[IMS_FACE_EMBED])
        return ims_fail(err, IMS_E_MODEL, ORIGIN, 0,
                        "%s is not a face pack: expected det_*.onnx and w600k_*.onnx or "
                        "glintr*.onnx (InsightFace), or detection/model.onnx and "
                        "recognition/model.onnx (Immich)",
                        p->dir);
    if (!p->files[IMS_FACE_DETECT])
        return ims_fail(err, IMS_E_MODEL, ORIGIN, 0,
                        "%s: the detector is missing: expected det_*.onnx, scrfd_*.onnx or "
                        "detection/model.onnx",
                        p->dir);
    if (!p->files[IMS_FACE_EMBED])
        return ims_fail(err, IMS_E_MODEL, ORIGIN, 0,
                        "%s: the recogniser is missing: expected w600k_*.onnx, glintr*.onnx, "
                        "rec_*.onnx or recognition/model.onnx",
                        p->dir);
    return IMS_OK;
}

/* The card is optional. */
static ims_status read_card(struct ims_face_pack *p, ims_err *err)
{
    struct ims_buf text = { 0 };
    ims_json *root = NULL;
    const char *name = NULL;
    char *path = ims__path_join(p->dir, CARD);
    ims_status st = path ? IMS_OK : no_memory(p->dir, err);

    ims__buf_init(&text, 1);
    if (!st)
        st = ims__read_file(path, IMS_MAX_CONFIG_FILE_BYTES, &text, NULL, err);
    if (!st)
        st = ims__json_parse(&root, text.data ? text.data : "", text.len, path, err);
    else if (st == IMS_E_NOT_FOUND)
        st = IMS_OK;
    if (st)
        goto out;
    name = ims__json_str(ims__json_get(root, "name"), NULL);
    p->is_demo = ims__json_bool(ims__json_get(root, "demo"), false);
    p->name = ims__strdup(name && *name ? name : ims__path_base(p->dir));
    if (!p->name)
        st = no_memory(p->dir, err);
out:
    ims__json_free(root);
    ims__buf_release(&text);
    ims__free(path);
    return st;
}

static ims_status read_digest(struct ims_face_pack *p, ims_err *err)
{
    struct ims_sha256 *h = NULL;
    uint8_t sum[IMS_SHA256_BYTES];
    ims_status st = ims__sha256_new(&h, err);

    if (!st)
        st = ims__sha256_add(h, RECIPE, strlen(RECIPE), err);
    for (size_t i = 0; !st && i < IMS_FACE_N_PARTS; i++) {
        uint8_t part = (uint8_t)i;
        if (!p->files[i])
            continue;
        st = ims__sha256_add(h, &part, 1, err);
        if (!st)
            st = ims__pack_add_file(h, p->files[i], &p->size_bytes, err);
    }
    if (!st)
        st = ims__sha256_end(h, sum, err);
    if (!st)
        ims__hex(sum, sizeof(sum), p->digest);
    ims__sha256_free(h);
    return st;
}

static char *trim_dir(const char *dir)
{
    size_t n = strlen(dir);

    while (n > 1 && dir[n - 1] == '/')
        n--;
    return ims__strndup(dir, n);
}

ims_status ims_face_pack_open(struct ims_face_pack **out, const char *dir, ims_err *err)
{
    struct ims_face_pack *p = ims__zalloc(1, sizeof(*p));
    ims_status st;

    if (p)
        p->dir = trim_dir(dir);
    if (!p || !p->dir) {
        st = no_memory(dir, err);
        goto out;
    }
    st = find_files(p, err);
    if (!st)
        st = read_card(p, err);
    if (!st)
        st = read_digest(p, err);
    if (st)
        goto out;
    *out = p;
    p = NULL;
out:
    ims_face_pack_close(p);
    return st;
}

void ims_face_pack_close(struct ims_face_pack *p)
{
    if (!p)
        return;
    for (size_t i = 0; i < IMS_FACE_N_PARTS; i++)
        ims__free(p->files[i]);
    ims__free(p->name);
    ims__free(p->dir);
    ims__free(p);
}
