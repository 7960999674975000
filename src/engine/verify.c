/* A sample of the library computed again and held against what is stored.
 * SPDX-License-Identifier: Apache-2.0 */
#include "ims/verify.h"

#include "base/fs.h"
#include "base/hash.h"
#include "base/limits.h"
#include "base/text.h"
#include "compute/model_proof.h"
#include "engine/engine_internal.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#define DEFAULT_SAMPLE 32
#define MAX_EVIDENCE 16 /* rows of one asset that are looked through */

struct verify {
    struct ims_engine *e;
    const struct ims_verify_options *o;
    const struct ims_clip_info *info;
    struct ims_verify_report r;
    size_t px_bytes, batch;
    uint8_t *pixels;   /* of a batch */
    float *stored, *fresh;
    char **paths;      /* of the batch; arena */
    struct ims_arena arena;
    double cosine_sum;
};

static void note(struct verify *v, const char *path, const char *reason, const char *text)
{
    if (v->o->on_note)
        v->o->on_note(v->o->arg, path, reason, text);
}

/* ---- what is stored ---- */

static void count_origin(struct ims_verify_report *r, const char *device)
{
    for (size_t i = 0; i < r->n_origins; i++) {
        if (strcmp(r->origins[i].device, device) == 0) {
            r->origins[i].n++;
            return;
        }
    }
    if (r->n_origins == IMS_VERIFY_MAX_ORIGINS)
        return;
    snprintf(r->origins[r->n_origins].device, sizeof(r->origins[0].device), "%.15s", device);
    r->origins[r->n_origins++].n = 1;
}

/* The stored vector against the checksum that was taken when it was made. Without evidence of this very
 * file (its vector came with another file of the same content) there is nothing to hold it against. */
static ims_status check_stored(struct verify *v, const struct ims_store_asset *a, const float *vector,
                               ims_err *err)
{
    struct ims_store_evidence *ev;
    uint8_t sum[IMS_SHA256_BYTES];
    char hex[2 * IMS_SHA256_BYTES + 1];
    size_t n;
    ims_status st = ims_store_asset_evidence(v->e->store, a->id, MAX_EVIDENCE, &v->arena, &ev, &n, err);

    for (size_t i = 0; !st && i < n; i++) {
        if (ev[i].model_id != v->e->model_id || !ev[i].checksum || strcmp(ev[i].task, IMS_TASK_CLIP) != 0)
            continue;
        count_origin(&v->r, ev[i].device);
        st = ims__sha256(vector, v->info->dim * sizeof(*vector), sum, err);
        ims__hex(sum, sizeof(sum), hex);
        if (!st && strcmp(hex, ev[i].checksum) != 0) {
            v->r.n_damaged++;
            note(v, a->path, "damaged", "the stored vector is not the one whose checksum was recorded");
        }
        break;
    }
    return st;
}

/* ---- the file again ---- */

static ims_status read_again(struct verify *v, const struct ims_store_asset *a, struct ims_buf *bytes,
                             bool *out_is_usable, ims_err *err)
{
    uint8_t sha256[IMS_SHA256_BYTES];
    ims_err why;
    ims_status st = ims__read_file(a->path, IMS_MAX_IMAGE_BYTES, bytes, NULL, &why);

    *out_is_usable = false;
    if (st == IMS_E_NOMEM)
        return ims_fail(err, st, "verify", 0, "reading a picture");
    if (st == IMS_E_NOT_FOUND) {
        v->r.n_gone++;
        note(v, a->path, "gone", "the file is not there any more");
        return IMS_OK;
    }
    if (st) {
        v->r.n_unreadable++;
        note(v, a->path, "unreadable", why.text);
        return IMS_OK;
    }
    st = ims__sha256(bytes->data, bytes->len, sha256, err);
    if (st)
        return st;
    *out_is_usable = a->has_sha256 && memcmp(sha256, a->sha256, sizeof(sha256)) == 0;
    if (!*out_is_usable) {
        v->r.n_changed++;
        note(v, a->path, "changed", "the file has another content than was indexed");
    }
    return IMS_OK;
}

static ims_status decode(struct verify *v, const struct ims_store_asset *a, const struct ims_buf *bytes,
                         uint8_t *pixels, bool *out_is_usable, ims_err *err)
{
    struct ims_image *image = NULL;
    ims_err why;
    ims_status st = ims_media_decode(v->e->media, (const uint8_t *)bytes->data, bytes->len, NULL, &image, &why);

    if (!st)
        st = ims__model_pixels(v->e->media, v->info, image, pixels, &why);
    ims_image_unref(image);
    *out_is_usable = st == IMS_OK;
    if (st == IMS_E_NOMEM)
        return ims_fail(err, st, "verify", 0, "decoding a picture");
    if (st) {
        v->r.n_unreadable++;
        note(v, a->path, "unreadable", why.text);
    }
    return IMS_OK;
}

/* One picture of the sample into place n of the batch. */
static ims_status prepare(struct verify *v, int64_t asset_id, size_t n, bool *out_is_usable, ims_err *err)
{
    const size_t dim = v->info->dim;
    struct ims_store_asset *a;
    struct ims_buf bytes;
    size_t n_found;
    ims_status st = ims_store_assets(v->e->store, &asset_id, 1, &v->arena, &a, &n_found, err);

    *out_is_usable = false;
    if (!st && n_found == 0) { /* purged this moment */
        v->r.n_gone++;
        return IMS_OK;
    }
    if (!st)
        st = ims_store_asset_vector(v->e->store, asset_id, v->e->model_id, v->stored + n * dim, (int)dim, err);
    if (!st)
        st = check_stored(v, a, v->stored + n * dim, err);
    if (st)
        return st;
    ims__buf_init(&bytes, 1);
    st = read_again(v, a, &bytes, out_is_usable, err);
    if (!st && *out_is_usable)
        st = decode(v, a, &bytes, v->pixels + n * v->px_bytes, out_is_usable, err);
    ims__buf_release(&bytes);
    v->paths[n] = (char *)(uintptr_t)a->path;
    return st;
}

/* ---- comparing ---- */

static double default_floor(const struct verify *v)
{
    struct ims_proof_bounds b;
    double floor = 1;

    for (unsigned k = 0; k < IMS_DEVICE_KINDS; k++) {
        const char *name = ims_device_kind_name((ims_device_kind)k);
        bool takes_part = strncmp(v->r.device, name, strlen(name)) == 0;

        for (size_t i = 0; i < v->r.n_origins; i++)
            takes_part = takes_part || strncmp(v->r.origins[i].device, name, strlen(name)) == 0;
        b = ims_proof_bounds((ims_device_kind)k, v->info->precision);
        if (takes_part)
            floor = fmin(floor, b.min_cosine);
    }
    return floor < 1 ? floor : ims_proof_bounds(IMS_DEVICE_CPU, v->info->precision).min_cosine;
}

static void compare(struct verify *v, size_t n)
{
    const size_t dim = v->info->dim;
    const float *a = v->stored + n * dim, *b = v->fresh + n * dim;
    double xy = 0, xx = 0, yy = 0, worst = 0, cosine;
    char text[80];

    for (size_t i = 0; i < dim; i++) {
        xy += (double)a[i] * (double)b[i];
        xx += (double)a[i] * (double)a[i];
        yy += (double)b[i] * (double)b[i];
        worst = fmax(worst, fabs((double)a[i] - (double)b[i]));
    }
    cosine = xx > 0 && yy > 0 ? xy / sqrt(xx * yy) : 0;
    v->r.min_cosine = v->r.n_compared ? fmin(v->r.min_cosine, cosine) : cosine;
    v->r.max_difference = fmax(v->r.max_difference, worst);
    v->r.n_equal += memcmp(a, b, dim * sizeof(*a)) == 0;
    v->r.n_compared++;
    v->cosine_sum += cosine;
    if (cosine >= v->r.floor)
        return;
    snprintf(text, sizeof(text), "cosine %.6f with the stored vector", cosine);
    note(v, v->paths[n], "drift", text);
}

static ims_status compute_batch(struct verify *v, size_t n, ims_err *err)
{
    struct ims_device_used used;
    ims_status st;

    if (n == 0)
        return IMS_OK;
    st = ims_clip_embed_images(v->e->clip, v->pixels, n, v->fresh, err);
    if (st)
        return st;
    ims__engine_note_device(v->e, true);
    ims_engine_device_used(v->e, &used);
    snprintf(v->r.device, sizeof(v->r.device), "%s", used.device);
    snprintf(v->r.provider, sizeof(v->r.provider), "%s", used.provider);
    snprintf(v->r.runtime, sizeof(v->r.runtime), "%s", used.runtime);
    v->r.floor = v->o->min_cosine > 0 ? v->o->min_cosine : default_floor(v);
    for (size_t i = 0; i < n; i++)
        compare(v, i);
    return IMS_OK;
}

/* ---- the sample ---- */

static ims_status make_memory(struct verify *v, ims_err *err)
{
    v->batch = v->e->options.batch_size;
    v->px_bytes = (size_t)v->info->preprocess.width * (size_t)v->info->preprocess.height * 3;
    v->pixels = ims__alloc(v->batch, v->px_bytes);
    v->stored = ims__alloc(v->batch * v->info->dim, sizeof(float));
    v->fresh = ims__alloc(v->batch * v->info->dim, sizeof(float));
    v->paths = ims__zalloc(v->batch, sizeof(*v->paths));
    if (!v->pixels || !v->stored || !v->fresh || !v->paths)
        return ims_fail(err, IMS_E_NOMEM, "verify", 0, "memory for a batch of %zu", v->batch);
    return IMS_OK;
}

static ims_status run_sample(struct verify *v, const struct ims_store_pair *pairs, ims_err *err)
{
    size_t n = 0;
    ims_status st = IMS_OK;

    for (size_t i = 0; !st && i < v->r.n_sampled; i++) {
        size_t at = (size_t)((double)i * (double)v->r.n_vectors / (double)v->r.n_sampled);
        bool is_usable;

        if (v->o->on_progress && !v->o->on_progress(v->o->arg, i, v->r.n_sampled))
            return ims_fail(err, IMS_E_CANCELLED, "verify", 0, "interrupted; nothing was changed");
        st = prepare(v, pairs[at].asset_id, n, &is_usable, err);
        n += !st && is_usable;
        if (!st && (n == v->batch || i + 1 == v->r.n_sampled)) {
            st = compute_batch(v, n, err);
            n = 0;
            ims__arena_release(&v->arena);
        }
    }
    return st;
}

static ims_status need_parts(struct verify *v, ims_err *err)
{
    ims_status st = ims__engine_need_model_id(v->e, false, err);

    if (!st)
        st = ims__engine_need_media(v->e, err);
    if (st)
        return st;
    v->info = ims_clip_info(v->e->clip);
    snprintf(v->r.model, sizeof(v->r.model), "%s", v->info->name);
    if (v->e->model_id == 0)
        return ims_fail(err, IMS_E_NOT_FOUND, "verify", 0,
                        "the library has no vector of the model %s; `imgsearch index FOLDER` makes some",
                        v->info->name);
    return make_memory(v, err);
}

ims_status ims_engine_verify(struct ims_engine *e, const struct ims_verify_options *options,
                             struct ims_verify_report *out, ims_err *err)
{
    struct verify v = { .e = e, .o = options };
    struct ims_store_pair *pairs = NULL;
    size_t want = options->sample ? options->sample : DEFAULT_SAMPLE;
    ims_status st;

    ims__arena_init(&v.arena, 0);
    st = need_parts(&v, err);
    if (!st)
        st = ims_store_candidates(e->store, e->model_id, NULL, &pairs, &v.r.n_vectors, err);
    if (!st && v.r.n_vectors == 0)
        st = ims_fail(err, IMS_E_NOT_FOUND, "verify", 0, "the library has no picture with a vector of %s",
                      v.info->name);
    v.r.n_sampled = want < v.r.n_vectors ? want : v.r.n_vectors;
    if (!st)
        st = run_sample(&v, pairs, err);
    if (!st) {
        v.r.mean_cosine = v.r.n_compared ? v.cosine_sum / (double)v.r.n_compared : 0;
        v.r.has_drift = v.r.n_compared && !(v.r.min_cosine >= v.r.floor);
        *out = v.r;
    }
    ims__free(pairs);
    ims__free(v.pixels);
    ims__free(v.stored);
    ims__free(v.fresh);
    ims__free(v.paths);
    ims__arena_release(&v.arena);
    return st;
}
