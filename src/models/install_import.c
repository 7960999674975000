/* Importing a model that is on this machine already: what is it, can it be run, then a copy.
 * SPDX-License-Identifier: Apache-2.0 */
#include "base/fs.h"
#include "base/json.h"
#include "base/limits.h"
#include "base/mem.h"
#include "base/text.h"
#include "models/face/face_pack.h"
#include "models/import_internal.h"
#include "models/pack_internal.h"

#include <stdio.h>
#include <string.h>

#define ORIGIN "install"
#define PICKLE_ADVICE                                                                              \
    "a pickle file is a program that runs when it is loaded, so this one is not opened; take the " \
    "repository's open_clip_model.safetensors, or convert the file on a machine where you trust "  \
    "it "                                                                                          \
    "(safetensors.torch.save_file)"

/* ---- what is it ---- */

static bool is_pickle_name(const char *name)
{
    static const char *const ends[] = { ".bin", ".pt", ".pth", ".ckpt", ".pkl", ".pickle" };

    for (size_t i = 0; i < IMS_ARRAY_LEN(ends); i++) {
        if (ims__ends_with(name, ends[i]))
            return true;
    }
    return false;
}

/* By content too: a zip archive, as torch.save writes, or a bare pickle; whatever its name. */
static ims_status check_pickle(const char *path, ims_err *err)
{
    struct ims_map map;
    bool is_pickle = is_pickle_name(path);
    ims_status st = ims__map_open(&map, path, err);

    if (st)
        return st;
    if (map.size_bytes >= 4 && (memcmp(map.data, "PK\003\004", 4) == 0 ||
                                (map.data[0] == 0x80 && map.data[1] >= 2 && map.data[1] <= 5 &&
                                 !(map.size_bytes > 8 && map.data[8] == '{'))))
        is_pickle = true; /* a safetensors header of such a length has its brace there */
    ims__map_close(&map);
    return is_pickle ? ims_fail(err, IMS_E_UNSUPPORTED, ORIGIN, 0, "%.150s: " PICKLE_ADVICE, path)
                     : IMS_OK;
}

bool ims__import_has(const char *dir, const char *name)
{
    struct ims_file_info info;
    char *path = ims__path_join(dir, name);
    bool is_there = path && ims__stat(path, true, &info, NULL) == IMS_OK && info.is_regular;

    ims__free(path);
    return is_there;
}

/* Says what a folder is that is no model for us, where that can be told. */
static ims_status explain_folder(const char *dir, ims_err *err)
{
    struct ims_dir_names d = { 0 };
    ims_status st = IMS_OK;

    if (ims__import_has(dir, "open_clip_model.safetensors") ||
        ims__import_has(dir, "open_clip_model.safetensors.index.json") ||
        ims__import_has(dir, "visual/model.onnx"))
        return IMS_OK;
    if (ims__dir_names_read(&d, dir, err))
        return IMS_OK; /* opening it says why */
    for (size_t i = 0; !st && i < d.n; i++) {
        if (is_pickle_name(d.names[i]))
            st = ims_fail(err, IMS_E_UNSUPPORTED, ORIGIN, 0, "%.100s/%.60s: " PICKLE_ADVICE, dir,
                          d.names[i]);
    }
    ims__dir_names_release(&d);
    if (!st && ims__import_has(dir, "model.safetensors") && !ims__import_has(dir, "open_clip_config.json"))
        st = ims_fail(err, IMS_E_UNSUPPORTED, ORIGIN, 0,
                      "%.200s holds a model in the form of the transformers library "
                      "(model.safetensors); expected "
                      "open_clip's form: open_clip_config.json, open_clip_model.safetensors, "
                      "tokenizer.json, which most "
                      "repositories of open_clip models have too",
                      dir);
    return st;
}

/* Does a folder name of the path, or a part of one between "--", say which repository this was? */
static bool names_repo(const char *path, const char *repo)
{
    const char *base = strchr(repo, '/') + 1;
    size_t n = strlen(base);

    for (const char *p = strstr(path, base); p; p = strstr(p + 1, base)) {
        bool starts = p == path || p[-1] == '/' || (p - path > 1 && p[-1] == '-' && p[-2] == '-');

        if (starts && (p[n] == '\0' || p[n] == '/'))
            return true;
    }
    return false;
}

static const struct ims_registry_row *row_of_path(const char *path, bool is_open_clip)
{
    size_t n;
    const struct ims_registry_row *rows = ims_registry_rows(&n);

    for (size_t i = 0; i < n; i++) {
        bool fits = strcmp(rows[i].files[0].path, "open_clip_config.json") == 0;

        if (rows[i].kind == IMS_MODEL_CLIP && fits == is_open_clip &&
            names_repo(path, rows[i].repo))
            return &rows[i];
    }
    return NULL;
}

/* The name asked for, else the known one, else that of the folder. */
ims_status ims__import_name(struct ims_import *m, bool is_open_clip, ims_err *err)
{
    const char *wanted = m->options->name;
    char *real = NULL;
    ims_status st = ims__real_path(m->from ? m->from : m->options->path, &real, err);

    if (st)
        return st;
    if (!m->row && !m->faces)
        m->row = row_of_path(real, is_open_clip);
    if (!wanted && m->row)
        wanted = m->row->name;
    if (wanted) {
        m->name = ims__strdup(wanted);
    } else {
        m->name = ims__strdup(ims__path_base(real));
        if (m->name && !m->from && strrchr(m->name, '.'))
            *strrchr(m->name, '.') = '\0';
    }
    ims__free(real);
    return m->name ? ims__model_name_check(m->name, err)
                   : ims_fail(err, IMS_E_NOMEM, ORIGIN, 0, "naming the model");
}

/* ---- the copy ---- */

static ims_status take_file(struct ims_import *m, const char *from, const char *local, ims_err *err)
{
    char *to = NULL;
    ims_status st = ims__staging_path(&m->staging, local, &to, err);

    if (!st)
        st = ims__copy_file(from, to, err);
    if (!st)
        st = ims__manifest_add(&m->manifest, m->staging.dir, local, err);
    ims__free(to);
    return st;
}

ims_status ims__import_take(struct ims_import *m, const char *relative, const char *local,
                             ims_err *err)
{
    char *from = ims__path_join(m->from, relative);
    ims_status st =
        from ? take_file(m, from, local, err) : ims_fail(err, IMS_E_NOMEM, ORIGIN, 0, "copying");

    ims__free(from);
    return st;
}

/* visual/ and textual/ of a ready pack: the graphs may keep weights in further files of any name. */
static ims_status take_folder(struct ims_import *m, const char *sub, ims_err *err)
{
    struct ims_dir_names d = { 0 };
    char *dir = ims__path_join(m->from, sub);
    ims_status st =
        dir ? ims__dir_names_read(&d, dir, err) : ims_fail(err, IMS_E_NOMEM, ORIGIN, 0, "copying");

    for (size_t i = 0; !st && i < d.n; i++) {
        char *local = ims__path_join(sub, d.names[i]);

        if (!local)
            st = ims_fail(err, IMS_E_NOMEM, ORIGIN, 0, "copying");
        else if (ims__import_has(m->from, local) && !ims__ends_with(local, ".armnn") &&
                 !ims__ends_with(local, ".rknn"))
            st = ims__import_take(m, local, local, err);
        ims__free(local);
    }
    ims__dir_names_release(&d);
    ims__free(dir);
    return st;
}

static ims_status take_pack(struct ims_import *m, const struct ims_pack *pack, ims_err *err)
{
    ims_status st = ims__import_take(m, ims__path_base(pack->files[IMS_PACK_CONFIG]),
                               ims__path_base(pack->files[IMS_PACK_CONFIG]), err);

    if (!st && pack->layout == IMS_PACK_OPEN_CLIP) {
        st = ims__import_take(m, "tokenizer.json", "tokenizer.json", err);
        if (!st && ims__import_has(m->from, "tokenizer_config.json"))
            st = ims__import_take(m, "tokenizer_config.json", "tokenizer_config.json", err);
        for (size_t i = 0; !st && i < pack->n_weight_files; i++)
            st = ims__import_take(m, pack->weight_files[i], pack->weight_files[i], err);
    } else if (!st) {
        st = take_folder(m, "visual", err);
        if (!st)
            st = take_folder(m, "textual", err);
    }
    return st;
}

ims_status ims__import_finish(struct ims_import *m, const char *kind, char **out_dir, ims_err *err)
{
    ims_status st = IMS_OK;

    m->manifest.name = ims__strdup(m->name);
    m->manifest.kind = ims__strdup(kind);
    m->manifest.licence = ims__strdup(m->row ? m->row->licence : "unknown");
    m->manifest.source = ims__strfmt("import of %s", m->options->path);
    m->manifest.revision = ims__strdup("");
    if (!m->manifest.name || !m->manifest.kind || !m->manifest.licence || !m->manifest.source ||
        !m->manifest.revision)
        st = ims_fail(err, IMS_E_NOMEM, ORIGIN, 0, "describing the model");
    if (!st)
        st = ims__manifest_write(&m->manifest, m->staging.dir, err);
    if (!st)
        st = ims__staging_publish(&m->staging, err);
    if (!st) {
        *out_dir = m->staging.final;
        m->staging.final = NULL;
    }
    return st;
}

/* Nothing of another try may be left in the folder: a copy is quick, unlike a download. */
ims_status ims__import_begin(struct ims_import *m, ims_err *err)
{
    struct ims_file_info info;
    ims_status st = ims__staging_open(&m->staging, m->options->data_dir, m->name, err);

    if (!st && ims__stat(m->staging.final, false, &info, NULL) == IMS_OK)
        st = ims_fail(err, IMS_E_EXISTS, ORIGIN, 0,
                      "a model named %s is installed; `imgsearch models remove %s` takes it away, "
                      "--name imports "
                      "under another name",
                      m->name, m->name);
    if (!st)
        st = ims__remove_tree(m->staging.dir, err);
    return st ? st : ims__mkdir_p(m->staging.dir, err);
}

/* ---- folders ---- */

static ims_status import_pack(struct ims_import *m, char **out_dir, ims_err *err)
{
    struct ims_pack *pack = NULL;
    ims_status st = explain_folder(m->from, err);

    if (!st)
        st = ims_pack_open(&pack, m->from, err);
    if (!st)
        st = ims__model_probe(m->from, err);
    if (!st)
        st = ims__import_name(m, pack->layout == IMS_PACK_OPEN_CLIP, err);
    if (!st)
        st = ims__import_begin(m, err);
    if (!st)
        st = take_pack(m, pack, err);
    if (!st)
        st = ims__model_probe(m->staging.dir, err);
    if (!st)
        st = ims__import_finish(m, "clip", out_dir, err);
    ims_pack_close(pack);
    return st;
}

/* ---- a single file ---- */

static char *beside(const char *path, const char *name)
{
    return ims__strfmt("%.*s%s", (int)(ims__path_base(path) - path), path, name);
}

static ims_status import_file(struct ims_import *m, char **out_dir, ims_err *err)
{
    const struct ims_import_options *o = m->options;
    char *config = o->config ? ims__strdup(o->config) : beside(o->path, "open_clip_config.json");
    char *tokenizer = o->tokenizer ? ims__strdup(o->tokenizer) : beside(o->path, "tokenizer.json");
    ims_status st = check_pickle(o->path, err);

    if (!st && !ims__ends_with(o->path, ".safetensors"))
        st = ims_fail(err, IMS_E_UNSUPPORTED, ORIGIN, 0,
                      "%.300s: expected a model folder or a .safetensors file; a ready ONNX pack "
                      "is a folder with "
                      "visual/ and textual/",
                      o->path);
    if (!st && (!config || !tokenizer))
        st = ims_fail(err, IMS_E_NOMEM, ORIGIN, 0, "importing");
    if (!st) {
        st = ims__model_config_probe(config, err);
        if (st == IMS_E_NOT_FOUND)
            st = ims_fail_in(
                err, st,
                "the weights alone do not say what they are: open_clip_config.json is needed "
                "beside them, or with --config");
    }
    if (!st)
        st = ims__import_name(m, true, err);
    if (!st)
        st = ims__import_begin(m, err);
    if (!st)
        st = take_file(m, config, "open_clip_config.json", err);
    if (!st)
        st = take_file(m, tokenizer, "tokenizer.json", err);
    if (!st)
        st = take_file(m, o->path, "open_clip_model.safetensors", err);
    if (!st)
        st = ims__model_probe(m->staging.dir, err);
    if (!st)
        st = ims__import_finish(m, "clip", out_dir, err);
    ims__free(config);
    ims__free(tokenizer);
    return st;
}

ims_status ims_model_import(const struct ims_import_options *options, char **out_dir, ims_err *err)
{
    struct ims_import m = { .options = options, .staging = { .lock_fd = -1 } };
    struct ims_file_info info;
    ims_status st = ims__stat(options->path, true, &info, err);

    if (!st && info.is_dir) {
        m.from = options->path;
        st = ims__import_find_faces(&m, err);
        if (!st)
            st = ims__import_faces(&m, out_dir, err);
        else if (st == IMS_E_NOT_FOUND)
            st = import_pack(&m, out_dir, err);
    } else if (!st) {
        st = import_file(&m, out_dir, err);
    }
    if (st && m.staging.dir && ims__remove_tree(m.staging.dir, NULL) != IMS_OK)
        st = ims_fail_in(err, st, "%.200s is left over", m.staging.dir);
    ims__staging_close(&m.staging);
    ims__manifest_release(&m.manifest);
    ims_face_pack_close(m.faces);
    ims__free(m.inner);
    ims__free(m.name);
    return st;
}
