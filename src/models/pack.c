/* Opening a model pack: which layout a folder has, and whether its files are there.
 * SPDX-License-Identifier: Apache-2.0 */
#include "models/pack_internal.h"

#include "base/fs.h"
#include "base/json.h"
#include "base/limits.h"
#include "base/mem.h"
#include "base/text.h"
#include "models/safetensors.h"

#include <string.h>

#define ORIGIN "pack"
#define WEIGHTS_INDEX "open_clip_model" IMS_SAFETENSORS_INDEX

static const char *const layout_files[][IMS_PACK_N_FILES] = {
    [IMS_PACK_OPEN_CLIP] = {
        [IMS_PACK_CONFIG] = "open_clip_config.json",
        [IMS_PACK_PREPROCESS] = "open_clip_config.json",
        [IMS_PACK_TOKENIZER] = "tokenizer.json",
        [IMS_PACK_IMAGE] = "open_clip_model.safetensors",
        [IMS_PACK_TEXT] = "open_clip_model.safetensors",
    },
    [IMS_PACK_IMMICH] = {
        [IMS_PACK_CONFIG] = "config.json",
        [IMS_PACK_PREPROCESS] = "visual/preprocess_cfg.json",
        [IMS_PACK_TOKENIZER] = "textual/tokenizer.json",
        [IMS_PACK_IMAGE] = "visual/model.onnx",
        [IMS_PACK_TEXT] = "textual/model.onnx",
    },
};

/* A file that is not there is no failure; one that cannot be looked at is. */
static ims_status probe_file(const char *path, bool *out_is_file, ims_err *err)
{
    struct ims_file_info info;
    ims_err why;
    ims_status st = ims__stat(path, true, &info, &why);

    if (st && st != IMS_E_NOT_FOUND) {
        if (err)
            *err = why;
        return st;
    }
    *out_is_file = st == IMS_OK && info.is_regular;
    return IMS_OK;
}

static ims_status probe(const char *dir, const char *name, bool *out_is_file, ims_err *err)
{
    char *path = ims__path_join(dir, name);
    ims_status st = path ? probe_file(path, out_is_file, err)
                         : ims_fail(err, IMS_E_NOMEM, ORIGIN, 0, "opening %s", dir);

    ims__free(path);
    return st;
}

/* The folder without trailing slashes. */
static char *trim_dir(const char *dir)
{
    size_t n = strlen(dir);

    while (n > 1 && dir[n - 1] == '/')
        n--;
    return ims__strndup(dir, n);
}

static ims_status find_layout(struct ims_pack *p, ims_err *err)
{
    static const struct {
        ims_pack_layout layout;
        ims_pack_file file;
    } signs[] = {
        { IMS_PACK_OPEN_CLIP, IMS_PACK_CONFIG },
        { IMS_PACK_IMMICH, IMS_PACK_IMAGE },
        { IMS_PACK_IMMICH, IMS_PACK_TEXT },
    };

    for (size_t i = 0; i < IMS_ARRAY_LEN(signs); i++) {
        bool is_there = false;
        ims_status st = probe(p->dir, layout_files[signs[i].layout][signs[i].file], &is_there, err);
        if (st)
            return st;
        if (is_there) {
            p->layout = signs[i].layout;
            return IMS_OK;
        }
    }
    return ims_fail(err, IMS_E_MODEL, ORIGIN, 0,
                    "%s is not a CLIP model: expected open_clip_config.json (open_clip) or "
                    "visual/model.onnx (Immich), found neither",
                    p->dir);
}

/* Weights in several files have an index in place of the one file. */
static ims_status find_index(struct ims_pack *p, bool *out_has_index, ims_err *err)
{
    bool is_whole = false;
    ims_status st;

    *out_has_index = false;
    if (p->layout != IMS_PACK_OPEN_CLIP)
        return IMS_OK;
    st = probe(p->dir, layout_files[IMS_PACK_OPEN_CLIP][IMS_PACK_IMAGE], &is_whole, err);
    return st || is_whole ? st : probe(p->dir, WEIGHTS_INDEX, out_has_index, err);
}

static ims_status add_weight_file(struct ims_pack *p, const char *name, ims_err *err)
{
    char *copy = ims__strdup(name);

    if (!copy)
        return ims_fail(err, IMS_E_NOMEM, ORIGIN, 0, "opening %s", p->dir);
    p->weight_files[p->n_weight_files++] = copy;
    return IMS_OK;
}

static ims_status list_weights(struct ims_pack *p, ims_err *err)
{
    struct ims_safetensors s = { 0 };
    bool has_index = ims__ends_with(p->files[IMS_PACK_IMAGE], IMS_SAFETENSORS_INDEX);
    ims_status st = has_index ? ims__safetensors_open(&s, p->files[IMS_PACK_IMAGE], err) : IMS_OK;

    if (st)
        return st;
    p->weight_files = ims__zalloc(s.n_shards + 1, sizeof(*p->weight_files));
    if (!p->weight_files)
        st = ims_fail(err, IMS_E_NOMEM, ORIGIN, 0, "opening %s", p->dir);
    else
        st = add_weight_file(p, ims__path_base(p->files[IMS_PACK_IMAGE]), err);
    for (size_t i = 0; !st && i < s.n_shards; i++)
        st = add_weight_file(p, s.shards[i], err);
    ims__safetensors_release(&s);
    return st;
}

static ims_status find_files(struct ims_pack *p, ims_err *err)
{
    bool has_index = false;
    ims_status found = find_index(p, &has_index, err);

    if (found)
        return found;
    for (size_t i = 0; i < IMS_PACK_N_FILES; i++) {
        const char *name = layout_files[p->layout][i];
        bool is_there = false;
        ims_status st;
        if (has_index && (i == IMS_PACK_IMAGE || i == IMS_PACK_TEXT))
            name = WEIGHTS_INDEX;
        p->files[i] = ims__path_join(p->dir, name);
        if (!p->files[i])
            return ims_fail(err, IMS_E_NOMEM, ORIGIN, 0, "opening %s", p->dir);
        st = probe_file(p->files[i], &is_there, err);
        if (st)
            return st;
        if (!is_there)
            return ims_fail(err, IMS_E_MODEL, ORIGIN, 0, "%s: expected a file, found none",
                            p->files[i]);
    }
    return p->layout == IMS_PACK_OPEN_CLIP ? list_weights(p, err) : IMS_OK;
}

/* models/demo/clip is known by its place too, so that a demo model says what it is in any case. */
static bool is_demo_place(const char *dir)
{
    return ims__ends_with(dir, "demo/clip") && (strlen(dir) == 9 || dir[strlen(dir) - 10] == '/');
}

static ims_status read_name(struct ims_pack *p, ims_err *err)
{
    struct ims_buf text;
    ims_json *root = NULL;
    const ims_json *ours;
    const char *name;
    ims_status st;

    st = ims__read_file(p->files[IMS_PACK_CONFIG], IMS_MAX_CONFIG_FILE_BYTES, &text, NULL, err);
    if (st)
        return st;
    st = ims__json_parse(&root, text.data ? text.data : "", text.len, p->files[IMS_PACK_CONFIG],
                         err);
    if (st)
        goto out;
    ours = ims__json_get(root, "imgsearch");
    p->is_demo = ims__json_bool(ims__json_get(ours, "demo"), is_demo_place(p->dir));
    name = ims__json_str(ims__json_get(ours, "name"), NULL);
    if (!name || !*name)
        name = is_demo_place(p->dir) ? "demo" : ims__path_base(p->dir);
    p->name = ims__strdup(name);
    if (!p->name)
        st = ims_fail(err, IMS_E_NOMEM, ORIGIN, 0, "opening %s", p->dir);
out:
    ims__json_free(root);
    ims__buf_release(&text);
    return st;
}

ims_status ims_pack_open(struct ims_pack **out, const char *dir, ims_err *err)
{
    struct ims_pack *p = NULL;
    ims_status st;

    p = ims__zalloc(1, sizeof(*p));
    if (p)
        p->dir = trim_dir(dir);
    if (!p || !p->dir) {
        st = ims_fail(err, IMS_E_NOMEM, ORIGIN, 0, "opening %s", dir);
        goto out;
    }
    st = find_layout(p, err);
    if (!st)
        st = find_files(p, err);
    if (!st)
        st = read_name(p, err);
    if (!st)
        st = ims__pack_digest(p, err);
    if (st)
        goto out;
    *out = p;
    p = NULL;
out:
    ims_pack_close(p);
    return st;
}

void ims_pack_close(struct ims_pack *p)
{
    if (!p)
        return;
    for (size_t i = 0; i < IMS_PACK_N_FILES; i++)
        ims__free(p->files[i]);
    for (size_t i = 0; i < p->n_weight_files; i++)
        ims__free(p->weight_files[i]);
    ims__free(p->weight_files);
    ims__free(p->name);
    ims__free(p->dir);
    ims__free(p);
}
