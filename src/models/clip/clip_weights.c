/* Where made weights lie, and whether they are what they say.
 * SPDX-License-Identifier: Apache-2.0 */
#include "models/clip/clip_weights.h"

#include "base/fs.h"
#include "base/json.h"
#include "base/mem.h"
#include "models/clip/clip.h"
#include "models/install.h"
#include "models/pack_internal.h"

#include <stdio.h>
#include <string.h>

#define ORIGIN "weights"
#define LENGTH_BYTES 8 /* of the header, before it */

ims_weight_type ims__clip_weight_type(ims_precision p, ims_clip_role role)
{
    static const ims_weight_type types[IMS_N_PRECISIONS][IMS_CLIP_BIAS + 1] = {
        [IMS_PRECISION_FP16] = { [IMS_CLIP_EXACT] = IMS_WEIGHT_F32,
                                 [IMS_CLIP_TABLE] = IMS_WEIGHT_F16,
                                 [IMS_CLIP_KERNEL] = IMS_WEIGHT_F16,
                                 [IMS_CLIP_LINEAR] = IMS_WEIGHT_F16,
                                 [IMS_CLIP_MATRIX] = IMS_WEIGHT_F16,
                                 [IMS_CLIP_BIAS] = IMS_WEIGHT_F16 },
        [IMS_PRECISION_INT8] = { [IMS_CLIP_EXACT] = IMS_WEIGHT_F32,
                                 [IMS_CLIP_TABLE] = IMS_WEIGHT_F16,
                                 [IMS_CLIP_KERNEL] = IMS_WEIGHT_F32,
                                 [IMS_CLIP_LINEAR] = IMS_WEIGHT_I8,
                                 [IMS_CLIP_MATRIX] = IMS_WEIGHT_I8,
                                 [IMS_CLIP_BIAS] = IMS_WEIGHT_F32 },
    };

    return p < IMS_N_PRECISIONS ? types[p][role] : IMS_WEIGHT_F32;
}

void ims__clip_part_name(char *out, size_t size, const char *name, uint64_t first, uint64_t n_rows)
{
    (void)snprintf(out, size, "%s[%llu:%llu]", name, (unsigned long long)first,
                   (unsigned long long)(first + n_rows));
}

ims_status ims_clip_space(const struct ims_pack *pack, ims_precision p, struct ims_clip_space *out,
                          ims_err *err)
{
    const char *precision = ims_precision_name(p);
    uint8_t sum[IMS_SHA256_BYTES];
    char text[160];
    ims_status st;

    if (p == IMS_PRECISION_FP32) {
        (void)snprintf(out->name, sizeof(out->name), "%s", pack->name);
        memcpy(out->digest, pack->digest, sizeof(out->digest));
        return IMS_OK;
    }
    (void)snprintf(text, sizeof(text), IMS_CLIP_WEIGHTS_RECIPE "\n%s\n%s\n", precision, pack->digest);
    st = ims__sha256(text, strlen(text), sum, err);
    if (st)
        return st;
    (void)snprintf(out->name, sizeof(out->name), "%.*s@%s", IMS_CLIP_SPACE_BYTES - 16, pack->name,
                   precision);
    ims__hex(sum, sizeof(sum), out->digest);
    return IMS_OK;
}

/* ---- is it what it says? ---- */

static ims_status sum_of(const uint8_t *data, size_t n, bool is_whole, char out[IMS_SHA256_HEX],
                         ims_err *err)
{
    uint8_t sum[IMS_SHA256_BYTES];
    struct ims_sha256 *h = NULL;
    ims_status st = ims__sha256_new(&h, err);

    if (!st)
        st = is_whole ? ims__sha256_add(h, data, n, err) : ims__sample_add(h, data, n, err);
    if (!st)
        st = ims__sha256_end(h, sum, err);
    if (!st)
        ims__hex(sum, sizeof(sum), out);
    ims__sha256_free(h);
    return st;
}

ims_status ims__clip_weights_sums(const uint8_t *data, size_t n, bool is_thorough,
                                  char samples[IMS_SHA256_HEX], char whole[IMS_SHA256_HEX],
                                  ims_err *err)
{
    ims_status st = sum_of(data, n, false, samples, err);

    return st || !is_thorough ? st : sum_of(data, n, true, whole, err);
}

static ims_status lies(const char *path, const char *what, ims_err *err)
{
    return ims_fail(err, IMS_E_CORRUPT, ORIGIN, 0, "%s: %s", path, what);
}

/* The sum of all data as the file gives it. s was parsed, so its header is JSON. */
static ims_status read_whole_sum(const struct ims_safetensors *s, size_t header, const char *path,
                                 char out[IMS_SHA256_HEX], ims_err *err)
{
    const ims_json *meta;
    const char *sum;
    ims_json *root = NULL;
    ims_status st = ims__json_parse(&root, (const char *)s->map.data + LENGTH_BYTES,
                                    header - LENGTH_BYTES, path, err);

    if (st)
        return st;
    meta = ims__json_get(root, "__metadata__");
    sum = ims__json_str(ims__json_get(meta, IMS_CLIP_WHOLE_SUM), NULL);
    if (sum && strlen(sum) == IMS_SHA256_HEX - 1)
        memcpy(out, sum, IMS_SHA256_HEX);
    else
        st = lies(path, "made by something else", err);
    ims__json_free(root);
    return st;
}

static ims_status check_claims(const struct ims_safetensors *s, const char *path,
                               const struct ims_clip_weights_job *job, ims_err *err)
{
    size_t header = s->map.size_bytes;
    char samples[IMS_SHA256_HEX] = "", whole[IMS_SHA256_HEX] = "";
    struct ims_buf want;
    ims_status st;

    for (size_t i = 0; i < s->n_tensors; i++) {
        if (s->tensors[i].offset < header)
            header = (size_t)s->tensors[i].offset;
    }
    st = ims__clip_weights_sums(s->map.data + header, s->map.size_bytes - header, job->is_thorough,
                                samples, whole, err);
    if (!st && !job->is_thorough)
        st = read_whole_sum(s, header, path, whole, err);
    if (!st)
        st = ims__clip_weights_header(job, samples, whole, &want, err);
    if (st)
        return st;
    if (header != want.len || memcmp(s->map.data, want.data, header) != 0)
        st = lies(path, "damaged, or made from another model or by another version", err);
    ims__buf_release(&want);
    return st;
}

ims_status ims__clip_weights_check(struct ims_safetensors *out, const char *path,
                                   const struct ims_clip_weights_job *job, ims_err *err)
{
    struct ims_safetensors s;
    ims_status st = ims__safetensors_open(&s, path, err);

    if (st)
        return st;
    st = check_claims(&s, path, job, err);
    if (st) {
        ims__safetensors_release(&s);
        return st;
    }
    *out = s;
    return IMS_OK;
}

/* ---- where it lies ---- */

struct places {
    char *dirs[2]; /* beside the pack; in the cache */
    char *paths[2];
    bool may_make[2];
};

static void release_places(struct places *p)
{
    for (size_t i = 0; i < 2; i++) {
        ims__free(p->dirs[i]);
        ims__free(p->paths[i]);
    }
}

/* Folders that somebody else fills are left as they are. */
static ims_status is_own_folder(const struct ims_pack *pack, bool *out, ims_err *err)
{
    char *manifest = ims__path_join(pack->dir, IMS_MODEL_MANIFEST);
    struct ims_file_info info;

    if (!manifest)
        return ims_fail(err, IMS_E_NOMEM, ORIGIN, 0, "looking for weights");
    *out = ims__stat(manifest, true, &info, NULL) == IMS_OK;
    ims__free(manifest);
    return IMS_OK;
}

static ims_status find_places(struct places *p, const struct ims_clip_weights_job *job,
                              ims_err *err)
{
    char name[64];
    ims_status st;

    *p = (struct places){ .may_make = { false, job->cache_dir != NULL } };
    st = is_own_folder(job->pack, &p->may_make[0], err);
    if (st)
        return st;
    (void)snprintf(name, sizeof(name), "imgsearch.%s.safetensors",
                   ims_precision_name(job->precision));
    p->dirs[0] = ims__strdup(job->pack->dir);
    p->dirs[1] = job->cache_dir ? ims__strfmt("%s/weights/%.16s", job->cache_dir, job->pack->digest)
                                : ims__strdup("");
    for (size_t i = 0; i < 2; i++)
        p->paths[i] = p->dirs[i] ? ims__path_join(p->dirs[i], name) : NULL;
    if (p->paths[0] && p->paths[1])
        return IMS_OK;
    release_places(p);
    return ims_fail(err, IMS_E_NOMEM, ORIGIN, 0, "looking for weights");
}

static bool is_about_the_place(ims_status st)
{
    return st == IMS_E_PERMISSION || st == IMS_E_NO_SPACE || st == IMS_E_IO;
}

/* Made where it may be, then opened like any other. */
static ims_status make(struct ims_safetensors *out, const struct places *p, size_t *out_at,
                       const struct ims_clip_weights_job *job, ims_err *err)
{
    ims_status st = ims_fail(err, IMS_E_PERMISSION, ORIGIN, 0, "no folder to keep them in");

    for (size_t i = 0; i < 2 && is_about_the_place(st); i++) {
        if (!p->may_make[i])
            continue;
        st = ims__clip_weights_make(p->paths[i], job, err);
        if (!st)
            st = ims__clip_weights_check(out, p->paths[i], job, err);
        *out_at = i;
    }
    return st;
}

ims_status ims__clip_weights_open(struct ims_safetensors *out, char **out_dir,
                                  const struct ims_clip_weights_job *job, ims_err *err)
{
    struct places p;
    size_t at = 0;
    ims_status st = find_places(&p, job, err);

    if (st)
        return st;
    st = IMS_E_NOT_FOUND;
    for (size_t i = 0; i < 2 && st && st != IMS_E_NOMEM; i++) {
        st = ims__clip_weights_check(out, p.paths[i], job, err);
        at = i;
    }
    if (st && st != IMS_E_NOMEM) /* none, or one that lies */
        st = make(out, &p, &at, job, err);
    if (is_about_the_place(st))
        st = ims_fail_in(err, st,
                         "the %s weights of %.100s cannot be kept, so they cannot be used; make "
                         "room, or use --precision fp32",
                         ims_precision_name(job->precision), job->pack->name);
    if (!st) {
        *out_dir = p.dirs[at];
        p.dirs[at] = NULL;
    }
    release_places(&p);
    return st;
}
