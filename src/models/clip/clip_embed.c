/* Pictures and texts through the towers: in turns of a batch, results checked before they are
 * given.
 * SPDX-License-Identifier: Apache-2.0 */
#include "base/limits.h"
#include "base/mem.h"
#include "kernels/kernels.h"
#include "models/clip/clip_internal.h"

#include <math.h>
#include <string.h>

#define ORIGIN "clip"
#define LENGTH_TOLERANCE 1e-3

/* A device that computes rubbish must not fill the index with it. */
ims_status ims__clip_look(void *clip, const struct ims_compute_value *out, size_t n_out,
                          ims_err *err)
{
    const struct ims_clip *c = clip;
    const size_t dim = c->config.dim;
    const float *rows = out->tensor.data;

    (void)n_out; /* the towers have one output */
    for (size_t r = 0; r < (size_t)out->tensor.shape[0]; r++) {
        double sum = 0;
        for (size_t i = 0; i < dim; i++)
            sum += (double)rows[r * dim + i] * (double)rows[r * dim + i];
        if (!(fabs(sqrt(sum) - 1.0) <= LENGTH_TOLERANCE)) /* NaN fails this too */
            return ims_fail(err, IMS_E_MODEL, ORIGIN, 0,
                            "the model %s gave a vector of length %g: expected 1", c->pack->name,
                            sqrt(sum));
    }
    return IMS_OK;
}

/* One run: n rows of input to n rows of out. */
static ims_status run(struct ims_clip *c, ims_clip_tower tower, struct ims_tensor input, size_t n,
                      float *out, struct ims_pool_place *places, ims_err *err)
{
    const int64_t shape[] = { (int64_t)n, c->config.dim };
    struct ims_compute_value in = { .tensor = input };
    struct ims_compute_value result = {
        .tensor = ims_tensor_view(IMS_DTYPE_F32, 2, shape, out, n * c->config.dim * sizeof(*out))
    };

    return ims_pool_run(c->sides[tower].pool, &in, 1, &result, 1, places, err);
}

/* Room for all results, so that the caller's stay untouched until every turn has succeeded. */
static ims_status begin(struct ims_clip *c, ims_clip_tower tower, size_t n, float **out,
                        ims_err *err)
{
    size_t n_floats;
    ims_status st;

    st = ims_clip_load(c, tower, err);
    if (st)
        return st;
    *out = ims__mul_size(n, c->config.dim, &n_floats) ? ims__alloc(n_floats, sizeof(**out)) : NULL;
    return *out ? IMS_OK : ims_fail(err, IMS_E_NOMEM, ORIGIN, 0, "embedding %zu inputs", n);
}

static size_t turn_size(const struct ims_clip *c, ims_clip_tower tower, size_t left)
{
    size_t most = c->max_batch * ims_pool_n_devices(c->sides[tower].pool); /* cut by the pool */

    return left < most ? left : most;
}

/* ---- pictures ---- */

static ims_status run_bytes(struct ims_clip *c, const uint8_t *pixels, size_t n, float *out,
                            struct ims_pool_place *places, ims_err *err)
{
    const struct ims_clip_vision *v = &c->config.vision;
    const int64_t shape[] = { (int64_t)n, v->height, v->width, 3 };

    return run(c, IMS_CLIP_IMAGE,
               ims_tensor_view(IMS_DTYPE_U8, 4, shape, (void *)(uintptr_t)pixels,
                               n * v->height * v->width * 3),
               n, out, places, err);
}

void ims__clip_planes(const struct ims_clip *c, const uint8_t *pixels, size_t n, float *out)
{
    const struct ims_clip_preprocess *p = &c->config.preprocess;
    const size_t n_px = (size_t)p->height * (size_t)p->width;
    float scale[3];
    float bias[3];

    for (size_t i = 0; i < 3; i++) {
        scale[i] = (float)(1.0 / (255.0 * (double)p->std[i]));
        bias[i] = (float)(-(double)p->mean[i] / (double)p->std[i]);
    }
    for (size_t i = 0; i < n; i++)
        ims__kernels()->u8_to_f32_planar(pixels + i * n_px * 3, n_px, scale, bias,
                                         out + i * n_px * 3, n_px);
}

static ims_status run_planar(struct ims_clip *c, const uint8_t *pixels, size_t n, float *planes,
                             float *out, struct ims_pool_place *places, ims_err *err)
{
    const struct ims_clip_preprocess *p = &c->config.preprocess;
    const int64_t shape[] = { (int64_t)n, 3, p->height, p->width };
    const size_t n_px = (size_t)p->height * (size_t)p->width;

    ims__clip_planes(c, pixels, n, planes);
    return run(c, IMS_CLIP_IMAGE,
               ims_tensor_view(IMS_DTYPE_F32, 4, shape, planes, n * n_px * 3 * sizeof(*planes)), n,
               out, places, err);
}

ims_status ims_clip_embed_images(struct ims_clip *c, const uint8_t *pixels, size_t n, float *out,
                                 ims_err *err)
{
    return ims_clip_embed_images_on(c, pixels, n, out, NULL, err);
}

ims_status ims_clip_embed_images_on(struct ims_clip *c, const uint8_t *pixels, size_t n, float *out,
                                    struct ims_pool_place *places, ims_err *err)
{
    const size_t image_bytes = (size_t)c->config.vision.height * c->config.vision.width * 3;
    float *rows = NULL;
    float *planes = NULL;
    ims_status st = IMS_OK;

    if (n == 0)
        return IMS_OK;
    st = begin(c, IMS_CLIP_IMAGE, n, &rows, err);
    if (st)
        return st;
    if (c->sides[IMS_CLIP_IMAGE].is_planar) {
        planes = ims__alloc(turn_size(c, IMS_CLIP_IMAGE, n), image_bytes * sizeof(*planes));
        if (!planes) {
            st = ims_fail(err, IMS_E_NOMEM, ORIGIN, 0, "embedding %zu pictures", n);
            goto out;
        }
    }
    for (size_t at = 0, turn; at < n; at += turn) {
        const uint8_t *first = pixels + at * image_bytes;
        float *to = rows + at * c->config.dim;
        struct ims_pool_place *on = places ? places + at : NULL;
        turn = turn_size(c, IMS_CLIP_IMAGE, n - at);
        st = planes ? run_planar(c, first, turn, planes, to, on, err)
                    : run_bytes(c, first, turn, to, on, err);
        if (st)
            goto out;
    }
    memcpy(out, rows, n * c->config.dim * sizeof(*out));
out:
    ims__free(planes);
    ims__free(rows);
    return st;
}

/* ---- texts ---- */

static ims_status run_ids(struct ims_clip *c, const int32_t *ids, size_t n, size_t length,
                          float *out, ims_err *err)
{
    const int64_t shape[] = { (int64_t)n, (int64_t)length };
    int64_t *wide;
    ims_status st;

    if (c->sides[IMS_CLIP_TEXT].id_type == IMS_DTYPE_I32)
        return run(c, IMS_CLIP_TEXT,
                   ims_tensor_view(IMS_DTYPE_I32, 2, shape, (void *)(uintptr_t)ids,
                                   n * length * sizeof(*ids)),
                   n, out, NULL, err);
    wide = ims__alloc(n * length, sizeof(*wide));
    if (!wide)
        return ims_fail(err, IMS_E_NOMEM, ORIGIN, 0, "embedding %zu texts", n);
    for (size_t i = 0; i < n * length; i++)
        wide[i] = ids[i];
    st = run(c, IMS_CLIP_TEXT,
             ims_tensor_view(IMS_DTYPE_I64, 2, shape, wide, n * length * sizeof(*wide)), n, out,
             NULL, err);
    ims__free(wide);
    return st;
}

ims_status ims__clip_embed_ids(struct ims_clip *c, const int32_t *ids, size_t n, size_t length,
                               float *out, ims_err *err)
{
    float *rows = NULL;
    ims_status st;

    if (n == 0)
        return IMS_OK;
    st = begin(c, IMS_CLIP_TEXT, n, &rows, err);
    if (st)
        return st;
    for (size_t at = 0, turn; at < n && !st; at += turn) {
        turn = turn_size(c, IMS_CLIP_TEXT, n - at);
        st = run_ids(c, ids + at * length, turn, length, rows + at * c->config.dim, err);
    }
    if (!st)
        memcpy(out, rows, n * c->config.dim * sizeof(*out));
    ims__free(rows);
    return st;
}

/* Token ids of every text, each in a row of stride ids, and the longest row's length. */
static ims_status encode_all(const struct ims_clip *c, const char *const *texts, size_t n,
                             size_t stride, int32_t *ids, size_t *out_longest, ims_err *err)
{
    size_t longest = 0;

    for (size_t i = 0; i < n; i++) {
        struct ims_tokens t = { .ids = ids + i * stride, .context_length = (int)stride };
        ims_status st = ims_tokenizer_encode(c->tokenizer, texts[i], strlen(texts[i]), &t, err);
        if (st)
            return st;
        for (size_t k = (size_t)t.n; k < stride; k++)
            t.ids[k] = c->pad_id;
        if ((size_t)t.n > longest)
            longest = (size_t)t.n;
    }
    *out_longest = longest;
    return IMS_OK;
}

ims_status ims__clip_ids(const struct ims_clip *c, const struct ims_clip_side *side,
                         const char *const *texts, size_t n, int32_t **out, size_t *out_length,
                         ims_err *err)
{
    size_t stride = side->length ? side->length : c->config.text.context_length;
    size_t longest = 0, n_ids;
    int32_t *ids = NULL;
    ims_status st;

    if (ims__mul_size(n, stride, &n_ids))
        ids = ims__alloc(n_ids, sizeof(*ids));
    if (!ids)
        return ims_fail(err, IMS_E_NOMEM, ORIGIN, 0, "embedding %zu texts", n);
    st = encode_all(c, texts, n, stride, ids, &longest, err);
    if (st) {
        ims__free(ids);
        return st;
    }
    if (side->length == 0 && longest < stride) {
        for (size_t i = 1; i < n; i++)
            memmove(ids + i * longest, ids + i * stride, longest * sizeof(*ids));
        stride = longest;
    }
    *out = ids;
    *out_length = stride;
    return IMS_OK;
}

ims_status ims_clip_embed_text(struct ims_clip *c, const char *const *texts, size_t n, float *out,
                               ims_err *err)
{
    int32_t *ids = NULL;
    size_t length = 0;
    ims_status st;

    if (n == 0)
        return IMS_OK;
    st = ims_clip_load(c, IMS_CLIP_TEXT, err);
    if (!st)
        st = ims__clip_ids(c, &c->sides[IMS_CLIP_TEXT], texts, n, &ids, &length, err);
    if (!st)
        st = n == 1 && ims__clip_gathers(c) ? ims__clip_embed_gathered(c, ids, length, out, err)
                                : ims__clip_embed_ids(c, ids, n, length, out, err);
    ims__free(ids);
    return st;
}
