/* Projections in memory: the identity, copies, and applying one to vectors.
 * SPDX-License-Identifier: Apache-2.0 */
#include "people/projection/projection.h"

#include "base/hash.h"
#include "base/mem.h"
#include "kernels/kernels.h"
#include "people/projection/projection_internal.h"

#include <math.h>
#include <string.h>

static ims_status new_empty(struct ims_projection **out, size_t dim, ims_err *err)
{
    struct ims_projection *p = NULL;

    if (dim == 0 || dim > IMS_PROJECTION_MAX_DIM)
        return ims_fail(err, IMS_E_DIMENSION, "projection", 0,
                        "a projection has 1 to %d dimensions, not %zu", IMS_PROJECTION_MAX_DIM, dim);
    p = ims__zalloc(1, sizeof(*p));
    if (!p)
        goto fail;
    p->dim = dim;
    p->weights = ims__zalloc(dim * dim, sizeof(float));
    p->first = ims__zalloc(dim * dim, sizeof(float));
    p->second = ims__zalloc(dim * dim, sizeof(float));
    p->card = ims__strdup("");
    if (!p->weights || !p->first || !p->second || !p->card)
        goto fail;
    *out = p;
    return IMS_OK;
fail:
    ims_projection_free(p);
    return ims_fail(err, IMS_E_NOMEM, "projection", 0, "allocating a projection");
}

ims_status ims_projection_new(struct ims_projection **out, size_t dim, ims_err *err)
{
    ims_status st = new_empty(out, dim, err);

    if (st)
        return st;
    for (size_t i = 0; i < dim; i++)
        (*out)->weights[i * dim + i] = 1.0F;
    return IMS_OK;
}

ims_status ims_projection_dup(struct ims_projection **out, const struct ims_projection *p,
                              ims_err *err)
{
    struct ims_projection *copy = NULL;
    size_t n = p->dim * p->dim;
    ims_status st = new_empty(&copy, p->dim, err);

    if (!st)
        st = ims_projection_set_card(copy, p->card, err);
    if (st)
        goto out;
    memcpy(copy->weights, p->weights, n * sizeof(float));
    memcpy(copy->first, p->first, n * sizeof(float));
    memcpy(copy->second, p->second, n * sizeof(float));
    copy->steps = p->steps;
    *out = copy;
    copy = NULL;
out:
    ims_projection_free(copy);
    return st;
}

void ims_projection_free(struct ims_projection *p)
{
    if (!p)
        return;
    ims__free(p->weights);
    ims__free(p->first);
    ims__free(p->second);
    ims__free(p->card);
    ims__free(p);
}

size_t ims_projection_dim(const struct ims_projection *p)
{
    return p->dim;
}

const float *ims_projection_weights(const struct ims_projection *p)
{
    return p->weights;
}

uint64_t ims_projection_steps(const struct ims_projection *p)
{
    return p->steps;
}

const char *ims_projection_card(const struct ims_projection *p)
{
    return p->card;
}

ims_status ims_projection_set_card(struct ims_projection *p, const char *json, ims_err *err)
{
    char *copy;

    if (strlen(json) > IMS_PROJECTION_MAX_CARD_BYTES)
        return ims_fail(err, IMS_E_LIMIT, "projection", 0, "a card has at most %d bytes",
                        IMS_PROJECTION_MAX_CARD_BYTES);
    copy = ims__strdup(json);
    if (!copy)
        return ims_fail(err, IMS_E_NOMEM, "projection", 0, "keeping the card");
    ims__free(p->card);
    p->card = copy;
    return IMS_OK;
}

ims_status ims_projection_digest(const struct ims_projection *p,
                                 char out[IMS_PROJECTION_DIGEST_BYTES], ims_err *err)
{
    uint8_t sum[IMS_SHA256_BYTES];
    ims_status st = ims__sha256(p->weights, p->dim * p->dim * sizeof(float), sum, err);

    if (!st)
        ims__hex(sum, sizeof(sum), out);
    return st;
}

void ims__projection_rows(const float *weights, size_t dim, const float *x, size_t n, float *y,
                          double *norms)
{
    const struct ims_kernels *k = ims__kernels();

    for (size_t i = 0; i < n; i++) {
        double norm;

        k->dot_f32_rows(x + i * dim, weights, dim, dim, dim, y + i * dim);
        norm = k->normalise_f32(y + i * dim, dim);
        if (norms)
            norms[i] = norm;
    }
}

ims_status ims_projection_apply(const struct ims_projection *p, const float *in, size_t n, float *out,
                                ims_err *err)
{
    for (size_t i = 0; i < n; i++) {
        double norm;

        ims__projection_rows(p->weights, p->dim, in + i * p->dim, 1, out + i * p->dim, &norm);
        if (!isfinite(norm) || norm <= 0.0)
            return ims_fail(err, IMS_E_INVALID, "projection", 0,
                            "vector %zu is not finite or has no length", i);
    }
    return IMS_OK;
}
