/* The triplet loss of a batch: project, compare, mine, and the way back to the weights.
 * SPDX-License-Identifier: Apache-2.0 */
#include "people/projection/triplet.h"

#include "base/mem.h"
#include "kernels/kernels.h"
#include "people/projection/projection_internal.h"

#include <math.h>
#include <string.h>

ims_status ims__triplet_work_init(struct ims_triplet_work *w, size_t dim, size_t max_n, ims_err *err)
{
    *w = (struct ims_triplet_work){ .dim = dim, .max_n = max_n };
    w->y = ims__alloc(max_n * dim, sizeof(float));
    w->dz = ims__alloc(max_n * dim, sizeof(float));
    w->dz_t = ims__alloc(max_n * dim, sizeof(float));
    w->x_t = ims__alloc(max_n * dim, sizeof(float));
    w->cosines = ims__alloc(max_n * max_n, sizeof(float));
    w->pull = ims__alloc(max_n * max_n, sizeof(float));
    w->norms = ims__alloc(max_n, sizeof(double));
    w->gradient = ims__zalloc(dim * dim, sizeof(float));
    if (w->y && w->dz && w->dz_t && w->x_t && w->cosines && w->pull && w->norms && w->gradient)
        return IMS_OK;
    ims__triplet_work_release(w);
    return ims_fail(err, IMS_E_NOMEM, "projection", 0, "room for a batch of %zu faces", max_n);
}

void ims__triplet_work_release(struct ims_triplet_work *w)
{
    ims__free(w->y);
    ims__free(w->dz);
    ims__free(w->dz_t);
    ims__free(w->x_t);
    ims__free(w->cosines);
    ims__free(w->pull);
    ims__free(w->norms);
    ims__free(w->gradient);
    *w = (struct ims_triplet_work){ 0 };
}

/* The mined negative of an anchor for a positive at cosine `near`; n when there is none with a loss. */
static size_t mine(const float *cosines, const uint32_t *persons, size_t n, size_t anchor, float near,
                   float margin, ims_mining mining)
{
    size_t best = n;
    float highest = near - margin; /* at or below this a negative costs nothing */

    for (size_t j = 0; j < n; j++) {
        if (persons[j] == persons[anchor] || cosines[j] <= highest)
            continue;
        if (mining == IMS_MINING_SEMI_HARD && cosines[j] >= near)
            continue;
        highest = cosines[j];
        best = j;
    }
    return best;
}

static void mine_all(struct ims_triplet_work *w, const uint32_t *persons, size_t n, double margin,
                     ims_mining mining)
{
    double sum = 0.0;

    memset(w->pull, 0, n * n * sizeof(float));
    w->n_triplets = 0;
    for (size_t a = 0; a < n; a++) {
        const float *cosines = w->cosines + a * n;

        for (size_t p = 0; p < n; p++) {
            size_t far;

            if (p == a || persons[p] != persons[a])
                continue;
            far = mine(cosines, persons, n, a, cosines[p], (float)margin, mining);
            if (far == n)
                continue;
            sum += (double)cosines[far] - (double)cosines[p] + margin;
            w->n_triplets++;
            w->pull[a * n + p] -= 1.0F;
            w->pull[a * n + far] += 1.0F;
        }
    }
    w->loss = w->n_triplets ? sum / (double)w->n_triplets : 0.0;
}

/* From cosines to vectors before they had length 1:
 * dy = sum of pull * other's y;  dz = (dy - (dy . y) y) / |z|. */
static void back_to_vectors(struct ims_triplet_work *w, size_t n)
{
    const struct ims_kernels *k = ims__kernels();
    const size_t dim = w->dim;
    const float each = 1.0F / (float)w->n_triplets;

    for (size_t a = 0; a < n; a++) {
        float *dz = w->dz + a * dim;
        const float *y = w->y + a * dim;
        float along, scale;

        memset(dz, 0, dim * sizeof(float));
        for (size_t b = 0; b < n; b++) {
            const float pull = (w->pull[a * n + b] + w->pull[b * n + a]) * each;
            const float *other = w->y + b * dim;

            if (pull == 0.0F)
                continue;
            for (size_t i = 0; i < dim; i++)
                dz[i] += pull * other[i];
        }
        along = k->dot_f32(dz, y, dim);
        scale = (float)(1.0 / w->norms[a]);
        for (size_t i = 0; i < dim; i++)
            dz[i] = (dz[i] - along * y[i]) * scale;
    }
}

static void transpose(const float *rows, size_t n, size_t dim, float *out)
{
    for (size_t a = 0; a < n; a++) {
        for (size_t i = 0; i < dim; i++)
            out[i * n + a] = rows[a * dim + i];
    }
}

void ims__triplet_step(struct ims_triplet_work *w, const float *weights, const float *x,
                       const uint32_t *persons, size_t n, double margin, ims_mining mining)
{
    const struct ims_kernels *k = ims__kernels();
    const size_t dim = w->dim;

    ims__projection_rows(weights, dim, x, n, w->y, w->norms);
    for (size_t a = 0; a < n; a++)
        k->dot_f32_rows(w->y + a * dim, w->y, dim, n, dim, w->cosines + a * n);
    mine_all(w, persons, n, margin, mining);
    if (w->n_triplets == 0) {
        memset(w->gradient, 0, dim * dim * sizeof(float));
        return;
    }
    back_to_vectors(w, n);
    transpose(w->dz, n, dim, w->dz_t);
    transpose(x, n, dim, w->x_t);
    for (size_t i = 0; i < dim; i++)
        k->dot_f32_rows(w->dz_t + i * n, w->x_t, n, dim, n, w->gradient + i * dim);
}
