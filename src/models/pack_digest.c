/* The identity of a pack: a SHA-256 over its configuration and samples of its weights.
 *
 * Hashing every byte of a few hundred megabytes at each start would cost more than a search. Two
 * trainings of one architecture differ in nearly every byte, so size, head, tail and evenly spread
 * blocks tell them apart; files up to WHOLE_BYTES are hashed whole. docs/notes/safetensors.md has
 * the exact recipe.
 * SPDX-License-Identifier: Apache-2.0 */
#include "models/pack_internal.h"

#include "base/fs.h"
#include "base/hash.h"
#include "base/limits.h"
#include "base/mem.h"
#include "base/text.h"

#include <string.h>

#define RECIPE "imgsearch pack 1\n"
#define WHOLE_BYTES (2 * IMS_MIB)
#define HEAD_BYTES (256 * IMS_KIB)
#define BLOCK_BYTES (16 * IMS_KIB)
#define N_BLOCKS 64

static ims_status add_number(struct ims_sha256 *h, uint64_t v, ims_err *err)
{
    uint8_t le[8];

    for (unsigned i = 0; i < sizeof(le); i++)
        le[i] = (uint8_t)(v >> (8 * i));
    return ims__sha256_add(h, le, sizeof(le), err);
}

ims_status ims__sample_add(struct ims_sha256 *h, const uint8_t *p, size_t n, ims_err *err)
{
    ims_status st = IMS_OK;

    if (n <= WHOLE_BYTES)
        return n ? ims__sha256_add(h, p, n, err) : IMS_OK;
    st = ims__sha256_add(h, p, HEAD_BYTES, err);
    for (size_t i = 1; i <= N_BLOCKS && !st; i++) {
        /* the last block ends with the file; the product stays far below 2^64 */
        uint64_t at = (uint64_t)(n - BLOCK_BYTES) / N_BLOCKS * i;
        if (i == N_BLOCKS)
            at = n - BLOCK_BYTES;
        st = ims__sha256_add(h, p + at, BLOCK_BYTES, err);
    }
    return st;
}

ims_status ims__pack_add_file(struct ims_sha256 *h, const char *path, uint64_t *size_bytes,
                              ims_err *err)
{
    struct ims_map map;
    ims_status st;

    st = ims__map_open(&map, path, err);
    if (st)
        return st;
    st = add_number(h, map.size_bytes, err);
    if (!st)
        st = ims__sample_add(h, map.data, map.size_bytes, err);
    *size_bytes += map.size_bytes;
    ims__map_close(&map);
    return st;
}

static ims_status add_weight_file(struct ims_sha256 *h, struct ims_pack *pack, const char *name,
                                  ims_err *err)
{
    char *path = ims__path_join(pack->dir, name);
    ims_status st = path ? ims__pack_add_file(h, path, &pack->size_bytes, err)
                         : ims_fail(err, IMS_E_NOMEM, "pack", 0, "reading %s", pack->dir);

    ims__free(path);
    return st;
}

static ims_status add_config(struct ims_sha256 *h, const char *path, ims_err *err)
{
    struct ims_buf text;
    ims_status st;

    st = ims__read_file(path, IMS_MAX_CONFIG_FILE_BYTES, &text, NULL, err);
    if (st)
        return st;
    st = add_number(h, text.len, err);
    if (!st && text.len)
        st = ims__sha256_add(h, text.data, text.len, err);
    ims__buf_release(&text);
    return st;
}

/* ONNX packs of big models keep weights in further files beside model.onnx, under any name. */
static bool holds_weights(const char *name)
{
    static const char *const others[] = { ".json", ".txt", ".md", ".model", ".rknn", ".armnn" };

    for (size_t i = 0; i < IMS_ARRAY_LEN(others); i++) {
        if (ims__ends_with(name, others[i]))
            return false;
    }
    return true;
}

static ims_status add_onnx_folder(struct ims_sha256 *h, struct ims_pack *pack, const char *sub,
                                  ims_err *err)
{
    struct ims_dir_names d = { 0 };
    char *dir = ims__path_join(pack->dir, sub);
    ims_status st = IMS_OK;

    if (!dir)
        return ims_fail(err, IMS_E_NOMEM, "pack", 0, "reading %s", pack->dir);
    st = ims__dir_names_read(&d, dir, err);
    for (size_t i = 0; i < d.n && !st; i++) {
        struct ims_file_info info;
        char *path;
        if (!holds_weights(d.names[i]))
            continue;
        path = ims__path_join(dir, d.names[i]);
        if (!path)
            st = ims_fail(err, IMS_E_NOMEM, "pack", 0, "reading %s", dir);
        else
            st = ims__stat(path, true, &info, err);
        if (!st && info.is_regular) {
            st = ims__sha256_add(h, d.names[i], strlen(d.names[i]) + 1, err);
            if (!st)
                st = ims__pack_add_file(h, path, &pack->size_bytes, err);
        }
        ims__free(path);
    }
    ims__dir_names_release(&d);
    ims__free(dir);
    return st;
}

ims_status ims__pack_digest(struct ims_pack *p, ims_err *err)
{
    struct ims_sha256 *h = NULL;
    uint8_t sum[IMS_SHA256_BYTES];
    ims_status st;

    st = ims__sha256_new(&h, err);
    if (!st)
        st = ims__sha256_add(h, RECIPE, strlen(RECIPE), err);
    if (!st)
        st = add_config(h, p->files[IMS_PACK_CONFIG], err);
    for (size_t i = 0; !st && i < p->n_weight_files; i++)
        st = add_weight_file(h, p, p->weight_files[i], err);
    if (!st && p->layout == IMS_PACK_IMMICH) {
        st = add_config(h, p->files[IMS_PACK_PREPROCESS], err);
        if (!st)
            st = add_onnx_folder(h, p, "visual", err);
        if (!st)
            st = add_onnx_folder(h, p, "textual", err);
    }
    if (!st)
        st = ims__sha256_end(h, sum, err);
    if (!st)
        ims__hex(sum, sizeof(sum), p->digest);
    ims__sha256_free(h);
    return st;
}
