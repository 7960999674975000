/* imgsearch-model.json: what a model's folder holds and where it came from.
 * SPDX-License-Identifier: Apache-2.0 */
#include "base/fs.h"
#include "base/hash.h"
#include "base/json.h"
#include "base/limits.h"
#include "base/mem.h"
#include "models/install_internal.h"

#include <stdio.h>
#include <string.h>

#define ORIGIN "install"
#define MAX_FILES 1000

void ims__manifest_release(struct ims_manifest *m)
{
    for (size_t i = 0; i < m->n_files; i++)
        ims__free(m->files[i].path);
    ims__free(m->files);
    ims__free(m->name);
    ims__free(m->kind);
    ims__free(m->licence);
    ims__free(m->source);
    ims__free(m->revision);
    *m = (struct ims_manifest){ 0 };
}

static ims_status append(struct ims_manifest *m, const char *path, uint64_t size_bytes,
                         const char *sha256, ims_err *err)
{
    struct ims_manifest_file f = { .size_bytes = size_bytes };

    if (!ims__grow((void **)&m->files, &m->cap, m->n_files, sizeof(*m->files), MAX_FILES) ||
        !(f.path = ims__strdup(path)))
        return ims_fail(err, IMS_E_NOMEM, ORIGIN, 0, "listing the model's files");
    snprintf(f.sha256, sizeof(f.sha256), "%s", sha256);
    m->files[m->n_files++] = f;
    return IMS_OK;
}

ims_status ims__manifest_add(struct ims_manifest *m, const char *dir, const char *path,
                             ims_err *err)
{
    char *full = ims__path_join(dir, path);
    uint8_t sum[IMS_SHA256_BYTES];
    char hex[IMS_SHA256_HEX];
    struct ims_map map;
    ims_status st = full ? ims__map_open(&map, full, err)
                         : ims_fail(err, IMS_E_NOMEM, ORIGIN, 0, "listing files");

    ims__free(full);
    if (st)
        return st;
    st = ims__sha256(map.data ? map.data : (const uint8_t *)"", map.size_bytes, sum, err);
    if (!st) {
        ims__hex(sum, sizeof(sum), hex);
        st = append(m, path, map.size_bytes, hex, err);
    }
    ims__map_close(&map);
    return st;
}

ims_status ims__manifest_write(const struct ims_manifest *m, const char *dir, ims_err *err)
{
    ims_json *root = ims__json_new_object(), *files = ims__json_new_array();
    char *path = ims__path_join(dir, IMS_MODEL_MANIFEST);
    struct ims_buf text;
    ims_status st = IMS_OK;

    ims__buf_init(&text, IMS_MIB);
    for (size_t i = 0; i < m->n_files; i++) {
        ims_json *f = ims__json_new_object();

        (void)ims__json_set(f, "path", ims__json_new_str(m->files[i].path));
        (void)ims__json_set(f, "size", ims__json_new_int((int64_t)m->files[i].size_bytes));
        (void)ims__json_set(f, "sha256", ims__json_new_str(m->files[i].sha256));
        (void)ims__json_add(files, f);
    }
    (void)ims__json_set(root, "name", ims__json_new_str(m->name));
    (void)ims__json_set(root, "kind", ims__json_new_str(m->kind));
    (void)ims__json_set(root, "licence", ims__json_new_str(m->licence));
    (void)ims__json_set(root, "source", ims__json_new_str(m->source));
    (void)ims__json_set(root, "revision", ims__json_new_str(m->revision));
    if (!path || ims__json_set(root, "files", files))
        st = ims_fail(err, IMS_E_NOMEM, ORIGIN, 0, "listing the model's files");
    if (!st)
        st = ims__json_write(root, 2, &text, err);
    if (!st)
        st = ims__write_file(path, text.data, text.len, err);
    ims__buf_release(&text);
    ims__json_free(root);
    ims__free(path);
    return st;
}

static ims_status read_root(ims_json **out, const char *dir, ims_err *err)
{
    char *path = ims__path_join(dir, IMS_MODEL_MANIFEST);
    struct ims_buf text;
    ims_status st;

    if (!path)
        return ims_fail(err, IMS_E_NOMEM, ORIGIN, 0, "opening %s", dir);
    st = ims__read_file(path, IMS_MAX_CONFIG_FILE_BYTES, &text, NULL, err);
    if (!st) {
        st = ims__json_parse(out, text.data ? text.data : "", text.len, path, err);
        ims__buf_release(&text);
    }
    ims__free(path);
    return st;
}

/* Below the folder, never beside it. */
static bool is_inside(const char *path)
{
    return path && *path && *path != '/' && strcmp(path, "..") != 0 &&
           strncmp(path, "../", 3) != 0 && !strstr(path, "/../") &&
           !(strlen(path) > 2 && strcmp(path + strlen(path) - 3, "/..") == 0);
}

static ims_status read_files(struct ims_manifest *m, const ims_json *files, const char *dir,
                             ims_err *err)
{
    ims_status st = IMS_OK;

    for (size_t i = 0; !st && i < ims__json_len(files); i++) {
        const ims_json *f = ims__json_at(files, i);
        const char *path = ims__json_str(ims__json_get(f, "path"), NULL);
        const char *sum = ims__json_str(ims__json_get(f, "sha256"), NULL);
        int64_t size = ims__json_int(ims__json_get(f, "size"), -1);

        if (!is_inside(path) || !sum || strlen(sum) != 64 || size < 0)
            return ims_fail(err, IMS_E_FORMAT, ORIGIN, 0,
                            "%.300s/" IMS_MODEL_MANIFEST ": file %zu is not described", dir, i);
        st = append(m, path, (uint64_t)size, sum, err);
    }
    return st;
}

ims_status ims__manifest_read(struct ims_manifest *out, const char *dir, ims_err *err)
{
    struct ims_manifest m = { 0 };
    ims_json *root = NULL;
    ims_status st = read_root(&root, dir, err);

    if (st)
        return st;
    m.name = ims__strdup(ims__json_str(ims__json_get(root, "name"), NULL));
    m.kind = ims__strdup(ims__json_str(ims__json_get(root, "kind"), NULL));
    m.licence = ims__strdup(ims__json_str(ims__json_get(root, "licence"), NULL));
    m.source = ims__strdup(ims__json_str(ims__json_get(root, "source"), NULL));
    m.revision = ims__strdup(ims__json_str(ims__json_get(root, "revision"), NULL));
    st = read_files(&m, ims__json_get(root, "files"), dir, err);
    ims__json_free(root);
    if (st) {
        ims__manifest_release(&m);
        return st;
    }
    *out = m;
    return IMS_OK;
}

bool ims_model_note_read(const char *dir, struct ims_model_note *out)
{
    struct ims_manifest m;

    if (ims__manifest_read(&m, dir, NULL))
        return false;
    snprintf(out->kind, sizeof(out->kind), "%s", m.kind ? m.kind : "");
    snprintf(out->licence, sizeof(out->licence), "%s", m.licence ? m.licence : "");
    snprintf(out->source, sizeof(out->source), "%s", m.source ? m.source : "");
    ims__manifest_release(&m);
    return true;
}
